#include "host/train/fingerprint.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "host/base/memory.h"
#include "host/json/build.h"
#include "host/options/options.h"
#include "host/train/schedule.h"

/* Rows that are hashed: enough to tell data apart, few enough to cost nothing. */
#define SAMPLED_ROWS 256

static void put(json_t **b, const char *key, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void put(json_t **b, const char *key, const char *format, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof(text), format, arguments);
  va_end(arguments);
  vise_i_json_put(b, key, json_string(text));
}

static void put_number(json_t **b, const char *key, double value) {
  put(b, key, "%.17g", value);
}

static void put_flag(json_t **b, const char *key, bool value) {
  put(b, key, "%s", value ? "yes" : "no");
}

static void put_hash(json_t **b, const char *key, const void *data, size_t n_bytes) {
  if (n_bytes == 0) return;
  put(b, key, "hash %016llx", (unsigned long long)XXH64(data, n_bytes, 0));
}

/* The schedule of a clip or a clamp. The files of the first release have these names. */
static void put_schedule(json_t **b, const char *prefix, const vise_schedule_config *schedule) {
  char key[64];

  snprintf(key, sizeof(key), "%s-schedule", prefix);
  put(b, key, "%s", vise_schedule_name(schedule->kind));
  snprintf(key, sizeof(key), "%s-warmup-steps", prefix);
  put(b, key, "%" PRIu64, schedule->warmup_steps);

  snprintf(key, sizeof(key), "%s-final-ratio", prefix);
  put_number(b, key, schedule->final_ratio);
  snprintf(key, sizeof(key), "%s-gamma", prefix);
  put_number(b, key, schedule->gamma);
  snprintf(key, sizeof(key), "%s-step-epochs", prefix);
  put(b, key, "%" PRIu64, schedule->step_epochs);
}

/* The list of a net that is more than linear layers and one activation. */
static void put_layers(json_t **b, const vise_i_net *net) {
  char key[48];
  if (vise_i_net_is_plain(net)) return;

  for (size_t i = 0; i < net->n_listed; i++) {
    const vise_layer layer = vise_i_net_layer(net, i);
    snprintf(key, sizeof key, "layer %zu of the net", i);
    put(b, key, "%s %zu %d %s %.17g %zu", vise_layer_kind_name(layer.kind), layer.width, (int)layer.bias,
        vise_activation_name(layer.activation), layer.dropout, layer.span);
  }
}

static void put_net(json_t **b, const vise_trainer *t) {
  char text[512] = "";
  size_t n = 0;

  for (size_t i = 0; i <= t->net->n_layers && n < sizeof(text); i++) {
    const int wrote = snprintf(text + n, sizeof(text) - n, "%s%zu", i == 0 ? "" : "-", t->net->widths[i]);
    n += wrote > 0 ? (size_t)wrote : 0;
  }

  put(b, "--layers", "%s", text);
  put(b, "--activation", "%s", vise_activation_name(vise_model_activation(t->model)));
  put_flag(b, "--bias", vise_model_has_bias(t->model));
  put_layers(b, t->net);

  put(b, "--backend", "%s", vise_backend_name(t->which));
  if (t->which != VISE_BACKEND_CUDA) return; /* the others have no choice, older checkpoints neither */
  put(b, "--step", "%s", vise_step_mode_name(t->spec.step_mode));
  put(b, "--precision", "%s", vise_precision_name(t->spec.precision));
}

static void put_layer_clamps(json_t **b, const vise_train_config *c) {
  for (size_t i = 0; i < c->n_layer_clamps; i++) {
    char key[48];
    snprintf(key, sizeof(key), "--clamp-layer %zu", c->layer_clamps[i].layer);
    put(b, key, "%.17g:%.17g", c->layer_clamps[i].lo, c->layer_clamps[i].hi);
  }
}

static void put_layer_bounds(json_t **b, const char *option, const vise_layer_bound *bounds, size_t n) {
  for (size_t i = 0; i < n; i++) {
    char key[96];
    snprintf(key, sizeof(key), "%s %zu", option, bounds[i].layer);
    put_number(b, key, bounds[i].bound);
  }
}

/* Reads the k-th field of an option's value. */
static void read_field(const vise_option *option, size_t k, const vise_train_config *c, void *out, size_t n_bytes) {
  memcpy(out, (const char *)c + option->offsets[k], n_bytes);
}

