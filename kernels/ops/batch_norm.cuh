/*
 * Batch norm in training (host/ops/batch_norm/ref64.c has the formulas): a phase after the layer's products, one on the way
 * back, and the running statistics, which follow the steps that are taken. Of a batch in parts, a launch in segments, each
 * part's own sums have a phase before either; the next launch merges them (host/ranks/statistics.h) wherever it needs
 * those of the batch.
 *
 * Work        a warp takes a unit: its column of the batch, in two passes for mean and variance, then the values. A lane
 *             takes a part, where these are merged.
 * Numerics    sums over the rows are in float64, each lane adding every 32nd row in order, the lanes then as neighbours
 *             (kernels/canonical.h, column); parts in their tree; values in float32. One part has the bits of the whole.
 * Memory      z is read three times on the way forward, z and dL/du twice on the way back.
 */
#ifndef VISE_K_BATCH_NORM_CUH
#define VISE_K_BATCH_NORM_CUH

#include "kernels/layers.cuh"
#include "kernels/sums.cuh"

/* One unit: its column of z, and x = (z - mean) / sqrt(variance + eps). */
typedef struct vise_norm_unit {
  const float *z;
  uint32_t ld, n_rows;
  float mean, inverse; /* 1 / sqrt(variance + eps) */
  float gain, shift;
} vise_norm_unit;

VISE_FN double *vise_norm_statistics(const vise_k_step *p, const vise_k_layer *l, uint32_t unit) {
  return p->statistics + l->statistics + unit;
}

/* Of n numbers: their mean, and the sum of the squares of what they differ from it. */
typedef struct vise_norm_moments {
  double n, mean, squares;
} vise_norm_moments;

/* Where a part's numbers are for a unit; the second of the two is n_out further on, the next part's 2 n_out. */
VISE_FN double *vise_norm_part(const vise_k_step *p, const vise_k_layer *l, int back, uint32_t part, uint32_t unit) {
  return p->statistics + vise_k_norm_of_part(l, back, part) + unit;
}

/* Moments of a unit over a batch of n_rows rows in n_parts, in all lanes of the warp: Chan, Golub and LeVeque's formula in
   the tree of the parts. */
VISE_FN vise_norm_moments vise_norm_merge(const double *first, uint32_t n_out, uint32_t n_rows, uint32_t n_parts) {
  const uint32_t lane = threadIdx.x % 32;
  vise_norm_moments m = {0.0, 0.0, 0.0};
  if (lane < n_parts) {
    const double *of_part = first + (size_t)lane * 2 * n_out;
    m.n = (double)(vise_k_part_begin(n_rows, n_parts, lane + 1) - vise_k_part_begin(n_rows, n_parts, lane));
    m.mean = of_part[0];
    m.squares = of_part[n_out];
  }

#pragma unroll
  for (int step = 1; step < VISE_K_MOST_PARTS; step *= 2) {
    const double n = __shfl_down_sync(0xffffffffu, m.n, step), mean = __shfl_down_sync(0xffffffffu, m.mean, step);
    const double squares = __shfl_down_sync(0xffffffffu, m.squares, step);
    if (!(n > 0.0)) continue; /* there are no such parts */
    const double all = m.n + n, difference = mean - m.mean;
    m.mean += difference * (n / all);
    m.squares += squares + difference * difference * (m.n * n / all);
    m.n = all;
  }

  m.n = __shfl_sync(0xffffffffu, m.n, 0);
  m.mean = __shfl_sync(0xffffffffu, m.mean, 0);
  m.squares = __shfl_sync(0xffffffffu, m.squares, 0);
  return m;
}

/* The sum of a number of each part, in all lanes. */
VISE_FN double vise_norm_merge_sum(const double *first, uint32_t n_out, uint32_t n_parts) {
  const uint32_t lane = threadIdx.x % 32;
  double sum = lane < n_parts ? first[(size_t)lane * 2 * n_out] : 0.0;
#pragma unroll
  for (int step = 1; step < VISE_K_MOST_PARTS; step *= 2) {
    const double other = __shfl_down_sync(0xffffffffu, sum, step);
    if (lane + step < n_parts) sum += other;
  }
  return __shfl_sync(0xffffffffu, sum, 0);
}

