/* Applying a preprocessor to a table, block by block. */
#include "host/table/transform.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/call.h"
#include "host/base/memory.h"
#include "host/base/quote.h"
#include "host/base/room.h"
#include "host/base/struct.h"

/* To ask the system how much memory is free takes longer than to make as few as these. */
enum { FEW_BYTES = 1 << 20 };

static vise_transform_options default_options(void) {
  return (vise_transform_options){.struct_size = sizeof(vise_transform_options), .dtype = VISE_F32, .targets = true};
}

VISE_I_DEFINE_INIT(vise_transform_options, use_up, default_options)

static vise_status complete_options(const vise_transform_options *given, vise_transform_options *options,
                                    vise_error *err) {
  *options = default_options();
  if (given == NULL) return VISE_OK;
  const vise_status status = vise_i_config_take(options, sizeof *options, given, "vise_transform_options", err);
  if (status != VISE_OK) return status;

  if (options->dtype != VISE_F32 && options->dtype != VISE_F64) {
    return vise_i_fail(err, VISE_ERR_USAGE, "transform options: `dtype` is %s; inputs are f32 or f64",
                       vise_dtype_name(options->dtype));
  }
  return VISE_OK;
}

/* ---- what is needed of the table ------------------------------------------------------------------------------ */

static const vise_i_recipe *recipe_of(const vise_i_transform *t, size_t k) {
  return &t->preprocessor->columns[k];
}

/* Column k takes part: a feature, or a target that is wanted. */
static bool is_wanted(const vise_i_transform *t, size_t k) {
  const vise_column_role role = recipe_of(t, k)->role;
  return role == VISE_COLUMN_FEATURE || (role == VISE_COLUMN_TARGET && t->options->targets);
}

static vise_status check_column(const vise_i_transform *t, size_t k) {
  const vise_i_recipe *r = recipe_of(t, k);
  char column[VISE_I_COLUMN_TEXT_BYTES];
  const size_t c = t->places[k];
  if (c == SIZE_MAX && r->role == VISE_COLUMN_TARGET) {
    return vise_i_fail(t->err, VISE_ERR_SHAPE, "%s: lacks the target \"%s\"", t->table->name,
                       r->name != NULL ? r->name : "");
  }
  if (c == SIZE_MAX) return VISE_OK;

  const vise_i_column *found = &t->table->columns[c];
  const bool same = found->kind == r->kind && !found->skipped;
  if (same) return VISE_OK;
  return vise_i_fail(t->err, VISE_ERR_VALUE,
                     "%s: %s is %s, and the model takes it for %s; a table read for it has it so, an "
                     "array has numbers alone",
                     t->table->name, vise_i_column_text(column, t->table, c),
                     found->skipped ? "left out" : vise_column_kind_name(found->kind), vise_column_kind_name(r->kind));
}

/* The slot of every text of the table's column: of a feature its input, of a target its class. */
static vise_status find_slots(vise_i_transform *t, size_t k) {
  const vise_i_recipe *r = recipe_of(t, k);
  const vise_i_dictionary *texts = &t->table->columns[t->places[k]].texts;
  vise_i_dictionary known = {0};
  vise_status status = VISE_OK;
  uint32_t code;
  VISE_TRY(vise_i_alloc(&t->slots[k], texts->n, sizeof *t->slots[k], "texts of a column", t->err));
  if (r->role == VISE_COLUMN_TARGET) {
    for (size_t i = 0; i < t->preprocessor->n_classes; i++) {
      const char *name = t->preprocessor->classes[i].name;
      VISE_TRY(vise_i_dictionary_code(&known, name, strlen(name), &code, t->err));
    }
  }
  for (size_t i = 0; i < r->categories.n + r->grouped.n; i++) {
    const char *text = i < r->categories.n ? r->categories.items[i] : r->grouped.items[i - r->categories.n];
    VISE_TRY(vise_i_dictionary_code(&known, text, strlen(text), &code, t->err));
  }

  const bool is_feature = r->role == VISE_COLUMN_FEATURE;
  for (uint32_t i = 0; i < texts->n; i++) {
    const char *text = vise_i_dictionary_text(texts, i);
    const uint32_t slot = vise_i_dictionary_find(&known, text, strlen(text));
    const uint32_t last = is_feature ? (uint32_t)r->categories.n : UINT32_MAX;
    t->slots[k][i] = slot == VISE_I_GAP ? VISE_I_UNSEEN : (slot < last ? slot : last);
  }
done:
  vise_i_dictionary_free(&known);
  return status;
}

