/*
 * Microbenchmarks: see tests/gpu/micro.h.
 *
 * Layout      arrays as stated there, none overlapping.
 * Work        CTAs of 256 threads; exchanges are cooperative launches.
 * Numerics    results are exact: integers, or operations that are rounded as IEEE wants.
 * Limits      clusters and shared memory of other CTAs need sm_90.
 * Oracle      tests/gpu/micro.c computes every result.
 */
#include <cooperative_groups.h>

#include "kernels/exchange.cuh"
#include "kernels/launch.cuh"
#include "tests/gpu/micro.h"

enum { PACKETS = MICRO_WORDS / 3 };

/* ---- exchanges ---- */

typedef struct meeting {
  micro_exchange p;
  uint32_t turn, epoch;
  const uint32_t *flags;
} meeting;

VISE_FN void wait_for(ptx_b128 *slots, uint32_t stride, uint32_t n, uint32_t epoch, int relaxed, uint32_t *sum) {
  for (uint32_t i = threadIdx.x; i < n; i += MICRO_THREADS) {
    ptx_b128 payload;
    do {
      ptx_spin();
      payload = relaxed ? ptx_load_relaxed_gpu_b128(slots + i * stride) : ptx_load_acquire_gpu_b128(slots + i * stride);
    } while ((uint32_t)payload.hi != epoch);
    *sum += (uint32_t)payload.lo;
  }
}

/* One slot for each CTA, as in kernels/exchange.cuh but for the distance of slots and the order of memory. */
VISE_FN void meet_by_slots(const meeting *m, uint32_t stride, int relaxed, uint32_t *sum) {
  ptx_b128 *set = (ptx_b128 *)m->p.slots + (size_t)(m->epoch & 1) * m->p.n_ctas * PACKETS;
  __syncthreads();

  if (threadIdx.x == 0) {
    const ptx_b128 payload = {micro_word(m->turn, blockIdx.x, 0), m->epoch};
    if (relaxed) {
      ptx_fence_acq_rel_gpu();
      ptx_store_relaxed_gpu_b128(set + blockIdx.x * stride, payload);
    } else {
      ptx_store_release_gpu_b128(set + blockIdx.x * stride, payload);
    }
  }

  wait_for(set, stride, m->p.n_ctas, m->epoch, relaxed, sum);
  if (relaxed) ptx_fence_acq_rel_gpu();
  __syncthreads();
}

VISE_FN void meet_by_packets(const meeting *m, uint32_t *sum) {
  ptx_b128 *set = (ptx_b128 *)m->p.slots + (size_t)(m->epoch & 1) * m->p.n_ctas * PACKETS;
  const uint32_t n = m->p.n_ctas * PACKETS;
  __syncthreads(); /* all packets of the last round are read */

  if (threadIdx.x < PACKETS) {
    uint32_t w[3];
    for (uint32_t i = 0; i < 3; i++) w[i] = micro_word(m->turn, blockIdx.x, 3 * threadIdx.x + i);
    const ptx_b128 packet = {(uint64_t)w[1] << 32 | w[0], (uint64_t)w[2] << 32 | m->epoch};
    ptx_store_relaxed_gpu_b128(set + blockIdx.x * PACKETS + threadIdx.x, packet);
  }

  for (uint32_t i = threadIdx.x; i < n; i += MICRO_THREADS) {
    ptx_b128 packet;
    do {
      ptx_spin();
      packet = ptx_load_relaxed_gpu_b128(set + i);
    } while ((uint32_t)packet.hi != m->epoch);
    *sum += (uint32_t)packet.lo + (uint32_t)(packet.lo >> 32) + (uint32_t)(packet.hi >> 32);
  }
}

VISE_FN void meet_by_exchange(const meeting *m, vise_exchange *x, int data, int ordered, uint32_t *sum) {
  uint32_t *words = m->p.words + (size_t)(m->epoch & 1) * m->p.n_ctas * MICRO_WORDS;
  if (data && threadIdx.x < MICRO_WORDS) {
    words[blockIdx.x * MICRO_WORDS + threadIdx.x] = micro_word(m->turn, blockIdx.x, threadIdx.x);
  }

  __syncthreads();
  if (threadIdx.x == 0) vise_exchange_publish(x, blockIdx.x, 0.0, micro_word(m->turn, blockIdx.x, 0), ordered);
  vise_exchange_wait(x, ordered);

  if (data) {
    for (uint32_t i = threadIdx.x; i < m->p.n_ctas * MICRO_WORDS; i += MICRO_THREADS) *sum += words[i];
  } else {
    for (uint32_t i = threadIdx.x; i < m->p.n_ctas; i += MICRO_THREADS) *sum += m->flags[i];
  }
}

