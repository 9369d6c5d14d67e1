/* How much the folds of the best differ, and what the rounds of halving left. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/html_sweep.h"
#include "host/cli/text_stream.h"

enum { MOST_ROWS = 10, LEAST_ROWS = 2, MOST_HINTS = 30, MOST_DOTS = 100, MOST_LINES = 300, HEIGHT = 260 };

/* ---- folds --------------------------------------------------------------------------------------------------------------- */

typedef struct spread {
  const vise_i_cli_sheet *sheet;
  size_t configs[MOST_ROWS], n;
} spread;

static vise_i_cli_scale spread_scale(const spread *of) {
  double lo = (double)INFINITY, hi = -(double)INFINITY;
  for (size_t i = 0; i < of->n; i++) {
    const double *splits = of->sheet->rows[of->configs[i]].splits;
    for (size_t k = 0; k < of->sheet->n_splits; k++) {
      if (!isfinite(splits[k])) continue;
      lo = fmin(lo, splits[k]);
      hi = fmax(hi, splits[k]);
    }
  }
  return lo <= hi ? vise_i_cli_scale_around(lo, hi) : vise_i_cli_scale_around(0, 1);
}

static void put_folds(FILE *page, const spread *of, const vise_i_cli_scale *x, double y, size_t config) {
  const vise_i_cli_sheet *sheet = of->sheet;
  const vise_i_cli_row *row = &sheet->rows[config];
  const bool has_hints = sheet->n_splits <= MOST_HINTS;
  const size_t every = sheet->n_splits / (MOST_DOTS + 1) + 1;
  for (size_t k = 0; k < sheet->n_splits; k += every) {
    if (!isfinite(row->splits[k])) continue;
    (void)fprintf(page, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4.5\" class=\"fold\"",
                  vise_i_cli_scale_at(x, row->splits[k]), y);
    if (!has_hints) {
      (void)fputs("/>", page);
      continue;
    }
    char score[VISE_I_CLI_NUMBER_BYTES];
    (void)fprintf(page, "><title>fold %zu", k % sheet->n_folds + 1);
    if (sheet->n_repeats > 1) (void)fprintf(page, " of repeat %zu", k / sheet->n_folds + 1);
    (void)fprintf(page, ": %s</title></circle>", vise_i_cli_html_number(row->splits[k], 5, score));
  }
  (void)fputs("\n", page);

  const double mean = vise_i_cli_scale_at(x, row->score);
  vise_i_cli_svg_line(page, mean, y - 9, mean, y + 9, "box");
}

/* So far from the best that nobody asks whether it is chance, and the rest would be a dot beside it. */
static bool is_far(const vise_i_cli_sheet *sheet, size_t best, size_t config) {
  const double *splits = sheet->rows[best].splits;
  double lo = splits[0], hi = splits[0];
  for (size_t k = 1; k < sheet->n_splits; k++) {
    lo = fmin(lo, splits[k]);
    hi = fmax(hi, splits[k]);
  }
  return fabs(sheet->rows[config].score - sheet->rows[best].score) > 25 * (hi - lo);
}

static void draw_spread(FILE *page, const void *context, double width) {
  const spread *of = context;
  const bool is_wide = width > VISE_I_CLI_NARROW;
  const double left = is_wide ? 380 : 12, gap = is_wide ? 30 : 46, first = is_wide ? 20 : 34;
  const double bottom = first + gap * (double)(of->n - 1) + 18;
  vise_i_cli_scale x = spread_scale(of);
  x.from = left;
  x.to = width - 12;

  vise_i_cli_svg_begin(page, width, bottom + 40,
                       "The score of each fold for the best configurations, with their means");
  for (size_t i = 0; i < of->n; i++) {
    char name[240];
    const double y = first + gap * (double)i;
    vise_i_cli_sheet_label(of->sheet, of->configs[i], name, sizeof name);
    if (is_wide) {
      vise_i_cli_svg_fitted(page, 0, y + 4, left - 26, name);
    } else {
      vise_i_cli_svg_fitted(page, 0, y - 15, width, name);
    }
    vise_i_cli_svg_line(page, left, y, width, y, "gl");
    put_folds(page, of, &x, y, of->configs[i]);
  }
  vise_i_cli_svg_x_axis(page, &x, bottom, of->sheet->score);
  vise_i_cli_svg_end(page);
}

