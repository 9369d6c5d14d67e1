/* Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): counter-based, so that a
   draw depends on seed and counter alone. The CUDA kernels have the same generator. */
#ifndef VISE_I_RNG_H
#define VISE_I_RNG_H

#include <stddef.h>
#include <stdint.h>

/* Streams: the last counter word, so that no two uses share draws. */
enum {
  VISE_I_STREAM_INIT = 0,
  VISE_I_STREAM_ORDER = 1,
  VISE_I_STREAM_SPLIT = 2,
  VISE_I_STREAM_FOLDS = 3,
  VISE_I_STREAM_CHECK = 4,
  VISE_I_STREAM_DROPOUT = 5,
  VISE_I_STREAM_SEARCH = 6,
  VISE_I_STREAM_SHIFT = 7
};

/* out = Philox(key = seed, counter). */
void vise_i_philox(uint64_t seed, const uint32_t counter[4], uint32_t out[4]);

/* Uniform in [0, 1) with 24 bits, exact in float: (x >> 8) * 2^-24. */
float vise_i_uniform_f32(uint32_t x);

/* Fisher-Yates over rows[0..n): writes a permutation of 0..n-1 that depends on seed, stream and index (the epoch). */
void vise_i_permutation(uint64_t seed, uint32_t stream, uint32_t index, size_t *rows, size_t n);

#endif
