/*
 * What calls on a device need and no single net owns: streams, events, pinned memory, copies, rows of a call's own data,
 * the bytes taken so far, and the error that ends it all. A backend has one of its own; those of a group share one, as
 * calls come one at a time and each waits for what it began.
 *
 * Streams: launches of steps are alone on `steps`; all copies are on `copies`.
 */
#ifndef VISE_I_CUDA_CONTEXT_H
#define VISE_I_CUDA_CONTEXT_H

#include <cuda_runtime_api.h>

#include "host/backend/backend.h"
#include "host/backend/cuda/device.h"
#include "kernels/step_types.h"

enum {
  VISE_I_CUDA_RECORDS = VISE_I_MOST_STEPS, /* most steps between two looks at the statistics */
  VISE_I_CUDA_PINNED_BYTES = 4 << 20       /* size of a copy buffer, at most */
};

/* What host and device send each other around launches; pinned. */
typedef struct vise_i_cuda_mail {
  vise_k_step_state state;
  vise_k_step_record records[VISE_I_CUDA_RECORDS];
  vise_k_step_stats stats[VISE_I_CUDA_RECORDS];
#if VISE_WATCHDOG
  _Alignas(16) vise_k_watchdog watchdog;
#endif
} vise_i_cuda_mail;

/* Which data a scaling is for: each has its own place on the device. */
typedef enum vise_i_cuda_scales { VISE_I_CUDA_BOUND, VISE_I_CUDA_SINGLE, VISE_I_CUDA_N_SCALES } vise_i_cuda_scales;

/* The scaling of one array of data, on host (pinned) and device. */
typedef struct vise_i_cuda_scaling {
  double *shift, *inverse; /* [columns] */
  float *byte_values;      /* [256] */
} vise_i_cuda_scaling;

typedef struct vise_i_cuda_context {
  int device;
  size_t memory_limit; /* for everything; 0: what the device has */
  size_t used_bytes;   /* of device memory, by vise_i_cuda_alloc */
  int n_sms;
  size_t most_shared; /* bytes per CTA */

  char *pinned; /* one block for the mail and the pinned scales */
  vise_i_cuda_mail *mail;
#if VISE_WATCHDOG
  vise_i_cuda_mail *device_mail; /* the same, as the device sees it */
#endif
  vise_i_cuda_scaling pinned_scales[VISE_I_CUDA_N_SCALES][2]; /* of x, of y */
  char *buffers[2]; /* [buffer_bytes], pinned, one block; NULL until something is to be copied */
  size_t buffer_bytes;
  cudaEvent_t copied[2];  /* the copy of the buffer is done */
  cudaEvent_t done[2];    /* the steps on the chunk are done */
  cudaEvent_t fetched[2]; /* statistics of a piece of a block are in the mail */
  cudaEvent_t ready, ran; /* data for the next launch are there; the launches so far are done */
  cudaStream_t steps, copies;

  char *single; /* device rows of a call's own data; grows */
  size_t single_bytes;
  float *flat; /* host [n_flat], in the device layout of the net at hand */
  size_t n_flat;

  vise_status poison;
  char poison_text[VISE_ERROR_TEXT_BYTES];
} vise_i_cuda_context;

/* In a function with `status`, `err` and `done:`. */
#define VISE_I_CUDA_TRY(cx, call) VISE_TRY(vise_i_cuda_check((cx), (call), #call, __FILE__, __LINE__, err))

/* VISE_OK, or the error with expression and place, which poisons the context. */
VISE_WARN_UNUSED vise_status vise_i_cuda_check(vise_i_cuda_context *cx, cudaError_t error, const char *expression,
                                               const char *file, int line, vise_error *err);
/* Fails if the context is poisoned, else makes its device the current one. */
VISE_WARN_UNUSED vise_status vise_i_cuda_enter_context(vise_i_cuda_context *cx, vise_error *err);

/* On the device, which becomes the current one. Free with vise_i_cuda_close_context, also after an error. */
VISE_WARN_UNUSED vise_status vise_i_cuda_open_context(int device, size_t memory_limit, vise_i_cuda_context **out,
                                                      vise_error *err);
/* Streams, events and pinned memory for nets of so many inputs and outputs. */
VISE_WARN_UNUSED vise_status vise_i_cuda_equip_context(vise_i_cuda_context *cx, const size_t n_columns[2],
                                                       vise_error *err);
void vise_i_cuda_close_context(vise_i_cuda_context *cx);

/* Device memory, counted; VISE_ERR_MEMORY (no poison) if there is none. */
VISE_WARN_UNUSED vise_status vise_i_cuda_alloc(vise_i_cuda_context *cx, size_t n_bytes, const char *what, char **out,
                                               vise_error *err);
/* Frees what vise_i_cuda_alloc gave; *memory becomes NULL. Harmless with NULL. */
void vise_i_cuda_release(vise_i_cuda_context *cx, char **memory, size_t n_bytes);
/* Bytes that may still be allocated. */
VISE_WARN_UNUSED vise_status vise_i_cuda_available(vise_i_cuda_context *cx, size_t *out, vise_error *err);

/* Fills a buffer with items first..first + n of what is sent. */
typedef void vise_i_cuda_fill(const void *context, size_t first, size_t n, char *buffer);

typedef struct vise_i_cuda_items {
  size_t n, item_bytes;
  vise_i_cuda_fill *fill;
  const void *context; /* of fill */
} vise_i_cuda_items;

/* Sends items to the device, a buffer at a time; asynchronous. */
VISE_WARN_UNUSED vise_status vise_i_cuda_send_items(vise_i_cuda_context *cx, void *to, const vise_i_cuda_items *items,
                                                    vise_error *err);
/* Call before the buffers are used for n_bytes in all: they grow to that, or to VISE_I_CUDA_PINNED_BYTES. */
VISE_WARN_UNUSED vise_status vise_i_cuda_reserve(vise_i_cuda_context *cx, size_t n_bytes, vise_error *err);
/* Copy through pinned memory, and wait. */
VISE_WARN_UNUSED vise_status vise_i_cuda_upload(vise_i_cuda_context *cx, void *to, const void *from, size_t n_bytes,
                                                vise_error *err);
VISE_WARN_UNUSED vise_status vise_i_cuda_download(vise_i_cuda_context *cx, void *to, const void *from, size_t n_bytes,
                                                  vise_error *err);
/* Makes the next launch wait for the copies so far. */
VISE_WARN_UNUSED vise_status vise_i_cuda_await_copies(vise_i_cuda_context *cx, vise_error *err);
/* Makes the next copy wait for the launches so far. */
VISE_WARN_UNUSED vise_status vise_i_cuda_await_launches(vise_i_cuda_context *cx, vise_error *err);

/* ---- placing arrays in a block of memory ---- */

/* Hands out places; with base NULL it only counts. */
typedef struct vise_i_cuda_placer {
  char *base;
  size_t at, guard;
} vise_i_cuda_placer;

void *vise_i_cuda_place(vise_i_cuda_placer *p, size_t n_bytes);
void vise_i_cuda_place_scales(vise_i_cuda_placer *p, const size_t n_columns[2],
                              vise_i_cuda_scaling scales[VISE_I_CUDA_N_SCALES][2]);

#endif
