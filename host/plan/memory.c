/* The arrays of a plan: how large they are, where they lie, and whether they fit. */
#include "host/plan/plan.h"

static const struct {
  const char *name;
  size_t element_bytes;
} ARRAYS[VISE_I_PLAN_N_ARRAYS] = {
    [VISE_I_PLAN_PARAMS] = {"weights", sizeof(float)},
    [VISE_I_PLAN_MOMENT1] = {"first moments", sizeof(float)},
    [VISE_I_PLAN_MOMENT2] = {"second moments", sizeof(float)},
    [VISE_I_PLAN_GRADIENTS] = {"gradients", sizeof(float)},
    [VISE_I_PLAN_PARTS] = {"partial gradients", sizeof(float)},
    [VISE_I_PLAN_MASK] = {"mask", sizeof(uint8_t)},
    [VISE_I_PLAN_INPUTS] = {"gathered rows", sizeof(float)},
    [VISE_I_PLAN_ACTIVATIONS] = {"activations", sizeof(float)},
    [VISE_I_PLAN_PARAMS16] = {"weights in bf16", sizeof(uint16_t)},
    [VISE_I_PLAN_INPUTS16] = {"rows in bf16", sizeof(uint16_t)},
    [VISE_I_PLAN_ACTIVATIONS16] = {"activations in bf16", sizeof(uint16_t)},
    [VISE_I_PLAN_ROW_LOSSES] = {"losses of rows", sizeof(double)},
    [VISE_I_PLAN_GRADIENT_SUMS] = {"sums of gradients", sizeof(double)},
    [VISE_I_PLAN_GRADIENT_MAX] = {"largest gradients", sizeof(float)},
    [VISE_I_PLAN_WEIGHT_SUMS] = {"sums of weights", sizeof(double)},
    [VISE_I_PLAN_NORM_SUMS] = {"norms of weights", sizeof(double)},
    [VISE_I_PLAN_GROUP_SUMS] = {"sums of groups", sizeof(double)},
    [VISE_I_PLAN_WEIGHT_ROW_SUMS] = {"sums of rows of weights", sizeof(double)},
    [VISE_I_PLAN_UNIT_SUMS] = {"sums of units", sizeof(double)},
    [VISE_I_PLAN_UNIT_MAX] = {"largest of units", sizeof(float)},
    [VISE_I_PLAN_UNIT_SCALES] = {"scales of units", sizeof(float)},
    [VISE_I_PLAN_NORM_UNIT_SUMS] = {"norms of units", sizeof(double)},
    [VISE_I_PLAN_ROUNDED] = {"rounded weights", sizeof(float)},
    [VISE_I_PLAN_SCALES] = {"scales", sizeof(float)},
    [VISE_I_PLAN_STATISTICS] = {"batch statistics", sizeof(double)},
    [VISE_I_PLAN_NORM_GRADIENTS] = {"norm gradients", sizeof(float)},
    [VISE_I_PLAN_SLOTS] = {"exchange", 32}, /* two sets of 16 bytes */
};

const char *vise_i_plan_array_name(vise_i_plan_array_id id) {
  return ARRAYS[id].name;
}

