#include <cublasLt.h>

#include "check.h"

#define DONE(call) STATUS(CUBLAS_STATUS_SUCCESS, call)
#define STATUS(status, call)                                                                                \
  do {                                                                                                      \
    const cublasStatus_t got_ = (call), want_ = (status);                                                   \
    cr_assert(got_ == want_, "%s: %d instead of %d (%s)", #call, (int)got_, (int)want_, emu_last_report()); \
  } while (0)

enum { M = 10, N = 6, K = 8 };

static cublasLtHandle_t handle;
static float a[M * K], b[K * N], c[M * N], product[M * N], bias[M];
static float *da, *db, *dc, *dd, *dbias;

static void begin(void) {
  quiet();
  uint32_t seed = 5;

  for (int i = 0; i < M * K + K * N + M * N + M; ++i) {
    seed = seed * 1664525u + 1013904223u;
    const float x = (float)(seed >> 8) / 8388608.0f - 1.0f;
    float *at = i < M * K                   ? &a[i]
                : i < M * K + K * N         ? &b[i - M * K]
                : i < M * K + K * N + M * N ? &c[i - M * K - K * N]
                                            : &bias[i - M * K - K * N - M * N];
    *at = x;
  }

  for (int j = 0; j < N; ++j)
    for (int i = 0; i < M; ++i) {
      double sum = 0;
      for (int k = 0; k < K; ++k) sum += (double)a[i + k * M] * (double)b[k + j * K];
      product[i + j * M] = (float)sum;
    }

  da = device_floats(M * K), db = device_floats(K * N), dc = device_floats(M * N), dd = device_floats(M * N);
  dbias = device_floats(M);
  OK(cudaMemcpy(da, a, sizeof a, cudaMemcpyHostToDevice));
  OK(cudaMemcpy(db, b, sizeof b, cudaMemcpyHostToDevice));
  OK(cudaMemcpy(dc, c, sizeof c, cudaMemcpyHostToDevice));
  OK(cudaMemcpy(dbias, bias, sizeof bias, cudaMemcpyHostToDevice));
  DONE(cublasLtCreate(&handle));
}

static void end(void) {
  DONE(cublasLtDestroy(handle));
  OK(cudaFree(da));
  OK(cudaFree(db));
  OK(cudaFree(dc));
  OK(cudaFree(dd));
  OK(cudaFree(dbias));
  cr_assert_eq(emu_live_handles(), 0);
  cr_assert_eq(emu_live_allocations(), 0);
}

TestSuite(cublaslt, .init = begin, .fini = end);

static cublasLtMatmulDesc_t operation(cublasLtEpilogue_t epilogue, void *bias_pointer, void *aux, int64_t aux_ld) {
  cublasLtMatmulDesc_t desc;
  const uint32_t kind = epilogue;
  DONE(cublasLtMatmulDescCreate(&desc, CUBLAS_COMPUTE_32F, CUDA_R_32F));
  DONE(cublasLtMatmulDescSetAttribute(desc, CUBLASLT_MATMUL_DESC_EPILOGUE, &kind, sizeof kind));
  DONE(cublasLtMatmulDescSetAttribute(desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias_pointer, sizeof bias_pointer));
  DONE(cublasLtMatmulDescSetAttribute(desc, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, &aux, sizeof aux));
  DONE(cublasLtMatmulDescSetAttribute(desc, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, &aux_ld, sizeof aux_ld));
  return desc;
}

static cublasStatus_t matmul(cublasLtMatmulDesc_t desc, float alpha, float beta) {
  cublasLtMatrixLayout_t la, lb, lc;
  DONE(cublasLtMatrixLayoutCreate(&la, CUDA_R_32F, M, K, M));
  DONE(cublasLtMatrixLayoutCreate(&lb, CUDA_R_32F, K, N, K));
  DONE(cublasLtMatrixLayoutCreate(&lc, CUDA_R_32F, M, N, M));
  const cublasStatus_t status =
      cublasLtMatmul(handle, desc, &alpha, da, la, db, lb, &beta, dc, lc, dd, lc, NULL, NULL, 0, NULL);
  DONE(cublasLtMatrixLayoutDestroy(la));
  DONE(cublasLtMatrixLayoutDestroy(lb));
  DONE(cublasLtMatrixLayoutDestroy(lc));
  return status;
}

// The product with an epilogue, in `out`.
static void run(cublasLtEpilogue_t epilogue, void *bias_pointer, void *aux, int64_t aux_ld, float *out) {
  const cublasLtMatmulDesc_t desc = operation(epilogue, bias_pointer, aux, aux_ld);
  DONE(matmul(desc, 1, 0));
  DONE(cublasLtMatmulDescDestroy(desc));
  OK(cudaMemcpy(out, dd, M * N * sizeof *out, cudaMemcpyDeviceToHost));
}

static void near(float got, double want, const char *what, int i) {
  cr_assert(fabs((double)got - want) <= 2e-6, "%s %d: %g instead of %g", what, i, (double)got, want);
}

Test(cublaslt, plain_with_c) {
  float out[M * N];
  const cublasLtMatmulDesc_t desc = operation(CUBLASLT_EPILOGUE_DEFAULT, NULL, NULL, 0);
  DONE(matmul(desc, 2, 0.5f));
  OK(cudaMemcpy(out, dd, sizeof out, cudaMemcpyDeviceToHost));
  for (int i = 0; i < M * N; ++i) near(out[i], 2 * (double)product[i] + 0.5 * (double)c[i], "D", i);
  DONE(cublasLtMatmulDescDestroy(desc));
}

Test(cublaslt, bias_and_relu) {
  float out[M * N];
  run(CUBLASLT_EPILOGUE_BIAS, dbias, NULL, 0, out);
  for (int i = 0; i < M * N; ++i) near(out[i], (double)product[i] + (double)bias[i % M], "bias", i);
  run(CUBLASLT_EPILOGUE_RELU, NULL, NULL, 0, out);
  for (int i = 0; i < M * N; ++i) near(out[i], fmax(0, (double)product[i]), "relu", i);
  run(CUBLASLT_EPILOGUE_RELU_BIAS, dbias, NULL, 0, out);
  for (int i = 0; i < M * N; ++i) near(out[i], fmax(0, (double)product[i] + (double)bias[i % M]), "relu bias", i);
}

// The mask that the forward pass leaves is the one that the backward pass reads.
Test(cublaslt, relu_mask_and_gradient) {
  float out[M * N], sums[M];
  unsigned char *mask = NULL, bits[N * 16];
  OK(cudaMalloc((void **)&mask, sizeof bits));
  OK(cudaMemset(mask, 0, sizeof bits));

  run(CUBLASLT_EPILOGUE_RELU_AUX_BIAS, dbias, mask, 128, out);
  OK(cudaMemcpy(bits, mask, sizeof bits, cudaMemcpyDeviceToHost));
  for (int j = 0; j < N; ++j)
    for (int i = 0; i < M; ++i) cr_assert_eq(bits[16 * j + i / 8] >> (i % 8) & 1, product[i + j * M] + bias[i] > 0);

  float *dsums = device_floats(M);
  run(CUBLASLT_EPILOGUE_DRELU_BGRAD, dsums, mask, 128, out);
  OK(cudaMemcpy(sums, dsums, sizeof sums, cudaMemcpyDeviceToHost));

  for (int i = 0; i < M; ++i) {
    double sum = 0;
    for (int j = 0; j < N; ++j) {
      const double want = product[i + j * M] + bias[i] > 0 ? (double)product[i + j * M] : 0;
      near(out[i + j * M], want, "drelu", i + j * M);
      sum += want;
    }
    near(sums[i], sum, "bias gradient", i);
  }

  OK(cudaFree(mask));
  OK(cudaFree(dsums));
}

static double gelu(double x) {
  return 0.5 * x * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
}

Test(cublaslt, gelu_and_gradient) {
  float out[M * N], input[16 * N];
  float *aux = device_floats(16 * N);

  run(CUBLASLT_EPILOGUE_GELU_AUX_BIAS, dbias, aux, 16, out);
  OK(cudaMemcpy(input, aux, sizeof input, cudaMemcpyDeviceToHost));
  for (int i = 0; i < M * N; ++i) {
    const double x = (double)product[i] + (double)bias[i % M];
    near(out[i], gelu(x), "gelu", i);
    near(input[i % M + i / M * 16], x, "input of gelu", i);
  }

  run(CUBLASLT_EPILOGUE_DGELU, NULL, aux, 16, out);
  for (int i = 0; i < M * N; ++i) {
    const double x = (double)product[i] + (double)bias[i % M], h = 1e-5;
    near(out[i], (double)product[i] * (gelu(x + h) - gelu(x - h)) / (2 * h), "dgelu", i);
  }

  OK(cudaFree(aux));
}

Test(cublaslt, gradients_of_inputs) {
  float out[M * N], sums[M];
  float *dsums = device_floats(M);

  run(CUBLASLT_EPILOGUE_BGRADA, dsums, NULL, 0, out);
  OK(cudaMemcpy(sums, dsums, sizeof sums, cudaMemcpyDeviceToHost));
  for (int i = 0; i < M; ++i) {
    double sum = 0;
    for (int k = 0; k < K; ++k) sum += (double)a[i + k * M];
    near(sums[i], sum, "sum over A", i);
  }

  run(CUBLASLT_EPILOGUE_BGRADB, dsums, NULL, 0, out);
  OK(cudaMemcpy(sums, dsums, sizeof sums, cudaMemcpyDeviceToHost));
  for (int j = 0; j < N; ++j) {
    double sum = 0;
    for (int k = 0; k < K; ++k) sum += (double)b[k + j * K];
    near(sums[j], sum, "sum over B", j);
  }

  for (int i = 0; i < M * N; ++i) near(out[i], (double)product[i], "D", i);
  OK(cudaFree(dsums));
}

// The row-major matrices A' (K x M) and B' (N x K) are A and B: D' = B' A' is the transpose of D.
Test(cublaslt, row_major_and_transposes) {
  const int32_t row = CUBLASLT_ORDER_ROW, transpose = CUBLAS_OP_T;
  const float one = 1, zero = 0;
  float out[M * N];
  cublasLtMatrixLayout_t la, lb, ld;
  const cublasLtMatmulDesc_t desc = operation(CUBLASLT_EPILOGUE_DEFAULT, NULL, NULL, 0);

  DONE(cublasLtMatrixLayoutCreate(&la, CUDA_R_32F, K, M, M));
  DONE(cublasLtMatrixLayoutCreate(&lb, CUDA_R_32F, N, K, K));
  DONE(cublasLtMatrixLayoutCreate(&ld, CUDA_R_32F, N, M, M));
  DONE(cublasLtMatrixLayoutSetAttribute(la, CUBLASLT_MATRIX_LAYOUT_ORDER, &row, sizeof row));
  DONE(cublasLtMatrixLayoutSetAttribute(lb, CUBLASLT_MATRIX_LAYOUT_ORDER, &row, sizeof row));
  DONE(cublasLtMatrixLayoutSetAttribute(ld, CUBLASLT_MATRIX_LAYOUT_ORDER, &row, sizeof row));

  DONE(cublasLtMatmul(handle, desc, &one, db, lb, da, la, &zero, dd, ld, dd, ld, NULL, NULL, 0, NULL));
  OK(cudaMemcpy(out, dd, sizeof out, cudaMemcpyDeviceToHost));
  for (int i = 0; i < M * N; ++i) near(out[i], (double)product[i], "row-major", i);

  // A', transposed, times B', transposed, into a column-major D.
  cublasLtMatrixLayout_t column;
  DONE(cublasLtMatrixLayoutCreate(&column, CUDA_R_32F, M, N, M));
  DONE(cublasLtMatmulDescSetAttribute(desc, CUBLASLT_MATMUL_DESC_TRANSA, &transpose, sizeof transpose));
  DONE(cublasLtMatmulDescSetAttribute(desc, CUBLASLT_MATMUL_DESC_TRANSB, &transpose, sizeof transpose));

  OK(cudaMemset(dd, 0xff, sizeof out));
  DONE(cublasLtMatmul(handle, desc, &one, da, la, db, lb, &zero, dd, column, dd, column, NULL, NULL, 0, NULL));
  OK(cudaMemcpy(out, dd, sizeof out, cudaMemcpyDeviceToHost));
  for (int i = 0; i < M * N; ++i) near(out[i], (double)product[i], "transposed", i);

  DONE(cublasLtMatrixLayoutDestroy(column));
  DONE(cublasLtMatrixLayoutDestroy(la));
  DONE(cublasLtMatrixLayoutDestroy(lb));
  DONE(cublasLtMatrixLayoutDestroy(ld));
  DONE(cublasLtMatmulDescDestroy(desc));
}

Test(cublaslt, heuristic_and_refusals) {
  cublasLtMatrixLayout_t la, lb, ld;
  cublasLtMatmulPreference_t preference;
  cublasLtMatmulHeuristicResult_t result;
  const uint64_t workspace = 1 << 20;
  const float one = 1, zero = 0;
  int found = 0;

  cublasLtMatmulDesc_t desc = operation(CUBLASLT_EPILOGUE_DEFAULT, NULL, NULL, 0);
  DONE(cublasLtMatrixLayoutCreate(&la, CUDA_R_32F, M, K, M));
  DONE(cublasLtMatrixLayoutCreate(&lb, CUDA_R_32F, K, N, K));
  DONE(cublasLtMatrixLayoutCreate(&ld, CUDA_R_32F, M, N, M));
  DONE(cublasLtMatmulPreferenceCreate(&preference));
  DONE(cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace,
                                            sizeof workspace));

  DONE(cublasLtMatmulAlgoGetHeuristic(handle, desc, la, lb, ld, ld, preference, 1, &result, &found));
  cr_assert_eq(found, 1);
  cr_assert_eq(result.state, CUBLAS_STATUS_SUCCESS);
  DONE(cublasLtMatmul(handle, desc, &one, da, la, db, lb, &zero, dd, ld, dd, ld, &result.algo, NULL, 0, NULL));

  // Mismatched shapes, an invalid handle, a missing bias, a mask of odd width, wrong attribute sizes.
  STATUS(CUBLAS_STATUS_INVALID_VALUE,
         cublasLtMatmul(handle, desc, &one, da, lb, db, la, &zero, dd, ld, dd, ld, NULL, NULL, 0, NULL));
  STATUS(CUBLAS_STATUS_INVALID_VALUE,
         cublasLtMatmulAlgoGetHeuristic(handle, desc, lb, la, ld, ld, preference, 1, &result, &found));
  STATUS(CUBLAS_STATUS_NOT_INITIALIZED,
         cublasLtMatmul(NULL, desc, &one, da, la, db, lb, &zero, dd, ld, dd, ld, NULL, NULL, 0, NULL));
  STATUS(CUBLAS_STATUS_INVALID_VALUE,
         cublasLtMatmulDescSetAttribute(desc, CUBLASLT_MATMUL_DESC_EPILOGUE, &workspace, sizeof workspace));

  uint32_t kind = 0;
  size_t written = 0;
  DONE(cublasLtMatmulDescGetAttribute(desc, CUBLASLT_MATMUL_DESC_EPILOGUE, &kind, sizeof kind, &written));
  cr_assert_eq(kind, CUBLASLT_EPILOGUE_DEFAULT);
  cr_assert_eq(written, sizeof kind);

  DONE(cublasLtMatmulDescDestroy(desc));
  desc = operation(CUBLASLT_EPILOGUE_BIAS, NULL, NULL, 0);
  STATUS(CUBLAS_STATUS_INVALID_VALUE, matmul(desc, 1, 0));
  DONE(cublasLtMatmulDescDestroy(desc));
  desc = operation(CUBLASLT_EPILOGUE_RELU_AUX, NULL, dc, 100);
  STATUS(CUBLAS_STATUS_INVALID_VALUE, matmul(desc, 1, 0));
  DONE(cublasLtMatmulDescDestroy(desc));
  DONE(cublasLtMatmulDescCreate(&desc, CUBLAS_COMPUTE_16F, CUDA_R_16F));
  STATUS(CUBLAS_STATUS_NOT_SUPPORTED, matmul(desc, 1, 0));
  DONE(cublasLtMatmulDescDestroy(desc));

  DONE(cublasLtMatmulPreferenceDestroy(preference));
  DONE(cublasLtMatrixLayoutDestroy(la));
  DONE(cublasLtMatrixLayoutDestroy(lb));
  DONE(cublasLtMatrixLayoutDestroy(ld));
}

Test(cublaslt, bias_out_of_bounds) {
  float *tiny = device_floats(M - 1);
  const cublasLtMatmulDesc_t desc = operation(CUBLASLT_EPILOGUE_BIAS, tiny, NULL, 0);
  DONE(matmul(desc, 1, 0));
  FAILS(cudaErrorIllegalAddress, cudaDeviceSynchronize());
  REPORTS("bias");
  DONE(cublasLtMatmulDescDestroy(desc));
  OK(cudaDeviceReset());
  da = db = dc = dd = dbias = NULL;
}
