#include "tests/support/cpu_case.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/backend_rig.h"

/* Float32 against float64 after a few steps on numbers of the order of 1: absolute and relative. */
static const struct tolerance {
  double weight, moment, gradient, output, report;
  double count;  /* share of entries that may be counted differently: they lie within rounding of a bound */
  double turned; /* share of weights that lion may turn the other way */
} F32 = {2e-5, 1e-4, 1e-4, 1e-4, 5e-5, 0.01, 0.05};

cpu_case cpu_case_make(void) {
  static const vise_i_net no_net;
  cpu_case c = {
      .n_layers = 2,
      .widths = {13, 17, 5},
      .activation = VISE_TANH,
      .bias = true,
      .n_rows = 31,
      .batch = 12,
      .n_steps = 6,
      .class_labels = true,
      .target_low = -1,
      .target_high = 1,
      .lr = 0.05,
      .clip_factor = 1,
      .clamp_factor = 1,
      .row_l1_factor = 1,
      .spec = rig_spec(&no_net),
  };

  c.spec.rule.loss = VISE_LOSS_CROSS_ENTROPY;
  c.spec.assert_projection = true;
  c.spec.hooks.shares_always = 1;
  c.spec.rule.eps = 1e-4;
  return c;
}

void cpu_case_shape(cpu_case *c, size_t n_layers, const size_t *widths) {
  c->n_layers = n_layers;
  memcpy(c->widths, widths, (n_layers + 1) * sizeof *widths);
}

static void require(vise_status status, const vise_error *err) {
  if (status == VISE_OK) return;
  fprintf(stderr, "cpu_case: %s\n", err->text);
  abort();
}

static double *doubles(size_t n) {
  double *p = calloc(n ? n : 1, sizeof *p);
  if (!p) abort();
  return p;
}

static vise_i_net net_of(const cpu_case *c) {
  vise_error err = VISE_ERROR_INIT;
  vise_net_config config = {.struct_size = sizeof config,
                            .n_layers = c->n_layers,
                            .activation = c->activation,
                            .bias = c->bias,
                            .batch_norm = c->batch_norm,
                            .dropout = c->dropout,
                            .input_dropout = c->input_dropout,
                            .residual = c->residual};
  vise_i_net net;

  for (size_t l = 0; l <= c->n_layers; l++) config.widths[l] = c->widths[l];
  require(c->layers ? vise_i_net_of_layers(c->widths[0], c->layers, c->n_listed, &net, &err)
                    : vise_i_net_make(&config, &net, &err),
          &err);
  return net;
}

/* The numbers of a case; the same for every backend. */
typedef struct numbers {
  double *x, *y, *row_weights, *params;
  double class_weights[64];
  uint8_t *mask;
  size_t *order, n_order;
} numbers;

