/*
 * Batch norm in training (host/ops/batch_norm/ref64.c has the formulas): a phase after the layer's products, one on the way
 * back, and the running statistics, which follow the steps that are taken.
 *
 * Work        a warp takes a unit: its column of the batch, in two passes for mean and variance, then the values.
 * Numerics    sums over the rows are in float64, each lane adding every 32nd row in order, the lanes then as neighbours
 *             (kernels/canonical.h, column); values in float32.
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

VISE_FN_CALLED void vise_norm_phase(uint32_t layer) {
  vise_step *const step = vise_step_here();
  const vise_k_step *p = &step->p;
  const vise_k_layer *l = &p->layers[layer];

#pragma unroll 1
  for (uint32_t unit = vise_first_unit(); unit < l->n_out; unit += vise_unit_step(p)) {
    vise_norm_unit u = vise_norm_unit_of(step, l, unit);
    const double mean = vise_norm_sum(&u, 0.0, 0) / (double)u.n_rows;
    const double variance = vise_norm_sum(&u, mean, 1) / (double)u.n_rows;
    double *statistics = vise_norm_statistics(p, l, unit);
    if (threadIdx.x % 32 == 0) {
      statistics[0] = mean;
      statistics[l->n_out] = variance;
    }

    vise_norm_scale(&u, mean, variance);
#pragma unroll 1
    for (uint32_t r = threadIdx.x % 32; r < u.n_rows; r += 32) {
      vise_put_output(step, layer, r, unit, fmaf(u.gain, vise_norm_x(&u, r), u.shift));
    }
  }
}

VISE_FN_CALLED void vise_norm_delta_phase(uint32_t layer) {
  vise_step *const step = vise_step_here();
  const vise_k_step *p = &step->p;
  const vise_k_layer *l = &p->layers[layer];

#pragma unroll 1
  for (uint32_t unit = vise_first_unit(); unit < l->n_out; unit += vise_unit_step(p)) {
    vise_norm_unit u = vise_norm_unit_of(step, l, unit);
    const double *statistics = vise_norm_statistics(p, l, unit);
    const uint64_t delta = l->delta + unit;
    double sum = 0.0, sum_x = 0.0;
    vise_norm_scale(&u, statistics[0], statistics[l->n_out]);

#pragma unroll 1
    for (uint32_t r = threadIdx.x % 32; r < u.n_rows; r += 32) {
      const double d = (double)p->activations[delta + (size_t)r * u.ld];
      sum += d;
      sum_x += d * (double)vise_norm_x(&u, r);
    }
    sum = vise_sum_lanes(sum, 32);
    sum_x = vise_sum_lanes(sum_x, 32);

    if (threadIdx.x % 32 == 0) {
      p->norm_gradients[l->statistics + unit] = (float)sum_x;
      p->norm_gradients[l->statistics + l->n_out + unit] = (float)sum;
    }

    const float by = u.gain * u.inverse;
    const float mean = (float)(sum / (double)u.n_rows), mean_x = (float)(sum_x / (double)u.n_rows);
#pragma unroll 1
    for (uint32_t r = threadIdx.x % 32; r < u.n_rows; r += 32) {
      const size_t at = delta + (size_t)r * u.ld;
      vise_put_activation(p, at, by * (p->activations[at] - fmaf(vise_norm_x(&u, r), mean_x, mean)));
    }
  }
}

/* A tile of the gradient of a gain or shift, to shared memory. Ends with all threads together. */
VISE_FN void vise_norm_gradient(const vise_k_step *p, const vise_step_tile *t, float *c) {
  const vise_k_layer *l = &p->layers[t->tensor.layer];
  const uint32_t unit = t->column + threadIdx.x, first = l->statistics + (t->index - l->first_tensor - 1) * l->n_out;
  if (threadIdx.x < VISE_K_BIAS_TILE) c[threadIdx.x] = unit < l->n_out ? p->norm_gradients[first + unit] : 0.0f;
  __syncthreads();
}

/* Whether the tile is one of a batch norm. */
VISE_FN int vise_is_norm_tile(const vise_k_step *p, const vise_step_tile *t) {
  return VISE_RARE(t->tensor.is_bias && p->layers[t->tensor.layer].has_norm);
}

/* After the decision to take the step: moves the running statistics towards those of the batch. */
VISE_FN_CALLED void vise_norm_track(void) {
  const vise_step *step = vise_step_here();
  const vise_k_step *p = &step->p;
  const float share = (float)VISE_I_BATCH_NORM_MOMENTUM, rest = (float)(1.0 - VISE_I_BATCH_NORM_MOMENTUM);
  const double unbiased = VISE_I_BATCH_NORM_UNBIASED(step->record.n_rows);

#pragma unroll 1
  for (uint32_t layer = 0; layer < p->n_layers; layer++) {
    const vise_k_layer *l = &p->layers[layer];
    float *means = p->params + vise_k_running(l), *variances = p->params + vise_k_running_variance(l);
#pragma unroll 1
    for (uint32_t unit = vise_step_member() * VISE_K_STEP_THREADS + threadIdx.x; l->has_norm && unit < l->n_out;
         unit += p->n_members * VISE_K_STEP_THREADS) {
      const double *statistics = vise_norm_statistics(p, l, unit);
      means[unit] = fmaf(share, (float)statistics[0], rest * means[unit]);
      variances[unit] = fmaf(share, (float)(statistics[l->n_out] * unbiased), rest * variances[unit]);
    }
  }
}

#endif
