// See bugs.h. Every kernel takes `bug`, the same in all threads; what it does without it is correct CUDA.
#include <cooperative_groups.h>
#include <cuda_runtime.h>

#include "bugs.h"
#include "kernels/ptx.cuh"
#include "run.h"

namespace cg = cooperative_groups;
using emu::Buffer;
using emu::Shape;

namespace {

constexpr unsigned kAll = 0xffffffffu;
constexpr int kThreads = 96, kBlocks = 4;

// ---- inside a block --------------------------------------------------------------------------------------------

__global__ void neighbours(float *out, int bug) {
  __shared__ float tile[kThreads];
  const int t = static_cast<int>(threadIdx.x);
  tile[t] = static_cast<float>(t);
  if (!bug) __syncthreads();
  out[t] = tile[(t + 33) % kThreads] + tile[(t + kThreads - 33) % kThreads];
}

// One buffer, written again while slower threads still read it.
__global__ void reuse(float *out, int bug) {
  __shared__ float tile[kThreads];
  const int t = static_cast<int>(threadIdx.x);
  float sum = 0;
  for (int round = 0; round < 4; ++round) {
    tile[t] = static_cast<float>(t * 10 + round);
    __syncthreads();
    if (t + 1 < kThreads) sum += tile[t + 1];
    if (!bug) __syncthreads();
  }
  out[t] = sum;
}

__global__ void copy_pieces(const float *in, float *out, int bug) {
  __shared__ __align__(16) float tile[2][kThreads * 4];
  const int t = static_cast<int>(threadIdx.x);
  for (int piece = 0; piece < 2; ++piece) {
    emu::async_copy(&tile[piece][t * 4], in + piece * kThreads * 4 + t * 4, 16, 16);
    emu::async_commit();
  }
  emu::async_wait(bug ? 1 : 0);
  __syncthreads();
  for (int i = 0; i < 4; ++i) out[t * 4 + i] = tile[0][t * 4 + i] + tile[1][(t * 4 + i + 40) % (kThreads * 4)];
}

__global__ void bulk_piece(const float *in, float *out, int bug) {
  __shared__ __align__(16) float tile[kThreads];
  __shared__ uint64_t full;
  const int t = static_cast<int>(threadIdx.x);

  if (t == 0) {
    emu::mbarrier_init(&full, 1);
    emu::mbarrier_arrive(&full, sizeof tile);
    emu::bulk_copy(tile, in, sizeof tile, &full);
  }

  __syncthreads();
  while (!bug && !emu::mbarrier_try_wait(&full, 0)) {
  }
  out[t] = tile[t];
}

__global__ void exchange_in_warp(float *out, int bug) {
  __shared__ float tile[32];
  const int t = static_cast<int>(threadIdx.x);
  if (t < 32) {
    tile[t] = static_cast<float>(t);
    if (!bug) __syncwarp();
    out[t] = tile[t ^ 1];
  } else {
    out[t] = 0;
  }
}

__global__ void divergent_barrier(float *out, int bug) {
  const int t = static_cast<int>(threadIdx.x);
  if (bug && t < 32) {
    __syncthreads();
  } else {
    __syncthreads();
  }
  out[t] = 1;
}

__global__ void barrier_of_some(float *out, int bug) {
  const int t = static_cast<int>(threadIdx.x);
  out[t] = 1;
  if (!bug || t < 40) __syncthreads();
}

__global__ void divergent_shuffle(float *out, int bug) {
  const int t = static_cast<int>(threadIdx.x);
  float value = static_cast<float>(t);
  if (bug && t % 32 < 16) {
    value = __shfl_xor_sync(kAll, value, 16);
  } else {
    value = __shfl_xor_sync(kAll, value, 16);
  }
  out[t] = value;
}

__global__ void exited_lane(float *out, int bug) {
  const int t = static_cast<int>(threadIdx.x);
  out[t] = -1;
  if (t % 32 == 5) return;
  out[t] = __shfl_sync(bug ? kAll : kAll & ~(1u << 5), static_cast<float>(t), 3);
}

__global__ void caller_outside_mask(float *out, int bug) {
  const int t = static_cast<int>(threadIdx.x);
  out[t] = __ballot_sync(bug ? 0xffffu : kAll, 1) != 0;
}

__global__ void read_unwritten(float *out, int bug) {
  __shared__ float tile[kThreads];
  const int t = static_cast<int>(threadIdx.x);
  if (!bug || t != 7) tile[t] = 1;
  __syncthreads();
  out[t] = tile[t];
}

// C = A B of one mma, A[m][k] = m + k and B[k][n] = k - n; the bug gives each lane B's second half transposed.
__global__ void wrong_fragment(float *out, int bug) {
  const int g = static_cast<int>(threadIdx.x) / 4, t = static_cast<int>(threadIdx.x) % 4;
  const auto number = [](int v) { return __float_as_uint(static_cast<float>(v)); };
  const uint32_t a[4] = {number(g + t), number(g + 8 + t), number(g + t + 4), number(g + 8 + t + 4)};
  const uint32_t b[2] = {number(t - g), bug ? number(g - t - 4) : number(t + 4 - g)};
  float c[4] = {};
  ptx_mma_tf32(c, a, b);
  for (int i = 0; i < 4; ++i) out[(g + i / 2 * 8) * 8 + t * 2 + i % 2] = c[i];
}

// ---- addresses -------------------------------------------------------------------------------------------------

__global__ void write_past(float *out, int bug) {
  out[threadIdx.x + (bug ? 1u : 0u)] = 1;
}
__global__ void write_far(float *out, int bug) {
  out[threadIdx.x + (bug ? 5000u : 0u)] = 1;
}
__global__ void read_past(const float *in, float *out, int bug) {
  out[threadIdx.x] = in[threadIdx.x + (bug ? 1u : 0u)] * 0;
}
__global__ void read_freed(const float *in, float *out, int bug) {
  out[threadIdx.x] = bug ? in[threadIdx.x] : 0;
}
__global__ void read_host(const float *in, float *out, int bug) {
  out[threadIdx.x] = bug ? in[threadIdx.x] : 0;
}

__global__ void past_static(float *out, int bug) {
  __shared__ float before[kThreads], after[kThreads];
  const int t = static_cast<int>(threadIdx.x);
  before[t + (bug ? 1 : 0)] = static_cast<float>(t);
  after[t] = static_cast<float>(t);
  __syncthreads();
  out[t] = before[t % 2 + 1] - before[t % 2 + 1] + after[t];
}

__global__ void past_dynamic(float *out, int bug) {
  VISE_DYNAMIC_SHARED(float, tile);
  const int t = static_cast<int>(threadIdx.x);
  tile[t] = static_cast<float>(t);
  if (t == 0 && bug) tile[kThreads + 2] = 1;
  out[t] = tile[t];
}

__global__ void misaligned(float *out, int bug) {
  if (threadIdx.x < 8) *reinterpret_cast<float4 *>(out + 4 * threadIdx.x + (bug ? 2 : 0)) = make_float4(1, 2, 3, 4);
}

// ---- between blocks ----------------------------------------------------------------------------------------------

__global__ void grid_neighbours(float *part, float *out, int bug) {
  const auto grid = cg::this_grid();
  const unsigned n = gridDim.x, b = blockIdx.x;
  if (threadIdx.x == 0) part[b] = static_cast<float>(b);
  if (bug) {
    __syncthreads();
  } else {
    grid.sync();
  }
  if (threadIdx.x == 1) out[b] = part[(b + 1) % n] + part[(b + n - 1) % n];
}

__global__ void grid_sync_alone(float *out, int bug) {
  if (bug) cg::this_grid().sync();
  if (threadIdx.x == 0) out[blockIdx.x] = 1;
}

// A team that meets at a counter; without its wait or without the order that a release gives.
__global__ void team_neighbours(float *part, unsigned *arrived, float *out, int no_wait, int no_release) {
  const unsigned n = gridDim.x, b = blockIdx.x;
  part[b * blockDim.x + threadIdx.x] = static_cast<float>(b);
  __syncthreads();
  if (threadIdx.x == 0) {
    emu::atomic_rmw(arrived, no_release ? emu::kRelaxed : emu::kRelease, [](unsigned old) { return old + 1; });
    while (!no_wait && emu::atomic_load(arrived, emu::kAcquire) != n) __nanosleep(20);
  }
  __syncthreads();
  out[b * blockDim.x + threadIdx.x] =
      part[(b + 1) % n * blockDim.x + threadIdx.x] + part[(b + n - 1) % n * blockDim.x + threadIdx.x];
}

// The same with CUDA's fences around relaxed atomics and a volatile spin.
__global__ void fenced_neighbours(float *part, unsigned *arrived, float *out, int bug) {
  const unsigned n = gridDim.x, b = blockIdx.x;
  part[b * blockDim.x + threadIdx.x] = static_cast<float>(b);
  __syncthreads();

  if (threadIdx.x == 0) {
    if (!bug) __threadfence();
    atomicAdd(arrived, 1u);
    while (*static_cast<volatile unsigned *>(arrived) != n) __nanosleep(20);
    __threadfence();
  }

  __syncthreads();
  out[b * blockDim.x + threadIdx.x] = part[(b + 1) % n * blockDim.x + threadIdx.x];
}

__global__ void same_cell(float *out, int bug) {
  if (threadIdx.x == 0) out[bug ? 0 : blockIdx.x] = 1;
  if (bug && threadIdx.x == 0 && blockIdx.x > 0) out[blockIdx.x] = 1;
}

__global__ void spin_for_ever(unsigned *flag, float *out, int bug) {
  if (threadIdx.x == 0) {
    while (bug && emu::atomic_load(flag, emu::kAcquire) != 7) __nanosleep(20);
  }
  if (threadIdx.x == 0) out[blockIdx.x] = 1;
}

__global__ void never_ends(volatile int *count, float *out, int bug) {
  while (bug) *count = *count + 1;
  if (threadIdx.x == 0) out[blockIdx.x] = 1;
}

__global__ void team_misses_one(float *out, int bug) {
  const auto grid = cg::this_grid();
  if (threadIdx.x == 0) out[blockIdx.x] = 1;
  if (!bug || blockIdx.x != 2) grid.sync();
}

// Not all resident at once: a spin on a block that has not started.
__global__ void waits_for_last(unsigned *flag, float *out, int bug) {
  if (blockIdx.x + 1 == gridDim.x && threadIdx.x == 0) emu::atomic_store(flag, 1u, emu::kRelease);
  if (bug && blockIdx.x == 0 && threadIdx.x == 0) {
    while (emu::atomic_load(flag, emu::kAcquire) == 0) __nanosleep(20);
  }
  if (threadIdx.x == 0) out[blockIdx.x] = 1;
}

__global__ void cluster_neighbours(float *out, int no_first, int no_last) {
  __shared__ float part;
  const auto cluster = cg::this_cluster();
  const unsigned n = cluster.num_blocks(), r = cluster.block_rank();
  if (threadIdx.x == 0) part = static_cast<float>(r);
  if (!no_first) cluster.sync();
  if (threadIdx.x == 0) {
    out[blockIdx.x] = *cluster.map_shared_rank(&part, (r + 1) % n) + *cluster.map_shared_rank(&part, (r + n - 1) % n);
  }
  if (!no_last) cluster.sync();
}

// ---- running them ------------------------------------------------------------------------------------------------

template <class F>
int judge(cudaError_t error, Buffer<float> &out, size_t n, F expected) {
  if (error != cudaSuccess) return 2;
  for (size_t i = 0; i < n; ++i) {
    if (!(out[i] == expected(static_cast<int>(i)))) return 1;
  }
  return 0;
}
float one(int) {
  return 1;
}
float zero(int) {
  return 0;
}
float same(int i) {
  return static_cast<float>(i);
}
float around(int b, int n) {
  return static_cast<float>((b + 1) % n + (b + n - 1) % n);
}

using Simple = void (*)(float *, int);
template <Simple K, class F>
int in_block(int bug, F expected, size_t shared = 0) {
  Buffer<float> out(kThreads);
  Shape shape = {dim3(1), dim3(kThreads)};
  shape.shared = shared;
  return judge(emu::run(shape, K, out.get(), bug), out, kThreads, expected);
}
using Reading = void (*)(const float *, float *, int);
template <Reading K, class F>
int from_buffer(int bug, size_t n_in, size_t n_out, F expected) {
  Buffer<float> in(n_in), out(n_out);
  for (size_t i = 0; i < n_in; ++i) in[i] = static_cast<float>(i);
  const float *const input = in.get();
  return judge(emu::run({dim3(1), dim3(kThreads)}, K, input, out.get(), bug), out, n_out, expected);
}
Shape blocks(bool cooperative, unsigned cluster = 1) {
  Shape shape = {dim3(kBlocks), dim3(64), dim3(cluster)};
  shape.cooperative = cooperative;
  return shape;
}

int run_neighbours(int bug) {
  return in_block<neighbours>(
      bug, [](int t) { return static_cast<float>((t + 33) % kThreads + (t + kThreads - 33) % kThreads); });
}
int run_reuse(int bug) {
  return in_block<reuse>(bug, [](int t) { return t + 1 < kThreads ? static_cast<float>((t + 1) * 40 + 6) : 0; });
}
int run_async(int bug) {
  return from_buffer<copy_pieces>(bug, kThreads * 8, kThreads * 4, [](int i) {
    return static_cast<float>(i + kThreads * 4 + (i + 40) % (kThreads * 4));
  });
}
int run_bulk(int bug) {
  return from_buffer<bulk_piece>(bug, kThreads, kThreads, same);
}
int run_syncwarp(int bug) {
  return in_block<exchange_in_warp>(bug, [](int t) { return t < 32 ? static_cast<float>(t ^ 1) : 0; });
}
int run_divergent_barrier(int bug) {
  return in_block<divergent_barrier>(bug, one);
}
int run_barrier_of_some(int bug) {
  return in_block<barrier_of_some>(bug, one);
}
int run_divergent_shuffle(int bug) {
  return in_block<divergent_shuffle>(bug, [](int t) { return static_cast<float>(t ^ 16); });
}
int run_exited_lane(int bug) {
  return in_block<exited_lane>(bug, [](int t) { return t % 32 == 5 ? -1.0f : static_cast<float>(t / 32 * 32 + 3); });
}
int run_outside_mask(int bug) {
  return in_block<caller_outside_mask>(bug, one);
}
int run_unwritten(int bug) {
  return in_block<read_unwritten>(bug, one);
}
int run_fragment(int bug) {
  Buffer<float> out(128);
  return judge(emu::run({dim3(1), dim3(32)}, wrong_fragment, out.get(), bug), out, 128, [](int i) {
    float sum = 0;
    for (int k = 0; k < 8; ++k) sum += static_cast<float>((i / 8 + k) * (k - i % 8));
    return sum;
  });
}
int run_write_past(int bug) {
  return in_block<write_past>(bug, one);
}
int run_write_far(int bug) {
  return in_block<write_far>(bug, one);
}
int run_read_past(int bug) {
  return from_buffer<read_past>(bug, kThreads, kThreads, zero);
}
int run_freed(int bug) {
  auto *gone = static_cast<float *>(emu::memory_allocate(kThreads * sizeof(float)));
  emu::memory_free(gone);
  Buffer<float> out(kThreads);
  const float *const input = gone;
  return judge(emu::run({dim3(1), dim3(kThreads)}, read_freed, input, out.get(), bug), out, kThreads, zero);
}
int run_host_pointer(int bug) {
  std::vector<float> host(kThreads);
  Buffer<float> out(kThreads);
  const float *const input = host.data();
  return judge(emu::run({dim3(1), dim3(kThreads)}, read_host, input, out.get(), bug), out, kThreads, zero);
}
int run_past_static(int bug) {
  return in_block<past_static>(bug, same);
}
int run_past_dynamic(int bug) {
  return in_block<past_dynamic>(bug, same, kThreads * sizeof(float));
}
int run_misaligned(int bug) {
  Buffer<float> out(kThreads, 0.0f);
  return judge(emu::run({dim3(1), dim3(kThreads)}, misaligned, out.get(), bug), out, 32,
               [](int i) { return static_cast<float>(i % 4 + 1); });
}
int run_grid(int bug) {
  Buffer<float> part(kBlocks), out(kBlocks);
  return judge(emu::run(blocks(true), grid_neighbours, part.get(), out.get(), bug), out, kBlocks,
               [](int b) { return around(b, kBlocks); });
}
int run_grid_alone(int bug) {
  Buffer<float> out(kBlocks);
  return judge(emu::run(blocks(false), grid_sync_alone, out.get(), bug), out, kBlocks, one);
}
int run_team(int no_wait, int no_release) {
  Buffer<float> part(kBlocks * 64), out(kBlocks * 64);
  Buffer<unsigned> arrived(1, 0u);
  return judge(emu::run(blocks(true), team_neighbours, part.get(), arrived.get(), out.get(), no_wait, no_release), out,
               kBlocks * 64, [](int i) { return around(i / 64, kBlocks); });
}
int run_team_wait(int bug) {
  return run_team(bug, 0);
}
int run_team_release(int bug) {
  return run_team(0, bug);
}
int run_fence(int bug) {
  Buffer<float> part(kBlocks * 64), out(kBlocks * 64);
  Buffer<unsigned> arrived(1, 0u);
  return judge(emu::run(blocks(true), fenced_neighbours, part.get(), arrived.get(), out.get(), bug), out, kBlocks * 64,
               [](int i) { return static_cast<float>((i / 64 + 1) % kBlocks); });
}
int run_same_cell(int bug) {
  Buffer<float> out(kBlocks);
  return judge(emu::run(blocks(false), same_cell, out.get(), bug), out, kBlocks, one);
}
int run_spin(int bug) {
  Buffer<float> out(kBlocks);
  Buffer<unsigned> flag(1, 0u);
  return judge(emu::run(blocks(true), spin_for_ever, flag.get(), out.get(), bug), out, kBlocks, one);
}
int run_never_ends(int bug) {
  emu::settings().stuck_seconds = 0.2;
  Buffer<float> out(kBlocks);
  Buffer<int> count(1, 0);
  return judge(emu::run(blocks(true), never_ends, static_cast<volatile int *>(count.get()), out.get(), bug), out,
               kBlocks, one);
}
int run_misses_one(int bug) {
  Buffer<float> out(kBlocks);
  return judge(emu::run(blocks(true), team_misses_one, out.get(), bug), out, kBlocks, one);
}
int run_not_resident(int bug) {
  Buffer<float> out(1000);
  Buffer<unsigned> flag(1, 0u);
  Shape shape = {dim3(1000), dim3(2)};
  return judge(emu::run(shape, waits_for_last, flag.get(), out.get(), bug), out, 1000, one);
}
int run_cluster(int no_first, int no_last) {
  Buffer<float> out(kBlocks);
  return judge(emu::run(blocks(false, kBlocks), cluster_neighbours, out.get(), no_first, no_last), out, kBlocks,
               [](int b) { return around(b, kBlocks); });
}
int run_cluster_first(int bug) {
  return run_cluster(bug, 0);
}
int run_cluster_last(int bug) {
  return run_cluster(0, bug);
}

}  // namespace

