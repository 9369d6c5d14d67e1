/*
 * The float32 backend: what its files share. A step is
 *   step.c     the order of all this
 *   gather.c   rows to float, targets, weights of rows
 *   layers.c   products by BLAS, threads by layer
 *   block.c    what follows each product, in passes of their own over it: biases and activations (activation.c), and
 *              batch norm, dropout and residuals by the formulas of host/ops
 *   loss.c     data loss and its gradient at the outputs
 *   gradient.c one read-only pass over weights and gradients: penalties, value clip, norms
 *   update.c   one pass that writes: scaling, optimizer, decay, prox, mask, box, counts
 *   project.c  max-norm, projection by itself, counts
 *   team.c     threads, for what is large enough to share: rows of the batch, rows of a product, parts of a tensor
 *   rows.c     some rows of a batch at a time: their scratch and their gradient
 *   by_rows.c  batches large for their net, of which each thread takes rows through the whole net
 * The inputs of the net are stored row by row, [n, in]; all that follows is stored feature by feature, [width, n]:
 * OpenBLAS is fastest with these orders, biases are constant along a row, and the loss vectorizes over the batch.
 */
#ifndef VISE_I_CPU_H
#define VISE_I_CPU_H

#include "host/backend/cpu/team.h"
#include "host/backend/host.h"
#include "host/ops/cpu.h"

/* One tensor: its arrays (parts of the flat ones) and its part of the current step. */
typedef struct vise_i_cpu_tensor {
  const vise_i_tensor *shape;
  size_t n;               /* elements */
  size_t n_units;         /* parts with a norm of their own: rows under unit-wise clipping, else 1 */
  size_t first_unit;      /* into unit_scale */
  float *w, *g, *m1, *m2; /* m1, m2: NULL where the optimizer keeps none */
  const uint8_t *mask;    /* NULL: none */
  vise_i_strengths k;     /* penalties of this tensor */
  bool boxed;             /* in this step: a bound is finite */
  /* of the current step */
  float c2, c1; /* penalty gradient: c2*w + c1*sign(w) */
  float lo, hi; /* box; infinite where open */
} vise_i_cpu_tensor;

/* What a block has that is more than a linear layer and an activation; NULL: it is not there. */
typedef struct vise_i_cpu_more {
  float *out;         /* its outputs [width, n], where dropout or a residual make others than its activation */
  float *factors;     /* what dropout multiplies values by [width, n] */
  float *x;           /* batch norm: normalized values [width, n] */
  double *statistics; /* of batch norm: means, then variances [2, width] */
} vise_i_cpu_more;

typedef struct vise_i_cpu vise_i_cpu;
struct vise_i_cpu {
  vise_i_host host;
  const vise_i_step_spec *spec; /* of host, as are the arrays of state */
  const vise_i_rule *rule;
  const vise_i_net *net;
  float *params;            /* [n_values] */
  float *moment1, *moment2; /* [n_params]; an array that is not kept is NULL */
  uint8_t *mask;            /* [n_params] */
  float *grads;             /* [n_params] */
  vise_i_cpu_tensor tensors[VISE_I_MOST_TENSORS];

  vise_i_team *team;             /* NULL: one thread */
  struct vise_i_cpu_part *parts; /* [vise_i_team_size]: what each thread found in its part of a tensor or batch */
  vise_i_cpu *views;             /* [vise_i_team_size]: for batches that go by rows, or NULL */

  size_t n_units;
  double *unit_scale;  /* [n_units]: what the gradient of a unit is multiplied by */
  double *unit_sum_sq; /* [n_units]: of the gradient entering the norm clip; NaN if that has a NaN */
  float *unit_max;     /* [n_units]: largest magnitude, NaNs ignored */

