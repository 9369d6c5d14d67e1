#include "tests/support/trajectory.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/backend_rig.h"

static void die(const char *where, const char *what) {
  fprintf(stderr, "golden trajectories: %s: %s\n", where, what);
  abort();
}

static json_t *member(const json_t *object, const char *key) {
  json_t *value = json_object_get(object, key);
  if (!value) die(key, "missing");
  return value;
}

/* A number, or a flag as 0 or 1. */
static double number(const json_t *value, const char *key) {
  if (json_is_boolean(value)) return json_is_true(value);
  if (!json_is_number(value)) die(key, "not a number");
  return json_number_value(value);
}

static size_t size_member(const json_t *object, const char *key) {
  return (size_t)number(member(object, key), key);
}

static size_t count_numbers(const json_t *value) {
  size_t n = 0;
  if (!json_is_array(value)) return 1;
  for (size_t i = 0; i < json_array_size(value); i++) n += count_numbers(json_array_get(value, i));
  return n;
}

static double *append_numbers(const json_t *value, const char *key, double *out) {
  if (!json_is_array(value)) {
    *out = number(value, key);
    return out + 1;
  }
  for (size_t i = 0; i < json_array_size(value); i++) out = append_numbers(json_array_get(value, i), key, out);
  return out;
}

/* The numbers of a nested array, flat and malloc'ed; there must be n of them. */
static double *numbers(const json_t *object, const char *key, size_t n) {
  const json_t *value = member(object, key);
  double *out = malloc((n + 1) * sizeof *out);
  if (count_numbers(value) != n) die(key, "wrong number of values");
  append_numbers(value, key, out);
  return out;
}

static void copy_numbers(const json_t *object, const char *key, double *out, size_t n) {
  double *values = numbers(object, key, n);
  memcpy(out, values, n * sizeof *out);
  free(values);
}

/* ---- settings, by the names of vise_i_rule ---- */

#define PARSER(type)                                                         \
  static void parse_##type(const char *key, const char *name, void *field) { \
    vise_error err = VISE_ERROR_INIT;                                        \
    if (type##_parse(name, field, &err) != VISE_OK) die(key, err.text);      \
  }
PARSER(vise_loss)
PARSER(vise_mse_reduction)
PARSER(vise_optimizer)
PARSER(vise_clip_norm_type)
PARSER(vise_norm_p)
PARSER(vise_clip_scope)
PARSER(vise_max_norm_scope)

static bool read_enum(vise_i_step_spec *spec, const char *key, const json_t *value) {
  const struct {
    const char *key;
    void (*parse)(const char *key, const char *name, void *field);
    void *field;
  } fields[] = {
      {"loss", parse_vise_loss, &spec->rule.loss},
      {"mse_reduction", parse_vise_mse_reduction, &spec->rule.mse_reduction},
      {"optimizer", parse_vise_optimizer, &spec->rule.optimizer},
      {"clip_norm_type", parse_vise_clip_norm_type, &spec->rule.clip_norm_type},
      {"clip_norm_p", parse_vise_norm_p, &spec->rule.clip_norm_p},
      {"clip_scope", parse_vise_clip_scope, &spec->rule.clip_scope},
      {"max_norm_scope", parse_vise_max_norm_scope, &spec->rule.max_norm_scope},
  };

  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
    if (strcmp(fields[i].key, key) != 0) continue;
    if (!json_is_string(value)) die(key, "not a name");
    fields[i].parse(key, json_string_value(value), fields[i].field);
    return true;
  }
  return false;
}

static bool read_double(vise_i_step_spec *spec, const char *key, const json_t *value) {
  const struct {
    const char *key;
    double *field;
  } fields[] = {
      {"label_smoothing", &spec->rule.label_smoothing},
      {"clip_agc", &spec->rule.clip_agc},
      {"momentum", &spec->rule.momentum},
      {"rho", &spec->rule.rho},
      {"beta1", &spec->rule.beta1},
      {"beta2", &spec->rule.beta2},
      {"eps", &spec->rule.eps},
      {"max_update", &spec->rule.max_update},
      {"k2", &spec->rule.k2},
      {"k1", &spec->rule.k1},
      {"kF", &spec->rule.kF},
      {"k2d", &spec->rule.k2d},
      {"clip_lo", &spec->rule.clip_lo},
      {"clip_hi", &spec->rule.clip_hi},
      {"clip_norm", &spec->rule.clip_norm},
      {"max_norm", &spec->rule.max_norm},
  };

  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
    if (strcmp(fields[i].key, key) != 0) continue;
    *fields[i].field = number(value, key);
    return true;
  }
  return false;
}

