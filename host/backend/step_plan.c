#include "host/backend/step_plan.h"

vise_i_plan_request vise_i_step_request(const vise_i_step_spec *spec, const vise_i_plan_machine *machine) {
  return (vise_i_plan_request){
      .net = spec->net,
      .rule = &spec->rule,
      .boxes = spec->boxes,
      .row_balls = spec->row_balls,
      .quantization = spec->quantization,
      .max_rows = spec->max_batch,
      .seed = spec->seed,
      .precision = spec->precision,
      .machine = *machine,
      .has_mask = spec->use_mask,
      .has_signs = spec->use_mask && spec->use_signs,
      .hooks = spec->hooks,
  };
}

vise_step_mode vise_i_step_mode_of(const vise_i_step_spec *spec) {
  if (spec->step_mode != VISE_STEP_AUTO) return spec->step_mode;
  if (spec->steps_per_launch > 1) return VISE_STEP_FUSED;
  return vise_i_plan_choose_step(spec->net, spec->max_batch, spec->precision);
}
