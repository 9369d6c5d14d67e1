// What kernels call on the emulated device: the replacement cuda_runtime.h and cooperative_groups.h are built on it,
// and so are the host models of PTX instructions. A call that waits switches to another fiber.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

// The call site, as two trailing default arguments: void f(int x, EMU_SITE); calls g(EMU_HERE).
#define EMU_SITE const char *emu_file = __builtin_FILE(), int emu_line = __builtin_LINE()
#define EMU_HERE emu_file, emu_line
// For functions that report their accesses to the race checker by hand.
#define EMU_UNCHECKED __attribute__((no_sanitize("thread")))

namespace emu {

// ---- failing ---------------------------------------------------------------------------------------------------

// Ends the launch with cudaErrorLaunchFailure and a report; does not return. Only from kernels.
[[noreturn]] void fail(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));

// ---- waiting ---------------------------------------------------------------------------------------------------

// Lets every other thread run. Loops that wait for another thread must call it (as __nanosleep does).
void yield(EMU_SITE);

// In the random order: sometimes a yield. Called at accesses where threads meet (atomics).
void maybe_switch(EMU_SITE);

// This thread has changed memory that others may wait for: it is not merely polling.
void note_change();

// ---- barriers --------------------------------------------------------------------------------------------------

enum class Vote { kNone, kCount, kAnd, kOr };
// bar.sync id, threads; threads = 0 is the whole block, none of which may have exited.
int block_barrier(int id, int threads, Vote vote, int predicate, EMU_SITE);
// bar.arrive: counts, does not wait.
void block_arrive(int id, int threads, EMU_SITE);
void cluster_barrier(bool arrive, bool wait, EMU_SITE);
void grid_barrier(EMU_SITE);

// ---- warps -----------------------------------------------------------------------------------------------------

// Every lane named in mask arrives with its input; the last one computes all outputs, then all go on. operation tells
// collectives apart (any static string, by address or text); all lanes must come with the same mask and call site.
using WarpFunction = void (*)(unsigned mask, const void *const inputs[32], void *const outputs[32]);
void warp_collective(unsigned mask, const char *operation, const void *input, void *output, WarpFunction compute,
                     EMU_SITE);
unsigned lane_id();
unsigned active_mask();  // lanes that have not exited
unsigned thread_rank();  // in the block

// ---- clusters and shared memory --------------------------------------------------------------------------------

unsigned cluster_rank();
unsigned cluster_size();
void *dynamic_shared();                                               // 1024-byte aligned
void *map_shared_rank(const void *pointer, unsigned rank, EMU_SITE);  // distributed shared memory
uint32_t shared_address(const void *pointer, EMU_SITE);               // __cvta_generic_to_shared
bool is_shared(const void *pointer);                                  // of this block

// ---- asynchronous copies ---------------------------------------------------------------------------------------

// cp.async: done as late as the program allows; until then the destination holds NaN bytes. bytes is 4, 8 or 16;
// the last bytes - source_bytes are zero-filled.
void async_copy(void *destination, const void *source, size_t bytes, size_t source_bytes, EMU_SITE);
void async_commit();
void async_wait(int pending, EMU_SITE);  // cp.async.wait_group pending

// mbarrier and cp.async.bulk (global to shared). try_wait yields when it fails, so it may be polled.
void mbarrier_init(uint64_t *barrier, unsigned count, EMU_SITE);
void mbarrier_arrive(uint64_t *barrier, unsigned expect_bytes, EMU_SITE);
bool mbarrier_try_wait(uint64_t *barrier, unsigned parity, EMU_SITE);
void bulk_copy(void *destination, const void *source, size_t bytes, uint64_t *barrier, EMU_SITE);

// ---- the race checker; no-ops in the other builds ----------------------------------------------------------------

// Order of an atomic access. An RMW reads and writes.
enum Memory : int { kRelaxed = 0, kAcquire = 1, kRelease = 2, kAcqRel = 3 };
void note_atomic_load(const void *address, size_t bytes, Memory order);
void note_atomic_store(const void *address, size_t bytes, Memory order);
void note_atomic_rmw(const void *address, size_t bytes, Memory order);
void note_fence();  // __threadfence and its kin: makes earlier relaxed loads acquire, later relaxed stores release
// A plain access that the compiler does not see, such as a byte copy in a PTX model.
void note_read(const void *address, size_t bytes);
void note_write(const void *address, size_t bytes);

// Whether tests want this store lost.
bool store_is_lost(Memory order);

// The whole access, checked and ordered. T is trivially copyable, up to 16 bytes, and must be aligned to its size.
void check_aligned(const void *address, size_t bytes, EMU_SITE);

template <class T>
EMU_UNCHECKED inline T atomic_load(const T *address, Memory order, EMU_SITE) {
  check_aligned(address, sizeof(T), EMU_HERE);
  maybe_switch(EMU_HERE);
  T value;
  std::memcpy(&value, address, sizeof value);
  note_atomic_load(address, sizeof(T), order);
  return value;
}

template <class T>
EMU_UNCHECKED inline void atomic_store(T *address, T value, Memory order, EMU_SITE) {
  check_aligned(address, sizeof(T), EMU_HERE);
  maybe_switch(EMU_HERE);
  if (store_is_lost(order)) return;
  note_atomic_store(address, sizeof(T), order);
  note_change();
  std::memcpy(address, &value, sizeof value);
}

// old = *address; *address = next(old); returns old
template <class T, class F>
EMU_UNCHECKED inline T atomic_rmw(T *address, Memory order, F next, EMU_SITE) {
  check_aligned(address, sizeof(T), EMU_HERE);
  maybe_switch(EMU_HERE);
  note_atomic_rmw(address, sizeof(T), order);
  T old;
  std::memcpy(&old, address, sizeof old);
  const T value = next(old);
  if (std::memcmp(&value, &old, sizeof value) != 0) note_change();
  std::memcpy(address, &value, sizeof value);
  return old;
}
}  // namespace emu
