/* Parallel coordinates: an axis for each option, a line for each configuration. Axes lie one under the other, so that
   their values can be read on a narrow screen too. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/html_sweep.h"
#include "host/cli/text_stream.h"

enum { MOST_LINES = 160, SURE_LINES = 30, MOST_AXES = 24, ROW = 62, TOP = 26 };

typedef struct lines {
  const vise_i_cli_sheet *sheet;
  const vise_i_cli_varied *axes[MOST_AXES];
  size_t n;
  size_t *configs, n_configs; /* those that are drawn, the worst first */
} lines;

/* Few values are hidden by each other: a little to the side, always the same for a configuration. */
static double aside(const vise_i_cli_varied *varied, size_t config) {
  if (varied->is_binned) return 0;
  return ((double)((uint32_t)(config + 1) * UINT32_C(2654435761) >> 16) / 65536 - 0.5) * 10;
}

static void put_line(FILE *page, const lines *of, const vise_i_cli_places *places, const vise_i_cli_scale *scores,
                     size_t config) {
  const vise_i_cli_sheet *sheet = of->sheet;
  const vise_i_cli_row *row = &sheet->rows[config];
  const bool won = config == sheet->winner;
  (void)fputs("<path class=\"", page);
  if (won) {
    (void)fputs("winner", page);
  } else {
    (void)fprintf(page, "many q%zu", vise_i_cli_sheet_shade(sheet, row->score));
  }

  (void)fputs("\" d=\"", page);
  for (size_t i = 0; i < of->n; i++) {
    const vise_i_cli_varied *varied = of->axes[i];
    const double x = vise_i_cli_place_of(&places[i], varied, varied->value_of[config]);
    (void)fprintf(page, "%s%.0f %zu", i > 0 ? "L" : "M", x + (won ? 0 : aside(varied, config)), TOP + ROW * i);
  }
  const double at = fmin(fmax(row->score, scores->lo), scores->hi);
  (void)fprintf(page, "L%.0f %zu\"/>\n", vise_i_cli_scale_at(scores, at), TOP + ROW * of->n);
}

static void draw(FILE *page, const void *context, double width) {
  const lines *of = context;
  const vise_i_cli_sheet *sheet = of->sheet;
  const bool is_wide = width > VISE_I_CLI_NARROW;
  const double left = is_wide ? 140 : 0, end = TOP + ROW * (double)of->n;
  vise_i_cli_places places[MOST_AXES];
  vise_i_cli_scale scores =
      vise_i_cli_scale_around(fmin(sheet->shade_best, sheet->shade_worst), fmax(sheet->shade_best, sheet->shade_worst));
  scores.from = left + 10;
  scores.to = width - 10;

  vise_i_cli_svg_begin(page, width, end + 30,
                       "Parallel coordinates: a line for each configuration through its value of each option to its "
                       "score; the winner's is thick");
  for (size_t i = 0; i < of->n; i++) places[i] = vise_i_cli_places_make(of->axes[i], left, width);
  for (size_t i = 0; i < of->n_configs; i++) put_line(page, of, places, &scores, of->configs[i]);

  for (size_t i = 0; i <= of->n; i++) {
    const double y = TOP + ROW * (double)i;
    const char *name = i < of->n ? of->axes[i]->name : sheet->score;
    vise_i_cli_svg_line(page, left, y, width, y, "axis");
    if (is_wide) {
      vise_i_cli_svg_text(page, 0, y + 4, "s name", name);
    } else {
      vise_i_cli_svg_text(page, 0, y - 10, "s name halo", name);
    }
    if (i < of->n) vise_i_cli_places_axis(page, &places[i], of->axes[i], y);
  }
  vise_i_cli_svg_x_axis(page, &scores, end, NULL);
  vise_i_cli_svg_end(page);
}

/* The best, and every so many of the rest, the worst first. */
static void pick(lines *of) {
  const vise_i_cli_sheet *sheet = of->sheet;
  size_t n_finite = 0;
  for (size_t i = 0; i < sheet->n_configs; i++) n_finite += isfinite(sheet->rows[i].score);
  const size_t n_rest = n_finite > SURE_LINES ? n_finite - SURE_LINES : 0;
  const size_t every = n_rest / (MOST_LINES - SURE_LINES) + 1;

  size_t seen = 0;
  for (size_t i = 0; i < sheet->n_configs; i++) {
    const size_t config = sheet->order[sheet->n_configs - 1 - i];
    if (!isfinite(sheet->rows[config].score) || config == sheet->winner) continue;
    const size_t left = n_finite - seen++;
    if (left <= SURE_LINES || left % every == 0) of->configs[of->n_configs++] = config;
  }
  of->configs[of->n_configs++] = sheet->winner;
}

void vise_i_cli_sweep_lines(FILE *page, const vise_i_cli_sheet *sheet) {
  lines of = {.sheet = sheet};
  for (size_t i = 0; i < sheet->n_varied && of.n < MOST_AXES; i++) {
    if (sheet->varied[i].n_values > 1) of.axes[of.n++] = &sheet->varied[i];
  }
  if (!sheet->has_winner || of.n < 3) return;

  of.configs = calloc(sheet->n_configs + 1, sizeof *of.configs);
  if (of.configs == NULL) vise_i_cli_text_lacks(page);
  if (of.configs == NULL) return;
  pick(&of);
  char about[160];
  (void)snprintf(
      about, sizeof about,
      "%zu of %zu configurations, the best ones on top. Where lines of the best shade gather on an axis, that "
      "value matters.",
      of.n_configs, sheet->n_configs);
  const vise_i_cli_figure figure = {NULL, about, draw, &of, 860};
  vise_i_cli_html_section(page, "lines", "All strengths together");
  vise_i_cli_sheet_shades(page, sheet);
  (void)fputs("<ul class=\"legend\"><li><i class=\"mark\"></i>the winner</li></ul>\n", page);
  vise_i_cli_html_figure(page, &figure);
  free(of.configs);
}
