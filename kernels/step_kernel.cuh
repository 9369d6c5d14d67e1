/*
 * The kernel of the fused step. A source file sets VISE_STEP_NAME, VISE_STEP_LARGE and VISE_STEP_MMA (products.cuh) and
 * includes this once.
 *
 * Formula     one or many training steps, in the order of host/backend/cpu64/step.c: gather, forward, loss, backward,
 *             penalties, clips, optimizer, projection, statistics.
 * Layout      kernels/step_types.h. params, moments, activations, sums, statistics and state are read and written by
 *             the launch; data set, order, records, masks and weights of rows and classes are only read.
 * Work        a team of CTAs of 256 threads walks through the phases that the host planned; in each a CTA takes tiles,
 *             blocks of rows or warps' worth of them in turn: member, member + n_members, ... Tiles of the gradient
 *             stay with their CTA until it updates the weights under them.
 * Memory      see host/plan, which counts it for a given net; no gradient leaves the chip where its tiles can be held.
 * Numerics    fp32: canonical order (kernels/canonical.h), so the bits depend on nothing but data, options and the
 *             order of the rows. tf32 and bf16: products of the tiles of 64 and 128 by the matrix units, the rest in
 *             float32; the same bits on the same kind of GPU.
 * Limits      16 layers, widths 8192; one CTA to a multiprocessor; all resident (cooperative launch).
 * Oracle      host/backend/cpu64, by tolerance (tests/gpu); fp32 also against itself on the emulated device, bit for
 *             bit.
 */
#ifndef VISE_K_STEP_KERNEL_CUH
#define VISE_K_STEP_KERNEL_CUH

#include "kernels/bounded_rows.cuh"
#include "kernels/inputs.cuh"
#include "kernels/products.cuh"
#include "kernels/walk.cuh"
#if VISE_STEP_INTEGER
#include "kernels/round_rows.cuh"
#endif

static __device__ __forceinline__ void vise_step_phase(uint32_t kind, uint32_t layer, uint32_t tile) {
  switch (kind) {
    case VISE_K_FORWARD:
      vise_forward_phase(layer, tile);
      return;
    case VISE_K_ROWS:
      vise_rows_phase();
      return;
    case VISE_K_DELTA:
      vise_delta_phase(layer, tile);
      return;
    case VISE_K_GRADIENT:
      vise_gradient_phase();
      return;
    case VISE_K_UPDATE:
      vise_update_phase();
      return;
#if !VISE_STEP_PLAIN
    case VISE_K_LOSS:
      vise_loss_phase();
      return;
    case VISE_K_PARTS:
      vise_parts_phase();
      return;
    case VISE_K_SUM:
      vise_sum_phase();
      return;
    case VISE_K_UNIT_SUM:
      vise_norm_unit_sums();
      return;
    case VISE_K_NORM:
      vise_norm_phase(layer);
      return;
    case VISE_K_NORM_DELTA:
      vise_norm_delta_phase(layer);
      return;
#if !VISE_STEP_TEAMS
    case VISE_K_NORM_SUMS:
      vise_norm_sums_phase(layer);
      return;
    case VISE_K_NORM_DELTA_SUMS:
      vise_norm_delta_sums_phase(layer);
      return;
#endif
    case VISE_K_ROW_L1:
      vise_row_l1_phase();
      return;
    case VISE_K_MAX_NORM:
      vise_max_norm_phase();
      return;
#endif
#if VISE_STEP_INTEGER
    case VISE_K_ROUND:
      vise_round_phase();
      return;
#endif
    default:
      return;
  }
}

enum { VISE_RECORD_WORDS = sizeof(vise_k_step_record) / 8 };

/* Sets up the step's record and inputs, which the step before may have fetched, and clears counts and flags. Statistics
   are cleared by the CTA that reports; the others only add counts. Inlined in a kernel of teams, whose threads have half
   of the registers, it would make that spill one. */
