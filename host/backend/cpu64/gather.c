/* Rows of the data as float64: features and targets scaled, labels checked, weights summed. */
#include <math.h>

#include "host/backend/cpu64/cpu64.h"
#include "host/base/array.h"

size_t vise_i_cpu64_n_outputs(const vise_i_backend *b) {
  return b->net->widths[b->net->n_layers];
}

static size_t row_at(const size_t *rows, size_t first, size_t i) {
  return rows ? rows[i] : first + i;
}

/* (v - shift[c]) / scale[c] */
static double scaled(const vise_i_scaling *scaling, size_t c, double v) {
  size_t i = scaling->uniform ? 0 : c;
  return scaling->scale ? (v - scaling->shift[i]) / scaling->scale[i] : v;
}

/* With one output a class label is a value, 0 or 1. */
static bool has_labels(const vise_i_backend *b, const vise_i_data *data) {
  return data->y_is_class && vise_i_cpu64_n_outputs(b) > 1;
}

vise_status vise_i_cpu64_check_data(const vise_i_backend *b, const vise_i_data *data, bool with_targets,
                                    vise_error *err) {
  size_t n_in = b->net->widths[0], n_out = vise_i_cpu64_n_outputs(b);
  bool binary = n_out == 1 && (b->spec.rule.loss == VISE_LOSS_BCE || b->spec.rule.loss == VISE_LOSS_HINGE);
  size_t n_targets;

  if (data->x.n_cols != n_in) {
    return vise_i_fail(err, VISE_ERR_SHAPE, "features: %zu columns, the net takes %zu", data->x.n_cols, n_in);
  }

  if (!with_targets) return VISE_OK;
  if (!data->y.data) return vise_i_fail(err, VISE_ERR_SHAPE, "targets: none, the loss needs them");
  n_targets = has_labels(b, data) ? 1 : n_out;
  if (data->y.n_cols != n_targets) {
    return vise_i_fail(err, VISE_ERR_SHAPE, "targets: %zu columns, expected %zu", data->y.n_cols, n_targets);
  }
  if (data->y.n_rows != data->x.n_rows) {
    return vise_i_fail(err, VISE_ERR_SHAPE, "targets: %zu rows, the features have %zu", data->y.n_rows, data->x.n_rows);
  }

  if (b->spec.rule.loss == VISE_LOSS_CROSS_ENTROPY && !has_labels(b, data)) {
    return vise_i_fail(err, VISE_ERR_SHAPE, "cross-entropy needs class labels and at least 2 outputs, not %zu", n_out);
  }
  if (b->spec.class_weights && !has_labels(b, data) && !binary) {
    return vise_i_fail(err, VISE_ERR_USAGE, "class weights need class labels");
  }

  return VISE_OK;
}

double vise_i_cpu64_class_weight(const vise_i_backend *b, size_t label, double target) {
  if (!b->spec.class_weights) return 1;
  if (label != VISE_I_NO_LABEL) return b->spec.class_weights[label];
  return b->spec.class_weights[target > 0 ? 1 : 0]; /* one output with bce or hinge: 0 or -1, and 1 */
}

vise_status vise_i_cpu64_sum_weights(const vise_i_backend *b, const vise_i_data *data, const size_t *rows, size_t n,
                                     double *out, vise_error *err) {
  size_t n_out = vise_i_cpu64_n_outputs(b);
  double sum = 0;

  for (size_t i = 0; i < n; i++) {
    size_t row = row_at(rows, 0, i), label = VISE_I_NO_LABEL;
    double y = vise_i_array_get(&data->y, row, 0);
    if (has_labels(b, data)) {
      if (!(y >= 0 && y < (double)n_out && y == floor(y))) {
        return vise_i_fail(err, VISE_ERR_VALUE, "row %zu: label %g, expected an integer from 0 to %zu", row, y,
                           n_out - 1);
      }
      label = (size_t)y;
    }
    sum += (data->row_weights ? data->row_weights[row] : 1) * vise_i_cpu64_class_weight(b, label, y);
  }

  *out = sum;
  return VISE_OK;
}

void vise_i_cpu64_gather_features(vise_i_backend *b, const vise_i_data *data, const size_t *rows, size_t first,
                                  size_t n) {
  size_t n_in = b->net->widths[0];
  for (size_t i = 0; i < n; i++) {
    size_t row = row_at(rows, first, i);
    for (size_t c = 0; c < n_in; c++) {
      b->activations[0][i * n_in + c] = scaled(&data->x_scaling, c, vise_i_array_get(&data->x, row, c));
    }
  }
}

void vise_i_cpu64_gather_targets(vise_i_backend *b, const vise_i_data *data, const size_t *rows, size_t first,
                                 size_t n) {
  size_t n_out = vise_i_cpu64_n_outputs(b);

  for (size_t i = 0; i < n; i++) {
    size_t row = row_at(rows, first, i);
    double *targets = b->targets + i * n_out;
    b->row_weights[i] = data->row_weights ? data->row_weights[row] : 1;

    if (has_labels(b, data)) {
      b->labels[i] = (size_t)vise_i_array_get(&data->y, row, 0);
      for (size_t c = 0; c < n_out; c++) targets[c] = c == b->labels[i] ? 1 : 0;
    } else {
      b->labels[i] = VISE_I_NO_LABEL;
      for (size_t c = 0; c < n_out; c++) {
        targets[c] = scaled(&data->y_scaling, c, vise_i_array_get(&data->y, row, c));
      }
    }
  }
}
