/*
 * The phases that end the forward pass, by rows of the batch.
 *
 * VISE_K_ROWS   nets with up to VISE_K_NARROW outputs: a CTA takes row_block rows and does all that they still need:
 *               the last layer's outputs, loss, delta, and the delta of the layer below, so that the team need not meet
 *               in between. With up to 32 outputs the threads meet when the inputs are there and when the partial
 *               sums are; then a warp has a row, a lane an output. Several rows' deltas need one more barrier; that of a
 *               single row is made by every warp that needs it.
 * VISE_K_LOSS   wider nets: the outputs are in memory; a warp takes a row.
 */
#ifndef VISE_K_ROWS_CUH
#define VISE_K_ROWS_CUH

#include "kernels/row_loss.cuh"
#include "kernels/rows_products.cuh"

/* Row r of the batch in the data set. */
VISE_FN size_t vise_data_row(const vise_k_step *p, const vise_k_step_record *record, uint32_t r) {
  const size_t at = (size_t)record->first + r;
  return p->order ? p->order[at] : at;
}

/* Loss and delta of a row by its warp: z and delta anywhere, delta also to `also` unless NULL. targets: vise_row's. */
VISE_FN_CALLED void vise_loss_of_known_row(uint32_t r, const float *z, float *delta, float *also,
                                           const float *targets) {
  vise_step *const step = vise_step_here();
  const vise_k_step *p = &step->p;
  const uint32_t lane = threadIdx.x % 32, n_out = p->layers[p->n_layers - 1].n_out;

  if (VISE_RARE(p->rule.loss == VISE_LOSS_EXTERNAL)) {
    const float *given = p->external_delta + ((size_t)step->record.position + r) * n_out;
#pragma unroll 1
    for (uint32_t k = lane; k < n_out; k += 32) delta[k] = given[k];
    if (lane == 0) p->row_losses[r] = 0.0;
  } else {
    vise_row row;
    const vise_k_step_record *record = &step->record;
    int right;

    row.z = z;
    row.delta = delta;
    row.n_out = n_out;
    row.data_row = targets && !p->row_weights ? 0 : vise_data_row(p, record, r); /* for targets and weight alone */
    row.targets = targets;
    row.leaves = (double *)vise_step_split() + threadIdx.x / 32 * VISE_MAX_OUTPUT_LEAVES;

    const double value = vise_row_loss(p, &row, &right);
    if (lane == 0) {
      p->row_losses[r] = value;
      if (!vise_is_finite_f64(value)) atomicOr(&step->loss_is_bad, 1u);
      if (right && vise_i_loss_classifies(p->rule.loss)) atomicAdd(&step->n_correct, 1u);
    }
  }

  if (also) {
#pragma unroll 1
    for (uint32_t k = lane; k < n_out; k += 32) also[k] = delta[k];
  }

#if VISE_STEP_MMA == VISE_MMA_BF16
  const vise_k_layer *last = &p->layers[p->n_layers - 1];
#pragma unroll 1
  for (uint32_t k = lane; k < n_out; k += 32) {
    p->activations16[last->delta + (size_t)r * last->ld_out + k] = vise_bf16(delta[k]);
  }
#endif
}

VISE_FN void vise_loss_of_row(uint32_t r, const float *z, float *delta) {
  vise_loss_of_known_row(r, z, delta, NULL, NULL);
}

VISE_FN_CALLED void vise_loss_phase(void) {
  vise_step *const step = vise_step_here();
  const vise_k_step *p = &step->p;
  const vise_k_layer *last = &p->layers[p->n_layers - 1];
  const uint32_t n_rows = step->record.n_rows, n_warps = p->n_members * VISE_STEP_WARPS;
#pragma unroll 1
  for (uint32_t r = vise_step_member() * VISE_STEP_WARPS + threadIdx.x / 32; r < n_rows; r += n_warps) {
    const size_t at = (size_t)r * last->ld_out;
    vise_loss_of_row(r, p->activations + last->out + at, p->activations + last->delta + at);
  }
}