#if VISE_STEP_TEAMS
VISE_FN_CALLED
#else
VISE_FN
#endif
void vise_step_begin(vise_step *step) {
  const vise_k_step *p = &step->p;
  const uint32_t gathered = step->state.gathered;
  const vise_k_step_record *record = gathered ? &step->state.record : &p->records[step->state.cursor];

  if (threadIdx.x < VISE_RECORD_WORDS) {
    ((uint64_t *)&step->record)[threadIdx.x] = ((const uint64_t *)record)[threadIdx.x];
  }

  if (threadIdx.x < 16) step->cell_max[threadIdx.x] = 0;
  if (threadIdx.x == 0) {
    const int external = VISE_RARE(p->rule.loss == VISE_LOSS_EXTERNAL);
    if (!step->inverse_is_known) step->inverse = 1.0 / record->denominator;
    step->inverse_is_known = 0;
    step->loss_is_bad = !vise_is_finite_f64(external ? record->external_loss : step->inverse);
    if (!external && vise_is_given(p) && !vise_is_finite_f64(vise_given_loss(p, record))) step->loss_is_bad = 1;
    step->bad_gradient = step->bad_total = VISE_NO_TENSOR;
    step->n_correct = step->skip = 0;
    step->counts = vise_k_tensor_counts();
    step->inputs = vise_inputs_half(p, gathered ? gathered - 1 : vise_segment_place(step));
  }

  if (vise_step_reports(step) && !vise_segment_has(p, VISE_K_IS_SILENT)) {
    uint32_t *words = (uint32_t *)vise_step_stats(step);
#pragma unroll 1
    for (uint32_t i = threadIdx.x; i < sizeof(vise_k_step_stats) / 4; i += VISE_K_STEP_THREADS) words[i] = 0;
  }

  __syncthreads();
}

/* The rows of this step, unless the step before has gathered them. Near inputs: those that the first phase needs. */
VISE_FN void vise_step_inputs(vise_step *step, vise_exchange *x) {
  if (vise_near_inputs_at(step, 0)) {
    vise_near_turn(VISE_NEAR_AT_START);
    return;
  }
  if (step->state.gathered || vise_mode_of(&step->p) == VISE_K_PROJECT || vise_is_given(&step->p)) return;
  if (vise_segment_has(&step->p, VISE_K_ROWS_ARE_THERE)) return;
  vise_gather_rows(&step->record, step->record.first, step->record.n_rows, vise_segment_place(step));
  vise_step_exchange(x);
}

/* Between arrival and wait, where the CTA would be idle: record and rows of the next step. The record by a warp that
   waits for no member of a team of up to 128; this step's losses, which use the inverse, are done. */
VISE_FN void vise_step_inputs_ahead(vise_step *step) {
  if (step->record.next_n_rows == 0) return;

  const uint32_t gathered = step->state.gathered, half = gathered ? gathered - 1 : 0;
  const uint32_t at = threadIdx.x - VISE_K_STEP_THREADS / 2, has_word = at < VISE_RECORD_WORDS;
  const vise_k_step_record *next = &step->p.records[step->state.cursor + 1];
  const uint64_t word = has_word ? ((const uint64_t *)next)[at] : 0;
  const double denominator = at == 0 ? next->denominator : 1.0;

  if (vise_near_inputs_at(step, 0)) {
    vise_near_turn(VISE_NEAR_BEFORE_UPDATE);
  } else {
    vise_gather_rows(next, step->record.next_first, step->record.next_n_rows, half ^ 1);
  }
  if (has_word) ((uint64_t *)&step->state.record)[at] = word;
  if (at == 0) {
    step->inverse = 1.0 / denominator;
    step->inverse_is_known = 1;
  }
}

/* Where the clocks of this CTA are noted, `place` of the ring, in launches of one team: NULL where none are. */
VISE_FN uint64_t *vise_step_marks(const vise_step *step, uint64_t *clocks, uint32_t place) {
  if (VISE_STEP_TEAMS || !clocks) return NULL;
  return clocks + vise_k_clocks_at(place, step->p.n_members, vise_step_member());
}

/* Those of the step at hand. */
VISE_FN uint64_t *vise_step_marks_here(const vise_step *step, uint64_t *clocks) {
  return vise_step_marks(step, clocks, step->state.cursor % VISE_K_CLOCK_STEPS);
}

/* Notes that thread 0 gets here. Where it notes nothing this costs next to nothing. */
VISE_FN void vise_step_mark(uint64_t *marks, uint32_t mark) {
  if (!VISE_STEP_TEAMS && marks && threadIdx.x == 0) marks[mark] = (uint64_t)clock64();
}

/* Notes that all threads got here; they meet only where clocks are noted. */
VISE_FN void vise_step_mark_all(uint64_t *marks, uint32_t mark) {
  if (!VISE_STEP_TEAMS && marks) __syncthreads();
  vise_step_mark(marks, mark);
}

