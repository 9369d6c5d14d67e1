/* vise train: reads the data, trains, reports the result. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/cli.h"
#include "host/cli/message.h"
#include "host/cli/progress.h"
#include "host/cli/setup.h"
#include "host/cli/signals.h"
#include "host/cli/table_data.h"

/* What the callbacks of a run share. */
typedef struct run_view {
  vise_i_cli_progress progress;
  bool began; /* the first step is due: a failure from here on means that work had begun */
  const vise_i_cli_options *options;
  const vise_i_cli_setup *setup;
} run_view;

static void print_data(const vise_i_cli_options *options, const vise_i_cli_setup *setup);
static void print_start(const vise_i_cli_options *options, const vise_i_cli_setup *setup);

/* Nothing is said of a run that is refused. */
static void begin(run_view *view) {
  if (view->began) return;
  view->began = true;
  print_data(view->options, view->setup);
  if (!view->options->quiet) print_start(view->options, view->setup);
}

static bool on_poll(void *user) {
  begin(user);
  return vise_i_cli_signal_caught() != 0;
}

static void on_progress(void *user, const vise_progress *state) {
  run_view *view = user;
  begin(view);
  vise_i_cli_progress_update(&view->progress, state);
}

static void on_log(void *user, vise_log_level level, const char *message) {
  run_view *view = user;
  vise_i_cli_progress_message(&view->progress, level, message);
}

/* Adam's steps are about as long as the rate: beyond this few nets learn. */
#define HIGH_LR 0.05

/* ---- before --------------------------------------------------------------------------------------------------- */

static void print_rows(const char *name, const vise_dataset *dataset) {
  if (dataset == NULL) return;
  (void)printf("%-15s %s: %zu rows\n", name, vise_dataset_name(dataset), vise_dataset_n_rows(dataset));
}

static void print_arrays(const vise_i_cli_options *options, const vise_i_cli_setup *setup) {
  const vise_train_config *training = &options->training;
  const vise_dataset *train = setup->train;

  (void)printf("%-15s %s: %zu rows, %zu features (%s)", "data", vise_dataset_name(train), vise_dataset_n_rows(train),
               vise_dataset_n_features(train), vise_dtype_name(vise_dataset_feature_dtype(train)));
  if (vise_loss_targets(training->loss) == VISE_TARGETS_LABELS) {
    (void)printf(", %zu classes", setup->n_classes);
  } else {
    (void)printf(", %zu target column%s", vise_dataset_n_targets(train), vise_dataset_n_targets(train) == 1 ? "" : "s");
  }
  (void)printf(", scale %s\n", vise_scale_name(training->scale));
}

/* What was made of a table, as the library describes it. */
static void print_table(const vise_i_cli_setup *setup) {
  const vise_preprocessor *p = setup->preprocessor;

  if (setup->keeps_scaling) {
    const size_t n_classes = vise_preprocessor_n_classes(p);
    (void)printf("%-15s %s: %zu rows, %zu inputs", "data", vise_dataset_name(setup->train),
                 vise_dataset_n_rows(setup->train), vise_preprocessor_n_inputs(p));
    if (n_classes > 0) (void)printf(", %zu classes", n_classes);
    (void)printf("\n");
  }

  for (size_t i = 0; i < vise_preprocessor_n_lines(p) && !setup->keeps_scaling; i++) {
    vise_i_cli_print_line(stdout, i == 0 ? "data" : "", vise_preprocessor_line(p, i));
  }

  for (size_t i = 0; i < setup->n_notes; i++) vise_i_cli_print_line(stdout, "", setup->notes[i]);
  if (setup->n_left_out > 0) (void)printf("%-15s %zu rows left out: no target\n", "", setup->n_left_out);
}

/* To standard output, whatever --quiet says: what the data were taken for. */
static void print_data(const vise_i_cli_options *options, const vise_i_cli_setup *setup) {
  if (setup->preprocessor != NULL) {
    print_table(setup);
  } else {
    print_arrays(options, setup);
  }
  print_rows("validation", setup->validation);
  print_rows("test", setup->test);
  (void)fflush(stdout);
}

/* What was asked of hidden layers and none of them can have. */
static const char *idle_option(const vise_net_config *net) {
  bool adds = false;
  for (size_t l = 0; l + 1 < net->n_layers; l++) adds = adds || net->widths[l] == net->widths[l + 1];
  if (net->n_layers == 1) return net->batch_norm ? "batch-norm" : net->dropout > 0 ? "dropout" : NULL;
  return net->residual && !adds ? "residual" : NULL;
}

static void print_net(const vise_i_cli_options *options, const vise_i_cli_setup *setup) {
  const vise_net_config *net = &options->net;
  (void)fprintf(stderr, "%-15s ", "net");
  vise_i_cli_print_widths(stderr, net);
  (void)fprintf(stderr, "%s, %zu parameters, %s", net->bias ? "" : " without biases",
                vise_model_n_parameters(setup->model),
                net->n_layers == 1 ? "a linear model" : vise_activation_name(net->activation));
  vise_i_cli_print_extras(stderr, net);
  (void)fprintf(stderr, "\n");

  const char *idle = idle_option(net);
  if (idle != NULL) {
    (void)fprintf(stderr, "warning: --%s does nothing: no hidden layer%s\n", idle,
                  net->n_layers > 1 ? " has as many outputs as inputs" : "");
  }
}

