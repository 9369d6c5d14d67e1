/* The quantization of a model in its description: {"format": "int8,acc16,act8,in8", "input_zero": 0,
   "row_scales": [[...], ...] for each linear layer, "value_scales": [...]}. */
#ifndef VISE_I_QUANTIZATION_JSON_H
#define VISE_I_QUANTIZATION_JSON_H

#include <jansson.h>

#include "host/net/quantization.h"

/* NULL when out of memory. */
json_t *vise_i_quantization_format(const vise_i_quantization *quantization, const vise_i_net *net);
/* name: of the file, for messages. */
VISE_WARN_UNUSED vise_status vise_i_quantization_parse(const json_t *value, const vise_i_net *net, const char *name,
                                                       vise_i_quantization **out, vise_error *err);

#endif
