/* Which backends this build has and this machine can run. */
#include "host/backend/backend.h"
#include "host/backend/cuda/device.h"
#include "host/backend/meter.h"

const vise_i_backend_ops *vise_i_backend_find(vise_backend backend, const char **why_not) {
  const char *reason = "not a backend";

  switch (backend) {
    case VISE_BACKEND_CPU:
      return &vise_i_backend_cpu;
    case VISE_BACKEND_CPU64:
      return &vise_i_backend_cpu64;
    case VISE_BACKEND_CUDA: {
      const vise_i_backend_ops *ops = vise_i_cuda_find(&reason);
      if (ops != NULL) return ops;
      break;
    }
    case VISE_BACKEND_AUTO:
    case vise_backend_count_:
      break;
  }

  if (why_not) *why_not = reason;
  return NULL;
}

const vise_i_meter *vise_i_meter_find(vise_backend backend) {
  return backend == VISE_BACKEND_CUDA ? vise_i_cuda_meter() : NULL;
}
