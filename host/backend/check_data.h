/* What every backend checks of a call before it computes, worded alike. */
#ifndef VISE_I_CHECK_DATA_H
#define VISE_I_CHECK_DATA_H

#include "host/backend/backend.h"

/* Targets are class labels. With one output a label is a value, 0 or 1. */
bool vise_i_has_labels(const vise_i_net *net, const vise_i_data *data);

/* Checks shapes of data against the net and, if with_targets, targets against the loss. */
VISE_WARN_UNUSED vise_status vise_i_check_data(const vise_i_step_spec *spec, const vise_i_data *data, bool with_targets,
                                               vise_error *err);

/* VISE_ERR_VALUE unless the label of a row is an integer from 0 to n_classes - 1. */
VISE_WARN_UNUSED vise_status vise_i_check_label(size_t row, double label, size_t n_classes, vise_error *err);

/* The checks of set_order, of run, of step and of full_gradient; n_data rows are bound, n_order are in their order. What
   the trainer never does is VISE_ERR_INTERNAL. */
VISE_WARN_UNUSED vise_status vise_i_check_order(const vise_i_backend *b, const size_t *rows, size_t n_rows,
                                                size_t n_data, vise_error *err);
VISE_WARN_UNUSED vise_status vise_i_check_run(const vise_i_backend *b, const vise_i_steps *steps, size_t n_order,
                                              vise_error *err);
VISE_WARN_UNUSED vise_status vise_i_check_step(const vise_i_backend *b, const vise_i_batch *batch, vise_error *err);
VISE_WARN_UNUSED vise_status vise_i_check_gradient(const vise_i_backend *b, const vise_i_batch *batch, vise_error *err);

#endif
