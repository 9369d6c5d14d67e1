// Allocation of device memory and of pinned host memory.
#include <cstdlib>
#include <cstring>
#include <map>

#include "tests/emulation/host/runtime.h"

namespace emu {
namespace {

// Pinned memory stands between guard zones that are checked when it is freed. Under AddressSanitizer the guards are
// small and the heap's own guards do the work.
constexpr size_t kGuard = 4096, kAlign = 256;
constexpr unsigned char kGuardByte = 0xa5;

struct Pinned {
  size_t bytes = 0;
  void *block = nullptr;  // nullptr: registered, not allocated
};
std::map<char *, Pinned> &pinned() {
  static std::map<char *, Pinned> map;
  return map;
}

// The pinned range that holds the pointer.
std::map<char *, Pinned>::iterator find_pinned(void *pointer) {
  auto &map = pinned();
  auto after = map.upper_bound(static_cast<char *>(pointer));
  if (after == map.begin()) return map.end();
  --after;
  return static_cast<char *>(pointer) < after->first + after->second.bytes ? after : map.end();
}

cudaError_t host_allocate(void **pointer, size_t bytes, unsigned flags) {
  if (!pointer) return misuse(cudaErrorInvalidValue, "the place for the pointer is NULL");
  if (flags & ~unsigned(cudaHostAllocPortable | cudaHostAllocMapped | cudaHostAllocWriteCombined))
    return misuse(cudaErrorInvalidValue, "unknown flags 0x%x", flags);
  if (cudaError_t error = refuse_unsafe()) return result(error);

  *pointer = nullptr;
  if (bytes == 0) return cudaSuccess;
  if (cudaError_t error = allocation_fault(bytes)) return error;
  if (bytes > SIZE_MAX / 2) return result(cudaErrorMemoryAllocation);

  const size_t whole = 2 * kGuard + round_up(bytes, kAlign);
  auto *block = static_cast<char *>(aligned_alloc(kGuard, round_up(whole, kGuard)));
  if (!block) return result(cudaErrorMemoryAllocation);
  memset(block, kGuardByte, whole);
  memset(block + kGuard, 0xff, bytes);  // NaN

  pinned()[block + kGuard] = {bytes, block};
  host_memory_add(block + kGuard, bytes);
  ++counters().host_allocations;
  *pointer = block + kGuard;
  return cudaSuccess;
}

// What was overwritten outside the allocation, or "".
std::string damage(const char *start, const Pinned &allocation) {
  const auto *block = static_cast<const unsigned char *>(allocation.block);
  const auto *end = reinterpret_cast<const unsigned char *>(start) + allocation.bytes;
  const auto *last = reinterpret_cast<const unsigned char *>(start) + round_up(allocation.bytes, kAlign) + kGuard;
  for (const unsigned char *p = block; p < block + kGuard; ++p)
    if (*p != kGuardByte) return std::to_string(block + kGuard - p) + " bytes before its start";
  for (const unsigned char *p = end; p < last; ++p)
    if (*p != kGuardByte) return std::to_string(p - end) + " bytes past its end";
  return "";
}

}  // namespace

void drop_host_memory() {
  for (auto &entry : pinned()) {
    host_memory_remove(entry.first);
    free(entry.second.block);
  }
  pinned().clear();
}

}  // namespace emu

using emu::misuse;
using emu::result;

