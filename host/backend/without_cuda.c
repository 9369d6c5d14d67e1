/* The functions of host/backend/cuda/device.h in builds without the CUDA backend. */
#include "host/backend/cuda/device.h"
#include "host/backend/meter.h"

bool vise_i_cuda_is_built(void) {
  return false;
}

const vise_i_backend_ops *vise_i_cuda_find(const char **why_not) {
  *why_not = "this build has no CUDA backend";
  return NULL;
}

int vise_i_cuda_n_devices(void) {
  return 0;
}

vise_status vise_i_cuda_no_such_device(int index, int n_devices, vise_error *err) {
  (void)n_devices;
  return vise_i_fail(err, VISE_ERR_UNSUPPORTED, "`device` %d: this build has no CUDA backend", index);
}

vise_status vise_i_cuda_describe(int index, vise_i_cuda_device *out, vise_error *err) {
  (void)out;
  return vise_i_cuda_no_such_device(index, 0, err);
}

vise_status vise_i_cuda_choose(int index, vise_error *err) {
  return vise_i_cuda_no_such_device(index, 0, err);
}

const vise_i_meter *vise_i_cuda_meter(void) {
  return NULL;
}
