/* Making, asking and freeing a trainer. */
#include "host/train/trainer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/memory.h"
#include "host/data/dataset.h"
#include "host/ranks/sum.h"
#include "host/train/config.h"
#include "host/train/local.h"
#include "host/train/quantize.h"
#include "host/train/resolve.h"
#include "host/train/schedule.h"
#include "host/train/together.h"

vise_status vise_i_trainer_check(const vise_trainer *trainer, vise_error *err) {
  if (trainer->poison == VISE_OK) return VISE_OK;
  return vise_i_fail(err, trainer->poison, "the trainer failed before: %s", trainer->poison_text);
}

vise_status vise_i_trainer_note(vise_trainer *trainer, vise_status status, const vise_error *err) {
  if (status == VISE_ERR_DEVICE && trainer->poison == VISE_OK) {
    trainer->poison = status;
    memcpy(trainer->poison_text, err->text, sizeof(trainer->poison_text));
  }
  return status;
}

static vise_status choose_backend(vise_trainer *t, const vise_train_config *config, vise_error *err) {
  vise_status status;
  const bool auto_is_cpu = vise_i_resolve_is_in_parts(config);
  const vise_backend asked = auto_is_cpu && config->backend == VISE_BACKEND_AUTO ? VISE_BACKEND_CPU : config->backend;

  if (config->sync_every > 0 && asked == VISE_BACKEND_CUDA) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_UNSUPPORTED,
                         "`sync_every`: `backend` cuda does not have it; cpu and cpu64 do, and auto takes cpu"));
  }
  VISE_TRY(vise_i_resolve_backend(asked, config->step_mode, config->precision, t->net, &t->ops, &t->which, err));

  if (t->which != VISE_BACKEND_CUDA && config->device != 0) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_UNSUPPORTED, "`device` %d: `backend` %s has no devices; leave it 0",
                         config->device, t->ops->name));
  }
  if (t->which != VISE_BACKEND_CUDA && config->steps_per_launch != 0) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_UNSUPPORTED, "`steps_per_launch` %llu: `backend` %s has no launches; leave it 0",
                         (unsigned long long)config->steps_per_launch, t->ops->name));
  }
  if (t->which != VISE_BACKEND_CUDA && config->device_memory_limit != 0) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_UNSUPPORTED,
                         "`device_memory_limit` %zu: `backend` %s has no devices; leave it off",
                         config->device_memory_limit, t->ops->name));
  }
  VISE_TRY(vise_i_resolve_check_dtype(t->ops, t->model, err));

done:
  return status;
}

/* Rows that all weigh 0 have no mean. */
static vise_status check_row_weights(const vise_i_view *view, vise_error *err) {
  const double *weights = view->data.row_weights;
  if (weights == NULL) return VISE_OK;
  for (size_t i = 0; i < view->n_rows; i++) {
    if (weights[vise_i_view_row(view, i)] > 0) return VISE_OK;
  }
  return vise_i_fail(err, VISE_ERR_VALUE, "%s: `row_weights` are 0 in every row", vise_dataset_name(view->dataset));
}

static vise_status make_view(const vise_trainer *t, const vise_dataset *dataset, vise_i_view *view, bool *has,
                             vise_error *err) {
  vise_status status = VISE_OK;
  if (dataset == NULL) goto done;
  const bool need_targets = t->config.loss != VISE_LOSS_EXTERNAL;
  VISE_TRY(vise_i_view_make(dataset, t->net, t->config.loss, need_targets, &t->scales, view, err));
  VISE_TRY(check_row_weights(view, err));
  *has = true;
done:
  return status;
}

/* Data sets that share their stored rows get one id: they are the same to a backend. */
static void name_data(vise_trainer *t) {
  vise_i_view *const views[] = {&t->train, &t->validation, &t->test};
  const bool has[] = {t->has_train, t->has_validation, t->has_test};

  for (uint64_t i = 0; i < 3; i++) {
    if (!has[i]) continue;
    views[i]->data.id = i + 1;
    for (uint64_t k = 0; k < i; k++) {
      const vise_array *a = &views[i]->data.x, *other = &views[k]->data.x;
      if (has[k] && a->data == other->data && a->n_rows == other->n_rows && a->row_stride == other->row_stride &&
          a->col_stride == other->col_stride && a->dtype == other->dtype) {
        views[i]->data.id = views[k]->data.id;
        break;
      }
    }
  }
}

