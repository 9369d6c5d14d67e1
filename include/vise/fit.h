/**
 * @file
 * A fit in three calls: a dataset, vise_fit, and vise_predict (vise/evaluate.h) or vise_score.
 *
 *   vise_dataset_from_arrays(&features, &targets, NULL, false, &data, &err);
 *   vise_fit(data, NULL, "layers=auto-16-auto loss=mse lr=0.02 clamp=-2:2", &model, &err);
 *   vise_predict(model, data, NULL, VISE_OUTPUT_RAW, out, &err);
 *
 * The model is used, saved and freed as any other (vise/model.h). For callbacks during the fit see vise/run.h, for a loop
 * of one's own vise/train.h.
 */
#ifndef VISE_FIT_H
#define VISE_FIT_H

#include "vise/evaluate.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Trains a model on train from its initial weights until a limit or a stopping rule ends it. validation (may be NULL) is
 * for the option `patience`. options (may be NULL: all defaults) are texts "name=value" with blanks between them, of the
 * names and values of vise/options.h: those of the command line without its dashes. A flag may stand alone: "nesterov",
 * "no-bias". "init-scheme" chooses the initial weights, drawn with the option `seed`. `layers` is a linear model if it is
 * not given; "auto" at either end, as in auto-16-auto, is the data's size.
 * Errors: VISE_ERR_USAGE (an option), those of vise_trainer_create and of vise_trainer_run. Free *out with
 * vise_model_free.
 */
VISE_API VISE_WARN_UNUSED vise_status vise_fit(const vise_dataset *train, const vise_dataset *validation,
                                               const char *options, vise_model **out, vise_error *err);

/** One number that says how good the model is on dataset: its accuracy if it classifies, else R^2. Both are at most 1.
    Errors: those of vise_evaluate. */
VISE_API VISE_WARN_UNUSED vise_status vise_score(const vise_model *model, const vise_dataset *dataset, double *out,
                                                 vise_error *err);

/**
 * Replaces the sizes of a net that are 0 ("auto") at either end by those of the data: the features, and the classes
 * (cross-entropy) or the columns of the targets. A net without layers becomes a linear model.
 * Errors: VISE_ERR_SHAPE (other inputs than features), VISE_ERR_VALUE (targets that are not class labels).
 */
VISE_API VISE_WARN_UNUSED vise_status vise_net_config_fill(vise_net_config *net, const vise_dataset *dataset,
                                                           vise_loss loss, vise_error *err);

#ifdef __cplusplus
}
#endif
#endif
