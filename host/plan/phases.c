/* Phases, CTAs and shared memory of a plan. */
#include <string.h>

#include "host/plan/plan.h"
#include "kernels/canonical.h"

enum {
  MOST_GROUPS_WITHOUT_PHASE = 512, /* more are added up once, in a phase of their own */
  MOST_ROWS = 1 << 18              /* what the sums of a batch have room for */
};

static void add(vise_k_step *step, vise_k_phase_kind kind, uint32_t layer, uint8_t tile, bool exchange) {
  step->phases[step->n_phases++] =
      (vise_k_phase){.kind = (uint8_t)kind, .layer = (uint8_t)layer, .tile = tile, .exchange = exchange};
}

static void add_forward(const vise_i_plan *plan, vise_k_step *step, uint32_t n) {
  for (uint32_t l = 0; l < n; l++) {
    add(step, VISE_K_FORWARD, l, l == 0 && step->near_rows > 0 ? plan->near_tile : plan->forward_tile[l], l > 0);
    if (step->layers[l].has_norm && step->mode != VISE_K_FORWARD_ONLY) add(step, VISE_K_NORM, l, 0, true);
  }
}

/* After the phase that made the delta of hidden layer l. */
static void add_norm_delta(vise_k_step *step, uint32_t l) {
  if (step->layers[l].has_norm) add(step, VISE_K_NORM_DELTA, l, 0, true);
}

static void add_to_gradient(const vise_i_plan *plan, vise_k_step *step) {
  const uint32_t n = step->n_layers;
  uint32_t deltas = n - 1; /* hidden layers whose delta has a phase of its own */

  add_forward(plan, step, plan->narrow ? n - 1 : n);
  if (plan->narrow) {
    add(step, VISE_K_ROWS, n - 1, 0, n > 1);
    if (n > 1) {
      add_norm_delta(step, n - 2);
      deltas = n - 2;
    }
  } else {
    add(step, VISE_K_LOSS, n - 1, 0, true);
  }

  while (deltas-- > 0) {
    add(step, VISE_K_DELTA, deltas, plan->delta_tile[deltas], true);
    add_norm_delta(step, deltas);
  }
  if (step->gradient_parts) add(step, VISE_K_PARTS, 0, 0, true);
  add(step, VISE_K_GRADIENT, 0, 0, true);
}

static void add_row_l1(vise_k_step *step) {
  if (step->bounds_rows) add(step, VISE_K_ROW_L1, 0, 0, true);
}

static void add_rounding(vise_k_step *step) {
  if (step->rounds) add(step, VISE_K_ROUND, 0, 0, true);
}

static void add_max_norm(vise_k_step *step) {
  if (step->rule.max_norm == 0) return;
  if (vise_i_bounds_unit_norms(&step->rule)) add(step, VISE_K_UNIT_SUM, 0, 0, true);
  add(step, VISE_K_MAX_NORM, 0, 0, true);
}

/* What comes after the gradient. */
static void add_update(vise_k_step *step) {
  if (step->sum_phase) add(step, VISE_K_SUM, 0, 0, true);
  add(step, VISE_K_UPDATE, 0, 0, true);
  add_row_l1(step);
  add_max_norm(step);
  add_rounding(step);
}

static void begin_phases(vise_k_step_mode mode, vise_k_step *step) {
  memset(step->phases, 0, sizeof step->phases);
  step->n_phases = 0;
  step->mode = (uint8_t)mode;
  step->n_steps = 1;
}

static void add_phases(const vise_i_plan *plan, vise_k_step_mode mode, vise_k_step *step) {
  begin_phases(mode, step);

  switch (mode) {
    case VISE_K_FORWARD_ONLY:
      add_forward(plan, step, step->n_layers);
      return;
    case VISE_K_GRADIENT_ONLY:
      add_to_gradient(plan, step);
      step->n_held = 0;
      return;
    case VISE_K_PROJECT:
      add(step, VISE_K_UPDATE, 0, 0, false);
      add_row_l1(step);
      add_max_norm(step);
      add_rounding(step);
      return;
    case VISE_K_STEP:
      add_to_gradient(plan, step);
      add_update(step);
      return;
  }
}

void vise_i_plan_mode(const vise_i_plan *plan, vise_k_step_mode mode, vise_k_step *out) {
  *out = plan->step;
  if (mode != VISE_K_STEP) out->n_near = out->near_rows = 0;
  add_phases(plan, mode, out);
}

