/*
 * --format c: a net in integers as C99, host/integer/integer.h line by line. Each row of weights is written once, as a list
 * that a macro is applied to: one macro makes the table of it, others the sums of its positive and of its negative weights,
 * so that the compiler itself checks that no accumulator overflows.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "host/export/export.h"

enum { A_LINE = 16 };

/* What is being written. */
typedef struct writer {
  const vise_i_export *e;
  const vise_i_integer_net *net;
  const char *name, *upper;  /* those of e */
  int acc_bits, weight_bits; /* of the types that hold an accumulator (16 or 32) and a weight (8 or 16) */
} writer;

static bool has_kind(const vise_i_integer_net *net, vise_i_integer_kind kind) {
  for (size_t l = 0; l < net->n_layers; l++) {
    if (net->layers[l].kind == kind) return true;
  }
  return false;
}

/* The smallest number has no literal of its own. */
static void put_int(vise_i_text *text, int64_t value) {
  if (value == INT32_MIN) {
    vise_i_text_put(text, "(-2147483647 - 1)");
  } else {
    vise_i_text_put(text, "%" PRId64, value);
  }
}

/* ---- the heading -------------------------------------------------------------------------------------------------- */

/* The largest share of an accumulator's range that a row may need. */
static double fullest(const vise_i_integer_net *net) {
  double share = 0;
  for (size_t l = 0; l < net->n_layers; l++) {
    for (size_t r = 0; r < net->layers[l].n_out; r++) {
      const vise_i_integer_range range = vise_i_integer_row_range(&net->layers[l], r);
      share = fmax(share, vise_i_integer_fullness(&range, net->format.acc_bits));
    }
  }
  return share;
}

static void put_costs(vise_i_text *text, const writer *w) {
  size_t n_products = 0, n_bytes = 0, n_rows = 0, widest = 0;
  for (size_t l = 0; l < w->net->n_layers; l++) {
    const vise_i_integer_layer *layer = &w->net->layers[l];
    n_products += layer->n_in * layer->n_out;
    n_rows += layer->n_out;
    n_bytes += layer->n_in * layer->n_out * (size_t)(w->weight_bits / 8) + layer->n_out * (size_t)(w->acc_bits / 8 + 3);
    n_bytes +=
        (layer->negative != NULL ? 2 * layer->n_out : 0) + (layer->table != NULL ? VISE_I_INTEGER_TABLE_SIZE : 0);
    if (layer->kind != VISE_I_INTEGER_OUTPUT && layer->n_out > widest) widest = layer->n_out;
  }

  vise_i_text_put(text, " *   operations   %zu multiply-adds of %s, %zu scalings by 15 bits\n", n_products,
                  w->weight_bits == 8 ? "8 bits" : "16 by 8 bits", n_rows);
  vise_i_text_put(text,
                  " *   memory       %zu bytes of tables, and %zu of floats unless %s_NO_FLOAT; %zu bytes of stack\n",
                  n_bytes, 8 * w->e->inputs.n, w->upper, 2 * widest);
}

static void put_tables(vise_i_text *text, const writer *w) {
  for (size_t l = 0; l < w->net->n_layers; l++) {
    const vise_i_integer_layer *layer = &w->net->layers[l];
    if (layer->kind != VISE_I_INTEGER_TABLE) continue;
    vise_i_text_put(text, " *   layer %zu      %s by a table of %d values, at most %.3g off\n", l,
                    vise_activation_name(layer->activation), VISE_I_INTEGER_TABLE_SIZE, layer->table_error);
  }
}

static void put_heading(vise_i_text *text, const writer *w) {
  char format[VISE_I_INTEGER_FORMAT_BYTES];
  vise_i_put_c_heading(text, w->e, "a neural net in integers. C99, no heap, no recursion, nothing of the C library.");
  vise_i_text_put(text,
                  " *   integers     %s: weights of %d bits, sums of %d; no sum, and no part of one, in any order\n",
                  vise_i_integer_format_text(&w->net->format, format), w->weight_bits, w->net->format.acc_bits);
  vise_i_text_put(text,
                  " *                overflows, whatever the inputs up to %d: the compiler checks it, row by row\n",
                  w->net->layers[0].in_max);
  vise_i_text_put(text, " *                (%s.c). The fullest row may need %.1f %% of its accumulator\n", w->name,
                  100 * fullest(w->net));
  put_tables(text, w);
  put_costs(text, w);

  vise_i_text_put(text, " *\n *   uint8_t x[%s_INPUTS];\n *   int32_t y[%s_OUTPUTS];\n", w->upper, w->upper);
  vise_i_text_put(text, " *   for (int i = 0; i < %s_INPUTS; i++) x[i] = %s_quantize(i, number[i]);\n", w->upper,
                  w->name);
  vise_i_text_put(text, " *   %s_run(x, y);\n */\n", w->name);
}

