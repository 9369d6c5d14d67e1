#include "host/cli/report.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "host/cli/cli.h"
#include "host/cli/model_data.h"
#include "host/cli/progress.h"
#include "host/cli/warnings.h"

static const char *const set_names[VISE_I_CLI_N_SETS] = {"train", "validation", "test"};

/* The mean as a guess has 0, but for rounding. */
#define LEAST_R2 1e-6

/* ---- making --------------------------------------------------------------------------------------------------- */

/* What the share of the class that is most frequent in training gets right, guessed for every row. */
static double constant_accuracy(const vise_i_cli_scores *train, const vise_i_cli_scores *judged) {
  size_t guess = 0, most = 0, n_rows = 0, n_right = 0;
  for (size_t k = 0; k < train->n_classes; k++) {
    size_t n = 0;
    for (size_t j = 0; j <= train->n_classes; j++) n += train->confusion[k * (train->n_classes + 1) + j];
    if (n > most) guess = k;
    if (n > most) most = n;
  }

  for (size_t k = 0; k < judged->n_classes; k++) {
    for (size_t j = 0; j <= judged->n_classes; j++) {
      const size_t n = judged->confusion[k * (judged->n_classes + 1) + j];
      n_rows += n;
      n_right += k == guess ? n : 0;
    }
  }
  return n_rows > 0 ? (double)n_right / (double)n_rows : NAN;
}

/* A net that does no better than one answer for all rows learnt nothing, judged by rows that it has not seen if there
   are any, or by cross-validation. */
static void warn_of_result(vise_i_cli_report *report) {
  size_t i = VISE_I_CLI_N_SETS - 1;
  while (i > 0 && !report->kept[i].exists) i--;
  const vise_i_cli_kept *judged = &report->kept[i];
  const vise_i_cli_estimate *estimate = &report->estimate;
  const bool by_folds = i == VISE_I_CLI_TRAIN_ROWS && estimate->exists;
  if (!judged->exists) return;
  const bool classifies = !isnan(judged->metrics.accuracy) && judged->scores.n_classes > 0;
  const double score = by_folds ? estimate->mean : classifies ? judged->metrics.accuracy : judged->metrics.r2;

  char rows[48] = "in cross-validation";
  if (!by_folds) (void)snprintf(rows, sizeof rows, "on the %s rows", set_names[i]);
  if (classifies) {
    const vise_i_cli_scores *train = &report->kept[VISE_I_CLI_TRAIN_ROWS].scores;
    const double guess = constant_accuracy(train->n_classes > 0 ? train : &judged->scores, &judged->scores);
    if (!(score <= guess)) return;
    vise_i_cli_warn(&report->warnings,
                    "an accuracy of %.2f %% %s is no better than always guessing the most frequent class (%.2f %%)",
                    100 * score, rows, 100 * guess);
  } else if (!isnan(score) && score < LEAST_R2) {
    vise_i_cli_warn(&report->warnings, "R^2 %.3g %s is no better than always guessing the mean", score, rows);
  }
}

/* Training rows beyond which their evaluation is to take no more than a pass forward, and none after less than an epoch
   of training, which it would outlast. */
enum { MANY_ROWS = 10000 };

static bool leaves_out_train(const vise_i_cli_report *report) {
  if (report->options->training.sync_every > 0) return true; /* no process has all of them */
  return report->result.epochs == 0 && vise_dataset_n_rows(report->setup->train) > MANY_ROWS;
}

/* Of rows that are held out by each process, what the run found of all of them. */
static void keep_own(vise_i_cli_report *report) {
  const vise_metrics *const found[VISE_I_CLI_N_SETS] = {NULL, &report->result.validation, &report->result.test};
  for (size_t i = 1; i < VISE_I_CLI_N_SETS; i++) {
    report->kept[i] =
        (vise_i_cli_kept){.metrics = *found[i], .scores = {.auc = NAN, .mae = NAN}, .exists = found[i]->n_rows > 0};
  }
}

