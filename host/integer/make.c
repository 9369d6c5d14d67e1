/* An integer net from a model: integers, the proof that no sum overflows, and the multipliers between layers. */
#include <math.h>
#include <stdlib.h>

#include "host/base/memory.h"
#include "host/integer/parts.h"

void vise_i_integer_net_free(vise_i_integer_net *net) {
  if (net == NULL) return;
  for (size_t l = 0; l < VISE_MAX_LAYERS; l++) {
    free(net->layers[l].weights);
    free(net->layers[l].bias);
    free(net->layers[l].multiplier);
    free(net->layers[l].shift);
    free(net->layers[l].negative);
    free(net->layers[l].table);
  }
  free(net->input_low);
  free(net->input_scale);
  free(net);
}

/* What a net is made of. */
typedef struct maker {
  const vise_model *model;
  const vise_i_net *net;
  const vise_i_quantization *quantization;
  const vise_i_folded *folded; /* NULL: the model's own weights are integers times scales */
  vise_i_integer_net *out;
  int32_t *v; /* a row of integers */
} maker;

static double row_scale(const maker *m, size_t l, size_t r) {
  return (double)vise_i_row_scales(m->quantization, m->quantization->scales, l)[r];
}

static double value_scale(const maker *m, size_t l) {
  return (double)vise_i_value_scale(m->quantization, m->quantization->scales, l);
}

/* ---- integers of a row ---- */

/* A number that is a whole multiple of its scale but for rounding. */
typedef struct multiple {
  const char *tensor;
  size_t i;
  double value, scale, most, slack;
} multiple;

static vise_status read_integer(const multiple *m, int64_t *out, vise_error *err) {
  const double q = rint(m->value / m->scale);
  if (fabs(m->value / m->scale - q) <= m->slack && fabs(q) <= m->most) {
    *out = (int64_t)q;
    return VISE_OK;
  }
  return vise_i_fail(err, VISE_ERR_VALUE,
                     "tensor '%s', element %zu: %.9g is not a whole multiple of its scale %.9g within its range: the "
                     "weights were changed after the training with `quantize`",
                     m->tensor, m->i, m->value, m->scale);
}

/* Of a model whose weights are s q. */
static vise_status read_row(const maker *m, size_t l, size_t r, int64_t *bias, vise_error *err) {
  const vise_i_block *block = &m->net->blocks[l];
  const vise_i_tensor *weight = &m->net->tensors[block->weight];
  const void *params = vise_i_model_const_params(m->model);
  const vise_dtype dtype = vise_model_dtype(m->model);
  const size_t n = m->net->widths[l];
  const double s = row_scale(m, l, r);

  for (size_t i = 0; i < n; i++) {
    int64_t q = 0;
    const multiple w = {.tensor = weight->name,
                        .i = r * n + i,
                        .value = vise_i_param_get(dtype, params, weight->offset + r * n + i),
                        .scale = s,
                        .most = vise_i_most_q(&m->quantization->format),
                        .slack = 1e-3};
    const vise_status status = read_integer(&w, &q, err);
    if (status != VISE_OK) return status;
    m->v[i] = (int32_t)q;
  }

  *bias = 0;
  if (block->bias == VISE_I_NO_TENSOR) return VISE_OK;
  const vise_i_tensor *tensor = &m->net->tensors[block->bias];
  const multiple b = {.tensor = tensor->name,
                      .i = r,
                      .value = vise_i_param_get(dtype, params, tensor->offset + r),
                      .scale = s * value_scale(m, l),
                      .most = vise_i_bias_most(&m->quantization->format),
                      .slack = 0.25};
  return read_integer(&b, bias, err);
}

static vise_status make_row(const maker *m, size_t l, size_t r, int64_t *bias, vise_error *err) {
  if (m->folded == NULL) return read_row(m, l, r, bias, err);

  const size_t n = m->net->widths[l];
  const vise_i_integer_row row = {
      .format = &m->quantization->format,
      .most = vise_i_value_most(&m->quantization->format, l),
      .zero = vise_i_value_zero(m->quantization, m->net, l),
      .weights = m->folded->weights[l] + r * n,
      .bias = m->folded->biases[l][r],
      .n = n,
  };
  *bias = vise_i_integer_round(&row, row_scale(m, l, r), value_scale(m, l), m->v);
  return VISE_OK;
}

