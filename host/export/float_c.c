/* --format h: float32 C99 in one header, and a program with test vectors. */
#include <stdio.h>
#include <string.h>

#include "host/export/export.h"

/* What an activation is in C, and what it needs of the C library. */
typedef struct form {
  const char *body, *needs;
} form;

static form form_of(vise_activation activation) {
  switch (activation) {
    case VISE_RELU:
      return (form){"v < 0.0f ? 0.0f : v", NULL};
    case VISE_LEAKY_RELU:
      return (form){"v < 0.0f ? 0.01f * v : v", NULL};
    case VISE_TANH:
      return (form){"tanhf(v)", "tanhf"};
    case VISE_SIGMOID:
      return (form){"v < 0.0f ? expf(v) / (1.0f + expf(v)) : 1.0f / (1.0f + expf(-v))", "expf"};
    case VISE_SILU:
      return (form){"v < 0.0f ? v * (expf(v) / (1.0f + expf(v))) : v / (1.0f + expf(-v))", "expf"};
    case VISE_ELU:
      return (form){"v < 0.0f ? expm1f(v) : v", "expm1f"};
    case VISE_GELU:
      return (form){"0.5f * v * erfcf(-0.707106781f * v)", "erfcf"};
    default:
      return (form){"v", NULL};
  }
}

static bool is_used(const vise_i_export *e, vise_activation activation) {
  for (size_t l = 0; l < e->n_layers; l++) {
    if (e->layers[l].has_activation && e->layers[l].activation == activation) return true;
  }
  return false;
}

/* "relu" as a part of a name: "leaky_relu". */
static const char *c_name(vise_activation activation) {
  return activation == VISE_LEAKY_RELU ? "leaky_relu" : vise_activation_name(activation);
}

static bool needs_library(const vise_i_export *e) {
  for (int f = 0; f < vise_activation_count_; f++) {
    if (is_used(e, (vise_activation)f) && form_of((vise_activation)f).needs != NULL) return true;
  }
  return false;
}

/* ---- the heading ------------------------------------------------------------------------------------------------ */

static void put_needs(vise_i_text *text, const vise_i_export *e) {
  const char *before = " *   needs        <math.h> for ";
  for (int f = 0; f < vise_activation_count_; f++) {
    const form has = form_of((vise_activation)f);
    if (!is_used(e, (vise_activation)f) || has.needs == NULL) continue;
    vise_i_text_put(text, "%s%s of %s", before, has.needs, vise_activation_name((vise_activation)f));
    before = ", ";
  }
  vise_i_text_put(text, needs_library(e) ? "\n" : " *   needs        nothing of the C library\n");
}

static void put_costs(vise_i_text *text, const vise_i_export *e) {
  size_t n_products = 0, n_constants = 2 * e->inputs.n, n_activations = 0;
  double most = 0;
  for (size_t l = 0; l < e->n_layers; l++) {
    const vise_i_export_layer *layer = &e->layers[l];
    n_products += layer->n_in * layer->n_out;
    n_constants += (layer->n_in + 1) * layer->n_out;
    n_activations += layer->has_activation ? layer->n_out : 0;
  }
  for (size_t k = 0; k < e->n_outputs; k++) most = fmax(most, e->vectors.tolerance[k]);

  vise_i_text_put(text, " *   operations   %zu multiply-adds, %zu activations\n", n_products, n_activations);
  vise_i_text_put(text, " *   memory       %zu bytes of constants, %zu bytes of stack for two buffers\n",
                  n_constants * sizeof(float), 2 * e->widest * sizeof(float));
  put_needs(text, e);
  vise_i_text_put(
      text, " *   accuracy     where the test vectors lie, an output is at most %.3g off exact arithmetic\n", most);
  vise_i_text_put(text, " *\n *   float inputs[%s_INPUTS], outputs[%s_OUTPUTS];\n *   %s_run(inputs, outputs);\n */\n",
                  e->upper, e->upper, e->name);
}

/* ---- the net ------------------------------------------------------------------------------------------------------ */

