/* A training configuration that has what it points to. */
#ifndef VISE_I_CONFIG_COPY_H
#define VISE_I_CONFIG_COPY_H

#include "host/base/error.h"
#include "vise/train.h"

/* The lists that a copy points to; NULL for those it lacks. */
typedef struct vise_i_config_lists {
  double *class_weights;
  vise_layer_clamp *layer_clamps;
  vise_layer_bound *row_l1_layers, *row_l1_sided_layers;
  size_t *weight_op_layers;
  double *weight_op_m;
  char *quantize;
} vise_i_config_lists;

/* Copies *from, of a net of n_layers, to *out, which points to *lists. Free these also after an error. */
VISE_WARN_UNUSED vise_status vise_i_config_copy(const vise_train_config *from, size_t n_layers, vise_train_config *out,
                                                vise_i_config_lists *lists, vise_error *err);
void vise_i_config_lists_free(vise_i_config_lists *lists);

#endif
