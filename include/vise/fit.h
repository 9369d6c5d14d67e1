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
#include "vise/preprocessor.h"
#include "vise/run.h"

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

/** A fit whose options are structs. Initialise with vise_fit_config_init; all that it points to is borrowed for the call. */
typedef struct vise_fit_config {
  size_t struct_size;
  const vise_train_config *training; /**< NULL: the defaults [NULL] */
  const vise_net_config *net;        /**< without layers, or NULL: a linear model; sizes of 0 are the data's [NULL] */
  vise_init_scheme init_scheme;      /**< of the initial weights, drawn with the seed of training [linear] */
  const vise_run_config *run;        /**< callbacks, a folder, curves; NULL: none [NULL] */
  const vise_dataset *train;         /**< what to train on; not NULL */
  const vise_dataset *validation;    /**< for patience [NULL] */
} vise_fit_config;

VISE_API void vise_fit_config_init(vise_fit_config *config);
VISE_API void vise_fit_config_init_sized(vise_fit_config *config, size_t n_bytes);
#define vise_fit_config_init(config) vise_fit_config_init_sized(config, sizeof *(config))

/**
 * What vise_fit does, in one call for those who have the options as structs: vise_net_config_fill, vise_model_create,
 * vise_model_initialize, vise_trainer_create and vise_trainer_run. result (may be NULL) is filled as by the last of these,
 * and so where that fails; earlier failures leave it as it was. A run that was interrupted gives a model too.
 * Errors: those of the five. Free *out with vise_model_free.
 */
VISE_API VISE_WARN_UNUSED vise_status vise_fit_with(const vise_fit_config *config, vise_model **out,
                                                    vise_run_result *result, vise_error *err);
VISE_API VISE_WARN_UNUSED vise_status vise_fit_with_sized(size_t result_bytes, const vise_fit_config *config,
                                                          vise_model **out, vise_run_result *result, vise_error *err);
#define vise_fit_with(...) vise_fit_with_sized(sizeof(vise_run_result), __VA_ARGS__)

/**
 * A table as data to train on: vise_preprocessor_fit, vise_preprocessor_transform and vise_dataset_from_transformed in one
 * call. options and how (with the rows to take, and their weights) may be NULL. *preprocessor: one that was fitted before,
 * which is then applied as it is, or NULL, and then the new one, for vise_preprocessor_free. *out is freed with
 * vise_dataset_free. Errors: those of the three, which leave both outputs as they were.
 */
VISE_API VISE_WARN_UNUSED vise_status vise_dataset_prepare(vise_table *table, const vise_preprocessor_options *options,
                                                           const vise_transform_options *how,
                                                           vise_preprocessor **preprocessor, vise_dataset **out,
                                                           vise_error *err);

/**
 * What a target decides where the caller did not: the loss, unless loss_given (vise_preprocessor_loss), and whether targets
 * are scaled, unless scale_target_given: those of a loss mse that was not given are, if they are numbers. A preprocessor
 * without a target decides nothing.
 */
VISE_API void vise_train_config_settle(vise_train_config *training, const vise_preprocessor *preprocessor,
                                       bool loss_given, bool scale_target_given);

/**
 * The net of a table's target: outputs that are 0 ("auto") become one for a loss of numbers, else as many as there are
 * classes, or one for two of them where the loss does with that. Sizes that are given must have room for all classes. The
 * rest is vise_net_config_fill's.
 * Errors: VISE_ERR_SHAPE (fewer outputs than classes), those of vise_net_config_fill.
 */
VISE_API VISE_WARN_UNUSED vise_status vise_net_config_settle(vise_net_config *net,
                                                             const vise_preprocessor *preprocessor,
                                                             const vise_dataset *dataset, vise_loss loss,
                                                             vise_error *err);

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
