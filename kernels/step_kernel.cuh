/*
 * The kernel of the fused step. A source file sets VISE_STEP_NAME, VISE_STEP_LARGE and VISE_STEP_MMA (products.cuh) and
 * includes this once.
 *
 * Formula     one or many training steps, in the order of host/backend/cpu64/step.c: gather, forward, loss, backward,
 *             penalties, clips, optimizer, projection, statistics.
 * Layout      kernels/step_types.h. params, moments, activations, sums, statistics and state are read and written by
 * the launch; data set, order, records, masks and weights of rows and classes are only read. Work        a team of CTAs
 * of 256 threads walks through the phases that the host planned; in each a CTA takes tiles, blocks of rows or warps'
 * worth of them in turn: member, member + n_members, ... Tiles of the gradient stay with their CTA until it updates the
 * weights under them. Memory      see host/plan, which counts it for a given net; no gradient leaves the chip where its
 * tiles can be held. Numerics    fp32: canonical order (kernels/canonical.h), so the bits depend on nothing but data,
 * options and the order of the rows. tf32 and bf16: products of the tiles of 64 and 128 by the matrix units, the rest
 * in float32; the same bits on the same kind of GPU. Limits      16 layers, widths 8192; one CTA to a multiprocessor;
 * all resident (cooperative launch). Oracle      host/backend/cpu64, by tolerance (tests/gpu); fp32 also against itself
 * on the emulated device, bit for bit.
 */
#ifndef VISE_K_STEP_KERNEL_CUH
#define VISE_K_STEP_KERNEL_CUH

#include "kernels/inputs.cuh"
#include "kernels/products.cuh"
#include "kernels/walk.cuh"

static __device__ __forceinline__ void vise_step_phase(uint32_t kind, uint32_t layer, uint32_t tile) {
  switch (kind) {
    case VISE_K_FORWARD:
      vise_forward_phase(layer, tile);
      return;
    case VISE_K_ROWS:
      vise_rows_phase();
      return;
    case VISE_K_LOSS:
      vise_loss_phase();
      return;
    case VISE_K_DELTA:
      vise_delta_phase(layer, tile);
      return;
    case VISE_K_PARTS:
      vise_parts_phase();
      return;
    case VISE_K_GRADIENT:
      vise_gradient_phase();
      return;
    case VISE_K_SUM:
      vise_sum_phase();
      return;
    case VISE_K_UPDATE:
      vise_update_phase();
      return;
    case VISE_K_UNIT_SUM:
      vise_norm_unit_sums();
      return;
    default:
      vise_max_norm_phase();
      return;
  }
}

/* The rows of this step, unless the step before has gathered them. */
VISE_FN void vise_step_inputs(vise_step *step, vise_exchange *x) {
  const uint32_t gathered = step->state.gathered;
  if (threadIdx.x == 0) step->inputs = vise_inputs_half(&step->p, gathered ? gathered - 1 : 0);
  if (gathered) __syncthreads(); /* the first phase reads the place; otherwise the exchange is between */
  if (gathered || step->p.mode == VISE_K_PROJECT) return;
  vise_gather_rows(step->record.first, step->record.n_rows, 0);
  vise_step_exchange(step, x);
}

/* Between arrival and wait, where the CTA would be idle: record and rows of the next step. */
VISE_FN void vise_step_inputs_ahead(vise_step *step) {
  if (step->record.next_n_rows == 0) return;
  if (threadIdx.x == 0) step->state.record = step->p.records[step->state.cursor + 1];
  const uint32_t gathered = step->state.gathered, half = gathered ? gathered - 1 : 0;
  vise_gather_rows(step->record.next_first, step->record.next_n_rows, half ^ 1);
}

/* Notes when the first CTA is here. */
VISE_FN void vise_step_mark(const vise_step *step, uint32_t mark) {
  if (step->p.clocks && blockIdx.x == 0 && threadIdx.x == 0) step->p.clocks[mark] = (uint64_t)clock64();
}

/* One step. Between arrival and wait stand loads of what is there already: the last weight, and the rows of the next
   step. */
