/*
 * One axis of a space: a list of texts or a range of numbers. A value on it is a 64-bit code: the place in the list, or
 * the bits of the number, so that equal codes are equal values. axis_parse.c makes axes of text, axis.c values of axes.
 */
#ifndef VISE_I_AXIS_H
#define VISE_I_AXIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/base/error.h"

typedef struct vise_i_value {
  const char *text;
  double number; /* NaN: the text is none */
} vise_i_value;

typedef struct vise_i_axis {
  char *name, *text; /* owned; the values' texts lie in `text` */
  vise_i_value *values;
  size_t n_values; /* 0: a range */
  bool is_log, is_int;
  double lo, hi;                 /* of a range; of a list, the smallest and the largest number */
  bool has_lo_edge, has_hi_edge; /* better values may lie beyond it */
} vise_i_axis;

/* Reads "NAME=VALUES" as vise/search.h says it. Errors: VISE_ERR_USAGE, VISE_ERR_MEMORY; *out is untouched then. */
VISE_WARN_UNUSED vise_status vise_i_axis_parse(const char *text, vise_i_axis *out, vise_error *err);
void vise_i_axis_clear(vise_i_axis *axis);

/* The value at fraction * 2^-64 of the axis: uniform fractions make uniform, or log-uniform, values. */
uint64_t vise_i_axis_code(const vise_i_axis *axis, uint64_t fraction);

double vise_i_axis_number(const vise_i_axis *axis, uint64_t code);
/* Returns the length of the text, as snprintf does. */
size_t vise_i_axis_text(const vise_i_axis *axis, uint64_t code, char *buffer, size_t n_bytes);
/* -1, 0 or 1, as vise_space_edge. */
int vise_i_axis_edge(const vise_i_axis *axis, uint64_t code);

#endif
