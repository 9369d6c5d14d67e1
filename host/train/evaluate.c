/* Loss and accuracy of a model on a dataset. */
#include "vise/evaluate.h"

#include <stdlib.h>

#include "host/model/model.h"
#include "host/options/options.h"
#include "host/train/inference.h"
#include "host/train/metrics.h"
#include "host/train/resolve.h"

void vise_eval_config_init(vise_eval_config *config) {
  *config =
      (vise_eval_config){.struct_size = sizeof *config, .backend = VISE_BACKEND_AUTO, .precision = VISE_PRECISION_AUTO};
}

void vise_i_inference_close(vise_i_inference *inference) {
  if (inference->backend != NULL) inference->ops->destroy(inference->backend);
  vise_i_scales_free(&inference->scales);
  vise_model_free(inference->model);
  *inference = (vise_i_inference){0};
}

static vise_status check_arguments(const vise_eval_config *config, vise_error *err) {
  if (config->struct_size != sizeof *config) {
    return vise_i_fail(err, VISE_ERR_USAGE, "vise_eval_config: struct_size is %zu, expected %zu; call %s first",
                       config->struct_size, sizeof *config, "vise_eval_config_init");
  }
  const vise_status status = vise_i_option_check_int("threads", config->n_threads, err);
  return status == VISE_OK ? vise_i_option_check_int("device", config->device, err) : status;
}

vise_status vise_i_inference_open(const vise_model *model, const vise_dataset *dataset, const vise_eval_config *config,
                                  bool need_targets, vise_i_inference *out, vise_error *err) {
  vise_status status = VISE_OK;
  vise_i_inference it = {0};
  vise_i_step_spec spec;

  VISE_TRY(check_arguments(config, err));
  VISE_TRY(vise_i_resolve_backend(config->backend, VISE_STEP_AUTO, config->precision, vise_i_model_net(model), &it.ops,
                                  NULL, err));
  /* A copy in the backend's type, so that any model can be used on any backend. */
  VISE_TRY(vise_model_clone(model, it.ops->dtype, &it.model, err));
  VISE_TRY(vise_i_scales_of_model(model, &it.scales, err));

  const vise_i_net *net = vise_i_model_net(it.model);
  VISE_TRY(vise_i_view_make(dataset, net, vise_model_loss(model), need_targets, &it.scales, &it.view, err));
  it.n_outputs = net->widths[net->n_layers];
  it.chunk = vise_i_metrics_chunk(it.view.n_rows, it.n_outputs);
  if (config->batch > 0 && config->batch < it.chunk) it.chunk = config->batch;

  vise_i_resolve_forward_spec(it.model, net, it.chunk, config->n_threads, &spec);
  spec.device = config->device;
  spec.precision = config->precision;
  VISE_TRY(it.ops->create(&spec, &it.backend, err));
  VISE_TRY(it.ops->set_state(it.backend, VISE_I_PARAMS, vise_i_model_const_params(it.model), err));

  /* The view borrows the arrays of the scales, which do not move. */
  *out = it;
  return VISE_OK;

done:
  vise_i_inference_close(&it);
  return status;
}

vise_status vise_evaluate(const vise_model *model, const vise_dataset *dataset, const vise_eval_config *config,
                          vise_metrics *out, vise_error *err) {
  vise_i_inference inference = {0};
  vise_metrics metrics;

  if (model == NULL || dataset == NULL || config == NULL || out == NULL) {
    return vise_i_fail(err, VISE_ERR_USAGE, "vise_evaluate: model, dataset, config and out must not be NULL");
  }
  if (vise_model_loss(model) == VISE_LOSS_EXTERNAL) {
    return vise_i_fail(err, VISE_ERR_USAGE,
                       "the model was trained with the external loss, whose value Vise cannot compute; "
                       "set another with vise_model_set_loss, or use predict");
  }

  vise_status status = vise_i_inference_open(model, dataset, config, true, &inference, err);
  if (status != VISE_OK) return status;

  vise_i_metrics_spec spec = vise_i_metrics_spec_of_model(inference.model);
  status =
      vise_i_metrics_of_view(inference.ops, inference.backend, &spec, &inference.view, inference.chunk, &metrics, err);
  if (status == VISE_OK) *out = metrics;

  vise_i_inference_close(&inference);
  return status;
}
