/* Charts as SVG within a page. */
#include <math.h>
#include <string.h>

#include "host/cli/html.h"

#define CHARACTER 6.7 /* width of one, on average */

double vise_i_cli_svg_width(size_t n_characters) {
  return CHARACTER * (double)n_characters;
}

void vise_i_cli_svg_begin(FILE *page, double width, double height, const char *label) {
  (void)fprintf(page, "<svg viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" height=\"%.0f\" role=\"img\" aria-label=\"", width,
                height, width, height);
  vise_i_cli_html_short(page, label, 400);
  (void)fputs("\">\n", page);
}

void vise_i_cli_svg_end(FILE *page) {
  (void)fputs("</svg>\n", page);
}

void vise_i_cli_svg_text(FILE *page, double x, double y, const char *class_name, const char *text) {
  (void)fprintf(page, "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\">", x, y, class_name);
  vise_i_cli_html_short(page, text, 100);
  (void)fputs("</text>\n", page);
}

void vise_i_cli_svg_fitted(FILE *page, double x, double y, double width, const char *text) {
  const size_t most = (size_t)fmax(width / 7.3, 2);
  (void)fprintf(page, "<text x=\"%.1f\" y=\"%.1f\" class=\"s halo\">", x, y);
  vise_i_cli_html_short(page, text, most);
  if (vise_i_cli_svg_length(text) > most) {
    (void)fputs("<title>", page);
    vise_i_cli_html_short(page, text, 200);
    (void)fputs("</title>", page);
  }
  (void)fputs("</text>\n", page);
}

void vise_i_cli_svg_line(FILE *page, double x1, double y1, double x2, double y2, const char *class_name) {
  (void)fprintf(page, "<path d=\"M%.1f %.1fL%.1f %.1f\" class=\"%s\"/>\n", x1, y1, x2, y2, class_name);
}

double vise_i_cli_svg_room(const vise_i_cli_ticks *ticks) {
  size_t longest = 2;
  for (size_t i = 0; i < ticks->n; i++) longest = strlen(ticks->texts[i]) > longest ? strlen(ticks->texts[i]) : longest;
  return vise_i_cli_svg_width(longest) + 10;
}

static size_t ticks_for(const vise_i_cli_scale *scale, double each) {
  return (size_t)fmax(fabs(scale->to - scale->from) / each, 2);
}

void vise_i_cli_svg_y_axis(FILE *page, const vise_i_cli_scale *y, double x1, double x2, const char *name) {
  vise_i_cli_ticks ticks;
  vise_i_cli_scale_ticks(y, ticks_for(y, 30), &ticks);
  for (size_t i = 0; i < ticks.n; i++) {
    const double at = vise_i_cli_scale_at(y, ticks.at[i]);
    vise_i_cli_svg_line(page, x1, at, x2, at, "gl");
    vise_i_cli_svg_text(page, x1 - 6, at + 4, "e", ticks.texts[i]);
  }
  if (name != NULL) vise_i_cli_svg_text(page, 0, 11, "s name", name);
}

void vise_i_cli_svg_x_axis(FILE *page, const vise_i_cli_scale *x, double y, const char *name) {
  vise_i_cli_ticks ticks;
  double taken = -1e9;
  const double right = fmax(x->from, x->to);
  vise_i_cli_scale_ticks(x, ticks_for(x, 62), &ticks);
  vise_i_cli_svg_line(page, x->from, y, x->to, y, "axis");

  for (size_t i = 0; i < ticks.n; i++) {
    const double at = vise_i_cli_scale_at(x, ticks.at[i]), half = vise_i_cli_svg_width(strlen(ticks.texts[i])) / 2;
    vise_i_cli_svg_line(page, at, y, at, y + 4, "axis");
    const double middle = fmax(fmin(at, right + 8 - half), half); /* the picture ends there */
    if (middle - half < taken + 6) continue;
    vise_i_cli_svg_text(page, middle, y + 17, "m halo", ticks.texts[i]);
    taken = middle + half;
  }
  if (name != NULL) vise_i_cli_svg_text(page, (x->from + x->to) / 2, y + 34, "m name", name);
}
