#define REAL double
#define VECTOR_BYTES 64
#define VECTORS 4
#define PRODUCT vise_i_product_f64
#define MULTIPLY vise_i_multiply_f64_avx512
#include "host/product/kernel.h"
