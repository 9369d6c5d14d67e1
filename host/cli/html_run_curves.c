/* Losses and accuracies over the epochs, runs over each other; norms of gradients over the steps. */
#include <math.h>

#include "host/cli/html_run.h"

/* Tracks of runs: of one run each track has a colour, of several each run. */
typedef struct tracks {
  const vise_i_cli_track *tracks;
  size_t n;
  const char *const *names;
  bool over_steps;
} tracks;

static const vise_i_cli_points *points_of(const vise_i_cli_run_files *run, const tracks *t) {
  return t->over_steps ? &run->steps : &run->epochs;
}

static size_t color_of(const vise_i_cli_runs *of, size_t run, size_t track) {
  return of->n > 1 ? run % VISE_I_CLI_N_COLORS : (track + 1) % 3;
}

static vise_i_cli_line line_of(const vise_i_cli_runs *of, const tracks *t, size_t run, size_t track) {
  return (vise_i_cli_line){points_of(&of->runs[run], t), t->tracks[track], color_of(of, run, track),
                           (vise_i_cli_stroke)track};
}

static void add_lines(vise_i_cli_chart *chart, const vise_i_cli_runs *of, const tracks *t) {
  for (size_t track = 0; track < t->n; track++) {
    for (size_t run = 0; run < of->n; run++) {
      const vise_i_cli_line line = line_of(of, t, run, track);
      (void)vise_i_cli_chart_add(chart, &line);
    }
  }
}

/* What strokes mean, and of several runs what colours do. */
static void put_legend(FILE *page, const vise_i_cli_runs *of, const tracks *t) {
  vise_i_cli_legend_begin(page);
  for (size_t track = 0; track < t->n; track++) {
    vise_i_cli_chart probe = {.n = 0};
    const tracks one = {t->tracks + track, 1, NULL, t->over_steps};
    add_lines(&probe, of, &one);
    if (probe.n == 0) continue;
    vise_i_cli_legend_entry(page, of->n > 1 ? 5 : color_of(of, 0, track), (vise_i_cli_stroke)track, t->names[track]);
  }

  for (size_t run = 0; of->n > 1 && run < of->n; run++) {
    vise_i_cli_chart probe = {.n = 0};
    const vise_i_cli_runs alone = {&of->runs[run], 1};
    add_lines(&probe, &alone, t);
    if (probe.n > 0) vise_i_cli_legend_entry(page, color_of(of, run, 0), VISE_I_CLI_PLAIN, of->runs[run].name);
  }
  vise_i_cli_legend_end(page);
}

/* The epoch of the lowest validation loss. */
static void mark_best(vise_i_cli_chart *chart, const vise_i_cli_runs *of, char *title, size_t n_bytes) {
  const json_t *best = json_object_get(of->runs[0].end, "best_epoch");
  if (of->n > 1 || !json_is_object(best)) return;
  chart->ring_x = json_number_value(json_object_get(best, "epoch"));
  chart->ring_y = json_number_value(json_object_get(best, "validation_loss"));
  (void)snprintf(title, n_bytes, "lowest validation loss, epoch %.0f", chart->ring_x);
  chart->ring_title = title;
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
  const tracks gradients = {norms, is_clipped(of) ? 2 : 1, names, true}, bounds = {bound, 1, NULL, true};
  vise_i_cli_chart norm = {.title = "Norm of the gradient", .name = "gradient norm", .unit = "steps"},
                   at_bound = {
                       .title = "Weights at a bound of their box", .name = "weights at a bound", .unit = "steps"};
  add_lines(&norm, of, &gradients);
  add_lines(&at_bound, of, &bounds);
  if (norm.n == 0) return;

  if (gradients.n > 1 || of->n > 1) put_legend(page, of, &gradients);
  (void)fputs("<div class=\"charts two\">\n", page);
  vise_i_cli_chart_put(page, &norm, 520);
  if (vise_i_cli_chart_is_above_zero(&at_bound)) vise_i_cli_chart_put(page, &at_bound, 520);
  (void)fputs("</div>\n", page);
}

void vise_i_cli_run_curves(FILE *page, const vise_i_cli_runs *of) {
  static const vise_i_cli_track loss[] = {VISE_I_CLI_TRAIN_LOSS, VISE_I_CLI_VAL_LOSS, VISE_I_CLI_TEST_LOSS},
                                accuracy[] = {VISE_I_CLI_TRAIN_ACCURACY, VISE_I_CLI_VAL_ACCURACY,
                                              VISE_I_CLI_TEST_ACCURACY};
  static const char *const names[] = {"training rows", "validation rows", "test rows"};
  const size_t n_tracks = of->n > 1 ? 2 : 3; /* of several runs those of a test would hide the others */
  const tracks losses = {loss, n_tracks, names, false}, accuracies = {accuracy, n_tracks, names, false};
  vise_i_cli_chart low = {.title = "Loss", .name = "loss", .unit = "epochs"},
                   high = {.title = "Accuracy", .name = "accuracy", .unit = "epochs"};
  char best[80];
  add_lines(&low, of, &losses);
  add_lines(&high, of, &accuracies);
  if (low.n == 0) return;
  mark_best(&low, of, best, sizeof best);

  vise_i_cli_html_section(page, "curves", "Over the epochs");
  put_legend(page, of, &losses);
  (void)fputs(high.n > 0 ? "<div class=\"charts two\">\n" : "<div class=\"charts one\">\n", page);
  vise_i_cli_chart_put(page, &low, high.n > 0 ? 520 : 720);
  vise_i_cli_chart_put(page, &high, 520);
  (void)fputs("</div>\n", page);
  put_steps(page, of);
}
