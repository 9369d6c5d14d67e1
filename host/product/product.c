/* The choice among the sets of instructions. */
#include "host/product/product.h"

#include "host/product/kernels.h"

typedef struct functions {
  const char *name;
  void (*multiply_f32)(const vise_i_product_f32 *p);
  void (*multiply_f64)(const vise_i_product_f64 *p);
  void (*multiply_sparse)(const vise_i_product_sparse *p);
  void (*transpose_f32)(size_t m, size_t n, const float *from, size_t from_row, float *to, size_t to_row);
  vise_i_entry *(*list_bytes)(const vise_i_byte_rows *rows, const vise_i_byte_values *values, size_t *start,
                              vise_i_entry *to);
  vise_i_entry *(*list_floats)(const float *x, size_t n, vise_i_entry *to);
  void (*transpose_bytes)(const vise_i_byte_rows *rows, uint8_t *to, size_t to_row);
} functions;

#define FUNCTIONS(name, set)                                                                                        \
  {                                                                                                                 \
    name, vise_i_multiply_f32_##set, vise_i_multiply_f64_##set, vise_i_multiply_sparse_##set,                       \
        vise_i_transpose_f32_##set, vise_i_list_bytes_##set, vise_i_list_floats_##set, vise_i_transpose_bytes_##set \
  }

static const functions *chosen(void) {
  static const functions portable = FUNCTIONS("portable", portable);
#if defined(__x86_64__)
  static const functions avx2 = FUNCTIONS("AVX2", avx2), avx512 = FUNCTIONS("AVX-512", avx512);
  if (vise_i_has_avx512()) return &avx512;
  if (vise_i_has_avx2()) return &avx2;
#endif
  return &portable;
}

void vise_i_multiply_f32(const vise_i_product_f32 *p) {
  chosen()->multiply_f32(p);
}

void vise_i_multiply_f64(const vise_i_product_f64 *p) {
  chosen()->multiply_f64(p);
}

void vise_i_multiply_sparse(const vise_i_product_sparse *p) {
  chosen()->multiply_sparse(p);
}

void vise_i_transpose_f32(size_t m, size_t n, const float *from, size_t from_row, float *to, size_t to_row) {
  chosen()->transpose_f32(m, n, from, from_row, to, to_row);
}

vise_i_entry *vise_i_list_bytes(const vise_i_byte_rows *rows, const vise_i_byte_values *values, size_t *start,
                                vise_i_entry *to) {
  return chosen()->list_bytes(rows, values, start, to);
}

vise_i_entry *vise_i_list_floats(const float *x, size_t n, vise_i_entry *to) {
  return chosen()->list_floats(x, n, to);
}

void vise_i_transpose_bytes(const vise_i_byte_rows *rows, uint8_t *to, size_t to_row) {
  chosen()->transpose_bytes(rows, to, to_row);
}

const char *vise_i_product_instructions(void) {
  return chosen()->name;
}
