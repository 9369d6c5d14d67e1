#include <cublas_v2.h>

#include "check.h"

#define DONE(call) STATUS(CUBLAS_STATUS_SUCCESS, call)
#define STATUS(status, call)                                                                \
  do {                                                                                      \
    const cublasStatus_t got_ = (call), want_ = (status);                                   \
    cr_assert(got_ == want_, "%s: %s instead of %s (%s)", #call, cublasGetStatusName(got_), \
              cublasGetStatusName(want_), emu_last_report());                               \
  } while (0)

TestSuite(cublas, .init = quiet);

static uint32_t seed = 1;
static float next(void) {
  seed = seed * 1664525u + 1013904223u;
  return (float)(seed >> 8) / 8388608.0f - 1.0f;
}
static float *upload(const float *host, size_t n) {
  float *data = device_floats(n);
  OK(cudaMemcpy(data, host, n * sizeof *host, cudaMemcpyHostToDevice));
  return data;
}
static float *random_floats(size_t n) {
  float *host = malloc(n * sizeof *host);
  for (size_t i = 0; i < n; ++i) host[i] = next();
  return host;
}
static float as_bf16(float x) {  // to nearest even, by arithmetic
  int e;
  const float m = frexpf(x, &e);
  return ldexpf(rintf(ldexpf(m, 8)), e - 8);
}
static float as_tf32(float x) {
  int e;
  const float m = frexpf(x, &e);
  return ldexpf(roundf(ldexpf(m, 11)), e - 11);
}
static uint16_t bits16(float x) {
  const float r = as_bf16(x);
  uint32_t b;
  memcpy(&b, &r, sizeof b);
  return (uint16_t)(b >> 16);
}

// max |got - (alpha op(A) op(B) + beta C)| with inputs rounded by `round`.
static double distance(const float *got, const float *a, int lda, int ta, const float *b, int ldb, int tb,
                       const float *c, int ldc, int m, int n, int k, float alpha, float beta, float (*round)(float)) {
  double worst = 0;

  for (int j = 0; j < n; ++j)
    for (int i = 0; i < m; ++i) {
      double sum = 0;
      for (int l = 0; l < k; ++l) {
        float x = ta ? a[l + i * lda] : a[i + l * lda], y = tb ? b[j + l * ldb] : b[l + j * ldb];
        if (round) x = round(x), y = round(y);
        sum += (double)x * (double)y;
      }

      sum = (double)alpha * sum + (beta != 0 ? (double)beta * (double)c[i + j * ldc] : 0);
      const double d = fabs((double)got[i + j * ldc] - sum);
      if (!(d <= worst)) worst = d;
    }

  return worst;
}

Test(cublas, sgemm) {
  cublasHandle_t handle;
  DONE(cublasCreate(&handle));
  const int m = 13, n = 7, k = 29, ld = 31;
  float *a = random_floats(ld * ld), *b = random_floats(ld * ld), *c = random_floats(ld * ld),
        *got = malloc(ld * ld * 4);
  float *da = upload(a, ld * ld), *db = upload(b, ld * ld), *dc = device_floats(ld * ld);

  for (int round = 0; round < 2; ++round) {
    DONE(cublasSetMathMode(handle, round ? CUBLAS_TF32_TENSOR_OP_MATH : CUBLAS_DEFAULT_MATH));
    for (int t = 0; t < 8; ++t) {
      const float alpha = 1.5f, beta = t & 4 ? -0.5f : 0.0f;
      if (beta != 0) OK(cudaMemcpy(dc, c, ld * ld * 4, cudaMemcpyHostToDevice));  // else NaN or the last result
      DONE(cublasSgemm(handle, t & 1 ? CUBLAS_OP_T : CUBLAS_OP_N, t & 2 ? CUBLAS_OP_T : CUBLAS_OP_N, m, n, k, &alpha,
                       da, ld, db, ld, &beta, dc, ld));

      OK(cudaMemcpy(got, dc, ld * ld * 4, cudaMemcpyDeviceToHost));
      const double d = distance(got, a, ld, t & 1, b, ld, t & 2, c, ld, m, n, k, alpha, beta, round ? as_tf32 : NULL);
      cr_assert(d <= 1e-5, "round %d transposes %d: %g", round, t, d);
      if (round)
        cr_assert(!(distance(got, a, ld, t & 1, b, ld, t & 2, c, ld, m, n, k, alpha, beta, NULL) <= 1e-5),
                  "tf32 shows");
    }
  }

  DONE(cublasDestroy(handle));
  STATUS(CUBLAS_STATUS_NOT_INITIALIZED, cublasDestroy(handle));
  cr_assert_eq(emu_live_handles(), 0);
  free(a), free(b), free(c), free(got);
  OK(cudaFree(da));
  OK(cudaFree(db));
  OK(cudaFree(dc));
}