/* One step. Between arrival and wait it loads what is already there (near tiles, the last weight, the next step's rows). */
VISE_FN void vise_step_walk(vise_step *step, vise_exchange *x, uint64_t *marks) {
  const vise_k_step *p = &step->p;
  const int reports = vise_step_reports(step), early = reports && vise_reports_early(p);
  const int near = vise_near_inputs_at(step, 0) != 0;

  vise_step_begin(step);
  vise_step_mark(marks, VISE_K_CLOCK_STEP);
  vise_step_inputs(step, x);
  vise_step_mark(marks, VISE_K_CLOCK_INPUTS);

#pragma unroll 1
  for (uint32_t i = 0; i < p->n_phases; i++) {
    const uint32_t of_phase = VISE_K_CLOCK_PHASES + 3 * i;
    const vise_k_phase phase = p->phases[i];
    const int is_update = phase.kind == VISE_K_UPDATE && phase.exchange;

    if (phase.exchange) {
      vise_step_mark_all(marks, of_phase + VISE_K_CLOCK_ARRIVE);
      if (is_update) {
        vise_step_arrive_update(step, x);
        if (!vise_shapings_are_ahead(p)) vise_update_ahead();
        vise_step_inputs_ahead(step);
        if (reports && !early) vise_step_report_ahead(step);
      } else {
        vise_exchange_arrive(x, vise_step_member());
        if (near && i == 1) vise_near_turn(VISE_NEAR_AT_FIRST);
        if (phase.kind == VISE_K_GRADIENT) {
          vise_tiles_ahead();
          if (near) vise_near_turn(VISE_NEAR_BEFORE_GRADIENT);
        }
        if (phase.kind == VISE_K_ROWS) vise_rows_prepare();
      }

      vise_step_mark(marks, of_phase + VISE_K_CLOCK_POLL);
      if (is_update) {
        vise_step_wait_update(step, x);
      } else {
        vise_exchange_pass(x);
      }
    }

    vise_step_mark(marks, of_phase + VISE_K_CLOCK_BEGIN);
    if (is_update) vise_step_join_all(step, x);
    vise_step_phase(phase.kind, phase.layer, phase.tile);
    if (early && phase.kind == VISE_K_GRADIENT) vise_step_report_ahead(step);
  }
  if (early) vise_step_report();

  vise_step_mark_all(marks, VISE_K_CLOCK_LEAVE);
}

/* Reports the step, and moves the state of every CTA to the next one; the sums of the new weights become the current
   ones. All threads meet before and after it. */
VISE_FN void vise_step_end(vise_step *step, uint64_t *marks) {
  const vise_k_step *p = &step->p;

  const int has_rows = vise_mode_of(p) == VISE_K_STEP || vise_mode_of(p) == VISE_K_GRADIENT_ONLY;
  if (has_rows && !VISE_STEP_TEAMS) vise_add_correct(step);
  vise_measure_tiles();
  if (vise_step_reports(step) && !vise_reports_early(p) && !vise_segment_has(p, VISE_K_IS_SILENT)) {
    if (vise_mode_of(p) == VISE_K_GRADIENT_ONLY) vise_step_report_ahead(step);
    if (has_rows) vise_step_report();
  }

  vise_step_mark(marks, VISE_K_CLOCK_END);
  if (threadIdx.x == 0) {
    vise_k_step_state *state = &step->state;
    const uint32_t half = state->gathered ? state->gathered - 1 : 0;
    if (vise_mode_of(p) == VISE_K_STEP || vise_mode_of(p) == VISE_K_PROJECT) state->parity ^= 1;
    state->gathered = vise_mode_of(p) == VISE_K_STEP && step->record.next_n_rows > 0 ? 1 + (half ^ 1) : 0;
    state->cursor++;
    if (vise_segment_has(p, VISE_K_IN_SEGMENTS)) step->p.activations += p->part_floats;
    step->tiles_are_near = vise_mode_of(p) == VISE_K_STEP && !VISE_RARE(p->rule.max_norm != 0 || p->bounds_rows);
  }
}

/* What stays as it is for the launch, once the parameters are in shared memory. Visible after a barrier. */
VISE_FN void vise_step_prepare(vise_step *step) {
  const vise_k_step *p = &step->p;
  const uint32_t last = VISE_K_STEP_THREADS - 1 - threadIdx.x;
  const uint32_t n_own = vise_count_own_tiles(p);
  if (threadIdx.x < VISE_STEP_OWN && threadIdx.x < n_own) {
    step->own[threadIdx.x] = vise_step_tile_at(p, vise_step_member() + threadIdx.x * p->n_members);
  }
  if (last < VISE_STEP_SPANS && last < p->n_groups) step->groups[last] = vise_group_cells(p, last);
  if (threadIdx.x == 0) {
    step->inverse_is_known = step->tiles_are_near = step->near_is_ready = 0;
    step->end = step->state.cursor + p->n_steps;
    step->n_own = n_own;
  }
  if (threadIdx.x == 32) vise_inputs_open(step); /* in a launch of many teams, the thread that has set the data set */
  if (threadIdx.x == 64) step->rows = vise_rows_of(step);
  vise_near_prepare(step);
}

