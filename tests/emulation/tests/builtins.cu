#include <cooperative_groups.h>
#include <cuda_runtime.h>

#include <cmath>
#include <limits>

#include "builtins.h"
#include "run.h"
#include "tally.h"

namespace cg = cooperative_groups;
using emu::Buffer;
using emu::Shape;

namespace {

constexpr unsigned kAll = 0xffffffffu;

__global__ void write_indices(int *out) {
  const int block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  const int thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  const int n_threads = blockDim.x * blockDim.y * blockDim.z;
  __syncthreads();
  out[block * n_threads + thread] = block * 10000 + threadIdx.x * 100 + threadIdx.y * 10 + threadIdx.z;
}

__global__ void vote_in_block(int *out) {
  const int t = static_cast<int>(threadIdx.x);
  out[t * 4] = __syncthreads_count(t % 3 == 0);
  out[t * 4 + 1] = __syncthreads_and(t < 1000);
  out[t * 4 + 2] = __syncthreads_and(t < 7);
  out[t * 4 + 3] = __syncthreads_or(t == 42);
}

template <class T>
__global__ void shuffle_all(T *out) {
  const int t = static_cast<int>(threadIdx.x);
  const T value = static_cast<T>(t * 3 + 1);
  out[t * 6] = __shfl_sync(kAll, value, t * 7 % 32);
  out[t * 6 + 1] = __shfl_up_sync(kAll, value, 3);
  out[t * 6 + 2] = __shfl_down_sync(kAll, value, 5);
  out[t * 6 + 3] = __shfl_xor_sync(kAll, value, 9);
  out[t * 6 + 4] = __shfl_sync(kAll, value, 5, 8);
  out[t * 6 + 5] = __shfl_down_sync(kAll, value, 1, 4);
}

__global__ void vote_in_warp(unsigned *out) {
  const unsigned t = threadIdx.x;
  out[t * 6] = __ballot_sync(kAll, t % 5 == 0);
  out[t * 6 + 1] =
      static_cast<unsigned>(__any_sync(kAll, t == 31)) * 2 + static_cast<unsigned>(__all_sync(kAll, t == 31));
  out[t * 6 + 2] = __match_any_sync(kAll, t % 4);
  int agree = -1;
  out[t * 6 + 3] = __match_all_sync(kAll, t / 32, &agree) & static_cast<unsigned>(-agree);
  const unsigned half = t % 32 < 16 ? 0x0000ffffu : 0xffff0000u;
  out[t * 6 + 4] = __ballot_sync(half, 1);
  out[t * 6 + 5] = __activemask();
}

__global__ void reduce_in_warp(int *out) {
  const int t = static_cast<int>(threadIdx.x);
  out[t * 6] = __reduce_add_sync(kAll, t - 40);
  out[t * 6 + 1] = __reduce_min_sync(kAll, -t);
  out[t * 6 + 2] = __reduce_max_sync(kAll, -t);
  out[t * 6 + 3] = static_cast<int>(__reduce_or_sync(kAll, 1u << (t % 4)));
  out[t * 6 + 4] = static_cast<int>(__reduce_and_sync(kAll, ~(1u << (t % 4))));
  out[t * 6 + 5] = static_cast<int>(__reduce_xor_sync(kAll, static_cast<unsigned>(t)));
}

struct AtomicCells {
  int sum, low, high, subtracted;
  unsigned bits_or, bits_and, bits_xor, wrapped;
  unsigned long long long_sum, long_high;
  float float_sum;
  double double_sum;
  int exchanged;
};
__global__ void use_atomics(AtomicCells *c) {
  const int t = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);

  atomicAdd(&c->sum, t);
  atomicMin(&c->low, -t);
  atomicMax(&c->high, t);
  atomicSub(&c->subtracted, 2);
  atomicOr(&c->bits_or, 1u << (t % 32));
  atomicAnd(&c->bits_and, ~(1u << (t % 8)));
  atomicXor(&c->bits_xor, static_cast<unsigned>(t));
  atomicInc(&c->wrapped, 6u);
  atomicAdd(&c->long_sum, 1ull << 33);
  atomicMax(&c->long_high, static_cast<unsigned long long>(t) << 32);
  atomicAdd(&c->float_sum, 0.5f);
  atomicAdd(&c->double_sum, 0.25);
  atomicExch(&c->exchanged, 7);
}
__global__ void take_turns(unsigned *lock, int *count) {
  while (atomicCAS(lock, 0u, 1u) != 0u) {
  }
  __threadfence();
  *count += 1;
  __threadfence();
  atomicExch(lock, 0u);
}

