/* Columns of texts in memory, whose kind is told as that of a file's column. */
#include <math.h>
#include <string.h>

#include "host/base/call.h"
#include "host/table/date.h"
#include "host/table/dialect.h"
#include "host/table/table.h"

typedef struct judged {
  const vise_i_dialect *dialect;
  const char *const *texts;
  size_t n_rows;
  vise_column_kind kind;
} judged;

static vise_i_gap gap_of(const judged *j, size_t row) {
  const char *text = j->texts[row];
  return text == NULL ? VISE_I_HARD_GAP : vise_i_gap_of(j->dialect, text, strlen(text));
}

static bool is_number(const judged *j, size_t row, double *out) {
  return vise_i_field_number(j->dialect, j->texts[row], strlen(j->texts[row]), out);
}

static bool is_date(const judged *j, size_t row, double *out) {
  return vise_i_date_parse(j->texts[row], strlen(j->texts[row]), out);
}

/* Dates if all are, numbers if all are but for words; a gap that only numbers have is a text elsewhere. */
static vise_column_kind kind_of(const judged *j) {
  size_t n_numbers = 0, n_dates = 0, n_words = 0;
  double value;

  for (size_t r = 0; r < j->n_rows; r++) {
    const vise_i_gap gap = gap_of(j, r);
    if (gap != VISE_I_VALUE) {
      n_words += j->texts[r] != NULL && j->texts[r][0] != '\0';
    } else if (n_dates == 0 && is_number(j, r, &value)) {
      n_numbers++;
    } else if (n_numbers == 0 && is_date(j, r, &value)) {
      n_dates++;
    } else {
      return VISE_COLUMN_TEXT;
    }
  }

  if (n_dates > 0) {
    for (size_t r = 0; r < j->n_rows; r++) {
      if (gap_of(j, r) == VISE_I_SOFT_GAP) return VISE_COLUMN_TEXT;
    }
    return VISE_COLUMN_DATE;
  }
  return n_numbers > 0 && n_words > 0 ? VISE_COLUMN_NUMBER : VISE_COLUMN_TEXT;
}

static vise_status put_text(const judged *j, vise_table *table, vise_i_column *column, size_t row, vise_error *err) {
  uint32_t code = VISE_I_GAP;
  vise_status status = VISE_OK;
  if (gap_of(j, row) != VISE_I_HARD_GAP) {
    status = vise_i_dictionary_code(&column->texts, j->texts[row], strlen(j->texts[row]), &code, err);
  }
  uint32_t *codes = (uint32_t *)vise_i_table_values(table, row / table->block_rows, table->n_columns);
  codes[row % table->block_rows] = code;
  return status;
}

static void put_value(const judged *j, vise_table *table, size_t row) {
  double value = NAN;
  if (gap_of(j, row) == VISE_I_VALUE) {
    (void)(j->kind == VISE_COLUMN_DATE ? is_date(j, row, &value) : is_number(j, row, &value));
  }
  double *values = vise_i_table_values(table, row / table->block_rows, table->n_columns);
  values[row % table->block_rows] = value;
}

vise_status vise_table_add_fields(vise_table *table, const char *name, const char *const *texts, vise_error *err) {
  vise_table_options options;
  vise_i_dialect dialect;
  VISE_ENTER(err, table, texts);
  vise_table_options_init(&options);
  vise_status status = vise_i_dialect_make(&dialect, &options, err);
  if (status != VISE_OK) return status;
  judged j = {.dialect = &dialect, .texts = texts, .n_rows = table->n_rows};
  j.kind = kind_of(&j);

  status = vise_i_column_begin(table, name, err);
  if (status == VISE_OK) {
    vise_i_column *column = &table->columns[table->n_columns];
    column->kind = j.kind;
    for (size_t r = 0; r < table->n_rows && status == VISE_OK; r++) {
      if (j.kind == VISE_COLUMN_TEXT) {
        status = put_text(&j, table, column, r, err);
      } else {
        put_value(&j, table, r);
      }
    }
    status = vise_i_column_end(table, status, err);
  }

  vise_i_dialect_free(&dialect);
  return status;
}
