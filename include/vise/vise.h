/**
 * @file
 * Vise: trains neural nets with hard regularization. This header includes the whole public API:
 *
 *  - fit.h       a fit in one call, with options as text; then vise_predict and vise_score
 *  - ranks.h     several processes that train as one, by MPI: vise_ranks_open
 *  - run.h       a run with callbacks, metrics, checkpoints and stopping rules: vise_trainer_run
 *  - sweep.h     many fits at once, as they are asked for: vise_sweep_submit, vise_sweep_next
 *  - train.h     single steps, on the training data, own batches or own gradients: vise_trainer_step, ..._external
 *
 * which share
 *
 *  - dataset.h   features, targets and row weights, from files or memory
 *  - model.h     weights, and what is needed to use them again; their files; pruning
 *  - certify.h   proven bounds of a model
 *  - export.h    a model as ONNX and as C
 *  - evaluate.h  loss, accuracy, outputs of a model on a dataset
 *  - search.h    configurations to try, and the choice among them
 *  - recipe.h    defaults that go together, for tables
 *  - folder.h    files written whole, and folders for one process at a time
 *  - types.h     enumerations and arrays
 *  - status.h    status codes, errors, and the rules that hold for all calls
 *
 * and, about Vise itself,
 *
 *  - info.h      version, backends and GPUs of this build and machine
 *  - check.h     the self-check: gradients, and agreement of the backends
 *  - plan.h      what the cuda backend would run
 *  - bench.h     timing of the step
 */
#ifndef VISE_VISE_H
#define VISE_VISE_H

#include "vise/bench.h"
#include "vise/certify.h"
#include "vise/check.h"
#include "vise/dataset.h"
#include "vise/evaluate.h"
#include "vise/export.h"
#include "vise/fit.h"
#include "vise/folder.h"
#include "vise/info.h"
#include "vise/model.h"
#include "vise/options.h"
#include "vise/plan.h"
#include "vise/preprocessor.h"
#include "vise/ranks.h"
#include "vise/recipe.h"
#include "vise/run.h"
#include "vise/search.h"
#include "vise/status.h"
#include "vise/sweep.h"
#include "vise/table.h"
#include "vise/train.h"
#include "vise/types.h"

#endif
