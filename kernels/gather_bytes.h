/* How bytes are scaled while they are gathered, for the host to prepare. */
#ifndef VISE_K_GATHER_BYTES_H
#define VISE_K_GATHER_BYTES_H

#include <math.h>
#include <string.h>

#include "host/base/both.h"

/* A quotient of a byte from its product with the rounded inverse and one correction. */
VISE_BOTH float vise_k_byte_quotient(float byte, float divisor, float inverse) {
  const float quotient = byte * inverse;
  return fmaf(fmaf(-quotient, divisor, byte), inverse, quotient);
}

/* The 256 values of a byte, (byte - shift) / scale rounded once (shift 0, scale 1 for none), and divisor and inverse
   where dividing gives all of these bits, else 0 and 0. */
static inline void vise_k_gather_bytes(double shift, double scale, float values[256], float *divisor, float *inverse) {
  const float by = (float)scale, one_by = 1.0f / by;
  int same = 1;
  for (int i = 0; i < 256; i++) {
    values[i] = (float)((i - shift) / scale);
    const float quotient = vise_k_byte_quotient((float)i, by, one_by);
    if (memcmp(&quotient, &values[i], sizeof quotient) != 0) same = 0;
  }
  *divisor = same ? by : 0.0f;
  *inverse = same ? one_by : 0.0f;
}

#endif
