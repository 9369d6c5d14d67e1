/* y = block(x) + x. */
#include "host/ops/cpu.h"

#include "host/ops/simd.h"

VISE_I_CLONES static void add(const float *block, const float *from, size_t n, float *out) {
  for (size_t i = 0; i < n; i++) out[i] = block[i] + from[i];
}

void vise_i_cpu_residual_forward(const float *block, const float *from, size_t width, size_t n, float *out) {
  add(block, from, width * n, out);
}

void vise_i_cpu_residual_of_inputs(const float *block, const float *from, size_t stride, size_t width, size_t n,
                                   float *out) {
  for (size_t k = 0; k < width; k++) {
    for (size_t i = 0; i < n; i++) out[k * n + i] = block[k * n + i] + from[i * stride + k];
  }
}