static vise_status evaluate(vise_i_cli_report *report, vise_error *err) {
  const vise_i_cli_setup *setup = report->setup;
  const vise_train_config *training = &report->options->training;
  const vise_dataset *const rows[VISE_I_CLI_N_SETS] = {setup->train, setup->validation, setup->test};
  const vise_i_cli_model model = {.model = setup->model, .preprocessor = setup->preprocessor};
  const vise_eval_config config = vise_i_cli_eval_of_training(training);

  if (training->own_data) {
    keep_own(report);
    return VISE_OK;
  }
  for (size_t i = 0; i < VISE_I_CLI_N_SETS; i++) {
    vise_i_cli_kept *kept = &report->kept[i];
    if (rows[i] == NULL || (i == VISE_I_CLI_TRAIN_ROWS && leaves_out_train(report))) continue;
    vise_status status = vise_evaluate(setup->model, rows[i], &config, &kept->metrics, err);
    kept->scores = (vise_i_cli_scores){.auc = NAN, .mae = NAN};
    if (status == VISE_OK && (i != VISE_I_CLI_TRAIN_ROWS || vise_dataset_n_rows(rows[i]) <= MANY_ROWS)) {
      status = vise_i_cli_scores_make(&model, rows[i], &config, &kept->scores, err);
    }
    if (status != VISE_OK) return status;
    kept->exists = true;
  }
  return VISE_OK;
}

/* The run's own, but of a net in integers, whose run watched the floats that it is made of. */
static vise_status find_val_loss(vise_i_cli_report *report, vise_error *err) {
  const vise_train_config *training = &report->options->training;
  report->val_loss = report->result.validation.loss;
  if (training->quantize == NULL || report->setup->validation == NULL) return VISE_OK;
  if (training->class_weights == NULL) {
    report->val_loss = report->kept[VISE_I_CLI_VALIDATION_ROWS].metrics.loss;
    return VISE_OK;
  }

  vise_metrics metrics;
  vise_eval_config config = vise_i_cli_eval_of_training(training);
  config.class_weights = training->class_weights;
  config.n_class_weights = training->n_class_weights;
  const vise_status status = vise_evaluate(report->setup->model, report->setup->validation, &config, &metrics, err);
  if (status == VISE_OK) report->val_loss = metrics.loss;
  return status;
}

vise_status vise_i_cli_report_make(vise_i_cli_report *report, const vise_run_result *result,
                                   vise_i_cli_progress *progress, vise_error *err) {
  report->result = *result;
  if (result->reason != VISE_STOP_INTERRUPTED) {
    vise_status status = evaluate(report, err);
    if (status == VISE_OK) status = find_val_loss(report, err);
    if (status != VISE_OK) return status;
    vise_i_cli_estimate_make(report->options, report->setup, progress, &report->estimate);
    warn_of_result(report);
    vise_i_cli_warn_of_zeros(&report->warnings, &report->options->training, report->setup->model);
  }
  report->is_made = true;
  return VISE_OK;
}

void vise_i_cli_report_free(vise_i_cli_report *report) {
  for (size_t i = 0; i < VISE_I_CLI_N_SETS; i++) vise_i_cli_scores_free(&report->kept[i].scores);
  vise_i_cli_warnings_free(&report->warnings);
}

/* ---- telling -------------------------------------------------------------------------------------------------- */

