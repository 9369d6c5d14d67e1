/*
 * The unfused step's kernels on rows of the batch.
 *
 * unfused_gather_warp_per_segment     inputs[r] = scaled(x[order[first + r]]), in float32 or bf16; input dropout
 * unfused_activate_quad_per_thread    a = f(z + b)
 * unfused_loss_warp_per_row           loss of a row and its gradient at the outputs
 * unfused_slope_quad_per_thread       delta = dL/da f'(z)
 * unfused_bias_warp_per_row           dL/db = sum of delta over the batch
 *
 * Formulas    those of the fused step, by the same functions: gather.cuh, ops/dropout.cuh, activation.cuh, rows.cuh.
 * Layout      kernels/step_types.h; a quad never crosses a row, since rows are multiples of 8 elements. In place where
 *             activate and slope have one array.
 * Work        as the names say, 256 threads to a CTA (bias: 1024, for 32 units); no loops over the grid but in bias.
 * Memory      every operand once, 16 bytes a lane (bf16: 8; bias: 4), coalesced.
 * Numerics    float32; bf16 rounded to nearest even where it is stored. Same bits in every run.
 * Limits      those of the plan (host/plan).
 * Oracle      host/backend/cpu64, by tolerance (tests/gpu/unfused_agreement_test.c).
 */
#define VISE_ALL_INLINE
#include "kernels/activation.cuh"
#include "kernels/rows.cuh"
#include "kernels/unfused.cuh"

enum { SEGMENT = 128, BIAS_THREADS = 1024, BIAS_UNITS = 32 };

/* The first CTA: context and statistics of the step. */
VISE_FN void begin_step(const vise_k_unfused *u, uint32_t cursor) {
  const vise_k_step *p = &u->step;
  uint32_t *words = (uint32_t *)&p->stats[cursor];
  for (uint32_t i = threadIdx.x; i < sizeof(vise_k_step_stats) / 4; i += VISE_UNFUSED_THREADS) words[i] = 0;
  if (threadIdx.x > 0) return;

  vise_k_unfused_context *c = u->context;
  const vise_k_step_record record = p->records[cursor];
  const int external = p->rule.loss == VISE_LOSS_EXTERNAL;

  c->record = record;
  c->active = 1;
  c->index = cursor;
  c->parity = p->state->parity;
  c->skip = 0;
  c->inverse = 1.0 / record.denominator;
  c->loss_is_bad = !vise_is_finite_f64(external ? record.external_loss : c->inverse);
  c->bad_gradient = c->bad_total = VISE_NO_TENSOR;
}

extern "C" __global__ void __launch_bounds__(VISE_UNFUSED_THREADS, 1)
    unfused_gather_warp_per_segment(const __grid_constant__ vise_k_unfused u) {
  const vise_k_step *p = &u.step;
  const vise_k_source *s = &p->x;
  const uint32_t cursor = p->state->cursor, halted = p->state->halted;

  if (halted) {
    if (blockIdx.x == 0 && threadIdx.x == 0) u.context->active = 0;
    return;
  }
  if (blockIdx.x == 0) begin_step(&u, cursor);

  const uint32_t n_segments = vise_ceil_div(s->n_columns, SEGMENT);
  const uint32_t unit = blockIdx.x * VISE_STEP_WARPS + threadIdx.x / 32;
  const uint32_t r = unit / n_segments, column = unit % n_segments * SEGMENT + threadIdx.x % 32 * 4;
  const vise_k_step_record *record = &p->records[cursor];
  if (r >= record->n_rows || column >= s->n_columns) return;

  const size_t row = p->order ? p->order[record->first + r] : (size_t)record->first + r;
  const char *from = (const char *)s->x + row * s->row_bytes;
  const size_t at = (size_t)r * p->ld_inputs + column;

  float v[4] = {0.0f, 0.0f, 0.0f, 0.0f}; /* past the end of a row it stays 0 */
  if (vise_gather_vectors(s) && column + 4 <= s->n_columns) {
    vise_quad_unpack(vise_gather_four(s, from, column), v);
  } else {
#pragma unroll
    for (uint32_t i = 0; i < 4; i++) {
      if (column + i < s->n_columns) v[i] = vise_gather_one(s, from, column + i);
    }
  }

  if (p->input_dropout.threshold) {
#pragma unroll
    for (uint32_t i = 0; i < 4; i++) v[i] = vise_drop(p, record, 0, r, column + i, v[i]);
  }

  if (u.step.inputs16) {
    vise_quad_store16(u.step.inputs16 + at, v);
  } else {
    vise_quad_store(p->inputs + at, v);
  }
}
VISE_KERNEL(unfused_gather_warp_per_segment);

/* Whether a layer's activations are in bf16: those of hidden layers are what products read. */
VISE_FN int is_narrow(const vise_k_unfused *u, uint32_t layer) {
  return u->step.activations16 && layer + 1 < u->step.n_layers;
}

