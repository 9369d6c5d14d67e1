/* vise train: reads the data, trains, reports the result. */
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/cli.h"
#include "host/cli/message.h"
#include "host/cli/progress.h"
#include "host/cli/ranks.h"
#include "host/cli/report.h"
#include "host/cli/shard.h"
#include "host/cli/signals.h"
#include "host/cli/tensorboard.h"
#include "host/json/build.h"
#include "host/json/text.h"

/* What the callbacks of a run share. */
typedef struct run_view {
  vise_i_cli_progress progress;
  bool began; /* the first step is due: a failure from here on means that work had begun */
  vise_i_cli_report report;
  vise_i_cli_board board;
  const char *config; /* the text of config.json */
} run_view;

static void on_log(void *user, vise_log_level level, const char *message) {
  run_view *view = user;
  vise_i_cli_progress_message(&view->progress, level, message);
  if (level == VISE_LOG_WARNING) vise_i_cli_warnings_keep(&view->report.warnings, message);
}

/* After an error the run goes on without event files. */
static void keep_board(run_view *view, vise_status status, const vise_error *err) {
  char message[VISE_ERROR_TEXT_BYTES + 128];
  if (status == VISE_OK) return;
  (void)snprintf(message, sizeof message, "%s; the run goes on, and TensorBoard will not show the rest of it",
                 err->text);
  on_log(view, VISE_LOG_WARNING, message);
  (void)!vise_i_cli_board_end(&view->board, NULL);
}

static void warn(run_view *view) {
  vise_i_cli_warn_of_idle(&view->report.warnings, view->report.options);
  vise_i_cli_warn_of_start(&view->report.warnings, view->report.options, view->report.setup);
}

static void tell_start(run_view *view) {
  const vise_i_cli_report *report = &view->report;
  const vise_i_cli_options *options = report->options;
  if (vise_i_cli_tells_events()) {
    if (!options->json && !options->silent) vise_i_cli_report_print_data(report, stdout);
    vise_i_cli_report_tell_start(report);
    if (!options->silent) warn(view);
    return;
  }
  if (options->silent) return;

  /* Whatever --quiet says, it is told what the data were taken for. */
  if (!options->json || !options->quiet) vise_i_cli_report_print_data(report, options->json ? stderr : stdout);
  if (!options->quiet) vise_i_cli_report_print_start(report);
  warn(view);
}

/* Nothing is said of a run that is refused. */
static void begin(run_view *view) {
  const vise_i_cli_report *report = &view->report;
  vise_error err = VISE_ERROR_INIT;
  if (view->began) return;
  view->began = true;
  tell_start(view);
  if (vise_ranks_rank(report->options->training.ranks) > 0) return; /* the first one writes */
  keep_board(view, vise_i_cli_board_begin(&view->board, report->options, report->setup, view->config, &err), &err);
}

static bool on_poll(void *user) {
  begin(user);
  return vise_i_cli_signal_caught() != 0;
}

static void on_progress(void *user, const vise_progress *state) {
  run_view *view = user;
  vise_error err = VISE_ERROR_INIT;
  begin(view);
  vise_i_cli_progress_update(&view->progress, state);
  keep_board(view, vise_i_cli_board_add(&view->board, state, &err), &err);
}

static void keep_weights(run_view *view, const vise_run_result *result) {
  vise_error err = VISE_ERROR_INIT;
  keep_board(view, vise_i_cli_board_keep(&view->board, result->steps, &err), &err);
}

static void end_board(run_view *view) {
  vise_error err = VISE_ERROR_INIT;
  keep_board(view, vise_i_cli_board_end(&view->board, &err), &err);
}

/* Makes the report; its JSON goes into the last event. */
static vise_status on_end(void *user, const vise_run_result *result, char **out, vise_error *err) {
  run_view *view = user;
  vise_i_cli_progress_end(&view->progress);
  keep_weights(view, result);
  end_board(view); /* before the report, which has its warnings */
  const vise_status status = vise_i_cli_report_make(&view->report, result, &view->progress, err);
  if (status != VISE_OK) return status;

  json_t *object = vise_i_cli_report_json_for_charts(&view->report);
  const vise_status made =
      vise_i_json_text(object, JSON_COMPACT | JSON_REAL_PRECISION(17), "the report", out, NULL, err);
  json_decref(object);
  return made;
}

