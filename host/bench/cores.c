/*
 * What the cores reach with nothing but multiply-adds in registers, alone and all at once, and how fast a word goes from
 * one to another and back. This file is compiled with -ffp-contract=fast, so that x * a + b is one instruction wherever
 * the instruction set has it.
 */
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>

#include "host/base/call.h"
#include "host/base/file.h"
#include "host/bench/bench.h"
#include "host/bench/gang.h"

/* Chains that do not wait for each other: more than latency times units (5 x 2), and with a and b no more than the 16
   registers of AVX2. */
enum { CHAINS = 12 };
/* A repeat is short enough to fit between two disturbances; the best one counts. */
enum { REPEATS = 25, TRIES = 3, TRIPS = 20, TRIP_REPEATS = 501 };
#define PEAK_SECONDS 0.03
#define PATIENCE 8 /* times as long, on a busy machine */
#define TRIPS_SECONDS 0.1

/* Runs n rounds of CHAINS multiply-adds of whole vectors and writes something of each to *sink. x * a + b with 0 < a < 1
   and b > 0 stays near b / (1 - a). */
typedef void kernel(size_t n, const double *ab, double *sink);

#define DEFINE_KERNEL(name, attributes, type, vector_bytes)                                                     \
  attributes static void name(size_t n, const double *ab, double *sink) {                                       \
    typedef type vector __attribute__((vector_size(vector_bytes)));                                             \
    const vector a = (vector){0} + (type)ab[0], b = (vector){0} + (type)ab[1];                                  \
    vector x0 = b, x1 = b + 1, x2 = b + 2, x3 = b + 3, x4 = b + 4, x5 = b + 5;                                  \
    vector x6 = b + 6, x7 = b + 7, x8 = b + 8, x9 = b + 9, x10 = b + 10, x11 = b + 11;                          \
    for (size_t i = 0; i < n; i++) {                                                                            \
      x0 = x0 * a + b, x1 = x1 * a + b, x2 = x2 * a + b, x3 = x3 * a + b, x4 = x4 * a + b, x5 = x5 * a + b;     \
      x6 = x6 * a + b, x7 = x7 * a + b, x8 = x8 * a + b, x9 = x9 * a + b, x10 = x10 * a + b, x11 = x11 * a + b; \
    }                                                                                                           \
    x0 += x1 + x2 + x3 + x4 + x5 + x6 + x7 + x8 + x9 + x10 + x11;                                               \
    *sink = 0;                                                                                                  \
    for (size_t i = 0; i < sizeof x0 / sizeof x0[0]; i++) *sink += (double)x0[i];                               \
  }

#define APART __attribute__((noinline))
DEFINE_KERNEL(portable_f32, APART, float, 16)
DEFINE_KERNEL(portable_f64, APART, double, 16)
#if defined(__x86_64__)
DEFINE_KERNEL(avx2_f32, APART __attribute__((target("avx2,fma"))), float, 32)
DEFINE_KERNEL(avx2_f64, APART __attribute__((target("avx2,fma"))), double, 32)
DEFINE_KERNEL(avx512_f32, APART __attribute__((target("avx512f"))), float, 64)
DEFINE_KERNEL(avx512_f64, APART __attribute__((target("avx512f"))), double, 64)
#endif

typedef struct instruction_set {
  const char *name;
  size_t vector_bytes;
  kernel *f32, *f64;
} instruction_set;

static instruction_set choose(void) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return (instruction_set){"avx512", 64, avx512_f32, avx512_f64};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    return (instruction_set){"avx2", 32, avx2_f32, avx2_f64};
  }
#endif
  return (instruction_set){"portable", 16, portable_f32, portable_f64};
}

/* ---- multiply-adds ---------------------------------------------------------------------------------------------- */

typedef struct rounds {
  kernel *run;
  size_t n;
} rounds;

static void run_rounds(void *context, int place) {
  static const double ab[] = {0.75, 0.25};
  const rounds *r = context;
  volatile double seen; /* so that nothing is left out */
  double sink;
  (void)place;
  r->run(r->n, ab, &sink);
  seen = sink;
  (void)seen;
}