VISE_FN void load_quad(const vise_k_unfused *u, int narrow, size_t at, float out[4]) {
  if (narrow) {
    vise_quad_load16(u->step.activations16 + at, out);
  } else {
    vise_quad_load(u->step.activations + at, out);
  }
}

VISE_FN void store_quad(const vise_k_unfused *u, int narrow, size_t at, const float v[4]) {
  if (narrow) {
    vise_quad_store16(u->step.activations16 + at, v);
  } else {
    vise_quad_store(u->step.activations + at, v);
  }
}

extern "C" __global__ void __launch_bounds__(VISE_UNFUSED_THREADS, 1)
    unfused_activate_quad_per_thread(const __grid_constant__ vise_k_unfused u, uint32_t layer, uint32_t n_rows,
                                     int add_bias) {
  const vise_k_step *p = &u.step;
  const vise_k_layer *l = &p->layers[layer];
  const vise_activation kind = (vise_activation)l->activation;
  const int narrow = is_narrow(&u, layer), keeps_z = vise_i_activation_needs_z(kind);

  const uint32_t at = (blockIdx.x * VISE_UNFUSED_THREADS + threadIdx.x) * 4; /* of up to 2^18 rows of 2^13 */
  const uint32_t column = at % l->ld_out;
  if (at >= n_rows * l->ld_out || column >= l->n_out) return;

  float z[4], a[4], bias[4] = {0.0f, 0.0f, 0.0f, 0.0f};
  load_quad(&u, narrow, (keeps_z ? vise_k_pre(l) : l->out) + at, z);
  if (add_bias) vise_quad_load(p->params + l->vector + column, bias);

#pragma unroll
  for (uint32_t i = 0; i < 4; i++) {
    z[i] = add_bias ? z[i] + bias[i] : z[i];
    a[i] = column + i < l->n_out ? vise_activation_f32(kind, z[i]) : 0.0f;
  }

  if (keeps_z && add_bias) store_quad(&u, narrow, vise_k_pre(l) + at, z);
  store_quad(&u, narrow, l->out + at, a);
}
VISE_KERNEL(unfused_activate_quad_per_thread);

extern "C" __global__ void __launch_bounds__(VISE_UNFUSED_THREADS, 1)
    unfused_slope_quad_per_thread(const __grid_constant__ vise_k_unfused u, uint32_t layer, uint32_t n_rows) {
  const vise_k_step *p = &u.step;
  const vise_k_layer *l = &p->layers[layer];
  const vise_activation kind = (vise_activation)l->activation;
  const int narrow = is_narrow(&u, layer);

  const uint32_t at = (blockIdx.x * VISE_UNFUSED_THREADS + threadIdx.x) * 4;
  if (at >= n_rows * l->ld_out) return;

  float d[4], a[4], z[4] = {0.0f, 0.0f, 0.0f, 0.0f};
  load_quad(&u, narrow, l->delta + at, d);
  load_quad(&u, narrow, l->out + at, a);
  if (vise_i_activation_needs_z(kind)) load_quad(&u, narrow, vise_k_pre(l) + at, z);

#pragma unroll
  for (uint32_t i = 0; i < 4; i++) d[i] *= vise_activation_slope_f32(kind, a[i], z[i]);
  store_quad(&u, narrow, l->delta + at, d);
}
VISE_KERNEL(unfused_slope_quad_per_thread);

/* Stores the row's deltas in bf16 as well, by its warp. */
VISE_FN void narrow_delta(const vise_k_unfused *u, size_t at, uint32_t n_out) {
  __syncwarp();
  for (uint32_t k = threadIdx.x % 32 * 4; k < n_out; k += 128) {
    float v[4];
    vise_quad_load(u->step.activations + at + k, v);
    vise_quad_store16(u->step.activations16 + at + k, v);
  }
}

extern "C" __global__ void __launch_bounds__(VISE_UNFUSED_THREADS, 1)
    unfused_loss_warp_per_row(const __grid_constant__ vise_k_unfused u) {
  vise_step *const step = vise_unfused_open(&u);
  if (!step) return;

  const vise_k_step *p = &step->p;
  const vise_k_layer *last = &p->layers[p->n_layers - 1];
  const uint32_t r = blockIdx.x * VISE_STEP_WARPS + threadIdx.x / 32;

  if (r < step->record.n_rows) {
    const size_t at = (size_t)r * last->ld_out;
    vise_loss_of_row(r, p->activations + last->out + at, p->activations + last->delta + at);
    if (u.step.activations16) narrow_delta(&u, last->delta + at, last->n_out);
  }

  __syncthreads();
  if (threadIdx.x > 0) return;
  if (step->n_correct > 0) atomicAdd(&p->stats[u.context->index].n_correct, step->n_correct);
  if (step->loss_is_bad) atomicOr(&u.context->loss_is_bad, 1u);
}
VISE_KERNEL(unfused_loss_warp_per_row);

