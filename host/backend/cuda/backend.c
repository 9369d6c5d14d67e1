/* The table of the CUDA backend: making and freeing. */
#include <stdlib.h>
#include <string.h>

#include "host/backend/cuda/group.h"
#include "host/backend/cuda/parts.h"
#include "host/backend/cuda/unfused.h"
#include "host/base/memory.h"

static void destroy(vise_i_backend *backend) {
  vise_i_cuda *b = vise_i_cuda_of(backend);
  if (!b) return;
  vise_i_cuda_parts_destroy(b); /* first: an exchange that the others do not come to would hold up the stream */
  if (b->cx) {
    if (b->cx->steps) (void)cudaStreamSynchronize(b->cx->steps);
    if (b->cx->copies) (void)cudaStreamSynchronize(b->cx->copies);
    vise_i_cuda_unbind(b);
    vise_i_unfused_destroy(b);
    vise_i_cuda_watch_free(b);
  }
  if (b->member.group) {
    vise_i_cuda_leave(b);
  } else {
    vise_i_cuda_free_all(b);
  }
  free(b);
}

static bool is_unfused(const vise_i_step_spec *spec) {
  return spec->step_mode == VISE_STEP_UNFUSED || spec->step_mode == VISE_STEP_UNFUSED_GRAPH;
}

static vise_status check_step_mode(const vise_i_step_spec *spec, vise_error *err) {
  if (!is_unfused(spec) || spec->steps_per_launch <= 1) return VISE_OK;
  return vise_i_fail(
      err, VISE_ERR_UNSUPPORTED,
      "`steps_per_launch` %llu: `step_mode` %s launches each step by itself; leave it 0, or use `step_mode` fused",
      (unsigned long long)spec->steps_per_launch, vise_step_mode_name(spec->step_mode));
}

/* Kernels of integer nets are those of float32, for one net to a launch. */
static vise_status check_quantization(const vise_i_step_spec *spec, vise_error *err) {
  if (spec->quantization == NULL) return VISE_OK;
  if (spec->group != NULL) {
    return vise_i_fail(err, VISE_ERR_UNSUPPORTED,
                       "`quantize`: a sweep on cuda does not have it; use `backend` cpu, or train one net at a time");
  }
  if (spec->precision == VISE_FP32 || spec->precision == VISE_PRECISION_AUTO) return VISE_OK;
  return vise_i_fail(err, VISE_ERR_UNSUPPORTED,
                     "`quantize`: not with `precision` %s, whose products round once more; use fp32",
                     vise_precision_name(spec->precision));
}

/* Lets the kernel of a team use the device's most shared memory, so that no backend takes back what another asked for,
   and checks that it has room. */
static vise_status prepare(vise_i_cuda *b, const vise_i_cuda_team *team, vise_error *err) {
  vise_status status = VISE_OK;
  int n_ctas = 0;
  VISE_I_CUDA_TRY(b->cx, vise_k_step_prepare(team->plan.variant, b->cx->most_shared, &n_ctas));
  if (n_ctas < 1) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_UNSUPPORTED, "CUDA device %d: a multiprocessor has no room for the step",
                         b->base.spec.device));
  }
done:
  return status;
}

static vise_status send_class_weights(vise_i_cuda *b, vise_error *err) {
  vise_status status = VISE_OK;
  const size_t n_out = b->net->widths[b->net->n_layers], n = n_out == 1 ? 2 : n_out;
  float *weights = NULL;
  if (!b->class_weights) return VISE_OK;
  VISE_TRY(vise_i_alloc(&weights, n, sizeof *weights, "class weights", err));
  for (size_t k = 0; k < n; k++) weights[k] = (float)b->base.spec.class_weights[k];
  VISE_TRY(vise_i_cuda_upload(b->cx, b->class_weights, weights, n * sizeof *weights, err));
done:
  free(weights);
  return status;
}

