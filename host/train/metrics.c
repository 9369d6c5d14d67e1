/* Loss, accuracy, RMSE and R^2 in float64. The formulas are those of the step's losses. */
#include "host/train/metrics.h"

#include <math.h>
#include <stdlib.h>

#include "host/base/array.h"
#include "host/base/memory.h"
#include "host/ranks/pool.h"
#include "host/rule/loss.h"
#include "host/train/resolve.h"

/* One output column: running mean and sum of squared deviations of the targets (Welford), squared residuals. */
typedef struct column {
  double mean, deviation, residual;
} column;

struct vise_i_metrics_sums {
  vise_i_metrics_spec spec;
  size_t n_rows, n_correct;
  double loss, weight; /* sum over rows of weight * loss of the row (not yet divided by anything), and of the weights */
  column *columns;     /* [n_outputs], for mse and huber */
};

vise_i_metrics_spec vise_i_metrics_spec_of_model(const vise_model *model) {
  return (vise_i_metrics_spec){.rule = vise_i_rule_of_model(model),
                               .n_outputs = vise_model_width(model, vise_model_n_layers(model))};
}

vise_i_metrics_spec vise_i_metrics_spec_of_step(const vise_i_step_spec *step) {
  return (vise_i_metrics_spec){
      .rule = step->rule, .class_weights = step->class_weights, .n_outputs = step->net->widths[step->net->n_layers]};
}

vise_metrics vise_i_metrics_none(void) {
  return (vise_metrics){.n_rows = 0, .loss = NAN, .accuracy = NAN, .rmse = NAN, .r2 = NAN};
}

vise_status vise_i_metrics_begin(const vise_i_metrics_spec *spec, vise_i_metrics_sums **out, vise_error *err) {
  vise_status status;
  vise_i_metrics_sums *sums = NULL;

  VISE_TRY(vise_i_alloc_zero(&sums, 1, sizeof(*sums), "metrics", err));
  sums->spec = *spec;
  if (vise_i_loss_is_regression(spec->rule.loss)) {
    VISE_TRY(vise_i_alloc_zero(&sums->columns, spec->n_outputs, sizeof(column), "metrics", err));
  }
  *out = sums;
  sums = NULL;

done:
  vise_i_metrics_free(sums);
  return status;
}

void vise_i_metrics_free(vise_i_metrics_sums *sums) {
  if (sums == NULL) return;
  free(sums->columns);
  free(sums);
}

/* -log softmax(z)[label], smoothed as in PyTorch; class weights are applied here, because smoothing mixes them. */
static double cross_entropy_row(const vise_i_metrics_spec *spec, const double *z, size_t label) {
  const size_t n = spec->n_outputs;
  const double *weights = spec->class_weights;
  const double max = z[vise_i_argmax(z, n)];

  double sum = 0;
  for (size_t k = 0; k < n; k++) sum += exp(z[k] - max);
  const double log_sum = log(sum);
  const double own = (log_sum - (z[label] - max)) * (weights != NULL ? weights[label] : 1);
  if (!(spec->rule.label_smoothing > 0)) return own;

  double all = 0;
  for (size_t k = 0; k < n; k++) all += (log_sum - (z[k] - max)) * (weights != NULL ? weights[k] : 1);
  return (1 - spec->rule.label_smoothing) * own + spec->rule.label_smoothing / (double)n * all;
}

/* Target of output k of stored row r, unscaled. */
static double target(const vise_i_data *data, size_t r, size_t k) {
  if (!data->y_is_class) return vise_i_array_get(&data->y, r, k);
  return vise_i_array_get(&data->y, r, 0) == (double)k ? 1 : 0;
}

/* The label is the largest output; with several columns of labels every one must be right. A NaN is never right. */
static bool is_correct(const vise_i_metrics_spec *spec, const vise_i_data *data, size_t r, const double *z) {
  const size_t n = spec->n_outputs;
  if (n == 1) return vise_i_class(z, n) == (size_t)(vise_i_array_get(&data->y, r, 0) > 0);
  if (data->y_is_class) return vise_i_array_get(&data->y, r, 0) == (double)vise_i_class(z, n);
  for (size_t k = 0; k < n; k++) {
    if (isnan(z[k]) || (z[k] > 0) != (vise_i_array_get(&data->y, r, k) > 0)) return false;
  }
  return true;
}

/* Weight of the class of stored row r. */
static double class_weight(const vise_i_metrics_spec *spec, const vise_i_data *data, size_t r) {
  if (spec->class_weights == NULL) return 1;
  const double y = vise_i_array_get(&data->y, r, 0);
  if (data->y_is_class) return spec->class_weights[(size_t)y];
  return spec->class_weights[y > 0 ? 1 : 0];
}