uint32_t vise_i_plan_n_segments(const vise_i_plan *plan) {
  uint32_t n = 1;
  for (uint32_t l = 0; l < plan->step.n_layers; l++) n += plan->step.layers[l].has_norm ? 2 : 0;
  return n;
}

/* Leaves a step the phases of one segment. A batch norm is cut in two: its sums end a segment, the next one begins with
   the rest of it, for which nobody need wait: the launch before has made all that it reads. */
static void take_segment(const vise_i_plan *plan, vise_k_step *step, uint32_t segment) {
  vise_k_phase all[VISE_K_MAX_PHASES];
  const uint32_t n = step->n_phases;
  uint32_t at = 0;
  bool has_loss = false;

  memcpy(all, step->phases, sizeof all);
  begin_phases(VISE_K_GRADIENT_ONLY, step);
  for (uint32_t i = 0; i < n; i++) {
    const vise_k_phase *phase = &all[i];
    const bool forward = phase->kind == VISE_K_NORM, back = phase->kind == VISE_K_NORM_DELTA;
    if ((forward || back) && at++ == segment) {
      add(step, forward ? VISE_K_NORM_SUMS : VISE_K_NORM_DELTA_SUMS, phase->layer, 0, true);
    } else if (at == segment) {
      add(step, (vise_k_phase_kind)phase->kind, phase->layer, phase->tile, phase->exchange && !forward && !back);
      has_loss = has_loss || phase->kind == VISE_K_ROWS || phase->kind == VISE_K_LOSS;
    }
  }

  step->part_floats = plan->part_floats;
  step->segment = VISE_K_IN_SEGMENTS;
  if (segment > 0) step->segment |= VISE_K_ROWS_ARE_THERE;
  if (!has_loss) step->segment |= VISE_K_IS_SILENT;
  if (segment < at) step->segment |= VISE_K_CURSOR_STAYS;
}

void vise_i_plan_segment(const vise_i_plan *plan, uint32_t segment, vise_k_step *out) {
  vise_i_plan_mode(plan, VISE_K_GRADIENT_ONLY, out);
  out->rule.k2 = out->rule.k1 = out->rule.kF = 0; /* penalties come once, with the update */
  out->weight_sums_needed = 0;
  if (vise_i_plan_n_segments(plan) > 1) take_segment(plan, out, segment);
}

void vise_i_plan_update_of_parts(const vise_i_plan *plan, vise_k_step *out) {
  *out = plan->step;
  out->near_rows = 0;
  out->gradient_parts = VISE_K_GIVEN;
  begin_phases(VISE_K_STEP, out);
  if (vise_i_plan_n_segments(plan) > 1) {
    out->segment = VISE_K_IN_SEGMENTS;
    out->part_floats = 0; /* it has no parts of its own */
  }
  add(out, VISE_K_GRADIENT, 0, 0, true); /* counts are added to statistics that were cleared before the exchange */
  add_update(out);
}

static uint64_t n_row_parts(const vise_k_step *step) {
  uint64_t n = 0;
  for (uint32_t l = 0; l < step->n_layers; l++) n += vise_k_row_parts(step, l);
  return n;
}

uint64_t vise_i_plan_n_tiles(const vise_k_step *step, const vise_k_phase *phase, size_t n_rows) {
  const vise_k_layer *layer = &step->layers[phase->layer];
  const vise_k_tile tile = (vise_k_tile)phase->tile;

  switch ((vise_k_phase_kind)phase->kind) {
    case VISE_K_FORWARD:
    case VISE_K_DELTA:
      return vise_i_ceil_div(n_rows, vise_k_tile_rows(tile)) * vise_i_ceil_div(layer->n_out, vise_k_tile_units(tile));
    case VISE_K_ROWS:
      return vise_i_ceil_div(n_rows, step->row_block);
    case VISE_K_LOSS:
      return vise_i_ceil_div(n_rows, VISE_K_STEP_THREADS / 32);
    case VISE_K_PARTS:
      return step->n_gradient_tiles * vise_i_ceil_div(n_rows, vise_slice_length((uint32_t)n_rows));
    case VISE_K_GRADIENT:
    case VISE_K_UPDATE:
    case VISE_K_MAX_NORM:
      return step->n_gradient_tiles;
    case VISE_K_NORM:
    case VISE_K_NORM_DELTA:
    case VISE_K_NORM_SUMS:
    case VISE_K_NORM_DELTA_SUMS:
      return vise_i_ceil_div(layer->n_out, VISE_K_STEP_THREADS / 32);
    case VISE_K_SUM:
    case VISE_K_UNIT_SUM:
    case VISE_K_ROUND:
      return 0;
    case VISE_K_ROW_L1:
      return n_row_parts(step);
  }
  return 0;
}

