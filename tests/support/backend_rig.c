#include "tests/support/backend_rig.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void require(vise_status status, const char *what, const vise_error *err) {
  if (status == VISE_OK) return;
  fprintf(stderr, "%s: %s\n", what, err->text);
  abort();
}

bool rig_is_short(void) {
  const char *set = getenv("VISE_TESTS_SHORT");
  return set && strcmp(set, "1") == 0;
}

vise_i_net rig_net(size_t n_layers, const size_t *widths, vise_activation activation, bool bias) {
  vise_error err = VISE_ERROR_INIT;
  vise_net_config config;
  vise_i_net net;
  config =
      (vise_net_config){.struct_size = sizeof config, .n_layers = n_layers, .activation = activation, .bias = bias};
  for (size_t l = 0; l <= n_layers; l++) config.widths[l] = widths[l];
  require(vise_i_net_make(&config, &net, &err), "rig_net", &err);
  return net;
}

vise_i_step_spec rig_spec(const vise_i_net *net) {
  vise_i_step_spec spec = {.net = net,
                           .rule = {.loss = VISE_LOSS_MSE,
                                    .rho = 0.9,
                                    .beta1 = 0.9,
                                    .beta2 = 0.999,
                                    .eps = 1e-8,
                                    .nonfinite = VISE_NONFINITE_SKIP,
                                    .max_skips = 8},
                           .max_batch = 4096,
                           .n_threads = 1};

  for (size_t l = 0; l < VISE_MAX_LAYERS; l++) {
    spec.boxes[l].lo = -INFINITY;
    spec.boxes[l].hi = INFINITY;
  }

  return spec;
}

vise_i_hyper rig_hyper(double lr) {
  return (vise_i_hyper){.lr = lr, .clip_factor = 1, .clamp_factor = 1, .row_l1_factor = 1};
}

/* SplitMix64 (Steele, Lea, Flood 2014), its top 21 bits. */
double rig_random(uint64_t *state) {
  uint64_t z = *state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  z ^= z >> 31;
  return (double)(z >> 43) / (1 << 20) - 1;
}

void rig_fill(uint64_t *state, double scale, double *out, size_t n) {
  for (size_t i = 0; i < n; i++) out[i] = scale * rig_random(state);
}

static vise_array array_of(const double *data, size_t n_rows, size_t n_cols) {
  return (vise_array){data, VISE_F64, n_rows, n_cols, n_cols, 1};
}

vise_i_data rig_data(const double *x, size_t n, size_t n_in, const double *y, size_t n_y, bool y_is_class,
                     const double *row_weights) {
  vise_i_data data = {.x = array_of(x, n, n_in), .y_is_class = y_is_class, .row_weights = row_weights};
  if (y) data.y = array_of(y, n, n_y);
  return data;
}

void rig_set_params(const vise_i_backend_ops *ops, vise_i_backend *b, size_t n, const double *params) {
  vise_error err = VISE_ERROR_INIT;
  if (ops->dtype == VISE_F64) {
    require(ops->set_state(b, VISE_I_PARAMS, params, &err), "rig_set_params", &err);
  } else {
    float *narrow = malloc(n * sizeof *narrow);
    for (size_t i = 0; i < n; i++) narrow[i] = (float)params[i];
    require(ops->set_state(b, VISE_I_PARAMS, narrow, &err), "rig_set_params", &err);
    free(narrow);
  }
}

vise_i_backend *rig_create(const vise_i_backend_ops *ops, const vise_i_step_spec *spec, const double *params) {
  vise_error err = VISE_ERROR_INIT;
  vise_i_backend *b = NULL;
  require(ops->create(spec, &b, &err), "rig_create", &err);
  rig_set_params(ops, b, spec->net->n_values, params);
  return b;
}

vise_i_backend *rig_begin(const vise_i_backend_ops *ops, const vise_i_step_spec *spec, const double *params,
                          const vise_i_hyper *hyper, const vise_i_data *data, const size_t *order, size_t n_order) {
  vise_error err = VISE_ERROR_INIT;
  vise_i_backend *b = rig_create(ops, spec, params);
  require(ops->project(b, hyper, &err), "rig_begin: project", &err);
  require(ops->bind(b, data, &err), "rig_begin: bind", &err);
  require(ops->set_order(b, order, n_order, &err), "rig_begin: set_order", &err);
  return b;
}

void rig_run(const vise_i_backend_ops *ops, vise_i_backend *b, size_t n_order, size_t batch, size_t n_steps,
             size_t most, const vise_i_hyper *hyper, vise_step_stats *stats) {
  const size_t per_epoch = vise_i_n_batches(b->spec.net, batch, n_order);
  memset(stats, 0, n_steps * sizeof *stats);

  for (size_t s = 0, n; s < n_steps; s += n) {
    vise_error err = VISE_ERROR_INIT;
    const size_t at = s % per_epoch;
    size_t n_done;

    n = n_steps - s < most ? n_steps - s : most;
    if (n > per_epoch - at) n = per_epoch - at;

    require(ops->run(b, &(vise_i_steps){at * batch, batch, n, hyper + s, stats + s}, &n_done, &err), "rig_run", &err);
    if (n_done != n) {
      fprintf(stderr, "rig_run: %zu steps of %zu\n", n_done, n);
      abort();
    }
  }
}

void rig_get_state(const vise_i_backend_ops *ops, vise_i_backend *b, vise_i_state which, size_t n, double *out) {
  vise_error err = VISE_ERROR_INIT;
  if (ops->dtype == VISE_F64) {
    require(ops->get_state(b, which, out, &err), "rig_get_state", &err);
  } else {
    float *narrow = malloc(n * sizeof *narrow);
    require(ops->get_state(b, which, narrow, &err), "rig_get_state", &err);
    for (size_t i = 0; i < n; i++) out[i] = narrow[i];
    free(narrow);
  }
}

bool rig_near(double got, double ref, double atol, double rtol) {
  return fabs(got - ref) <= atol + rtol * fabs(ref);
}

size_t rig_compare(const double *got, const double *ref, size_t n, double atol, double rtol, size_t *worst) {
  size_t n_bad = 0;
  double largest = -1;
  *worst = 0;

  for (size_t i = 0; i < n; i++) {
    double excess = fabs(got[i] - ref[i]) / (atol + rtol * fabs(ref[i]) + 1e-300);
    if (isnan(excess)) excess = INFINITY;
    if (!rig_near(got[i], ref[i], atol, rtol)) n_bad++;
    if (excess > largest) {
      largest = excess;
      *worst = i;
    }
  }

  return n_bad;
}
