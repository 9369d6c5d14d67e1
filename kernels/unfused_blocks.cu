/*
 * The unfused step's kernels on the blocks of hidden layers that are more than linear and an activation.
 *
 * unfused_block_element_per_thread          y = drop(f(z + b)) + x
 * unfused_integer_element_per_thread        y = drop(round(f(z + b))): of integer nets
 * unfused_block_norm_cta_per_8_units        u = gain (z - mean) / sqrt(variance + eps) + shift; y = drop(f(u)) + x
 * unfused_block_delta_element_per_thread    dL/dz = drop(dL/dy) f'(z), dL/dy with what a residual above adds
 * unfused_block_norm_delta_cta_per_8_units  the same as dL/du, then dL/dz; gradients of gain and shift
 *
 * Formulas    those of the fused step, by the same functions where they are one: activation.cuh, ops/dropout.cuh,
 *             ops/batch_norm.cuh.
 * Layout      kernels/step_types.h; in float32 but what products read: outputs, dL/dz, inputs.
 * Work        a thread to an element. With batch norm a CTA takes 8 units: a thread every 32nd row of a unit, so that a
 *             warp reads 32 bytes of 4 rows.
 * Memory      every operand once; with batch norm z three times and twice on the way back, where dL/du is also written
 *             and read: the later times from caches. 4 bytes a lane; 1 KB of shared memory.
 * Numerics    float32; sums over rows float64, 32 rows apart, then as neighbours, the same bits in every run.
 * Limits      those of the plan (host/plan); hidden layers.
 * Oracle      host/backend/cpu64, by tolerance (tests/gpu/unfused_layers_test.c).
 */
#define VISE_ALL_INLINE
#include "kernels/ops/batch_norm.cuh"
#include "kernels/rounding.cuh"
#include "kernels/unfused.cuh"

enum { NORM_UNITS = 8, NORM_ROWS = VISE_UNFUSED_THREADS / NORM_UNITS };

/* ---- elements ---- */

/* An activation of a layer that, if narrow, exists in bf16 alone. */
VISE_FN float load_value(const vise_k_unfused *u, int narrow, uint64_t at) {
  return narrow ? vise_f32_bits((uint32_t)u->step.activations16[at] << 16) : u->step.activations[at];
}

/* What products read. */
VISE_FN void store_value(const vise_k_unfused *u, uint64_t at, float v) {
  if (u->step.activations16) {
    u->step.activations16[at] = (uint16_t)ptx_bf16x2(v, 0.0f);
  } else {
    u->step.activations[at] = v;
  }
}

/* What the residual of a layer adds. */
VISE_FN float residual_input(const vise_k_unfused *u, uint32_t layer, uint32_t row, uint32_t unit) {
  const vise_k_step *p = &u->step;
  if (layer == 0) {
    const uint64_t at = (uint64_t)row * p->ld_inputs + unit;
    return p->inputs16 ? vise_f32_bits((uint32_t)p->inputs16[at] << 16) : p->inputs[at];
  }
  const vise_k_layer *below = &p->layers[layer - 1];
  return load_value(u, p->activations16 != NULL, below->out + (uint64_t)row * below->ld_out + unit);
}

/* The outputs of the block from what its activation takes; keeps what the way back will need. */
VISE_FN void put_output(const vise_k_unfused *u, const vise_k_step_record *record, uint32_t layer, uint32_t row,
                        uint32_t unit, float z) {
  const vise_k_step *p = &u->step;
  const vise_k_layer *l = &p->layers[layer];
  const vise_activation kind = (vise_activation)l->activation;
  const uint64_t at = (uint64_t)row * l->ld_out + unit;

  if (vise_i_activation_needs_z(kind)) p->activations[vise_k_pre(l) + at] = z;
  float a = vise_activation_f32(kind, z);
  if (l->act_by) p->activations[vise_k_act(l) + at] = a;
  if (l->dropout.threshold) a = vise_drop(p, record, layer + 1, row, unit, a);
  if (l->has_residual) a += residual_input(u, layer, row, unit);
  store_value(u, l->out + at, a);
}