static void put_constants(vise_i_text *text, const vise_i_export *e) {
  char name[96];
  (void)snprintf(name, sizeof name, "%s_shift", e->name);
  vise_i_text_put(text, "\n/* What the net sees of input i is (x - shift) / scale. */\n");
  vise_i_put_c_floats(text, name, e->inputs.shift, e->inputs.n);
  (void)snprintf(name, sizeof name, "%s_scale", e->name);
  vise_i_put_c_floats(text, name, e->inputs.scale, e->inputs.n);

  for (size_t l = 0; l < e->n_layers; l++) {
    const vise_i_export_layer *layer = &e->layers[l];
    vise_i_text_put(text, "\n/* Layer %zu: the weights of its %zu units, %zu each, and their biases. */\n", l,
                    layer->n_out, layer->n_in);
    (void)snprintf(name, sizeof name, "%s_weights_%zu", e->name, l);
    vise_i_put_c_floats(text, name, layer->weights, layer->n_in * layer->n_out);
    (void)snprintf(name, sizeof name, "%s_bias_%zu", e->name, l);
    vise_i_put_c_floats(text, name, layer->bias, layer->n_out);
  }

  if (!e->scales_targets) return;
  vise_i_text_put(text, "\n/* The scaling of the targets, to be undone. */\n");
  (void)snprintf(name, sizeof name, "%s_target_shift", e->name);
  vise_i_put_c_floats(text, name, e->target_shift, e->n_outputs);
  (void)snprintf(name, sizeof name, "%s_target_scale", e->name);
  vise_i_put_c_floats(text, name, e->target_scale, e->n_outputs);
}

static void put_functions(vise_i_text *text, const vise_i_export *e) {
  for (int f = 0; f < vise_activation_count_; f++) {
    if (!is_used(e, (vise_activation)f)) continue;
    vise_i_text_put(text, "\nstatic inline float %s_%s(float v) {\n  return %s;\n}\n", e->name,
                    c_name((vise_activation)f), form_of((vise_activation)f).body);
  }

  vise_i_text_put(
      text,
      "\n/* out[k] = bias[k] + the sum over j of weights[k][j] in[j]. */\n"
      "static inline void %s_linear(const float *weights, const float *bias, const float *in, int n_in, float *out,\n"
      "                             int n_out) {\n"
      "  for (int k = 0; k < n_out; k++) {\n"
      "    float sum = bias[k];\n"
      "    for (int j = 0; j < n_in; j++) sum += weights[j] * in[j];\n"
      "    out[k] = sum;\n"
      "    weights += n_in;\n"
      "  }\n"
      "}\n",
      e->name);
}

static void put_layer(vise_i_text *text, const vise_i_export *e, size_t l) {
  const vise_i_export_layer *layer = &e->layers[l];
  const char in = l % 2 == 0 ? 'a' : 'b', out = l % 2 == 0 ? 'b' : 'a';
  vise_i_text_put(text, "  %s_linear(%s_weights_%zu, %s_bias_%zu, %c, %zu, %c, %zu);\n", e->name, e->name, l, e->name,
                  l, in, layer->n_in, out, layer->n_out);
  if (layer->has_activation || layer->residual) {
    vise_i_text_put(text, "  for (int k = 0; k < %zu; k++) %c[k] = ", layer->n_out, out);
    vise_i_text_put(text, layer->has_activation ? "%s_%s(%c[k])" : "", e->name, c_name(layer->activation), out);
    if (!layer->has_activation) vise_i_text_put(text, "%c[k]", out);
    vise_i_text_put(text, layer->residual ? " + %c[k];\n" : ";\n", in);
  }
}

static void put_run(vise_i_text *text, const vise_i_export *e) {
  const char last = e->n_layers % 2 == 0 ? 'a' : 'b';
  vise_i_text_put(text, "\nstatic inline void %s_run(const float inputs[%s_INPUTS], float outputs[%s_OUTPUTS]) {\n",
                  e->name, e->upper, e->upper);
  vise_i_text_put(text, "  float a[%zu], b[%zu];\n", e->widest, e->widest);
  vise_i_text_put(text, "  for (int i = 0; i < %s_INPUTS; i++) a[i] = (inputs[i] - %s_shift[i]) / %s_scale[i];\n\n",
                  e->upper, e->name, e->name);

  for (size_t l = 0; l < e->n_layers; l++) put_layer(text, e, l);

  vise_i_text_put(text, "\n  for (int k = 0; k < %s_OUTPUTS; k++) outputs[k] = ", e->upper);
  if (e->scales_targets) {
    vise_i_text_put(text, "%c[k] * %s_target_scale[k] + %s_target_shift[k];\n}\n", last, e->name, e->name);
  } else {
    vise_i_text_put(text, "%c[k];\n}\n", last);
  }
}