static void put_header(vise_i_text *text, const writer *w) {
  const int most = w->net->layers[0].in_max;
  put_heading(text, w);
  vise_i_text_put(text, "#ifndef %s_H\n#define %s_H\n\n#include <stdint.h>\n\n", w->upper, w->upper);
  vise_i_put_c_sizes(text, w->e);

  vise_i_text_put(text, "\n/* Integers from 0 to %d to outputs, whose unit is %s_OUTPUT_UNIT. */\n", most, w->upper);
  vise_i_text_put(text, "void %s_run(const uint8_t inputs[%s_INPUTS], int32_t outputs[%s_OUTPUTS]);\n", w->name,
                  w->upper, w->upper);
  if (w->e->classifies) {
    vise_i_text_put(text, "/* The class that outputs say, and the name of a class, from 0 on. */\n");
    vise_i_text_put(text,
                    "int %s_class(const int32_t outputs[%s_OUTPUTS]);\nconst char *%s_class_name(int class_index);\n",
                    w->name, w->upper, w->name);
  }

  vise_i_text_put(text, "\n#define %s_OUTPUT_UNIT %.9gf\n", w->upper, w->net->output_scale);
  vise_i_text_put(
      text,
      "\n/* What float32 is needed for, and not more: a number to its integer, 0 or %d where it is beyond the range\n"
      "   (a NaN is 0), and an output to a number. */\n#ifndef %s_NO_FLOAT\n",
      most, w->upper);
  vise_i_text_put(text, "uint8_t %s_quantize(int input, float x);\nfloat %s_real(int output, int32_t y);\n#endif\n",
                  w->name, w->name);
  vise_i_text_put(text,
                  "\n/* For tests: how many partial sums left %d bits, which are looked at if this is defined. */\n"
                  "#ifdef %s_CHECK_SUMS\nextern long %s_n_overflows;\n#endif\n\n#endif\n",
                  w->net->format.acc_bits, w->upper, w->name);
}

/* ---- tables ------------------------------------------------------------------------------------------------------- */

static void put_row(vise_i_text *text, const writer *w, size_t l, size_t r) {
  const vise_i_integer_layer *layer = &w->net->layers[l];
  vise_i_text_put(text, "#define %s_ROW_%zu_%zu(X)", w->upper, l, r);
  for (size_t j = 0; j < layer->n_in; j++) {
    vise_i_text_put(text, j % A_LINE == 0 ? " \\\n  X(%d)" : " X(%d)", layer->weights[r * layer->n_in + j]);
  }
  vise_i_text_put(text, "\n%s_PROVE(%s_proof_%zu_%zu, %s_ROW_%zu_%zu, ", w->upper, w->name, l, r, w->upper, l, r);
  put_int(text, layer->bias[r]);
  vise_i_text_put(text, ", %d)\n", layer->in_max);
}

static void put_numbers(vise_i_text *text, const char *type, const char *name, const int64_t *values, size_t n) {
  vise_i_text_put(text, "static const %s %s[%zu] = {", type, name, n);
  for (size_t i = 0; i < n; i++) {
    vise_i_text_put(text, i == 0 ? "\n  " : i % A_LINE == 0 ? ",\n  " : ", ");
    put_int(text, values[i]);
  }
  vise_i_text_put(text, "\n};\n");
}

/* A column of numbers of a layer, under the layer's name. scratch: room for all of them. */
#define PUT_COLUMN(text, w, type, what, l, from, n, scratch)                  \
  do {                                                                        \
    char column_[96];                                                         \
    (void)snprintf(column_, sizeof column_, "%s_%s_%zu", (w)->name, what, l); \
    for (size_t i_ = 0; i_ < (n); i_++) (scratch)[i_] = (from)[i_];           \
    put_numbers(text, type, column_, scratch, n);                             \
  } while (0)

