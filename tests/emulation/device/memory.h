// Device memory: each allocation stands alone between unmapped pages, starts as NaN bytes and is unmapped when freed;
// its address is not used again while the arena lasts. Overruns fault, or are found by the check after each launch.
#pragma once
#include <cuda_runtime_api.h>

#include <cstddef>
#include <string>

namespace emu {

inline size_t round_up(size_t bytes, size_t to) {
  return (bytes + to - 1) / to * to;
}

// Aligned to 256 bytes, filled with 0xff; nullptr when the emulated device's memory is spent.
void *memory_allocate(size_t bytes);

// cudaErrorInvalidValue for a pointer that is not the start of a live allocation.
cudaError_t memory_free(void *pointer);

// Whether [pointer, pointer + bytes) lies in one live allocation of device memory. base and size of that allocation
// are set when not null (also when only pointer itself lies in it and the range overruns, for messages).
bool memory_contains(const void *pointer, size_t bytes, void **base = nullptr, size_t *size = nullptr);

size_t memory_used();    // bytes in live allocations
size_t memory_live();    // number of live allocations
void memory_free_all();  // cudaDeviceReset

// The report of a write outside an allocation, or "" when there was none. run_grid calls it after each launch; the host
// half should call it after copies and memsets of its own.
const char *memory_check();

// Host memory that kernels may touch (pinned or registered): the race build refuses other host pointers.
void host_memory_add(void *pointer, size_t bytes);
void host_memory_remove(void *pointer);

// Whether the range lies in such memory.
bool host_memory_contains(const void *pointer, size_t bytes);

// Where an address lies: " (8 bytes past the end of ...)"; "" outside the arena.
std::string memory_describe(const void *address);

// The reserved address range that all allocations come from; nullptr before the first one.
char *memory_arena(size_t *bytes);

}  // namespace emu
