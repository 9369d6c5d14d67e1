// passes
// Every function of math_f32.cuh, a division, a square root and a read of the data set.
#include "kernels/math_f32.cuh"
#include "kernels/philox.cuh"
#include "kernels/ptx.cuh"

extern "C" __global__ void clean(const float *data_set, float *x) {
  const float v = vise_f32_bits(ptx_data_set_4(data_set + threadIdx.x));
  float y = vise_exp_f32(v) + vise_log_f32(v) + vise_log1p_f32(v) + vise_tanh_f32(v) + vise_erf_f32(v);
  y += vise_sigmoid_f32(v) / sqrtf(v);
  const uint32_t counter[4] = {threadIdx.x, 1, 2, 3};
  uint32_t draw[4];
  vise_philox(5, counter, draw);
  x[threadIdx.x] = y + vise_uniform_f32(draw[0]);
}