VISE_FN void meet_rounds(const micro_exchange *p, micro_way way) {
  __shared__ double values[MICRO_MOST_CTAS];
  __shared__ uint32_t flags[MICRO_MOST_CTAS];
  __shared__ uint32_t total;

  vise_k_exchange given = vise_k_exchange();
  given.slots = p->slots;
  given.n_slots = given.n_members = p->n_ctas;
  given.first_epoch = p->first_epoch;
  vise_exchange x = vise_exchange_open(&given, 0, values, flags);

  meeting m;
  m.p = *p;
  m.flags = flags;
  uint32_t sum = 0;
  if (threadIdx.x == 0) total = 0;
  const long long began = clock64();

#pragma unroll 1
  for (m.turn = 0; m.turn < p->n_rounds; m.turn++) {
    m.epoch = p->first_epoch + m.turn;
    if (way == MICRO_NOW || way == MICRO_NOW_DATA) meet_by_exchange(&m, &x, way == MICRO_NOW_DATA, 1, &sum);
    if (way == MICRO_PAYLOADS) meet_by_exchange(&m, &x, 0, 0, &sum);
    if (way == MICRO_STRIDED) meet_by_slots(&m, 2, 0, &sum);
    if (way == MICRO_RELAXED) meet_by_slots(&m, 1, 1, &sum);
    if (way == MICRO_PACKETS) meet_by_packets(&m, &sum);
  }

  __syncthreads();
  if (threadIdx.x == 0) p->clocks[blockIdx.x] = (uint64_t)(clock64() - began);
  atomicAdd(&total, sum);
  __syncthreads();
  if (threadIdx.x == 0) p->sums[blockIdx.x] = total;
}

#define EXCHANGE_KERNEL(name, way)                                                        \
  extern "C" __global__ void __launch_bounds__(MICRO_THREADS, 1) name(micro_exchange p) { \
    meet_rounds(&p, way);                                                                 \
  }                                                                                       \
  VISE_KERNEL(name)
EXCHANGE_KERNEL(micro_exchange_now, MICRO_NOW);
EXCHANGE_KERNEL(micro_exchange_payloads, MICRO_PAYLOADS);
EXCHANGE_KERNEL(micro_exchange_strided, MICRO_STRIDED);
EXCHANGE_KERNEL(micro_exchange_relaxed, MICRO_RELAXED);
EXCHANGE_KERNEL(micro_exchange_now_data, MICRO_NOW_DATA);
EXCHANGE_KERNEL(micro_exchange_packets, MICRO_PACKETS);

cudaError_t micro_run_exchange(const micro_exchange *p, cudaStream_t stream) {
  static const void *const kernels[MICRO_N_WAYS] = {
      (const void *)micro_exchange_now,      (const void *)micro_exchange_payloads,
      (const void *)micro_exchange_strided,  (const void *)micro_exchange_relaxed,
      (const void *)micro_exchange_now_data, (const void *)micro_exchange_packets};
  micro_exchange own = *p;
  if (own.n_ctas < 2 || own.n_ctas > MICRO_MOST_CTAS || own.way >= MICRO_N_WAYS) return cudaErrorInvalidValue;
  void *arguments[] = {&own};
  return vise_launch(kernels[own.way], {own.n_ctas, MICRO_THREADS, 0, 1}, stream, arguments);
}

/* ---- one thing at a time ---- */

VISE_FN void finish(const micro_one *p, long long began, double result) {
  __syncthreads();
  if (threadIdx.x == 0) {
    p->clocks[blockIdx.x] = (uint64_t)(clock64() - began);
    p->results[blockIdx.x] = result;
  }
}

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 900
VISE_FN void cluster_barriers(const micro_one *p) {
  cooperative_groups::cluster_group cluster = cooperative_groups::this_cluster();
  cluster.sync();
  const long long began = clock64();
#pragma unroll 1
  for (uint32_t i = 0; i < p->n; i++) cluster.sync();
  finish(p, began, p->n);
}