Test(cublas, output_of_nan_is_overwritten) {
  cublasHandle_t handle;
  DONE(cublasCreate(&handle));
  const float one = 1, zero = 0, host[4] = {1, 2, 3, 4};
  float *a = upload(host, 4), *c = device_floats(4);

  DONE(cublasSgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, 2, 2, 2, &one, a, 2, a, 2, &zero, c, 2));
  cr_assert_eq(value_at(c, 0), 7.0f);
  cr_assert_eq(value_at(c, 3), 22.0f);

  // k = 0 and beta = 0 gives a matrix of zeros; m = 0 does nothing.
  DONE(cublasSgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, 2, 2, 0, &one, a, 2, a, 1, &zero, c, 2));
  cr_assert_eq(value_at(c, 3), 0.0f);
  DONE(cublasSgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, 0, 2, 2, &one, a, 1, a, 2, &zero, c, 1));

  DONE(cublasDestroy(handle));
  OK(cudaFree(a));
  OK(cudaFree(c));
}

Test(cublas, refused) {
  cublasHandle_t handle;
  cublasMath_t mode;
  const float one = 1, zero = 0;
  float *a = device_floats(16);

  STATUS(CUBLAS_STATUS_INVALID_VALUE, cublasCreate(NULL));
  STATUS(CUBLAS_STATUS_NOT_INITIALIZED,
         cublasSgemm(NULL, CUBLAS_OP_N, CUBLAS_OP_N, 2, 2, 2, &one, a, 2, a, 2, &zero, a + 8, 2));
  DONE(cublasCreate(&handle));
  STATUS(CUBLAS_STATUS_INVALID_VALUE,
         cublasSgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, -1, 2, 2, &one, a, 2, a, 2, &zero, a + 8, 2));
  STATUS(CUBLAS_STATUS_INVALID_VALUE,
         cublasSgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, 2, 2, 2, &one, a, 1, a, 2, &zero, a + 8, 2));
  STATUS(CUBLAS_STATUS_INVALID_VALUE,
         cublasSgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, 2, 2, 2, NULL, a, 2, a, 2, &zero, a + 8, 2));
  STATUS(CUBLAS_STATUS_INVALID_VALUE,
         cublasSgemm(handle, (cublasOperation_t)77, CUBLAS_OP_N, 2, 2, 2, &one, a, 2, a, 2, &zero, a + 8, 2));
  STATUS(CUBLAS_STATUS_NOT_SUPPORTED,
         cublasGemmEx(handle, CUBLAS_OP_N, CUBLAS_OP_N, 2, 2, 2, &one, a, CUDA_R_8I, 2, a, CUDA_R_8I, 2, &zero, a + 8,
                      CUDA_R_32F, 2, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT));

  DONE(cublasSetMathMode(handle, CUBLAS_PEDANTIC_MATH));
  DONE(cublasGetMathMode(handle, &mode));
  cr_assert_eq(mode, CUBLAS_PEDANTIC_MATH);

  // Out of bounds: the device finds it.
  DONE(cublasSgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, 2, 2, 7, &one, a, 2, a, 16, &zero, a + 8, 2));
  FAILS(cudaErrorIllegalAddress, cudaDeviceSynchronize());
  REPORTS("cublasSgemm: B");
  STATUS(CUBLAS_STATUS_EXECUTION_FAILED,
         cublasSgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, 2, 2, 2, &one, a, 2, a, 2, &zero, a + 8, 2));

  OK(cudaDeviceReset());
  DONE(cublasDestroy(handle));
}

