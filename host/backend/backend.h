/*
 * The one interface between training and whatever computes a step. A backend owns weights, optimizer state and
 * scratch memory for one net; it never reads files and knows nothing of epochs, stopping or metrics. The backends
 * are in cpu/, cpu64/ and cuda/.
 */
#ifndef VISE_I_BACKEND_H
#define VISE_I_BACKEND_H

#include "host/base/error.h"
#include "host/net/net.h"
#include "host/net/quantization.h"
#include "host/plan/hooks.h"
#include "host/ranks/ranks.h"
#include "host/rule/row_l1.h"
#include "host/rule/rule.h"
#include "vise/train.h"

/* How features or targets are scaled while they are gathered: (x - shift[c]) / scale[c] in float64, then rounded to
   the backend's type. With uniform true shift and scale hold one number for all columns; NULL: no scaling. */
typedef struct vise_i_scaling {
  const double *shift, *scale;
  bool uniform;
} vise_i_scaling;

/* Rows to compute on. y holds either class labels (one column of integers in [0, K), y_is_class true) or values
   [n_rows, K]. Losses other than cross-entropy turn class labels with K > 1 into one-hot targets. y.data is NULL where
   there are no targets (forward, external loss). */
typedef struct vise_i_data {
  vise_array x, y;
  bool y_is_class;
  const double *row_weights; /* [n_rows] or NULL */
  vise_i_scaling x_scaling, y_scaling;
  uint64_t id; /* if not 0: for one backend's whole life, data with this id are the same stored rows (x) with the same
                  contents; it may keep them on its device */
} vise_i_data;

/* Most steps of one call of run, and so of one launch. */
#define VISE_I_MOST_STEPS VISE_MAX_STEPS_PER_LAUNCH

typedef struct vise_i_group vise_i_group;
typedef struct vise_i_group_ops vise_i_group_ops;

/* Everything about a step that does not change from step to step. */
typedef struct vise_i_step_spec {
  const vise_i_net *net; /* borrowed for the backend's life */
  vise_i_rule rule;
  vise_i_box boxes[VISE_MAX_LAYERS];
  vise_i_row_ball row_balls[VISE_MAX_LAYERS];
  const double *class_weights; /* [K] (K = 1 with bce or hinge: [2]) or NULL; borrowed for the backend's life */
  bool use_mask;               /* a mask will be set; it may also be set later when this is true */
  bool use_signs;              /* and its bytes may ask for signs */
  bool assert_projection;      /* verify the projection after each step; failing it is VISE_ERR_INTERNAL */
  size_t max_batch;            /* largest batch that step or run will see; more is VISE_ERR_INTERNAL */
  uint64_t seed;               /* of dropout */
  int n_threads;               /* >= 1 */
  int device;                  /* which GPU; the CPU backends have 0 */

  /* Steps are those of an integer net (docs/step.md), with these scales at first; borrowed; NULL: they are not. On cuda
     fp32, and not in a group. */
  const vise_i_quantization *quantization;

  size_t
      parts; /* most parts of a batch (host/ranks/parts.h); 0: the backend adds rows its own way. On cuda fp32 without
                        batch norm, fused, and not in a group */
  vise_ranks *ranks; /* who share the parts; borrowed for the backend's life; NULL: this process has all of them */

  /* For the CUDA backend; for the others host/train/resolve.c refuses them, or they are ignored. */
  vise_step_mode step_mode;
  vise_precision precision;
  uint64_t steps_per_launch;  /* 0: chosen */
  size_t device_memory_limit; /* bytes; 0: what is free; in a group the group's counts */
  vise_i_group *group;        /* the backend becomes a member of it (host/backend/group.h); NULL: it is alone */

  vise_i_hooks hooks; /* for tests; all 0 otherwise */
} vise_i_step_spec;

/* Rows to compute on as one batch. */
typedef struct vise_i_batch {
  const vise_i_data *data;
  const size_t *rows;      /* [n] rows of data; NULL: 0, 1, ... */
  size_t n, n_next;        /* rows[n .. n + n_next] are those of the next batch, if that is known */
  const vise_array *delta; /* for the external loss: [n, K] of f32 or f64; else NULL */
  double external_loss;    /* what is reported with it */
  uint64_t step;           /* of a gradient: what dropout draws by; steps set it from hyper */
  bool keeps_all;          /* of a gradient: dropout is off */
} vise_i_batch;

/* Steps 0..n of a call of run: step i takes order[first + i*size ...] (size rows; the last may have fewer, up to the end
   of the order) and hyper[i], and fills stats[i] except step and epoch. */
typedef struct vise_i_steps {
  size_t first, size, n;
  const vise_i_hyper *hyper;
  vise_step_stats *stats;
} vise_i_steps;

/* Flat arrays of state of the backend's dtype, except the mask: uint8_t, bytes as vise_i_mask_byte makes them, and the
   scales: float. Each has vise_i_state_n elements: parameters those of the net's n_values, running statistics too, the
   scales those of a quantization, the others of its n_params. */