/* The way back through the block to what its activation takes, from the part of dL/d outputs that the product gives. */
VISE_FN float delta_at(const vise_k_unfused *u, const vise_k_step_record *record, uint32_t layer, uint32_t row,
                       uint32_t unit) {
  const vise_k_step *p = &u->step;
  const vise_k_layer *l = &p->layers[layer];
  const vise_activation kind = (vise_activation)l->activation;
  const uint64_t at = (uint64_t)row * l->ld_out + unit;
  const int narrow = p->activations16 != NULL;

  float d = p->activations[l->delta + at];
  if (l[1].has_residual) d += vise_residual_delta(p, layer + 1, row, unit);
  if (l->has_residual) p->activations[vise_k_delta_out(l) + at] = d;
  if (l->dropout.threshold) d = vise_drop(p, record, layer + 1, row, unit, d);

  const float a = l->act_by ? p->activations[vise_k_act(l) + at] : load_value(u, narrow, l->out + at);
  float z = 0.0f;
  if (vise_i_activation_needs_z(kind)) z = load_value(u, narrow && vise_k_unfused_is_plain(l), vise_k_pre(l) + at);
  return d * vise_activation_slope_f32(kind, a, z);
}

/* ---- without batch norm ---- */

extern "C" __global__ void __launch_bounds__(VISE_UNFUSED_THREADS, 1)
    unfused_block_element_per_thread(const __grid_constant__ vise_k_unfused u, uint32_t layer, uint32_t n_rows,
                                     int add_bias) {
  const vise_k_step *p = &u.step;
  const vise_k_layer *l = &p->layers[layer];
  const uint32_t at = blockIdx.x * VISE_UNFUSED_THREADS + threadIdx.x; /* of up to 2^18 rows of 2^13 */
  const uint32_t row = at / l->ld_out, unit = at % l->ld_out;
  if (row >= n_rows || unit >= l->n_out || !u.context->active) return;

  const vise_k_step_record record = u.context->record;
  float z = p->activations[(vise_i_activation_needs_z((vise_activation)l->activation) ? vise_k_pre(l) : l->out) + at];
  if (add_bias) z += p->params[l->vector + unit];
  put_output(&u, &record, layer, row, unit, z);
}
VISE_KERNEL(unfused_block_element_per_thread);

extern "C" __global__ void __launch_bounds__(VISE_UNFUSED_THREADS, 1)
    unfused_integer_element_per_thread(const __grid_constant__ vise_k_unfused u, uint32_t layer, uint32_t n_rows,
                                       int add_bias) {
  const vise_k_step *p = &u.step;
  const vise_k_layer *l = &p->layers[layer];
  const uint32_t at = blockIdx.x * VISE_UNFUSED_THREADS + threadIdx.x;
  const uint32_t row = at / l->ld_out, unit = at % l->ld_out;
  if (row >= n_rows || unit >= l->n_out || !u.context->active) return;

  const vise_k_step_record record = u.context->record;
  const vise_levels levels = vise_levels_of(p, layer + 1);
  float a = p->activations[l->out + at];
  if (add_bias) a += p->params[l->vector + unit];
  a = vise_activation_f32((vise_activation)l->activation, a);
  p->activations[vise_k_act(l) + at] = a;
  a = vise_round_value(&levels, a);
  if (l->dropout.threshold) a = vise_drop(p, &record, layer + 1, row, unit, a);
  p->activations[l->out + at] = a;
}
VISE_KERNEL(unfused_integer_element_per_thread);