static numbers make_numbers(const cpu_case *c, const vise_i_net *net) {
  const size_t n_in = c->widths[0], n_out = net->widths[net->n_layers], n_y = c->class_labels ? 1 : n_out;
  uint64_t state = 20240229;
  numbers m = {.x = doubles(c->n_rows * n_in), .y = doubles(c->n_rows * n_y), .params = doubles(net->n_values)};

  rig_fill(&state, 1, m.x, c->n_rows * n_in);
  for (size_t i = 0; i < c->n_rows * n_y; i++) {
    const double u = 0.5 * (rig_random(&state) + 1);
    if (c->class_labels) {
      m.y[i] = floor(u * (double)(n_out > 1 ? n_out : 2));
    } else if (c->binary) {
      m.y[i] = u < 0.5 ? c->target_low : c->target_high;
    } else {
      m.y[i] = c->target_low + u * (c->target_high - c->target_low);
    }
  }

  if (c->row_weights) {
    m.row_weights = doubles(c->n_rows);
    for (size_t i = 0; i < c->n_rows; i++) m.row_weights[i] = i % 5 == 0 ? 0 : rig_random(&state) + 1.5;
  }

  for (size_t k = 0; k < 64; k++) m.class_weights[k] = 0.25 * (double)(k % 7 + 1);
  for (size_t t = 0; t < net->n_all_tensors; t++) {
    const vise_i_tensor *tensor = &net->tensors[t];
    const bool around_1 = tensor->role == VISE_I_GAIN || tensor->role == VISE_I_RUNNING_VARIANCE;
    double *values = m.params + tensor->offset;
    rig_fill(&state, 1 / sqrt((double)net->widths[tensor->layer]), values, vise_i_tensor_n(tensor));
    for (size_t i = 0; around_1 && i < vise_i_tensor_n(tensor); i++) values[i] += 1;
  }

  for (size_t i = 0; c->zeros > 0 && i < c->n_rows * n_in; i++) {
    if (0.5 * (rig_random(&state) + 1) < c->zeros) m.x[i] = 0;
  }

  m.mask = malloc(net->n_params);
  if (!m.mask) abort();
  for (size_t i = 0; i < net->n_params; i++) m.mask[i] = c->keeps ? c->keeps(i) : rig_random(&state) < 0.4;
  for (size_t i = 0; c->signs && i < net->n_params; i++) m.mask[i] = vise_i_mask_byte(m.mask[i], (int)(i % 3) - 1);

  m.n_order = 0;
  m.order = malloc((c->n_rows + 1) * c->n_steps * sizeof *m.order);
  if (!m.order) abort();

  return m;
}

static void free_numbers(numbers *m) {
  free(m->x);
  free(m->y);
  free(m->row_weights);
  free(m->params);
  free(m->mask);
  free(m->order);
}

static double *state_of(const vise_i_backend_ops *ops, vise_i_backend *b, vise_i_state which, size_t n) {
  double *out;
  if (!ops->has_state(b, which)) return NULL;
  out = doubles(n);
  rig_get_state(ops, b, which, n, out);
  return out;
}

static void run_steps(const cpu_case *c, const vise_i_backend_ops *ops, vise_i_backend *b, const vise_i_hyper *hyper,
                      vise_step_stats *stats) {
  vise_error err = VISE_ERROR_INIT;
  vise_i_hyper all[CPU_CASE_MAX_STEPS];
  for (size_t s = 0; s < c->n_steps; s++) {
    all[s] = *hyper;
    all[s].step = s;
  }

  for (size_t s = 0, at = 0; s < c->n_steps;) {
    const size_t left = vise_i_n_batches(b->spec.net, c->batch, c->n_rows - at);
    const size_t most = c->steps_per_call > 0 ? c->steps_per_call : 1;
    size_t n = left < most ? left : most, n_done;

    if (n > c->n_steps - s) n = c->n_steps - s;
    require(ops->run(b, &(vise_i_steps){at, c->batch, n, all + s, &stats[s]}, &n_done, &err), &err);

    s += n;
    at = n == left ? 0 : at + n * c->batch;
  }
}

/* Sets one feature of every bad row. */
static void set_bad_rows(const cpu_case *c, numbers *m, double value) {
  for (size_t i = c->bad_every; c->bad_every > 0 && i <= c->n_rows; i += c->bad_every) {
    m->x[m->order[i - 1] * c->widths[0]] = value;
  }
}

