/* Right and wrong predictions of the rows that judge a run: a confusion matrix, or predicted against true numbers. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/html_run.h"

enum { MOST_CLASSES = 20, ROW = 30, TOP = 28, BOTTOM = 24, HEIGHT = 300, N_SHADES = 7 };

/* ---- classes ------------------------------------------------------------------------------------------------------------- */

typedef struct matrix {
  const json_t *rows, *classes;
  size_t n;
} matrix;

static double count_at(const matrix *m, size_t true_class, size_t predicted) {
  return json_number_value(json_array_get(json_array_get(m->rows, true_class), predicted));
}

static double rows_of(const matrix *m, size_t true_class) {
  double n = 0;
  for (size_t j = 0; j < m->n; j++) n += count_at(m, true_class, j);
  return n;
}

/* The name, or the number of a class whose name is not text. */
static const char *class_name(const matrix *m, size_t k, char buffer[24]) {
  const char *name = json_string_value(json_object_get(json_array_get(m->classes, k), "name"));
  if (name != NULL) return name;
  (void)snprintf(buffer, 24, "%zu", k);
  return buffer;
}

static void put_count(FILE *page, const matrix *m, size_t i, size_t j, const double box[4]) {
  char text[32], look[16];
  const double n = count_at(m, i, j), all = rows_of(m, i), share = all > 0 ? n / all : 0;
  const size_t shade = n > 0 ? (size_t)fmin(floor((1 - share) * N_SHADES), N_SHADES - 1) : N_SHADES;
  if (shade == N_SHADES) {
    (void)fprintf(page, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" class=\"none\"/>\n", box[0], box[1],
                  box[2], box[3]);
    return;
  }

  (void)fprintf(page,
                "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" class=\"cell q%zu\"><title>%.0f of %.0f"
                "</title></rect>\n",
                box[0], box[1], box[2], box[3], shade, n, all);
  (void)snprintf(text, sizeof text, "%.0f", n);
  (void)snprintf(look, sizeof look, "m q%zu", shade);
  if (vise_i_cli_svg_width(strlen(text)) + 4 <= box[2]) {
    vise_i_cli_svg_text(page, box[0] + box[2] / 2, box[1] + box[3] / 2 + 4, look, text);
  }
}

static void draw_matrix(FILE *page, const void *context, double width) {
  const matrix *m = context;
  char number[24];
  double left = 40;
  for (size_t k = 0; k < m->n; k++) {
    left = fmax(left, vise_i_cli_svg_width(vise_i_cli_svg_length(class_name(m, k, number))) + 10);
  }
  left = fmin(left, 0.3 * width);

  const double cell = fmin((width - left - 2) / (double)m->n, 110), bottom = TOP + (double)m->n * ROW;
  vise_i_cli_svg_begin(page, width, bottom + BOTTOM, "Confusion matrix: true classes down, predicted ones across");
  for (size_t i = 0; i < m->n; i++) {
    const double y = TOP + (double)i * ROW;
    vise_i_cli_svg_fitted(page, 0, y + ROW / 2 + 4, left - 6, class_name(m, i, number));
    vise_i_cli_svg_fitted(page, left + (double)i * cell + 3, TOP - 9, cell - 6, class_name(m, i, number));
    for (size_t j = 0; j < m->n; j++) {
      const double box[4] = {left + (double)j * cell, y, cell, ROW};
      put_count(page, m, i, j, box);
    }
  }
  vise_i_cli_svg_text(page, left, bottom + 16, "s", "true classes down, predicted across");
  vise_i_cli_svg_end(page);
}

/* The pair of classes that is mistaken most often, in words. */
static void put_worst(FILE *page, const matrix *m) {
  size_t worst_true = 0, worst_predicted = 0;
  double most = 0;
  char number[24];
  for (size_t i = 0; i < m->n; i++) {
    for (size_t j = 0; j < m->n; j++) {
      if (i == j || !(count_at(m, i, j) > most)) continue;
      most = count_at(m, i, j);
      worst_true = i;
      worst_predicted = j;
    }
  }
  if (!(most > 0)) {
    (void)fputs("<p>No row was taken for another class.</p>\n", page);
    return;
  }

  (void)fputs("<p>Mistaken most often: <strong>", page);
  vise_i_cli_html_short(page, class_name(m, worst_true, number), 40);
  (void)fputs("</strong> for <strong>", page);
  vise_i_cli_html_short(page, class_name(m, worst_predicted, number), 40);
  (void)fprintf(page, "</strong>, %.0f of %.0f rows.</p>\n", most, rows_of(m, worst_true));
}

/* ---- numbers ------------------------------------------------------------------------------------------------------------- */

typedef struct cloud {
  const json_t *predicted, *truth;
  size_t n;
} cloud;

