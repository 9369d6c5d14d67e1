#include "host/cli/scores.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/cli.h"
#include "host/cli/message.h"

/* A wider matrix is for --json. */
enum { SHOWN_CLASSES = 20 };

const char *vise_i_cli_class_name(const vise_i_cli_model *model, size_t k, char buffer[VISE_I_CLI_CLASS_BYTES]) {
  if (model->preprocessor != NULL && k < vise_preprocessor_n_classes(model->preprocessor)) {
    return vise_preprocessor_class_name(model->preprocessor, k);
  }
  (void)snprintf(buffer, VISE_I_CLI_CLASS_BYTES, "%zu", k);
  return buffer;
}

/* ---- making --------------------------------------------------------------------------------------------------- */

/* A row's outputs and targets. */
typedef struct rows {
  size_t n, n_outputs, n_targets;
  double *outputs, *targets;
  bool one_hot; /* targets are classes all the same */
} rows;

static vise_status predict(const vise_i_cli_model *model, const vise_dataset *dataset, const vise_eval_config *config,
                           rows *r, vise_error *err) {
  r->n = vise_dataset_n_rows(dataset);
  r->n_outputs = vise_predict_width(model->model, VISE_OUTPUT_RAW);
  r->n_targets = vise_dataset_n_targets(dataset);
  r->outputs = calloc(r->n, r->n_outputs * sizeof *r->outputs);
  r->targets = calloc(r->n, r->n_targets * sizeof *r->targets);
  if (r->outputs == NULL || r->targets == NULL) {
    return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for the outputs of %zu rows", r->n);
  }

  vise_status status = vise_predict(model->model, dataset, config, VISE_OUTPUT_RAW, r->outputs, err);
  for (size_t i = 0; i < r->n && status == VISE_OK; i++) {
    status = vise_dataset_get_targets(dataset, i, r->targets + i * r->n_targets, err);
  }
  return status;
}

/* The class of a row, or n_classes for none. */
static size_t class_of(const rows *r, size_t i, size_t n_classes) {
  const double *z = r->outputs + i * r->n_outputs;
  size_t best = 0;
  for (size_t k = 0; k < r->n_outputs; k++) {
    if (isnan(z[k])) return n_classes;
    if (z[k] > z[best]) best = k;
  }
  return r->n_outputs == 1 ? (size_t)(z[0] > 0) : best;
}

static size_t label_of(const rows *r, size_t i) {
  const double *targets = r->targets + i * r->n_targets, y = targets[0];
  if (r->one_hot) {
    size_t place = 0;
    while (place + 1 < r->n_targets && targets[place] < 1) place++;
    return place;
  }
  return r->n_outputs == 1 ? (size_t)(y > 0) : (size_t)y;
}

typedef struct scored {
  double score;
  bool positive;
} scored;

static int by_score(const void *a, const void *b) {
  const double x = ((const scored *)a)->score, y = ((const scored *)b)->score;
  return (x > y) - (x < y);
}

/* The share of pairs of a positive and a negative row that the score puts in order; ties count half. */
static double auc_of(scored *s, size_t n) {
  double n_positive = 0, n_before = 0, pairs = 0;
  qsort(s, n, sizeof *s, by_score);

  for (size_t i = 0; i < n;) {
    double positive = 0, negative = 0;
    const double score = s[i].score;
    for (; i < n && s[i].score <= score; i++) {
      positive += s[i].positive;
      negative += !s[i].positive;
    }
    pairs += positive * (n_before + negative / 2);
    n_before += negative;
    n_positive += positive;
  }

  return n_positive > 0 && n_before > 0 ? pairs / (n_positive * n_before) : NAN;
}

static vise_status make_auc(const rows *r, double *out, vise_error *err) {
  scored *s = calloc(r->n, sizeof *s);
  if (s == NULL) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for %zu rows", r->n);

  bool all_numbers = true;
  for (size_t i = 0; i < r->n; i++) {
    const double *z = r->outputs + i * r->n_outputs;
    s[i] = (scored){r->n_outputs == 1 ? z[0] : z[1] - z[0], label_of(r, i) == 1};
    all_numbers = all_numbers && !isnan(s[i].score);
  }

  if (all_numbers) *out = auc_of(s, r->n);
  free(s);
  return VISE_OK;
}

static double mean_error(const rows *r) {
  double sum = 0;
  for (size_t i = 0; i < r->n * r->n_outputs; i++) sum += fabs(r->outputs[i] - r->targets[i]);
  return sum / ((double)r->n * (double)r->n_outputs);
}

static vise_status make(const rows *r, bool is_regression, vise_i_cli_scores *out, vise_error *err) {
  if (is_regression) {
    if (r->n_targets == r->n_outputs) out->mae = mean_error(r);
    return VISE_OK;
  }
  if (r->n_targets != 1 && !r->one_hot) return VISE_OK;

  out->n_classes = r->n_outputs == 1 ? 2 : r->n_outputs;
  out->confusion = calloc(out->n_classes, (out->n_classes + 1) * sizeof *out->confusion);
  if (out->confusion == NULL) {
    return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for %zu classes", out->n_classes);
  }
  for (size_t i = 0; i < r->n; i++) {
    out->confusion[label_of(r, i) * (out->n_classes + 1) + class_of(r, i, out->n_classes)]++;
  }
  return out->n_classes == 2 ? make_auc(r, &out->auc, err) : VISE_OK;
}