extern "C" __global__ void __launch_bounds__(BIAS_THREADS)
    unfused_bias_warp_per_row(const __grid_constant__ vise_k_unfused u, uint32_t layers) {
  __shared__ float sums[BIAS_THREADS / 32][BIAS_UNITS + 1];
  const vise_k_step *p = &u.step;
  const uint32_t lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  uint32_t layer = 0, block = blockIdx.x;
  if (!u.context->active) return;

  for (;; layer++) {
    const uint32_t n = layers >> layer & 1 ? vise_ceil_div(p->layers[layer].n_out, BIAS_UNITS) : 0;
    if (block < n) break;
    block -= n;
  }

  const vise_k_layer *l = &p->layers[layer];
  const int narrow = u.step.activations16 != NULL;
  const uint32_t unit = block * BIAS_UNITS + lane, n_rows = u.context->record.n_rows;

  float sum = 0.0f;
  if (unit < l->n_out) {
#pragma unroll 4
    for (uint32_t r = warp; r < n_rows; r += BIAS_THREADS / 32) {
      const size_t at = l->delta + (size_t)r * l->ld_out + unit;
      sum += narrow ? vise_f32_bits((uint32_t)u.step.activations16[at] << 16) : p->activations[at];
    }
  }

  sums[warp][lane] = sum;
  __syncthreads();
  if (warp > 0 || unit >= l->n_out) return;

  sum = 0.0f;
  for (uint32_t w = 0; w < BIAS_THREADS / 32; w++) sum += sums[w][lane];
  p->gradients[l->vector + unit] = sum;
}
VISE_KERNEL(unfused_bias_warp_per_row);

/* ---- launches ---- */

static unsigned ctas_of_quads(const vise_k_unfused *u, uint32_t layer, uint32_t n_rows) {
  const uint64_t n = (uint64_t)n_rows * u->step.layers[layer].ld_out / 4;
  return (unsigned)((n + VISE_UNFUSED_THREADS - 1) / VISE_UNFUSED_THREADS);
}

cudaError_t vise_k_unfused_begin(const vise_k_unfused *u, uint32_t n_rows, cudaStream_t stream) {
  const uint64_t n_warps = (uint64_t)n_rows * ((u->step.x.n_columns + SEGMENT - 1) / SEGMENT);
  void *arguments[] = {(void *)u};
  return vise_launch((const void *)unfused_gather_warp_per_segment,
                     {(unsigned)((n_warps + VISE_STEP_WARPS - 1) / VISE_STEP_WARPS), VISE_UNFUSED_THREADS, 0, 0},
                     stream, arguments);
}

cudaError_t vise_k_unfused_activate(const vise_k_unfused *u, uint32_t layer, uint32_t n_rows, int add_bias,
                                    cudaStream_t stream) {
  void *arguments[] = {(void *)u, &layer, &n_rows, &add_bias};
  return vise_launch((const void *)unfused_activate_quad_per_thread,
                     {ctas_of_quads(u, layer, n_rows), VISE_UNFUSED_THREADS, 0, 0}, stream, arguments);
}

cudaError_t vise_k_unfused_slope(const vise_k_unfused *u, uint32_t layer, uint32_t n_rows, cudaStream_t stream) {
  void *arguments[] = {(void *)u, &layer, &n_rows};
  return vise_launch((const void *)unfused_slope_quad_per_thread,
                     {ctas_of_quads(u, layer, n_rows), VISE_UNFUSED_THREADS, 0, 0}, stream, arguments);
}

cudaError_t vise_k_unfused_loss(const vise_k_unfused *u, uint32_t n_rows, cudaStream_t stream) {
  void *arguments[] = {(void *)u};
  return vise_launch((const void *)unfused_loss_warp_per_row,
                     {(n_rows + VISE_STEP_WARPS - 1) / VISE_STEP_WARPS, VISE_UNFUSED_THREADS,
                      VISE_K_FIXED_BYTES + VISE_K_SPLIT_BYTES, 0},
                     stream, arguments);
}

cudaError_t vise_k_unfused_bias(const vise_k_unfused *u, uint32_t layers, cudaStream_t stream) {
  unsigned n_ctas = 0;
  for (uint32_t l = 0; l < u->step.n_layers; l++) {
    if (layers >> l & 1) n_ctas += (u->step.layers[l].n_out + BIAS_UNITS - 1) / BIAS_UNITS;
  }
  void *arguments[] = {(void *)u, &layers};
  return vise_launch((const void *)unfused_bias_warp_per_row, {n_ctas, BIAS_THREADS, 0, 0}, stream, arguments);
}
