#include "tests/support/layers_rig.h"

#include <stdio.h>
#include <stdlib.h>

const layers_net layers_nets[] = {
    {"batch norm", true, false, 0, 0, 12},
    {"dropout", false, false, 0.3, 0, 12},
    {"input dropout", false, false, 0, 0.2, 12},
    {"residual", false, true, 0, 0, 12},
    {"residual of the inputs", false, true, 0, 0.2, LAYERS_IN},
    {"all", true, true, 0.25, 0.1, 12},
};
const size_t n_layers_nets = sizeof layers_nets / sizeof *layers_nets;

static void require(bool good, const char *what, const vise_error *err) {
  if (good) return;
  fprintf(stderr, "layers_rig: %s: %s\n", what, err->text);
  abort();
}

static vise_i_net make_net(const layers_net *given, vise_activation activation) {
  const size_t widths[] = {LAYERS_IN, given->first, 19, 19, 19, LAYERS_OUT};
  vise_error err = VISE_ERROR_INIT;
  vise_net_config config = {.struct_size = sizeof config,
                            .n_layers = 5,
                            .activation = activation,
                            .bias = true,
                            .batch_norm = given->batch_norm,
                            .residual = given->residual,
                            .dropout = given->dropout,
                            .input_dropout = given->input_dropout};
  vise_i_net net;

  for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) config.widths[i] = widths[i];
  require(vise_i_net_make(&config, &net, &err) == VISE_OK, "net", &err);
  return net;
}

static void fill_params(const vise_i_net *net, uint64_t *state, double *params) {
  for (size_t t = 0; t < net->n_all_tensors; t++) {
    const vise_i_tensor *tensor = &net->tensors[t];
    const bool near_one = tensor->role == VISE_I_GAIN || tensor->role == VISE_I_RUNNING_VARIANCE;
    rig_fill(state, 0.25, params + tensor->offset, vise_i_tensor_n(tensor));
    for (size_t i = 0; near_one && i < vise_i_tensor_n(tensor); i++) params[tensor->offset + i] += 0.5;
    for (size_t i = 0; i < vise_i_tensor_n(tensor); i++) { /* the same in both types */
      params[tensor->offset + i] = (double)(float)params[tensor->offset + i];
    }
  }
}

static vise_i_step_spec make_spec(const layers_rig *r) {
  vise_i_step_spec spec = rig_spec(&r->net);
  spec.rule.loss = VISE_LOSS_CROSS_ENTROPY;
  spec.rule.optimizer = VISE_ADAM;
  spec.rule.eps = 1e-4;
  spec.rule.k2 = 1e-3;
  spec.rule.k2d = 1e-3;
  spec.rule.penalize_bias = true;
  spec.rule.clip_value = true;
  spec.rule.clip_lo = -0.2;
  spec.rule.clip_hi = 0.2;
  spec.rule.clip_norm = 0.5;
  spec.rule.clamp_bias = true;
  spec.seed = 0x123456789abcdefu;
  spec.max_batch = LAYERS_BATCH + 1;
  for (size_t l = 0; l < r->net.n_layers; l++) spec.boxes[l] = (vise_i_box){-0.7, 0.7};
  return spec;
}

layers_rig *layers_rig_make(const vise_i_backend_ops *ops, const layers_net *net, vise_activation activation) {
  layers_rig *r = calloc(1, sizeof *r);
  uint64_t state = 4711;

  r->ops = ops;
  r->name = net->name;
  r->net = make_net(net, activation);
  r->spec = make_spec(r);
  r->params = calloc(r->net.n_values, sizeof *r->params);
  fill_params(&r->net, &state, r->params);

  rig_fill(&state, 1, r->x, LAYERS_ROWS * LAYERS_IN);
  for (size_t i = 0; i < LAYERS_ROWS; i++) {
    r->order[i] = i * 13 % LAYERS_ROWS;
    r->y[i] = (double)(i % LAYERS_OUT);
    r->row_weights[i] = 0.5 + (double)(i % 3);
  }
  for (size_t s = 0; s < LAYERS_MOST_STEPS; s++) {
    r->hyper[s] = rig_hyper(0.02);
    r->hyper[s].step = s;
  }

  r->data = rig_data(r->x, LAYERS_ROWS, LAYERS_IN, r->y, 1, true, r->row_weights);
  return r;
}

void layers_rig_free(layers_rig *r) {
  free(r->params);
  free(r);
}

vise_i_backend *layers_rig_start(const layers_rig *r) {
  vise_error err = VISE_ERROR_INIT;
  vise_i_backend *b = NULL;
  require(r->ops->create(&r->spec, &b, &err) == VISE_OK, "create", &err);
  rig_set_params(r->ops, b, r->net.n_values, r->params);
  require(r->ops->bind(b, &r->data, &err) == VISE_OK, "bind", &err);
  require(r->ops->set_order(b, r->order, LAYERS_ROWS, &err) == VISE_OK, "set_order", &err);
  return b;
}

void layers_rig_run(const layers_rig *r, vise_i_backend *b, size_t first, size_t n, size_t most,
                    vise_step_stats *stats) {
  const size_t per_epoch = vise_i_n_batches(&r->net, LAYERS_BATCH, LAYERS_ROWS);

  for (size_t s = 0, now; s < n; s += now) {
    vise_error err = VISE_ERROR_INIT;
    const size_t at = (first + s) % per_epoch;
    size_t n_done = 0;

    now = n - s < most ? n - s : most;
    if (now > per_epoch - at) now = per_epoch - at;
    const vise_i_steps steps = {at * LAYERS_BATCH, LAYERS_BATCH, now, r->hyper + first + s, stats + s};
    require(r->ops->run(b, &steps, &n_done, &err) == VISE_OK && n_done == now, "run", &err);
  }
}

double *layers_rig_params(const layers_rig *r, vise_i_backend *b) {
  double *out = calloc(r->net.n_values, sizeof *out);
  rig_get_state(r->ops, b, VISE_I_PARAMS, r->net.n_values, out);
  return out;
}
