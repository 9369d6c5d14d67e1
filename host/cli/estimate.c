#include "host/cli/estimate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "host/cli/message.h"
#include "host/cli/model_data.h"
#include "host/cli/monotone.h"
#include "host/cli/signals.h"
#include "host/cli/table_data.h"
#include "host/cli/tell.h"

/* Below it a fold has no two rows. */
enum { LEAST_ROWS = 2 * VISE_I_CLI_FOLDS };

/* One fold's nets and data. */
typedef struct fold {
  const vise_i_cli_options *options;
  const vise_i_cli_setup *setup;
  vise_i_cli_progress *progress;
  size_t number; /* from 1 */
  vise_split split;
  vise_preprocessor *preprocessor;
  vise_dataset *train, *held_out;
  vise_model *model;
} fold;

double vise_i_cli_mean(const double *values, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += values[i];
  return sum / (double)n;
}

static bool on_poll(void *user) {
  (void)user;
  return vise_i_cli_signal_caught() != 0;
}

static void show(const fold *f, double share, double seconds) {
  char text[80];
  if (!vise_i_cli_progress_is_due(f->progress, seconds)) return;
  if (vise_i_cli_tells_events()) {
    json_t *event = vise_i_cli_event("estimate");
    vise_i_cli_event_count(&event, "fold", f->number);
    vise_i_cli_event_count(&event, "folds", VISE_I_CLI_FOLDS);
    vise_i_cli_event_real(&event, "share", share);
    vise_i_cli_event_write(event);
    return;
  }

  (void)snprintf(text, sizeof text, "estimating the score: fold %zu of %d, %3.0f %%", f->number, VISE_I_CLI_FOLDS,
                 floor(100 * share));
  vise_i_cli_progress_text(f->progress, text);
}

static void on_progress(void *user, const vise_progress *state) {
  show(user, state->planned_steps > 0 ? (double)state->step / (double)state->planned_steps : 0, state->seconds);
}

/* ---- a fold --------------------------------------------------------------------------------------------------- */

static vise_status use(fold *f, const size_t *rows, size_t n_rows, vise_dataset **out, vise_error *err) {
  const vise_i_cli_options *options = f->options;
  const vise_i_cli_use how = {.rows = rows,
                              .n_rows = n_rows,
                              .targets = vise_preprocessor_target_kind(f->preprocessor) != VISE_TARGET_NONE,
                              .silent = true,
                              .labels = options->train_labels,
                              .weights = out == &f->train ? options->row_weights : NULL};
  return vise_i_cli_table_use(options, f->preprocessor, f->setup->table, &how, out, err);
}

/* Data whose preprocessing knows nothing of the rows that are held out. */
static vise_status make_data(fold *f, vise_error *err) {
  const vise_split *s = &f->split;
  vise_status status =
      vise_preprocessor_fit(f->setup->table, &f->setup->how, s->kept, s->n_kept, &f->preprocessor, err);
  if (status == VISE_OK &&
      vise_preprocessor_n_classes(f->preprocessor) != vise_preprocessor_n_classes(f->setup->preprocessor)) {
    status = vise_i_cli_fail(err, VISE_ERR_VALUE, "the rows left to train on lack a class");
  }
  if (status == VISE_OK) status = use(f, s->kept, s->n_kept, &f->train, err);
  return status == VISE_OK ? use(f, s->held_out, s->n_held_out, &f->held_out, err) : status;
}

/* Those of a file are for the inputs of all rows, of which a fold may have other ones. */
static vise_status take_signs(const fold *f, vise_error *err) {
  const vise_i_cli_options *options = f->options;
  if (options->monotone != NULL) return vise_i_cli_make_monotone(options, f->preprocessor, f->model, err);
  if (options->sign == NULL) return VISE_OK;

  const size_t n = vise_model_width(f->model, 0), n_of_all = vise_model_width(f->setup->model, 0);
  if (n == n_of_all) return vise_model_load_signs(f->model, options->sign, err);
  return vise_i_cli_fail(err, VISE_ERR_VALUE,
                         "--sign: without a fifth of the rows the net has %zu inputs, and the signs are for %zu", n,
                         n_of_all);
}

static vise_status make_model(fold *f, vise_error *err) {
  const vise_i_cli_options *options = f->options;
  const vise_dtype dtype = options->training.backend == VISE_BACKEND_CPU64 ? VISE_F64 : VISE_F32;
  vise_net_config net = options->net;
  net.widths[0] = vise_dataset_n_features(f->train);
  vise_status status = vise_model_create(&net, dtype, &f->model, err);
  if (status == VISE_OK) {
    status = vise_model_initialize(f->model, options->init_scheme, options->training.seed, err);
  }
  return status == VISE_OK ? take_signs(f, err) : status;
}

