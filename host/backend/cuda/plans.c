/* The plans of the two teams on this device. */
#include "host/backend/cuda/group.h"
#include "host/backend/cuda/parts.h"
#include "host/backend/cuda/unfused.h"

/* What the device has, and how much of its memory the plans may take: an explicit limit, or what is free. */
static vise_status describe_machine(vise_i_cuda *b, vise_i_plan_machine *out, vise_error *err) {
  vise_status status;
  size_t available = 0;
  VISE_TRY(vise_i_cuda_available(b->cx, &available, err));
  *out = (vise_i_plan_machine){(uint32_t)b->cx->n_sms, b->cx->most_shared, available};
done:
  return status;
}

/* As the group planned its teams; single calls on many rows go by the batch. */
static vise_status plan_member(vise_i_cuda *b, const vise_i_plan_request *request, vise_error *err) {
  return vise_i_plan_member(request, &b->member.group->plan, &b->train.plan, &b->wide.plan, err);
}

vise_status vise_i_cuda_plan(vise_i_cuda *b, vise_error *err) {
  vise_status status;
  vise_i_plan_machine machine;
  size_t other = 0;
  const vise_i_step_spec *spec = &b->base.spec;

  VISE_TRY(describe_machine(b, &machine, err));
  vise_i_plan_request request = vise_i_step_request(spec, &machine);
  if (b->member.group) return plan_member(b, &request, err);
  vise_i_part_request(spec, &request);
  VISE_TRY(vise_i_plan_make(&request, &b->train.plan, err));

  /* Many rows at a time, if that costs little next to the rest. */
  VISE_TRY(vise_i_unfused_count(b, &other, err));
  const size_t available = machine.memory_bytes > other ? machine.memory_bytes - other : 1, most = available / 4;

  for (size_t rows = VISE_I_CUDA_WIDE_ROWS;; rows /= 2) {
    if (rows < spec->max_batch) rows = spec->max_batch;
    request.max_rows = rows;
    request.n_parts = 0; /* its launches are of rows in one piece */
    request.machine.memory_bytes = 0;
    VISE_TRY(vise_i_plan_make(&request, &b->wide.plan, err));
    if (rows == spec->max_batch) break;
    if (b->wide.plan.arrays[VISE_I_PLAN_ACTIVATIONS].n_bytes <= most && b->wide.plan.n_bytes <= 2 * most) break;
  }

  vise_i_plan_join(&b->train.plan, &b->wide.plan);
  VISE_TRY(vise_i_plan_check_memory(&b->train.plan, available, err));

done:
  return status;
}
