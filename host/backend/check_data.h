/* Checks that data fit a net and a loss; for the float32 backends, as cpu64 has its own. */
#ifndef VISE_I_CHECK_DATA_H
#define VISE_I_CHECK_DATA_H

#include "host/backend/backend.h"

/* Targets are class labels. With one output a label is a value, 0 or 1. */
bool vise_i_has_labels(const vise_i_net *net, const vise_i_data *data);

/* Checks shapes of data against the net and, if with_targets, targets against the loss. */
VISE_WARN_UNUSED vise_status vise_i_check_data(const vise_i_step_spec *spec, const vise_i_data *data, bool with_targets,
                                               vise_error *err);

#endif