/* Those of a unit where the step at hand is a part, by the parts' numbers. */
VISE_FN vise_norm_moments vise_norm_of_batch(const vise_step *step, const vise_k_layer *l, uint32_t unit) {
  return vise_norm_merge(vise_norm_part(&step->p, l, 0, 0, unit), l->n_out, step->record.batch_rows,
                         step->record.of_batch.n_parts);
}

VISE_FN vise_norm_unit vise_norm_unit_of(const vise_step *step, const vise_k_layer *l, uint32_t unit) {
  const vise_k_step *p = &step->p;
  vise_norm_unit u;
  u.z = p->activations + vise_k_linear(l) + unit;
  u.ld = l->ld_out;
  u.n_rows = step->record.n_rows;
  u.mean = u.inverse = 0.0f;
  u.gain = p->params[vise_k_vector_of(l, 0).at + unit];
  u.shift = p->params[vise_k_vector_of(l, 1).at + unit];
  return u;
}

VISE_FN void vise_norm_scale(vise_norm_unit *u, double mean, double variance) {
  u->mean = (float)mean;
  u->inverse = (float)(1.0 / vise_sqrt_f64(variance + VISE_I_BATCH_NORM_EPS));
}

VISE_FN float vise_norm_x(const vise_norm_unit *u, uint32_t row) {
  return (u->z[(size_t)row * u->ld] - u->mean) * u->inverse;
}

/* Sum over the rows of z - from, or of its square; in all lanes. */
VISE_FN double vise_norm_sum(const vise_norm_unit *u, double from, int squared) {
  double sum = 0.0;
#pragma unroll 1
  for (uint32_t r = threadIdx.x % 32; r < u->n_rows; r += 32) {
    const double d = (double)u->z[(size_t)r * u->ld] - from;
    sum += squared ? d * d : d;
  }
  return vise_sum_lanes(sum, 32);
}

/* Of the rows at hand; in all lanes. */
VISE_FN vise_norm_moments vise_norm_measure(const vise_norm_unit *u) {
  vise_norm_moments m;
  m.n = (double)u->n_rows;
  m.mean = vise_norm_sum(u, 0.0, 0) / m.n;
  m.squares = vise_norm_sum(u, m.mean, 1);
  return m;
}

VISE_FN_CALLED void vise_norm_phase(uint32_t layer) {
  vise_step *const step = vise_step_here();
  const vise_k_step *p = &step->p;
  const vise_k_layer *l = &p->layers[layer];
  const int merges = vise_segment_has(p, VISE_K_IN_SEGMENTS);

#pragma unroll 1
  for (uint32_t unit = vise_first_unit(); unit < l->n_out; unit += vise_unit_step(p)) {
    vise_norm_unit u = vise_norm_unit_of(step, l, unit);
    const vise_norm_moments m = merges ? vise_norm_of_batch(step, l, unit) : vise_norm_measure(&u);
    const double variance = m.squares / m.n;
    double *statistics = vise_norm_statistics(p, l, unit);
    if (threadIdx.x % 32 == 0 && !merges) {
      statistics[0] = m.mean;
      statistics[l->n_out] = variance;
    }

    vise_norm_scale(&u, m.mean, variance);
#pragma unroll 1
    for (uint32_t r = threadIdx.x % 32; r < u.n_rows; r += 32) {
      vise_put_output(step, layer, r, unit, fmaf(u.gain, vise_norm_x(&u, r), u.shift));
    }
  }
}

/* Gradients of gain and shift over the rows at hand; in all lanes. */
typedef struct vise_norm_sums {
  double gain, shift;
} vise_norm_sums;

VISE_FN vise_norm_sums vise_norm_delta_sums(const vise_k_step *p, const vise_norm_unit *u, uint64_t delta) {
  vise_norm_sums s = {0.0, 0.0};
#pragma unroll 1
  for (uint32_t r = threadIdx.x % 32; r < u->n_rows; r += 32) {
    const double d = (double)p->activations[delta + (size_t)r * u->ld];
    s.shift += d;
    s.gain += d * (double)vise_norm_x(u, r);
  }
  s.shift = vise_sum_lanes(s.shift, 32);
  s.gain = vise_sum_lanes(s.gain, 32);
  return s;
}

