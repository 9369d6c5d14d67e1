/*
 * The rows of an integer net: the rounded weights of the latent ones, after an update (docs/step.md). All of a row is found
 * in integers (host/rule/integer.h), whose sums have no order, so the bits are those of host/ops/rounding.c. A row is
 * taken by a warp, or by a CTA where rows are few. It is read from device memory in each pass, of which there are about
 * six; it is in the caches by then.
 */
#ifndef VISE_K_ROUND_ROWS_CUH
#define VISE_K_ROUND_ROWS_CUH

#include "kernels/rounding.cuh"
#include "kernels/sums.cuh"

/* V of a magnitude, by = 2^16/s: 2^23 added to a number from 0 to 127 2^16 leaves its integer, rounded to nearest, in the
   low bits. A NaN becomes the largest. */
VISE_FN int32_t vise_fixed_weight(float magnitude, float by) {
  const float scaled = magnitude * by;
  const float bounded = scaled < (float)VISE_I_MOST_V ? scaled : (float)VISE_I_MOST_V;
  return (int32_t)(vise_bits_f32(bounded + 8388608.0f) & 0x7fffffu);
}

/* ---- the search ---- */

/* What a pass finds on both sides; copied by 16 bytes. */
typedef struct __attribute__((aligned(16))) vise_row_found {
  vise_i_side_found plus, minus;
} vise_row_found;

VISE_FN vise_row_found vise_row_nothing(void) {
  vise_row_found found;
  found.plus = found.minus = vise_i_side_nothing();
  return found;
}

VISE_FN vise_i_side_found vise_join_side(vise_i_side_found own) {
  own.sum = ptx_redux_add(own.sum);
  own.n = ptx_redux_add(own.n);
  own.down = ptx_redux_min(own.down);
  own.up = ptx_redux_min(own.up);
  return own;
}

/* Of all lanes, to all lanes. */
VISE_FN vise_row_found vise_join_warp(vise_row_found own) {
  own.plus = vise_join_side(own.plus);
  own.minus = vise_join_side(own.minus);
  return own;
}

/* Of all threads; warps: shared memory [VISE_STEP_WARPS] that other passes do not use between the barriers before and after
   this one. */
VISE_FN vise_row_found vise_join_cta(vise_row_found own, vise_row_found *warps) {
  own = vise_join_warp(own);
  if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = own;
  __syncthreads();
  return vise_join_warp(threadIdx.x % 32 < VISE_STEP_WARPS ? warps[threadIdx.x % 32] : vise_row_nothing());
}

/* T of the positive weights of a row, and of the negative ones. */
typedef struct vise_row_cuts {
  int32_t plus, minus;
} vise_row_cuts;

/* What the weights first, first + step, ... of a row leave at such T. */
VISE_FN vise_row_found vise_row_pass(const float *w, uint32_t n, float by, vise_row_cuts at, uint32_t first,
                                     uint32_t step) {
  vise_row_found found = vise_row_nothing();
#pragma unroll 4
  for (uint32_t i = first; i < n; i += step) {
    const float x = w[i];
    const int32_t v = vise_fixed_weight(fabsf(x), by);
    if (x < 0.0f) {
      vise_i_side_add(&found.minus, v, at.minus);
    } else {
      vise_i_side_add(&found.plus, v, at.plus);
    }
  }
  return found;
}

/* By a CTA, with shared memory [2][VISE_STEP_WARPS]; NULL: a warp. */
VISE_FN_CALLED vise_row_cuts vise_search_row(const float *w, uint32_t n, float by, vise_i_radii radii,
                                             vise_row_found *shared) {
  vise_i_search plus = vise_i_search_open(radii.plus), minus = vise_i_search_open(radii.minus);
  const uint32_t first = shared ? threadIdx.x : threadIdx.x % 32, step = shared ? VISE_K_STEP_THREADS : 32;

#pragma unroll 1
  for (uint32_t turn = 0; !plus.is_found || !minus.is_found; turn ^= 1) {
    const vise_row_cuts at = {plus.at, minus.at};
    vise_row_found found = vise_row_pass(w, n, by, at, first, step);
    found = shared ? vise_join_cta(found, shared + turn * VISE_STEP_WARPS) : vise_join_warp(found);
    vise_i_search_take(&plus, &found.plus);
    vise_i_search_take(&minus, &found.minus);
  }

  vise_row_cuts cuts;
  cuts.plus = plus.at;
  cuts.minus = minus.at;
  return cuts;
}

/* ---- rows ---- */

/* The rounded weights of a row, and its bias; shared: as above, or NULL. */
VISE_FN void vise_round_row(const vise_k_step *p, const vise_step_tensor *t, uint32_t row, vise_row_found *shared) {
  const vise_k_rounding *rounding = &p->rounding;
  const vise_k_layer *l = &p->layers[t->layer];
  const uint32_t first = shared ? threadIdx.x : threadIdx.x % 32, step = shared ? VISE_K_STEP_THREADS : 32;
  const size_t at = t->first + (size_t)row * t->ld;
  const float s = rounding->scales[t->at.units + row], by = (float)VISE_I_ONE_V / s, *w = p->params + at;
  const double unit = (double)s * (double)vise_value_scale(p, t->layer);
  int64_t bias = 0;

  if (vise_k_has_bias(l)) {
    bias = vise_i_integer_bias(rounding->acc_bits, (double)p->params[l->vector + row], unit);
    if (first == 0) rounding->rounded[l->vector + row] = (float)((double)bias * unit);
  }

  const vise_i_radii radii =
      vise_i_accumulator_radii(rounding->acc_bits, vise_k_most_level(p, t->layer), rounding->zeros[t->layer], bias);
  const vise_row_cuts cuts = vise_search_row(w, t->n_columns, by, radii, shared);
  const int32_t plus = cuts.plus, minus = cuts.minus;

#pragma unroll 4
  for (uint32_t i = first; i < t->n_columns; i += step) {
    const float x = w[i];
    const int32_t q = vise_i_left_of(vise_fixed_weight(fabsf(x), by), x < 0.0f ? minus : plus);
    rounding->rounded[at + i] = s * (float)(x < 0.0f ? -q : q);
  }
}

/* Those of the units first, first + step, ... of all tensors. */
VISE_FN void vise_round_units(const vise_k_step *p, uint32_t first, uint32_t step, vise_row_found *shared) {
#pragma unroll 1
  for (uint32_t unit = first; unit < p->n_units; unit += step) {
    const vise_step_tensor t = vise_step_tensor_at(p, vise_tensor_of_unit(p, unit));
    if (t.is_bias) continue;
    vise_round_row(p, &t, unit - t.at.units, shared);
    if (shared) __syncthreads(); /* the next row begins with the same half */
  }
}

/* VISE_K_ROUND: neighbouring rows to different CTAs. */
VISE_FN_CALLED void vise_round_phase(void) {
  enum { FEW = 2 }; /* rows to a CTA that it takes one after the other */
  vise_step *const step = vise_step_here();
  const vise_k_step *p = &step->p;
  const uint32_t member = vise_step_member();
  if (step->skip) return;

  if (p->n_units <= FEW * p->n_members) {
    vise_round_units(p, member, p->n_members, (vise_row_found *)vise_step_split());
  } else {
    vise_round_units(p, threadIdx.x / 32 * p->n_members + member, p->n_members * VISE_STEP_WARPS, NULL);
  }
}

#endif