static void put_layer_tables(vise_i_text *text, const writer *w, size_t l, int64_t *scratch) {
  const vise_i_integer_layer *layer = &w->net->layers[l];
  vise_i_text_put(text, "\n/* ---- layer %zu: %zu units, %zu weights each ---- */\n\n", l, layer->n_out, layer->n_in);
  for (size_t r = 0; r < layer->n_out; r++) put_row(text, w, l, r);

  vise_i_text_put(text, "\nstatic const int%d_t %s_weights_%zu[%zu][%zu] = {\n", w->weight_bits, w->name, l,
                  layer->n_out, layer->n_in);
  for (size_t r = 0; r < layer->n_out; r++) {
    vise_i_text_put(text, "  {%s_ROW_%zu_%zu(%s_ITEM)},\n", w->upper, l, r, w->upper);
  }
  vise_i_text_put(text, "};\n");

  char accumulator[64];
  (void)snprintf(accumulator, sizeof accumulator, "%s_sum_type", w->name);
  PUT_COLUMN(text, w, accumulator, "bias", l, layer->bias, layer->n_out, scratch);
  PUT_COLUMN(text, w, "uint16_t", "multiplier", l, layer->multiplier, layer->n_out, scratch);
  PUT_COLUMN(text, w, "uint8_t", "shift", l, layer->shift, layer->n_out, scratch);
  if (layer->negative != NULL) PUT_COLUMN(text, w, "uint16_t", "negative", l, layer->negative, layer->n_out, scratch);
  if (layer->table != NULL)
    PUT_COLUMN(text, w, "uint8_t", "table", l, layer->table, VISE_I_INTEGER_TABLE_SIZE, scratch);
}

/* ---- functions ---------------------------------------------------------------------------------------------------- */

static void put_types(vise_i_text *text, const writer *w) {
  const int64_t most = ((int64_t)1 << (w->net->format.acc_bits - 1)) - 1;
  vise_i_text_put(text, "/* Made by Vise; %s.h says what it is. */\n#include \"%s.h\"\n\n", w->name, w->name);
  vise_i_text_put(text, "/* An accumulator of %d bits, and what holds its product with a multiplier of 15. */\n",
                  w->net->format.acc_bits);
  vise_i_text_put(text, "typedef int%d_t %s_sum_type;\ntypedef int%d_t %s_product_type;\n", w->acc_bits, w->name,
                  2 * w->acc_bits, w->name);
  vise_i_text_put(text, "#define %s_MOST %" PRId64 "LL\n", w->upper, most);

  vise_i_text_put(text,
                  "\n/* A row of weights is a list of X(weight). Its positive weights, times the largest input, and "
                  "the bias if that is\n"
                  "   positive, may add up to the largest sum; so may its negative ones to the least: then every part "
                  "of the sum fits,\n"
                  "   in any order. Else the type of a negative size ends the compilation. */\n"
                  "#define %s_ITEM(w) (w),\n"
                  "#define %s_PLUS(w) +((w) > 0 ? (w) : 0LL)\n"
                  "#define %s_MINUS(w) +((w) < 0 ? -(w) : 0LL)\n",
                  w->upper, w->upper, w->upper);
  vise_i_text_put(text,
                  "#define %s_PROVE(name, row, bias, most) \\\n"
                  "  typedef char name[(most) * (0LL row(%s_PLUS)) + ((bias) > 0 ? (bias) : 0LL) <= %s_MOST && \\\n"
                  "                    (most) * (0LL row(%s_MINUS)) + ((bias) < 0 ? -1LL * (bias) : 0LL) <= %s_MOST + "
                  "1 ? 1 : -1];\n",
                  w->upper, w->upper, w->upper, w->upper, w->upper);
}

static void put_sum(vise_i_text *text, const writer *w) {
  const char *const n = w->name;
  const int bits = w->weight_bits;
  const char *const wide = bits == 8 ? "" : "(int32_t)"; /* where int has 16 bits */
  vise_i_text_put(
      text,
      "\n/* ---- functions ---- */\n\n#ifdef %s_CHECK_SUMS\nlong %s_n_overflows;\n\n"
      "static %s_sum_type %s_sum(const int%d_t *weights, const uint8_t *inputs, int n, %s_sum_type bias) {\n"
      "  int64_t sum = bias;\n"
      "  for (int j = 0; j < n; j++) {\n"
      "    sum += %sweights[j] * inputs[j];\n"
      "    if (sum > %s_MOST || sum < -%s_MOST - 1) %s_n_overflows++;\n"
      "  }\n"
      "  return (%s_sum_type)sum;\n"
      "}\n#else\n",
      w->upper, n, n, n, bits, n, wide, w->upper, w->upper, n, n);

  vise_i_text_put(
      text,
      "/* bias + the sum of weights[j] inputs[j]. */\n"
      "static %s_sum_type %s_sum(const int%d_t *weights, const uint8_t *inputs, int n, %s_sum_type bias) {\n"
      "  %s_sum_type sum = bias;\n"
      "  for (int j = 0; j < n; j++) sum = (%s_sum_type)(sum + %sweights[j] * inputs[j]);\n"
      "  return sum;\n"
      "}\n#endif\n",
      n, n, bits, n, n, n, wide);

  vise_i_text_put(
      text,
      "\n/* y multiplier / 2^shift to the nearest integer, halves upwards. */\n"
      "static int32_t %s_scaled(%s_sum_type y, uint16_t multiplier, uint8_t shift) {\n"
      "  const %s_product_type unit = 1;\n"
      "  const %s_product_type product = (%s_product_type)y * multiplier + (unit << (shift - 1));\n"
      "  /* What a right shift makes of a negative number is not C99. */\n"
      "  return (int32_t)(product >= 0 ? product >> shift : -((-product + (unit << shift) - 1) >> shift));\n"
      "}\n",
      n, n, n, n, n);
}

