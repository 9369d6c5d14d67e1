// Specifiers, built-in variables, shared memory, block barriers, fences and clocks.
#pragma once
#include <cuda_runtime_api.h>
#include <vector_functions.h>

#include <cassert>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "emu/device.h"

#undef __global__
#undef __device__
#undef __host__
#undef __shared__
#undef __constant__
#undef __managed__
#undef __grid_constant__
#undef __launch_bounds__
#undef __cluster_dims__
#undef __forceinline__
#undef __noinline__
#undef __maxnreg__

#define __global__
#define __device__
#define __host__
#define __constant__
#define __managed__
#define __grid_constant__
#define __launch_bounds__(...)
#define __cluster_dims__(...)  // a launch needs the attribute anyway
#define __maxnreg__(...)
#define __forceinline__ inline
#define __noinline__  // the C++ library uses the name for an attribute

// All static shared objects of the program lie in one section, whose bytes the scheduler exchanges between blocks.
// In inline functions and templates the function must be static ("section type conflict" otherwise).
#define __shared__ static __attribute__((section("emu_shared")))

// Dynamic shared memory; under nvcc: extern __shared__ __align__(1024) unsigned char raw[]; T *name = (T *)raw.
#define VISE_DYNAMIC_SHARED(T, name) T *name = static_cast<T *>(emu::dynamic_shared())

// Real objects, rewritten by the scheduler when another thread runs.
extern const uint3 threadIdx, blockIdx;
extern const dim3 blockDim, gridDim;
constexpr int warpSize = 32;

inline void __syncthreads(EMU_SITE) {
  emu::block_barrier(0, 0, emu::Vote::kNone, 0, EMU_HERE);
}
inline int __syncthreads_count(int predicate, EMU_SITE) {
  return emu::block_barrier(0, 0, emu::Vote::kCount, predicate, EMU_HERE);
}
inline int __syncthreads_and(int predicate, EMU_SITE) {
  return emu::block_barrier(0, 0, emu::Vote::kAnd, predicate, EMU_HERE);
}
inline int __syncthreads_or(int predicate, EMU_SITE) {
  return emu::block_barrier(0, 0, emu::Vote::kOr, predicate, EMU_HERE);
}

inline void __threadfence() {
  emu::note_fence();
}
inline void __threadfence_block() {
  emu::note_fence();
}
inline void __threadfence_system() {
  emu::note_fence();
}

inline void __nanosleep(unsigned, EMU_SITE) {
  emu::yield(EMU_HERE);
}

// Fiber switches so far: grows, is the same in every run, and does not measure time.
long long emu_clock();
inline long long clock64() {
  return emu_clock();
}

[[noreturn]] inline void __trap(EMU_SITE) {
  emu::fail(EMU_HERE, "__trap()");
}

inline size_t __cvta_generic_to_shared(const void *pointer, EMU_SITE) {
  return emu::shared_address(pointer, EMU_HERE);
}
inline bool __isShared(const void *pointer) {
  return emu::is_shared(pointer);
}

// Loads with a cache hint are loads.
template <class T>
inline T __ldg(const T *p) {
  return *p;
}
template <class T>
inline T __ldcg(const T *p) {
  return *p;
}
template <class T>
inline T __ldca(const T *p) {
  return *p;
}
template <class T>
inline T __ldcs(const T *p) {
  return *p;
}
template <class T>
inline T __ldcv(const T *p) {
  return *p;
}
template <class T>
inline void __stcg(T *p, T value) {
  *p = value;
}
template <class T>
inline void __stcs(T *p, T value) {
  *p = value;
}
template <class T>
inline void __stwt(T *p, T value) {
  *p = value;
}
