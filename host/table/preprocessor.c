/* What a preprocessor says about itself. */
#include "host/table/preprocessor.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/call.h"
#include "host/base/number.h"

void vise_preprocessor_free(vise_preprocessor *preprocessor) {
  vise_preprocessor *p = preprocessor;
  if (p == NULL) return;

  for (size_t c = 0; c < p->n_columns; c++) {
    free(p->columns[c].name);
    free(p->columns[c].reason);
    vise_i_list_free(&p->columns[c].categories);
    vise_i_list_free(&p->columns[c].grouped);
  }
  for (size_t k = 0; k < p->n_classes; k++) free(p->classes[k].name);

  free(p->columns);
  free(p->classes);
  free(p->target_shift);
  free(p->target_scale);
  free(p->reason);
  free(p->na);
  free(p->strip);
  vise_i_list_free(&p->lines);
  free(p);
}

void vise_i_preprocessor_number_inputs(vise_preprocessor *preprocessor) {
  preprocessor->n_inputs = 0;
  for (size_t c = 0; c < preprocessor->n_columns; c++) {
    vise_i_recipe *recipe = &preprocessor->columns[c];
    recipe->first_input = preprocessor->n_inputs;
    recipe->n_inputs = recipe->role == VISE_COLUMN_FEATURE ? vise_i_recipe_n_inputs(recipe) : 0;
    preprocessor->n_inputs += recipe->n_inputs;
  }
}

const vise_i_recipe *vise_i_preprocessor_target(const vise_preprocessor *preprocessor, size_t i) {
  for (size_t c = 0; c < preprocessor->n_columns; c++) {
    const vise_i_recipe *recipe = &preprocessor->columns[c];
    if (recipe->role == VISE_COLUMN_TARGET && recipe->target_index == i) return recipe;
  }
  return NULL;
}

size_t vise_i_preprocessor_class_of_text(const vise_preprocessor *preprocessor, const char *text) {
  for (size_t k = 0; k < preprocessor->n_classes; k++) {
    if (strcmp(preprocessor->classes[k].name, text) == 0) return k;
  }
  return SIZE_MAX;
}

size_t vise_i_preprocessor_class_of_number(const vise_preprocessor *preprocessor, double value) {
  for (size_t k = 0; k < preprocessor->n_classes; k++) {
    if (preprocessor->classes[k].value == value) return k;
  }
  return SIZE_MAX;
}

/* ---- order of names ------------------------------------------------------------------------------------------- */

