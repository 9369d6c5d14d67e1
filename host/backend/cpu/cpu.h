/*
 * The float32 backend: what its files share. A step is
 *   step.c     the order of all this
 *   gather.c   rows to float, targets, weights of rows
 *   layers.c   products by BLAS, activations and bias gradients in passes of their own over each product
 *   loss.c     data loss and its gradient at the outputs
 *   gradient.c one read-only pass over weights and gradients: penalties, value clip, norms
 *   update.c   one pass that writes: scaling, optimizer, decay, prox, mask, box, counts
 *   project.c  max-norm, projection by itself, counts
 *   team.c     threads, for what is large enough to share: rows of the batch, rows of a product, parts of a tensor
 *   by_rows.c  batches large for their net, of which each thread takes rows through the whole net
 * The inputs of the net are stored row by row, [n, in]; all that follows is stored feature by feature, [width, n]:
 * OpenBLAS is fastest with these orders, biases are constant along a row, and the loss vectorizes over the batch.
 */
#ifndef VISE_I_CPU_H
#define VISE_I_CPU_H

#include "host/backend/backend.h"
#include "host/backend/cpu/team.h"

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

struct vise_i_backend {
  vise_i_step_spec spec;
  const vise_i_net *net;
  vise_i_counters counters;
  vise_tensor_stats tensor_stats[2 * VISE_MAX_LAYERS];
  vise_i_cpu_tensor tensors[2 * VISE_MAX_LAYERS];
  float *params, *grads, *moment1, *moment2; /* [n_params], moments or NULL */
  uint8_t *mask;                             /* [n_params] or NULL */

  vise_i_team *team;             /* NULL: one thread */
  struct vise_i_cpu_part *parts; /* [vise_i_team_size]: what each thread found in its part of a tensor or batch */
  vise_i_backend *views;         /* [vise_i_team_size]: for batches that go by rows, or NULL */

  size_t n_units;
  float *unit_scale;   /* [n_units]: what the norm clip multiplies a unit by */
  double *unit_sum_sq; /* [n_units]: of the gradient entering the norm clip; NaN if that has a NaN */
  float *unit_max;     /* [n_units]: largest magnitude, NaNs ignored */

  size_t chunk;                /* rows worked on at a time; larger batches are summed over chunks */
  float *x;                    /* [chunk, widths[0]] */
  float *act[VISE_MAX_LAYERS]; /* outputs of layer l after its activation, [widths[l + 1], n] */
  float *pre[VISE_MAX_LAYERS]; /* before it, if its derivative needs that (silu, gelu), else NULL */
  float *delta[2];             /* [largest width after the inputs, chunk] */
  float *y;                    /* targets [K, n] */
  int32_t *labels;             /* [n] */
  bool has_labels;             /* the gathered rows have class labels, not values */
  float *row_weight;           /* [n]: row weight, times the class weight except in cross-entropy */
  float *row_tmp[4];           /* [n] scratch of the losses */
  double *row_sum;             /* [n] */
  float *class_weights;        /* [K] or [2], or NULL */
  double class_weight_sum;

  bool is_bound;
  vise_i_data data; /* bound */
  const size_t *order;
  size_t n_order;
  double *scale_shift, *scale_inverse; /* [2 * (widths[0] + K)]: bound data, then the data of single calls */
  float byte_table[2][256];            /* value of each byte under uniform scaling, bound and single */
  float byte_divisor[2];               /* x / divisor gives the table's bits; 0: it does not, use the table */
};

/* Which of the two sets of scaling constants a call uses. */
typedef enum vise_i_cpu_source { VISE_I_CPU_BOUND, VISE_I_CPU_SINGLE } vise_i_cpu_source;

/* ---- gather.c ---- */
/* Prepares the scaling constants for data. */
void vise_i_cpu_prepare_scaling(vise_i_backend *b, const vise_i_data *data, vise_i_cpu_source source);
/* Sum over rows[0..n) (NULL: 0..n-1) of row weight * class weight, which means divide by; checks class labels. */
VISE_WARN_UNUSED vise_status vise_i_cpu_sum_weights(const vise_i_backend *b, const vise_i_data *data,
                                                    const size_t *rows, size_t n, double *out, vise_error *err);
