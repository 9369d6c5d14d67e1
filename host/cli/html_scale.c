/* From numbers to places, and round numbers to mark. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "host/cli/html.h"

#define DECADES_FROM 30.0 /* ratio from which decades show more than equal steps */

bool vise_i_cli_scale_spans(double lo, double hi) {
  return lo > 0 && hi / DECADES_FROM > lo;
}

vise_i_cli_scale vise_i_cli_scale_around(double lo, double hi) {
  vise_i_cli_scale scale = {lo, hi, 0, 1, vise_i_cli_scale_spans(lo, hi)};
  if (scale.is_log) {
    const double factor = pow(10, 0.05 * (log10(hi) - log10(lo)));
    scale.lo = fmax(lo / factor, DBL_MIN);
    scale.hi = fmin(hi * factor, DBL_MAX / 2);
    return scale;
  }

  /* Where all are the same there has to be something around them. */
  const double middle = lo / 2 + hi / 2, least = fmax(fabs(middle) * 1e-6, 1e-12);
  const double room =
      fmax(0.06 * (hi / 2 - lo / 2) * 2, hi - lo < least ? (fabs(middle) > 0 ? fabs(middle) * 0.05 : 1) : 0);
  scale.lo = fmax(lo - room, -DBL_MAX / 4);
  scale.hi = fmin(hi + room, DBL_MAX / 4);
  return scale;
}

double vise_i_cli_scale_at(const vise_i_cli_scale *scale, double value) {
  const double part = scale->is_log ? (log10(value) - log10(scale->lo)) / (log10(scale->hi) - log10(scale->lo))
                                    : (value - scale->lo) / (scale->hi - scale->lo);
  return scale->from + part * (scale->to - scale->from);
}

static void add_tick(vise_i_cli_ticks *out, double value) {
  if (out->n < VISE_I_CLI_MOST_TICKS) out->at[out->n++] = value;
}

static void log_ticks(const vise_i_cli_scale *scale, size_t wanted, vise_i_cli_ticks *out) {
  const double lo = log10(scale->lo), hi = log10(scale->hi);
  const double every = fmax(1, ceil((hi - lo) / (double)(wanted > 1 ? wanted : 1)));
  const bool in_between = every <= 1 && (hi - lo) * 3 <= (double)wanted + 1;
  static const double steps[] = {1, 2, 5};

  for (double decade = floor(lo / every) * every; decade <= hi; decade += every) {
    for (size_t i = 0; i < (in_between ? 3 : 1); i++) {
      const double value = pow(10, decade) * steps[i];
      if (value >= scale->lo * (1 - 1e-9) && value <= scale->hi * (1 + 1e-9)) add_tick(out, value);
    }
  }
}

static double round_step(double step) {
  const double power = pow(10, floor(log10(step))), part = step / power;
  return power * (part <= 1.0001 ? 1 : part <= 2.0001 ? 2 : part <= 5.0001 ? 5 : 10);
}

static void even_ticks(const vise_i_cli_scale *scale, size_t wanted, vise_i_cli_ticks *out) {
  const double step = round_step((scale->hi - scale->lo) / (double)(wanted > 1 ? wanted : 1));
  const double size = fmax(fabs(scale->lo), fabs(scale->hi));
  const int digits = (int)-floor(log10(step) + 1e-9);
  if (!(step > 0) || !isfinite(step) || step < size * 1e-13) return;

  for (double i = ceil(scale->lo / step - 1e-9); i * step <= scale->hi + step * 1e-9; i++) {
    const double value = fabs(i) < 0.5 ? 0 : i * step;
    const size_t k = out->n;
    add_tick(out, value);
    if (out->n == k) return;
    if (size >= 1e-3 && size < 1e5) {
      (void)snprintf(out->texts[k], sizeof out->texts[k], "%.*f", digits > 0 ? (digits < 9 ? digits : 9) : 0, value);
    }
  }
}

void vise_i_cli_scale_ticks(const vise_i_cli_scale *scale, size_t wanted, vise_i_cli_ticks *out) {
  memset(out, 0, sizeof *out);
  if (wanted > VISE_I_CLI_MOST_TICKS) wanted = VISE_I_CLI_MOST_TICKS;
  if (scale->is_log) {
    log_ticks(scale, wanted, out);
  } else {
    even_ticks(scale, wanted, out);
  }
  for (size_t i = 0; i < out->n; i++) {
    if (out->texts[i][0] == '\0') vise_i_cli_tick_text(out->at[i], out->texts[i]);
  }
}
