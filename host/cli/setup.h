/* From options to data sets and a model, for train and check. */
#ifndef VISE_I_CLI_SETUP_H
#define VISE_I_CLI_SETUP_H

#include "host/cli/options.h"

/* The rows of --train as they were read, for several setups. */
typedef struct vise_i_cli_input {
  vise_table *table; /* one of the two */
  vise_dataset *array;
} vise_i_cli_input;

typedef struct vise_i_cli_setup {
  vise_dataset *train, *validation, *test; /* validation and test may be NULL */
  vise_model *model;
  size_t n_classes;                         /* that the labels need; 0: they are not class labels */
  vise_preprocessor *preprocessor;          /* of a table; else NULL */
  vise_scale scale;                         /* that it scales by */
  bool keeps_scaling, keeps_target_scaling; /* those of the model of --init */
  bool has_checkpoint;                      /* the run of --resume goes on from one, not from its beginning */
  char **notes;                             /* [n_notes]: what was found while the table was read */
  size_t n_notes;
  size_t n_left_out;  /* rows of a table, before rows were held out */
  size_t n_of_others; /* training rows of the same table that other processes have */
  size_t n_later;     /* rows after a fold in order of time, and so in no part */
  size_t n_recipe_rows, n_recipe_train_rows,
      n_recipe_features; /* of a table, that its recipe goes by: rows without those
                          of a test, rows to train on (with a fold: before it was held out), columns used */
  size_t n_table_rows;
  char delimiter; /* of a table; 0: it has none */
  bool has_header;
  /* For cross-validation, else NULL: the table, how to fit to it, and its rows to train on (NULL: all). */
  vise_table *table;
  vise_preprocessor_options how;
  size_t *rows, n_rows;
  bool made_up;                  /* the rows are random numbers (check without --train) */
  const vise_i_cli_input *input; /* borrowed; NULL: the rows are read from the file */
} vise_i_cli_setup;

/* Reads and splits the data, fills in "auto" sizes (options->net becomes what is used) and
   makes the initial model. *setup must be freed on failure too. */
VISE_WARN_UNUSED vise_status vise_i_cli_setup_make(vise_i_cli_options *options, vise_i_cli_setup *setup,
                                                   vise_error *err);

/* Reads the rows of --train once; free the source on failure too. */
VISE_WARN_UNUSED vise_status vise_i_cli_input_read(const vise_i_cli_options *options, vise_i_cli_input *out,
                                                   vise_error *err);
void vise_i_cli_input_free(vise_i_cli_input *input);
/* vise_i_cli_setup_make for these rows, without a model, and silent about what is noticed. */
VISE_WARN_UNUSED vise_status vise_i_cli_setup_make_data(vise_i_cli_options *options, const vise_i_cli_input *input,
                                                        vise_i_cli_setup *setup, vise_error *err);
/* Makes of options what vise_i_cli_setup_make would, with the data of a setup that they leave as they are: *out borrows
   all of that but its model, which is for the caller to free, and NULL where weights are drawn by --init-scheme. */
VISE_WARN_UNUSED vise_status vise_i_cli_setup_follow(vise_i_cli_options *options, const vise_i_cli_setup *data,
                                                     vise_i_cli_setup *out, vise_error *err);

/* The options for a trainer of these data: what a preprocessor scales is scaled. It owns nothing. */
vise_train_config vise_i_cli_trainer_config(const vise_i_cli_options *options, const vise_i_cli_setup *setup);
/* The part of making them that is about a table (training_table.c): preprocessor, datasets, n_classes, and in options the
   loss that follows from the target. initial may be NULL. */
VISE_WARN_UNUSED vise_status vise_i_cli_training_table(vise_i_cli_options *options, vise_i_cli_setup *setup,
                                                       const vise_model *initial, vise_error *err);
/* The part of vise_i_cli_setup_follow that is about a table. */
VISE_WARN_UNUSED vise_status vise_i_cli_training_table_follow(vise_i_cli_options *options,
                                                              const vise_i_cli_setup *setup, vise_error *err);
/* The preprocessor of a model, whose file is path; *out is NULL if it has none. */
VISE_WARN_UNUSED vise_status vise_i_cli_preprocessor_of(const vise_model *model, const char *path,
                                                        vise_preprocessor **out, vise_error *err);
void vise_i_cli_setup_free(vise_i_cli_setup *setup);

#endif
