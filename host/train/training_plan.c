/* The plan of the cuda backend for a training that need not be run. */
#include "host/backend/cuda/device.h"
#include "host/backend/group.h"
#include "host/backend/public_plan.h"
#include "host/base/call.h"
#include "host/base/struct.h"
#include "host/train/config.h"
#include "host/train/quantize.h"
#include "host/train/resolve.h"
#include "host/train/schedule.h"
#include "vise/plan.h"

vise_status vise_plan_device_get(int index, vise_plan_device *out, vise_error *err) {
  vise_i_cuda_device device;
  VISE_ENTER(err, out);
  const vise_status status = vise_i_cuda_describe(index, &device, err);
  if (status != VISE_OK) return status;
  *out = (vise_plan_device){device.n_sms, device.shared_bytes, (size_t)device.n_bytes};
  return VISE_OK;
}

/* With `quantize` the step is that of an integer net, which does not depend on its scales; *out is to be freed. */
static vise_status plan_integers(const vise_train_config *config, vise_i_step_spec *spec, vise_i_quantization **out,
                                 vise_error *err) {
  vise_status status;
  vise_i_integer_format format;
  VISE_TRY(vise_i_quantize_format(config, &format, err));
  if (format.acc_bits == 0) goto done;
  VISE_TRY(vise_i_integer_check_net(spec->net, true, err));
  VISE_TRY(vise_i_quantization_make(spec->net, &format, out, err));
  spec->quantization = *out;
done:
  return status;
}

vise_status vise_plan_make_sized(size_t out_bytes, const vise_train_config *config, const vise_net_config *net,
                                 size_t n_rows, size_t row_bytes, const vise_plan_device *device, vise_plan *out,
                                 vise_error *err) {
  vise_status status;
  vise_plan plan;
  vise_i_net made;
  vise_i_step_spec spec;
  vise_plan_device limited = {0};
  vise_train_config own;
  vise_i_quantization *quantization = NULL;

  VISE_ENTER(err, config, net, out);
  VISE_TRY(vise_i_train_config_take(config, &own, err));
  config = &own;
  VISE_TRY(vise_i_net_make(net, &made, err));
  VISE_TRY(vise_i_config_validate_net(config, &made, err));
  if (config->batch == 0 && n_rows == 0) {
    VISE_TRY(
        vise_i_fail(err, VISE_ERR_USAGE, "a full `batch` needs training data: the plan depends on the number of rows"));
  }

  VISE_TRY(vise_i_resolve_spec(config, &made, n_rows, config->weight_op.kind == VISE_PRUNE, &spec, err));
  vise_i_resolve_way(VISE_BACKEND_CUDA, &spec);
  VISE_TRY(plan_integers(config, &spec, &quantization, err));
  if (spec.step_mode != VISE_STEP_FUSED) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_UNSUPPORTED, "`step_mode` %s: only the fused step has a plan",
                         vise_step_mode_name(spec.step_mode)));
  }

  if (config->device_memory_limit > 0 && device != NULL) {
    limited = *device;
    limited.memory_bytes = config->device_memory_limit;
    device = &limited;
  }
  VISE_TRY(vise_i_public_plan(&spec, device, row_bytes, &plan, err));
  vise_i_struct_give(out, out_bytes, &plan, sizeof(plan));

done:
  vise_i_quantization_free(quantization);
  return status;
}

vise_status(vise_plan_make)(const vise_train_config *config, const vise_net_config *net, size_t n_rows,
                            size_t row_bytes, const vise_plan_device *device, vise_plan *out, vise_error *err) {
  return vise_plan_make_sized(VISE_I_BYTES_UP_TO(vise_plan, floor_us), config, net, n_rows, row_bytes, device, out,
                              err);
}

/* ---- many nets ----------------------------------------------------------------------------------------------------- */

static vise_plan_many_request request_defaults(void) {
  return (vise_plan_many_request){.struct_size = sizeof(vise_plan_many_request), .n_nets = 1};
}

VISE_I_DEFINE_INIT(vise_plan_many_request, device, request_defaults)

