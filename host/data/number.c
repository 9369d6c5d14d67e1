/* Decimal numbers as text. */
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "host/data/reader.h"

typedef struct decimal {
  uint64_t mantissa; /* the first 19 digits */
  int exponent;      /* value = mantissa * 10^exponent if not cut */
  bool cut;          /* there were more digits */
  bool negative;
} decimal;

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/* [+-] digits [. digits] [e [+-] digits] and nothing else: strtod would also take hexadecimal, "nan(...)" and, in some
   locales, a decimal comma. The zero after the text ends every loop. */
static bool scan_decimal(const char *s, size_t n, decimal *d) {
  const char *end = s + n;
  int n_digits = 0;
  bool any = false;

  *d = (decimal){.negative = *s == '-'};
  if (*s == '-' || *s == '+') s++;

  for (bool fraction = false;; s++) {
    if (*s == '.' && !fraction) {
      fraction = true;
      continue;
    }

    if (!is_digit(*s)) break;
    any = true;
    if (n_digits < 19) {
      d->mantissa = d->mantissa * 10 + (uint64_t)(*s - '0');
      if (d->mantissa != 0) n_digits++;
      if (fraction) d->exponent--;
    } else {
      d->cut = true;
    }
  }
  if (!any) return false;

  if (*s == 'e' || *s == 'E') {
    int e = 0;
    s++;
    const bool minus = *s == '-';
    if (*s == '-' || *s == '+') s++;
    if (!is_digit(*s)) return false;

    for (; is_digit(*s); s++) {
      if (e < 100000) e = e * 10 + (*s - '0');
    }
    if (d->exponent > -100000) d->exponent += minus ? -e : e;
  }

  return s == end;
}

static bool is_nonfinite_word(const char *s, size_t n) {
  static const char *const words[] = {"nan", "inf", "infinity"};
  if (n > 0 && (*s == '-' || *s == '+')) {
    s++;
    n--;
  }
  for (size_t k = 0; k < sizeof words / sizeof words[0]; k++) {
    if (strlen(words[k]) == n && strncasecmp(s, words[k], n) == 0) return true;
  }
  return false;
}

vise_i_number vise_i_number_parse(const char *text, size_t n, void *c_locale, double *out) {
  static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                  1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  decimal d;
  if (!scan_decimal(text, n, &d)) return is_nonfinite_word(text, n) ? VISE_I_NOT_FINITE : VISE_I_NOT_A_NUMBER;

  /* Both operands are exact, so the one rounding of the product or quotient is correct (Clinger 1990). */
  if (!d.cut && d.mantissa <= UINT64_C(1) << 53 && d.exponent >= -22 && d.exponent <= 22) {
    const double m = (double)d.mantissa;
    const double v = d.exponent < 0 ? m / powers[-d.exponent] : m * powers[d.exponent];
    *out = d.negative ? -v : v;
    return VISE_I_NUMBER;
  }

  const double v = strtod_l(text, NULL, (locale_t)c_locale);
  if (!isfinite(v)) return VISE_I_NOT_FINITE;
  *out = v;
  return VISE_I_NUMBER;
}
