/* Device and pinned memory, streams, copies; what a CUDA error does. */
#include "host/base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/backend/cuda/cuda.h"
#include "host/backend/cuda/unfused.h"

enum { GUARD_BYTE = 0xA5, LEAST_BUFFER_BYTES = 1 << 16 };

/* Left to the driver and others if there is no limit. */
#define SPARE_BYTES ((size_t)64 << 20)

vise_status vise_i_cuda_check(vise_i_cuda *b, cudaError_t error, const char *expression, const char *file, int line,
                              vise_error *err) {
  if (error == cudaSuccess) return VISE_OK;

  const char *name = strrchr(file, '/');
  vise_error own = VISE_ERROR_INIT;
  char call[VISE_ERROR_TEXT_BYTES];
  (void)snprintf(call, sizeof call, "%s, %s:%d", expression, name ? name + 1 : file, line);
  const vise_status status = vise_i_cuda_failed(b->base.spec.device, VISE_ERR_DEVICE, error, call, &own);

  if (b->poison == VISE_OK) {
    b->poison = status;
    memcpy(b->poison_text, own.text, sizeof b->poison_text);
  }

  return vise_i_fail(err, status, "%s", own.text);
}

vise_status vise_i_cuda_enter(vise_i_cuda *b, vise_error *err) {
  vise_status status = VISE_OK;
  if (b->poison != VISE_OK) return vise_i_fail(err, b->poison, "%s", b->poison_text);
  VISE_I_CUDA_TRY(b, cudaSetDevice(b->base.spec.device));
done:
  return status;
}

vise_status vise_i_cuda_available(vise_i_cuda *b, size_t *out, vise_error *err) {
  vise_status status = VISE_OK;
  size_t n_free = 0, n_total = 0;
  size_t used = b->arena_bytes + (b->unfused ? b->unfused->n_bytes : 0) + b->single_bytes + b->bound.n_bytes;
  for (size_t i = 0; i < VISE_I_CUDA_MOST_KEPT; i++) {
    if (b->kept[i].rows.memory) used += b->kept[i].rows.n_bytes;
  }

  if (b->memory_limit > 0) {
    *out = b->memory_limit > used ? b->memory_limit - used : 1;
    return VISE_OK;
  }

  VISE_I_CUDA_TRY(b, cudaMemGetInfo(&n_free, &n_total));
  *out = n_free > 2 * SPARE_BYTES ? n_free - SPARE_BYTES : n_free / 2 + 1;

done:
  return status;
}

vise_status vise_i_cuda_alloc(vise_i_cuda *b, size_t n_bytes, const char *what, char **out, vise_error *err) {
  void *memory = NULL;
  const cudaError_t error = cudaMalloc(&memory, n_bytes > 0 ? n_bytes : 1);
  if (error == cudaErrorMemoryAllocation) {
    (void)cudaGetLastError();
    return vise_i_fail(err, VISE_ERR_MEMORY, "CUDA device %d has no %zu bytes free for %s", b->base.spec.device,
                       n_bytes, what);
  }
  const vise_status status = vise_i_cuda_check(b, error, "cudaMalloc", __FILE__, __LINE__, err);
  if (status == VISE_OK) *out = memory;
  return status;
}

/* ---- the arena: the plan's arrays, then what this backend adds ---- */

/* Hands out places; with base NULL it only counts. */
typedef struct placer {
  char *base;
  size_t at, guard;
} placer;

static void *place(placer *p, size_t n_bytes) {
  void *memory = p->base ? p->base + p->at : NULL;
  p->at += vise_i_round_up(n_bytes, VISE_I_PLAN_ALIGN) + p->guard;
  return memory;
}

static void place_scales(vise_i_cuda *b, placer *p, vise_i_cuda_scaling scales[VISE_I_CUDA_N_SCALES][2]) {
  const size_t n_columns[2] = {b->net->widths[0], b->net->widths[b->net->n_layers]};
  for (int i = 0; i < VISE_I_CUDA_N_SCALES; i++) {
    for (int k = 0; k < 2; k++) {
      scales[i][k].shift = place(p, n_columns[k] * sizeof(double));
      scales[i][k].inverse = place(p, n_columns[k] * sizeof(double));
      scales[i][k].byte_values = place(p, 256 * sizeof(float));
    }
  }
}

static void *array_at(const vise_i_cuda *b, const vise_i_plan *plan, vise_i_plan_array_id id) {
  const vise_i_plan_array *array = &plan->arrays[id];
  return array->n_bytes > 0 && b->arena ? b->arena + array->offset : NULL;
}

