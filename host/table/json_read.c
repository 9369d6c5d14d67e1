/* A preprocessor from JSON. Nothing in the text is trusted. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/call.h"
#include "host/base/memory.h"
#include "host/json/bytes.h"
#include "host/json/read.h"
#include "host/table/preprocessor.h"

enum { COLUMNS_MAX = 1 << 24 };

/* Days of the years that a date can have. */
static const double DAYS_MAX = 4e6;

static vise_status fail(vise_error *err, const char *what) {
  return vise_i_fail(err, VISE_ERR_FORMAT, "the preprocessor of the model: \"%s\" is missing or wrong", what);
}

static vise_status copy_text(const json_t *value, const char *what, char **out, vise_error *err) {
  const vise_status status = vise_i_json_to_bytes(value, VISE_I_BYTES_KEY, out);
  if (status == VISE_ERR_MEMORY) return vise_i_fail_memory(err, 0, "a name");
  return status == VISE_OK ? VISE_OK : fail(err, what);
}

static vise_status take_text(const json_t *o, const char *key, char **out, vise_error *err) {
  return copy_text(json_object_get(o, key), key, out, err);
}

static vise_status take_bool(const json_t *o, const char *key, bool *out, vise_error *err) {
  const json_t *value = json_object_get(o, key);
  if (!json_is_boolean(value)) return fail(err, key);
  *out = json_is_true(value);
  return VISE_OK;
}

static vise_status take_size(const json_t *o, const char *key, size_t *out, vise_error *err) {
  const json_t *value = json_object_get(o, key);
  if (!json_is_integer(value) || json_integer_value(value) < 0) return fail(err, key);
  *out = (size_t)json_integer_value(value);
  return VISE_OK;
}

static vise_status take_real(const json_t *o, const char *key, double *out, vise_error *err) {
  const json_t *value = json_object_get(o, key);
  if (!json_is_number(value) || !isfinite(json_number_value(value))) return fail(err, key);
  *out = json_number_value(value);
  return VISE_OK;
}

static const char *word(const json_t *o, const char *key) {
  return json_string_value(json_object_get(o, key));
}

static vise_status take_list(const json_t *o, const char *key, vise_i_list *out, vise_error *err) {
  const json_t *array = json_object_get(o, key);
  if (!json_is_array(array)) return fail(err, key);
  for (size_t i = 0; i < json_array_size(array); i++) {
    char *text = NULL;
    vise_status status = copy_text(json_array_get(array, i), key, &text, err);
    if (status == VISE_OK) status = vise_i_list_add(out, text, strlen(text), err);
    free(text);
    if (status != VISE_OK) return status;
  }
  return VISE_OK;
}

/* Adds name to those that were there, each of which must be another one. */
static vise_status note_name(vise_i_dictionary *known, const char *name, const char *what, vise_error *err) {
  const size_t n = known->n;
  uint32_t code;
  const vise_status status = vise_i_dictionary_code(known, name, strlen(name), &code, err);
  if (status != VISE_OK) return status;
  return known->n > n ? VISE_OK : fail(err, what);
}

static vise_status check_texts(const vise_i_recipe *r, vise_error *err) {
  vise_i_dictionary known = {0};
  vise_status status = r->categories.n > 0 ? VISE_OK : fail(err, "categories");
  for (size_t i = 0; i < r->categories.n && status == VISE_OK; i++) {
    status = note_name(&known, r->categories.items[i], "categories", err);
  }
  for (size_t i = 0; i < r->grouped.n && status == VISE_OK; i++) {
    status = note_name(&known, r->grouped.items[i], "other", err);
  }
  vise_i_dictionary_free(&known);
  return status;
}

static vise_status take_feature(const json_t *o, vise_i_recipe *r, vise_error *err) {
  vise_status status = VISE_OK;

  if (r->kind == VISE_COLUMN_TEXT) {
    VISE_TRY(take_list(o, "categories", &r->categories, err));
    VISE_TRY(take_list(o, "other", &r->grouped, err));
    VISE_TRY(take_bool(o, "gap_is_category", &r->has_gap_slot, err));
    VISE_TRY(check_texts(r, err));
    goto done;
  }

  if (r->kind == VISE_COLUMN_DATE) VISE_TRY(take_real(o, "origin", &r->origin, err));
  if (!(fabs(r->origin) <= DAYS_MAX)) VISE_TRY(fail(err, "origin"));
  VISE_TRY(take_real(o, "fill", &r->fill, err));
  VISE_TRY(take_real(o, "shift", &r->shift, err));
  VISE_TRY(take_real(o, "scale", &r->scale, err));
  VISE_TRY(take_bool(o, "indicator", &r->has_indicator, err));
  if (!(r->scale > 0)) VISE_TRY(fail(err, "scale"));

done:
  return status;
}

