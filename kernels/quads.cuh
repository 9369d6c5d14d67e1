/*
 * Four neighbouring elements of a row, a quad, as a lane of a warp has them: eight lanes to a row, four rows to a warp,
 * so that a warp has a strip of four rows x 32 columns, and 16 bytes go at a time. Rows of all tensors and tiles begin
 * at multiples of four elements and have room for whole quads; what is not part of a tensor is 0 and stays 0.
 */
#ifndef VISE_K_QUADS_CUH
#define VISE_K_QUADS_CUH

#include "kernels/reduce.cuh"

VISE_FN void vise_quad_unpack(float4 v, float out[4]) {
  out[0] = v.x;
  out[1] = v.y;
  out[2] = v.z;
  out[3] = v.w;
}

VISE_FN void vise_quad_clear(float q[4]) {
  q[0] = q[1] = q[2] = q[3] = 0.0f;
}

VISE_FN void vise_quad_load(const float *from, float out[4]) {
  vise_quad_unpack(*(const float4 *)from, out);
}

VISE_FN void vise_quad_store(float *to, const float v[4]) {
  *(float4 *)to = make_float4(v[0], v[1], v[2], v[3]);
}

VISE_FN void vise_quad_load16(const uint16_t *from, float out[4]) {
  const uint2 bits = *(const uint2 *)from;
  out[0] = vise_f32_bits(bits.x << 16);
  out[1] = vise_f32_bits(bits.x & 0xffff0000u);
  out[2] = vise_f32_bits(bits.y << 16);
  out[3] = vise_f32_bits(bits.y & 0xffff0000u);
}

VISE_FN void vise_quad_store16(uint16_t *to, const float v[4]) {
  uint2 bits;
  bits.x = ptx_bf16x2(v[0], v[1]);
  bits.y = ptx_bf16x2(v[2], v[3]);
  *(uint2 *)to = bits;
}

/* Row and first column of this lane's quad in its strip. */
VISE_FN uint32_t vise_quad_row(void) {
  return threadIdx.x % 32 / 8;
}

VISE_FN uint32_t vise_quad_column(void) {
  return threadIdx.x % 8 * 4;
}

/* The sum of a leaf of each row, in all lanes of that row. */
VISE_FN double vise_quad_sum(double t0, double t1, double t2, double t3) {
  return vise_sum_lanes((t0 + t1) + (t2 + t3), 8);
}

VISE_FN double vise_quad_squares(const float x[4]) {
  return vise_quad_sum((double)x[0] * (double)x[0], (double)x[1] * (double)x[1], (double)x[2] * (double)x[2],
                       (double)x[3] * (double)x[3]);
}

VISE_FN double vise_quad_magnitudes(const float x[4]) {
  return vise_quad_sum((double)fabsf(x[0]), (double)fabsf(x[1]), (double)fabsf(x[2]), (double)fabsf(x[3]));
}

/* The sum of the strip, in all lanes, from the sums of its rows. */
VISE_FN double vise_strip_sum(double row_sum) {
  const double pair = row_sum + __shfl_xor_sync(0xffffffffu, row_sum, 8);
  return pair + __shfl_xor_sync(0xffffffffu, pair, 16);
}

/* The largest magnitude of each row, in all lanes of that row. */
VISE_FN float vise_quad_max(const float x[4]) {
  float most = vise_larger(vise_larger(fabsf(x[0]), fabsf(x[1])), vise_larger(fabsf(x[2]), fabsf(x[3])));
#pragma unroll
  for (int step = 1; step < 8; step *= 2) most = vise_larger(most, __shfl_xor_sync(0xffffffffu, most, step));
  return most;
}

#endif