Test(cublas, gemm_ex_bf16) {
  cublasHandle_t handle;
  DONE(cublasCreate(&handle));
  const int m = 9, n = 11, k = 33;
  float *a = random_floats(m * k), *b = random_floats(k * n), *got = malloc(m * n * 4);
  uint16_t *ha = malloc(m * k * 2), *hb = malloc(k * n * 2), *da, *db, *hc = malloc(m * n * 2);

  for (int i = 0; i < m * k; ++i) ha[i] = bits16(a[i]);
  for (int i = 0; i < k * n; ++i) hb[i] = bits16(b[i]);
  OK(cudaMalloc((void **)&da, m * k * 2));
  OK(cudaMalloc((void **)&db, k * n * 2));
  OK(cudaMemcpy(da, ha, m * k * 2, cudaMemcpyHostToDevice));
  OK(cudaMemcpy(db, hb, k * n * 2, cudaMemcpyHostToDevice));
  float *dc = device_floats(m * n), *fa = upload(a, m * k), *fb = upload(b, k * n);
  const float one = 1, zero = 0;

  DONE(cublasGemmEx(handle, CUBLAS_OP_N, CUBLAS_OP_T, m, n, k, &one, da, CUDA_R_16BF, m, db, CUDA_R_16BF, n, &zero, dc,
                    CUDA_R_32F, m, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT));
  OK(cudaMemcpy(got, dc, m * n * 4, cudaMemcpyDeviceToHost));
  cr_assert(distance(got, a, m, 0, b, n, 1, got, m, m, n, k, 1, 0, as_bf16) <= 1e-5);

  // The same inputs in float, rounded on the way.
  float *again = malloc(m * n * 4);
  DONE(cublasGemmEx(handle, CUBLAS_OP_N, CUBLAS_OP_T, m, n, k, &one, fa, CUDA_R_32F, m, fb, CUDA_R_32F, n, &zero, dc,
                    CUDA_R_32F, m, CUBLAS_COMPUTE_32F_FAST_16BF, CUBLAS_GEMM_DEFAULT));
  OK(cudaMemcpy(again, dc, m * n * 4, cudaMemcpyDeviceToHost));
  cr_assert_arr_eq(got, again, m * n * 4);

  // And a result in bfloat16.
  DONE(cublasGemmEx(handle, CUBLAS_OP_N, CUBLAS_OP_T, m, n, k, &one, da, CUDA_R_16BF, m, db, CUDA_R_16BF, n, &zero, dc,
                    CUDA_R_16BF, m, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT));
  OK(cudaMemcpy(hc, dc, m * n * 2, cudaMemcpyDeviceToHost));
  for (int i = 0; i < m * n; ++i) cr_assert_eq(hc[i], bits16(got[i]));

  DONE(cublasDestroy(handle));
  free(a), free(b), free(got), free(again), free(ha), free(hb), free(hc);
  OK(cudaFree(da));
  OK(cudaFree(db));
  OK(cudaFree(dc));
  OK(cudaFree(fa));
  OK(cudaFree(fb));
}

Test(cublas, strided_batched) {
  cublasHandle_t handle;
  DONE(cublasCreate(&handle));
  const int m = 4, n = 5, k = 6, batches = 3;
  float *a = random_floats(m * k * batches), *b = random_floats(k * n), *got = malloc(m * n * batches * 4);
  float *da = upload(a, m * k * batches), *db = upload(b, k * n), *dc = device_floats(m * n * batches);
  const float two = 2, zero = 0;

  emu_reset_counts();
  DONE(cublasSgemmStridedBatched(handle, CUBLAS_OP_N, CUBLAS_OP_N, m, n, k, &two, da, m, m * k, db, k, 0, &zero, dc, m,
                                 m * n, batches));
  OK(cudaMemcpy(got, dc, m * n * batches * 4, cudaMemcpyDeviceToHost));
  cr_assert_eq(emu_read_counts().launches, 1);
  cr_assert_eq(emu_read_counts().library_calls, 1);
  for (int i = 0; i < batches; ++i)
    cr_assert(distance(got + i * m * n, a + i * m * k, m, 0, b, k, 0, got, m, m, n, k, 2, 0, NULL) <= 1e-5);

  DONE(cublasDestroy(handle));
  free(a), free(b), free(got);
  OK(cudaFree(da));
  OK(cudaFree(db));
  OK(cudaFree(dc));
}

