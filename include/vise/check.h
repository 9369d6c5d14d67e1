/**
 * @file
 * The self-check: are the gradients right, and do the backends of this machine agree?
 */
#ifndef VISE_CHECK_H
#define VISE_CHECK_H

#include "vise/train.h"

#ifdef __cplusplus
extern "C" {
#endif

/** One line of the self-check. */
typedef struct vise_check_item {
  const char *name;        /**< "gradient of 0.weight", "cpu: weights after 20 steps" */
  double worst, tolerance; /**< largest error found, largest allowed */
  bool passed;
} vise_check_item;

/**
 * Compares the analytic gradient of cpu64 with central differences (at weights moved off kinks), then a short
 * training on every available backend with cpu64. Calls report (may be NULL) for each item. *all_passed receives the
 * verdict.
 * The model and the datasets are left as they are.
 */
VISE_API VISE_WARN_UNUSED vise_status vise_check(const vise_train_config *config, const vise_model *model,
                                                 const vise_dataset *dataset,
                                                 void (*report)(void *user, const vise_check_item *item), void *user,
                                                 bool *all_passed, vise_error *err);

#ifdef __cplusplus
}
#endif
#endif
