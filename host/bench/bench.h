/* The parts of the benchmark. What compares and counts takes its data as arguments, so that tests can pass wrong
   data. */
#ifndef VISE_I_BENCH_H
#define VISE_I_BENCH_H

#include "host/backend/backend.h"
#include "host/backend/meter.h"
#include "host/base/call.h"
#include "vise/bench.h"

/* The caller's configuration, in this version's struct. */
VISE_WARN_UNUSED vise_status vise_i_bench_take_config(const vise_bench_config *given, vise_bench_config *out,
                                                      vise_error *err);

/* ---- cases and their data ---- */

VISE_WARN_UNUSED vise_status vise_i_bench_check_case(const vise_bench_case *bench_case, vise_error *err);

/* Whether the caller's rows, if there are any, fit the case. */
VISE_WARN_UNUSED vise_status vise_i_bench_check_data(const vise_bench_config *config, const vise_bench_case *bench_case,
                                                     vise_error *err);

/* Rows, random or the caller's, and weights for a case. Zero-initialise; free with vise_i_bench_data_free. */
typedef struct vise_i_bench_data {
  void *features, *targets;    /* of random rows; else NULL */
  float *weights;              /* every training starts from these */
  vise_dataset *stored, *rows; /* rows: all of stored in a random order */
} vise_i_bench_data;

/* Of random rows whole batches only: as many as make 60000 rows and at least four, but at most 256 MB (and at least one
   batch). */
size_t vise_i_bench_n_rows(const vise_bench_case *bench_case);
VISE_WARN_UNUSED vise_status vise_i_bench_data_make(const vise_bench_config *config, const vise_bench_case *bench_case,
                                                    vise_i_bench_data *out, vise_error *err);
void vise_i_bench_data_free(vise_i_bench_data *data);

/* ---- how a case is run ---- */

typedef struct vise_i_bench_way {
  vise_bench_mode mode;
  vise_precision precision; /* auto for cpu64 */
} vise_i_bench_way;

vise_backend vise_i_bench_backend(vise_bench_mode mode);

/* A training of a case. */
typedef struct vise_i_bench_training {
  const vise_bench_config *config; /* threads, device, steps of a launch */
  const vise_bench_case *bench_case;
  const vise_i_bench_data *data;
  vise_i_bench_way way;
  size_t batch; /* rows */
} vise_i_bench_training;

/* Its model and trainer; the caller frees both. */
VISE_WARN_UNUSED vise_status vise_i_bench_trainer_make(const vise_i_bench_training *training, vise_model **out_model,
                                                       vise_trainer **out_trainer, vise_error *err);

/* ---- verification ---- */

enum { VISE_I_BENCH_VERIFY_STEPS = 3, VISE_I_BENCH_MAX_CHECKS = 2 };

/* A short training: the reference, or what is compared with it. Zero-initialise; free with vise_i_bench_trace_free. */
typedef struct vise_i_bench_trace {
  size_t batch, n_steps;
  double loss[VISE_I_BENCH_VERIFY_STEPS];
  double *start, *params; /* [n_params] before and after */
} vise_i_bench_trace;

VISE_WARN_UNUSED vise_status vise_i_bench_trace_make(const vise_i_bench_training *training, size_t n_steps,
                                                     vise_i_bench_trace *out, vise_error *err);
void vise_i_bench_trace_free(vise_i_bench_trace *trace);

/*
 * What a case is compared with: cpu64 at the whole batch, or, where one step of that would take longer than
 * `seconds`, cpu64 on as many rows as it can do and cpu (verified by that) at the whole batch.
 */
typedef struct vise_i_bench_check {
  vise_bench_mode reference;
  size_t batch, n_steps;
} vise_i_bench_check;

size_t vise_i_bench_plan(const vise_bench_case *bench_case, const vise_bench_machine *machine, double seconds,
                         vise_i_bench_check checks[VISE_I_BENCH_MAX_CHECKS]);

/* Puts the comparison of `got` with `reference` into row's errors, tolerances and `verified`; a NaN fails. */
void vise_i_bench_compare(const vise_i_net *net, const vise_i_bench_trace *reference, const vise_i_bench_trace *got,
                          vise_precision precision, double tolerance_factor, vise_bench_row *row);

/* ---- the cores ---- */

/* Floating-point operations a second of this many threads that do nothing but multiply-adds in registers, all at once;
   measured for about `seconds`, but not for longer than it takes. */
VISE_WARN_UNUSED vise_status vise_i_bench_peak(int n_threads, bool is_double, double seconds, double *out,
                                               vise_error *err);

/* ---- timing ---- */

/* Warms trainer up and times it for about `seconds`; fills repeats, times and launches of row. Times come from
   the device's events where its backend has them, else from the host's clock. */
VISE_WARN_UNUSED vise_status vise_i_bench_time(vise_trainer *trainer, double seconds, size_t steps_multiple,
                                               vise_bench_row *row, vise_error *err);
/* Both sort n >= 1 numbers. */
double vise_i_bench_median(double *numbers, size_t n);
/* Median, quartiles (interpolated) and extremes of times into row. */
void vise_i_bench_summarize(double *times_us, size_t n, vise_bench_row *row);
/* Rates and shares of a row whose median is known. */
void vise_i_bench_derive(const vise_bench_machine *machine, vise_bench_row *row);
/* The rates of a backend and precision; NULL: not measured. */
const vise_bench_rate *vise_i_bench_find_rate(const vise_bench_machine *machine, vise_backend backend,
                                              vise_precision precision);

/* ---- phases ---- */

/* Calls of the backend over whose steps the medians of the parts are taken. */
enum { VISE_I_BENCH_PHASE_CALLS = 5 };

/* Runs launches of trainer, whose step is fused, with clocks; reports the parts of a step. */
VISE_WARN_UNUSED vise_status vise_i_bench_phases(const vise_bench_config *config, const vise_bench_case *bench_case,
                                                 const vise_i_bench_way *way, vise_trainer *trainer, vise_error *err);
/* Medians of the parts over all steps of n >= 1 calls with the same parts, in microseconds and as shares of the whole;
   the caller then sets case, mode and precision in out. Returns the number of parts. */
size_t vise_i_bench_phases_summarize(const vise_i_meter_steps *calls, size_t n, double clocks_per_us,
                                     vise_bench_phase out[VISE_I_METER_MOST_PARTS]);

#endif
