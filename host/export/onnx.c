/*
 * --format onnx: one file, operators of opset 13, float32, any number of rows. What is written are the messages of onnx.proto3
 * (ModelProto and what it holds) by the numbers of their fields, which are fixed for good; a library of protocol buffers
 * would add a dependency and a generated schema of thousands of lines for the thirty fields here.
 */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/utf8.h"
#include "host/certify/certificate.h"
#include "host/export/export.h"
#include "host/json/build.h"
#include "host/json/text.h"
#include "host/proto/proto.h"
#include "host/rule/batch_norm.h"
#include "host/rule/rule.h"

enum { IR_VERSION = 7, OPSET = 13, TYPE_FLOAT = 1 };
/* ModelProto, OperatorSetIdProto, StringStringEntryProto */
enum {
  MODEL_IR = 1,
  MODEL_PRODUCER = 2,
  MODEL_PRODUCER_VERSION = 3,
  MODEL_GRAPH = 7,
  MODEL_OPSET = 8,
  MODEL_METADATA = 14
};
enum { OPSET_VERSION = 2, ENTRY_KEY = 1, ENTRY_VALUE = 2 };
/* GraphProto, NodeProto, AttributeProto */
enum { GRAPH_NODE = 1, GRAPH_NAME = 2, GRAPH_INITIALIZER = 5, GRAPH_INPUT = 11, GRAPH_OUTPUT = 12 };
enum { NODE_INPUT = 1, NODE_OUTPUT = 2, NODE_NAME = 3, NODE_OP = 4, NODE_ATTRIBUTE = 5 };
enum { ATTRIBUTE_NAME = 1, ATTRIBUTE_F = 2, ATTRIBUTE_I = 3, ATTRIBUTE_TYPE = 20, OF_FLOAT = 1, OF_INT = 2 };
/* TensorProto, ValueInfoProto, TypeProto, TypeProto.Tensor, TensorShapeProto, its Dimension */
enum { TENSOR_DIMS = 1, TENSOR_TYPE = 2, TENSOR_NAME = 8, TENSOR_RAW = 9 };
enum {
  VALUE_NAME = 1,
  VALUE_TYPE = 2,
  TYPE_TENSOR = 1,
  ELEMENT_TYPE = 1,
  SHAPE = 2,
  DIMENSION = 1,
  DIM_VALUE = 1,
  DIM_PARAM = 2
};

/* The graph that is being written: its nodes go into one message, its constants into another. */
typedef struct graph {
  vise_i_proto nodes, constants;
  char last[32]; /* the name of the newest value */
  size_t n;      /* values made so far */
} graph;

static void put_constant(graph *g, const char *name, const double *values, size_t n_rows, size_t n_cols) {
  vise_i_proto *to = &g->constants;
  const size_t tensor = vise_i_proto_begin(to, GRAPH_INITIALIZER), n = n_rows * (n_cols > 0 ? n_cols : 1);
  if (n_rows > 0) vise_i_proto_count(to, TENSOR_DIMS, n_rows);
  if (n_cols > 0) vise_i_proto_count(to, TENSOR_DIMS, n_cols);
  vise_i_proto_count(to, TENSOR_TYPE, TYPE_FLOAT);
  vise_i_proto_text(to, TENSOR_NAME, name);

  const size_t raw = vise_i_proto_begin(to, TENSOR_RAW);
  for (size_t i = 0; i < n; i++) {
    const float value = (float)values[i];
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    vise_i_proto_fixed(to, bits, sizeof bits);
  }
  vise_i_proto_end(to, raw);
  vise_i_proto_end(to, tensor);
}

static void put_number(graph *g, const char *name, double value) {
  put_constant(g, name, &value, 1, 0);
}

/* ---- nodes -------------------------------------------------------------------------------------------------------- */

typedef struct attribute {
  const char *name;
  bool is_int;
  double value;
} attribute;

