/* vise sweep: trains every configuration on every fold, and says which to use. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/cli.h"
#include "host/cli/html_sweep.h"
#include "host/cli/message.h"
#include "host/cli/ranks.h"
#include "host/cli/signals.h"
#include "host/cli/sweep_share.h"
#include "host/cli/text_json.h"
#include "host/json/build.h"

static void init(vise_i_cli_sweeping *s, const vise_i_cli_options *options) {
  memset(s, 0, sizeof *s);
  s->options = options;
  s->joins = options->join != NULL;
  s->resumes = vise_i_cli_goes_on(options) != NULL;
  s->dir = s->resumes ? vise_i_cli_goes_on(options) : options->run.out_dir;
  s->fits_file = s->kept.file = -1;
  s->n_folds = (size_t)options->sweep_folds;
  s->n_repeats = (size_t)options->sweep_repeats;
  s->n_splits = s->n_folds * s->n_repeats;
  s->larger_is_better = vise_i_cli_score_larger(options->score);
}

static void clear(vise_i_cli_sweeping *s) {
  vise_i_cli_sweep_states_close(s);
  vise_i_cli_sweep_folder_close(s);
  vise_i_cli_sweep_data_free(s);
  vise_space_free(s->space);
  vise_i_cli_options_free(&s->base);
  vise_i_cli_warnings_free(&s->warnings);
  free(s->same_as);
  free(s->fits);
  free(s->rung_scores);
  free(s->means);
  free(s->errors);
  free(s->ranks);
}

static vise_status make_fits(vise_i_cli_sweeping *s, vise_error *err) {
  s->fits = calloc(s->n_configs, s->n_splits * sizeof *s->fits);
  if (s->fits == NULL) {
    return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for %zu configurations on %zu folds", s->n_configs,
                           s->n_splits);
  }
  for (size_t i = 0; i < s->n_configs * s->n_splits; i++) {
    s->fits[i].score = s->fits[i].train_score = s->fits[i].at_bound = s->fits[i].clipped = NAN;
  }
  return VISE_OK;
}

/* Everything that can be wrong before the first fit. */
static vise_status prepare(vise_i_cli_sweeping *s, vise_error *err) {
  if (s->options->tensorboard && s->dir == NULL && !s->options->plan) {
    return vise_i_cli_fail_needs("tensorboard", "out", err);
  }
  vise_status status = vise_i_cli_sweep_space(s, err);
  if (status == VISE_OK) status = make_fits(s, err);
  if (status == VISE_OK) status = vise_i_cli_sweep_data(s, err);
  if (status == VISE_OK) status = vise_i_cli_sweep_plan_rungs(s, err);
  if (status == VISE_OK) status = vise_i_cli_sweep_check_fits(s, err);
  if (s->options->plan) return status;
  return status == VISE_OK ? vise_i_cli_sweep_folder_open(s, err) : status;
}

static int end_interrupted(const vise_i_cli_sweeping *s) {
  const size_t n_others = vise_i_cli_share_n_workers(s) - 1;
  if (n_others > 0) {
    vise_i_cli_tell(VISE_I_CLI_WORDS,
                    "interrupted after %zu fits; %zu other worker%s go%s on; join again with: vise sweep "
                    "--join %s",
                    s->n_fits_now, n_others, vise_i_cli_plural(n_others), n_others == 1 ? "es" : "", s->dir);
  } else if (s->joins) {
    vise_i_cli_tell(VISE_I_CLI_WORDS, "interrupted after %zu fits; go on with: vise sweep --join %s", s->n_fits_now,
                    s->dir);
  } else if (s->dir != NULL) {
    vise_i_cli_tell(VISE_I_CLI_WORDS, "interrupted after %zu fits; go on with: vise sweep --resume %s", s->n_fits_now,
                    s->dir);
  } else {
    vise_i_cli_tell(VISE_I_CLI_WORDS, "interrupted after %zu fits; nothing was saved: give --out DIR", s->n_fits_now);
  }
  const int code = 128 + vise_i_cli_signal_caught();
  vise_i_cli_sweep_tell_end(s, "interrupted", code);
  return code;
}

static void tell_of_rest(const vise_i_cli_sweeping *s) {
  if (s->dir == NULL) return;
  if (s->joins) {
    vise_i_cli_tell(VISE_I_CLI_WORDS, "what was trained is in %s, and counts for the sweep", s->dir);
    return;
  }
  vise_i_cli_tell(VISE_I_CLI_WORDS, "what was trained is in %s; vise sweep --resume %s goes on from there", s->dir,
                  s->dir);
}

/* What is done stays, and may be gone on with. Of events, the error is the last. */
static int fail(const vise_i_cli_sweeping *s, const vise_error *err, vise_status status) {
  const bool events = vise_i_cli_tells_events();
  if (events) tell_of_rest(s);
  const int code = vise_i_cli_report_error(VISE_COMMAND_SWEEP, err, status, VISE_I_CLI_FAILED);
  if (!events) tell_of_rest(s);
  return code;
}