/* Until a mask is set, everything is kept. */
static vise_status open_mask(vise_i_cuda *b, vise_error *err) {
  vise_status status = VISE_OK;
  uint8_t *mask = NULL;
  if (!b->train.step.has_mask) return VISE_OK;
  VISE_TRY(vise_i_alloc(&mask, b->net->n_params, 1, "mask", err));
  memset(mask, 1, b->net->n_params);
  VISE_TRY(vise_i_cuda_set_state(&b->base, VISE_I_MASK, mask, err));
done:
  free(mask);
  return status;
}

/* Ranks of a machine take its devices in turn, from the asked one on. */
static int device_of(const vise_i_step_spec *spec) {
  const int n_devices = vise_i_cuda_n_devices();
  if (!vise_i_ranks_are_many(spec->ranks) || spec->device < 0 || spec->device >= n_devices) return spec->device;
  return (int)(((size_t)spec->device + vise_ranks_local_rank(spec->ranks)) % (size_t)n_devices);
}

static vise_status create(const vise_i_step_spec *spec, vise_i_backend **out, vise_error *err) {
  vise_status status = VISE_OK;
  vise_i_cuda *b = NULL;

  VISE_TRY(check_step_mode(spec, err));
  VISE_TRY(check_quantization(spec, err));
  VISE_TRY(vise_i_part_check(spec, err));
  VISE_TRY(vise_i_alloc_zero(&b, 1, sizeof *b, "backend", err));

  b->base.ops = &vise_i_backend_cuda;
  b->base.spec = *spec;
  b->base.spec.step_mode = vise_i_step_mode_of(spec);
  b->base.spec.device = device_of(spec);
  b->net = spec->net;
  b->train.state.counters.beta1_t = b->train.state.counters.beta2_t = 1;
  b->wide.state.counters = b->train.state.counters;
  b->sums_are_old = true;

  if (spec->group) {
    VISE_TRY(vise_i_cuda_join(b, err));
  } else {
    VISE_TRY(vise_i_cuda_parts_create(b, err));
    VISE_TRY(vise_i_cuda_open_context(b->base.spec.device, spec->device_memory_limit, &b->cx, err));
    VISE_TRY(vise_i_cuda_plan(b, err));
    VISE_TRY(prepare(b, &b->train, err));
    VISE_TRY(prepare(b, &b->wide, err));
    VISE_TRY(vise_i_cuda_alloc_all(b, err));
  }
  if (is_unfused(&b->base.spec)) VISE_TRY(vise_i_unfused_create(b, err));
  VISE_TRY(send_class_weights(b, err));
  VISE_TRY(open_mask(b, err));
  if (spec->quantization) VISE_TRY(vise_i_cuda_set_state(&b->base, VISE_I_SCALES, spec->quantization->scales, err));

  *out = &b->base;
  b = NULL;

done:
  if (b) destroy(&b->base);
  return status;
}

static vise_i_counters get_counters(const vise_i_backend *backend) {
  return ((const vise_i_cuda *)backend)->train.state.counters;
}

static void set_counters(vise_i_backend *backend, const vise_i_counters *counters) {
  vise_i_cuda_of(backend)->train.state.counters = *counters;
}

static uint64_t n_launches(const vise_i_backend *backend) {
  return ((const vise_i_cuda *)backend)->n_launches;
}

const vise_i_backend_ops vise_i_backend_cuda = {
    .name = "cuda",
    .dtype = VISE_F32,
    .create = create,
    .destroy = destroy,
    .has_state = vise_i_cuda_has_state,
    .get_state = vise_i_cuda_get_state,
    .set_state = vise_i_cuda_set_state,
    .get_counters = get_counters,
    .set_counters = set_counters,
    .project = vise_i_cuda_project,
    .bind = vise_i_cuda_bind,
    .set_order = vise_i_cuda_set_order,
    .run = vise_i_cuda_run,
    .step = vise_i_cuda_step,
    .forward = vise_i_cuda_forward,
    .full_gradient = vise_i_cuda_full_gradient,
    .n_launches = n_launches,
    .group = &vise_i_cuda_group_ops,
};
