/* Philox4x32-10, the generator of host/base/rng.h, draw for draw (Salmon et al., "Parallel random numbers: as easy as
   1, 2, 3", SC 2011). */
#ifndef VISE_K_PHILOX_CUH
#define VISE_K_PHILOX_CUH

#include "kernels/device.cuh"

/* out = Philox(key = seed, counter); out may be counter. */
VISE_FN void vise_philox(uint64_t seed, const uint32_t counter[4], uint32_t out[4]) {
  uint32_t key0 = (uint32_t)seed, key1 = (uint32_t)(seed >> 32);
  uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];

  for (int round = 0; round < 10; round++) {
    const uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
    c0 = (uint32_t)(p1 >> 32) ^ c1 ^ key0;
    c1 = (uint32_t)p1;
    c2 = (uint32_t)(p0 >> 32) ^ c3 ^ key1;
    c3 = (uint32_t)p0;
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }

  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

/* Uniform in [0, 1) with 24 bits, exact. */
VISE_FN float vise_uniform_f32(uint32_t draw) {
  return (float)(draw >> 8) * 0x1p-24f;
}

#endif
