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

struct Plan {
  bool bias, relu, relu_aux, drelu, gelu, gelu_aux, dgelu, bias_gradient, gradient_a, gradient_b;
};

Plan plan_of(cublasLtEpilogue_t kind) {
  Plan plan = {};

  switch (kind) {
    case CUBLASLT_EPILOGUE_RELU:
    case CUBLASLT_EPILOGUE_RELU_AUX:
    case CUBLASLT_EPILOGUE_RELU_BIAS:
    case CUBLASLT_EPILOGUE_RELU_AUX_BIAS:
      plan.relu = true;
      plan.relu_aux = kind & 128;
      plan.bias = kind & CUBLASLT_EPILOGUE_BIAS;
      break;
    case CUBLASLT_EPILOGUE_BIAS:
      plan.bias = true;
      break;
    case CUBLASLT_EPILOGUE_GELU:
    case CUBLASLT_EPILOGUE_GELU_AUX:
    case CUBLASLT_EPILOGUE_GELU_BIAS:
    case CUBLASLT_EPILOGUE_GELU_AUX_BIAS:
      plan.gelu = true;
      plan.gelu_aux = kind & 128;
      plan.bias = kind & CUBLASLT_EPILOGUE_BIAS;
      break;
    case CUBLASLT_EPILOGUE_DRELU:
    case CUBLASLT_EPILOGUE_DRELU_BGRAD:
      plan.drelu = true;
      plan.bias_gradient = kind == CUBLASLT_EPILOGUE_DRELU_BGRAD;
      break;
    case CUBLASLT_EPILOGUE_DGELU:
    case CUBLASLT_EPILOGUE_DGELU_BGRAD:
      plan.dgelu = true;
      plan.bias_gradient = kind == CUBLASLT_EPILOGUE_DGELU_BGRAD;
      break;
    case CUBLASLT_EPILOGUE_BGRADA:
      plan.gradient_a = true;
      break;
    case CUBLASLT_EPILOGUE_BGRADB:
      plan.gradient_b = true;
      break;
    default:
      break;
  }

  return plan;
}

}  // namespace

// result is m x n, dense and column-major; a is m x k, b is k x n, as they entered the multiplication.
void apply_epilogue(const Product &p, int batch, const float *a, const float *b, float *result) {
  const Epilogue &e = p.epilogue;
  const Plan plan = plan_of(e.kind);
  const int64_t m = p.d.rows, n = p.d.columns, k = p.transpose_a ? p.a.rows : p.a.columns;
  const bool bits = plan.relu_aux || plan.drelu, matrix = plan.gelu_aux || plan.dgelu;

  auto *bias = static_cast<unsigned char *>(e.bias) + size_t(e.bias_stride * batch) * type_size(e.bias_type);
  const bool any_bias = plan.bias || plan.bias_gradient || plan.gradient_a || plan.gradient_b;
  const int64_t bias_length = plan.gradient_b ? n : m;
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
      if (plan.bias) x += load(bias, e.bias_type, i);
      if (plan.relu_aux) {
        const auto bit = static_cast<unsigned char>(1u << (at & 7));
        if (x > 0)
          aux[at >> 3] = static_cast<unsigned char>(aux[at >> 3] | bit);
        else
          aux[at >> 3] = static_cast<unsigned char>(aux[at >> 3] & ~bit);
      }
      if (plan.relu) x = x > 0 ? x : (x != x ? x : 0.0f);
      if (plan.gelu_aux) store(aux, e.aux_type, at, x);
      if (plan.gelu) x = gelu(x);
      if (plan.drelu && !(aux[at >> 3] >> (at & 7) & 1)) x = 0;
      if (plan.dgelu) x *= gelu_slope(load(aux, e.aux_type, at));
      if (plan.bias_gradient) sums[size_t(i)] += x;
    }

  if (plan.gradient_a)
    for (int64_t l = 0; l < k; ++l)
      for (int64_t i = 0; i < m; ++i) sums[size_t(i)] += a[i + l * m];
  if (plan.gradient_b)
    for (int64_t j = 0; j < n; ++j)
      for (int64_t l = 0; l < k; ++l) sums[size_t(j)] += b[l + j * k];

  if (plan.bias_gradient || plan.gradient_a || plan.gradient_b)
    for (int64_t i = 0; i < bias_length; ++i) store(bias, e.bias_type, i, sums[size_t(i)]);
}

}  // namespace emu
