/* The functions of kernel.h for each set of instructions. */
#ifndef VISE_I_PRODUCT_KERNELS_H
#define VISE_I_PRODUCT_KERNELS_H

#include "host/product/product.h"

#define VISE_I_PRODUCT_DECLARE(set)                                                                                    \
  void vise_i_multiply_f32_##set(const vise_i_product_f32 *p);                                                         \
  void vise_i_multiply_f64_##set(const vise_i_product_f64 *p);                                                         \
  void vise_i_multiply_sparse_##set(const vise_i_product_sparse *p);                                                   \
  void vise_i_transpose_f32_##set(size_t m, size_t n, const float *from, size_t from_row, float *to, size_t to_row);   \
  vise_i_entry *vise_i_list_bytes_##set(const vise_i_byte_rows *rows, const vise_i_byte_values *values, size_t *start, \
                                        vise_i_entry *to);                                                             \
  vise_i_entry *vise_i_list_floats_##set(const float *x, size_t n, vise_i_entry *to);                                  \
  void vise_i_transpose_bytes_##set(const vise_i_byte_rows *rows, uint8_t *to, size_t to_row);

VISE_I_PRODUCT_DECLARE(portable)
#if defined(__x86_64__)
VISE_I_PRODUCT_DECLARE(avx2)
VISE_I_PRODUCT_DECLARE(avx512)

/* Whether the processor has what these are compiled for, x86-64-v3 and v4; by features, as clang 14 asks for no levels. */
static inline bool vise_i_has_avx2(void) {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
         __builtin_cpu_supports("bmi2");
}

static inline bool vise_i_has_avx512(void) {
  return vise_i_has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#endif

#endif
