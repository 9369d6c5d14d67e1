// Addresses of the kernels in kernels.cu.
#pragma once
#include <cuda_runtime_api.h>

#ifdef __cplusplus
extern "C" {
#endif
extern const void *const kernel_add;           // (float *data, int n, float value)
extern const void *const kernel_copy_plus;     // (float *to, const float *from, int n, float value)
extern const void *const kernel_poke;          // (float *data, long index)
extern const void *const kernel_meet;          // (int *counts, int *out), cooperative
extern const void *const kernel_alone;         // (), a grid barrier
extern const void *const kernel_ranks;         // (int *out), clusters
extern const void *const kernel_shared_bytes;  // (int *out, int bytes)
#ifdef __cplusplus
}
#endif
