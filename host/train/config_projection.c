/* The rules of what weights are projected onto. */
#include <math.h>

#include "host/train/config.h"

static vise_status check_list(const char *field, const vise_layer_bound *bounds, size_t n, vise_error *err) {
  if (n > 0 && bounds == NULL) return vise_i_fail(err, VISE_ERR_USAGE, "%s is NULL, n_%s is %zu", field, field, n);

  for (size_t i = 0; i < n; i++) {
    if (!(bounds[i].bound > 0) || !isfinite(bounds[i].bound)) {
      return vise_i_fail(err, VISE_ERR_USAGE, "`%s` %zu=%g: expected a number above 0", field, bounds[i].layer,
                         bounds[i].bound);
    }
    for (size_t j = 0; j < i; j++) {
      if (bounds[j].layer != bounds[i].layer) continue;
      return vise_i_fail(err, VISE_ERR_USAGE, "`%s`: layer %zu is given twice", field, bounds[i].layer);
    }
  }
  return VISE_OK;
}

vise_status vise_i_config_check_rows(const vise_train_config *c, vise_error *err) {
  vise_status status;
  VISE_TRY(check_list("row_l1_layers", c->row_l1_layers, c->n_row_l1_layers, err));
  VISE_TRY(check_list("row_l1_sided_layers", c->row_l1_sided_layers, c->n_row_l1_sided_layers, err));

  if (c->row_l1 > 0 && c->row_l1_sided > 0) {
    return vise_i_fail(err, VISE_ERR_USAGE,
                       "`row_l1` and `row_l1_sided` contradict each other: choose one, and the other by layer");
  }
  for (size_t i = 0; i < c->n_row_l1_layers; i++) {
    for (size_t j = 0; j < c->n_row_l1_sided_layers; j++) {
      if (c->row_l1_layers[i].layer != c->row_l1_sided_layers[j].layer) continue;
      return vise_i_fail(err, VISE_ERR_USAGE, "`row_l1_layers` and `row_l1_sided_layers` both bound layer %zu",
                         c->row_l1_layers[i].layer);
    }
  }

done:
  return status;
}

vise_status vise_i_config_require_zero_in_boxes(const vise_train_config *config, size_t n_layers, const char *needed_by,
                                                vise_error *err) {
  bool overridden[VISE_MAX_LAYERS] = {false};
  size_t n_overridden = 0;

  for (size_t i = 0; i < config->n_layer_clamps; i++) {
    const vise_layer_clamp *clamp = &config->layer_clamps[i];
    if (clamp->layer < VISE_MAX_LAYERS && !overridden[clamp->layer]) {
      overridden[clamp->layer] = true;
      n_overridden++;
    }

    if (clamp->lo > 0 || clamp->hi < 0) {
      return vise_i_fail(err, VISE_ERR_USAGE, "`layer_clamps` %zu=%g:%g: with %s the box must contain 0", clamp->layer,
                         clamp->lo, clamp->hi, needed_by);
    }
  }

  if (config->clamp && n_overridden < n_layers && (config->clamp_lo > 0 || config->clamp_hi < 0)) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`clamp` %g:%g: with %s the box must contain 0", config->clamp_lo,
                       config->clamp_hi, needed_by);
  }
  return VISE_OK;
}

static vise_status check_layers(const char *field, const vise_layer_bound *bounds, size_t n, const vise_i_net *net,
                                vise_error *err) {
  for (size_t i = 0; i < n; i++) {
    if (bounds[i].layer < net->n_layers) continue;
    return vise_i_fail(err, VISE_ERR_USAGE, "`%s` %zu: the net has layers 0 to %zu", field, bounds[i].layer,
                       net->n_layers - 1);
  }
  return VISE_OK;
}

vise_status vise_i_config_check_rows_of_net(const vise_train_config *c, const vise_i_net *net, vise_error *err) {
  vise_status status;
  const size_t n_plain = c->n_row_l1_layers, n_sided = c->n_row_l1_sided_layers;
  VISE_TRY(check_layers("row_l1_layers", c->row_l1_layers, n_plain, net, err));
  VISE_TRY(check_layers("row_l1_sided_layers", c->row_l1_sided_layers, n_sided, net, err));
  if (c->row_l1 > 0 || n_plain > 0) VISE_TRY(vise_i_config_require_zero_in_boxes(c, net->n_layers, "`row_l1`", err));
  if (c->row_l1_sided > 0 || n_sided > 0) {
    VISE_TRY(vise_i_config_require_zero_in_boxes(c, net->n_layers, "`row_l1_sided`", err));
  }

done:
  return status;
}
