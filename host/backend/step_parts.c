#include "host/backend/step_parts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "host/plan/plan.h"

_Static_assert(VISE_I_METER_MOST_PARTS >= VISE_K_MAX_PHASES + 3, "a step may have more parts than there is room for");

static bool has_layer(vise_k_phase_kind kind) {
  return kind == VISE_K_FORWARD || kind == VISE_K_DELTA || kind == VISE_K_NORM || kind == VISE_K_NORM_DELTA;
}

static double between(const uint64_t *clocks, uint32_t from, uint32_t to) {
  return (double)(int64_t)(clocks[to] - clocks[from]);
}

static vise_i_meter_part *add(vise_i_meter_parts *out, const char *name, double wait, double work) {
  vise_i_meter_part *part = &out->parts[out->n++];
  *part = (vise_i_meter_part){.wait = wait, .work = work};
  (void)snprintf(part->name, sizeof part->name, "%s", name);
  return part;
}

void vise_i_step_parts(const vise_k_step *step, const uint64_t *clocks, uint64_t n_steps, vise_i_meter_parts *out) {
  uint32_t last = VISE_K_CLOCK_INPUTS;
  memset(out, 0, sizeof *out);

  add(out, "start", NAN, n_steps == 1 ? between(clocks, VISE_K_CLOCK_LAUNCH, VISE_K_CLOCK_STEP) : NAN);
  add(out, "gather", NAN, between(clocks, VISE_K_CLOCK_STEP, VISE_K_CLOCK_INPUTS));

  for (uint32_t i = 0; i < step->n_phases; i++) {
    const vise_k_phase *phase = &step->phases[i];
    const vise_k_phase_kind kind = (vise_k_phase_kind)phase->kind;
    const uint32_t begin = VISE_K_CLOCK_PHASES + 2 * i;

    vise_i_meter_part *part =
        add(out, vise_i_plan_phase_name(kind), phase->exchange ? between(clocks, last, begin) : NAN,
            between(clocks, begin, begin + 1));
    if (has_layer(kind)) {
      (void)snprintf(part->name, sizeof part->name, "%s %u", vise_i_plan_phase_name(kind), (unsigned)phase->layer);
    }
    last = begin + 1;
  }

  add(out, "end", NAN, between(clocks, last, VISE_K_CLOCK_END));
  out->launch_clocks = between(clocks, VISE_K_CLOCK_LAUNCH, VISE_K_CLOCK_END);
}
