/* The rates that plans are made by. */
#ifndef VISE_I_PLAN_RATES_H
#define VISE_I_PLAN_RATES_H

#include "kernels/step_types.h"

/*
 * The rates are those of a Hopper at 1980 MHz. A multiprocessor makes 128 fused multiply-adds a clock in float32, and
 * through mma.sync about two thirds of 1024 in tf32 and 2048 in bf16. All data of a small step is in the L2 cache, from
 * which a multiprocessor reads about 30,000 bytes in a microsecond; a larger step is bound by the bandwidth of the
 * device memory.
 */
#define CLOCKS_PER_US 1980.0
#define L2_BYTES_PER_US_AND_SM 30000.0
#define MEMORY_BYTES_PER_US 4300000.0
#define L2_BYTES 4e7
#define LAUNCH_US 1.3
#define EXCHANGE_US 0.65

/* Of a multiprocessor. */
static inline double vise_i_flop_per_clock(vise_k_variant variant) {
  return variant == VISE_K_TF32 ? 1365 : variant == VISE_K_BF16 ? 2730 : 256;
}

/* Multiplications with additions of a multiprocessor, in float32. */
static inline double vise_i_multiplications_per_us(void) {
  return vise_i_flop_per_clock(VISE_K_LARGE_F32) / 2 * CLOCKS_PER_US;
}

/* What a multiprocessor needs to read so many bytes from L2. */
static inline double vise_i_read_us(double bytes) {
  return bytes / L2_BYTES_PER_US_AND_SM;
}

#endif