static double value_at(const json_t *numbers, size_t i) {
  const json_t *value = json_array_get(numbers, i);
  return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static void draw_cloud(FILE *page, const void *context, double width) {
  const cloud *c = context;
  double lo = (double)INFINITY, hi = -(double)INFINITY;
  for (size_t i = 0; i < c->n; i++) {
    lo = fmin(lo, fmin(value_at(c->truth, i), value_at(c->predicted, i)));
    hi = fmax(hi, fmax(value_at(c->truth, i), value_at(c->predicted, i)));
  }
  if (!isfinite(lo) || !isfinite(hi)) return;

  vise_i_cli_ticks ticks;
  const double room = fmax(0.04 * (hi - lo), 1e-9 * fmax(fabs(hi), 1));
  vise_i_cli_scale y = {lo - room, hi + room, HEIGHT - 44, 10, false}, x = y;
  vise_i_cli_scale_ticks(&y, 6, &ticks);
  const double left = vise_i_cli_svg_room(&ticks);
  x.from = left + 4;
  x.to = width - 14;

  vise_i_cli_svg_begin(page, width, HEIGHT, "Predicted over true values; on the line they are equal");
  vise_i_cli_svg_y_axis(page, &y, left, width, NULL);
  vise_i_cli_svg_line(page, vise_i_cli_scale_at(&x, lo), vise_i_cli_scale_at(&y, lo), vise_i_cli_scale_at(&x, hi),
                      vise_i_cli_scale_at(&y, hi), "se");
  (void)fputs("<path class=\"cloud\" d=\"", page);
  for (size_t i = 0; i < c->n; i++) {
    const double at = value_at(c->truth, i), predicted = value_at(c->predicted, i);
    if (!isfinite(at) || !isfinite(predicted)) continue;
    (void)fprintf(page, "M%.1f %.1fh0", vise_i_cli_scale_at(&x, at), vise_i_cli_scale_at(&y, predicted));
  }
  (void)fputs("\"/>\n", page);
  vise_i_cli_svg_x_axis(page, &x, y.from, "true");
  vise_i_cli_svg_end(page);
}

static void put_clouds(FILE *page, const vise_i_cli_run_files *run, const json_t *sample) {
  const json_t *target = json_object_get(json_object_get(run->end, "data"), "target"),
               *names = json_object_get(target, "names");
  const size_t n = json_array_size(sample);
  (void)fputs(n > 1 ? "<div class=\"charts two\">\n" : "<div class=\"charts one\">\n", page);
  for (size_t k = 0; k < n; k++) {
    const json_t *pairs = json_array_get(sample, k);
    const cloud c = {json_object_get(pairs, "predicted"), json_object_get(pairs, "true"),
                     json_array_size(json_object_get(pairs, "true"))};
    const char *name = json_string_value(json_array_get(names, k));
    char title[120];
    (void)snprintf(title, sizeof title, "%.60s: predicted over true", name != NULL ? name : "target");
    const vise_i_cli_figure figure = {title, NULL, draw_cloud, &c, n > 1 ? 520 : 720};
    vise_i_cli_html_figure(page, &figure);
  }
  (void)fputs("</div>\n", page);
}

/* ---- the section --------------------------------------------------------------------------------------------------------- */

static bool is_square(const matrix *m) {
  for (size_t i = 0; i < m->n; i++) {
    if (json_array_size(json_array_get(m->rows, i)) != m->n) return false;
  }
  return m->n > 1;
}

void vise_i_cli_run_rows(FILE *page, const vise_i_cli_run_files *run) {
  const char *set;
  const json_t *metrics = vise_i_cli_run_judge(run, &set), *sample = json_object_get(metrics, "sample");
  const json_t *confusion = json_object_get(metrics, "confusion");
  const matrix m = {confusion, json_object_get(metrics, "classes"), json_array_size(confusion)};
  const bool has_matrix = is_square(&m) && m.n <= MOST_CLASSES;
  if (!has_matrix && json_array_size(sample) == 0) return;

  vise_i_cli_html_section(page, "rows", has_matrix ? "Right and wrong" : "Predicted against true");
  if (has_matrix) {
    const vise_i_cli_figure figure = {NULL, "The darker a cell, the larger its share of the true class.", draw_matrix,
                                      &m, 720};
    (void)fprintf(page, "<p>On the %s rows.</p>\n", set);
    put_worst(page, &m);
    (void)fputs("<div class=\"charts one\">\n", page);
    vise_i_cli_html_figure(page, &figure);
    (void)fputs("</div>\n", page);
    return;
  }

  (void)fprintf(page, "<p>Up to 300 of the %s rows; on the dashed line a prediction is right.</p>\n", set);
  put_clouds(page, run, sample);
}
