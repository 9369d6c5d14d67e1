/* Streams, events and pinned memory of a context; its device memory; copies; what a CUDA error does. */
#include "host/backend/cuda/context.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/backend/cuda/watchdog.h"
#include "host/base/memory.h"
#include "host/plan/plan.h"

enum { LEAST_BUFFER_BYTES = 1 << 16 };

/* Left to the driver and others if there is no limit. */
#define SPARE_BYTES ((size_t)64 << 20)

vise_status vise_i_cuda_check(vise_i_cuda_context *cx, cudaError_t error, const char *expression, const char *file,
                              int line, vise_error *err) {
  if (error == cudaSuccess) return VISE_OK;

  const char *name = strrchr(file, '/');
  vise_error own = VISE_ERROR_INIT;
  char call[VISE_ERROR_TEXT_BYTES], hang[VISE_ERROR_TEXT_BYTES / 2] = "";
#if VISE_WATCHDOG
  if (cx->mail) vise_i_cuda_watchdog_tell(&cx->mail->watchdog, hang, sizeof hang);
#endif

  (void)snprintf(call, sizeof call, "%s, %s:%d%s%s", expression, name ? name + 1 : file, line, hang[0] ? "; " : "",
                 hang);
  const vise_status status = vise_i_cuda_failed(cx->device, VISE_ERR_DEVICE, error, call, &own);

  if (cx->poison == VISE_OK) {
    cx->poison = status;
    memcpy(cx->poison_text, own.text, sizeof cx->poison_text);
  }

  return vise_i_fail(err, status, "%s", own.text);
}

vise_status vise_i_cuda_enter_context(vise_i_cuda_context *cx, vise_error *err) {
  vise_status status = VISE_OK;
  if (cx->poison != VISE_OK) return vise_i_fail(err, cx->poison, "%s", cx->poison_text);
  VISE_I_CUDA_TRY(cx, cudaSetDevice(cx->device));
done:
  return status;
}

/* ---- making and freeing ---- */

vise_status vise_i_cuda_open_context(int device, size_t memory_limit, vise_i_cuda_context **out, vise_error *err) {
  vise_status status;
  vise_i_cuda_context *cx = NULL;
  int shared = 0;

  VISE_TRY(vise_i_cuda_choose(device, err));
  VISE_TRY(vise_i_alloc_zero(&cx, 1, sizeof *cx, "backend", err));
  *out = cx;
  cx->device = device;
  cx->memory_limit = memory_limit;

  VISE_I_CUDA_TRY(cx, cudaDeviceGetAttribute(&cx->n_sms, cudaDevAttrMultiProcessorCount, device));
  VISE_I_CUDA_TRY(cx, cudaDeviceGetAttribute(&shared, cudaDevAttrMaxSharedMemoryPerBlockOptin, device));
  cx->most_shared = (size_t)shared;

done:
  return status;
}

void *vise_i_cuda_place(vise_i_cuda_placer *p, size_t n_bytes) {
  void *memory = p->base ? p->base + p->at : NULL;
  p->at += vise_i_round_up(n_bytes, VISE_I_PLAN_ALIGN) + p->guard;
  return memory;
}

void vise_i_cuda_place_scales(vise_i_cuda_placer *p, const size_t n_columns[2],
                              vise_i_cuda_scaling scales[VISE_I_CUDA_N_SCALES][2]) {
  for (int i = 0; i < VISE_I_CUDA_N_SCALES; i++) {
    for (int k = 0; k < 2; k++) {
      scales[i][k].shift = vise_i_cuda_place(p, n_columns[k] * sizeof(double));
      scales[i][k].inverse = vise_i_cuda_place(p, n_columns[k] * sizeof(double));
      scales[i][k].byte_values = vise_i_cuda_place(p, 256 * sizeof(float));
    }
  }
}

static size_t place_pinned(vise_i_cuda_context *cx, const size_t n_columns[2]) {
  vise_i_cuda_placer p = {cx->pinned, 0, 0};
  cx->mail = vise_i_cuda_place(&p, sizeof(vise_i_cuda_mail));
  vise_i_cuda_place_scales(&p, n_columns, cx->pinned_scales);
  return p.at;
}

