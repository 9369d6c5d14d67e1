/*
 * The float32 backend: what its files share. A step is
 *   step.c     the order of all this
 *   gather.c   rows to float, targets, weights of rows
 *   layers.c   products (host/product), which the threads share by units
 *   first_layer.c   those of the first layer, whose weights are stored in panels
 *   sparse.c   the same for inputs of which most are zero
 *   block.c    what follows each product, in passes of their own over it: biases and activations (activation.c), and
 *              batch norm, dropout and residuals by the formulas of host/ops
 *   loss.c     data loss and its gradient at the outputs
 *   gradient.c one read-only pass over weights and gradients: penalties, value clip, norms; its sums are in reduce.c
 *   update.c   one pass that writes: scaling, optimizer, decay, prox, mask, box, counts
 *   row_l1.c, max_norm.c   rows onto L1 balls, and within a norm
 *   project.c  the order of these, projection by itself, counts
 *   rounding.c the weights of an integer net
 *   team.c     threads (crew.h, parking.c, threads.c); all go through a whole step together and wait for each other where
 *              they need what others made
 *   rows.c     some rows of a batch at a time: their scratch and their gradient
 *   ahead.c    the rows that come next are asked for meanwhile
 *   by_rows.c  batches cut into parts by rows: those large for their net, of which each thread takes parts through the whole
 *              net, and those that ranks share
 *   parts.c    which parts these are
 *   by_layers.c  the same where batch norm needs all parts at every layer
 * The inputs of the net are stored row by row, [n, in]; all that follows is stored feature by feature, [width, n]:
 * products are fastest with the batch in the lanes of a vector, biases are constant along a row, and the loss vectorizes
 * over the batch.
 *
 * The bits of a step do not depend on the number of threads: each element of a product is one chain (host/product), a
 * sum over a tensor is one over leaves of fixed size, and rows are cut into parts by shape alone (by_rows.c).
 */
#ifndef VISE_I_CPU_H
#define VISE_I_CPU_H

#include "host/backend/cpu/crew.h"
#include "host/backend/host.h"
#include "host/base/loops.h"
#include "host/ops/cpu.h"
#include "host/product/product.h"
#include "host/ranks/sum.h"

/* One tensor: its arrays (parts of the flat ones) and its part of the current step. */
typedef struct vise_i_cpu_tensor {
  const vise_i_tensor *shape;
  size_t n;               /* elements */
  size_t n_units;         /* parts with a norm of their own: rows under unit-wise clipping, else 1 */
  size_t first_unit;      /* into unit_scale */
  size_t first_sum;       /* into sums */
  float *w, *g, *m1, *m2; /* m1, m2: NULL where the optimizer keeps none */
  const float *used;      /* what the layers have: w, or with a quantization the rounded weights */
  const uint8_t *mask;    /* NULL: none */
  vise_i_strengths k;     /* penalties of this tensor */
  bool boxed;             /* in this step: a bound is finite */
  /* of the current step */
  float c2, c1;  /* penalty gradient: c2*w + c1*sign(w) */
  float lo, hi;  /* box; infinite where open */
  double radius; /* of the rows' balls */
  /* of all steps */
  bool sided;
  float *last_thresholds; /* [rows], then of negative sides: where the next search begins; NULL: rows have no bound */
} vise_i_cpu_tensor;

/* What a block has that is more than a linear layer and an activation; NULL: it is not there. */
typedef struct vise_i_cpu_more {
  float *out;     /* its outputs [width, n], where rounding, dropout or a residual make others than its activation */
  float *factors; /* what dropout multiplies values by [width, n] */
  float *x;       /* batch norm: normalized values [width, n] */
  double *statistics; /* of batch norm: means, then variances [2, width] */
  double *sums;       /* of its gradient: see vise_i_cpu_normalize_backward; NULL but in part_views */
} vise_i_cpu_more;

