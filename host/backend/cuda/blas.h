/*
 * The functions of cuBLASLt that the unfused step calls. Vise is not linked with cuBLAS: the library is loaded when it
 * is needed. When the device is emulated (VISE_I_LINKED_CUBLAS) the functions are those linked in.
 */
#ifndef VISE_I_CUDA_BLAS_H
#define VISE_I_CUDA_BLAS_H

#include <cublasLt.h>

#include "host/base/error.h"

/* What NVIDIA recommends as workspace: since Hopper, and before. */
#define VISE_I_BLAS_WORKSPACE_BYTES ((size_t)32 << 20)
#define VISE_I_BLAS_WORKSPACE_BYTES_BEFORE ((size_t)4 << 20)

/* X(field, function) */
#define VISE_I_BLAS_TABLE(X)                              \
  X(create, cublasLtCreate)                               \
  X(destroy, cublasLtDestroy)                             \
  X(operation_create, cublasLtMatmulDescCreate)           \
  X(operation_destroy, cublasLtMatmulDescDestroy)         \
  X(operation_set, cublasLtMatmulDescSetAttribute)        \
  X(layout_create, cublasLtMatrixLayoutCreate)            \
  X(layout_destroy, cublasLtMatrixLayoutDestroy)          \
  X(preference_create, cublasLtMatmulPreferenceCreate)    \
  X(preference_destroy, cublasLtMatmulPreferenceDestroy)  \
  X(preference_set, cublasLtMatmulPreferenceSetAttribute) \
  X(choose, cublasLtMatmulAlgoGetHeuristic)               \
  X(multiply, cublasLtMatmul)

typedef struct vise_i_blas {
#define X(field, function) __typeof__(&function) field;
  VISE_I_BLAS_TABLE(X)
#undef X
  void *library;           /* NULL: linked in */
  cublasLtHandle_t handle; /* of the device that was current */
} vise_i_blas;

/* VISE_ERR_UNSUPPORTED, with the names tried, if there is no cuBLAS. */
VISE_WARN_UNUSED vise_status vise_i_blas_open(vise_i_blas *out, vise_error *err);
void vise_i_blas_close(vise_i_blas *blas);

/* In a function with `status`, `err` and `done:`. */
#define VISE_I_BLAS_TRY(call) VISE_TRY(vise_i_blas_check((call), #call, err))
VISE_WARN_UNUSED vise_status vise_i_blas_check(cublasStatus_t status, const char *expression, vise_error *err);

#endif
