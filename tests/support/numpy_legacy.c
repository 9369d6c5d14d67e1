#include "tests/support/numpy_legacy.h"

enum { N = 624, M = 397 };

void numpy_legacy_seed(numpy_legacy *random, uint32_t seed) {
  random->state[0] = seed;
  for (uint32_t i = 1; i < N; ++i) {
    uint32_t last = random->state[i - 1];
    random->state[i] = 1812433253u * (last ^ (last >> 30)) + i;
  }
  random->at = N;
}

static void refill(numpy_legacy *random) {
  uint32_t *state = random->state;
  for (size_t i = 0; i < N; ++i) {
    uint32_t joined = (state[i] & 0x80000000u) | (state[(i + 1) % N] & 0x7fffffffu);
    state[i] = state[(i + M) % N] ^ (joined >> 1) ^ (joined & 1 ? 0x9908b0dfu : 0);
  }
  random->at = 0;
}

static uint32_t next(numpy_legacy *random) {
  if (random->at == N) refill(random);
  uint32_t x = random->state[random->at++];
  x ^= x >> 11;
  x ^= (x << 7) & 0x9d2c5680u;
  x ^= (x << 15) & 0xefc60000u;
  return x ^ (x >> 18);
}

double numpy_legacy_rand(numpy_legacy *random) {
  uint32_t high = next(random) >> 5, low = next(random) >> 6;
  return ((double)high * 67108864.0 + (double)low) / 9007199254740992.0;
}
