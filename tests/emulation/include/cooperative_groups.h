// Stands in for <cooperative_groups.h>: the block, the grid, the cluster and tiles of a warp.
#pragma once
#include <cuda_runtime.h>

namespace cooperative_groups {

class thread_block {
 public:
  static void sync(EMU_SITE) {
    emu::block_barrier(0, 0, emu::Vote::kNone, 0, EMU_HERE);
  }

  static unsigned thread_rank() {
    return emu::thread_rank();
  }
  static unsigned num_threads() {
    return blockDim.x * blockDim.y * blockDim.z;
  }
  static unsigned size() {
    return num_threads();
  }

  static dim3 group_index() {
    return dim3(blockIdx.x, blockIdx.y, blockIdx.z);
  }
  static dim3 thread_index() {
    return dim3(threadIdx.x, threadIdx.y, threadIdx.z);
  }
  static dim3 dim_threads() {
    return dim3(blockDim.x, blockDim.y, blockDim.z);
  }
};
inline thread_block this_thread_block() {
  return {};
}

class grid_group {
 public:
  static void sync(EMU_SITE) {
    emu::grid_barrier(EMU_HERE);
  }
  static bool is_valid() {
    return true;
  }

  static unsigned long long num_blocks() {
    return 1ull * gridDim.x * gridDim.y * gridDim.z;
  }
  static unsigned long long block_rank() {
    return blockIdx.x + 1ull * gridDim.x * (blockIdx.y + 1ull * gridDim.y * blockIdx.z);
  }
  static unsigned long long num_threads() {
    return num_blocks() * thread_block::num_threads();
  }
  static unsigned long long size() {
    return num_threads();
  }
  static unsigned long long thread_rank() {
    return block_rank() * thread_block::num_threads() + thread_block::thread_rank();
  }

  static dim3 dim_blocks() {
    return dim3(gridDim.x, gridDim.y, gridDim.z);
  }
  static dim3 group_dim() {
    return dim_blocks();
  }
};
inline grid_group this_grid() {
  return {};
}

class cluster_group {
 public:
  struct arrival_token {};

  static void sync(EMU_SITE) {
    emu::cluster_barrier(true, true, EMU_HERE);
  }
  static arrival_token barrier_arrive(EMU_SITE) {
    emu::cluster_barrier(true, false, EMU_HERE);
    return {};
  }
  static void barrier_wait(EMU_SITE) {
    emu::cluster_barrier(false, true, EMU_HERE);
  }
  static void barrier_wait(arrival_token &&, EMU_SITE) {
    emu::cluster_barrier(false, true, EMU_HERE);
  }

  static unsigned block_rank() {
    return emu::cluster_rank();
  }
  static unsigned num_blocks() {
    return emu::cluster_size();
  }
  static unsigned thread_rank() {
    return block_rank() * thread_block::num_threads() + thread_block::thread_rank();
  }
  static unsigned num_threads() {
    return num_blocks() * thread_block::num_threads();
  }
  static unsigned size() {
    return num_threads();
  }

  template <class T>
  static T *map_shared_rank(T *pointer, unsigned rank, EMU_SITE) {
    return static_cast<T *>(emu::map_shared_rank(pointer, rank, EMU_HERE));
  }
};
inline cluster_group this_cluster() {
  return {};
}

// N consecutive threads of a warp; N is a power of two up to 32.
template <unsigned N, class Parent = void>
class thread_block_tile {
  static_assert(N >= 1 && N <= 32 && (N & (N - 1)) == 0, "a tile is a power of two up to a warp");

 public:
  static unsigned thread_rank() {
    return emu::lane_id() & (N - 1);
  }
  static constexpr unsigned num_threads() {
    return N;
  }
  static constexpr unsigned size() {
    return N;
  }
  static unsigned meta_group_rank() {
    return emu::thread_rank() / N;
  }
  static unsigned meta_group_size() {
    return (thread_block::num_threads() + N - 1) / N;
  }

  static void sync(EMU_SITE) {
    emu::warp_collective(mask(), "tile.sync", nullptr, nullptr, nullptr, EMU_HERE);
  }
  template <class T>
  static T shfl(T value, int rank, EMU_SITE) {
    return __shfl_sync(mask(), value, rank, N, EMU_HERE);
  }
  template <class T>
  static T shfl_up(T value, unsigned delta, EMU_SITE) {
    return __shfl_up_sync(mask(), value, delta, N, EMU_HERE);
  }
  template <class T>
  static T shfl_down(T value, unsigned delta, EMU_SITE) {
    return __shfl_down_sync(mask(), value, delta, N, EMU_HERE);
  }
  template <class T>
  static T shfl_xor(T value, unsigned lane_mask, EMU_SITE) {
    return __shfl_xor_sync(mask(), value, static_cast<int>(lane_mask), N, EMU_HERE);
  }

  static unsigned ballot(int predicate, EMU_SITE) {
    return __ballot_sync(mask(), predicate, EMU_HERE) >> first();
  }
  static int any(int predicate, EMU_SITE) {
    return __any_sync(mask(), predicate, EMU_HERE);
  }
  static int all(int predicate, EMU_SITE) {
    return __all_sync(mask(), predicate, EMU_HERE);
  }
  template <class T>
  static unsigned match_any(T value, EMU_SITE) {
    return __match_any_sync(mask(), value, EMU_HERE) >> first();
  }

 private:
  static unsigned first() {
    return emu::lane_id() & ~(N - 1);
  }
  static unsigned mask() {
    return (N == 32 ? 0xffffffffu : (1u << (N & 31)) - 1) << first();
  }
};

template <unsigned N>
inline thread_block_tile<N, thread_block> tiled_partition(const thread_block &) {
  return {};
}
template <unsigned N, unsigned M, class Parent>
inline thread_block_tile<N, thread_block_tile<M, Parent>> tiled_partition(const thread_block_tile<M, Parent> &) {
  static_assert(N <= M, "a tile of a tile is no larger");
  return {};
}

template <class T>
struct plus {
  T operator()(T a, T b) const {
    return a + b;
  }
};
template <class T>
struct less {
  T operator()(T a, T b) const {
    return b < a ? b : a;
  }
};
template <class T>
struct greater {
  T operator()(T a, T b) const {
    return a < b ? b : a;
  }
};
template <class T>
struct bit_and {
  T operator()(T a, T b) const {
    return a & b;
  }
};
template <class T>
struct bit_or {
  T operator()(T a, T b) const {
    return a | b;
  }
};
template <class T>
struct bit_xor {
  T operator()(T a, T b) const {
    return a ^ b;
  }
};

// The same value in every thread of the tile: a butterfly, lower rank on the left.
template <unsigned N, class P, class T, class F>
inline T reduce(const thread_block_tile<N, P> &tile, T value, F operation, EMU_SITE) {
  for (unsigned step = 1; step < N; step *= 2) {
    const T other = tile.shfl_xor(value, step, EMU_HERE);
    value = tile.thread_rank() & step ? operation(other, value) : operation(value, other);
  }
  return value;
}

// ---- free functions --------------------------------------------------------------------------------------------

template <class G>
inline void sync(const G &group, EMU_SITE) {
  group.sync(EMU_HERE);
}

}  // namespace cooperative_groups
