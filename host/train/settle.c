/* What the table of a training decides: its data, its loss, the outputs of its net. */
#include "host/base/call.h"
#include "host/base/struct.h"
#include "host/base/traits.h"
#include "vise/fit.h"

vise_status vise_dataset_prepare(vise_table *table, const vise_preprocessor_options *options,
                                 const vise_transform_options *how, vise_preprocessor **preprocessor,
                                 vise_dataset **out, vise_error *err) {
  vise_status status;
  vise_transform_options own;
  vise_preprocessor *made = NULL;
  vise_transformed *transformed = NULL;
  vise_dataset *dataset = NULL;

  VISE_ENTER(err, table, preprocessor, out);
  vise_transform_options_init(&own);
  if (how != NULL) VISE_TRY(vise_i_config_take(&own, sizeof own, how, "vise_transform_options", err));
  if (*preprocessor == NULL) VISE_TRY(vise_preprocessor_fit(table, options, own.rows, own.n_rows, &made, err));
  const vise_preprocessor *used = made != NULL ? made : *preprocessor;
  VISE_TRY(vise_preprocessor_transform(used, table, &own, &transformed, err));
  vise_transformed *given = transformed;
  transformed = NULL; /* the next call takes it over in any case */
  VISE_TRY(vise_dataset_from_transformed(given, NULL, own.row_weights, &dataset, err));

  if (made != NULL) *preprocessor = made;
  made = NULL;
  *out = dataset;

done:
  vise_transformed_free(transformed);
  vise_preprocessor_free(made);
  return status;
}

void vise_train_config_settle(vise_train_config *training, const vise_preprocessor *preprocessor, bool loss_given,
                              bool scale_target_given) {
  if (training == NULL || preprocessor == NULL || loss_given) return;
  const vise_target_kind kind = vise_preprocessor_target_kind(preprocessor);
  if (kind == VISE_TARGET_NONE) return;

  training->loss = vise_preprocessor_loss(preprocessor);
  if (kind == VISE_TARGET_NUMBERS && training->loss == VISE_LOSS_MSE && !scale_target_given) {
    training->scale_target = true;
  }
}

/* One for a loss of numbers; one for two classes where the loss does with that. */
static size_t outputs_of(size_t n_classes, vise_loss loss) {
  if (vise_i_loss_is_regression(loss)) return 1;
  return vise_loss_targets(loss) == VISE_TARGETS_LABELS || n_classes > 2 ? n_classes : 1;
}

vise_status vise_net_config_settle(vise_net_config *net, const vise_preprocessor *preprocessor,
                                   const vise_dataset *dataset, vise_loss loss, vise_error *err) {
  VISE_ENTER(err, net, preprocessor, dataset);
  const size_t n_classes = vise_preprocessor_n_classes(preprocessor);
  const size_t n_wanted = n_classes > 0 ? outputs_of(n_classes, loss) : 0;
  const size_t last = net->n_layers == 0 ? 1 : net->n_layers;
  const size_t given = last <= VISE_MAX_LAYERS && net->n_layers > 0 ? net->widths[last] : 0;
  if (given > 0 && given < n_wanted) {
    return vise_i_fail(err, VISE_ERR_SHAPE,
                       "`layers`: the net has %zu output%s but %s has %zu classes; write %zu or auto last", given,
                       given == 1 ? "" : "s", vise_dataset_name(dataset), n_classes, n_wanted);
  }

  const vise_status status = vise_net_config_fill(net, dataset, loss, err);
  if (status == VISE_OK && given == 0 && n_wanted > 0) net->widths[last] = n_wanted;
  return status;
}
