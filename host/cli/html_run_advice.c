/* Which limit binds, in words, and what to try next. */
#include <math.h>

#include "host/cli/html_run.h"

/* Shares from which a limit is said to shape the net, and to do most of the work; below the first it is idle. */
static const double idle_share = 0.01, strong_share = 0.3, always_share = 0.9;
/* A validation loss that is so much above the lowest has risen; a training loss so much below it shows that rows were
   learned by heart. */
static const double risen = 1.05, by_heart = 1.5;

static double last_of(const vise_i_cli_points *points, vise_i_cli_track track) {
  for (size_t i = points->n; i-- > 0;) {
    if (isfinite(points->y[track][i])) return points->y[track][i];
  }
  return (double)NAN;
}

/* The layer that has most of its weights at a bound. */
static size_t tightest_layer(const vise_i_cli_run_files *run, double *share) {
  size_t tightest = 0;
  *share = -1;
  for (size_t l = 0; l < run->n_layers; l++) {
    const double at_bound = last_of(&run->layers[l], VISE_I_CLI_BOUND_SHARE);
    if (!(at_bound > *share)) continue;
    *share = at_bound;
    tightest = l;
  }
  return tightest;
}

/* ---- limits -------------------------------------------------------------------------------------------------------------- */

static void put_box(FILE *page, const vise_i_cli_run_files *run, double share) {
  char text[VISE_I_CLI_NUMBER_BYTES];
  double most;
  const size_t layer = tightest_layer(run, &most);
  if (!isfinite(share)) return;

  (void)fprintf(page, "<li><strong>The box</strong> holds back %s of the weights", vise_i_cli_html_share(share, text));
  if (run->n_layers > 1 && most > 0) {
    (void)fprintf(page, ", most of all in layer %zu (%s)", layer, vise_i_cli_html_share(most, text));
  }
  if (share < idle_share) {
    (void)fputs(": it does next to nothing. Half its width would show whether it helps.</li>\n", page);
  } else if (share < strong_share) {
    (void)fputs(": it shapes the net, and leaves most weights free.</li>\n", page);
  } else {
    (void)fputs(": it does most of the regularizing. If the training loss is too high, widen it first.</li>\n", page);
  }
}

static void put_norm_clip(FILE *page, double share) {
  char text[VISE_I_CLI_NUMBER_BYTES];
  if (!isfinite(share)) return;
  (void)fprintf(page, "<li><strong>The clip of norms</strong> acted in %s of the steps",
                vise_i_cli_html_share(share, text));
  if (share < idle_share) {
    (void)fputs(": a safety net, which costs nothing.</li>\n", page);
  } else if (share < always_share) {
    (void)fputs(": it evens out large gradients.</li>\n", page);
  } else {
    (void)fputs(
        ": it sets the length of nearly every step. Then <code>--lr</code> and <code>--clip-norm</code> do the same; "
        "a higher clip with a lower rate is easier to choose.</li>\n",
        page);
  }
}

static void put_value_clip(FILE *page, double share) {
  char text[VISE_I_CLI_NUMBER_BYTES];
  if (!isfinite(share)) return;
  (void)fprintf(page, "<li><strong>The clip of values</strong> changed %s of the entries of gradients%s</li>\n",
                vise_i_cli_html_share(share, text),
                share < idle_share     ? ": a safety net."
                : share < strong_share ? ": single entries are held back."
                                       : ": the direction of most steps is no longer that of the gradient; a wider "
                                         "one, or <code>--clip-norm</code> in its place, keeps it.");
}

static void put_max_norm(FILE *page, const vise_i_cli_run_files *run, double share) {
  char text[VISE_I_CLI_NUMBER_BYTES];
  if (!isfinite(share)) return;
  (void)fprintf(page, "<li><strong>The bound on norms</strong> holds back %s of the %s%s</li>\n",
                vise_i_cli_html_share(share, text),
                run->options.training.max_norm_scope == VISE_MAX_NORM_UNIT ? "units" : "layers",
                share < idle_share     ? ": it does next to nothing."
                : share < strong_share ? ": it shapes the net."
                                       : ": it does most of the regularizing. If the training loss is too high, raise "
                                         "<code>--max-norm</code> first.");
}

static void put_row_sums(FILE *page, double share) {
  char text[VISE_I_CLI_NUMBER_BYTES];
  if (!isfinite(share)) return;
  (void)fprintf(page, "<li><strong>The bound on sums of rows</strong> holds back %s of the rows%s</li>\n",
                vise_i_cli_html_share(share, text),
                share < idle_share ? ": it does next to nothing."
                : share < strong_share
                    ? ": it shapes the net."
                    : ": it does most of the regularizing, and makes zeros. If the training loss is "
                      "too high, raise <code>--row-l1</code> (or <code>--row-l1-sided</code>) first.");
}

