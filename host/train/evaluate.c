/* Loss and accuracy of a model on a dataset. */
#include "vise/evaluate.h"

#include "host/base/call.h"
#include "host/base/struct.h"
#include "host/model/model.h"
#include "host/options/options.h"
#include "host/train/config.h"
#include "host/train/inference.h"
#include "host/train/integer_pass.h"
#include "host/train/resolve.h"

static vise_eval_config default_config(void) {
  return (vise_eval_config){
      .struct_size = sizeof(vise_eval_config), .backend = VISE_BACKEND_AUTO, .precision = VISE_PRECISION_AUTO};
}

VISE_I_DEFINE_INIT(vise_eval_config, device, default_config)

void vise_i_inference_close(vise_i_inference *inference) {
  if (inference->report != NULL) *inference->report = vise_i_integer_pass_report(inference->backend);
  if (inference->backend != NULL) inference->backend->ops->destroy(inference->backend);
  vise_i_scales_free(&inference->scales);
  vise_model_free(inference->model);
  *inference = (vise_i_inference){0};
}

static vise_status take_config(const vise_eval_config *given, vise_eval_config *config, vise_error *err) {
  vise_status status = VISE_OK;
  *config = default_config();
  if (given != NULL) VISE_TRY(vise_i_config_take(config, sizeof *config, given, "vise_eval_config", err));
  VISE_TRY(vise_i_option_check_int("threads", config->n_threads, err));
  VISE_TRY(vise_i_option_check_int("device", config->device, err));
  if (config->ranges != NULL && config->as == NULL) {
    VISE_TRY(
        vise_i_fail(err, VISE_ERR_USAGE, "`ranges` are those of a net in integers: give `as` too, or leave it away"));
  }

done:
  return status;
}

static vise_status check_weights(const vise_eval_config *config, const vise_model *model, const vise_dataset *dataset,
                                 size_t n_outputs, vise_error *err) {
  const vise_loss loss = vise_model_loss(model);
  const size_t n = config->n_class_weights;
  vise_status status = vise_i_class_weights_check(loss, config->class_weights, n, err);
  if (status == VISE_OK) status = vise_i_class_weights_check_net(loss, n, n_outputs, err);
  return status == VISE_OK ? vise_i_class_weights_check_data(loss, n, dataset, err) : status;
}

vise_i_pass vise_i_inference_pass(const vise_i_inference *inference) {
  return (vise_i_pass){.backend = inference->backend, .view = &inference->view, .chunk = inference->chunk};
}

vise_status vise_i_inference_open(const vise_model *model, const vise_dataset *dataset, const vise_eval_config *given,
                                  bool need_targets, vise_i_inference *out, vise_error *err) {
  vise_status status = VISE_OK;
  const vise_i_backend_ops *ops = NULL;
  vise_i_inference it = {0};
  vise_i_step_spec spec;
  vise_eval_config config;

  VISE_TRY(take_config(given, &config, err));
  const vise_backend backend =
      config.as != NULL && config.backend == VISE_BACKEND_AUTO ? VISE_BACKEND_CPU : config.backend;
  if (config.as != NULL && backend == VISE_BACKEND_CUDA) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_UNSUPPORTED, "`as`: integer nets run on the CPU, not on `backend` cuda"));
  }
  VISE_TRY(vise_i_resolve_backend(backend, VISE_STEP_AUTO, config.precision, vise_i_model_net(model), &ops, NULL, err));
  /* A copy in the backend's type, so that any model can be used on any backend. */
  VISE_TRY(vise_model_clone(model, ops->dtype, &it.model, err));
  VISE_TRY(vise_i_scales_of_model(model, &it.scales, err));

  const vise_i_net *net = vise_i_model_net(it.model);
  it.n_outputs = net->widths[net->n_layers];
  VISE_TRY(vise_i_view_make(dataset, net, vise_model_loss(model), need_targets, &it.scales, &it.view, err));
  if (need_targets) VISE_TRY(check_weights(&config, model, dataset, it.n_outputs, err));
  it.class_weights = config.class_weights;
  it.chunk = vise_i_metrics_chunk(it.view.n_rows, it.n_outputs);
  if (config.batch > 0 && config.batch < it.chunk) it.chunk = config.batch;

  vise_i_resolve_forward_spec(it.model, net, it.chunk, config.n_threads, &spec);
  spec.device = config.device;
  spec.precision = config.precision;
  if (config.as != NULL) {
    vise_i_view ranges;
    if (config.ranges != NULL) {
      VISE_TRY(vise_i_view_make(config.ranges, net, vise_model_loss(model), false, &it.scales, &ranges, err));
    }
    const vise_i_integer_rows rows = {&it.view, config.ranges != NULL ? &ranges : NULL};
    VISE_TRY(vise_i_integer_pass_open(it.model, config.as, &rows, &spec, &it.backend, err));
    it.report = config.integer;
  } else {
    VISE_TRY(ops->create(&spec, &it.backend, err));
    VISE_TRY(ops->set_state(it.backend, VISE_I_PARAMS, vise_i_model_const_params(it.model), err));
  }

  /* The view borrows the arrays of the scales, which do not move. */
  *out = it;
  return VISE_OK;

done:
  vise_i_inference_close(&it);
  return status;
}

vise_status vise_evaluate_sized(size_t out_bytes, const vise_model *model, const vise_dataset *dataset,
                                const vise_eval_config *config, vise_metrics *out, vise_error *err) {
  vise_i_inference inference = {0};
  vise_metrics metrics;
  VISE_ENTER(err, model, dataset, out);

  if (vise_model_loss(model) == VISE_LOSS_EXTERNAL) {
    return vise_i_fail(err, VISE_ERR_USAGE,
                       "the model was trained with the external loss, whose value Vise cannot compute; "
                       "set another with vise_model_set_loss, or use predict");
  }

  vise_status status = vise_i_inference_open(model, dataset, config, true, &inference, err);
  if (status != VISE_OK) return status;

  vise_i_metrics_spec spec = vise_i_metrics_spec_of_model(inference.model);
  spec.class_weights = inference.class_weights;
  const vise_i_pass pass = vise_i_inference_pass(&inference);
  status = vise_i_metrics_of_view(&pass, &spec, &metrics, err);
  if (status == VISE_OK) vise_i_struct_give(out, out_bytes, &metrics, sizeof metrics);

  vise_i_inference_close(&inference);
  return status;
}

vise_status(vise_evaluate)(const vise_model *model, const vise_dataset *dataset, const vise_eval_config *config,
                           vise_metrics *out, vise_error *err) {
  return vise_evaluate_sized(VISE_I_BYTES_UP_TO(vise_metrics, r2), model, dataset, config, out, err);
}
