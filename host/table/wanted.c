/* The kinds of columns that the caller asked for, by lists or by a preprocessor. */
#include <stdlib.h>
#include <string.h>

#include "host/base/memory.h"
#include "host/table/preprocessor.h"
#include "host/table/reader.h"

/* A list that names a field of line 1 says that it is a header. */
static vise_status note_names(vise_i_reader *r, const char *list) {
  vise_i_list items = {0};
  size_t c;
  vise_status status = vise_i_list_split(&items, list, r->err);
  for (size_t i = 0; status == VISE_OK && i < items.n && !r->is_named; i++) {
    if (r->dialect.header == VISE_HEADER_NO || !vise_i_table_find_name(r->table, items.items[i], &c)) continue;
    r->dialect.header = VISE_HEADER_YES;
    status = vise_i_header_name(r);
  }
  vise_i_list_free(&items);
  return status;
}

static vise_status take_lists(vise_i_reader *r, bool *text, bool *numbers) {
  vise_status status = VISE_OK;

  VISE_TRY(note_names(r, r->options->categorical));
  VISE_TRY(note_names(r, r->options->numeric));
  VISE_TRY(vise_i_table_choose(r->table, r->options->categorical, "categorical", text, r->err));
  VISE_TRY(vise_i_table_choose(r->table, r->options->numeric, "numeric", numbers, r->err));

  for (size_t c = 0; c < r->table->n_columns; c++) {
    char buffer[VISE_I_COLUMN_TEXT_BYTES];
    if (!text[c] && !numbers[c]) continue;
    if (text[c] && numbers[c]) {
      VISE_TRY(vise_i_fail(r->err, VISE_ERR_USAGE, "%s: %s is in `categorical` and in `numeric`; it can be one of them",
                           r->table->name, vise_i_column_text(buffer, r->table, c)));
    }
    r->columns[c].mode = text[c] ? VISE_I_MODE_TEXT : VISE_I_MODE_NUMBERS;
    r->columns[c].forced = true;
  }

done:
  return status;
}

/* Line 1 is a header if it has a name that the preprocessor uses. */
static vise_status take_names_of(vise_i_reader *r, const vise_preprocessor *like) {
  vise_table *table = r->table;
  bool found = false;
  if (r->dialect.header == VISE_HEADER_NO || !like->has_names) return VISE_OK;
  for (size_t k = 0; k < like->n_columns && !found; k++) {
    if (like->columns[k].role == VISE_COLUMN_DROPPED) continue;
    for (size_t i = 0; i < r->first.n && !found; i++) {
      found = strcmp(r->first.fields[i].text, like->columns[k].name) == 0;
    }
  }
  if (!found && r->dialect.header == VISE_HEADER_AUTO && !r->first_is_short) {
    table->has_names = false; /* by place, unless line 1 turns out to be a header of other names */
    return VISE_OK;
  }

  r->dialect.header = VISE_HEADER_YES;
  if (r->is_named) return VISE_OK;
  return vise_i_header_name(r);
}

static vise_status take_kinds_of(vise_i_reader *r, const vise_preprocessor *like) {
  vise_status status = VISE_OK;
  size_t *places = NULL;
  bool *also = NULL;
  VISE_TRY(vise_i_alloc(&places, like->n_columns, sizeof *places, "columns", r->err));
  VISE_TRY(vise_i_alloc_zero(&also, r->table->n_columns, sizeof *also, "columns", r->err));
  VISE_TRY(take_names_of(r, like));
  VISE_TRY(vise_i_preprocessor_match(like, r->table, places, r->err));

  VISE_TRY(vise_i_table_choose(r->table, r->options->also, "also", also, r->err));

  for (size_t c = 0; c < r->table->n_columns; c++) {
    if (!also[c]) r->columns[c].mode = VISE_I_MODE_SKIP;
  }
  for (size_t k = 0; k < like->n_columns; k++) {
    const vise_i_recipe *recipe = &like->columns[k];
    const bool wanted =
        recipe->role == VISE_COLUMN_FEATURE || (recipe->role == VISE_COLUMN_TARGET && r->options->like_targets);
    if (places[k] == SIZE_MAX || !wanted) continue;
    vise_i_reading *column = &r->columns[places[k]];
    column->forced = true;
    column->mode = recipe->kind == VISE_COLUMN_TEXT
                       ? VISE_I_MODE_TEXT
                       : (recipe->kind == VISE_COLUMN_DATE ? VISE_I_MODE_DATES : VISE_I_MODE_NUMBERS);
  }
done:
  free(places);
  free(also);
  return status;
}

vise_status vise_i_wanted_kinds(vise_i_reader *reader) {
  vise_status status = VISE_OK;
  bool *text = NULL, *numbers = NULL;
  if (reader->options->like != NULL) return take_kinds_of(reader, reader->options->like);

  VISE_TRY(vise_i_alloc_zero(&text, reader->table->n_columns, sizeof *text, "columns", reader->err));
  VISE_TRY(vise_i_alloc_zero(&numbers, reader->table->n_columns, sizeof *numbers, "columns", reader->err));
  VISE_TRY(take_lists(reader, text, numbers));
done:
  free(text);
  free(numbers);
  return status;
}
