/* Axes from text. Messages begin with the name of the axis; values that are quoted are cut. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/memory.h"
#include "host/base/number.h"
#include "host/base/quote.h"
#include "host/sweep/axis.h"
#include "host/sweep/directions.h"
#include "vise/options.h"

/* Up to here, every whole number is a double. */
static const double MAX_WHOLE = 0x1p53;
enum { MIN_ORDERED_VALUES = 3 };

/* ---- names ------------------------------------------------------------------------------------------------------ */

static bool is_of_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* Parts the text at its first "=": name, with - for _, and values. */
static vise_status read_name(const char *text, vise_i_axis *axis, vise_error *err) {
  char quoted[VISE_I_QUOTE_BYTES];
  const char *equals = strchr(text, '=');
  if (equals == NULL) {
    return vise_i_fail(err, VISE_ERR_USAGE, "'%s' is not NAME=VALUES, as in l2=0.001,0.01 or lr=0.001..0.1:log",
                       vise_i_quote(quoted, text, strlen(text)));
  }

  const size_t n = (size_t)(equals - text);
  bool is_name = n > 0 && text[0] != '-' && text[0] != '_';
  for (size_t i = 0; i < n; i++) is_name = is_name && is_of_name(text[i]);
  if (!is_name) {
    return vise_i_fail(err, VISE_ERR_USAGE,
                       "'%s' is not the name of an option: expected small letters, digits, - and _, as in clip-norm",
                       vise_i_quote(quoted, text, n));
  }

  const vise_status status = vise_i_alloc(&axis->name, n + 1, 1, "an axis", err);
  if (status != VISE_OK) return status;
  for (size_t i = 0; i < n; i++) axis->name[i] = text[i] == '_' ? '-' : text[i];
  axis->name[n] = '\0';
  return vise_i_copy_text(&axis->text, equals + 1, err);
}

/* ---- edges ------------------------------------------------------------------------------------------------------ */

/* Whether the option of that name, if it is one of the library's, can go below lo and above hi. */
static void find_edges(vise_i_axis *axis) {
  const vise_option *option = vise_option_find(axis->name, NULL);
  axis->has_lo_edge = axis->has_hi_edge = strcmp(axis->name, "seed") != 0; /* which have no order */
  if (option == NULL) return;

  const bool is_number =
      option->type == VISE_OPTION_REAL || option->type == VISE_OPTION_COUNT || option->type == VISE_OPTION_INT;
  if (!is_number) return;
  if (axis->lo <= option->min) axis->has_lo_edge = false;
  if (option->max > 0 && axis->hi >= option->max) axis->has_hi_edge = false;
}

/* ---- lists ------------------------------------------------------------------------------------------------------ */

static int by_text(const void *a, const void *b) {
  return strcmp(((const vise_i_value *)a)->text, ((const vise_i_value *)b)->text);
}

/* Numbers first, ascending. */
static int by_number(const void *a, const void *b) {
  const double x = ((const vise_i_value *)a)->number, y = ((const vise_i_value *)b)->number;
  if (isnan(x) || isnan(y)) return isnan(x) - isnan(y);
  return (x > y) - (x < y);
}

static vise_status fail_twice(const vise_i_axis *axis, const vise_i_value *a, const vise_i_value *b, vise_error *err) {
  char one[VISE_I_QUOTE_BYTES], other[VISE_I_QUOTE_BYTES];
  (void)vise_i_quote(one, a->text, strlen(a->text));
  (void)vise_i_quote(other, b->text, strlen(b->text));
  if (strcmp(a->text, b->text) == 0) {
    return vise_i_fail(err, VISE_ERR_USAGE, "%s: the value '%s' is there twice", axis->name, one);
  }
  return vise_i_fail(err, VISE_ERR_USAGE, "%s: '%s' and '%s' are the same number", axis->name, one, other);
}