/* ---- the proof ---- */

static vise_status prove_row(const vise_i_integer_net *net, size_t l, size_t r, int64_t bias, vise_error *err) {
  const vise_i_integer_layer *layer = &net->layers[l];
  const int64_t largest = ((int64_t)1 << (net->format.acc_bits - 1)) - 1;
  int64_t plus = 0, minus = 0;

  for (size_t i = 0; i < layer->n_in; i++) {
    const int w = layer->weights[r * layer->n_in + i];
    plus += w > 0 ? w : 0;
    minus += w < 0 ? -w : 0;
  }

  const bool fits = layer->in_max * plus + (bias > 0 ? bias : 0) <= largest &&
                    layer->in_max * minus + (bias < 0 ? -bias : 0) <= largest + 1;
  if (fits || (net->format.unconstrained && bias >= INT32_MIN && bias <= INT32_MAX)) return VISE_OK;
  return vise_i_fail(err, VISE_ERR_VALUE,
                     "layer %zu, row %zu: sums of up to %lld and %lld with inputs of up to %d and the bias %lld do not "
                     "fit in an accumulator of %d bits: train with `quantize`, which keeps rows small enough",
                     l, r, (long long)plus, (long long)-minus, (int)layer->in_max, (long long)bias,
                     net->format.acc_bits);
}

/* ---- multipliers ---- */

/* The largest shift: a product has 32 bits, or 63 where accumulators have more than 16, which the small steps of weights of
   16 bits need. */
static int most_shift(const vise_i_integer_format *format) {
  return format->int16 && format->acc_bits > 16 ? 46 : 30;
}

/* ratio as m / 2^sh with as many bits of m as there are. */
static bool find_multiplier(double ratio, int most, uint16_t *m, uint8_t *sh) {
  int exponent;
  const double fraction = frexp(ratio, &exponent); /* [0.5, 1) 2^exponent */
  int shift = 15 - exponent;
  double scaled = rint(ldexp(fraction, 15));
  if (scaled > 32767) {
    scaled = 16384;
    shift--;
  }

  if (shift > most) {
    scaled = rint(ldexp(ratio, most));
    shift = most;
  }
  if (!(ratio >= 0) || shift < 1) return false;
  *m = (uint16_t)scaled;
  *sh = (uint8_t)shift;
  return true;
}

static vise_status bad_ratio(size_t l, size_t r, double ratio, int most, vise_error *err) {
  return vise_i_fail(
      err, VISE_ERR_UNSUPPORTED,
      "layer %zu, row %zu: its sums are multiplied by %g, for which there is no 15-bit multiplier with a "
      "shift from 1 to %d: the scales of this net differ too much",
      l, r, ratio, most);
}

/* ---- activations by table ---- */

static double table_step(vise_activation activation) {
  return (activation == VISE_TANH ? 4.0 : 8.0) / 128;
}

static double value_of(vise_activation activation, double z) {
  return activation == VISE_TANH ? tanh(z) : 1 / (1 + exp(-z));
}

/* The activation is monotone, so that a cell's largest error is at one of its ends. */
static void fill_table(vise_i_integer_layer *layer, double scale) {
  const double step = table_step(layer->activation);
  layer->table_error = 0;

  for (int i = 0; i < VISE_I_INTEGER_TABLE_SIZE; i++) {
    const double at = (i - 128) * step;
    const double x = rint(value_of(layer->activation, at) / scale) + layer->out_zero;
    layer->table[i] = (uint8_t)(x < 0 ? 0 : (x > layer->out_max ? layer->out_max : x));

    const double is = (layer->table[i] - layer->out_zero) * scale;
    const double low = value_of(layer->activation, i == 0 ? -1e3 : at - step / 2);
    const double high = value_of(layer->activation, i == 255 ? 1e3 : at + step / 2);
    const double error = fmax(fabs(is - low), fabs(is - high));
    if (error > layer->table_error) layer->table_error = error;
  }
}

/* ---- layers ---- */

static vise_i_integer_kind kind_of(const vise_i_net *net, size_t l) {
  if (l + 1 == net->n_layers) return VISE_I_INTEGER_OUTPUT;
  switch (net->blocks[l].activation) {
    case VISE_RELU:
      return VISE_I_INTEGER_RELU;
    case VISE_LEAKY_RELU:
      return VISE_I_INTEGER_LEAKY;
    case VISE_IDENTITY:
      return VISE_I_INTEGER_LINEAR;
    default:
      return VISE_I_INTEGER_TABLE;
  }
}