__global__ void tile_operations(int *out) {
  const auto block = cg::this_thread_block();
  const auto warp = cg::tiled_partition<32>(block);
  const auto eight = cg::tiled_partition<8>(warp);
  const int t = static_cast<int>(block.thread_rank());

  out[t * 6] = eight.shfl_down(t, 1);
  out[t * 6 + 1] = static_cast<int>(eight.ballot(t % 2));
  out[t * 6 + 2] = cg::reduce(eight, t, cg::plus<int>());
  out[t * 6 + 3] = cg::reduce(warp, t, cg::greater<int>());
  out[t * 6 + 4] = static_cast<int>(eight.meta_group_rank() * 100 + eight.thread_rank());
  eight.sync();
  out[t * 6 + 5] = eight.any(t % 8 == 3) * 2 + eight.all(t % 8 == 3);
}

__global__ void rotate_over_grid(int *from, int *to, int rounds) {
  const auto grid = cg::this_grid();
  const int n = static_cast<int>(grid.size()), me = static_cast<int>(grid.thread_rank());
  for (int round = 0; round < rounds; ++round) {
    to[me] = from[(me + blockDim.x + 1) % n];
    grid.sync();
    int *swap = from;
    from = to;
    to = swap;
  }
}

__global__ void sum_over_cluster(int *out, int split) {
  __shared__ int part[64];
  VISE_DYNAMIC_SHARED(int, more);
  const auto cluster = cg::this_cluster();
  const int t = static_cast<int>(threadIdx.x);

  part[t] = static_cast<int>(blockIdx.x) * 100 + t;
  more[t] = -part[t];

  if (split) {
    auto token = cluster.barrier_arrive();
    out[1000 + blockIdx.x * blockDim.x + threadIdx.x] = t;
    cluster.barrier_wait(std::move(token));
  } else {
    cluster.sync();
  }

  int sum = 0;
  for (unsigned r = 0; r < cluster.num_blocks(); ++r) {
    sum += *cluster.map_shared_rank(&part[t], r) * 2 + *cluster.map_shared_rank(&more[t], r);
  }

  out[blockIdx.x * blockDim.x + threadIdx.x] = sum * 10 + static_cast<int>(cluster.block_rank());
  cluster.sync();
}

__global__ void pass_between_halves(int *out) {
  __shared__ int box[32];
  const int t = static_cast<int>(threadIdx.x);

  for (int round = 0; round < 3; ++round) {
    if (t < 32) {
      box[t] = round * 32 + t;
      emu::block_arrive(1, 64);
      emu::block_barrier(2, 64, emu::Vote::kNone, 0, __FILE__, 1);  // one site for both halves
    } else {
      emu::block_barrier(1, 64, emu::Vote::kNone, 0);
      out[round * 32 + 63 - t] = box[63 - t];
      emu::block_barrier(2, 64, emu::Vote::kNone, 0, __FILE__, 1);
    }
  }
}

}  // namespace

int check_indices(void) {
  Tally tally;
  Buffer<int> out(3 * 2 * 2 * 24);
  tally.launched(emu::run({dim3(3, 2, 2), dim3(4, 3, 2)}, write_indices, out.get()));
  for (int i = 0; i < 3 * 2 * 2 * 24; ++i) {
    const int t = i % 24;
    tally.same(out[static_cast<size_t>(i)], i / 24 * 10000 + t % 4 * 100 + t / 4 % 3 * 10 + t / 12);
  }
  return tally.wrong;
}

int check_block_barriers(void) {
  Tally tally;

  for (unsigned n : {1u, 32u, 77u, 256u, 1024u}) {
    Buffer<int> out(n * 4);
    tally.launched(emu::run({dim3(1), dim3(n)}, vote_in_block, out.get()));
    for (unsigned t = 0; t < n; ++t) {
      tally.same(out[t * 4], static_cast<int>((n + 2) / 3));
      tally.same(out[t * 4 + 1], static_cast<int>(n <= 1000));
      tally.same(out[t * 4 + 2], static_cast<int>(n <= 7));
      tally.same(out[t * 4 + 3], static_cast<int>(n > 42));
    }
  }

  return tally.wrong;
}

template <class T>
static int check_shuffles_of() {
  Tally tally;
  Buffer<T> out(64 * 6);
  tally.launched(emu::run({dim3(1), dim3(64)}, shuffle_all<T>, out.get()));

  for (int t = 0; t < 64; ++t) {
    const int lane = t % 32, base = t - lane;
    const auto value = [&](int of) { return static_cast<T>((base + of) * 3 + 1); };
    const int sources[6] = {t * 7 % 32, lane < 3 ? lane : lane - 3, lane + 5 > 31 ? lane : lane + 5,
                            lane ^ 9,   lane / 8 * 8 + 5,           lane % 4 == 3 ? lane : lane + 1};
    for (int i = 0; i < 6; ++i) tally.same(out[static_cast<size_t>(t * 6 + i)], value(sources[i]));
  }

  return tally.wrong;
}
int check_shuffles(void) {
  return check_shuffles_of<int>() + check_shuffles_of<float>() + check_shuffles_of<double>() +
         check_shuffles_of<unsigned long long>();
}