static void put_signs(FILE *page, double share) {
  char text[VISE_I_CLI_NUMBER_BYTES];
  if (!isfinite(share)) return;
  (void)fprintf(page, "<li><strong>The signs</strong> leave %s of the weights that have one at 0%s</li>\n",
                vise_i_cli_html_share(share, text),
                share < idle_share     ? ": the data agree with them."
                : share < strong_share ? ": they shape the net."
                                       : ": much of the net is off. If the training loss is too high, more units make "
                                         "up for it, unless the data contradict <code>--sign</code> or "
                                         "<code>--monotone</code>.");
}

static void put_penalty(FILE *page, const vise_i_cli_run_files *run) {
  char text[VISE_I_CLI_NUMBER_BYTES];
  const double penalty = last_of(&run->epochs, VISE_I_CLI_PENALTY), loss = last_of(&run->epochs, VISE_I_CLI_TRAIN_LOSS);
  if (!(penalty > 0) || !(loss > 0)) return;
  (void)fprintf(page, "<li><strong>The penalties</strong> are %s of the training loss at the end%s</li>\n",
                vise_i_cli_html_share(penalty / loss, text),
                penalty > loss          ? ": they pull harder than the data. A tenth of them would show what they cost."
                : penalty < 0.01 * loss ? ": they hardly count."
                                        : ".");
}

static void put_skips(FILE *page, const vise_i_cli_run_files *run) {
  const double skipped = vise_i_cli_run_number(run->end, "skipped_steps");
  if (!(skipped > 0)) return;
  (void)fprintf(page,
                "<li><strong>%.0f step%s skipped</strong>, because a loss or gradient was not finite: a lower "
                "<code>--lr</code>, or <code>--clip-norm</code>, would save them.</li>\n",
                skipped, skipped > 1 ? "s were" : " was");
}

/* ---- what to try --------------------------------------------------------------------------------------------------------- */

/* Whether the lowest validation loss came in the last tenth of the epochs. */
static bool is_still_falling(const vise_i_cli_run_files *run) {
  const double best = vise_i_cli_run_number(json_object_get(run->end, "best_epoch"), "epoch"),
               epochs = vise_i_cli_run_number(run->end, "epochs");
  const char *reason = json_string_value(json_object_get(run->end, "reason"));
  return reason != NULL && epochs >= 10 && best > 0.9 * epochs;
}

static void put_fit(FILE *page, const vise_i_cli_run_files *run, bool binds) {
  const json_t *best = json_object_get(run->end, "best_epoch");
  const double lowest = vise_i_cli_run_number(best, "validation_loss"), epoch = vise_i_cli_run_number(best, "epoch"),
               validation = last_of(&run->epochs, VISE_I_CLI_VAL_LOSS),
               training = last_of(&run->epochs, VISE_I_CLI_TRAIN_LOSS);
  if (!isfinite(lowest) || !(lowest > 0)) {
    (void)fputs(
        "<li>No rows were held out: with <code>--val-fraction 0.2</code> this page could say whether the net "
        "learned rows by heart.</li>\n",
        page);
    return;
  }

  if (validation > risen * lowest) {
    (void)fprintf(
        page,
        "<li><strong>The validation loss rose</strong> after epoch %.0f: <code>--patience</code> stops there; "
        "stronger limits make it rise later.</li>\n",
        epoch);
  } else if (validation > by_heart * training) {
    (void)fputs(
        "<li><strong>The net knows the training rows much better than others</strong>: stronger limits, fewer "
        "units or more rows narrow the gap.</li>\n",
        page);
  } else if (is_still_falling(run)) {
    (void)fputs(
        "<li><strong>The validation loss was still falling</strong>: more epochs (<code>--epochs</code>) before "
        "anything else.</li>\n",
        page);
  } else if (binds) {
    (void)fputs(
        "<li><strong>Training and validation rows are fitted alike</strong>, and a limit binds: a weaker one may "
        "fit both better.</li>\n",
        page);
  } else {
    (void)fputs(
        "<li><strong>Training and validation rows are fitted alike</strong>, and no limit is strong: a larger net "
        "has room to do better.</li>\n",
        page);
  }
}