static void place_team(vise_i_cuda *b, vise_i_cuda_team *team, placer *p, size_t n_records) {
  vise_k_step *step = &team->step;
  const vise_i_plan *plan = &team->plan;

  *step = plan->step;
  step->params = array_at(b, plan, VISE_I_PLAN_PARAMS);
  step->moment1 = array_at(b, plan, VISE_I_PLAN_MOMENT1);
  step->moment2 = array_at(b, plan, VISE_I_PLAN_MOMENT2);
  step->gradients = array_at(b, plan, VISE_I_PLAN_GRADIENTS);
  step->parts = array_at(b, plan, VISE_I_PLAN_PARTS);
  step->mask = array_at(b, plan, VISE_I_PLAN_MASK);
  step->inputs = array_at(b, plan, VISE_I_PLAN_INPUTS);
  step->activations = array_at(b, plan, VISE_I_PLAN_ACTIVATIONS);
  step->params16 = array_at(b, plan, VISE_I_PLAN_PARAMS16);
  step->inputs16 = array_at(b, plan, VISE_I_PLAN_INPUTS16);
  step->activations16 = array_at(b, plan, VISE_I_PLAN_ACTIVATIONS16);
  step->row_losses = array_at(b, plan, VISE_I_PLAN_ROW_LOSSES);
  step->gradient_sums = array_at(b, plan, VISE_I_PLAN_GRADIENT_SUMS);
  step->gradient_max = array_at(b, plan, VISE_I_PLAN_GRADIENT_MAX);
  step->weight_sums = array_at(b, plan, VISE_I_PLAN_WEIGHT_SUMS);
  step->norm_sums = array_at(b, plan, VISE_I_PLAN_NORM_SUMS);
  step->group_sums = array_at(b, plan, VISE_I_PLAN_GROUP_SUMS);
  step->unit_sums = array_at(b, plan, VISE_I_PLAN_UNIT_SUMS);
  step->weight_row_sums = array_at(b, plan, VISE_I_PLAN_WEIGHT_ROW_SUMS);
  step->unit_max = array_at(b, plan, VISE_I_PLAN_UNIT_MAX);
  step->unit_scales = array_at(b, plan, VISE_I_PLAN_UNIT_SCALES);
  step->norm_unit_sums = array_at(b, plan, VISE_I_PLAN_NORM_UNIT_SUMS);
  step->statistics = array_at(b, plan, VISE_I_PLAN_STATISTICS);
  step->norm_gradients = array_at(b, plan, VISE_I_PLAN_NORM_GRADIENTS);
  step->slots = array_at(b, plan, VISE_I_PLAN_SLOTS);

  step->state = place(p, sizeof(vise_k_step_state));
  step->records = place(p, n_records * sizeof(vise_k_step_record));
  step->stats = place(p, n_records * sizeof(vise_k_step_stats));
}

/* Once to count, once with memory. */
static size_t place_all(vise_i_cuda *b) {
  placer p = {b->arena, b->train.plan.n_bytes, b->base.spec.hooks.guard_bytes};
  const size_t n_out = b->net->widths[b->net->n_layers];

  place_team(b, &b->train, &p, VISE_I_CUDA_RECORDS);
  place_team(b, &b->wide, &p, 1);
  place_scales(b, &p, b->scales);

  b->class_weights = b->base.spec.class_weights ? place(&p, (n_out == 1 ? 2 : n_out) * sizeof(float)) : NULL;
  b->external_delta =
      b->base.spec.rule.loss == VISE_LOSS_EXTERNAL ? place(&p, b->base.spec.max_batch * n_out * sizeof(float)) : NULL;

  b->train.step.class_weights = b->wide.step.class_weights = b->class_weights;
  b->train.step.external_delta = b->external_delta;
  return p.at;
}

static size_t place_pinned(vise_i_cuda *b) {
  placer p = {b->pinned, 0, 0};
  b->mail = place(&p, sizeof(vise_i_cuda_mail));
  place_scales(b, &p, b->pinned_scales);
  return p.at;
}

static vise_status make_streams(vise_i_cuda *b, vise_error *err) {
  vise_status status = VISE_OK;
  cudaEvent_t *const events[] = {&b->copied[0],  &b->copied[1],  &b->done[0], &b->done[1],
                                 &b->fetched[0], &b->fetched[1], &b->ready,   &b->ran};
  VISE_I_CUDA_TRY(b, cudaStreamCreateWithFlags(&b->steps, cudaStreamNonBlocking));
  VISE_I_CUDA_TRY(b, cudaStreamCreateWithFlags(&b->copies, cudaStreamNonBlocking));
  for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
    VISE_I_CUDA_TRY(b, cudaEventCreateWithFlags(events[i], cudaEventDisableTiming));
  }
