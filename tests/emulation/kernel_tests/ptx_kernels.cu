#include "kernels/launch.cuh"
#include "kernels/math_f32.cuh"
#include "kernels/philox.cuh"
#include "kernels/ptx.cuh"
#include "tests/emulation/kernel_tests/ptx_kernels.h"

extern "C" __global__ void math_thread_per_element(const float *x, uint32_t n, float *out, uint32_t *draws) {
  const uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;

  out[i * PTX_N_MATH + 0] = vise_exp_f32(x[i]);
  out[i * PTX_N_MATH + 1] = vise_log_f32(x[i]);
  out[i * PTX_N_MATH + 2] = vise_log1p_f32(x[i]);
  out[i * PTX_N_MATH + 3] = vise_tanh_f32(x[i]);
  out[i * PTX_N_MATH + 4] = vise_erf_f32(x[i]);
  out[i * PTX_N_MATH + 5] = vise_sigmoid_f32(x[i]);

  const uint32_t counter[4] = {1, 2, 3, 4};
  uint32_t draw[4];
  vise_philox(i, counter, draw);
  draws[i] = draw[0];
}
VISE_KERNEL(math_thread_per_element);

cudaError_t ptx_test_math(const float *x, uint32_t n, float *out, uint32_t *draws) {
  void *arguments[] = {&x, &n, &out, &draws};
  return vise_launch((const void *)math_thread_per_element, {(n + 127) / 128, 128, 0, 0}, 0, arguments);
}

extern "C" __global__ void copy_async_16(const uint32_t *from, uint32_t *to, uint32_t n_last) {
  __shared__ __align__(16) uint32_t buffers[2][256];
  const uint32_t i = threadIdx.x * 4;

  ptx_cp_async_16(&buffers[0][i], from + i, threadIdx.x == 63 ? n_last : 16);
  ptx_cp_async_commit();

  for (int chunk = 0; chunk < PTX_COPY_CHUNKS; chunk++) {
    if (chunk + 1 < PTX_COPY_CHUNKS) {
      ptx_cp_async_16(&buffers[(chunk + 1) % 2][i], from + 256 * (chunk + 1) + i, threadIdx.x == 63 ? n_last : 16);
    }
    ptx_cp_async_commit();
    ptx_cp_async_wait(1);
    __syncthreads();
    for (int k = 0; k < 4; k++) to[256 * chunk + 64 * k + threadIdx.x] = buffers[chunk % 2][64 * k + threadIdx.x];
    __syncthreads();
  }
}
VISE_KERNEL(copy_async_16);

cudaError_t ptx_test_copy_async(const uint32_t *from, uint32_t *to, uint32_t n_last) {
  void *arguments[] = {&from, &to, &n_last};
  return vise_launch((const void *)copy_async_16, {1, 64, 0, 0}, 0, arguments);
}

extern "C" __global__ void copy_async_4_8(const uint32_t *from, uint32_t *to) {
  __shared__ __align__(16) uint32_t buffer[256];

  for (int chunk = 0; chunk < PTX_COPY_CHUNKS; chunk++) {
    const uint32_t *start = from + 256 * chunk;
    for (uint32_t k = 0; k < 4; k++) {
      const uint32_t i = k * 64 + threadIdx.x;
      if (chunk % 2 == 0) ptx_cp_async_4(&buffer[i], start + i, 4);
      if (chunk % 2 == 1 && i < 128) ptx_cp_async_8(&buffer[2 * i], start + 2 * i, 8);
    }

    ptx_cp_async_commit();
    ptx_cp_async_wait(0);
    __syncthreads();
    for (int k = 0; k < 4; k++) to[256 * chunk + 64 * k + threadIdx.x] = buffer[64 * k + threadIdx.x];
    __syncthreads();
  }
}
VISE_KERNEL(copy_async_4_8);

cudaError_t ptx_test_copy_async_small(const uint32_t *from, uint32_t *to) {
  void *arguments[] = {&from, &to};
  return vise_launch((const void *)copy_async_4_8, {1, 64, 0, 0}, 0, arguments);
}

extern "C" __global__ void copy_bulk(const uint32_t *from, uint32_t *to) {
  __shared__ __align__(128) uint32_t buffers[2][256];
  __shared__ __align__(8) uint64_t barriers[2];

  if (threadIdx.x == 0) {
    for (int i = 0; i < 2; i++) ptx_mbarrier_init(&barriers[i], 1);
    ptx_mbarrier_fence_init();
    for (int i = 0; i < 2; i++) {
      ptx_mbarrier_arrive_expect(&barriers[i], 1024);
      ptx_bulk_copy(buffers[i], from + 256 * i, 1024, &barriers[i]);
    }
  }

  __syncthreads();
  for (int chunk = 0; chunk < PTX_COPY_CHUNKS; chunk++) {
    const int half = chunk % 2;
    while (!ptx_mbarrier_try_wait(&barriers[half], (uint32_t)(chunk / 2 % 2))) ptx_spin();
    for (int k = 0; k < 4; k++) to[256 * chunk + 64 * k + threadIdx.x] = buffers[half][64 * k + threadIdx.x];
    __syncthreads();

    if (threadIdx.x == 0 && chunk + 2 < PTX_COPY_CHUNKS) {
      ptx_fence_proxy_async();
      ptx_mbarrier_arrive_expect(&barriers[half], 1024);
      ptx_bulk_copy(buffers[half], from + 256 * (chunk + 2), 1024, &barriers[half]);
    }
  }
}
VISE_KERNEL(copy_bulk);

