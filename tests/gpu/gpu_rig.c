#include "tests/gpu/gpu_rig.h"

#include "host/backend/cuda/unfused.h"

step_rig *gpu_rig_make(vise_optimizer optimizer) {
  return step_rig_make(&vise_i_backend_cuda, optimizer);
}

/* The lower the limit, the less the step takes for many rows at a time: repeats until the limit suffices. */
size_t gpu_rig_limit(const step_rig *r, size_t extra) {
  vise_i_step_spec spec = r->spec;
  size_t limit = 0;
  for (;;) {
    spec.device_memory_limit = limit;
    vise_i_backend *b = rig_create(r->ops, &spec, r->params);
    const size_t next =
        vise_i_cuda_of(b)->arena_bytes + (vise_i_cuda_of(b)->unfused ? vise_i_cuda_of(b)->unfused->n_bytes : 0) + extra;
    r->ops->destroy(b);
    if (limit != 0 && next >= limit) return limit;
    limit = next;
  }
}

size_t gpu_rig_limit_for_rows(const step_rig *r, size_t n_rows) {
  const size_t row_bytes = 16 * ((RIG_IN * sizeof(double) + 15) / 16) + sizeof(double) + sizeof(float);
  return gpu_rig_limit(r, (2 * n_rows * row_bytes + 6 * VISE_I_PLAN_ALIGN) * 8 / 7);
}