done:
  return status;
}

static vise_status clear_arena(vise_i_cuda *b, vise_error *err) {
  vise_status status = VISE_OK;
  const size_t n_guard = b->base.spec.hooks.guard_bytes;
  const vise_i_cuda_team *const teams[] = {&b->train, &b->wide};

  VISE_I_CUDA_TRY(b, cudaMemsetAsync(b->arena, n_guard > 0 ? GUARD_BYTE : 0, b->arena_bytes, b->copies));
  for (size_t t = 0; t < 2; t++) {
    const vise_k_step *step = &teams[t]->step;
    for (int i = 0; n_guard > 0 && i < VISE_I_PLAN_N_ARRAYS; i++) {
      const vise_i_plan_array *array = &teams[t]->plan.arrays[i];
      if (array->n_bytes == 0) continue;
      VISE_I_CUDA_TRY(b, cudaMemsetAsync(b->arena + array->offset, 0, array->n_bytes, b->copies));
    }
    VISE_I_CUDA_TRY(b, vise_k_exchange_prepare(step->slots, 1, step->n_members, b->copies));
  }

  VISE_I_CUDA_TRY(b, cudaStreamSynchronize(b->copies));

done:
  return status;
}

vise_status vise_i_cuda_alloc_all(vise_i_cuda *b, vise_error *err) {
  vise_status status = VISE_OK;
  void *memory = NULL;
  const size_t n_bytes = place_all(b), n_pinned = place_pinned(b);

  if (b->memory_limit > 0 && n_bytes > b->memory_limit) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_MEMORY,
                         "`device_memory_limit` %zu: the step takes %zu bytes, %zu more, before there are any data",
                         b->memory_limit, n_bytes, n_bytes - b->memory_limit));
  }

  VISE_TRY(vise_i_cuda_alloc(b, n_bytes, "the step", &b->arena, err));
  b->arena_bytes = n_bytes;
  place_all(b);

  VISE_I_CUDA_TRY(b, cudaHostAlloc(&memory, n_pinned, cudaHostAllocMapped));
  b->pinned = memory;
  place_pinned(b);
  memset(b->mail, 0, sizeof *b->mail);
  VISE_I_CUDA_TRY(b, cudaHostGetDevicePointer(&memory, &b->mail->progress, 0));
  b->train.step.progress = memory;

  VISE_TRY(vise_i_alloc_zero(&b->flat, b->train.plan.n_values, sizeof(float), "weights", err));
  VISE_TRY(make_streams(b, err));
  VISE_TRY(clear_arena(b, err));

done:
  return status;
}

void vise_i_cuda_free_all(vise_i_cuda *b) {
  cudaEvent_t const events[] = {b->copied[0],  b->copied[1],  b->done[0], b->done[1],
                                b->fetched[0], b->fetched[1], b->ready,   b->ran};

  if (cudaSetDevice(b->base.spec.device) != cudaSuccess) (void)cudaGetLastError();
  for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
    if (events[i]) (void)cudaEventDestroy(events[i]);
  }

  if (b->steps) (void)cudaStreamDestroy(b->steps);
  if (b->copies) (void)cudaStreamDestroy(b->copies);
  if (b->single) (void)cudaFree(b->single);
  if (b->arena) (void)cudaFree(b->arena);
  if (b->pinned) (void)cudaFreeHost(b->pinned);
  if (b->buffers[0]) (void)cudaFreeHost(b->buffers[0]);
  free(b->flat);
  (void)cudaGetLastError(); /* a poisoned device refuses all this, which is harmless */
}

/* ---- copies ---- */

/* Pinning some megabytes takes a millisecond: a small training run pins only a little. */
vise_status vise_i_cuda_reserve(vise_i_cuda *b, size_t n_bytes, vise_error *err) {
  vise_status status = VISE_OK;
  void *memory = NULL;
  size_t each = b->buffer_bytes > 0 ? b->buffer_bytes : LEAST_BUFFER_BYTES;

  while (each < n_bytes && each < VISE_I_CUDA_PINNED_BYTES) each *= 2;
  if (each == b->buffer_bytes) return VISE_OK;

  VISE_I_CUDA_TRY(b, cudaStreamSynchronize(b->copies)); /* they may be in use */
  if (b->buffers[0]) VISE_I_CUDA_TRY(b, cudaFreeHost(b->buffers[0]));
  b->buffers[0] = b->buffers[1] = NULL;
  b->buffer_bytes = 0;

  VISE_I_CUDA_TRY(b, cudaHostAlloc(&memory, 2 * each, cudaHostAllocDefault));
  b->buffers[0] = memory;
  b->buffers[1] = b->buffers[0] + each;
  b->buffer_bytes = each;

done:
  return status;
}

