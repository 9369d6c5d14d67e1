/*
 * What the hardware takes for what the step is made of:
 *
 *   micro FILE.csv [SCALE]    SCALE 0: a few repeats, for the emulated device; 1: as many as a measurement needs
 *
 * Each row says what was measured (median, least and most of some repeats), whether the result of the kernel was right,
 * and which number in host/plan/cost.c, or assumption elsewhere, it takes the place of. Rows are written as they are
 * known, those least likely to hang first. Exit status 1 if a result was wrong or CUDA failed.
 */
#include "tests/gpu/micro.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/exchange.h"

enum { MOST_REPEATS = 7 };

static struct {
  FILE *file;
  bool in_full;
  int n_sms, n_wrong;
  double mhz;
  uint32_t n_ctas; /* of exchanges */
} run;

/* ---- helpers ---- */

static void require(cudaError_t error, const char *what) {
  if (error == cudaSuccess) return;
  fprintf(stderr, "%s: %s\n", what, cudaGetErrorString(error));
  exit(1);
}
#define OK(call) require((call), #call)

static uint32_t repeats(uint32_t in_full) {
  return run.in_full ? in_full : 4;
}

static void *device(size_t n_bytes, const void *from) {
  void *memory = NULL;
  OK(cudaMalloc(&memory, n_bytes));
  if (from) {
    OK(cudaMemcpy(memory, from, n_bytes, cudaMemcpyHostToDevice));
  } else {
    OK(cudaMemset(memory, 0xff, n_bytes));
  }
  return memory;
}

static void fetch(void *to, const void *from, size_t n_bytes) {
  OK(cudaDeviceSynchronize());
  OK(cudaMemcpy(to, from, n_bytes, cudaMemcpyDeviceToHost));
}