static vise_status make_views(vise_trainer *t, vise_error *err) {
  vise_status status;
  const vise_dataset *train = t->datasets[0];

  /* Check shapes before the fit, which writes as many numbers as the data have columns. */
  vise_i_scales none = {.x_kind = VISE_SCALE_NONE, .y_kind = VISE_SCALE_NONE};
  vise_i_view view;
  if (train != NULL) VISE_TRY(vise_i_view_make(train, t->net, t->config.loss, true, &none, &view, err));

  VISE_TRY(vise_i_scales_fit(&t->config, t->model, train, &t->scales, err));
  VISE_TRY(make_view(t, train, &t->train, &t->has_train, err));
  VISE_TRY(make_view(t, t->datasets[1], &t->validation, &t->has_validation, err));
  VISE_TRY(make_view(t, t->datasets[2], &t->test, &t->has_test, err));
  name_data(t);

  if (t->has_train) {
    const size_t n = t->train.n_rows;
    t->batch = t->config.batch == 0 || t->config.batch > n ? n : t->config.batch;
    t->steps_per_epoch = t->config.drop_last ? n / t->batch : vise_i_n_batches(t->net, t->batch, n);
    t->n_per_epoch = t->config.drop_last ? t->steps_per_epoch * t->batch : n;
  }
  VISE_TRY(vise_i_local_begin(t, err));

done:
  return status;
}

/* A backend with the trainer's weights, mask and data; t->backend is only replaced when all went well. */
static vise_status make_backend(vise_trainer *t, const vise_i_step_spec *spec, const void *params, const uint8_t *mask,
                                vise_i_backend **out, vise_error *err) {
  vise_status status;
  vise_i_backend *backend = NULL;

  VISE_TRY(t->ops->create(spec, &backend, err));
  VISE_TRY(t->ops->set_state(backend, VISE_I_PARAMS, params, err));
  if (mask != NULL) VISE_TRY(t->ops->set_state(backend, VISE_I_MASK, mask, err));
  if (t->has_train) VISE_TRY(t->ops->bind(backend, &t->train.data, err));
  *out = backend;
  backend = NULL;

done:
  if (backend != NULL) t->ops->destroy(backend);
  return status;
}

/* What follows from options and net; n_rows: to train on. */
static vise_status resolve_step(vise_trainer *t, size_t n_rows, vise_error *err) {
  vise_status status;
  t->has_mask = vise_model_mask(t->model) != NULL || vise_model_signs(t->model) != NULL;
  const bool prunes = t->config.weight_op.kind == VISE_PRUNE;
  if (t->has_mask) {
    const char *what = vise_model_mask(t->model) != NULL ? "a mask" : "signs";
    VISE_TRY(vise_i_config_require_zero_in_boxes(&t->config, t->net->n_layers, what, err));
  }
  VISE_TRY(vise_i_resolve_spec(&t->config, t->net, n_rows, t->has_mask || prunes, &t->spec, err));
  t->spec.use_signs = vise_model_signs(t->model) != NULL;
  vise_i_resolve_way(t->which, &t->spec);
  t->spec.quantization = t->quantization;

  if (vise_i_trainer_is_local(
          t)) { /* penalties that go by rows go by those of all; and each rank drops units of its own */
    vise_i_resolve_penalties(&t->config, (size_t)t->local.n_rows, &t->spec.rule.k2, &t->spec.rule.k1);
    t->spec.seed += vise_ranks_rank(t->config.ranks) * UINT64_C(0x9e3779b97f4a7c15);
  }
done:
  return status;
}

static bool has_own_clamp(const vise_train_config *config, size_t layer) {
  for (size_t i = 0; i < config->n_layer_clamps; i++) {
    if (config->layer_clamps[i].layer == layer) return true;
  }
  return false;
}

/* Boxes of layers in the place of clamp_init. */
static vise_status resolve_clamp_init(vise_trainer *t, vise_error *err) {
  vise_status status;
  const double k = t->config.clamp_init;
  vise_layer_clamp *clamps = NULL;
  size_t n = t->config.n_layer_clamps;
  if (!(k > 0)) return VISE_OK;

  VISE_TRY(vise_i_alloc(&clamps, n + t->net->n_layers, sizeof *clamps, "boxes of layers", err));
  if (n > 0) memcpy(clamps, t->config.layer_clamps, n * sizeof *clamps);
  for (size_t l = 0; l < t->net->n_layers; l++) {
    const double range = vise_i_model_initial_range(t->model, l);
    if (has_own_clamp(&t->config, l)) continue;
    if (!(range > 0) || !isfinite(k * range)) {
      VISE_TRY(
          vise_i_fail(err, VISE_ERR_USAGE,
                      "`clamp_init` %g: the weights of layer %zu start in a range of %g; choose `clamp` or another "
                      "start",
                      k, l, range));
    }
    clamps[n++] = (vise_layer_clamp){l, -k * range, k * range};
  }

  free(t->lists.layer_clamps);
  t->config.layer_clamps = t->lists.layer_clamps = clamps;
  t->config.n_layer_clamps = n;
  clamps = NULL;

done:
  free(clamps);
  return status;
}