static vise_status finish(vise_i_cli_sweeping *s, vise_error *err) {
  vise_status status = s->share != NULL ? vise_i_cli_share_merge(s, err) : VISE_OK;
  if (status == VISE_OK) status = vise_i_cli_sweep_choose(s, err);
  if (status == VISE_OK) status = vise_i_cli_sweep_results_write(s, err);
  if (status == VISE_OK) vise_i_cli_sweep_board(s);
  if (status == VISE_OK) status = vise_i_cli_sweep_json_write(s, err);
  if (status == VISE_OK && s->dir != NULL) vise_i_cli_sweep_states_remove(s);
  return status;
}

/* With --json the choice is all that standard output gets. */
static vise_status print_json(const vise_i_cli_sweeping *s, bool refitted, vise_error *err) {
  char model[VISE_I_CLI_PATH_BYTES];
  json_t *object = vise_i_cli_sweep_choice_json(s);
  vise_i_json_put(&object, "fits", json_integer((json_int_t)s->n_fits_now));
  vise_i_json_put(&object, "seconds", json_real(s->seconds));
  if (refitted) {
    vise_i_cli_sweep_path(s, "best/model.safetensors", model);
    vise_i_json_put(&object, "model", vise_i_cli_text_to_json(model));
  }
  return vise_i_cli_print_json(object, err);
}

/* mine: the results, and the winner on all rows, are this process's to make. */
static int tell(vise_i_cli_sweeping *s, bool mine) {
  const bool refits = s->has_winner && s->options->refit && s->dir != NULL;
  if (!s->options->json) vise_i_cli_sweep_print_end(s);
  if (!s->has_winner) {
    vise_error err = VISE_ERROR_INIT;
    const vise_status status = vise_i_cli_fail(&err, VISE_ERR_NONFINITE,
                                               "no configuration has finite scores on all folds; smaller learning "
                                               "rates, clipping or scaled features may help");
    return vise_i_cli_report_error(VISE_COMMAND_SWEEP, &err, status, VISE_I_CLI_FAILED);
  }

  int code = 0;
  if (refits && mine) {
    if (!s->options->json) (void)printf("\nthe winner, trained on all rows:\n");
    code = vise_i_cli_sweep_refit(s);
    if (code == VISE_I_CLI_NOTHING_DONE) code = VISE_I_CLI_FAILED; /* the sweep was done */
  }
  if (!s->options->json || code != 0) return code;

  vise_error err = VISE_ERROR_INIT;
  const vise_status status = print_json(s, refits, &err);
  return status == VISE_OK ? 0 : vise_i_cli_report_error(VISE_COMMAND_SWEEP, &err, status, VISE_I_CLI_FAILED);
}

static int plan(const vise_i_cli_sweeping *s) {
  vise_error err = VISE_ERROR_INIT;
  const vise_status status = vise_i_cli_sweep_print_plan(s, &err);
  return vise_i_cli_end(VISE_COMMAND_SWEEP, status, &err, VISE_I_CLI_NOTHING_DONE);
}

/* What TensorBoard was given. */
static void print_board(const vise_i_cli_sweeping *s) {
  if (s->n_shown == 0) return;
  (void)printf("%-15s %s/tensorboard: ", "tensorboard", s->dir);
  if (s->n_shown < s->n_distinct) (void)printf("the best %zu of ", s->n_shown);
  (void)printf("%zu configuration%s\n", s->n_distinct, vise_i_cli_plural(s->n_distinct));
}

/* The page of the folder, once all that it tells is there. */
static int write_report(const vise_i_cli_sweeping *s, int code) {
  vise_error err = VISE_ERROR_INIT;
  char path[VISE_I_CLI_PATH_BYTES];
  if (s->dir == NULL) return code;

  vise_i_cli_sweep_path(s, "report.html", path);
  bool saves = false;
  const vise_status status = vise_i_cli_sweep_report(s->dir, path, &saves, &err);
  if (status != VISE_OK) return vise_i_cli_report_error(VISE_COMMAND_SWEEP, &err, status, VISE_I_CLI_FAILED);
  if (!s->options->quiet && !s->options->json) {
    print_board(s);
    (void)printf("%-15s %s\n", "report", path);
  }
  return code;
}

/* Of several processes one does it; *mine: this one, which is to train the winner too. */
static vise_status make_results(vise_i_cli_sweeping *s, bool *mine, vise_error *err) {
  *mine = !s->ended;
  vise_status status = s->share != NULL ? vise_i_cli_share_end(s, mine, err) : VISE_OK;
  if (status != VISE_OK || s->interrupted) return status;
  status = *mine ? finish(s, err) : vise_i_cli_sweep_choose(s, err);

  /* The others may have missed it meanwhile. */
  if (status == VISE_OK && s->share != NULL && *mine) status = vise_i_cli_share_end(s, mine, err);
  if (status == VISE_OK && !*mine && !s->joins) vise_i_cli_sweep_states_remove(s); /* made after the others had ended */
  return status;
}

