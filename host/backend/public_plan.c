#include "host/backend/public_plan.h"

#include "host/backend/part_nodes.h"

_Static_assert(VISE_K_MAX_PHASES + 1 <= VISE_PLAN_MAX_PHASES, "room for all phases");
_Static_assert(VISE_I_PLAN_N_ARRAYS <= VISE_PLAN_MAX_ARRAYS, "room for all arrays");

bool vise_i_plan_takes(const vise_i_net *net) {
  if (net->n_layers > VISE_K_MAX_LAYERS) return false;
  for (size_t i = 0; i <= net->n_layers; i++) {
    if (net->widths[i] > VISE_I_PLAN_MOST_WIDTH) return false;
  }
  return true;
}

static void view_phases(const vise_i_plan *plan, vise_plan *out) {
  const vise_k_step *step = &plan->step;

  /* The rows of the batch are gathered first; then all wait, unless each CTA keeps what it reads. */
  out->phases[out->n_phases++] = (vise_plan_phase){.name = "gather", .layer = -1};

  for (uint32_t p = 0; p < step->n_phases; p++) {
    const vise_k_phase *phase = &step->phases[p];
    const bool product = phase->kind == VISE_K_FORWARD || phase->kind == VISE_K_DELTA;
    const bool norm = phase->kind == VISE_K_NORM || phase->kind == VISE_K_NORM_DELTA;
    const bool layered = product || norm || phase->kind == VISE_K_ROWS || phase->kind == VISE_K_LOSS;

    out->phase_bytes[out->n_phases] = vise_i_plan_phase_bytes(plan, p);
    out->phases[out->n_phases++] = (vise_plan_phase){
        .name = vise_i_plan_phase_name((vise_k_phase_kind)phase->kind),
        .layer = layered ? phase->layer : -1,
        .tile = product ? (int)vise_k_tile_rows((vise_k_tile)phase->tile) : 0,
        .units = product ? (int)vise_k_tile_units((vise_k_tile)phase->tile) : 0,
        .n_tiles = vise_i_plan_n_tiles(step, phase, step->max_rows),
        .exchange = phase->exchange || (p == 0 && step->near_rows == 0),
    };
  }
}

static void view_cost(const vise_i_plan *plan, size_t row_bytes, vise_plan *out) {
  vise_i_plan_cost cost;
  vise_i_plan_cost_of(plan, row_bytes, &cost);

  out->n_exchanges = cost.n_exchanges;
  out->flop = cost.flop;
  out->bytes_moved = cost.bytes;
  out->cta_bytes = cost.cta_bytes;
  out->flop_per_us = cost.flop_per_us;
  out->bytes_per_us = cost.bytes_per_us;
  out->launch_us = cost.launch_us;
  out->exchange_us = cost.exchange_us;

  out->arithmetic_us = cost.arithmetic_us;
  out->memory_us = cost.memory_us;
  out->wait_us = cost.wait_us;
  out->floor_us = cost.floor_us;
}

vise_status vise_i_public_plan(const vise_i_step_spec *spec, const vise_plan_device *device, size_t row_bytes,
                               vise_plan *out, vise_error *err) {
  vise_i_plan plan;
  vise_i_plan_machine machine = VISE_I_PLAN_H200;

  if (device) {
    machine = (vise_i_plan_machine){(uint32_t)device->n_multiprocessors, device->shared_bytes, device->memory_bytes};
  }

  vise_i_plan_request request = vise_i_step_request(spec, &machine);
  vise_i_part_request(spec, &request);
  vise_status status = vise_i_part_check(spec, err);
  if (status == VISE_OK) status = vise_i_plan_make(&request, &plan, err);
  if (status != VISE_OK) return status;

  vise_plan view = {
      .kernel = vise_i_plan_variant_name(plan.variant),
      .n_rows = plan.step.max_rows,
      .n_ctas = plan.step.n_members,
      .n_threads = VISE_K_STEP_THREADS,
      .shared_bytes = plan.shared_bytes,
      .n_gradient_tiles = plan.step.n_gradient_tiles,
      .n_held = plan.step.n_held,
      .n_bytes = plan.n_bytes,
      .near_rows = plan.step.near_rows,
      .n_launches = spec->parts > 0 ? vise_i_plan_n_segments(&plan) + 1 : 0,
      .n_collectives = spec->parts > 0 ? vise_i_plan_n_segments(&plan) : 0,
  };

  view_phases(&plan, &view);
  for (int i = 0; i < VISE_I_PLAN_N_ARRAYS; i++) {
    if (plan.arrays[i].n_bytes == 0) continue;
    view.arrays[view.n_arrays++] =
        (vise_plan_array){vise_i_plan_array_name((vise_i_plan_array_id)i), plan.arrays[i].n_bytes};
  }

  view_cost(&plan, row_bytes, &view);
  *out = view;
  return VISE_OK;
}
