/* The time of each part of a fused step, from the clocks recorded by a launch (kernels/step_types.h). */
#ifndef VISE_I_STEP_PARTS_H
#define VISE_I_STEP_PARTS_H

#include "host/backend/meter.h"
#include "kernels/step_types.h"

_Static_assert(VISE_I_METER_STEPS == (int)VISE_K_CLOCK_STEPS, "as many steps as have clocks");

/* Which steps have clocks. */
typedef struct vise_i_step_clocks {
  const uint64_t *clocks; /* as in vise_k_step */
  uint32_t first, end;    /* steps [first, end) by their cursors, of one launch or of launches of one step; of these
                               the last VISE_K_CLOCK_STEPS at most have clocks */
  bool launches_of_one_step;
} vise_i_step_clocks;

/*
 * The parts of the steps in order: "start" (the launch begins, or the exchange that ends the step before is over:
 * parameters, state, record), "gather" (gathering rows, unless the step before did, and the exchange after it), the
 * phases of the plan with the exchanges before them, "end" (statistics and state; NaN where the launch goes on, since
 * the team meets meanwhile). Sets out->n, steps and launch_clocks.
 */
void vise_i_step_parts(const vise_k_step *step, const vise_i_step_clocks *given, vise_i_meter_steps *out);

#endif
