/* Charts of lines over epochs or steps. */
#include <math.h>
#include <stdlib.h>

#include "host/cli/html_run.h"
#include "host/cli/text_stream.h"

enum { HEIGHT = 264, TOP = 10, BOTTOM = 44, MOST_POINTS = 420, LEAST_POINTS = 60, FULL_LINES = 6 };

static const char *const strokes[] = {" thin", " thick", " dotted", ""};

/* ---- lines --------------------------------------------------------------------------------------------------------------- */

bool vise_i_cli_chart_add(vise_i_cli_chart *chart, const vise_i_cli_line *line) {
  const vise_i_cli_points *points = line->points;
  bool has_any = false;
  for (size_t i = 0; !has_any && i < points->n; i++) has_any = isfinite(points->y[line->track][i]);
  if (!has_any || chart->n == VISE_I_CLI_MOST_LINES) return false;
  chart->lines[chart->n++] = *line;
  return true;
}

bool vise_i_cli_chart_is_above_zero(const vise_i_cli_chart *chart) {
  for (size_t k = 0; k < chart->n; k++) {
    const vise_i_cli_line *line = &chart->lines[k];
    for (size_t i = 0; i < line->points->n; i++) {
      if (line->points->y[line->track][i] > 0) return true;
    }
  }
  return false;
}

/* ---- scales -------------------------------------------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

/* The finite values, as far as out is not NULL; returns their number. */
static size_t collect(const vise_i_cli_chart *chart, double *out) {
  size_t n = 0;
  for (size_t k = 0; k < chart->n; k++) {
    const vise_i_cli_line *line = &chart->lines[k];
    for (size_t i = 0; i < line->points->n; i++) {
      const double y = line->points->y[line->track][i];
      if (isfinite(y) && out != NULL) out[n] = y;
      n += isfinite(y);
    }
  }
  return n;
}

/* Without a few points that are far above all others, on a scale that is not by decades. */
static bool y_scale(FILE *page, const vise_i_cli_chart *chart, vise_i_cli_scale *out) {
  const size_t n = collect(chart, NULL);
  double *all = n > 0 ? malloc(n * sizeof *all) : NULL;
  if (n > 0 && all == NULL) vise_i_cli_text_lacks(page);
  if (all == NULL) return false;
  (void)collect(chart, all);
  qsort(all, n, sizeof *all, by_number);

  double hi = all[n - 1];
  const double most = all[n - 1 - n / 50];
  if (chart->is_share) {
    *out = (vise_i_cli_scale){0, fmax(hi * 1.06, 0.001), 0, 1, false};
    out->hi = fmin(out->hi, 1);
  } else {
    if (!vise_i_cli_scale_spans(all[0], hi) && hi - all[0] > 4 * (most - all[0])) hi = most;
    *out = vise_i_cli_scale_around(all[0], hi);
    if (all[0] >= 0 && out->lo < 0) out->lo = 0;
  }
  free(all);
  return true;
}

static vise_i_cli_scale x_scale(const vise_i_cli_chart *chart) {
  vise_i_cli_scale scale = {(double)INFINITY, -(double)INFINITY, 0, 1, false};
  for (size_t k = 0; k < chart->n; k++) {
    const vise_i_cli_points *points = chart->lines[k].points;
    if (points->n == 0) continue;
    scale.lo = fmin(scale.lo, points->x[0]);
    scale.hi = fmax(scale.hi, points->x[points->n - 1]);
  }
  if (!(scale.hi > scale.lo)) scale.hi = scale.lo + 1;
  return scale;
}

/* ---- drawing ------------------------------------------------------------------------------------------------------------- */

typedef struct pen {
  FILE *page;
  const vise_i_cli_scale *x, *y;
  size_t most; /* points */
  bool is_down;
} pen;

static void move(pen *p, double x, double y) {
  const double at = p->y->is_log && y <= 0 ? p->y->lo : fmin(fmax(y, p->y->lo), p->y->hi);
  (void)fprintf(p->page, "%s%.1f %.1f", p->is_down ? "L" : "M", vise_i_cli_scale_at(p->x, x),
                vise_i_cli_scale_at(p->y, at));
  if (!p->is_down) (void)fputs("h0", p->page);
  p->is_down = true;
}

