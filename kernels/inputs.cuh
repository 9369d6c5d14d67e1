/*
 * The rows of a batch from the data set, converted and scaled to floats: into one half of the inputs memory while the
 * other is still in use, so that a step gathers the next one's rows while it would only wait.
 */
#ifndef VISE_K_INPUTS_CUH
#define VISE_K_INPUTS_CUH

#include "kernels/gather.cuh"
#include "kernels/ops/dropout.cuh"
#include "kernels/step_context.cuh"

enum { VISE_GATHER_SEGMENT = 128 };

VISE_FN float *vise_inputs_half(const vise_k_step *p, uint32_t half) {
  return p->inputs + (size_t)half * p->max_rows * p->ld_inputs;
}

/* Input dropout of a value, in the step of the record. */
VISE_FN_CALLED float vise_drop_input(const vise_k_step_record *record, uint32_t row, uint32_t column, float x) {
  return vise_drop(&vise_step_here()->p, record, 0, row, column, x);
}

/* Rows order[first .. first + n_rows), of the step of the record, into the half; the warps of the team take segments of 128 columns, a lane four.
   The last warps of a CTA come first: where there are few segments, the others poll meanwhile. */
VISE_FN_CALLED void vise_gather_rows(const vise_k_step_record *record, uint32_t first, uint32_t n_rows, uint32_t half) {
  const vise_k_step *p = &vise_step_here()->p;
  const vise_k_source *s = &p->x;
  float *inputs = vise_inputs_half(p, half);
  const uint32_t n_segments = vise_ceil_div(s->n_columns, VISE_GATHER_SEGMENT), n_units = n_rows * n_segments;
  const int vectors = vise_gather_vectors(s);

#pragma unroll 1
  for (uint32_t unit = vise_step_member() + (VISE_STEP_WARPS - 1 - threadIdx.x / 32) * p->n_members; unit < n_units;
       unit += p->n_members * VISE_STEP_WARPS) {
    const uint32_t r = unit / n_segments, c = unit % n_segments * VISE_GATHER_SEGMENT + threadIdx.x % 32 * 4;
    const size_t row = p->order ? p->order[first + r] : (size_t)first + r;
    const char *from = (const char *)s->x + row * s->row_bytes;
    float *to = inputs + (size_t)r * p->ld_inputs + c;

    if (vectors && c + 4 <= s->n_columns) {
      float4 x = vise_gather_four(s, from, c);
      if (p->input_dropout.threshold) {
        x.x = vise_drop_input(record, r, c, x.x);
        x.y = vise_drop_input(record, r, c + 1, x.y);
        x.z = vise_drop_input(record, r, c + 2, x.z);
        x.w = vise_drop_input(record, r, c + 3, x.w);
      }
      *(float4 *)to = x;
#if VISE_STEP_MMA == VISE_MMA_BF16
      uint2 x16;
      x16.x = ptx_bf16x2(x.x, x.y);
      x16.y = ptx_bf16x2(x.z, x.w);
      *(uint2 *)(p->inputs16 + (to - p->inputs)) = x16;
#endif
    } else {
#pragma unroll 1
      for (uint32_t i = 0; i < 4 && c + i < s->n_columns; i++) {
        to[i] = vise_gather_one(s, from, c + i);
        if (p->input_dropout.threshold) to[i] = vise_drop_input(record, r, c + i, to[i]);
#if VISE_STEP_MMA == VISE_MMA_BF16
        p->inputs16[to + i - p->inputs] = vise_bf16(to[i]);
#endif
      }
    }
  }
}

#endif
