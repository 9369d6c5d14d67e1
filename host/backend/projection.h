/* What a step projects on: boxes, and weights whose norm is bounded. */
#ifndef VISE_I_PROJECTION_H
#define VISE_I_PROJECTION_H

#include "host/backend/backend.h"

/* The bounds of a tensor's entries. */
vise_i_box vise_i_tensor_box(const vise_i_step_spec *spec, const vise_i_tensor *tensor, double clamp_factor);

/* How many groups of a tensor have a bounded norm, and the weights in each: its rows, or the whole; no group of a bias
   or without max-norm. */
size_t vise_i_norm_groups(const vise_i_rule *rule, const vise_i_tensor *tensor, size_t *n_each);

/* The debug mode: verifies that mask (NULL: none), box and max-norm hold for all weights [n_params] of the type, f32 or
   f64. VISE_ERR_INTERNAL names the entry that breaks one. NaN passes. */
VISE_WARN_UNUSED vise_status vise_i_verify_projection(const vise_i_step_spec *spec, const vise_array *weights,
                                                      const uint8_t *mask, double clamp_factor, vise_error *err);

#endif
