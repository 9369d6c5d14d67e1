/* The lines that say what was made of a table. */
#include <stdio.h>
#include <string.h>

#include "host/base/number.h"
#include "host/base/quote.h"
#include "host/table/date.h"
#include "host/table/fit.h"
#include "host/table/preprocessor.h"

enum { NAMED_MAX = 12, LINE_BYTES = 900 };

/* A line that grows item by item, and counts those that no longer fit. */
typedef struct line {
  char text[LINE_BYTES];
  size_t n, n_items, n_more;
} line;

static const char *s_of(size_t n) {
  return n == 1 ? "" : "s";
}

static const char *name_of(const vise_preprocessor *p, size_t c, char buffer[VISE_I_QUOTE_BYTES]) {
  const char *name = p->columns[c].name;
  if (name != NULL) return vise_i_quote(buffer, name, strlen(name));
  snprintf(buffer, VISE_I_QUOTE_BYTES, "column %zu", c);
  return buffer;
}

static void add_item(line *l, const char *item) {
  const size_t n = strlen(item);
  if (l->n_items == NAMED_MAX || l->n + n + 40 > sizeof l->text) {
    l->n_more++;
    return;
  }
  l->n += (size_t)snprintf(l->text + l->n, sizeof l->text - l->n, "%s%s", l->n_items++ > 0 ? ", " : "", item);
}

static vise_status add_line(vise_preprocessor *p, const char *begin, const line *l, vise_error *err) {
  if (l->n_items == 0) return VISE_OK;
  if (l->n_more == 0) return vise_i_list_addf(&p->lines, err, "%s%s", begin, l->text);
  return vise_i_list_addf(&p->lines, err, "%s%s and %zu more", begin, l->text, l->n_more);
}

static vise_status add_head(vise_preprocessor *p, const char *table_name, vise_error *err) {
  char targets[48] = "";
  if (p->target_kind == VISE_TARGET_CLASSES) snprintf(targets, sizeof targets, ", %zu classes", p->n_classes);
  if (p->target_kind == VISE_TARGET_NUMBERS) {
    snprintf(targets, sizeof targets, ", %zu target%s", p->n_targets, s_of(p->n_targets));
  }
  /* The same from every folder. */
  const char *slash = strrchr(table_name, '/'), *file = slash != NULL ? slash + 1 : table_name;
  return vise_i_list_addf(&p->lines, err, "%.600s: %zu row%s, %zu column%s to %zu input%s%s", file, p->n_rows,
                          s_of(p->n_rows), p->n_columns, s_of(p->n_columns), p->n_inputs, s_of(p->n_inputs), targets);
}

static vise_status add_kinds(vise_preprocessor *p, vise_error *err) {
  size_t n[vise_column_kind_count_] = {0};
  line l = {0};
  for (size_t c = 0; c < p->n_columns; c++) n[p->columns[c].kind] += p->columns[c].role == VISE_COLUMN_FEATURE;

  for (size_t k = 0; k < vise_column_kind_count_; k++) {
    char item[48];
    if (n[k] == 0) continue;
    snprintf(item, sizeof item, "%zu %s%s", n[k], vise_column_kind_name((vise_column_kind)k),
             k == VISE_COLUMN_TEXT ? "" : s_of(n[k]));
    add_item(&l, item);
  }

  return add_line(p, "features: ", &l, err);
}

/* What a feature of this kind became; "" if there is nothing to say. */
typedef void describe_feature(const vise_preprocessor *p, size_t c, char *item, size_t n);

static void describe_text(const vise_preprocessor *p, size_t c, char *item, size_t n) {
  const vise_i_recipe *r = &p->columns[c];
  char name[VISE_I_QUOTE_BYTES], grouped[64] = "";
  if (r->kind != VISE_COLUMN_TEXT) return;
  if (r->grouped.n > 0) snprintf(grouped, sizeof grouped, " and %zu rarer as \"other\"", r->grouped.n);
  snprintf(item, n, "%s (%zu value%s%s%s)", name_of(p, c, name), r->categories.n, s_of(r->categories.n), grouped,
           r->has_gap_slot ? " and gaps" : "");
}

static void describe_date(const vise_preprocessor *p, size_t c, char *item, size_t n) {
  char name[VISE_I_QUOTE_BYTES], date[VISE_I_DATE_BYTES];
  if (p->columns[c].kind != VISE_COLUMN_DATE) return;
  snprintf(item, n, "%s (days since %s)", name_of(p, c, name), vise_i_date_text(date, p->columns[c].origin));
}

