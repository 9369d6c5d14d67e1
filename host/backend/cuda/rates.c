/* What a device is, and what it reaches with nothing but copies and products. */
#include "host/backend/cuda/rates.h"

#include <cuda_runtime_api.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/backend/cuda/blas.h"
#include "host/backend/cuda/device.h"
#include "host/base/memory.h"

/* Copies and products that are large for a GPU; on the emulated device they only have to work. */
#ifdef VISE_I_LINKED_CUBLAS
enum { GEMM_N = 64, CALLS = 2, REPEATS = 2, EMULATED = 1 };
#define COPY_BYTES ((size_t)1 << 20)
#else
enum { GEMM_N = 4096, CALLS = 10, REPEATS = 5, EMULATED = 0 };
#define COPY_BYTES ((size_t)256 << 20)
#endif

static vise_status check(int device, cudaError_t error, const char *expression, vise_error *err) {
  const vise_status code = error == cudaErrorMemoryAllocation ? VISE_ERR_MEMORY : VISE_ERR_DEVICE;
  return error == cudaSuccess ? VISE_OK : vise_i_cuda_failed(device, code, error, expression, err);
}

/* In a function with `status`, `err`, `done:` and `device`. */
#define CUDA_TRY(call) VISE_TRY(check(device, (call), #call, err))

/* What cuBLAS refuses leaves a rate unmeasured; it is not an error of the device. */
static vise_status check_blas(cublasStatus_t error, const char *expression, vise_error *err) {
  if (error == CUBLAS_STATUS_SUCCESS) return VISE_OK;
  return vise_i_fail(err, VISE_ERR_UNSUPPORTED, "products: cuBLAS status %d from %s", (int)error, expression);
}

#define BLAS_TRY(call) VISE_TRY(check_blas((call), #call, err))

/* ---- what it is ---- */

/* "580.65.06 ", as the kernel module says; empty if there is none. */
static void driver_release(char *out, size_t n_bytes) {
  char line[256] = "";
  FILE *file = fopen("/proc/driver/nvidia/version", "r");
  out[0] = '\0';
  if (file == NULL) return;
  if (fgets(line, sizeof line, file) == NULL) line[0] = '\0';
  (void)fclose(file);
  const char *at = strstr(line, "Module");
  if (at == NULL) return;
  at += strcspn(at, "0123456789");
  (void)snprintf(out, n_bytes, "%.*s ", (int)strspn(at, "0123456789."), at);
}

vise_status vise_i_cuda_rates_describe(int device, char *text, size_t n_bytes, vise_error *err) {
  vise_status status;
  vise_i_cuda_device d;
  char release[64];
  int driver = 0, runtime = 0, clock_khz = 0;

  VISE_TRY(vise_i_cuda_describe(device, &d, err));
  CUDA_TRY(cudaDriverGetVersion(&driver));
  CUDA_TRY(cudaRuntimeGetVersion(&runtime));
  CUDA_TRY(cudaDeviceGetAttribute(&clock_khz, cudaDevAttrClockRate, device));
  driver_release(release, sizeof release);

  (void)snprintf(text, n_bytes,
                 "%s%.80s, compute capability %d.%d, %d SMs, %.1f GiB, up to %d MHz, driver %s(CUDA %d.%d), runtime "
                 "CUDA %d.%d",
                 EMULATED ? "emulated on the CPU (its times mean nothing): " : "", d.name, d.major, d.minor, d.n_sms,
                 (double)d.n_bytes / 1073741824.0, clock_khz / 1000, release, driver / 1000, driver % 1000 / 10,
                 runtime / 1000, runtime % 1000 / 10);

done:
  return status;
}

/* ---- what it reaches ---- */

/* A stream with two events on it. */
typedef struct stopwatch {
  cudaStream_t stream;
  cudaEvent_t start, end;
} stopwatch;

static vise_status stopwatch_make(int device, stopwatch *w, vise_error *err) {
  vise_status status = VISE_OK;
  CUDA_TRY(cudaStreamCreateWithFlags(&w->stream, cudaStreamNonBlocking));
  CUDA_TRY(cudaEventCreate(&w->start));
  CUDA_TRY(cudaEventCreate(&w->end));
done:
  return status;
}

