/* Transposition by blocks of 8 x 8 floats in registers; the including file defines TRANSPOSE, the name of the function. */
#include "host/base/loops.h"
#include "host/product/kernels.h"

typedef float eight __attribute__((vector_size(32)));
typedef float loose_eight __attribute__((vector_size(32), aligned(sizeof(float)), may_alias));

VISE_I_INLINE void transpose_block(const float *from, size_t from_row, float *to, size_t to_row) {
  eight a[8], b[8], c[8];
  for (int i = 0; i < 8; i++) a[i] = *(const loose_eight *)(from + (size_t)i * from_row);

  /* Pairs of rows, then of pairs, within halves of the vectors; then the halves. */
  for (int i = 0; i < 8; i += 2) {
    b[i] = __builtin_shufflevector(a[i], a[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
    b[i + 1] = __builtin_shufflevector(a[i], a[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
  }
  for (int i = 0; i < 8; i += 4) {
    c[i] = __builtin_shufflevector(b[i], b[i + 2], 0, 1, 8, 9, 4, 5, 12, 13);
    c[i + 1] = __builtin_shufflevector(b[i], b[i + 2], 2, 3, 10, 11, 6, 7, 14, 15);
    c[i + 2] = __builtin_shufflevector(b[i + 1], b[i + 3], 0, 1, 8, 9, 4, 5, 12, 13);
    c[i + 3] = __builtin_shufflevector(b[i + 1], b[i + 3], 2, 3, 10, 11, 6, 7, 14, 15);
  }
  for (int i = 0; i < 4; i++) {
    a[i] = __builtin_shufflevector(c[i], c[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
    a[i + 4] = __builtin_shufflevector(c[i], c[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
  }

  for (int i = 0; i < 8; i++) *(loose_eight *)(to + (size_t)i * to_row) = a[i];
}

void TRANSPOSE(size_t m, size_t n, const float *from, size_t from_row, float *to, size_t to_row) {
  const size_t whole_m = m / 8 * 8, whole_n = n / 8 * 8;

  for (size_t i = 0; i < whole_m; i += 8) {
    for (size_t j = 0; j < whole_n; j += 8) {
      transpose_block(from + i * from_row + j, from_row, to + j * to_row + i, to_row);
    }
  }

  for (size_t i = 0; i < m; i++) {
    for (size_t j = i < whole_m ? whole_n : 0; j < n; j++) to[j * to_row + i] = from[i * from_row + j];
  }
}
