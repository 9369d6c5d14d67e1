/* Whether numbers have the same bits, NaN being one number: which of its bit patterns comes out is the processor's. */
#ifndef VISE_T_SAME_BITS_H
#define VISE_T_SAME_BITS_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static inline bool same_floats(const float *a, const float *b, size_t n) {
  for (size_t i = 0; i < n; i++) {
    if (memcmp(&a[i], &b[i], sizeof *a) != 0 && !(isnan(a[i]) && isnan(b[i]))) return false;
  }
  return true;
}

static inline bool same_doubles(const double *a, const double *b, size_t n) {
  for (size_t i = 0; i < n; i++) {
    if (memcmp(&a[i], &b[i], sizeof *a) != 0 && !(isnan(a[i]) && isnan(b[i]))) return false;
  }
  return true;
}

#endif