static vise_status alloc_layer(vise_i_integer_layer *layer, vise_error *err) {
  vise_status status;
  const char *what = "an integer net";
  VISE_TRY(vise_i_alloc(&layer->weights, layer->n_in * layer->n_out, sizeof *layer->weights, what, err));
  VISE_TRY(vise_i_alloc(&layer->bias, layer->n_out, sizeof *layer->bias, what, err));
  VISE_TRY(vise_i_alloc(&layer->multiplier, layer->n_out, sizeof *layer->multiplier, what, err));
  VISE_TRY(vise_i_alloc(&layer->shift, layer->n_out, sizeof *layer->shift, what, err));
  if (layer->kind == VISE_I_INTEGER_LEAKY) {
    VISE_TRY(vise_i_alloc(&layer->negative, layer->n_out, sizeof *layer->negative, what, err));
  }
  if (layer->kind == VISE_I_INTEGER_TABLE) {
    VISE_TRY(vise_i_alloc(&layer->table, VISE_I_INTEGER_TABLE_SIZE, sizeof *layer->table, what, err));
  }
done:
  return status;
}

static vise_status make_rows(const maker *m, size_t l, vise_error *err) {
  vise_i_integer_layer *layer = &m->out->layers[l];
  for (size_t r = 0; r < layer->n_out; r++) {
    int64_t bias = 0, sum = 0;
    vise_status status = make_row(m, l, r, &bias, err);
    if (status != VISE_OK) return status;

    for (size_t i = 0; i < layer->n_in; i++) {
      layer->weights[r * layer->n_in + i] = (int16_t)m->v[i];
      sum += m->v[i];
    }
    bias -= layer->in_zero * sum;
    status = prove_row(m->out, l, r, bias, err);
    if (status != VISE_OK) return status;
    layer->bias[r] = (int32_t)bias;
  }
  return VISE_OK;
}

/* The unit of the outputs, so that the multipliers of all rows fit, and outputs 31 bits. Where all rows have one scale
   it is that. */
static double output_unit(const maker *m, size_t l) {
  const size_t n = m->net->widths[l + 1];
  const int spare = 31 - m->quantization->format.acc_bits;
  double largest = 0;
  bool alike = true;
  for (size_t r = 0; r < n; r++) {
    const double unit = row_scale(m, l, r) * value_scale(m, l);
    largest = unit > largest ? unit : largest;
    alike = alike && unit == row_scale(m, l, 0) * value_scale(m, l);
  }
  return alike ? largest : ldexp(largest, spare < 8 ? -spare : -8);
}

static vise_status scale_rows(const maker *m, size_t l, vise_error *err) {
  vise_i_integer_layer *layer = &m->out->layers[l];
  const bool is_last = layer->kind == VISE_I_INTEGER_OUTPUT;
  const int most = most_shift(&m->quantization->format);
  double to = is_last ? output_unit(m, l) : value_scale(m, l + 1);
  if (is_last) m->out->output_scale = to;
  if (layer->kind == VISE_I_INTEGER_TABLE) {
    fill_table(layer, to);
    to = table_step(layer->activation);
  }

  for (size_t r = 0; r < layer->n_out; r++) {
    const double ratio = row_scale(m, l, r) * value_scale(m, l) / to;
    if (!find_multiplier(ratio, most, &layer->multiplier[r], &layer->shift[r])) {
      return bad_ratio(l, r, ratio, most, err);
    }
    if (layer->negative != NULL) {
      layer->negative[r] = (uint16_t)rint(0.01 * ldexp(ratio, layer->shift[r])); /* the slope of leaky-relu */
    }
  }
  return VISE_OK;
}

