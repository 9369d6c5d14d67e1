/*
 * The CUDA backend: what its files share. A step is one launch of the fused kernel (kernels/step.h) by the plan of
 * host/plan.
 *   backend.c  making and freeing; the table
 *   plans.c    the plans of its two teams
 *   context.h  streams, pinned memory, copies, errors: what the backends of a group share
 *   memory.c   the arena
 *   launch.c   state and records to the device, launches, statistics back
 *   state.c    weights, moments, mask; projection
 *   data.c     rows of data as the device has them; weights and labels of rows
 *   bind.c     the data set on the device, and the order of its rows
 *   run.c      steps of an epoch, resident or in chunks
 *   kept.c     rows that stay on the device between calls
 *   single.c   a step on the caller's batch, outputs, full gradient
 *   group.h    many backends that share a device, and launches for all of them: its files are named there
 *   unfused.h  another way to run a step, used by vise_i_cuda_launch: its files are named there
 *   parts.h    steps on batches in parts, of one rank or several
 *   verify.c   the debug mode that asserts the projection
 *   meter.c    what vise bench measures with
 *
 * Every call waits for what it began. A CUDA error poisons the context: this call and every later one return it.
 */
#ifndef VISE_I_CUDA_H
#define VISE_I_CUDA_H

#include <cuda_runtime_api.h>

#include "host/backend/backend.h"
#include "host/backend/cuda/context.h"
#include "host/backend/step_plan.h"
#include "host/plan/plan.h"
#include "kernels/step.h"

enum {
  VISE_I_CUDA_SINGLE_BYTES = 16 << 20, /* rows of evaluation on the device at once, about */
  VISE_I_CUDA_WIDE_ROWS = 4096,
  VISE_I_CUDA_MOST_KEPT = 3 /* data sets: training, validation, test */
};

/* A team with its plan and state: one for steps, and one for many rows at a time (outputs, full gradients). Both work
   on the same weights and memory, but each has its own exchange. */
typedef struct vise_i_cuda_team {
  vise_i_plan plan;
  vise_k_step step;        /* with pointers, without data */
  vise_k_step_state state; /* as the device left it, or as it should be at the next launch */
} vise_i_cuda_team;

/* Rows of data in device memory: x [n_rows][x_row_bytes], y, weights (float), one after the other. */
typedef struct vise_i_cuda_rows {
  char *memory; /* borrowed; NULL: only a layout */
  size_t n_rows;
  size_t x_row_bytes, y_row_bytes; /* y_row_bytes 0: no targets */
  bool weighted;
  size_t y_at, weights_at, n_bytes;
} vise_i_cuda_rows;

/* Rows first..first + n of a batch. */
typedef struct vise_i_cuda_part {
  const vise_i_batch *batch;
  size_t first, n;
} vise_i_cuda_part;

/* The rows of the data set on the device: all of them, or two chunks that take turns. */
typedef struct vise_i_cuda_bound {
  bool is_bound, resident;
  vise_i_data data;
  char *memory; /* owned; NULL in a group, whose rows are shared */
  size_t n_bytes;
  vise_i_cuda_rows rows[2];
  vise_k_source x, y;    /* without addresses */
  uint32_t *order;       /* device [n_rows], resident only */
  double *row_factors;   /* host [n_rows]: row weight times class weight; NULL: all 1 */
  const size_t *indices; /* host, borrowed: the order of the epoch */
  size_t n_indices;
  bool order_is_new; /* in a group: since the last run; the order is sent when it is needed */
} vise_i_cuda_bound;

/* What vise bench measures with; all zero while it does not. */
typedef struct vise_i_cuda_watch {
  bool runs;                     /* between clock_start and clock_stop */
  cudaEvent_t began, ended;      /* of the whole */
  cudaEvent_t first, last;       /* around the launches of a block of steps */
  double launch_seconds;         /* of all blocks so far */
  uint64_t *clocks;              /* device [vise_k_n_clocks of the training team], or NULL */
  uint64_t steps_per_launch;     /* saved from spec while clocks are recorded */
  uint32_t first_step, end_step; /* those with clocks, see vise_i_step_clocks; end_step 0: none yet */
  bool launches_of_one_step;
} vise_i_cuda_watch;

/* Rows of unchanging data, by their id. */
typedef struct vise_i_cuda_kept {
  uint64_t id;           /* 0: free */
  vise_i_cuda_rows rows; /* features only; memory NULL: no room */
} vise_i_cuda_kept;

