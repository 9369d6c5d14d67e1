/* Integer nets of random models: they are proven, their sums stay within the accumulator for the inputs that push them
   furthest, and what they compute is what the model does. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/integer/integer.h"
#include "tests/support/random.h"

enum { N_IN = 20, N_HIDDEN = 12, N_OUT = 3, N_ROWS = 200 };

static float draw(uint64_t *state) {
  return (float)rig_draw(state) * 0x1p-31f - 1.0f;
}

static vise_model *make_model(vise_activation activation, bool batch_norm, uint64_t *state) {
  vise_net_config config;
  vise_model *model = NULL;
  vise_net_config_init(&config);
  config.n_layers = 3;
  config.widths[0] = N_IN;
  config.widths[1] = config.widths[2] = N_HIDDEN;
  config.widths[3] = N_OUT;
  config.activation = activation;
  config.batch_norm = batch_norm;
  cr_assert_eq(vise_model_create(&config, VISE_F32, &model, NULL), VISE_OK);

  float *params = vise_i_model_params(model);
  for (size_t i = 0; i < vise_i_model_net(model)->n_values; i++) {
    params[i] = draw(state);
    if (batch_norm) params[i] = 0.2f + 0.5f * fabsf(params[i]);
  }
  return model;
}

static void make_rows(float *x, bool negative, uint64_t *state) {
  for (size_t i = 0; i < N_ROWS * N_IN; i++) x[i] = negative ? draw(state) : fabsf(draw(state));
}

static vise_i_integer_net *make_net(const vise_model *model, const char *text, const float *x) {
  vise_i_integer_net *net = NULL;
  vise_i_integer_format format;
  vise_error err = VISE_ERROR_INIT;
  cr_assert_eq(vise_i_integer_format_parse("as", text, &format, NULL), VISE_OK);
  cr_assert_eq(vise_i_integer_net_of_floats(model, &format, &(vise_i_calibration){x, N_ROWS, false}, &net, &err),
               VISE_OK, "%s", err.text);
  return net;
}

static void check_proof(const vise_i_integer_net *net) {
  const int64_t largest = ((int64_t)1 << (net->format.acc_bits - 1)) - 1;
  for (size_t l = 0; l < net->n_layers; l++) {
    const vise_i_integer_layer *layer = &net->layers[l];
    for (size_t r = 0; r < layer->n_out; r++) {
      int64_t top = layer->bias[r] > 0 ? layer->bias[r] : 0, bottom = layer->bias[r] < 0 ? layer->bias[r] : 0;
      for (size_t i = 0; i < layer->n_in; i++) {
        const int64_t w = layer->weights[r * layer->n_in + i];
        *(w > 0 ? &top : &bottom) += w * layer->in_max;
      }
      cr_assert(top <= largest && bottom >= -largest - 1, "layer %zu, row %zu", l, r);
    }
  }
}

/* Inputs for which the prefixes of each row of the first layer go as far as they can. */
static void push_sums(const vise_i_integer_net *net) {
  const vise_i_integer_layer *layer = &net->layers[0];
  vise_i_integer_seen seen = {0};
  uint8_t x[N_IN], scratch[2 * N_IN];
  int32_t y[N_OUT], again[N_OUT];
  for (size_t r = 0; r < layer->n_out; r++) {
    for (int sign = -1; sign <= 1; sign += 2) {
      for (size_t i = 0; i < N_IN; i++) {
        x[i] = (uint8_t)(sign * layer->weights[r * N_IN + i] > 0 ? layer->in_max : 0);
      }
      vise_i_integer_forward(net, x, scratch, y, &seen);
      vise_i_integer_forward(net, x, scratch, again, NULL);
      cr_assert_arr_eq(y, again, sizeof y);
    }
  }
  cr_assert_eq(seen.n_overflows, 0);
  cr_assert_eq(seen.n_sums, 2 * N_HIDDEN * (2 * N_HIDDEN + N_OUT));
  cr_assert(seen.most[0] > 0 && seen.least[0] < 0);
}

static double activate(vise_activation kind, double z) {
  switch (kind) {
    case VISE_RELU:
      return z > 0 ? z : 0;
    case VISE_LEAKY_RELU:
      return z > 0 ? z : 0.01 * z;
    case VISE_TANH:
      return tanh(z);
    case VISE_SIGMOID:
      return 1 / (1 + exp(-z));
    default:
      return z;
  }
}