static vise_status make_layer(const maker *m, size_t l, vise_error *err) {
  vise_status status;
  vise_i_integer_layer *layer = &m->out->layers[l];
  const vise_i_quantization *q = m->quantization;

  layer->n_in = m->net->widths[l];
  layer->n_out = m->net->widths[l + 1];
  layer->in_max = vise_i_value_most(&q->format, l);
  layer->in_zero = vise_i_value_zero(q, m->net, l);
  layer->kind = kind_of(m->net, l);
  layer->activation = VISE_IDENTITY;
  if (layer->kind != VISE_I_INTEGER_OUTPUT) {
    layer->activation = m->net->blocks[l].activation;
    layer->out_max = vise_i_value_most(&q->format, l + 1);
    layer->out_zero = vise_i_value_zero(q, m->net, l + 1);
  }
  if (layer->n_in > m->out->widest) m->out->widest = layer->n_in;

  VISE_TRY(alloc_layer(layer, err));
  VISE_TRY(make_rows(m, l, err));
  VISE_TRY(scale_rows(m, l, err));

done:
  return status;
}

/* ---- inputs ---- */

/* (x - shift) / scale / t + z + 1/2, cut, is the nearest integer. */
static vise_status make_inputs(const maker *m, vise_error *err) {
  vise_status status;
  const size_t n = m->net->widths[0];
  const double t = value_scale(m, 0);
  double *shift = NULL, *scale = NULL;

  VISE_TRY(vise_i_alloc(&shift, n, sizeof *shift, "an integer net", err));
  VISE_TRY(vise_i_alloc(&scale, n, sizeof *scale, "an integer net", err));
  VISE_TRY(vise_i_alloc(&m->out->input_low, n, sizeof(float), "an integer net", err));
  VISE_TRY(vise_i_alloc(&m->out->input_scale, n, sizeof(float), "an integer net", err));
  (void)vise_model_feature_scaling(m->model, shift, scale);

  for (size_t f = 0; f < n; f++) {
    m->out->input_low[f] = (float)(shift[f] - scale[f] * t * (m->quantization->in_zero + 0.5));
    m->out->input_scale[f] = (float)(1 / (scale[f] * t));
  }

done:
  free(shift);
  free(scale);
  return status;
}

/* ---- nets ---- */

static vise_status make_net(maker *m, vise_i_integer_net **out, vise_error *err) {
  vise_status status;
  size_t widest = 0;
  for (size_t l = 0; l < m->net->n_layers; l++) widest = m->net->widths[l] > widest ? m->net->widths[l] : widest;

  VISE_TRY(vise_i_alloc_zero(&m->out, 1, sizeof *m->out, "an integer net", err));
  m->out->format = m->quantization->format;
  m->out->is_proven = !m->quantization->format.unconstrained;
  m->out->n_layers = m->net->n_layers;
  VISE_TRY(vise_i_alloc(&m->v, widest, sizeof *m->v, "an integer net", err));
  VISE_TRY(make_inputs(m, err));
  for (size_t l = 0; l < m->net->n_layers; l++) VISE_TRY(make_layer(m, l, err));
  *out = m->out;
  m->out = NULL;

done:
  vise_i_integer_net_free(m->out);
  free(m->v);
  return status;
}

vise_status vise_i_integer_net_of_model(const vise_model *model, vise_i_integer_net **out, vise_error *err) {
  vise_status status;
  maker m = {.model = model, .net = vise_i_model_net(model), .quantization = vise_i_model_quantization(model)};
  if (m.quantization == NULL) {
    return vise_i_fail(err, VISE_ERR_USAGE, "the model was not trained with `quantize`");
  }
  VISE_TRY(vise_i_integer_check_net(m.net, true, err));
  VISE_TRY(make_net(&m, out, err));
done:
  return status;
}

vise_status vise_i_integer_net_of_floats(const vise_model *model, const vise_i_integer_format *format,
                                         const vise_i_calibration *calibration, vise_i_integer_net **out,
                                         vise_error *err) {
  vise_status status;
  vise_i_folded folded = {0};
  vise_i_quantization *quantization = NULL;
  maker m = {.model = model, .net = vise_i_model_net(model), .folded = &folded};

  VISE_TRY(vise_i_integer_check_net(m.net, false, err));
  VISE_TRY(vise_i_folded_make(m.net, vise_model_dtype(model), vise_i_model_const_params(model), &folded, err));
  VISE_TRY(vise_i_quantization_fit(&folded, format, calibration, &quantization, err));
  m.quantization = quantization;
  VISE_TRY(make_net(&m, out, err));

done:
  vise_i_quantization_free(quantization);
  vise_i_folded_free(&folded);
  return status;
}
