#include "tests/ptx/job.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/backend/cuda/cuda.h"
#include "host/backend/meter.h"
#include "host/plan/plan.h"
#include "tests/support/backend_rig.h"

static const vise_i_backend_ops *const OPS = &vise_i_backend_cuda;

static void require(vise_status status, const vise_error *err) {
  if (status == VISE_OK) return;
  (void)fprintf(stderr, "ledger: %s\n", err->text);
  exit(1);
}

static vise_optimizer optimizer_of(const char *name) {
  if (!name || strcmp(name, "sgd") == 0) return VISE_SGD;
  if (strcmp(name, "adam") == 0) return VISE_ADAM;
  (void)fprintf(stderr, "ledger: the optimizer '%s' is neither sgd nor adam\n", name);
  exit(2);
}

static vise_i_step_spec spec_of(const ledger_job *job, const vise_i_net *net) {
  vise_i_step_spec spec = rig_spec(net);
  spec.rule.loss = job->widths[job->n_layers] > 1 ? VISE_LOSS_CROSS_ENTROPY : VISE_LOSS_MSE;
  spec.rule.optimizer = optimizer_of(job->optimizer);
  spec.rule.k2 = 1e-5;
  spec.rule.clip_norm = 1;
  for (size_t l = 0; l < job->n_layers; l++) {
    spec.boxes[l].lo = -0.5;
    spec.boxes[l].hi = 0.5;
  }
  spec.max_batch = job->batch;
  return spec;
}

static bool has_layer(vise_k_phase_kind kind) {
  return kind == VISE_K_FORWARD || kind == VISE_K_DELTA || kind == VISE_K_NORM || kind == VISE_K_NORM_DELTA;
}

/* The marks of a CTA in a step of the launch, or of the launches of one step. */
static const uint64_t *marks_of(const vise_i_cuda *b, uint32_t step) {
  const uint64_t *clocks = b->watch.clocks; /* device memory, which is the host's */
  return clocks + vise_k_clocks_at(step % VISE_K_CLOCK_STEPS, b->train.step.n_members, 0);
}

static ledger_part *add(ledger_parts *out, const char *name, int layer, uint64_t from, uint64_t to) {
  ledger_part *part = &out->parts[out->n++];
  part->from = from;
  part->to = to;
  if (layer < 0) {
    (void)snprintf(part->name, sizeof part->name, "%s", name);
  } else {
    (void)snprintf(part->name, sizeof part->name, "%s %d", name, layer);
  }
  return part;
}

/* An exchange, until `middle` with other work. */
static void add_exchange(ledger_parts *out, uint64_t from, uint64_t middle, uint64_t to) {
  ledger_part *part = add(out, "  exchange", -1, from, to);
  part->waits = true;
  part->middle = middle;
}

/* A step by the marks of the kernel (kernels/step_types.h), the last but one, since the last gathers nothing ahead. */
static void read_parts(const vise_i_cuda *b, bool many, ledger_parts *out) {
  const vise_k_step *step = &b->train.step;
  const uint64_t *here = marks_of(b, LEDGER_STEPS - 2), *next = marks_of(b, LEDGER_STEPS - 1);
  memset(out, 0, sizeof *out);

  add(out, "start", -1, here[VISE_K_CLOCK_START], here[VISE_K_CLOCK_STEP]);
  add(out, "gather", -1, here[VISE_K_CLOCK_STEP], here[VISE_K_CLOCK_INPUTS]);
  for (uint32_t i = 0; i < step->n_phases; i++) {
    const vise_k_phase *phase = &step->phases[i];
    const vise_k_phase_kind kind = (vise_k_phase_kind)phase->kind;
    const uint64_t *at = here + VISE_K_CLOCK_PHASES + 3 * i;
    const bool is_last = i + 1 == step->n_phases, meets = !is_last && step->phases[i + 1].exchange;
    const uint64_t end =
        is_last ? here[VISE_K_CLOCK_LEAVE] : at[3 + (meets ? VISE_K_CLOCK_ARRIVE : VISE_K_CLOCK_BEGIN)];

    if (phase->exchange) {
      add_exchange(out, at[VISE_K_CLOCK_ARRIVE], at[VISE_K_CLOCK_POLL], at[VISE_K_CLOCK_BEGIN]);
    }
    add(out, vise_i_plan_phase_name(kind), has_layer(kind) ? (int)phase->layer : -1, at[VISE_K_CLOCK_BEGIN], end);
  }

  if (many) {
    add_exchange(out, here[VISE_K_CLOCK_LEAVE], here[VISE_K_CLOCK_END], next[VISE_K_CLOCK_START]);
  } else {
    add(out, "end", -1, here[VISE_K_CLOCK_LEAVE], here[VISE_K_CLOCK_END]);
  }
}

void ledger_train(const ledger_job *job, ledger_parts *out) {
  const size_t n = job->batch * LEDGER_STEPS, n_in = job->widths[0], n_out = job->widths[job->n_layers];
  vise_error err = VISE_ERROR_INIT;
  uint64_t random = 1;

  const vise_i_net net = rig_net(job->n_layers, job->widths, VISE_RELU, true);
  const vise_i_step_spec spec = spec_of(job, &net);
  double *params = malloc(net.n_values * sizeof *params), *y = malloc(n * sizeof *y);
  float *floats = malloc(n * n_in * sizeof *floats);
  uint8_t *bytes = malloc(n * n_in);
  size_t *order = malloc(n * sizeof *order);
  rig_fill(&random, 0.05, params, net.n_values);
  for (size_t i = 0; i < n * n_in; i++) {
    floats[i] = (float)rig_random(&random);
    bytes[i] = (uint8_t)(127.5 + 127.5 * (double)floats[i]);
  }
  for (size_t i = 0; i < n; i++) {
    y[i] = n_out > 1 ? (double)(i % n_out) : rig_random(&random);
    order[i] = (i * 7919) % n;
  }

  vise_i_data data = rig_data(NULL, n, n_in, y, 1, n_out > 1, NULL);
  const double shift = 0, scale = 255;
  data.x = job->bytes ? vise_array_of(bytes, VISE_U8, n, n_in) : vise_array_of(floats, VISE_F32, n, n_in);
  if (job->bytes) data.x_scaling = (vise_i_scaling){&shift, &scale, true};

  vise_i_hyper hyper[LEDGER_STEPS];
  vise_step_stats stats[LEDGER_STEPS];
  for (size_t i = 0; i < LEDGER_STEPS; i++) hyper[i] = rig_hyper(0.1);
  vise_i_backend *b = rig_begin(OPS, &spec, params, &hyper[0], &data, order, n);
  const vise_i_meter *meter = vise_i_cuda_meter();
  require(meter->parts_open(b, job->many ? LEDGER_STEPS : 1, &err), &err);
  rig_run(OPS, b, n, job->batch, LEDGER_STEPS, LEDGER_STEPS, hyper, stats);
  read_parts(vise_i_cuda_of(b), job->many, out);

  meter->parts_close(b);
  OPS->destroy(b);
  free(params);
  free(y);
  free(floats);
  free(bytes);
  free(order);
}
