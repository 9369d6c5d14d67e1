// Launches for the device half's own tests, without the CUDA runtime.
#pragma once
#include <cuda_runtime.h>

#include "tests/emulation/device/memory.h"

namespace emu {

struct Shape {
  dim3 grid = dim3(1), block = dim3(1), cluster = dim3(1);
  bool cooperative = false;
  size_t shared = 0;
};

template <class... P, class... A>
cudaError_t run(const Shape &shape, void (*kernel)(P...), A... values) {
  return [&](P... parameters) {
    void *arguments[] = {const_cast<void *>(static_cast<const void *>(&parameters))..., nullptr};

    Launch launch;
    Kernel *known = kernel_of(kernel);
    known->max_dynamic_shared = kSharedPerBlockOptin;
    launch.kernel = known;
    launch.grid = shape.grid;
    launch.block = shape.block;
    launch.cluster = shape.cluster;
    launch.cooperative = shape.cooperative;
    launch.dynamic_shared = shape.shared;

    launch.copy_arguments(arguments);
    return run_grid(launch);
  }(values...);
}

// Device memory of n elements, freed at the end of the scope. On the emulation the host may read it.
template <class T>
class Buffer {
 public:
  explicit Buffer(size_t n) : data_(static_cast<T *>(memory_allocate(n * sizeof(T)))) {
  }
  Buffer(size_t n, T value) : Buffer(n) {
    for (size_t i = 0; i < n; ++i) data_[i] = value;
  }
  ~Buffer() {
    memory_free(data_);
  }
  Buffer(const Buffer &) = delete;
  Buffer &operator=(const Buffer &) = delete;
  T *get() {
    return data_;
  }
  T &operator[](size_t i) {
    return data_[i];
  }

 private:
  T *data_;
};

}  // namespace emu
