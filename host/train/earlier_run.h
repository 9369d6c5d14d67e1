/* What lies in the folder of a run before it begins: an earlier run, or files of others. Only what a run of Vise wrote
   is ever removed, and that is told by what the files contain. */
#ifndef VISE_I_EARLIER_RUN_H
#define VISE_I_EARLIER_RUN_H

#include <stdbool.h>

#include "host/base/error.h"

/* The folder of a run's checkpoints. */
#define VISE_I_CHECKPOINTS_NAME "checkpoints"

/* Whether dir holds nothing, or is missing. The lock, temporary files, and what a run that was killed at once left empty
   do not count. */
VISE_WARN_UNUSED vise_status vise_i_earlier_run_is_empty(const char *dir, bool *out, vise_error *err);

/* VISE_OK when dir may be given to a new run: it holds a run of Vise, or nothing; what stands under the names of a
   run's files is from a run. VISE_ERR_USAGE otherwise, naming the file; VISE_ERR_IO when something cannot be read. */
VISE_WARN_UNUSED vise_status vise_i_earlier_run_check(const char *dir, vise_error *err);

/* Whether a run of Vise began in dir: there is its config.json, or its metrics.jsonl. */
VISE_WARN_UNUSED vise_status vise_i_earlier_run_began(const char *dir, bool *out, vise_error *err);

/* Whether a name in the folder is that of a run's file that is, or was, being written. */
bool vise_i_earlier_run_is_leftover(const char *name);

#endif