typedef struct vise_i_cpu vise_i_cpu;
typedef struct vise_i_cpu_sums vise_i_cpu_sums;
typedef struct vise_i_cpu_lists vise_i_cpu_lists;
typedef struct vise_i_cpu_ahead vise_i_cpu_ahead;
typedef struct vise_i_cpu_rounded vise_i_cpu_rounded;
typedef struct vise_i_cpu_part_views vise_i_cpu_part_views;
struct vise_i_cpu {
  vise_i_host host;
  const vise_i_step_spec *spec; /* of host, as are the arrays of state */
  const vise_i_rule *rule;
  const vise_i_net *net;
  float *params;               /* [n_values] */
  float *moment1, *moment2;    /* [n_params]; an array that is not kept is NULL */
  uint8_t *mask;               /* [n_params] */
  vise_i_cpu_rounded *rounded; /* [vise_i_team_size]: a thread's room for rounding; NULL: there is no quantization */
  bool bounds_rows;            /* some have a last_thresholds */
  float *thresholds;           /* of all tensors */
  float *verified;             /* [n_values]: for the debug mode, NULL without it */
  uint8_t *verified_mask;      /* [n_params] */
  float *grads;                /* [n_params] */
  vise_i_cpu_tensor tensors[VISE_I_MOST_TENSORS];

  vise_i_team *team;               /* NULL: one thread */
  struct vise_i_cpu_bounds *found; /* [vise_i_team_size]: what each thread counted */

  /* For batches that are cut into parts (by_rows.c); NULL: none are. */
  float **part_grads;                /* [VISE_I_MOST_PARTS]: of this process's parts; the first one's is grads */
  vise_i_cpu *views;                 /* [vise_i_team_size] */
  vise_i_cpu_part_views *part_views; /* in the place of views, with batch norm */
  vise_i_addends addends;            /* of the batch at hand */
  vise_status exchanged;             /* whether the ranks have told each other what the step needs */
  vise_error exchange_error;

  size_t n_units;
  double *unit_scale;    /* [n_units]: what the gradient of a unit is multiplied by */
  double *unit_sum_sq;   /* [n_units]: of the gradient entering the norm clip; NaN if that has a NaN */
  float *unit_max;       /* [n_units]: largest magnitude, NaNs ignored */
  vise_i_cpu_sums *sums; /* of the units of each tensor, or of the leaves of one that is one unit */

  bool has_panels;   /* first_layer.c: state and gradient have the first weights in panels */
  float *first_rows; /* [chunk * widths[1]]: outputs of the first product, then the gradient there, row by row */

  size_t chunk;                /* rows worked on at a time; larger batches are summed over chunks */
  float *x;                    /* [chunk, widths[0]] */
  float *act[VISE_MAX_LAYERS]; /* outputs of layer l after its activation, [widths[l + 1], n] */
  float *pre[VISE_MAX_LAYERS]; /* before it, if its derivative needs that (silu, gelu), else NULL */
  vise_i_cpu_more more[VISE_MAX_LAYERS];
  vise_i_op_pass pass;  /* the rows worked on */
  bool pass_is_listed;  /* and their features are in lists, not in x */
  bool has_statistics;  /* of batch norms, which those of the other parts have gone into */
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
  bool is_sparse[2];                   /* rows of these data are listed (sparse.c) */
  vise_i_cpu_lists *lists;             /* [vise_i_team_size], or NULL: not needed yet */
  vise_i_cpu_ahead *ahead;             /* [vise_i_team_size] */
  bool first_is_finite;                /* all weights of the first layer */
  float byte_divisor[2];               /* x / divisor gives the table's bits; 0: it does not, use the table */
};

/* Which of the two sets of scaling constants a call uses. */
typedef enum vise_i_cpu_source { VISE_I_CPU_BOUND, VISE_I_CPU_SINGLE } vise_i_cpu_source;

/* ---- gather.c ---- */
/* Prepares the scaling constants for data. */
void vise_i_cpu_prepare_scaling(vise_i_cpu *b, const vise_i_data *data, vise_i_cpu_source source);
/* A row of data whose features lie together, to float. */
void vise_i_cpu_convert_row(const vise_i_cpu *b, const vise_i_data *data, vise_i_cpu_source source, size_t row,
                            float *out);
