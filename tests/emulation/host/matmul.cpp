#include "tests/emulation/host/matmul.h"

#include <cblas.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "tests/emulation/host/runtime.h"

namespace emu {
namespace {

std::vector<void *> handles;

int64_t extent(const Matrix &m) {
  return m.rows == 0 || m.columns == 0 ? 0 : m.ld * (m.columns - 1) + m.rows;
}

bool matrix_accessible(const char *name, const char *what, const Matrix &m, int batches) {
  const int64_t elements = extent(m);
  if (elements == 0) return true;
  return accessible(name, what, m.data, size_t(elements + m.stride * (batches - 1)) * type_size(m.type));
}

void *batch_of(const Matrix &m, int batch) {
  return static_cast<char *>(m.data) + size_t(m.stride * batch) * type_size(m.type);
}

// op(M) as a dense column-major matrix of floats, rounded.
std::vector<float> dense(const Matrix &m, int batch, bool transpose, Round round) {
  std::vector<float> out(size_t(m.rows * m.columns));
  const void *data = batch_of(m, batch);
  const int64_t rows = transpose ? m.columns : m.rows;

  for (int64_t j = 0; j < m.columns; ++j)
    for (int64_t i = 0; i < m.rows; ++i) {
      float value = load(data, m.type, i + j * m.ld);
      if (round == Round::kTf32) value = round_tf32(value);
      if (round == Round::kBf16) value = round_bf16(value);
      out[size_t(transpose ? j + i * rows : i + j * rows)] = value;
    }
  return out;
}

bool plain(const Product &p) {
  return p.a.type == CUDA_R_32F && p.b.type == CUDA_R_32F && p.c.type == CUDA_R_32F && p.d.type == CUDA_R_32F &&
         p.round == Round::kNone && p.c.data == p.d.data && p.epilogue.kind == CUBLASLT_EPILOGUE_DEFAULT;
}

void multiply_plain(const Product &p, int batch, float alpha, float beta, int k) {
  cblas_sgemm(CblasColMajor, p.transpose_a ? CblasTrans : CblasNoTrans, p.transpose_b ? CblasTrans : CblasNoTrans,
              int(p.d.rows), int(p.d.columns), k, alpha, static_cast<const float *>(batch_of(p.a, batch)), int(p.a.ld),
              static_cast<const float *>(batch_of(p.b, batch)), int(p.b.ld), beta,
              static_cast<float *>(batch_of(p.d, batch)), int(p.d.ld));
}

void multiply(const Product &p, int batch, float alpha, float beta, int k) {
  const int m = int(p.d.rows), n = int(p.d.columns);
  const std::vector<float> a = dense(p.a, batch, p.transpose_a, p.round), b = dense(p.b, batch, p.transpose_b, p.round);

  std::vector<float> result(size_t(m) * size_t(n), 0.0f);
  if (k)
    cblas_sgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, m, n, k, alpha, a.data(), m, b.data(), k, 0.0f,
                result.data(), m);

  if (beta != 0) {
    const void *c = batch_of(p.c, batch);
    for (int64_t j = 0; j < n; ++j)
      for (int64_t i = 0; i < m; ++i) result[size_t(i + j * m)] += beta * load(c, p.c.type, i + j * p.c.ld);
  }

  apply_epilogue(p, batch, a.data(), b.data(), result.data());
  void *d = batch_of(p.d, batch);
  for (int64_t j = 0; j < n; ++j)
    for (int64_t i = 0; i < m; ++i) store(d, p.d.type, i + j * p.d.ld, result[size_t(i + j * m)]);
}

void run_product(const Product &p) {
  float alpha = p.alpha, beta = p.beta;
  if (p.scalars_on_device) {
    if (!accessible(p.name, "alpha", p.device_alpha, sizeof alpha) ||
        !accessible(p.name, "beta", p.device_beta, sizeof beta))
      return;
    alpha = *p.device_alpha;
    beta = *p.device_beta;
  }

  const int64_t k = p.transpose_a ? p.a.rows : p.a.columns;
  const int batches = p.batches;
  if (alpha != 0 && k != 0 &&
      (!matrix_accessible(p.name, "A", p.a, batches) || !matrix_accessible(p.name, "B", p.b, batches)))
    return;
  if (beta != 0 && !matrix_accessible(p.name, "C", p.c, batches)) return;
  if (!matrix_accessible(p.name, "D", p.d, batches)) return;

  for (int batch = 0; batch < batches; ++batch)
    if (plain(p))
      multiply_plain(p, batch, alpha, beta, int(k));
    else
      multiply(p, batch, alpha, beta, int(k));
}

cublasStatus_t status_of(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return CUBLAS_STATUS_SUCCESS;
    case cudaErrorInvalidResourceHandle:
      return CUBLAS_STATUS_INVALID_VALUE;
    default:
      return CUBLAS_STATUS_EXECUTION_FAILED;
  }
}

