/* Weights, moments and mask between the flat arrays of the interface and the padded ones of the device; projection. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/backend/cuda/cuda.h"
#include "host/backend/cuda/unfused.h"
#include "host/base/memory.h"
#include "kernels/round_bf16.h"

/* Where a tensor is in the device layout. A bias is one row. */
typedef struct place {
  uint64_t first;
  size_t n_rows, n_columns, ld;
} place;

static place place_of(const vise_i_cuda *b, size_t tensor) {
  const vise_i_tensor *t = &b->net->tensors[tensor];
  const vise_k_layer *layer = &b->train.step.layers[t->layer];
  switch (t->role) {
    case VISE_I_WEIGHT:
      return (place){layer->weight, t->n_rows, t->n_cols, layer->ld};
    case VISE_I_BIAS:
    case VISE_I_GAIN:
      return (place){layer->vector, 1, t->n_rows, t->n_rows};
    case VISE_I_SHIFT:
      return (place){vise_k_vector_of(layer, 1).at, 1, t->n_rows, t->n_rows};
    case VISE_I_RUNNING_MEAN:
      return (place){vise_k_running(layer), 1, t->n_rows, t->n_rows};
    case VISE_I_RUNNING_VARIANCE:
      break;
  }
  return (place){vise_k_running_variance(layer), 1, t->n_rows, t->n_rows};
}

/* Rows of the first n tensors from one layout to the other. */
static void repack(const vise_i_cuda *b, size_t n, char *device, char *flat, size_t element_bytes, bool to_device) {
  for (size_t i = 0; i < n; i++) {
    const place at = place_of(b, i);
    for (size_t r = 0; r < at.n_rows; r++) {
      char *padded = device + (at.first + r * at.ld) * element_bytes;
      char *dense = flat + (b->net->tensors[i].offset + r * at.n_columns) * element_bytes;
      memcpy(to_device ? padded : dense, to_device ? dense : padded, at.n_columns * element_bytes);
    }
  }
}

void vise_i_cuda_unpack(const vise_i_cuda *b, float *out) {
  repack(b, b->net->n_tensors, (char *)b->cx->flat, (char *)out, sizeof(float), false);
}

/* The scales of an integer net: those of the rows of all layers one after the other, then those of values; on the device
   the units of biases lie between. */
static void repack_scales(const vise_i_cuda *b, float *device, float *flat, bool to_device) {
  const vise_k_step *step = &b->train.step;
  const vise_i_quantization *q = b->base.spec.quantization;
  for (size_t l = 0; l < q->n_layers; l++) {
    float *const rows = device + step->layers[l].weight_at.units, *const own = flat + q->first_row[l];
    const size_t n_bytes = step->layers[l].n_out * sizeof *flat;
    memcpy(to_device ? rows : own, to_device ? own : rows, n_bytes);
  }
  float *const values = device + step->n_units, *const own = flat + q->n_rows;
  memcpy(to_device ? values : own, to_device ? own : values, q->n_layers * sizeof *flat);
  for (size_t l = 0; to_device && l < q->n_layers; l++) values[q->n_layers + l] = 1.0f / own[l];
}

/* An array of state between the device's layout, in b->cx->flat, and the interface's. */
static void convert(const vise_i_cuda *b, vise_i_state which, void *flat, bool to_device) {
  char *const device = (char *)b->cx->flat;
  if (which == VISE_I_SCALES) {
    repack_scales(b, b->cx->flat, flat, to_device);
    return;
  }
  repack(b, which == VISE_I_PARAMS ? b->net->n_all_tensors : b->net->n_tensors, device, flat,
         which == VISE_I_MASK ? sizeof(uint8_t) : sizeof(float), to_device);
}

/* Elements of an array of state on the device. */
static uint64_t n_elements(const vise_i_cuda *b, vise_i_state which) {
  if (which == VISE_I_SCALES) return b->train.plan.arrays[VISE_I_PLAN_SCALES].n_elements;
  return which == VISE_I_PARAMS ? b->train.plan.n_values : b->train.plan.n_params;
}

static void *state_array(const vise_i_cuda *b, vise_i_state which, size_t *element_bytes) {
  const vise_k_step *step = &b->train.step;
  *element_bytes = which == VISE_I_MASK ? sizeof(uint8_t) : sizeof(float);

  switch (which) {
    case VISE_I_PARAMS:
      return step->params;
    case VISE_I_MOMENT1:
      return step->moment1;
    case VISE_I_MOMENT2:
      return step->moment2;
    case VISE_I_MASK:
      return (void *)(uintptr_t)step->mask;
    case VISE_I_SCALES:
      return step->rounds ? (void *)(uintptr_t)step->rounding.scales : NULL;
    case VISE_I_ROUNDED:
      return step->rounds ? step->rounding.rounded : NULL;
    case VISE_I_N_STATES:
      break;
  }

  return NULL;
}

