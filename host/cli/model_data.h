/* A saved model and data for it: what eval and predict share. */
#ifndef VISE_I_CLI_MODEL_DATA_H
#define VISE_I_CLI_MODEL_DATA_H

#include <jansson.h>
#include <stdio.h>

#include "host/cli/options.h"

typedef struct vise_i_cli_model {
  vise_model *model;
  vise_preprocessor *preprocessor; /* of a model of tables; else NULL */
} vise_i_cli_model;

/* Reads --model, which --activation and --loss complete if it is another program's. *out must be closed on failure
   too. */
VISE_WARN_UNUSED vise_status vise_i_cli_model_open(const vise_i_cli_options *options, vise_i_cli_model *out,
                                                   vise_error *err);
void vise_i_cli_model_close(vise_i_cli_model *model);

/* --data with its targets: the columns that the model was trained on, by their names; for a model of arrays --labels, or
   the --target columns of a CSV. */
VISE_WARN_UNUSED vise_status vise_i_cli_load_labelled(const vise_i_cli_options *options, const vise_i_cli_model *model,
                                                      vise_dataset **out, vise_error *err);
/* --data for a prediction of every row: the same without targets. For a model of arrays a CSV may have exactly as many
   columns as it has inputs, or target columns too: those of --target, else the last column. */
VISE_WARN_UNUSED vise_status vise_i_cli_load_features(const vise_i_cli_options *options, const vise_i_cli_model *model,
                                                      vise_dataset **out, vise_error *err);

/* With the rows of --ranges, in *ranges (NULL: there are none), which config borrows and the caller frees. */
VISE_WARN_UNUSED vise_status vise_i_cli_eval_config(const vise_i_cli_options *options, const vise_i_cli_model *model,
                                                    vise_eval_config *out, vise_dataset **ranges, vise_error *err);
/* How train and its estimate score a net: where it was trained, as the net that it was trained to be; in integers that is
   the CPU's to compute. */
vise_eval_config vise_i_cli_eval_of_training(const vise_train_config *training);
/* A line about the net in integers that --as asked for: whether it was trained, where its ranges are from, and its sums; and
   the same as an object. */
void vise_i_cli_print_integer(FILE *stream, const vise_i_cli_options *options, const vise_integer_report *net);
json_t *vise_i_cli_integer_json(const vise_i_cli_options *options, const vise_integer_report *net);

#endif
