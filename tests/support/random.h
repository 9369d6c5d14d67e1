/* Random bits for tests that need many kinds of values, the same in every run. */
#ifndef VISE_T_RANDOM_H
#define VISE_T_RANDOM_H

#include <stdint.h>

/* 32 bits; *state is any start. The multiplier is Knuth's (MMIX). */
static inline uint32_t rig_draw(uint64_t *state) {
  *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (uint32_t)(*state >> 32);
}

#endif