static void put_option(json_t **b, const vise_option *option, const vise_train_config *c) {
  char key[64], text[64];
  double number = 0, hi = 0;
  const void *items = NULL;
  size_t n = 0;
  bool on = false;
  snprintf(key, sizeof(key), "--%s", option->name);
  (void)vise_option_text(option, c, text, sizeof text);
  if ((option->flags & VISE_OPTION_ADDED) != 0 && strcmp(text, option->default_value) == 0) return;

  switch (option->type) {
    case VISE_OPTION_REAL: /* exact, and 0 where the option says off */
      put_number(b, key, vise_i_option_real(option, c));
      break;
    case VISE_OPTION_INTERVAL:
      read_field(option, 0, c, &on, sizeof on);
      read_field(option, 1, c, &number, sizeof number);
      read_field(option, 2, c, &hi, sizeof hi);
      if (on) put(b, key, "%.17g:%.17g", number, hi);
      break;
    case VISE_OPTION_REALS:
      read_field(option, 0, c, &items, sizeof items);
      read_field(option, 1, c, &n, sizeof n);
      put_hash(b, key, items, n * sizeof(double));
      break;
    case VISE_OPTION_LAYER_INTERVALS:
      put_layer_clamps(b, c);
      break;
    case VISE_OPTION_LAYER_REALS:
      read_field(option, 0, c, &items, sizeof items);
      read_field(option, 1, c, &n, sizeof n);
      put_layer_bounds(b, key, items, n);
      break;
    default:
      put(b, key, "%s", text);
  }
}

/* The options of a topic that decide what a step computes. */
static void put_topic(json_t **b, vise_option_topic topic, const vise_train_config *c) {
  const vise_option *option;
  for (size_t i = 0; (option = vise_option_at(i)) != NULL; i++) {
    const bool decides = option->change == VISE_OPTION_FIXED && (option->flags & VISE_OPTION_CHECKS) == 0;
    /* These are put whole, with the learning rate's; see put_schedule. */
    const bool of_bounds =
        strncmp(option->field, "clip_schedule.", 14) == 0 || strncmp(option->field, "clamp_schedule.", 15) == 0;
    if (option->topic == topic && option->of == VISE_OPTION_OF_TRAIN_CONFIG && decides && !of_bounds)
      put_option(b, option, c);
  }
}

static void put_weight_op(json_t **b, const vise_train_config *c, size_t n_layers) {
  const vise_weight_op *op = &c->weight_op;
  const char *timings[] = {"step", "epoch", "every"};

  put(b, "--weight-op", "%s", vise_weight_op_kind_name(op->kind));
  if (op->kind == VISE_WEIGHT_OP_NONE) return;

  if (c->weight_op_at == VISE_AT_EVERY) {
    put(b, "--weight-op-at", "every");
  } else {
    put(b, "--weight-op-at", "%s:%" PRIu64, timings[c->weight_op_at], c->weight_op_when);
  }

  put_number(b, "--weight-op-t", op->t);
  put_number(b, "--weight-op-fraction", op->fraction);
  put_flag(b, "literal", op->literal);
  put(b, "scope", "%s", vise_prune_scope_name(op->scope));
  if (op->layers != NULL) put_hash(b, "layers", op->layers, op->n_layers * sizeof(size_t));
  if (op->frozen_m != NULL) put_hash(b, "frozen_m", op->frozen_m, n_layers * sizeof(double));
}

static void put_schedule_end(json_t **b, const vise_trainer *t) {
  const vise_schedule_config *schedules[] = {&t->config.lr_schedule, &t->config.clip_schedule,
                                             &t->config.clamp_schedule, &t->config.row_l1_schedule};
  bool ends = t->quantization != NULL; /* its ranges stay as they are from half of the planned steps on */
  for (size_t i = 0; i < sizeof schedules / sizeof *schedules; i++) ends |= vise_i_schedule_ends(schedules[i]->kind);
  if (!ends) return;
  put(b, "--epochs and --steps (planned steps of the schedule)", "%" PRIu64,
      vise_i_planned_steps(&t->config, t->steps_per_epoch));
}

static void put_scales(json_t **b, const vise_i_scales *scales, size_t n_features, size_t n_outputs) {
  const size_t n = scales->x_kind == VISE_SCALE_UNIT ? 1 : n_features;
  put(b, "--scale", "%s", vise_scale_name(scales->x_kind));
  if (scales->x_shift != NULL) {
    put_hash(b, "the training data (their means)", scales->x_shift, n * sizeof(double));
    put_hash(b, "the training data (their deviations)", scales->x_scale, n * sizeof(double));
  }
  put(b, "--scale-target", "%s", vise_scale_name(scales->y_kind));
  if (scales->y_shift != NULL) {
    put_hash(b, "the training targets (their means)", scales->y_shift, n_outputs * sizeof(double));
  }
}

