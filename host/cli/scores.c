#include "host/cli/scores.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/cli.h"
#include "host/cli/message.h"
#include "host/cli/text_json.h"
#include "host/json/build.h"

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

/* The outputs and targets of a chunk of rows. */
typedef struct rows {
  size_t n, n_outputs, n_targets;
  double *outputs, *targets;
  bool one_hot;
} rows;

/* A row's score for the second of two classes. */
typedef struct scored {
  double score;
  bool positive;
} scored;

/* What is summed up over the chunks. */
typedef struct summing {
  const vise_i_cli_model *model;
  const vise_dataset *dataset;
  const vise_eval_config *config;
  bool is_regression;
  bool one_hot; /* targets are classes all the same */
  vise_i_cli_scores *scores;
  scored *scored; /* [n_rows], of two classes; else NULL */
  size_t n_scored;
  bool has_nan;
  double errors;
  size_t n_seen, stride; /* one row in stride is sampled */
} summing;

enum { CHUNK_ROWS = 1 << 16, MOST_SAMPLED = 300, MOST_SAMPLED_TARGETS = 4 };

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

static void add_sample(summing *s, const rows *r, size_t i) {
  vise_i_cli_scores *out = s->scores;
  const size_t place = s->n_seen++;
  if (place % s->stride != 0) return;
  for (size_t k = 0; k < out->n_sampled_targets; k++) {
    double *pair = out->sample + 2 * (k * out->n_sampled + place / s->stride);
    pair[0] = r->targets[i * r->n_targets + k];
    pair[1] = r->outputs[i * r->n_outputs + k];
  }
}

/* Adds the rows to the confusion matrix, or to the sum of errors. */
static void add(summing *s, const rows *r) {
  const size_t n_classes = s->scores->n_classes;
  if (s->is_regression) {
    for (size_t i = 0; i < r->n * r->n_outputs; i++) s->errors += fabs(r->outputs[i] - r->targets[i]);
    for (size_t i = 0; i < r->n; i++) add_sample(s, r, i);
    return;
  }

  for (size_t i = 0; i < r->n; i++) {
    const double *z = r->outputs + i * r->n_outputs;
    s->scores->confusion[label_of(r, i) * (n_classes + 1) + class_of(r, i, n_classes)]++;
    if (s->scored == NULL) continue;
    const scored one = {r->n_outputs == 1 ? z[0] : z[1] - z[0], label_of(r, i) == 1};
    s->has_nan = s->has_nan || isnan(one.score);
    s->scored[s->n_scored++] = one;
  }
}

static vise_status add_chunk(summing *s, size_t first, size_t *places, rows *r, vise_error *err) {
  vise_dataset *chunk = NULL;
  for (size_t i = 0; i < r->n; i++) places[i] = first + i;
  vise_status status = vise_dataset_select(s->dataset, places, r->n, &chunk, err);
  if (status == VISE_OK) status = vise_predict(s->model->model, chunk, s->config, VISE_OUTPUT_RAW, r->outputs, err);
  for (size_t i = 0; i < r->n && status == VISE_OK; i++) {
    status = vise_dataset_get_targets(chunk, i, r->targets + i * r->n_targets, err);
  }
  if (status == VISE_OK) add(s, r);
  vise_dataset_free(chunk);
  return status;
}

static vise_status add_all(summing *s, vise_error *err) {
  const size_t n_rows = vise_dataset_n_rows(s->dataset), most = n_rows < CHUNK_ROWS ? n_rows : CHUNK_ROWS;
  rows r = {.n_outputs = vise_predict_width(s->model->model, VISE_OUTPUT_RAW),
            .n_targets = vise_dataset_n_targets(s->dataset),
            .one_hot = s->one_hot};
  size_t *places = calloc(most, sizeof *places);
  r.outputs = calloc(most, r.n_outputs * sizeof *r.outputs);
  r.targets = calloc(most, r.n_targets * sizeof *r.targets);

  vise_status status = VISE_OK;
  if (places == NULL || r.outputs == NULL || r.targets == NULL) {
    status = vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for the outputs of %zu rows", most);
  }
  for (size_t first = 0; first < n_rows && status == VISE_OK; first += r.n) {
    r.n = n_rows - first < most ? n_rows - first : most;
    status = add_chunk(s, first, places, &r, err);
  }

  free(places);
  free(r.outputs);
  free(r.targets);
  return status;
}

static vise_status make_sample(summing *s, size_t n_outputs, vise_error *err) {
  vise_i_cli_scores *out = s->scores;
  const size_t n_rows = vise_dataset_n_rows(s->dataset);
  s->stride = (n_rows + MOST_SAMPLED - 1) / MOST_SAMPLED;
  out->n_sampled = (n_rows + s->stride - 1) / s->stride;
  out->n_sampled_targets = n_outputs < MOST_SAMPLED_TARGETS ? n_outputs : MOST_SAMPLED_TARGETS;
  out->sample = calloc(out->n_sampled_targets * out->n_sampled, 2 * sizeof *out->sample);
  if (out->sample != NULL) return VISE_OK;
  return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for a sample of %zu rows", out->n_sampled);
}

/* Room for what the rows are counted in. */
static vise_status make_room(summing *s, size_t n_outputs, vise_error *err) {
  vise_i_cli_scores *out = s->scores;
  if (s->is_regression) return make_sample(s, n_outputs, err);

  out->n_classes = n_outputs == 1 ? 2 : n_outputs;
  out->confusion = calloc(out->n_classes, (out->n_classes + 1) * sizeof *out->confusion);
  if (out->n_classes == 2) s->scored = calloc(vise_dataset_n_rows(s->dataset), sizeof *s->scored);
  if (out->confusion != NULL && (s->scored != NULL || out->n_classes != 2)) return VISE_OK;
  return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for %zu classes", out->n_classes);
}

