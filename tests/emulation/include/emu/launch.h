// Launches and attributes of typed kernels, on top of the runtime calls that take an address.
#pragma once
#include <utility>

#include "../../device/grid.h"
#include "emu/builtins.h"

// Makes a kernel known by its address, for callers in C. Empty under nvcc.
#define VISE_KERNEL(k) static const emu::Kernel *const emu_kernel_##k __attribute__((used)) = emu::kernel_of(&k)

namespace emu {
template <class... A>
inline const void *address_of(void (*kernel)(A...)) {
  return kernel_of(kernel)->function;
}
}  // namespace emu

template <class... A>
inline cudaError_t cudaLaunchKernel(void (*kernel)(A...), dim3 grid, dim3 block, void **arguments, size_t shared = 0,
                                    cudaStream_t stream = nullptr) {
  return ::cudaLaunchKernel(emu::address_of(kernel), grid, block, arguments, shared, stream);
}
template <class... A>
inline cudaError_t cudaLaunchCooperativeKernel(void (*kernel)(A...), dim3 grid, dim3 block, void **arguments,
                                               size_t shared = 0, cudaStream_t stream = nullptr) {
  return ::cudaLaunchCooperativeKernel(emu::address_of(kernel), grid, block, arguments, shared, stream);
}
template <class... A>
inline cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t *config, void (*kernel)(A...), void **arguments) {
  return ::cudaLaunchKernelExC(config, emu::address_of(kernel), arguments);
}
template <class... P, class... A>
inline cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t *config, void (*kernel)(P...), A &&...values) {
  return [&](P... converted) {
    void *arguments[] = {const_cast<void *>(static_cast<const void *>(&converted))..., nullptr};
    return ::cudaLaunchKernelExC(config, emu::address_of(kernel), arguments);
  }(std::forward<A>(values)...);
}
template <class... A>
inline cudaError_t cudaFuncSetAttribute(void (*kernel)(A...), cudaFuncAttribute attribute, int value) {
  return ::cudaFuncSetAttribute(emu::address_of(kernel), attribute, value);
}
template <class... A>
inline cudaError_t cudaFuncGetAttributes(cudaFuncAttributes *attributes, void (*kernel)(A...)) {
  return ::cudaFuncGetAttributes(attributes, emu::address_of(kernel));
}
template <class... A>
inline cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, void (*kernel)(A...), int threads,
                                                                 size_t shared) {
  return ::cudaOccupancyMaxActiveBlocksPerMultiprocessor(blocks, emu::address_of(kernel), threads, shared);
}
template <class... A>
inline cudaError_t cudaOccupancyMaxActiveClusters(int *clusters, void (*kernel)(A...),
                                                  const cudaLaunchConfig_t *config) {
  return ::cudaOccupancyMaxActiveClusters(clusters, emu::address_of(kernel), config);
}
template <class T>
inline cudaError_t cudaMalloc(T **pointer, size_t bytes) {
  return ::cudaMalloc(reinterpret_cast<void **>(pointer), bytes);
}
template <class T>
inline cudaError_t cudaMallocHost(T **pointer, size_t bytes) {
  return ::cudaMallocHost(reinterpret_cast<void **>(pointer), bytes);
}