vise_status vise_i_cuda_equip_context(vise_i_cuda_context *cx, const size_t n_columns[2], vise_error *err) {
  vise_status status = VISE_OK;
  void *memory = NULL;
  const size_t n_pinned = place_pinned(cx, n_columns);
  cudaEvent_t *const events[] = {&cx->copied[0],  &cx->copied[1],  &cx->done[0], &cx->done[1],
                                 &cx->fetched[0], &cx->fetched[1], &cx->ready,   &cx->ran};

  VISE_I_CUDA_TRY(cx, cudaHostAlloc(&memory, n_pinned, cudaHostAllocMapped));
  cx->pinned = memory;
  place_pinned(cx, n_columns);
  memset(cx->mail, 0, sizeof *cx->mail);
#if VISE_WATCHDOG
  /* Of the block: it is documented for the start of an allocation alone. */
  VISE_I_CUDA_TRY(cx, cudaHostGetDevicePointer(&memory, cx->pinned, 0));
  cx->device_mail = (vise_i_cuda_mail *)(void *)((char *)memory + ((char *)cx->mail - cx->pinned));
  vise_i_cuda_watchdog_arm(&cx->mail->watchdog);
#endif

  VISE_I_CUDA_TRY(cx, cudaStreamCreateWithFlags(&cx->steps, cudaStreamNonBlocking));
  VISE_I_CUDA_TRY(cx, cudaStreamCreateWithFlags(&cx->copies, cudaStreamNonBlocking));
  for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
    VISE_I_CUDA_TRY(cx, cudaEventCreateWithFlags(events[i], cudaEventDisableTiming));
  }

done:
  return status;
}

void vise_i_cuda_close_context(vise_i_cuda_context *cx) {
  if (!cx) return;
  cudaEvent_t const events[] = {cx->copied[0],  cx->copied[1],  cx->done[0], cx->done[1],
                                cx->fetched[0], cx->fetched[1], cx->ready,   cx->ran};

  if (cudaSetDevice(cx->device) != cudaSuccess) (void)cudaGetLastError();
  for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
    if (events[i]) (void)cudaEventDestroy(events[i]);
  }

  if (cx->steps) (void)cudaStreamDestroy(cx->steps);
  if (cx->copies) (void)cudaStreamDestroy(cx->copies);
  vise_i_cuda_release(cx, &cx->single, cx->single_bytes);
  if (cx->pinned) (void)cudaFreeHost(cx->pinned);
  if (cx->buffers[0]) (void)cudaFreeHost(cx->buffers[0]);
  free(cx->flat);
  free(cx);
  (void)cudaGetLastError(); /* a poisoned device refuses all this, which is harmless */
}

/* ---- device memory ---- */

vise_status vise_i_cuda_available(vise_i_cuda_context *cx, size_t *out, vise_error *err) {
  vise_status status = VISE_OK;
  size_t n_free = 0, n_total = 0;

  if (cx->memory_limit > 0) {
    *out = cx->memory_limit > cx->used_bytes ? cx->memory_limit - cx->used_bytes : 1;
    return VISE_OK;
  }

  VISE_I_CUDA_TRY(cx, cudaMemGetInfo(&n_free, &n_total));
  *out = n_free > 2 * SPARE_BYTES ? n_free - SPARE_BYTES : n_free / 2 + 1;

done:
  return status;
}

vise_status vise_i_cuda_alloc(vise_i_cuda_context *cx, size_t n_bytes, const char *what, char **out, vise_error *err) {
  void *memory = NULL;
  const cudaError_t error = cudaMalloc(&memory, n_bytes > 0 ? n_bytes : 1);
  if (error == cudaErrorMemoryAllocation) {
    (void)cudaGetLastError();
    return vise_i_fail(err, VISE_ERR_MEMORY, "CUDA device %d has no %zu bytes free for %s", cx->device, n_bytes, what);
  }

  const vise_status status = vise_i_cuda_check(cx, error, "cudaMalloc", __FILE__, __LINE__, err);
  if (status != VISE_OK) return status;
  cx->used_bytes += n_bytes;
  *out = memory;
  return VISE_OK;
}

void vise_i_cuda_release(vise_i_cuda_context *cx, char **memory, size_t n_bytes) {
  if (!*memory) return;
  (void)cudaFree(*memory);
  cx->used_bytes -= n_bytes;
  *memory = NULL;
}

/* ---- copies ---- */

vise_status vise_i_cuda_await_copies(vise_i_cuda_context *cx, vise_error *err) {
  vise_status status = VISE_OK;
  VISE_I_CUDA_TRY(cx, cudaEventRecord(cx->ready, cx->copies));
  VISE_I_CUDA_TRY(cx, cudaStreamWaitEvent(cx->steps, cx->ready, 0));
done:
  return status;
}

