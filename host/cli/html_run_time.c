/* What the regularization did over time: what is at its bounds, what is clipped, how large weights and gradients are. */
#include "host/cli/html_run.h"

enum { MOST_LAYERS = 6 };

/* Of one run a line for each layer, as far as colours go; of several a line for each run. */
static void add_layers(vise_i_cli_chart *chart, const vise_i_cli_runs *of, vise_i_cli_track track) {
  const vise_i_cli_run_files *run = &of->runs[0];
  for (size_t l = 0; of->n == 1 && l < run->n_layers && l < MOST_LAYERS; l++) {
    const vise_i_cli_line line = {&run->layers[l], track, l % VISE_I_CLI_N_COLORS, VISE_I_CLI_PLAIN};
    (void)vise_i_cli_chart_add(chart, &line);
  }
}

static void add_runs(vise_i_cli_chart *chart, const vise_i_cli_runs *of, vise_i_cli_track track,
                     vise_i_cli_stroke stroke) {
  for (size_t i = 0; i < of->n; i++) {
    const vise_i_cli_line line = {&of->runs[i].epochs, track, i % VISE_I_CLI_N_COLORS, stroke};
    (void)vise_i_cli_chart_add(chart, &line);
  }
}

static void put_legend(FILE *page, const vise_i_cli_runs *of) {
  const vise_i_cli_run_files *run = &of->runs[0];
  vise_i_cli_legend_begin(page);
  for (size_t l = 0; of->n == 1 && l < run->n_layers && l < MOST_LAYERS; l++) {
    char name[32];
    (void)snprintf(name, sizeof name, "layer %zu", l);
    vise_i_cli_legend_entry(page, l % VISE_I_CLI_N_COLORS, VISE_I_CLI_PLAIN, name);
  }
  for (size_t i = 0; of->n > 1 && i < of->n; i++) {
    vise_i_cli_legend_entry(page, i % VISE_I_CLI_N_COLORS, VISE_I_CLI_PLAIN, of->runs[i].name);
  }
  vise_i_cli_legend_end(page);
  if (of->n == 1 && run->n_layers > MOST_LAYERS) {
    (void)fprintf(page, "<p class=\"skip\">The first %d of %zu layers.</p>\n", MOST_LAYERS, run->n_layers);
  }
}

static void put_bounds_and_norms(FILE *page, const vise_i_cli_runs *of) {
  vise_i_cli_chart bounds = {.title = "Weights at a bound of their box, %",
                             .name = "share of weights at a bound",
                             .unit = "epochs",
                             .is_share = true,
                             .bridges = true},
                   zeros = {.title = "Weights that are zero, %",
                            .name = "share of zero weights",
                            .unit = "epochs",
                            .is_share = true,
                            .bridges = true},
                   norms = {.title = "Norm of the weights", .name = "norm of the weights", .unit = "epochs"};
  if (of->n == 1) {
    add_layers(&bounds, of, VISE_I_CLI_BOUND_SHARE);
    add_layers(&zeros, of, VISE_I_CLI_ZERO_SHARE);
    add_layers(&norms, of, VISE_I_CLI_NORM);
  } else {
    add_runs(&bounds, of, VISE_I_CLI_BOUND_SHARE, VISE_I_CLI_PLAIN);
    add_runs(&zeros, of, VISE_I_CLI_ZERO_SHARE, VISE_I_CLI_PLAIN);
  }

  const bool has_bounds = vise_i_cli_chart_is_above_zero(&bounds), has_zeros = vise_i_cli_chart_is_above_zero(&zeros);
  if (!has_bounds && !has_zeros && norms.n == 0) return;
  put_legend(page, of);
  (void)fputs("<div class=\"charts two\">\n", page);
  if (has_bounds) vise_i_cli_chart_put(page, &bounds, 520);
  vise_i_cli_chart_put(page, &norms, 520);
  if (has_zeros) vise_i_cli_chart_put(page, &zeros, 520);
  (void)fputs("</div>\n", page);
}

