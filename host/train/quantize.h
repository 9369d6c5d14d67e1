/*
 * Training for an integer net (docs/hardware.md, docs/step.md): what a trainer does outside of the steps. The rows are
 * turned into integers before the first step; the scales of rows are chosen then and stay; those of hidden values follow
 * the values until half of the planned steps are taken. All of it comes from the training rows and the weights alone.
 */
#ifndef VISE_I_QUANTIZE_H
#define VISE_I_QUANTIZE_H

#include "host/train/trainer.h"

/* What a config asks for: acc_bits 0 without `quantize`. */
VISE_WARN_UNUSED vise_status vise_i_quantize_format(const vise_train_config *config, vise_i_integer_format *out,
                                                    vise_error *err);

/* The rules of `quantize`; the trainer has its config and data sets, and perhaps no views. */
VISE_WARN_UNUSED vise_status vise_i_trainer_quantize_check(const vise_trainer *trainer, vise_error *err);
/* Chooses the scales and turns the trainer's views into integers; nothing without `quantize`, whose rules hold. The views are
   made, the backend is not. */
VISE_WARN_UNUSED vise_status vise_i_trainer_quantize(vise_trainer *trainer, vise_error *err);
/* Gives the backend, which has the model's weights, those that the scales were chosen for. */
VISE_WARN_UNUSED vise_status vise_i_trainer_start_weights(vise_trainer *trainer, vise_error *err);
void vise_i_trainer_quantize_free(vise_trainer *trainer);

/* Rows of the caller's own as integers: *rows (free() it) is what the view borrows then. Nothing without a quantization. */
VISE_WARN_UNUSED vise_status vise_i_quantize_view(const vise_i_quantization *quantization, vise_i_view *view,
                                                  uint8_t **rows, vise_error *err);

/* A sample of the rows with the scaling applied, from which ranges are taken; free() *x. The view is not yet of integers. */
VISE_WARN_UNUSED vise_status vise_i_calibration_make(const vise_i_net *net, const vise_i_view *view, float **x,
                                                     vise_i_calibration *out, vise_error *err);

/* Steps until the scales of hidden values are next chosen anew: at least 1. */
uint64_t vise_i_trainer_steps_to_refit(const vise_trainer *trainer);
/* Does so if it is due after the step just counted. */
VISE_WARN_UNUSED vise_status vise_i_trainer_refit(vise_trainer *trainer, vise_error *err);

/* A copy of the scales; NULL without a quantization. */
VISE_WARN_UNUSED vise_status vise_i_trainer_copy_scales(const vise_trainer *trainer, float **out, vise_error *err);
/* Gives the backend these scales; nothing without a quantization. */
VISE_WARN_UNUSED vise_status vise_i_trainer_set_scales(vise_trainer *trainer, const float *scales, vise_error *err);

#endif