static void count_elements(const vise_i_plan_request *request, vise_i_plan *plan) {
  const vise_k_step *step = &plan->step;
  const vise_i_rule *rule = &step->rule;
  vise_i_plan_array *a = plan->arrays;

  a[VISE_I_PLAN_PARAMS].n_elements = plan->n_values;
  a[VISE_I_PLAN_SLOTS].n_elements = step->n_slots;
  if (step->rounds) a[VISE_I_PLAN_ROUNDED].n_elements = plan->n_params;
  if (step->rounds) a[VISE_I_PLAN_SCALES].n_elements = step->n_units + 2 * step->n_layers;
  const size_t n_inputs = request->n_parts > 2 ? request->n_parts : 2; /* of this step and the next, or of each part */
  a[VISE_I_PLAN_INPUTS].n_elements = n_inputs * step->max_rows * step->ld_inputs;
  if (plan->variant == VISE_K_BF16) {
    a[VISE_I_PLAN_PARAMS16].n_elements = plan->n_params;
    a[VISE_I_PLAN_INPUTS16].n_elements = a[VISE_I_PLAN_INPUTS].n_elements;
    a[VISE_I_PLAN_ACTIVATIONS16].n_elements = a[VISE_I_PLAN_ACTIVATIONS].n_elements;
  }

  if (request->forward_only) return;

  const bool by_units = vise_i_scales_units(rule), by_max = vise_i_clips_by_max(rule);
  const bool norm_by_units = vise_i_bounds_unit_norms(rule);
  const size_t n_sums = step->sums_by_rows ? step->n_row_leaves : step->n_cells;
  const size_t n_weight_sums = step->weight_sums_by_rows ? step->n_row_leaves : step->n_cells;

  a[VISE_I_PLAN_STATISTICS].n_elements =
      (request->n_parts > 0 ? 2 * VISE_K_MOST_PARTS : 1) * (size_t)plan->n_statistics;
  a[VISE_I_PLAN_NORM_GRADIENTS].n_elements = plan->n_statistics;
  if (step->has_moment1) a[VISE_I_PLAN_MOMENT1].n_elements = plan->n_params;
  if (step->has_moment2) a[VISE_I_PLAN_MOMENT2].n_elements = plan->n_params;
  if (step->has_mask) a[VISE_I_PLAN_MASK].n_elements = plan->n_params;
  a[VISE_I_PLAN_GRADIENTS].n_elements = (request->n_gradients > 0 ? request->n_gradients : 1) * plan->n_params;
  if (step->gradient_parts) a[VISE_I_PLAN_PARTS].n_elements = vise_i_plan_most_slices(step->max_rows) * plan->n_params;

  a[VISE_I_PLAN_ROW_LOSSES].n_elements = step->max_rows;
  a[VISE_I_PLAN_GRADIENT_SUMS].n_elements = n_sums;
  if (by_max) a[VISE_I_PLAN_GRADIENT_MAX].n_elements = n_sums;
  if (step->weight_sums_needed) a[VISE_I_PLAN_WEIGHT_SUMS].n_elements = 4 * n_weight_sums;
  if (rule->max_norm != 0) a[VISE_I_PLAN_NORM_SUMS].n_elements = norm_by_units ? step->n_row_leaves : n_weight_sums;
  if (step->sum_phase) a[VISE_I_PLAN_GROUP_SUMS].n_elements = (size_t)3 * step->n_groups;
  if (by_units) a[VISE_I_PLAN_UNIT_SUMS].n_elements = a[VISE_I_PLAN_UNIT_SCALES].n_elements = step->n_units;
  if (norm_by_units) a[VISE_I_PLAN_NORM_UNIT_SUMS].n_elements = step->n_units;
  if (by_units && by_max) a[VISE_I_PLAN_UNIT_MAX].n_elements = step->n_units;
  if (vise_i_weighs_units(rule)) a[VISE_I_PLAN_WEIGHT_ROW_SUMS].n_elements = step->n_row_leaves;
}

static void put(vise_i_plan_array *array, size_t guard_bytes, size_t *at) {
  if (array->n_bytes == 0) return;
  array->offset = *at;
  *at += vise_i_round_up(array->n_bytes, VISE_I_PLAN_ALIGN) + guard_bytes;
}

void vise_i_plan_memory(const vise_i_plan_request *request, vise_i_plan *plan) {
  plan->guard_bytes = request->hooks.guard_bytes;
  plan->n_bytes = request->hooks.guard_bytes;
  count_elements(request, plan);
  for (size_t i = 0; i < VISE_I_PLAN_N_ARRAYS; i++) {
    vise_i_plan_array *array = &plan->arrays[i];
    array->n_bytes = array->n_elements * ARRAYS[i].element_bytes;
    put(array, plan->guard_bytes, &plan->n_bytes);
  }
}

void vise_i_plan_join(vise_i_plan *a, vise_i_plan *b) {
  size_t at = a->guard_bytes;
  for (size_t i = 0; i < VISE_I_PLAN_N_ARRAYS; i++) {
    if (i == VISE_I_PLAN_SLOTS) continue;
    vise_i_plan_array *larger = a->arrays[i].n_bytes < b->arrays[i].n_bytes ? &b->arrays[i] : &a->arrays[i];
    put(larger, a->guard_bytes, &at);
    a->arrays[i] = b->arrays[i] = *larger;
  }
  put(&a->arrays[VISE_I_PLAN_SLOTS], a->guard_bytes, &at);
  put(&b->arrays[VISE_I_PLAN_SLOTS], a->guard_bytes, &at);
  a->n_bytes = b->n_bytes = at;
}

vise_status vise_i_plan_check_memory(const vise_i_plan *plan, size_t n_bytes, vise_error *err) {
  size_t largest = 0;
  if (n_bytes == 0 || plan->n_bytes <= n_bytes) return VISE_OK;

  for (size_t i = 0; i < VISE_I_PLAN_N_ARRAYS; i++) {
    if (plan->arrays[i].n_bytes > plan->arrays[largest].n_bytes) largest = i;
  }

  const bool by_rows = largest == VISE_I_PLAN_ACTIVATIONS || largest == VISE_I_PLAN_INPUTS ||
                       largest == VISE_I_PLAN_PARTS; /* those in bf16 are smaller */
  return vise_i_fail(err, VISE_ERR_MEMORY,
                     "the step needs %zu bytes of device memory, %zu more than the %zu there are; the largest part, "
                     "%zu bytes, are the %s of %s: use %s",
                     plan->n_bytes, plan->n_bytes - n_bytes, n_bytes, plan->arrays[largest].n_bytes,
                     ARRAYS[largest].name, by_rows ? "a batch" : "the net",
                     by_rows ? "a smaller `batch`" : "smaller `widths`");
}