static int compare_texts(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

static double number_of(const char *text) {
  double v = NAN;
  return vise_i_number_parse(text, strlen(text), &v) == VISE_I_NUMBER ? v : NAN;
}

static int compare_numbers(const void *a, const void *b) {
  const double x = number_of(*(char *const *)a), y = number_of(*(char *const *)b);
  return x != y ? (x > y) - (x < y) : compare_texts(a, b);
}

void vise_i_sort_names(vise_i_list *names) {
  bool are_numbers = true;
  for (size_t k = 0; k < names->n && are_numbers; k++) are_numbers = !isnan(number_of(names->items[k]));
  if (names->n > 1) {
    qsort(names->items, names->n, sizeof *names->items, are_numbers ? compare_numbers : compare_texts);
  }
}

/* ---- what callers may ask ------------------------------------------------------------------------------------- */

size_t vise_preprocessor_n_columns(const vise_preprocessor *preprocessor) {
  return preprocessor == NULL ? 0 : preprocessor->n_columns;
}

vise_status vise_preprocessor_column(const vise_preprocessor *preprocessor, size_t i, vise_column_info *out,
                                     vise_error *err) {
  VISE_ENTER(err, preprocessor, out);
  if (i >= preprocessor->n_columns) {
    return vise_i_fail(err, VISE_ERR_USAGE, "column %zu of a preprocessor: it has %zu", i, preprocessor->n_columns);
  }

  const vise_i_recipe *r = &preprocessor->columns[i];
  *out = (vise_column_info){.name = r->name,
                            .place = i,
                            .kind = r->kind,
                            .role = r->role,
                            .reason = r->reason,
                            .first_input = r->first_input,
                            .n_inputs = r->n_inputs,
                            .n_gaps = r->n_gaps,
                            .fill = r->fill,
                            .origin = r->origin,
                            .shift = r->shift,
                            .scale = r->scale,
                            .has_indicator = r->has_indicator,
                            .n_categories = r->categories.n,
                            .n_grouped = r->grouped.n};
  return VISE_OK;
}

size_t vise_preprocessor_n_features(const vise_preprocessor *preprocessor) {
  size_t n = 0;
  if (preprocessor == NULL) return 0;
  for (size_t c = 0; c < preprocessor->n_columns; c++) n += preprocessor->columns[c].role == VISE_COLUMN_FEATURE;
  return n;
}

size_t vise_preprocessor_n_inputs(const vise_preprocessor *preprocessor) {
  return preprocessor == NULL ? 0 : preprocessor->n_inputs;
}

static const char *slot_name(const vise_i_recipe *r, size_t slot) {
  if (slot < r->categories.n) return r->categories.items[slot];
  return slot == r->categories.n && r->grouped.n > 0 ? "other" : NULL;
}

const char *vise_preprocessor_input_name(const vise_preprocessor *preprocessor, size_t i, char *buffer, size_t n) {
  if (buffer == NULL || n == 0) return "";
  buffer[0] = '\0';
  for (size_t c = 0; c < vise_preprocessor_n_columns(preprocessor); c++) {
    const vise_i_recipe *r = &preprocessor->columns[c];
    char place[32];
    if (i < r->first_input || i >= r->first_input + r->n_inputs) continue;

    snprintf(place, sizeof place, "column %zu", c);
    const char *name = r->name != NULL ? r->name : place;
    const size_t k = i - r->first_input;
    if (r->kind != VISE_COLUMN_TEXT) {
      snprintf(buffer, n, "%s%s", name, k == 1 ? " is missing" : "");
    } else {
      const char *slot = slot_name(r, r->n_inputs == 1 && vise_i_recipe_n_slots(r) == 2 ? 1 : k);
      snprintf(buffer, n, "%s%s%s", name, slot != NULL ? "=" : " is missing", slot != NULL ? slot : "");
    }
  }
  return buffer;
}

vise_target_kind vise_preprocessor_target_kind(const vise_preprocessor *preprocessor) {
  return preprocessor == NULL ? VISE_TARGET_NONE : preprocessor->target_kind;
}

size_t vise_preprocessor_n_targets(const vise_preprocessor *preprocessor) {
  return preprocessor == NULL ? 0 : preprocessor->n_targets;
}

const char *vise_preprocessor_target_name(const vise_preprocessor *preprocessor, size_t i) {
  const vise_i_recipe *target = preprocessor == NULL ? NULL : vise_i_preprocessor_target(preprocessor, i);
  return target == NULL ? NULL : target->name;
}

vise_status vise_preprocessor_target_scaling(const vise_preprocessor *preprocessor, size_t i, double *shift,
                                             double *scale, vise_error *err) {
  VISE_ENTER(err, preprocessor, shift, scale);
  if (i >= preprocessor->n_targets) {
    return vise_i_fail(err, VISE_ERR_USAGE, "target %zu of a preprocessor: it has %zu", i, preprocessor->n_targets);
  }
  *shift = preprocessor->target_shift[i];
  *scale = preprocessor->target_scale[i];
  return VISE_OK;
}

size_t vise_preprocessor_n_classes(const vise_preprocessor *preprocessor) {
  return preprocessor == NULL ? 0 : preprocessor->n_classes;
}

const char *vise_preprocessor_class_name(const vise_preprocessor *preprocessor, size_t i) {
  return i >= vise_preprocessor_n_classes(preprocessor) ? NULL : preprocessor->classes[i].name;
}

size_t vise_preprocessor_class_count(const vise_preprocessor *preprocessor, size_t i) {
  return i >= vise_preprocessor_n_classes(preprocessor) ? 0 : preprocessor->classes[i].n_rows;
}

vise_loss vise_preprocessor_loss(const vise_preprocessor *preprocessor) {
  return preprocessor == NULL ? VISE_LOSS_MSE : preprocessor->loss;
}

const char *vise_preprocessor_target_reason(const vise_preprocessor *preprocessor) {
  return preprocessor == NULL ? "" : preprocessor->reason;
}

size_t vise_preprocessor_n_rows(const vise_preprocessor *preprocessor) {
  return preprocessor == NULL ? 0 : preprocessor->n_rows;
}

size_t vise_preprocessor_n_lines(const vise_preprocessor *preprocessor) {
  return preprocessor == NULL ? 0 : preprocessor->lines.n;
}

const char *vise_preprocessor_line(const vise_preprocessor *preprocessor, size_t i) {
  return i >= vise_preprocessor_n_lines(preprocessor) ? NULL : preprocessor->lines.items[i];
}