static vise_status prepare(vise_trainer *t, const vise_train_config *config, bool rows, vise_error *err) {
  vise_status status;
  VISE_TRY(vise_i_config_validate_net(config, t->net, err));
  VISE_TRY(vise_i_config_validate_data(config, t->net, t->datasets[0], t->datasets[1], err));
  VISE_TRY(choose_backend(t, config, err));
  VISE_TRY(vise_i_config_copy(config, t->net->n_layers, &t->config, &t->lists, err));
  VISE_TRY(vise_i_trainer_quantize_check(t, err));
  VISE_TRY(resolve_clamp_init(t, err));
  if (rows) {
    VISE_TRY(make_views(t, err));
    VISE_TRY(vise_i_trainer_quantize(t, err));
  }

  t->state.lr = config->lr;
  t->state.first_bad_tensor = -1;
  t->state.best_loss = INFINITY;
  t->state.stall_loss = INFINITY;
  t->last_stats.bad_tensor = -1;
  VISE_TRY(resolve_step(t, t->datasets[0] != NULL ? vise_dataset_n_rows(t->datasets[0]) : 0, err));

done:
  return status;
}

vise_status vise_i_trainer_prepare(const vise_train_config *config, vise_model *model,
                                   const vise_dataset *const datasets[3], bool rows, vise_trainer **out,
                                   vise_error *err) {
  vise_status status;
  vise_trainer *t = NULL;
  vise_train_config own;

  VISE_TRY(vise_i_train_config_take(config, &own, err));
  VISE_TRY(vise_i_alloc_zero(&t, 1, sizeof(*t), "a trainer", err));
  t->model = vise_model_retain(model);
  t->n_batches_before = *vise_i_model_n_batches(model);
  for (size_t i = 0; i < 3; i++) t->datasets[i] = vise_dataset_retain(datasets[i]);
  t->net = vise_i_model_net(model);
  VISE_TRY(prepare(t, &own, rows, err));
  *out = t;
  t = NULL;

done:
  vise_trainer_free(t);
  return status;
}

/* What the model is to keep of the training. */
static vise_status tell_model(vise_trainer *t, vise_error *err) {
  vise_status status;
  vise_model *model = t->model;
  VISE_TRY(vise_i_scales_store(&t->scales, model, err));
  vise_model_set_loss(model, t->config.loss, t->config.mse_reduction, t->config.label_smoothing);
  if (!vise_model_knows_activation(model) || vise_model_n_layers(model) == 1) { /* it trains with what was assumed */
    VISE_TRY(vise_model_set_activation(model, vise_model_activation(model), err));
  }
done:
  return status;
}

/* The model's mask and signs as a backend has them; *out stays NULL without either. */
static vise_status make_mask(const vise_trainer *t, uint8_t **out, vise_error *err) {
  const uint8_t *mask = vise_model_mask(t->model);
  const int8_t *signs = vise_model_signs(t->model);
  if (mask == NULL && signs == NULL) return VISE_OK;

  const vise_status status = vise_i_alloc(out, t->net->n_params, 1, "a mask", err);
  if (status != VISE_OK) return status;
  for (size_t i = 0; i < t->net->n_params; i++) {
    (*out)[i] = vise_i_mask_byte(mask == NULL || mask[i] != 0, signs == NULL ? 0 : signs[i]);
  }
  return VISE_OK;
}

