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

/* ---- rules ---- */

static void without_box(vise_i_step_spec *spec) {
  for (size_t l = 0; l < spec->net->n_layers; l++) spec->boxes[l] = (vise_i_box){-INFINITY, INFINITY};
}

static void with_signs(vise_i_step_spec *spec) {
  spec->use_mask = spec->use_signs = true;
}

/* So that about half of a row's weights are moved. */
static void with_balls(vise_i_step_spec *spec, bool sided) {
  for (size_t l = 0; l < spec->net->n_layers; l++) {
    spec->row_balls[l] = (vise_i_row_ball){0.01 * (double)spec->net->widths[l] / (sided ? 2 : 1), sided};
  }
}

static void with_row_l1(vise_i_step_spec *spec) {
  with_balls(spec, false);
}

static void with_row_l1_sided(vise_i_step_spec *spec) {
  with_balls(spec, true);
}

static void with_max_norm(vise_i_step_spec *spec) {
  spec->rule.max_norm = 0.5;
}

static const struct rule {
  const char *name;
  void (*set)(vise_i_step_spec *spec);
} RULES[] = {{"no-box", without_box},
             {"signs", with_signs},
             {"row-l1", with_row_l1},
             {"row-l1-sided", with_row_l1_sided},
             {"max-norm", with_max_norm}};
enum { N_RULES = sizeof RULES / sizeof *RULES };

static const struct rule *find_rule(const char *name) {
  for (size_t i = 0; i < N_RULES; i++) {
    if (strcmp(RULES[i].name, name) == 0) return &RULES[i];
  }
  return NULL;
}

bool ledger_has_rule(const char *name) {
  vise_i_integer_format format;
  return find_rule(name) != NULL || vise_i_integer_format_parse("--with", name, &format, NULL) == VISE_OK;
}

/* An integer net whose rows do not fit at first: weights are up to 0.05 (ledger_train), inputs up to 1. */
static vise_i_quantization *quantize(const char *format, const vise_i_net *net) {
  vise_error err = VISE_ERROR_INIT;
  vise_i_integer_format parsed;
  vise_i_quantization *q = NULL;
  require(vise_i_integer_format_parse("--with", format, &parsed, &err), &err);
  require(vise_i_quantization_make(net, &parsed, &q, &err), &err);
  for (size_t i = 0; i < q->n_rows; i++) q->scales[i] = 0.05f / 8;
  for (size_t l = 1; l < q->n_layers; l++) {
    q->scales[q->n_rows + l] = 1.0f / (float)vise_i_value_most(&parsed, l);
  }
  vise_i_quantization_set_input(q, 1.0 / vise_i_value_most(&parsed, 0), 0);
  return q;
}

/* *quantization: what it borrows, to be freed; NULL where it is no integer net. */
static vise_i_step_spec spec_of(const ledger_job *job, const vise_i_net *net, vise_i_quantization **quantization) {
  const struct rule *rule = job->rule ? find_rule(job->rule) : NULL;
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
  spec.hooks.forced_tile = job->tile;

  *quantization = NULL;
  if (rule) rule->set(&spec);
  if (!job->rule || rule) return spec;
  without_box(&spec);
  spec.quantization = *quantization = quantize(job->rule, net);
  return spec;
}

/* Each second weight is to be at least 0, each second at most. */
static void set_signs(vise_i_backend *b, const vise_i_net *net) {
  vise_error err = VISE_ERROR_INIT;
  uint8_t *mask = malloc(net->n_params);
  for (size_t i = 0; i < net->n_params; i++) mask[i] = vise_i_mask_byte(true, i % 2 ? 1 : -1);
  require(OPS->set_state(b, VISE_I_MASK, mask, &err), &err);
  free(mask);
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
  vise_i_quantization *quantization;
  const vise_i_step_spec spec = spec_of(job, &net, &quantization);
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
  if (spec.use_signs) set_signs(b, &net);
  const vise_i_meter *meter = vise_i_cuda_meter();
  require(meter->parts_open(b, job->many ? LEDGER_STEPS : 1, &err), &err);
  rig_run(OPS, b, n, job->batch, LEDGER_STEPS, LEDGER_STEPS, hyper, stats);
  read_parts(vise_i_cuda_of(b), job->many, out);

  meter->parts_close(b);
  OPS->destroy(b);
  vise_i_quantization_free(quantization);
  free(params);
  free(y);
  free(floats);
  free(bytes);
  free(order);
}