cudaError_t ptx_test_bulk_copy(const uint32_t *from, uint32_t *to) {
  void *arguments[] = {&from, &to};
  return vise_launch((const void *)copy_bulk, {1, 64, 0, 0}, 0, arguments);
}

// Elements of the 16 x 8 result of lane l, as in kernels/ptx.cuh.
static __device__ void store_tile(float *d, const float fragment[4]) {
  const int lane = (int)threadIdx.x, row = lane / 4, column = lane % 4 * 2;
  for (int i = 0; i < 4; i++) d[(row + 8 * (i / 2)) * 16 + column + i % 2] = fragment[i];
}

extern "C" __global__ void mma_bf16_warp(const float *a, const float *b, float *d) {
  __shared__ __align__(128) uint32_t tile_a[16 * 8], tile_b[16 * 8];  // two values to a word, row-major
  const int lane = (int)threadIdx.x;
  for (int i = lane; i < 128; i += 32) {
    tile_a[i] = ptx_bf16x2(a[2 * i], a[2 * i + 1]);
    tile_b[i] = ptx_bf16x2(b[2 * i], b[2 * i + 1]);
  }
  __syncwarp();

  uint32_t fragment_a[4], fragment_b[4];
  ptx_ldmatrix_x4(fragment_a, &tile_a[lane % 16 * 8 + lane / 16 * 4]);
  ptx_ldmatrix_x4_transposed(fragment_b, &tile_b[lane % 16 * 8 + lane / 16 * 4]);

  for (int half = 0; half < 2; half++) {
    float sum[4] = {0, 0, 0, 0};
    ptx_mma_bf16(sum, fragment_a, fragment_b + 2 * half);
    store_tile(d + 8 * half, sum);
  }
}
VISE_KERNEL(mma_bf16_warp);

cudaError_t ptx_test_mma_bf16(const float *a, const float *b, float *d) {
  void *arguments[] = {&a, &b, &d};
  return vise_launch((const void *)mma_bf16_warp, {1, 32, 0, 0}, 0, arguments);
}

extern "C" __global__ void mma_tf32_warp(const float *a, const float *b, float *d) {
  const int group = (int)threadIdx.x / 4, thread = (int)threadIdx.x % 4;

  for (int half = 0; half < 2; half++) {
    float sum[4] = {0, 0, 0, 0};
    for (int k = 0; k < 16; k += 8) {
      uint32_t fragment_a[4], fragment_b[2];
      for (int i = 0; i < 4; i++) {
        fragment_a[i] = ptx_tf32(a[(group + 8 * (i % 2)) * 16 + k + thread + 4 * (i / 2)]);
      }
      for (int i = 0; i < 2; i++) fragment_b[i] = ptx_tf32(b[(k + thread + 4 * i) * 16 + 8 * half + group]);
      ptx_mma_tf32(sum, fragment_a, fragment_b);
    }

    store_tile(d + 8 * half, sum);
  }
}
VISE_KERNEL(mma_tf32_warp);

cudaError_t ptx_test_mma_tf32(const float *a, const float *b, float *d) {
  void *arguments[] = {&a, &b, &d};
  return vise_launch((const void *)mma_tf32_warp, {1, 32, 0, 0}, 0, arguments);
}

extern "C" __global__ void last_cta(uint32_t *counter, uint32_t *flag, uint64_t *values, uint64_t *sum) {
  __shared__ uint32_t before;

  values[blockIdx.x * 32 + threadIdx.x] = 1000 * blockIdx.x + threadIdx.x;
  __syncthreads();
  if (threadIdx.x == 0) before = ptx_atom_acq_rel_gpu_add(counter, 1);
  __syncthreads();

  if (before == gridDim.x - 1) {
    uint64_t total = 0;
    for (uint32_t i = threadIdx.x; i < gridDim.x * 32; i += 32) total += values[i];
    for (int step = 16; step > 0; step /= 2) total += __shfl_xor_sync(0xffffffffu, total, step);
    if (threadIdx.x == 0) {
      sum[0] = total;
      ptx_red_release_gpu_add(counter, 0u - gridDim.x);
    }
  }

  if (threadIdx.x != 0) return;
  if (blockIdx.x == 1) {
    sum[2] = 77;
    ptx_store_release_gpu(flag, 5);
    while (ptx_load_acquire_sys(flag + 1) != 6) ptx_spin();
    sum[4] = sum[3] + 1;
  }
  if (blockIdx.x == 0) {
    while (ptx_load_acquire_gpu(flag) != 5) ptx_spin();
    sum[1] = sum[2];
    sum[3] = 88;
    ptx_store_release_sys(flag + 1, 6);
  }
}
VISE_KERNEL(last_cta);

cudaError_t ptx_test_last_cta(uint32_t *counter, uint32_t *flag, uint64_t *values, uint32_t n_ctas, uint64_t *sum) {
  void *arguments[] = {&counter, &flag, &values, &sum};
  return vise_launch((const void *)last_cta, {n_ctas, 32, 0, 1}, 0, arguments);
}
