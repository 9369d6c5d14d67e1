/* The net in integers that --format c writes. */
#include <stdlib.h>

#include "host/base/memory.h"
#include "host/export/export.h"

/* Rows of data, spread over all of them, as the net sees them. */
static vise_status take_rows(const vise_i_export *e, const vise_dataset *data, size_t n, float *x, vise_error *err) {
  const size_t n_in = e->inputs.n, n_rows = vise_dataset_n_rows(data);
  const bool scales = e->inputs.names == NULL; /* rows of a table have been scaled */
  double *row = NULL;
  vise_status status = vise_i_alloc(&row, n_in, sizeof *row, "calibration", err);

  for (size_t i = 0; status == VISE_OK && i < n; i++) {
    status = vise_dataset_get_features(data, (size_t)((double)i * (double)n_rows / (double)n), row, err);
    for (size_t c = 0; status == VISE_OK && c < n_in; c++) {
      x[i * n_in + c] = (float)(scales ? (row[c] - e->inputs.shift[c]) / e->inputs.scale[c] : row[c]);
    }
  }
  free(row);
  return status;
}

static vise_status lacks_data(const vise_i_export *e, vise_error *err) {
  const vise_i_quantization *trained = vise_i_model_quantization(e->model);
  char format[VISE_I_INTEGER_FORMAT_BYTES];
  if (trained != NULL) {
    return vise_i_fail(
        err, VISE_ERR_USAGE,
        "the model was trained for %s: leave `as` away for that net; for another, `data` are missing, rows "
        "to take the ranges of values from",
        vise_i_integer_format_text(&trained->format, format));
  }
  return vise_i_fail(
      err, VISE_ERR_USAGE,
      "the model was not trained for integers (`quantize`): give `as`, as in int8,acc16, and `data`, rows "
      "to take the ranges of values from");
}

static vise_status of_floats(const vise_i_export *e, const vise_export_config *config,
                             const vise_i_integer_format *format, vise_i_integer_net **out, vise_error *err) {
  const vise_dataset *data = config->data;
  vise_status status = VISE_OK;
  float *x = NULL;
  if (config->integers == NULL || data == NULL) VISE_TRY(lacks_data(e, err));
  if (vise_dataset_n_features(data) != e->inputs.n || vise_dataset_n_rows(data) == 0) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_SHAPE, "%s: %zu rows of %zu features, expected rows of %zu",
                         vise_dataset_name(data), vise_dataset_n_rows(data), vise_dataset_n_features(data),
                         e->inputs.n));
  }

  const size_t most = vise_i_calibration_rows(vise_i_model_net(e->model)), n_rows = vise_dataset_n_rows(data);
  const size_t n = n_rows < most ? n_rows : most;
  VISE_TRY(vise_i_alloc(&x, n * e->inputs.n, sizeof *x, "calibration", err));
  VISE_TRY(take_rows(e, data, n, x, err));
  const bool is_bytes = e->inputs.kind == VISE_SCALE_UNIT && vise_dataset_feature_dtype(data) == VISE_U8;
  VISE_TRY(vise_i_integer_net_of_floats(e->model, format, &(vise_i_calibration){x, n, is_bytes}, out, err));

done:
  free(x);
  return status;
}

/* A table's model is given numbers in the units of the table, which its net does not know of. */
static void take_units(const vise_i_export *e, vise_i_integer_net *net) {
  for (size_t i = 0; e->inputs.names != NULL && i < e->inputs.n; i++) {
    const double low = net->input_low[i], scale = net->input_scale[i];
    net->input_low[i] = (float)(low * e->inputs.scale[i] + e->inputs.shift[i]);
    net->input_scale[i] = (float)(scale / e->inputs.scale[i]);
  }
}

vise_status vise_i_export_integer_net(const vise_i_export *e, const vise_export_config *config,
                                      vise_i_integer_net **out, vise_error *err) {
  const vise_i_quantization *trained = vise_i_model_quantization(e->model);
  vise_i_integer_net *net = NULL;
  vise_i_integer_format format = {0};
  vise_status status = VISE_OK;

  if (config->integers != NULL) status = vise_i_integer_format_parse("as", config->integers, &format, err);
  if (status != VISE_OK) return status;
  const bool as_trained =
      trained != NULL && (config->integers == NULL || vise_i_integer_format_is_same(&trained->format, &format));
  status = as_trained ? vise_i_integer_net_of_model(e->model, &net, err) : of_floats(e, config, &format, &net, err);
  if (status != VISE_OK) return status;

  if (!net->is_proven) {
    vise_i_integer_net_free(net);
    return vise_i_fail(err, VISE_ERR_USAGE,
                       "`as` unconstrained: its sums may overflow, and C is written of nets that are proven alone");
  }
  take_units(e, net);
  *out = net;
  return VISE_OK;
}
