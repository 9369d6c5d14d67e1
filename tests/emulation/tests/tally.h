// Counts what is wrong in a test of what kernels may call.
#pragma once
#include <cuda_runtime.h>

#include <cstring>

// Counts a launch that failed, and results that differ.
struct Tally {
  int wrong = 0;
  void launched(cudaError_t error) {
    if (error != cudaSuccess) ++wrong;
  }
  template <class T>
  void same(T got, T expected) {
    if (std::memcmp(&got, &expected, sizeof got) != 0) ++wrong;
  }
  void holds(bool condition) {
    if (!condition) ++wrong;
  }
};