/* Loads the targets of the rows from row0 on that this CTA takes, by its last warps. */
VISE_FN void vise_rows_load_targets(vise_step *step, uint32_t row0) {
  const vise_k_step *p = &step->p;
  const uint32_t r = VISE_STEP_WARPS - 1 - threadIdx.x / 32, row = row0 + r;
  const uint32_t n = p->labels ? 1 : p->layers[p->n_layers - 1].n_out;
  if (VISE_RARE(p->rule.loss == VISE_LOSS_EXTERNAL) || r >= p->row_block || row >= step->record.n_rows) return;
#pragma unroll 1
  for (uint32_t k = threadIdx.x % 32; k < n; k += 32) {
    step->targets[r * VISE_K_NARROW + k] = vise_target_f32(vise_data_row(p, &step->record, row), k);
  }
}

/* Prepares the rows phase, and starts to load what it needs besides its inputs: the last weight, bias, targets of the
   first rows. That phase waits for them. */
VISE_FN_CALLED void vise_rows_prepare(void) {
  vise_step *const step = vise_step_here();
  if (threadIdx.x == 0) step->rows.in = vise_operand_inputs(step, step->p.n_layers - 1);
  vise_load_bias(step, step->p.n_layers - 1, 0, VISE_K_NARROW);
  vise_rows_copy_weight(&step->rows);
  vise_rows_load_targets(step, vise_step_member() * step->p.row_block);
}

/* What a warp does with n rows of up to 32 outputs. */
typedef struct vise_rows_turn {
  uint32_t r; /* its row, from the block's first on: of a single row, that */
  int makes;  /* it makes the row's delta: of a single row all warps that have units below do */
  int puts;   /* it writes the delta, and the value: of a single row the last, which has the fewest units */
} vise_rows_turn;

VISE_FN vise_rows_turn vise_rows_turn_of(const vise_rows *m, uint32_t n) {
  const uint32_t warp = threadIdx.x / 32;
  vise_rows_turn t;
  t.r = n == 1 ? 0 : warp;
  t.puts = n == 1 ? warp == VISE_STEP_WARPS - 1 : warp < n;
  t.makes = t.puts || (n == 1 && warp * 32 < m->n_units);
  return t;
}

/* Row `at` of the batch; of an external loss z is the given delta. */
VISE_FN vise_lane_row vise_rows_open_row(const vise_step *step, const vise_rows *m, uint32_t at) {
  const vise_k_step *p = &step->p;
  vise_lane_row row = vise_lane_row_open(p, m->n_out, p->row_weights ? vise_data_row(p, &step->record, at) : 0);
  if (VISE_RARE(p->rule.loss == VISE_LOSS_EXTERNAL) && row.inside) {
    row.z = p->external_delta[((size_t)step->record.position + at) * m->n_out + threadIdx.x % 32];
  }
  return row;
}

/* Writes the row's delta, for the gradient, and then what only statistics need: its value, whether it is right. */
VISE_FN void vise_rows_put(vise_step *step, const vise_lane_row *row, uint32_t at, float delta) {
  const vise_k_step *p = &step->p;
  const vise_k_layer *last = &p->layers[p->n_layers - 1];
  const uint32_t lane = threadIdx.x % 32;
  double value = 0.0;

  if (row->inside) vise_put_activation(p, last->delta + (size_t)at * last->ld_out + lane, delta);

  if (!VISE_RARE(p->rule.loss == VISE_LOSS_EXTERNAL)) {
    const int right = vise_i_loss_classifies(p->rule.loss) && vise_lane_row_is_right(p, row);
    value = vise_lane_row_value(p, row);
    if (lane == 0 && !vise_is_finite_f64(value)) atomicOr(&step->loss_is_bad, 1u);
    if (lane == 0 && right) atomicAdd(&step->n_correct, 1u);
  }
  if (lane == 0) p->row_losses[at] = value;
}

/* Where the outputs of row r of a block come together, after the leaves of its loss. */
VISE_FN float *vise_rows_z(uint32_t r) {
  static_assert(VISE_MAX_OUTPUT_LEAVES / 2 >= VISE_K_NARROW, "half of the leaves are not used");
  return vise_step_split() + (2 * r + 1) * VISE_MAX_OUTPUT_LEAVES;
}

