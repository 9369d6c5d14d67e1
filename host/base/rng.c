#include "host/base/rng.h"

void vise_i_philox(uint64_t seed, const uint32_t counter[4], uint32_t out[4]) {
  const uint32_t multiplier0 = 0xD2511F53u, multiplier1 = 0xCD9E8D57u;
  const uint32_t weyl0 = 0x9E3779B9u, weyl1 = 0xBB67AE85u;
  uint32_t key0 = (uint32_t)seed, key1 = (uint32_t)(seed >> 32);
  uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];

  for (int round = 0; round < 10; ++round) {
    uint64_t p0 = (uint64_t)multiplier0 * c0, p1 = (uint64_t)multiplier1 * c2;
    uint32_t next0 = (uint32_t)(p1 >> 32) ^ c1 ^ key0, next2 = (uint32_t)(p0 >> 32) ^ c3 ^ key1;
    c1 = (uint32_t)p1;
    c3 = (uint32_t)p0;
    c0 = next0;
    c2 = next2;
    key0 += weyl0;
    key1 += weyl1;
  }

  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

float vise_i_uniform_f32(uint32_t x) {
  return (float)(x >> 8) * 0x1p-24f;
}

void vise_i_permutation(uint64_t seed, uint32_t stream, uint32_t index, size_t *rows, size_t n) {
  for (size_t i = 0; i < n; ++i) rows[i] = i;

  for (size_t i = n; i-- > 1;) {
    uint32_t counter[4] = {(uint32_t)i, index, (uint32_t)((uint64_t)i >> 32), stream}, draw[4];
    vise_i_philox(seed, counter, draw);

    /* The high word of a 64 x 64 bit product maps 64 random bits to 0..i with a bias below 2^-32 for any n. */
    uint64_t bits = (uint64_t)draw[1] << 32 | draw[0];
    size_t j = (size_t)(((unsigned __int128)bits * (i + 1)) >> 64);

    size_t swap = rows[i];
    rows[i] = rows[j];
    rows[j] = swap;
  }
}