void vise_i_cli_sweep_spread(FILE *page, const vise_i_cli_sheet *sheet) {
  spread of = {.sheet = sheet};
  for (size_t i = 0; i < sheet->n_configs && of.n < MOST_ROWS; i++) {
    const size_t config = sheet->order[i];
    if (!isfinite(sheet->rows[config].score)) continue;
    if (of.n >= LEAST_ROWS && is_far(sheet, of.configs[0], config)) break;
    of.configs[of.n++] = config;
  }
  if (of.n == 0 || sheet->n_splits < 2) return;

  char about[200];
  (void)snprintf(about, sizeof about,
                 "A dot for each of %zu held-out folds, a line at their mean, best configuration first. Where rows "
                 "overlap, the order among them may be chance.",
                 sheet->n_splits);
  const vise_i_cli_figure figure = {NULL, about, draw_spread, &of, 860};
  vise_i_cli_html_section(page, "folds", "How much the folds differ");
  vise_i_cli_html_figure(page, &figure);
}

/* ---- rounds of halving --------------------------------------------------------------------------------------------------- */

/* The mean score of a configuration at a round; NaN: it did not get there. */
static double score_at(const vise_i_cli_sheet *sheet, size_t config, size_t step) {
  const vise_i_cli_step *at = &sheet->steps[step];
  const size_t n = at->n_scores[config];
  return n == 0 ? (double)NAN : isfinite(at->sums[config]) ? at->sums[config] / (double)n : (double)INFINITY;
}

static bool goes_on(const vise_i_cli_sheet *sheet, size_t config) {
  return sheet->steps[sheet->n_steps - 1].n_scores[config] > 0;
}