vise_status vise_i_trainer_start(vise_trainer *t, vise_error *err) {
  vise_status status;
  uint8_t *mask = NULL;
  const bool makes_orders = t->has_train && t->orders == NULL;
  if (makes_orders) {
    const size_t n_laps = t->local.n_laps > 0 ? t->local.n_laps : 1;
    VISE_TRY(vise_i_alloc(&t->order, n_laps * t->train.n_rows, sizeof(size_t), "the order of the rows", err));
  }

  /* A device idles between backend calls, so it gets as many steps as one call takes. */
  const bool is_member = t->spec.group != NULL;
  t->segment_steps = t->which == VISE_BACKEND_CUDA ? VISE_I_MOST_STEPS : VISE_I_SEGMENT_STEPS;
  if (t->config.steps_per_launch > t->segment_steps) t->segment_steps = (size_t)t->config.steps_per_launch;
  if (t->has_train && t->steps_per_epoch < t->segment_steps) t->segment_steps = (size_t)t->steps_per_epoch;
  VISE_TRY(vise_i_alloc_zero(&t->hyper, t->segment_steps, sizeof(*t->hyper), "a trainer", err));
  if (!is_member) VISE_TRY(vise_i_alloc_zero(&t->stats, t->segment_steps, sizeof(*t->stats), "a trainer", err));

  if (t->which != VISE_BACKEND_CUDA) {
    VISE_TRY(vise_i_add_reserve(t->spec.ranks, t->spec.parts, t->net->n_params, t->ops->dtype, err));
  }
  VISE_TRY(make_mask(t, &mask, err));
  VISE_TRY(make_backend(t, &t->spec, vise_i_model_const_params(t->model), mask, &t->backend, err));
  VISE_TRY(vise_i_trainer_start_weights(t, err));
  const vise_i_hyper hyper = vise_i_trainer_hyper(t);
  if (!is_member) VISE_TRY(t->ops->project(t->backend, &hyper, err));
  VISE_TRY(tell_model(t, err));

done:
  free(mask);
  return status;
}

/* Before the options are looked at: what is wrong with them is to be agreed on. */
static vise_ranks *ranks_of(const vise_train_config *config) {
  return config->struct_size >= VISE_I_BYTES_UP_TO(vise_train_config, ranks) ? config->ranks : NULL;
}

vise_status vise_trainer_create(const vise_train_config *config, vise_model *model, const vise_dataset *train,
                                const vise_dataset *validation, const vise_dataset *test, vise_trainer **out,
                                vise_error *err) {
  vise_status status;
  vise_trainer *t = NULL;
  const vise_dataset *const datasets[3] = {train, validation, test};
  VISE_ENTER(err, config, model, out);

  status = vise_i_trainer_prepare(config, model, datasets, true, &t, err);
  if (status == VISE_OK) status = vise_i_trainer_start(t, err);
  VISE_TRY(vise_ranks_agree(ranks_of(config), status, err));
  VISE_TRY(vise_i_trainer_compare(t, err));
  *out = t;
  t = NULL;

done:
  vise_trainer_free(t);
  return status;
}

void vise_trainer_free(vise_trainer *trainer) {
  if (trainer == NULL) return;

  if (trainer->backend != NULL) trainer->ops->destroy(trainer->backend);
  vise_i_scales_free(&trainer->scales);
  vise_i_config_lists_free(&trainer->lists);
  free(trainer->order);
  free(trainer->best_params);
  vise_i_trainer_quantize_free(trainer);
  free(trainer->hyper);
  free(trainer->stats);
  for (size_t i = 0; i < 3; i++) vise_dataset_free(trainer->datasets[i]);
  vise_model_free(trainer->model);
  free(trainer);
}

vise_status vise_i_trainer_rebuild(vise_trainer *t, size_t max_batch, bool use_mask, vise_error *err) {
  vise_status status;
  void *values = NULL;
  uint8_t *mask = NULL;
  vise_i_backend *made = NULL;
  vise_i_step_spec spec = t->spec;

  spec.max_batch = max_batch;
  spec.use_mask = use_mask;

  VISE_TRY(vise_i_alloc(&values, vise_i_trainer_n_bytes(t), 1, "weights", err));
  if (t->has_mask) {
    VISE_TRY(vise_i_alloc(&mask, t->net->n_params, 1, "mask", err));
    VISE_TRY(t->ops->get_state(t->backend, VISE_I_MASK, mask, err));
  }
  VISE_TRY(t->ops->get_state(t->backend, VISE_I_PARAMS, values, err));
  VISE_TRY(make_backend(t, &spec, values, mask, &made, err));

  const vise_i_state moments[] = {VISE_I_MOMENT1, VISE_I_MOMENT2};
  for (size_t i = 0; i < 2; i++) {
    if (!t->ops->has_state(made, moments[i])) continue;
    VISE_TRY(t->ops->get_state(t->backend, moments[i], values, err));
    VISE_TRY(t->ops->set_state(made, moments[i], values, err));
  }

  const vise_i_counters counters = t->ops->get_counters(t->backend);
  t->ops->set_counters(made, &counters);
  t->ops->destroy(t->backend);
  t->backend = made;
  t->spec = spec;
  t->order_is_set = false;
  made = NULL;

done:
  if (made != NULL) t->ops->destroy(made);
  free(mask);
  free(values);
  return status;
}

vise_backend vise_trainer_backend(const vise_trainer *trainer) {
  return trainer != NULL ? trainer->which : VISE_BACKEND_AUTO;
}

