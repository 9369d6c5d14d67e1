// The cuBLAS calls on vectors: norms, dot product, scaling, sums. Sums are made in double, in order.
#include <cmath>
#include <cstring>

#include "tests/emulation/host/matmul.h"
#include "tests/emulation/host/runtime.h"

namespace {

struct VectorCall {
  const char *name;
  enum Kind { kNorm, kAbsolute, kDot, kScale, kAxpy } kind;
  int n, incx, incy;
  const float *x;
  float *y;
  bool on_device;
  float alpha;
  const float *device_alpha;
  float *result;
};

int64_t vector_at(int i, int n, int increment) {
  return increment >= 0 ? int64_t(i) * increment : int64_t(n - 1 - i) * -increment;
}

void run_vector(const void *data) {
  VectorCall v;
  memcpy(&v, data, sizeof v);
  const auto bytes = [&](int increment) {
    return v.n < 1 ? 0 : (size_t(v.n - 1) * size_t(std::abs(increment)) + 1) * sizeof(float);
  };

  if (v.n > 0 && v.x && !emu::accessible(v.name, "x", v.x, bytes(v.incx))) return;
  if (v.n > 0 && v.y && !emu::accessible(v.name, "y", v.y, bytes(v.incy))) return;

  const bool reads_alpha = v.kind == VectorCall::kScale || v.kind == VectorCall::kAxpy;
  if (v.on_device && reads_alpha) {
    if (!emu::accessible(v.name, "alpha", v.device_alpha, sizeof(float))) return;
    v.alpha = *v.device_alpha;
  }
  if (v.on_device && !reads_alpha && !emu::accessible(v.name, "the result", v.result, sizeof(float))) return;

  double sum = 0;
  for (int i = 0; i < v.n; ++i) {
    const int64_t ix = vector_at(i, v.n, v.incx), iy = vector_at(i, v.n, v.incy);
    if (v.kind == VectorCall::kNorm) sum += double(v.x[ix]) * double(v.x[ix]);
    if (v.kind == VectorCall::kAbsolute) sum += std::fabs(double(v.x[ix]));
    if (v.kind == VectorCall::kDot) sum += double(v.x[ix]) * double(v.y[iy]);
    if (v.kind == VectorCall::kScale) v.y[iy] *= v.alpha;
    if (v.kind == VectorCall::kAxpy) v.y[iy] = std::fma(v.alpha, v.x[ix], v.y[iy]);
  }

  if (!reads_alpha) *v.result = float(v.kind == VectorCall::kNorm ? std::sqrt(sum) : sum);
}

cublasStatus_t vector_call(cublasHandle_t handle, VectorCall v) {
  if (!emu::library_handle_exists(handle)) return CUBLAS_STATUS_NOT_INITIALIZED;
  const bool reads_alpha = v.kind == VectorCall::kScale || v.kind == VectorCall::kAxpy;
  if (reads_alpha ? !v.device_alpha : !v.result) return CUBLAS_STATUS_INVALID_VALUE;
  v.on_device = handle->pointers == CUBLAS_POINTER_MODE_DEVICE;
  if (reads_alpha && !v.on_device) v.alpha = *v.device_alpha;
  const cublasStatus_t status = emu::submit_library(handle->stream, v.name, run_vector, &v, sizeof v);
  if (status || reads_alpha || v.on_device) return status;
  // A result for the host: the call waits for it.
  return cudaStreamSynchronize(handle->stream) ? CUBLAS_STATUS_EXECUTION_FAILED : CUBLAS_STATUS_SUCCESS;
}

}  // namespace

extern "C" {

cublasStatus_t cublasSnrm2_v2(cublasHandle_t handle, int n, const float *x, int incx, float *result) {
  return vector_call(handle, {"cublasSnrm2", VectorCall::kNorm, n, incx, 1, x, nullptr, false, 0, nullptr, result});
}

cublasStatus_t cublasSasum_v2(cublasHandle_t handle, int n, const float *x, int incx, float *result) {
  return vector_call(handle, {"cublasSasum", VectorCall::kAbsolute, n, incx, 1, x, nullptr, false, 0, nullptr, result});
}

cublasStatus_t cublasSdot_v2(cublasHandle_t handle, int n, const float *x, int incx, const float *y, int incy,
                             float *result) {
  return vector_call(
      handle, {"cublasSdot", VectorCall::kDot, n, incx, incy, x, const_cast<float *>(y), false, 0, nullptr, result});
}

cublasStatus_t cublasSscal_v2(cublasHandle_t handle, int n, const float *alpha, float *x, int incx) {
  return vector_call(handle, {"cublasSscal", VectorCall::kScale, n, 1, incx, nullptr, x, false, 0, alpha, nullptr});
}

cublasStatus_t cublasSaxpy_v2(cublasHandle_t handle, int n, const float *alpha, const float *x, int incx, float *y,
                              int incy) {
  return vector_call(handle, {"cublasSaxpy", VectorCall::kAxpy, n, incx, incy, x, y, false, 0, alpha, nullptr});
}

}  // extern "C"
