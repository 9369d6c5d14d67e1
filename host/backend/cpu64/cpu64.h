/*
 * The float64 backend: docs/step.md in its plainest executable form, and the oracle for every other backend.
 * Products are those of host/product; everything else is a simple loop next to its formula. There is one thread. Rows
 * are worked on in chunks, so that a batch of any size needs little memory; nothing is allocated after create.
 *
 * One topic a file: gather.c (rows to float64), loss.c, gradient.c (the walk through the layers of host/ops, and the parts of
 * a batch), penalty.c,
 * clip.c, optimizer.c, project.c, rounding.c, step.c (their order, and the non-finite policy), backend.c (memory, state, table).
 */
#ifndef VISE_I_CPU64_H
#define VISE_I_CPU64_H

#include "host/backend/host.h"
#include "host/ops/ref64.h"
#include "host/ranks/sum.h"

/* Label of a row whose targets are values. */
#define VISE_I_NO_LABEL ((size_t)-1)

/* Notation: K outputs, L linear layers, chunk rows at a time. Matrices are in C order. */
typedef struct vise_i_cpu64 {
  vise_i_host host;
  const vise_i_step_spec *spec; /* of host, as are the arrays of state */
  const vise_i_rule *rule;
  const vise_i_net *net;
  double *params;            /* [net->n_values] */
  double *used;              /* the same, or with a quantization the rounded weights: what the layers have */
  double *moment1, *moment2; /* [n_params]; an array that is not kept is NULL */
  uint8_t *mask;             /* [n_params], bytes as in host/rule/rule.h */

  /* scratch */
  size_t chunk;
  double *grad;                           /* [n_params] */
  double *values[VISE_I_MOST_LISTED + 1]; /* inputs of layer i [chunk, n_in]: features, ..., outputs */
  double *levels[VISE_MAX_LAYERS];     /* outputs of the activation after linear layer l, rounded; NULL: they are not */
  int32_t *row;                        /* a row of weights being rounded */
  double *statistics[VISE_MAX_LAYERS]; /* of the batch, after linear layer l [2, n_out]; NULL without batch norm */
  double *delta, *delta_below;         /* dL/d output of the current layer, and of its input [chunk, widest] */
  double *delta_skip;                  /* dL/d output of the block at hand, if it has a residual; or NULL */
  double *targets;                     /* [chunk, K] values, or one-hot */
  size_t *labels;                      /* [chunk] class, or VISE_I_NO_LABEL */
  double *row_weights;                 /* [chunk] */

  /* for batches in parts (host/ranks/parts.h) */
  double *part_grads[VISE_I_MOST_PARTS]; /* [n_params] of this process's parts, but for the first */
  double *part_sums; /* [VISE_I_MOST_PARTS, 2, widest]: what the parts of a batch norm tell each other */
} vise_i_cpu64;

/* Number of outputs K. */
size_t vise_i_cpu64_n_outputs(const vise_i_cpu64 *b);

/* ---- gather.c -------------------------------------------------------------------------------------------------- */

/* Checks the class labels of the batch; *out = the sum over its rows of row weight * class weight (n without either). */
VISE_WARN_UNUSED vise_status vise_i_cpu64_sum_weights(const vise_i_cpu64 *b, const vise_i_batch *batch, double *out,
                                                      vise_error *err);
/* Rows first..first + n of the batch, n <= chunk: features into values[0]; the rest into targets, labels,
   row_weights. */
void vise_i_cpu64_gather_features(vise_i_cpu64 *b, const vise_i_batch *batch, size_t first, size_t n);
void vise_i_cpu64_gather_targets(vise_i_cpu64 *b, const vise_i_batch *batch, size_t first, size_t n);
/* Class weight of a gathered row; 1 without class weights. target is its first target value. */
double vise_i_cpu64_class_weight(const vise_i_cpu64 *b, size_t label, double target);