  size_t chunk;                /* rows worked on at a time; larger batches are summed over chunks */
  float *x;                    /* [chunk, widths[0]] */
  float *act[VISE_MAX_LAYERS]; /* outputs of layer l after its activation, [widths[l + 1], n] */
  float *pre[VISE_MAX_LAYERS]; /* before it, if its derivative needs that (silu, gelu), else NULL */
  vise_i_cpu_more more[VISE_MAX_LAYERS];
  vise_i_op_pass pass;  /* that forward was last given */
  float *delta[2];      /* [largest width after the inputs, chunk] */
  float *y;             /* targets [K, n] */
  int32_t *labels;      /* [n] */
  bool has_labels;      /* the gathered rows have class labels, not values */
  float *row_weight;    /* [n]: row weight, times the class weight except in cross-entropy */
  float *row_tmp[4];    /* [n] scratch of the losses */
  double *row_sum;      /* [n] */
  float *class_weights; /* [K] or [2], or NULL */
  double class_weight_sum;

  double *scale_shift, *scale_inverse; /* [2 * (widths[0] + K)]: bound data, then the data of single calls */
  float byte_table[2][256];            /* value of each byte under uniform scaling, bound and single */
  float byte_divisor[2];               /* x / divisor gives the table's bits; 0: it does not, use the table */
};

/* Which of the two sets of scaling constants a call uses. */
typedef enum vise_i_cpu_source { VISE_I_CPU_BOUND, VISE_I_CPU_SINGLE } vise_i_cpu_source;

/* ---- gather.c ---- */
/* Prepares the scaling constants for data. */
void vise_i_cpu_prepare_scaling(vise_i_cpu *b, const vise_i_data *data, vise_i_cpu_source source);
/* Sum over the batch of row weight * class weight, which means divide by; checks class labels. */
VISE_WARN_UNUSED vise_status vise_i_cpu_sum_weights(const vise_i_cpu *b, const vise_i_batch *batch, double *out,
                                                    vise_error *err);

/* A thread's rows of a batch, first..end. */
typedef struct vise_i_cpu_rows {
  const vise_i_batch *batch;
  vise_i_cpu_source source;
  double weight_sum; /* of the whole batch */
  size_t first, end;
} vise_i_cpu_rows;

/* Rows first..first + n of the batch, n <= chunk: their features into b->x; their targets into b->y or b->labels, their
   weights into b->row_weight; their part of the caller's delta into b->delta[0]. */
void vise_i_cpu_gather_x(vise_i_cpu *b, const vise_i_cpu_rows *rows, size_t first, size_t n);
void vise_i_cpu_gather_y(vise_i_cpu *b, const vise_i_cpu_rows *rows, size_t first, size_t n);
void vise_i_cpu_gather_delta(vise_i_cpu *b, const vise_array *delta, size_t first, size_t n);

/* ---- layers.c ---- */
/* b->x, which input dropout changes, to b->act, for the rows of the pass. */
void vise_i_cpu_forward(vise_i_cpu *b, const vise_i_op_pass *pass);
/* From b->delta[0] (at the outputs) to b->grads, for the pass of the last forward; add: += instead of =, which batch
   norm does not do: a batch is one pass there. */
void vise_i_cpu_backward(vise_i_cpu *b, bool add);

/* ---- block.c ---- */
/* Units [first, end) of a layer. */
typedef struct vise_i_cpu_units {
  size_t layer, first, end;
} vise_i_cpu_units;

/* What layer l reads: for the first the inputs [n, in], for the others values [in, n]. */
const float *vise_i_cpu_inputs_of(const vise_i_cpu *b, size_t l);
/* From products in b->act to the outputs of the block. */
void vise_i_cpu_block_forward(vise_i_cpu *b, const vise_i_cpu_units *units);
/* Whether a gradient passes by block l, to its inputs. */
bool vise_i_cpu_passes_by(const vise_i_cpu *b, size_t l);
/* delta [width of the layer, n]: from the outputs of the block to the products, and the gradients of what is trained in
   between. What passes by the block is copied into next [width, n]. */
