/* Datasets and scaling as a backend takes them. */
#include "host/train/data_view.h"

#include <stdlib.h>
#include <string.h>

#include "host/base/memory.h"
#include "host/data/dataset.h"
#include "host/train/local.h"

void vise_i_scales_free(vise_i_scales *scales) {
  if (scales == NULL) return;
  free(scales->x_shift);
  free(scales->x_scale);
  free(scales->y_shift);
  free(scales->y_scale);
  memset(scales, 0, sizeof(*scales));
}

/* Two arrays of n numbers; on failure neither. */
static vise_status alloc_pair(size_t n, double **shift, double **scale, vise_error *err) {
  vise_status status;
  double *a = NULL, *b = NULL;

  VISE_TRY(vise_i_alloc(&a, n, sizeof(double), "scaling", err));
  VISE_TRY(vise_i_alloc(&b, n, sizeof(double), "scaling", err));
  *shift = a;
  *scale = b;
  a = b = NULL;

done:
  free(a);
  free(b);
  return status;
}

static vise_status set_unit(vise_i_scales *scales, vise_error *err) {
  const vise_status status = alloc_pair(1, &scales->x_shift, &scales->x_scale, err);
  if (status != VISE_OK) return status;
  scales->x_kind = VISE_SCALE_UNIT;
  scales->x_shift[0] = 0;
  scales->x_scale[0] = 255;
  return VISE_OK;
}

static vise_status read_features(const vise_model *model, vise_i_scales *scales, vise_error *err) {
  const vise_scale kind = vise_model_feature_scaling(model, NULL, NULL);
  if (kind == VISE_SCALE_UNIT) return set_unit(scales, err);
  if (kind != VISE_SCALE_STANDARD) return VISE_OK;
  const vise_status status = alloc_pair(vise_model_width(model, 0), &scales->x_shift, &scales->x_scale, err);
  if (status != VISE_OK) return status;
  scales->x_kind = vise_model_feature_scaling(model, scales->x_shift, scales->x_scale);
  return VISE_OK;
}

static vise_status read_targets(const vise_model *model, vise_i_scales *scales, vise_error *err) {
  if (vise_model_target_scaling(model, NULL, NULL) != VISE_SCALE_STANDARD) return VISE_OK;
  const size_t n_outputs = vise_model_width(model, vise_model_n_layers(model));
  const vise_status status = alloc_pair(n_outputs, &scales->y_shift, &scales->y_scale, err);
  if (status != VISE_OK) return status;
  scales->y_kind = vise_model_target_scaling(model, scales->y_shift, scales->y_scale);
  return VISE_OK;
}

vise_status vise_i_scales_of_model(const vise_model *model, vise_i_scales *scales, vise_error *err) {
  vise_status status;
  vise_i_scales made = {.x_kind = VISE_SCALE_NONE, .y_kind = VISE_SCALE_NONE};
  VISE_TRY(read_features(model, &made, err));
  VISE_TRY(read_targets(model, &made, err));
  *scales = made;
  memset(&made, 0, sizeof(made));
done:
  vise_i_scales_free(&made);
  return status;
}

static vise_status fit_features(const vise_train_config *config, const vise_model *model, const vise_dataset *train,
                                vise_i_scales *scales, vise_error *err) {
  const bool bytes = train != NULL && vise_dataset_feature_dtype(train) == VISE_U8;
  vise_scale kind = config->scale;

  if (kind == VISE_SCALE_AUTO) {
    if (vise_model_feature_scaling(model, NULL, NULL) != VISE_SCALE_NONE) return read_features(model, scales, err);
    kind = bytes && vise_dataset_is_idx(train) ? VISE_SCALE_UNIT : VISE_SCALE_NONE;
  }

  if (kind == VISE_SCALE_NONE) return VISE_OK;
  if (kind == VISE_SCALE_UNIT) {
    if (train != NULL && !bytes) {
      return vise_i_fail(err, VISE_ERR_USAGE, "`scale` unit is for bytes (u8); %s holds %s", vise_dataset_name(train),
                         vise_dtype_name(vise_dataset_feature_dtype(train)));
    }
    return set_unit(scales, err);
  }

  if (train == NULL) return vise_i_fail(err, VISE_ERR_USAGE, "`scale` standard needs training data to be fitted on");
  const vise_status status = alloc_pair(vise_dataset_n_features(train), &scales->x_shift, &scales->x_scale, err);
  if (status != VISE_OK) return status;

  scales->x_kind = VISE_SCALE_STANDARD;
  vise_i_dataset_fit_features(train, scales->x_shift, scales->x_scale);
  return config->sync_every > 0 ? vise_i_local_pool_scales(config->ranks, train, vise_i_dataset_features(train),
                                                           scales->x_shift, scales->x_scale, err)
                                : VISE_OK;
}