cublasStatus_t submit_function(cudaStream_t stream, const char *name, std::function<void()> run) {
  if (cudaError_t error = enter(name)) return status_of(result(error));
  Work work;
  work.kind = Work::kLibrary;
  work.library = std::move(run);
  return status_of(result(submit(stream, std::move(work), name)));
}

}  // namespace

bool type_known(cudaDataType type) {
  return type == CUDA_R_32F || type == CUDA_R_16BF;
}

size_t type_size(cudaDataType type) {
  return type == CUDA_R_16BF ? 2 : 4;
}

float load(const void *data, cudaDataType type, int64_t index) {
  if (type == CUDA_R_32F) return static_cast<const float *>(data)[index];
  const uint32_t bits = uint32_t(static_cast<const uint16_t *>(data)[index]) << 16;
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

void store(void *data, cudaDataType type, int64_t index, float value) {
  if (type == CUDA_R_32F) {
    static_cast<float *>(data)[index] = value;
    return;
  }
  value = round_bf16(value);
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  static_cast<uint16_t *>(data)[index] = uint16_t(bits >> 16);
}

float round_tf32(float value) {
  if (!std::isfinite(value)) return value;
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  bits = (bits + 0x1000u) & ~0x1fffu;
  memcpy(&value, &bits, sizeof value);
  return value;
}

float round_bf16(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  if (std::isnan(value))
    bits = 0x7fff0000u;
  else
    bits = (bits + 0x7fffu + ((bits >> 16) & 1)) & 0xffff0000u;
  memcpy(&value, &bits, sizeof value);
  return value;
}

bool accessible(const char *name, const char *what, const void *data, size_t bytes) {
  if (memory_contains(data, bytes) || host_memory_contains(data, bytes)) return true;

  void *base = nullptr;
  size_t size = 0;
  if (memory_contains(data, 1)) {
    memory_contains(data, bytes, &base, &size);
    device_fault(cudaErrorIllegalAddress, "%s: %s of %zu bytes runs past the end of its allocation of %zu", name, what,
                 bytes, size);
  } else {
    device_fault(cudaErrorIllegalAddress, "%s: %s is not device memory: freed, never allocated, or of the host", name,
                 what);
  }
  return false;
}

cublasStatus_t submit_product(const Product &product, cudaStream_t stream) {
  if (product.d.rows == 0 || product.d.columns == 0 || product.batches == 0) return CUBLAS_STATUS_SUCCESS;
  return submit_function(stream, product.name, [product] { run_product(product); });
}

cublasStatus_t submit_library(cudaStream_t stream, const char *name, void (*run)(const void *), const void *data,
                              size_t bytes) {
  const auto *start = static_cast<const unsigned char *>(data);
  return submit_function(stream, name,
                         [run, copy = std::vector<unsigned char>(start, start + bytes)] { run(copy.data()); });
}

void note_library_handle(void *handle) {
  handles.push_back(handle);
}

bool forget_library_handle(void *handle) {
  const auto found = std::find(handles.begin(), handles.end(), handle);
  if (found == handles.end()) return false;
  handles.erase(found);
  return true;
}

bool library_handle_exists(const void *handle) {
  return std::find(handles.begin(), handles.end(), handle) != handles.end();
}

size_t live_library_handles();  // replaces the weak one in device.cpp
size_t live_library_handles() {
  return handles.size();
}

}  // namespace emu