/* Copies the launch's parameters and the state to shared memory, the state by the last threads, which may be idle. */
VISE_FN void vise_step_load(vise_step *step, const vise_k_step *p) {
  static_assert(sizeof(vise_k_step_state) % 16 == 0, "words of 16 bytes");
  const uint32_t at = VISE_K_STEP_THREADS - 1 - threadIdx.x, has_word = at < sizeof(vise_k_step_state) / 16;
  const ptx_b128 none = {0, 0}, word = has_word ? ((const ptx_b128 *)p->state)[at] : none;
  vise_step_copy_parameters(step, p);
  if (has_word) ((ptx_b128 *)&step->state)[at] = word;
  __syncthreads();
  vise_step_prepare(step);
  __syncthreads();
}

VISE_FN vise_exchange vise_step_open(const vise_step *step) {
  const vise_k_step *p = &step->p;
  vise_k_exchange given;
  given.slots = p->slots;
  given.n_slots = p->n_slots;
  given.n_members = p->n_members;
  given.first_epoch = step->state.epoch;
#if VISE_WATCHDOG
  given.watchdog = p->watchdog;
#endif
  double *values = vise_step_payloads();
  return vise_exchange_open(&given, 0, values, (uint32_t *)(values + p->n_slots));
}

/*
 * The team does not wait for the report, which one CTA makes in two parts: loss and penalty, then norms. If that CTA has
 * no tile of the gradient, it makes them while others are in the gradient and update phases; else after it has arrived for
 * the update and for the next step. What it reads must be there, and must not be written by a CTA that has gone on, until
 * the reporting CTA arrives the next time:
 *
 *   gradient phase, or arrived  row_losses: exchanged before the gradient phase, written again by the next step, which
 *   for the update              begins after one more arrival. weight_sums: of this step's parity; the step before wrote
 *                               them after it had arrived for the last time, so they are there after the first exchange
 *                               of this step, that before the gradient phase if not an earlier one; the update and the
 *                               max-norm write the other parity, the next step's update this one.
 *   last phase, or arrived for  gradient_sums or payloads, group_sums, unit_sums, unit_scales: written again in or after
 *   the next step               the next gradient phase, before which the team exchanges whatever the net. (The rows phase
 *                               of a net of one layer follows no exchange; it writes row_losses, which are read by then.)
 *
 * Both hold in weak memory: the reads happen before the barrier and the release of the next arrival, that before the
 * acquire and the write of the other CTA. What is written, the step's statistics, no CTA reads; the others add to
 * counts in them, each its own word, after an exchange that followed their clearing.
 */
#if !VISE_STEP_TEAMS
extern "C" __global__ void __launch_bounds__(VISE_K_STEP_THREADS, 1)
    VISE_STEP_NAME(const __grid_constant__ vise_k_step given) {
  vise_step *const step = vise_step_here();
  const uint64_t began = given.clocks ? (uint64_t)clock64() : 0;
  vise_step_load(step, &given);
  if (step->state.halted) return;

  uint64_t *marks = vise_step_marks_here(step, given.clocks);
  if (marks && threadIdx.x == 0) {
    marks[VISE_K_CLOCK_START] = began;
    vise_step_marks(step, given.clocks, VISE_K_CLOCK_LAUNCH)[VISE_K_CLOCK_START] = began;
  }
  vise_exchange x = vise_step_open(step);

#pragma unroll 1
  for (uint32_t i = 1;; i++) {
    vise_step_walk(step, &x, marks);

    const int goes_on = i < step->p.n_steps && !step->state.halted;
    if (goes_on) {
      vise_exchange_arrive(&x, vise_step_member());
    } else {
      __syncthreads();
    }

    vise_step_end(step, marks);
    if (!goes_on) break;
    vise_exchange_pass(&x);
    marks = vise_step_marks_here(step, given.clocks);
    vise_step_mark(marks, VISE_K_CLOCK_START);
  }

  /* A whole step has exchanged since every CTA read the state; other modes may not have. Here all threads meet, too. */
  if (vise_mode_of(&step->p) != VISE_K_STEP) vise_step_exchange(&x);

  /* No release here, which would hold up the launch: its end makes all visible. */
  if (vise_step_reports(step) && threadIdx.x < 32) {
    if (threadIdx.x == 0) {
      step->state.epoch = x.epoch;
      if (vise_segment_has(&step->p, VISE_K_CURSOR_STAYS)) step->state.cursor -= step->p.n_steps;
    }
    __syncwarp();
    if (threadIdx.x < sizeof(vise_k_step_state) / 16) {
      ((ptx_b128 *)step->p.state)[threadIdx.x] = ((const ptx_b128 *)&step->state)[threadIdx.x];
    }
  }
}
VISE_KERNEL(VISE_STEP_NAME);
#endif

#endif
