/* Data for a saved model: what eval and predict share. */
#ifndef VISE_I_CLI_MODEL_DATA_H
#define VISE_I_CLI_MODEL_DATA_H

#include "host/cli/options.h"

/* --data with its targets (--labels, or the --target columns of a CSV). */
VISE_WARN_UNUSED vise_status vise_i_cli_load_labelled(const vise_i_cli_options *options, vise_dataset **out,
                                                      vise_error *err);
/* --data for a model of n_features inputs. A CSV may have exactly these columns, or target columns too: those of
   --target, else the last column. */
VISE_WARN_UNUSED vise_status vise_i_cli_load_features(const vise_i_cli_options *options, size_t n_features,
                                                      vise_dataset **out, vise_error *err);

void vise_i_cli_eval_config(const vise_i_cli_options *options, vise_eval_config *out);

#endif
