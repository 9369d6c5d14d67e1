/*
 * The clocks of every CTA over the steps of a training of 784-128-10, batch 64:
 *
 *   clocks FILE.csv [N]    N steps (64, at most), one to a launch and then all in one launch
 *
 * Writes each mark of each CTA and step, in clocks since the CTA began the step (kernels/step_types.h), and prints for
 * each part medians over the steps: work of the slowest CTA, least wait in the exchange before it, and how much longer
 * others wait.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/backend/cuda/cuda.h"
#include "host/backend/meter.h"
#include "host/plan/plan.h"
#include "tests/support/backend_rig.h"

enum { IN = 784, HIDDEN = 128, OUT = 10, BATCH = 64, MOST_STEPS = VISE_K_CLOCK_STEPS };

typedef struct training {
  vise_i_net net;
  vise_i_step_spec spec;
  size_t n_rows, n_steps;
  double *x, *y, *params;
  size_t *order;
  vise_i_hyper *hyper;
  vise_step_stats *stats;
  vise_i_backend *backend;
} training;

static void require(vise_status status, const char *what, const vise_error *err) {
  if (status == VISE_OK) return;
  fprintf(stderr, "%s: %s\n", what, err->text);
  exit(1);
}

/* Twice n_steps steps: launches of one step, or of n_steps, all but the last of which note clocks. */
static void open_training(training *t, size_t n_steps) {
  static const size_t widths[] = {IN, HIDDEN, OUT};
  uint64_t state = 3;

  t->net = rig_net(2, widths, VISE_RELU, true);
  t->spec = rig_spec(&t->net);
  t->spec.rule.loss = VISE_LOSS_CROSS_ENTROPY;
  t->spec.rule.k2 = 1e-5;
  t->spec.rule.clip_norm = 5;
  t->spec.max_batch = BATCH;
  for (size_t l = 0; l < 2; l++) {
    t->spec.boxes[l].lo = -0.5;
    t->spec.boxes[l].hi = 0.5;
  }

  t->n_steps = 2 * n_steps;
  t->n_rows = t->n_steps * BATCH;
  t->x = malloc(t->n_rows * IN * sizeof *t->x);
  t->y = malloc(t->n_rows * sizeof *t->y);
  t->params = malloc(t->net.n_values * sizeof *t->params);
  t->order = malloc(t->n_rows * sizeof *t->order);
  t->hyper = malloc(t->n_steps * sizeof *t->hyper);
  t->stats = calloc(t->n_steps, sizeof *t->stats);

  rig_fill(&state, 1, t->x, t->n_rows * IN);
  rig_fill(&state, 0.05, t->params, t->net.n_values);
  for (size_t i = 0; i < t->n_rows; i++) {
    t->y[i] = (double)(i * 7 % OUT);
    t->order[i] = i * 13 % t->n_rows;
  }
  for (size_t s = 0; s < t->n_steps; s++) {
    t->hyper[s] = rig_hyper(0.1);
    t->hyper[s].step = s;
  }

  const vise_i_data data = rig_data(t->x, t->n_rows, IN, t->y, 1, true, NULL);
  t->backend = rig_begin(&vise_i_backend_cuda, &t->spec, t->params, &t->hyper[0], &data, t->order, t->n_rows);
}

static void close_training(training *t) {
  vise_i_backend_cuda.destroy(t->backend);
  free(t->x);
  free(t->y);
  free(t->params);
  free(t->order);
  free(t->hyper);
  free(t->stats);
}

/* "start" ..., "update arrive" ... */
static void name_mark(const vise_k_step *step, uint32_t mark, char *out, size_t n_bytes) {
  static const char *const names[] = {"start", "step", "inputs", "leave", "end"}, *const of_phase[] = {"arrive", "poll",
                                                                                                       "begin"};
  if (mark < VISE_K_CLOCK_PHASES) {
    (void)snprintf(out, n_bytes, "%s", names[mark]);
    return;
  }
  const uint32_t phase = (mark - VISE_K_CLOCK_PHASES) / 3;
  const vise_k_phase *p = &step->phases[phase];
  (void)snprintf(out, n_bytes, "%s %u %s", vise_i_plan_phase_name((vise_k_phase_kind)p->kind), (unsigned)p->layer,
                 of_phase[(mark - VISE_K_CLOCK_PHASES) % 3]);
}