/* ---- loss.c ---------------------------------------------------------------------------------------------------- */

/* The part of the loss that the n gathered rows with outputs z [n, K] contribute; fills delta = dL/dz [n, K] and adds
   the number of correctly classified rows to *n_correct. */
double vise_i_cpu64_loss(const vise_i_cpu64 *b, const double *z, size_t n, double denominator, double *delta,
                         uint64_t *n_correct);

/* ---- gradient.c ------------------------------------------------------------------------------------------------ */

/* values[0] to the outputs, values[n_listed], for the rows of a pass outside of training. */
void vise_i_cpu64_forward(vise_i_cpu64 *b, const vise_i_op_pass *pass);

/* Where a gradient goes: grad [n_params], and the data loss over the batch (0 if it has a delta). */
typedef struct vise_i_cpu64_result {
  double *grad, *loss;
  uint64_t *n_correct;
} vise_i_cpu64_result;

/* The data loss and its gradient, as in training. Fails before it writes anything, or when other ranks do not answer. */
VISE_WARN_UNUSED vise_status vise_i_cpu64_gradient(vise_i_cpu64 *b, const vise_i_batch *batch,
                                                   const vise_i_cpu64_result *out, vise_error *err);

/* ---- penalty.c ------------------------------------------------------------------------------------------------- */

/* Value of the penalties at the current weights (k1 sum |w| also when L1 is applied by its proximal map). */
double vise_i_cpu64_penalty(const vise_i_cpu64 *b);
/* grad += gradient of the penalties at the current weights; L1's subgradient only if with_l1. */
void vise_i_cpu64_add_penalty_gradient(const vise_i_cpu64 *b, bool with_l1, double *grad);

/* ---- clip.c ---------------------------------------------------------------------------------------------------- */

/* 2-norm without overflow: a = max |v|; 0 if a = 0, else a * sqrt(sum (v/a)^2). NaN if an element is NaN. */
double vise_i_cpu64_norm2(const double *v, size_t n);
/* max |v|; NaN if an element is NaN. */
double vise_i_cpu64_norm_inf(const double *v, size_t n);
/* Clips grad by value; counts per tensor. Does nothing when value clip is off. */
void vise_i_cpu64_clip_value(vise_i_cpu64 *b, double factor);
/* Clips grad by norm; true if something was scaled. Does nothing when norm clip is off. */
bool vise_i_cpu64_clip_norm(vise_i_cpu64 *b, double factor);

/* ---- optimizer.c ----------------------------------------------------------------------------------------------- */

/* Updates moments and weights from grad: direction, cap, decoupled decay, proximal L1. The counters are this step's. */
void vise_i_cpu64_update(vise_i_cpu64 *b, double lr);

/* ---- project.c ------------------------------------------------------------------------------------------------- */

/* Mask on weights and moments; then box, balls of rows and max-norm on the weights. */
void vise_i_cpu64_apply_mask(vise_i_cpu64 *b);
void vise_i_cpu64_project(vise_i_cpu64 *b, const vise_i_hyper *hyper);
/* With a quantization: the rounded weights of the current ones. bounds: these are first cut to what can be reached. */
void vise_i_cpu64_round(vise_i_cpu64 *b, bool bounds);
/* Counts entries at their bounds, per tensor and into stats. */
void vise_i_cpu64_count_bounds(vise_i_cpu64 *b, double clamp_factor, vise_step_stats *stats);
/* ---- step.c ---------------------------------------------------------------------------------------------------- */

/* One step on rows[0..n) of data (docs/step.md, 1 to 13). stats (without step and epoch) is filled when the
   status is VISE_OK or VISE_ERR_NONFINITE. */
VISE_WARN_UNUSED vise_status vise_i_cpu64_step(vise_i_cpu64 *b, const vise_i_batch *batch, const vise_i_hyper *hyper,
                                               vise_step_stats *stats, vise_error *err);

#endif
