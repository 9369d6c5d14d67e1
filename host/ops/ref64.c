#include "host/ops/ref64.h"

const vise_i_ref64_kind *vise_i_ref64_kind_of(vise_layer_kind kind) {
  static const vise_i_ref64_kind *const kinds[] = {
      [VISE_LAYER_LINEAR] = &vise_i_ref64_linear,         [VISE_LAYER_BATCH_NORM] = &vise_i_ref64_batch_norm,
      [VISE_LAYER_ACTIVATION] = &vise_i_ref64_activation, [VISE_LAYER_DROPOUT] = &vise_i_ref64_dropout,
      [VISE_LAYER_RESIDUAL] = &vise_i_ref64_residual,
  };
  _Static_assert(sizeof kinds / sizeof *kinds == vise_layer_kind_count_, "a row for each kind");
  return kinds[kind];
}