static int run(vise_i_cli_sweeping *s) {
  vise_error err = VISE_ERROR_INIT;
  if (!s->options->quiet && !s->options->json) vise_i_cli_sweep_print_start(s);
  vise_i_cli_sweep_tell_start(s);
  vise_status status = s->ended ? VISE_OK : vise_i_cli_sweep_run(s, &err);
  if (status != VISE_OK) return fail(s, &err, status);
  if (s->interrupted) return end_interrupted(s);

  bool mine = true;
  status = make_results(s, &mine, &err);
  if (status != VISE_OK) return fail(s, &err, status);
  if (s->interrupted) return end_interrupted(s);

  const int told = tell(s, mine), code = mine ? write_report(s, told) : told;
  if (mine && s->dir != NULL && (code == 0 || !s->has_winner)) vise_i_cli_share_remove(s);
  const int exit_code = vise_i_cli_end_output(VISE_COMMAND_SWEEP, code);
  const bool interrupted = told > 128;
  if (exit_code == told && (told == 0 || interrupted)) {
    vise_i_cli_sweep_tell_end(s, interrupted ? "interrupted" : "done", exit_code);
  }
  return exit_code;
}

/* The sweep, or help with one. ranks: others wait until its folder is there; NULL: nobody does. */
static int sweep(vise_ranks *ranks, int argc, char **argv) {
  vise_error err = VISE_ERROR_INIT;
  vise_i_cli_options options;
  vise_i_cli_sweeping s;

  vise_i_cli_options_init(&options, VISE_COMMAND_SWEEP);
  vise_i_cli_tell_as_typed(argc, argv);
  vise_status status = vise_i_cli_parse_arguments(&options, argc, argv, &err);
  init(&s, &options);
  if (status == VISE_OK) {
    vise_i_cli_tell_events(options.show == VISE_I_CLI_SHOW_JSON);
    vise_i_cli_signals_install();
  }
  if (status == VISE_OK) status = vise_i_cli_ranks_use_sweep(ranks, &options, &err);
  if (status == VISE_OK) status = prepare(&s, &err);
  status = vise_ranks_agree(ranks, status, &err);

  const int refused = vise_i_cli_sweep_folder_changed(&s) ? VISE_I_CLI_FAILED : VISE_I_CLI_NOTHING_DONE;
  const int code = status == VISE_OK ? (options.plan ? plan(&s) : run(&s))
                                     : vise_i_cli_report_error(VISE_COMMAND_SWEEP, &err, status, refused);
  clear(&s);
  vise_i_cli_options_free(&options);
  return code;
}

/* A rank that is not the first: joins the sweep when its folder is there. What fails here is told, and ends nobody else. */
static int join_first(vise_ranks *ranks, int argc, char **argv) {
  vise_error err = VISE_ERROR_INIT;
  vise_i_cli_options options;
  char jobs[16], *words[] = {argv[0], (char[]){"--join"}, NULL, (char[]){"--quiet"}, (char[]){"--jobs"}, jobs, NULL};

  vise_i_cli_options_init(&options, VISE_COMMAND_SWEEP);
  vise_status status = vise_i_cli_parse_arguments(&options, argc, argv, &err);
  if (status == VISE_OK) status = vise_i_cli_ranks_use_sweep(ranks, &options, &err);
  status = vise_ranks_agree(ranks, status, &err); /* the first one tells of it */
  if (vise_ranks_are_lost(ranks)) {
    vise_i_cli_ranks_speak(ranks);
    (void)vise_i_cli_report_error(VISE_COMMAND_SWEEP, &err, status, VISE_I_CLI_NOTHING_DONE);
  }

  const char *dir = options.run.out_dir != NULL ? options.run.out_dir : vise_i_cli_goes_on(&options);
  if (status == VISE_OK && !options.plan) {
    words[2] = strdup(dir);
    (void)snprintf(jobs, sizeof jobs, "%d", options.jobs);
    vise_i_cli_ranks_complain();
    if (words[2] != NULL) (void)sweep(NULL, options.jobs > 0 ? 6 : 4, words);
    free(words[2]);
  }
  vise_i_cli_options_free(&options);
  return status == VISE_OK ? 0 : VISE_I_CLI_NOTHING_DONE;
}

int vise_i_cli_sweep(int argc, char **argv) {
  vise_error err = VISE_ERROR_INIT;
  vise_ranks *ranks = NULL;
  const vise_status status = vise_i_cli_ranks_open(argc, argv, &ranks, &err);
  if (status != VISE_OK) return vise_i_cli_report_error(VISE_COMMAND_SWEEP, &err, status, VISE_I_CLI_NOTHING_DONE);

  const bool is_first = vise_ranks_rank(ranks) == 0;
  return vise_i_cli_ranks_close(ranks, is_first ? sweep(ranks, argc, argv) : join_first(ranks, argc, argv));
}
