#define VECTOR_BYTES 32

#define TRANSPOSE vise_i_transpose_f32_avx2
#include "host/product/transpose.h"

#define SPARSE vise_i_multiply_sparse_avx2
#include "host/product/sparse.h"

#define LIST_BYTES vise_i_list_bytes_avx2
#define LIST_FLOATS vise_i_list_floats_avx2
#define TRANSPOSE_BYTES vise_i_transpose_bytes_avx2
#include "host/product/list.h"

#define REAL float
#define VECTORS 2
#define PRODUCT vise_i_product_f32
#define MULTIPLY vise_i_multiply_f32_avx2
#include "host/product/kernel.h"