/* The shared memory of each CTA is a chain of places that ends where it began, or numbers. */
VISE_FN void remote(const micro_one *p, int latency) {
  VISE_DYNAMIC_SHARED(uint32_t, own);
  cooperative_groups::cluster_group cluster = cooperative_groups::this_cluster();
  for (uint32_t i = threadIdx.x; i < MICRO_REMOTE_WORDS; i += MICRO_THREADS) own[i] = p->from[i];
  cluster.sync();

  const uint32_t *other = cluster.map_shared_rank(own, (cluster.block_rank() + 1) % MICRO_CLUSTER);
  const long long began = clock64();
  uint32_t at = 0, sum = 0;

  if (latency) {
    if (threadIdx.x == 0) {
#pragma unroll 1
      for (uint32_t i = 0; i < p->n; i++) at = other[at];
    }
  } else {
#pragma unroll 1
    for (uint32_t repeat = 0; repeat < p->n; repeat++) {
#pragma unroll
      for (uint32_t i = 0; i < MICRO_REMOTE_WORDS / 4 / MICRO_THREADS; i++) {
        const uint4 v = ((const uint4 *)other)[i * MICRO_THREADS + threadIdx.x];
        sum += v.x + v.y + v.z + v.w;
      }
    }
  }

  finish(p, began, latency ? (double)at : (double)__reduce_add_sync(0xffffffffu, sum));
  cluster.sync(); /* the neighbour has read */
}
#else
VISE_FN void cluster_barriers(const micro_one *) {
  __trap();
}
VISE_FN void remote(const micro_one *, int) {
  __trap();
}
#endif

VISE_FN void fences(const micro_one *p, uint32_t n_stores) {
  const long long began = clock64();
#pragma unroll 1
  for (uint32_t i = 0; i < p->n; i++) {
    for (uint32_t k = 0; k < n_stores; k++) {
      const uint32_t at = ((blockIdx.x % 2 * 4 + k) * MICRO_THREADS + threadIdx.x) * 4;
      *(uint4 *)(p->to + at) = make_uint4(i, i, i, i);
    }
    __syncthreads();
    if (threadIdx.x == 0) ptx_fence_acq_rel_gpu();
    __syncthreads();
  }
  finish(p, began, p->n);
}

VISE_FN void from_l2(const micro_one *p, int latency) {
  uint32_t at = 0, sum = 0;
  const long long began = clock64();

  if (latency) {
    if (threadIdx.x == 0) {
#pragma unroll 1
      for (uint32_t i = 0; i < p->n; i++) at = __ldcg(p->from + at);
    }
  } else {
#pragma unroll 1
    for (uint32_t repeat = 0; repeat < p->n; repeat++) {
#pragma unroll 8
      for (uint32_t i = threadIdx.x; i < MICRO_L2_WORDS / 4; i += MICRO_THREADS) {
        const uint4 v = __ldcg((const uint4 *)p->from + i);
        sum += v.x + v.y + v.z + v.w;
      }
    }
  }

  finish(p, began, latency ? (double)at : (double)__reduce_add_sync(0xffffffffu, sum));
}

VISE_FN void chain(const micro_one *p) {
  double x = 1e300;
  float f = 1e30f;
  const double three = (double)p->n_ctas + 2.0; /* launched with one CTA: 3 */
  const long long began = clock64();

#pragma unroll 1
  for (uint32_t i = 0; i < p->n; i++) {
    if (p->kind == MICRO_F64_SQRT) x = sqrt(x);
    if (p->kind == MICRO_F64_DIVIDE) x = x / three;
    if (p->kind == MICRO_F64_ADD) x = x + three;
    if (p->kind == MICRO_F32_DIVIDE) f = f / (float)three;
  }

  finish(p, began, p->kind == MICRO_F32_DIVIDE ? (double)f : x);
}

VISE_FN void barriers(const micro_one *p) {
  const long long began = clock64();
#pragma unroll 1
  for (uint32_t i = 0; i < p->n; i++) __syncthreads();
  finish(p, began, p->n);
}

#define ONE_KERNEL(name, call)                                                       \
  extern "C" __global__ void __launch_bounds__(MICRO_THREADS, 1) name(micro_one p) { \
    call;                                                                            \
  }                                                                                  \
  VISE_KERNEL(name)
