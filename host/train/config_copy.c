#include "host/train/config_copy.h"

#include <stdlib.h>
#include <string.h>

#include "host/base/memory.h"

/* A copy of n elements, or NULL for none. */
static vise_status copy_array(void *out_pointer, const void *from, size_t n, size_t element_bytes, vise_error *err) {
  void *copy = NULL;
  if (n > 0 && from != NULL) {
    const vise_status status = vise_i_alloc(&copy, n, element_bytes, "training options", err);
    if (status != VISE_OK) return status;
    memcpy(copy, from, n * element_bytes);
  }
  memcpy(out_pointer, &copy, sizeof(copy));
  return VISE_OK;
}

vise_status vise_i_config_copy(const vise_train_config *from, size_t n_layers, vise_train_config *out,
                               vise_i_config_lists *lists, vise_error *err) {
  vise_status status;
  const vise_weight_op *op = &from->weight_op;

  VISE_TRY(copy_array(&lists->class_weights, from->class_weights, from->n_class_weights, sizeof(double), err));
  VISE_TRY(copy_array(&lists->layer_clamps, from->layer_clamps, from->n_layer_clamps, sizeof(vise_layer_clamp), err));
  VISE_TRY(
      copy_array(&lists->row_l1_layers, from->row_l1_layers, from->n_row_l1_layers, sizeof(vise_layer_bound), err));
  VISE_TRY(copy_array(&lists->row_l1_sided_layers, from->row_l1_sided_layers, from->n_row_l1_sided_layers,
                      sizeof(vise_layer_bound), err));
  if (op->kind != VISE_WEIGHT_OP_NONE) {
    VISE_TRY(copy_array(&lists->weight_op_layers, op->layers, op->n_layers, sizeof(size_t), err));
    VISE_TRY(copy_array(&lists->weight_op_m, op->frozen_m, n_layers, sizeof(double), err));
  }

  if (from->quantize != NULL) VISE_TRY(vise_i_copy_text(&lists->quantize, from->quantize, err));

  *out = *from;
  out->owned = NULL;
  out->class_weights = lists->class_weights;
  out->layer_clamps = lists->layer_clamps;
  out->row_l1_layers = lists->row_l1_layers;
  out->row_l1_sided_layers = lists->row_l1_sided_layers;
  out->quantize = lists->quantize;
  out->weight_op.layers = lists->weight_op_layers;
  out->weight_op.frozen_m = lists->weight_op_m;

done:
  return status;
}

void vise_i_config_lists_free(vise_i_config_lists *lists) {
  free(lists->class_weights);
  free(lists->layer_clamps);
  free(lists->row_l1_layers);
  free(lists->row_l1_sided_layers);
  free(lists->weight_op_layers);
  free(lists->weight_op_m);
  free(lists->quantize);
  *lists = (vise_i_config_lists){NULL};
}
