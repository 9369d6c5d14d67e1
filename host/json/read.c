#include "host/json/read.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/error.h"
#include "host/base/memory.h"
#include "host/base/number.h"
#include "host/base/quote.h"
#include "host/base/utf8.h"

/* A text being read. at: the next byte. */
typedef struct reader {
  const char *text;
  size_t n, at, depth;
  char *scratch; /* keys and texts without their escapes, one after another: those of outer objects come first */
  size_t n_scratch, capacity;
  vise_i_json_fault *fault;
} reader;

static vise_status read_value(reader *r, json_t **out);

static vise_status fail(const reader *r, size_t byte, const char *what) {
  r->fault->byte = byte;
  (void)snprintf(r->fault->what, sizeof r->fault->what, "%s", what);
  return VISE_ERR_FORMAT;
}

/* Something else stands where `what` should. */
static vise_status fail_here(const reader *r, const char *what) {
  return fail(r, r->at, r->at < r->n ? what : "it ends too early");
}

static void skip_space(reader *r) {
  while (r->at < r->n &&
         (r->text[r->at] == ' ' || r->text[r->at] == '\n' || r->text[r->at] == '\t' || r->text[r->at] == '\r')) {
    r->at++;
  }
}

/* Takes the byte c if it is next. */
static bool take(reader *r, char c) {
  if (r->at == r->n || r->text[r->at] != c) return false;
  r->at++;
  return true;
}

/* ---- texts ------------------------------------------------------------------------------------------------------- */

static vise_status keep(reader *r, const char *bytes, size_t n) {
  const vise_status status =
      vise_i_grow(&r->scratch, &r->capacity, r->n_scratch + n + 1, sizeof *r->scratch, "JSON", NULL);
  if (status != VISE_OK) return status;
  memcpy(r->scratch + r->n_scratch, bytes, n);
  r->n_scratch += n;
  return VISE_OK;
}

/* Four hexadecimal digits. */
static bool take_hex(reader *r, unsigned *out) {
  unsigned value = 0;
  if (r->n - r->at < 4) return false;
  for (size_t i = 0; i < 4; i++) {
    const char c = r->text[r->at + i];
    const bool digit = c >= '0' && c <= '9', small = c >= 'a' && c <= 'f', large = c >= 'A' && c <= 'F';
    if (!digit && !small && !large) return false;
    value = value * 16 + (unsigned)(digit ? c - '0' : small ? c - 'a' + 10 : c - 'A' + 10);
  }
  r->at += 4;
  *out = value;
  return true;
}

/* What follows "\u", two of them for a character beyond U+FFFF. start: of the escape. */
static vise_status read_code(reader *r, size_t start) {
  unsigned code, low = 0;
  if (!take_hex(r, &code)) return fail(r, start, "\\u without four hexadecimal digits");
  if (code == 0) return fail(r, start, "\\u0000 is not allowed");

  if (code >= 0xd800 && code < 0xe000) {
    const bool is_pair =
        code < 0xdc00 && take(r, '\\') && take(r, 'u') && take_hex(r, &low) && low >= 0xdc00 && low < 0xe000;
    if (!is_pair) return fail(r, start, "half a pair of \\u escapes");
    code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
  }

  char bytes[4];
  return keep(r, bytes, vise_i_utf8_put(code, bytes));
}

/* At a backslash. */
static vise_status read_escape(reader *r) {
  static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
  const size_t start = r->at++;
  if (take(r, 'u')) return read_code(r, start);

  const char *letter = r->at < r->n && r->text[r->at] != '\0' ? strchr(letters, r->text[r->at]) : NULL;
  if (letter == NULL) return r->at < r->n ? fail(r, start, "an unknown escape") : fail_here(r, "");
  r->at++;
  return keep(r, meanings + (letter - letters), 1);
}