/* From dL/du of the rows at hand to dL/dz, by the sums over the n_rows rows of the batch. */
VISE_FN void vise_norm_put_delta(const vise_k_step *p, const vise_norm_unit *u, uint64_t delta, const vise_norm_sums *s,
                                 double n_rows) {
  const float by = u->gain * u->inverse;
  const float mean = (float)(s->shift / n_rows), mean_x = (float)(s->gain / n_rows);
#pragma unroll 1
  for (uint32_t r = threadIdx.x % 32; r < u->n_rows; r += 32) {
    const size_t at = delta + (size_t)r * u->ld;
    vise_put_activation(p, at, by * (p->activations[at] - fmaf(vise_norm_x(u, r), mean_x, mean)));
  }
}

/* A unit on the way back in segments: scaled by the statistics of the batch. */
VISE_FN vise_norm_unit vise_norm_unit_of_batch(const vise_step *step, const vise_k_layer *l, uint32_t unit) {
  vise_norm_unit u = vise_norm_unit_of(step, l, unit);
  const vise_norm_moments m = vise_norm_of_batch(step, l, unit);
  vise_norm_scale(&u, m.mean, m.squares / m.n);
  return u;
}

VISE_FN_CALLED void vise_norm_delta_phase(uint32_t layer) {
  vise_step *const step = vise_step_here();
  const vise_k_step *p = &step->p;
  const vise_k_layer *l = &p->layers[layer];

#pragma unroll 1
  for (uint32_t unit = vise_first_unit(); unit < l->n_out; unit += vise_unit_step(p)) {
    const uint64_t delta = l->delta + unit;
    if (vise_segment_has(p, VISE_K_IN_SEGMENTS)) {
      const vise_norm_unit u = vise_norm_unit_of_batch(step, l, unit);
      const double *first = vise_norm_part(p, l, 1, 0, unit);
      const uint32_t n_parts = step->record.of_batch.n_parts;
      vise_norm_sums s;
      s.gain = vise_norm_merge_sum(first, l->n_out, n_parts);
      s.shift = vise_norm_merge_sum(first + l->n_out, l->n_out, n_parts);
      vise_norm_put_delta(p, &u, delta, &s, (double)step->record.batch_rows);
      continue;
    }

    vise_norm_unit u = vise_norm_unit_of(step, l, unit);
    const double *statistics = vise_norm_statistics(p, l, unit);
    vise_norm_scale(&u, statistics[0], statistics[l->n_out]);
    const vise_norm_sums s = vise_norm_delta_sums(p, &u, delta);
    if (threadIdx.x % 32 == 0) {
      p->norm_gradients[l->statistics + unit] = (float)s.gain;
      p->norm_gradients[l->statistics + l->n_out + unit] = (float)s.shift;
    }
    vise_norm_put_delta(p, &u, delta, &s, (double)u.n_rows);
  }
}

/* VISE_K_NORM_SUMS: a part's own moments, for the launch that follows. */
VISE_FN_CALLED void vise_norm_sums_phase(uint32_t layer) {
  const vise_step *const step = vise_step_here();
  const vise_k_step *p = &step->p;
  const vise_k_layer *l = &p->layers[layer];

#pragma unroll 1
  for (uint32_t unit = vise_first_unit(); unit < l->n_out; unit += vise_unit_step(p)) {
    const vise_norm_unit u = vise_norm_unit_of(step, l, unit);
    const vise_norm_moments m = vise_norm_measure(&u);
    double *to = vise_norm_part(p, l, 0, step->record.of_batch.index, unit);
    if (threadIdx.x % 32 > 0) continue;
    to[0] = m.mean;
    to[l->n_out] = m.squares;
  }
}