vise_step_mode vise_trainer_step_mode(const vise_trainer *trainer) {
  return trainer != NULL ? trainer->spec.step_mode : VISE_STEP_AUTO;
}

vise_precision vise_trainer_precision(const vise_trainer *trainer) {
  return trainer != NULL ? trainer->spec.precision : VISE_PRECISION_AUTO;
}

int vise_trainer_n_threads(const vise_trainer *trainer) {
  return trainer != NULL ? trainer->spec.n_threads : 0;
}

vise_scale vise_trainer_scale(const vise_trainer *trainer) {
  return trainer != NULL ? trainer->scales.x_kind : VISE_SCALE_NONE;
}

vise_status vise_trainer_set_lr(vise_trainer *trainer, double lr, vise_error *err) {
  VISE_ENTER(err, trainer);
  if (!(lr >= 0) || !isfinite(lr)) {
    return vise_i_fail(err, VISE_ERR_USAGE, "learning rate %g: expected a finite number of at least 0", lr);
  }
  trainer->state.lr = lr;
  return VISE_OK;
}

vise_status vise_trainer_tensor_stats_sized(size_t out_bytes, const vise_trainer *trainer, vise_tensor_stats *out,
                                            size_t n, vise_error *err) {
  VISE_ENTER(err, trainer, out);
  if (n != trainer->net->n_tensors) {
    return vise_i_fail(err, VISE_ERR_SHAPE, "room for %zu tensors, the net has %zu", n, trainer->net->n_tensors);
  }
  vise_i_struct_give_array(out, out_bytes, trainer->backend->tensor_stats, sizeof(*out), n);
  return VISE_OK;
}

vise_status(vise_trainer_tensor_stats)(const vise_trainer *trainer, vise_tensor_stats *out, size_t n, vise_error *err) {
  return vise_trainer_tensor_stats_sized(VISE_I_BYTES_UP_TO(vise_tensor_stats, n_at_hi), trainer, out, n, err);
}

/* A backend's mask into the model, as its mask and its signs; a model that only has signs gets a mask only of something
   pruned. */
static vise_status store_mask(vise_model *model, uint8_t *mask, size_t n, vise_error *err) {
  vise_status status = VISE_OK;
  int8_t *signs = NULL;
  bool prunes = false, bounds = false;

  for (size_t i = 0; i < n; i++) prunes = prunes || mask[i] == 0;
  for (size_t i = 0; i < n; i++) bounds = bounds || vise_i_mask_sign(mask[i]) != 0;
  if (bounds && vise_model_signs(model) == NULL) {
    VISE_TRY(vise_i_alloc(&signs, n, 1, "signs", err));
    for (size_t i = 0; i < n; i++) signs[i] = (int8_t)vise_i_mask_sign(mask[i]);
    VISE_TRY(vise_model_set_signs(model, signs, n, err));
  }

  if (!prunes && bounds && vise_model_mask(model) == NULL) goto done;
  for (size_t i = 0; i < n; i++) mask[i] = mask[i] != 0;
  VISE_TRY(vise_model_set_mask(model, mask, n, err));
done:
  free(signs);
  return status;
}

vise_status vise_i_trainer_store(vise_trainer *trainer, vise_error *err) {
  vise_status status;
  void *values = NULL;
  uint8_t *mask = NULL;
  const size_t n_bytes = vise_i_trainer_n_bytes(trainer);
  const vise_i_state trained = trainer->quantization != NULL ? VISE_I_ROUNDED : VISE_I_PARAMS;

  VISE_TRY(vise_i_alloc(&values, n_bytes, 1, "weights", err));
  VISE_TRY(trainer->ops->get_state(trainer->backend, trained, values, err));
  VISE_TRY(vise_i_model_set_quantization(trainer->model, trainer->quantization, err));

  if (trainer->has_mask) {
    VISE_TRY(vise_i_alloc(&mask, trainer->net->n_params, 1, "mask", err));
    VISE_TRY(trainer->ops->get_state(trainer->backend, VISE_I_MASK, mask, err));
    VISE_TRY(store_mask(trainer->model, mask, trainer->net->n_params, err));
  }
  memcpy(vise_i_model_params(trainer->model), values, n_bytes);
  *vise_i_model_n_batches(trainer->model) =
      trainer->n_batches_before + trainer->ops->get_counters(trainer->backend).applied_steps;

done:
  free(values);
  free(mask);
  return status;
}

vise_status vise_trainer_sync(vise_trainer *trainer, vise_error *err) {
  VISE_ENTER_TRAINER(err, trainer);
  return vise_i_trainer_note(trainer, vise_i_trainer_store(trainer, err), err);
}
