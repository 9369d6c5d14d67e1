/* What lets one source be read by nvcc, by the emulation of the device and, where it is plain arithmetic, by a C
   compiler:
     VISE_FN           a function of the device, or of the host where a C compiler reads it
     VISE_FN_CALLED    the same, compiled once and called: for code that is long or used in many places; in sources
                       of small kernels, which define VISE_ALL_INLINE first, it is VISE_FN
     VISE_BOTH         a function that kernels and host code share (host/base/both.h)
     VISE_KERNEL(k)    after a kernel: makes it launchable through its address
     VISE_DYNAMIC_SHARED(T, name)   the dynamic shared memory of a kernel, as a T *, 1024-byte aligned
   The emulation defines VISE_EMULATED and the last two in its own cuda_runtime.h. */
#ifndef VISE_K_DEVICE_CUH
#define VISE_K_DEVICE_CUH

#include <stdint.h>
#include <string.h>

#include "host/base/both.h"

#if defined(__CUDACC__)
#include <cuda_runtime.h>
#define VISE_FN static __device__ __forceinline__
#if defined(VISE_ALL_INLINE)
#define VISE_FN_CALLED VISE_FN
#else
#define VISE_FN_CALLED static __device__ __noinline__
#endif
#define VISE_KERNEL(k)
#define VISE_DYNAMIC_SHARED(T, name)                                           \
  extern __shared__ __align__(1024) unsigned char vise_dynamic_shared_bytes[]; \
  T *const name = reinterpret_cast<T *>(vise_dynamic_shared_bytes)
#else
#if defined(__cplusplus)
#include <cuda_runtime.h>
#endif
#define VISE_FN static inline
#define VISE_FN_CALLED static inline
#endif

VISE_BOTH uint32_t vise_bits_f32(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

VISE_BOTH float vise_f32_bits(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

#endif