int check_votes(void) {
  Tally tally;
  Buffer<unsigned> out(64 * 6);
  tally.launched(emu::run({dim3(1), dim3(64)}, vote_in_warp, out.get()));

  for (unsigned t = 0; t < 64; ++t) {
    unsigned fives = 0, fours = 0;
    for (unsigned lane = 0; lane < 32; ++lane) {
      if ((t / 32 * 32 + lane) % 5 == 0) fives |= 1u << lane;
      if (lane % 4 == t % 4) fours |= 1u << lane;
    }

    tally.same(out[t * 6], fives);
    tally.same(out[t * 6 + 1], t / 32 == 0 ? 2u : 0u);
    tally.same(out[t * 6 + 2], fours);
    tally.same(out[t * 6 + 3], kAll);
    tally.same(out[t * 6 + 4], t % 32 < 16 ? 0x0000ffffu : 0xffff0000u);
    tally.holds(out[t * 6 + 5] >> (t % 32) & 1);
  }

  return tally.wrong;
}

int check_reductions(void) {
  Tally tally;
  Buffer<int> out(64 * 6);
  tally.launched(emu::run({dim3(1), dim3(64)}, reduce_in_warp, out.get()));

  for (int t = 0; t < 64; ++t) {
    const int base = t / 32 * 32;
    const size_t at = static_cast<size_t>(t) * 6;
    tally.same(out[at], (base - 40) * 32 + 496);
    tally.same(out[at + 1], -base - 31);
    tally.same(out[at + 2], -base);
    tally.same(out[at + 3], 15);
    tally.same(out[at + 4], ~15);
    tally.same(out[at + 5], 0);
  }

  return tally.wrong;
}

int check_atomics(void) {
  Tally tally;
  const int n = 3 * 96;
  AtomicCells start = {};
  start.bits_and = kAll;
  Buffer<AtomicCells> cell(1, start);

  tally.launched(emu::run({dim3(3), dim3(96)}, use_atomics, cell.get()));
  const AtomicCells c = cell[0];

  unsigned exclusive = 0;
  for (int t = 0; t < n; ++t) exclusive ^= static_cast<unsigned>(t);
  tally.same(c.sum, n * (n - 1) / 2);
  tally.same(c.low, -n + 1);
  tally.same(c.high, n - 1);
  tally.same(c.subtracted, -2 * n);
  tally.same(c.bits_or, kAll);
  tally.same(c.bits_and, 0xffffff00u);
  tally.same(c.bits_xor, exclusive);
  tally.same(c.wrapped, static_cast<unsigned>(n % 7));
  tally.same(c.long_sum, static_cast<unsigned long long>(n) << 33);
  tally.same(c.long_high, static_cast<unsigned long long>(n - 1) << 32);
  tally.same(c.float_sum, 0.5f * static_cast<float>(n));
  tally.same(c.double_sum, 0.25 * n);
  tally.same(c.exchanged, 7);

  Buffer<unsigned> lock(1, 0u);
  Buffer<int> count(1, 0);
  tally.launched(emu::run({dim3(2), dim3(64)}, take_turns, lock.get(), count.get()));
  tally.same(count[0], 128);
  return tally.wrong;
}

int check_integers(void) {
  Tally tally;
  uint64_t state = 88172645463325252ull;

  for (int i = 0; i < 2000; ++i) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    const auto a = static_cast<unsigned>(state), b = static_cast<unsigned>(state >> 32);
    tally.same(__umulhi(a, b), static_cast<unsigned>(static_cast<unsigned __int128>(a) * b >> 32));
    tally.same(__umul64hi(state, state * 3),
               static_cast<unsigned long long>(static_cast<unsigned __int128>(state) * (state * 3) >> 64));

    int count = 0, leading = 32, first = 0;
    unsigned reversed = 0;
    for (int bit = 31; bit >= 0; --bit) {
      if (!(a >> bit & 1)) continue;
      ++count;
      if (leading == 32) leading = 31 - bit;
      first = bit + 1;
      reversed |= 1u << (31 - bit);
    }

    tally.same(__popc(a), count);
    tally.same(__clz(static_cast<int>(a)), leading);
    tally.same(__ffs(static_cast<int>(a)), first);
    tally.same(__brev(a), reversed);
    tally.same(__funnelshift_l(a, b, b), b << (b & 31) | (b & 31 ? a >> (32 - (b & 31)) : 0));
    tally.same(__funnelshift_r(a, b, b), a >> (b & 31) | (b & 31 ? b << (32 - (b & 31)) : 0));
    tally.same(__byte_perm(a, b, 0x7531), (a >> 8 & 255) | (a >> 24) << 8 | (b >> 8 & 255) << 16 | b >> 24 << 24);
    tally.same(__float_as_uint(__uint_as_float(a)), a);
  }

  return tally.wrong;
}

