/* The verification before timing: a few steps against cpu64 from the same weights. */
#include <math.h>
#include <stdlib.h>

#include "host/bench/bench.h"
#include "host/train/check.h"

enum { MIN_BATCH = 16 };

/* How much a few steps may differ: weights as a share of the distance they moved, losses relative (check.h). Inputs of
   products have 11 bits in tf32 and 8 in bf16: up to 2e-2 of rounding in MNIST's net in tf32, and a GPU's cuBLAS may
   truncate them, which errs more and to one side. In float32 it is relu units within rounding of 0, of which wide nets
   have many, that switch differently: up to 3e-3 at 4096 units. */
typedef struct tolerances {
  double weights, loss;
} tolerances;

static tolerances allowed(vise_precision precision) {
  switch (precision) {
    case VISE_TF32:
      return (tolerances){5e-2, 1e-2};
    case VISE_BF16:
      return (tolerances){1e-1, 3e-2};
    default:
      return (tolerances){5e-3, 1e-4};
  }
}

vise_status vise_i_bench_trace_make(const vise_i_bench_training *training, size_t n_steps, vise_i_bench_trace *out,
                                    vise_error *err) {
  vise_status status;
  vise_model *model = NULL;
  vise_trainer *trainer = NULL;
  vise_step_stats stats[VISE_I_BENCH_VERIFY_STEPS];
  vise_i_bench_trace trace = {.batch = training->batch, .n_steps = n_steps};

  VISE_TRY(vise_i_bench_trainer_make(training, &model, &trainer, err));
  VISE_TRY(vise_i_check_copy_params(model, &trace.start, err));
  VISE_TRY(vise_trainer_step(trainer, n_steps, stats, NULL, err));
  VISE_TRY(vise_trainer_sync(trainer, err));
  VISE_TRY(vise_i_check_copy_params(model, &trace.params, err));
  for (size_t i = 0; i < n_steps; i++) trace.loss[i] = stats[i].skipped ? NAN : stats[i].loss;

  *out = trace;
  trace = (vise_i_bench_trace){0};

done:
  vise_i_bench_trace_free(&trace);
  vise_trainer_free(trainer);
  vise_model_free(model);
  return status;
}

void vise_i_bench_trace_free(vise_i_bench_trace *trace) {
  free(trace->start);
  free(trace->params);
  *trace = (vise_i_bench_trace){0};
}

static double rate_of(const vise_bench_machine *machine, vise_backend backend, vise_precision precision) {
  const vise_bench_rate *rate = vise_i_bench_find_rate(machine, backend, precision);
  return rate != NULL && rate->gemm_flop_per_s > 0 ? rate->gemm_flop_per_s : 1e10;
}

size_t vise_i_bench_plan(const vise_bench_case *bench_case, const vise_bench_machine *machine, double seconds,
                         vise_i_bench_check checks[VISE_I_BENCH_MAX_CHECKS]) {
  const double flop = vise_bench_step_flop(bench_case);
  const double step64 = flop / rate_of(machine, VISE_BACKEND_CPU64, VISE_PRECISION_AUTO);

  checks[0] = (vise_i_bench_check){VISE_BENCH_CPU64, bench_case->batch, VISE_I_BENCH_VERIFY_STEPS};
  if (VISE_I_BENCH_VERIFY_STEPS * step64 <= seconds) return 1;
  checks[0].n_steps = 1;
  if (step64 <= seconds) return 1;

  const double rows = floor((double)bench_case->batch * seconds / step64);
  checks[0].batch = rows > MIN_BATCH ? (size_t)rows : MIN_BATCH;
  if (checks[0].batch > bench_case->batch) checks[0].batch = bench_case->batch;
  checks[1] = (vise_i_bench_check){VISE_BENCH_CPU, bench_case->batch, 1};

  return flop / rate_of(machine, VISE_BACKEND_CPU, VISE_FP32) <= 4 * seconds ? 2 : 1;
}

/* The worse of two; NaN is the worst. */
static double worse(double a, double b) {
  return isnan(a) || isnan(b) ? NAN : fmax(a, b);
}

void vise_i_bench_compare(const vise_i_net *net, const vise_i_bench_trace *reference, const vise_i_bench_trace *got,
                          vise_precision precision, double tolerance_factor, vise_bench_row *row) {
  const tolerances limits = allowed(precision);
  double weights = NAN, loss = NAN;

  if (reference->n_steps == got->n_steps && reference->batch == got->batch) {
    weights = vise_i_check_weight_difference(net, reference->start, reference->params, got->params, limits.weights);
    loss = vise_i_check_loss_difference(reference->loss, got->loss, got->n_steps);
  }

  row->worst_error = worse(row->worst_error, weights);
  row->worst_loss_error = worse(row->worst_loss_error, loss);
  row->tolerance = tolerance_factor * limits.weights;
  row->loss_tolerance = tolerance_factor * limits.loss;
  row->verified = row->worst_error <= row->tolerance && row->worst_loss_error <= row->loss_tolerance;
}