const char *vise_i_cli_reason_text(vise_stop_reason reason) {
  switch (reason) {
    case VISE_STOP_EPOCHS:
      return "the last epoch asked for";
    case VISE_STOP_STEPS:
      return "the last step asked for";
    case VISE_STOP_AFTER_EPOCH:
      return "as asked";

    case VISE_STOP_LOSS:
      return "the loss is low enough";
    case VISE_STOP_STALL:
      return "the training loss no longer falls";
    case VISE_STOP_PATIENCE:
      return "the validation rows were predicted no better";
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

static void print_done(const vise_run_result *result) {
  char time[32];
  const uint64_t steps_now = result->steps - result->resumed_from_step;
  vise_i_cli_format_time(result->seconds, time, sizeof time);

  (void)printf("%-15s %s (%s)\n", "ended by", vise_stop_reason_name(result->reason),
               vise_i_cli_reason_text(result->reason));
  (void)printf("%-15s %" PRIu64 " step%s, %" PRIu64 " epoch%s", "done", result->steps, vise_i_cli_plural(result->steps),
               result->epochs, vise_i_cli_plural(result->epochs));
  if (result->resumed_from_step > 0) (void)printf(", resumed from step %" PRIu64, result->resumed_from_step);
  (void)printf("\n%-15s %s (%.2f s", "time", time, result->seconds);
  if (result->seconds > 0 && steps_now > 0) {
    const double rate = (double)steps_now / result->seconds;
    (void)printf(rate < 10 ? ", %.2g steps/s" : ", %.0f steps/s", rate);
  }
  (void)printf(")\n");
}

static void print_best_epoch(const vise_i_cli_report *report) {
  const vise_run_result *result = &report->result;
  const char *weighted = report->options->training.class_weights != NULL ? "weighted " : "";
  if (result->lowest_epoch == 0) return;
  (void)printf("%-15s %" PRIu64 ", ", "best epoch", result->lowest_epoch);
  if (isnan(result->lowest_loss)) { /* by the score, which was the best before the run was interrupted */
    (void)printf("by the validation score; the weights of the last step were kept\n");
    return;
  }
  (void)printf("%s%svalidation loss %.6g%s\n", result->best_epoch > 0 ? "whose weights were kept, with " : "with ",
               weighted, result->lowest_loss,
               result->best_epoch > 0 ? "" : "; those of the last step were kept, see --patience");
}

static void print_kept(const vise_i_cli_report *report) {
  const char *note = report->options->training.class_weights != NULL ? ", without class weights" : "";
  if (report->options->training.sync_every > 0) {
    (void)printf("%-15s not evaluated: no process has all of its rows\n", set_names[VISE_I_CLI_TRAIN_ROWS]);
  } else if (leaves_out_train(report)) {
    (void)printf("%-15s not evaluated: less than an epoch of its %zu rows was trained; vise eval does it\n",
                 set_names[VISE_I_CLI_TRAIN_ROWS], vise_dataset_n_rows(report->setup->train));
  }
  for (size_t i = 0; i < VISE_I_CLI_N_SETS; i++) {
    const vise_metrics *metrics = &report->kept[i].metrics;
    if (!report->kept[i].exists || metrics->n_rows == 0) continue;
    (void)printf("%-15s ", set_names[i]);
    vise_i_cli_print_metrics(stdout, metrics);
    const bool weighs = i == VISE_I_CLI_TRAIN_ROWS && report->options->row_weights != NULL;
    (void)printf("  (%zu row%s%s%s)\n", metrics->n_rows, vise_i_cli_plural(metrics->n_rows), note,
                 weighs ? ", the loss by their weights" : "");
  }
}

static void print_estimate(const vise_i_cli_estimate *e) {
  if (!e->exists) return;
  (void)printf("%-15s ", "on new rows");
  if (e->classifies) {
    (void)printf("accuracy %.2f %%, +- %.2f %%", 100 * e->mean, 100 * e->deviation);
  } else {
    (void)printf("R^2 %.4g, +- %.2g, RMSE %.4g", e->mean, e->deviation, vise_i_cli_mean(e->rmse, VISE_I_CLI_FOLDS));
  }
  (void)printf("  (estimated by %d-fold cross-validation)\n", VISE_I_CLI_FOLDS);
}

void vise_i_cli_report_print_end(const vise_i_cli_report *report) {
  const char *folder = report->options->run.out_dir;
  print_done(&report->result);
  print_best_epoch(report);
  print_kept(report);
  print_estimate(&report->estimate);
  vise_i_cli_print_effects(&report->options->training, &report->result, vise_model_n_parameters(report->setup->model));

  if (folder != NULL) {
    (void)printf("%-15s %s/model.safetensors\n", "saved", folder);
  } else {
    (void)printf("nothing was saved: give --out DIR\n");
  }
}