static vise_status begin(vise_i_transform *t) {
  const size_t n = t->preprocessor->n_columns;
  vise_status status = VISE_OK;

  if (t->table->used_up) VISE_TRY(vise_i_fail(t->err, VISE_ERR_STATE, "%s: the table was used up", t->table->name));
  VISE_TRY(vise_i_alloc(&t->places, n, sizeof *t->places, "columns", t->err));
  VISE_TRY(vise_i_alloc_zero(&t->slots, n, sizeof *t->slots, "columns", t->err));
  VISE_TRY(vise_i_alloc_zero(&t->n_unknown, n, sizeof *t->n_unknown, "columns", t->err));
  VISE_TRY(vise_i_preprocessor_match(t->preprocessor, t->table, t->places, t->err));

  for (size_t k = 0; k < n; k++) {
    if (!is_wanted(t, k)) continue;
    VISE_TRY(check_column(t, k));
    if (t->places[k] != SIZE_MAX && recipe_of(t, k)->kind == VISE_COLUMN_TEXT) VISE_TRY(find_slots(t, k));
  }

done:
  return status;
}

/* ---- rows ----------------------------------------------------------------------------------------------------- */

static vise_status take_rows(vise_i_transform *t) {
  const vise_transform_options *o = t->options;
  vise_transformed *made = t->made;
  made->counts.n_rows = o->rows != NULL ? o->n_rows : t->table->n_rows;
  if (o->rows == NULL) return VISE_OK;

  const vise_status status = vise_i_alloc(&made->rows, o->n_rows, sizeof *made->rows, "rows", t->err);
  if (status != VISE_OK) return status;
  for (size_t i = 0; i < o->n_rows; i++) {
    made->rows[i] = o->rows[i];
    if (o->rows[i] < t->table->n_rows && (i == 0 || o->rows[i] > o->rows[i - 1])) continue;
    return vise_i_fail(t->err, VISE_ERR_SHAPE, "%s: `rows` must ascend and be below %zu; place %zu holds %zu",
                       t->table->name, t->table->n_rows, i, o->rows[i]);
  }
  return VISE_OK;
}

/* The rows as a list, where they were all of them until now. */
static vise_status list_rows(vise_i_transform *t) {
  vise_transformed *made = t->made;
  if (made->rows != NULL) return VISE_OK;
  const vise_status status = vise_i_alloc(&made->rows, made->counts.n_rows, sizeof *made->rows, "rows", t->err);
  for (size_t i = 0; status == VISE_OK && i < made->counts.n_rows; i++) made->rows[i] = i;
  return status;
}

/* Leaves out the rows that have a gap in column k. */
static vise_status leave_out(vise_i_transform *t, size_t k, size_t *n_left_out) {
  vise_transformed *made = t->made;
  size_t kept = 0;
  vise_i_span span = {0};

  for (size_t i = 0, b = 0; i < made->counts.n_rows; i++) {
    const size_t row = vise_i_transformed_row(made, i);
    while (row >= span.first_row + span.n_rows) span = vise_i_table_span(t->table, b++, t->places[k]);
    const size_t at = row - span.first_row;
    const bool gap = span.codes != NULL ? span.codes[at] == VISE_I_GAP : isnan(span.numbers[at]);
    if (gap) {
      const vise_status status = list_rows(t);
      if (status != VISE_OK) return status;
    } else {
      if (made->rows != NULL) made->rows[kept] = row;
      kept++;
    }
  }

  *n_left_out += made->counts.n_rows - kept;
  made->counts.n_rows = kept;
  return VISE_OK;
}

static vise_status choose_rows(vise_i_transform *t) {
  vise_transform_counts *counts = &t->made->counts;
  const bool drop = t->preprocessor->missing == VISE_MISSING_DROP_ROWS && !t->options->keep_all_rows;
  vise_status status = VISE_OK;

  VISE_TRY(take_rows(t));
  for (size_t k = 0; k < t->preprocessor->n_columns; k++) {
    if (recipe_of(t, k)->role == VISE_COLUMN_TARGET && is_wanted(t, k)) {
      VISE_TRY(leave_out(t, k, &counts->n_without_target));
    }
  }

  for (size_t k = 0; k < t->preprocessor->n_columns && drop; k++) {
    if (recipe_of(t, k)->role != VISE_COLUMN_FEATURE || t->places[k] == SIZE_MAX) continue;
    VISE_TRY(leave_out(t, k, &counts->n_dropped));
  }

  if (counts->n_rows == 0) {
    VISE_TRY(vise_i_fail(t->err, VISE_ERR_VALUE, "%s: no row is left: %zu lack the target, %zu have a gap",
                         t->table->name, counts->n_without_target, counts->n_dropped));
  }

done:
  return status;
}

/* ---- conversion ----------------------------------------------------------------------------------------------- */