/* Steps of one net, and of an epoch. */
static void count_steps(const vise_train_config *config, size_t n_rows, uint64_t *n_steps, uint64_t *per_epoch) {
  const size_t batch = config->batch == 0 || config->batch > n_rows ? n_rows : config->batch;
  *per_epoch = config->drop_last ? n_rows / batch : (n_rows + batch - 1) / batch;
  *n_steps = vise_i_planned_steps(config, *per_epoch);
}

static vise_status check_many(const vise_plan_many_request *r, vise_error *err) {
  if (r->training == NULL || r->net == NULL) {
    return vise_i_fail(err, VISE_ERR_USAGE, "vise_plan_many_request: `%s` is NULL",
                       r->net == NULL ? "net" : "training");
  }
  if (r->n_nets == 0 || r->n_rows == 0) {
    return vise_i_fail(err, VISE_ERR_USAGE, "vise_plan_many_request: `%s` is 0", r->n_nets == 0 ? "n_nets" : "n_rows");
  }
  return VISE_OK;
}

/* The step of one of the nets. */
static vise_status resolve_one(const vise_plan_many_request *r, vise_i_net *net, vise_train_config *config,
                               vise_i_step_spec *spec, vise_error *err) {
  vise_status status;
  VISE_TRY(vise_i_train_config_take(r->training, config, err));
  VISE_TRY(vise_i_net_make(r->net, net, err));
  VISE_TRY(vise_i_config_validate_net(config, net, err));
  if (config->quantize != NULL) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_UNSUPPORTED, "`quantize`: cuda trains one such net to a launch"));
  }
  VISE_TRY(vise_i_resolve_spec(config, net, r->n_rows, config->weight_op.kind == VISE_PRUNE, spec, err));
  vise_i_resolve_way(VISE_BACKEND_CUDA, spec);
done:
  return status;
}

vise_status vise_plan_many_make_sized(size_t out_bytes, const vise_plan_many_request *request, vise_plan_many *out,
                                      vise_error *err) {
  vise_status status;
  vise_plan_many_request r = request_defaults();
  vise_i_net net;
  vise_train_config config;
  vise_i_step_spec spec;
  const vise_i_step_spec *const kinds[] = {&spec};
  vise_i_plan_machine machine = VISE_I_PLAN_H200;
  vise_i_plan_teams teams;
  uint64_t n_steps, per_epoch;

  VISE_ENTER(err, request, out);
  VISE_TRY(vise_i_config_take(&r, sizeof r, request, "vise_plan_many_request", err));
  VISE_TRY(check_many(&r, err));
  VISE_TRY(resolve_one(&r, &net, &config, &spec, err));
  if (r.device != NULL) {
    machine =
        (vise_i_plan_machine){(uint32_t)r.device->n_multiprocessors, r.device->shared_bytes, r.device->memory_bytes};
  }
  if (config.device_memory_limit > 0) machine.memory_bytes = config.device_memory_limit;

  count_steps(&config, r.n_rows, &n_steps, &per_epoch);
  const uint64_t at_once = per_epoch < VISE_MAX_STEPS_PER_LAUNCH ? per_epoch : VISE_MAX_STEPS_PER_LAUNCH;
  const vise_i_group_request group = {kinds, 1, r.n_nets, (size_t)at_once, r.data_bytes, &machine};
  VISE_TRY(vise_i_group_plan(&group, &teams, err));

  const vise_plan_many made = {
      .n_ctas = teams.n_members,
      .ctas_per_sm = teams.ctas_per_sm,
      .n_at_once = teams.n_at_once,
      .bucket = teams.bucket,
      .n_buckets = teams.n_buckets,
      .net_bytes = teams.member_bytes + teams.launch_bytes,
      .n_bytes = teams.n_bytes,
      .n_steps = n_steps,
      .step_us = teams.step_us,
      .seconds = vise_i_plan_teams_us(&teams, r.n_nets, (double)n_steps, (double)at_once) / 1e6,
  };
  vise_i_struct_give(out, out_bytes, &made, sizeof made);

done:
  return status;
}

vise_status(vise_plan_many_make)(const vise_plan_many_request *request, vise_plan_many *out, vise_error *err) {
  return vise_plan_many_make_sized(VISE_I_BYTES_UP_TO(vise_plan_many, seconds), request, out, err);
}
