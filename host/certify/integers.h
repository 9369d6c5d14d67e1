/* The net in integers of a model, for a certificate and for an export. */
#ifndef VISE_I_INTEGERS_H
#define VISE_I_INTEGERS_H

#include "host/certify/inputs.h"
#include "host/integer/integer.h"
#include "vise/dataset.h"

/* A format as `as` has it, NULL for the one that the model was trained for; and for any other, rows from which the ranges of
   values are taken, as vise_predict takes them. */
typedef struct vise_i_integers_wanted {
  const vise_i_inputs *inputs;
  const char *format;
  const vise_dataset *data;
} vise_i_integers_wanted;

/* *is_trained: the model was trained for this net, and is it as it stands. The net reads what the model's net reads before its
   scaling. Errors: those of host/integer/integer.h, and VISE_ERR_USAGE, VISE_ERR_SHAPE for what is missing. */
VISE_WARN_UNUSED vise_status vise_i_integers_of(const vise_model *model, const vise_i_integers_wanted *wanted,
                                                vise_i_integer_net **out, bool *is_trained, vise_error *err);

#endif
