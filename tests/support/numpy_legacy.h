/* NumPy's legacy random numbers (numpy.random.seed, numpy.random.rand): the generator of the data sets in docs/step.md.
   Matsumoto and Nishimura, "Mersenne Twister", ACM TOMACS 8 (1998). */
#ifndef VISE_TEST_NUMPY_LEGACY_H
#define VISE_TEST_NUMPY_LEGACY_H

#include <stddef.h>
#include <stdint.h>

typedef struct numpy_legacy {
  uint32_t state[624];
  size_t at;
} numpy_legacy;

/* numpy.random.seed(seed) with an integer. */
void numpy_legacy_seed(numpy_legacy *random, uint32_t seed);
/* numpy.random.rand(): one number in [0, 1) with 53 bits. */
double numpy_legacy_rand(numpy_legacy *random);

#endif
