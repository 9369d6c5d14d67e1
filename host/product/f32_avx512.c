#define VECTOR_BYTES 64

#define TRANSPOSE vise_i_transpose_f32_avx512
#include "host/product/transpose.h"

#define SPARSE vise_i_multiply_sparse_avx512
#include "host/product/sparse.h"

#define LIST_BYTES vise_i_list_bytes_avx512
#define LIST_FLOATS vise_i_list_floats_avx512
#define TRANSPOSE_BYTES vise_i_transpose_bytes_avx512
#include "host/product/list.h"

#define REAL float
#define VECTORS 4
#define PRODUCT vise_i_product_f32
#define MULTIPLY vise_i_multiply_f32_avx512
#include "host/product/kernel.h"