/* Refuses values that are there twice, as texts or as numbers; whole numbers beyond MAX_WHOLE are texts. */
static vise_status check_distinct(const vise_i_axis *axis, vise_i_value *sorted, vise_error *err) {
  const size_t n = axis->n_values;
  memcpy(sorted, axis->values, n * sizeof *sorted);

  qsort(sorted, n, sizeof *sorted, by_text);
  for (size_t i = 1; i < n; i++) {
    if (by_text(&sorted[i - 1], &sorted[i]) == 0) return fail_twice(axis, &sorted[i - 1], &sorted[i], err);
  }

  qsort(sorted, n, sizeof *sorted, by_number);
  for (size_t i = 1; i < n; i++) {
    const bool exact = fabs(sorted[i].number) < MAX_WHOLE; /* NaN is not */
    if (exact && by_number(&sorted[i - 1], &sorted[i]) == 0) return fail_twice(axis, &sorted[i - 1], &sorted[i], err);
  }
  return VISE_OK;
}

/* What `off` amounts to among numbers; then the smallest and the largest of them. */
static void order_numbers(vise_i_axis *axis) {
  const vise_i_direction *known = vise_i_direction_find(axis->name);
  size_t n_numbers = 0;
  for (size_t i = 0; i < axis->n_values; i++) n_numbers += !isnan(axis->values[i].number);
  axis->lo = INFINITY;
  axis->hi = -INFINITY;

  for (size_t i = 0; i < axis->n_values; i++) {
    vise_i_value *value = &axis->values[i];
    if (n_numbers > 0 && strcmp(value->text, "off") == 0) {
      value->number = known == NULL ? 0 : known->off;
      n_numbers++;
    }
    axis->lo = fmin(axis->lo, value->number);
    axis->hi = fmax(axis->hi, value->number);
  }

  find_edges(axis);
  if (n_numbers >= MIN_ORDERED_VALUES) return;
  axis->has_lo_edge = axis->has_hi_edge = false;
}

static bool looks_like_range(const char *text) {
  double lo;
  const char *end = vise_i_number_read(text, '.', &lo);
  const char *dots = strstr(text, "..");
  return dots != NULL && (end == dots || end == dots + 1); /* "1." is a number too */
}

static vise_status read_value(const vise_i_axis *axis, char *text, vise_i_value *out, vise_error *err) {
  char quoted[VISE_I_QUOTE_BYTES];
  if (*text == '\0') {
    return vise_i_fail(err, VISE_ERR_USAGE, "%s: value %zu is empty", axis->name, (size_t)(out - axis->values) + 1);
  }
  if (looks_like_range(text)) {
    return vise_i_fail(err, VISE_ERR_USAGE, "%s: '%s' is a range, which cannot be part of a list", axis->name,
                       vise_i_quote(quoted, text, strlen(text)));
  }

  *out = (vise_i_value){text, NAN};
  if (vise_i_number_parse(text, strlen(text), &out->number) != VISE_I_NUMBER) out->number = NAN;
  return VISE_OK;
}

static vise_status read_list(vise_i_axis *axis, vise_error *err) {
  const char separator = strchr(axis->text, ';') != NULL ? ';' : ',';
  vise_i_value *sorted = NULL;
  size_t n = 1;
  vise_status status;
  for (const char *c = axis->text; *c != '\0'; c++) n += *c == separator;

  VISE_TRY(vise_i_alloc(&axis->values, n, sizeof *axis->values, "the values of an axis", err));
  VISE_TRY(vise_i_alloc(&sorted, n, sizeof *sorted, "the values of an axis", err));
  char *text = axis->text;
  for (size_t i = 0; i < n; i++) {
    char *end = strchr(text, separator);
    if (end != NULL) *end = '\0';
    VISE_TRY(read_value(axis, text, &axis->values[i], err));
    if (end != NULL) text = end + 1;
  }

  axis->n_values = n;
  VISE_TRY(check_distinct(axis, sorted, err));
  order_numbers(axis);

done:
  free(sorted);
  return status;
}

/* ---- ranges ----------------------------------------------------------------------------------------------------- */

static vise_status read_bound(const vise_i_axis *axis, const char *text, size_t n, double *out, vise_error *err) {
  char quoted[VISE_I_QUOTE_BYTES], bound[VISE_I_NUMBER_BYTES];
  const bool fits = n < sizeof bound;
  memcpy(bound, text, fits ? n : 0);
  bound[fits ? n : 0] = '\0';

  const vise_i_number kind = fits ? vise_i_number_parse(bound, n, out) : VISE_I_NOT_A_NUMBER;
  if (kind == VISE_I_NUMBER) return VISE_OK;
  return vise_i_fail(err, VISE_ERR_USAGE, "%s: '%s' is not a %snumber; a range is LO..HI, LO..HI:log or LO..HI:int",
                     axis->name, vise_i_quote(quoted, text, n), kind == VISE_I_NOT_FINITE ? "finite " : "");
}

