/*
 * sum_squares_warp_per_group_f32: the sum of squares of a matrix in the canonical order.
 *
 * Formula     sum over i, j of x[i][j]^2, in float64, in the order of kernels/canonical.h.
 * Layout      x row-major, rows `stride` floats apart; groups and sum overlap nothing.
 * Work        a warp takes groups of 32 rows, four rows of a leaf at a time, a lane four neighbours of a row: the sums
 *             of four leaves by shuffles, the cell to shared memory; then the warp adds up its cells. After one exchange
 *             the first CTA adds up the groups.
 * Memory      read 4 bytes an element, a row of a leaf to eight lanes; written 8 bytes a group.
 * Numerics    squares of floats are exact in float64; no float atomics. Bits depend on x and its shape alone.
 * Limits      8192 rows, 8192 columns, 1024 CTAs; all CTAs resident (cooperative launch).
 * Oracle      vise_canonical_squares (kernels/canonical.h), bit for bit.
 */
#include "kernels/exchange.cuh"
#include "kernels/launch.cuh"
#include "kernels/quads.cuh"
#include "kernels/reduce.h"

enum { N_THREADS = 256, N_WARPS = N_THREADS / 32, MAX_SIDE = 8192, MAX_CELLS = MAX_SIDE / VISE_LEAF, MAX_CTAS = 1024 };

/* Sum of the strip of a cell that begins at (row, column), in all lanes. Rows may begin anywhere. */
static __device__ double sum_strip(const vise_k_sum_squares *p, uint32_t row, uint32_t column) {
  float x[4];
  row += vise_quad_row();
  column += vise_quad_column();
  for (uint32_t i = 0; i < 4; i++) {
    const int inside = column + i < p->n_columns && row < p->n_rows;
    x[i] = inside ? p->x[row * p->stride + column + i] : 0.0f;
  }
  return vise_strip_sum(vise_quad_squares(x));
}

static __device__ double sum_group(const vise_k_sum_squares *p, uint32_t group, double *cells) {
  const uint32_t lane = threadIdx.x % 32, n_cells = vise_n_leaves(p->n_columns), first = group * VISE_GROUP_ROWS;

  for (uint32_t cell = 0; cell < n_cells; cell++) {
    double strip = 0; /* lanes 0 to 7 have one each, and so have the next eight */
#pragma unroll 1
    for (uint32_t i = 0; i < VISE_STRIPS; i++) {
      const double sum = sum_strip(p, first + i * VISE_STRIP_ROWS, cell * VISE_LEAF);
      if (lane % VISE_STRIPS == i) strip = sum;
    }

    strip = vise_sum_lanes(strip, VISE_STRIPS);
    if (lane == 0) cells[cell] = strip;
  }

  __syncwarp();
  const double sum = vise_sum_tree_warp(cells, n_cells);
  __syncwarp();
  return sum;
}

extern "C" __global__ void __launch_bounds__(N_THREADS) sum_squares_warp_per_group_f32(vise_k_sum_squares p) {
  __shared__ double cells[N_WARPS][MAX_CELLS];
  __shared__ double values[MAX_CTAS];
  __shared__ uint32_t flags[MAX_CTAS];
  __shared__ double scratch[VISE_TREE_SCRATCH];

  const uint32_t warp = threadIdx.x / 32, n_groups = vise_n_groups(p.n_rows);
  vise_exchange x = vise_exchange_open(&p.exchange, 0, values, flags);

  for (uint32_t group = blockIdx.x * N_WARPS + warp; group < n_groups; group += gridDim.x * N_WARPS) {
    const double sum = sum_group(&p, group, cells[warp]);
    if (threadIdx.x % 32 == 0) p.groups[group] = sum;
  }

  vise_exchange_arrive(&x, blockIdx.x);
  if (blockIdx.x != 0) return;
  vise_exchange_pass(&x);

  const double sum = vise_sum_tree_cta(p.groups, n_groups, scratch);
  if (threadIdx.x == 0) *p.sum = sum;
}
VISE_KERNEL(sum_squares_warp_per_group_f32);

cudaError_t vise_k_sum_squares_run(const vise_k_sum_squares *arguments, cudaStream_t stream) {
  vise_k_sum_squares p = *arguments;
  if (p.n_rows == 0 || p.n_columns == 0 || p.n_rows > MAX_SIDE || p.n_columns > MAX_SIDE) return cudaErrorInvalidValue;
  if (p.exchange.n_members == 0 || p.exchange.n_members > MAX_CTAS || p.exchange.n_slots != p.exchange.n_members) {
    return cudaErrorInvalidValue;
  }
  void *pointers[] = {&p};
  return vise_launch((const void *)sum_squares_warp_per_group_f32, {p.exchange.n_members, N_THREADS, 0, 1}, stream,
                     pointers);
}