static bool read_flag(vise_i_step_spec *spec, const char *key, const json_t *value) {
  const struct {
    const char *key;
    bool *field;
  } fields[] = {
      {"nesterov", &spec->rule.nesterov},
      {"prox_l1", &spec->rule.prox_l1},
      {"penalize_bias", &spec->rule.penalize_bias},
      {"clip_value", &spec->rule.clip_value},
      {"clip_norm_torch_eps", &spec->rule.clip_norm_torch_eps},
      {"clamp_bias", &spec->rule.clamp_bias},
  };

  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
    if (strcmp(fields[i].key, key) != 0) continue;
    *fields[i].field = number(value, key) != 0;
    return true;
  }
  return false;
}

/* One number for all layers, or one per layer; null is open. */
static void read_bounds(const json_t *value, const char *key, trajectory *t) {
  const bool is_lo = !strcmp(key, "box_lo");
  for (size_t l = 0; l < t->net.n_layers; l++) {
    const json_t *one = json_is_array(value) ? json_array_get(value, l) : value;
    double *bound = is_lo ? &t->spec.boxes[l].lo : &t->spec.boxes[l].hi;
    if (!json_is_null(one)) *bound = number(one, key);
  }
}

static void read_spec(const json_t *settings, trajectory *t) {
  const char *key;
  json_t *value;

  t->spec = rig_spec(&t->net);
  json_object_foreach((json_t *)(uintptr_t)settings, key, value) {
    if (!strcmp(key, "box_lo") || !strcmp(key, "box_hi")) {
      read_bounds(value, key, t);
    } else if (!strcmp(key, "class_weights")) {
      if (json_array_size(value) > TRAJECTORY_MAX_CLASSES) die(key, "too many");
      copy_numbers(settings, key, t->class_weights, json_array_size(value));
      t->spec.class_weights = t->class_weights;
    } else if (!read_enum(&t->spec, key, value) && !read_double(&t->spec, key, value) &&
               !read_flag(&t->spec, key, value)) {
      die(key, "unknown setting");
    }
  }

  t->spec.max_batch = vise_i_batch_rows(&t->net, t->batch, t->batch + 1);
  t->spec.use_mask = t->mask != NULL;
  t->spec.assert_projection = true;
}

/* ---- cases ---- */

/* A number that most cases do not have, or 0. */
static double optional(const json_t *item, const char *key) {
  const json_t *value = json_object_get(item, key);
  return value ? number(value, key) : 0;
}

static void read_net(const json_t *item, trajectory *t) {
  const size_t n = json_array_size(member(item, "widths"));
  vise_net_config config;
  vise_error err = VISE_ERROR_INIT;
  vise_net_config_init(&config);
  if (n < 2 || n > VISE_MAX_LAYERS + 1) die("widths", "too few or too many");
  config.n_layers = n - 1;
  for (size_t i = 0; i < n; i++) config.widths[i] = (size_t)number(json_array_get(member(item, "widths"), i), "widths");
  if (vise_activation_parse(json_string_value(member(item, "activation")), &config.activation, &err) != VISE_OK) {
    die("activation", err.text);
  }

  config.bias = number(member(item, "bias"), "bias") != 0;
  config.batch_norm = optional(item, "batch_norm") != 0;
  config.dropout = optional(item, "dropout");
  config.input_dropout = optional(item, "input_dropout");
  config.residual = optional(item, "residual") != 0;
  if (vise_i_net_make(&config, &t->net, &err) != VISE_OK) die("widths", err.text);
}

/* All 64 bits of it, which a double does not hold. */
static uint64_t read_seed(const json_t *item) {
  const json_t *value = json_object_get(item, "seed");
  if (value && !json_is_string(value)) die("seed", "not a text");
  return value ? strtoull(json_string_value(value), NULL, 10) : 0;
}

