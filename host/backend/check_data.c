#include "host/backend/check_data.h"

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
