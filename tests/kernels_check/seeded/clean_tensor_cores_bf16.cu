// passes
// What mixed precision uses: matrix products, asynchronous copies, ldmatrix.
#include "kernels/ptx.cuh"

extern "C" __global__ void __launch_bounds__(32) clean_tensor_cores_bf16(const float *in, float *out) {
  __shared__ __align__(128) float tile[32 * 4];
  ptx_cp_async_16(tile + 4 * threadIdx.x, in + 4 * threadIdx.x, 16);
  ptx_cp_async_commit();
  ptx_cp_async_wait(0);
  __syncwarp();

  uint32_t a[4];
  ptx_ldmatrix_x4(a, tile + 4 * threadIdx.x);
  const uint32_t b[2] = {ptx_bf16x2(tile[threadIdx.x], tile[threadIdx.x + 32]), ptx_tf32(tile[threadIdx.x])};
  float d[4] = {0, 0, 0, 0};

  ptx_mma_bf16(d, a, b);
  ptx_mma_tf32(d, a, b);

  for (int i = 0; i < 4; i++) out[4 * threadIdx.x + i] = d[i];
}