static void stopwatch_free(stopwatch *w) {
  if (w->start) (void)cudaEventDestroy(w->start);
  if (w->end) (void)cudaEventDestroy(w->end);
  if (w->stream) (void)cudaStreamDestroy(w->stream);
}

static vise_status stopwatch_read(int device, const stopwatch *w, double *seconds, vise_error *err) {
  vise_status status = VISE_OK;
  float ms = 0;
  CUDA_TRY(cudaEventRecord(w->end, w->stream));
  CUDA_TRY(cudaEventSynchronize(w->end));
  CUDA_TRY(cudaEventElapsedTime(&ms, w->start, w->end));
  *seconds = 1e-3 * (double)ms;
done:
  return status;
}

/* Device memory with numbers in it, about as often negative as positive, none near 0. */
static vise_status make_numbers(int device, size_t n_bytes, bool bf16, void **out, vise_error *err) {
  vise_status status;
  uint32_t *words = NULL;
  const size_t n = n_bytes / sizeof *words;
  uint32_t x = 12345;

  VISE_TRY(vise_i_alloc(&words, n, sizeof *words, "numbers to be copied", err));
  for (size_t i = 0; i < n; i++) {
    x = x * 1664525u + 1013904223u;
    /* Signs and mantissas at random, exponents of 0.5 to 1. */
    words[i] = bf16 ? (x & 0x807f807fu) | 0x3f003f00u : (x & 0x807fffffu) | 0x3f000000u;
  }

  CUDA_TRY(cudaMalloc(out, n_bytes));
  CUDA_TRY(cudaMemcpy(*out, words, n_bytes, cudaMemcpyHostToDevice));
  CUDA_TRY(cudaStreamSynchronize(NULL)); /* streams that do not wait for the default one read them */

done:
  free(words);
  return status;
}

static vise_status measure_copy(int device, const stopwatch *w, double *bytes_per_s, vise_error *err) {
  vise_status status;
  void *from = NULL, *to = NULL;
  double best = INFINITY, took = 0;

  VISE_TRY(make_numbers(device, COPY_BYTES, false, &from, err));
  CUDA_TRY(cudaMalloc(&to, COPY_BYTES));

  for (int r = 0; r <= REPEATS; r++) {
    CUDA_TRY(cudaEventRecord(w->start, w->stream));
    for (int i = 0; i < CALLS; i++) {
      CUDA_TRY(cudaMemcpyAsync(to, from, COPY_BYTES, cudaMemcpyDeviceToDevice, w->stream));
    }
    VISE_TRY(stopwatch_read(device, w, &took, err));
    if (r > 0) best = fmin(best, took);
  }

  *bytes_per_s = 2.0 * CALLS * (double)COPY_BYTES / best;

done:
  if (from) (void)cudaFree(from);
  if (to) (void)cudaFree(to);
  return status;
}

/* A product of two square matrices as cuBLASLt knows it. */
typedef struct product {
  cublasLtMatmulDesc_t operation;
  cublasLtMatrixLayout_t in, out;
  cublasLtMatmulPreference_t preference;
  cublasLtMatmulAlgo_t algorithm;
  void *a, *b, *c, *workspace;
} product;

static void product_free(const vise_i_blas *blas, product *p) {
  void *const memory[] = {p->a, p->b, p->c, p->workspace};
  for (size_t i = 0; i < sizeof memory / sizeof *memory; i++) {
    if (memory[i]) (void)cudaFree(memory[i]);
  }
  if (p->preference) (void)blas->preference_destroy(p->preference);
  if (p->in) (void)blas->layout_destroy(p->in);
  if (p->out) (void)blas->layout_destroy(p->out);
  if (p->operation) (void)blas->operation_destroy(p->operation);
}

