// What a running grid is made of. One grid runs at a time.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "emu/device.h"
#include "fiber.h"
#include "grid.h"

namespace emu {

struct Block;

enum class State : uint8_t { kReady, kRunning, kBlockBarrier, kWarp, kClusterBarrier, kGridBarrier, kYield, kExited };

struct AsyncCopy {  // cp.async
  void *destination;
  const void *source;
  size_t bytes, source_bytes;
  int group;
};

struct BulkCopy {  // cp.async.bulk
  void *destination;
  const void *source;
  size_t bytes;
  uint64_t *barrier;
};

struct RaceThread;  // what the race checker knows about a thread
struct RaceBlock;

struct Thread {
  Fiber fiber;
  Block *block = nullptr;
  uint3 index{};
  int rank = 0;  // in the block
  State state = State::kReady;
  uint32_t polls = 0;  // atomic loads since it last changed anything

  // Where it waits.
  const char *file = "";
  int line = 0;

  // Block barrier.
  Vote vote = Vote::kNone;
  int predicate = 0, vote_result = 0;

  // Warp collective.
  unsigned mask = 0;
  const char *operation = "";
  const void *input = nullptr;
  void *output = nullptr;

  // Cluster barrier.
  bool cluster_arrived = false;
  unsigned cluster_phase = 0;

  // cp.async.
  int open_group = 0;
  std::vector<AsyncCopy> copies;

  RaceThread *race = nullptr;

  int lane() const {
    return rank & (kWarpSize - 1);
  }
};

struct Warp {
  Thread *lanes[kWarpSize] = {};
  unsigned exist = 0, exited = 0, arrived = 0;
};

struct Barrier {
  std::vector<Thread *> waiting;
  int threads = 0;       // expected; 0: the whole block
  int arrived_only = 0;  // bar.arrive
};

struct Cluster;

struct Block {
  uint3 index{};
  uint32_t number = 0;  // linear, in the grid
  Cluster *cluster = nullptr;
  unsigned rank = 0;  // in the cluster
  int n_threads = 0, n_exited = 0;
  char *store = nullptr;  // its shared memory: static part, then dynamic part
  std::unique_ptr<Thread[]> threads;
  std::vector<Warp> warps;
  Barrier barriers[16];
  uint64_t ready[kThreadsPerBlock / 64] = {};  // bit per thread
  int n_ready = 0, cursor = 0;
  std::vector<Thread *> yielded;
  std::vector<BulkCopy> bulk_copies;
  RaceBlock *race = nullptr;

  bool ended() const {
    return n_exited == n_threads;
  }
};

struct Cluster {
  std::vector<Block *> blocks;
  int n_threads = 0, n_exited = 0, n_arrived = 0;
  unsigned phase = 0;
};

struct Grid {
  const Launch *launch = nullptr;
  std::vector<void *> arguments;
  std::vector<std::unique_ptr<Block>> blocks;      // resident
  std::vector<std::unique_ptr<Cluster>> clusters;  // resident
  uint64_t n_threads = 0, n_arrived = 0, n_exited = 0;
  bool failed = false;
};

extern Grid *grid;       // the running one, or nullptr
extern Thread *current;  // the running thread; nullptr in the scheduler and on the host

inline Warp &warp_of(Thread *thread) {
  return thread->block->warps[static_cast<size_t>(thread->rank) / kWarpSize];
}

// ---- scheduler.cpp ---------------------------------------------------------------------------------------------

void make_ready(Thread *thread);
// Leaves the running thread waiting in this state; returns when it is made ready and picked.
void wait_as(State state, const char *file, int line);
uint64_t random_number();

// ---- block.cpp, warp.cpp, cooperative.cpp ----------------------------------------------------------------------

void block_thread_exited(Block *block);
void warp_thread_exited(Thread *thread);
void cluster_thread_exited(Cluster *cluster);

// ---- async_copy.cpp --------------------------------------------------------------------------------------------

void async_thread_exited(Thread *thread);
void async_block_ended(Block *block);

// ---- shared_memory.cpp -----------------------------------------------------------------------------------------

void shared_begin(size_t n_blocks, size_t dynamic_bytes);  // room for the resident blocks of a launch
void shared_make(Block *block, size_t slot);               // poisoned
void shared_load(Block *block);                            // its static part into the section
void shared_end_block(Block *block);                       // checks for overruns and poisons
void shared_end();
// The resident block and offset that a shared memory address belongs to. False: not shared memory.
bool shared_locate(const void *address, Block **block, size_t *offset);
size_t shared_static_bytes();
// Whether a range of offsets lies in the static part or in the dynamic part.
bool shared_range_is_valid(size_t offset, size_t bytes);
size_t shared_block_bytes();

// ---- error.cpp -------------------------------------------------------------------------------------------------

[[noreturn]] void fail_with(cudaError_t error, const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
// The same without leaving: for the scheduler. thread may be nullptr.
void record_error(cudaError_t error, const Thread *thread, const char *file, int line, const std::string &text);
std::string waiting_summary();            // what the threads of the grid are doing
std::string source_of(const void *code);  // file.cu:12 for a code address
std::string format_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

// ---- signals.cpp -----------------------------------------------------------------------------------------------

// While a grid runs, faults in kernels become launch errors, and a thread that never waits is ended.
void signals_begin();
void signals_end();
bool signals_expired();  // the launch has run longer than the settings allow
// If a fault or the timer made the thread leave, records the error and returns true.
bool signals_take_fault(Thread *thread);

// ---- race/order.cpp and shadow.cpp, or race_none.cpp -----------------------------------------------------------

void race_begin_launch();
void race_end_launch();                 // records what was found as an error
void race_begin_wave(size_t n_blocks);  // the most that are resident at once
void race_make_block(Block *block);
void race_drop_block(Block *block);  // before its memory goes
void race_memory_freed(const void *start, size_t bytes);
void race_block_barrier(Block *block);                     // all of its threads have met
void race_meet(Thread *const *threads, size_t n_threads);  // these have met
void race_cluster_arrive(Thread *thread);
void race_cluster_complete(Cluster *cluster);
void race_cluster_wait(Thread *thread);
void race_grid_barrier();
void race_object_release(const void *address);  // by the running thread, with no access
void race_object_acquire(Thread *thread, const void *address);

}  // namespace emu
