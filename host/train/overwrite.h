/* A new run in the place of an earlier one; and what killed processes left in the folder. The folder is locked. */
#ifndef VISE_I_OVERWRITE_H
#define VISE_I_OVERWRITE_H

#include <stdbool.h>

#include "host/base/error.h"

/* After vise_i_earlier_run_check: the files of the run in dir go, and config_json (NULL: none) takes the place of its
   config.json, all or nothing; see vise_i_replace, also for *changed and remains. Files of others stay. */
VISE_WARN_UNUSED vise_status vise_i_overwrite(const char *dir, const char *config_json, bool *changed,
                                              vise_error *remains, vise_error *err);

/* Removes what processes that have ended were writing. */
VISE_WARN_UNUSED vise_status vise_i_overwrite_remove_leftovers(const char *dir, vise_error *err);

#endif