/* Features and targets of a row. */
static vise_status read_row(const vise_dataset *dataset, size_t i, double *row, vise_error *err) {
  const vise_status status = vise_dataset_get_features(dataset, i, row, err);
  if (status != VISE_OK || vise_dataset_n_targets(dataset) == 0) return status;
  return vise_dataset_get_targets(dataset, i, row + vise_dataset_n_features(dataset), err);
}

static vise_status put_data(json_t **b, const vise_trainer *t, vise_error *err) {
  vise_status status = VISE_OK;
  double *row = NULL;

  const bool is_local = vise_i_trainer_is_local(t);
  put(b, "--batch", "%zu", t->has_train && !is_local ? t->batch : t->config.batch);
  put_flag(b, "--shuffle", t->config.shuffle);
  put_flag(b, "--drop-last", t->config.drop_last);
  put(b, "--seed", "%" PRIu64, t->config.seed);
  put(b, "--nonfinite", "%s", vise_nonfinite_name(t->config.nonfinite));
  const size_t n_all = is_local ? (size_t)t->local.n_rows : t->train.n_rows;
  put(b, "the number of training rows", "%zu", t->has_train ? n_all : 0);
  if (t->spec.parts > 0) put(b, "--parts", "%zu", t->spec.parts); /* older checkpoints have none */
  if (is_local) {
    put(b, "--sync-every", "%" PRIu64, t->config.sync_every);
    put(b, "the number of processes with --sync-every", "%zu", vise_ranks_size(t->config.ranks));
    put_flag(b, "--own-data", t->config.own_data);
    put_hash(b, "the rows of the processes", &t->local.rows_hash, sizeof t->local.rows_hash);
  }

  if (!t->has_train || is_local) goto done;
  const vise_dataset *dataset = t->train.dataset;
  const size_t n_rows = t->train.n_rows, n_features = vise_dataset_n_features(dataset);
  const size_t n_targets = vise_dataset_n_targets(dataset);
  VISE_TRY(vise_i_alloc(&row, n_features + n_targets, sizeof(double), "a row", err));

  uint64_t hash = 0;
  for (size_t i = 0; i < SAMPLED_ROWS && i < n_rows; i++) {
    const size_t r = n_rows <= SAMPLED_ROWS ? i : i * (n_rows / SAMPLED_ROWS);
    VISE_TRY(read_row(dataset, r, row, err));
    hash = XXH64(row, (n_features + n_targets) * sizeof(double), hash);
  }
  put(b, "the training data", "hash %016llx", (unsigned long long)hash);

done:
  free(row);
  return status;
}

vise_status vise_i_fingerprint_make(const vise_trainer *trainer, json_t **out, vise_error *err) {
  vise_status status;
  const vise_train_config *config = &trainer->config;
  json_t *b = json_object();

  put_net(&b, trainer);
  put_topic(&b, VISE_TOPIC_LOSS, config);
  put_topic(&b, VISE_TOPIC_OPTIMIZER, config);
  put_schedule(&b, "clip", &config->clip_schedule);
  put_schedule(&b, "clamp", &config->clamp_schedule);
  put_topic(&b, VISE_TOPIC_PENALTIES, config);
  put_topic(&b, VISE_TOPIC_CLIPPING, config);
  put_topic(&b, VISE_TOPIC_PROJECTION, config);
  put_weight_op(&b, config, trainer->net->n_layers);
  put_schedule_end(&b, trainer);
  put_scales(&b, &trainer->scales, trainer->net->widths[0], trainer->net->widths[trainer->net->n_layers]);

  VISE_TRY(put_data(&b, trainer, err));
  if (b == NULL) VISE_TRY(vise_i_fail_memory(err, 0, "a checkpoint"));
  *out = b;
  b = NULL;

done:
  json_decref(b);
  return status;
}

/* All values of the rows of a view, in their order. */
static vise_status hash_rows(const vise_i_view *view, uint64_t *out, vise_error *err) {
  vise_status status;
  double *row = NULL;
  const vise_dataset *dataset = view->dataset;
  const double *weights = view->data.row_weights;
  const size_t n = vise_dataset_n_features(dataset) + vise_dataset_n_targets(dataset);
  uint64_t hash = view->n_rows;

  VISE_TRY(vise_i_alloc(&row, n + 1, sizeof(double), "a row", err));
  for (size_t i = 0; i < view->n_rows; i++) {
    VISE_TRY(read_row(dataset, i, row, err));
    row[n] = weights != NULL ? weights[vise_i_view_row(view, i)] : 1;
    hash = XXH64(row, (n + 1) * sizeof(double), hash);
  }
  *out = hash;

done:
  free(row);
  return status;
}