static vise_status fit_targets(const vise_train_config *config, const vise_model *model, const vise_dataset *train,
                               vise_i_scales *scales, vise_error *err) {
  if (!config->scale_target && vise_i_loss_is_regression(config->loss)) return read_targets(model, scales, err);
  if (!config->scale_target || train == NULL) return VISE_OK;

  const size_t n_targets = vise_dataset_n_targets(train);
  if (n_targets == 0) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`scale_target`: %s has no targets", vise_dataset_name(train));
  }

  const vise_status status = alloc_pair(n_targets, &scales->y_shift, &scales->y_scale, err);
  if (status != VISE_OK) return status;

  scales->y_kind = VISE_SCALE_STANDARD;
  vise_i_dataset_fit_targets(train, scales->y_shift, scales->y_scale);
  return config->sync_every > 0 ? vise_i_local_pool_scales(config->ranks, train, vise_i_dataset_targets(train),
                                                           scales->y_shift, scales->y_scale, err)
                                : VISE_OK;
}

vise_status vise_i_scales_fit(const vise_train_config *config, const vise_model *model, const vise_dataset *train,
                              vise_i_scales *scales, vise_error *err) {
  vise_status status;
  vise_i_scales made = {.x_kind = VISE_SCALE_NONE, .y_kind = VISE_SCALE_NONE};
  VISE_TRY(fit_features(config, model, train, &made, err));
  VISE_TRY(fit_targets(config, model, train, &made, err));
  *scales = made;
  memset(&made, 0, sizeof(made));
done:
  vise_i_scales_free(&made);
  return status;
}

vise_status vise_i_scales_store(const vise_i_scales *scales, vise_model *model, vise_error *err) {
  vise_status status;
  VISE_TRY(vise_model_set_feature_scaling(model, scales->x_kind, scales->x_shift, scales->x_scale, err));
  VISE_TRY(vise_model_set_target_scaling(model, scales->y_kind, scales->y_shift, scales->y_scale, err));
done:
  return status;
}

vise_i_scaling vise_i_scales_x(const vise_i_scales *scales) {
  return (vise_i_scaling){
      .shift = scales->x_shift, .scale = scales->x_scale, .uniform = scales->x_kind == VISE_SCALE_UNIT};
}

vise_i_scaling vise_i_scales_y(const vise_i_scales *scales) {
  return (vise_i_scaling){.shift = scales->y_shift, .scale = scales->y_scale, .uniform = false};
}

static vise_status check_targets(const vise_dataset *dataset, size_t n_outputs, vise_loss loss, vise_error *err) {
  const vise_targets kind = vise_i_loss_targets(loss);
  const size_t n_targets = vise_i_dataset_targets_for(dataset, kind).n_cols;
  const char *name = vise_dataset_name(dataset);

  if (n_targets == 0)
    return vise_i_fail(err, VISE_ERR_USAGE, "%s has no targets, and `loss` %s needs them", name, vise_loss_name(loss));
  if (kind == VISE_TARGETS_LABELS && n_targets != 1) {
    return vise_i_fail(err, VISE_ERR_SHAPE,
                       "%s has %zu target columns; `loss` cross-entropy expects one, of class "
                       "labels, or one-hot rows",
                       name, n_targets);
  }

  if (n_targets == 1 && n_outputs > 1) return vise_i_dataset_check_labels(dataset, n_outputs, err);
  if (n_targets != n_outputs) {
    return vise_i_fail(err, VISE_ERR_SHAPE, "%s has %zu target columns, the net has %zu outputs: expected as many%s",
                       name, n_targets, n_outputs, n_outputs > 1 ? ", or one of class labels" : "");
  }

  return vise_i_dataset_check_targets(dataset, kind, err);
}

vise_status vise_i_view_make(const vise_dataset *dataset, const vise_i_net *net, vise_loss loss, bool need_targets,
                             const vise_i_scales *scales, vise_i_view *view, vise_error *err) {
  const size_t n_outputs = net->widths[net->n_layers];

  if (vise_dataset_n_features(dataset) != net->widths[0]) {
    return vise_i_fail(err, VISE_ERR_SHAPE, "%s has %zu features, the net has %zu inputs", vise_dataset_name(dataset),
                       vise_dataset_n_features(dataset), net->widths[0]);
  }

  vise_i_view made = {.rows = vise_i_dataset_rows(dataset), .n_rows = vise_dataset_n_rows(dataset), .dataset = dataset};
  made.data.x = *vise_i_dataset_features(dataset);
  made.data.x_scaling = vise_i_scales_x(scales);
  made.data.row_weights = vise_i_dataset_row_weights(dataset);

  if (need_targets) {
    const vise_status status = check_targets(dataset, n_outputs, loss, err);
    if (status != VISE_OK) return status;
    made.data.y = vise_i_dataset_targets_for(dataset, vise_i_loss_targets(loss));
    made.data.y_is_class = made.data.y.n_cols == 1 && n_outputs > 1;
    if (!made.data.y_is_class) made.data.y_scaling = vise_i_scales_y(scales);
  }

  *view = made;
  return VISE_OK;
}

size_t vise_i_view_row(const vise_i_view *view, size_t i) {
  return view->rows != NULL ? view->rows[i] : i;
}
