/* How a step is planned for the CUDA backend; plain C, also in builds without CUDA. */
#ifndef VISE_I_STEP_PLAN_H
#define VISE_I_STEP_PLAN_H

#include "host/backend/backend.h"
#include "host/plan/plan.h"

/* The request for the plan of a step on the machine; borrows from spec. */
vise_i_plan_request vise_i_step_request(const vise_i_step_spec *spec, const vise_i_plan_machine *machine);

/* The step mode of the spec on the cuda backend, auto resolved by vise_i_plan_choose_step; auto with several steps per
   launch is fused, the only mode that has them. */
vise_step_mode vise_i_step_mode_of(const vise_i_step_spec *spec);

#endif
