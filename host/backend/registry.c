/* Which backends this build has. */
#include "host/backend/backend.h"

const vise_i_backend_ops *vise_i_backend_find(vise_backend backend, const char **why_not) {
  switch (backend) {
    case VISE_BACKEND_CPU:
      return &vise_i_backend_cpu;
    case VISE_BACKEND_CPU64:
      return &vise_i_backend_cpu64;
    case VISE_BACKEND_CUDA:
      if (why_not) *why_not = "this build has no CUDA backend";
      return NULL;
    case VISE_BACKEND_AUTO:
    case vise_backend_count_:
      break;
  }
  if (why_not) *why_not = "not a backend";
  return NULL;
}
