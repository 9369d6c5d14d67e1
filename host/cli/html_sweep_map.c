/* Two strengths against each other: a cell for each pair of values, shaded by the best score that it has. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/html_sweep.h"
#include "host/cli/text_stream.h"

enum { MOST_SIDE = 20, MOST_HINTS = 150, TOP = 8, BOTTOM = 42 };

typedef struct map {
  const vise_i_cli_sheet *sheet;
  const vise_i_cli_varied *across, *up;
  const size_t *cells; /* [up->n_bins][across->n_bins]: the best configuration; SIZE_MAX: none */
} map;

/* Configurations that are there but not finite; the others are not there. */
static const size_t not_finite = SIZE_MAX - 1;

/* All of 4 digits, as they are compared. */
static void cell_text(double score, char text[VISE_I_CLI_TICK_BYTES]) {
  (void)snprintf(text, VISE_I_CLI_TICK_BYTES, "%#.4g", score);
  const size_t n = strlen(text);
  if (strchr(text, 'e') != NULL) {
    vise_i_cli_tick_text(score, text);
  } else if (n > 0 && text[n - 1] == '.') {
    text[n - 1] = '\0';
  }
}

static void put_cell_text(FILE *page, const map *of, size_t config, const double box[4]) {
  char text[VISE_I_CLI_TICK_BYTES], class_name[32];
  const double score = of->sheet->rows[config].score;
  cell_text(score, text);
  if (vise_i_cli_svg_width(strlen(text)) + 4 > box[2] || box[3] < 16) return;
  (void)snprintf(class_name, sizeof class_name, "m q%zu", vise_i_cli_sheet_shade(of->sheet, score));
  vise_i_cli_svg_text(page, box[0] + box[2] / 2, box[1] + box[3] / 2 + 4, class_name, text);
}

static void put_cell(FILE *page, const map *of, size_t config, const double box[4]) {
  char name[240], score[VISE_I_CLI_NUMBER_BYTES];
  if (config == SIZE_MAX) {
    (void)fprintf(page, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" class=\"none\"/>\n", box[0], box[1],
                  box[2], box[3]);
    return;
  }
  if (config == not_finite) {
    const double x = box[0] + box[2] / 2, y = box[1] + box[3] / 2;
    (void)fprintf(page,
                  "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" class=\"none\"><title>not "
                  "finite</title></rect><path class=\"bad\" d=\"M%.1f %.1fl8 8m0 -8l-8 8\"/>\n",
                  box[0], box[1], box[2], box[3], x - 4, y - 4);
    return;
  }

  const vise_i_cli_row *row = &of->sheet->rows[config];
  (void)fprintf(page, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" class=\"cell q%zu\">", box[0], box[1],
                box[2], box[3], vise_i_cli_sheet_shade(of->sheet, row->score));
  if (of->across->n_bins * of->up->n_bins <= MOST_HINTS) {
    (void)fputs("<title>", page);
    vise_i_cli_sheet_name(of->sheet, config, name, sizeof name);
    vise_i_cli_html_text(page, name);
    (void)fprintf(page, ": %s</title>", vise_i_cli_html_number(row->score, 5, score));
  }
  (void)fputs("</rect>\n", page);
  put_cell_text(page, of, config, box);
}

/* What stands beside a row or below a column: a value, or where a group of numbers begins. */
static void bin_text(const vise_i_cli_varied *varied, size_t bin, char text[VISE_I_CLI_TICK_BYTES]) {
  if (bin < varied->n_words || !varied->is_binned) {
    const double number = varied->values[bin].number;
    if (isnan(number)) {
      (void)snprintf(text, VISE_I_CLI_TICK_BYTES, "%.15s", varied->values[bin].text);
    } else {
      vise_i_cli_tick_text(number, text);
    }
    return;
  }

  const double lo = varied->values[varied->n_words].number, hi = varied->values[varied->n_values - 1].number;
  const double part = ((double)(bin - varied->n_words) + 0.5) / (double)(varied->n_bins - varied->n_words);
  char number[VISE_I_CLI_NUMBER_BYTES];
  const double middle = varied->is_log ? lo * pow(hi / lo, part) : lo + part * (hi - lo);
  (void)snprintf(number, sizeof number, "%.2g", middle);
  vise_i_cli_tick_text(strtod(number, NULL), text);
}

