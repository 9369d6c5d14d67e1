#include "host/json/build.h"

static void give_up(json_t **whole) {
  json_decref(*whole);
  *whole = NULL;
}

void vise_i_json_put(json_t **object, const char *key, json_t *value) {
  if (json_object_set_new(*object, key, value) != 0) give_up(object);
}

void vise_i_json_put_all(json_t **object, json_t *more) {
  if (json_object_update(*object, more) != 0) give_up(object);
  json_decref(more);
}

void vise_i_json_add(json_t **array, json_t *value) {
  if (json_array_append_new(*array, value) != 0) give_up(array);
}
