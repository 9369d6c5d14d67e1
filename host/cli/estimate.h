/* How good a net will be on new rows, where none are held out: 5-fold cross-validation with the same options. */
#ifndef VISE_I_CLI_ESTIMATE_H
#define VISE_I_CLI_ESTIMATE_H

#include "host/cli/progress.h"
#include "host/cli/setup.h"

enum { VISE_I_CLI_FOLDS = 5 };

typedef struct vise_i_cli_estimate {
  bool exists;
  bool interrupted; /* before it was there */
  bool classifies;
  double scores[VISE_I_CLI_FOLDS]; /* accuracy, else R^2, on the rows of each fold */
  double rmse[VISE_I_CLI_FOLDS];   /* of numbers */
  double mean, deviation;          /* of the scores, ddof 0 */
} vise_i_cli_estimate;

/* Does nothing unless options ask for it and setup has kept the table. Preprocessing is fitted for each fold. A fold that
   cannot be trained is said to standard error, and leaves no estimate; so does a signal. */
void vise_i_cli_estimate_make(const vise_i_cli_options *options, const vise_i_cli_setup *setup,
                              vise_i_cli_progress *progress, vise_i_cli_estimate *out);

/* Of the n numbers at values. */
double vise_i_cli_mean(const double *values, size_t n);

#endif