static void put_sides(FILE *page, const map *of, double left, double bottom, const double cell[2]) {
  double taken = -1e9;
  for (size_t i = 0; i < of->across->n_bins; i++) {
    char text[VISE_I_CLI_TICK_BYTES];
    bin_text(of->across, i, text);
    const double x = left + ((double)i + 0.5) * cell[0], half = vise_i_cli_svg_width(strlen(text)) / 2;
    if (x - half < taken + 5) continue;
    vise_i_cli_svg_text(page, x, bottom + 16, "m", text);
    taken = x + half;
  }
  for (size_t i = 0; i < of->up->n_bins; i++) {
    char text[VISE_I_CLI_TICK_BYTES];
    bin_text(of->up, i, text);
    if (cell[1] < 13 && i % 2 == 1) continue;
    vise_i_cli_svg_text(page, left - 7, bottom - ((double)i + 0.5) * cell[1] + 4, "e", text);
  }
}

static void draw(FILE *page, const void *context, double width) {
  const map *of = context;
  const vise_i_cli_sheet *sheet = of->sheet;
  const size_t n_across = of->across->n_bins, n_up = of->up->n_bins;
  char label[240], text[VISE_I_CLI_TICK_BYTES];
  size_t longest = 3;
  for (size_t i = 0; i < n_up; i++) {
    bin_text(of->up, i, text);
    longest = vise_i_cli_svg_length(text) > longest ? vise_i_cli_svg_length(text) : longest;
  }

  const double left = vise_i_cli_svg_width(longest) + 12;
  const double cell[2] = {fmin((width - left - 4) / (double)n_across, 96), fmax(fmin(360.0 / (double)n_up, 44), 12)};
  const double top = TOP + 16, bottom = top + cell[1] * (double)n_up;
  (void)snprintf(label, sizeof label, "%s by %s across and %s up, shaded from the best to the worst", sheet->score,
                 of->across->name, of->up->name);
  vise_i_cli_svg_begin(page, width, bottom + BOTTOM, label);
  vise_i_cli_svg_text(page, 0, 12, "s name", of->up->name);

  const double *picked = NULL;
  double best[4];
  for (size_t i = 0; i < n_up * n_across; i++) {
    const double box[4] = {left + (double)(i % n_across) * cell[0], bottom - (double)(i / n_across + 1) * cell[1],
                           cell[0], cell[1]};
    put_cell(page, of, of->cells[i], box);
    if (of->cells[i] != sheet->best) continue;
    memcpy(best, box, sizeof best);
    picked = best;
  }
  if (picked != NULL) {
    (void)fprintf(page, "<path class=\"picked\" d=\"M%.1f %.1fh%.1fv%.1fh-%.1fz\"/>\n", best[0], best[1], best[2],
                  best[3], best[2]);
  }
  put_sides(page, of, left, bottom, cell);
  vise_i_cli_svg_text(page, left + cell[0] * (double)n_across / 2, bottom + 35, "m name", of->across->name);
  vise_i_cli_svg_end(page);
}

void vise_i_cli_sweep_map(FILE *page, const vise_i_cli_sheet *sheet) {
  const vise_i_cli_varied *numbers[2];
  size_t n = 0;
  for (size_t i = 0; i < sheet->n_varied; i++) {
    if (!sheet->varied[i].is_number) continue;
    if (n < 2) numbers[n] = &sheet->varied[i];
    n++;
  }
  if (n != 2 || !sheet->has_winner || numbers[0]->n_bins > MOST_SIDE || numbers[1]->n_bins > MOST_SIDE) return;

  const size_t n_cells = numbers[0]->n_bins * numbers[1]->n_bins;
  size_t *cells = calloc(n_cells, sizeof *cells);
  if (cells == NULL) vise_i_cli_text_lacks(page);
  if (cells == NULL) return;
  for (size_t i = 0; i < n_cells; i++) cells[i] = SIZE_MAX;
  for (size_t i = 0; i < sheet->n_configs; i++) {
    const size_t config = sheet->order[i];
    size_t *cell = &cells[numbers[0]->bin_of[numbers[0]->value_of[config]] * numbers[1]->n_bins +
                          numbers[1]->bin_of[numbers[1]->value_of[config]]];
    const bool is_finite = isfinite(sheet->rows[config].score);
    if (*cell == SIZE_MAX || (*cell == not_finite && is_finite)) *cell = is_finite ? config : not_finite;
  }

  const map of = {sheet, numbers[1], numbers[0], cells};
  const vise_i_cli_figure figure = {NULL,
                                    "Each cell is the best configuration with these two values; the marked one is the "
                                    "best of all. Of numbers that were drawn, a cell is a range, named by its middle.",
                                    draw, &of, 720};
  vise_i_cli_html_section(page, "map", "Two strengths against each other");
  vise_i_cli_sheet_shades(page, sheet);
  vise_i_cli_html_figure(page, &figure);
  free(cells);
}
