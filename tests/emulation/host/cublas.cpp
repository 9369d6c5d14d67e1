// The cuBLAS calls that Vise makes, as work in a stream.
#include "tests/emulation/host/matmul.h"
#include "tests/emulation/host/runtime.h"

namespace {

using emu::Matrix;
using emu::Product;
using emu::Round;

bool operation_known(cublasOperation_t operation) {
  return operation == CUBLAS_OP_N || operation == CUBLAS_OP_T || operation == CUBLAS_OP_C;
}

Matrix matrix(const void *data, cudaDataType type, bool transposed, int rows, int columns, int ld, int64_t stride) {
  Matrix m;
  m.data = const_cast<void *>(data);
  m.type = type;
  m.rows = transposed ? columns : rows;
  m.columns = transposed ? rows : columns;
  m.ld = ld;
  m.stride = stride;
  return m;
}

struct Arguments {
  const char *name;
  cublasOperation_t ta, tb;
  int m, n, k;
  const float *alpha;
  const void *a;
  cudaDataType a_type;
  int lda;
  long long stride_a;
  const void *b;
  cudaDataType b_type;
  int ldb;
  long long stride_b;
  const float *beta;
  void *c;
  cudaDataType c_type;
  int ldc;
  long long stride_c;
  int batches;
  Round round;
};

cublasStatus_t gemm(cublasHandle_t handle, const Arguments &g) {
  if (!emu::library_handle_exists(handle)) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (!operation_known(g.ta) || !operation_known(g.tb) || g.m < 0 || g.n < 0 || g.k < 0 || g.batches < 0)
    return CUBLAS_STATUS_INVALID_VALUE;

  const bool ta = g.ta != CUBLAS_OP_N, tb = g.tb != CUBLAS_OP_N;
  const auto at_least = [](int ld, int rows) { return ld >= (rows > 1 ? rows : 1); };
  if (!at_least(g.lda, ta ? g.k : g.m) || !at_least(g.ldb, tb ? g.n : g.k) || !at_least(g.ldc, g.m))
    return CUBLAS_STATUS_INVALID_VALUE;
  if (!g.alpha || !g.beta) return CUBLAS_STATUS_INVALID_VALUE;

  Product p;
  p.name = g.name;
  p.transpose_a = ta;
  p.transpose_b = tb;
  p.a = matrix(g.a, g.a_type, ta, g.m, g.k, g.lda, g.stride_a);
  p.b = matrix(g.b, g.b_type, tb, g.k, g.n, g.ldb, g.stride_b);
  p.c = p.d = matrix(g.c, g.c_type, false, g.m, g.n, g.ldc, g.stride_c);
  p.round = g.round;
  p.batches = g.batches;

  if (handle->pointers == CUBLAS_POINTER_MODE_DEVICE) {
    p.scalars_on_device = true;
    p.device_alpha = g.alpha;
    p.device_beta = g.beta;
  } else {
    p.alpha = *g.alpha;
    p.beta = *g.beta;
  }

  return emu::submit_product(p, handle->stream);
}

Round round_of(const cublasContext &context) {
  return (context.math & 15) == CUBLAS_TF32_TENSOR_OP_MATH ? Round::kTf32 : Round::kNone;
}

// How the inputs enter the multiplication; false: not emulated.
bool round_of(const cublasContext &context, cublasComputeType_t compute, Round *round) {
  switch (compute) {
    case CUBLAS_COMPUTE_32F:
      *round = round_of(context);
      return true;
    case CUBLAS_COMPUTE_32F_PEDANTIC:
      *round = Round::kNone;
      return true;
    case CUBLAS_COMPUTE_32F_FAST_TF32:
      *round = Round::kTf32;
      return true;
    case CUBLAS_COMPUTE_32F_FAST_16BF:
      *round = Round::kBf16;
      return true;
    default:
      return false;
  }
}

cublasStatus_t gemm_ex(cublasHandle_t handle, Arguments g, cublasComputeType_t compute) {
  if (!emu::library_handle_exists(handle)) return CUBLAS_STATUS_NOT_INITIALIZED;
  const bool same = g.a_type == g.b_type && emu::type_known(g.a_type) && emu::type_known(g.c_type);
  if (!same || (g.a_type == CUDA_R_32F && g.c_type != CUDA_R_32F) || !round_of(*handle, compute, &g.round))
    return CUBLAS_STATUS_NOT_SUPPORTED;
  if (g.a_type == CUDA_R_16BF) g.round = Round::kNone;  // already rounded
  return gemm(handle, g);
}

}  // namespace

