// Small kernels for the tests of the host half, launched from C by address.
#include <cooperative_groups.h>
#include <cuda_runtime.h>

#include "kernels.h"

static __global__ void add(float *data, int n, float value) {
  const int i = int(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) data[i] += value;
}
VISE_KERNEL(add);

static __global__ void copy_plus(float *to, const float *from, int n, float value) {
  const int i = int(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) to[i] = from[i] + value;
}
VISE_KERNEL(copy_plus);

// Writes at `index`, wherever that is.
static __global__ void poke(float *data, long index) {
  data[index] = 1.0f;
}
VISE_KERNEL(poke);

// Every block counts itself before a grid barrier: out[i] = number of blocks.
static __global__ void meet(int *counts, int *out) {
  if (threadIdx.x == 0) atomicAdd(counts, 1);
  cooperative_groups::this_grid().sync();
  if (threadIdx.x == 0) out[blockIdx.x] = counts[0];
}
VISE_KERNEL(meet);

// A grid barrier, which only a cooperative launch may use.
static __global__ void alone() {
  cooperative_groups::this_grid().sync();
}
VISE_KERNEL(alone);

// out[block] = rank in its cluster * 100 + blocks in the cluster.
static __global__ void ranks(int *out) {
  cooperative_groups::cluster_group cluster = cooperative_groups::this_cluster();
  if (threadIdx.x == 0) out[blockIdx.x] = int(cluster.block_rank() * 100 + cluster.num_blocks());
  cluster.sync();
}
VISE_KERNEL(ranks);

// Passes a value through the last byte of dynamic shared memory.
static __global__ void shared_bytes(int *out, int bytes) {
  VISE_DYNAMIC_SHARED(unsigned char, room);
  room[bytes - 1] = 7;
  __syncthreads();
  out[0] = room[bytes - 1];
}
VISE_KERNEL(shared_bytes);

extern "C" {
const void *const kernel_add = reinterpret_cast<const void *>(&add);
const void *const kernel_copy_plus = reinterpret_cast<const void *>(&copy_plus);
const void *const kernel_poke = reinterpret_cast<const void *>(&poke);
const void *const kernel_meet = reinterpret_cast<const void *>(&meet);
const void *const kernel_alone = reinterpret_cast<const void *>(&alone);
const void *const kernel_ranks = reinterpret_cast<const void *>(&ranks);
const void *const kernel_shared_bytes = reinterpret_cast<const void *>(&shared_bytes);
}