bool vise_i_cuda_has_state(const vise_i_backend *backend, vise_i_state which) {
  size_t element_bytes;
  return state_array((const vise_i_cuda *)backend, which, &element_bytes) != NULL;
}

vise_status vise_i_cuda_get_state(vise_i_backend *backend, vise_i_state which, void *out, vise_error *err) {
  vise_i_cuda *b = vise_i_cuda_of(backend);
  vise_status status;
  size_t element_bytes;
  const void *from = state_array(b, which, &element_bytes);
  VISE_TRY(vise_i_cuda_enter(b, err));
  if (!from) VISE_TRY(vise_i_fail(err, VISE_ERR_INTERNAL, "cuda: state %d is not kept", (int)which));
  if (which == VISE_I_ROUNDED) VISE_TRY(vise_i_cuda_renew_sums(b, err));
  VISE_TRY(vise_i_cuda_download(b->cx, b->cx->flat, from, n_elements(b, which) * element_bytes, err));
  convert(b, which, out, false);
done:
  return status;
}

vise_status vise_i_cuda_set_state(vise_i_backend *backend, vise_i_state which, const void *values, vise_error *err) {
  vise_i_cuda *b = vise_i_cuda_of(backend);
  vise_status status;
  size_t element_bytes;
  void *to = state_array(b, which, &element_bytes);
  const size_t n_bytes = n_elements(b, which) * element_bytes;

  VISE_TRY(vise_i_cuda_enter(b, err));
  if (!to) VISE_TRY(vise_i_fail(err, VISE_ERR_INTERNAL, "cuda: state %d is not kept", (int)which));
  if (which == VISE_I_ROUNDED) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_INTERNAL, "cuda: rounded weights follow from the others"));
  }

  memset(b->cx->flat, 0, n_bytes); /* the padding is 0 */
  convert(b, which, (void *)(uintptr_t)values, true);
  VISE_TRY(vise_i_cuda_upload(b->cx, to, b->cx->flat, n_bytes, err));

  if (which == VISE_I_PARAMS || which == VISE_I_SCALES) b->sums_are_old = true;
  if (which == VISE_I_PARAMS && b->train.step.params16) {
    const vise_k_step *step = &b->train.step;
    VISE_I_CUDA_TRY(b->cx, vise_k_round_bf16(step->params, step->params16, step->n_params, b->cx->steps));
  }

done:
  return status;
}

vise_k_step_record vise_i_cuda_project_record(const vise_i_hyper *hyper) {
  const vise_i_hyper bounds = {0, 1, hyper->clamp_factor, 0, hyper->row_l1_factor};
  return (vise_k_step_record){.hyper = bounds, .denominator = 1, .n_rows = 1};
}

static vise_status launch_project(vise_i_cuda *b, const vise_k_step *step, const vise_i_hyper *hyper, vise_error *err) {
  vise_status status;
  b->cx->mail->records[0] = vise_i_cuda_project_record(hyper);
  VISE_TRY(vise_i_cuda_call(b, &b->train, step, err));
  b->sums_are_old = false;
done:
  return status;
}

vise_status vise_i_cuda_project(vise_i_backend *backend, const vise_i_hyper *hyper, vise_error *err) {
  vise_i_cuda *b = vise_i_cuda_of(backend);
  vise_status status;
  VISE_TRY(vise_i_cuda_enter(b, err));
  const vise_k_step step = vise_i_cuda_mode_step(&b->train, VISE_K_PROJECT);
  VISE_TRY(launch_project(b, &step, hyper, err));
done:
  return status;
}

vise_k_step vise_i_cuda_sums_step(const vise_i_cuda *b) {
  vise_i_cuda_team open = b->train;
  for (size_t l = 0; l < VISE_K_MAX_LAYERS; l++) open.step.layers[l].box = (vise_i_box){-INFINITY, INFINITY};
  open.step.rule.max_norm = 0;
  open.step.norm_sums = open.step.norm_unit_sums = NULL;
  open.step.has_mask = 0;
  open.step.bounds_rows = 0;
  if (open.step.rounds) open.step.rounding.bounds = 0;
  return vise_i_cuda_mode_step(&open, VISE_K_PROJECT);
}

bool vise_i_cuda_needs_sums(const vise_i_cuda *b) {
  return b->sums_are_old && (b->train.step.weight_sums_needed || b->train.step.rounds);
}

vise_status vise_i_cuda_renew_sums(vise_i_cuda *b, vise_error *err) {
  if (!vise_i_cuda_needs_sums(b)) return VISE_OK;
  const vise_k_step step = vise_i_cuda_sums_step(b);
  const vise_i_hyper open = {.clip_factor = 1, .clamp_factor = 1, .row_l1_factor = 1};
  return launch_project(b, &step, &open, err);
}
