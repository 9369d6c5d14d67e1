#include "host/cli/input_ranges.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/message.h"

enum { MOST_NAME = 256 };

/* How an input stands to the column it is made of: value = x scale + shift. */
typedef struct column {
  double shift, scale;
  bool is_bit;
} column;

void vise_i_cli_ranges_clear(vise_i_cli_ranges *ranges) {
  free(ranges->low);
  free(ranges->high);
  vise_dataset_free(ranges->rows);
  *ranges = (vise_i_cli_ranges){0};
}

static column column_of(const vise_preprocessor *p, size_t input) {
  column out = {0, 1, p != NULL};
  for (size_t c = 0; p != NULL && c < vise_preprocessor_n_columns(p); c++) {
    vise_column_info info;
    if (vise_preprocessor_column(p, c, &info, NULL) != VISE_OK) continue;
    const bool is_number = info.role == VISE_COLUMN_FEATURE && info.n_inputs > 0 && info.kind != VISE_COLUMN_TEXT;
    if (is_number && info.first_input == input) return (column){info.shift, info.scale, false};
  }
  return out;
}

/* ---- --inputs --------------------------------------------------------------------------------------------------- */

/* "LO:HI"; false: it is no such thing. */
static bool parse_range(const char *text, size_t n, double *low, double *high) {
  char copy[128], *end = NULL;
  if (n >= sizeof copy) return false;
  memcpy(copy, text, n);
  copy[n] = '\0';

  *low = strtod(copy, &end);
  if (end == copy || *end != ':') return false;
  const char *second = end + 1;
  *high = strtod(second, &end);
  return end != second && *end == '\0' && isfinite(*low) && isfinite(*high) && *low <= *high;
}

/* The input of that name, or place; SIZE_MAX: none. */
static size_t find_input(const vise_preprocessor *p, size_t n_inputs, const char *name, size_t n) {
  char own[MOST_NAME], *end = NULL;
  for (size_t i = 0; p != NULL && i < n_inputs; i++) {
    (void)vise_preprocessor_input_name(p, i, own, sizeof own);
    if (strlen(own) == n && strncmp(own, name, n) == 0) return i;
  }
  const unsigned long place = n > 0 && name[0] >= '0' && name[0] <= '9' ? strtoul(name, &end, 10) : 0;
  return end == name + n && place < n_inputs ? place : SIZE_MAX;
}

/* One item: LO:HI for all inputs but those that are 0 or 1, or NAME=LO:HI. */
static vise_status take_item(const char *item, size_t n, const vise_i_cli_model *model, vise_i_cli_ranges *out,
                             vise_error *err) {
  const char *equals = memrchr(item, '=', n);
  const size_t n_name = equals == NULL ? 0 : (size_t)(equals - item), at = equals == NULL ? 0 : n_name + 1;
  double low = 0, high = 0;
  if (!parse_range(item + at, n - at, &low, &high)) {
    return vise_i_cli_fail(
        err, VISE_ERR_USAGE,
        "--inputs '%.*s': expected LO:HI, or NAME=LO:HI, of two finite numbers, the smaller one first", (int)n, item);
  }

  if (equals != NULL) {
    const size_t i = find_input(model->preprocessor, out->n, item, n_name);
    if (i == SIZE_MAX) {
      return vise_i_cli_fail(err, VISE_ERR_USAGE,
                             "--inputs '%.*s': the model has no input of this name; a number is a place, 0 to %zu",
                             (int)n, item, out->n - 1);
    }
    out->low[i] = low;
    out->high[i] = high;
    return VISE_OK;
  }

  for (size_t i = 0; i < out->n; i++) {
    if (column_of(model->preprocessor, i).is_bit) continue;
    out->low[i] = low;
    out->high[i] = high;
  }
  return VISE_OK;
}

static vise_status take_text(const char *text, const vise_i_cli_model *model, vise_i_cli_ranges *out, vise_error *err) {
  while (*text != '\0') {
    const size_t n = strcspn(text, "\n");
    const vise_status status = take_item(text, n, model, out, err);
    if (status != VISE_OK) return status;
    text += n + (text[n] == '\n');
  }
  return VISE_OK;
}

/* ---- --data ----------------------------------------------------------------------------------------------------- */

/* From the least and the largest value that the net sees to those of the column, which were rounded to a float on the
   way. */
static void undo_scaling(const vise_i_cli_model *model, vise_i_cli_ranges *out) {
  for (size_t i = 0; model->preprocessor != NULL && i < out->n; i++) {
    const column c = column_of(model->preprocessor, i);
    if (c.is_bit) { /* also those that these rows lack */
      out->low[i] = out->high[i] = NAN;
      continue;
    }
    out->low[i] = (out->low[i] - 0x1p-23 * fabs(out->low[i])) * c.scale + c.shift;
    out->high[i] = (out->high[i] + 0x1p-23 * fabs(out->high[i])) * c.scale + c.shift;
  }
}

static vise_status measure(const vise_dataset *rows, vise_i_cli_ranges *out, vise_error *err) {
  double *row = calloc(out->n, sizeof *row);
  if (row == NULL) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for %zu inputs", out->n);
  vise_status status = VISE_OK;
  for (size_t r = 0; status == VISE_OK && r < vise_dataset_n_rows(rows); r++) {
    status = vise_dataset_get_features(rows, r, row, err);
    for (size_t i = 0; status == VISE_OK && i < out->n; i++) {
      out->low[i] = fmin(out->low[i], row[i]); /* a number, where the other is NaN */
      out->high[i] = fmax(out->high[i], row[i]);
    }
  }
  free(row);
  return status;
}

static vise_status take_data(const vise_i_cli_options *options, const vise_i_cli_model *model, vise_i_cli_ranges *out,
                             vise_error *err) {
  vise_status status = vise_i_cli_load_features(options, model, &out->rows, err);
  if (status == VISE_OK) status = measure(out->rows, out, err);
  if (status == VISE_OK) undo_scaling(model, out);
  out->origin = options->data;
  return status;
}

vise_status vise_i_cli_ranges_read(const vise_i_cli_options *options, const vise_i_cli_model *model,
                                   vise_i_cli_ranges *out, vise_error *err) {
  *out = (vise_i_cli_ranges){.n = vise_model_width(model->model, 0)};
  out->low = calloc(out->n, sizeof *out->low);
  out->high = calloc(out->n, sizeof *out->high);
  if (out->low == NULL || out->high == NULL) {
    return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for %zu inputs", out->n);
  }

  for (size_t i = 0; i < out->n; i++) out->low[i] = out->high[i] = NAN;
  vise_status status = options->data != NULL ? take_data(options, model, out, err) : VISE_OK;
  if (status == VISE_OK && options->inputs != NULL) status = take_text(options->inputs, model, out, err);
  return status;
}