static vise_status check_room(const vise_i_transform *t, size_t n_rows) {
  const double n_inputs = (double)t->preprocessor->n_inputs;
  const double n_bytes = (double)n_rows * n_inputs * (double)vise_dtype_size(t->options->dtype);
  if (t->options->max_bytes == 0 && n_bytes <= FEW_BYTES) return VISE_OK;

  const vise_i_room room = vise_i_room_of(t->table->name, t->options->max_bytes);
  char what[96];
  (void)snprintf(what, sizeof what, "%zu rows of %zu inputs", n_rows, t->preprocessor->n_inputs);
  return vise_i_room_check(&room, n_bytes, VISE_I_NEEDS, what, t->err);
}

static vise_status make_room(vise_i_transform *t) {
  const vise_preprocessor *p = t->preprocessor;
  vise_transformed *made = t->made;
  const size_t n_rows = made->counts.n_rows;
  size_t n_values;
  vise_status status = VISE_OK;
  made->dtype = t->options->dtype;
  made->n_inputs = p->n_inputs;
  if (!vise_i_size_mul(n_rows, p->n_inputs, &n_values)) VISE_TRY(vise_i_fail_memory(t->err, SIZE_MAX, t->table->name));
  VISE_TRY(check_room(t, n_rows));
  VISE_TRY(vise_i_alloc_aligned(&made->features, n_values, vise_dtype_size(made->dtype), "the inputs", t->err));
  if (!t->options->targets || p->n_targets == 0) goto done;

  made->n_targets = p->n_targets;
  if (p->target_kind == VISE_TARGET_CLASSES) {
    VISE_TRY(vise_i_alloc(&made->codes, n_rows, sizeof *made->codes, "targets", t->err));
  } else {
    VISE_TRY(vise_i_alloc(&made->targets, n_rows * p->n_targets, sizeof *made->targets, "targets", t->err));
  }
done:
  return status;
}

/* The rows of block b, which become first_out .. first_out + n_out - 1. */
static vise_status convert_block(vise_i_transform *t, size_t b, size_t first_out, size_t n_out) {
  for (size_t k = 0; k < t->preprocessor->n_columns; k++) {
    vise_i_span span = {0};
    if (!is_wanted(t, k)) continue;
    if (t->places[k] != SIZE_MAX) span = vise_i_table_span(t->table, b, t->places[k]);
    const vise_status status = recipe_of(t, k)->role == VISE_COLUMN_TARGET
                                   ? vise_i_transform_target(t, k, &span, first_out, n_out)
                                   : vise_i_transform_feature(t, k, &span, first_out, n_out);
    if (status != VISE_OK) return status;
  }
  return VISE_OK;
}

static vise_status convert(vise_i_transform *t) {
  const vise_transformed *made = t->made;
  size_t out = 0;

  for (size_t b = 0; b < t->table->n_blocks; b++) {
    const vise_i_span span = vise_i_table_span(t->table, b, 0);
    size_t n = 0;
    while (out + n < made->counts.n_rows && vise_i_transformed_row(made, out + n) < span.first_row + span.n_rows) n++;
    if (n > 0) {
      const vise_status status = convert_block(t, b, out, n);
      if (status != VISE_OK) return status;
    }
    out += n;

    if (t->options->use_up) {
      t->table->used_up = true;
      vise_i_table_free_block(t->table, b);
    }
  }
  return VISE_OK;
}

/* ---- notes ---------------------------------------------------------------------------------------------------- */

static vise_status note_extra_columns(vise_i_transform *t) {
  const vise_table *table = t->table;
  vise_i_list names = {0};
  char text[512];
  bool *used = NULL;
  vise_status status = VISE_OK;
  VISE_TRY(vise_i_alloc_zero(&used, table->n_columns, sizeof *used, "columns", t->err));
  for (size_t k = 0; k < t->preprocessor->n_columns; k++) {
    if (t->places[k] != SIZE_MAX) used[t->places[k]] = true; /* what was left out in training is no news */
  }
  for (size_t c = 0; c < table->n_columns; c++) {
    const char *name = table->columns[c].name;
    if (!used[c] && name != NULL) VISE_TRY(vise_i_list_add(&names, name, strlen(name), t->err));
  }

  if (names.n > 0 && table->has_names && t->preprocessor->has_names) {
    VISE_TRY(vise_i_list_addf(&t->made->notes, t->err, "%s: %zu column%s left out, which the model does not use: %s",
                              table->name, names.n, names.n == 1 ? "" : "s",
                              vise_i_list_join(&names, text, sizeof text)));
  }

done:
  free(used);
  vise_i_list_free(&names);
  return status;
}