/* Asks for a row that is needed soon after row `at` of the batch: their order is random, so hardware cannot guess it. */
void vise_i_cpu_prefetch_row(const vise_i_batch *batch, size_t at);
/* What each byte becomes, if the features are bytes, scaled alike, and 0 stays 0; else there is no table. */
vise_i_byte_values vise_i_cpu_byte_values(const vise_i_cpu *b, const vise_i_data *data, vise_i_cpu_source source);
/* Sum over the batch of row weight * class weight, which means divide by; checks class labels. */
VISE_WARN_UNUSED vise_status vise_i_cpu_sum_weights(const vise_i_cpu *b, const vise_i_batch *batch, double *out,
                                                    vise_error *err);

/* A thread's rows of a batch, first..end. */
typedef struct vise_i_cpu_rows {
  const vise_i_batch *batch;
  vise_i_cpu_source source;
  double weight_sum; /* of the whole batch */
  size_t first, end;
  size_t next; /* the first row that the thread reads after these; it may be one of the next batch */
} vise_i_cpu_rows;

/* Which of n rows a thread gathers; drops: and drops inputs of. */
void vise_i_cpu_slice_rows(const vise_i_cpu *b, const vise_i_crew *crew, size_t n, bool drops, size_t *first,
                           size_t *end);

/* Rows first + [r, end) of the batch: their features into rows [r, end) of b->x. */
void vise_i_cpu_gather_x(vise_i_cpu *b, const vise_i_cpu_rows *rows, size_t first, size_t r, size_t end);
/* Rows first..first + n of the batch, n <= chunk: their targets into b->y or b->labels, their weights into
   b->row_weight; their part of the caller's delta into b->delta[0]. */
void vise_i_cpu_gather_y(vise_i_cpu *b, const vise_i_cpu_rows *rows, size_t first, size_t n);
void vise_i_cpu_gather_delta(vise_i_cpu *b, const vise_array *delta, size_t first, size_t n);

/* Units [first, end) of a layer. */
typedef struct vise_i_cpu_units {
  size_t layer, first, end;
} vise_i_cpu_units;

/* ---- layers.c ---- */
/* A thread's units of layer l, in b->pass. */
vise_i_cpu_units vise_i_cpu_share(const vise_i_cpu *b, const vise_i_crew *crew, size_t l);

/* One layer of the walks below, for a thread's units: from its inputs to the outputs of its products; from its delta, at
   these, to the gradient of its weights; and, of those units that the layer reads, from delta to next, the one at its
   inputs. */
void vise_i_cpu_layer_product(vise_i_cpu *b, const vise_i_crew *crew, const vise_i_cpu_units *units);
void vise_i_cpu_layer_gradient(vise_i_cpu *b, const vise_i_crew *crew, const vise_i_cpu_units *units,
                               const float *delta, bool add);
void vise_i_cpu_layer_below(const vise_i_cpu *b, const vise_i_crew *crew, size_t l, const float *delta, float *next);

/* Every thread of a crew calls these, for the rows of b->pass; all are done when they return. */
/* b->x to b->act. */
void vise_i_cpu_forward(vise_i_cpu *b, const vise_i_crew *crew);
/* From b->delta[0] (at the outputs) to b->grads; add: += instead of =, which batch norm does not do: a batch is one
   pass there. */
void vise_i_cpu_backward(vise_i_cpu *b, const vise_i_crew *crew, bool add);

/* ---- first_layer.c ---- */
enum { VISE_I_CPU_PANEL = 64 };
bool vise_i_cpu_has_panels(const vise_i_rule *rule);
/* Whether a tensor's weights are stored so. */
bool vise_i_cpu_in_panels(const vise_i_cpu *b, const vise_i_cpu_tensor *t);

/* Units [first, end) of one panel. */
typedef struct vise_i_cpu_piece {
  size_t first, end;
  size_t at;    /* where its weights begin, in the tensor */
  size_t width; /* of the panel: so far apart are the weights of successive inputs */
} vise_i_cpu_piece;

/* Units [first, end), or those of them in the first one's panel. */
vise_i_cpu_piece vise_i_cpu_piece_at(const vise_i_cpu *b, size_t first, size_t end);