struct vise_i_unfused;    /* host/backend/cuda/unfused.h */
struct vise_i_cuda_parts; /* host/backend/cuda/parts.h */

/* What a backend has of its group (host/backend/cuda/group.h); all zero for one that is alone. */
typedef struct vise_i_cuda_membership {
  vise_i_group *group;                  /* NULL: alone */
  size_t place;                         /* which of its places for nets */
  unsigned sent;                        /* bit m: the step of mode m (vise_i_cuda_group_mode) is on the device */
  struct vise_i_cuda_shared_rows *rows; /* bound, or NULL */
  struct vise_i_cuda_shared_rows *kept[VISE_I_CUDA_MOST_KEPT]; /* of b->kept */
  struct vise_i_cuda_shared_order *order;                      /* or NULL */
} vise_i_cuda_membership;

typedef struct vise_i_cuda {
  vise_i_backend base;
  struct vise_i_unfused *unfused;  /* NULL: steps are fused */
  struct vise_i_cuda_parts *parts; /* NULL: batches are in one piece */
  vise_i_cuda_context *cx;         /* owned, or the group's */
  vise_i_cuda_membership member;
  const vise_i_net *net;
  vise_i_cuda_team train, wide;

  char *arena; /* device; in a group one of its places */
  size_t arena_bytes;
  float *class_weights;                                /* device, or NULL */
  float *external_delta;                               /* device [max_batch][K], or NULL */
  vise_i_cuda_scaling scales[VISE_I_CUDA_N_SCALES][2]; /* of x, of y */

  vise_i_cuda_bound bound;
  vise_i_cuda_kept kept[VISE_I_CUDA_MOST_KEPT];
  bool sums_are_old; /* the weights were set after they were summed */

  vise_i_cuda_watch watch;
  uint64_t n_launches, n_idle_launches; /* of steps; those after a halt are counted apart */
  uint32_t n_launched; /* by the latest vise_i_cuda_launch: 1; of a step in parts its kernels; of an unfused step its
                          kernels and cuBLAS calls, or its graph nodes if replayed */
  uint64_t n_captures; /* graphs captured */
} vise_i_cuda;

static inline vise_i_cuda *vise_i_cuda_of(vise_i_backend *backend) {
  return (vise_i_cuda *)backend;
}

/* ---- memory.c ---- */

/* First in every call: fails if the backend is poisoned, else makes its device the current one. */
VISE_WARN_UNUSED vise_status vise_i_cuda_enter(vise_i_cuda *b, vise_error *err);

VISE_WARN_UNUSED vise_status vise_i_cuda_alloc_all(vise_i_cuda *b, vise_error *err);
void vise_i_cuda_free_all(vise_i_cuda *b);
/* Bytes of the arena of a backend that is planned; in a group the arena begins at b->arena (NULL: to count), and what
   single calls need is not in it: it begins at `common`. */
size_t vise_i_cuda_place_all(vise_i_cuda *b, char *common);
/* The bytes of that, for every net. */
size_t vise_i_cuda_common_bytes(void);
/* Room for an array in the layout of this net, b->cx->flat. */
VISE_WARN_UNUSED vise_status vise_i_cuda_make_flat(vise_i_cuda *b, vise_error *err);
/* Clears the arena and prepares its exchanges. */
VISE_WARN_UNUSED vise_status vise_i_cuda_clear_arena(vise_i_cuda *b, vise_error *err);

/* For tests: VISE_ERR_INTERNAL, naming the array, if something was written between arrays (hooks.guard_bytes). */
VISE_WARN_UNUSED vise_status vise_i_cuda_check_guards(vise_i_cuda *b, vise_error *err);

/* ---- plans.c ---- */

/* Makes both plans and joins them. */
VISE_WARN_UNUSED vise_status vise_i_cuda_plan(vise_i_cuda *b, vise_error *err);

/* ---- launch.c ---- */

/* Sends the team's state, its cursor at 0 and not halted, and the first n records of the mail. */
VISE_WARN_UNUSED vise_status vise_i_cuda_send(vise_i_cuda *b, vise_i_cuda_team *team, size_t n, vise_error *err);
/* Launches the step; its first record is the at-th of the mail. Unfused steps, and those in parts, are launched alone
   (n_steps 1). */
