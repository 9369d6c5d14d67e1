/* Losses and accuracies over the epochs, runs over each other; norms of gradients over the steps. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/html_run.h"

enum { HEIGHT = 264, TOP = 10, BOTTOM = 44, MOST_POINTS = 420, LEAST_POINTS = 60, FULL_RUNS = 4 };

/* A chart: which tracks of which runs. */
typedef struct curves {
  const vise_i_cli_runs *of;
  const vise_i_cli_track *tracks;
  size_t n_tracks;
  bool over_steps;
  const char *name, *unit; /* of the y axis, of the x axis */
} curves;

static const char *const styles[] = {" thin", " thick", " dotted"};

static const vise_i_cli_points *points_of(const curves *c, size_t run) {
  return c->over_steps ? &c->of->runs[run].steps : &c->of->runs[run].epochs;
}

static bool has_track(const curves *c, size_t run, vise_i_cli_track track) {
  const vise_i_cli_points *points = points_of(c, run);
  for (size_t i = 0; i < points->n; i++) {
    if (isfinite(points->y[track][i])) return true;
  }
  return false;
}

/* Of one run each track has a colour, of several each run. */
static size_t color_of(const curves *c, size_t run, size_t track) {
  return c->of->n > 1 ? run % VISE_I_CLI_N_COLORS : (track + 1) % 3;
}

/* ---- scales -------------------------------------------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static size_t collect(const curves *c, double *out) {
  size_t n = 0;
  for (size_t run = 0; run < c->of->n; run++) {
    const vise_i_cli_points *points = points_of(c, run);
    for (size_t k = 0; k < c->n_tracks; k++) {
      for (size_t i = 0; i < points->n; i++) {
        const double y = points->y[c->tracks[k]][i];
        if (isfinite(y) && out != NULL) out[n] = y;
        n += isfinite(y);
      }
    }
  }
  return n;
}

/* Without a few points that are far above all others, on a scale that is not by decades. */
static bool y_scale(const curves *c, vise_i_cli_scale *out) {
  const size_t n = collect(c, NULL);
  double *all = n > 0 ? malloc(n * sizeof *all) : NULL;
  if (all == NULL) return false;
  (void)collect(c, all);
  qsort(all, n, sizeof *all, by_number);

  double hi = all[n - 1];
  const double most = all[n - 1 - n / 50];
  if (!vise_i_cli_scale_spans(all[0], hi) && hi - all[0] > 4 * (most - all[0])) hi = most;
  *out = vise_i_cli_scale_around(all[0], hi);
  if (all[0] >= 0 && out->lo < 0) out->lo = 0;
  free(all);
  return true;
}

static vise_i_cli_scale x_scale(const curves *c) {
  vise_i_cli_scale scale = {(double)INFINITY, -(double)INFINITY, 0, 1, false};
  for (size_t run = 0; run < c->of->n; run++) {
    const vise_i_cli_points *points = points_of(c, run);
    if (points->n == 0) continue;
    scale.lo = fmin(scale.lo, points->x[0]);
    scale.hi = fmax(scale.hi, points->x[points->n - 1]);
  }
  if (!(scale.hi > scale.lo)) scale.hi = scale.lo + 1;
  return scale;
}

/* ---- lines --------------------------------------------------------------------------------------------------------------- */

typedef struct pen {
  FILE *page;
  const vise_i_cli_scale *x, *y;
  size_t most; /* points */
  bool is_down;
} pen;

static void move(pen *p, double x, double y) {
  if (!isfinite(y)) {
    p->is_down = false;
    return;
  }
  const double at = p->y->is_log && y <= 0 ? p->y->lo : fmin(fmax(y, p->y->lo), p->y->hi);
  (void)fprintf(p->page, "%s%.1f %.1f", p->is_down ? "L" : "M", vise_i_cli_scale_at(p->x, x),
                vise_i_cli_scale_at(p->y, at));
  if (!p->is_down) (void)fputs("h0", p->page);
  p->is_down = true;
}