/* Products of a thread's units: inputs to b->act[0]; delta [width, n] to the gradient. Inputs are the thread's lists or
   b->x. */
void vise_i_cpu_first_forward(vise_i_cpu *b, const vise_i_crew *crew, const vise_i_cpu_units *units);
void vise_i_cpu_first_gradient(vise_i_cpu *b, const vise_i_crew *crew, const vise_i_cpu_units *units,
                               const float *delta, bool add);
/* The first weights of a flat array of state, to panels from [units, in] or back. */
void vise_i_cpu_first_convert(const vise_i_cpu *b, vise_i_state which, bool to_panels, const void *from, void *to);
/* Where element i of panels is in [units, in]. */
size_t vise_i_cpu_first_place(const vise_i_cpu *b, size_t i);

/* ---- sparse.c: inputs of which most are zero, as lists of the others ---- */
/* Whether the data's rows are to be listed, into b->is_sparse; makes room for lists. Their scaling must be prepared. */
VISE_WARN_UNUSED vise_status vise_i_cpu_choose_sparse(vise_i_cpu *b, const vise_i_data *data, vise_i_cpu_source source,
                                                      vise_error *err);
void vise_i_cpu_lists_free(vise_i_cpu *b);
/* A thread's own. */
vise_i_cpu_lists *vise_i_cpu_lists_at(const vise_i_cpu *b, size_t part);
/* Elements in its lists. */
size_t vise_i_cpu_n_listed(const vise_i_cpu *b, const vise_i_crew *crew);
/* The rows of a pass; by columns too if it trains. */
void vise_i_cpu_list_rows(const vise_i_cpu *b, vise_i_cpu_lists *lists, const vise_i_cpu_rows *rows,
                          const vise_i_op_pass *pass);
/* Products of a piece of the first layer: outputs row by row, piece->width apart, from the gradient there to that of the
   weights. */
void vise_i_cpu_sparse_forward(const vise_i_cpu *b, const vise_i_crew *crew, const vise_i_cpu_piece *piece, float *to);
void vise_i_cpu_sparse_gradient(const vise_i_cpu *b, const vise_i_crew *crew, const vise_i_cpu_piece *piece,
                                const float *delta, bool add);

/* ---- ahead.c ---- */
VISE_WARN_UNUSED vise_status vise_i_cpu_ahead_create(vise_i_cpu *b, vise_error *err);
/* A thread's own. */
vise_i_cpu_ahead *vise_i_cpu_ahead_at(const vise_i_cpu *b, size_t part);
vise_i_ahead *vise_i_cpu_ahead_of(const vise_i_cpu *b, const vise_i_crew *crew);
/* The thread works on b->pass, of these rows, and has n_multiplied multiply-adds in the first layer to do: what it asks
   for meanwhile. */
void vise_i_cpu_look_ahead(vise_i_cpu *b, const vise_i_crew *crew, const vise_i_cpu_rows *rows, size_t n_multiplied);

/* ---- block.c ---- */
/* What layer l reads: for the first the inputs [n, in], for the others values [in, n]. */
const float *vise_i_cpu_inputs_of(const vise_i_cpu *b, size_t l);
/* From products in b->act to the outputs of the block. */
void vise_i_cpu_block_forward(vise_i_cpu *b, const vise_i_cpu_units *units);
/* Whether a gradient passes by block l, to its inputs. */
bool vise_i_cpu_passes_by(const vise_i_cpu *b, size_t l);
/* delta [width of the layer, n]: from the outputs of the block to the products, and the gradients of what is trained in
   between. What passes by the block is copied into next [width, n]. */
void vise_i_cpu_block_backward(vise_i_cpu *b, const vise_i_cpu_units *units, float *delta, float *next, bool add);
/* Batch norm by parts: mean and variance of the rows of the pass, from products in b->act, before block_forward, which
   takes b's statistics as they are where has_statistics is true; then block_backward leaves the gradient at the outputs of
   the norm in delta, and the units' sums over it, of it and of it times the normalized values, in sums [2, width]; with
   those of all n rows of the batch normalize_backward does the rest. */
