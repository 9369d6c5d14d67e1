#define REAL double
#define VECTOR_BYTES 16
#define VECTORS 2
#define PRODUCT vise_i_product_f64
#define MULTIPLY vise_i_multiply_f64_portable
#include "host/product/kernel.h"