extern "C" const bug bugs[] = {
    {"missing __syncthreads", run_neighbours, "?", kAllBuilds, kAllSchedules},
    {"buffer reused without a barrier", run_reuse, "?", kPlain | kAsan, kReverse | kRandom},
    {"buffer reused without a barrier, as a race", run_reuse, "?", kRace, kAllSchedules},
    {"missing cp.async wait", run_async, "never waited for", kAllBuilds, kAllSchedules},
    {"missing mbarrier wait", run_bulk, "in flight", kAllBuilds, kAllSchedules},
    {"missing __syncwarp", run_syncwarp, "?", kAllBuilds, kAllSchedules},
    {"divergent barrier", run_divergent_barrier, "divergent barrier", kAllBuilds, kAllSchedules},
    {"barrier that some threads skip", run_barrier_of_some, "divergent barrier", kAllBuilds, kAllSchedules},
    {"divergent shuffle", run_divergent_shuffle, "__shfl_xor_sync: lane", kAllBuilds, kAllSchedules},
    {"exited lane in a mask", run_exited_lane, "exited", kAllBuilds, kAllSchedules},
    {"caller outside its mask", run_outside_mask, "is not in its mask", kAllBuilds, kAllSchedules},
    {"unwritten shared memory", run_unwritten, "?", kAllBuilds, kAllSchedules},
    {"wrong mma fragment", run_fragment, "?", kAllBuilds, kAllSchedules},
    {"global write just past the end", run_write_past, "past the end", kAllBuilds, kAllSchedules},
    {"global write far past the end", run_write_far, "llocat", kAllBuilds, kAllSchedules},
    {"global read just past the end", run_read_past, "past the end", kAsan | kRace, kAllSchedules},
    {"read of freed memory", run_freed, "freed memory", kAllBuilds, kAllSchedules},
    {"pointer to host memory", run_host_pointer, "memory of the host", kRace, kAllSchedules},
    {"write past a static shared array", run_past_static, "?", kAsan, kAllSchedules},
    {"write past dynamic shared memory", run_past_dynamic, "shared memory", kAllBuilds, kAllSchedules},
    {"misaligned vector access", run_misaligned, "misaligned", kAllBuilds, kAllSchedules},
    {"missing grid barrier", run_grid, "?", kAllBuilds, kAllSchedules},
    {"grid barrier in a plain launch", run_grid_alone, "not cooperative", kAllBuilds, kAllSchedules},
    {"missing team wait", run_team_wait, "?", kAllBuilds, kAllSchedules},
    {"missing release", run_team_release, "?", kRace, kAllSchedules},
    {"missing fence", run_fence, "?", kRace, kAllSchedules},
    {"the same cell from two blocks", run_same_cell, "?", kRace, kAllSchedules},
    {"endless spin", run_spin, "spin", kAllBuilds, kAllSchedules},
    {"loop that never waits", run_never_ends, "runs on", kAllBuilds, kAllSchedules},
    {"grid barrier that a block skips", run_misses_one, "deadlock", kAllBuilds, kAllSchedules},
    {"spin on a block that is not resident", run_not_resident, "spin", kAllBuilds, kForward},
    {"missing cluster barrier before reading", run_cluster_first, "?", kAllBuilds, kAllSchedules},
    {"missing cluster barrier before the end", run_cluster_last, "ended", kAllBuilds, kReverse},
};
extern "C" const int n_bugs = static_cast<int>(sizeof bugs / sizeof *bugs);
extern "C" const char *bug_report(void) {
  return emu::device_report().c_str();
}
