/*
 * Matrix products and transposition for the CPU backends. Every element of a product is one chain of multiply-adds
 * (fused where the processor can) in ascending order of the inner dimension, so its bits depend on its own row of A and
 * column of B alone: not on the other sizes, on how a product is cut into parts, or on threads.
 *   kernel.h      the tile that does the arithmetic, its blocking and packing
 *   sparse.h      where most of A is zero
 *   list.h        what of A is not
 *   transpose.h
 *   ahead.h       what is read soon is asked for meanwhile
 *   f32_*.c, f64_*.c   compile these for each set of instructions
 *   product.c     chooses among them by what the processor has
 */
#ifndef VISE_I_PRODUCT_H
#define VISE_I_PRODUCT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/product/ahead.h"

/* Where the elements of a matrix lie: (i, j) at at[i * row + j * column]. */
typedef struct vise_i_matrix_f32 {
  const float *at;
  size_t row, column;
} vise_i_matrix_f32;

typedef struct vise_i_matrix_f64 {
  const double *at;
  size_t row, column;
} vise_i_matrix_f64;

/* C [m, n] = A [m, k] B [k, n], or with `add` the chains go on from what C holds. C is row-major, its rows c_row apart;
   it overlaps neither A nor B. Fastest where B's columns lie together. */
typedef struct vise_i_product_f32 {
  size_t m, n, k;
  vise_i_matrix_f32 a, b;
  float *c;
  size_t c_row;
  bool add;
  vise_i_ahead *ahead; /* NULL: nothing */
} vise_i_product_f32;

typedef struct vise_i_product_f64 {
  size_t m, n, k;
  vise_i_matrix_f64 a, b;
  double *c;
  size_t c_row;
  bool add;
  vise_i_ahead *ahead; /* NULL: nothing */
} vise_i_product_f64;

void vise_i_multiply_f32(const vise_i_product_f32 *p);
void vise_i_multiply_f64(const vise_i_product_f64 *p);

/* An element of a sparse matrix: the column that it is in, and its value. */
typedef struct vise_i_entry {
  uint32_t at;
  float value;
} vise_i_entry;

/* C [m, n] = A B as above, where A's row i has the entries start[i] .. start[i + 1], by ascending column, and zeros
   elsewhere; B and C are row-major. The bits are those of vise_i_multiply_f32 if B is finite (0 times infinity is not 0),
   but for the sign of zeros after underflow. */
typedef struct vise_i_product_sparse {
  size_t m, n, k;
  const size_t *start; /* [m + 1] */
  const vise_i_entry *entries;
  const float *b;
  size_t b_row;
  float *c;
  size_t c_row;
  bool add;
  vise_i_ahead *ahead; /* NULL: nothing */
} vise_i_product_sparse;

void vise_i_multiply_sparse(const vise_i_product_sparse *p);

/* Rows of bytes: row i at at + rows[i] * stride (rows NULL: at + i * stride). Lists hold up to 2^24 columns. */
typedef struct vise_i_byte_rows {
  const uint8_t *at;
  size_t stride;
  const size_t *rows;
  size_t m, n;
} vise_i_byte_rows;

/* What bytes stand for: table[byte], or, if divisor is not 0, byte / divisor, which is the same. */
typedef struct vise_i_byte_values {
  const float *table; /* [256]; 0 stays 0 */
  float divisor;
} vise_i_byte_values;

enum { VISE_I_LIST_SPARE = 16 }; /* entries after the last one that may be overwritten */

/* What is not zero: of rows of bytes to `to` and start [m + 1], as in vise_i_product_sparse; of n floats to `to`. `to`
   has room for all values and VISE_I_LIST_SPARE more. Returns the end of what was written. */
vise_i_entry *vise_i_list_bytes(const vise_i_byte_rows *rows, const vise_i_byte_values *values, size_t *start,
                                vise_i_entry *to);
vise_i_entry *vise_i_list_floats(const float *x, size_t n, vise_i_entry *to);

/* to [n, m] = rows transposed; rows of `to` are to_row apart, which is at least m, up to a multiple of 16: what is
   after m in it is set to 0. */
void vise_i_transpose_bytes(const vise_i_byte_rows *rows, uint8_t *to, size_t to_row);

/* to [n, m] = from [m, n] transposed; rows are from_row and to_row apart. */
void vise_i_transpose_f32(size_t m, size_t n, const float *from, size_t from_row, float *to, size_t to_row);

/* The instructions in use: "AVX-512", "AVX2", "portable". */
const char *vise_i_product_instructions(void);

#endif