/* Rows rows[0..n) (NULL: first, first + 1, ...), n <= chunk, of the features into b->x. */
void vise_i_cpu_gather_x(vise_i_backend *b, const vise_i_data *data, vise_i_cpu_source source, const size_t *rows,
                         size_t first, size_t n);
/* Their targets into b->y or b->labels, their weights into b->row_weight. */
void vise_i_cpu_gather_y(vise_i_backend *b, const vise_i_data *data, vise_i_cpu_source source, const size_t *rows,
                         size_t first, size_t n);
/* Rows first..first+n of the caller's delta into b->delta[0]. */
void vise_i_cpu_gather_delta(vise_i_backend *b, const vise_array *delta, size_t first, size_t n);

/* ---- layers.c ---- */
/* b->x to b->act, for n rows. */
void vise_i_cpu_forward(vise_i_backend *b, size_t n);
/* From b->delta[0] (at the outputs) to b->grads; add: += instead of =. */
void vise_i_cpu_backward(vise_i_backend *b, size_t n, bool add);

/* ---- activation.c ---- */
/* act = f(z + bias), row by row of [width, n]; z in act, bias NULL: none; pre (may be NULL) receives z + bias. */
void vise_i_cpu_activate(vise_activation kind, float *act, float *pre, const float *bias, size_t width, size_t n);
/* delta *= f'(z) and bias_grad = (add: +=) its row sums (NULL: not wanted). */
void vise_i_cpu_activate_backward(vise_activation kind, float *delta, const float *act, const float *pre,
                                  float *bias_grad, bool add, size_t width, size_t n);
/* ---- loss.c ---- */
/* From outputs and targets of n rows: b->delta[0], and the part that these rows have in the loss, where weight_sum is
   the sum of row weights over all rows. */
void vise_i_cpu_loss(vise_i_backend *b, size_t n, double weight_sum, double *loss, uint64_t *n_correct);

/* ---- reduce.c ---- */
/* Sums over one unit of a tensor. */
typedef struct vise_i_cpu_sums {
  double sum_sq;      /* of the gradient after the value clip */
  float max_abs;      /* of the same, NaNs ignored */
  uint64_t n_clipped; /* by value */
  bool nonfinite;     /* some entry of the gradient with penalties, before the clip */
  double w_sum_sq, w_sum_abs;
} vise_i_cpu_sums;

/* How the gradient is shaped before its norm is taken. */
typedef struct vise_i_cpu_shaping {
  float c2, c1;      /* penalty gradient */
  float lo, hi;      /* value clip; infinite: none */
  bool penalty_last; /* clip_scope data: the penalty is added after the clips */
} vise_i_cpu_shaping;

/* The shaping of a tensor in this step (gradient.c); its penalty must be set. */
vise_i_cpu_shaping vise_i_cpu_shaping_of(const vise_i_backend *b, const vise_i_cpu_tensor *t,
                                         const vise_i_hyper *hyper);
/* Adds to *sums. penalized: shaping has a penalty and its sums are wanted; l1: of absolute values too; value_clip: the
   bounds of shaping are finite. What is false may be left out, for speed. */
void vise_i_cpu_sum_unit(const float *g, const float *w, size_t n, const vise_i_cpu_shaping *shaping, bool penalized,
                         bool l1, bool value_clip, bool want_max, vise_i_cpu_sums *sums);
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

/* Work that is worth a second thread: sharing it costs about a microsecond. */
enum { VISE_I_CPU_SHARE_PRODUCT = 400000 /* multiply-adds */, VISE_I_CPU_SHARE_ELEMENTS = 16384 };

/* The team if the work is worth it, else NULL. */
static inline vise_i_team *vise_i_cpu_team_for(const vise_i_backend *b, size_t work, size_t least) {
  return work >= least ? b->team : NULL;
}

