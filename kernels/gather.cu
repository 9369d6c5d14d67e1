/*
 * gather_warp_per_segment_f32: the rows of a batch from the data set, converted to floats and scaled.
 *
 * Formula     out[r][c] = scaled(x[rows[r]][c]); scaled as stated in kernels/gather.h.
 * Layout      rows of x are row_bytes apart, rows of out out_stride floats; out overlaps none of the inputs. No launch
 *             writes x: it is read through the non-coherent path.
 * Work        a warp takes a segment of 512 columns of a row, a lane four neighbours of each 128; where x or out is not
 *             aligned, or a row ends, a lane takes single elements.
 * Memory      read the rows once, coalesced: 4, 16 or 32 bytes a lane; written 16 bytes a lane, coalesced.
 * Numerics    conversion and scaling in float64, rounded once; bytes from the 256 values they can take. The bits are
 *             those of host/backend/cpu/gather.c.
 * Limits      2^32 - 1 rows, 2^31 columns.
 * Oracle      the formula in C, bit for bit (tests/emulation/kernel_tests/kernel_gather.c).
 */
#include "kernels/gather.cuh"
#include "kernels/launch.cuh"

enum { N_THREADS = 256, N_WARPS = N_THREADS / 32, SEGMENT = 512 };
static const unsigned max_ctas = 65535;

extern "C" __global__ void __launch_bounds__(N_THREADS) gather_warp_per_segment_f32(vise_k_gather p) {
  const vise_k_source *s = &p.source;
  const uint32_t lane = threadIdx.x % 32, n_segments = (s->n_columns + (SEGMENT - 1)) / SEGMENT;
  const int vectors = vise_gather_vectors(s) && (uintptr_t)p.out % 16 == 0 && p.out_stride % 4 == 0;
  const uint64_t n_units = (uint64_t)p.n_rows * n_segments;

  for (uint64_t unit = (uint64_t)blockIdx.x * N_WARPS + threadIdx.x / 32; unit < n_units;
       unit += (uint64_t)gridDim.x * N_WARPS) {
    const uint32_t r = (uint32_t)(unit / n_segments), first = (uint32_t)(unit % n_segments) * SEGMENT;
    const uint32_t left = s->n_columns - first, end = first + (left < SEGMENT ? left : (uint32_t)SEGMENT);
    const char *row = (const char *)s->x + (p.rows ? p.rows[r] : (size_t)p.first_row + r) * s->row_bytes;
    float *out = p.out + r * p.out_stride;
    const uint32_t end_vectors = vectors ? first + (end - first) / 4 * 4 : first;

#pragma unroll 4
    for (uint32_t c = first + lane * 4; c < end_vectors; c += 128) *(float4 *)(out + c) = vise_gather_four(s, row, c);
    for (uint32_t c = end_vectors + lane; c < end; c += 32) out[c] = vise_gather_one(s, row, c);
  }
}
VISE_KERNEL(gather_warp_per_segment_f32);

cudaError_t vise_k_gather_run(const vise_k_gather *arguments, cudaStream_t stream) {
  vise_k_gather p = *arguments;
  const uint32_t bytes = vise_gather_element_bytes(p.source.type);
  if ((uintptr_t)p.source.x % bytes != 0 || p.source.row_bytes % bytes != 0) return cudaErrorMisalignedAddress;
  const uint64_t n_units = (uint64_t)p.n_rows * ((p.source.n_columns + (uint64_t)SEGMENT - 1) / SEGMENT);
  if (n_units == 0) return cudaSuccess;
  const uint64_t n_ctas = (n_units + N_WARPS - 1) / N_WARPS;
  void *pointers[] = {&p};
  return vise_launch((const void *)gather_warp_per_segment_f32,
                     {n_ctas < max_ctas ? (unsigned)n_ctas : max_ctas, N_THREADS, 0, 0}, stream, pointers);
}
