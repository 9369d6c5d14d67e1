/*
 * The CUDA backend: what its files share. A step is one launch of the fused kernel (kernels/step.h) by the plan of
 * host/plan.
 *   backend.c  making and freeing; the table
 *   plans.c    the plans of its two teams
 *   memory.c   the arena, streams, copies through pinned memory, errors
 *   launch.c   state and records to the device, launches, statistics back
 *   state.c    weights, moments, mask; projection
 *   data.c     rows of data as the device has them; weights and labels of rows
 *   bind.c     the data set on the device, and the order of its rows
 *   run.c      steps of an epoch, resident or in chunks
 *   kept.c     rows that stay on the device between calls
 *   single.c   a step on the caller's batch, outputs, full gradient
 *   unfused.h  another way to run a step, used by vise_i_cuda_launch: its files are named there
 *   verify.c   the debug mode that asserts the projection
 *   meter.c    what vise bench measures with
 *
 * Streams: launches of steps are alone on `steps`; all copies are on `copies`. Every call waits for what it began.
 * A CUDA error poisons the backend: this call and every later one return it.
 */
#ifndef VISE_I_CUDA_H
#define VISE_I_CUDA_H

#include <cuda_runtime_api.h>

#include "host/backend/backend.h"
#include "host/backend/cuda/device.h"
#include "host/backend/step_plan.h"
#include "host/plan/plan.h"
#include "kernels/step.h"

enum {
  VISE_I_CUDA_RECORDS = VISE_I_MOST_STEPS, /* most steps between two looks at the statistics */
  VISE_I_CUDA_PINNED_BYTES = 4 << 20,      /* size of a copy buffer, at most */
  VISE_I_CUDA_SINGLE_BYTES = 16 << 20,     /* rows of evaluation on the device at once, about */
  VISE_I_CUDA_WIDE_ROWS = 4096,
  VISE_I_CUDA_MOST_KEPT = 3 /* data sets: training, validation, test */
};

/* What host and device send each other around launches; pinned. */
typedef struct vise_i_cuda_mail {
  vise_k_step_state state;
  vise_k_step_record records[VISE_I_CUDA_RECORDS];
  vise_k_step_stats stats[VISE_I_CUDA_RECORDS];
  uint32_t progress; /* steps done since the state was sent; written by the device as each launch ends */
} vise_i_cuda_mail;

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

/* Which data a scaling is for: each has its own place on the device. */
typedef enum vise_i_cuda_scales { VISE_I_CUDA_BOUND, VISE_I_CUDA_SINGLE, VISE_I_CUDA_N_SCALES } vise_i_cuda_scales;

/* The scaling of one array of data, on host (pinned) and device. */
typedef struct vise_i_cuda_scaling {
  double *shift, *inverse; /* [columns] */
  float *byte_values;      /* [256] */
} vise_i_cuda_scaling;

/* The rows of the data set on the device: all of them, or two chunks that take turns. */
typedef struct vise_i_cuda_bound {
  bool is_bound, resident;
  vise_i_data data;
  char *memory; /* owned */
  size_t n_bytes;
  vise_i_cuda_rows rows[2];
  vise_k_source x, y;    /* without addresses */
  uint32_t *order;       /* device [n_rows], resident only */
  double *row_factors;   /* host [n_rows]: row weight times class weight; NULL: all 1 */
  const size_t *indices; /* host, borrowed: the order of the epoch */
  size_t n_indices;
} vise_i_cuda_bound;

/* What vise bench measures with; all zero while it does not. */
typedef struct vise_i_cuda_watch {
  bool runs;                 /* between clock_start and clock_stop */
  cudaEvent_t began, ended;  /* of the whole */
  cudaEvent_t first, last;   /* around the launches of a block of steps */
  double launch_seconds;     /* of all blocks so far */
  uint64_t *clocks;          /* device [VISE_K_N_CLOCKS], or NULL */
  uint64_t steps_per_launch; /* saved from spec while clocks are recorded */
  uint32_t n_steps;          /* of the launch that recorded clocks */
} vise_i_cuda_watch;

/* Rows of unchanging data, by their id. */
typedef struct vise_i_cuda_kept {
  uint64_t id;           /* 0: free */
  vise_i_cuda_rows rows; /* features only; memory NULL: no room */
} vise_i_cuda_kept;

struct vise_i_unfused; /* host/backend/cuda/unfused.h */

typedef struct vise_i_cuda {
  vise_i_backend base;
  struct vise_i_unfused *unfused; /* NULL: steps are fused */
  const vise_i_net *net;
  vise_i_cuda_team train, wide;
  size_t memory_limit; /* for everything; 0: what the device has */
  size_t most_shared;  /* bytes per CTA */

  char *arena; /* device */
  size_t arena_bytes;
  float *class_weights;  /* device, or NULL */
  float *external_delta; /* device [max_batch][K], or NULL */
  vise_i_cuda_scaling scales[VISE_I_CUDA_N_SCALES][2], pinned_scales[VISE_I_CUDA_N_SCALES][2]; /* of x, of y */

  char *pinned; /* one block for the mail and the pinned scales */
  vise_i_cuda_mail *mail;
  char *buffers[2]; /* [buffer_bytes], pinned, one block; NULL until something is to be copied */
  size_t buffer_bytes;
  cudaEvent_t copied[2];  /* the copy of the buffer is done */
  cudaEvent_t done[2];    /* the steps on the chunk are done */
  cudaEvent_t fetched[2]; /* statistics of a piece of a block are in the mail */
  cudaEvent_t ready, ran; /* data for the next launch are there; the launches so far are done */
  cudaStream_t steps, copies;

  vise_i_cuda_bound bound;
  vise_i_cuda_kept kept[VISE_I_CUDA_MOST_KEPT];
  char *single; /* device rows of a call's own data; grows */
  size_t single_bytes;
  float *flat;       /* host [n_values of the device layout] */
  bool sums_are_old; /* the weights were set after they were summed */

  vise_i_cuda_watch watch;
  uint64_t n_launches, n_idle_launches; /* of steps; those after a halt are counted apart */
  uint32_t n_launched; /* by the latest vise_i_cuda_launch: 1, or in an unfused step its kernels and cuBLAS calls, or
                          its graph nodes if replayed */
  uint64_t n_captures; /* graphs captured */
  vise_status poison;
  char poison_text[VISE_ERROR_TEXT_BYTES];
} vise_i_cuda;