static void read_data(const json_t *item, const json_t *data, trajectory *t) {
  const char *target = json_string_value(member(item, "target"));
  size_t n_in = t->net.widths[0], n_out = t->net.widths[t->net.n_layers];
  bool is_class = !strcmp(target, "labels");
  size_t n_targets = is_class ? 1 : n_out;
  t->n_rows = json_array_size(member(data, "x"));
  t->x = numbers(data, "x", t->n_rows * n_in);
  t->y = numbers(data, target, t->n_rows * n_targets);
  if (number(member(item, "row_weights"), "row_weights") != 0) t->row_weights = numbers(data, "row_weights", t->n_rows);
  t->data = rig_data(t->x, t->n_rows, n_in, t->y, n_targets, is_class, t->row_weights);
}

static void read_mask(const json_t *item, trajectory *t) {
  const char *text = json_string_value(json_object_get(item, "mask"));
  if (!text) return;
  if (strlen(text) != t->net.n_params) die("mask", "wrong length");
  t->mask = malloc(t->net.n_params);
  for (size_t i = 0; i < t->net.n_params; i++) t->mask[i] = text[i] == '1';
}

static void read_reports(const json_t *item, trajectory *t) {
  const json_t *steps = member(item, "reported_steps"), *totals = member(item, "totals");

  t->n_reported = json_array_size(steps);
  if (t->n_reported > TRAJECTORY_MAX_REPORTED) die("reported_steps", "too many");
  for (size_t i = 0; i < t->n_reported; i++) {
    t->reported_steps[i] = (size_t)number(json_array_get(steps, i), "reported_steps");
  }

  copy_numbers(item, "losses", t->losses, t->n_reported);
  copy_numbers(item, "penalties", t->penalties, t->n_reported);
  copy_numbers(item, "grad_norms", t->grad_norms, t->n_reported);
  copy_numbers(item, "grad_norms_clipped", t->grad_norms_clipped, t->n_reported);

  t->clipped_values = size_member(totals, "clipped_values");
  t->norm_clipped = size_member(totals, "norm_clipped");
  t->correct = size_member(totals, "correct");
  t->at_lo = size_member(totals, "at_lo");
  t->at_hi = size_member(totals, "at_hi");
}

static void read_case(const json_t *item, const json_t *data, trajectory *t) {
  const char *name = json_string_value(member(item, "name"));
  char *copy = malloc(strlen(name) + 1);
  t->name = strcpy(copy, name);

  read_net(item, t);
  read_data(item, data, t);
  read_mask(item, t);

  t->lr = number(member(item, "lr"), "lr");
  t->batch = size_member(item, "batch");
  t->n_steps = size_member(item, "steps");
  read_spec(member(item, "spec"), t);
  t->spec.seed = read_seed(item);
  t->initial = numbers(item, "initial", t->net.n_values);
  t->final = numbers(item, "final", t->net.n_values);
  read_reports(item, t);
}

trajectory *trajectory_load_all(const char *path, size_t *n_cases) {
  json_error_t json_err;
  json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &json_err);
  trajectory *cases;

  if (!root) die(path, json_err.text);
  *n_cases = json_array_size(member(root, "cases"));
  cases = calloc(*n_cases + 1, sizeof *cases);

  for (size_t i = 0; i < *n_cases; i++) {
    read_case(json_array_get(member(root, "cases"), i), member(root, "data"), &cases[i]);
  }

  json_decref(root);
  return cases;
}

void trajectory_free_all(trajectory *cases, size_t n_cases) {
  for (size_t i = 0; i < n_cases; i++) {
    free((char *)(uintptr_t)cases[i].name);
    free(cases[i].x);
    free(cases[i].y);
    free(cases[i].row_weights);
    free(cases[i].mask);
    free(cases[i].initial);
    free(cases[i].final);
  }
  free(cases);
}