extern "C" __global__ void __launch_bounds__(VISE_UNFUSED_THREADS, 1)
    unfused_block_delta_element_per_thread(const __grid_constant__ vise_k_unfused u, uint32_t layer, uint32_t n_rows) {
  const vise_k_layer *l = &u.step.layers[layer];
  const uint32_t at = blockIdx.x * VISE_UNFUSED_THREADS + threadIdx.x;
  const uint32_t row = at / l->ld_out, unit = at % l->ld_out;
  if (row >= n_rows || unit >= l->n_out || !u.context->active) return;

  const vise_k_step_record record = u.context->record;
  store_value(&u, l->delta + at, delta_at(&u, &record, layer, row, unit));
}
VISE_KERNEL(unfused_block_delta_element_per_thread);

/* ---- with batch norm ---- */

/* Sums over the rows of each of the CTA's units, from those of its threads; scratch: shared memory for this sum alone. */
VISE_FN double sum_rows(double own, double (*scratch)[NORM_UNITS]) {
  own += __shfl_xor_sync(0xffffffffu, own, 8);
  own += __shfl_xor_sync(0xffffffffu, own, 16);
  if (threadIdx.x % 32 < NORM_UNITS) scratch[threadIdx.x / 32][threadIdx.x % 32] = own;
  __syncthreads();

  double sum = 0.0;
#pragma unroll
  for (uint32_t warp = 0; warp < VISE_STEP_WARPS; warp++) sum += scratch[warp][threadIdx.x % NORM_UNITS];
  return sum;
}

/* The unit of a thread, its mean and scale 0; without rows past the last. */
VISE_FN vise_norm_unit norm_unit(const vise_k_step *p, const vise_k_layer *l, uint32_t unit, uint32_t n_rows) {
  const int inside = unit < l->n_out;
  vise_norm_unit n = {p->activations + vise_k_linear(l) + unit, l->ld_out, inside ? n_rows : 0, 0.0f, 0.0f, 0.0f, 0.0f};
  if (inside) n.gain = p->params[l->vector + unit];
  if (inside) n.shift = p->params[vise_k_vector_of(l, 1).at + unit];
  return n;
}

extern "C" __global__ void __launch_bounds__(VISE_UNFUSED_THREADS, 1)
    unfused_block_norm_cta_per_8_units(const __grid_constant__ vise_k_unfused u, uint32_t layer, uint32_t n_rows) {
  __shared__ double scratch[2][VISE_STEP_WARPS][NORM_UNITS];
  const vise_k_step *p = &u.step;
  const vise_k_layer *l = &p->layers[layer];
  const uint32_t unit = blockIdx.x * NORM_UNITS + threadIdx.x % NORM_UNITS, first = threadIdx.x / NORM_UNITS;
  if (!u.context->active) return;

  const vise_k_step_record record = u.context->record;
  vise_norm_unit n = norm_unit(p, l, unit, n_rows);

  double sum = 0.0;
#pragma unroll 4
  for (uint32_t r = first; r < n.n_rows; r += NORM_ROWS) sum += (double)n.z[(size_t)r * n.ld];
  const double mean = sum_rows(sum, scratch[0]) / (double)n_rows;

  sum = 0.0;
#pragma unroll 4
  for (uint32_t r = first; r < n.n_rows; r += NORM_ROWS) {
    const double d = (double)n.z[(size_t)r * n.ld] - mean;
    sum += d * d;
  }
  const double variance = sum_rows(sum, scratch[1]) / (double)n_rows;

  if (first == 0 && unit < l->n_out) {
    vise_norm_statistics(p, l, unit)[0] = mean;
    vise_norm_statistics(p, l, unit)[l->n_out] = variance;
  }

  vise_norm_scale(&n, mean, variance);
#pragma unroll 1
  for (uint32_t r = first; r < n.n_rows; r += NORM_ROWS) {
    put_output(&u, &record, layer, r, unit, fmaf(n.gain, vise_norm_x(&n, r), n.shift));
  }
}
VISE_KERNEL(unfused_block_norm_cta_per_8_units);

