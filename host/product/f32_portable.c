#define VECTOR_BYTES 16

#define TRANSPOSE vise_i_transpose_f32_portable
#include "host/product/transpose.h"

#define SPARSE vise_i_multiply_sparse_portable
#include "host/product/sparse.h"

#define LIST_BYTES vise_i_list_bytes_portable
#define LIST_FLOATS vise_i_list_floats_portable
#define TRANSPOSE_BYTES vise_i_transpose_bytes_portable
#include "host/product/list.h"

#define REAL float
#define VECTORS 2
#define PRODUCT vise_i_product_f32
#define MULTIPLY vise_i_multiply_f32_portable
#include "host/product/kernel.h"