/* At a quotation mark. Appends what stands up to the next one to the scratch, and a zero that is not counted. */
static vise_status read_text(reader *r) {
  vise_status status = VISE_OK;
  r->at++;

  while (!take(r, '"')) {
    const size_t start = r->at;
    while (r->at < r->n && r->text[r->at] != '"' && r->text[r->at] != '\\') {
      const unsigned char c = (unsigned char)r->text[r->at];
      if (c < 0x20) return fail_here(r, "a control character in a text; write it as \\u00..");
      const size_t length = c < 0x80 ? 1 : vise_i_utf8_character(r->text + r->at, r->n - r->at);
      if (length == 0) return fail_here(r, "not UTF-8");
      r->at += length;
    }

    if (r->at == r->n) return fail_here(r, "");
    VISE_TRY(keep(r, r->text + start, r->at - start));
    if (r->text[r->at] == '\\') VISE_TRY(read_escape(r));
  }

  VISE_TRY(keep(r, "", 0)); /* room for the zero */
  r->scratch[r->n_scratch] = '\0';
done:
  return status;
}

/* ---- numbers ----------------------------------------------------------------------------------------------------- */

static bool is_digit(const reader *r) {
  return r->at < r->n && r->text[r->at] >= '0' && r->text[r->at] <= '9';
}

static bool take_digits(reader *r) {
  const size_t start = r->at;
  while (is_digit(r)) r->at++;
  return r->at > start;
}

/* Whether a number in JSON's form is next; *is_real: it has a fraction or an exponent. */
static bool take_number(reader *r, bool *is_real) {
  (void)take(r, '-');
  if (take(r, '0')) {
    if (is_digit(r)) return false;
  } else if (!take_digits(r)) {
    return false;
  }

  const bool has_fraction = take(r, '.');
  if (has_fraction && !take_digits(r)) return false;
  const bool has_exponent = take(r, 'e') || take(r, 'E');
  if (has_exponent && !take(r, '-')) (void)take(r, '+');
  *is_real = has_fraction || has_exponent;
  return !has_exponent || take_digits(r);
}

/* The digits text[0..n), perhaps after a minus, as an integer; false: it is too large. */
static bool to_integer(const char *text, size_t n, json_int_t *out) {
  const bool minus = text[0] == '-';
  json_int_t value = 0;
  for (size_t i = minus; i < n; i++) {
    const json_int_t digit = text[i] - '0';
    if (__builtin_mul_overflow(value, 10, &value)) return false;
    if (__builtin_add_overflow(value, minus ? -digit : digit, &value)) return false;
  }
  *out = value;
  return true;
}

static vise_status read_number(reader *r, json_t **out) {
  const size_t start = r->at;
  bool is_real = false;
  json_int_t integer = 0;
  double real = 0;

  if (!take_number(r, &is_real)) return fail(r, start, "expected a value");
  if (r->at == r->n) return fail_here(r, ""); /* within an object or array; and the number's end must be in memory */

  if (is_real) {
    (void)vise_i_number_read(r->text + start, '.', &real);
    if (!isfinite(real)) return fail(r, start, "a number too large for a double");
    *out = json_real(real);
  } else {
    if (!to_integer(r->text + start, r->at - start, &integer))
      return fail(r, start, "an integer too large for 64 bits");
    *out = json_integer(integer);
  }
  return *out != NULL ? VISE_OK : VISE_ERR_MEMORY;
}

/* ---- values ------------------------------------------------------------------------------------------------------ */

/* Reads a key; its text is on the scratch. */
static vise_status read_key(reader *r, const json_t *object) {
  const size_t start = r->at, at = r->n_scratch;
  if (r->at == r->n || r->text[r->at] != '"') return fail_here(r, "expected a key in quotation marks");
  const vise_status status = read_text(r);
  if (status != VISE_OK || json_object_get(object, r->scratch + at) == NULL) return status;

  char shown[VISE_I_QUOTE_BYTES], what[VISE_I_QUOTE_BYTES + 32];
  vise_i_quote(shown, r->scratch + at, r->n_scratch - at);
  (void)snprintf(what, sizeof what, "the key \"%s\" comes twice", shown);
  return fail(r, start, what);
}