vise_status vise_i_fingerprint_of_rank(const vise_trainer *trainer, json_t **out, vise_error *err) {
  vise_status status;
  json_t *made = NULL;
  const vise_option *option;
  const vise_i_view *views[] = {&trainer->train, &trainer->validation, &trainer->test};
  const bool has[] = {trainer->has_train, trainer->has_validation, trainer->has_test};
  static const char *const names[] = {"the training rows", "the validation rows", "the test rows"};

  VISE_TRY(vise_i_fingerprint_make(trainer, &made, err));
  for (size_t i = 0; (option = vise_option_at(i)) != NULL; i++) {
    const bool limits = option->change == VISE_OPTION_LIMIT || option->topic == VISE_TOPIC_STOPPING;
    if (limits && option->of == VISE_OPTION_OF_TRAIN_CONFIG) put_option(&made, option, &trainer->config);
  }
  for (size_t i = 0; i < 3; i++) {
    uint64_t hash = 0;
    if (!has[i]) continue;
    if (vise_i_trainer_has_own_data(trainer) || (i == 0 && vise_i_trainer_is_local(trainer))) {
      put(&made, names[i], "rows of its own");
      continue;
    }
    VISE_TRY(hash_rows(views[i], &hash, err));
    put(&made, names[i], "hash %016llx", (unsigned long long)hash);
  }
  if (made == NULL) VISE_TRY(vise_i_fail_memory(err, 0, "what is trained"));
  *out = made;
  made = NULL;

done:
  json_decref(made);
  return status;
}

static const char *text_of(const json_t *object, const char *key) {
  const char *text = json_string_value(json_object_get(object, key));
  return text != NULL ? text : "not set";
}

/* First key of a whose text differs in b; NULL: none. */
static const char *first_of(const json_t *a, const json_t *b) {
  const char *key;
  json_t *value;
  /* jansson's iteration takes a non-const object, and writes nothing. */
  json_t *object = json_incref((json_t *)(uintptr_t)a);
  const char *found = NULL;
  json_object_foreach(object, key, value) {
    if (found == NULL && strcmp(text_of(a, key), text_of(b, key)) != 0) found = key;
  }
  json_decref(object);
  return found;
}

/* First key, of either, whose text differs in the other; NULL: none. */
static const char *first_difference(const json_t *a, const json_t *b) {
  const char *key = first_of(a, b);
  return key != NULL ? key : first_of(b, a);
}

/* A key of the file in words: the names of options, which begin with --, in backquotes and with _ for -. */
static void name_key(const char *key, char *out, size_t n_bytes) {
  size_t n = 0;
  bool in_name = false;

  for (const char *c = key; *c != '\0' && n + 2 < n_bytes; c++) {
    const bool begins = strncmp(c, "--", 2) == 0, ends = in_name && *c == ' ';
    if (begins || ends) out[n++] = '`';
    in_name = (in_name || begins) && !ends;
    if (begins) {
      c++;
    } else {
      out[n++] = in_name && *c == '-' ? '_' : *c;
    }
  }

  if (in_name) out[n++] = '`';
  out[n] = '\0';
}

vise_status vise_i_fingerprint_compare(const json_t *saved, const json_t *now, const char *dir, vise_error *err) {
  char name[128];
  const char *key = first_difference(now, saved);
  if (key == NULL) return VISE_OK;
  name_key(key, name, sizeof(name));
  return vise_i_fail(err, VISE_ERR_USAGE,
                     "%s was made with %s = %s, now it is %s; only limits, logging and threads may change when a run "
                     "goes on",
                     dir, name, text_of(saved, key), text_of(now, key));
}

vise_status vise_i_fingerprint_agree(const json_t *first, const json_t *mine, vise_error *err) {
  char name[128];
  const char *key = first_difference(mine, first);
  if (key == NULL) return VISE_OK;
  name_key(key, name, sizeof(name));

  static const char why[] = "all ranks need the same options and data";
  if (strncmp(text_of(mine, key), "hash ", 5) == 0) {
    return vise_i_fail(err, VISE_ERR_USAGE, "%s: not the same as on rank 0; %s", name, why);
  }
  return vise_i_fail(err, VISE_ERR_USAGE, "%s = %s here, and %s on rank 0; %s", name, text_of(mine, key),
                     text_of(first, key), why);
}