VISE_WARN_UNUSED vise_status vise_i_cuda_launch(vise_i_cuda *b, const vise_i_cuda_team *team, const vise_k_step *step,
                                                size_t at, vise_error *err);
/* Once the launches so far are done, fetches statistics [first, first + n) into the mail; does not wait. */
VISE_WARN_UNUSED vise_status vise_i_cuda_fetch(vise_i_cuda *b, const vise_i_cuda_team *team, size_t first, size_t n,
                                               vise_error *err);
/* Waits for the launches and for all that is fetched, and fetches the state. */
VISE_WARN_UNUSED vise_status vise_i_cuda_receive(vise_i_cuda *b, vise_i_cuda_team *team, vise_error *err);
/* send, launch, receive of one record. */
VISE_WARN_UNUSED vise_status vise_i_cuda_call(vise_i_cuda *b, vise_i_cuda_team *team, const vise_k_step *step,
                                              vise_error *err);
/* Statistics as the interface has them; keeps the tensors' for tensor_stats. */
void vise_i_cuda_report(vise_i_cuda *b, const vise_k_step_stats *from, size_t n_rows, const vise_i_hyper *hyper,
                        vise_step_stats *stats);

/* The team's step in another mode. */
vise_k_step vise_i_cuda_mode_step(const vise_i_cuda_team *team, vise_k_step_mode mode);

/* ---- state.c ---- */

/* Entries of the table. */
bool vise_i_cuda_has_state(const vise_i_backend *backend, vise_i_state which);
VISE_WARN_UNUSED vise_status vise_i_cuda_get_state(vise_i_backend *backend, vise_i_state which, void *out,
                                                   vise_error *err);
VISE_WARN_UNUSED vise_status vise_i_cuda_set_state(vise_i_backend *backend, vise_i_state which, const void *values,
                                                   vise_error *err);
VISE_WARN_UNUSED vise_status vise_i_cuda_project(vise_i_backend *backend, const vise_i_hyper *hyper, vise_error *err);

/* The record of a projection. */
vise_k_step_record vise_i_cuda_project_record(const vise_i_hyper *hyper);

/* A projection without bounds: it changes no weight and sums them all; of an integer net it rounds them. */
vise_k_step vise_i_cuda_sums_step(const vise_i_cuda *b);
/* Whether steps must wait for that: the weights were set. */
bool vise_i_cuda_needs_sums(const vise_i_cuda *b);
/* Before steps, and whatever reads rounded weights: sums the weights again, and rounds them, if they were set. */
VISE_WARN_UNUSED vise_status vise_i_cuda_renew_sums(vise_i_cuda *b, vise_error *err);
/* A float array in the device layout, from b->cx->flat to out [n_params]. */
void vise_i_cuda_unpack(const vise_i_cuda *b, float *out);

/* ---- data.c ---- */

VISE_WARN_UNUSED vise_status vise_i_cuda_check_size(const vise_i_data *data, vise_error *err);
/* Checks that labels of the batch's rows are classes; VISE_OK without labels. */
VISE_WARN_UNUSED vise_status vise_i_cuda_check_labels(const vise_i_cuda *b, const vise_i_batch *batch, vise_error *err);
/* Row weight times class weight. */
double vise_i_cuda_row_factor(const vise_i_cuda *b, const vise_i_data *data, size_t row);
/* What the sum of the rows' losses is divided by, from the sum of their factors. */
double vise_i_cuda_denominator(const vise_i_cuda *b, double sum);

/* Where n_rows rows of such data are stored. */
vise_i_cuda_rows vise_i_cuda_layout(const vise_i_data *data, bool with_targets, size_t n_rows);
/* Sends the scaling of the data and describes the data; *x and *y have no addresses yet. */
VISE_WARN_UNUSED vise_status vise_i_cuda_sources(vise_i_cuda *b, const vise_i_data *data, vise_i_cuda_scales which,
                                                 vise_k_source *x, vise_k_source *y, vise_error *err);
/* Puts rows first..first + n of a batch at place `at` of the device rows; asynchronous. */
VISE_WARN_UNUSED vise_status vise_i_cuda_put_rows(vise_i_cuda *b, const vise_i_cuda_part *part,
                                                  const vise_i_cuda_rows *to, size_t at, vise_error *err);
