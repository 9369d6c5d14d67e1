/*
 * A dataset as a backend sees it: the stored arrays with the model's scaling, and the rows that belong to it.
 *
 *   vise_i_scales scales = {0};
 *   VISE_TRY(vise_i_scales_of_model(model, &scales, err));
 *   VISE_TRY(vise_i_view_make(dataset, net, loss, true, &scales, &view, err));
 *   ops->forward(backend, &(vise_i_batch){.data = &view.data, .rows = view.rows, .n = view.n_rows}, out, err);
 *   vise_i_scales_free(&scales);
 *
 * A view owns nothing: it borrows the dataset and the scales.
 */
#ifndef VISE_I_DATA_VIEW_H
#define VISE_I_DATA_VIEW_H

#include "host/backend/backend.h"
#include "host/net/net.h"
#include "vise/train.h"

/* Scaling of features and targets; zero-initialise before first use. The arrays are NULL for kind none; for unit the
   feature ones hold one number (uniform). */
typedef struct vise_i_scales {
  vise_scale x_kind, y_kind; /* none, unit or standard; y: none or standard */
  double *x_shift, *x_scale; /* [n_features] or [1] */
  double *y_shift, *y_scale; /* [n_outputs] */
} vise_i_scales;

/* The scaling stored in a model. */
VISE_WARN_UNUSED vise_status vise_i_scales_of_model(const vise_model *model, vise_i_scales *scales, vise_error *err);
/* The scaling that config asks for, fitted on train where needed. `auto` keeps a scaling that the model already has;
   else it is unit for IDX bytes and none otherwise. Without
   scale_target a regression keeps the scaling of targets that the model has. train may be NULL (then standard is refused). Writes nothing to the
   model. VISE_ERR_USAGE: unit for data that are not bytes. */
VISE_WARN_UNUSED vise_status vise_i_scales_fit(const vise_train_config *config, const vise_model *model,
                                               const vise_dataset *train, vise_i_scales *scales, vise_error *err);
/* Stores them in the model. */
VISE_WARN_UNUSED vise_status vise_i_scales_store(const vise_i_scales *scales, vise_model *model, vise_error *err);
void vise_i_scales_free(vise_i_scales *scales);
/* As a backend takes them. */
vise_i_scaling vise_i_scales_x(const vise_i_scales *scales);
vise_i_scaling vise_i_scales_y(const vise_i_scales *scales);

typedef struct vise_i_view {
  vise_i_data data;   /* over all stored rows */
  const size_t *rows; /* those of this dataset, in its order; NULL: 0..n_rows-1 */
  size_t n_rows;
  const vise_dataset *dataset;
} vise_i_view;

/*
 * Makes the view and checks the dataset against the net: number of features; with need_targets, that it has targets
 * and that they fit the loss (one column of labels in [0, K), or K columns; 0/1 for bce; 0/1 or -1/+1 for hinge).
 * Without need_targets the targets are left out (data.y.data NULL).
 * Errors: VISE_ERR_SHAPE (widths), VISE_ERR_VALUE (labels; names dataset, row, value), VISE_ERR_USAGE (no targets).
 */
VISE_WARN_UNUSED vise_status vise_i_view_make(const vise_dataset *dataset, const vise_i_net *net, vise_loss loss,
                                              bool need_targets, const vise_i_scales *scales, vise_i_view *view,
                                              vise_error *err);

/* The stored row of row i of the view. */
size_t vise_i_view_row(const vise_i_view *view, size_t i);

#endif
