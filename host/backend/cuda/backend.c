/* The CUDA backend's table, before there is a step: it refuses to be created. */
#include "host/backend/backend.h"

#include "host/backend/cuda/device.h"

static vise_status create(const vise_i_step_spec *spec, vise_i_backend **out, vise_error *err) {
  const vise_status status = vise_i_cuda_choose(spec->device, err);
  if (status != VISE_OK) return status;
  (void)out;
  return vise_i_fail(err, VISE_ERR_UNSUPPORTED, "--backend cuda: this version has no training step for it");
}

const vise_i_backend_ops vise_i_backend_cuda = {.name = "cuda", .dtype = VISE_F32, .create = create};