/* Of many points the lowest and the highest of each group, so that no spike is lost. */
static void put_points(pen *p, const vise_i_cli_line *line, bool bridges) {
  const double *x = line->points->x, *y = line->points->y[line->track];
  const size_t n = line->points->n, group = n <= p->most ? 1 : 2 * n / p->most + 1;
  for (size_t begin = 0; begin < n; begin += group) {
    const size_t end = begin + group < n ? begin + group : n;
    size_t low = begin, high = begin;
    for (size_t i = begin; i < end; i++) {
      if (y[i] < y[low] || isnan(y[low])) low = i;
      if (y[i] > y[high] || isnan(y[high])) high = i;
    }

    if (!isfinite(y[low]) || !isfinite(y[high])) {
      p->is_down = p->is_down && bridges;
      continue;
    }
    const size_t first = low < high ? low : high, second = low < high ? high : low;
    move(p, x[first], y[first]);
    if (first != second) move(p, x[second], y[second]);
  }
}

static void draw(FILE *page, const void *context, double width) {
  const vise_i_cli_chart *chart = context;
  vise_i_cli_scale y, x = x_scale(chart);
  vise_i_cli_ticks ticks;
  char label[120];
  if (!y_scale(page, chart, &y)) return;
  y.from = HEIGHT - BOTTOM;
  y.to = TOP;
  const double unit = chart->is_share ? 100 : 1; /* its numbers are per cent */
  const vise_i_cli_scale shown = {unit * y.lo, unit * y.hi, y.from, y.to, y.is_log};
  vise_i_cli_scale_ticks(&shown, 6, &ticks);
  const double left = vise_i_cli_svg_room(&ticks);
  x.from = left + 4;
  x.to = width - 14;

  (void)snprintf(label, sizeof label, "%s over %s", chart->name, chart->unit);
  vise_i_cli_svg_begin(page, width, HEIGHT, label);
  vise_i_cli_svg_y_axis(page, &shown, left, width, NULL);
  const size_t share = MOST_POINTS * FULL_LINES / (chart->n > FULL_LINES ? chart->n : FULL_LINES);
  for (size_t k = 0; k < chart->n; k++) {
    const vise_i_cli_line *line = &chart->lines[k];
    pen p = {page, &x, &y, share > LEAST_POINTS ? share : LEAST_POINTS, false};
    (void)fprintf(page, "<path class=\"curve c%zu%s\" d=\"", line->color, strokes[line->stroke]);
    put_points(&p, line, chart->bridges);
    (void)fputs("\"/>\n", page);
  }

  if (chart->ring_title != NULL && chart->ring_y >= y.lo) {
    (void)fprintf(page, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"6\" class=\"ring\"><title>%s</title></circle>\n",
                  vise_i_cli_scale_at(&x, chart->ring_x), vise_i_cli_scale_at(&y, fmin(chart->ring_y, y.hi)),
                  chart->ring_title);
  }
  vise_i_cli_svg_x_axis(page, &x, y.from, chart->unit);
  vise_i_cli_svg_end(page);
}

void vise_i_cli_chart_put(FILE *page, const vise_i_cli_chart *chart, double width) {
  const vise_i_cli_figure figure = {chart->title, NULL, draw, chart, width};
  if (chart->n > 0) vise_i_cli_html_figure(page, &figure);
}

/* ---- legends ------------------------------------------------------------------------------------------------------------- */

void vise_i_cli_legend_begin(FILE *page) {
  (void)fputs("<ul class=\"legend\">", page);
}

void vise_i_cli_legend_entry(FILE *page, size_t color, vise_i_cli_stroke stroke, const char *text) {
  (void)fprintf(page, "<li><i class=\"c%zu%s\"></i><bdi>", color, strokes[stroke]);
  vise_i_cli_html_short(page, text, 60);
  (void)fputs("</bdi></li>", page);
}

void vise_i_cli_legend_end(FILE *page) {
  (void)fputs("</ul>\n", page);
}