vise_status vise_i_cli_scores_make(const vise_i_cli_model *model, const vise_dataset *dataset,
                                   const vise_eval_config *config, vise_i_cli_scores *out, vise_error *err) {
  const vise_targets kind = vise_loss_targets(vise_model_loss(model->model));
  rows r = {.one_hot = kind == VISE_TARGETS_LABELS && vise_dataset_is_one_hot(dataset)};
  *out = (vise_i_cli_scores){.auc = NAN, .mae = NAN};
  vise_status status = predict(model, dataset, config, &r, err);
  if (status == VISE_OK) {
    status = make(&r, kind == VISE_TARGETS_NUMBERS || kind == VISE_TARGETS_COUNTS, out, err);
  }
  free(r.outputs);
  free(r.targets);
  return status;
}

void vise_i_cli_scores_free(vise_i_cli_scores *scores) {
  free(scores->confusion);
  scores->confusion = NULL;
}

/* ---- telling -------------------------------------------------------------------------------------------------- */

/* Of one class: precision, recall and F1; 0 where nothing was predicted or true (scikit-learn's rule). */
typedef struct class_score {
  double precision, recall, f1;
  size_t n_rows;
} class_score;

static class_score score_of(const vise_i_cli_scores *s, size_t k) {
  const size_t width = s->n_classes + 1, right = s->confusion[k * width + k];
  size_t n_true = 0, n_predicted = 0;
  for (size_t j = 0; j < width; j++) n_true += s->confusion[k * width + j];
  for (size_t j = 0; j < s->n_classes; j++) n_predicted += s->confusion[j * width + k];

  const double hits = (double)right;
  return (class_score){.precision = n_predicted > 0 ? hits / (double)n_predicted : 0,
                       .recall = n_true > 0 ? hits / (double)n_true : 0,
                       .f1 = n_true + n_predicted > 0 ? 2 * hits / (double)(n_true + n_predicted) : 0,
                       .n_rows = n_true};
}

static size_t n_without_class(const vise_i_cli_scores *s) {
  size_t n = 0;
  for (size_t k = 0; k < s->n_classes; k++) n += s->confusion[k * (s->n_classes + 1) + s->n_classes];
  return n;
}

static void print_matrix(const vise_i_cli_scores *s, const vise_i_cli_model *model) {
  char buffer[VISE_I_CLI_CLASS_BYTES];
  const size_t width = s->n_classes + 1, n_shown = n_without_class(s) > 0 ? width : s->n_classes;
  (void)printf("confusion matrix (true classes down, predicted across)\n  %-20s", "");
  for (size_t k = 0; k < n_shown; k++) {
    (void)printf(" %10.10s", k < s->n_classes ? vise_i_cli_class_name(model, k, buffer) : "(none)");
  }
  (void)printf("\n");

  for (size_t k = 0; k < s->n_classes; k++) {
    (void)printf("  %-20.20s", vise_i_cli_class_name(model, k, buffer));
    for (size_t j = 0; j < n_shown; j++) (void)printf(" %10zu", s->confusion[k * width + j]);
    (void)printf("\n");
  }
}

void vise_i_cli_scores_print(const vise_i_cli_scores *scores, const vise_i_cli_model *model) {
  char buffer[VISE_I_CLI_CLASS_BYTES];
  if (!isnan(scores->mae)) (void)printf("MAE %.6g\n", scores->mae);
  if (!isnan(scores->auc)) (void)printf("AUC %.6f\n", scores->auc);
  if (scores->n_classes == 0) return;
  if (scores->n_classes > SHOWN_CLASSES) {
    (void)printf("%zu classes: --json has the confusion matrix\n", scores->n_classes);
    return;
  }

  print_matrix(scores, model);
  (void)printf("  %-20s %10s %10s %10s %10s\n", "class", "precision", "recall", "F1", "rows");
  for (size_t k = 0; k < scores->n_classes; k++) {
    const class_score c = score_of(scores, k);
    (void)printf("  %-20.20s %10.4f %10.4f %10.4f %10zu\n", vise_i_cli_class_name(model, k, buffer), c.precision,
                 c.recall, c.f1, c.n_rows);
  }
}

/* Names need not be UTF-8, and JSON must be. */
static json_t *name_json(const char *name) {
  json_t *text = json_string(name);
  if (text != NULL) return text;
  char *plain = strdup(name);
  for (char *p = plain; p != NULL && *p != '\0'; p++) {
    if ((unsigned char)*p >= 128) *p = '?';
  }
  text = plain != NULL ? json_string(plain) : NULL;
  free(plain);
  return text;
}

void vise_i_cli_scores_json(const vise_i_cli_scores *scores, const vise_i_cli_model *model, json_t *object) {
  if (!isnan(scores->mae)) (void)json_object_set_new(object, "mae", json_real(scores->mae));
  if (!isnan(scores->auc)) (void)json_object_set_new(object, "auc", json_real(scores->auc));
  if (scores->n_classes == 0) return;

  json_t *classes = json_array(), *matrix = json_array();
  for (size_t k = 0; k < scores->n_classes; k++) {
    char buffer[VISE_I_CLI_CLASS_BYTES];
    const class_score c = score_of(scores, k);
    (void)json_array_append_new(
        classes, json_pack("{s:o, s:f, s:f, s:f, s:I}", "name", name_json(vise_i_cli_class_name(model, k, buffer)),
                           "precision", c.precision, "recall", c.recall, "f1", c.f1, "rows", (json_int_t)c.n_rows));
    json_t *row = json_array();
    for (size_t j = 0; j < scores->n_classes; j++) {
      (void)json_array_append_new(row, json_integer((json_int_t)scores->confusion[k * (scores->n_classes + 1) + j]));
    }
    (void)json_array_append_new(matrix, row);
  }
  (void)json_object_set_new(object, "classes", classes);
  (void)json_object_set_new(object, "confusion", matrix);
  (void)json_object_set_new(object, "without_class", json_integer((json_int_t)n_without_class(scores)));
}