/* The inputs of a node, ended by NULL; output NULL: a new value, which becomes the newest. */
static void put_node(graph *g, const char *op, const char *const *inputs, const char *output, const attribute *a) {
  char name[32];
  (void)snprintf(name, sizeof name, "%s_%zu", op, g->n);
  const size_t node = vise_i_proto_begin(&g->nodes, GRAPH_NODE);
  for (; *inputs != NULL; inputs++) vise_i_proto_text(&g->nodes, NODE_INPUT, *inputs);
  vise_i_proto_text(&g->nodes, NODE_OUTPUT, output == NULL ? name : output);
  vise_i_proto_text(&g->nodes, NODE_NAME, name);
  vise_i_proto_text(&g->nodes, NODE_OP, op);

  if (a != NULL) {
    const size_t begin = vise_i_proto_begin(&g->nodes, NODE_ATTRIBUTE);
    vise_i_proto_text(&g->nodes, ATTRIBUTE_NAME, a->name);
    if (a->is_int) vise_i_proto_count(&g->nodes, ATTRIBUTE_I, (uint64_t)a->value);
    if (!a->is_int) vise_i_proto_float(&g->nodes, ATTRIBUTE_F, (float)a->value);
    vise_i_proto_count(&g->nodes, ATTRIBUTE_TYPE, a->is_int ? OF_INT : OF_FLOAT);
    vise_i_proto_end(&g->nodes, begin);
  }
  vise_i_proto_end(&g->nodes, node);
  (void)snprintf(g->last, sizeof g->last, "%s", output == NULL ? name : output);
  g->n++;
}

static void put_unary(graph *g, const char *op, const char *input, const attribute *a) {
  put_node(g, op, (const char *const[]){input, NULL}, NULL, a);
}

static void put_binary(graph *g, const char *op, const char *x, const char *y) {
  put_node(g, op, (const char *const[]){x, y, NULL}, NULL, NULL);
}

/* ---- layers ------------------------------------------------------------------------------------------------------- */

static bool differs(const double *values, size_t n, double from) {
  for (size_t i = 0; i < n; i++) {
    if (values[i] < from || values[i] > from) return true;
  }
  return false;
}

static void put_scaling(graph *g, const vise_i_export *e) {
  if (differs(e->inputs.shift, e->inputs.n, 0)) {
    put_constant(g, "shift", e->inputs.shift, e->inputs.n, 0);
    put_binary(g, "Sub", g->last, "shift");
  }
  if (differs(e->inputs.scale, e->inputs.n, 1)) {
    put_constant(g, "scale", e->inputs.scale, e->inputs.n, 0);
    put_binary(g, "Div", g->last, "scale");
  }
}

/* opset 13 has no Gelu: x / 2 (1 + erf(x / sqrt 2)). */
static void put_gelu(graph *g) {
  char x[32];
  (void)snprintf(x, sizeof x, "%s", g->last);
  put_binary(g, "Mul", x, "root_half");
  put_unary(g, "Erf", g->last, NULL);
  put_binary(g, "Add", g->last, "one");
  put_binary(g, "Mul", g->last, x);
  put_binary(g, "Mul", g->last, "half");
}

/* x sigmoid(x). */
static void put_silu(graph *g) {
  char x[32];
  (void)snprintf(x, sizeof x, "%s", g->last);
  put_unary(g, "Sigmoid", x, NULL);
  put_binary(g, "Mul", x, g->last);
}

/* The others are one node. */
static void put_activation(graph *g, vise_activation activation) {
  static const attribute leaky = {"alpha", false, 0.01}, one = {"alpha", false, 1};
  static const struct {
    const char *op;
    const attribute *attribute;
  } nodes[vise_activation_count_] = {[VISE_RELU] = {"Relu", NULL}, [VISE_LEAKY_RELU] = {"LeakyRelu", &leaky},
                                     [VISE_TANH] = {"Tanh", NULL}, [VISE_SIGMOID] = {"Sigmoid", NULL},
                                     [VISE_ELU] = {"Elu", &one},   [VISE_IDENTITY] = {"Identity", NULL}};

  if (activation == VISE_GELU) {
    put_gelu(g);
  } else if (activation == VISE_SILU) {
    put_silu(g);
  } else {
    put_node(g, nodes[activation].op, (const char *const[]){g->last, NULL}, NULL, nodes[activation].attribute);
  }
}