static vise_status note_unknown(vise_i_transform *t) {
  for (size_t k = 0; k < t->preprocessor->n_columns; k++) {
    char column[VISE_I_COLUMN_TEXT_BYTES];
    const size_t n = t->n_unknown[k];
    if (n == 0) continue;

    vise_i_column_text(column, t->table, t->places[k]);
    const vise_status status =
        vise_i_list_addf(&t->made->notes, t->err,
                         recipe_of(t, k)->kind == VISE_COLUMN_TEXT
                             ? "%s: %s: %zu value%s that no training row had, so all its inputs are 0 there"
                             : "%s: %s: %zu gap%s where the training rows had none, filled by the mean",
                         t->table->name, column, n, n == 1 ? "" : "s");
    if (status != VISE_OK) return status;
  }

  return VISE_OK;
}

static vise_status add_notes(vise_i_transform *t) {
  const vise_transform_counts *c = &t->made->counts;
  vise_status status = VISE_OK;

  if (c->n_without_target > 0) {
    VISE_TRY(vise_i_list_addf(&t->made->notes, t->err, "%s: %zu row%s left out: no target", t->table->name,
                              c->n_without_target, c->n_without_target == 1 ? "" : "s"));
  }
  if (c->n_dropped > 0) {
    VISE_TRY(vise_i_list_addf(&t->made->notes, t->err, "%s: %zu row%s left out: a gap", t->table->name, c->n_dropped,
                              c->n_dropped == 1 ? "" : "s"));
  }

  VISE_TRY(note_extra_columns(t));
  VISE_TRY(note_unknown(t));

done:
  return status;
}

/* ---- all of it ------------------------------------------------------------------------------------------------ */

static vise_status transform(vise_i_transform *t) {
  vise_status status = VISE_OK;

  VISE_TRY(vise_i_alloc_zero(&t->made, 1, sizeof *t->made, "inputs and targets", t->err));
  VISE_TRY(vise_i_copy_text(&t->made->name, t->table->name, t->err));
  t->made->n_table_rows = t->table->n_rows;

  VISE_TRY(begin(t));
  VISE_TRY(choose_rows(t));
  VISE_TRY(make_room(t));
  VISE_TRY(convert(t));
  VISE_TRY(add_notes(t));

done:
  return status;
}

vise_status vise_preprocessor_transform(const vise_preprocessor *preprocessor, vise_table *table,
                                        const vise_transform_options *options, vise_transformed **out,
                                        vise_error *err) {
  vise_transform_options complete;
  vise_i_transform t = {.preprocessor = preprocessor, .table = table, .options = &complete, .err = err};
  VISE_ENTER(err, preprocessor, table, out);
  vise_status status = complete_options(options, &complete, err);
  if (status == VISE_OK) status = transform(&t);
  if (status == VISE_OK) {
    *out = t.made;
    t.made = NULL;
  }

  vise_transformed_free(t.made);
  for (size_t k = 0; t.slots != NULL && k < preprocessor->n_columns; k++) free(t.slots[k]);
  free(t.slots);
  free(t.places);
  free(t.n_unknown);
  return status;
}

void vise_transformed_free(vise_transformed *transformed) {
  if (transformed == NULL) return;
  free(transformed->features);
  free(transformed->codes);
  free(transformed->targets);
  free(transformed->rows);
  free(transformed->name);
  vise_i_list_free(&transformed->notes);
  free(transformed);
}

vise_array vise_transformed_features(const vise_transformed *transformed) {
  if (transformed == NULL) return (vise_array){0};
  return vise_array_of(transformed->features, transformed->dtype, transformed->counts.n_rows, transformed->n_inputs);
}

vise_array vise_transformed_targets(const vise_transformed *transformed) {
  if (transformed == NULL || transformed->n_targets == 0) return (vise_array){0};
  const bool classes = transformed->codes != NULL;
  return vise_array_of(classes ? (const void *)transformed->codes : transformed->targets, classes ? VISE_I64 : VISE_F64,
                       transformed->counts.n_rows, transformed->n_targets);
}

const size_t *vise_transformed_rows(const vise_transformed *transformed) {
  return transformed == NULL ? NULL : transformed->rows;
}

const char *vise_transformed_name(const vise_transformed *transformed) {
  return transformed == NULL ? "?" : transformed->name;
}

size_t vise_transformed_n_table_rows(const vise_transformed *transformed) {
  return transformed == NULL ? 0 : transformed->n_table_rows;
}

vise_transform_counts vise_transformed_counts(const vise_transformed *transformed) {
  return transformed == NULL ? (vise_transform_counts){0} : transformed->counts;
}

size_t vise_transformed_n_notes(const vise_transformed *transformed) {
  return transformed == NULL ? 0 : transformed->notes.n;
}

const char *vise_transformed_note(const vise_transformed *transformed, size_t i) {
  return i >= vise_transformed_n_notes(transformed) ? NULL : transformed->notes.items[i];
}