ONE_KERNEL(micro_cluster_barrier, cluster_barriers(&p));
ONE_KERNEL(micro_remote_latency, remote(&p, 1));
ONE_KERNEL(micro_remote_read, remote(&p, 0));
ONE_KERNEL(micro_fence_0, fences(&p, 0));
ONE_KERNEL(micro_fence_1, fences(&p, 1));
ONE_KERNEL(micro_fence_4, fences(&p, 4));
ONE_KERNEL(micro_l2_latency, from_l2(&p, 1));
ONE_KERNEL(micro_l2_read, from_l2(&p, 0));
ONE_KERNEL(micro_chain, chain(&p));
ONE_KERNEL(micro_sync, barriers(&p));

static const void *kernel_of(micro_kind kind) {
  switch (kind) {
    case MICRO_CLUSTER_BARRIER:
      return (const void *)micro_cluster_barrier;
    case MICRO_REMOTE_LATENCY:
      return (const void *)micro_remote_latency;
    case MICRO_REMOTE_READ:
      return (const void *)micro_remote_read;
    case MICRO_FENCE_0:
      return (const void *)micro_fence_0;
    case MICRO_FENCE_1:
      return (const void *)micro_fence_1;
    case MICRO_FENCE_4:
      return (const void *)micro_fence_4;
    case MICRO_L2_LATENCY:
      return (const void *)micro_l2_latency;
    case MICRO_L2_READ:
      return (const void *)micro_l2_read;
    case MICRO_SYNC:
      return (const void *)micro_sync;
    default:
      return (const void *)micro_chain;
  }
}

cudaError_t micro_run_one(const micro_one *p, cudaStream_t stream) {
  micro_one own = *p;
  if (own.kind >= MICRO_N_KINDS) return cudaErrorInvalidValue;
  const int is_remote = own.kind == MICRO_REMOTE_LATENCY || own.kind == MICRO_REMOTE_READ;
  const int is_cluster = is_remote || own.kind == MICRO_CLUSTER_BARRIER;
  void *arguments[] = {&own};

  return vise_launch_clusters(kernel_of(own.kind),
                              {own.n_ctas, MICRO_THREADS, is_remote ? MICRO_REMOTE_WORDS * sizeof(uint32_t) : 0, 0},
                              is_cluster ? MICRO_CLUSTER : 1, stream, arguments);
}

/* ---- shared memory ---- */

VISE_FN uint32_t mixed(uint32_t sum, uint32_t v) {
  return sum ^ v;
}
VISE_FN uint32_t mixed(uint32_t sum, uint2 v) {
  return sum ^ v.x ^ v.y;
}
VISE_FN uint32_t mixed(uint32_t sum, uint4 v) {
  return sum ^ v.x ^ v.y ^ v.z ^ v.w;
}

/* All places move by 16 bytes from one four of loads to the next, which leaves their banks as far apart as they are. */
template <class T>
static __device__ __forceinline__ void read_shared(const micro_shared *p) {
  VISE_DYNAMIC_SHARED(unsigned char, memory);
  __shared__ uint32_t total;
  for (uint32_t i = threadIdx.x; i < MICRO_REMOTE_WORDS; i += MICRO_THREADS) ((uint32_t *)memory)[i] = 2654435761u * i;
  if (threadIdx.x == 0) total = 0;
  __syncthreads();

  const unsigned char *first = memory + threadIdx.x % 32 / p->share % p->n_places * p->stride;
  uint32_t sum = 0;
  const long long began = clock64();

#pragma unroll 1
  for (uint32_t i = 0; i < p->n; i += 4) {
    const unsigned char *at = first + i * 4 % MICRO_SHARED_PART;
    const T a = *(const T *)at, b = *(const T *)(at + MICRO_SHARED_PART);
    const T c = *(const T *)(at + 2 * MICRO_SHARED_PART), d = *(const T *)(at + 3 * MICRO_SHARED_PART);
    sum = mixed(mixed(mixed(mixed(sum, a), b), c), d);
  }

  __syncthreads();
  if (threadIdx.x == 0) *p->clocks = (uint64_t)(clock64() - began);
  atomicAdd(&total, sum);
  __syncthreads();
  if (threadIdx.x == 0) *p->result = total;
}

extern "C" __global__ void __launch_bounds__(MICRO_THREADS, 1) micro_shared_4(micro_shared p) {
  read_shared<uint32_t>(&p);
}
VISE_KERNEL(micro_shared_4);

extern "C" __global__ void __launch_bounds__(MICRO_THREADS, 1) micro_shared_8(micro_shared p) {
  read_shared<uint2>(&p);
}
VISE_KERNEL(micro_shared_8);

