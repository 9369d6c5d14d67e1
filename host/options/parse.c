/* Strict parsing: the whole text must be the value. Messages quote the text and say what would be right. */
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/memory.h"
#include "host/options/options.h"

static bool parse_infinity(const char *text, double *out) {
  const char *word = *text == '+' || *text == '-' ? text + 1 : text;
  if (strcmp(word, "inf") != 0) return false;
  *out = *text == '-' ? -(double)INFINITY : (double)INFINITY;
  return true;
}

/* strtod in the C locale, whatever the program's is; glibc keeps that locale and allocates nothing for it. */
static double to_real(const char *text, char **end) {
  locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  const double value = strtod_l(text, end, c_locale);
  freelocale(c_locale);
  return value;
}

vise_status vise_i_parse_real(const char *field, const char *text, bool allow_infinity, double *out, vise_error *err) {
  if (allow_infinity && parse_infinity(text, out)) return VISE_OK;

  /* strtod would also take blanks, hexadecimal, "nan" and "infinity". */
  const bool plain = *text != '\0' && strspn(text, "+-.0123456789eE") == strlen(text);
  char *end = NULL;
  const double value = plain ? to_real(text, &end) : 0;

  if (!plain || end == text || *end != '\0') {
    return vise_i_fail(err, VISE_ERR_USAGE, "`%s`: '%s' is not a number", field, text);
  }
  if (!isfinite(value)) return vise_i_fail(err, VISE_ERR_USAGE, "`%s`: '%s' is too large for a number", field, text);

  *out = value;
  return VISE_OK;
}

vise_status vise_i_parse_count(const char *field, const char *text, uint64_t *out, vise_error *err) {
  if (*text == '\0' || strspn(text, "0123456789") != strlen(text)) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`%s`: '%s' is not a whole number", field, text);
  }

  errno = 0;
  const unsigned long long value = strtoull(text, NULL, 10);
  if (errno == ERANGE) return vise_i_fail(err, VISE_ERR_USAGE, "`%s`: '%s' is too large", field, text);
  *out = value;
  return VISE_OK;
}

vise_status vise_i_parse_bytes(const char *field, const char *text, uint64_t *out, vise_error *err) {
  static const char suffixes[] = "KMG";
  char digits[32];
  uint64_t n = 0;
  const size_t length = strlen(text);
  const char *suffix = length > 1 ? strchr(suffixes, text[length - 1]) : NULL;
  const unsigned shift = suffix != NULL ? 10 * (unsigned)(suffix - suffixes + 1) : 0;
  const size_t n_digits = length - (suffix != NULL);

  if (n_digits == 0 || strspn(text, "0123456789") < n_digits) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`%s`: '%s' is not a number of bytes, as in 1000000, 500M or 8G", field,
                       text);
  }
  if (n_digits < sizeof digits) {
    memcpy(digits, text, n_digits);
    digits[n_digits] = '\0';
    errno = 0;
    n = strtoull(digits, NULL, 10);
  }

  /* Beyond it, nothing that reads config.json could hold the number. */
  if (n_digits >= sizeof digits || errno == ERANGE || n > (uint64_t)INT64_MAX >> shift) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`%s`: '%s' is too large", field, text);
  }
  *out = n << shift;
  return VISE_OK;
}

double vise_i_unit_seconds(char letter) {
  return letter == 'h' ? 3600 : letter == 'm' ? 60 : letter == 's' ? 1 : 0;
}

/* "30s" in seconds; 0: it is not a time above 0. */
static double parse_seconds(const char *text) {
  char number[32];
  const size_t n = strlen(text);
  const double unit = n > 1 && n <= sizeof number ? vise_i_unit_seconds(text[n - 1]) : 0;
  double value = 0;
  if (!(unit > 0)) return 0;

  memcpy(number, text, n - 1);
  number[n - 1] = '\0';
  const double seconds = vise_i_parse_real("", number, false, &value, NULL) == VISE_OK ? value * unit : 0;
  return seconds > 0 && isfinite(seconds) ? seconds : 0;
}