static void put_layer(graph *g, const vise_i_export_layer *layer, size_t l) {
  char in[32], weights[32], bias[32];
  (void)snprintf(in, sizeof in, "%s", g->last);
  (void)snprintf(weights, sizeof weights, "weights_%zu", l);
  (void)snprintf(bias, sizeof bias, "bias_%zu", l);

  put_constant(g, weights, layer->weights, layer->n_out, layer->n_in);
  put_constant(g, bias, layer->bias, layer->n_out, 0);
  put_node(g, "Gemm", (const char *const[]){in, weights, bias, NULL}, NULL, &(attribute){"transB", true, 1});
  if (layer->has_activation) put_activation(g, layer->activation);
  if (layer->residual) put_binary(g, "Add", g->last, in);
}

static vise_link link_of(const vise_i_export *e) {
  return vise_model_knows_loss(e->model) ? vise_i_loss_link(vise_model_loss(e->model)) : VISE_LINK_IDENTITY;
}

static void put_outputs(graph *g, const vise_i_export *e) {
  if (e->scales_targets) {
    put_constant(g, "target_scale", e->target_scale, e->n_outputs, 0);
    put_constant(g, "target_shift", e->target_shift, e->n_outputs, 0);
    put_binary(g, "Mul", g->last, "target_scale");
    put_binary(g, "Add", g->last, "target_shift");
  }
  put_node(g, "Identity", (const char *const[]){g->last, NULL}, "outputs", NULL);

  const char *const out[] = {"outputs", NULL};
  if (link_of(e) == VISE_LINK_SOFTMAX) put_node(g, "Softmax", out, "probabilities", NULL);
  if (link_of(e) == VISE_LINK_SIGMOID) put_node(g, "Sigmoid", out, "probabilities", NULL);
}

static void put_nodes(graph *g, const vise_i_export *e) {
  bool has_gelu = false;
  for (size_t l = 0; l < e->n_layers; l++) has_gelu = has_gelu || e->layers[l].activation == VISE_GELU;
  (void)snprintf(g->last, sizeof g->last, "inputs");
  put_scaling(g, e);
  if (has_gelu) {
    put_number(g, "one", 1);
    put_number(g, "half", 0.5);
    put_number(g, "root_half", M_SQRT1_2);
  }
  for (size_t l = 0; l < e->n_layers; l++) put_layer(g, &e->layers[l], l);
  put_outputs(g, e);
}

/* ---- the model ---------------------------------------------------------------------------------------------------- */

/* A value of [rows, width], of which rows is any number. */
static void put_value(vise_i_proto *to, unsigned field, const char *name, size_t width) {
  const size_t value = vise_i_proto_begin(to, field);
  vise_i_proto_text(to, VALUE_NAME, name);
  const size_t type = vise_i_proto_begin(to, VALUE_TYPE), tensor = vise_i_proto_begin(to, TYPE_TENSOR);
  vise_i_proto_count(to, ELEMENT_TYPE, TYPE_FLOAT);
  const size_t shape = vise_i_proto_begin(to, SHAPE);

  size_t dimension = vise_i_proto_begin(to, DIMENSION);
  vise_i_proto_text(to, DIM_PARAM, "rows");
  vise_i_proto_end(to, dimension);
  dimension = vise_i_proto_begin(to, DIMENSION);
  vise_i_proto_count(to, DIM_VALUE, width);
  vise_i_proto_end(to, dimension);

  vise_i_proto_end(to, shape);
  vise_i_proto_end(to, tensor);
  vise_i_proto_end(to, type);
  vise_i_proto_end(to, value);
}

static void put_entry(vise_i_proto *to, const char *key, const char *value) {
  const size_t entry = vise_i_proto_begin(to, MODEL_METADATA);
  vise_i_proto_text(to, ENTRY_KEY, key);
  vise_i_proto_text(to, ENTRY_VALUE, value);
  vise_i_proto_end(to, entry);
}

/* A name as UTF-8: question marks for what is not. */
static json_t *name_json(const char *name) {
  char plain[256];
  size_t n = 0;
  for (const char *at = name; *at != '\0' && n + 5 < sizeof plain;) {
    const size_t width = vise_i_utf8_character(at, strlen(at));
    if (width == 0) plain[n++] = '?';
    memcpy(plain + n, at, width);
    n += width;
    at += width > 0 ? width : 1;
  }
  plain[n] = '\0';
  return json_string(plain);
}

