/* The functions of kernel.h for each set of instructions. */
#ifndef VISE_I_PRODUCT_KERNELS_H
#define VISE_I_PRODUCT_KERNELS_H

#include "host/product/product.h"

#define VISE_I_PRODUCT_DECLARE(set)                                  \
  void vise_i_multiply_f32_##set(const vise_i_product_f32 *p);       \
  void vise_i_multiply_f64_##set(const vise_i_product_f64 *p);       \
  void vise_i_multiply_sparse_##set(const vise_i_product_sparse *p); \
  void vise_i_transpose_f32_##set(size_t m, size_t n, const float *from, size_t from_row, float *to, size_t to_row);

VISE_I_PRODUCT_DECLARE(portable)
#if defined(__x86_64__)
VISE_I_PRODUCT_DECLARE(avx2)
VISE_I_PRODUCT_DECLARE(avx512)
#endif

#endif
