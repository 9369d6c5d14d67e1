/* Histograms of each layer's weights, with the edges of its box. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/html_run.h"
#include "host/cli/text_stream.h"

enum { N_BARS = 44, HEIGHT = 190, TOP = 30, BOTTOM = 26, MOST_LAYERS = 12, MOST_RUNS = 6 };

typedef struct histogram {
  const double *weights;
  size_t n;
  double lo, hi; /* of the box; infinite: none on that side */
} histogram;

/* The box of a layer at the end of the run; false: there is none, or it is not known. */
static bool box_of(const vise_i_cli_run_files *run, size_t layer, double *lo, double *hi) {
  const vise_train_config *config = &run->options.training;
  const char *reason = json_string_value(json_object_get(run->end, "reason"));
  bool boxed = run->has_options && config->clamp;
  *lo = config->clamp_lo;
  *hi = config->clamp_hi;
  if (run->has_options && config->clamp_init > 0 && run->options.init == NULL && run->model != NULL) {
    *hi = config->clamp_init * vise_init_scheme_range(run->options.init_scheme, vise_model_width(run->model, layer),
                                                      vise_model_width(run->model, layer + 1));
    *lo = -*hi;
    boxed = true;
  }
  for (size_t i = 0; run->has_options && i < config->n_layer_clamps; i++) {
    if (config->layer_clamps[i].layer != layer) continue;
    *lo = config->layer_clamps[i].lo;
    *hi = config->layer_clamps[i].hi;
    boxed = true;
  }

  /* A box that shrinks ends at its final ratio, if the run took all its steps and kept the last. */
  const vise_schedule_config *schedule = &config->clamp_schedule;
  if (!boxed || schedule->kind == VISE_SCHEDULE_CONSTANT) return boxed;
  const bool ended = reason != NULL && (strcmp(reason, "epochs") == 0 || strcmp(reason, "steps") == 0);
  const bool kept = json_is_true(json_object_get(json_object_get(run->end, "best_epoch"), "kept"));
  *lo *= schedule->final_ratio;
  *hi *= schedule->final_ratio;
  return ended && !kept && vise_schedule_ends(schedule->kind);
}

static void put_edge(FILE *page, const vise_i_cli_scale *x, double edge, double bottom, bool is_low) {
  char text[VISE_I_CLI_TICK_BYTES];
  if (!isfinite(edge) || edge < x->lo || edge > x->hi) return;
  const double at = vise_i_cli_scale_at(x, edge);
  vise_i_cli_tick_text(edge, text);
  vise_i_cli_svg_line(page, at, TOP - 8, at, bottom, "box");
  vise_i_cli_svg_text(page, at, TOP - 13, is_low ? "s marked" : "e marked", text);
}

/* Bars of one hue; what stands far above the others is cut, and its share written on it. */
static void put_bars(FILE *page, const histogram *h, const vise_i_cli_scale *x, double bottom) {
  size_t counts[N_BARS] = {0}, most = 0, second = 0;
  const double bar = (x->to - x->from) / N_BARS;
  for (size_t i = 0; i < h->n; i++) {
    const double at = floor((h->weights[i] - x->lo) / (x->hi - x->lo) * N_BARS);
    counts[(size_t)fmin(fmax(at, 0), N_BARS - 1)]++;
  }
  for (size_t i = 0; i < N_BARS; i++) {
    if (counts[i] > most) {
      second = most;
      most = counts[i];
    } else if (counts[i] > second) {
      second = counts[i];
    }
  }

  const bool cuts = second > 0 && most > 5 * second;
  const double whole = cuts ? 2.0 * (double)second : (double)most;
  (void)fputs("<path class=\"hist\" d=\"", page);
  for (size_t i = 0; i < N_BARS; i++) {
    if (counts[i] == 0) continue;
    (void)fprintf(page, "M%.1f %.1fh%.1fV%.1fh-%.1fz", x->from + bar * (double)i + 0.5, bottom, bar - 1,
                  bottom - fmin((double)counts[i] / whole, 1) * (bottom - TOP), bar - 1);
  }
  (void)fputs("\"/>\n", page);

  for (size_t i = 0; cuts && i < N_BARS; i++) {
    char share[VISE_I_CLI_NUMBER_BYTES];
    const double left = x->from + bar * (double)i;
    const bool is_left = left < (x->from + x->to) / 2;
    if ((double)counts[i] <= whole) continue;
    vise_i_cli_svg_text(page, left + (is_left ? bar + 5 : -5), TOP + 12, is_left ? "s strong halo" : "e strong halo",
                        vise_i_cli_html_share((double)counts[i] / (double)h->n, share));
  }
}

/* An edge far beyond the weights would leave them a bar. */
static bool is_near(double edge, double weight, double span) {
  return isfinite(edge) && fabs(edge - weight) < 6 * span;
}

