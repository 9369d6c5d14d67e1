/* The net in integers that a model was trained to be, or that it is rounded to. */
#include "host/certify/integers.h"

#include <stdlib.h>

#include "host/base/memory.h"

/* Rows of data, spread over all of them, as the net sees them. */
static vise_status take_rows(const vise_i_inputs *inputs, const vise_dataset *data, size_t n, float *x,
                             vise_error *err) {
  const size_t n_in = inputs->n, n_rows = vise_dataset_n_rows(data);
  const bool scales = inputs->names == NULL; /* rows of a table have been scaled */
  double *row = NULL;
  vise_status status = vise_i_alloc(&row, n_in, sizeof *row, "calibration", err);

  for (size_t i = 0; status == VISE_OK && i < n; i++) {
    status = vise_dataset_get_features(data, (size_t)((double)i * (double)n_rows / (double)n), row, err);
    for (size_t c = 0; status == VISE_OK && c < n_in; c++) {
      x[i * n_in + c] = (float)(scales ? (row[c] - inputs->shift[c]) / inputs->scale[c] : row[c]);
    }
  }
  free(row);
  return status;
}

static vise_status lacks_data(const vise_i_quantization *trained, vise_error *err) {
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

/* What a model is rounded with. */
typedef struct rounding {
  const vise_i_inputs *inputs;
  const vise_dataset *data;
  vise_i_integer_format format;
} rounding;

static vise_status of_floats(const vise_model *model, const rounding *how, vise_i_integer_net **out, vise_error *err) {
  const vise_i_inputs *inputs = how->inputs;
  const vise_dataset *data = how->data;
  vise_status status = VISE_OK;
  float *x = NULL;
  if (how->format.acc_bits == 0 || data == NULL) VISE_TRY(lacks_data(vise_i_model_quantization(model), err));
  if (vise_dataset_n_features(data) != inputs->n || vise_dataset_n_rows(data) == 0) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_SHAPE, "%s: %zu rows of %zu features, expected rows of %zu",
                         vise_dataset_name(data), vise_dataset_n_rows(data), vise_dataset_n_features(data), inputs->n));
  }

  const size_t most = vise_i_calibration_rows(vise_i_model_net(model)), n_rows = vise_dataset_n_rows(data);
  const size_t n = n_rows < most ? n_rows : most;
  VISE_TRY(vise_i_alloc(&x, n * inputs->n, sizeof *x, "calibration", err));
  VISE_TRY(take_rows(inputs, data, n, x, err));
  const bool is_bytes = inputs->kind == VISE_SCALE_UNIT && vise_dataset_feature_dtype(data) == VISE_U8;
  VISE_TRY(vise_i_integer_net_of_floats(model, &how->format, &(vise_i_calibration){x, n, is_bytes}, out, err));

done:
  free(x);
  return status;
}

vise_status vise_i_integers_of(const vise_model *model, const vise_i_integers_wanted *wanted, vise_i_integer_net **out,
                               bool *is_trained, vise_error *err) {
  vise_status status = VISE_OK;
  const vise_i_quantization *trained = vise_i_model_quantization(model);
  rounding how = {.inputs = wanted->inputs, .data = wanted->data};

  if (wanted->format != NULL) VISE_TRY(vise_i_integer_format_parse("as", wanted->format, &how.format, err));
  *is_trained =
      trained != NULL && (wanted->format == NULL || vise_i_integer_format_is_same(&trained->format, &how.format));
  status = *is_trained ? vise_i_integer_net_of_model(model, out, err) : of_floats(model, &how, out, err);

done:
  return status;
}