vise_status vise_i_cuda_await_launches(vise_i_cuda_context *cx, vise_error *err) {
  vise_status status = VISE_OK;
  VISE_I_CUDA_TRY(cx, cudaEventRecord(cx->ran, cx->steps));
  VISE_I_CUDA_TRY(cx, cudaStreamWaitEvent(cx->copies, cx->ran, 0));
done:
  return status;
}

/* Pinning some megabytes takes a millisecond: a small training run pins only a little. */
vise_status vise_i_cuda_reserve(vise_i_cuda_context *cx, size_t n_bytes, vise_error *err) {
  vise_status status = VISE_OK;
  void *memory = NULL;
  size_t each = cx->buffer_bytes > 0 ? cx->buffer_bytes : LEAST_BUFFER_BYTES;

  while (each < n_bytes && each < VISE_I_CUDA_PINNED_BYTES) each *= 2;
  if (each == cx->buffer_bytes) return VISE_OK;

  VISE_I_CUDA_TRY(cx, cudaStreamSynchronize(cx->copies)); /* they may be in use */
  if (cx->buffers[0]) VISE_I_CUDA_TRY(cx, cudaFreeHost(cx->buffers[0]));
  cx->buffers[0] = cx->buffers[1] = NULL;
  cx->buffer_bytes = 0;

  VISE_I_CUDA_TRY(cx, cudaHostAlloc(&memory, 2 * each, cudaHostAllocDefault));
  cx->buffers[0] = memory;
  cx->buffers[1] = cx->buffers[0] + each;
  cx->buffer_bytes = each;

done:
  return status;
}

vise_status vise_i_cuda_send_items(vise_i_cuda_context *cx, void *to, const vise_i_cuda_items *items, vise_error *err) {
  vise_status status;
  const size_t n = items->n, bytes = items->item_bytes;
  VISE_TRY(vise_i_cuda_reserve(cx, n * bytes, err));
  const size_t most = cx->buffer_bytes / bytes;

  for (size_t at = 0, k = 0; at < n; at += most, k ^= 1) {
    const size_t m = n - at < most ? n - at : most;
    VISE_I_CUDA_TRY(cx, cudaEventSynchronize(cx->copied[k]));
    items->fill(items->context, at, m, cx->buffers[k]);
    VISE_I_CUDA_TRY(
        cx, cudaMemcpyAsync((char *)to + at * bytes, cx->buffers[k], m * bytes, cudaMemcpyHostToDevice, cx->copies));
    VISE_I_CUDA_TRY(cx, cudaEventRecord(cx->copied[k], cx->copies));
  }

done:
  return status;
}

static void fill_bytes(const void *context, size_t first, size_t n, char *buffer) {
  memcpy(buffer, (const char *)context + first, n);
}

vise_status vise_i_cuda_upload(vise_i_cuda_context *cx, void *to, const void *from, size_t n_bytes, vise_error *err) {
  vise_status status;
  const vise_i_cuda_items items = {n_bytes, 1, fill_bytes, from};
  VISE_TRY(vise_i_cuda_send_items(cx, to, &items, err));
  VISE_I_CUDA_TRY(cx, cudaStreamSynchronize(cx->copies));
done:
  return status;
}

vise_status vise_i_cuda_download(vise_i_cuda_context *cx, void *to, const void *from, size_t n_bytes, vise_error *err) {
  vise_status status = VISE_OK;

  VISE_I_CUDA_TRY(cx, cudaStreamSynchronize(cx->steps));
  VISE_I_CUDA_TRY(cx, cudaStreamSynchronize(cx->copies));
  VISE_TRY(vise_i_cuda_reserve(cx, n_bytes, err));

  for (size_t at = 0; at < n_bytes; at += cx->buffer_bytes) {
    const size_t n = n_bytes - at < cx->buffer_bytes ? n_bytes - at : cx->buffer_bytes;
    VISE_I_CUDA_TRY(cx,
                    cudaMemcpyAsync(cx->buffers[0], (const char *)from + at, n, cudaMemcpyDeviceToHost, cx->copies));
    VISE_I_CUDA_TRY(cx, cudaStreamSynchronize(cx->copies));
    memcpy((char *)to + at, cx->buffers[0], n);
  }

done:
  return status;
}