static void put_activations(vise_i_text *text, const writer *w) {
  const char *const n = w->name;
  const bool clamps = w->net->n_layers > 1;
  if (clamps) {
    vise_i_text_put(text,
                    "\nstatic uint8_t %s_clamp(int32_t v, uint8_t most) {\n"
                    "  return v < 0 ? 0 : v > most ? most : (uint8_t)v;\n"
                    "}\n",
                    n);
  }
  if (has_kind(w->net, VISE_I_INTEGER_RELU)) {
    vise_i_text_put(text,
                    "\nstatic uint8_t %s_relu(%s_sum_type sum, uint16_t multiplier, uint8_t shift, uint8_t most) {\n"
                    "  return %s_clamp(%s_scaled(sum > 0 ? sum : 0, multiplier, shift), most);\n"
                    "}\n",
                    n, n, n, n);
  }
}

/* The value of a unit from its sum, as an expression. */
static void put_value(vise_i_text *text, const writer *w, size_t l) {
  const vise_i_integer_layer *layer = &w->net->layers[l];
  const char *const n = w->name;

  switch (layer->kind) {
    case VISE_I_INTEGER_RELU:
      vise_i_text_put(text, "%s_relu(sum, %s_multiplier_%zu[k], %s_shift_%zu[k], %d)", n, n, l, n, l, layer->out_max);
      break;
    case VISE_I_INTEGER_LEAKY:
      vise_i_text_put(
          text,
          "%s_clamp(%s_scaled(sum, sum < 0 ? %s_negative_%zu[k] : %s_multiplier_%zu[k], %s_shift_%zu[k]) + %d, %d)", n,
          n, n, l, n, l, n, l, layer->out_zero, layer->out_max);
      break;
    case VISE_I_INTEGER_TABLE:
      vise_i_text_put(text, "%s_table_%zu[%s_clamp(%s_scaled(sum, %s_multiplier_%zu[k], %s_shift_%zu[k]) + 128, 255)]",
                      n, l, n, n, n, l, n, l);
      break;
    case VISE_I_INTEGER_OUTPUT:
      vise_i_text_put(text, "%s_scaled(sum, %s_multiplier_%zu[k], %s_shift_%zu[k])", n, n, l, n, l);
      break;
    default:
      vise_i_text_put(text, "%s_clamp(%s_scaled(sum, %s_multiplier_%zu[k], %s_shift_%zu[k]) + %d, %d)", n, n, n, l, n,
                      l, layer->out_zero, layer->out_max);
      break;
  }
}

static void put_run(vise_i_text *text, const writer *w) {
  const char *const buffers[] = {"a", "b"};
  size_t widest = 1;
  for (size_t l = 1; l < w->net->n_layers; l++)
    widest = w->net->layers[l].n_in > widest ? w->net->layers[l].n_in : widest;

  vise_i_text_put(text, "\nvoid %s_run(const uint8_t inputs[%s_INPUTS], int32_t outputs[%s_OUTPUTS]) {\n", w->name,
                  w->upper, w->upper);
  if (w->net->n_layers > 1)
    vise_i_text_put(text, w->net->n_layers > 2 ? "  uint8_t a[%zu], b[%zu];\n\n" : "  uint8_t a[%zu];\n\n", widest,
                    widest);

  for (size_t l = 0; l < w->net->n_layers; l++) {
    const vise_i_integer_layer *layer = &w->net->layers[l];
    const bool is_last = layer->kind == VISE_I_INTEGER_OUTPUT;
    vise_i_text_put(text, "  for (int k = 0; k < %zu; k++) { /* layer %zu, %s */\n", layer->n_out, l,
                    is_last ? "the outputs" : vise_activation_name(layer->activation));
    vise_i_text_put(text, "    const %s_sum_type sum = %s_sum(%s_weights_%zu[k], %s, %zu, %s_bias_%zu[k]);\n", w->name,
                    w->name, w->name, l, l == 0 ? "inputs" : buffers[(l - 1) % 2], layer->n_in, w->name, l);
    vise_i_text_put(text, "    %s[k] = ", is_last ? "outputs" : buffers[l % 2]);
    put_value(text, w, l);
    vise_i_text_put(text, ";\n  }\n");
  }
  vise_i_text_put(text, "}\n");
}