/* All marks of the steps with clocks. */
static void write_clocks(const training *t, const char *mode, FILE *file) {
  const vise_i_cuda *b = vise_i_cuda_of(t->backend);
  const vise_k_step *step = &b->train.step;
  const uint32_t end = b->watch.end_step, n = end - b->watch.first_step;
  const size_t n_clocks = vise_k_n_clocks(step->n_members);
  uint64_t *clocks = malloc(n_clocks * sizeof *clocks);
  char name[64];

  if (cudaMemcpy(clocks, b->watch.clocks, n_clocks * sizeof *clocks, cudaMemcpyDeviceToHost) != cudaSuccess) {
    fprintf(stderr, "the clocks cannot be read\n");
    exit(1);
  }

  for (uint32_t at = n > MOST_STEPS ? end - MOST_STEPS : b->watch.first_step; at < end; at++) {
    for (uint32_t cta = 0; cta < step->n_members; cta++) {
      const uint64_t *marks = clocks + vise_k_clocks_at(at % VISE_K_CLOCK_STEPS, step->n_members, cta);
      for (uint32_t mark = 0; mark < VISE_K_CLOCK_PHASES + 3 * step->n_phases; mark++) {
        const bool of_phase = mark >= VISE_K_CLOCK_PHASES;
        const uint32_t phase = of_phase ? (mark - VISE_K_CLOCK_PHASES) / 3 : 0;
        const uint32_t which = of_phase ? (mark - VISE_K_CLOCK_PHASES) % 3 : 0;
        if (of_phase && which != VISE_K_CLOCK_BEGIN && !step->phases[phase].exchange) continue;
        name_mark(step, mark, name, sizeof name);
        fprintf(file, "%s,%u,%u,%s,%lld\n", mode, at, cta, name, (long long)(marks[mark] - marks[VISE_K_CLOCK_START]));
      }
    }
  }

  free(clocks);
}

static int ascending(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* The median over the steps that have the number; NaN without one. */
static double median(const vise_i_meter_steps *steps, size_t part, size_t offset) {
  double numbers[MOST_STEPS];
  size_t n = 0;
  for (size_t s = 0; s < steps->n; s++) {
    double x;
    memcpy(&x, (const char *)&steps->steps[s].parts[part] + offset, sizeof x);
    if (!isnan(x)) numbers[n++] = x;
  }
  qsort(numbers, n, sizeof *numbers, ascending);
  return n > 0 ? numbers[n / 2] : NAN;
}

static void measure(training *t, const char *mode, uint64_t steps_per_launch, FILE *file) {
  static vise_i_meter_steps steps;
  const vise_i_meter *meter = vise_i_cuda_meter();
  vise_error err = VISE_ERROR_INIT;
  size_t n_done = 0;
  const vise_i_steps all = {0, BATCH, t->n_steps, t->hyper, t->stats};

  require(meter->parts_open(t->backend, steps_per_launch, &err), "parts_open", &err);
  for (int i = 0; i < 2; i++) { /* the first warms up */
    require(vise_i_backend_cuda.run(t->backend, &all, &n_done, &err), "run", &err);
  }
  require(meter->parts_read(t->backend, &steps, &err), "parts_read", &err);

  printf("%s: %zu steps of %u CTAs, clocks\n%-12s %10s %10s %10s\n", mode, steps.n,
         vise_i_cuda_of(t->backend)->train.step.n_members, "part", "exchange", "skew", "work");
  for (size_t p = 0; p < steps.steps[0].n; p++) {
    printf("%-12s %10.0f %10.0f %10.0f\n", steps.steps[0].parts[p].name,
           median(&steps, p, offsetof(vise_i_meter_part, wait)), median(&steps, p, offsetof(vise_i_meter_part, skew)),
           median(&steps, p, offsetof(vise_i_meter_part, work)));
  }

  write_clocks(t, mode, file);
  meter->parts_close(t->backend);
}

int main(int argc, char **argv) {
  const int n = argc == 3 ? atoi(argv[2]) : MOST_STEPS;
  training t = {0};

  if (argc < 2 || argc > 3 || n < 1 || n > MOST_STEPS) {
    fprintf(stderr, "usage: clocks FILE.csv [1..%d]\n", MOST_STEPS);
    return 2;
  }
  FILE *file = fopen(argv[1], "w");
  if (!file) {
    fprintf(stderr, "%s cannot be written\n", argv[1]);
    return 1;
  }

  fprintf(file, "mode,step,cta,mark,clocks\n");
  open_training(&t, (size_t)n);
  measure(&t, "one step a launch", 1, file);
  measure(&t, "all in one launch", (uint64_t)n, file);
  close_training(&t);
  return fclose(file) == 0 ? 0 : 1;
}
