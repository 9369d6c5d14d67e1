/* Translates the spec of a step for the kernels and their plan; plain C, also in builds without CUDA. */
#ifndef VISE_I_STEP_OPTIONS_H
#define VISE_I_STEP_OPTIONS_H

#include "host/backend/backend.h"
#include "host/plan/plan.h"

void vise_i_step_options(const vise_i_step_spec *spec, vise_k_step_options *out);

/* The request for the plan of a step on the machine; fills options and borrows them. */
vise_i_plan_request vise_i_step_request(const vise_i_step_spec *spec, const vise_i_plan_machine *machine,
                                        vise_k_step_options *options);

/* The bounds of a tensor's entries; infinite where it has none. */
void vise_i_step_box(const vise_i_step_spec *spec, const vise_i_tensor *tensor, double factor, float *lo, float *hi);

/* The step mode of the spec on the cuda backend, auto resolved by vise_i_plan_choose_step; auto with several steps per
   launch is fused, the only mode that has them. */
vise_step_mode vise_i_step_mode_of(const vise_i_step_spec *spec);

#endif