/* ---- gradient.c ---- */
/* Penalty gradient coefficients of each tensor for the current weights; l1: with the subgradient of L1. */
void vise_i_cpu_set_penalty(vise_i_backend *b, bool l1);
/* Value of the penalties. */
double vise_i_cpu_penalty(const vise_i_backend *b);
/* out += their gradient, from c2 and c1. */
void vise_i_cpu_add_penalty(const vise_i_backend *b, double *out);
/* docs/step.md, 3 to 6, reading only: fills penalty, norms, counts and bad_tensor in stats, and unit_scale.
   False when the gradient or its norm is not finite. */
bool vise_i_cpu_reduce_gradient(vise_i_backend *b, const vise_i_hyper *hyper, vise_step_stats *stats);

/* ---- update.c ---- */
/* docs/step.md, 8 to 12, with the counters of this step; at-bound counts go to b->tensor_stats. The box must be set. */
void vise_i_cpu_update(vise_i_backend *b, const vise_i_hyper *hyper);

/* ---- project.c ---- */
/* Sets the tensors' bounds for this step. */
void vise_i_cpu_set_box(vise_i_backend *b, const vise_i_hyper *hyper);
/* Applies mask (weights and moments), box and max-norm. */
void vise_i_cpu_project(vise_i_backend *b);
/* Rescales what exceeds the max-norm. */
void vise_i_cpu_max_norm(vise_i_backend *b);
/* Counts entries at their bounds into b->tensor_stats, and those counts into stats. */
void vise_i_cpu_count_bounds(vise_i_backend *b);
void vise_i_cpu_sum_bounds(const vise_i_backend *b, vise_step_stats *stats);

/* ---- backend.c ---- */
/* Scratch for b->chunk rows; free it also after a failure. */
VISE_WARN_UNUSED vise_status vise_i_cpu_alloc_rows(vise_i_backend *b, vise_error *err);
void vise_i_cpu_free_rows(vise_i_backend *b);

/* ---- step.c ---- */
/* Rows first..end of a batch of n rows: rows[first..end), or first, first + 1, ... where rows is NULL. */
typedef struct vise_i_cpu_batch {
  const vise_i_data *data;
  vise_i_cpu_source source;
  const size_t *rows;
  size_t n, first, end;
  const vise_array *delta; /* of the external loss, or NULL */
  double weight_sum;       /* of the whole batch */
} vise_i_cpu_batch;

/* Adds to *loss and *n_correct; b->grads receives the gradient of these rows' part of the loss. */
void vise_i_cpu_gradient_of_rows(vise_i_backend *b, const vise_i_cpu_batch *batch, double *loss, uint64_t *n_correct);
/* Data loss over rows[0..n) (NULL: 0..n-1) as one batch, and its gradient into b->grads. delta is NULL or the caller's
   [n, K] (*loss is then 0). */
VISE_WARN_UNUSED vise_status vise_i_cpu_gradient(vise_i_backend *b, const vise_i_data *data, vise_i_cpu_source source,
                                                 const size_t *rows, size_t n, const vise_array *delta, double *loss,
                                                 uint64_t *n_correct, vise_error *err);
/* One step; stats is filled when the status is VISE_OK or VISE_ERR_NONFINITE. */
VISE_WARN_UNUSED vise_status vise_i_cpu_step(vise_i_backend *b, const vise_i_data *data, vise_i_cpu_source source,
                                             const size_t *rows, size_t n, const vise_array *delta,
                                             double external_loss, const vise_i_hyper *hyper, vise_step_stats *stats,
                                             vise_error *err);

/* ---- by_rows.c ---- */
/* Makes the views if batches may go by rows; called when the rest of b is complete. */
VISE_WARN_UNUSED vise_status vise_i_cpu_views_create(vise_i_backend *b, vise_error *err);
void vise_i_cpu_views_destroy(vise_i_backend *b);
bool vise_i_cpu_goes_by_rows(const vise_i_backend *b, size_t n);
/* As vise_i_cpu_gradient_of_rows, for all rows of the batch. */
void vise_i_cpu_gradient_by_rows(vise_i_backend *b, const vise_i_cpu_batch *batch, double *loss, uint64_t *n_correct);

#endif