static inline vise_i_cuda *vise_i_cuda_of(vise_i_backend *backend) {
  return (vise_i_cuda *)backend;
}

/* ---- memory.c ---- */

/* In a function with `status`, `err` and `done:`. */
#define VISE_I_CUDA_TRY(b, call) VISE_TRY(vise_i_cuda_check((b), (call), #call, __FILE__, __LINE__, err))

/* VISE_OK, or the error with expression and place, which poisons the backend. */
VISE_WARN_UNUSED vise_status vise_i_cuda_check(vise_i_cuda *b, cudaError_t error, const char *expression,
                                               const char *file, int line, vise_error *err);
/* First in every call: fails if the backend is poisoned, else makes its device the current one. */
VISE_WARN_UNUSED vise_status vise_i_cuda_enter(vise_i_cuda *b, vise_error *err);

VISE_WARN_UNUSED vise_status vise_i_cuda_alloc_all(vise_i_cuda *b, vise_error *err);
void vise_i_cuda_free_all(vise_i_cuda *b);
/* Device memory apart from the arena; VISE_ERR_MEMORY (no poison) if there is none. */
VISE_WARN_UNUSED vise_status vise_i_cuda_alloc(vise_i_cuda *b, size_t n_bytes, const char *what, char **out,
                                               vise_error *err);
/* Bytes that may still be allocated. */
VISE_WARN_UNUSED vise_status vise_i_cuda_available(vise_i_cuda *b, size_t *out, vise_error *err);

/* Fills a buffer with items first..first + n of what is sent. */
typedef void vise_i_cuda_fill(const void *context, size_t first, size_t n, char *buffer);

typedef struct vise_i_cuda_items {
  size_t n, item_bytes;
  vise_i_cuda_fill *fill;
  const void *context; /* of fill */
} vise_i_cuda_items;

/* Sends items to the device, a buffer at a time; asynchronous. */
VISE_WARN_UNUSED vise_status vise_i_cuda_send_items(vise_i_cuda *b, void *to, const vise_i_cuda_items *items,
                                                    vise_error *err);
/* Call before b->buffers are used for n_bytes in all: they grow to that, or to VISE_I_CUDA_PINNED_BYTES. */
VISE_WARN_UNUSED vise_status vise_i_cuda_reserve(vise_i_cuda *b, size_t n_bytes, vise_error *err);
/* Copy through pinned memory, and wait. */
VISE_WARN_UNUSED vise_status vise_i_cuda_upload(vise_i_cuda *b, void *to, const void *from, size_t n_bytes,
                                                vise_error *err);
VISE_WARN_UNUSED vise_status vise_i_cuda_download(vise_i_cuda *b, void *to, const void *from, size_t n_bytes,
                                                  vise_error *err);

/* For tests: VISE_ERR_INTERNAL, naming the array, if something was written between arrays (hooks.guard_bytes). */
VISE_WARN_UNUSED vise_status vise_i_cuda_check_guards(vise_i_cuda *b, vise_error *err);

/* ---- plans.c ---- */

/* Makes both plans and joins them. */
VISE_WARN_UNUSED vise_status vise_i_cuda_plan(vise_i_cuda *b, vise_error *err);

/* ---- launch.c ---- */

/* Sends the team's state, its cursor at 0 and not halted, and the first n records of the mail. */
VISE_WARN_UNUSED vise_status vise_i_cuda_send(vise_i_cuda *b, vise_i_cuda_team *team, size_t n, vise_error *err);
/* Makes the next launch wait for the copies so far. */
VISE_WARN_UNUSED vise_status vise_i_cuda_await_copies(vise_i_cuda *b, vise_error *err);
/* Launches the step; its first record is the at-th of the mail. An unfused step is launched alone (n_steps 1). */
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
/* The i-th statistics of the mail as the interface has them; keeps the tensors' for tensor_stats. */
void vise_i_cuda_report(vise_i_cuda *b, size_t i, size_t n_rows, const vise_i_hyper *hyper, vise_step_stats *stats);

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

/* Before steps: sums the weights again if they were set. */
VISE_WARN_UNUSED vise_status vise_i_cuda_renew_sums(vise_i_cuda *b, vise_error *err);
/* A float array in the device layout, from b->flat to out [n_params]. */
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
void vise_i_cuda_watch_free(vise_i_cuda *b);

/* ---- verify.c ---- */

/* After a step: the error of a skip that ends the run, or of a projection that does not hold. */
VISE_WARN_UNUSED vise_status vise_i_cuda_after_step(vise_i_cuda *b, const vise_step_stats *stats,
                                                    const vise_i_hyper *hyper, uint64_t *consecutive_skips,
                                                    vise_error *err);
VISE_WARN_UNUSED vise_status vise_i_cuda_verify(vise_i_cuda *b, const vise_i_hyper *hyper, vise_error *err);

#endif
