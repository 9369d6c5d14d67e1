/* A preprocessor as JSON. A value that could not be made is NULL, which jansson refuses to put into an object. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/call.h"
#include "host/base/json_text.h"
#include "host/base/memory.h"
#include "host/table/preprocessor.h"

/* Bytes that are not UTF-8 are kept as {"latin1": ...}, each as the character of its number. */
static json_t *text_json(const char *text) {
  if (text == NULL) return json_null();
  const size_t n = strlen(text);
  json_t *value = json_stringn(text, n);
  if (value != NULL) return value;

  char *wide = NULL;
  if (vise_i_alloc(&wide, 2 * n + 1, 1, "a name", NULL) != VISE_OK) return NULL;
  size_t used = 0;
  for (const unsigned char *p = (const unsigned char *)text; *p != 0; p++) {
    if (*p >= 0x80) wide[used++] = (char)(0xc0 | *p >> 6);
    wide[used++] = *p >= 0x80 ? (char)(0x80 | (*p & 0x3f)) : (char)*p;
  }
  value = json_pack("{s:o}", "latin1", json_stringn(wide, used));
  free(wide);
  return value;
}

/* Takes value over; false: it is NULL, or memory is short. */
static bool set(json_t *object, const char *key, json_t *value) {
  return json_object_set_new(object, key, value) == 0;
}

static bool set_size(json_t *object, const char *key, size_t n) {
  return set(object, key, json_integer((json_int_t)n));
}

static json_t *list_json(const vise_i_list *list) {
  json_t *array = json_array();
  for (size_t i = 0; i < list->n; i++) {
    if (json_array_append_new(array, text_json(list->items[i])) == 0) continue;
    json_decref(array);
    return NULL;
  }
  return array;
}

static bool set_feature(json_t *o, const vise_i_recipe *r) {
  if (r->kind == VISE_COLUMN_TEXT) {
    return set(o, "categories", list_json(&r->categories)) && set(o, "other", list_json(&r->grouped)) &&
           set(o, "gap_is_category", json_boolean(r->has_gap_slot));
  }
  return (r->kind != VISE_COLUMN_DATE || set(o, "origin", json_real(r->origin))) &&
         set(o, "fill", json_real(r->fill)) && set(o, "shift", json_real(r->shift)) &&
         set(o, "scale", json_real(r->scale)) && set(o, "indicator", json_boolean(r->has_indicator));
}

static json_t *column_json(const vise_preprocessor *p, const vise_i_recipe *r) {
  json_t *o = json_object();
  bool ok = (!p->has_names || set(o, "name", text_json(r->name))) &&
            set(o, "kind", json_string(vise_column_kind_name(r->kind))) &&
            set(o, "role", json_string(vise_column_role_name(r->role))) && set_size(o, "gaps", r->n_gaps);
  if (ok && r->role == VISE_COLUMN_DROPPED) ok = set(o, "reason", text_json(r->reason));
  if (ok && r->role == VISE_COLUMN_TARGET) ok = set_size(o, "target", r->target_index);
  if (ok && r->role == VISE_COLUMN_FEATURE) ok = set_feature(o, r);
  if (ok) return o;
  json_decref(o);
  return NULL;
}

static json_t *columns_json(const vise_preprocessor *p) {
  json_t *array = json_array();
  for (size_t c = 0; c < p->n_columns; c++) {
    if (json_array_append_new(array, column_json(p, &p->columns[c])) == 0) continue;
    json_decref(array);
    return NULL;
  }
  return array;
}

static json_t *classes_json(const vise_preprocessor *p) {
  json_t *array = json_array();

  for (size_t k = 0; k < p->n_classes; k++) {
    json_t *o = json_object();
    const bool ok = set(o, "name", text_json(p->classes[k].name)) && set(o, "value", json_real(p->classes[k].value)) &&
                    set_size(o, "rows", p->classes[k].n_rows);
    if (ok && json_array_append(array, o) == 0) {
      json_decref(o);
      continue;
    }
    json_decref(o);
    json_decref(array);
    return NULL;
  }

  return array;
}

static json_t *reals_json(const double *values, size_t n) {
  json_t *array = json_array();
  for (size_t i = 0; i < n; i++) {
    if (json_array_append_new(array, json_real(values[i])) == 0) continue;
    json_decref(array);
    return NULL;
  }
  return array;
}

static json_t *target_json(const vise_preprocessor *p) {
  json_t *o = json_object();
  const bool ok = set(o, "kind", json_string(vise_target_kind_name(p->target_kind))) &&
                  set(o, "loss", json_string(vise_loss_name(p->loss))) && set(o, "reason", text_json(p->reason)) &&
                  set(o, "shift", reals_json(p->target_shift, p->n_targets)) &&
                  set(o, "scale", reals_json(p->target_scale, p->n_targets)) && set(o, "classes", classes_json(p));
  if (ok) return o;
  json_decref(o);
  return NULL;
}

/* A file that is read later must be spelt alike. */
static json_t *reading_json(const vise_preprocessor *p) {
  const char decimal[] = {p->decimal, '\0'};
  json_t *o = json_object();
  const bool ok =
      set(o, "decimal", json_string(decimal)) && set(o, "na", text_json(p->na)) && set(o, "strip", text_json(p->strip));
  if (ok) return o;
  json_decref(o);
  return NULL;
}

static json_t *preprocessor_json(const vise_preprocessor *p) {
  json_t *o = json_object();
  const bool ok =
      set_size(o, "version", 1) && set(o, "names", json_boolean(p->has_names)) &&
      set(o, "sparse", json_boolean(p->is_sparse)) && set(o, "missing", json_string(vise_missing_name(p->missing))) &&
      set_size(o, "rows", p->n_rows) && set_size(o, "rows_without_target", p->n_without_target) &&
      set_size(o, "rows_dropped", p->n_dropped) && set(o, "reading", reading_json(p)) &&
      set(o, "columns", columns_json(p)) && set(o, "target", target_json(p)) && set(o, "lines", list_json(&p->lines));
  if (ok) return o;
  json_decref(o);
  return NULL;
}

vise_status vise_preprocessor_to_json(const vise_preprocessor *preprocessor, char **out, vise_error *err) {
  VISE_ENTER(err, preprocessor, out);
  json_t *value = preprocessor_json(preprocessor);
  const vise_status status =
      vise_i_json_text(value, JSON_COMPACT | JSON_REAL_PRECISION(17), "a preprocessor", out, NULL, err);
  json_decref(value);
  return status;
}