/* The model in float64. */
static void run_model(const vise_model *model, const float *x, double *out) {
  const vise_i_net *net = vise_i_model_net(model);
  const float *params = vise_i_model_const_params(model);
  double a[N_IN], b[N_IN];
  for (size_t i = 0; i < N_IN; i++) a[i] = (double)x[i];

  for (size_t l = 0; l < 3; l++) {
    const vise_i_block *block = &net->blocks[l];
    for (size_t r = 0; r < net->widths[l + 1]; r++) {
#define PARAM(tensor, at) ((double)params[net->tensors[block->tensor].offset + (at)])
      double z = block->bias != VISE_I_NO_TENSOR ? PARAM(bias, r) : 0;
      for (size_t i = 0; i < net->widths[l]; i++) z += PARAM(weight, r * net->widths[l] + i) * a[i];
      if (block->batch_norm) {
        z = PARAM(gain, r) * (z - PARAM(running_mean, r)) / sqrt(PARAM(running_variance, r) + 1e-5) + PARAM(shift, r);
      }
      b[r] = l < 2 ? activate(block->activation, z) : z;
    }
    memcpy(a, b, sizeof a);
  }
  memcpy(out, a, N_OUT * sizeof *out);
}

/* The root mean square of what the outputs differ by, over that of the outputs. */
static double difference(const vise_model *model, const vise_i_integer_net *net, const float *x) {
  double errors = 0, squares = 0;
  for (size_t i = 0; i < N_ROWS; i++) {
    double expected[N_OUT];
    uint8_t in[N_IN], scratch[2 * N_IN];
    int32_t y[N_OUT];
    for (size_t f = 0; f < N_IN; f++) in[f] = vise_i_integer_input(net, f, (double)x[i * N_IN + f]);
    vise_i_integer_forward(net, in, scratch, y, NULL);
    run_model(model, x + i * N_IN, expected);
    for (size_t k = 0; k < N_OUT; k++) {
      errors += pow(y[k] * net->output_scale - expected[k], 2);
      squares += expected[k] * expected[k];
    }
  }
  return sqrt(errors / squares);
}

Test(integer_net, computes_what_the_model_does) {
  static const vise_activation kinds[] = {VISE_RELU, VISE_LEAKY_RELU, VISE_IDENTITY, VISE_TANH, VISE_SIGMOID};
  uint64_t state = 3;
  static float x[N_ROWS * N_IN];
  for (size_t k = 0; k < 5; k++) {
    for (int negative = 0; negative < 2; negative++) {
      vise_model *model = make_model(kinds[k], false, &state);
      make_rows(x, negative, &state);
      vise_i_integer_net *net = make_net(model, "int8,acc32", x);
      check_proof(net);
      push_sums(net);
      const double d = difference(model, net, x);
      cr_assert(d < 0.03, "%s: %g", vise_activation_name(kinds[k]), d);
      vise_i_integer_net_free(net);
      vise_model_free(model);
    }
  }
}

Test(integer_net, small_accumulators_hold) {
  static const char *const formats[] = {"int8,acc16", "int8,acc14,act4", "int8,acc12", "int8,acc12,act4,in4",
                                        "int8,acc10,act2,in2"};
  static const double most[] = {0.15, 0.4, 1.2, 0.6, 1.5};
  uint64_t state = 4;
  static float x[N_ROWS * N_IN];
  for (size_t k = 0; k < 5; k++) {
    vise_model *model = make_model(k % 2 == 0 ? VISE_RELU : VISE_TANH, false, &state);
    make_rows(x, true, &state);
    vise_i_integer_net *net = make_net(model, formats[k], x);
    check_proof(net);
    push_sums(net);
    const double d = difference(model, net, x);
    cr_assert(d < most[k], "%s: %g", formats[k], d);
    vise_i_integer_net_free(net);
    vise_model_free(model);
  }
}

/* What is left is the rounding of the values, and the multipliers, of which wide sums take long shifts. */
Test(integer_net, weights_of_16_bits_are_nearer) {
  static const vise_activation kinds[] = {VISE_RELU, VISE_LEAKY_RELU, VISE_IDENTITY, VISE_TANH, VISE_SIGMOID};
  static const char *const formats[] = {"int16,acc32", "int16,acc24", "int16,acc16"};
  static const double most[] = {0.03, 0.03, 0.15};
  uint64_t state = 12;
  static float x[N_ROWS * N_IN];
  bool is_wide = false, shifts_far = false;
  for (size_t k = 0; k < 15; k++) {
    vise_model *model = make_model(kinds[k % 5], false, &state);
    make_rows(x, true, &state);
    vise_i_integer_net *net = make_net(model, formats[k / 5], x), *narrow = make_net(model, "int8,acc32", x);
    check_proof(net);
    push_sums(net);
    const double d = difference(model, net, x), of_8_bits = difference(model, narrow, x);
    cr_assert(d < most[k / 5], "%s, %s: %g", formats[k / 5], vise_activation_name(kinds[k % 5]), d);
    cr_assert(k / 5 == 2 || d < of_8_bits * 1.05, "%s: %g, and %g of 8 bits", vise_activation_name(kinds[k % 5]), d,
              of_8_bits);

    for (size_t i = 0; i < N_HIDDEN * N_IN; i++) is_wide = is_wide || abs(net->layers[0].weights[i]) > 127;
    for (size_t r = 0; r < N_HIDDEN; r++) shifts_far = shifts_far || net->layers[0].shift[r] > 30;
    vise_i_integer_net_free(net);
    vise_i_integer_net_free(narrow);
    vise_model_free(model);
  }
  cr_assert(is_wide && shifts_far);
}