static void draw(FILE *page, const void *context, double width) {
  const histogram *h = context;
  double lo = (double)INFINITY, hi = -(double)INFINITY;
  for (size_t i = 0; i < h->n; i++) {
    lo = fmin(lo, h->weights[i]);
    hi = fmax(hi, h->weights[i]);
  }
  const double span = fmax(hi - lo, 1e-9);
  if (is_near(h->lo, lo, span)) lo = fmin(lo, h->lo);
  if (is_near(h->hi, hi, span)) hi = fmax(hi, h->hi);

  const double bottom = HEIGHT - BOTTOM, room = fmax((hi - lo) * 0.02, 1e-9);
  const vise_i_cli_scale x = {lo - room, hi + room, 8, width - 8, false};
  vise_i_cli_svg_begin(page, width, HEIGHT, "Histogram of the weights of a layer, with the edges of its box");
  put_bars(page, h, &x, bottom);
  put_edge(page, &x, h->lo, bottom, true);
  put_edge(page, &x, h->hi, bottom, false);
  vise_i_cli_svg_x_axis(page, &x, bottom, NULL);
  vise_i_cli_svg_end(page);
}

static size_t n_at(const histogram *h, double edge) {
  size_t n = 0;
  for (size_t i = 0; isfinite(edge) && i < h->n; i++) n += fabs(h->weights[i] - edge) <= 1e-6 * fabs(edge);
  return n;
}

static void put_layer(FILE *page, const vise_i_cli_run_files *run, size_t layer) {
  size_t n_rows = 0, n_cols = 0, n_zero = 0;
  const size_t tensor = vise_i_cli_run_weights_of(run->model, layer);
  if (vise_model_tensor_shape(run->model, tensor, &n_rows, &n_cols, NULL) != VISE_OK) return;
  double *weights = calloc(n_rows * n_cols, sizeof *weights);
  histogram h = {weights, n_rows * n_cols, -(double)INFINITY, (double)INFINITY};
  if (weights == NULL || vise_model_get_tensor(run->model, tensor, weights, h.n, NULL) != VISE_OK) {
    vise_i_cli_text_lacks(page);
    free(weights);
    return;
  }

  char title[80], about[200], low[VISE_I_CLI_NUMBER_BYTES], high[VISE_I_CLI_NUMBER_BYTES];
  const bool boxed = box_of(run, layer, &h.lo, &h.hi);
  if (!boxed) h.lo = -(h.hi = (double)INFINITY);
  for (size_t i = 0; i < h.n; i++) n_zero += !(weights[i] < 0) && !(weights[i] > 0);
  (void)snprintf(title, sizeof title, "Layer %zu: %zu to %zu", layer, n_cols, n_rows);
  int n = snprintf(about, sizeof about, "%zu weights", h.n);
  if (boxed) {
    n += snprintf(about + n, sizeof about - (size_t)n, ", box %.3g to %.3g: %s at the lower edge, %s at the upper",
                  h.lo, h.hi, vise_i_cli_html_share((double)n_at(&h, h.lo) / (double)h.n, low),
                  vise_i_cli_html_share((double)n_at(&h, h.hi) / (double)h.n, high));
  }
  if (n_zero > 0) {
    (void)snprintf(about + n, sizeof about - (size_t)n, ", %s zero",
                   vise_i_cli_html_share((double)n_zero / (double)h.n, low));
  }
  const vise_i_cli_figure figure = {title, about, draw, &h, VISE_I_CLI_NARROW};
  vise_i_cli_html_figure(page, &figure);
  free(weights);
}

void vise_i_cli_run_weights(FILE *page, const vise_i_cli_runs *of) {
  size_t n_models = 0;
  for (size_t i = 0; i < of->n; i++) n_models += of->runs[i].model != NULL;
  if (n_models == 0) return;

  vise_i_cli_html_section(page, "weights", "Weights");
  (void)fputs(
      "<p>How many weights of a layer have which value. Lines are the edges of the layer's box, where it has "
      "one.</p>\n",
      page);
  for (size_t i = 0, shown = 0; i < of->n && shown < MOST_RUNS; i++) {
    const vise_i_cli_run_files *run = &of->runs[i];
    if (run->model == NULL) continue;
    shown++;
    const size_t n_layers = vise_model_n_layers(run->model);
    if (of->n > 1) {
      (void)fputs("<p class=\"run\"><bdi>", page);
      vise_i_cli_html_short(page, run->name, 60);
      (void)fputs("</bdi></p>\n", page);
    }

    (void)fputs("<div class=\"charts\">\n", page);
    for (size_t layer = 0; layer < n_layers && layer < MOST_LAYERS; layer++) put_layer(page, run, layer);
    (void)fputs("</div>\n", page);
    if (n_layers > MOST_LAYERS)
      (void)fprintf(page, "<p class=\"skip\">The first %d of %zu layers.</p>\n", MOST_LAYERS, n_layers);
  }
}