static void add_to_column(column *c, size_t n_before, double y, double residual) {
  const double deviation = y - c->mean;
  c->mean += deviation / (double)(n_before + 1);
  c->deviation += deviation * (y - c->mean);
  c->residual += residual * residual;
}

static void add_row(vise_i_metrics_sums *sums, const vise_i_data *data, size_t r, const double *z) {
  const vise_i_metrics_spec *spec = &sums->spec;
  const double row_weight = data->row_weights != NULL ? data->row_weights[r] : 1;
  const double weight = class_weight(spec, data, r);
  const vise_i_scaling *scaling = &data->y_scaling;
  double loss = 0;

  if (spec->rule.loss == VISE_LOSS_CROSS_ENTROPY) {
    loss = cross_entropy_row(spec, z, (size_t)vise_i_array_get(&data->y, r, 0));
  } else {
    for (size_t k = 0; k < spec->n_outputs; k++) {
      const double y = target(data, r, k);
      double shift = 0, scale = 1;
      if (scaling->scale != NULL) {
        shift = scaling->shift[scaling->uniform ? 0 : k];
        scale = scaling->scale[scaling->uniform ? 0 : k];
      }

      double slope;
      loss += vise_i_output_loss(&spec->rule, z[k], (y - shift) / scale, &slope);
      if (sums->columns == NULL) continue;
      add_to_column(&sums->columns[k], sums->n_rows, y, vise_i_expected(spec->rule.loss, z[k]) * scale + shift - y);
    }
    loss *= weight;
  }

  sums->loss += row_weight * loss;
  sums->weight += row_weight * weight;
  if (sums->columns == NULL && is_correct(spec, data, r, z)) sums->n_correct++;
  sums->n_rows++;
}

void vise_i_metrics_add(vise_i_metrics_sums *sums, const vise_i_view *view, size_t first, size_t n,
                        const double *outputs) {
  if (sums->spec.rule.loss == VISE_LOSS_EXTERNAL || view->data.y.data == NULL) {
    sums->n_rows += n;
    return;
  }
  for (size_t i = 0; i < n; i++) {
    add_row(sums, &view->data, vise_i_view_row(view, first + i), outputs + i * sums->spec.n_outputs);
  }
}

void vise_i_metrics_finish(const vise_i_metrics_sums *sums, vise_metrics *out) {
  *out = vise_i_metrics_none();
  out->n_rows = sums->n_rows;
  if (sums->spec.rule.loss == VISE_LOSS_EXTERNAL || sums->n_rows == 0) return;

  out->loss = sums->loss / vise_i_loss_denominator(&sums->spec.rule, sums->weight, (double)sums->spec.n_outputs);
  if (sums->columns == NULL) {
    out->accuracy = (double)sums->n_correct / (double)sums->n_rows;
    return;
  }

  double residual = 0, r2 = 0;
  for (size_t k = 0; k < sums->spec.n_outputs; k++) {
    const column *c = &sums->columns[k];
    residual += c->residual;
    /* A constant column: 1 when it is hit exactly, else 0 (scikit-learn's rule). */
    r2 += c->deviation > 0 ? 1 - c->residual / c->deviation : (c->residual > 0 ? 0 : 1);
  }

  out->rmse = sqrt(residual / ((double)sums->n_rows * (double)sums->spec.n_outputs));
  out->r2 = sums->n_rows < 2 ? NAN : r2 / (double)sums->spec.n_outputs;
}

double vise_i_metrics_score(const vise_metrics *metrics) {
  return isnan(metrics->accuracy) ? metrics->r2 : metrics->accuracy;
}

size_t vise_i_metrics_chunk(size_t n_rows, size_t n_outputs) {
  size_t chunk = ((size_t)4 << 20) / sizeof(double) / (n_outputs > 0 ? n_outputs : 1);
  if (chunk > 4096) chunk = 4096;
  if (chunk > n_rows) chunk = n_rows;
  return chunk > 0 ? chunk : 1;
}

/* Outputs [batch->n, n_outputs], for which the ranks share the rows. */
static vise_status forward(const vise_i_pass *pass, const vise_i_batch *batch, size_t n_outputs, double *outputs,
                           vise_error *err) {
  vise_status status = VISE_OK;
  vise_i_backend *backend = pass->backend;
  vise_ranks *ranks = pass->own_rows ? NULL : pass->ranks;
  const size_t size = vise_ranks_size(ranks), rank = vise_ranks_rank(ranks);
  const size_t first = batch->n * rank / size, end = batch->n * (rank + 1) / size;
  vise_i_batch mine = *batch;

  mine.rows = batch->rows + first;
  mine.n = end - first;
  if (mine.n > 0) VISE_TRY(backend->ops->forward(backend, &mine, outputs + first * n_outputs, err));
  if (size == 1) return VISE_OK;

  for (size_t r = 0; r < size; r++) ranks->ends[r] = batch->n * (r + 1) / size * n_outputs * sizeof *outputs;
  VISE_TRY(vise_i_ranks_spread(ranks, outputs, ranks->ends, err));

done:
  return status;
}