/* Replaces "auto" by what it became, so that config.json records it. */
static void resolve(vise_i_cli_options *options, const vise_i_cli_setup *setup, const vise_trainer *trainer) {
  vise_train_config *training = &options->training;
  training->backend = vise_trainer_backend(trainer);
  training->scale = setup->preprocessor != NULL ? setup->scale : vise_trainer_scale(trainer);
  options->keeps_scale = setup->keeps_scaling;
  options->keeps_scale_target = setup->keeps_target_scaling;
  training->n_threads = vise_trainer_n_threads(trainer);
  training->precision = vise_trainer_precision(trainer);
  training->step_mode = vise_trainer_step_mode(trainer);
}

/* Of this process or, with mpirun, of another. */
static int interrupting_signal(void) {
  return vise_i_cli_signal_caught() != 0 ? vise_i_cli_signal_caught() : SIGTERM;
}

static int end_interrupted(const vise_i_cli_options *options, const vise_run_result *result) {
  if (options->run.out_dir != NULL) {
    vise_i_cli_tell(VISE_I_CLI_WORDS, "interrupted at step %" PRIu64 "; resume with: vise train --resume %s",
                    result->steps, options->run.out_dir);
  } else {
    vise_i_cli_tell(VISE_I_CLI_WORDS, "interrupted at step %" PRIu64 "; nothing was saved: give --out DIR",
                    result->steps);
  }
  return 128 + interrupting_signal();
}

/* ---- the run -------------------------------------------------------------------------------------------------- */

static vise_status run(const vise_i_cli_options *options, vise_trainer *trainer, run_view *view,
                       vise_run_result *result, vise_error *err) {
  char *config_text = NULL;
  vise_status status = vise_i_cli_config_text(options, &config_text, err);
  if (status != VISE_OK) return status;

  vise_run_config config = options->run; /* which keeps what it owns */
  config.resume = options->resume != NULL;
  config.config_json = config_text;
  config.interrupted = on_poll;
  config.progress = on_progress;
  config.log = on_log;
  config.describe = on_end;
  config.user = view;
  view->config = config_text;

  vise_i_cli_progress_begin(&view->progress, options);
  status = vise_trainer_run(trainer, &config, result, err);
  vise_i_cli_progress_end(&view->progress);
  end_board(view); /* of a run that failed */

  free(config_text);
  return status;
}

/* The training itself was complete. */
static int end_without_estimate(const vise_i_cli_options *options) {
  const bool saved = options->run.out_dir != NULL;
  vise_i_cli_tell(VISE_I_CLI_WORDS, "interrupted while the score on new rows was estimated; the model is %s",
                  saved ? "saved" : "not saved: give --out DIR");
  return 128 + vise_i_cli_signal_caught();
}

/* The last event, unless the output failed, which was one. */
static void tell_end(const vise_i_cli_report *report, int code) {
  json_t *event = vise_i_cli_event("end");
  vise_i_json_put_all(&event, vise_i_cli_report_json(report));
  vise_i_cli_event_count(&event, "exit_code", (uint64_t)code);
  vise_i_cli_event_write(event);
}

static int end(const run_view *view, const vise_run_result *result) {
  const vise_i_cli_report *report = &view->report;
  const bool interrupted = result->reason == VISE_STOP_INTERRUPTED;
  if (vise_ranks_rank(report->options->training.ranks) > 0) return interrupted ? 128 + interrupting_signal() : 0;

  if (report->options->silent) {
    /* its model is all that is wanted */
  } else if (report->options->json) {
    vise_error err = VISE_ERROR_INIT;
    const vise_status status = vise_i_cli_print_json(vise_i_cli_report_json(report), &err);
    if (status != VISE_OK) return vise_i_cli_report_error(VISE_COMMAND_TRAIN, &err, status, VISE_I_CLI_FAILED);
  } else if (!interrupted) {
    vise_i_cli_report_print_end(report);
  }

  const int code = interrupted                    ? end_interrupted(report->options, result)
                   : report->estimate.interrupted ? end_without_estimate(report->options)
                                                  : 0;
  const int exit_code = vise_i_cli_end_output(VISE_COMMAND_TRAIN, code);
  if (vise_i_cli_tells_events() && exit_code == code) tell_end(report, code);
  return exit_code;
}