/* Means over the steps of a record; of one run both norms in one chart, where a clip parts them. */
static void put_gradients(FILE *page, const vise_i_cli_runs *of) {
  vise_i_cli_chart norms = {.title = "Norm of the gradient, mean over an epoch",
                            .name = "norm of the gradient",
                            .unit = "epochs",
                            .bridges = true},
                   clipped = {.title = "Steps whose norm was clipped, %",
                              .name = "share of clipped steps",
                              .unit = "epochs",
                              .is_share = true,
                              .bridges = true},
                   skipped = {.title = "Skipped steps, %",
                              .name = "share of skipped steps",
                              .unit = "epochs",
                              .is_share = true,
                              .bridges = true};
  add_runs(&clipped, of, VISE_I_CLI_CLIPPED_SHARE, VISE_I_CLI_PLAIN);
  add_runs(&skipped, of, VISE_I_CLI_SKIPPED_SHARE, VISE_I_CLI_PLAIN);
  add_runs(&norms, of, VISE_I_CLI_GRAD_NORM, VISE_I_CLI_PLAIN);
  const bool clips = vise_i_cli_chart_is_above_zero(&clipped);
  if (clips && of->n == 1) {
    const vise_i_cli_line after = {&of->runs[0].epochs, VISE_I_CLI_GRAD_NORM_CLIPPED, 1, VISE_I_CLI_THICK};
    (void)vise_i_cli_chart_add(&norms, &after);
  }
  if (norms.n == 0) return;

  vise_i_cli_legend_begin(page);
  if (clips && of->n == 1) {
    vise_i_cli_legend_entry(page, 0, VISE_I_CLI_PLAIN, "entering the clip");
    vise_i_cli_legend_entry(page, 1, VISE_I_CLI_THICK, "leaving it");
  }
  vise_i_cli_legend_end(page);
  (void)fputs("<div class=\"charts two\">\n", page);
  vise_i_cli_chart_put(page, &norms, 520);
  if (clips) vise_i_cli_chart_put(page, &clipped, 520);
  if (vise_i_cli_chart_is_above_zero(&skipped)) vise_i_cli_chart_put(page, &skipped, 520);
  (void)fputs("</div>\n", page);
}

static void put_schedule(FILE *page, const vise_i_cli_runs *of) {
  vise_i_cli_chart penalty = {.title = "Penalty, mean over an epoch",
                              .name = "penalty",
                              .unit = "epochs",
                              .bridges = true},
                   lr = {.title = "Learning rate", .name = "learning rate", .unit = "epochs", .bridges = true};
  bool changes = false;
  add_runs(&penalty, of, VISE_I_CLI_PENALTY, VISE_I_CLI_PLAIN);
  add_runs(&lr, of, VISE_I_CLI_LR, VISE_I_CLI_PLAIN);
  for (size_t i = 0; i < of->n; i++) {
    const vise_train_config *config = &of->runs[i].options.training;
    changes = changes || (of->runs[i].has_options &&
                          (config->lr_schedule.kind != VISE_SCHEDULE_CONSTANT || config->lr_schedule.warmup_steps > 0));
  }

  const bool has_penalty = vise_i_cli_chart_is_above_zero(&penalty);
  if (!has_penalty && !changes) return;
  (void)fputs("<div class=\"charts two\">\n", page);
  if (has_penalty) vise_i_cli_chart_put(page, &penalty, 520);
  if (changes) vise_i_cli_chart_put(page, &lr, 520);
  (void)fputs("</div>\n", page);
}

void vise_i_cli_run_time(FILE *page, const vise_i_cli_runs *of) {
  bool has = false;
  for (size_t i = 0; i < of->n; i++) has = has || of->runs[i].n_layers > 0;
  if (!has) return;

  vise_i_cli_html_section(page, "time", "The regularization over time");
  put_bounds_and_norms(page, of);
  put_gradients(page, of);
  put_schedule(page, of);
}
