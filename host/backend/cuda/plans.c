/* The plans of the two teams on this device. */
#include "host/backend/cuda/unfused.h"

/* What the device has, and how much of its memory the plans may take: an explicit limit, or what is free. */
static vise_status describe_machine(vise_i_cuda *b, vise_i_plan_machine *out, vise_error *err) {
  vise_status status;
  int n_sms = 0, shared = 0;
  size_t available = 0;
  VISE_I_CUDA_TRY(b, cudaDeviceGetAttribute(&n_sms, cudaDevAttrMultiProcessorCount, b->base.spec.device));
  VISE_I_CUDA_TRY(b, cudaDeviceGetAttribute(&shared, cudaDevAttrMaxSharedMemoryPerBlockOptin, b->base.spec.device));
  VISE_TRY(vise_i_cuda_available(b, &available, err));
  b->most_shared = (size_t)shared;
  *out = (vise_i_plan_machine){(uint32_t)n_sms, (size_t)shared, available};
done:
  return status;
}

vise_status vise_i_cuda_plan(vise_i_cuda *b, vise_error *err) {
  vise_status status;
  vise_i_plan_machine machine;
  size_t other = 0;
  const vise_i_step_spec *spec = &b->base.spec;

  VISE_TRY(describe_machine(b, &machine, err));
  vise_i_plan_request request = vise_i_step_request(spec, &machine);
  VISE_TRY(vise_i_plan_make(&request, &b->train.plan, err));

  /* Many rows at a time, if that costs little next to the rest. */
  VISE_TRY(vise_i_unfused_count(b, &other, err));
  const size_t available = machine.memory_bytes > other ? machine.memory_bytes - other : 1, most = available / 4;

  for (size_t rows = VISE_I_CUDA_WIDE_ROWS;; rows /= 2) {
    if (rows < spec->max_batch) rows = spec->max_batch;
    request.max_rows = rows;
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