cpu_result cpu_case_run(const cpu_case *c, const vise_i_backend_ops *ops) {
  vise_error err = VISE_ERROR_INIT;
  cpu_result r = {.net = net_of(c)};
  numbers m = make_numbers(c, &r.net);
  const bool norm = vise_i_net_has_batch_norm(&r.net);
  const size_t n_out = r.net.widths[r.net.n_layers];
  const vise_i_data data =
      rig_data(m.x, c->n_rows, c->widths[0], m.y, c->class_labels ? 1 : n_out, c->class_labels, m.row_weights);
  vise_i_step_spec spec = c->spec;
  const vise_i_hyper hyper = {c->lr, c->clip_factor, c->clamp_factor, 0, c->row_l1_factor};

  spec.net = &r.net;
  spec.max_batch = vise_i_batch_rows(&r.net, c->batch, c->batch + 1);
  spec.use_mask = c->mask;
  spec.use_signs = c->signs;
  if (c->class_weights) spec.class_weights = m.class_weights;

  vise_i_backend *b = rig_create(ops, &spec, m.params);
  if (c->mask) require(ops->set_state(b, VISE_I_MASK, m.mask, &err), &err);
  require(ops->project(b, &hyper, &err), &err);

  for (size_t i = 0; i < c->n_rows; i++) m.order[i] = (i * 7) % c->n_rows;
  set_bad_rows(c, &m, NAN);
  require(ops->bind(b, &data, &err), &err);
  require(ops->set_order(b, m.order, c->n_rows, &err), &err);
  run_steps(c, ops, b, &hyper, r.stats);
  set_bad_rows(c, &m, 0.5);

  r.n_launches = ops->n_launches(b);
  for (size_t t = 0; t < r.net.n_tensors; t++) {
    const vise_tensor_stats *ts = &b->tensor_stats[t];
    const uint64_t counts[4] = {ts->n_nonfinite, ts->n_clipped_values, ts->n_at_lo, ts->n_at_hi};
    for (size_t k = 0; k < 4; k++) r.tensor_sum[k] += counts[k];
  }

  r.n_outputs = c->n_rows * n_out;
  r.outputs = doubles(r.n_outputs);
  r.gradient = doubles(r.net.n_params);
  r.params = state_of(ops, b, VISE_I_PARAMS, r.net.n_values);
  r.moment1 = state_of(ops, b, VISE_I_MOMENT1, r.net.n_params);
  r.moment2 = state_of(ops, b, VISE_I_MOMENT2, r.net.n_params);
  require(ops->forward(b, &(vise_i_batch){.data = &data, .n = c->n_rows}, r.outputs, &err), &err);
  require(ops->full_gradient(b, &(vise_i_batch){.data = &data, .rows = m.order, .n = norm ? c->batch : c->n_rows},
                             r.gradient, &r.loss, &r.penalty, &err),
          &err);

  ops->destroy(b);
  free_numbers(&m);
  return r;
}

void cpu_result_free(cpu_result *r) {
  free(r->params);
  free(r->moment1);
  free(r->moment2);
  free(r->gradient);
  free(r->outputs);
}

typedef struct verdict {
  bool ok;
  char *text;
  size_t n_text;
} verdict;

static void say(verdict *v, const char *what, size_t at, double got, double ref) {
  if (!v->ok) return; /* only the first difference is reported */
  snprintf(v->text, v->n_text, "%s [%zu]: %.9g, cpu64 %.9g", what, at, got, ref);
  v->ok = false;
}

static void compare(verdict *v, const char *what, const double *got, const double *ref, size_t n, double tolerance) {
  size_t worst;
  if (!got != !ref) {
    say(v, what, 0, got != NULL, ref != NULL);
  } else if (got && rig_compare(got, ref, n, tolerance, tolerance, &worst) > 0) {
    say(v, what, worst, got[worst], ref[worst]);
  }
}

/* Lion takes signs: where rounding decides, a weight goes the other way. That may be a whole row, if its unit feeds all
   outputs alike and softmax makes its gradient 0. */
static void compare_weights(verdict *v, const cpu_case *c, const cpu_result *got, const cpu_result *ref, double slack) {
  const size_t n = ref->net.n_values;
  const double tolerance = slack * F32.weight, turned = tolerance + 2 * c->lr * (double)c->n_steps;
  size_t worst;

  const size_t n_off = rig_compare(got->params, ref->params, n, tolerance, tolerance, &worst);
  const bool few = (double)n_off <= 2 + F32.turned * (double)n;
  if (few && c->spec.rule.optimizer == VISE_LION) {
    compare(v, "weight", got->params, ref->params, n, turned);
  } else if (n_off > 0) {
    say(v, "weight", worst, got->params[worst], ref->params[worst]);
  }
}