static vise_status take_column(const json_t *o, const vise_preprocessor *p, vise_i_recipe *r, vise_error *err) {
  vise_status status = VISE_OK;

  if (!json_is_object(o)) VISE_TRY(fail(err, "columns"));
  if (vise_column_kind_parse(word(o, "kind"), &r->kind, NULL) != VISE_OK) VISE_TRY(fail(err, "kind"));
  if (vise_column_role_parse(word(o, "role"), &r->role, NULL) != VISE_OK) VISE_TRY(fail(err, "role"));
  if (p->has_names) VISE_TRY(take_text(o, "name", &r->name, err));
  VISE_TRY(take_size(o, "gaps", &r->n_gaps, err));
  r->scale = 1;

  if (r->role == VISE_COLUMN_DROPPED) VISE_TRY(take_text(o, "reason", &r->reason, err));
  if (r->role == VISE_COLUMN_TARGET) VISE_TRY(take_size(o, "target", &r->target_index, err));
  if (r->role == VISE_COLUMN_FEATURE) VISE_TRY(take_feature(o, r, err));

done:
  return status;
}

static vise_status take_columns(const json_t *o, vise_preprocessor *p, vise_error *err) {
  const json_t *array = json_object_get(o, "columns");
  const size_t n = json_array_size(array);
  if (n == 0 || n > COLUMNS_MAX) return fail(err, "columns");

  vise_status status = vise_i_alloc_zero(&p->columns, n, sizeof *p->columns, "columns", err);
  vise_i_dictionary known = {0};

  while (p->n_columns < n && status == VISE_OK) {
    vise_i_recipe *recipe = &p->columns[p->n_columns++]; /* counted first, so that what a failed one has is freed */
    status = take_column(json_array_get(array, p->n_columns - 1), p, recipe, err);
    if (status == VISE_OK && p->has_names) status = note_name(&known, recipe->name, "name", err);
    p->n_targets += recipe->role == VISE_COLUMN_TARGET;
  }

  vise_i_dictionary_free(&known);
  return status;
}

static vise_status take_scaling(const json_t *o, const char *key, size_t n, double **out, vise_error *err) {
  const json_t *array = json_object_get(o, key);
  if (!json_is_array(array) || json_array_size(array) != n) return fail(err, key);
  const vise_status status = vise_i_alloc(out, n, sizeof **out, "targets", err);
  for (size_t i = 0; status == VISE_OK && i < n; i++) {
    const json_t *value = json_array_get(array, i);
    (*out)[i] = json_number_value(value);
    if (!json_is_number(value) || !isfinite((*out)[i])) return fail(err, key);
  }
  return status;
}

static vise_status take_classes(const json_t *o, vise_preprocessor *p, vise_error *err) {
  const json_t *array = json_object_get(o, "classes");
  const size_t n = json_array_size(array);
  if (!json_is_array(array) || (n > 0) != (p->target_kind == VISE_TARGET_CLASSES)) return fail(err, "classes");

  vise_i_dictionary known = {0};
  vise_status status = vise_i_alloc_zero(&p->classes, n, sizeof *p->classes, "classes", err);

  for (size_t k = 0; k < n && status == VISE_OK; k++) {
    const json_t *class = json_array_get(array, k);
    status = take_text(class, "name", &p->classes[k].name, err);
    if (status != VISE_OK) break;
    p->n_classes++;
    status = note_name(&known, p->classes[k].name, "classes", err);
    if (status == VISE_OK) status = take_real(class, "value", &p->classes[k].value, err);
    if (status == VISE_OK) status = take_size(class, "rows", &p->classes[k].n_rows, err);
  }

  vise_i_dictionary_free(&known);
  return status;
}

