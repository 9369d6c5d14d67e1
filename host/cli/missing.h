/* What files do not say, and which option does. */
#ifndef VISE_I_CLI_MISSING_H
#define VISE_I_CLI_MISSING_H

#include "vise/vise.h"

/* Refuses a dataset of features alone; option takes the file of their targets. */
VISE_WARN_UNUSED vise_status vise_i_cli_check_targets(const vise_dataset *dataset, const char *option, vise_error *err);

/* VISE_ERR_USAGE: the model at path does not say its activation. */
vise_status vise_i_cli_fail_activation(const char *path, vise_error *err);

#endif