static void describe_fill(const vise_preprocessor *p, size_t c, char *item, size_t n) {
  const vise_i_recipe *r = &p->columns[c];
  char name[VISE_I_QUOTE_BYTES];
  if (r->kind == VISE_COLUMN_TEXT || !r->has_indicator) return;
  snprintf(item, n, "%s (%zu, by %.4g)", name_of(p, c, name), r->n_gaps, r->fill);
}

/* Numbers that tell whose row it is: whoever has several rows of each may want them, so they are told of. */
static void describe_id(const vise_preprocessor *p, size_t c, char *item, size_t n) {
  char name[VISE_I_QUOTE_BYTES];
  const vise_i_recipe *r = &p->columns[c];
  if (r->kind != VISE_COLUMN_NUMBER || r->name == NULL || !vise_i_is_called_id(r->name)) return;
  snprintf(item, n, "%s", name_of(p, c, name));
}

static vise_status add_features(vise_preprocessor *p, const char *begin, describe_feature *describe, vise_error *err) {
  line l = {0};
  for (size_t c = 0; c < p->n_columns; c++) {
    char item[192] = "";
    if (p->columns[c].role == VISE_COLUMN_FEATURE) describe(p, c, item, sizeof item);
    if (item[0] != '\0') add_item(&l, item);
  }
  return add_line(p, begin, &l, err);
}

static vise_status add_dropped(vise_preprocessor *p, vise_error *err) {
  size_t n = 0;
  for (size_t c = 0; c < p->n_columns; c++) {
    char name[VISE_I_QUOTE_BYTES];
    if (p->columns[c].role != VISE_COLUMN_DROPPED || n++ >= NAMED_MAX) continue;
    const vise_status status =
        vise_i_list_addf(&p->lines, err, "left out: %s, %s", name_of(p, c, name), p->columns[c].reason);
    if (status != VISE_OK) return status;
  }
  return n <= NAMED_MAX ? VISE_OK : vise_i_list_addf(&p->lines, err, "left out: %zu more columns", n - NAMED_MAX);
}

static vise_status add_target(vise_preprocessor *p, vise_error *err) {
  line l = {0};
  char name[VISE_I_QUOTE_BYTES], begin[96];
  for (size_t c = 0; c < p->n_columns; c++) {
    if (p->columns[c].role == VISE_COLUMN_TARGET) add_item(&l, name_of(p, c, name));
  }
  vise_status status = add_line(p, "target: ", &l, err);
  if (status != VISE_OK || p->target_kind == VISE_TARGET_NONE) return status;
  status = vise_i_list_addf(&p->lines, err, "target is %s: %s", vise_target_kind_name(p->target_kind), p->reason);
  if (status != VISE_OK || p->target_kind != VISE_TARGET_CLASSES) return status;

  l = (line){0};
  for (size_t k = 0; k < p->n_classes; k++) {
    snprintf(begin, sizeof begin, "%s %zu", vise_i_quote(name, p->classes[k].name, strlen(p->classes[k].name)),
             p->classes[k].n_rows);
    add_item(&l, begin);
  }
  return add_line(p, "classes: ", &l, err);
}

static vise_status add_rows(vise_preprocessor *p, vise_error *err) {
  vise_status status = VISE_OK;
  if (p->n_without_target > 0) {
    status = vise_i_list_addf(&p->lines, err, "%zu row%s left out: no target", p->n_without_target,
                              s_of(p->n_without_target));
  }
  if (status == VISE_OK && p->n_dropped > 0) {
    status = vise_i_list_addf(&p->lines, err, "%zu row%s left out: a gap, by `missing` drop-rows", p->n_dropped,
                              s_of(p->n_dropped));
  }
  return status;
}

vise_status vise_i_preprocessor_describe(vise_preprocessor *preprocessor, const char *table_name, vise_error *err) {
  vise_status status = VISE_OK;

  VISE_TRY(add_head(preprocessor, table_name, err));
  VISE_TRY(add_rows(preprocessor, err));
  VISE_TRY(add_kinds(preprocessor, err));
  VISE_TRY(add_features(preprocessor, "text as inputs of 0 and 1: ", describe_text, err));
  VISE_TRY(add_features(preprocessor, "dates: ", describe_date, err));
  VISE_TRY(add_features(preprocessor, "gaps filled, with an input that marks them: ", describe_fill, err));
  VISE_TRY(
      add_features(preprocessor, "taken for numbers, though called ids (`drop` leaves them out): ", describe_id, err));
  VISE_TRY(add_dropped(preprocessor, err));
  VISE_TRY(add_target(preprocessor, err));

done:
  return status;
}
