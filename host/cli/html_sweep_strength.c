/* Score against each option that varied: for each of its values the best of all configurations that have it, with the
   standard error, as glmnet draws cross-validation. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/html_sweep.h"
#include "host/cli/text_stream.h"

enum {
  MOST_DOTS = 1500,
  DOTS_IN_ALL = 6000,
  MOST_NAMES = 14,
  MOST_BYTES = 140000,
  HEIGHT = 236,
  TOP = 26,
  BOTTOM = 28,
  ROW = 44
};

typedef struct strength {
  const vise_i_cli_sheet *sheet;
  const vise_i_cli_varied *varied;
  const size_t *best; /* [n_bins] */
} strength;

/* ---- what is shown of the scores ----------------------------------------------------------------------------------------- */

static double error_of(const vise_i_cli_sheet *sheet, size_t config) {
  return isfinite(sheet->rows[config].error) ? sheet->rows[config].error : 0;
}

/* The end of one standard error of the best, on the worse side. */
static double one_se(const vise_i_cli_sheet *sheet) {
  const double error = error_of(sheet, sheet->best), score = sheet->rows[sheet->best].score;
  return sheet->larger_is_better ? score - error : score + error;
}

static int by_number(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

/* Scores to show: of the best of each value, but not so far away that the rest would be a line. */
static vise_i_cli_scale score_scale(FILE *page, const strength *of) {
  const vise_i_cli_sheet *sheet = of->sheet;
  double best = sheet->rows[sheet->best].score, lo = fmin(best, one_se(sheet)), hi = fmax(best, one_se(sheet));
  double *distances = calloc(of->varied->n_bins, sizeof *distances);
  size_t n = 0;
  if (distances == NULL) vise_i_cli_text_lacks(page);
  for (size_t i = 0; distances != NULL && i < of->varied->n_bins; i++) {
    if (of->best[i] != SIZE_MAX) distances[n++] = fabs(sheet->rows[of->best[i]].score - best);
  }

  double most = (double)INFINITY;
  if (n > 0) {
    qsort(distances, n, sizeof *distances, by_number);
    const double middle = fmax(distances[(n - 1) / 2], 2 * error_of(sheet, sheet->best));
    const bool is_far = sheet->larger_is_better || best <= 0;
    if (is_far && middle > 0 && distances[n - 1] > 15 * middle) most = 6 * middle;
  }
  for (size_t i = 0; i < of->varied->n_bins; i++) {
    if (of->best[i] == SIZE_MAX) continue;
    const double score = sheet->rows[of->best[i]].score, error = error_of(sheet, of->best[i]);
    if (fabs(score - best) > most) continue;
    lo = fmin(lo, score - error > 0 || score <= 0 ? score - error : score);
    hi = fmax(hi, score + error);
  }
  free(distances);
  return vise_i_cli_scale_around(lo, hi);
}

static void put_hint(FILE *page, const vise_i_cli_sheet *sheet, size_t config) {
  char name[240], score[VISE_I_CLI_NUMBER_BYTES], error[VISE_I_CLI_NUMBER_BYTES];
  vise_i_cli_sheet_name(sheet, config, name, sizeof name);
  (void)fputs("<title>", page);
  vise_i_cli_html_text(page, name);
  (void)fprintf(page, ": %s", vise_i_cli_html_number(sheet->rows[config].score, 5, score));
  if (isfinite(sheet->rows[config].error)) {
    (void)fprintf(page, " \xc2\xb1 %s", vise_i_cli_html_number(sheet->rows[config].error, 2, error));
  }
  (void)fputs("</title>", page);
}

static void put_point(FILE *page, const strength *of, double x, double y, size_t config) {
  const bool is_best = config == of->sheet->best;
  (void)fprintf(page, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4.5\" class=\"point\">", x, y);
  put_hint(page, of->sheet, config);
  (void)fputs("</circle>\n", page);
  if (is_best) (void)fprintf(page, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"8\" class=\"ring\"/>\n", x, y);
}

static double within(const vise_i_cli_scale *scale, double value) {
  const double lo = fmin(scale->from, scale->to), hi = fmax(scale->from, scale->to);
  const double at = scale->is_log && value <= 0 ? (double)NAN : vise_i_cli_scale_at(scale, value);
  return fmin(fmax(isnan(at) ? scale->from : at, lo), hi);
}

static bool is_inside(const vise_i_cli_scale *scale, double value) {
  return value >= scale->lo && value <= scale->hi;
}

/* ---- numbers ------------------------------------------------------------------------------------------------------------- */

/* All configurations, where a value has several. */
static void put_cloud(FILE *page, const strength *of, const vise_i_cli_places *places, const vise_i_cli_scale *y) {
  const vise_i_cli_sheet *sheet = of->sheet;
  const size_t share = DOTS_IN_ALL / sheet->n_varied, most = share < MOST_DOTS ? share : MOST_DOTS;
  const size_t every = sheet->n_configs / (most + 1) + 1;
  (void)fputs("<path class=\"cloud\" d=\"", page);
  for (size_t i = 0; i < sheet->n_configs; i += every) {
    const vise_i_cli_row *row = &sheet->rows[i];
    if (!isfinite(row->score) || !is_inside(y, row->score)) continue;
    (void)fprintf(page, "M%.0f %.0fh0", vise_i_cli_place_of(places, of->varied, of->varied->value_of[i]),
                  vise_i_cli_scale_at(y, row->score));
  }
  (void)fputs("\"/>\n", page);
}

/* The line through the best of each, not over the gap between words and numbers. */
static void put_curve(FILE *page, const strength *of, const vise_i_cli_places *places, const vise_i_cli_scale *y) {
  bool begun = false;
  (void)fputs("<path class=\"line\" d=\"M", page);
  for (size_t i = of->varied->n_words; i < of->varied->n_bins; i++) {
    const size_t config = of->best[i];
    if (config == SIZE_MAX || !is_inside(y, of->sheet->rows[config].score)) continue;
    (void)fprintf(page, "%s%.1f %.1f", begun ? "L" : "",
                  vise_i_cli_place_of(places, of->varied, of->varied->value_of[config]),
                  vise_i_cli_scale_at(y, of->sheet->rows[config].score));
    begun = true;
  }
  (void)fputs(begun ? "\"/>\n" : "0 0\"/>\n", page);
}

static void put_bar(FILE *page, const strength *of, double x, size_t config, const vise_i_cli_scale *y) {
  const double score = of->sheet->rows[config].score, error = error_of(of->sheet, config);
  if (!(error > 0)) return;
  const double a = within(y, score - error), b = within(y, score + error);
  (void)fprintf(page, "<path class=\"bar\" d=\"M%.1f %.1fV%.1fM%.1f %.1fh6M%.1f %.1fh6\"/>\n", x, a, b, x - 3, a, x - 3,
                b);
}

/* A value whose best is not shown: worse than the chart reaches, or not finite. */
static void put_outside(FILE *page, const strength *of, double x, const vise_i_cli_scale *y, size_t config) {
  const double at = of->sheet->larger_is_better ? y->from - 7 : y->to + 7;
  const double tip = of->sheet->larger_is_better ? 5 : -5;
  if (config == SIZE_MAX) {
    (void)fprintf(page, "<path class=\"bad\" d=\"M%.1f %.1fl8 8m0 -8l-8 8\"><title>not finite</title></path>\n", x - 4,
                  at - 4);
    return;
  }
  (void)fprintf(page, "<path class=\"bar\" d=\"M%.1f %.1fl5 %.1fl5 %.1fz\">", x - 5, at - tip / 2, tip, -tip);
  put_hint(page, of->sheet, config);
  (void)fputs("</path>\n", page);
}

/* The values of the best and of the one-se configuration, as glmnet marks them. */
static void put_marks(FILE *page, const strength *of, const vise_i_cli_places *places, const vise_i_cli_scale *y) {
  const vise_i_cli_sheet *sheet = of->sheet;
  const size_t *value_of = of->varied->value_of;
  const double best = vise_i_cli_place_of(places, of->varied, value_of[sheet->best]);
  vise_i_cli_svg_line(page, best, y->to, best, y->from, "won");
  if (value_of[sheet->one_se] == value_of[sheet->best]) return;
  const double other = vise_i_cli_place_of(places, of->varied, value_of[sheet->one_se]);
  vise_i_cli_svg_line(page, other, y->to, other, y->from, "won");
  vise_i_cli_svg_text(page, other, y->to - 4, "m marked", "1 SE");
}

static void draw_numbers(FILE *page, const void *context, double width) {
  const strength *of = context;
  const vise_i_cli_sheet *sheet = of->sheet;
  char label[200];
  vise_i_cli_ticks ticks;
  vise_i_cli_scale y = score_scale(page, of);
  y.from = HEIGHT - BOTTOM - 8;
  y.to = TOP + 8;
  vise_i_cli_scale_ticks(&y, 5, &ticks);
  const double left = vise_i_cli_svg_room(&ticks), right = width - 8;
  const vise_i_cli_places places = vise_i_cli_places_make(of->varied, left, right);

  (void)snprintf(label, sizeof label, "%s against %s: the best score of each value, with its standard error",
                 sheet->score, of->varied->name);
  vise_i_cli_svg_begin(page, width, HEIGHT, label);
  vise_i_cli_svg_y_axis(page, &y, left, right, sheet->score);
  put_marks(page, of, &places, &y);
  if (error_of(sheet, sheet->best) > 0) {
    const double at = within(&y, one_se(sheet));
    vise_i_cli_svg_line(page, left, at, right, at, "se");
  }
  if (sheet->n_configs > of->varied->n_bins) put_cloud(page, of, &places, &y);

  put_curve(page, of, &places, &y);
  for (size_t i = 0; i < of->varied->n_bins; i++) {
    const size_t config = of->best[i];
    if (config == SIZE_MAX && of->varied->is_binned && i >= of->varied->n_words) continue;
    const size_t value = config != SIZE_MAX ? of->varied->value_of[config] : i;
    const double x = vise_i_cli_place_of(&places, of->varied, value);
    if (config == SIZE_MAX || !is_inside(&y, sheet->rows[config].score)) {
      put_outside(page, of, x, &y, config);
      continue;
    }
    put_bar(page, of, x, config, &y);
    put_point(page, of, x, vise_i_cli_scale_at(&y, sheet->rows[config].score), config);
  }
  vise_i_cli_places_axis(page, &places, of->varied, HEIGHT - BOTTOM);
  vise_i_cli_svg_end(page);
}

/* ---- names --------------------------------------------------------------------------------------------------------------- */

/* The values whose best are best, in the order in which they were given; returns how many there are. */
static size_t pick_names(const strength *of, size_t *bins) {
  const vise_i_cli_sheet *sheet = of->sheet;
  bool picked[MOST_NAMES] = {false};
  size_t ranked[MOST_NAMES], n = 0;
  const size_t n_bins = of->varied->n_bins;
  for (size_t i = 0; n_bins > MOST_NAMES && i < sheet->n_configs && n < MOST_NAMES; i++) {
    const size_t bin = of->varied->bin_of[of->varied->value_of[sheet->order[i]]];
    size_t k = 0;
    while (k < n && ranked[k] != bin) k++;
    if (k == n) ranked[n++] = bin;
  }
  for (size_t i = 0; n_bins <= MOST_NAMES && i < n_bins; i++) ranked[n++] = i;

  for (size_t i = 0; i < n; i++) {
    size_t first = SIZE_MAX;
    for (size_t k = 0; k < n; k++) {
      if (!picked[k] && (first == SIZE_MAX || ranked[k] < ranked[first])) first = k;
    }
    picked[first] = true;
    bins[i] = ranked[first];
  }
  return n;
}

/* A row for each. */
static void put_name(FILE *page, const strength *of, const vise_i_cli_scale *x, double y, size_t bin) {
  const size_t config = of->best[bin];
  vise_i_cli_svg_fitted(page, 0, y - 12, fabs(x->to - x->from) + 8, of->varied->values[bin].text);
  vise_i_cli_svg_line(page, fmin(x->from, x->to), y, fmax(x->from, x->to), y, "gl");
  if (config == SIZE_MAX) {
    vise_i_cli_svg_text(page, fmax(x->from, x->to), y - 12, "e marked", "not finite");
    return;
  }

  const double score = of->sheet->rows[config].score, error = error_of(of->sheet, config);
  if (!is_inside(x, score)) {
    char text[VISE_I_CLI_NUMBER_BYTES];
    vise_i_cli_svg_text(page, fmax(x->from, x->to), y - 12, "e", vise_i_cli_html_number(score, 3, text));
    return;
  }
  if (error > 0) {
    const double a = within(x, score - error), b = within(x, score + error);
    (void)fprintf(page, "<path class=\"bar\" d=\"M%.1f %.1fH%.1fM%.1f %.1fv6M%.1f %.1fv6\"/>\n", a, y, b, a, y - 3, b,
                  y - 3);
  }
  put_point(page, of, vise_i_cli_scale_at(x, score), y, config);
}

static void draw_names(FILE *page, const void *context, double width) {
  const strength *of = context;
  const vise_i_cli_sheet *sheet = of->sheet;
  size_t bins[MOST_NAMES];
  const size_t n = pick_names(of, bins);
  const double bottom = 12 + ROW * (double)n;
  char label[200];
  vise_i_cli_scale x = score_scale(page, of);
  x.from = 12;
  x.to = width - 12;

  (void)snprintf(label, sizeof label, "%s of each %s: the best score, with its standard error", sheet->score,
                 of->varied->name);
  vise_i_cli_svg_begin(page, width, bottom + 40, label);
  if (error_of(sheet, sheet->best) > 0) {
    const double at = within(&x, one_se(sheet));
    vise_i_cli_svg_line(page, at, 4, at, bottom, "se");
  }
  for (size_t i = 0; i < n; i++) put_name(page, of, &x, 30 + ROW * (double)i, bins[i]);
  vise_i_cli_svg_x_axis(page, &x, bottom, sheet->score);
  vise_i_cli_svg_end(page);
}

/* ---- the section --------------------------------------------------------------------------------------------------------- */

static void put_legend(FILE *page, const vise_i_cli_sheet *sheet) {
  (void)fputs("<ul class=\"legend\"><li><i></i>best of each value</li>", page);
  if (error_of(sheet, sheet->best) > 0) {
    (void)fputs("<li><i class=\"mark dashed\"></i>one standard error from the best</li>", page);
  }
  (void)fputs("<li><i class=\"mark dotted\"></i>value of the best, and of the 1-SE choice</li></ul>\n", page);
}

static double width_for(size_t n) {
  return n == 1 ? 720 : n == 2 ? 520 : VISE_I_CLI_NARROW;
}

static void put_strength(FILE *page, const vise_i_cli_sheet *sheet, const vise_i_cli_varied *varied, double width) {
  size_t *best = calloc(varied->n_bins, sizeof *best);
  if (best == NULL) vise_i_cli_text_lacks(page);
  if (best == NULL) return;
  vise_i_cli_sheet_best_of(sheet, varied, best);

  char about[80];
  (void)snprintf(about, sizeof about, "The best %d of %zu values.", MOST_NAMES, varied->n_bins);
  const bool is_cut = !varied->is_number && varied->n_bins > MOST_NAMES;
  const strength of = {sheet, varied, best};
  const vise_i_cli_figure figure = {varied->name, is_cut ? about : NULL, varied->is_number ? draw_numbers : draw_names,
                                    &of, width};
  vise_i_cli_html_figure(page, &figure);
  free(best);
}

void vise_i_cli_sweep_strengths(FILE *page, const vise_i_cli_sheet *sheet) {
  size_t n_varied = 0, n_left = 0;
  for (size_t i = 0; i < sheet->n_varied; i++) n_varied += sheet->varied[i].n_values > 1;
  if (!sheet->has_winner || n_varied == 0) return;

  vise_i_cli_html_section(page, "strengths", "Score against each strength");
  (void)fprintf(page,
                "<p>For each value of an option, the score of the best configuration that has it, whatever its others "
                "are%s. Faint dots are the other configurations.</p>\n",
                error_of(sheet, sheet->best) > 0 ? ", with the standard error over the folds" : "");
  put_legend(page, sheet);
  (void)fprintf(page, "<div class=\"charts%s\">\n", n_varied == 1 ? " one" : n_varied == 2 ? " two" : "");

  const long begin = ftell(page);
  for (size_t i = 0; i < sheet->n_varied; i++) {
    if (sheet->varied[i].n_values < 2) continue;
    if (ftell(page) - begin > MOST_BYTES) {
      n_left++;
    } else {
      put_strength(page, sheet, &sheet->varied[i], width_for(n_varied));
    }
  }
  (void)fputs("</div>\n", page);
  if (n_left > 0) (void)fprintf(page, "<p class=\"skip\">%zu more options are left out here.</p>\n", n_left);
}