static void compare_counts(verdict *v, const char *what, size_t at, uint64_t got, uint64_t ref, double slack) {
  const double off = fabs((double)got - (double)ref);
  if (!(off <= slack)) say(v, what, at, (double)got, (double)ref);
}

static void compare_stats(verdict *v, const cpu_result *got, const cpu_result *ref, size_t n_steps, double slack) {
  const double few = floor(2 + F32.count * (double)ref->net.n_params);

  for (size_t i = 0; i < n_steps; i++) {
    const vise_step_stats *g = &got->stats[i], *r = &ref->stats[i];
    double gs[5] = {g->loss, g->penalty, g->grad_norm, g->grad_norm_clipped, g->lr};
    double rs[5] = {r->loss, r->penalty, r->grad_norm, r->grad_norm_clipped, r->lr};

    for (size_t k = 0; k < 5; k++) {
      if (r->skipped && isnan(gs[k]) && isnan(rs[k])) gs[k] = rs[k] = 0; /* all row weights are 0: both skip */
    }

    compare(v, "stats (loss, penalty, norm, clipped norm, lr)", gs, rs, 5, slack * F32.report);
    compare_counts(v, "rows", i, g->n_rows, r->n_rows, 0);
    compare_counts(v, "skipped", i, g->skipped, r->skipped, 0);
    compare_counts(v, "norm clipped", i, g->norm_clipped, r->norm_clipped, 0);
    compare_counts(v, "bad tensor", i, (uint64_t)(g->bad_tensor + 1), (uint64_t)(r->bad_tensor + 1), 0);
    compare_counts(v, "boxed", i, g->n_boxed, r->n_boxed, 0);
    compare_counts(v, "non-finite", i, g->n_nonfinite, r->n_nonfinite, 0);
    compare_counts(v, "clipped values", i, g->n_clipped_values, r->n_clipped_values, few);
    compare_counts(v, "at lo", i, g->n_at_lo, r->n_at_lo, few);
    compare_counts(v, "at hi", i, g->n_at_hi, r->n_at_hi, few);
    compare_counts(v, "correct", i, g->n_correct, r->n_correct, 1);
  }

  const vise_step_stats *last = &got->stats[n_steps - 1];
  const uint64_t sums[4] = {last->n_nonfinite, last->n_clipped_values, last->n_at_lo, last->n_at_hi};
  for (size_t k = 0; k < 4; k++) compare_counts(v, "sum over tensors", k, got->tensor_sum[k], sums[k], 0);
}

bool cpu_result_agrees(const cpu_case *c, const cpu_result *got, double slack, char *text, size_t n_text) {
  cpu_result ref = cpu_case_run(c, &vise_i_backend_cpu64);
  const size_t n = ref.net.n_params;
  verdict v = {true, text, n_text};

  compare_stats(&v, got, &ref, c->n_steps, slack);
  compare_weights(&v, c, got, &ref, slack);
  compare(&v, "first moment", got->moment1, ref.moment1, n, slack * F32.moment);
  compare(&v, "second moment", got->moment2, ref.moment2, n, slack * F32.moment);
  compare(&v, "output", got->outputs, ref.outputs, ref.n_outputs, slack * F32.output);
  compare(&v, "full gradient", got->gradient, ref.gradient, n, slack * F32.gradient);
  compare(&v, "loss over all rows", &got->loss, &ref.loss, 1, slack * F32.report);
  compare(&v, "penalty at the end", &got->penalty, &ref.penalty, 1, slack * F32.report);

  cpu_result_free(&ref);
  return v.ok;
}

bool cpu_case_agrees(const cpu_case *c, const vise_i_backend_ops *ops, double slack, char *text, size_t n_text) {
  cpu_result got = cpu_case_run(c, ops);
  const bool agrees = cpu_result_agrees(c, &got, slack, text, n_text);
  cpu_result_free(&got);
  return agrees;
}