/* The first lines: the net, the backend and the regularization. */
static void print_start(const vise_i_cli_options *options, const vise_i_cli_setup *setup) {
  const vise_train_config *training = &options->training;
  if (options->recipe == VISE_I_CLI_RECIPE_TABLE) {
    (void)fprintf(stderr, "%-15s table: defaults for tables, which vise info --recipes lists\n", "recipe");
  }
  if (training->optimizer == VISE_ADAM && training->lr > HIGH_LR) {
    (void)fprintf(stderr, "warning: --lr %g is high for adam; --optimizer sgd is what such rates are for\n",
                  training->lr);
  }

  const char *of_init = "those of the model of --init are kept";

  if (setup->keeps_scaling) {
    (void)fprintf(stderr, "%-15s %s; --scale fits new ones\n", "scaling",
                  setup->preprocessor != NULL ? "columns, fills and scaling of the model of --init are kept" : of_init);
  } else if (options->init != NULL && vise_i_cli_given(options, "scale")) {
    (void)fprintf(stderr, "%-15s fitted to these rows, not that of the model of --init\n", "scaling");
  }
  if (strcmp(options->train, "-") == 0) {
    (void)fprintf(stderr, "note: a run from standard input cannot be resumed\n");
  }

  print_net(options, setup);
  (void)fprintf(stderr, "%-15s %s, %d thread%s\n", "backend", vise_backend_name(training->backend), training->n_threads,
                training->n_threads == 1 ? "" : "s");
  char lr[40];
  (void)vise_option_text(vise_option_find("lr", NULL), training, lr, sizeof lr);
  (void)fprintf(stderr, "%-15s %s, %s, learning rate %s\n", "training", vise_loss_name(training->loss),
                vise_optimizer_name(training->optimizer), lr);

  vise_i_cli_print_regularization(stderr, training);
  if (options->run.out_dir == NULL)
    (void)fprintf(stderr, "note: nothing will be saved; give --out DIR to keep the model\n");
}

/* Replaces "auto" by what it became, so that config.json records it. */
static void resolve(vise_i_cli_options *options, const vise_i_cli_setup *setup, const vise_trainer *trainer) {
  vise_train_config *training = &options->training;
  training->backend = vise_trainer_backend(trainer);
  training->scale = setup->preprocessor != NULL ? setup->scale : vise_trainer_scale(trainer);
  training->n_threads = vise_trainer_n_threads(trainer);
  training->precision = vise_trainer_precision(trainer);
  training->step_mode = vise_trainer_step_mode(trainer);
}

/* ---- after ---------------------------------------------------------------------------------------------------- */

static const char *reason_text(vise_stop_reason reason) {
  switch (reason) {
    case VISE_STOP_EPOCHS:
      return "the last epoch asked for";
    case VISE_STOP_STEPS:
      return "the last step asked for";
    case VISE_STOP_LOSS:
      return "the loss is low enough";
    case VISE_STOP_PATIENCE:
      return "the validation loss got no better";
    case VISE_STOP_PROJECTED_GRADIENT:
      return "the projected gradient is small enough";
    case VISE_STOP_SKIPS:
      return "too many skipped steps in a row";
    case VISE_STOP_HALT:
      return "a loss or gradient was not finite";
    case VISE_STOP_INTERRUPTED:
      return "a signal";
    default:
      return "an error";
  }
}

static void print_result_set(const char *name, const vise_metrics *metrics, const char *note) {
  if (metrics->n_rows == 0) return;
  (void)printf("%-15s ", name);
  vise_i_cli_print_metrics(stdout, metrics);
  (void)printf("  (%zu rows%s)\n", metrics->n_rows, note);
}

/* Loss and what else there is of the weights that were kept; class weights are left out of it. */
static vise_status print_kept(const vise_i_cli_options *options, const vise_i_cli_setup *setup, vise_error *err) {
  const struct {
    const char *name;
    const vise_dataset *rows;
  } sets[] = {{"train", setup->train}, {"validation", setup->validation}, {"test", setup->test}};
  vise_eval_config config;
  vise_eval_config_init(&config);
  config.backend = options->training.backend;
  config.precision = options->training.precision;
  config.n_threads = options->training.n_threads;
  config.device = options->training.device;

  for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
    vise_metrics metrics;
    if (sets[i].rows == NULL) continue;
    const vise_status status = vise_evaluate(setup->model, sets[i].rows, &config, &metrics, err);
    if (status != VISE_OK) return status;
    print_result_set(sets[i].name, &metrics, options->training.class_weights != NULL ? ", without class weights" : "");
  }
  return VISE_OK;
}

