/* A preprocessor as JSON. */
#include <stdlib.h>

#include "host/base/call.h"
#include "host/json/build.h"
#include "host/json/bytes.h"
#include "host/json/text.h"
#include "host/table/preprocessor.h"

static json_t *text_json(const char *text) {
  return text == NULL ? json_null() : vise_i_json_of_bytes(text, VISE_I_BYTES_KEY);
}

static void put_size(json_t **object, const char *key, size_t n) {
  vise_i_json_put(object, key, json_integer((json_int_t)n));
}

static json_t *list_json(const vise_i_list *list) {
  json_t *array = json_array();
  for (size_t i = 0; i < list->n; i++) vise_i_json_add(&array, text_json(list->items[i]));
  return array;
}

static void put_feature(json_t **o, const vise_i_recipe *r) {
  if (r->kind == VISE_COLUMN_TEXT) {
    vise_i_json_put(o, "categories", list_json(&r->categories));
    vise_i_json_put(o, "other", list_json(&r->grouped));
    vise_i_json_put(o, "gap_is_category", json_boolean(r->has_gap_slot));
    return;
  }

  if (r->kind == VISE_COLUMN_DATE) vise_i_json_put(o, "origin", json_real(r->origin));
  vise_i_json_put(o, "fill", json_real(r->fill));
  vise_i_json_put(o, "shift", json_real(r->shift));
  vise_i_json_put(o, "scale", json_real(r->scale));
  vise_i_json_put(o, "indicator", json_boolean(r->has_indicator));
}

static json_t *column_json(const vise_preprocessor *p, const vise_i_recipe *r) {
  json_t *o = json_object();
  if (p->has_names) vise_i_json_put(&o, "name", text_json(r->name));
  vise_i_json_put(&o, "kind", json_string(vise_column_kind_name(r->kind)));
  vise_i_json_put(&o, "role", json_string(vise_column_role_name(r->role)));
  put_size(&o, "gaps", r->n_gaps);

  if (r->role == VISE_COLUMN_DROPPED) vise_i_json_put(&o, "reason", text_json(r->reason));
  if (r->role == VISE_COLUMN_TARGET) put_size(&o, "target", r->target_index);
  if (r->role == VISE_COLUMN_FEATURE) put_feature(&o, r);
  return o;
}

static json_t *columns_json(const vise_preprocessor *p) {
  json_t *array = json_array();
  for (size_t c = 0; c < p->n_columns; c++) vise_i_json_add(&array, column_json(p, &p->columns[c]));
  return array;
}

static json_t *classes_json(const vise_preprocessor *p) {
  json_t *array = json_array();
  for (size_t k = 0; k < p->n_classes; k++) {
    json_t *o = json_object();
    vise_i_json_put(&o, "name", text_json(p->classes[k].name));
    vise_i_json_put(&o, "value", json_real(p->classes[k].value));
    put_size(&o, "rows", p->classes[k].n_rows);
    vise_i_json_add(&array, o);
  }
  return array;
}

static json_t *reals_json(const double *values, size_t n) {
  json_t *array = json_array();
  for (size_t i = 0; i < n; i++) vise_i_json_add(&array, json_real(values[i]));
  return array;
}

static json_t *target_json(const vise_preprocessor *p) {
  json_t *o = json_object();
  vise_i_json_put(&o, "kind", json_string(vise_target_kind_name(p->target_kind)));
  vise_i_json_put(&o, "loss", json_string(vise_loss_name(p->loss)));
  vise_i_json_put(&o, "reason", text_json(p->reason));
  vise_i_json_put(&o, "shift", reals_json(p->target_shift, p->n_targets));
  vise_i_json_put(&o, "scale", reals_json(p->target_scale, p->n_targets));
  vise_i_json_put(&o, "classes", classes_json(p));
  return o;
}

/* A file that is read later must be spelt alike. */
static json_t *reading_json(const vise_preprocessor *p) {
  const char decimal[] = {p->decimal, '\0'};
  json_t *o = json_object();
  vise_i_json_put(&o, "decimal", json_string(decimal));
  vise_i_json_put(&o, "na", text_json(p->na));
  vise_i_json_put(&o, "strip", text_json(p->strip));
  return o;
}

static json_t *preprocessor_json(const vise_preprocessor *p) {
  json_t *o = json_object();
  put_size(&o, "version", 1);
  vise_i_json_put(&o, "names", json_boolean(p->has_names));
  vise_i_json_put(&o, "sparse", json_boolean(p->is_sparse));
  vise_i_json_put(&o, "missing", json_string(vise_missing_name(p->missing)));
  put_size(&o, "rows", p->n_rows);
  put_size(&o, "rows_without_target", p->n_without_target);
  put_size(&o, "rows_dropped", p->n_dropped);

  vise_i_json_put(&o, "reading", reading_json(p));
  vise_i_json_put(&o, "columns", columns_json(p));
  vise_i_json_put(&o, "target", target_json(p));
  vise_i_json_put(&o, "lines", list_json(&p->lines));
  return o;
}

vise_status vise_preprocessor_to_json(const vise_preprocessor *preprocessor, char **out, vise_error *err) {
  VISE_ENTER(err, preprocessor, out);
  json_t *value = preprocessor_json(preprocessor);
  const vise_status status =
      vise_i_json_text(value, JSON_COMPACT | JSON_REAL_PRECISION(17), "a preprocessor", out, NULL, err);
  json_decref(value);
  return status;
}