/* CTAs that some phase has work for (row blocks count as single rows), and one more to report if there is room. */
static uint32_t choose_members(const vise_i_plan_request *request, vise_k_step *step) {
  uint64_t most = 1;
  if (request->hooks.n_ctas > 0) return request->hooks.n_ctas;
  step->row_block = 1;
  for (uint32_t p = 0; p < step->n_phases; p++) {
    const uint64_t n = vise_i_plan_n_tiles(step, &step->phases[p], request->max_rows);
    if (n > most) most = n;
  }
  if (most > 1 && !request->forward_only) most++; /* one alone has nobody to wait for */
  return most < request->machine.n_sms ? (uint32_t)most : request->machine.n_sms;
}

/* Whether the sums of the gradient's cells are what the CTAs exchange before the update, and how many slots that takes.
   A CTA that has no tile has a slot of its own. */
static void choose_slots(const vise_i_plan_request *request, vise_k_step *step) {
  const uint32_t n_idle = step->n_members > step->n_gradient_tiles ? step->n_members - step->n_gradient_tiles : 0;
  const uint32_t n_slots = step->n_cells + n_idle;
  const bool fit =
      n_slots <= VISE_K_MOST_SLOTS && vise_k_step_shared_bytes(n_slots, 0, 0) <= request->machine.shared_bytes;
  step->cells_travel = fit && !request->forward_only && !step->sum_phase && !vise_i_clips_by_max(&step->rule) &&
                       !request->hooks.sums_in_memory;
  step->n_slots = step->cells_travel ? n_slots : step->n_members;
}

static vise_status choose_shared(const vise_i_plan_request *request, vise_i_plan *plan, vise_error *err) {
  vise_k_step *step = &plan->step;
  const size_t base = vise_k_step_shared_bytes(step->n_slots, 0, 0), most = request->machine.shared_bytes;

  if (base > most) {
    return vise_i_fail(err, VISE_ERR_UNSUPPORTED, "a CTA needs %zu bytes of shared memory, the device has %zu", base,
                       most);
  }

  if (!request->forward_only) {
    const uint64_t each = vise_i_ceil_div(step->n_gradient_tiles, step->n_members);
    const size_t tile_bytes = step->held_floats * sizeof(float);
    const size_t all_bytes = each * (1 + vise_k_step_near_arrays(step)) * tile_bytes;
    if (base + all_bytes + vise_k_step_near_input_bytes(step) > most) step->near_rows = 0;

    const uint64_t room = (most - base) / tile_bytes;
    step->n_held = (uint32_t)(each < room ? each : room);
    const uint64_t room_near = (room - step->n_held) / vise_k_step_near_arrays(step);
    step->n_near = (uint32_t)(each < room_near ? each : room_near);
  }

  plan->shared_bytes = vise_k_step_shared_bytes(
      step->n_slots, step->n_held + step->n_near * vise_k_step_near_arrays(step), step->held_floats);
  plan->shared_bytes += vise_k_step_near_input_bytes(step);
  return VISE_OK;
}

/* Phases of any mode: products forward and back, the loss, eight after these, two for each batch norm. */
static size_t most_phases(const vise_i_net *net) {
  size_t n = 2 * net->n_layers + 9;
  for (size_t l = 0; l < net->n_layers; l++) n += net->blocks[l].batch_norm ? 2 : 0;
  return n;
}

