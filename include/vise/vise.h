/** @file
 * Vise: trains neural nets with hard regularization. This header includes the whole public API. */
#ifndef VISE_VISE_H
#define VISE_VISE_H

#include "vise/bench.h"
#include "vise/dataset.h"
#include "vise/evaluate.h"
#include "vise/model.h"
#include "vise/plan.h"
#include "vise/preprocessor.h"
#include "vise/status.h"
#include "vise/table.h"
#include "vise/train.h"
#include "vise/types.h"

#endif
