#include "host/backend/check_data.h"

#include <math.h>

bool vise_i_has_labels(const vise_i_net *net, const vise_i_data *data) {
  return data->y_is_class && net->widths[net->n_layers] > 1;
}

vise_status vise_i_check_data(const vise_i_step_spec *spec, const vise_i_data *data, bool with_targets,
                              vise_error *err) {
  const size_t n_in = spec->net->widths[0], n_out = spec->net->widths[spec->net->n_layers];
  const bool labels = vise_i_has_labels(spec->net, data);
  const bool binary = n_out == 1 && vise_i_loss_is_binary(spec->rule.loss);
  const size_t n_targets = labels ? 1 : n_out;

  if (data->x.n_cols != n_in) {
    return vise_i_fail(err, VISE_ERR_SHAPE, "features: %zu columns, the net takes %zu", data->x.n_cols, n_in);
  }

  if (!with_targets) return VISE_OK;
  if (!data->y.data) return vise_i_fail(err, VISE_ERR_SHAPE, "targets: none, the loss needs them");
  if (data->y.n_cols != n_targets) {
    return vise_i_fail(err, VISE_ERR_SHAPE, "targets: %zu columns, expected %zu", data->y.n_cols, n_targets);
  }
  if (data->y.n_rows != data->x.n_rows) {
    return vise_i_fail(err, VISE_ERR_SHAPE, "targets: %zu rows, the features have %zu", data->y.n_rows, data->x.n_rows);
  }

  if (vise_i_loss_targets(spec->rule.loss) == VISE_TARGETS_LABELS && !labels) {
    return vise_i_fail(err, VISE_ERR_SHAPE, "cross-entropy needs class labels and at least 2 outputs, not %zu", n_out);
  }
  if (spec->class_weights && !labels && !binary) {
    return vise_i_fail(err, VISE_ERR_USAGE, "class weights need class labels");
  }

  return VISE_OK;
}

vise_status vise_i_check_label(size_t row, double label, size_t n_classes, vise_error *err) {
  if (label >= 0 && label < (double)n_classes && label == floor(label)) return VISE_OK;
  return vise_i_fail(err, VISE_ERR_VALUE, "row %zu: label %g, expected an integer from 0 to %zu", row, label,
                     n_classes - 1);
}

vise_status vise_i_check_order(const vise_i_backend *b, const size_t *rows, size_t n_rows, size_t n_data,
                               vise_error *err) {
  for (size_t i = 0; i < n_rows; i++) {
    if (rows[i] < n_data) continue;
    return vise_i_fail(err, VISE_ERR_INTERNAL, "%s: row %zu in the order, the data have %zu", b->ops->name, rows[i],
                       n_data);
  }
  return VISE_OK;
}

static vise_status check_size(const vise_i_backend *b, size_t n, vise_error *err) {
  if (n >= 1 && n <= b->spec.max_batch) return VISE_OK;
  return vise_i_fail(err, VISE_ERR_INTERNAL, "%s: a batch of %zu rows, expected 1 to %zu", b->ops->name, n,
                     b->spec.max_batch);
}

vise_status vise_i_check_run(const vise_i_backend *b, const vise_i_steps *steps, size_t n_order, vise_error *err) {
  const vise_status status = check_size(b, steps->size, err);
  if (status != VISE_OK) return status;
  if (b->spec.rule.loss == VISE_LOSS_EXTERNAL) {
    return vise_i_fail(err, VISE_ERR_INTERNAL, "%s: the external loss has steps one by one only", b->ops->name);
  }

  for (size_t at = steps->first, i = 0; i < steps->n; at += steps->size, i++) {
    if (at < n_order) continue;
    return vise_i_fail(err, VISE_ERR_INTERNAL, "%s: a batch at %zu, the order has %zu rows", b->ops->name, at, n_order);
  }
  return VISE_OK;
}

vise_status vise_i_check_step(const vise_i_backend *b, const vise_i_batch *batch, vise_error *err) {
  const vise_array *delta = batch->delta;
  const size_t n_out = b->spec.net->widths[b->spec.net->n_layers];
  vise_status status = VISE_OK;

  VISE_TRY(check_size(b, batch->n, err));
  if ((b->spec.rule.loss == VISE_LOSS_EXTERNAL) != (delta != NULL)) {
    return vise_i_fail(err, VISE_ERR_INTERNAL, "%s: the external loss, and it alone, takes a delta", b->ops->name);
  }

  VISE_TRY(vise_i_check_data(&b->spec, batch->data, !delta, err));
  if (delta && (delta->n_rows != batch->n || delta->n_cols != n_out)) {
    return vise_i_fail(err, VISE_ERR_SHAPE, "delta is [%zu, %zu], expected [%zu, %zu]", delta->n_rows, delta->n_cols,
                       batch->n, n_out);
  }

done:
  return status;
}

vise_status vise_i_check_gradient(const vise_i_backend *b, const vise_i_batch *batch, vise_error *err) {
  if (b->spec.rule.loss == VISE_LOSS_EXTERNAL) {
    return vise_i_fail(err, VISE_ERR_INTERNAL, "%s: the external loss has no gradient of its own", b->ops->name);
  }
  if (batch->n == 0) return vise_i_fail(err, VISE_ERR_INTERNAL, "%s: the gradient of no rows", b->ops->name);
  return vise_i_check_data(&b->spec, batch->data, true, err);
}
