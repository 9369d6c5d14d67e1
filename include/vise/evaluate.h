/**
 * @file
 * Using models: loss and accuracy on a dataset, outputs for its rows, and arrays as files.
 */
#ifndef VISE_EVALUATE_H
#define VISE_EVALUATE_H

#include "vise/dataset.h"
#include "vise/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Numbers on a dataset; NaN where a number does not exist. */
typedef struct vise_metrics {
  size_t n_rows;
  double loss;     /**< data loss */
  double accuracy; /**< classification losses: share of rows that are right; of several target columns all must be. A
                        row with an output that is NaN is wrong */
  double rmse, r2; /**< regression losses; in the units of the targets */
} vise_metrics;

/** Of an integer net that was evaluated. */
typedef struct vise_integer_report {
  bool is_trained;      /**< the model was trained for it; else it was rounded just now */
  bool is_proven;       /**< no sum can overflow; else sums were counted: */
  uint64_t n_sums;      /**< sums of rows */
  uint64_t n_overflows; /**< those that left their accumulators on the way, and wrapped around */
} vise_integer_report;

typedef struct vise_eval_config {
  size_t struct_size;
  vise_backend backend;     /**< [auto] */
  vise_precision precision; /**< [auto] */
  size_t batch;             /**< rows at a time; 0 = chosen [0] */
  int n_threads, device;    /**< as in vise_train_config [0] */

  /** Compute as an integer net would, to the bit: "int8,accP[,actA][,inI]" as vise_train_config.quantize. A model that was
      trained with the same is that net; any other is rounded first, with the ranges of values that `ranges` tells. ",unconstrained" leaves the bound on the sums out, to see what it costs. On the CPU,
      one thread. Borrowed. [NULL: as the floats that it is made of] */
  const char *as;
  vise_integer_report *integer; /**< receives what there is to know about that net [NULL] */

  /** Rows whose ranges of values a net is rounded with that was not trained with `as`; targets are not needed. They must stand
      for those that come later: with the rows that vise_export_config.data had, this is the net that was exported. For a
      model that was trained with `as` they are VISE_ERR_USAGE. Borrowed. [NULL: the rows at hand] */
  const vise_dataset *ranges;

  /** The loss of vise_evaluate weighted as vise_train_config.class_weights weighs it: n_class_weights >= 0 numbers, one for
      each class. Accuracy is not weighted, and predictions do not ask. Borrowed. [NULL: every class counts alike] */
  const double *class_weights;
  size_t n_class_weights; /**< [0] */
} vise_eval_config;

VISE_API void vise_eval_config_init(vise_eval_config *config);
VISE_API void vise_eval_config_init_sized(vise_eval_config *config, size_t n_bytes);
#define vise_eval_config_init(config) vise_eval_config_init_sized(config, sizeof *(config))

/** Loss (the model's own) and accuracy, or RMSE and R^2, of model on dataset. config NULL: the defaults.
   Errors: VISE_ERR_SHAPE, VISE_ERR_VALUE (labels), VISE_ERR_UNSUPPORTED, VISE_ERR_MEMORY. */
VISE_API VISE_WARN_UNUSED vise_status vise_evaluate(const vise_model *model, const vise_dataset *dataset,
                                                    const vise_eval_config *config, vise_metrics *out, vise_error *err);
VISE_API VISE_WARN_UNUSED vise_status vise_evaluate_sized(size_t out_bytes, const vise_model *model,
                                                          const vise_dataset *dataset, const vise_eval_config *config,
                                                          vise_metrics *out, vise_error *err);
#define vise_evaluate(...) vise_evaluate_sized(sizeof(vise_metrics), __VA_ARGS__)

/**
 * Outputs for every row: out [n_rows, n_out] in C order, n_out = vise_predict_width(model, output).
 * raw: the net's outputs, target scaling undone. probability: softmax (cross-entropy) or sigmoid (bce); other losses
 * refuse. class: argmax (ties to the lowest index), or for one output 1 when it is > 0, else 0; NaN for a row with an
 * output that is NaN; regression losses refuse.
 * mean: the mean of the targets that a regression predicts, through its link; others refuse. auto: vise_predict_output's.
 * config NULL: the defaults. Errors: those of vise_evaluate, VISE_ERR_USAGE (output).
 */
VISE_API VISE_WARN_UNUSED vise_status vise_predict(const vise_model *model, const vise_dataset *dataset,
                                                   const vise_eval_config *config, vise_output output, double *out,
                                                   vise_error *err);
/** What auto stands for: mean where a regression's outputs are not themselves in the units of the targets, else raw. Any
    other output is itself. */
VISE_API vise_output vise_predict_output(const vise_model *model, vise_output output);
VISE_API size_t vise_predict_width(const vise_model *model, vise_output output);

/** Writes array to path as .npy (C order, little-endian) or, when the name ends in .csv, as CSV with 17 digits; columns
   named by header (comma-separated, NULL: no header line; ignored for .npy). Written under a temporary name,
   synced and renamed. */
VISE_API VISE_WARN_UNUSED vise_status vise_array_save(const char *path, const vise_array *array, const char *header,
                                                      vise_error *err);

/** Writes a column of texts (NULL: an empty field) to path as CSV, quoted where needed, under the name header (NULL: no
    header line). Written under a temporary name, synced and renamed. */
VISE_API VISE_WARN_UNUSED vise_status vise_texts_save(const char *path, const char *const *texts, size_t n_rows,
                                                      const char *header, vise_error *err);

/** The same as CSV in memory: the bytes are those of the file. *out_bytes is freed with vise_buffer_free. */
VISE_API VISE_WARN_UNUSED vise_status vise_array_save_memory(const vise_array *array, const char *header,
                                                             void **out_bytes, size_t *out_n_bytes, vise_error *err);
VISE_API VISE_WARN_UNUSED vise_status vise_texts_save_memory(const char *const *texts, size_t n_rows,
                                                             const char *header, void **out_bytes, size_t *out_n_bytes,
                                                             vise_error *err);

#ifdef __cplusplus
}
#endif
#endif