static vise_status read_suffixes(vise_i_axis *axis, const char *suffixes, vise_error *err) {
  char quoted[VISE_I_QUOTE_BYTES];
  while (*suffixes == ':') {
    const size_t n = strcspn(suffixes + 1, ":");
    bool *is = n == 3 && strncmp(suffixes + 1, "log", n) == 0   ? &axis->is_log
               : n == 3 && strncmp(suffixes + 1, "int", n) == 0 ? &axis->is_int
                                                                : NULL;
    if (is == NULL || *is) {
      return vise_i_fail(err, VISE_ERR_USAGE, "%s: '%s' after the range: expected :log, :int or both, once each",
                         axis->name, vise_i_quote(quoted, suffixes, strlen(suffixes)));
    }
    *is = true;
    suffixes += n + 1;
  }
  return VISE_OK;
}

static bool is_whole(double x) {
  return !(x < floor(x)) && !(x > floor(x)) && fabs(x) <= MAX_WHOLE;
}

static vise_status check_range(const vise_i_axis *axis, vise_error *err) {
  const char *name = axis->name;
  if (axis->is_int && !(is_whole(axis->lo) && is_whole(axis->hi))) {
    return vise_i_fail(err, VISE_ERR_USAGE,
                       "%s: '%s': the ends of a range of whole numbers must be such, of at most 2^53", name,
                       axis->text);
  }
  if (!(axis->lo < axis->hi)) {
    return vise_i_fail(err, VISE_ERR_USAGE, "%s: '%s': LO must be below HI", name, axis->text);
  }
  if (!isfinite(axis->hi - axis->lo)) {
    return vise_i_fail(err, VISE_ERR_USAGE, "%s: '%s': HI - LO is too large for a number", name, axis->text);
  }
  if (axis->is_log && !(axis->lo > 0)) {
    return vise_i_fail(err, VISE_ERR_USAGE, "%s: '%s': with :log, LO must be above 0", name, axis->text);
  }
  return VISE_OK;
}

static vise_status read_range(vise_i_axis *axis, const char *dots, vise_error *err) {
  const size_t n_hi = strcspn(dots + 2, ":");
  vise_status status;

  VISE_TRY(read_bound(axis, axis->text, (size_t)(dots - axis->text), &axis->lo, err));
  VISE_TRY(read_bound(axis, dots + 2, n_hi, &axis->hi, err));
  VISE_TRY(read_suffixes(axis, dots + 2 + n_hi, err));
  VISE_TRY(check_range(axis, err));

  find_edges(axis);
  if (axis->is_int && axis->hi - axis->lo + 1 < MIN_ORDERED_VALUES) axis->has_lo_edge = axis->has_hi_edge = false;
done:
  return status;
}

/* ---- axes ------------------------------------------------------------------------------------------------------- */

/* The dots of a range: the last two of them, for "1...5" is from "1." to 5. NULL for a list, or a path ("../data"). */
static const char *dots_of(const char *text) {
  const char *dots = strpbrk(text, ",;/") == NULL ? strstr(text, "..") : NULL;
  return dots != NULL && dots[2] == '.' ? dots + 1 : dots;
}

vise_status vise_i_axis_parse(const char *text, vise_i_axis *out, vise_error *err) {
  vise_i_axis axis = {.name = NULL};
  vise_status status;

  VISE_TRY(read_name(text, &axis, err));
  const char *dots = dots_of(axis.text);
  VISE_TRY(dots != NULL ? read_range(&axis, dots, err) : read_list(&axis, err));
  *out = axis;
  return VISE_OK;

done:
  vise_i_axis_clear(&axis);
  return status;
}

void vise_i_axis_clear(vise_i_axis *axis) {
  free(axis->name);
  free(axis->text);
  free(axis->values);
  *axis = (vise_i_axis){.name = NULL};
}
