/* What the files of this folder share. */
#ifndef VISE_I_INTEGER_PARTS_H
#define VISE_I_INTEGER_PARTS_H

#include "host/integer/integer.h"
#include "host/ops/rounding.h"

/* A row of weights and its bias as integers, in the scales s of the row and t of what it reads. */
typedef struct vise_i_integer_row {
  const vise_i_integer_format *format;
  int most, zero; /* X, z of what it reads */
  const double *weights;
  double bias;
  size_t n;
} vise_i_integer_row;

/* v [n] receives the row; returns the bias, into which the zero point is not yet folded. */
int64_t vise_i_integer_round(const vise_i_integer_row *row, double s, double t, int32_t *v);

#endif
