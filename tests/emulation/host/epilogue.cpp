// Epilogues of cublasLtMatmul.
#include <cmath>
#include <cstring>
#include <vector>

#include "tests/emulation/host/matmul.h"

namespace emu {
namespace {

constexpr float kRoot = 0.7978845608028654f;  // sqrt(2 / pi)
constexpr float kCubic = 0.044715f;

// cuBLAS computes the tanh form.
float gelu(float x) {
  return 0.5f * x * (1 + std::tanh(kRoot * (x + kCubic * x * x * x)));
}

float gelu_slope(float x) {
  const float t = std::tanh(kRoot * (x + kCubic * x * x * x));
  return 0.5f * (1 + t) + 0.5f * x * (1 - t * t) * kRoot * (1 + 3 * kCubic * x * x);
}

}  // namespace

// result is m x n, dense and column-major; a is m x k, b is k x n, as they entered the multiplication.
void apply_epilogue(const Product &p, int batch, const float *a, const float *b, float *result) {
  const Epilogue &e = p.epilogue;
  const auto has = [&](unsigned bits) { return (unsigned(e.kind) & bits) != 0; };
  const bool add_bias = has(CUBLASLT_EPILOGUE_BIAS), bias_gradient = has(kBiasGradient);
  const bool relu = has(CUBLASLT_EPILOGUE_RELU), relu_aux = relu && has(kAux), drelu = has(kDrelu);
  const bool apply_gelu = has(CUBLASLT_EPILOGUE_GELU), gelu_aux = apply_gelu && has(kAux), dgelu = has(kDgelu);
  const bool gradient_a = has(CUBLASLT_EPILOGUE_BGRADA), gradient_b = has(CUBLASLT_EPILOGUE_BGRADB);
  const int64_t m = p.d.rows, n = p.d.columns, k = p.transpose_a ? p.a.rows : p.a.columns;
  const bool bits = relu_aux || drelu, matrix = gelu_aux || dgelu;

  auto *bias = static_cast<unsigned char *>(e.bias) + size_t(e.bias_stride * batch) * type_size(e.bias_type);
  const bool any_bias = add_bias || bias_gradient || gradient_a || gradient_b;
  const int64_t bias_length = gradient_b ? n : m;
  if (any_bias && !accessible(p.name, "bias", bias, size_t(bias_length) * type_size(e.bias_type))) return;

  auto *aux = static_cast<unsigned char *>(e.aux);
  if (bits) aux += e.aux_stride * batch / 8;
  if (matrix) aux += size_t(e.aux_stride * batch) * type_size(e.aux_type);
  const size_t aux_elements = size_t(e.aux_ld * (n - 1) + m);
  if (bits && !accessible(p.name, "mask", aux, (aux_elements + 7) / 8)) return;
  if (matrix && !accessible(p.name, "aux", aux, aux_elements * type_size(e.aux_type))) return;

  std::vector<float> sums(size_t(bias_length), 0.0f);
  for (int64_t j = 0; j < n; ++j)
    for (int64_t i = 0; i < m; ++i) {
      float &x = result[i + j * m];
      const int64_t at = i + j * e.aux_ld;
      if (add_bias) x += load(bias, e.bias_type, i);
      if (relu_aux) {
        const auto bit = static_cast<unsigned char>(1u << (at & 7));
        if (x > 0)
          aux[at >> 3] = static_cast<unsigned char>(aux[at >> 3] | bit);
        else
          aux[at >> 3] = static_cast<unsigned char>(aux[at >> 3] & ~bit);
      }
      if (relu) x = x > 0 ? x : (x != x ? x : 0.0f);
      if (gelu_aux) store(aux, e.aux_type, at, x);
      if (apply_gelu) x = gelu(x);
      if (drelu && !(aux[at >> 3] >> (at & 7) & 1)) x = 0;
      if (dgelu) x *= gelu_slope(load(aux, e.aux_type, at));
      if (bias_gradient) sums[size_t(i)] += x;
    }

  if (gradient_a)
    for (int64_t l = 0; l < k; ++l)
      for (int64_t i = 0; i < m; ++i) sums[size_t(i)] += a[i + l * m];
  if (gradient_b)
    for (int64_t j = 0; j < n; ++j)
      for (int64_t l = 0; l < k; ++l) sums[size_t(j)] += b[l + j * k];

  if (bias_gradient || gradient_a || gradient_b)
    for (int64_t i = 0; i < bias_length; ++i) store(bias, e.bias_type, i, sums[size_t(i)]);
}

}  // namespace emu