static void put_header(vise_i_text *text, const vise_i_export *e) {
  vise_i_put_c_heading(text, e,
                       "a neural net in float32, for processors that compute with it. C99, no heap, no recursion.");
  put_costs(text, e);
  vise_i_text_put(text, "#ifndef %s_H\n#define %s_H\n\n", e->upper, e->upper);
  if (needs_library(e)) vise_i_text_put(text, "#include <math.h>\n\n");

  vise_i_put_c_sizes(text, e);
  put_constants(text, e);
  put_functions(text, e);
  put_run(text, e);
  if (e->classifies) vise_i_text_put(text, "\n/* The class that outputs say, and the name of a class, from 0 on. */");
  vise_i_put_c_class(text, e, "static inline ", "float");
  vise_i_text_put(text, "\n#endif\n");
}

/* ---- the test --------------------------------------------------------------------------------------------------- */

static void put_matrix(vise_i_text *text, const char *name, const double *values, size_t n, size_t width) {
  vise_i_text_put(text, "static const float %s[%zu][%zu] = {", name, n, width);
  for (size_t v = 0; v < n; v++) {
    vise_i_text_put(text, v == 0 ? "\n  {" : ",\n  {");
    for (size_t i = 0; i < width; i++) {
      if (i > 0) vise_i_text_put(text, ", ");
      vise_i_put_c_float(text, values[v * width + i]);
    }
    vise_i_text_put(text, "}");
  }
  vise_i_text_put(text, "\n};\n");
}

static void put_test(vise_i_text *text, const vise_i_export *e) {
  const vise_i_vectors *v = &e->vectors;
  vise_i_text_put(text,
                  "/* Runs %s.h on test vectors; ends with 1 if an output is farther off than float32 can be. */\n"
                  "#include <stdio.h>\n\n#include \"%s.h\"\n\n",
                  e->name, e->name);
  put_matrix(text, "test_inputs", v->inputs, v->n, e->inputs.n);
  put_matrix(text, "test_outputs", v->outputs, v->n, e->n_outputs);
  vise_i_put_c_floats(text, "tolerance", v->tolerance, e->n_outputs);

  vise_i_text_put(text,
                  "\nint main(void) {\n"
                  "  float outputs[%s_OUTPUTS], worst = 0.0f;\n"
                  "  int n_wrong = 0;\n\n"
                  "  for (int v = 0; v < %zu; v++) {\n"
                  "    %s_run(test_inputs[v], outputs);\n"
                  "    for (int k = 0; k < %s_OUTPUTS; k++) {\n"
                  "      const float d = outputs[k] - test_outputs[v][k], off = d < 0.0f ? -d : d;\n"
                  "      if (!(off <= tolerance[k])) n_wrong++; /* also what is not a number */\n"
                  "      if (off > worst) worst = off;\n"
                  "    }\n"
                  "  }\n\n",
                  e->upper, v->n, e->name, e->upper);
  vise_i_text_put(
      text,
      "  (void)printf(\"%zu test vectors, %%d outputs wrong, the worst %%g off\\n\", n_wrong, (double)worst);\n"
      "  return n_wrong > 0;\n}\n",
      v->n);
}

vise_status vise_i_export_float_c(const vise_i_export *e, vise_i_export_files *files, vise_error *err) {
  vise_i_text header = {0}, test = {0};
  put_header(&header, e);
  vise_status status = vise_i_export_add(files, ".h", &header, err);
  if (status != VISE_OK) return status;
  put_test(&test, e);
  return vise_i_export_add(files, "_test.c", &test, err);
}