/* Names as the text of a JSON array. */
static vise_status put_names(vise_i_proto *to, const char *key, char *const *names, size_t n, vise_error *err) {
  json_t *array = json_array();
  char *text = NULL;
  for (size_t i = 0; i < n; i++) vise_i_json_add(&array, name_json(names[i]));
  const vise_status status = vise_i_json_text(array, JSON_COMPACT, "names for ONNX", &text, NULL, err);
  if (status == VISE_OK) put_entry(to, key, text);
  json_decref(array);
  free(text);
  return status;
}

static vise_status put_metadata(vise_i_proto *to, const vise_i_export *e, vise_error *err) {
  vise_status status = VISE_OK;
  char weights[32];
  (void)snprintf(weights, sizeof weights, "%016" PRIx64, e->weights);
  put_entry(to, "made_by", "Vise");
  put_entry(to, "weights_xxh3", weights);
  if (vise_model_knows_loss(e->model)) put_entry(to, "loss", vise_loss_name(vise_model_loss(e->model)));
  if (e->inputs.names != NULL) VISE_TRY(put_names(to, "inputs", e->inputs.names, e->inputs.n, err));
  if (e->inputs.n_classes > 0) VISE_TRY(put_names(to, "classes", e->inputs.classes, e->inputs.n_classes, err));

done:
  return status;
}

static void put_graph(vise_i_proto *to, const graph *g, const vise_i_export *e) {
  const size_t begin = vise_i_proto_begin(to, MODEL_GRAPH);
  vise_i_proto_raw(to, g->nodes.bytes, g->nodes.n);
  vise_i_proto_text(to, GRAPH_NAME, e->name);
  vise_i_proto_raw(to, g->constants.bytes, g->constants.n);
  put_value(to, GRAPH_INPUT, "inputs", e->inputs.n);
  put_value(to, GRAPH_OUTPUT, "outputs", e->n_outputs);
  const bool has_probabilities = link_of(e) == VISE_LINK_SOFTMAX || link_of(e) == VISE_LINK_SIGMOID;
  if (has_probabilities) put_value(to, GRAPH_OUTPUT, "probabilities", e->n_outputs);
  vise_i_proto_end(to, begin);
}

/* Messages of 2 GiB or more are none. */
static vise_status check_size(const vise_i_export *e, vise_error *err) {
  double n = 0;
  for (size_t l = 0; l < e->n_layers; l++) n += 4 * (double)(e->layers[l].n_in + 1) * (double)e->layers[l].n_out;
  if (n < INT_MAX - (1 << 20)) return VISE_OK;
  return vise_i_fail(err, VISE_ERR_SHAPE,
                     "export: %.3g bytes of weights; an ONNX file without others beside it holds 2 GiB", n);
}

vise_status vise_i_export_onnx(const vise_i_export *e, vise_i_export_files *files, vise_error *err) {
  vise_status status = VISE_OK;
  graph g = {.n = 0};
  vise_i_proto out = {0};
  VISE_TRY(check_size(e, err));
  put_nodes(&g, e);

  vise_i_proto_count(&out, MODEL_IR, IR_VERSION);
  vise_i_proto_text(&out, MODEL_PRODUCER, "Vise");
  vise_i_proto_text(&out, MODEL_PRODUCER_VERSION, vise_version());
  put_graph(&out, &g, e);
  const size_t opset = vise_i_proto_begin(&out, MODEL_OPSET);
  vise_i_proto_count(&out, OPSET_VERSION, OPSET);
  vise_i_proto_end(&out, opset);
  VISE_TRY(put_metadata(&out, e, err));

  vise_i_text taken = {(char *)out.bytes, out.n, out.room, g.nodes.failed || g.constants.failed || out.failed};
  out = (vise_i_proto){0};
  VISE_TRY(vise_i_export_add(files, ".onnx", &taken, err));

done:
  vise_i_proto_free(&g.nodes);
  vise_i_proto_free(&g.constants);
  vise_i_proto_free(&out);
  return status;
}