Test(cublas, work_of_the_stream) {
  emu_set_deferred(1);
  cublasHandle_t handle;
  cudaStream_t s, got;
  cudaGraph_t graph;
  cudaGraphExec_t exec;

  OK(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking));
  DONE(cublasCreate(&handle));
  DONE(cublasSetStream(handle, s));
  DONE(cublasGetStream(handle, &got));
  cr_assert_eq(got, s);

  const float host[4] = {1, 0, 0, 1}, zero = 0;
  float one = 1, *a = upload(host, 4), *c = device_floats(4);
  OK(cudaDeviceSynchronize());

  DONE(cublasSgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, 2, 2, 2, &one, a, 2, a, 2, &zero, c, 2));
  cr_assert_eq(emu_pending_work(), 1);
  one = 77;  // read when the call was made
  cr_assert_eq(value_at(c, 3), 1.0f);
  one = 1;

  // Captured: a kernel node; scalars on the device are read at each launch.
  float *scalars = device_floats(2);
  DONE(cublasSetPointerMode(handle, CUBLAS_POINTER_MODE_DEVICE));
  OK(cudaStreamBeginCapture(s, cudaStreamCaptureModeGlobal));
  DONE(cublasSgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, 2, 2, 2, scalars, a, 2, a, 2, scalars + 1, c, 2));
  OK(cudaStreamEndCapture(s, &graph));
  OK(cudaGraphInstantiate(&exec, graph, 0));

  for (float alpha = 2; alpha < 4; ++alpha) {
    const float values[2] = {alpha, 0};
    OK(cudaMemcpy(scalars, values, 8, cudaMemcpyHostToDevice));
    OK(cudaDeviceSynchronize());
    OK(cudaGraphLaunch(exec, s));
    cr_assert_eq(value_at(c, 3), alpha);
  }

  OK(cudaGraphExecDestroy(exec));
  OK(cudaGraphDestroy(graph));
  DONE(cublasDestroy(handle));
  OK(cudaStreamDestroy(s));
  OK(cudaFree(a));
  OK(cudaFree(c));
  OK(cudaFree(scalars));
}

Test(cublas, vectors) {
  cublasHandle_t handle;
  DONE(cublasCreate(&handle));
  const float x[6] = {3, 9, -4, 9, 0, 9}, y[3] = {1, 2, 3}, half = 0.5f;
  float *dx = upload(x, 6), *dy = upload(y, 3), result = 0;

  DONE(cublasSnrm2(handle, 3, dx, 2, &result));
  cr_assert_eq(result, 5.0f);
  DONE(cublasSasum(handle, 3, dx, 2, &result));
  cr_assert_eq(result, 7.0f);
  DONE(cublasSdot(handle, 3, dx, 2, dy, 1, &result));
  cr_assert_eq(result, -5.0f);

  DONE(cublasSaxpy(handle, 3, &half, dx, 2, dy, 1));
  cr_assert_eq(value_at(dy, 0), 2.5f);
  DONE(cublasSscal(handle, 3, &half, dx, 2));
  cr_assert_eq(value_at(dx, 0), 1.5f);
  cr_assert_eq(value_at(dx, 1), 9.0f);

  DONE(cublasSetPointerMode(handle, CUBLAS_POINTER_MODE_DEVICE));
  DONE(cublasSnrm2(handle, 3, dx, 2, dy));
  cr_assert_eq(value_at(dy, 0), 2.5f);

  DONE(cublasDestroy(handle));
  OK(cudaFree(dx));
  OK(cudaFree(dy));
}