/* Every target index from 0 to n_targets - 1 once, and one column of classes. */
static vise_status check_targets(const vise_preprocessor *p, vise_error *err) {
  for (size_t i = 0; i < p->n_targets; i++) {
    const vise_i_recipe *target = vise_i_preprocessor_target(p, i);
    if (target == NULL) return fail(err, "target");
    if (p->target_kind == VISE_TARGET_NUMBERS && target->kind != VISE_COLUMN_NUMBER) return fail(err, "target");
    if (target->kind == VISE_COLUMN_DATE) return fail(err, "target");
    if (!(p->target_scale[i] > 0)) return fail(err, "scale");
  }

  const bool ok = p->target_kind == VISE_TARGET_NONE
                      ? p->n_targets == 0
                      : (p->target_kind == VISE_TARGET_CLASSES ? p->n_targets == 1 : p->n_targets > 0);
  return ok ? VISE_OK : fail(err, "target");
}

static vise_status take_target(const json_t *o, vise_preprocessor *p, vise_error *err) {
  const json_t *target = json_object_get(o, "target");
  vise_status status = VISE_OK;

  if (!json_is_object(target)) VISE_TRY(fail(err, "target"));
  if (vise_target_kind_parse(word(target, "kind"), &p->target_kind, NULL) != VISE_OK) VISE_TRY(fail(err, "target"));
  if (vise_loss_parse(word(target, "loss"), &p->loss, NULL) != VISE_OK) VISE_TRY(fail(err, "loss"));

  VISE_TRY(take_text(target, "reason", &p->reason, err));
  VISE_TRY(take_scaling(target, "shift", p->n_targets, &p->target_shift, err));
  VISE_TRY(take_scaling(target, "scale", p->n_targets, &p->target_scale, err));
  VISE_TRY(take_classes(target, p, err));
  VISE_TRY(check_targets(p, err));

done:
  return status;
}

static vise_status take_reading(const json_t *o, vise_preprocessor *p, vise_error *err) {
  const json_t *reading = json_object_get(o, "reading");
  const char *decimal = word(reading, "decimal");
  vise_status status = VISE_OK;

  p->decimal = '.';
  if (reading == NULL) return VISE_OK; /* spelt as usual */
  if (decimal == NULL || (strcmp(decimal, ".") != 0 && strcmp(decimal, ",") != 0)) VISE_TRY(fail(err, "decimal"));
  p->decimal = decimal[0];
  if (!json_is_null(json_object_get(reading, "na"))) VISE_TRY(take_text(reading, "na", &p->na, err));
  if (!json_is_null(json_object_get(reading, "strip"))) VISE_TRY(take_text(reading, "strip", &p->strip, err));
done:
  return status;
}

static vise_status take_preprocessor(const json_t *o, vise_preprocessor *p, vise_error *err) {
  vise_status status = VISE_OK;
  size_t version = 0;
  VISE_TRY(take_size(o, "version", &version, err));
  if (version != 1) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_FORMAT, "the preprocessor of the model is of version %zu; this Vise reads 1",
                         version));
  }
  VISE_TRY(take_bool(o, "names", &p->has_names, err));
  VISE_TRY(take_bool(o, "sparse", &p->is_sparse, err));
  if (vise_missing_parse(word(o, "missing"), &p->missing, NULL) != VISE_OK) VISE_TRY(fail(err, "missing"));
  VISE_TRY(take_size(o, "rows", &p->n_rows, err));
  VISE_TRY(take_size(o, "rows_without_target", &p->n_without_target, err));

  VISE_TRY(take_size(o, "rows_dropped", &p->n_dropped, err));
  VISE_TRY(take_reading(o, p, err));
  VISE_TRY(take_columns(o, p, err));
  VISE_TRY(take_target(o, p, err));
  VISE_TRY(take_list(o, "lines", &p->lines, err));
  vise_i_preprocessor_number_inputs(p);
  if (p->n_inputs == 0) VISE_TRY(fail(err, "columns"));

done:
  return status;
}

vise_status vise_preprocessor_from_json(const char *json, vise_preprocessor **out, vise_error *err) {
  vise_status status = VISE_OK;
  json_t *value = NULL;
  vise_preprocessor *made = NULL;
  VISE_ENTER(err, json, out);

  VISE_TRY(vise_i_json_read("the preprocessor of the model", json, strlen(json), VISE_I_JSON_BYTES, &value, err));
  if (!json_is_object(value)) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_FORMAT, "the preprocessor of the model is not a JSON object"));
  }
  VISE_TRY(vise_i_alloc_zero(&made, 1, sizeof *made, "a preprocessor", err));
  VISE_TRY(take_preprocessor(value, made, err));
  *out = made;
  made = NULL;
done:
  vise_preprocessor_free(made);
  json_decref(value);
  return status;
}
