/* The arena of a backend: where its arrays are in device memory. */
#include "host/base/memory.h"

#include <stdlib.h>
#include <string.h>

#include "host/backend/cuda/parts.h"
#include "host/backend/cuda/unfused.h"

enum { GUARD_BYTE = 0xA5 };

vise_status vise_i_cuda_enter(vise_i_cuda *b, vise_error *err) {
  return vise_i_cuda_enter_context(b->cx, err);
}

/* ---- the arena: the plan's arrays, then what this backend adds ---- */

static void *array_at(const vise_i_cuda *b, const vise_i_plan *plan, vise_i_plan_array_id id) {
  const vise_i_plan_array *array = &plan->arrays[id];
  return array->n_bytes > 0 && b->arena ? b->arena + array->offset : NULL;
}

static void place_team(vise_i_cuda *b, vise_i_cuda_team *team, vise_i_cuda_placer *common, size_t n_records) {
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
  if (step->rounds) {
    step->rounding.rounded = array_at(b, plan, VISE_I_PLAN_ROUNDED);
    step->rounding.scales = array_at(b, plan, VISE_I_PLAN_SCALES);
  }
  step->norm_unit_sums = array_at(b, plan, VISE_I_PLAN_NORM_UNIT_SUMS);
  step->statistics = array_at(b, plan, VISE_I_PLAN_STATISTICS);
  step->norm_gradients = array_at(b, plan, VISE_I_PLAN_NORM_GRADIENTS);
  step->slots = array_at(b, plan, VISE_I_PLAN_SLOTS);

  step->state = vise_i_cuda_place(common, sizeof(vise_k_step_state));
  step->records = vise_i_cuda_place(common, n_records * sizeof(vise_k_step_record));
  step->stats = vise_i_cuda_place(common, n_records * sizeof(vise_k_step_stats));
}

size_t vise_i_cuda_common_bytes(void) {
  vise_i_cuda_placer p = {0};
  for (size_t team = 0; team < 2; team++) {
    const size_t n_records = team == 0 ? VISE_I_CUDA_RECORDS : 1;
    (void)vise_i_cuda_place(&p, sizeof(vise_k_step_state));
    (void)vise_i_cuda_place(&p, n_records * sizeof(vise_k_step_record));
    (void)vise_i_cuda_place(&p, n_records * sizeof(vise_k_step_stats));
  }
  return p.at;
}

/* Once to count, once with memory. */
size_t vise_i_cuda_place_all(vise_i_cuda *b, char *common) {
  vise_i_cuda_placer p = {b->arena, b->train.plan.n_bytes, b->base.spec.hooks.guard_bytes};
  vise_i_cuda_placer other = {common, 0, 0}, *shared = b->member.group ? &other : &p;
  const size_t n_out = b->net->widths[b->net->n_layers], n_columns[2] = {b->net->widths[0], n_out};

  place_team(b, &b->train, shared, VISE_I_CUDA_RECORDS);
  place_team(b, &b->wide, shared, 1);
  vise_i_cuda_place_scales(&p, n_columns, b->scales);

  b->class_weights =
      b->base.spec.class_weights ? vise_i_cuda_place(&p, (n_out == 1 ? 2 : n_out) * sizeof(float)) : NULL;
  b->external_delta = b->base.spec.rule.loss == VISE_LOSS_EXTERNAL
                          ? vise_i_cuda_place(&p, b->base.spec.max_batch * n_out * sizeof(float))
                          : NULL;

  vise_i_cuda_parts_place(b, &p);

  b->train.step.class_weights = b->wide.step.class_weights = b->class_weights;
  b->train.step.external_delta = b->external_delta;
#if VISE_WATCHDOG
  if (b->cx->device_mail) b->train.step.watchdog = b->wide.step.watchdog = &b->cx->device_mail->watchdog;
#endif
  return p.at;
}

vise_status vise_i_cuda_clear_arena(vise_i_cuda *b, vise_error *err) {
  vise_status status = VISE_OK;
  const size_t n_guard = b->base.spec.hooks.guard_bytes;
  const vise_i_cuda_team *const teams[] = {&b->train, &b->wide};

  VISE_I_CUDA_TRY(b->cx, cudaMemsetAsync(b->arena, n_guard > 0 ? GUARD_BYTE : 0, b->arena_bytes, b->cx->copies));
  for (size_t t = 0; t < 2; t++) {
    const vise_k_step *step = &teams[t]->step;
    for (int i = 0; n_guard > 0 && i < VISE_I_PLAN_N_ARRAYS; i++) {
      const vise_i_plan_array *array = &teams[t]->plan.arrays[i];
      if (array->n_bytes == 0) continue;
      VISE_I_CUDA_TRY(b->cx, cudaMemsetAsync(b->arena + array->offset, 0, array->n_bytes, b->cx->copies));
    }
    if (step->n_members > 1) {
      VISE_I_CUDA_TRY(b->cx, vise_k_exchange_prepare(step->slots, 1, step->n_slots, b->cx->copies));
    }
  }

  /* Many members are made one after the other; what comes next waits for the copies anyway. */
  if (!b->member.group) VISE_I_CUDA_TRY(b->cx, cudaStreamSynchronize(b->cx->copies));

done:
  return status;
}

vise_status vise_i_cuda_make_flat(vise_i_cuda *b, vise_error *err) {
  vise_i_cuda_context *cx = b->cx;
  return vise_i_grow(&cx->flat, &cx->n_flat, b->train.plan.n_values, sizeof(float), "weights", err);
}

vise_status vise_i_cuda_alloc_all(vise_i_cuda *b, vise_error *err) {
  vise_status status;
  const size_t n_bytes = vise_i_cuda_place_all(b, NULL), limit = b->cx->memory_limit;
  const size_t n_columns[2] = {b->net->widths[0], b->net->widths[b->net->n_layers]};

  if (limit > 0 && n_bytes > limit) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_MEMORY,
                         "`device_memory_limit` %zu: the step takes %zu bytes, %zu more, before there are any data",
                         limit, n_bytes, n_bytes - limit));
  }

  VISE_TRY(vise_i_cuda_make_flat(b, err));
  VISE_TRY(vise_i_cuda_alloc(b->cx, n_bytes, "the step", &b->arena, err));
  b->arena_bytes = n_bytes;
  VISE_TRY(vise_i_cuda_equip_context(b->cx, n_columns, err));
  vise_i_cuda_place_all(b, NULL);
  VISE_TRY(vise_i_cuda_clear_arena(b, err));

done:
  return status;
}

void vise_i_cuda_free_all(vise_i_cuda *b) {
  if (b->cx && cudaSetDevice(b->cx->device) != cudaSuccess) (void)cudaGetLastError();
  if (b->cx) vise_i_cuda_release(b->cx, &b->arena, b->arena_bytes);
  vise_i_cuda_close_context(b->cx);
}

/* ---- guards ---- */

vise_status vise_i_cuda_check_guards(vise_i_cuda *b, vise_error *err) {
  vise_status status = VISE_OK;
  unsigned char *bytes = NULL;
  const vise_i_plan *plan = &b->train.plan;
  const size_t n_guard = b->base.spec.hooks.guard_bytes;

  VISE_TRY(vise_i_cuda_enter(b, err));
  VISE_TRY(vise_i_alloc(&bytes, b->arena_bytes, 1, "guards", err));
  VISE_TRY(vise_i_cuda_download(b->cx, bytes, b->arena, b->arena_bytes, err));

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
