/* A model as an integer net, as a backend that only runs forward: so it is evaluated and predicts like any other. */
#ifndef VISE_I_INTEGER_PASS_H
#define VISE_I_INTEGER_PASS_H

#include "host/integer/integer.h"
#include "host/train/data_view.h"
#include "vise/evaluate.h"

/* The net that `as` asks for: that of the training if the model was trained with the same `quantize`, else one that is
   rounded now, on ranges of the view's rows. free: ops->destroy. */
VISE_WARN_UNUSED vise_status vise_i_integer_pass_open(const vise_model *model, const char *as, const vise_i_view *view,
                                                      const vise_i_step_spec *spec, vise_i_backend **out,
                                                      vise_error *err);
/* What is known of it, and of the sums so far. */
vise_integer_report vise_i_integer_pass_report(const vise_i_backend *backend);

#endif