static vise_status check_request(const vise_i_plan_request *request, vise_error *err) {
  if (request->net->n_layers > VISE_K_MAX_LAYERS) {
    return vise_i_fail(err, VISE_ERR_UNSUPPORTED, "the fused step takes up to %d layers, the net has %zu",
                       VISE_K_MAX_LAYERS, request->net->n_layers);
  }
  for (size_t i = 0; i <= request->net->n_layers; i++) {
    if (request->net->widths[i] <= VISE_I_PLAN_MOST_WIDTH) continue;
    return vise_i_fail(err, VISE_ERR_UNSUPPORTED, "the fused step takes layers of up to %d units, the net has %zu",
                       VISE_I_PLAN_MOST_WIDTH, request->net->widths[i]);
  }

  if (most_phases(request->net) > VISE_K_MAX_PHASES) {
    return vise_i_fail(err, VISE_ERR_UNSUPPORTED,
                       "the fused step takes up to %d phases, %zu layers with batch norm may need %zu; use fewer",
                       VISE_K_MAX_PHASES, request->net->n_layers, most_phases(request->net));
  }
  if (request->max_rows < 1 || request->max_rows > MOST_ROWS) {
    return vise_i_fail(err, VISE_ERR_UNSUPPORTED, "the fused step takes batches of 1 to %d rows, not %zu", MOST_ROWS,
                       request->max_rows);
  }

  if (request->machine.n_sms < 1 || request->machine.n_sms > VISE_I_PLAN_MOST_CTAS) {
    return vise_i_fail(err, VISE_ERR_UNSUPPORTED, "a device of %u multiprocessors, expected 1 to %d",
                       request->machine.n_sms, VISE_I_PLAN_MOST_CTAS);
  }
  if (request->hooks.n_ctas > request->machine.n_sms) {
    return vise_i_fail(err, VISE_ERR_UNSUPPORTED, "%u CTAs on a device of %u multiprocessors", request->hooks.n_ctas,
                       request->machine.n_sms);
  }
  return VISE_OK;
}

vise_status vise_i_plan_make(const vise_i_plan_request *request, vise_i_plan *out, vise_error *err) {
  vise_status status;
  const vise_i_rule *rule = request->rule;
  const vise_i_net *net = request->net;
  vise_i_plan plan;
  vise_k_step *step = &plan.step;

  memset(&plan, 0, sizeof plan);
  VISE_TRY(check_request(request, err));

  step->rule = *rule;
  step->n_layers = (uint32_t)net->n_layers;
  step->max_rows = (uint32_t)request->max_rows;
  step->has_mask = request->has_mask;
  step->has_signs = request->has_signs;
  step->has_moment1 = vise_i_keeps_moment1(rule);
  step->has_moment2 = vise_i_keeps_moment2(rule);
  step->weight_sums_needed = rule->k2 != 0 || rule->k1 != 0 || rule->kF != 0;
  step->sums_by_rows = vise_i_scales_units(rule);

  vise_i_plan_layout(request, &plan);
  step->sum_phase = step->sums_by_rows || step->n_groups > MOST_GROUPS_WITHOUT_PHASE;
  const uint32_t n_ctas = request->hooks.n_ctas > 0 ? request->hooks.n_ctas : request->machine.n_sms;
  vise_i_plan_tiles(request, n_ctas, &plan);

  plan.narrow = vise_i_plan_takes_rows(&plan, request->max_rows, n_ctas);
  add_phases(&plan, request->forward_only ? VISE_K_FORWARD_ONLY : VISE_K_STEP, step);
  step->n_members = choose_members(request, step);

  step->row_block = (uint32_t)vise_i_ceil_div(request->max_rows, step->n_members);
  if (plan.narrow) {
    const uint32_t most = vise_i_plan_most_row_block(&step->layers[step->n_layers - 1]);
    if (step->row_block > most) step->row_block = most;
  } else if (step->row_block > VISE_K_ROW_BLOCK) {
    step->row_block = VISE_K_ROW_BLOCK;
  }

  choose_slots(request, step);
  vise_i_plan_near_inputs(request, &plan);
  VISE_TRY(choose_shared(request, &plan, err));
  if (step->near_rows > 0) step->phases[0].tile = plan.near_tile;
  vise_i_plan_memory(request, &plan);
  VISE_TRY(vise_i_plan_check_memory(&plan, request->machine.memory_bytes, err));
  *out = plan;

done:
  return status;
}

const char *vise_i_plan_phase_name(vise_k_phase_kind kind) {
  static const char *const names[] = {"forward", "rows",   "loss",      "delta",          "parts", "gradient",
                                      "sum",     "update", "unit sum",  "max-norm",       "norm",  "norm delta",
                                      "row l1",  "round",  "norm sums", "norm delta sums"};
  return (size_t)kind < sizeof names / sizeof *names ? names[kind] : "?";
}

const char *vise_i_plan_variant_name(vise_k_variant variant) {
  static const char *const names[] = {"small fp32", "large fp32", "tf32", "bf16"};
  return (size_t)variant < sizeof names / sizeof *names ? names[variant] : "?";
}