/* Of many points the lowest and the highest of each group, so that no spike is lost. */
static void put_points(pen *p, const double *x, const double *y, size_t n) {
  const size_t group = n <= p->most ? 1 : 2 * n / p->most + 1;
  for (size_t begin = 0; begin < n; begin += group) {
    const size_t end = begin + group < n ? begin + group : n;
    size_t low = begin, high = begin;
    for (size_t i = begin; i < end; i++) {
      if (y[i] < y[low] || isnan(y[low])) low = i;
      if (y[i] > y[high] || isnan(y[high])) high = i;
    }
    move(p, x[low < high ? low : high], y[low < high ? low : high]);
    if (low != high) move(p, x[low < high ? high : low], y[low < high ? high : low]);
  }
}

static void put_best(FILE *page, const curves *c, const vise_i_cli_scale *x, const vise_i_cli_scale *y) {
  const json_t *best = json_object_get(c->of->runs[0].end, "best_epoch");
  const double epoch = json_number_value(json_object_get(best, "epoch")),
               loss = json_number_value(json_object_get(best, "validation_loss"));
  if (c->of->n > 1 || c->tracks[0] != VISE_I_CLI_TRAIN_LOSS || !json_is_object(best) || !(loss >= y->lo)) return;
  (void)fprintf(page,
                "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"6\" class=\"ring\"><title>lowest validation loss, epoch "
                "%.0f</title></circle>\n",
                vise_i_cli_scale_at(x, epoch), vise_i_cli_scale_at(y, fmin(loss, y->hi)), epoch);
}

static void draw(FILE *page, const void *context, double width) {
  const curves *c = context;
  vise_i_cli_scale y, x = x_scale(c);
  vise_i_cli_ticks ticks;
  char label[120];
  if (!y_scale(c, &y)) return;
  y.from = HEIGHT - BOTTOM;
  y.to = TOP;
  vise_i_cli_scale_ticks(&y, 6, &ticks);
  const double left = vise_i_cli_svg_room(&ticks);
  x.from = left + 4;
  x.to = width - 14;

  (void)snprintf(label, sizeof label, "%s over %s", c->name, c->unit);
  vise_i_cli_svg_begin(page, width, HEIGHT, label);
  vise_i_cli_svg_y_axis(page, &y, left, width, NULL);
  const size_t share = MOST_POINTS * FULL_RUNS / (c->of->n > FULL_RUNS ? c->of->n : FULL_RUNS);
  const size_t most = share > LEAST_POINTS ? share : LEAST_POINTS;
  for (size_t k = 0; k < c->n_tracks; k++) {
    for (size_t run = 0; run < c->of->n; run++) {
      const vise_i_cli_points *points = points_of(c, run);
      if (!has_track(c, run, c->tracks[k])) continue;
      (void)fprintf(page, "<path class=\"curve c%zu%s\" d=\"", color_of(c, run, k), styles[k]);
      pen p = {page, &x, &y, most, false};
      put_points(&p, points->x, points->y[c->tracks[k]], points->n);
      (void)fputs("\"/>\n", page);
    }
  }
  put_best(page, c, &x, &y);
  vise_i_cli_svg_x_axis(page, &x, y.from, c->unit);
  vise_i_cli_svg_end(page);
}

/* ---- the section --------------------------------------------------------------------------------------------------------- */

static bool has_any(const curves *c) {
  for (size_t run = 0; run < c->of->n; run++) {
    for (size_t k = 0; k < c->n_tracks; k++) {
      if (has_track(c, run, c->tracks[k])) return true;
    }
  }
  return false;
}

static bool is_above_zero(const curves *c) {
  for (size_t run = 0; run < c->of->n; run++) {
    const vise_i_cli_points *points = points_of(c, run);
    for (size_t i = 0; i < points->n; i++) {
      if (points->y[c->tracks[0]][i] > 0) return true;
    }
  }
  return false;
}