static vise_status print_end(const vise_i_cli_options *options, const vise_i_cli_setup *setup,
                             const vise_run_result *result, vise_error *err) {
  char time[32];
  uint64_t steps_now = result->steps - result->resumed_from_step;
  vise_i_cli_format_time(result->seconds, time, sizeof time);

  (void)printf("%-15s %s (%s)\n", "ended by", vise_stop_reason_name(result->reason), reason_text(result->reason));
  (void)printf("%-15s %" PRIu64 " steps, %" PRIu64 " epochs", "done", result->steps, result->epochs);
  if (result->resumed_from_step > 0) (void)printf(", resumed from step %" PRIu64, result->resumed_from_step);
  (void)printf("\n%-15s %s (%.2f s", "time", time, result->seconds);
  if (result->seconds > 0 && steps_now > 0) (void)printf(", %.0f steps/s", (double)steps_now / result->seconds);
  (void)printf(")\n");

  if (result->best_epoch > 0)
    (void)printf("%-15s %" PRIu64 ", whose weights were kept\n", "best epoch", result->best_epoch);

  const vise_status status = print_kept(options, setup, err);
  if (status != VISE_OK) return status;
  vise_i_cli_print_effects(&options->training, result, vise_model_n_parameters(setup->model));

  if (options->run.out_dir != NULL) {
    (void)printf("%-15s %s/model.safetensors\n", "saved", options->run.out_dir);
  } else {
    (void)printf("nothing was saved: give --out DIR\n");
  }
  return VISE_OK;
}

static int end_interrupted(const vise_i_cli_options *options, const vise_run_result *result) {
  int number = vise_i_cli_signal_caught();
  if (options->run.out_dir != NULL) {
    (void)fprintf(stderr, "interrupted at step %" PRIu64 "; resume with: vise train --resume %s\n", result->steps,
                  options->run.out_dir);
  } else {
    (void)fprintf(stderr, "interrupted at step %" PRIu64 "; nothing was saved: give --out DIR\n", result->steps);
  }
  return 128 + number;
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
  config.user = view;

  vise_i_cli_progress_begin(&view->progress, options->quiet, options->training.epochs);
  status = vise_trainer_run(trainer, &config, result, err);
  vise_i_cli_progress_end(&view->progress);

  free(config_text);
  return status;
}

/* Trains and prints the result; returns the exit code. */
static int train_and_report(vise_i_cli_options *options, const vise_i_cli_setup *setup, vise_trainer *trainer) {
  vise_error err = VISE_ERROR_INIT;
  vise_run_result result;
  memset(&result, 0, sizeof result);
  run_view view = {.options = options, .setup = setup};

  resolve(options, setup, trainer);
  vise_status status = run(options, trainer, &view, &result, &err);
  if (status != VISE_OK) {
    bool worked = view.began || status == VISE_ERR_NONFINITE || status == VISE_ERR_DEVICE;
    return vise_i_cli_report_error(VISE_COMMAND_TRAIN, &err, status,
                                   worked ? VISE_I_CLI_FAILED : VISE_I_CLI_NOTHING_DONE);
  }

  if (result.reason == VISE_STOP_INTERRUPTED) return end_interrupted(options, &result);
  status = print_end(options, setup, &result, &err);
  return vise_i_cli_end(VISE_COMMAND_TRAIN, status, &err, VISE_I_CLI_FAILED);
}

/* --resume DIR: the run stays in DIR, whatever its config.json says. */
static vise_status place_resumed(vise_i_cli_options *options, vise_error *err) {
  return options->resume == NULL ? VISE_OK : vise_run_config_set(&options->run, "out", options->resume, err);
}

int vise_i_cli_train(int argc, char **argv) {
  vise_error err = VISE_ERROR_INIT;
  vise_i_cli_options options;
  vise_i_cli_setup setup;
  vise_trainer *trainer = NULL;

  memset(&setup, 0, sizeof setup);
  vise_i_cli_options_init(&options, VISE_COMMAND_TRAIN);
  vise_status status = vise_i_cli_parse_arguments(&options, argc, argv, &err);
  if (status == VISE_OK) status = place_resumed(&options, &err);

  /* From here on a signal leaves a run that can be resumed, even at step 0. */
  if (status == VISE_OK) vise_i_cli_signals_install();
  if (status == VISE_OK) status = vise_i_cli_setup_make(&options, &setup, &err);
  if (status == VISE_OK) {
    const vise_train_config config = vise_i_cli_trainer_config(&options, &setup);
    status = vise_trainer_create(&config, setup.model, setup.train, setup.validation, setup.test, &trainer, &err);
  }

  int code = status == VISE_OK ? train_and_report(&options, &setup, trainer)
                               : vise_i_cli_report_error(VISE_COMMAND_TRAIN, &err, status, VISE_I_CLI_NOTHING_DONE);

  vise_trainer_free(trainer);
  vise_i_cli_setup_free(&setup);
  vise_i_cli_options_free(&options);
  return code;
}
