/* A net as JSON, in a model's description. */
#ifndef VISE_I_NET_JSON_H
#define VISE_I_NET_JSON_H

#include <jansson.h>

#include "host/net/net.h"

/* Adds the net's keys to *object (host/json/build.h). */
void vise_i_net_json_put(const vise_i_net *net, json_t **object);

/* The net that the object describes. name is the file's, for messages. */
VISE_WARN_UNUSED vise_status vise_i_net_json_parse(const json_t *object, const char *name, vise_i_net *out,
                                                   vise_error *err);

#endif
