#include "host/table/groups.h"

#include <math.h>
#include <stdlib.h>

#include "host/base/folds.h"
#include "host/base/memory.h"

vise_status vise_i_groups_find(const vise_i_fit *fit, const char *group, size_t *out) {
  char column[VISE_I_COLUMN_TEXT_BYTES];
  const vise_status status = vise_i_table_find(fit->table, group, "group", out, fit->err);
  for (size_t i = 0; status == VISE_OK && i < fit->n_targets; i++) {
    if (fit->targets[i] != *out) continue;
    return vise_i_fail(fit->err, VISE_ERR_USAGE, "%s: %s is the target and the `group`; it can be one of them",
                       fit->table->name, vise_i_column_text(column, fit->table, *out));
  }
  return status;
}

/* The values of the column in the rows of the strata; texts by their codes. */
static vise_status take_values(const vise_i_fit *fit, size_t c, const vise_i_strata *strata, double *values) {
  char place[VISE_I_PLACE_BYTES];
  size_t i = 0;

  for (size_t b = 0; b < fit->table->n_blocks; b++) {
    const vise_i_span span = vise_i_table_span(fit->table, b, c);
    for (; i < strata->n && strata->rows[i] < span.first_row + span.n_rows; i++) {
      const size_t at = strata->rows[i] - span.first_row;
      const bool gap = span.codes != NULL ? span.codes[at] == VISE_I_GAP : !span.numbers || isnan(span.numbers[at]);
      if (gap) {
        return vise_i_fail(fit->err, VISE_ERR_VALUE, "%s: the field is empty or a gap; every row needs a `group`",
                           vise_i_place_text(place, fit->table, strata->rows[i], c));
      }
      values[i] = span.codes != NULL ? span.codes[at] : span.numbers[at];
    }
  }
  return VISE_OK;
}

vise_status vise_i_groups_make(const vise_i_fit *fit, const char *group, const vise_i_strata *strata,
                               vise_i_groups *out) {
  double *values = NULL;
  vise_status status = VISE_OK;
  VISE_TRY(vise_i_groups_find(fit, group, &out->column));
  VISE_TRY(vise_i_alloc(&values, strata->n, sizeof *values, "groups", fit->err));
  VISE_TRY(vise_i_alloc(&out->of, strata->n, sizeof *out->of, "groups", fit->err));
  VISE_TRY(take_values(fit, out->column, strata, values));
  VISE_TRY(vise_i_number_values(values, strata->n, out->of, &out->n, fit->err));
done:
  free(values);
  return status;
}
