/* --fold I/K: one fit of a cross-validation, without the rows of fold I, which become the validation rows. */
#ifndef VISE_I_CLI_FOLD_H
#define VISE_I_CLI_FOLD_H

#include "host/cli/options.h"

/* Reads options->fold into fold_number and n_folds, and refuses what contradicts it or needs it. */
VISE_WARN_UNUSED vise_status vise_i_cli_fold_check(vise_i_cli_options *options, vise_error *err);

/* How rows[0..n_rows) (NULL: all) are dealt out: whatever the training is like, its fold is the same. */
vise_fold_options vise_i_cli_fold_options(const vise_i_cli_options *options, const size_t *rows, size_t n_rows);
/* The same for rows whose targets are a file of labels, which are classes under some losses only. */
vise_fold_options vise_i_cli_fold_options_of_labels(const vise_i_cli_options *options, const size_t *rows,
                                                    size_t n_rows);

/* Splits rows[0..n) (NULL: 0 to n - 1) into those to train on and those of the fold; later rows are in neither part. */
VISE_WARN_UNUSED vise_status vise_i_cli_fold_split(const vise_i_cli_options *options, const size_t *folds,
                                                   const size_t *rows, size_t n, vise_split *out, vise_error *err);

#endif
