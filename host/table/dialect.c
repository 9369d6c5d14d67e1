#include "host/table/dialect.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/memory.h"
#include "host/base/number.h"
#include "host/table/preprocessor.h"

static const struct {
  const char *name;
  char character;
} DELIMITERS[] = {{"comma", ','}, {"semicolon", ';'}, {"tab", '\t'}, {"space", ' '}, {"pipe", '|'}};

enum { N_DELIMITERS = sizeof DELIMITERS / sizeof DELIMITERS[0], STRIPPED_BYTES = 64 };

const char *vise_i_delimiter_text(char buffer[8], char delimiter) {
  for (size_t k = 0; k < N_DELIMITERS; k++) {
    if (DELIMITERS[k].character == delimiter) return DELIMITERS[k].name;
  }
  snprintf(buffer, 8, "\"%c\"", delimiter);
  return buffer;
}

/* Letters, digits, signs and quotes are parts of fields. */
static bool can_delimit(char c) {
  return (unsigned char)c > 32 && (unsigned char)c < 127 &&
         strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.\"\\_", c) == NULL;
}

static vise_status find_delimiter(const char *text, char *out, vise_error *err) {
  *out = '\0';
  if (text == NULL || strcmp(text, "auto") == 0) return VISE_OK;

  for (size_t k = 0; k < N_DELIMITERS; k++) {
    if (strcmp(text, DELIMITERS[k].name) == 0 || (text[0] == DELIMITERS[k].character && text[1] == '\0')) {
      *out = DELIMITERS[k].character;
      return VISE_OK;
    }
  }

  if (text[0] == '\0' || text[1] != '\0' || !can_delimit(text[0])) {
    return vise_i_fail(err, VISE_ERR_USAGE,
                       "`delimiter` is \"%.20s\"; it can be auto, comma, semicolon, tab, space, pipe or one character "
                       "that is no letter, digit, sign, point or quote",
                       text);
  }

  *out = text[0];
  return VISE_OK;
}

static vise_status find_na_numbers(vise_i_dialect *d, vise_error *err) {
  vise_status status = vise_i_alloc(&d->na_numbers, d->na.n, sizeof *d->na_numbers, "markers of gaps", err);
  for (size_t i = 0; status == VISE_OK && i < d->na.n; i++) {
    double v;
    const char *text = d->na.items[i];
    const char *end = vise_i_number_read(text, d->decimal, &v);
    if (end != NULL && *end == '\0') d->na_numbers[d->n_na_numbers++] = v;
  }
  return status;
}

vise_status vise_i_dialect_make(vise_i_dialect *dialect, const vise_table_options *options, vise_error *err) {
  vise_status status = VISE_OK;
  char delimiter;
  const vise_preprocessor *like = options->like;
  const char decimal = options->decimal == '\0' && like != NULL ? like->decimal : options->decimal;
  const char *strip = options->strip == NULL && like != NULL ? like->strip : options->strip;
  const char *na = options->na == NULL && like != NULL ? like->na : options->na;
  vise_i_dialect d = {.decimal = decimal == '\0' ? '.' : decimal,
                      .comment = options->comment,
                      .header = options->header,
                      .skip_lines = options->skip_lines,
                      .strip = strip != NULL ? strip : ""};
  VISE_TRY(find_delimiter(options->delimiter, &delimiter, err));
  if (d.decimal != '.' && d.decimal != ',') {
    VISE_TRY(vise_i_fail(err, VISE_ERR_USAGE, "`decimal` is \"%c\"; it can be . or ,", d.decimal));
  }
  if (d.comment == '"' || d.comment == '\n' || d.comment == '\r') {
    VISE_TRY(vise_i_fail(err, VISE_ERR_USAGE, "`comment` cannot be a quote or a line end"));
  }
  if ((size_t)d.header >= vise_header_count_) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_USAGE, "`header` is %d; it can be auto, yes or no", (int)d.header));
  }

  VISE_TRY(vise_i_list_split(&d.na, na, err));
  VISE_TRY(find_na_numbers(&d, err));
  d.plain = d.na.n == 0 && d.strip[0] == '\0';
  VISE_TRY(vise_i_dialect_delimit(&d, delimiter, err));
  *dialect = d;
  return VISE_OK;
done:
  vise_i_dialect_free(&d);
  return status;
}

void vise_i_dialect_free(vise_i_dialect *dialect) {
  vise_i_list_free(&dialect->na);
  free(dialect->na_numbers);
  dialect->na_numbers = NULL;
}

vise_status vise_i_dialect_delimit(vise_i_dialect *dialect, char delimiter, vise_error *err) {
  if (delimiter != '\0' && (delimiter == dialect->decimal || delimiter == dialect->comment)) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`delimiter` and `%s` are both \"%c\"; give another `delimiter`",
                       delimiter == dialect->decimal ? "decimal" : "comment", delimiter);
  }
  dialect->delimiter = delimiter;
  memset(dialect->ends_field, 0, sizeof dialect->ends_field);
  dialect->ends_field[0] = dialect->ends_field['\n'] = dialect->ends_field['\r'] = true;
  dialect->ends_field[(unsigned char)delimiter] = true;
  return VISE_OK;
}

static bool is(const char *text, size_t n, const char *word) {
  return strlen(word) == n && memcmp(text, word, n) == 0;
}

vise_i_gap vise_i_gap_of(const vise_i_dialect *dialect, const char *text, size_t n) {
  if (n == 0) return VISE_I_HARD_GAP;
  for (size_t i = 0; i < dialect->na.n; i++) {
    if (is(text, n, dialect->na.items[i])) return VISE_I_HARD_GAP;
  }
  if (n > 4) return VISE_I_VALUE;

  if (is(text, n, "NA") || is(text, n, "?") || is(text, n, "N/A") || is(text, n, "NaN") || is(text, n, "nan")) {
    return VISE_I_HARD_GAP;
  }
  const bool soft = is(text, n, ".") || is(text, n, "None") || is(text, n, "null") || is(text, n, "NULL") ||
                    vise_i_is_word(text, n, "nan");
  return soft ? VISE_I_SOFT_GAP : VISE_I_VALUE;
}

static bool read_whole(const vise_i_dialect *d, const char *text, size_t n, double *out) {
  if (vise_i_number_read(text, d->decimal, out) != text + n || n == 0) {
    if (n > 9 || (!vise_i_is_word(text, n, "inf") && !vise_i_is_word(text, n, "infinity"))) return false;
    *out = text[0] == '-' ? -INFINITY : INFINITY;
  }
  for (size_t i = 0; i < d->n_na_numbers; i++) {
    if (*out == d->na_numbers[i]) *out = NAN;
  }
  return true;
}

bool vise_i_field_number(const vise_i_dialect *dialect, const char *text, size_t n, double *out) {
  char stripped[STRIPPED_BYTES];
  size_t kept = 0;
  if (dialect->strip[0] == '\0') return read_whole(dialect, text, n, out);

  for (size_t i = 0; i < n; i++) {
    if (strchr(dialect->strip, text[i]) != NULL) continue;
    if (kept + 1 == sizeof stripped) return false; /* no number is that long that needs stripping */
    stripped[kept++] = text[i];
  }
  stripped[kept] = '\0';
  return read_whole(dialect, stripped, kept, out);
}