typedef enum vise_i_state {
  VISE_I_PARAMS,
  VISE_I_MOMENT1, /* v of sgd and rmsprop, m of adam */
  VISE_I_MOMENT2, /* s of rmsprop and adam */
  VISE_I_MASK,
  VISE_I_SCALES,  /* of a quantization: with one, PARAMS are the latent weights */
  VISE_I_ROUNDED, /* what the integer net has in the place of PARAMS; follows from these, so it is not set */
  VISE_I_N_STATES
} vise_i_state;

static inline size_t vise_i_state_n(const vise_i_net *net, vise_i_state which) {
  if (which == VISE_I_SCALES) return vise_i_n_scales(net);
  return which == VISE_I_PARAMS || which == VISE_I_ROUNDED ? net->n_values : net->n_params;
}

typedef struct vise_i_backend_ops vise_i_backend_ops;

/* What each backend's own struct begins with. */
typedef struct vise_i_backend {
  const vise_i_backend_ops *ops;
  vise_i_step_spec spec;
  vise_tensor_stats tensor_stats[VISE_I_MOST_TENSORS]; /* of the last step */
} vise_i_backend;

struct vise_i_backend_ops {
  const char *name;
  vise_dtype dtype; /* of params and moments: VISE_F32 or VISE_F64 */

  vise_status (*create)(const vise_i_step_spec *spec, vise_i_backend **out, vise_error *err);
  void (*destroy)(vise_i_backend *backend);

  /* Whether the optimizer keeps this array at all. get and set copy whole arrays; to set a moment that is not kept
     is VISE_ERR_INTERNAL. Setting PARAMS does not project. */
  bool (*has_state)(const vise_i_backend *backend, vise_i_state which);
  vise_status (*get_state)(vise_i_backend *backend, vise_i_state which, void *out, vise_error *err);
  vise_status (*set_state)(vise_i_backend *backend, vise_i_state which, const void *values, vise_error *err);
  vise_i_counters (*get_counters)(const vise_i_backend *backend);
  void (*set_counters)(vise_i_backend *backend, const vise_i_counters *counters);

  /* Applies all projections to the weights (the mask: to the moments too). */
  vise_status (*project)(vise_i_backend *backend, const vise_i_hyper *hyper, vise_error *err);

  /* Training data, borrowed until the next bind or destroy. */
  vise_status (*bind)(vise_i_backend *backend, const vise_i_data *data, vise_error *err);
  /* Row indices into the bound data, in the order of the epoch; copied or borrowed until the next call. */
  vise_status (*set_order)(vise_i_backend *backend, const size_t *rows, size_t n_rows, vise_error *err);

  /* Takes the steps. Ends early, with VISE_ERR_NONFINITE, after a step that reached the skip limit (skip policy) or was
     non-finite (halt policy). *n_done counts attempted steps. */
  vise_status (*run)(vise_i_backend *backend, const vise_i_steps *steps, size_t *n_done, vise_error *err);

  /* One step on all rows of the batch's data (rows NULL, at most max_batch). */
  vise_status (*step)(vise_i_backend *backend, const vise_i_batch *batch, const vise_i_hyper *hyper,
                      vise_step_stats *stats, vise_error *err);

  /* Raw outputs of the rows: out [n, K] as double. Any n. */
  vise_status (*forward)(vise_i_backend *backend, const vise_i_batch *batch, double *out, vise_error *err);

  /* Unclipped total gradient (data loss over all the rows as one batch, plus penalties) at the current weights, into
     out [n_params]; data loss and penalty to *loss, *penalty (may be NULL). Changes nothing. Any n. The L1 penalty is
     part of both, with sign(0) = 0, even if steps apply its proximal map (likewise in vise_step_stats.penalty). Dropout
     draws as in the first step; with batch norm n is at most max_batch. */
  vise_status (*full_gradient)(vise_i_backend *backend, const vise_i_batch *batch, double *out, double *loss,
                               double *penalty, vise_error *err);

  /* Launches of all steps so far: kernels, cuBLAS calls, graph nodes; 0 on the CPU. */
  uint64_t (*n_launches)(const vise_i_backend *backend);

  const vise_i_group_ops *group; /* many backends in one launch (host/backend/group.h); NULL: there is no such thing */
};

/* The table of a backend that this build has and this machine can run, or NULL with a reason (a constant text) in
 *why_not. `auto` is resolved by the caller. */
const vise_i_backend_ops *vise_i_backend_find(vise_backend backend, const char **why_not);

extern const vise_i_backend_ops vise_i_backend_cpu;   /* float32, fast */
extern const vise_i_backend_ops vise_i_backend_cpu64; /* float64, the oracle */
extern const vise_i_backend_ops vise_i_backend_cuda;  /* only in builds with VISE_HAS_CUDA; ask vise_i_backend_find */

#endif
