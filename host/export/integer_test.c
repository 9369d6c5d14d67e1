/* The program with test vectors of --format c: integers, which must be met exactly. */
#include <inttypes.h>
#include <stdlib.h>

#include "host/base/memory.h"
#include "host/export/export.h"

/* A vector in integers, and what it gives. */
typedef struct answer {
  uint8_t *x, *scratch;
  int32_t *y;
} answer;

static void free_answer(answer *a) {
  free(a->x);
  free(a->scratch);
  free(a->y);
}

static vise_status make_answer(const vise_i_export *e, const vise_i_integer_net *net, answer *out, vise_error *err) {
  vise_status status = VISE_OK;
  VISE_TRY(vise_i_alloc(&out->x, e->inputs.n, 1, "a test vector", err));
  VISE_TRY(vise_i_alloc(&out->scratch, net->widest, 2, "a test vector", err));
  VISE_TRY(vise_i_alloc(&out->y, e->n_outputs, sizeof *out->y, "a test vector", err));

done:
  return status;
}

static void put_inputs(vise_i_text *text, const vise_i_export *e) {
  const size_t n = e->vectors.n, width = e->inputs.n;
  vise_i_text_put(text, "static const float test_inputs[%zu][%zu] = {", n, width);
  for (size_t v = 0; v < n; v++) {
    vise_i_text_put(text, v == 0 ? "\n  {" : ",\n  {");
    for (size_t i = 0; i < width; i++) {
      if (i > 0) vise_i_text_put(text, ", ");
      vise_i_put_c_float(text, e->vectors.inputs[v * width + i]);
    }
    vise_i_text_put(text, "}");
  }
  vise_i_text_put(text, "\n};\n");
}

static void find_integers(const vise_i_export *e, const vise_i_integer_net *net, size_t v, const answer *a) {
  for (size_t i = 0; i < e->inputs.n; i++)
    a->x[i] = vise_i_integer_input(net, i, e->vectors.inputs[v * e->inputs.n + i]);
}

static void put_integers(vise_i_text *text, const vise_i_export *e, const vise_i_integer_net *net, const answer *a) {
  vise_i_text_put(text, "static const uint8_t test_integers[%zu][%zu] = {", e->vectors.n, e->inputs.n);
  for (size_t v = 0; v < e->vectors.n; v++) {
    vise_i_text_put(text, v == 0 ? "\n  {" : ",\n  {");
    find_integers(e, net, v, a);
    for (size_t i = 0; i < e->inputs.n; i++) vise_i_text_put(text, i > 0 ? ", %d" : "%d", a->x[i]);
    vise_i_text_put(text, "}");
  }
  vise_i_text_put(text, "\n};\n");
}

static void put_outputs(vise_i_text *text, const vise_i_export *e, const vise_i_integer_net *net, const answer *a) {
  vise_i_text_put(text, "static const int32_t test_outputs[%zu][%zu] = {", e->vectors.n, e->n_outputs);
  for (size_t v = 0; v < e->vectors.n; v++) {
    vise_i_text_put(text, v == 0 ? "\n  {" : ",\n  {");
    find_integers(e, net, v, a);
    vise_i_integer_forward(net, a->x, a->scratch, a->y, NULL);
    for (size_t k = 0; k < e->n_outputs; k++) vise_i_text_put(text, k > 0 ? ", %" PRId32 : "%" PRId32, a->y[k]);
    vise_i_text_put(text, "}");
  }
  vise_i_text_put(text, "\n};\n");
}

static void put_main(vise_i_text *text, const vise_i_export *e) {
  vise_i_text_put(text,
                  "\nint main(void) {\n"
                  "  int32_t outputs[%s_OUTPUTS];\n"
                  "  int n_wrong = 0;\n\n"
                  "  for (int v = 0; v < %zu; v++) {\n"
                  "    for (int i = 0; i < %s_INPUTS; i++) {\n"
                  "      if (%s_quantize(i, test_inputs[v][i]) != test_integers[v][i]) n_wrong++;\n"
                  "    }\n",
                  e->upper, e->vectors.n, e->upper, e->name);

  vise_i_text_put(text,
                  "    %s_run(test_integers[v], outputs);\n"
                  "    for (int k = 0; k < %s_OUTPUTS; k++) {\n"
                  "      if (outputs[k] != test_outputs[v][k]) n_wrong++;\n"
                  "    }\n"
                  "  }\n\n"
                  "#ifdef %s_CHECK_SUMS\n"
                  "  (void)printf(\"%%ld sums left the accumulator\\n\", %s_n_overflows);\n"
                  "  if (%s_n_overflows > 0) n_wrong++;\n"
                  "#endif\n",
                  e->name, e->upper, e->upper, e->name, e->name);

  vise_i_text_put(text,
                  "  (void)printf(\"%zu test vectors, %%d numbers wrong\\n\", n_wrong);\n  return n_wrong > 0;\n}\n",
                  e->vectors.n);
}

vise_status vise_i_put_integer_test(vise_i_text *text, const vise_i_export *e, const vise_i_integer_net *net,
                                    vise_error *err) {
  answer a = {0};
  vise_status status = VISE_OK;
  VISE_TRY(make_answer(e, net, &a, err));
  vise_i_text_put(text,
                  "/* Runs %s.c on test vectors; ends with 1 if one number differs from what it must be. */\n"
                  "#include <stdio.h>\n\n#include \"%s.h\"\n\n"
                  "/* Inputs as numbers, as the integers that these become, and the outputs of those. */\n",
                  e->name, e->name);
  put_inputs(text, e);
  put_integers(text, e, net, &a);
  put_outputs(text, e, net, &a);
  put_main(text, e);

done:
  free_answer(&a);
  return status;
}
