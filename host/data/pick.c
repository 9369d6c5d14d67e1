/* Which columns of a table are targets: NAME, INDEX (negative from the end) or a comma list. */
#include <stdlib.h>
#include <string.h>

#include "host/data/reader.h"

/* The outcome of looking for a column. */
typedef enum pick { PICK_FOUND, PICK_MISSING } pick;

static pick find_name(const vise_i_columns *columns, const char *text, size_t n, size_t *out) {
  for (size_t c = 0; columns->names != NULL && c < columns->n_cols; c++) {
    if (strlen(columns->names[c]) != n || memcmp(columns->names[c], text, n) != 0) continue;
    *out = c;
    return PICK_FOUND;
  }
  return PICK_MISSING;
}

/* [+-]digits, as a column index. *is_index is false if the text is not an integer. */
static pick find_index(const vise_i_columns *columns, const char *text, size_t n, bool *is_index, size_t *out) {
  size_t k = n > 0 && (text[0] == '-' || text[0] == '+') ? 1 : 0;
  const bool negative = k == 1 && text[0] == '-';
  size_t value = 0;

  *is_index = k < n;
  for (; k < n; k++) {
    if (text[k] < '0' || text[k] > '9') *is_index = false;
    if (value <= columns->n_cols) value = value * 10 + (size_t)(text[k] - '0');
  }

  if (!*is_index) return PICK_MISSING;
  if (negative ? value < 1 || value > columns->n_cols : value >= columns->n_cols) return PICK_MISSING;
  *out = negative ? columns->n_cols - value : value;
  return PICK_FOUND;
}

static vise_status fail_missing(const vise_i_columns *columns, const char *text, size_t n, bool is_index,
                                vise_error *err) {
  char quote[VISE_I_QUOTE_BYTES], first[VISE_I_QUOTE_BYTES], last[VISE_I_QUOTE_BYTES];
  vise_i_quote(quote, text, n);

  if (is_index) {
    return vise_i_fail(err, VISE_ERR_USAGE,
                       "%s: has no target column %s; it has %zu columns, 0 to %zu (or -1 to -%zu from the end)",
                       columns->file, quote, columns->n_cols, columns->n_cols - 1, columns->n_cols);
  }
  if (columns->names == NULL) {
    return vise_i_fail(err, VISE_ERR_USAGE,
                       "%s: has no target column \"%s\": its first line is all numbers, so columns have no names; give "
                       "an index from 0 to %zu",
                       columns->file, quote, columns->n_cols - 1);
  }

  const char *f = columns->names[0], *l = columns->names[columns->n_cols - 1];
  return vise_i_fail(err, VISE_ERR_USAGE,
                     "%s: has no target column \"%s\"; its %zu columns go from \"%s\" to \"%s\" (an index works too)",
                     columns->file, quote, columns->n_cols, vise_i_quote(first, f, strlen(f)),
                     vise_i_quote(last, l, strlen(l)));
}

static vise_status mark(const vise_i_columns *columns, size_t column, int32_t *slots, size_t *n_targets,
                        vise_error *err) {
  if (slots[column] >= 0) {
    return vise_i_fail(err, VISE_ERR_USAGE, "%s: target column %zu is asked for twice", columns->file, column);
  }
  slots[column] = (int32_t)(*n_targets)++;
  return VISE_OK;
}

/* One entry of the list; *missing tells whether there is no such column. */
static vise_status pick_one(const vise_i_columns *columns, const char *text, size_t n, int32_t *slots,
                            size_t *n_targets, bool *missing, vise_error *err) {
  size_t column = 0;
  bool is_index = false;
  *missing = false;

  pick p = find_name(columns, text, n, &column);
  if (p == PICK_MISSING) p = find_index(columns, text, n, &is_index, &column);
  *missing = p == PICK_MISSING;
  if (*missing) return fail_missing(columns, text, n, is_index, err);
  return mark(columns, column, slots, n_targets, err);
}

static vise_status pick_list(const vise_i_columns *columns, const char *target, bool target_optional, int32_t *slots,
                             size_t *n_targets, vise_error *err) {
  vise_error first_missing = VISE_ERROR_INIT;
  size_t n_missing = 0;
  bool missing = false;

  for (const char *at = target;;) {
    const char *comma = strchr(at, ',');
    const char *end = comma != NULL ? comma : at + strlen(at), *next = end;
    while (at < end && *at == ' ') at++;
    while (end > at && end[-1] == ' ') end--;

    vise_error entry = VISE_ERROR_INIT;
    const vise_status status = pick_one(columns, at, (size_t)(end - at), slots, n_targets, &missing, &entry);
    if (missing) {
      n_missing++;
      if (first_missing.code == VISE_OK) first_missing = entry;
    } else if (status != VISE_OK) {
      return vise_i_fail(err, status, "%s", entry.text);
    }

    if (comma == NULL) break;
    at = next + 1;
  }

  if (n_missing == 0 || (target_optional && *n_targets == 0)) return VISE_OK;
  return vise_i_fail(err, first_missing.code, "%s", first_missing.text);
}

vise_status vise_i_columns_pick(const vise_i_columns *columns, const char *target, bool target_optional, int32_t *slots,
                                size_t *n_targets, vise_error *err) {
  vise_status status = VISE_OK;
  size_t n = 0, column = 0;
  for (size_t c = 0; c < columns->n_cols; c++) slots[c] = -1;

  if (target == NULL) {
    status = mark(columns, columns->n_cols - 1, slots, &n, err);
  } else if (find_name(columns, target, strlen(target), &column) == PICK_FOUND && target[0] != 0) {
    status = mark(columns, column, slots, &n, err); /* a name may itself contain a comma */
  } else if (target[0] != 0) {
    status = pick_list(columns, target, target_optional, slots, &n, err);
  }

  if (status != VISE_OK) return status;
  if (n == columns->n_cols) {
    return vise_i_fail(err, VISE_ERR_USAGE, "%s: has %zu column%s, all of them targets, so no features are left",
                       columns->file, n, n == 1 ? "" : "s");
  }

  *n_targets = n;
  return VISE_OK;
}
