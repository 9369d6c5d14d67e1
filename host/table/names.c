/* The names of a table's columns, and finding columns by name or place. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/memory.h"
#include "host/base/quote.h"
#include "host/table/table.h"

bool vise_i_table_find_name(const vise_table *table, const char *name, size_t *out) {
  for (size_t c = 0; c < table->n_columns; c++) {
    if (table->columns[c].name == NULL || strcmp(table->columns[c].name, name) != 0) continue;
    *out = c;
    return true;
  }
  return false;
}

/* [+-]digits as a place in 0..n; negative: from the end. */
static bool find_place(const char *text, size_t n, size_t *out) {
  const bool negative = text[0] == '-';
  const char *s = text + (negative || text[0] == '+' ? 1 : 0);
  size_t value = 0;
  if (*s == '\0' || strspn(s, "0123456789") != strlen(s)) return false;

  for (; *s != '\0' && value <= n; s++) value = value * 10 + (size_t)(*s - '0');
  if (negative ? value < 1 || value > n : value >= n) return false;
  *out = negative ? n - value : value;
  return true;
}

static vise_status fail_unknown(const vise_table *table, const char *text, const char *field, vise_error *err) {
  char quote[VISE_I_QUOTE_BYTES], known[512];
  vise_i_list names = {0};
  vise_status status = VISE_OK;

  vise_i_quote(quote, text, strlen(text));
  if (!table->has_names) {
    return vise_i_fail(err, VISE_ERR_USAGE,
                       "%s: `%s` names \"%s\", but the columns have no names; give a place from 0 to %zu", table->name,
                       field, quote, table->n_columns - 1);
  }

  for (size_t c = 0; c < table->n_columns && c < 64; c++) {
    const char *name = table->columns[c].name != NULL ? table->columns[c].name : "(none)";
    VISE_TRY(vise_i_list_add(&names, name, strlen(name), err));
  }

  status = vise_i_fail(err, VISE_ERR_USAGE, "%s: `%s` names \"%s\", which is no column; there are %s", table->name,
                       field, quote, vise_i_list_join(&names, known, sizeof known));

done:
  vise_i_list_free(&names);
  return status;
}

vise_status vise_i_table_find(const vise_table *table, const char *text, const char *field, size_t *out,
                              vise_error *err) {
  if (vise_i_table_find_name(table, text, out) || find_place(text, table->n_columns, out)) return VISE_OK;
  return fail_unknown(table, text, field, err);
}

vise_status vise_i_table_choose(const vise_table *table, const char *list, const char *field, bool *chosen,
                                vise_error *err) {
  vise_status status = VISE_OK;
  vise_i_list items = {0};
  size_t c = 0;
  memset(chosen, 0, table->n_columns * sizeof *chosen);
  if (list == NULL || list[0] == '\0') return VISE_OK;
  if (vise_i_table_find_name(table, list, &c)) { /* a name may hold a comma */
    chosen[c] = true;
    return VISE_OK;
  }

  VISE_TRY(vise_i_list_split(&items, list, err));
  for (size_t i = 0; i < items.n; i++) {
    VISE_TRY(vise_i_table_find(table, items.items[i], field, &c, err));
    chosen[c] = true;
  }
done:
  vise_i_list_free(&items);
  return status;
}

/* Whether one of the columns before c has this name, by a dictionary of them. */
static vise_status make_unique(vise_table *table, size_t c, vise_i_dictionary *known, vise_error *err) {
  char **name = &table->columns[c].name;
  const size_t n_bytes = strlen(*name) + 24;
  char *numbered = NULL;
  uint32_t code;

  if (vise_i_dictionary_find(known, *name, strlen(*name)) != VISE_I_GAP) {
    vise_status status = vise_i_alloc(&numbered, n_bytes, 1, "a name", err);
    if (status != VISE_OK) return status;
    for (size_t k = 1; k == 1 || vise_i_dictionary_find(known, numbered, strlen(numbered)) != VISE_I_GAP; k++) {
      snprintf(numbered, n_bytes, "%s.%zu", *name, k);
    }
    status =
        vise_i_list_addf(&table->notes, err, "column %zu is named as one before it: it is called \"%s\"", c, numbered);
    free(*name);
    *name = numbered;
    if (status != VISE_OK) return status;
  }

  return vise_i_dictionary_code(known, *name, strlen(*name), &code, err);
}

vise_status vise_i_table_finish_names(vise_table *table, vise_error *err) {
  vise_status status = VISE_OK;
  vise_i_dictionary known = {0};
  if (!table->has_names) return VISE_OK;

  for (size_t c = 0; c < table->n_columns; c++) {
    vise_i_column *column = &table->columns[c];
    column->named = column->name != NULL && column->name[0] != '\0';
    if (!column->named) {
      char made[48];
      snprintf(made, sizeof made, "Unnamed: %zu", c);
      free(column->name);
      column->name = NULL;
      VISE_TRY(vise_i_copy_text(&column->name, made, err));
    }
    VISE_TRY(make_unique(table, c, &known, err));
  }
done:
  vise_i_dictionary_free(&known);
  return status;
}
