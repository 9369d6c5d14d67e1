/* What eval says beyond loss and accuracy: the confusion matrix and what follows from it; for numbers the mean error. */
#ifndef VISE_I_CLI_SCORES_H
#define VISE_I_CLI_SCORES_H

#include <jansson.h>

#include "host/cli/model_data.h"

/* Empty for a net whose targets are several columns of classes. */
typedef struct vise_i_cli_scores {
  size_t n_classes;  /* 0: numbers */
  size_t *confusion; /* [n_classes, n_classes + 1]: true, predicted; the last column counts rows without a class */
  double auc;        /* of two classes; NaN: there are not both */
  double mae;        /* of numbers; NaN else */
  double *sample;    /* of numbers: [n_sampled_targets, n_sampled, 2], true and predicted, of rows here and there */
  size_t n_sampled_targets, n_sampled;
} vise_i_cli_scores;

/* Whether targets and predictions of the loss are numbers, rather than classes. */
bool vise_i_cli_is_regression(vise_loss loss);

/* Free the scores with vise_i_cli_scores_free, on failure too. */
VISE_WARN_UNUSED vise_status vise_i_cli_scores_make(const vise_i_cli_model *model, const vise_dataset *dataset,
                                                    const vise_eval_config *config, vise_i_cli_scores *out,
                                                    vise_error *err);
void vise_i_cli_scores_free(vise_i_cli_scores *scores);

/* Of one class: precision, recall and F1; 0 where nothing was predicted or true (scikit-learn's rule). */
typedef struct vise_i_cli_class_score {
  double precision, recall, f1;
  size_t n_rows, n_predicted;
} vise_i_cli_class_score;

vise_i_cli_class_score vise_i_cli_scores_of_class(const vise_i_cli_scores *scores, size_t k);

void vise_i_cli_scores_print(const vise_i_cli_scores *scores, const vise_i_cli_model *model);
/* Adds "sample", for charts: for each of the first targets, if they are numbers, "true" and "predicted". */
void vise_i_cli_scores_sample_json(const vise_i_cli_scores *scores, json_t **object);
/* Adds "auc", "classes", "confusion" or "mae" to object. */
void vise_i_cli_scores_json(const vise_i_cli_scores *scores, const vise_i_cli_model *model, json_t **object);

/* The name of class k: that of the table that the model was trained on, else its number, written to buffer. */
enum { VISE_I_CLI_CLASS_BYTES = 24 };
const char *vise_i_cli_class_name(const vise_i_cli_model *model, size_t k, char buffer[VISE_I_CLI_CLASS_BYTES]);

#endif
