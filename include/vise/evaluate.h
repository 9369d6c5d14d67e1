/** @file
 * Using and checking models: evaluation, prediction, the self-check, and what this build and machine offer. */
#ifndef VISE_EVALUATE_H
#define VISE_EVALUATE_H

#include "vise/train.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct vise_eval_config {
  size_t struct_size;
  vise_backend backend;     /**< [auto] */
  vise_precision precision; /**< [auto] */
  size_t batch;             /**< rows at a time; 0 = chosen [0] */
  int n_threads, device;    /**< [0] */
} vise_eval_config;

VISE_API void vise_eval_config_init(vise_eval_config *config);

/** Loss (the model's own) and accuracy, or RMSE and R^2, of model on dataset.
   Errors: VISE_ERR_SHAPE, VISE_ERR_VALUE (labels), VISE_ERR_UNSUPPORTED, VISE_ERR_MEMORY. */
VISE_API VISE_WARN_UNUSED vise_status vise_evaluate(const vise_model *model, const vise_dataset *dataset,
                                                    const vise_eval_config *config, vise_metrics *out, vise_error *err);

/**
 * Outputs for every row: out [n_rows, n_out] in C order, n_out = vise_predict_width(model, output).
 * raw: the net's outputs, target scaling undone. probability: softmax (cross-entropy) or sigmoid (bce); other losses
 * refuse. class: argmax (ties to the lowest index), or for one output 1 when it is > 0, else 0; mse and huber refuse.
 */
VISE_API VISE_WARN_UNUSED vise_status vise_predict(const vise_model *model, const vise_dataset *dataset,
                                                   const vise_eval_config *config, vise_output output, double *out,
                                                   vise_error *err);
VISE_API size_t vise_predict_width(const vise_model *model, vise_output output);

/** One line of the self-check. */
typedef struct vise_check_item {
  const char *name;        /**< "gradient of 0.weight", "cpu: weights after 20 steps" */
  double worst, tolerance; /**< largest error found, largest allowed */
  bool passed;
} vise_check_item;

/**
 * Compares the analytic gradient of cpu64 with central differences (at weights moved off kinks), then a short
 * training on every available backend with cpu64. Calls report for each item. *all_passed receives the verdict.
 * The model and the datasets are left as they are.
 */
VISE_API VISE_WARN_UNUSED vise_status vise_check(const vise_train_config *config, const vise_model *model,
                                                 const vise_dataset *dataset,
                                                 void (*report)(void *user, const vise_check_item *item), void *user,
                                                 bool *all_passed, vise_error *err);

/** Version of the library, "major.minor.patch"; constant. */
VISE_API const char *vise_version(void);

/** One backend of this build on this machine. */
typedef struct vise_backend_info {
  vise_backend backend;
  bool available;
  char detail[256]; /**< what it runs on, or why it is not available */
} vise_backend_info;

/** Fills out[i] for i < n with the backends; returns how many there are. */
VISE_API size_t vise_list_backends(vise_backend_info *out, size_t n);

/** One GPU of this machine, as vise_train_config.device counts them. */
typedef struct vise_device_info {
  int index;
  bool usable;                      /**< by the cuda backend: compute capability 8.0 or more */
  char name[256];                   /**< its name, or the error it answers with */
  int compute_major, compute_minor; /**< compute capability */
  int n_multiprocessors;
  uint64_t memory_bytes;
} vise_device_info;

/** Fills out[i] for i < n with the GPUs; returns their number: 0 without a GPU, its driver or the cuda backend. */
VISE_API size_t vise_list_devices(vise_device_info *out, size_t n);

/** A constant text of build options ("compiler=..., blas=..., cuda=no"). */
VISE_API const char *vise_build_options(void);

/** Writes array to path as .npy (C order, little-endian) or, when the name ends in .csv, as CSV with 17 digits; columns
   named by header (comma-separated, NULL: no header line; ignored for .npy). Written under a temporary name,
   synced and renamed. */
VISE_API VISE_WARN_UNUSED vise_status vise_array_save(const char *path, const vise_array *array, const char *header,
                                                      vise_error *err);

#ifdef __cplusplus
}
#endif
#endif
