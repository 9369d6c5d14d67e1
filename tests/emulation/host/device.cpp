// The device: its properties (an imagined sm_90 with as many multiprocessors as VISE_EMU_SMS says), versions, limits,
// reset. VISE_EMU_DEVICES=0 makes a machine without a device.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/emulation/host/runtime.h"

namespace emu {
size_t live_streams();
size_t live_events();
size_t live_graphs();
size_t live_executables();
__attribute__((weak)) size_t live_library_handles() {  // none without the cuBLAS part
  return 0;
}
}  // namespace emu

namespace {

using emu::misuse;
using emu::result;

constexpr int kRegisters = 65536;
constexpr int kVersion = CUDART_VERSION;
unsigned device_flags;
using Limits = std::array<size_t, 7>;  // by cudaLimit
constexpr Limits kDefaultLimits = {1024, 1 << 20, 8 << 20, 0, 0, 64, 0};
Limits limits = kDefaultLimits;

bool present() {
  const char *devices = getenv("VISE_EMU_DEVICES");
  return !devices || strcmp(devices, "0") != 0;
}

cudaError_t check_device(int device) {
  if (!present()) return result(cudaErrorNoDevice);
  if (device != 0) return misuse(cudaErrorInvalidDevice, "there is no device %d, only 0", device);
  return cudaSuccess;
}

cudaDeviceProp properties() {
  cudaDeviceProp p;
  memset(&p, 0, sizeof p);

  snprintf(p.name, sizeof p.name, "Vise emulated device");
  memcpy(p.uuid.bytes, "vise-emulation!", 16);
  p.totalGlobalMem = emu::settings().memory;
  p.sharedMemPerBlock = emu::kSharedPerBlock;
  p.regsPerBlock = p.regsPerMultiprocessor = kRegisters;
  p.warpSize = emu::kWarpSize;
  p.memPitch = 2147483647;

  p.maxThreadsPerBlock = emu::kThreadsPerBlock;
  p.maxThreadsDim[0] = p.maxThreadsDim[1] = 1024;
  p.maxThreadsDim[2] = 64;
  p.maxGridSize[0] = 2147483647;
  p.maxGridSize[1] = p.maxGridSize[2] = 65535;

  p.totalConstMem = 65536;
  p.major = 9;
  p.minor = 0;
  p.textureAlignment = 512;
  p.texturePitchAlignment = 32;
  p.multiProcessorCount = emu::settings().sms;
  p.canMapHostMemory = 1;
  p.surfaceAlignment = 512;
  p.concurrentKernels = 1;
  p.asyncEngineCount = 3;
  p.unifiedAddressing = 1;
  p.memoryBusWidth = 5120;
  p.l2CacheSize = 50 << 20;
  p.maxThreadsPerMultiProcessor = emu::kThreadsPerSm;
  p.streamPrioritiesSupported = 1;
  p.globalL1CacheSupported = p.localL1CacheSupported = 1;
  p.sharedMemPerMultiprocessor = emu::kSharedPerSm;
  p.canUseHostPointerForRegisteredMem = 1;
  p.cooperativeLaunch = 1;
  p.sharedMemPerBlockOptin = emu::kSharedPerBlockOptin;
  p.maxBlocksPerMultiProcessor = emu::kBlocksPerSm;
  p.reservedSharedMemPerBlock = emu::kSharedReserved;
  p.hostRegisterSupported = 1;
  p.memoryPoolsSupported = 1;
  p.clusterLaunch = 1;

  return p;
}

// false: unknown to the emulation.
bool attribute(cudaDeviceAttr name, int *value) {
  const cudaDeviceProp p = properties();

  switch (name) {
#define X(attribute, member)   \
  case cudaDevAttr##attribute: \
    *value = int(p.member);    \
    return true;
    X(MaxThreadsPerBlock, maxThreadsPerBlock)
    X(MaxBlockDimX, maxThreadsDim[0])
    X(MaxBlockDimY, maxThreadsDim[1])
    X(MaxBlockDimZ, maxThreadsDim[2])
    X(MaxGridDimX, maxGridSize[0])
    X(MaxGridDimY, maxGridSize[1])
    X(MaxGridDimZ, maxGridSize[2])
    X(MaxSharedMemoryPerBlock, sharedMemPerBlock)
    X(TotalConstantMemory, totalConstMem)
    X(WarpSize, warpSize)
    X(MaxPitch, memPitch)
    X(MaxRegistersPerBlock, regsPerBlock)
    X(TextureAlignment, textureAlignment)
    X(MultiProcessorCount, multiProcessorCount)
    X(Integrated, integrated)
    X(CanMapHostMemory, canMapHostMemory)
    X(ConcurrentKernels, concurrentKernels)
    X(EccEnabled, ECCEnabled)
    X(PciBusId, pciBusID)
    X(PciDeviceId, pciDeviceID)
    X(PciDomainId, pciDomainID)
    X(GlobalMemoryBusWidth, memoryBusWidth)
    X(L2CacheSize, l2CacheSize)
    X(MaxThreadsPerMultiProcessor, maxThreadsPerMultiProcessor)
    X(AsyncEngineCount, asyncEngineCount)
    X(UnifiedAddressing, unifiedAddressing)
    X(ComputeCapabilityMajor, major)
    X(ComputeCapabilityMinor, minor)
    X(StreamPrioritiesSupported, streamPrioritiesSupported)
    X(GlobalL1CacheSupported, globalL1CacheSupported)
    X(LocalL1CacheSupported, localL1CacheSupported)
    X(MaxSharedMemoryPerMultiprocessor, sharedMemPerMultiprocessor)
    X(MaxRegistersPerMultiprocessor, regsPerMultiprocessor)
    X(ManagedMemory, managedMemory)
    X(PageableMemoryAccess, pageableMemoryAccess)
    X(ConcurrentManagedAccess, concurrentManagedAccess)
    X(ComputePreemptionSupported, computePreemptionSupported)
    X(CanUseHostPointerForRegisteredMem, canUseHostPointerForRegisteredMem)
    X(CooperativeLaunch, cooperativeLaunch)
    X(MaxSharedMemoryPerBlockOptin, sharedMemPerBlockOptin)
    X(HostRegisterSupported, hostRegisterSupported)
    X(MaxBlocksPerMultiprocessor, maxBlocksPerMultiProcessor)
    X(MaxPersistingL2CacheSize, persistingL2CacheMaxSize)
    X(ReservedSharedMemoryPerBlock, reservedSharedMemPerBlock)
    X(MemoryPoolsSupported, memoryPoolsSupported)
    X(ClusterLaunch, clusterLaunch)
#undef X

    case cudaDevAttrClockRate:  // kHz
      *value = 1980000;
      return true;
    case cudaDevAttrMemoryClockRate:
      *value = 2619000;
      return true;
    case cudaDevAttrSingleToDoublePrecisionPerfRatio:
      *value = 2;
      return true;
    case cudaDevAttrGpuOverlap:
      *value = 1;
      return true;
    case cudaDevAttrComputeMode:
    case cudaDevAttrKernelExecTimeout:
    case cudaDevAttrTccDriver:
    case cudaDevAttrIsMultiGpuBoard:
      *value = 0;
      return true;
    default:
      return false;
  }
}

}  // namespace