/* Of rows with large biases the scales make room for those, at the cost of the weights. */
Test(integer_net, biases_are_not_cut) {
  static const char *const formats[] = {"int8,acc16", "int8,acc12", "int16,acc24", "int16,acc16"};
  uint64_t state = 13;
  static float x[N_ROWS * N_IN];
  for (size_t k = 0; k < 4; k++) {
    vise_model *model = make_model(VISE_RELU, false, &state);
    const vise_i_net *net = vise_i_model_net(model);
    float *params = vise_i_model_params(model);
    for (size_t r = 0; r < N_OUT; r++)
      params[net->tensors[net->blocks[2].bias].offset + r] = 3000.0f - 2000.0f * (float)r;
    make_rows(x, true, &state);
    vise_i_integer_net *made = make_net(model, formats[k], x);
    check_proof(made);
    const double d = difference(model, made, x);
    cr_assert(d < 0.01, "%s: %g", formats[k], d);
    vise_i_integer_net_free(made);
    vise_model_free(model);
  }
}

Test(integer_net, batch_norm_is_folded) {
  uint64_t state = 5;
  static float x[N_ROWS * N_IN];
  vise_model *model = make_model(VISE_RELU, true, &state);
  make_rows(x, true, &state);
  vise_i_integer_net *net = make_net(model, "int8,acc32", x);
  const double d = difference(model, net, x);
  cr_assert(d < 0.03, "%g", d);
  vise_i_integer_net_free(net);
  vise_model_free(model);
}

Test(integer_net, without_the_constraint_sums_overflow) {
  uint64_t state = 6;
  static float x[N_ROWS * N_IN];
  vise_model *model = make_model(VISE_RELU, false, &state);
  make_rows(x, false, &state);
  vise_i_integer_net *net = make_net(model, "int8,acc12,unconstrained", x);
  vise_i_integer_seen seen = {0};
  uint8_t in[N_IN], scratch[2 * N_IN];
  int32_t y[N_OUT];
  for (size_t i = 0; i < N_ROWS; i++) {
    for (size_t f = 0; f < N_IN; f++) in[f] = vise_i_integer_input(net, f, (double)x[i * N_IN + f]);
    vise_i_integer_forward(net, in, scratch, y, &seen);
  }
  cr_assert(!net->is_proven && seen.n_overflows > 0);
  cr_assert(seen.most[0] > 2047 || seen.least[0] < -2048);
  vise_i_integer_net_free(net);
  vise_model_free(model);
}

Test(integer_net, inputs_saturate) {
  uint64_t state = 7;
  static float x[N_ROWS * N_IN];
  vise_model *model = make_model(VISE_RELU, false, &state);
  double shift[N_IN], scale[N_IN];
  for (size_t f = 0; f < N_IN; f++) {
    shift[f] = 10 + (double)f;
    scale[f] = 2;
  }
  cr_assert_eq(vise_model_set_feature_scaling(model, VISE_SCALE_STANDARD, shift, scale, NULL), VISE_OK);
  make_rows(x, true, &state);

  x[0] = -1; /* so that the range is that from -1 to 1 */
  x[1] = 1;
  vise_i_integer_net *net = make_net(model, "int8,acc16", x);
  cr_assert_eq(net->layers[0].in_zero, 128);
  cr_assert_eq(vise_i_integer_input(net, 3, 13), 128);
  cr_assert_eq(vise_i_integer_input(net, 3, 15), 255);
  cr_assert_eq(vise_i_integer_input(net, 3, 1e30), 255);
  cr_assert_eq(vise_i_integer_input(net, 3, (double)INFINITY), 255);
  cr_assert_eq(vise_i_integer_input(net, 3, -1e30), 0);
  cr_assert_eq(vise_i_integer_input(net, 3, (double)NAN), 0);
  vise_i_integer_net_free(net);
  vise_model_free(model);
}