vise_status vise_i_cuda_send_items(vise_i_cuda *b, void *to, const vise_i_cuda_items *items, vise_error *err) {
  vise_status status;
  const size_t n = items->n, bytes = items->item_bytes;
  VISE_TRY(vise_i_cuda_reserve(b, n * bytes, err));
  const size_t most = b->buffer_bytes / bytes;

  for (size_t at = 0, k = 0; at < n; at += most, k ^= 1) {
    const size_t m = n - at < most ? n - at : most;
    VISE_I_CUDA_TRY(b, cudaEventSynchronize(b->copied[k]));
    items->fill(items->context, at, m, b->buffers[k]);
    VISE_I_CUDA_TRY(
        b, cudaMemcpyAsync((char *)to + at * bytes, b->buffers[k], m * bytes, cudaMemcpyHostToDevice, b->copies));
    VISE_I_CUDA_TRY(b, cudaEventRecord(b->copied[k], b->copies));
  }

done:
  return status;
}

static void fill_bytes(const void *context, size_t first, size_t n, char *buffer) {
  memcpy(buffer, (const char *)context + first, n);
}

vise_status vise_i_cuda_upload(vise_i_cuda *b, void *to, const void *from, size_t n_bytes, vise_error *err) {
  vise_status status;
  const vise_i_cuda_items items = {n_bytes, 1, fill_bytes, from};
  VISE_TRY(vise_i_cuda_send_items(b, to, &items, err));
  VISE_I_CUDA_TRY(b, cudaStreamSynchronize(b->copies));
done:
  return status;
}

vise_status vise_i_cuda_download(vise_i_cuda *b, void *to, const void *from, size_t n_bytes, vise_error *err) {
  vise_status status = VISE_OK;

  VISE_I_CUDA_TRY(b, cudaStreamSynchronize(b->steps));
  VISE_I_CUDA_TRY(b, cudaStreamSynchronize(b->copies));
  VISE_TRY(vise_i_cuda_reserve(b, n_bytes, err));

  for (size_t at = 0; at < n_bytes; at += b->buffer_bytes) {
    const size_t n = n_bytes - at < b->buffer_bytes ? n_bytes - at : b->buffer_bytes;
    VISE_I_CUDA_TRY(b, cudaMemcpyAsync(b->buffers[0], (const char *)from + at, n, cudaMemcpyDeviceToHost, b->copies));
    VISE_I_CUDA_TRY(b, cudaStreamSynchronize(b->copies));
    memcpy((char *)to + at, b->buffers[0], n);
  }

done:
  return status;
}

/* ---- guards ---- */

vise_status vise_i_cuda_check_guards(vise_i_cuda *b, vise_error *err) {
  vise_status status = VISE_OK;
  unsigned char *bytes = NULL;
  const vise_i_plan *plan = &b->train.plan;
  const size_t n_guard = b->base.spec.hooks.guard_bytes;

  VISE_TRY(vise_i_cuda_enter(b, err));
  VISE_TRY(vise_i_alloc(&bytes, b->arena_bytes, 1, "guards", err));
  VISE_TRY(vise_i_cuda_download(b, bytes, b->arena, b->arena_bytes, err));

  for (int i = 0; i < VISE_I_PLAN_N_ARRAYS; i++) {
    const vise_i_plan_array *array = &plan->arrays[i];
    if (array->n_bytes == 0) continue;
    for (size_t k = 1; k <= n_guard; k++) {
      const size_t end = array->offset + array->n_bytes + k - 1;
      if (bytes[array->offset - k] == GUARD_BYTE && bytes[end] == GUARD_BYTE) continue;
      status =
          vise_i_fail(err, VISE_ERR_INTERNAL, "something was written %zu bytes %s the %s", k,
                      bytes[end] == GUARD_BYTE ? "before" : "behind", vise_i_plan_array_name((vise_i_plan_array_id)i));
      goto done;
    }
  }

done:
  free(bytes);
  return status;
}