static vise_status train(fold *f, bool *interrupted, vise_error *err) {
  vise_train_config config = vise_i_cli_trainer_config(f->options, f->setup);
  config.ranks = NULL; /* the first one does this by itself */
  vise_trainer *trainer = NULL;
  vise_run_result result;
  vise_run_config run;
  vise_run_config_init(&run);
  run.interrupted = on_poll;
  run.progress = on_progress;
  run.user = f;

  vise_status status = vise_trainer_create(&config, f->model, f->train, NULL, NULL, &trainer, err);
  if (status == VISE_OK) status = vise_trainer_run(trainer, &run, &result, err);
  *interrupted = status == VISE_OK && result.reason == VISE_STOP_INTERRUPTED;
  vise_trainer_free(trainer);
  return status;
}

static vise_status score(const fold *f, vise_i_cli_estimate *out, vise_error *err) {
  const vise_eval_config config = vise_i_cli_eval_of_training(&f->options->training);
  vise_metrics metrics;

  const vise_status status = vise_evaluate(f->model, f->held_out, &config, &metrics, err);
  if (status != VISE_OK) return status;
  out->classifies = !isnan(metrics.accuracy);
  out->scores[f->number - 1] = out->classifies ? metrics.accuracy : metrics.r2;
  out->rmse[f->number - 1] = metrics.rmse;
  return VISE_OK;
}

static vise_status run_fold(fold *f, const size_t *folds, vise_i_cli_estimate *out, vise_error *err) {
  const vise_i_cli_setup *setup = f->setup;
  const size_t n_rows = setup->rows != NULL ? setup->n_rows : vise_table_n_rows(setup->table);
  show(f, 0, 0);

  vise_status status = vise_folds_split(folds, setup->rows, n_rows, f->number, &f->split, err);
  if (status == VISE_OK) status = make_data(f, err);
  if (status == VISE_OK) status = make_model(f, err);
  if (status == VISE_OK) status = train(f, &out->interrupted, err);
  if (status == VISE_OK && !out->interrupted) status = score(f, out, err);

  vise_model_free(f->model);
  vise_dataset_free(f->train);
  vise_dataset_free(f->held_out);
  vise_preprocessor_free(f->preprocessor);
  vise_split_clear(&f->split);
  return status;
}

/* ---- all ------------------------------------------------------------------------------------------------------ */

static vise_status deal(const vise_i_cli_options *options, const vise_i_cli_setup *setup, size_t *folds,
                        vise_error *err) {
  const size_t n_rows = vise_table_n_rows(setup->table), n_used = setup->rows != NULL ? setup->n_rows : n_rows;
  vise_fold_options dealing;
  vise_fold_options_init(&dealing);
  dealing.n_folds = VISE_I_CLI_FOLDS;
  dealing.stratify = options->stratify != VISE_I_CLI_STRATIFY_NO && options->train_labels == NULL;
  dealing.rows = setup->rows;
  dealing.n_rows = setup->n_rows;

  if (n_used < LEAST_ROWS) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "it takes at least %d rows, and there are %zu", LEAST_ROWS, n_used);
  }
  return vise_table_folds(setup->table, &setup->how, &dealing, folds, n_rows, err);
}

static void summarise(vise_i_cli_estimate *e) {
  double squares = 0;
  e->mean = vise_i_cli_mean(e->scores, VISE_I_CLI_FOLDS);
  for (size_t i = 0; i < VISE_I_CLI_FOLDS; i++) squares += (e->scores[i] - e->mean) * (e->scores[i] - e->mean);
  e->deviation = sqrt(squares / VISE_I_CLI_FOLDS);
  e->exists = isfinite(e->mean);
}

void vise_i_cli_estimate_make(const vise_i_cli_options *options, const vise_i_cli_setup *setup,
                              vise_i_cli_progress *progress, vise_i_cli_estimate *out) {
  vise_error err = VISE_ERROR_INIT;
  *out = (vise_i_cli_estimate){0};
  if (options->cross_validate != VISE_I_CLI_CROSS_VALIDATE_YES || setup->table == NULL) return;

  size_t *folds = calloc(vise_table_n_rows(setup->table), sizeof *folds);
  vise_status status =
      folds != NULL ? deal(options, setup, folds, &err) : vise_i_cli_fail(&err, VISE_ERR_MEMORY, "out of memory");
  for (size_t k = 1; k <= VISE_I_CLI_FOLDS && status == VISE_OK && !out->interrupted; k++) {
    fold f = {.options = options, .setup = setup, .progress = progress, .number = k};
    status = run_fold(&f, folds, out, &err);
  }
  free(folds);
  vise_i_cli_progress_end(progress);

  if (status == VISE_OK && !out->interrupted) summarise(out);
  const bool is_expected = status == VISE_ERR_USAGE || status == VISE_ERR_VALUE;
  if (status == VISE_OK || (options->quiet && is_expected)) return;
  char text[1024];
  vise_i_cli_translate(err.text, VISE_I_CLI_AS_OPTION, text, sizeof text);
  vise_i_cli_tell(is_expected ? VISE_I_CLI_NOTE : VISE_I_CLI_WARNING, "the score on new rows cannot be estimated: %s",
                  text);
}
