/* The constants of batch norm, those of PyTorch's BatchNorm1d. */
#ifndef VISE_I_BATCH_NORM_H
#define VISE_I_BATCH_NORM_H

#define VISE_I_BATCH_NORM_EPS 1e-5     /* added to variances */
#define VISE_I_BATCH_NORM_MOMENTUM 0.1 /* share of the batch in the running statistics */

/* What a variance of n rows, divided by n, is multiplied by to be unbiased. */
#define VISE_I_BATCH_NORM_UNBIASED(n) ((double)(n) / ((double)(n)-1))

#endif