#define NEED_HANDLE(handle) \
  if (!emu::library_handle_exists(handle)) return CUBLAS_STATUS_NOT_INITIALIZED

extern "C" {

cublasStatus_t cublasCreate_v2(cublasHandle_t *handle) {
  if (!handle) return CUBLAS_STATUS_INVALID_VALUE;
  int devices = 0;
  if (cudaGetDeviceCount(&devices) || emu::sticky_error()) return CUBLAS_STATUS_NOT_INITIALIZED;
  *handle = new cublasContext();
  emu::note_library_handle(*handle);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasDestroy_v2(cublasHandle_t handle) {
  if (!emu::forget_library_handle(handle)) return CUBLAS_STATUS_NOT_INITIALIZED;
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasGetVersion_v2(cublasHandle_t, int *version) {
  if (!version) return CUBLAS_STATUS_INVALID_VALUE;
  *version = CUBLAS_VERSION;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, cudaStream_t stream) {
  NEED_HANDLE(handle);
  handle->stream = stream;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasGetStream_v2(cublasHandle_t handle, cudaStream_t *stream) {
  NEED_HANDLE(handle);
  if (!stream) return CUBLAS_STATUS_INVALID_VALUE;
  *stream = handle->stream;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetWorkspace_v2(cublasHandle_t handle, void *workspace, size_t bytes) {
  NEED_HANDLE(handle);
  if (workspace && (reinterpret_cast<uintptr_t>(workspace) % 256 || !emu::memory_contains(workspace, bytes)))
    return CUBLAS_STATUS_INVALID_VALUE;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t mode) {
  NEED_HANDLE(handle);
  const int base = mode & 15;
  if (base != CUBLAS_DEFAULT_MATH && base != CUBLAS_TENSOR_OP_MATH && base != CUBLAS_PEDANTIC_MATH &&
      base != CUBLAS_TF32_TENSOR_OP_MATH)
    return base == CUBLAS_FP32_EMULATED_BF16X9_MATH || base == CUBLAS_FP64_EMULATED_FIXEDPOINT_MATH
               ? CUBLAS_STATUS_NOT_SUPPORTED
               : CUBLAS_STATUS_INVALID_VALUE;
  handle->math = mode;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasGetMathMode(cublasHandle_t handle, cublasMath_t *mode) {
  NEED_HANDLE(handle);
  if (!mode) return CUBLAS_STATUS_INVALID_VALUE;
  *mode = handle->math;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetPointerMode_v2(cublasHandle_t handle, cublasPointerMode_t mode) {
  NEED_HANDLE(handle);
  if (mode != CUBLAS_POINTER_MODE_HOST && mode != CUBLAS_POINTER_MODE_DEVICE) return CUBLAS_STATUS_INVALID_VALUE;
  handle->pointers = mode;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasGetPointerMode_v2(cublasHandle_t handle, cublasPointerMode_t *mode) {
  NEED_HANDLE(handle);
  if (!mode) return CUBLAS_STATUS_INVALID_VALUE;
  *mode = handle->pointers;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetAtomicsMode(cublasHandle_t handle, cublasAtomicsMode_t mode) {
  NEED_HANDLE(handle);
  handle->atomics = mode;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasGetAtomicsMode(cublasHandle_t handle, cublasAtomicsMode_t *mode) {
  NEED_HANDLE(handle);
  if (!mode) return CUBLAS_STATUS_INVALID_VALUE;
  *mode = handle->atomics;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSgemm_v2(cublasHandle_t handle, cublasOperation_t ta, cublasOperation_t tb, int m, int n, int k,
                              const float *alpha, const float *a, int lda, const float *b, int ldb, const float *beta,
                              float *c, int ldc) {
  NEED_HANDLE(handle);
  return gemm(handle, {"cublasSgemm", ta, tb,   m, n,          k,   alpha, a, CUDA_R_32F,       lda, 0, b, CUDA_R_32F,
                       ldb,           0,  beta, c, CUDA_R_32F, ldc, 0,     1, round_of(*handle)});
}

cublasStatus_t cublasSgemmStridedBatched(cublasHandle_t handle, cublasOperation_t ta, cublasOperation_t tb, int m,
                                         int n, int k, const float *alpha, const float *a, int lda, long long stride_a,
                                         const float *b, int ldb, long long stride_b, const float *beta, float *c,
                                         int ldc, long long stride_c, int batches) {
  NEED_HANDLE(handle);

  return gemm(handle, {"cublasSgemmStridedBatched",
                       ta,
                       tb,
                       m,
                       n,
                       k,
                       alpha,
                       a,
                       CUDA_R_32F,
                       lda,
                       stride_a,
                       b,
                       CUDA_R_32F,
                       ldb,
                       stride_b,
                       beta,
                       c,
                       CUDA_R_32F,
                       ldc,
                       stride_c,
                       batches,
                       round_of(*handle)});
}

cublasStatus_t cublasGemmEx(cublasHandle_t handle, cublasOperation_t ta, cublasOperation_t tb, int m, int n, int k,
                            const void *alpha, const void *a, cudaDataType a_type, int lda, const void *b,
                            cudaDataType b_type, int ldb, const void *beta, void *c, cudaDataType c_type, int ldc,
                            cublasComputeType_t compute, cublasGemmAlgo_t) {
  return gemm_ex(handle,
                 {"cublasGemmEx",
                  ta,
                  tb,
                  m,
                  n,
                  k,
                  static_cast<const float *>(alpha),
                  a,
                  a_type,
                  lda,
                  0,
                  b,
                  b_type,
                  ldb,
                  0,
                  static_cast<const float *>(beta),
                  c,
                  c_type,
                  ldc,
                  0,
                  1,
                  Round::kNone},
                 compute);
}

cublasStatus_t cublasGemmStridedBatchedEx(cublasHandle_t handle, cublasOperation_t ta, cublasOperation_t tb, int m,
                                          int n, int k, const void *alpha, const void *a, cudaDataType a_type, int lda,
                                          long long stride_a, const void *b, cudaDataType b_type, int ldb,
                                          long long stride_b, const void *beta, void *c, cudaDataType c_type, int ldc,
                                          long long stride_c, int batches, cublasComputeType_t compute,
                                          cublasGemmAlgo_t) {
  return gemm_ex(handle,
                 {"cublasGemmStridedBatchedEx",
                  ta,
                  tb,
                  m,
                  n,
                  k,
                  static_cast<const float *>(alpha),
                  a,
                  a_type,
                  lda,
                  stride_a,
                  b,
                  b_type,
                  ldb,
                  stride_b,
                  static_cast<const float *>(beta),
                  c,
                  c_type,
                  ldc,
                  stride_c,
                  batches,
                  Round::kNone},
                 compute);
}

#define STATUSES(X)                                                              \
  X(CUBLAS_STATUS_SUCCESS, "success")                                            \
  X(CUBLAS_STATUS_NOT_INITIALIZED, "the library was not initialized")            \
  X(CUBLAS_STATUS_ALLOC_FAILED, "the resource allocation failed")                \
  X(CUBLAS_STATUS_INVALID_VALUE, "an unsupported value or parameter was passed") \
  X(CUBLAS_STATUS_ARCH_MISMATCH, "the device lacks a feature that is needed")    \
  X(CUBLAS_STATUS_MAPPING_ERROR, "an access to GPU memory space failed")         \
  X(CUBLAS_STATUS_EXECUTION_FAILED, "the GPU program failed to execute")         \
  X(CUBLAS_STATUS_INTERNAL_ERROR, "an internal operation failed")                \
  X(CUBLAS_STATUS_NOT_SUPPORTED, "the requested functionality is not supported") \
  X(CUBLAS_STATUS_LICENSE_ERROR, "a license problem")

const char *cublasGetStatusName(cublasStatus_t status) {
  switch (status) {
#define X(name, text) \
  case name:          \
    return #name;
    STATUSES(X)
#undef X
    default:
      return "CUBLAS_STATUS_UNKNOWN";
  }
}

const char *cublasGetStatusString(cublasStatus_t status) {
  switch (status) {
#define X(name, text) \
  case name:          \
    return text;
    STATUSES(X)
#undef X
    default:
      return "unknown status";
  }
}

}  // extern "C"
