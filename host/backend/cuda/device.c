#include "host/backend/cuda/device.h"

#include <cuda_runtime_api.h>
#include <stdio.h>

bool vise_i_cuda_is_built(void) {
  return true;
}

/* The number of devices, or -1 with the reason why CUDA does not work. */
static int count_devices(const char **why_not) {
  int n_devices = 0, driver = 0;
  const cudaError_t error = cudaGetDeviceCount(&n_devices);

  if (error == cudaSuccess) return n_devices;
  (void)cudaGetLastError(); /* a later, unrelated call must not find it */
  if (error == cudaErrorNoDevice) return 0;

  if (cudaDriverGetVersion(&driver) != cudaSuccess) driver = 0;
  if (driver == 0) {
    *why_not = "no CUDA device: there is no NVIDIA driver";
  } else if (error == cudaErrorInsufficientDriver) {
    *why_not = "no CUDA device: the NVIDIA driver is too old for the CUDA version of this build";
  } else {
    *why_not = "no CUDA device: the NVIDIA driver does not start (nvidia-smi may say why)";
  }

  return -1;
}

/* A device that is gone or refuses is not usable. */
static bool is_usable(int index) {
  int major = 0;
  if (cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, index) == cudaSuccess) {
    return major >= VISE_I_CUDA_MIN_MAJOR;
  }
  (void)cudaGetLastError();
  return false;
}

const vise_i_backend_ops *vise_i_cuda_find(const char **why_not) {
  const char *reason = "no CUDA device";
  const int n_devices = count_devices(&reason);
  for (int i = 0; i < n_devices; i++) {
    if (is_usable(i)) return &vise_i_backend_cuda;
  }
  if (n_devices > 0) reason = "no CUDA device of compute capability 8.0 or more";
  *why_not = reason;
  return NULL;
}

int vise_i_cuda_n_devices(void) {
  const char *why_not = NULL;
  const int n_devices = count_devices(&why_not);
  return n_devices > 0 ? n_devices : 0;
}

vise_status vise_i_cuda_no_such_device(int index, int n_devices, vise_error *err) {
  if (n_devices == 0) return vise_i_fail(err, VISE_ERR_UNSUPPORTED, "`device` %d: there is no CUDA device", index);
  if (n_devices == 1) {
    return vise_i_fail(err, VISE_ERR_UNSUPPORTED, "`device` %d: there is 1 CUDA device, 0", index);
  }
  return vise_i_fail(err, VISE_ERR_UNSUPPORTED, "`device` %d: there are %d CUDA devices, 0 %s %d", index, n_devices,
                     n_devices == 2 ? "and" : "to", n_devices - 1);
}

vise_status vise_i_cuda_failed(int index, vise_status code, int error, const char *call, vise_error *err) {
  const cudaError_t e = (cudaError_t)error;
  (void)cudaGetLastError();
  return vise_i_fail(err, code, "CUDA device %d: %s (%s) from %s", index, cudaGetErrorString(e), cudaGetErrorName(e),
                     call);
}

vise_status vise_i_cuda_describe(int index, vise_i_cuda_device *out, vise_error *err) {
  struct cudaDeviceProp properties;
  const int n_devices = vise_i_cuda_n_devices();
  if (index < 0 || index >= n_devices) return vise_i_cuda_no_such_device(index, n_devices, err);

  const cudaError_t error = cudaGetDeviceProperties(&properties, index);
  if (error != cudaSuccess) return vise_i_cuda_failed(index, VISE_ERR_DEVICE, error, "cudaGetDeviceProperties", err);

  vise_i_cuda_device made = {.major = properties.major,
                             .minor = properties.minor,
                             .n_sms = properties.multiProcessorCount,
                             .n_bytes = properties.totalGlobalMem,
                             .shared_bytes = properties.sharedMemPerBlockOptin,
                             .usable = properties.major >= VISE_I_CUDA_MIN_MAJOR};
  snprintf(made.name, sizeof made.name, "%s", properties.name);

  *out = made;
  return VISE_OK;
}

vise_status vise_i_cuda_choose(int index, vise_error *err) {
  int major = 0, minor = 0;
  const int n_devices = vise_i_cuda_n_devices();
  if (index < 0 || index >= n_devices) return vise_i_cuda_no_such_device(index, n_devices, err);

  cudaError_t error = cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, index);
  if (error == cudaSuccess) error = cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, index);
  if (error != cudaSuccess) return vise_i_cuda_failed(index, VISE_ERR_DEVICE, error, "cudaDeviceGetAttribute", err);

  if (major < VISE_I_CUDA_MIN_MAJOR) {
    return vise_i_fail(err, VISE_ERR_UNSUPPORTED, "`device` %d has compute capability %d.%d, 8.0 or more is needed",
                       index, major, minor);
  }

  error = cudaSetDevice(index);
  return error == cudaSuccess ? VISE_OK : vise_i_cuda_failed(index, VISE_ERR_DEVICE, error, "cudaSetDevice", err);
}
