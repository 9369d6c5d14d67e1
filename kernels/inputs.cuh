/*
 * The rows of a batch from the data set, converted and scaled to floats: into one half of the inputs memory while the
 * other is still in use, so that a step gathers the next one's rows while it would only wait.
 */
#ifndef VISE_K_INPUTS_CUH
#define VISE_K_INPUTS_CUH

#include "kernels/near_inputs.cuh"
#include "kernels/ops/dropout.cuh"

enum { VISE_GATHER_SEGMENT = 128 };

VISE_FN float *vise_inputs_half(const vise_k_step *p, uint32_t half) {
  return p->inputs + (size_t)half * p->max_rows * p->ld_inputs;
}

/* The inputs of columns c .. c + 4 of row r of the batch, c a multiple of 4, in the step of the record; 0 past the last
   column. from: the row in the data set. */
VISE_FN float4 vise_input_quad(const vise_k_step_record *record, uint32_t r, const char *from, uint32_t c) {
  const vise_step *const step = vise_step_here();
  const vise_k_step *p = &step->p;
  const vise_k_source *s = &p->x;
  const uint32_t size = vise_gather_element_bytes(s->type);
  const char *at = from + (size_t)c * size;
  float4 x = {0.0f, 0.0f, 0.0f, 0.0f};

  if (c + 4 > s->n_columns || !vise_gather_vectors(s)) {
#pragma unroll 1
    for (uint32_t i = c; i < c + 4; i++) {
      x = make_float4(x.y, x.z, x.w, i < s->n_columns ? vise_gather_one_called(s, from, i) : 0.0f);
    }
  } else if (size == 1 && step->input_kind == VISE_INPUT_DIVIDED) {
    x = vise_gather_divided(s, ptx_data_set_4(at));
  } else {
    uint4 lower = {0, 0, 0, 0}, upper = lower;
    if (size == 1) {
      const uint32_t bytes = ptx_data_set_4(at);
      lower = make_uint4(bytes & 0xff, bytes >> 8 & 0xff, bytes >> 16 & 0xff, bytes >> 24);
    } else {
      lower = ptx_data_set_16(at);
    }
    if (size == 8) {
      const uint4 last = ptx_data_set_16(at + 16);
      upper = make_uint4(lower.y, lower.w, last.y, last.w);
      lower = make_uint4(lower.x, lower.z, last.x, last.z);
    }

    x.x = vise_gather_value(s, lower.x, upper.x, c);
    x.y = vise_gather_value(s, lower.y, upper.y, c + 1);
    x.z = vise_gather_value(s, lower.z, upper.z, c + 2);
    x.w = vise_gather_value(s, lower.w, upper.w, c + 3);
  }

  if (VISE_RARE(p->input_dropout.threshold)) {
#pragma unroll 1
    for (uint32_t i = c; i < c + 4; i++) {
      x = make_float4(x.y, x.z, x.w, vise_drop_called(record, 0, r, i, x.x));
    }
  }
  return x;
}

/* Rows order[first .. first + n_rows), of the step of the record, into the half; the warps of the team take segments of
   128 columns, a lane four. The last warps of a CTA come first: where there are few segments, the others poll
   meanwhile. */
VISE_FN_CALLED void vise_gather_rows(const vise_k_step_record *record, uint32_t first, uint32_t n_rows, uint32_t half) {
  const vise_k_step *p = &vise_step_here()->p;
  const vise_k_source *s = &p->x;
  float *inputs = vise_inputs_half(p, half);
  const uint32_t n_segments = vise_ceil_div(s->n_columns, VISE_GATHER_SEGMENT), n_units = n_rows * n_segments;

#pragma unroll 1
  for (uint32_t unit = vise_step_member() + (VISE_STEP_WARPS - 1 - threadIdx.x / 32) * p->n_members; unit < n_units;
       unit += p->n_members * VISE_STEP_WARPS) {
    const uint32_t r = unit / n_segments, c = unit % n_segments * VISE_GATHER_SEGMENT + threadIdx.x % 32 * 4;
    if (c >= s->n_columns) continue;

    const size_t row = p->order ? p->order[first + r] : (size_t)first + r;
    const float4 x = vise_input_quad(record, r, (const char *)s->x + row * s->row_bytes, c);
    float *to = inputs + (size_t)r * p->ld_inputs + c;
    *(float4 *)to = x; /* rows have room for whole quads */

#if VISE_STEP_MMA == VISE_MMA_BF16
    uint2 x16;
    x16.x = ptx_bf16x2(x.x, x.y);
    x16.y = ptx_bf16x2(x.z, x.w);
    *(uint2 *)(p->inputs16 + (to - p->inputs)) = x16;
#endif
  }
}

#endif