int check_conversions(void) {
  Tally tally;
  const float big = 3e9f, nan = std::numeric_limits<float>::quiet_NaN();

  tally.same(__float2int_rn(2.5f), 2);
  tally.same(__float2int_rn(-3.5f), -4);
  tally.same(__float2int_rz(-3.9f), -3);
  tally.same(__float2int_rd(-3.1f), -4);
  tally.same(__float2int_ru(3.1f), 4);
  tally.same(__float2int_rn(big), 2147483647);
  tally.same(__float2int_rn(-big), std::numeric_limits<int>::min());
  tally.same(__float2int_rn(nan), 0);

  tally.same(__float2uint_rn(big), 3000000000u);
  tally.same(__float2uint_rn(-1.0f), 0u);
  tally.same(__float2uint_rn(1e20f), 4294967295u);

  tally.same(__double2ll_rn(1e300), std::numeric_limits<long long>::max());
  tally.same(__double2ll_rn(-2.5), -2ll);

  tally.same(__saturatef(nan), 0.0f);
  tally.same(__saturatef(1.5f), 1.0f);
  tally.same(min(1.0f, nan), 1.0f);
  tally.same(max(nan, 2.0), 2.0);

  tally.same(__fmaf_rn(1.0f + 0x1p-12f, 1.0f + 0x1p-12f, -1.0f), 0x1p-11f + 0x1p-24f);
  tally.same(__fadd_rn(__fmul_rn(1.0f + 0x1p-12f, 1.0f + 0x1p-12f), -1.0f), 0x1p-11f);
  return tally.wrong;
}

int check_tiles(void) {
  Tally tally;
  Buffer<int> out(64 * 6);
  tally.launched(emu::run({dim3(1), dim3(64)}, tile_operations, out.get()));

  for (int t = 0; t < 64; ++t) {
    const size_t at = static_cast<size_t>(t) * 6;
    tally.same(out[at], t % 8 == 7 ? t : t + 1);
    tally.same(out[at + 1], 0xaa);
    tally.same(out[at + 2], t / 8 * 64 + 28);
    tally.same(out[at + 3], t / 32 * 32 + 31);
    tally.same(out[at + 4], t / 8 * 100 + t % 8);
    tally.same(out[at + 5], 2);
  }

  return tally.wrong;
}

int check_grid(void) {
  Tally tally;
  const int n = 8 * 48, rounds = 5;
  Buffer<int> a(n), b(n);
  for (int i = 0; i < n; ++i) a[static_cast<size_t>(i)] = i;
  Shape shape = {dim3(8), dim3(48)};
  shape.cooperative = true;
  tally.launched(emu::run(shape, rotate_over_grid, a.get(), b.get(), rounds));
  for (int i = 0; i < n; ++i) tally.same(b[static_cast<size_t>(i)], (i + rounds * 49) % n);
  return tally.wrong;
}

static int cluster_sums(int split) {
  Tally tally;
  Buffer<int> out(1000 + 8 * 64);
  Shape shape = {dim3(8), dim3(64), dim3(4)};
  shape.shared = 64 * sizeof(int);
  tally.launched(emu::run(shape, sum_over_cluster, out.get(), split));

  for (int block = 0; block < 8; ++block) {
    for (int t = 0; t < 64; ++t) {
      const int first = block / 4 * 4;
      const int sum = 4 * t + 100 * (4 * first + 6);
      tally.same(out[static_cast<size_t>(block * 64 + t)], sum * 10 + block % 4);
    }
  }

  return tally.wrong;
}
int check_cluster(void) {
  return cluster_sums(0);
}
int check_split_cluster_barrier(void) {
  return cluster_sums(1);
}

int check_named_barriers(void) {
  Tally tally;
  Buffer<int> out(96);
  tally.launched(emu::run({dim3(1), dim3(96 - 32)}, pass_between_halves, out.get()));
  for (int i = 0; i < 96; ++i) tally.same(out[static_cast<size_t>(i)], i);
  return tally.wrong;
}