vise_status vise_i_parse_cadence(const char *field, const char *text, vise_i_cadence *out, vise_error *err) {
  vise_i_cadence made = {.each_epoch = strcmp(text, "epoch") == 0, .seconds = parse_seconds(text)};
  const bool counts = !made.each_epoch && !(made.seconds > 0);

  if (counts && (vise_i_parse_count(field, text, &made.steps, NULL) != VISE_OK || made.steps == 0)) {
    return vise_i_fail(err, VISE_ERR_USAGE,
                       "`%s`: '%s' is not a number of steps of at least 1, a time above 0 as in 30s, 10m or 2h, epoch, "
                       "or off",
                       field, text);
  }
  *out = made;
  return VISE_OK;
}

vise_status vise_i_parse_interval(const char *field, const char *text, double *lo, double *hi, vise_error *err) {
  const char *colon = strchr(text, ':');
  double low = 0, high = 0;
  vise_status status;

  if (colon == NULL) {
    VISE_TRY(vise_i_parse_real(field, text, true, &high, err));
    if (!(high > 0)) {
      return vise_i_fail(err, VISE_ERR_USAGE, "`%s`: '%s' must be above 0, since X means -X:X; or give LO:HI", field,
                         text);
    }
    low = -high;
  } else {
    char first[64];
    const size_t length = (size_t)(colon - text);
    if (length >= sizeof first) return vise_i_fail(err, VISE_ERR_USAGE, "`%s`: '%s' is not LO:HI", field, text);
    memcpy(first, text, length);
    first[length] = '\0';
    VISE_TRY(vise_i_parse_real(field, first, true, &low, err));
    VISE_TRY(vise_i_parse_real(field, colon + 1, true, &high, err));
  }

  if (!(low <= high) || low == (double)INFINITY || high == -(double)INFINITY) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`%s`: '%s': the lower bound is above the upper one", field, text);
  }
  *lo = low;
  *hi = high;

done:
  return status;
}

vise_status vise_i_parse_list(const char *text, char separator, void *user,
                              vise_status (*use)(void *user, const char *item, vise_error *err), vise_error *err) {
  const char separators[] = {separator, '\0'};
  char *copy = NULL;
  vise_status status = vise_i_copy_text(&copy, text, err);
  char *rest = copy, *item;

  while (status == VISE_OK && (item = strsep(&rest, separators)) != NULL) status = use(user, item, err);
  free(copy);
  return status;
}

/* Widths being read; the last item seen was `auto` if after_auto. */
typedef struct width_list {
  const char *field, *text;
  size_t *widths, n;
  bool after_auto;
} width_list;

static vise_status add_width(void *user, const char *item, vise_error *err) {
  width_list *list = user;
  const bool is_auto = strcmp(item, "auto") == 0;
  uint64_t width = 0;

  if (list->n > VISE_MAX_LAYERS) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`%s`: '%s' has more than %d sizes", list->field, list->text,
                       VISE_MAX_LAYERS + 1);
  }
  if (list->after_auto && list->n > 1) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`%s`: '%s': auto is possible for the first and the last size only",
                       list->field, list->text);
  }
  if (!is_auto && (vise_i_parse_count(list->field, item, &width, NULL) != VISE_OK || width == 0)) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`%s`: '%s': '%s' is not a layer size; write sizes as in 784-128-10",
                       list->field, list->text, item);
  }

  list->widths[list->n++] = (size_t)width;
  list->after_auto = is_auto;
  return VISE_OK;
}

vise_status vise_i_parse_widths(const char *field, const char *text, size_t *widths, size_t *n, vise_error *err) {
  width_list list = {.field = field, .text = text, .widths = widths};
  const vise_status status = vise_i_parse_list(text, '-', &list, add_width, err);
  if (status != VISE_OK) return status;

  if (list.n < 2) {
    return vise_i_fail(err, VISE_ERR_USAGE,
                       "`%s`: '%s' is not two or more sizes; write them as in 784-128-10, or auto-128-auto", field,
                       text);
  }
  *n = list.n;
  return VISE_OK;
}
