// Launches, attributes of kernels, occupancy. The limits themselves are checked by the device half (check_launch).
#include <algorithm>
#include <cstring>

#include "tests/emulation/host/runtime.h"

namespace emu {

cudaError_t make_launch(Launch &launch, const void *function, void **arguments) {
  launch.kernel = function ? find_kernel(function) : nullptr;
  if (!launch.kernel)
    return misuse(cudaErrorInvalidDeviceFunction, "no kernel is known at %p (VISE_KERNEL missing?)", function);

  launch.arguments.resize(launch.kernel->n_arguments);  // copied at the end
  if (cudaError_t error = check_launch(launch))
    return misuse(error,
                  "%s: grid (%u,%u,%u), block (%u,%u,%u), cluster (%u,%u,%u), %zu bytes of dynamic shared "
                  "memory%s",
                  symbol_name(function).c_str(), launch.grid.x, launch.grid.y, launch.grid.z, launch.block.x,
                  launch.block.y, launch.block.z, launch.cluster.x, launch.cluster.y, launch.cluster.z,
                  launch.dynamic_shared, launch.cooperative ? ", cooperative" : "");

  if (launch.kernel->n_arguments && !arguments)
    return misuse(cudaErrorInvalidValue, "%s takes %zu arguments, got none", symbol_name(function).c_str(),
                  launch.kernel->n_arguments);
  for (size_t i = 0; i < launch.kernel->n_arguments; ++i)
    if (!arguments[i]) return misuse(cudaErrorInvalidValue, "argument %zu is NULL", i);

  launch.copy_arguments(arguments);
  return cudaSuccess;
}

namespace {

cudaError_t launch_now(Launch launch, const void *function, void **arguments, cudaStream_t stream) {
  if (cudaError_t error = make_launch(launch, function, arguments)) return error;
  if (cudaError_t error = launch_fault()) return error;
  Work work;
  work.kind = Work::kKernel;
  work.launch = std::move(launch);
  return result(submit(stream, std::move(work)));
}

// Reads the launch attributes that the emulation knows.
cudaError_t read_attributes(const cudaLaunchConfig_t &config, Launch &launch) {
  if (config.numAttrs && !config.attrs) return misuse(cudaErrorInvalidValue, "attrs is NULL");

  for (unsigned i = 0; i < config.numAttrs; ++i) {
    const cudaLaunchAttribute &attribute = config.attrs[i];
    switch (attribute.id) {
      case cudaLaunchAttributeClusterDimension:
        launch.cluster = dim3(attribute.val.clusterDim.x, attribute.val.clusterDim.y, attribute.val.clusterDim.z);
        break;
      case cudaLaunchAttributeCooperative:
        launch.cooperative = attribute.val.cooperative != 0;
        break;
      case cudaLaunchAttributeIgnore:  // and scheduling and caching hints
      case cudaLaunchAttributePriority:
      case cudaLaunchAttributeAccessPolicyWindow:
      case cudaLaunchAttributeSynchronizationPolicy:
      case cudaLaunchAttributeClusterSchedulingPolicyPreference:
      case cudaLaunchAttributeProgrammaticStreamSerialization:  // the kernels run one after the other, as they may
      case cudaLaunchAttributeMemSyncDomain:
      case cudaLaunchAttributeMemSyncDomainMap:
        break;
      default:
        return misuse(cudaErrorNotSupported, "launch attribute %d is not emulated", int(attribute.id));
    }
  }

  return cudaSuccess;
}

Launch basic(dim3 grid, dim3 block, size_t shared) {
  Launch launch;
  launch.grid = grid;
  launch.block = block;
  launch.dynamic_shared = shared;
  return launch;
}

// A host compiler does not know each kernel's static shared memory.
constexpr size_t kStaticShared = 0;

}  // namespace
}  // namespace emu

using emu::misuse;
using emu::result;

#define NEED_KERNEL(kernel, function)                                            \
  emu::Kernel *const kernel = (function) ? emu::find_kernel(function) : nullptr; \
  if (!kernel)                                                                   \
  return misuse(cudaErrorInvalidDeviceFunction, "no kernel is known at %p (VISE_KERNEL missing?)", function)

extern "C" {

cudaError_t cudaLaunchKernel(const void *function, dim3 grid, dim3 block, void **arguments, size_t shared,
                             cudaStream_t stream) {
  EMU_ENTER();
  return emu::launch_now(emu::basic(grid, block, shared), function, arguments, stream);
}

cudaError_t cudaLaunchCooperativeKernel(const void *function, dim3 grid, dim3 block, void **arguments, size_t shared,
                                        cudaStream_t stream) {
  EMU_ENTER();
  emu::Launch launch = emu::basic(grid, block, shared);
  launch.cooperative = true;
  return emu::launch_now(std::move(launch), function, arguments, stream);
}

cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t *config, const void *function, void **arguments) {
  EMU_ENTER();
  if (!config) return misuse(cudaErrorInvalidValue, "the configuration is NULL");
  emu::Launch launch = emu::basic(config->gridDim, config->blockDim, config->dynamicSmemBytes);
  if (cudaError_t error = emu::read_attributes(*config, launch)) return error;
  return emu::launch_now(std::move(launch), function, arguments, config->stream);
}