void vise_i_cpu_block_backward(vise_i_cpu *b, const vise_i_cpu_units *units, float *delta, float *next, bool add);
/* Input dropout, on rows [first, end) of the pass. */
void vise_i_cpu_drop_inputs(vise_i_cpu *b, size_t first, size_t end);
/* Moves the running statistics, after an applied step. */
void vise_i_cpu_track(vise_i_cpu *b);

/* ---- activation.c ---- */
/* Outputs of a layer, [width, n]. */
typedef struct vise_i_cpu_outputs {
  float *act; /* z, then a = f(z) */
  float *pre; /* z + bias, where the derivative needs it; else NULL */
  size_t width, n;
} vise_i_cpu_outputs;

/* act = f(act + bias), row by row; bias NULL: none. */
void vise_i_cpu_activate(vise_activation kind, const vise_i_cpu_outputs *outputs, const float *bias);
/* delta *= f'(z) and bias_grad = (add: +=) its row sums (NULL: not wanted). */
void vise_i_cpu_activate_backward(vise_activation kind, const vise_i_cpu_outputs *outputs, float *delta,
                                  float *bias_grad, bool add);

/* ---- loss.c ---- */
/* From outputs and targets of n rows: b->delta[0], and the part that these rows have in the loss, where weight_sum is
   the sum of row weights over all rows. */
void vise_i_cpu_loss(vise_i_cpu *b, size_t n, double weight_sum, double *loss, uint64_t *n_correct);

/* ---- reduce.c ---- */
/* Sums over one unit of a tensor. */
typedef struct vise_i_cpu_sums {
  double sum_sq;      /* of the gradient after the value clip */
  float max_abs;      /* of the same, NaNs ignored */
  uint64_t n_clipped; /* by value */
  bool nonfinite;     /* some entry of the gradient with penalties, before the clip */
  double w_sum_sq, w_sum_abs;
} vise_i_cpu_sums;

/* How the gradient is shaped before its norm is taken. What is not needed may be left out, for speed. */
typedef struct vise_i_cpu_shaping {
  float c2, c1;      /* penalty gradient */
  float lo, hi;      /* value clip; infinite: none */
  bool penalty_last; /* clip_scope data: the penalty is added after the clips */
  bool penalized;    /* there is a penalty, and its sums are wanted */
  bool l1;           /* of absolute values too */
  bool clips;        /* the bounds are finite */
  bool wants_max;
} vise_i_cpu_shaping;

/* The shaping of a tensor in this step (gradient.c); its penalty must be set. */
vise_i_cpu_shaping vise_i_cpu_shaping_of(const vise_i_cpu *b, const vise_i_cpu_tensor *t, const vise_i_hyper *hyper);
/* Adds to *sums. */
void vise_i_cpu_sum_unit(const float *g, const float *w, size_t n, const vise_i_cpu_shaping *shaping,
                         vise_i_cpu_sums *sums);
/* to[i] += from[i]. */
void vise_i_cpu_add(float *to, const float *from, size_t n);
/* Sum of squares, exact products summed in float64. */
double vise_i_cpu_sum_squares(const float *w, size_t n);

/* What a thread found in its part of a tensor or batch, on cache lines of its own. */
typedef struct vise_i_cpu_part {
  vise_i_cpu_sums sums;
  uint64_t n_at_lo, n_at_hi;
  double loss;
  uint64_t n_correct;
  char spare[128 - sizeof(vise_i_cpu_sums) - 4 * sizeof(uint64_t)];
} vise_i_cpu_part;
_Static_assert(sizeof(vise_i_cpu_part) == 128, "two cache lines, without padding of its own");

/* Work that is worth a second thread: sharing it costs about a microsecond. */
enum { VISE_I_CPU_SHARE_PRODUCT = 400000 /* multiply-adds */, VISE_I_CPU_SHARE_ELEMENTS = 16384 };

