/* The plan of the cuda backend for a training that need not be run. */
#include "host/backend/cuda/device.h"
#include "host/backend/public_plan.h"
#include "host/base/call.h"
#include "host/base/struct.h"
#include "host/train/config.h"
#include "host/train/resolve.h"
#include "vise/plan.h"

vise_status vise_plan_device_get(int index, vise_plan_device *out, vise_error *err) {
  vise_i_cuda_device device;
  VISE_ENTER(err, out);
  const vise_status status = vise_i_cuda_describe(index, &device, err);
  if (status != VISE_OK) return status;
  *out = (vise_plan_device){device.n_sms, device.shared_bytes, (size_t)device.n_bytes};
  return VISE_OK;
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
  return status;
}

vise_status(vise_plan_make)(const vise_train_config *config, const vise_net_config *net, size_t n_rows,
                            size_t row_bytes, const vise_plan_device *device, vise_plan *out, vise_error *err) {
  return vise_plan_make_sized(VISE_I_BYTES_UP_TO(vise_plan, floor_us), config, net, n_rows, row_bytes, device, out,
                              err);
}