/* ---- numbers ------------------------------------------------------------------------------------------------------ */

static void put_floats(vise_i_text *text, const writer *w, const char *what, const float *values, double *scratch) {
  char name[96];
  for (size_t i = 0; i < w->e->inputs.n; i++) scratch[i] = (double)values[i];
  (void)snprintf(name, sizeof name, "%s_input_%s", w->name, what);
  vise_i_put_c_floats(text, name, scratch, w->e->inputs.n);
}

static void put_float_part(vise_i_text *text, const writer *w, double *scratch) {
  char name[96];
  const int most = w->net->layers[0].in_max;
  vise_i_text_put(text, "\n/* ---- numbers ---- */\n\n#ifndef %s_NO_FLOAT\n", w->upper);
  put_floats(text, w, "low", w->net->input_low, scratch);
  put_floats(text, w, "scale", w->net->input_scale, scratch);
  vise_i_text_put(text,
                  "\nuint8_t %s_quantize(int input, float x) {\n"
                  "  const float above = x - %s_input_low[input], t = above * %s_input_scale[input];\n"
                  "  if (!(t > 0.0f)) return 0;\n"
                  "  return t < %d.0f ? (uint8_t)t : %d;\n"
                  "}\n",
                  w->name, w->name, w->name, most, most);

  if (w->e->scales_targets) {
    (void)snprintf(name, sizeof name, "%s_target_shift", w->name);
    vise_i_put_c_floats(text, name, w->e->target_shift, w->e->n_outputs);
    (void)snprintf(name, sizeof name, "%s_target_scale", w->name);
    vise_i_put_c_floats(text, name, w->e->target_scale, w->e->n_outputs);
  }
  vise_i_text_put(text, "\nfloat %s_real(int output, int32_t y) {\n", w->name);
  if (w->e->scales_targets) {
    vise_i_text_put(
        text, "  return (float)y * %s_OUTPUT_UNIT * %s_target_scale[output] + %s_target_shift[output];\n}\n#endif\n",
        w->upper, w->name, w->name);
  } else {
    vise_i_text_put(text, "  (void)output; /* all have one unit */\n  return (float)y * %s_OUTPUT_UNIT;\n}\n#endif\n",
                    w->upper);
  }
}

static vise_status put_source(vise_i_text *text, const writer *w, vise_error *err) {
  size_t n = VISE_I_INTEGER_TABLE_SIZE;
  for (size_t l = 0; l < w->net->n_layers; l++) n = w->net->layers[l].n_out > n ? w->net->layers[l].n_out : n;
  int64_t *integers = malloc(n * sizeof *integers);
  double *numbers = malloc(w->e->inputs.n * sizeof *numbers);

  if (integers != NULL && numbers != NULL) {
    put_types(text, w);
    for (size_t l = 0; l < w->net->n_layers; l++) put_layer_tables(text, w, l, integers);
    put_sum(text, w);
    put_activations(text, w);
    put_run(text, w);
    vise_i_put_c_class(text, w->e, "", "int32_t");
    put_float_part(text, w, numbers);
  }

  const bool failed = integers == NULL || numbers == NULL;
  free(integers);
  free(numbers);
  return failed ? vise_i_fail_memory(err, 0, "the tables of an export") : VISE_OK;
}

vise_status vise_i_export_integer_c(const vise_i_export *e, const vise_export_config *config,
                                    vise_i_export_files *files, vise_error *err) {
  vise_status status = VISE_OK;
  vise_i_integer_net *net = NULL;
  vise_i_text header = {0}, source = {0}, test = {0};
  VISE_TRY(vise_i_export_integer_net(e, config, &net, err));

  const writer w = {e, net, e->name, e->upper, net->format.acc_bits <= 16 ? 16 : 32, net->format.int16 ? 16 : 8};
  put_header(&header, &w);
  VISE_TRY(vise_i_export_add(files, ".h", &header, err));
  VISE_TRY(put_source(&source, &w, err));
  VISE_TRY(vise_i_export_add(files, ".c", &source, err));
  VISE_TRY(vise_i_put_integer_test(&test, e, net, err));
  VISE_TRY(vise_i_export_add(files, "_test.c", &test, err));

done:
  vise_i_text_free(&header);
  vise_i_text_free(&source);
  vise_i_text_free(&test);
  vise_i_integer_net_free(net);
  return status;
}