/* Sends indices of rows, as the kernels take them. */
VISE_WARN_UNUSED vise_status vise_i_cuda_send_indices(vise_i_cuda *b, void *to, const size_t *rows, size_t n,
                                                      vise_error *err);
/* Makes the step read these rows. */
void vise_i_cuda_read_rows(vise_k_step *step, const vise_k_source *x, const vise_k_source *y,
                           const vise_i_cuda_rows *rows, bool labels);

/* ---- bind.c ---- */

VISE_WARN_UNUSED vise_status vise_i_cuda_bind(vise_i_backend *backend, const vise_i_data *data, vise_error *err);
void vise_i_cuda_unbind(vise_i_cuda *b);
VISE_WARN_UNUSED vise_status vise_i_cuda_set_order(vise_i_backend *backend, const size_t *rows, size_t n_rows,
                                                   vise_error *err);

/* ---- run.c ---- */

/* Steps of a call of run: n of them, places in the order from `first` on, `batch` rows in a full batch. */
typedef struct vise_i_cuda_span {
  size_t first, batch, n;
  const vise_i_hyper *hyper;
  size_t steps_of_piece; /* those whose rows are on the device together: all, if the data are resident */
} vise_i_cuda_span;

size_t vise_i_cuda_rows_of_step(const vise_i_cuda *b, const vise_i_cuda_span *span, size_t step);
/* The records of the steps. */
void vise_i_cuda_fill_records(const vise_i_cuda *b, const vise_i_cuda_span *span, vise_k_step_record *out);

VISE_WARN_UNUSED vise_status vise_i_cuda_run(vise_i_backend *backend, const vise_i_steps *steps, size_t *n_done,
                                             vise_error *err);

/* ---- kept.c ---- */

/* Whether all rows of data with an id are on the device; the first time they are sent, if there is room. *out has
   features only. */
VISE_WARN_UNUSED vise_status vise_i_cuda_keep(vise_i_cuda *b, const vise_i_data *data, vise_i_cuda_rows *out,
                                              bool *is_kept, vise_error *err);
void vise_i_cuda_forget(vise_i_cuda *b);

/* Device memory for the rows of a call's own data: at least n_bytes. */
VISE_WARN_UNUSED vise_status vise_i_cuda_grow_single(vise_i_cuda *b, size_t n_bytes, vise_error *err);
/* The same for as many rows of such data as the wide team takes, unless that is much. */
VISE_WARN_UNUSED vise_status vise_i_cuda_reserve_single(vise_i_cuda *b, const vise_i_data *data, bool with_targets,
                                                        vise_error *err);

/* ---- single.c ---- */

VISE_WARN_UNUSED vise_status vise_i_cuda_step(vise_i_backend *backend, const vise_i_batch *batch,
                                              const vise_i_hyper *hyper, vise_step_stats *stats, vise_error *err);
VISE_WARN_UNUSED vise_status vise_i_cuda_forward(vise_i_backend *backend, const vise_i_batch *batch, double *out,
                                                 vise_error *err);
VISE_WARN_UNUSED vise_status vise_i_cuda_full_gradient(vise_i_backend *backend, const vise_i_batch *batch, double *out,
                                                       double *loss, double *penalty, vise_error *err);

/* ---- meter.c ---- */

/* Around the launches of a block: events, while the watch runs. The block is done when end is called. */
VISE_WARN_UNUSED vise_status vise_i_cuda_watch_begin(vise_i_cuda *b, vise_error *err);
VISE_WARN_UNUSED vise_status vise_i_cuda_watch_launched(vise_i_cuda *b, vise_error *err);
VISE_WARN_UNUSED vise_status vise_i_cuda_watch_end(vise_i_cuda *b, vise_error *err);
void vise_i_cuda_watch_step(vise_i_cuda *b, size_t at, size_t n, bool is_first_of_block);
void vise_i_cuda_watch_free(vise_i_cuda *b);

/* ---- verify.c ---- */

/* After a step: the error of a skip that ends the run, or of a projection that does not hold. */
VISE_WARN_UNUSED vise_status vise_i_cuda_after_step(vise_i_cuda *b, const vise_step_stats *stats,
                                                    const vise_i_hyper *hyper, uint64_t *consecutive_skips,
                                                    vise_error *err);
VISE_WARN_UNUSED vise_status vise_i_cuda_verify(vise_i_cuda *b, const vise_i_hyper *hyper, vise_error *err);

#endif
