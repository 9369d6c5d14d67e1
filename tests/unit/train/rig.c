#include "rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "host/base/file.h"
#include "host/base/rng.h"
#include "host/model/checkpoint.h"

vise_error rig_err = VISE_ERROR_INIT;

const char rig_config_json[] =
    "{\"loss\": \"mse\", \"optimizer\": \"sgd\", \"lr\": 0.1, \"penalty-convention\": \"half\", "
    "\"clip-norm-type\": \"unit\", \"nonfinite\": \"skip\"}\n";

static double uniform(uint64_t seed, uint32_t stream, size_t i) {
  const uint32_t counter[4] = {(uint32_t)i, stream, 0, 77};
  uint32_t out[4];
  vise_i_philox(seed, counter, out);
  return (double)vise_i_uniform_f32(out[0]) * 2 - 1;
}

vise_dataset *rig_dataset(const double *x, size_t n_rows, size_t n_features, const double *y, size_t n_targets) {
  vise_dataset *dataset = NULL;
  const vise_array features = vise_array_of(x, VISE_F64, n_rows, n_features);
  const vise_array targets = vise_array_of(y, VISE_F64, n_rows, n_targets);
  OK(vise_dataset_from_arrays(&features, y != NULL ? &targets : NULL, NULL, true, &dataset, &rig_err));
  return dataset;
}

vise_dataset *rig_classes(size_t n_rows, size_t n_features, size_t n_classes, uint64_t seed) {
  double *x = malloc(n_rows * n_features * sizeof(double));
  int64_t *y = malloc(n_rows * sizeof(int64_t));
  vise_dataset *dataset = NULL;

  for (size_t i = 0; i < n_rows * n_features; i++) x[i] = uniform(seed, 0, i);
  for (size_t i = 0; i < n_rows; i++) {
    const double s = x[i * n_features] + 0.5 * x[i * n_features + 1] + 0.3 * uniform(seed, 1, i);
    const double place = (s + 1.8) / 3.6 * (double)n_classes;
    y[i] = (int64_t)place;
    if (y[i] >= (int64_t)n_classes) y[i] = (int64_t)n_classes - 1;
  }

  const vise_array features = vise_array_of(x, VISE_F64, n_rows, n_features);
  const vise_array targets = vise_array_of(y, VISE_I64, n_rows, 1);
  OK(vise_dataset_from_arrays(&features, &targets, NULL, true, &dataset, &rig_err));
  free(x);
  free(y);
  return dataset;
}

vise_dataset *rig_regression(size_t n_rows, size_t n_features, uint64_t seed) {
  double *x = malloc(n_rows * n_features * sizeof(double)), *y = malloc(n_rows * sizeof(double));
  for (size_t i = 0; i < n_rows * n_features; i++) x[i] = uniform(seed, 0, i);
  for (size_t i = 0; i < n_rows; i++) {
    y[i] = 1 + 0.2 * uniform(seed, 1, i);
    for (size_t k = 0; k < n_features; k++) y[i] += x[i * n_features + k] * (k % 2 == 0 ? 2 : -1);
  }
  vise_dataset *dataset = rig_dataset(x, n_rows, n_features, y, 1);
  free(x);
  free(y);
  return dataset;
}

vise_model *rig_model(const size_t *widths, size_t n, bool bias, vise_dtype dtype) {
  vise_net_config config;
  vise_model *model = NULL;
  vise_net_config_init(&config);
  config.n_layers = n - 1;
  memcpy(config.widths, widths, n * sizeof(*widths));
  config.bias = bias;
  OK(vise_model_create(&config, dtype, &model, &rig_err));
  OK(vise_model_initialize(model, VISE_INIT_LINEAR, 1, &rig_err));
  return model;
}

/* All numbers of a model, running statistics too. */
static size_t n_values_of(const vise_model *model) {
  size_t n = 0;
  for (size_t i = 0; i < vise_model_n_tensors(model); i++) {
    size_t n_rows = 0, n_cols = 0;
    OK(vise_model_tensor_shape(model, i, &n_rows, &n_cols, &rig_err));
    n += n_rows * n_cols;
  }
  return n;
}

double *rig_params(const vise_model *model) {
  double *out = malloc(n_values_of(model) * sizeof(double));
  size_t at = 0;
  for (size_t i = 0; i < vise_model_n_tensors(model); i++) {
    size_t n_rows = 0, n_cols = 0;
    OK(vise_model_tensor_shape(model, i, &n_rows, &n_cols, &rig_err));
    OK(vise_model_get_tensor(model, i, out + at, n_rows * n_cols, &rig_err));
    at += n_rows * n_cols;
  }
  return out;
}

bool rig_same_params(const vise_model *a, const vise_model *b) {
  double *p = rig_params(a), *q = rig_params(b);
  const size_t n = n_values_of(a);
  const bool same = n == n_values_of(b) && memcmp(p, q, n * sizeof(double)) == 0;
  free(p);
  free(q);
  return same;
}