vise_status vise_i_pass_run(const vise_i_pass *pass, size_t n_outputs,
                            void (*take)(void *user, size_t first, size_t n, const double *outputs), void *user,
                            vise_error *err) {
  vise_status status;
  const vise_i_view *view = pass->view;
  double *outputs = NULL;
  size_t *rows = NULL, n_values = 0;

  size_t chunk = pass->chunk == 0 ? vise_i_metrics_chunk(view->n_rows, n_outputs) : pass->chunk;
  if (chunk > view->n_rows) chunk = view->n_rows;
  if (!vise_i_size_mul(chunk, n_outputs, &n_values)) n_values = SIZE_MAX / 2;
  VISE_TRY(vise_i_alloc(&outputs, n_values, sizeof(double), "outputs", err));
  VISE_TRY(vise_i_alloc(&rows, chunk, sizeof(size_t), "row indices", err));

  for (size_t first = 0; first < view->n_rows; first += chunk) {
    const size_t n = view->n_rows - first < chunk ? view->n_rows - first : chunk;
    for (size_t i = 0; i < n; i++) rows[i] = vise_i_view_row(view, first + i);
    const vise_i_batch batch = {.data = &view->data, .rows = rows, .n = n};
    VISE_TRY(forward(pass, &batch, n_outputs, outputs, err));
    take(user, first, n, outputs);
  }

done:
  free(rows);
  free(outputs);
  return status;
}

/* What a rank found: the sums but for their columns. */
typedef struct found_rows {
  uint64_t n_rows, n_correct;
  double loss, weight;
} found_rows;

/* Adds the columns of each rank, [size, n_outputs], in the order of the ranks. */
static void pool_columns(vise_i_metrics_sums *sums, const found_rows *all, const column *columns, size_t size) {
  for (size_t k = 0; k < sums->spec.n_outputs; k++) {
    vise_i_moments targets = {0};
    double residual = 0;
    for (size_t r = 0; r < size; r++) {
      const column *c = &columns[r * sums->spec.n_outputs + k];
      vise_i_moments_merge(&targets, &(vise_i_moments){(double)all[r].n_rows, c->mean, c->deviation});
      residual += c->residual;
    }
    sums->columns[k] = (column){targets.mean, targets.squares, residual};
  }
}

/* The sums over the rows of all ranks. */
static vise_status pool(vise_i_metrics_sums *sums, vise_ranks *ranks, vise_error *err) {
  vise_status status;
  const size_t size = vise_ranks_size(ranks), n = sums->spec.n_outputs;
  const found_rows mine = {sums->n_rows, sums->n_correct, sums->loss, sums->weight};
  found_rows *all = NULL;
  column *columns = NULL;

  VISE_TRY(vise_i_alloc(&all, size, sizeof *all, "metrics", err));
  VISE_TRY(vise_i_alloc(&columns, size * n, sizeof *columns, "metrics", err));
  VISE_TRY(vise_i_ranks_pool_each(ranks, &mine, sizeof mine, all, err));
  if (sums->columns != NULL) VISE_TRY(vise_i_ranks_gather(ranks, sums->columns, n * sizeof *columns, columns, err));

  sums->n_rows = sums->n_correct = 0;
  sums->loss = sums->weight = 0;
  for (size_t r = 0; r < size; r++) {
    sums->n_rows += (size_t)all[r].n_rows;
    sums->n_correct += (size_t)all[r].n_correct;
    sums->loss += all[r].loss;
    sums->weight += all[r].weight;
  }
  if (sums->columns != NULL) pool_columns(sums, all, columns, size);

done:
  free(all);
  free(columns);
  return status;
}

/* Sums, and the view whose rows they are of. */
typedef struct summing {
  vise_i_metrics_sums *sums;
  const vise_i_view *view;
} summing;

static void add_rows(void *user, size_t first, size_t n, const double *outputs) {
  const summing *s = user;
  vise_i_metrics_add(s->sums, s->view, first, n, outputs);
}

vise_status vise_i_metrics_of_view(const vise_i_pass *pass, const vise_i_metrics_spec *spec, vise_metrics *out,
                                   vise_error *err) {
  vise_status status;
  summing s = {.view = pass->view};

  VISE_TRY(vise_i_metrics_begin(spec, &s.sums, err));
  VISE_TRY(vise_i_pass_run(pass, spec->n_outputs, add_rows, &s, err));
  if (pass->own_rows) VISE_TRY(pool(s.sums, pass->ranks, err));
  vise_i_metrics_finish(s.sums, out);

done:
  vise_i_metrics_free(s.sums);
  return status;
}
