/* The time of each part of a fused step, from the clocks recorded by a launch (kernels/step_types.h). */
#ifndef VISE_I_STEP_PARTS_H
#define VISE_I_STEP_PARTS_H

#include "host/backend/meter.h"
#include "kernels/step_types.h"

/*
 * The parts of the last step of a launch of n_steps steps: "start" (the launch begins: parameters, state, record; NaN
 * unless n_steps is 1), "gather" (gathering rows, unless the step before did, and the exchange after it), the
 * phases of the plan with the exchanges before them, "end" (statistics and state). clocks: [VISE_K_N_CLOCKS].
 */
void vise_i_step_parts(const vise_k_step *step, const uint64_t *clocks, uint64_t n_steps, vise_i_meter_parts *out);

#endif
