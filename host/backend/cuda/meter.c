/* The clock of the device around steps, the floor of the plan, and the clocks within the fused step. */
#include "host/backend/meter.h"

#include <math.h>

#include "host/backend/cuda/cuda.h"
#include "host/backend/cuda/rates.h"
#include "host/backend/step_parts.h"

/* ---- events ---- */

void vise_i_cuda_watch_free(vise_i_cuda *b) {
  vise_i_cuda_watch *w = &b->watch;
  cudaEvent_t const events[] = {w->began, w->ended, w->first, w->last};
  for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
    if (events[i]) (void)cudaEventDestroy(events[i]);
  }
  char *clocks = (char *)w->clocks;
  vise_i_cuda_release(b->cx, &clocks, VISE_K_N_CLOCKS * sizeof *w->clocks);
  *w = (vise_i_cuda_watch){0};
}

static vise_status make_events(vise_i_cuda *b, vise_error *err) {
  vise_status status = VISE_OK;
  vise_i_cuda_watch *w = &b->watch;
  cudaEvent_t *const events[] = {&w->began, &w->ended, &w->first, &w->last};
  for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
    if (!*events[i]) VISE_I_CUDA_TRY(b->cx, cudaEventCreate(events[i]));
  }
done:
  return status;
}

vise_status vise_i_cuda_watch_begin(vise_i_cuda *b, vise_error *err) {
  vise_status status = VISE_OK;
  if (b->watch.runs) VISE_I_CUDA_TRY(b->cx, cudaEventRecord(b->watch.first, b->cx->steps));
done:
  return status;
}

vise_status vise_i_cuda_watch_launched(vise_i_cuda *b, vise_error *err) {
  vise_status status = VISE_OK;
  if (b->watch.runs) VISE_I_CUDA_TRY(b->cx, cudaEventRecord(b->watch.last, b->cx->steps));
done:
  return status;
}

vise_status vise_i_cuda_watch_end(vise_i_cuda *b, vise_error *err) {
  vise_status status = VISE_OK;
  float ms = 0;
  if (!b->watch.runs) return VISE_OK;
  VISE_I_CUDA_TRY(b->cx, cudaEventElapsedTime(&ms, b->watch.first, b->watch.last));
  b->watch.launch_seconds += 1e-3 * (double)ms;
done:
  return status;
}

static vise_status clock_start(vise_i_backend *backend, vise_error *err) {
  vise_i_cuda *b = vise_i_cuda_of(backend);
  vise_status status;
  VISE_TRY(vise_i_cuda_enter(b, err));
  VISE_TRY(make_events(b, err));
  b->watch.launch_seconds = 0;
  b->watch.runs = true;
  VISE_I_CUDA_TRY(b->cx, cudaEventRecord(b->watch.began, b->cx->steps));
done:
  return status;
}

static vise_status clock_stop(vise_i_backend *backend, double *seconds, double *launch_seconds, vise_error *err) {
  vise_i_cuda *b = vise_i_cuda_of(backend);
  vise_status status;
  float ms = 0;

  b->watch.runs = false;
  VISE_TRY(vise_i_cuda_enter(b, err));
  VISE_I_CUDA_TRY(b->cx, cudaEventRecord(b->watch.ended, b->cx->steps));
  VISE_I_CUDA_TRY(b->cx, cudaEventSynchronize(b->watch.ended));
  VISE_I_CUDA_TRY(b->cx, cudaEventElapsedTime(&ms, b->watch.began, b->watch.ended));

  *seconds = 1e-3 * (double)ms;
  *launch_seconds = b->watch.launch_seconds;

done:
  return status;
}

/* ---- the floor ---- */

static double floor_us(const vise_i_backend *backend, size_t row_bytes, uint64_t steps_per_launch) {
  const vise_i_cuda *b = (const vise_i_cuda *)backend;
  vise_i_plan_cost cost;
  if (b->unfused) return NAN;
  vise_i_plan_cost_of(&b->train.plan, row_bytes, &cost);
  /* Steps of one launch share its cost. */
  const double shared = steps_per_launch > 1 ? cost.launch_us * (1 - 1 / (double)steps_per_launch) : 0;
  return cost.floor_us - shared;
}

/* ---- clocks ---- */

static vise_status parts_open(vise_i_backend *backend, uint64_t steps_per_launch, vise_error *err) {
  vise_i_cuda *b = vise_i_cuda_of(backend);
  vise_status status;
  vise_i_cuda_watch *w = &b->watch;
  char *memory = NULL;

  VISE_TRY(vise_i_cuda_enter(b, err));
  if (b->unfused) VISE_TRY(vise_i_fail(err, VISE_ERR_UNSUPPORTED, "only the fused step has phases with clocks"));

  if (!w->clocks) {
    VISE_TRY(vise_i_cuda_alloc(b->cx, VISE_K_N_CLOCKS * sizeof *w->clocks, "clocks", &memory, err));
    w->clocks = (uint64_t *)(void *)memory;
    VISE_I_CUDA_TRY(b->cx, cudaMemsetAsync(w->clocks, 0, VISE_K_N_CLOCKS * sizeof *w->clocks, b->cx->steps));
    w->steps_per_launch = b->base.spec.steps_per_launch;
    w->n_steps = 0;
  }

  b->base.spec.steps_per_launch = steps_per_launch;

done:
  return status;
}

static vise_status parts_read(vise_i_backend *backend, vise_i_meter_parts *out, vise_error *err) {
  vise_i_cuda *b = vise_i_cuda_of(backend);
  vise_status status;
  uint64_t clocks[VISE_K_N_CLOCKS];

  VISE_TRY(vise_i_cuda_enter(b, err));
  if (!b->watch.clocks || b->watch.n_steps == 0) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_INTERNAL, "cuda: no launch has noted clocks"));
  }

  VISE_TRY(vise_i_cuda_download(b->cx, clocks, b->watch.clocks, sizeof clocks, err));
  vise_i_step_parts(&b->train.step, clocks, b->watch.n_steps, out);
  out->launch_seconds = b->watch.launch_seconds;

done:
  return status;
}

static void parts_close(vise_i_backend *backend) {
  vise_i_cuda *b = vise_i_cuda_of(backend);
  vise_i_cuda_watch *w = &b->watch;
  if (!w->clocks) return;
  char *clocks = (char *)w->clocks;
  vise_i_cuda_release(b->cx, &clocks, VISE_K_N_CLOCKS * sizeof *w->clocks);
  w->clocks = NULL;
  b->base.spec.steps_per_launch = w->steps_per_launch;
}

const vise_i_meter *vise_i_cuda_meter(void) {
  static const vise_i_meter meter = {
      .describe = vise_i_cuda_rates_describe,
      .measure = vise_i_cuda_rates_measure,
      .clock_start = clock_start,
      .clock_stop = clock_stop,
      .floor_us = floor_us,
      .parts_open = parts_open,
      .parts_read = parts_read,
      .parts_close = parts_close,
  };

  return &meter;
}