/* The team if the work is worth it, else NULL. */
static inline vise_i_team *vise_i_cpu_team_for(const vise_i_cpu *b, size_t work, size_t least) {
  return work >= least ? b->team : NULL;
}

/* ---- gradient.c ---- */
/* Penalty gradient coefficients of each tensor for the current weights; l1: with the subgradient of L1. */
void vise_i_cpu_set_penalty(vise_i_cpu *b, bool l1);
/* Value of the penalties. */
double vise_i_cpu_penalty(const vise_i_cpu *b);
/* out += their gradient, from c2 and c1. */
void vise_i_cpu_add_penalty(const vise_i_cpu *b, double *out);
/* docs/step.md, 3 to 6, reading only: fills penalty, norms, counts and bad_tensor in stats, and unit_scale.
   False when the gradient or its norm is not finite. */
bool vise_i_cpu_reduce_gradient(vise_i_cpu *b, const vise_i_hyper *hyper, vise_step_stats *stats);

/* ---- update.c ---- */
/* docs/step.md, 8 to 12, with the counters of this step; at-bound counts go to b->host.base.tensor_stats. The box must be set. */
void vise_i_cpu_update(vise_i_cpu *b, const vise_i_hyper *hyper);

/* ---- project.c ---- */
/* Sets the tensors' bounds for this step. */
void vise_i_cpu_set_box(vise_i_cpu *b, const vise_i_hyper *hyper);
/* Applies mask (weights and moments), box and max-norm. */
void vise_i_cpu_project(vise_i_cpu *b);
/* Rescales what exceeds the max-norm. */
void vise_i_cpu_max_norm(vise_i_cpu *b);
/* Counts entries at their bounds into b->host.base.tensor_stats, and those counts into stats. */
void vise_i_cpu_count_bounds(vise_i_cpu *b);
void vise_i_cpu_sum_bounds(const vise_i_cpu *b, vise_step_stats *stats);

/* ---- rows.c ---- */
/* The widest layer but the inputs. */
size_t vise_i_cpu_widest_output(const vise_i_net *net);
/* Scratch for b->chunk rows; free it also after a failure. */
VISE_WARN_UNUSED vise_status vise_i_cpu_alloc_rows(vise_i_cpu *b, vise_error *err);
void vise_i_cpu_free_rows(vise_i_cpu *b);
/* Adds to *loss and *n_correct; b->grads receives the gradient of these rows' part of the loss. */
void vise_i_cpu_gradient_of_rows(vise_i_cpu *b, const vise_i_cpu_rows *rows, double *loss, uint64_t *n_correct);

/* ---- step.c ---- */
/* Data loss over the batch (0 if it has a delta), and its gradient into b->grads. */
VISE_WARN_UNUSED vise_status vise_i_cpu_gradient(vise_i_cpu *b, const vise_i_batch *batch, double *loss,
                                                 uint64_t *n_correct, vise_error *err);
/* One step; stats is filled when the status is VISE_OK or VISE_ERR_NONFINITE. */
VISE_WARN_UNUSED vise_status vise_i_cpu_step(vise_i_cpu *b, const vise_i_batch *batch, const vise_i_hyper *hyper,
                                             vise_step_stats *stats, vise_error *err);

/* ---- by_rows.c ---- */
/* Makes the views if batches may go by rows; called when the rest of b is complete. */
VISE_WARN_UNUSED vise_status vise_i_cpu_views_create(vise_i_cpu *b, vise_error *err);
void vise_i_cpu_views_destroy(vise_i_cpu *b);
bool vise_i_cpu_goes_by_rows(const vise_i_cpu *b, size_t n);
/* As vise_i_cpu_gradient_of_rows, where these are all rows of the batch. */
void vise_i_cpu_gradient_by_rows(vise_i_cpu *b, const vise_i_cpu_rows *rows, double *loss, uint64_t *n_correct);

#endif