extern "C" __global__ void __launch_bounds__(VISE_UNFUSED_THREADS, 1)
    unfused_block_norm_delta_cta_per_8_units(const __grid_constant__ vise_k_unfused u, uint32_t layer,
                                             uint32_t n_rows) {
  __shared__ double scratch[2][VISE_STEP_WARPS][NORM_UNITS];
  const vise_k_step *p = &u.step;
  const vise_k_layer *l = &p->layers[layer];
  const uint32_t unit = blockIdx.x * NORM_UNITS + threadIdx.x % NORM_UNITS, first = threadIdx.x / NORM_UNITS;
  if (!u.context->active) return;

  const vise_k_step_record record = u.context->record;
  vise_norm_unit n = norm_unit(p, l, unit, n_rows);
  if (unit < l->n_out) {
    const double *statistics = vise_norm_statistics(p, l, unit);
    vise_norm_scale(&n, statistics[0], statistics[l->n_out]);
  }

  float *delta = p->activations + l->delta + unit;
  double sum = 0.0, sum_x = 0.0;
#pragma unroll 1
  for (uint32_t r = first; r < n.n_rows; r += NORM_ROWS) {
    const float d = delta_at(&u, &record, layer, r, unit);
    delta[(size_t)r * n.ld] = d;
    sum += (double)d;
    sum_x += (double)d * (double)vise_norm_x(&n, r);
  }

  sum = sum_rows(sum, scratch[0]);
  sum_x = sum_rows(sum_x, scratch[1]);
  if (first == 0 && unit < l->n_out) {
    p->gradients[l->vector + unit] = (float)sum_x;
    p->gradients[vise_k_vector_of(l, 1).at + unit] = (float)sum;
  }

  const float by = n.gain * n.inverse;
  const float mean = (float)(sum / (double)n_rows), mean_x = (float)(sum_x / (double)n_rows);
#pragma unroll 4
  for (uint32_t r = first; r < n.n_rows; r += NORM_ROWS) {
    const float d = by * (delta[(size_t)r * n.ld] - fmaf(vise_norm_x(&n, r), mean_x, mean));
    store_value(&u, l->delta + (uint64_t)r * n.ld + unit, d);
  }
}
VISE_KERNEL(unfused_block_norm_delta_cta_per_8_units);

/* ---- launches ---- */

static unsigned ctas_of(const vise_k_layer *l, uint32_t n_rows) {
  const uint64_t n = (uint64_t)n_rows * l->ld_out;
  return (unsigned)(l->has_norm ? (l->n_out + NORM_UNITS - 1) / NORM_UNITS
                                : (n + VISE_UNFUSED_THREADS - 1) / VISE_UNFUSED_THREADS);
}

cudaError_t vise_k_unfused_block(const vise_k_unfused *u, uint32_t layer, uint32_t n_rows, int add_bias,
                                 cudaStream_t stream) {
  const vise_k_layer *l = &u->step.layers[layer];
  void *arguments[] = {(void *)u, &layer, &n_rows, &add_bias};
  const void *kernel = u->step.rounds ? (const void *)unfused_integer_element_per_thread
                       : l->has_norm  ? (const void *)unfused_block_norm_cta_per_8_units
                                      : (const void *)unfused_block_element_per_thread;
  return vise_launch(kernel, {ctas_of(l, n_rows), VISE_UNFUSED_THREADS, 0, 0}, stream, arguments);
}

cudaError_t vise_k_unfused_block_delta(const vise_k_unfused *u, uint32_t layer, uint32_t n_rows, cudaStream_t stream) {
  const vise_k_layer *l = &u->step.layers[layer];
  void *arguments[] = {(void *)u, &layer, &n_rows};
  const void *kernel = l->has_norm ? (const void *)unfused_block_norm_delta_cta_per_8_units
                                   : (const void *)unfused_block_delta_element_per_thread;
  return vise_launch(kernel, {ctas_of(l, n_rows), VISE_UNFUSED_THREADS, 0, 0}, stream, arguments);
}