cudaError_t cudaFuncSetAttribute(const void *function, enum cudaFuncAttribute attribute, int value) {
  EMU_ENTER();
  NEED_KERNEL(kernel, function);

  switch (attribute) {
    case cudaFuncAttributeMaxDynamicSharedMemorySize:
      if (value < 0 || size_t(value) > emu::kSharedPerBlockOptin)
        return misuse(cudaErrorInvalidValue, "%d bytes of dynamic shared memory, a block can have 0 to %zu", value,
                      emu::kSharedPerBlockOptin);
      kernel->max_dynamic_shared = size_t(value);
      return cudaSuccess;
    case cudaFuncAttributePreferredSharedMemoryCarveout:
      if (value < -1 || value > 100) return misuse(cudaErrorInvalidValue, "a carveout of %d %%", value);
      return cudaSuccess;
    case cudaFuncAttributeNonPortableClusterSizeAllowed:
      if (value)
        return misuse(cudaErrorNotSupported, "clusters of more than %d blocks are not emulated", emu::kClusterBlocks);
      return cudaSuccess;
    case cudaFuncAttributeClusterSchedulingPolicyPreference:
      return cudaSuccess;
    default:
      return misuse(cudaErrorInvalidValue, "attribute %d cannot be set", int(attribute));
  }
}

cudaError_t cudaFuncGetAttributes(struct cudaFuncAttributes *attributes, const void *function) {
  EMU_ENTER();
  NEED_KERNEL(kernel, function);
  if (!attributes) return misuse(cudaErrorInvalidValue, "the place for the attributes is NULL");

  memset(attributes, 0, sizeof *attributes);
  attributes->sharedSizeBytes = emu::kStaticShared;
  attributes->maxThreadsPerBlock = emu::kThreadsPerBlock;
  attributes->numRegs = 32;
  attributes->ptxVersion = attributes->binaryVersion = 90;
  attributes->maxDynamicSharedSizeBytes = int(kernel->max_dynamic_shared);
  attributes->preferredShmemCarveout = -1;
  return cudaSuccess;
}

cudaError_t cudaFuncSetCacheConfig(const void *function, enum cudaFuncCache) {
  EMU_ENTER();
  NEED_KERNEL(kernel, function);
  return cudaSuccess;
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *blocks, const void *function, int threads,
                                                                   size_t shared, unsigned int flags) {
  EMU_ENTER();
  if (!blocks) return misuse(cudaErrorInvalidValue, "the place for the answer is NULL");
  if (flags & ~unsigned(cudaOccupancyDisableCachingOverride))
    return misuse(cudaErrorInvalidValue, "unknown flags 0x%x", flags);
  NEED_KERNEL(kernel, function);
  if (threads < 1) return misuse(cudaErrorInvalidValue, "blocks of %d threads", threads);
  *blocks = shared > kernel->max_dynamic_shared ? 0 : emu::max_blocks_per_sm(threads, shared, emu::kStaticShared);
  return cudaSuccess;
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, const void *function, int threads,
                                                          size_t shared) {
  return cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(blocks, function, threads, shared, 0);
}

cudaError_t cudaOccupancyAvailableDynamicSMemPerBlock(size_t *shared, const void *function, int blocks, int threads) {
  EMU_ENTER();
  if (!shared || blocks < 1 || threads < 1) return misuse(cudaErrorInvalidValue, "NULL, or counts below 1");
  NEED_KERNEL(kernel, function);
  const size_t each = emu::kSharedPerSm / size_t(blocks) / 128 * 128;
  *shared = each < emu::kSharedReserved ? 0 : std::min(each - emu::kSharedReserved, emu::kSharedPerBlockOptin);
  if (emu::max_blocks_per_sm(threads, *shared, emu::kStaticShared) < blocks) *shared = 0;
  return cudaSuccess;
}

cudaError_t cudaOccupancyMaxPotentialClusterSize(int *size, const void *function, const cudaLaunchConfig_t *config) {
  EMU_ENTER();
  if (!size || !config) return misuse(cudaErrorInvalidValue, "NULL");
  NEED_KERNEL(kernel, function);
  const int threads = int(config->blockDim.x * config->blockDim.y * config->blockDim.z);
  *size = emu::max_blocks_per_sm(threads, config->dynamicSmemBytes, emu::kStaticShared) ? emu::kClusterBlocks : 0;
  return cudaSuccess;
}

cudaError_t cudaOccupancyMaxActiveClusters(int *clusters, const void *function, const cudaLaunchConfig_t *config) {
  EMU_ENTER();
  if (!clusters || !config) return misuse(cudaErrorInvalidValue, "NULL");
  NEED_KERNEL(kernel, function);

  emu::Launch launch = emu::basic(config->gridDim, config->blockDim, config->dynamicSmemBytes);
  if (cudaError_t error = emu::read_attributes(*config, launch)) return error;
  launch.kernel = kernel;
  launch.arguments.resize(kernel->n_arguments);
  launch.cooperative = false;
  if (cudaError_t error = emu::check_launch(launch)) return result(error);

  const int threads = int(config->blockDim.x * config->blockDim.y * config->blockDim.z);
  const int blocks = emu::max_blocks_per_sm(threads, config->dynamicSmemBytes, emu::kStaticShared);
  *clusters = blocks * emu::settings().sms / int(launch.cluster.x * launch.cluster.y * launch.cluster.z);
  return cudaSuccess;
}

}  // extern "C"
