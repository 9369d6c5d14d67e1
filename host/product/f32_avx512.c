#define VECTOR_BYTES 64

#define TRANSPOSE vise_i_transpose_f32_avx512
#include "host/product/transpose.h"

#define SPARSE vise_i_multiply_sparse_avx512
#include "host/product/sparse.h"

#define REAL float
#define VECTORS 4
#define PRODUCT vise_i_product_f32
#define MULTIPLY vise_i_multiply_f32_avx512
#include "host/product/kernel.h"