static void put_legend(FILE *page, const curves *c, const char *const *names) {
  (void)fputs("<ul class=\"legend\">", page);
  for (size_t k = 0; k < c->n_tracks; k++) {
    bool has = false;
    for (size_t run = 0; run < c->of->n; run++) has = has || has_track(c, run, c->tracks[k]);
    if (!has) continue;
    (void)fprintf(page, "<li><i class=\"%s", c->of->n > 1 ? "c5" : "");
    if (c->of->n == 1) (void)fprintf(page, "c%zu", color_of(c, 0, k));
    (void)fprintf(page, "%s\"></i>%s</li>", styles[k], names[k]);
  }
  for (size_t run = 0; c->of->n > 1 && run < c->of->n; run++) {
    bool is_drawn = false;
    for (size_t k = 0; k < c->n_tracks; k++) is_drawn = is_drawn || has_track(c, run, c->tracks[k]);
    if (!is_drawn) continue;
    (void)fprintf(page, "<li><i class=\"c%zu\"></i><bdi>", color_of(c, run, 0));
    vise_i_cli_html_short(page, c->of->runs[run].name, 60);
    (void)fputs("</bdi></li>", page);
  }
  (void)fputs("</ul>\n", page);
}

static void put_chart(FILE *page, const curves *c, const char *title, double width) {
  const vise_i_cli_figure figure = {title, NULL, draw, c, width};
  if (has_any(c)) vise_i_cli_html_figure(page, &figure);
}

/* Whether the clip of norms did anything; else there is one curve. */
static bool is_clipped(const vise_i_cli_runs *of) {
  for (size_t run = 0; run < of->n; run++) {
    const vise_i_cli_points *points = &of->runs[run].steps;
    for (size_t i = 0; i < points->n; i++) {
      if (points->y[VISE_I_CLI_GRAD_NORM_CLIPPED][i] < points->y[VISE_I_CLI_GRAD_NORM][i]) return true;
    }
  }
  return false;
}

static void put_steps(FILE *page, const vise_i_cli_runs *of) {
  static const vise_i_cli_track norms[] = {VISE_I_CLI_GRAD_NORM, VISE_I_CLI_GRAD_NORM_CLIPPED},
                                bound[] = {VISE_I_CLI_AT_BOUND};
  static const char *const names[] = {"entering the clip", "leaving it"};
  const curves gradients = {of, norms, is_clipped(of) ? 2 : 1, true, "gradient norm", "steps"},
               bounds = {of, bound, 1, true, "weights at a bound", "steps"};
  if (!has_any(&gradients)) return;
  if (gradients.n_tracks > 1 || of->n > 1) put_legend(page, &gradients, names);
  (void)fputs("<div class=\"charts two\">\n", page);
  put_chart(page, &gradients, "Norm of the gradient", 520);
  if (is_above_zero(&bounds)) put_chart(page, &bounds, "Weights at a bound of their box", 520);
  (void)fputs("</div>\n", page);
}

void vise_i_cli_run_curves(FILE *page, const vise_i_cli_runs *of) {
  static const vise_i_cli_track loss[] = {VISE_I_CLI_TRAIN_LOSS, VISE_I_CLI_VAL_LOSS, VISE_I_CLI_TEST_LOSS},
                                accuracy[] = {VISE_I_CLI_TRAIN_ACCURACY, VISE_I_CLI_VAL_ACCURACY,
                                              VISE_I_CLI_TEST_ACCURACY};
  static const char *const names[] = {"training rows", "validation rows", "test rows"};
  const size_t n_tracks = of->n > 1 ? 2 : 3; /* of several runs those of a test would hide the others */
  const curves losses = {of, loss, n_tracks, false, "loss", "epochs"},
               accuracies = {of, accuracy, n_tracks, false, "accuracy", "epochs"};
  if (!has_any(&losses)) return;

  vise_i_cli_html_section(page, "curves", "Over the epochs");
  put_legend(page, &losses, names);
  (void)fputs(has_any(&accuracies) ? "<div class=\"charts two\">\n" : "<div class=\"charts one\">\n", page);
  put_chart(page, &losses, "Loss", has_any(&accuracies) ? 520 : 720);
  put_chart(page, &accuracies, "Accuracy", 520);
  (void)fputs("</div>\n", page);
  put_steps(page, of);
}