static vise_status read_object(reader *r, json_t *object) {
  vise_status status = VISE_OK;
  const size_t key = r->n_scratch;
  skip_space(r);
  if (take(r, '}')) return VISE_OK;

  do {
    json_t *value = NULL;
    skip_space(r);
    VISE_TRY(read_key(r, object));
    r->n_scratch++; /* the zero */
    skip_space(r);
    if (!take(r, ':')) return fail_here(r, "expected ':' after the key");

    VISE_TRY(read_value(r, &value));
    if (json_object_set_new_nocheck(object, r->scratch + key, value) != 0) return VISE_ERR_MEMORY;
    r->n_scratch = key;
    skip_space(r);
  } while (take(r, ','));

  if (!take(r, '}')) return fail_here(r, "expected ',' or '}'");
done:
  return status;
}

static vise_status read_array(reader *r, json_t *array) {
  vise_status status = VISE_OK;
  skip_space(r);
  if (take(r, ']')) return VISE_OK;

  do {
    json_t *value = NULL;
    VISE_TRY(read_value(r, &value));
    if (json_array_append_new(array, value) != 0) return VISE_ERR_MEMORY;
    skip_space(r);
  } while (take(r, ','));

  if (!take(r, ']')) return fail_here(r, "expected ',' or ']'");
done:
  return status;
}

/* An object or an array, whose first byte was taken. */
static vise_status read_whole(reader *r, json_t *whole, json_t **out) {
  if (whole == NULL) return VISE_ERR_MEMORY;
  const vise_status status = json_is_object(whole) ? read_object(r, whole) : read_array(r, whole);
  if (status == VISE_OK) {
    *out = whole;
  } else {
    json_decref(whole);
  }
  return status;
}

static vise_status read_string(reader *r, json_t **out) {
  const size_t at = r->n_scratch;
  const vise_status status = read_text(r);
  if (status != VISE_OK) return status;
  *out = json_stringn_nocheck(r->scratch + at, r->n_scratch - at);
  r->n_scratch = at;
  return *out != NULL ? VISE_OK : VISE_ERR_MEMORY;
}

static vise_status read_word(reader *r, json_t **out) {
  static const char *const words[] = {"null", "true", "false"};
  for (size_t i = 0; i < 3; i++) {
    const size_t n = strlen(words[i]);
    if (r->n - r->at < n || memcmp(r->text + r->at, words[i], n) != 0) continue;
    r->at += n;
    *out = i == 0 ? json_null() : json_boolean(i == 1);
    return VISE_OK;
  }
  return fail_here(r, "expected a value");
}

static vise_status read_value(reader *r, json_t **out) {
  vise_status status;
  skip_space(r);
  if (r->depth == VISE_I_JSON_MAX_DEPTH) return fail_here(r, "too many values within values");
  const char c = r->at < r->n ? r->text[r->at] : '\0';
  r->depth++;

  if (c == '{' || c == '[') {
    r->at++;
    status = read_whole(r, c == '{' ? json_object() : json_array(), out);
  } else if (c == '"') {
    status = read_string(r, out);
  } else {
    status = c == '-' || is_digit(r) ? read_number(r, out) : read_word(r, out);
  }

  r->depth--;
  return status;
}

vise_status vise_i_json_parse(const char *text, size_t n, json_t **out, vise_i_json_fault *fault) {
  vise_i_json_fault ignored;
  reader r = {.text = text, .n = n, .fault = fault != NULL ? fault : &ignored};
  json_t *value = NULL;

  skip_space(&r);
  const bool is_whole = r.at < n && (text[r.at] == '{' || text[r.at] == '[');
  vise_status status = is_whole ? read_value(&r, &value) : fail_here(&r, "expected '{' or '['");
  skip_space(&r);
  if (status == VISE_OK && r.at < n) status = fail_here(&r, "something follows the end");

  free(r.scratch);
  if (status == VISE_OK) {
    *out = value;
  } else {
    json_decref(value);
  }
  return status;
}
