// Runs a grid: makes the resident blocks, lets their threads run in the order that the settings name until each waits,
// and tells progress from deadlock and from endless spinning.
#include <algorithm>
#include <chrono>
#include <numeric>
#include <random>

#include "memory.h"
#include "state.h"

// Kernels see these as const; each thread always reads its own values, so to it they are.
uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

namespace emu {

Grid *grid;
Thread *current;
bool (*run_elsewhere)(const Launch &launch);

namespace {

std::mt19937_64 random_sequence;
bool random_begun;

uint3 position(size_t number, dim3 of) {
  return {static_cast<unsigned>(number % of.x), static_cast<unsigned>(number / of.x % of.y),
          static_cast<unsigned>(number / of.x / of.y)};
}

void thread_main() {
  fiber_begun();
  const Kernel &kernel = *grid->launch->kernel;
  kernel.call(kernel.function, grid->arguments.data());
  current->state = State::kExited;
  fiber_leave(current->fiber, true);
  __builtin_unreachable();
}

// ---- making ----------------------------------------------------------------------------------------------------

std::vector<std::unique_ptr<Block>> spare_blocks;  // with their threads' memory, for the next launch

std::unique_ptr<Block> take_block(int n_threads) {
  std::unique_ptr<Block> block;
  if (!spare_blocks.empty() && spare_blocks.back()->n_threads == n_threads) {
    block = std::move(spare_blocks.back());
    spare_blocks.pop_back();
  } else {
    for (auto &spare : spare_blocks) race_drop_block(spare.get());
    spare_blocks.clear();
    block.reset(new Block());
    block->n_threads = n_threads;
    block->threads.reset(new Thread[static_cast<size_t>(n_threads)]);
  }

  block->n_exited = block->n_ready = 0;
  block->warps.assign(static_cast<size_t>(n_threads + kWarpSize - 1) / kWarpSize, Warp());
  std::fill(std::begin(block->ready), std::end(block->ready), 0);
  block->yielded.clear();
  block->bulk_copies.clear();

  for (Barrier &barrier : block->barriers) {
    barrier.waiting.clear();
    barrier.threads = barrier.arrived_only = 0;
  }

  return block;
}

void make_threads(Block *block) {
  block->cursor = settings().order == Order::kReverse ? block->n_threads : -1;

  for (int i = 0; i < block->n_threads; ++i) {
    Thread &thread = block->threads[static_cast<size_t>(i)];
    const Fiber fiber = thread.fiber;
    std::vector<AsyncCopy> copies = std::move(thread.copies);
    copies.clear();
    RaceThread *race = thread.race;
    thread = Thread();
    thread.fiber = fiber;
    thread.copies = std::move(copies);
    thread.race = race;

    thread.block = block;
    thread.rank = i;
    thread.index = position(static_cast<size_t>(i), blockDim);
    fiber_make(thread.fiber, &thread_main, static_cast<unsigned>(i));

    Warp &warp = block->warps[static_cast<size_t>(i) / kWarpSize];
    warp.lanes[thread.lane()] = &thread;
    warp.exist |= 1u << thread.lane();
    make_ready(&thread);
  }
}

// One cluster of blocks; number counts clusters in the grid.
void make_cluster(size_t number, size_t slot) {
  const dim3 size = grid->launch->cluster, blocks = grid->launch->grid;
  const dim3 clusters(blocks.x / size.x, blocks.y / size.y, blocks.z / size.z);
  const unsigned n_blocks = size.x * size.y * size.z;
  const uint3 at = position(number, clusters);

  std::unique_ptr<Cluster> cluster(new Cluster());
  const int n_threads = static_cast<int>(blockDim.x * blockDim.y * blockDim.z);
  cluster->n_threads = n_threads * static_cast<int>(n_blocks);

  for (unsigned rank = 0; rank < n_blocks; ++rank) {
    std::unique_ptr<Block> block = take_block(n_threads);
    const uint3 inside = position(rank, size);
    block->index = {at.x * size.x + inside.x, at.y * size.y + inside.y, at.z * size.z + inside.z};
    block->number = block->index.x + blocks.x * (block->index.y + blocks.y * block->index.z);
    block->cluster = cluster.get();
    block->rank = rank;
    cluster->blocks.push_back(block.get());

    shared_make(block.get(), slot * n_blocks + rank);
    make_threads(block.get());
    race_make_block(block.get());
    grid->blocks.push_back(std::move(block));
  }

  grid->clusters.push_back(std::move(cluster));
}

void drop_blocks() {
  current = nullptr;
  for (auto &block : grid->blocks) {
    for (int i = 0; i < block->n_threads; ++i) fiber_release(block->threads[static_cast<size_t>(i)].fiber);
    spare_blocks.push_back(std::move(block));
  }
  grid->blocks.clear();
  grid->clusters.clear();
}

// ---- running ---------------------------------------------------------------------------------------------------

// The next set bit after the cursor, wrapping at the end.
int next_above(const Block *block, int cursor) {
  const int n_words = (block->n_threads + 63) / 64;
  int start = cursor + 1;
  if (start >= block->n_threads) start = 0;
  int word = start / 64;
  uint64_t bits = block->ready[word] & (~uint64_t(0) << (start % 64));

  for (int i = 0; i <= n_words; ++i) {
    if (bits) return word * 64 + __builtin_ctzll(bits);
    word = word + 1 == n_words ? 0 : word + 1;
    bits = block->ready[word];
  }

  return -1;
}

int highest(const Block *block) {
  for (int word = (block->n_threads - 1) / 64; word >= 0; --word) {
    if (block->ready[word]) return word * 64 + 63 - __builtin_clzll(block->ready[word]);
  }
  return -1;
}

Thread *pick(Block *block) {
  int rank;
  switch (settings().order) {
    case Order::kForward:
      rank = next_above(block, block->cursor);
      break;  // breadth first
    case Order::kReverse:
      rank = highest(block);
      break;  // depth first, last thread first
    default:
      rank = next_above(block, static_cast<int>(random_number() % static_cast<unsigned>(block->n_threads)) - 1);
  }

  block->cursor = rank;
  block->ready[rank / 64] &= ~(uint64_t(1) << (rank % 64));
  --block->n_ready;
  return &block->threads[static_cast<size_t>(rank)];
}

void thread_exited(Thread *thread) {
  Block *block = thread->block;
  if (!fiber_release(thread->fiber)) {
    record_error(cudaErrorLaunchFailure, thread, "", 0,
                 format_text("the thread's stack has overflowed (%zu KiB of local memory)", kStackSize >> 10));
    return;
  }

  ++block->n_exited;
  ++block->cluster->n_exited;
  ++grid->n_exited;

  async_thread_exited(thread);
  warp_thread_exited(thread);
  block_thread_exited(block);
  cluster_thread_exited(block->cluster);
}

void resume(Thread *thread) {
  current = thread;
  threadIdx = thread->index;
  thread->state = State::kRunning;
  ++counters().switches;
  fiber_enter(thread->fiber);
  current = nullptr;
  if (signals_take_fault(thread) || grid->failed) return;
  if (thread->state == State::kExited) thread_exited(thread);
}

// Lets the block's threads run until none is ready. Returns whether there was progress.
bool run_block(Block *block) {
  for (Thread *thread : block->yielded) make_ready(thread);
  block->yielded.clear();
  if (block->n_ready == 0) return false;

  shared_load(block);
  blockIdx = block->index;
  bool progress = false;
  const bool random = settings().order == Order::kRandom;

  while (block->n_ready != 0) {
    Thread *thread = pick(block);
    resume(thread);
    if (grid->failed) return true;
    progress |= thread->state != State::kYield;

    if (signals_expired()) {
      record_error(cudaErrorLaunchTimeout, nullptr, "", 0,
                   format_text("no end after %g s of CPU time (VISE_EMU_TIMEOUT):", settings().stuck_seconds) +
                       waiting_summary());
      return true;
    }
    if (random && random_number() % 256 == 0) break;  // another block's turn
  }

  if (block->ended()) {
    async_block_ended(block);
    shared_end_block(block);
  }

  return progress;
}

struct LostStore {
  unsigned block = 0;
  uint64_t after = UINT64_MAX;
} lost_store;

// Counts rounds in which every thread only polled: nothing can change any more then, except through a thread that
// counts its own attempts.
class Patience {
 public:
  bool spent() {
    if (++rounds_ == 1) begun_ = std::chrono::steady_clock::now();
    return rounds_ > 20000 ||
           (rounds_ > 500 && std::chrono::steady_clock::now() - begun_ > std::chrono::milliseconds(1500));
  }
  void renew() {
    rounds_ = 0;
  }