/* Loss and delta of n rows of more outputs, a warp to each. */
VISE_FN void vise_rows_by_leaves(vise_step *step, const vise_rows *m, const float *partial, uint32_t row0, uint32_t n) {
  const vise_k_step *p = &step->p;
  const vise_k_layer *last = &p->layers[p->n_layers - 1];
  const uint32_t warp = threadIdx.x / 32, n_out = m->n_out;

#pragma unroll 1
  for (uint32_t i = threadIdx.x; i < n * n_out; i += VISE_K_STEP_THREADS) {
    const uint32_t r = i / n_out, k = i % n_out;
    const float z = vise_rows_output(m, partial + i * m->ld_partial);
    vise_rows_z(r)[k] = m->has_bias ? z + ((const float *)step->bias)[k] : z;
  }
  __syncthreads();

  if (warp < n) {
    float *delta = p->activations + last->delta + (size_t)(row0 + warp) * last->ld_out;
    float *const own = vise_rows_deltas() + warp * VISE_K_NARROW;
    vise_loss_of_known_row(row0 + warp, vise_rows_z(warp), own, delta, step->targets + warp * VISE_K_NARROW);
#pragma unroll 1
    for (uint32_t k = n_out + threadIdx.x % 32; k < VISE_K_NARROW; k += 32) own[k] = 0.0f;
  }
}

/* n rows from row0 on, whose inputs are on their way. */
VISE_FN void vise_rows_block(vise_step *step, uint32_t row0, uint32_t n) {
  const vise_k_step *p = &step->p;
  const vise_rows here = step->rows, *m = &here;
  const uint32_t warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int external = VISE_RARE(p->rule.loss == VISE_LOSS_EXTERNAL), by_lanes = !VISE_RARE(m->n_out > 32),
            alone = by_lanes && n == 1;
  const vise_rows_turn turn = vise_rows_turn_of(m, n);
  const int makes = by_lanes && turn.makes, puts = by_lanes && turn.puts;
  float *const partial = vise_rows_partial(p, m), *const deltas = vise_rows_deltas();
  const uint32_t own = turn.r * m->n_out + lane; /* among the outputs of the block */
  float delta = 0.0f, bias = 0.0f;
  vise_lane_row row = {};

  if (makes) row = vise_rows_open_row(step, m, row0 + turn.r);
  ptx_cp_async_wait(0);
  __syncthreads();

  if (!external) {
    vise_rows_slices(m, partial, n);
    if (makes) vise_lane_row_aim(p, &row, step->targets + turn.r * VISE_K_NARROW);
    if (makes && row.inside && m->has_bias) bias = ((const float *)step->bias)[lane];
  }
  __syncthreads();

  if (makes) {
    if (!external && row.inside) row.z = vise_rows_output(m, partial + own * m->ld_partial) + bias;
    delta = external ? row.z : vise_lane_row_delta(p, &row);
    deltas[warp * VISE_K_NARROW + lane] = delta;
  }
  if (!by_lanes) vise_rows_by_leaves(step, m, partial, row0, n);

  if (alone) {
    __syncwarp();
  } else {
    __syncthreads();
  }
  vise_rows_delta_below(step, m, deltas + (alone ? warp * VISE_K_NARROW : 0), row0, n);
  if (puts) vise_rows_put(step, &row, row0 + turn.r, delta);
}

/* Starts to load the inputs of the block from row0 on; returns its rows. */
VISE_FN uint32_t vise_rows_begin(const vise_step *step, uint32_t row0) {
  const uint32_t left = step->record.n_rows - row0, block = step->p.row_block, n = left < block ? left : block;
  vise_rows_load(&step->rows, row0, n);
  return n;
}

VISE_FN_CALLED void vise_rows_phase(void) {
  vise_step *const step = vise_step_here();
  const vise_k_step *p = &step->p;
  const uint32_t n_rows = step->record.n_rows, stride = p->n_members * p->row_block;
  uint32_t row0 = vise_step_member() * p->row_block, n = 0;

  if (p->n_layers == 1) { /* there is no exchange before this phase */
    vise_rows_prepare();
    __syncthreads();
  }
  if (row0 < n_rows) n = vise_rows_begin(step, row0);

#pragma unroll 1
  while (row0 < n_rows) {
    vise_rows_block(step, row0, n);
    row0 += stride;
    if (row0 >= n_rows) break;

    __syncthreads(); /* what is in shared memory has been read */
    vise_rows_load_targets(step, row0);
    n = vise_rows_begin(step, row0);
  }

  ptx_cp_async_wait(0); /* also where there are no rows for this CTA: the stages are used again */
}

#endif
