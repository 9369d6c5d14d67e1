/* VISE_BOTH: a function of plain arithmetic in a header that host code and kernels share. */
#ifndef VISE_I_BOTH_H
#define VISE_I_BOTH_H

#if defined(__CUDACC__)
#define VISE_BOTH static __host__ __device__ __forceinline__
#else
#define VISE_BOTH static inline
#endif

#endif
