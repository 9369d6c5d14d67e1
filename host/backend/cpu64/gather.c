/* Rows of the data as float64: features and targets scaled, labels checked, weights summed. */
#include "host/backend/check_data.h"
#include "host/backend/cpu64/cpu64.h"
#include "host/base/array.h"

size_t vise_i_cpu64_n_outputs(const vise_i_cpu64 *b) {
  return b->net->widths[b->net->n_layers];
}

static size_t row_of(const vise_i_batch *batch, size_t i) {
  return batch->rows ? batch->rows[i] : i;
}

/* (v - shift[c]) / scale[c] */
static double scaled(const vise_i_scaling *scaling, size_t c, double v) {
  size_t i = scaling->uniform ? 0 : c;
  return scaling->scale ? (v - scaling->shift[i]) / scaling->scale[i] : v;
}

double vise_i_cpu64_class_weight(const vise_i_cpu64 *b, size_t label, double target) {
  if (!b->spec->class_weights) return 1;
  if (label != VISE_I_NO_LABEL) return b->spec->class_weights[label];
  return b->spec->class_weights[target > 0 ? 1 : 0]; /* one output with bce or hinge: 0 or -1, and 1 */
}

vise_status vise_i_cpu64_sum_weights(const vise_i_cpu64 *b, const vise_i_batch *batch, double *out, vise_error *err) {
  const vise_i_data *data = batch->data;
  const bool labels = vise_i_has_labels(b->net, data);
  double sum = 0;

  for (size_t i = 0; i < batch->n; i++) {
    const size_t row = row_of(batch, i);
    const double y = vise_i_array_get(&data->y, row, 0);
    if (labels) {
      const vise_status status = vise_i_check_label(row, y, vise_i_cpu64_n_outputs(b), err);
      if (status != VISE_OK) return status;
    }
    const size_t label = labels ? (size_t)y : VISE_I_NO_LABEL;
    sum += (data->row_weights ? data->row_weights[row] : 1) * vise_i_cpu64_class_weight(b, label, y);
  }

  *out = sum;
  return VISE_OK;
}

void vise_i_cpu64_gather_features(vise_i_cpu64 *b, const vise_i_batch *batch, size_t first, size_t n) {
  const vise_i_data *data = batch->data;
  const size_t n_in = b->net->widths[0];
  for (size_t i = 0; i < n; i++) {
    const size_t row = row_of(batch, first + i);
    for (size_t c = 0; c < n_in; c++) {
      b->values[0][i * n_in + c] = scaled(&data->x_scaling, c, vise_i_array_get(&data->x, row, c));
    }
  }
}

void vise_i_cpu64_gather_targets(vise_i_cpu64 *b, const vise_i_batch *batch, size_t first, size_t n) {
  const vise_i_data *data = batch->data;
  const size_t n_out = vise_i_cpu64_n_outputs(b);
  const bool labels = vise_i_has_labels(b->net, data);

  for (size_t i = 0; i < n; i++) {
    const size_t row = row_of(batch, first + i);
    double *targets = b->targets + i * n_out;
    b->row_weights[i] = data->row_weights ? data->row_weights[row] : 1;
    b->labels[i] = labels ? (size_t)vise_i_array_get(&data->y, row, 0) : VISE_I_NO_LABEL;

    for (size_t c = 0; c < n_out; c++) {
      targets[c] = labels ? c == b->labels[i] : scaled(&data->y_scaling, c, vise_i_array_get(&data->y, row, c));
    }
  }
}
