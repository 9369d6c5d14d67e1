/* A picture of the net: a column of units for each width, weights as lines between them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/html_run.h"
#include "host/cli/net_text.h"
#include "host/cli/text_stream.h"

enum { MOST_UNITS = 10, MOST_LAYERS = 16, TOP = 46, STEP = 26 };

typedef struct picture {
  const vise_model *model;
  size_t n_layers, most; /* most units of a column */
} picture;

static size_t units_of(const picture *p, size_t column) {
  const size_t width = vise_model_width(p->model, column);
  return width < p->most ? width : p->most;
}

static double x_of(const picture *p, size_t column, double width) {
  return 30 + (width - 60) * (double)column / (double)p->n_layers;
}

/* Of a column that is cut, the last unit stands below a gap. */
static double y_of(const picture *p, size_t column, size_t unit) {
  const size_t n = units_of(p, column);
  const bool is_cut = vise_model_width(p->model, column) > n;
  const double height = STEP * ((double)n - 1 + (is_cut ? 1 : 0)), whole = STEP * (double)p->most;
  return TOP + (whole - height) / 2 + STEP * ((double)unit + (is_cut && unit + 1 == n ? 1 : 0));
}

/* Which unit of the net is the one that is drawn there: the last one stands for the last. */
static size_t index_of(const picture *p, size_t column, size_t unit) {
  const size_t n = units_of(p, column), width = vise_model_width(p->model, column);
  return unit + 1 == n ? width - 1 : unit;
}

static void put_weights(FILE *page, const picture *p, size_t layer, double width) {
  size_t n_rows = 0, n_cols = 0;
  const size_t tensor = vise_i_cli_run_weights_of(p->model, layer);
  if (vise_model_tensor_shape(p->model, tensor, &n_rows, &n_cols, NULL) != VISE_OK) return;
  double *weights = calloc(n_rows * n_cols, sizeof *weights), most = 0;
  if (weights == NULL || vise_model_get_tensor(p->model, tensor, weights, n_rows * n_cols, NULL) != VISE_OK) {
    vise_i_cli_text_lacks(page);
    free(weights);
    return;
  }

  for (size_t i = 0; i < n_rows * n_cols; i++) most = fmax(most, fabs(weights[i]));
  for (size_t to = 0; to < units_of(p, layer + 1); to++) {
    for (size_t from = 0; from < units_of(p, layer); from++) {
      const double weight = weights[index_of(p, layer + 1, to) * n_cols + index_of(p, layer, from)];
      const double size = most > 0 ? fabs(weight) / most : 0;
      if (size < 0.04) continue;
      (void)fprintf(page,
                    "<path class=\"%s\" style=\"stroke-width:%.1f;stroke-opacity:%.2f\" d=\"M%.0f %.0fL%.0f %.0f\"/>",
                    weight > 0 ? "plus" : "minus", 0.5 + 2.5 * size, 0.12 + 0.78 * size, x_of(p, layer, width),
                    y_of(p, layer, from), x_of(p, layer + 1, width), y_of(p, layer + 1, to));
    }
  }
  (void)fputs("\n", page);
  free(weights);
}

static void put_column(FILE *page, const picture *p, size_t column, double width) {
  const double x = x_of(p, column, width), room = (width - 60) / (double)p->n_layers;
  const size_t n = units_of(p, column);
  char text[32];
  (void)snprintf(text, sizeof text, "%zu", vise_model_width(p->model, column));
  if (vise_i_cli_svg_width(strlen(text)) + 6 < room || column % 2 == 0) {
    vise_i_cli_svg_text(page, x, TOP - 22, "m strong", text);
  }
  if (room > 70 && (column == 0 || column == p->n_layers)) {
    vise_i_cli_svg_text(page, x, TOP - 36, "m", column == 0 ? "inputs" : "outputs");
  }

  for (size_t i = 0; i < n; i++) {
    (void)fprintf(page, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"6\" class=\"unit\"/>", x, y_of(p, column, i));
  }
  if (vise_model_width(p->model, column) > n) {
    vise_i_cli_svg_text(page, x, y_of(p, column, n - 2) + STEP + 4, "m strong", "\xe2\x8b\xae");
  }
  (void)fputs("\n", page);
}

static void draw(FILE *page, const void *context, double width) {
  const picture *p = context;
  vise_i_cli_svg_begin(page, width, TOP + STEP * (double)p->most + 14,
                       "The net: a column of units for each width, lines for weights");
  for (size_t layer = 0; layer < p->n_layers; layer++) put_weights(page, p, layer, width);
  for (size_t column = 0; column <= p->n_layers; column++) put_column(page, p, column, width);
  vise_i_cli_svg_end(page);
}

void vise_i_cli_run_net(FILE *page, const vise_i_cli_run_files *run) {
  if (run->model == NULL) return;
  picture p = {run->model, vise_model_n_layers(run->model), 2};
  for (size_t i = 0; i <= p.n_layers; i++) {
    const size_t width = vise_model_width(run->model, i), most = p.n_layers <= 6 ? MOST_UNITS : MOST_UNITS / 2;
    if (width > p.most) p.most = width < most ? width : most;
  }

  char *text = NULL;
  vise_i_cli_text_stream words;
  const vise_net_config net = vise_i_cli_describe_net(run->model);
  vise_status status = vise_i_cli_text_begin(&words, "the net", NULL);
  if (status == VISE_OK) {
    vise_i_cli_print_net(words.stream, &net, vise_model_n_parameters(run->model));
    status = vise_i_cli_text_end(&words, "the net", &text, NULL, NULL);
  }

  if (status != VISE_OK) {
    vise_i_cli_text_lacks(page);
  } else {
    bool is_cut = false;
    for (size_t i = 0; i <= p.n_layers; i++) is_cut = is_cut || vise_model_width(run->model, i) > units_of(&p, i);
    const vise_i_cli_figure figure = {
        NULL, is_cut ? "Of wide layers some units are drawn, the last one among them." : NULL, draw, &p, 720};
    vise_i_cli_html_section(page, "net", "The net");
    (void)fputs("<p>", page);
    vise_i_cli_html_short(page, text, 400);
    (void)fputs(
        "</p>\n<ul class=\"legend\"><li><i class=\"c0\"></i>weights above 0</li><li><i "
        "class=\"c1\"></i>below 0</li><li>thicker: larger, within a layer</li></ul>\n",
        page);
    if (p.n_layers <= MOST_LAYERS) vise_i_cli_html_figure(page, &figure);
  }
  free(text);
}