extern "C" {

cudaError_t cudaMalloc(void **pointer, size_t bytes) {
  EMU_ENTER();
  if (!pointer) return misuse(cudaErrorInvalidValue, "the place for the pointer is NULL");
  if (cudaError_t error = emu::refuse_unsafe()) return result(error);
  *pointer = nullptr;
  if (bytes == 0) return cudaSuccess;
  if (cudaError_t error = emu::allocation_fault(bytes)) return error;
  *pointer = emu::memory_allocate(bytes);
  return result(*pointer ? cudaSuccess : cudaErrorMemoryAllocation);
}

cudaError_t cudaFree(void *pointer) {
  const cudaError_t sticky = emu::enter(__func__);
  if (emu::in_host_function()) return result(sticky);
  if (cudaError_t error = emu::refuse_unsafe()) return result(error);
  if (!pointer) return result(sticky);
  emu::run_everything();  // cudaFree waits for the device
  if (cudaError_t error = emu::memory_free(pointer))
    return misuse(error, "%p is not the start of device memory (freed before?)", pointer);
  return result(emu::sticky_error());
}

cudaError_t cudaMallocAsync(void **pointer, size_t bytes, cudaStream_t handle) {
  EMU_ENTER();
  if (!pointer) return misuse(cudaErrorInvalidValue, "the place for the pointer is NULL");
  EMU_FIND_STREAM(stream, handle);
  if (stream->capture) return misuse(cudaErrorNotSupported, "memory nodes of graphs are not emulated");

  *pointer = nullptr;
  if (bytes == 0) return misuse(cudaErrorInvalidValue, "0 bytes");
  if (cudaError_t error = emu::allocation_fault(bytes)) return error;
  *pointer = emu::memory_allocate(bytes);
  if (!*pointer) {  // queued frees may make room
    emu::reach(emu::point_of(stream));
    *pointer = emu::memory_allocate(bytes);
  }
  return result(*pointer ? cudaSuccess : cudaErrorMemoryAllocation);
}

cudaError_t cudaFreeAsync(void *pointer, cudaStream_t handle) {
  EMU_ENTER();
  EMU_FIND_STREAM(stream, handle);
  if (stream->capture) return misuse(cudaErrorNotSupported, "memory nodes of graphs are not emulated");

  void *base = nullptr;
  if (!emu::memory_contains(pointer, 1, &base) || base != pointer)
    return misuse(cudaErrorInvalidValue, "%p is not the start of device memory (freed before?)", pointer);

  emu::enqueue(stream, {[pointer] {
                          if (emu::memory_free(pointer))
                            emu::device_fault(cudaErrorIllegalAddress, "cudaFreeAsync: %p was freed twice", pointer);
                        },
                        {},
                        nullptr,
                        0});
  return cudaSuccess;
}

cudaError_t cudaMallocPitch(void **pointer, size_t *pitch, size_t width, size_t height) {
  EMU_ENTER();
  if (!pitch) return misuse(cudaErrorInvalidValue, "the place for the pitch is NULL");
  *pitch = emu::round_up(width, 512);
  if (height && *pitch > SIZE_MAX / height) return result(cudaErrorMemoryAllocation);
  return cudaMalloc(pointer, *pitch * height);
}

cudaError_t cudaMallocHost(void **pointer, size_t bytes) {
  EMU_ENTER();
  return emu::host_allocate(pointer, bytes, cudaHostAllocDefault);
}

cudaError_t cudaHostAlloc(void **pointer, size_t bytes, unsigned int flags) {
  EMU_ENTER();
  return emu::host_allocate(pointer, bytes, flags);
}

cudaError_t cudaFreeHost(void *pointer) {
  const cudaError_t sticky = emu::enter(__func__);
  if (emu::in_host_function()) return result(sticky);
  if (cudaError_t error = emu::refuse_unsafe()) return result(error);
  if (!pointer) return result(sticky);
  const auto found = emu::pinned().find(static_cast<char *>(pointer));
  if (found == emu::pinned().end() || !found->second.block)
    return misuse(cudaErrorInvalidValue, "%p is not the start of pinned memory (freed before?)", pointer);

  emu::run_everything();
  const std::string damage = emu::damage(found->first, found->second);
  if (!damage.empty())
    emu::device_fault(cudaErrorIllegalAddress, "cudaFreeHost: pinned memory of %zu bytes was overrun: a write %s",
                      found->second.bytes, damage.c_str());

  emu::host_memory_remove(pointer);
  free(found->second.block);
  emu::pinned().erase(found);
  return result(emu::sticky_error());
}

cudaError_t cudaHostRegister(void *pointer, size_t bytes, unsigned int flags) {
  EMU_ENTER();
  if (!pointer || !bytes) return misuse(cudaErrorInvalidValue, "NULL or 0 bytes");
  if (flags & ~unsigned(cudaHostRegisterPortable | cudaHostRegisterMapped | cudaHostRegisterReadOnly))
    return misuse(cudaErrorInvalidValue, "unknown flags 0x%x", flags);

  const auto before = emu::pinned().lower_bound(static_cast<char *>(pointer) + bytes);
  if (before != emu::pinned().begin()) {
    const auto &other = *std::prev(before);
    if (other.first + other.second.bytes > static_cast<char *>(pointer))
      return misuse(cudaErrorHostMemoryAlreadyRegistered, "a part of the range is pinned already");
  }

  emu::pinned()[static_cast<char *>(pointer)] = {bytes, nullptr};
  emu::host_memory_add(pointer, bytes);
  return cudaSuccess;
}

cudaError_t cudaHostUnregister(void *pointer) {
  EMU_ENTER();
  const auto found = emu::pinned().find(static_cast<char *>(pointer));
  if (found == emu::pinned().end() || found->second.block)
    return misuse(cudaErrorHostMemoryNotRegistered, "%p was not registered", pointer);
  emu::run_everything();
  emu::host_memory_remove(pointer);
  emu::pinned().erase(found);
  return result(emu::sticky_error());
}

cudaError_t cudaHostGetDevicePointer(void **device, void *host, unsigned int flags) {
  EMU_ENTER();
  if (!device || flags) return misuse(cudaErrorInvalidValue, "the place for the pointer is NULL, or flags are not 0");
  const auto block = emu::find_pinned(host);
  if (block == emu::pinned().end()) return misuse(cudaErrorInvalidValue, "%p is not pinned memory", host);
  if (block->first != host)  // which CUDA may or may not allow
    return misuse(cudaErrorInvalidValue, "%p is not the start of pinned memory", host);
  *device = host;
  return cudaSuccess;
}

cudaError_t cudaPointerGetAttributes(struct cudaPointerAttributes *attributes, const void *pointer) {
  EMU_ENTER();
  if (!attributes) return misuse(cudaErrorInvalidValue, "the place for the attributes is NULL");

  memset(attributes, 0, sizeof *attributes);
  void *const address = const_cast<void *>(pointer);
  attributes->type = cudaMemoryTypeUnregistered;
  attributes->device = cudaInvalidDeviceId;

  if (emu::memory_contains(pointer, 1)) {
    attributes->type = cudaMemoryTypeDevice;
    attributes->device = 0;
    attributes->devicePointer = address;
  } else if (emu::find_pinned(address) != emu::pinned().end()) {
    attributes->type = cudaMemoryTypeHost;
    attributes->device = 0;
    attributes->devicePointer = attributes->hostPointer = address;
  } else {
    attributes->hostPointer = address;
  }

  return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t *unused, size_t *total) {
  EMU_ENTER();
  const size_t all = emu::settings().memory, used = emu::memory_used();
  if (unused) *unused = used < all ? all - used : 0;
  if (total) *total = all;
  return cudaSuccess;
}

size_t emu_live_host_allocations(void) {
  size_t n = 0;
  for (const auto &entry : emu::pinned()) n += entry.second.block != nullptr;
  return n;
}

}  // extern "C"