vise_status trajectory_run(const trajectory *t, const vise_i_backend_ops *ops, double *final, vise_step_stats *stats,
                           vise_error *err) {
  vise_status status = VISE_OK;
  vise_i_hyper hyper = rig_hyper(t->lr);
  vise_i_backend *b = rig_create(ops, &t->spec, t->initial);
  const size_t per_epoch = vise_i_n_batches(&t->net, t->batch, t->n_rows);
  size_t *order = malloc(t->n_rows * sizeof *order), n_done;

  for (size_t i = 0; i < t->n_rows; i++) order[i] = i;
  if (t->mask) VISE_TRY(ops->set_state(b, VISE_I_MASK, t->mask, err));
  VISE_TRY(ops->project(b, &hyper, err));
  VISE_TRY(ops->bind(b, &t->data, err));
  VISE_TRY(ops->set_order(b, order, t->n_rows, err));

  for (size_t s = 0; s < t->n_steps; s++) {
    hyper.step = s;
    VISE_TRY(ops->run(b, &(vise_i_steps){s % per_epoch * t->batch, t->batch, 1, &hyper, &stats[s]}, &n_done, err));
  }
  rig_get_state(ops, b, VISE_I_PARAMS, t->net.n_values, final);

done:
  ops->destroy(b);
  free(order);
  return status;
}

/* ---- against PyTorch ---- */

/* Largest error over the reported steps, relative to 1 + |ref|; NaN counts as infinite. */
static double worst_report(const trajectory *t, const vise_step_stats *stats) {
  double worst = 0;

  for (size_t i = 0; i < t->n_reported; i++) {
    const vise_step_stats *s = &stats[t->reported_steps[i] - 1];
    const double got[4] = {s->loss, s->penalty, s->grad_norm, s->grad_norm_clipped};
    const double ref[4] = {t->losses[i], t->penalties[i], t->grad_norms[i], t->grad_norms_clipped[i]};
    for (size_t k = 0; k < 4; k++) {
      const double error = fabs(got[k] - ref[k]) / (1 + fabs(ref[k]));
      if (!(error <= worst)) worst = isnan(error) ? INFINITY : error;
    }
  }

  return worst;
}

void trajectory_check_all(const char *path, const vise_i_backend_ops *ops, const trajectory_tolerance *tolerance,
                          void (*more)(const trajectory *t, const vise_step_stats *stats)) {
  size_t n_cases;
  trajectory *cases = trajectory_load_all(path, &n_cases);
  cr_assert(n_cases >= 15);

  for (size_t c = 0; c < n_cases; c++) {
    const trajectory *t = &cases[c];
    /* All of them hold cpu64 to PyTorch; agreement tests hold the rest to cpu64. The last case has everything. */
    if (rig_is_short() && c % 5 != 0 && c != n_cases - 1) continue;
    vise_error err = VISE_ERROR_INIT;
    vise_step_stats *stats = calloc(t->n_steps, sizeof *stats);
    double *final = calloc(t->net.n_values, sizeof *final);
    size_t worst;

    cr_assert(trajectory_run(t, ops, final, stats, &err) == VISE_OK, "%s: %s", t->name, err.text);
    const double weight =
        vise_i_optimizer_has(t->spec.rule.optimizer) & VISE_HAS_MOMENT1 ? tolerance->adam_weight : tolerance->weight;
    const size_t n_bad = rig_compare(final, t->final, t->net.n_values, weight, 0, &worst);
    const double reported = worst_report(t, stats);
    cr_log_info("%s: weights %g, reports %g", t->name, fabs(final[worst] - t->final[worst]), reported);

    cr_expect(n_bad == 0, "%s: %zu weights differ, worst [%zu] = %.17g, PyTorch %.17g", t->name, n_bad, worst,
              final[worst], t->final[worst]);
    cr_expect(reported <= tolerance->report, "%s: a reported loss, penalty or norm is off by %g", t->name, reported);
    if (more) more(t, stats);

    free(stats);
    free(final);
  }

  trajectory_free_all(cases, n_cases);
}

void trajectory_check_all_float32(const char *path, const vise_i_backend_ops *ops) {
  /* Adam divides tiny gradients by their own size and lion takes signs, which turns their rounding into steps of eta:
     only their plain cases, without anything that keeps gradients away from 0, need more. */
  static const trajectory_tolerance tolerance = {.weight = 5e-5, .adam_weight = 5e-3, .report = 1e-4};
  trajectory_check_all(path, ops, &tolerance, NULL);
}
