#include "host/net/kinds.h"

/* A new kind is a row here, one in VISE_LAYER_KIND_TABLE, and its formulas: docs/adding-a-layer.md. */
static const vise_i_kind kinds[] = {
    [VISE_LAYER_LINEAR] = {"anything", 0, true, 2, {VISE_I_WEIGHT, VISE_I_BIAS}},
    [VISE_LAYER_BATCH_NORM] =
        {"a linear layer", 1, true, 4, {VISE_I_GAIN, VISE_I_SHIFT, VISE_I_RUNNING_MEAN, VISE_I_RUNNING_VARIANCE}},
    [VISE_LAYER_ACTIVATION] = {"a linear layer or batch norm", 2, true, 0, {VISE_I_WEIGHT}},
    [VISE_LAYER_DROPOUT] = {"the inputs, a linear layer, batch norm or an activation", 3, true, 0, {VISE_I_WEIGHT}},
    [VISE_LAYER_RESIDUAL] = {"the other layers of its block", 4, false, 0, {VISE_I_WEIGHT}},
};

_Static_assert(sizeof kinds / sizeof *kinds == vise_layer_kind_count_, "a row for each kind");

const vise_i_kind *vise_i_kind_of(vise_layer_kind kind) {
  return &kinds[kind];
}

const char *vise_i_role_name(vise_i_role role) {
  static const char *const names[] = {
      [VISE_I_WEIGHT] = "weight",
      [VISE_I_BIAS] = "bias",
      [VISE_I_GAIN] = "weight",
      [VISE_I_SHIFT] = "bias",
      [VISE_I_RUNNING_MEAN] = "running_mean",
      [VISE_I_RUNNING_VARIANCE] = "running_var",
  };
  return names[role];
}

bool vise_i_role_is_trained(vise_i_role role) {
  return role != VISE_I_RUNNING_MEAN && role != VISE_I_RUNNING_VARIANCE;
}