static vise_status product_make(int device, const vise_i_blas *blas, vise_precision precision, product *p,
                                vise_error *err) {
  vise_status status;
  const bool bf16 = precision == VISE_BF16;
  const cublasComputeType_t compute = precision == VISE_TF32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
  const uint64_t workspace = VISE_I_BLAS_WORKSPACE_BYTES;
  const size_t n = (size_t)GEMM_N * GEMM_N;
  cublasLtMatmulHeuristicResult_t result;
  int n_found = 0;

  VISE_TRY(make_numbers(device, n * (bf16 ? 2 : 4), bf16, &p->a, err));
  VISE_TRY(make_numbers(device, n * (bf16 ? 2 : 4), bf16, &p->b, err));
  CUDA_TRY(cudaMalloc(&p->c, n * sizeof(float)));
  CUDA_TRY(cudaMalloc(&p->workspace, VISE_I_BLAS_WORKSPACE_BYTES));

  BLAS_TRY(blas->operation_create(&p->operation, compute, CUDA_R_32F));
  BLAS_TRY(blas->layout_create(&p->in, bf16 ? CUDA_R_16BF : CUDA_R_32F, GEMM_N, GEMM_N, GEMM_N));
  BLAS_TRY(blas->layout_create(&p->out, CUDA_R_32F, GEMM_N, GEMM_N, GEMM_N));
  BLAS_TRY(blas->preference_create(&p->preference));
  BLAS_TRY(blas->preference_set(p->preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace, sizeof workspace));

  memset(&result, 0, sizeof result);
  BLAS_TRY(blas->choose(blas->handle, p->operation, p->in, p->in, p->out, p->out, p->preference, 1, &result, &n_found));
  if (n_found < 1) VISE_TRY(vise_i_fail(err, VISE_ERR_UNSUPPORTED, "cuBLAS has no product of this size"));
  p->algorithm = result.algo;

done:
  return status;
}

static vise_status measure_products(int device, const vise_i_blas *blas, const stopwatch *w, vise_precision precision,
                                    double *flop_per_s, vise_error *err) {
  vise_status status;
  product p;
  const float one = 1, zero = 0;
  double best = INFINITY, took = 0;

  memset(&p, 0, sizeof p);
  VISE_TRY(product_make(device, blas, precision, &p, err));

  for (int r = 0; r <= REPEATS; r++) {
    CUDA_TRY(cudaEventRecord(w->start, w->stream));
    for (int i = 0; i < CALLS; i++) {
      BLAS_TRY(blas->multiply(blas->handle, p.operation, &one, p.a, p.in, p.b, p.in, &zero, p.c, p.out, p.c, p.out,
                              &p.algorithm, p.workspace, VISE_I_BLAS_WORKSPACE_BYTES, w->stream));
    }
    VISE_TRY(stopwatch_read(device, w, &took, err));
    if (r > 0) best = fmin(best, took);
  }

  *flop_per_s = CALLS * 2.0 * GEMM_N * (double)GEMM_N * GEMM_N / best;
done:
  (void)cudaStreamSynchronize(w->stream);
  product_free(blas, &p);
  return status;
}

vise_status vise_i_cuda_rates_measure(int device, vise_precision precision, vise_i_meter_rates *out, vise_error *err) {
  vise_status status;
  stopwatch w = {NULL, NULL, NULL};
  vise_i_blas blas;
  vise_error inner = VISE_ERROR_INIT;

  memset(&blas, 0, sizeof blas);
  *out = (vise_i_meter_rates){.copy_bytes_per_s = NAN, .gemm_flop_per_s = NAN};
  VISE_TRY(vise_i_cuda_choose(device, err));
  VISE_TRY(stopwatch_make(device, &w, err));

  vise_status measured = measure_copy(device, &w, &out->copy_bytes_per_s, &inner);
  if (measured == VISE_OK) measured = vise_i_blas_open(&blas, &inner);
  if (measured == VISE_OK) measured = measure_products(device, &blas, &w, precision, &out->gemm_flop_per_s, &inner);

  /* A missing library or too little memory still lets steps be timed; a device that fails does not. */
  if (measured == VISE_ERR_UNSUPPORTED || measured == VISE_ERR_MEMORY) {
    (void)snprintf(out->note, sizeof out->note, "%.*s", (int)sizeof out->note - 1, inner.text);
    CUDA_TRY(cudaStreamSynchronize(w.stream)); /* cuBLAS may have met an error of the device */
  } else if (measured != VISE_OK) {
    VISE_TRY(vise_i_fail(err, measured, "%s", inner.text));
  }

done:
  vise_i_blas_close(&blas);
  stopwatch_free(&w);
  return status;
}
