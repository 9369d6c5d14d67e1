/* What the formats of C have alike. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "host/export/export.h"

enum { A_LINE = 8, MOST_NAMED = 512 };

void vise_i_put_c_float(vise_i_text *text, double value) {
  char number[40];
  (void)snprintf(number, sizeof number, "%.9g", (double)(float)value);
  const bool whole = strpbrk(number, ".e") == NULL;
  vise_i_text_put(text, "%s%sf", number, whole ? ".0" : "");
}

void vise_i_put_c_floats(vise_i_text *text, const char *name, const double *values, size_t n) {
  vise_i_text_put(text, "static const float %s[%zu] = {", name, n);
  for (size_t i = 0; i < n; i++) {
    vise_i_text_put(text, i == 0 ? "\n  " : i % A_LINE == 0 ? ",\n  " : ", ");
    vise_i_put_c_float(text, values[i]);
  }
  vise_i_text_put(text, "\n};\n");
}

static void put_net(vise_i_text *text, const vise_i_export *e) {
  vise_i_text_put(text, " *   net          %zu", e->inputs.n);
  for (size_t l = 0; l < e->n_layers; l++) {
    const vise_i_export_layer *layer = &e->layers[l];
    vise_i_text_put(text, " -> %zu", layer->n_out);
    if (layer->has_activation) vise_i_text_put(text, " %s", vise_activation_name(layer->activation));
    if (layer->residual) vise_i_text_put(text, " + inputs");
  }
  vise_i_text_put(text, "\n");
}

static void put_inputs(vise_i_text *text, const vise_i_export *e) {
  if (e->inputs.names == NULL) {
    vise_i_text_put(text, " *   inputs       %zu numbers, before scaling\n", e->inputs.n);
    return;
  }

  vise_i_text_put(text, " *   inputs       numbers in the units of the table, where (0, 1) stands one of these\n");
  for (size_t i = 0; i < e->inputs.n && i < MOST_NAMED; i++) {
    vise_i_text_put(text, " *     %4zu  ", i);
    vise_i_put_in_comment(text, e->inputs.names[i]);
    if (e->inputs.is_bit[i]) {
      vise_i_text_put(text, " (0, 1)\n");
    } else {
      vise_i_text_put(text, "; a gap is %.9g\n", e->inputs.fill[i]);
    }
  }
  if (e->inputs.n > MOST_NAMED) vise_i_text_put(text, " *     and so on\n");
}

void vise_i_put_c_heading(vise_i_text *text, const vise_i_export *e, const char *what) {
  vise_i_text_put(text, "/*\n * %s: %s\n", e->name, what);
  vise_i_text_put(text, " * Made by Vise %s of weights whose XXH3 is %016" PRIx64 "; not to be changed by hand.\n *\n",
                  vise_version(), e->weights);
  put_net(text, e);
  put_inputs(text, e);

  vise_i_text_put(text, " *   outputs      %zu", e->n_outputs);
  for (size_t k = 0; k < e->inputs.n_classes && e->inputs.n_classes == e->n_outputs && k < MOST_NAMED; k++) {
    vise_i_text_put(text, k == 0 ? ": " : ", ");
    vise_i_put_in_comment(text, e->inputs.classes[k]);
  }
  vise_i_text_put(text, "\n");
}

static bool has_class_names(const vise_i_export *e) {
  return e->inputs.n_classes == e->n_classes && e->n_classes <= MOST_NAMED;
}

void vise_i_put_c_sizes(vise_i_text *text, const vise_i_export *e) {
  char prefix[64];
  vise_i_text_put(text, "enum { %s_INPUTS = %zu, %s_OUTPUTS = %zu };\n", e->upper, e->inputs.n, e->upper, e->n_outputs);
  if (e->inputs.names != NULL && e->inputs.n <= MOST_NAMED) {
    (void)snprintf(prefix, sizeof prefix, "%s_INPUT", e->upper);
    vise_i_put_c_enum(text, prefix, e->inputs.names, e->inputs.n);
  }

  if (!e->classifies) return;
  vise_i_text_put(text, "\nenum { %s_CLASSES = %zu };\n", e->upper, e->n_classes);
  if (has_class_names(e)) {
    (void)snprintf(prefix, sizeof prefix, "%s_CLASS", e->upper);
    vise_i_put_c_enum(text, prefix, e->inputs.classes, e->n_classes);
  }
}

static void put_class_names(vise_i_text *text, const vise_i_export *e, const char *linkage) {
  vise_i_text_put(text, "\n%sconst char *%s_class_name(int class_index) {\n", linkage, e->name);
  vise_i_text_put(text, "  static const char *const names[%s_CLASSES] = {", e->upper);
  for (size_t k = 0; k < e->n_classes; k++) {
    vise_i_text_put(text, k == 0 ? "\n    " : k % A_LINE == 0 ? ",\n    " : ", ");
    if (e->inputs.n_classes == e->n_classes) {
      vise_i_put_c_string(text, e->inputs.classes[k]);
    } else {
      vise_i_text_put(text, "\"%zu\"", k);
    }
  }
  vise_i_text_put(text, "\n  };\n  return names[class_index];\n}\n");
}

void vise_i_put_c_class(vise_i_text *text, const vise_i_export *e, const char *linkage, const char *type) {
  if (!e->classifies) return;
  vise_i_text_put(text, "\n%sint %s_class(const %s outputs[%s_OUTPUTS]) {\n", linkage, e->name, type, e->upper);
  vise_i_text_put(text,
                  e->n_outputs == 1 ? "  return outputs[0] > 0;\n}\n"
                                    : "  int best = 0;\n"
                                      "  for (int k = 1; k < %s_OUTPUTS; k++) {\n"
                                      "    if (outputs[k] > outputs[best]) best = k;\n"
                                      "  }\n"
                                      "  return best;\n"
                                      "}\n",
                  e->upper);
  put_class_names(text, e, linkage);
}
