/* The parts of the benchmark. Comparing and counting take what they work on as arguments, so that tests can give them
   something wrong. */
#ifndef VISE_I_BENCH_H
#define VISE_I_BENCH_H

#include "host/backend/backend.h"
#include "vise/bench.h"

/* ---- cases and their data ---- */

VISE_WARN_UNUSED vise_status vise_i_bench_check_case(const vise_bench_case *bench_case, vise_error *err);

/* Random rows for a case. Zero-initialise; free with vise_i_bench_data_free. */
typedef struct vise_i_bench_data {
  void *features, *targets;
  vise_dataset *stored, *rows; /* rows: all of stored in a random order */
} vise_i_bench_data;

/* Whole batches only: as many as make 60000 rows and at least four, but at most 256 MB (and at least one batch). */
size_t vise_i_bench_n_rows(const vise_bench_case *bench_case);
VISE_WARN_UNUSED vise_status vise_i_bench_data_make(const vise_bench_case *bench_case, vise_i_bench_data *out,
                                                    vise_error *err);
void vise_i_bench_data_free(vise_i_bench_data *data);

/* ---- how a case is run ---- */

typedef struct vise_i_bench_way {
  vise_bench_mode mode;
  vise_precision precision; /* auto for cpu64 */
} vise_i_bench_way;

vise_backend vise_i_bench_backend(vise_bench_mode mode);
/* Model and trainer of a case, run in this way on batches of `batch` rows. The caller frees both. */
VISE_WARN_UNUSED vise_status vise_i_bench_trainer_make(const vise_bench_config *config,
                                                       const vise_bench_case *bench_case, const vise_i_bench_data *data,
                                                       const vise_i_bench_way *way, size_t batch,
                                                       vise_model **out_model, vise_trainer **out_trainer,
                                                       vise_error *err);

/* ---- verification ---- */

enum { VISE_I_BENCH_VERIFY_STEPS = 3, VISE_I_BENCH_MAX_CHECKS = 2 };

/* A short training to compare by, or with. Zero-initialise; free with vise_i_bench_trace_free. */
typedef struct vise_i_bench_trace {
  size_t batch, n_steps;
  double loss[VISE_I_BENCH_VERIFY_STEPS];
  double *start, *params; /* [n_params] before and after */
} vise_i_bench_trace;

VISE_WARN_UNUSED vise_status vise_i_bench_trace_make(const vise_bench_config *config, const vise_bench_case *bench_case,
                                                     const vise_i_bench_data *data, const vise_i_bench_way *way,
                                                     size_t batch, size_t n_steps, vise_i_bench_trace *out,
                                                     vise_error *err);
void vise_i_bench_trace_free(vise_i_bench_trace *trace);

/*
 * What a case is compared with: cpu64 at the whole batch, or, where one step of that would take longer than
 * `seconds`, cpu64 on as many rows as it can do and cpu (verified so) at the whole batch.
 */
typedef struct vise_i_bench_check {
  vise_bench_mode reference;
  size_t batch, n_steps;
} vise_i_bench_check;

size_t vise_i_bench_plan(const vise_bench_case *bench_case, const vise_bench_machine *machine, double seconds,
                         vise_i_bench_check checks[VISE_I_BENCH_MAX_CHECKS]);

/* Takes the comparison of `got` with `reference` into row's errors, tolerances and `verified`; a NaN fails. */
void vise_i_bench_compare(const vise_i_net *net, const vise_i_bench_trace *reference, const vise_i_bench_trace *got,
                          vise_precision precision, double tolerance_factor, vise_bench_row *row);

/* ---- timing ---- */

/* Warms trainer up and times it for about `seconds`; fills repeats, times and launches of row. */
VISE_WARN_UNUSED vise_status vise_i_bench_time(vise_trainer *trainer, double seconds, size_t steps_multiple,
                                               vise_bench_row *row, vise_error *err);
/* Median, quartiles (interpolated) and extremes of n >= 1 times into row. Sorts times. */
void vise_i_bench_summarize(double *times_us, size_t n, vise_bench_row *row);
/* Rates and shares of a row whose median is known. */
void vise_i_bench_derive(const vise_bench_machine *machine, vise_bench_row *row);
/* The rates of a backend and precision; NULL: not measured. */
const vise_bench_rate *vise_i_bench_find_rate(const vise_bench_machine *machine, vise_backend backend,
                                              vise_precision precision);
double vise_i_bench_now(void); /* seconds of a monotonic clock */

/* ---- devices ---- */

/* What a backend may bring to be measured by. Every member may be NULL. */
typedef struct vise_i_bench_device {
  /* "NVIDIA H200, driver ..., CUDA ..., 1980 MHz" */
  vise_status (*describe)(int device, char *text, size_t n_bytes, vise_error *err);
  /* Fills copy_bytes_per_s and gemm_flop_per_s of rate, whose backend and precision are set. */
  vise_status (*measure)(int device, int n_threads, vise_bench_rate *rate, vise_error *err);
  /* Events of the device around the steps in between; stop waits for the device. NULL: the clock of the host. */
  vise_status (*clock_start)(vise_i_backend *backend, vise_error *err);
  vise_status (*clock_stop)(vise_i_backend *backend, double *seconds, vise_error *err);
} vise_i_bench_device;

/* NULL: the backend brings nothing; its steps are timed by the host's clock and have no shares. */
const vise_i_bench_device *vise_i_bench_device_find(vise_backend backend);

#endif