void vise_i_cpu_measure(vise_i_cpu *b, const vise_i_cpu_units *units);
void vise_i_cpu_normalize_backward(vise_i_cpu *b, const vise_i_cpu_units *units, const double *sums, size_t n,
                                   float *delta);
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
struct vise_i_cpu_sums {
  double sum_sq;      /* of the gradient after the value clip */
  float max_abs;      /* of the same, NaNs ignored */
  uint64_t n_clipped; /* by value */
  bool nonfinite;     /* some entry of the gradient with penalties, before the clip */
  double w_sum_sq, w_sum_abs;
};

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
void vise_i_cpu_add_sums(vise_i_cpu_sums *all, const vise_i_cpu_sums *sums);
/* Sum of squares, exact products summed in float64. */
double vise_i_cpu_sum_squares(const float *w, size_t n);

/* A box, and how many more weights are at its bounds than before; counts: some may be, or may have been. */
typedef struct vise_i_cpu_edges {
  float lo, hi;
  bool counts;
  int64_t lo_more, hi_more;
} vise_i_cpu_edges;

/* Counts a weight that changes, to one of two counters, of its lane. */
VISE_I_INLINE void vise_i_cpu_count_edges(float before, float after, float lo, float hi, int32_t *lo_more,
                                          int32_t *hi_more) {
  *lo_more += (after == lo) - (before == lo);
  *hi_more += (after == hi) - (before == hi);
}

VISE_I_INLINE void vise_i_cpu_add_edges(vise_i_cpu_edges *box, const int32_t *lo_more, const int32_t *hi_more,
                                        size_t n) {
  for (size_t l = 0; l < n; l++) {
    box->lo_more += lo_more[l];
    box->hi_more += hi_more[l];
  }
}

/* What a thread counted in an update; on cache lines of its own. */
typedef struct vise_i_cpu_bounds {
  uint64_t n_at_lo[VISE_I_MOST_TENSORS], n_at_hi[VISE_I_MOST_TENSORS]; /* at the box, by tensor */
  bool first_is_finite;                                                /* its part of the first layer's weights */
  bool norms_met[VISE_I_MOST_TENSORS]; /* of the rows that it looked at last, some were longer than max-norm allows */
  _Alignas(64) uint8_t end[64];
} vise_i_cpu_bounds;
_Static_assert(sizeof(vise_i_cpu_bounds) % 64 == 0, "whole cache lines");

enum {
  VISE_I_CPU_LEAF = 4096,            /* elements summed at once */
  VISE_I_CPU_SHARE_ELEMENTS = 16384, /* of a tensor or of features: worth a second thread */
};

/* ---- gradient.c ---- */
/* Penalty gradient coefficients of each tensor for the current weights; l1: with the subgradient of L1. */
void vise_i_cpu_set_penalty(vise_i_cpu *b, bool l1);
/* Value of the penalties. */
double vise_i_cpu_penalty(const vise_i_cpu *b);
/* out [n_params] = gradient plus that of the penalties, from c2 and c1. */
void vise_i_cpu_total_gradient(const vise_i_cpu *b, double *out);
/* Gives the tensors their places in b->sums; returns n_sums. */
size_t vise_i_cpu_place_sums(vise_i_cpu *b);
/* docs/step.md, 3 to 6, reading only; the penalty must be set. First every thread of the crew fills its part of
   b->sums; when all have, one adds them: it fills penalty, norms, counts and bad_tensor in stats, and unit_scale.
   False when the gradient or its norm is not finite. */
void vise_i_cpu_sum_gradient(vise_i_cpu *b, const vise_i_crew *crew, const vise_i_hyper *hyper);
bool vise_i_cpu_judge_gradient(vise_i_cpu *b, const vise_i_hyper *hyper, vise_step_stats *stats);

/* ---- update.c ---- */
/* docs/step.md, 8 to 12, with the counters of this step; the box must be set. Every thread of the crew updates its part
   and counts into b->found; when all have, one adds the counts, into b->host.base.tensor_stats, and applies the max-norm of
   whole tensors. Rows with a bound of their own are projected while the caches have them, or, where threads share rows, in
   vise_i_cpu_bound_rest, before which the crew meets. */