static int by_number(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

/* Without the worst tenth. */
static vise_i_cli_scale rounds_scale(FILE *page, const vise_i_cli_sheet *sheet) {
  double *scores = calloc(sheet->n_configs, sheet->n_steps * sizeof *scores);
  vise_i_cli_scale scale = {0, 1, 0, 1, false};
  size_t n = 0;
  if (scores == NULL) vise_i_cli_text_lacks(page);
  if (scores == NULL) return scale;

  for (size_t i = 0; i < sheet->n_configs * sheet->n_steps; i++) {
    const double score = score_at(sheet, i / sheet->n_steps, i % sheet->n_steps);
    if (isfinite(score)) scores[n++] = score;
  }
  qsort(scores, n, sizeof *scores, by_number);
  const size_t left_out = n / 10;
  if (n > 0) {
    scale = vise_i_cli_scale_around(scores[sheet->larger_is_better ? left_out : 0],
                                    scores[sheet->larger_is_better ? n - 1 : n - 1 - left_out]);
  }
  free(scores);
  return scale;
}

static void put_rounds(FILE *page, const vise_i_cli_sheet *sheet, const vise_i_cli_scale *x, const vise_i_cli_scale *y,
                       size_t config) {
  const double first = score_at(sheet, config, 0);
  if (!isfinite(score_at(sheet, config, 1))) { /* it ended at once */
    if (!isfinite(first)) return;
    (void)fprintf(page, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.5\" class=\"fold\"/>\n", x->from,
                  vise_i_cli_scale_at(y, fmin(fmax(first, y->lo), y->hi)));
    return;
  }

  (void)fprintf(page, "<path class=\"%s\" d=\"",
                config == sheet->winner  ? "winner"
                : goes_on(sheet, config) ? "many q1"
                                         : "many q4");
  for (size_t step = 0; step < sheet->n_steps; step++) {
    const double score = score_at(sheet, config, step);
    if (!isfinite(score)) break;
    const double at = fmin(fmax(score, y->lo), y->hi),
                 place = vise_i_cli_scale_at(x, fmax(sheet->steps[step].epochs, 1));
    (void)fprintf(page, "%s%.1f %.1f", step > 0 ? "L" : "M", place, vise_i_cli_scale_at(y, at));
    if (sheet->steps[step].n_configs > 0 && step == 0) (void)fputs("h0", page);
  }
  (void)fputs("\"/>\n", page);
}

static void draw_rounds(FILE *page, const void *context, double width) {
  const vise_i_cli_sheet *sheet = context;
  const double first = fmax(sheet->steps[0].epochs, 1), last = fmax(sheet->steps[sheet->n_steps - 1].epochs, first * 2);
  vise_i_cli_ticks ticks;
  vise_i_cli_scale x = {first, last, 0, 0, true}, y = rounds_scale(page, sheet);
  y.from = HEIGHT - 44;
  y.to = 26;
  vise_i_cli_scale_ticks(&y, 5, &ticks);
  const double left = vise_i_cli_svg_room(&ticks);
  x.from = left + 12;
  x.to = width - 16;

  vise_i_cli_svg_begin(page, width, HEIGHT, "Mean score of each configuration at each round of halving");
  vise_i_cli_svg_y_axis(page, &y, left, width, sheet->score);
  const size_t every = sheet->n_configs / MOST_LINES + 1;
  for (size_t i = 0; i < sheet->n_configs; i++) {
    const size_t config = sheet->order[sheet->n_configs - 1 - i];
    if (config == sheet->winner || isnan(score_at(sheet, config, 0))) continue;
    if (i % every == 0 || goes_on(sheet, config)) put_rounds(page, sheet, &x, &y, config);
  }
  if (sheet->has_winner) put_rounds(page, sheet, &x, &y, sheet->winner);

  vise_i_cli_svg_line(page, left, y.from, width, y.from, "axis");
  for (size_t step = 0; step < sheet->n_steps; step++) {
    char text[VISE_I_CLI_TICK_BYTES];
    if (sheet->steps[step].n_fits == 0) continue;
    vise_i_cli_tick_text(sheet->steps[step].epochs, text);
    const double at = vise_i_cli_scale_at(&x, fmax(sheet->steps[step].epochs, 1));
    vise_i_cli_svg_line(page, at, y.from, at, y.from + 4, "axis");
    vise_i_cli_svg_text(page, at, y.from + 17, "m", text);
  }
  vise_i_cli_svg_text(page, (x.from + x.to) / 2, y.from + 35, "m name", "epochs");
  vise_i_cli_svg_end(page);
}

static void put_rounds_table(FILE *page, const vise_i_cli_sheet *sheet) {
  (void)fputs(
      "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"Rounds of halving\"><table><thead><tr><th "
      "scope=\"col\">round</th><th scope=\"col\">epochs</th><th scope=\"col\">configurations</th><th "
      "scope=\"col\">fits</th><th scope=\"col\">best score</th></tr></thead><tbody>\n",
      page);
  for (size_t step = 0; step < sheet->n_steps; step++) {
    const vise_i_cli_step *at = &sheet->steps[step];
    char text[VISE_I_CLI_NUMBER_BYTES];
    double best = (double)NAN;
    for (size_t i = 0; i < sheet->n_configs; i++) {
      const double score = score_at(sheet, i, step);
      if (isfinite(score) && (isnan(best) || vise_i_cli_sheet_better(sheet, score, best))) best = score;
    }
    (void)fprintf(page, "<tr><td>%zu</td><td>%.0f</td><td>%zu</td><td>%zu</td><td>%s</td></tr>\n", step + 1, at->epochs,
                  at->n_configs, at->n_fits, vise_i_cli_html_number(best, 5, text));
  }
  (void)fputs("</tbody></table></div>\n", page);
}

void vise_i_cli_sweep_rounds(FILE *page, const vise_i_cli_sheet *sheet) {
  if (sheet->n_steps < 2) return;
  const vise_i_cli_figure figure = {
      NULL,
      "A line for each configuration, a dot for those that ended at once. Those that went on to "
      "the end are dark, the winner is thick.",
      draw_rounds, sheet, 720};
  vise_i_cli_html_section(page, "rounds", "Rounds of halving");
  put_rounds_table(page, sheet);
  vise_i_cli_html_figure(page, &figure);
}