bool vise_i_cli_is_regression(vise_loss loss) {
  const vise_targets targets = vise_loss_targets(loss);
  return targets == VISE_TARGETS_NUMBERS || targets == VISE_TARGETS_COUNTS;
}

vise_status vise_i_cli_scores_make(const vise_i_cli_model *model, const vise_dataset *dataset,
                                   const vise_eval_config *config, vise_i_cli_scores *out, vise_error *err) {
  const vise_targets kind = vise_loss_targets(vise_model_loss(model->model));
  const size_t n_outputs = vise_predict_width(model->model, VISE_OUTPUT_RAW);
  const size_t n_targets = vise_dataset_n_targets(dataset);
  summing s = {.model = model,
               .dataset = dataset,
               .config = config,
               .is_regression = vise_i_cli_is_regression(vise_model_loss(model->model)),
               .one_hot = kind == VISE_TARGETS_LABELS && vise_dataset_is_one_hot(dataset),
               .scores = out};
  *out = (vise_i_cli_scores){.auc = NAN, .mae = NAN};
  if (n_targets != (s.is_regression ? n_outputs : 1) && !s.one_hot) return VISE_OK;

  vise_status status = make_room(&s, n_outputs, err);
  if (status == VISE_OK) status = add_all(&s, err);
  if (status == VISE_OK && s.is_regression) {
    out->mae = s.errors / ((double)vise_dataset_n_rows(dataset) * (double)n_outputs);
  }
  if (status == VISE_OK && s.scored != NULL && !s.has_nan) out->auc = auc_of(s.scored, s.n_scored);
  free(s.scored);
  return status;
}

void vise_i_cli_scores_free(vise_i_cli_scores *scores) {
  free(scores->confusion);
  free(scores->sample);
  scores->confusion = NULL;
  scores->sample = NULL;
}

/* ---- telling -------------------------------------------------------------------------------------------------- */

vise_i_cli_class_score vise_i_cli_scores_of_class(const vise_i_cli_scores *s, size_t k) {
  const size_t width = s->n_classes + 1, right = s->confusion[k * width + k];
  size_t n_true = 0, n_predicted = 0;
  for (size_t j = 0; j < width; j++) n_true += s->confusion[k * width + j];
  for (size_t j = 0; j < s->n_classes; j++) n_predicted += s->confusion[j * width + k];

  const double hits = (double)right;
  return (vise_i_cli_class_score){.precision = n_predicted > 0 ? hits / (double)n_predicted : 0,
                                  .recall = n_true > 0 ? hits / (double)n_true : 0,
                                  .f1 = n_true + n_predicted > 0 ? 2 * hits / (double)(n_true + n_predicted) : 0,
                                  .n_rows = n_true,
                                  .n_predicted = n_predicted};
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
    const vise_i_cli_class_score c = vise_i_cli_scores_of_class(scores, k);
    (void)printf("  %-20.20s %10.4f %10.4f %10.4f %10zu\n", vise_i_cli_class_name(model, k, buffer), c.precision,
                 c.recall, c.f1, c.n_rows);
  }
}

void vise_i_cli_scores_sample_json(const vise_i_cli_scores *scores, json_t **object) {
  if (scores->sample == NULL) return;
  json_t *sample = json_array();
  for (size_t k = 0; k < scores->n_sampled_targets; k++) {
    const double *pairs = scores->sample + 2 * k * scores->n_sampled;
    json_t *of_target = json_object(), *numbers[2] = {json_array(), json_array()};
    for (size_t i = 0; i < 2 * scores->n_sampled; i++) {
      vise_i_json_add(&numbers[i % 2], vise_i_cli_json_real(pairs[i]));
    }
    vise_i_json_put(&of_target, "true", numbers[0]);
    vise_i_json_put(&of_target, "predicted", numbers[1]);
    vise_i_json_add(&sample, of_target);
  }
  vise_i_json_put(object, "sample", sample);
}

void vise_i_cli_scores_json(const vise_i_cli_scores *scores, const vise_i_cli_model *model, json_t **object) {
  if (!isnan(scores->mae)) vise_i_json_put(object, "mae", vise_i_cli_json_real(scores->mae));
  if (!isnan(scores->auc)) vise_i_json_put(object, "auc", vise_i_cli_json_real(scores->auc));
  if (scores->n_classes == 0) return;

  json_t *classes = json_array(), *matrix = json_array();
  for (size_t k = 0; k < scores->n_classes; k++) {
    char buffer[VISE_I_CLI_CLASS_BYTES];
    const vise_i_cli_class_score c = vise_i_cli_scores_of_class(scores, k);
    json_t *class = json_object(), *row = json_array();
    vise_i_json_put(&class, "name", vise_i_cli_name_json(vise_i_cli_class_name(model, k, buffer)));
    vise_i_json_put(&class, "precision", vise_i_cli_json_real(c.precision));
    vise_i_json_put(&class, "recall", vise_i_cli_json_real(c.recall));
    vise_i_json_put(&class, "f1", vise_i_cli_json_real(c.f1));
    vise_i_json_put(&class, "rows", json_integer((json_int_t)c.n_rows));
    vise_i_json_add(&classes, class);

    for (size_t j = 0; j < scores->n_classes; j++) {
      vise_i_json_add(&row, json_integer((json_int_t)scores->confusion[k * (scores->n_classes + 1) + j]));
    }
    vise_i_json_add(&matrix, row);
  }
  vise_i_json_put(object, "classes", classes);
  vise_i_json_put(object, "confusion", matrix);
  vise_i_json_put(object, "without_class", json_integer((json_int_t)n_without_class(scores)));
}