void vise_i_cpu_update(vise_i_cpu *b, const vise_i_crew *crew, const vise_i_hyper *hyper);
void vise_i_cpu_after_update(vise_i_cpu *b, size_t n_parts);

/* ---- row_l1.c ---- */
/* Projects rows [first, end) of a tensor onto their L1 balls, whose radii must be set; adds to the edges' counts. */
void vise_i_cpu_row_l1(const vise_i_cpu *b, const vise_i_cpu_tensor *t, size_t first, size_t end,
                       vise_i_cpu_edges *box);

/* ---- max_norm.c ---- */
/* Rescales those of rows [first, end) of a tensor that exceed the max-norm; adds to the edges' counts. met: whether the
   rows before these did, which says where to look first; is set anew. */
void vise_i_cpu_row_norms(const vise_i_cpu *b, const vise_i_cpu_tensor *t, size_t first, size_t end,
                          vise_i_cpu_edges *box, bool *met);
/* The same of whole tensors, where these are what max-norm bounds; whether anything exceeded it. */
bool vise_i_cpu_tensor_norms(vise_i_cpu *b);

/* ---- project.c ---- */
/* Sets the tensors' boxes and radii for this step. */
void vise_i_cpu_set_box(vise_i_cpu *b, const vise_i_hyper *hyper);
/* Whether a tensor's rows are bounded, each thread of a crew can have whole rows of it that lie together, and which. */
bool vise_i_cpu_has_whole_rows(const vise_i_cpu *b, const vise_i_crew *crew, size_t tensor, size_t *first, size_t *end);
/* How many rows a thread goes through at a time there. */
size_t vise_i_cpu_rows_at_once(const vise_i_cpu *b, size_t tensor);
/* Rows [first, end) of a tensor onto their balls, then within their norm; keeps the thread's counts in b->found right. */
void vise_i_cpu_bound_rows(vise_i_cpu *b, const vise_i_crew *crew, size_t tensor, size_t first, size_t end);
/* Whether there are rows left that no thread has whole; every thread of the crew bounds some of them. */
bool vise_i_cpu_has_rest(const vise_i_cpu *b, const vise_i_crew *crew);
void vise_i_cpu_bound_rest(vise_i_cpu *b, const vise_i_crew *crew);
/* Applies mask (weights and moments), box, balls of rows and max-norm. */
void vise_i_cpu_project(vise_i_cpu *b);
/* Counts entries at their bounds into b->host.base.tensor_stats, and those counts into stats. */
void vise_i_cpu_count_bounds(vise_i_cpu *b);
void vise_i_cpu_sum_bounds(const vise_i_cpu *b, vise_step_stats *stats);

/* ---- rounding.c ---- */
/* Room for rounding, of each thread; nothing without a quantization. */
VISE_WARN_UNUSED vise_status vise_i_cpu_rounded_create(vise_i_cpu *b, vise_error *err);
void vise_i_cpu_rounded_free(vise_i_cpu *b);
/* With a quantization, the rounded weights of the current ones: every thread of a crew makes its part. bounds: the
   current ones are first cut to what can be reached. */
void vise_i_cpu_round(vise_i_cpu *b, const vise_i_crew *crew, bool bounds);

/* ---- rows.c ---- */
/* The widest layer but the inputs. */
size_t vise_i_cpu_widest_output(const vise_i_net *net);
/* Scratch for b->chunk rows; free it also after a failure. */
VISE_WARN_UNUSED vise_status vise_i_cpu_alloc_rows(vise_i_cpu *b, vise_error *err);
void vise_i_cpu_free_rows(vise_i_cpu *b);
/* What the rows of a batch, or of a part of one, add up to. */
typedef vise_i_part_found vise_i_cpu_found;

/* The pieces of what follows. Every thread of a crew gathers; one finds loss and its gradient when the pass went forward. */
void vise_i_cpu_gather_pass(vise_i_cpu *b, const vise_i_crew *crew, const vise_i_cpu_rows *rows,
                            const vise_i_op_pass *pass);