/* VISE_K_NORM_DELTA_SUMS: its gradients of gain and shift, likewise. */
VISE_FN_CALLED void vise_norm_delta_sums_phase(uint32_t layer) {
  const vise_step *const step = vise_step_here();
  const vise_k_step *p = &step->p;
  const vise_k_layer *l = &p->layers[layer];

#pragma unroll 1
  for (uint32_t unit = vise_first_unit(); unit < l->n_out; unit += vise_unit_step(p)) {
    const vise_norm_unit u = vise_norm_unit_of_batch(step, l, unit);
    const vise_norm_sums s = vise_norm_delta_sums(p, &u, l->delta + unit);
    double *to = vise_norm_part(p, l, 1, step->record.of_batch.index, unit);
    if (threadIdx.x % 32 > 0) continue;
    to[0] = s.gain;
    to[l->n_out] = s.shift;
  }
}

/* A tile of the gradient of a gain or shift, to shared memory. Ends with all threads together. */
VISE_FN void vise_norm_gradient(const vise_step *step, const vise_step_tile *t, float *c) {
  const vise_k_step *p = &step->p;
  const vise_k_layer *l = &p->layers[t->tensor.layer];
  const uint32_t unit = t->column + threadIdx.x, first = (t->index - l->first_tensor - 1) * l->n_out;
  float g = 0.0f;
  if (threadIdx.x < VISE_K_BIAS_TILE && unit < l->n_out) {
    g = vise_segment_has(p, VISE_K_IN_SEGMENTS)
            ? (float)*vise_norm_part(p, l, 1, step->record.of_batch.index, first + unit)
            : p->norm_gradients[l->statistics + first + unit];
  }
  if (threadIdx.x < VISE_K_BIAS_TILE) c[threadIdx.x] = g;
  __syncthreads();
}

/* Whether the tile is one of a batch norm. */
VISE_FN int vise_is_norm_tile(const vise_k_step *p, const vise_step_tile *t) {
  return VISE_RARE(t->tensor.is_bias && p->layers[t->tensor.layer].has_norm);
}

/* Moves a unit's running statistics towards those of a batch of n_rows rows. */
VISE_FN void vise_norm_track_unit(const vise_k_step *p, const vise_k_layer *l, uint32_t unit, uint32_t n_rows,
                                  double mean, double variance) {
  const float share = (float)VISE_I_BATCH_NORM_MOMENTUM, rest = (float)(1.0 - VISE_I_BATCH_NORM_MOMENTUM);
  const double unbiased = VISE_I_BATCH_NORM_UNBIASED(n_rows);
  float *means = p->params + vise_k_running(l), *variances = p->params + vise_k_running_variance(l);
  means[unit] = fmaf(share, (float)mean, rest * means[unit]);
  variances[unit] = fmaf(share, (float)(variance * unbiased), rest * variances[unit]);
}

/* After the decision to take the step: the statistics of the batch at hand. */
VISE_FN_CALLED void vise_norm_track(void) {
  const vise_step *step = vise_step_here();
  const vise_k_step *p = &step->p;

#pragma unroll 1
  for (uint32_t layer = 0; layer < p->n_layers; layer++) {
    const vise_k_layer *l = &p->layers[layer];
#pragma unroll 1
    for (uint32_t unit = vise_step_member() * VISE_K_STEP_THREADS + threadIdx.x; l->has_norm && unit < l->n_out;
         unit += p->n_members * VISE_K_STEP_THREADS) {
      const double *statistics = vise_norm_statistics(p, l, unit);
      vise_norm_track_unit(p, l, unit, step->record.n_rows, statistics[0], statistics[l->n_out]);
    }
  }
}

/* The same of a batch in parts, whose statistics are merged first: a warp takes a unit. */
VISE_FN_CALLED void vise_norm_track_parts(void) {
  const vise_step *step = vise_step_here();
  const vise_k_step *p = &step->p;
  const uint32_t n_rows = step->record.n_rows, n_parts = step->record.given.n_parts;

#pragma unroll 1
  for (uint32_t layer = 0; layer < p->n_layers; layer++) {
    const vise_k_layer *l = &p->layers[layer];
#pragma unroll 1
    for (uint32_t unit = vise_first_unit(); l->has_norm && unit < l->n_out; unit += vise_unit_step(p)) {
      const vise_norm_moments m = vise_norm_merge(vise_norm_part(p, l, 0, 0, unit), l->n_out, n_rows, n_parts);
      if (threadIdx.x % 32 == 0) vise_norm_track_unit(p, l, unit, n_rows, m.mean, m.squares / m.n);
    }
  }
}

#endif
