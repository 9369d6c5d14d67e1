#include "host/base/number.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What the text says: digits[0..n_digits) without the mark, times 10^exponent. */
typedef struct decimal {
  const char *digits; /* at the first one, which may be the mark */
  size_t n_digits;
  uint64_t mantissa; /* of all digits, if they are at most 19 */
  long exponent;
  bool negative;
} decimal;

enum { EXACT_DIGITS = 19, EXPONENT_MAX = 100000, SLOW_DIGITS = 800 };

static bool is_digit(char c) {
  return (unsigned char)(c - '0') < 10;
}

/* The exponent at s, after its "e"; NULL if there is none. */
static const char *scan_exponent(const char *s, long *exponent) {
  const bool minus = *s == '-';
  long e = 0;
  if (*s == '-' || *s == '+') s++;
  if (!is_digit(*s)) return NULL;

  for (; is_digit(*s); s++) {
    if (e < EXPONENT_MAX) e = e * 10 + (*s - '0');
  }
  *exponent += minus ? -e : e;
  return s;
}

/* Appends the digits at s to *mantissa, two at a time: half the chain of multiplications. */
static inline const char *scan_digits(const char *s, uint64_t *mantissa) {
  uint64_t m = *mantissa;
  while (is_digit(s[0]) && is_digit(s[1])) {
    m = m * 100 + (uint64_t)((s[0] - '0') * 10 + (s[1] - '0'));
    s += 2;
  }
  if (is_digit(s[0])) m = m * 10 + (uint64_t)(*s++ - '0');
  *mantissa = m;
  return s;
}

static const char *scan(const char *s, char mark, decimal *d) {
  uint64_t mantissa = 0;
  d->negative = *s == '-';
  d->exponent = 0;
  if (*s == '-' || *s == '+') s++;

  d->digits = s;
  s = scan_digits(s, &mantissa);
  d->n_digits = (size_t)(s - d->digits);
  if (*s == mark) {
    const char *fraction = ++s;
    s = scan_digits(s, &mantissa);
    d->n_digits += (size_t)(s - fraction);
    d->exponent = -(long)(s - fraction);
  }

  d->mantissa = mantissa;
  if (d->n_digits == 0) return NULL;
  return *s == 'e' || *s == 'E' ? scan_exponent(s + 1, &d->exponent) : s;
}

/* Any number, through strtod: a double is settled by its first 767 digits that count, and whether more follow. */
static double convert_slowly(const decimal *d) {
  char text[SLOW_DIGITS + 48];
  size_t n = 0;
  long exponent = d->exponent;
  bool more = false;
  size_t left = d->n_digits;
  for (const char *s = d->digits; left > 0; s++) {
    if (!is_digit(*s)) continue; /* the mark */
    left--;
    if (n == 0 && *s == '0') continue;
    if (n < SLOW_DIGITS) {
      text[n++] = *s;
    } else {
      more = more || *s != '0';
      exponent++;
    }
  }
  if (n == 0) return 0;

  if (more) {
    text[n++] = '1';
    exponent--;
  }
  snprintf(text + n, sizeof text - n, "e%ld", exponent);
  const locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0); /* glibc's own: nothing is allocated */
  const double v = strtod_l(text, NULL, c);
  freelocale(c);
  return v;
}

/* Both factors exact in a long double of 64 bits, so that its quotient or product is rounded once. Rounding that again,
   to a double, is right unless it lies halfway between two of them. False: not known here. */
static bool convert_long(const decimal *d, double *out) {
#if LDBL_MANT_DIG == 64
  static const long double powers[] = {1e0L,  1e1L,  1e2L,  1e3L,  1e4L,  1e5L,  1e6L,  1e7L,  1e8L,  1e9L,
                                       1e10L, 1e11L, 1e12L, 1e13L, 1e14L, 1e15L, 1e16L, 1e17L, 1e18L, 1e19L,
                                       1e20L, 1e21L, 1e22L, 1e23L, 1e24L, 1e25L, 1e26L, 1e27L};
  const uint64_t below = 0x7ff, half = 0x400; /* the bits that a double has no room for */
  uint64_t bits;
  if (d->exponent < -27 || d->exponent > 27) return false;

  const long double m = (long double)d->mantissa;
  const long double v = d->exponent < 0 ? m / powers[-d->exponent] : m * powers[d->exponent];
  memcpy(&bits, &v, sizeof bits);
  if ((bits & below) == half) return false;
  *out = (double)v;
  return true;
#else
  (void)d;
  (void)out;
  return false;
#endif
}

static double convert(const decimal *d) {
  static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                  1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  double v;
  if (d->n_digits > EXACT_DIGITS) return convert_slowly(d);

  /* Both factors exact: the one rounding of the product or quotient is the right one (Clinger 1990). */
  if (d->mantissa <= UINT64_C(1) << 53 && d->exponent >= -22 && d->exponent <= 22) {
    const double m = (double)d->mantissa;
    return d->exponent < 0 ? m / powers[-d->exponent] : m * powers[d->exponent];
  }
  return convert_long(d, &v) ? v : convert_slowly(d);
}

const char *vise_i_number_read(const char *s, char mark, double *out) {
  decimal d;
  const char *end = scan(s, mark, &d);
  if (end == NULL) return NULL;

  const double v = convert(&d);
  *out = d.negative ? -v : v;
  return end;
}

bool vise_i_is_word(const char *text, size_t n, const char *word) {
  if (n > 0 && (*text == '-' || *text == '+')) {
    text++;
    n--;
  }
  return strlen(word) == n && strncasecmp(text, word, n) == 0;
}

vise_i_number vise_i_number_parse(const char *text, size_t n, double *out) {
  double v;
  if (vise_i_number_read(text, '.', &v) == text + n) {
    if (!isfinite(v)) return VISE_I_NOT_FINITE;
    *out = v;
    return VISE_I_NUMBER;
  }
  const bool word =
      vise_i_is_word(text, n, "nan") || vise_i_is_word(text, n, "inf") || vise_i_is_word(text, n, "infinity");
  return word ? VISE_I_NOT_FINITE : VISE_I_NOT_A_NUMBER;
}

const char *vise_i_number_text(char buffer[VISE_I_NUMBER_BYTES], double value) {
  char text[VISE_I_NUMBER_BYTES];
  double again = 0;
  if (!isfinite(value)) return strcpy(buffer, isnan(value) ? "nan" : (value < 0 ? "-inf" : "inf"));

  if (value == nearbyint(value) && fabs(value) < 1e15) {
    snprintf(text, sizeof text, "%.0f", value);
    return strcpy(buffer, text);
  }
  for (int digits = 15; digits <= 17; digits++) {
    snprintf(text, sizeof text, "%.*g", digits, value);
    char *comma = strchr(text, ','); /* in some locales */
    if (comma != NULL) *comma = '.';
    if (vise_i_number_read(text, '.', &again) != NULL && again == value) break;
  }
  return strcpy(buffer, text);
}
