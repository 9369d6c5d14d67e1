/*
 * The GPUs of this machine. No CUDA types here: builds without the CUDA backend have these functions too
 * (host/backend/without_cuda.c), which report that it is missing. All may be called from any thread.
 */
#ifndef VISE_I_CUDA_DEVICE_H
#define VISE_I_CUDA_DEVICE_H

#include "host/backend/backend.h"

/* What the kernels are compiled for: compute capability 8.0 and later. */
enum { VISE_I_CUDA_MIN_MAJOR = 8 };

typedef struct vise_i_cuda_device {
  char name[256];
  int major, minor; /* compute capability */
  int n_sms;
  uint64_t n_bytes;    /* of memory */
  size_t shared_bytes; /* of a CTA, with opt-in */
  bool usable;         /* new enough */
} vise_i_cuda_device;

/* Whether the CUDA backend is part of this build. */
bool vise_i_cuda_is_built(void);

/* The CUDA backend if it can use some device; else NULL and the reason, a constant text. */
const vise_i_backend_ops *vise_i_cuda_find(const char **why_not);

/* How many devices CUDA sees, usable or not; 0 without a driver. */
int vise_i_cuda_n_devices(void);

/* Errors: those of vise_i_cuda_choose, except that a device may be too old. */
VISE_WARN_UNUSED vise_status vise_i_cuda_describe(int index, vise_i_cuda_device *out, vise_error *err);

/* Makes the device current in the calling thread: the first thing that a backend does. Its calls, which may come from
   other threads, set it again.
   Errors: VISE_ERR_UNSUPPORTED (no such device, or too old), VISE_ERR_DEVICE (it does not answer). */
VISE_WARN_UNUSED vise_status vise_i_cuda_choose(int index, vise_error *err);

/* The error of a failed CUDA call (a cudaError_t), with the given status; the runtime's last error is cleared. */
vise_status vise_i_cuda_failed(int index, vise_status code, int error, const char *call, vise_error *err);

/* The error for an index outside 0..n_devices. */
vise_status vise_i_cuda_no_such_device(int index, int n_devices, vise_error *err);

#endif
