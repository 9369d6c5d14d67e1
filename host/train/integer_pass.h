/* A model as an integer net, as a backend that only runs forward: so it is evaluated and predicts like any other. */
#ifndef VISE_I_INTEGER_PASS_H
#define VISE_I_INTEGER_PASS_H

#include "host/integer/integer.h"
#include "host/train/data_view.h"
#include "vise/evaluate.h"

/* The rows at hand, and those that ranges of values are taken from; NULL: they are those at hand. */
typedef struct vise_i_integer_rows {
  const vise_i_view *all, *ranges;
} vise_i_integer_rows;

/* The net that `as` asks for: that of the training if the model was trained with the same `quantize`, which needs no ranges,
   else one that is rounded now. free: ops->destroy. */
VISE_WARN_UNUSED vise_status vise_i_integer_pass_open(const vise_model *model, const char *as,
                                                      const vise_i_integer_rows *rows, const vise_i_step_spec *spec,
                                                      vise_i_backend **out, vise_error *err);
/* What is known of it, and of the sums so far. */
vise_integer_report vise_i_integer_pass_report(const vise_i_backend *backend);

#endif