void vise_i_cpu_loss_of_pass(vise_i_cpu *b, const vise_i_cpu_rows *rows, vise_i_cpu_found *found);
/* What holds for all passes of a gradient. */
vise_i_op_pass vise_i_cpu_training_pass(const vise_i_cpu *b, const vise_i_cpu_rows *rows);

/* Every thread of the crew calls it; the first fills *found. b->grads receives the gradient of these rows' part of the
   loss. */
void vise_i_cpu_gradient_of_rows(vise_i_cpu *b, const vise_i_crew *crew, const vise_i_cpu_rows *rows,
                                 vise_i_cpu_found *found);

/* Every thread of the crew calls it: raw outputs of the rows to out [batch, K]. */
void vise_i_cpu_outputs_of_rows(vise_i_cpu *b, const vise_i_crew *crew, const vise_i_cpu_rows *rows, double *out);

/* ---- step.c ---- */
/* Work on so many rows by all threads, or by one alone if it is too small to share; returns how many it were. */
size_t vise_i_cpu_run(vise_i_cpu *b, size_t n_rows, vise_i_team_work *work, void *context);
/* Data loss over the batch (0 if it has a delta), and its gradient into b->grads. */
VISE_WARN_UNUSED vise_status vise_i_cpu_gradient(vise_i_cpu *b, const vise_i_batch *batch, vise_i_cpu_found *found,
                                                 vise_error *err);
/* One step; stats is filled when the status is VISE_OK or VISE_ERR_NONFINITE. */
VISE_WARN_UNUSED vise_status vise_i_cpu_step(vise_i_cpu *b, const vise_i_batch *batch, const vise_i_hyper *hyper,
                                             vise_step_stats *stats, vise_error *err);

/* ---- parts.c ---- */
enum { VISE_I_CPU_ALIGN_ROWS = 16 }; /* what parts are whole multiples of, unless ranks share them */
/* A view becomes b, for a thread and with this gradient; it keeps its scratch. */
void vise_i_cpu_renew_view(vise_i_cpu *to, const vise_i_cpu *b, size_t thread, float *grads);

/* Whether a batch of n rows is cut into parts, perhaps one; these, and the rows of one. */
bool vise_i_cpu_goes_by_rows(const vise_i_cpu *b, size_t n);
vise_i_parts vise_i_cpu_parts(const vise_i_cpu *b, size_t n);
void vise_i_cpu_rows_of_part(const vise_i_cpu *b, size_t n, size_t n_parts, size_t p, size_t *first, size_t *end);

/* ---- by_rows.c ---- */
/* Makes views if batches may go by rows; called when the rest of b is complete. */
VISE_WARN_UNUSED vise_status vise_i_cpu_views_create(vise_i_cpu *b, vise_error *err);
void vise_i_cpu_views_destroy(vise_i_cpu *b);
/* One thread calls it, before the gradient of n rows is asked for. */
void vise_i_cpu_begin_parts(vise_i_cpu *b, size_t n);
/* As vise_i_cpu_gradient_of_rows, where these are all rows of the batch, which goes by rows. b->exchanged says whether the
   other ranks' parts are in it. */
void vise_i_cpu_gradient_by_rows(vise_i_cpu *b, const vise_i_crew *crew, const vise_i_cpu_rows *rows,
                                 vise_i_cpu_found *found);
/* As vise_i_cpu_outputs_of_rows; there must be views. */
void vise_i_cpu_outputs_by_rows(vise_i_cpu *b, const vise_i_crew *crew, const vise_i_cpu_rows *rows, double *out);

/* ---- by_layers.c ---- */
VISE_WARN_UNUSED vise_status vise_i_cpu_part_views_create(vise_i_cpu *b, size_t n_parts, vise_error *err);
void vise_i_cpu_part_views_destroy(vise_i_cpu *b);
/* The gradients of this process's parts, and what they found, into b->addends; the statistics of the batch into b. */
void vise_i_cpu_gradient_by_layers(vise_i_cpu *b, const vise_i_crew *crew, const vise_i_cpu_rows *rows);

#endif