size_t rig_whole_checkpoints(const char *folder, const char *what, size_t i) {
  uint64_t *steps = NULL;
  size_t n = 0;
  char parent[300];
  snprintf(parent, sizeof(parent), "%s/checkpoints", folder);
  OK(vise_i_checkpoint_list(parent, &steps, &n, &rig_err));

  for (size_t k = 0; k < n; k++) {
    char *path = NULL;
    vise_error err = VISE_ERROR_INIT;
    OK(vise_i_checkpoint_path(&path, parent, steps[k], &rig_err));
    cr_assert_eq(vise_i_checkpoint_verify(vise_i_checkpoint_in_folder(path), &err), VISE_OK, "%s %zu: %s", what, i,
                 err.text);
    free(path);
  }
  free(steps);
  return n;
}

void rig_write(const char *path, const char *text) {
  FILE *file = fopen(path, "w");
  cr_assert(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0, "%s", path);
}

char *rig_read(const char *path) {
  uint8_t *bytes = NULL;
  size_t n = 0;
  OK(vise_i_read_file(path, 1 << 24, &bytes, &n, &rig_err));
  return (char *)bytes;
}

char *rig_metrics(const char *folder) {
  char *text = rig_read(rig_path(folder, "metrics.jsonl"));
  char *to = text;

  for (const char *from = text; *from != 0;) {
    const char *key = "\"seconds\":";
    if (strncmp(from, key, strlen(key)) == 0) {
      from += strlen(key);
      while (*from != 0 && *from != '}' && *from != ',') from++;
      continue;
    }
    *to++ = *from++;
  }

  *to = 0;
  return text;
}

static void remember_log(void *user, vise_log_level level, const char *message) {
  rig_notes *notes = user;
  const size_t n = strlen(notes->log);
  snprintf(notes->log + n, sizeof(notes->log) - n, "%s%s\n", level == VISE_LOG_WARNING ? "warning: " : "", message);
}

static void remember_progress(void *user, const vise_progress *progress) {
  rig_notes *notes = user;
  cr_assert(progress->last != NULL);
  notes->n_progress++;
  if (!progress->epoch_ended) return;
  notes->n_epochs++;
  notes->last_epoch = *progress;
}

static bool answer(void *user) {
  rig_notes *notes = user;
  notes->n_asked++;
  return notes->interrupt_at > 0 && notes->n_asked >= notes->interrupt_at;
}

vise_run_config rig_run_config(const char *out_dir, rig_notes *notes) {
  vise_run_config config;
  vise_run_config_init(&config);
  config.out_dir = out_dir;
  if (notes != NULL) {
    config.log = remember_log;
    config.progress = remember_progress;
    config.interrupted = answer;
    config.user = notes;
  }
  return config;
}

json_t **rig_events(const char *folder, size_t *n) {
  char *text = rig_read(rig_path(folder, "metrics.jsonl"));
  json_t **events = calloc(4096, sizeof(*events));
  *n = 0;

  for (char *line = text; *line != 0;) {
    char *end = strchr(line, '\n');
    cr_assert(end != NULL, "the last line has no end");
    *end = 0;
    json_error_t why;
    events[*n] = json_loads(line, JSON_REJECT_DUPLICATES, &why);
    cr_assert(events[*n] != NULL, "%s: %s", line, why.text);
    *n += 1;
    line = end + 1;
  }

  free(text);
  return events;
}

void rig_events_free(json_t **events, size_t n) {
  for (size_t i = 0; i < n; i++) json_decref(events[i]);
  free(events);
}

const char *rig_event_of(const json_t *event) {
  return json_string_value(json_object_get(event, "event"));
}

void rig_edit_state(const char *checkpoint, void (*edit)(json_t *state, void *user), void *user) {
  const char *path = rig_path(checkpoint, "state.json");
  char *text = rig_read(path);
  json_t *root = json_loads(text, 0, NULL);
  cr_assert(root != NULL, "%s", path);
  edit(json_object_get(root, "state"), user);
  json_object_del(root, "xxh64");

  /* As host/model/checkpoint_format.h has it: the prefix stands for the first brace. */
  char *body = json_dumps(root, JSON_INDENT(1) | JSON_REAL_PRECISION(17)), *whole = NULL;
  cr_assert(asprintf(&whole, "{\"xxh64\":\"%016llx\",\n%s\n", 0ull, body + 1) > 0);
  const size_t n_prefix = strlen("{\"xxh64\":\"0123456789abcdef\",\n");
  char hash[17];
  snprintf(hash, sizeof hash, "%016llx", (unsigned long long)XXH64(whole + n_prefix, strlen(whole + n_prefix), 0));
  memcpy(whole + strlen("{\"xxh64\":\""), hash, 16);
  rig_write(path, whole);

  free(text);
  free(body);
  free(whole);
  json_decref(root);
}