VISE_FN void vise_step_walk(vise_step *step, vise_exchange *x) {
  const vise_k_step *p = &step->p;
  vise_step_begin(step);
  vise_step_mark(step, VISE_K_CLOCK_STEP);
  vise_step_inputs(step, x);
  vise_step_mark(step, VISE_K_CLOCK_INPUTS);
#pragma unroll 1
  for (uint32_t i = 0; i < p->n_phases; i++) {
    if (p->phases[i].exchange) {
      vise_step_arrive(step, x);
      if (p->phases[i].kind == VISE_K_GRADIENT) vise_load_near_tiles();
      if (p->phases[i].kind == VISE_K_ROWS) vise_rows_load_weights();
      if (p->phases[i].kind == VISE_K_UPDATE) vise_step_inputs_ahead(step);
      vise_exchange_wait(x);
      if (p->phases[i].kind == VISE_K_UPDATE) vise_step_join_all(step, x);
    }
    vise_step_mark(step, VISE_K_CLOCK_PHASES + 2 * i);
    vise_step_phase(p->phases[i].kind, p->phases[i].layer, p->phases[i].tile);
    vise_step_mark(step, VISE_K_CLOCK_PHASES + 2 * i + 1);
  }
}

/* Moves the state of every CTA to the next step; the sums of the new weights become the current ones. */
VISE_FN void vise_step_end(vise_step *step) {
  const vise_k_step *p = &step->p;
  if (p->mode == VISE_K_STEP) vise_add_correct(step);
  if (vise_step_reports(step) && (p->mode == VISE_K_STEP || p->mode == VISE_K_GRADIENT_ONLY)) vise_step_report();
  __syncthreads();
  if (threadIdx.x == 0) {
    vise_k_step_state *state = &step->state;
    const uint32_t half = state->gathered ? state->gathered - 1 : 0;
    if (p->mode == VISE_K_STEP || p->mode == VISE_K_PROJECT) state->parity ^= 1;
    state->gathered = p->mode == VISE_K_STEP && step->record.next_n_rows > 0 ? 1 + (half ^ 1) : 0;
    state->cursor++;
    if (p->mode == VISE_K_STEP && vise_step_reports(step) && p->progress)
      ptx_store_release_sys(p->progress, state->cursor);
  }
  __syncthreads();
}

/* Parameters of the launch and state to shared memory. */
VISE_FN void vise_step_load(vise_step *step, const vise_k_step *p) {
  const uint32_t *from = (const uint32_t *)p;
  uint32_t *to = (uint32_t *)&step->p;
#pragma unroll 1
  for (uint32_t i = threadIdx.x; i < sizeof *p / 4; i += VISE_K_STEP_THREADS) to[i] = from[i];
  if (threadIdx.x == 0) step->state = *p->state;
  __syncthreads();
}

VISE_FN vise_exchange vise_step_open(const vise_step *step) {
  const vise_k_step *p = &step->p;
  vise_k_exchange given;
  given.slots = p->slots;
  given.n_slots = given.n_members = p->n_members;
  given.first_epoch = step->state.epoch;
  double *values = (double *)(vise_step_floats() + VISE_PAYLOAD_AT);
  return vise_exchange_open(&given, 0, values, (uint32_t *)(values + p->n_members));
}

extern "C" __global__ void __launch_bounds__(VISE_K_STEP_THREADS, 1)
    VISE_STEP_NAME(const __grid_constant__ vise_k_step given) {
  vise_step *const step = vise_step_here();
  vise_step_load(step, &given);
  vise_step_mark(step, VISE_K_CLOCK_LAUNCH);
  if (step->state.halted) return;
  vise_exchange x = vise_step_open(step);
#pragma unroll 1
  for (uint32_t i = 0; i < step->p.n_steps; i++) {
    if (i > 0) vise_step_exchange(step, &x);
    vise_step_walk(step, &x);
    vise_step_end(step);
    vise_step_mark(step, VISE_K_CLOCK_END);
    if (step->state.halted) break;
  }
  /* A whole step has exchanged since every CTA read the state; other modes may not have. */
  if (step->p.mode != VISE_K_STEP) vise_step_exchange(step, &x);
  if (vise_step_reports(step) && threadIdx.x == 0) {
    step->state.epoch = x.epoch;
    *step->p.state = step->state;
  }
}
VISE_KERNEL(VISE_STEP_NAME);

#endif