/* Rounds that take so long when nothing disturbs them; these runs also bring the clock of a sleeping core up. */
static size_t count_rounds(kernel *run, double seconds) {
  rounds r = {run, 64};

  for (;; r.n *= 2) {
    double best = INFINITY;
    for (int i = 0; i < TRIES; i++) {
      const double start = vise_i_now();
      run_rounds(&r, 0);
      best = fmin(best, vise_i_now() - start);
    }
    if (best >= seconds) return r.n;
  }
}

static double peak_of(vise_i_bench_gang *gang, int n_threads, bool is_double, double seconds) {
  const instruction_set set = choose();
  const size_t lanes = set.vector_bytes / (is_double ? sizeof(double) : sizeof(float));
  kernel *run = is_double ? set.f64 : set.f32;
  rounds r = {run, count_rounds(run, seconds / REPEATS)};
  double best = INFINITY;

  const double start = vise_i_now();
  for (int i = 0; i < REPEATS && vise_i_now() - start < PATIENCE * seconds; i++) {
    best = fmin(best, vise_i_bench_gang_run(gang, run_rounds, &r));
  }

  return 2.0 * CHAINS * (double)lanes * (double)r.n * (double)n_threads / best;
}

vise_status vise_i_bench_peak(int n_threads, bool is_double, double seconds, double *out, vise_error *err) {
  vise_status status;
  vise_i_bench_gang *gang = NULL;
  VISE_TRY(vise_i_bench_gang_create(n_threads, &gang, err));
  *out = peak_of(gang, n_threads, is_double, fmin(seconds, PEAK_SECONDS));
done:
  vise_i_bench_gang_free(gang);
  return status;
}

/* ---- round trips ------------------------------------------------------------------------------------------------ */

/* A flag of each thread, in lines of their own. */
typedef struct flags {
  _Alignas(128) _Atomic unsigned there;
  _Alignas(128) _Atomic unsigned back;
  unsigned n; /* trips so far */
} flags;

static void run_trips(void *context, int place) {
  flags *f = context;
  const unsigned from = f->n;
  if (place > 1) return;

  for (unsigned i = from + 1; i <= from + TRIPS; i++) {
    unsigned n_spins = 0;
    if (place == 0) {
      atomic_store_explicit(&f->there, i, memory_order_release);
      while (atomic_load_explicit(&f->back, memory_order_acquire) != i) vise_i_bench_spin(&n_spins);
    } else {
      while (atomic_load_explicit(&f->there, memory_order_acquire) != i) vise_i_bench_spin(&n_spins);
      atomic_store_explicit(&f->back, i, memory_order_release);
    }
  }
}

/* The lower quartile of some repeats: whatever else wants these cores makes others longer by far. */
static double round_trip(vise_i_bench_gang *gang) {
  flags f = {0, 0, 0};
  vise_bench_row quartiles;
  double ns[TRIP_REPEATS];
  size_t n = 0;
  const double start = vise_i_now();

  do {
    ns[n++] = 1e9 * vise_i_bench_gang_run(gang, run_trips, &f) / TRIPS;
    f.n += TRIPS;
  } while (n < TRIP_REPEATS && vise_i_now() - start < TRIPS_SECONDS);

  vise_i_bench_summarize(ns, n, &quartiles);
  return quartiles.us_q1;
}

/* ---- both ------------------------------------------------------------------------------------------------------- */

vise_status vise_bench_measure_cores(int n_threads, vise_bench_cores *out, vise_error *err) {
  vise_status status;
  vise_i_bench_gang *gang = NULL;
  vise_bench_cores cores = {.n_threads = n_threads, .round_trip_ns = NAN};
  VISE_ENTER(err, out);

  if (n_threads < 1 || n_threads > VISE_BENCH_MAX_CORES) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_USAGE, "vise_bench_measure_cores: %d threads, expected 1 to %d", n_threads,
                         VISE_BENCH_MAX_CORES));
  }
  VISE_TRY(vise_i_bench_gang_create(n_threads, &gang, err));

  (void)snprintf(cores.instructions, sizeof cores.instructions, "%s", choose().name);
  cores.fp32_flop_per_s = peak_of(gang, n_threads, false, PEAK_SECONDS);
  cores.fp64_flop_per_s = peak_of(gang, n_threads, true, PEAK_SECONDS);
  if (n_threads > 1) cores.round_trip_ns = round_trip(gang);
  *out = cores;

done:
  vise_i_bench_gang_free(gang);
  return status;
}