extern "C" __global__ void __launch_bounds__(MICRO_THREADS, 1) micro_shared_16(micro_shared p) {
  read_shared<uint4>(&p);
}
VISE_KERNEL(micro_shared_16);

cudaError_t micro_run_shared(const micro_shared *p, cudaStream_t stream) {
  micro_shared own = *p;
  const void *kernel = own.bytes == 4   ? (const void *)micro_shared_4
                       : own.bytes == 8 ? (const void *)micro_shared_8
                                        : (const void *)micro_shared_16;
  void *arguments[] = {&own};
  return vise_launch(kernel, {1, MICRO_THREADS, MICRO_REMOTE_WORDS * sizeof(uint32_t), 0}, stream, arguments);
}

/* ---- code ---- */

/* n / 4 operations on each of four numbers, as straight code of 16 bytes an instruction. */
template <int FIRST, int END>
static __device__ __forceinline__ void straight(float x[4], float factor) {
#pragma unroll
  for (int block = FIRST; block < END; block++) {
#pragma unroll
    for (int i = 0; i < MICRO_CODE_BLOCK; i++) x[i % 4] = fmaf(x[i % 4], factor, MICRO_CODE_ADDEND(block, i));
  }
}

template <int BLOCKS>
static __device__ __forceinline__ void run_straight(uint64_t *clocks, float *results, float factor) {
  float x[4] = {1.0f, 2.0f, 3.0f, 4.0f};
#pragma unroll 1
  for (int pass = 0; pass < 2; pass++) {
    __syncthreads();
    const long long began = clock64();
    /* The compiler unrolls no more than this at a time. */
    straight<0, BLOCKS / 2>(x, factor);
    straight<BLOCKS / 2, BLOCKS>(x, factor);
    __syncthreads();
    if (threadIdx.x == 0) clocks[2 * blockIdx.x + pass] = (uint64_t)(clock64() - began);
  }
  if (threadIdx.x == 0) results[blockIdx.x] = x[0] + x[1] + x[2] + x[3];
}

#define CODE_KERNEL(name, blocks)                                \
  extern "C" __global__ void __launch_bounds__(MICRO_THREADS, 1) \
      name(uint64_t *clocks, float *results, float factor) {     \
    run_straight<blocks>(clocks, results, factor);               \
  }                                                              \
  VISE_KERNEL(name)
CODE_KERNEL(micro_code_0, 2);
CODE_KERNEL(micro_code_1, 8);
CODE_KERNEL(micro_code_2, 32);

cudaError_t micro_run_code(uint32_t size, uint32_t n_ctas, uint64_t *clocks, float *results, cudaStream_t stream) {
  static const void *const kernels[MICRO_CODE_SIZES] = {(const void *)micro_code_0, (const void *)micro_code_1,
                                                        (const void *)micro_code_2};
  float factor = MICRO_CODE_FACTOR;
  void *arguments[] = {&clocks, &results, &factor};
  if (size >= MICRO_CODE_SIZES) return cudaErrorInvalidValue;
  return vise_launch(kernels[size], {n_ctas, MICRO_THREADS, 0, 0}, stream, arguments);
}

/* ---- launches ---- */

extern "C" __global__ void __launch_bounds__(MICRO_THREADS, 1) micro_empty(uint32_t *host, uint32_t value) {
  if (host && blockIdx.x == 0 && threadIdx.x == 0) *(volatile uint32_t *)host = value;
}
VISE_KERNEL(micro_empty);

cudaError_t micro_run_empty(uint32_t n_ctas, uint32_t *host, uint32_t value, cudaStream_t stream) {
  void *arguments[] = {&host, &value};
  return vise_launch((const void *)micro_empty, {n_ctas, MICRO_THREADS, 0, 1}, stream, arguments);
}

extern "C" __global__ void __launch_bounds__(32, 1) micro_spin(uint64_t n_clocks, uint64_t *clocks) {
  const long long began = clock64();
  while ((uint64_t)(clock64() - began) < n_clocks) ptx_spin();
  if (threadIdx.x == 0) *clocks = (uint64_t)(clock64() - began);
}
VISE_KERNEL(micro_spin);

cudaError_t micro_run_spin(uint64_t n_clocks, uint64_t *clocks, cudaStream_t stream) {
  void *arguments[] = {&n_clocks, &clocks};
  return vise_launch((const void *)micro_spin, {1, 32, 0, 0}, stream, arguments);
}