/* Trains and prints the result; returns the exit code. */
static int train_and_report(vise_i_cli_options *options, const vise_i_cli_setup *setup, vise_trainer *trainer) {
  vise_error err = VISE_ERROR_INIT;
  vise_run_result result;
  memset(&result, 0, sizeof result);
  run_view view = {.report = {.options = options, .setup = setup}};
  int code;

  resolve(options, setup, trainer);
  const vise_status status = run(options, trainer, &view, &result, &err);
  if (status != VISE_OK) {
    const bool changed = result.reason != VISE_STOP_NONE; /* files of its folder, even if it had not begun */
    bool worked = view.began || changed || status == VISE_ERR_NONFINITE || status == VISE_ERR_DEVICE;
    vise_i_cli_ranks_speak(options->training.ranks);
    code =
        vise_i_cli_report_error(VISE_COMMAND_TRAIN, &err, status, worked ? VISE_I_CLI_FAILED : VISE_I_CLI_NOTHING_DONE);
  } else {
    code = end(&view, &result);
  }

  vise_i_cli_report_free(&view.report);
  return code;
}

/* --resume DIR: the run stays in DIR, whatever its config.json says. */
static vise_status place_resumed(vise_i_cli_options *options, vise_error *err) {
  return options->resume == NULL ? VISE_OK : vise_run_config_set(&options->run, "out", options->resume, err);
}

int vise_i_cli_train_with(vise_i_cli_options *options) {
  vise_error err = VISE_ERROR_INIT;
  vise_i_cli_setup setup;
  vise_trainer *trainer = NULL;

  memset(&setup, 0, sizeof setup);
  vise_i_cli_own_paths paths = {{NULL}, {NULL}};
  vise_status status = vise_i_cli_board_check(options, &err);
  if (status == VISE_OK) status = vise_i_cli_own_paths_take(options, &paths, &err);
  if (status == VISE_OK) status = vise_i_cli_setup_make(options, &setup, &err);
  vise_i_cli_own_paths_put_back(options, &paths); /* as config.json is to have them */
  status = vise_ranks_agree(options->training.ranks, status, &err);
  if (status == VISE_OK) {
    const vise_train_config config = vise_i_cli_trainer_config(options, &setup);
    status = vise_trainer_create(&config, setup.model, setup.train, setup.validation, setup.test, &trainer, &err);
  }

  if (status != VISE_OK) vise_i_cli_ranks_speak(options->training.ranks);
  const int code = status == VISE_OK
                       ? train_and_report(options, &setup, trainer)
                       : vise_i_cli_report_error(VISE_COMMAND_TRAIN, &err, status, VISE_I_CLI_NOTHING_DONE);
  vise_trainer_free(trainer);
  vise_i_cli_setup_free(&setup);
  return code;
}

/* As one of the ranks, or alone. */
static int train(vise_ranks *ranks, int argc, char **argv) {
  vise_error err = VISE_ERROR_INIT;
  vise_i_cli_options options;
  int code;

  vise_i_cli_options_init(&options, VISE_COMMAND_TRAIN);
  vise_i_cli_tell_as_typed(argc, argv);
  vise_status status = vise_i_cli_parse_arguments(&options, argc, argv, &err);
  if (status == VISE_OK) {
    vise_i_cli_tell_events(options.show == VISE_I_CLI_SHOW_JSON);
    status = place_resumed(&options, &err);
  }
  if (status == VISE_OK) status = vise_i_cli_ranks_use(ranks, &options, &err);
  status = vise_ranks_agree(ranks, status, &err);

  if (status == VISE_OK) {
    vise_i_cli_signals_install(); /* from here on a signal leaves a run that can be resumed, even at step 0 */
    code = vise_i_cli_train_with(&options);
  } else {
    vise_i_cli_ranks_speak(ranks);
    code = vise_i_cli_report_error(VISE_COMMAND_TRAIN, &err, status, VISE_I_CLI_NOTHING_DONE);
  }
  vise_i_cli_options_free(&options);
  return code;
}

int vise_i_cli_train(int argc, char **argv) {
  vise_error err = VISE_ERROR_INIT;
  vise_ranks *ranks = NULL;
  const vise_status status = vise_i_cli_ranks_open(argc, argv, &ranks, &err);
  if (status != VISE_OK) return vise_i_cli_report_error(VISE_COMMAND_TRAIN, &err, status, VISE_I_CLI_NOTHING_DONE);
  return vise_i_cli_ranks_close(ranks, train(ranks, argc, argv));
}