/* What a training leaves: weights that are whole multiples of their scales, and the scales. */
static vise_model *quantized_model(const char *text) {
  uint64_t state = 8;
  vise_model *model = make_model(VISE_RELU, false, &state);
  const vise_i_net *net = vise_i_model_net(model);
  vise_i_integer_format format;
  vise_i_quantization *q = NULL;
  cr_assert_eq(vise_i_integer_format_parse("as", text, &format, NULL), VISE_OK);
  cr_assert_eq(vise_i_quantization_make(net, &format, &q, NULL), VISE_OK);
  for (size_t i = 0; i < q->n_scales; i++) q->scales[i] = 0.01f + 0.001f * (float)i;

  float *params = vise_i_model_params(model);
  for (size_t l = 0; l < 3; l++) {
    for (size_t r = 0; r < net->widths[l + 1]; r++) {
      const float s = vise_i_row_scales(q, q->scales, l)[r], t = vise_i_value_scale(q, q->scales, l);
      float *w = params + net->tensors[net->blocks[l].weight].offset + r * net->widths[l];
      for (size_t i = 0; i < net->widths[l]; i++) w[i] = s * (float)((int)(rig_draw(&state) % 5) - 2);
      params[net->tensors[net->blocks[l].bias].offset + r] = s * t * (float)((int)(rig_draw(&state) % 400) - 200);
    }
  }
  cr_assert_eq(vise_i_model_set_quantization(model, q, NULL), VISE_OK);
  vise_i_quantization_free(q);
  return model;
}

Test(integer_net, of_a_trained_model_is_exact) {
  vise_model *model = quantized_model("int8,acc16"), *read = NULL;
  vise_i_integer_net *net = NULL, *again = NULL;
  void *bytes = NULL;
  size_t n_bytes = 0;
  vise_error err = VISE_ERROR_INIT;

  cr_assert_eq(vise_i_integer_net_of_model(model, &net, &err), VISE_OK, "%s", err.text);
  check_proof(net);

  cr_assert_eq(vise_model_save_memory(model, &bytes, &n_bytes, NULL), VISE_OK);
  cr_assert_eq(vise_model_load_memory(bytes, n_bytes, &read, &err), VISE_OK, "%s", err.text);
  cr_assert_eq(vise_i_integer_net_of_model(read, &again, &err), VISE_OK, "%s", err.text);
  json_t *a = vise_i_integer_json(net), *b = vise_i_integer_json(again);
  cr_assert(a != NULL && json_equal(a, b));
  cr_assert_eq(json_array_size(json_object_get(a, "layers")), 3);

  json_decref(a);
  json_decref(b);
  vise_buffer_free(bytes);
  vise_i_integer_net_free(net);
  vise_i_integer_net_free(again);
  vise_model_free(read);
  vise_model_free(model);
}

Test(integer_net, changed_weights_are_refused) {
  vise_model *model = quantized_model("int8,acc16");
  vise_i_integer_net *net = NULL;
  vise_error err = VISE_ERROR_INIT;
  float *params = vise_i_model_params(model);
  const float before = params[7];
  params[7] += 0.004f;
  cr_assert_eq(vise_i_integer_net_of_model(model, &net, &err), VISE_ERR_VALUE);
  cr_assert(strstr(err.text, "tensor '0.weight', element 7"), "%s", err.text);
  params[7] = before;

  /* Whole multiples, but more than the accumulator holds: 20 inputs of 255 with weights of 10. */
  err = (vise_error)VISE_ERROR_INIT;
  for (size_t i = 0; i < N_IN; i++) params[N_IN + i] = 10 * (0.01f + 0.001f);
  cr_assert_eq(vise_i_integer_net_of_model(model, &net, &err), VISE_ERR_VALUE);
  cr_assert(strstr(err.text, "layer 0, row 1: sums of up to 200 and 0"), "%s", err.text);
  vise_model_free(model);
}

Test(integer_net, what_cannot_be_is_refused) {
  uint64_t state = 9;
  static float x[N_ROWS * N_IN];
  vise_model *model = make_model(VISE_GELU, false, &state);
  vise_i_integer_net *net = NULL;
  vise_error err = VISE_ERROR_INIT;
  const vise_i_integer_format format = {.acc_bits = 16, .act_bits = 8, .in_bits = 8};
  cr_assert_eq(vise_i_integer_net_of_floats(model, &format, &(vise_i_calibration){x, N_ROWS, false}, &net, &err),
               VISE_ERR_UNSUPPORTED);
  cr_assert(strstr(err.text, "gelu"), "%s", err.text);

  err = (vise_error)VISE_ERROR_INIT;
  cr_assert_eq(vise_i_integer_net_of_model(model, &net, &err), VISE_ERR_USAGE);
  vise_model_free(model);
}
