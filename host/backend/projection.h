/* What a step projects on: boxes, rows whose magnitudes have a bounded sum, and weights whose norm is bounded. */
#ifndef VISE_I_PROJECTION_H
#define VISE_I_PROJECTION_H

#include "host/backend/backend.h"

/* The bounds of a tensor's entries. */
vise_i_box vise_i_tensor_box(const vise_i_step_spec *spec, const vise_i_tensor *tensor, double clamp_factor);

/* How many groups of a tensor have a bounded norm, and the weights in each: its rows, or the whole; no group of a bias
   or without max-norm. */
size_t vise_i_norm_groups(const vise_i_rule *rule, const vise_i_tensor *tensor, size_t *n_each);

/* What bounds the rows of a tensor; nothing those of biases. */
vise_i_row_ball vise_i_tensor_ball(const vise_i_step_spec *spec, const vise_i_tensor *tensor);
bool vise_i_bounds_rows(const vise_i_step_spec *spec);

/* How many rows of a tensor are at the bound of their sums, and how many have one. */
uint64_t vise_i_rows_at_bound(const vise_i_step_spec *spec, const vise_i_tensor *tensor, const vise_array *weights,
                              double factor, uint64_t *n_bounded);

/* How many norms of a tensor are at the bound of max-norm, and how many it bounds. */
uint64_t vise_i_norms_at_bound(const vise_i_rule *rule, const vise_i_tensor *tensor, const vise_array *weights,
                               uint64_t *n_bounded);

/* In float64: projects a row onto the L1 ball of the radius, by its magnitudes on a side. A row that is not finite stays. */
void vise_i_bound_row(double *w, size_t n, vise_i_side side, double radius);
/* The same of all rows of a tensor, w. */
void vise_i_bound_rows(const vise_i_row_ball *ball, double factor, const vise_i_tensor *tensor, double *w);

/* The debug mode: verifies that mask with its signs (NULL: none), box, row sums and max-norm hold for all weights [n_params] of the type,
   f32 or f64. VISE_ERR_INTERNAL names the entry that breaks one. NaN passes. */
VISE_WARN_UNUSED vise_status vise_i_verify_projection(const vise_i_step_spec *spec, const vise_array *weights,
                                                      const uint8_t *mask, const vise_i_hyper *hyper, vise_error *err);

/* verify_rounding.c: the same of what is rounded for an integer net, in these scales: all rounded weights [n_params], f32 or
   f64, are whole multiples of their scales, and no part of a row's sum leaves its accumulator. Nothing without a
   quantization. NaN passes. */
VISE_WARN_UNUSED vise_status vise_i_verify_rounding(const vise_i_step_spec *spec, const float *scales,
                                                    const vise_array *rounded, vise_error *err);

#endif
