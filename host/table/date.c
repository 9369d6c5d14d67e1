#include "host/table/date.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>

typedef struct cursor {
  const char *at, *end;
} cursor;

static bool take(cursor *c, char wanted) {
  if (c->at == c->end || *c->at != wanted) return false;
  c->at++;
  return true;
}

/* Exactly n digits. */
static bool take_digits(cursor *c, int n, int *out) {
  int v = 0;
  for (; n > 0; n--) {
    if (c->at == c->end || *c->at < '0' || *c->at > '9') return false;
    v = v * 10 + (*c->at++ - '0');
  }
  *out = v;
  return true;
}

/* Days since 1970-01-01 in the Gregorian calendar, by eras of 400 years that begin on March 1 (Hinnant). */
static int64_t days_from_civil(int year, int month, int day) {
  const int64_t y = month <= 2 ? year - 1 : year;
  const int64_t era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
  const int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void civil_from_days(int64_t days, int *year, int *month, int *day) {
  const int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097, of_era = z - era * 146097;
  const int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
  const int64_t of_year = of_era - (365 * y + y / 4 - y / 100), m = (5 * of_year + 2) / 153;
  *day = (int)(of_year - (153 * m + 2) / 5 + 1);
  *month = (int)(m < 10 ? m + 3 : m - 9);
  *year = (int)(y + era * 400 + (*month <= 2 ? 1 : 0));
}

static int days_of_month(int year, int month) {
  static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return days[month - 1] + (month == 2 && leap ? 1 : 0);
}

static bool take_day(cursor *c, int64_t *days) {
  int year, month, day;
  if (!take_digits(c, 4, &year) || c->at == c->end) return false;
  const char separator = *c->at;
  if (separator != '-' && separator != '/') return false;
  if (!take(c, separator) || !take_digits(c, 2, &month) || !take(c, separator) || !take_digits(c, 2, &day)) {
    return false;
  }
  if (month < 1 || month > 12 || day < 1 || day > days_of_month(year, month)) return false;
  *days = days_from_civil(year, month, day);
  return true;
}

/* .fraction, in seconds. */
static void take_fraction(cursor *c, double *seconds) {
  double place = 0.1;
  if (!take(c, '.')) return;
  for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++, place /= 10) *seconds += (*c->at - '0') * place;
}

/* Z, or +-HH:MM, +-HHMM, +-HH: in seconds to take off. */
static bool take_zone(cursor *c, double *seconds) {
  int hours, minutes = 0;
  if (take(c, 'Z')) return true;
  const bool east = take(c, '+');
  if (!east && !take(c, '-')) return true;
  if (!take_digits(c, 2, &hours)) return false;
  if ((take(c, ':') || c->at < c->end) && !take_digits(c, 2, &minutes)) return false;
  *seconds += (east ? -60.0 : 60.0) * (hours * 60 + minutes);
  return hours <= 14 && minutes < 60;
}

static bool take_time(cursor *c, double *seconds) {
  int hour, minute, second = 0;
  if (!take_digits(c, 2, &hour) || !take(c, ':') || !take_digits(c, 2, &minute)) return false;
  if (take(c, ':') && !take_digits(c, 2, &second)) return false;
  if (hour > 24 || minute > 59 || second > 60) return false;
  *seconds = hour * 3600.0 + minute * 60.0 + second;
  take_fraction(c, seconds);
  while (take(c, ' ')) {
  }
  return take_zone(c, seconds);
}

bool vise_i_date_parse(const char *text, size_t n, double *days) {
  cursor c = {text, text + n};
  int64_t day;
  double seconds = 0;
  if (!take_day(&c, &day)) return false;

  if (c.at < c.end) {
    if (!take(&c, 'T') && !take(&c, ' ')) return false;
    while (take(&c, ' ')) {
    }
    if (!take_time(&c, &seconds) || c.at != c.end) return false;
  }
  *days = (double)day + seconds / 86400;
  return true;
}

const char *vise_i_date_text(char buffer[VISE_I_DATE_BYTES], double days) {
  int year, month, day;
  double whole = floor(days);
  int64_t seconds = (int64_t)nearbyint((days - whole) * 86400);
  if (seconds >= 86400) {
    whole += 1;
    seconds = 0;
  }
  civil_from_days((int64_t)whole, &year, &month, &day);
  const int used = snprintf(buffer, VISE_I_DATE_BYTES, "%04d-%02d-%02d", year, month, day);
  if (seconds > 0) {
    snprintf(buffer + used, (size_t)(VISE_I_DATE_BYTES - used), " %02d:%02d:%02d", (int)(seconds / 3600),
             (int)(seconds / 60 % 60), (int)(seconds % 60));
  }
  return buffer;
}