static int ascending(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* A row from measurements of the same thing. */
static void tell(const char *name, double *values, size_t n, const char *unit, bool right, const char *replaces,
                 const char *assumed) {
  qsort(values, n, sizeof *values, ascending);
  fprintf(run.file, "%s,%.6g,%s,%.6g,%.6g,%s,%s,%s\n", name, values[n / 2], unit, values[0], values[n - 1],
          right ? "yes" : "NO", replaces, assumed);
  fflush(run.file);
  printf("%-28s %12.5g %-16s %s\n", name, values[n / 2], unit, right ? "" : "WRONG RESULT");
  fflush(stdout);
  run.n_wrong += !right;
}

static uint64_t most_of(const uint64_t *clocks, uint32_t n) {
  uint64_t most = 0;
  for (uint32_t i = 0; i < n; i++) {
    if (clocks[i] > most) most = clocks[i];
  }
  return most;
}

/* ---- clock and launches ---- */

static void measure_clock(void) {
  cudaEvent_t began, ended;
  double values[MOST_REPEATS];
  uint64_t *clocks = device(sizeof *clocks, NULL), n = 0;
  const uint64_t asked = run.in_full ? 20000000 : 2000;

  OK(cudaEventCreate(&began));
  OK(cudaEventCreate(&ended));
  for (size_t i = 0; i < MOST_REPEATS; i++) {
    float ms = 0;
    OK(cudaEventRecord(began, 0));
    OK(micro_run_spin(asked, clocks, 0));
    OK(cudaEventRecord(ended, 0));
    fetch(&n, clocks, sizeof n);
    OK(cudaEventElapsedTime(&ms, began, ended));
    values[i] = (double)n / (1e3 * (double)ms + 1e-9);
  }

  tell("clock", values, MOST_REPEATS, "MHz", n >= asked, "CLOCKS_PER_US", "1980");
  run.mhz = values[MOST_REPEATS / 2];
  OK(cudaEventDestroy(began));
  OK(cudaEventDestroy(ended));
  OK(cudaFree(clocks));
}

static void measure_launches(bool stores) {
  cudaEvent_t began, ended;
  double values[MOST_REPEATS];
  uint32_t *host = NULL, n = repeats(1000);
  void *mapped = NULL;

  OK(cudaEventCreate(&began));
  OK(cudaEventCreate(&ended));
  OK(cudaHostAlloc((void **)&host, sizeof *host, cudaHostAllocMapped));
  OK(cudaHostGetDevicePointer(&mapped, host, 0));
  *host = 0;

  for (size_t i = 0; i < MOST_REPEATS; i++) {
    float ms = 0;
    OK(cudaEventRecord(began, 0));
    for (uint32_t k = 0; k < n; k++) OK(micro_run_empty(run.n_ctas, stores ? mapped : NULL, k + 1, 0));
    OK(cudaEventRecord(ended, 0));
    OK(cudaEventSynchronize(ended));
    OK(cudaEventElapsedTime(&ms, began, ended));
    values[i] = 1e3 * (double)ms / n;
  }

  tell(stores ? "launch_with_host_store" : "launch", values, MOST_REPEATS, "us", *host == (stores ? n : 0),
       stores ? "0.7 us for the store" : "LAUNCH_US", stores ? "2.0" : "1.3");
  OK(cudaEventDestroy(began));
  OK(cudaEventDestroy(ended));
  OK(cudaFreeHost(host));
}

/* ---- exchanges ---- */

static uint32_t expected_sum(micro_way way, uint32_t n_rounds) {
  const uint32_t n_words = way == MICRO_NOW_DATA || way == MICRO_PACKETS ? MICRO_WORDS : 1;
  uint32_t sum = 0;
  for (uint32_t r = 0; r < n_rounds; r++) {
    for (uint32_t c = 0; c < run.n_ctas; c++) {
      for (uint32_t i = 0; i < n_words; i++) sum += micro_word(r, c, i);
    }
  }
  return sum;
}

static void measure_exchange(micro_way way, const char *name, const char *assumed) {
  const uint32_t n = run.n_ctas, n_rounds = repeats(2000);
  const size_t half = (size_t)n * (MICRO_WORDS / 3) * 16;
  micro_exchange p = {.way = way, .n_ctas = n, .n_rounds = n_rounds, .first_epoch = 1};
  double values[MOST_REPEATS];
  uint64_t clocks[MICRO_MOST_CTAS];
  uint32_t sums[MICRO_MOST_CTAS];
  bool right = true;

  p.slots = device(2 * half, NULL);
  p.words = device((size_t)2 * n * MICRO_WORDS * sizeof *p.words, NULL);
  p.clocks = device(n * sizeof *clocks, NULL);
  p.sums = device(n * sizeof *sums, NULL);

  for (size_t i = 0; i < MOST_REPEATS; i++) {
    /* Even epochs use the first half, odd ones the second. */
    if (way == MICRO_NOW || way == MICRO_PAYLOADS || way == MICRO_NOW_DATA) {
      OK(vise_k_exchange_prepare(p.slots, 1, n, 0));
    } else {
      OK(cudaMemsetAsync(p.slots, 0xff, half, 0));
      OK(cudaMemsetAsync((char *)p.slots + half, 0, half, 0));
    }

    OK(micro_run_exchange(&p, 0));
    fetch(clocks, p.clocks, n * sizeof *clocks);
    fetch(sums, p.sums, n * sizeof *sums);
    for (uint32_t c = 0; c < n; c++) right = right && sums[c] == expected_sum(way, n_rounds);
    values[i] = (double)most_of(clocks, n) / n_rounds / run.mhz;
  }

  tell(name, values, MOST_REPEATS, "us", right, "EXCHANGE_US", assumed);
  OK(cudaFree(p.slots));
  OK(cudaFree(p.words));
  OK(cudaFree(p.clocks));
  OK(cudaFree(p.sums));
}

/* ---- one thing at a time ---- */

enum { CHAIN_STEP = 1021 }; /* has no divisor in common with the lengths of chains */

static double expected_chain(micro_kind kind, uint32_t n) {
  double x = 1e300;
  float f = 1e30f;
  for (uint32_t i = 0; i < n; i++) {
    if (kind == MICRO_F64_SQRT) x = sqrt(x);
    if (kind == MICRO_F64_DIVIDE) x = x / 3.0;
    if (kind == MICRO_F64_ADD) x = x + 3.0;
    if (kind == MICRO_F32_DIVIDE) f = f / 3.0f;
  }
  return kind == MICRO_F32_DIVIDE ? (double)f : x;
}

/* What the first warp reads, n times. */
static double expected_read(const uint32_t *words, uint32_t n_words, uint32_t n) {
  uint32_t sum = 0;
  for (uint32_t i = 0; i < n_words / 4; i++) {
    if (i % MICRO_THREADS >= 32) continue;
    for (uint32_t k = 0; k < 4; k++) sum += words[4 * i + k];
  }
  return (double)(sum * n);
}

typedef struct one {
  micro_kind kind;
  const char *name;
  uint32_t n_ctas, n;
  double bytes; /* of one repeat and CTA: then the value is a rate */
  const char *replaces, *assumed;
} one;

static double expected_of(const one *o, const uint32_t *words, uint32_t n_words, uint32_t n) {
  switch (o->kind) {
    case MICRO_REMOTE_LATENCY:
    case MICRO_L2_LATENCY:
      return (double)((uint64_t)n * CHAIN_STEP % n_words);
    case MICRO_REMOTE_READ:
    case MICRO_L2_READ:
      return expected_read(words, n_words, n);
    case MICRO_F64_SQRT:
    case MICRO_F64_DIVIDE:
    case MICRO_F64_ADD:
    case MICRO_F32_DIVIDE:
      return expected_chain(o->kind, n);
    default:
      return n;
  }
}

static void measure_one(const one *o) {
  const bool is_remote = o->kind == MICRO_REMOTE_LATENCY || o->kind == MICRO_REMOTE_READ;
  const uint32_t n_words = is_remote ? MICRO_REMOTE_WORDS : MICRO_L2_WORDS, n = repeats(o->n);
  static uint32_t words[MICRO_L2_WORDS];
  double values[MOST_REPEATS], results[MICRO_MOST_CTAS];
  uint64_t clocks[MICRO_MOST_CTAS];
  bool right = true;
  const bool is_rate = o->bytes > 0;

  for (uint32_t i = 0; i < n_words; i++) words[i] = (i + CHAIN_STEP) % n_words;
  const double expected = expected_of(o, words, n_words, n);
  micro_one p = {.kind = o->kind, .n_ctas = o->n_ctas, .n = n};
  uint32_t *from = device(sizeof words, words);
  p.from = from;
  p.to = device(sizeof words, NULL);
  p.clocks = device(o->n_ctas * sizeof *clocks, NULL);
  p.results = device(o->n_ctas * sizeof *results, NULL);

  for (size_t i = 0; i < MOST_REPEATS; i++) {
    OK(micro_run_one(&p, 0));
    fetch(clocks, p.clocks, o->n_ctas * sizeof *clocks);
    fetch(results, p.results, o->n_ctas * sizeof *results);
    for (uint32_t c = 0; c < o->n_ctas; c++) right = right && results[c] == expected;
    const double each = (double)most_of(clocks, o->n_ctas) / n;
    values[i] = is_rate ? o->bytes * run.mhz / (each + 1e-9) : each;
  }

  if (o->kind == MICRO_FENCE_1 || o->kind == MICRO_FENCE_4) {
    fetch(words, p.to, sizeof words);
    right = right && words[0] == n - 1 && words[4 * MICRO_THREADS - 1] == n - 1;
  }
  tell(o->name, values, MOST_REPEATS, is_rate ? "bytes/us and SM" : "clocks", right, o->replaces, o->assumed);
  OK(cudaFree(from));
  OK(cudaFree(p.to));
  OK(cudaFree(p.clocks));
  OK(cudaFree(p.results));
}

static void measure_ones(bool clusters) {
  const uint32_t all = run.n_ctas;
  const one ones[] = {
      {MICRO_SYNC, "sync_256_threads", 1, 4096, 0, "a barrier of a CTA", "20 to 30"},
      {MICRO_F64_SQRT, "f64_sqrt", 1, 256, 0, "latency in the ledger", "100 to 200"},
      {MICRO_F64_DIVIDE, "f64_divide", 1, 256, 0, "latency in the ledger", "100 to 200"},
      {MICRO_F64_ADD, "f64_add", 1, 1024, 0, "latency in the ledger", "8"},
      {MICRO_F32_DIVIDE, "f32_divide", 1, 64, 0, "latency in the ledger", "40 to 80"},
      {MICRO_FENCE_0, "fence_after_0_stores", 1, 1024, 0, "part of EXCHANGE_US", ""},
      {MICRO_FENCE_1, "fence_after_1_store", 1, 1024, 0, "part of EXCHANGE_US", ""},
      {MICRO_FENCE_4, "fence_after_4_stores", 1, 1024, 0, "part of EXCHANGE_US", ""},
      {MICRO_L2_LATENCY, "l2_latency", 1, 4096, 0, "part of EXCHANGE_US", "270"},
      {MICRO_L2_READ, "l2_read_50_kb", all, 64, 4.0 * MICRO_L2_WORDS, "L2_BYTES_PER_US_AND_SM", "30000"},
      {MICRO_L2_READ, "l2_read_50_kb_one_cta", 1, 64, 4.0 * MICRO_L2_WORDS, "L2_BYTES_PER_US_AND_SM", "64000"},
  };
  const one clustered[] = {
      {MICRO_CLUSTER_BARRIER, "cluster_barrier_8", MICRO_CLUSTER, 1024, 0, "exchange in a cluster", "400"},
      {MICRO_REMOTE_LATENCY, "remote_shared_latency", MICRO_CLUSTER, 1024, 0, "load from another CTA", "200"},
      {MICRO_REMOTE_READ, "remote_shared_read", MICRO_CLUSTER, 64, 4.0 * MICRO_REMOTE_WORDS,
       "read of another CTA's shared memory", "40000"},
  };

  if (clusters) {
    for (size_t i = 0; i < sizeof clustered / sizeof *clustered; i++) measure_one(&clustered[i]);
  } else {
    for (size_t i = 0; i < sizeof ones / sizeof *ones; i++) measure_one(&ones[i]);
  }
}

/* ---- shared memory ---- */

static uint32_t expected_shared(const micro_shared *p) {
  uint32_t total = 0;
  for (uint32_t lane = 0; lane < 32; lane++) {
    uint32_t sum = 0;
    for (uint32_t i = 0; i < p->n; i += 4) {
      for (uint32_t part = 0; part < 4; part++) {
        const uint32_t at =
            lane / p->share % p->n_places * p->stride + i * 4 % MICRO_SHARED_PART + part * MICRO_SHARED_PART;
        for (uint32_t word = at / 4; word < (at + p->bytes) / 4; word++) sum ^= 2654435761u * word;
      }
    }
    total += sum;
  }
  return total * (MICRO_THREADS / 32);
}

/* Clocks a load of a warp takes the multiprocessor; with nothing in the way that is its wavefronts. */
static void measure_shared(void) {
  static const struct {
    uint32_t bytes, share, n_places, stride;
    const char *assumed;
  } patterns[] = {{4, 1, 32, 4, "1"},   {4, 32, 1, 4, "1"},   {4, 1, 32, 8, "2"},  {8, 1, 32, 8, "2"},
                  {8, 2, 16, 8, "1"},   {8, 4, 8, 8, "1"},    {8, 32, 1, 8, "1"},  {8, 1, 8, 8, "1"},
                  {16, 1, 32, 16, "4"}, {16, 2, 16, 16, "2"}, {16, 4, 8, 16, "1"}, {16, 8, 4, 16, "1"},
                  {16, 32, 1, 16, "1"}, {16, 1, 8, 16, "1"},  {16, 1, 4, 16, "1"}, {16, 4, 8, 128, "8"}};

  for (size_t k = 0; k < sizeof patterns / sizeof *patterns; k++) {
    micro_shared p = {patterns[k].bytes,
                      patterns[k].share,
                      patterns[k].n_places,
                      patterns[k].stride,
                      run.in_full ? 2048 : 8,
                      NULL,
                      NULL};
    double values[MOST_REPEATS];
    bool right = true;
    char name[64];
    p.clocks = device(sizeof *p.clocks, NULL);
    p.result = device(sizeof *p.result, NULL);

    for (size_t i = 0; i < MOST_REPEATS; i++) {
      uint64_t clocks = 0;
      uint32_t result = 0;
      OK(micro_run_shared(&p, 0));
      fetch(&clocks, p.clocks, sizeof clocks);
      fetch(&result, p.result, sizeof result);
      right = right && result == expected_shared(&p);
      values[i] = (double)clocks / p.n / (MICRO_THREADS / 32);
    }

    (void)snprintf(name, sizeof name, "shared_%u_bits_%u_x_%u%s", p.bytes * 8, p.n_places, 32 / p.n_places,
                   p.share > 1 || p.n_places == 32 ? "" : "_cycled");
    if (p.stride > p.bytes) (void)snprintf(name + strlen(name), sizeof name - strlen(name), "_by_%u", p.stride);
    tell(name, values, MOST_REPEATS, "clocks a load", right, "wavefronts in the ledger", patterns[k].assumed);
    OK(cudaFree(p.clocks));
    OK(cudaFree(p.result));
  }
}

/* ---- code ---- */

static float expected_code(uint32_t n_blocks) {
  float x[4] = {1, 2, 3, 4};
  for (int pass = 0; pass < 2; pass++) {
    for (uint32_t block = 0; block < n_blocks; block++) {
      for (uint32_t i = 0; i < MICRO_CODE_BLOCK; i++) {
        x[i % 4] = fmaf(x[i % 4], MICRO_CODE_FACTOR, MICRO_CODE_ADDEND((int)block, (int)i));
      }
    }
  }
  return x[0] + x[1] + x[2] + x[3];
}

/* How much longer a run of so much straight code takes when it is cold. The other sizes run in between. */
static void measure_code(void) {
  static const uint32_t n_blocks[MICRO_CODE_SIZES] = {2, 8, 32};
  const uint32_t n = run.n_ctas;
  uint64_t clocks[2 * MICRO_MOST_CTAS], *device_clocks = device(sizeof clocks, NULL);
  float results[MICRO_MOST_CTAS], *device_results = device(sizeof results, NULL);
  double values[MICRO_CODE_SIZES][2][MOST_REPEATS];
  bool right[MICRO_CODE_SIZES] = {true, true, true};

  for (size_t i = 0; i < MOST_REPEATS; i++) {
    for (uint32_t size = 0; size < MICRO_CODE_SIZES; size++) {
      OK(micro_run_code(size, n, device_clocks, device_results, 0));
      fetch(clocks, device_clocks, 2 * n * sizeof *clocks);
      fetch(results, device_results, n * sizeof *results);
      double cold = 0, warm = 0;
      for (uint32_t c = 0; c < n; c++) {
        right[size] = right[size] && results[c] == expected_code(n_blocks[size]);
        if ((double)clocks[2 * c] > cold) cold = (double)clocks[2 * c];
        if ((double)clocks[2 * c + 1] > warm) warm = (double)clocks[2 * c + 1];
      }
      values[size][0][i] = cold - warm;
      values[size][1][i] = warm;
    }
  }

  for (uint32_t size = 0; size < MICRO_CODE_SIZES; size++) {
    char name[64];
    (void)snprintf(name, sizeof name, "code_%u_kb_cold", n_blocks[size] * MICRO_CODE_BLOCK * 16 / 1024);
    tell(name, values[size][0], MOST_REPEATS, "clocks more", right[size], "cold code in the ledger", "");
    (void)snprintf(name, sizeof name, "code_%u_kb_warm", n_blocks[size] * MICRO_CODE_BLOCK * 16 / 1024);
    tell(name, values[size][1], MOST_REPEATS, "clocks", right[size], "instructions a clock in the ledger", "");
  }
  OK(cudaFree(device_clocks));
  OK(cudaFree(device_results));
}

int main(int argc, char **argv) {
  int major = 0;
  if (argc < 2 || argc > 3) {
    fprintf(stderr, "usage: micro FILE.csv [0 or 1]\n");
    return 2;
  }

  run.in_full = argc < 3 || strcmp(argv[2], "0") != 0;
  run.file = fopen(argv[1], "w");
  if (!run.file) {
    fprintf(stderr, "%s cannot be written\n", argv[1]);
    return 1;
  }
  fprintf(run.file, "name,value,unit,least,most,right,replaces,assumed\n");

  OK(cudaDeviceGetAttribute(&run.n_sms, cudaDevAttrMultiProcessorCount, 0));
  OK(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0));
  run.n_ctas = run.n_sms < MICRO_MOST_CTAS ? (uint32_t)run.n_sms : MICRO_MOST_CTAS;
  if (run.n_ctas < 2) run.n_ctas = 2;

  measure_clock();
  measure_launches(false);
  measure_launches(true);
  measure_exchange(MICRO_NOW, "exchange", "0.65");
  measure_exchange(MICRO_PAYLOADS, "exchange_of_payloads_alone", "0.45");
  measure_ones(false);
  measure_shared();
  measure_code();
  if (major >= 9) measure_ones(true);
  measure_exchange(MICRO_NOW_DATA, "exchange_then_264_bytes_each", "0.75");
  measure_exchange(MICRO_STRIDED, "exchange_slots_32_bytes", "0.65");
  measure_exchange(MICRO_RELAXED, "exchange_relaxed_and_fence", "");
  measure_exchange(MICRO_PACKETS, "packets_264_bytes_each", "0.45");

  if (run.n_wrong > 0) printf("%d results were wrong\n", run.n_wrong);
  return fclose(run.file) == 0 && run.n_wrong == 0 ? 0 : 1;
}