static void put_sweep(FILE *page, const vise_i_cli_run_files *run) {
  const vise_train_config *config = &run->options.training;
  if (!run->has_options) return;
  (void)fputs("<li>What is best, cross-validation says: <code>vise sweep", page);
  if (config->clamp && isfinite(config->clamp_hi) && config->clamp_hi > 0) {
    (void)fprintf(page, " --vary clamp=off,%.3g,%.3g,%.3g", config->clamp_hi / 2, config->clamp_hi,
                  2 * config->clamp_hi);
  } else {
    (void)fputs(" --vary clamp=off,0.3,1", page);
  }
  if (config->l2 > 0) {
    (void)fprintf(page, " --vary l2=off,%.3g,%.3g,%.3g", config->l2 / 10, config->l2, 10 * config->l2);
  } else {
    (void)fputs(" --vary l2=off,1e-4,1e-3", page);
  }
  (void)fputs("</code> with the other options of this run.</li>\n", page);
}

/* What each limit holds back, of 1; NaN: it is off. */
typedef enum limit { BOX, MAX_NORM, ROW_SUMS, SIGNS, NORM_CLIP, VALUE_CLIP, N_LIMITS } limit;

/* The limit with the largest share, or that none binds. */
static void put_verdict(FILE *page, const double shares[N_LIMITS]) {
  static const char *const names[N_LIMITS] = {"the box",   "the bound on norms", "the bound on sums of rows",
                                              "the signs", "the clip of norms",  "the clip of values"};
  size_t most = N_LIMITS;
  for (size_t i = 0; i < N_LIMITS; i++) {
    if (shares[i] >= idle_share && (most == N_LIMITS || shares[i] > shares[most])) most = i;
  }
  if (most == N_LIMITS) {
    (void)fputs("<p class=\"lead\">No limit binds.</p>\n", page);
    return;
  }
  (void)fprintf(page, "<p class=\"lead\">The limit that binds most is <strong>%s</strong>.</p>\n", names[most]);
}

static void find_shares(const vise_i_cli_run_files *run, double shares[N_LIMITS]) {
  const json_t *done = json_object_get(run->end, "regularization");
  const vise_train_config *config = &run->options.training;
  const double taken = vise_i_cli_run_number(run->end, "steps") - vise_i_cli_run_number(run->end, "skipped_steps"),
               parameters = vise_i_cli_run_number(json_object_get(run->end, "net"), "parameters");
  for (size_t i = 0; i < N_LIMITS; i++) shares[i] = (double)NAN;

  shares[BOX] = (vise_i_cli_run_number(done, "at_lower_bound") + vise_i_cli_run_number(done, "at_upper_bound")) /
                vise_i_cli_run_number(done, "boxed_weights");
  shares[ROW_SUMS] = vise_i_cli_run_number(done, "rows_at_bound") / vise_i_cli_run_number(done, "bounded_rows");
  shares[MAX_NORM] = vise_i_cli_run_number(done, "norms_at_bound") / vise_i_cli_run_number(done, "bounded_norms");
  shares[SIGNS] = vise_i_cli_run_number(done, "signed_at_zero") / vise_i_cli_run_number(done, "signed_weights");
  if (!run->has_options) return;
  if (config->clip_norm > 0 || config->clip_agc > 0) {
    shares[NORM_CLIP] = vise_i_cli_run_number(done, "steps_norm_clipped") / taken;
  }
  if (config->clip_value) {
    shares[VALUE_CLIP] = vise_i_cli_run_number(done, "clipped_values") / (taken * parameters);
  }
}

void vise_i_cli_run_advice(FILE *page, const vise_i_cli_runs *of) {
  const vise_i_cli_run_files *run = &of->runs[0];
  double shares[N_LIMITS];
  if (of->n > 1 || !json_is_object(json_object_get(run->end, "regularization"))) return;
  find_shares(run, shares);
  const bool is_strong = shares[BOX] >= strong_share || shares[MAX_NORM] >= strong_share ||
                         shares[ROW_SUMS] >= strong_share || shares[SIGNS] >= strong_share ||
                         shares[NORM_CLIP] >= always_share || shares[VALUE_CLIP] >= strong_share;

  put_verdict(page, shares);
  (void)fputs("<ul class=\"advice\">\n", page);
  put_box(page, run, shares[BOX]);
  put_max_norm(page, run, shares[MAX_NORM]);
  put_row_sums(page, shares[ROW_SUMS]);
  put_signs(page, shares[SIGNS]);
  put_norm_clip(page, shares[NORM_CLIP]);
  put_value_clip(page, shares[VALUE_CLIP]);
  put_penalty(page, run);
  put_skips(page, run);
  put_fit(page, run, is_strong);
  put_sweep(page, run);
  (void)fputs("</ul>\n", page);
}
