/* What held-out rows are scored by. */
#include <math.h>

#include "host/cli/message.h"
#include "host/cli/scores.h"
#include "host/cli/sweep.h"

static const char *const names[] = {
#define NAME(symbol, name) name,
    VISE_I_CLI_SCORE_TABLE(NAME)
#undef NAME
};

const char *vise_i_cli_score_name(vise_i_cli_score score) {
  return names[score];
}

bool vise_i_cli_score_larger(vise_i_cli_score score) {
  return score != VISE_I_CLI_SCORE_LOSS && score != VISE_I_CLI_SCORE_RMSE && score != VISE_I_CLI_SCORE_MAE;
}

bool vise_i_cli_score_fits(vise_i_cli_score score, vise_loss loss, size_t n_outputs) {
  const bool of_numbers = vise_i_cli_is_regression(loss);
  switch (score) {
    case VISE_I_CLI_SCORE_LOSS:
      return true;
    case VISE_I_CLI_SCORE_RMSE:
    case VISE_I_CLI_SCORE_MAE:
    case VISE_I_CLI_SCORE_R2:
      return of_numbers;
    case VISE_I_CLI_SCORE_AUC:
      return !of_numbers && n_outputs <= 2;
    default:
      return !of_numbers;
  }
}

bool vise_i_cli_score_of_metrics(vise_i_cli_score score, const vise_metrics *metrics, double *out) {
  switch (score) {
    case VISE_I_CLI_SCORE_LOSS:
      *out = metrics->loss;
      return true;
    case VISE_I_CLI_SCORE_ACCURACY:
      *out = metrics->accuracy;
      return true;
    case VISE_I_CLI_SCORE_RMSE:
      *out = metrics->rmse;
      return true;
    case VISE_I_CLI_SCORE_R2:
      *out = metrics->r2;
      return true;
    default:
      return false;
  }
}

/* Means over the classes that the rows have; of F1 also those that are predicted, as scikit-learn takes them. */
static double mean_over_classes(const vise_i_cli_scores *scores, bool f1) {
  double sum = 0;
  size_t n = 0;
  for (size_t k = 0; k < scores->n_classes; k++) {
    const vise_i_cli_class_score c = vise_i_cli_scores_of_class(scores, k);
    if (c.n_rows == 0 && !(f1 && c.n_predicted > 0)) continue;
    sum += f1 ? c.f1 : c.recall;
    n++;
  }
  return n > 0 ? sum / (double)n : NAN;
}

vise_status vise_i_cli_score_fit(void *user, uint64_t id, const vise_model *model, const vise_dataset *validation,
                                 double *out, vise_error *err) {
  const vise_i_cli_sweeping *s = user;
  const vise_i_cli_score score = s->options->score;
  const vise_i_cli_model wrapped = {.model = (vise_model *)(uintptr_t)model};
  char format[VISE_I_CLI_FORMAT_BYTES];
  vise_i_cli_scores scores;
  vise_metrics metrics = {0};
  vise_eval_config config;

  const bool quantizes = vise_i_cli_sweep_quantizes(s, id / s->n_splits, format, sizeof format);
  const bool of_metrics = vise_i_cli_score_of_metrics(score, &metrics, out);
  if (of_metrics && !quantizes) return VISE_OK; /* the fit has it */

  vise_eval_config_init(&config);
  config.backend = vise_model_dtype(model) == VISE_F64 ? VISE_BACKEND_CPU64 : VISE_BACKEND_CPU;
  config.n_threads = 1;
  config.as = quantizes ? format : NULL;                 /* as the net that it was trained to be */
  config.class_weights = s->base.training.class_weights; /* as the losses of other fits are weighted */
  config.n_class_weights = s->base.training.n_class_weights;
  if (of_metrics) {
    const vise_status status = vise_evaluate(model, validation, &config, &metrics, err);
    (void)vise_i_cli_score_of_metrics(score, &metrics, out);
    return status;
  }

  const vise_status status = vise_i_cli_scores_make(&wrapped, validation, &config, &scores, err);
  if (status == VISE_OK) {
    *out = score == VISE_I_CLI_SCORE_AUC   ? scores.auc
           : score == VISE_I_CLI_SCORE_MAE ? scores.mae
                                           : mean_over_classes(&scores, score == VISE_I_CLI_SCORE_F1);
  }
  vise_i_cli_scores_free(&scores);
  return status;
}