 private:
  int rounds_ = 0;
  std::chrono::steady_clock::time_point begun_;
};

void run_resident() {
  std::vector<Block *> order;
  for (auto &block : grid->blocks) order.push_back(block.get());
  if (settings().order == Order::kReverse) std::reverse(order.begin(), order.end());
  Patience patience;

  while (!order.empty()) {
    if (settings().order == Order::kRandom) std::shuffle(order.begin(), order.end(), random_sequence);
    bool progress = false, spinning = false, ended = false;
    for (Block *block : order) {
      progress |= run_block(block);
      if (grid->failed) return;
      spinning |= !block->yielded.empty() || block->n_ready != 0;
      ended |= block->ended();
    }

    if (ended)
      order.erase(std::remove_if(order.begin(), order.end(), [](Block *b) { return b->ended(); }), order.end());

    if (progress) {
      patience.renew();
    } else if (!spinning && !order.empty()) {
      record_error(cudaErrorLaunchTimeout, nullptr, "", 0, "deadlock:" + waiting_summary());
      return;
    } else if (patience.spent()) {
      record_error(cudaErrorLaunchTimeout, nullptr, "", 0, "endless spin, nobody makes progress:" + waiting_summary());
      return;
    }
  }
}

void run_waves(const Launch &launch) {
  const size_t per_cluster = size_t(launch.cluster.x) * launch.cluster.y * launch.cluster.z;
  const size_t n_clusters = size_t(launch.grid.x) * launch.grid.y * launch.grid.z / per_cluster;
  const size_t at_once =
      launch.cooperative ? n_clusters : std::min(n_clusters, std::max<size_t>(1, size_t(settings().sms) / per_cluster));

  std::vector<size_t> order(n_clusters);
  std::iota(order.begin(), order.end(), size_t(0));
  if (settings().order == Order::kReverse) std::reverse(order.begin(), order.end());
  if (settings().order == Order::kRandom) std::shuffle(order.begin(), order.end(), random_sequence);
  if (launch.cooperative) std::sort(order.begin(), order.end());

  shared_begin(at_once * per_cluster, launch.dynamic_shared);
  for (size_t first = 0; first < n_clusters && !grid->failed; first += at_once) {
    race_begin_wave(at_once * per_cluster);
    for (size_t i = first; i < std::min(first + at_once, n_clusters); ++i) make_cluster(order[i], i - first);
    run_resident();
    drop_blocks();
  }
  shared_end();
}

}  // namespace

uint64_t random_number() {
  return random_sequence();
}

void reset_schedule() {
  random_sequence.seed(settings().seed);
  random_begun = true;
}

void make_ready(Thread *thread) {
  thread->state = State::kReady;
  Block *block = thread->block;
  block->ready[thread->rank / 64] |= uint64_t(1) << (thread->rank % 64);
  ++block->n_ready;
}

void wait_as(State state, const char *file, int line) {
  Thread *thread = current;
  thread->file = file;
  thread->line = line;
  if (thread->state == State::kRunning) thread->state = state;  // else the caller has already made it ready
  fiber_leave(thread->fiber, false);
}

void yield(const char *file, int line) {
  current->polls = 0;
  current->block->yielded.push_back(current);
  wait_as(State::kYield, file, line);
}

void note_change() {
  if (current) current->polls = 0;
}

void lose_store(unsigned block, uint64_t after) {
  lost_store = {block, after};
}

bool store_is_lost(Memory order) {
  if (lost_store.after == UINT64_MAX || !current || !(order & kRelease)) return false;
  return current->block->number == lost_store.block && lost_store.after-- == 0;
}

void maybe_switch(const char *file, int line) {
  if (!current) return;
  current->file = file;
  current->line = line;
  if (++current->polls > 256) {  // a loop of loads that never waits: others must run
    yield(file, line);
  } else if (settings().order == Order::kRandom && random_number() % 8 == 0) {
    current->block->yielded.push_back(current);
    wait_as(State::kYield, file, line);
  }
}

cudaError_t run_grid(const Launch &launch) {
  if (device_error() != cudaSuccess) return device_error();
  const cudaError_t refused = check_launch(launch);
  if (refused != cudaSuccess) return refused;

  if (!random_begun) reset_schedule();
  ++counters().launches;
  if (launch.cooperative) ++counters().cooperative_launches;

  Grid running;
  grid = &running;
  running.launch = &launch;
  for (const auto &argument : launch.arguments) {
    running.arguments.push_back(const_cast<unsigned char *>(argument.data()));
  }
  running.arguments.push_back(nullptr);
  gridDim = launch.grid;
  blockDim = launch.block;
  running.n_threads =
      uint64_t(launch.grid.x) * launch.grid.y * launch.grid.z * launch.block.x * launch.block.y * launch.block.z;

  race_begin_launch();
  signals_begin();
  if (!run_elsewhere || !run_elsewhere(launch)) run_waves(launch);
  signals_end();
  race_end_launch();

  const char *overrun = memory_check();
  if (*overrun) record_error(cudaErrorIllegalAddress, nullptr, "", 0, overrun);
  grid = nullptr;
  return device_error();
}

}  // namespace emu

long long emu_clock() {
  return static_cast<long long>(emu::counters().switches);
}
