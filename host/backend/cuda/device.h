/*
 * The GPUs of this machine. No CUDA types here: builds without the CUDA backend have these functions too
 * (host/backend/without_cuda.c), and say that there is none. All may be called from any thread.
 */
#ifndef VISE_I_CUDA_DEVICE_H
#define VISE_I_CUDA_DEVICE_H

#include "host/backend/backend.h"

/* What the kernels are compiled for: compute capability 8.0 and all after it. */
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

/* The CUDA backend when there is a device that it can use; else NULL and the reason, a constant text. */
const vise_i_backend_ops *vise_i_cuda_find(const char **why_not);

/* How many devices CUDA sees, usable or not; 0 as well where there is no driver. */
int vise_i_cuda_n_devices(void);

/* Errors: those of vise_i_cuda_choose, but that any device may be described. */
VISE_WARN_UNUSED vise_status vise_i_cuda_describe(int index, vise_i_cuda_device *out, vise_error *err);

/* Makes the device the current one of the calling thread: the first thing that a backend does, and what each of its
   calls does when it may come from another thread.
   Errors: VISE_ERR_UNSUPPORTED (no such device, or too old), VISE_ERR_DEVICE (it does not answer). */
VISE_WARN_UNUSED vise_status vise_i_cuda_choose(int index, vise_error *err);

/* The error for an index that none of the n_devices has. */
vise_status vise_i_cuda_no_such_device(int index, int n_devices, vise_error *err);

#endif