extern "C" {

cudaError_t cudaGetDeviceCount(int *count) {
  emu::enter(__func__);
  if (!count) return misuse(cudaErrorInvalidValue, "the place for the count is NULL");
  *count = present();
  return result(present() ? cudaSuccess : cudaErrorNoDevice);
}

cudaError_t cudaGetDevice(int *device) {
  EMU_ENTER();
  if (!device) return misuse(cudaErrorInvalidValue, "the place for the device is NULL");
  if (cudaError_t error = check_device(0)) return error;
  *device = 0;
  return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
  EMU_ENTER();
  return check_device(device);
}

cudaError_t cudaInitDevice(int device, unsigned int, unsigned int) {
  EMU_ENTER();
  return check_device(device);
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *out, int device) {
  EMU_ENTER();
  if (!out) return misuse(cudaErrorInvalidValue, "the place for the properties is NULL");
  if (cudaError_t error = check_device(device)) return error;
  *out = properties();
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr name, int device) {
  EMU_ENTER();
  if (!value) return misuse(cudaErrorInvalidValue, "the place for the value is NULL");
  if (cudaError_t error = check_device(device)) return error;
  if (!attribute(name, value)) return misuse(cudaErrorInvalidValue, "attribute %d is not emulated", int(name));
  return cudaSuccess;
}

cudaError_t cudaDeviceGetPCIBusId(char *id, int length, int device) {
  EMU_ENTER();
  if (cudaError_t error = check_device(device)) return error;
  if (!id || length < 13) return misuse(cudaErrorInvalidValue, "no room for 13 characters");
  snprintf(id, size_t(length), "0000:00:00.0");
  return cudaSuccess;
}

cudaError_t cudaDeviceCanAccessPeer(int *can, int device, int peer) {
  EMU_ENTER();
  if (!can) return misuse(cudaErrorInvalidValue, "the place for the answer is NULL");
  if (cudaError_t error = check_device(device)) return error;
  if (cudaError_t error = check_device(peer)) return error;
  *can = 0;
  return cudaSuccess;
}

cudaError_t cudaSetDeviceFlags(unsigned int flags) {
  EMU_ENTER();
  if (flags & ~unsigned(cudaDeviceMask)) return misuse(cudaErrorInvalidValue, "unknown flags 0x%x", flags);
  device_flags = flags;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceFlags(unsigned int *flags) {
  EMU_ENTER();
  if (!flags) return misuse(cudaErrorInvalidValue, "the place for the flags is NULL");
  *flags = device_flags;
  return cudaSuccess;
}

cudaError_t cudaDeviceSetLimit(enum cudaLimit limit, size_t value) {
  EMU_ENTER();
  if (limit < cudaLimitStackSize || limit > cudaLimitPersistingL2CacheSize) return result(cudaErrorUnsupportedLimit);
  limits[limit] = value;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetLimit(size_t *value, enum cudaLimit limit) {
  EMU_ENTER();
  if (!value) return misuse(cudaErrorInvalidValue, "the place for the value is NULL");
  if (limit < cudaLimitStackSize || limit > cudaLimitPersistingL2CacheSize) return result(cudaErrorUnsupportedLimit);
  *value = limits[limit];
  return cudaSuccess;
}

cudaError_t cudaDeviceSetCacheConfig(enum cudaFuncCache) {
  EMU_ENTER();
  return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int *version) {
  emu::enter(__func__);
  if (!version) return misuse(cudaErrorInvalidValue, "the place for the version is NULL");
  *version = kVersion;
  return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int *version) {
  emu::enter(__func__);
  if (!version) return misuse(cudaErrorInvalidValue, "the place for the version is NULL");
  *version = kVersion;
  return cudaSuccess;
}

// Drops everything on the device: memory, streams with their queued work, events, graphs, and a sticky error, as if the
// process had just started.
cudaError_t cudaDeviceReset(void) {
  emu::enter(__func__);
  if (emu::in_host_function()) return result(cudaErrorNotPermitted);

  emu::drop_captures();
  emu::drop_streams();
  emu::drop_events();
  emu::drop_graphs();
  emu::memory_free_all();
  emu::drop_host_memory();
  emu::clear_errors();
  emu::reset_clock();

  device_flags = 0;
  limits = kDefaultLimits;
  return cudaSuccess;
}

cudaError_t cudaProfilerStart(void) {
  EMU_ENTER();
  return cudaSuccess;
}

cudaError_t cudaProfilerStop(void) {
  EMU_ENTER();
  return cudaSuccess;
}

size_t emu_live_handles(void) {
  return emu::live_streams() + emu::live_events() + emu::live_graphs() + emu::live_executables() +
         emu::live_library_handles();
}

}  // extern "C"
