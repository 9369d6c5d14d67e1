#include "host/cli/tensorboard_summary.h"

#include "host/cli/text_json.h"

/* tensorboard.Summary, its Value, SummaryMetadata and PluginData */
enum { VALUE = 1, TAG = 1, SIMPLE_VALUE = 2, HISTO = 5, TENSOR = 8, METADATA = 9 };
enum { PLUGIN_DATA = 1, ABOUT = 3, DATA_CLASS = 4, PLUGIN_NAME = 1, CONTENT = 2 };
enum { SCALARS = 1, TENSORS = 2 };
/* tensorboard.TensorProto, its shape and types */
enum { TYPE = 1, SHAPE = 2, STRING_VALUE = 8, DIMENSION = 2, SIZE = 1, OF_FLOATS = 1, OF_STRINGS = 7 };

void vise_i_cli_proto_name(vise_i_proto *proto, unsigned field, const char *text) {
  const char *c = text;
  while (*c != '\0' && (unsigned char)*c < 0x80) c++;
  if (*c == '\0') { /* ASCII, as nearly all are */
    vise_i_proto_text(proto, field, text);
    return;
  }

  json_t *json = vise_i_cli_name_json(text);
  if (json == NULL) proto->failed = true;
  if (json != NULL) vise_i_proto_text(proto, field, json_string_value(json));
  json_decref(json);
}

static void put_metadata(vise_i_proto *value, const char *plugin, const char *about, unsigned data_class) {
  const size_t metadata = vise_i_proto_begin(value, METADATA);
  const size_t data = vise_i_proto_begin(value, PLUGIN_DATA);
  vise_i_proto_text(value, PLUGIN_NAME, plugin);
  vise_i_proto_end(value, data);
  if (about != NULL) vise_i_proto_text(value, ABOUT, about);
  vise_i_proto_count(value, DATA_CLASS, data_class);
  vise_i_proto_end(value, metadata);
}

void vise_i_cli_put_scalar(vise_i_proto *summary, const char *tag, double value, const char *about) {
  const size_t begin = vise_i_proto_begin(summary, VALUE);
  vise_i_cli_proto_name(summary, TAG, tag);
  vise_i_proto_float(summary, SIMPLE_VALUE, (float)value);
  if (about != NULL) put_metadata(summary, "scalars", about, SCALARS);
  vise_i_proto_end(summary, begin);
}

void vise_i_cli_put_text(vise_i_proto *summary, const char *tag, const char *text) {
  const size_t begin = vise_i_proto_begin(summary, VALUE);
  vise_i_proto_text(summary, TAG, tag);
  put_metadata(summary, "text", NULL, TENSORS);

  const size_t tensor = vise_i_proto_begin(summary, TENSOR);
  vise_i_proto_count(summary, TYPE, OF_STRINGS);
  vise_i_proto_end(summary, vise_i_proto_begin(summary, SHAPE)); /* of a single value */
  vise_i_cli_proto_name(summary, STRING_VALUE, text);
  vise_i_proto_end(summary, tensor);
  vise_i_proto_end(summary, begin);
}

void vise_i_cli_put_plugin(vise_i_proto *summary, const char *tag, const char *plugin, const vise_i_proto *content) {
  const size_t begin = vise_i_proto_begin(summary, VALUE);
  vise_i_proto_text(summary, TAG, tag);

  const size_t metadata = vise_i_proto_begin(summary, METADATA);
  const size_t data = vise_i_proto_begin(summary, PLUGIN_DATA);
  vise_i_proto_text(summary, PLUGIN_NAME, plugin);
  const size_t bytes = vise_i_proto_begin(summary, CONTENT);
  vise_i_proto_raw(summary, content->bytes, content->n);
  vise_i_proto_end(summary, bytes);
  vise_i_proto_end(summary, data);
  vise_i_proto_end(summary, metadata);

  /* Every value has to have one; this one is empty. */
  const size_t tensor = vise_i_proto_begin(summary, TENSOR);
  vise_i_proto_count(summary, TYPE, OF_FLOATS);
  const size_t shape = vise_i_proto_begin(summary, SHAPE);
  const size_t dimension = vise_i_proto_begin(summary, DIMENSION);
  vise_i_proto_count(summary, SIZE, 0);
  vise_i_proto_end(summary, dimension);
  vise_i_proto_end(summary, shape);
  vise_i_proto_end(summary, tensor);
  vise_i_proto_end(summary, begin);
  summary->failed |= content->failed;
}

void vise_i_cli_put_weights(vise_i_proto *summary, const char *tag, const vise_array *weights, const double box[2],
                            const char *about) {
  const size_t begin = vise_i_proto_begin(summary, VALUE);
  vise_i_cli_proto_name(summary, TAG, tag);
  if (about != NULL) put_metadata(summary, "histograms", about, TENSORS);
  const size_t histogram = vise_i_proto_begin(summary, HISTO);
  vise_i_cli_put_histogram(summary, weights, box[0], box[1]);
  vise_i_proto_end(summary, histogram);
  vise_i_proto_end(summary, begin);
}
