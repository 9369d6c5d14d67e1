/* Forward and backward: outputs, data loss and its gradient, over chunks of rows. */
#include <string.h>

#include "host/backend/cpu64/cpu64.h"
#include "host/base/array.h"
#include "host/ops/rounding.h"

/* Whether the outputs of layer i are the hidden values that an integer net rounds: those of an activation, or of a linear
   layer without one. */
static bool is_rounded(const vise_i_cpu64 *b, size_t i) {
  const vise_i_layer *layer = &b->net->layers[i];
  if (b->levels[layer->block] == NULL) return false;
  return layer->kind == VISE_LAYER_ACTIVATION ||
         (layer->kind == VISE_LAYER_LINEAR && !b->net->blocks[layer->block].has_activation);
}

/* What layer i reads. */
static const double *inputs_of(const vise_i_cpu64 *b, size_t i) {
  return i > 0 && is_rounded(b, i - 1) ? b->levels[b->net->layers[i - 1].block] : b->values[i];
}

static void round_outputs(vise_i_cpu64 *b, size_t i, size_t n_rows) {
  const vise_i_layer *layer = &b->net->layers[i];
  if (!is_rounded(b, i)) return;
  const vise_i_levels levels =
      vise_i_output_levels(b->spec->quantization, b->net, b->host.state[VISE_I_SCALES], layer->block);
  vise_i_round_values_f64(&levels, b->values[i + 1], b->levels[layer->block], n_rows * layer->n_out);
}

static vise_i_ref64 op_of(const vise_i_cpu64 *b, const vise_i_op_pass *pass, size_t i) {
  const vise_i_layer *layer = &b->net->layers[i];
  return (vise_i_ref64){
      .net = b->net,
      .layer = layer,
      .pass = pass,
      .params = b->used,
      .in = inputs_of(b, i),
      .from = layer->kind == VISE_LAYER_RESIDUAL ? b->values[layer->from] : NULL,
      .out = b->values[i + 1],
      .statistics = b->statistics[layer->block],
  };
}

void vise_i_cpu64_forward(vise_i_cpu64 *b, const vise_i_op_pass *pass) {
  for (size_t i = 0; i < b->net->n_listed; i++) {
    const vise_i_ref64 op = op_of(b, pass, i);
    vise_i_ref64_kind_of(op.layer->kind)->forward(&op);
    round_outputs(b, i, pass->n);
  }
}

/* The gradient that goes past a block, to its inputs. */
static void add_skip(vise_i_cpu64 *b, size_t n) {
  for (size_t i = 0; i < n; i++) b->delta[i] += b->delta_skip[i];
}

static void backward_of_layer(vise_i_cpu64 *b, const vise_i_op_pass *pass, size_t i, double *grad) {
  const vise_i_ref64 op = op_of(b, pass, i);
  const vise_i_ref64_kind *kind = vise_i_ref64_kind_of(op.layer->kind);
  const vise_i_block *block = &b->net->blocks[op.layer->block];

  if (op.layer->kind != VISE_LAYER_LINEAR) {
    if (op.layer->kind == VISE_LAYER_RESIDUAL) {
      memcpy(b->delta_skip, b->delta, pass->n * op.layer->n_out * sizeof *b->delta);
    }
    kind->backward(&op, b->delta, b->delta, grad);
    return;
  }

  const bool is_first = op.layer->block == 0; /* nothing below it is trained */
  double *const delta = b->delta;
  kind->backward(&op, delta, is_first ? NULL : b->delta_below, grad);
  b->delta = b->delta_below;
  b->delta_below = delta;
  if (block->residual && !is_first) add_skip(b, pass->n * op.layer->n_in);
}

/* From b->delta = dL/d outputs, adds dL/dtheta to grad. */
static void backward(vise_i_cpu64 *b, const vise_i_op_pass *pass, double *grad) {
  for (size_t i = b->net->n_listed; i-- > b->net->blocks[0].linear;) backward_of_layer(b, pass, i, grad);
}

static void copy_delta(vise_i_cpu64 *b, const vise_array *delta, size_t first, size_t n) {
  size_t n_out = vise_i_cpu64_n_outputs(b);
  for (size_t i = 0; i < n; i++) {
    for (size_t k = 0; k < n_out; k++) b->delta[i * n_out + k] = vise_i_array_get(delta, first + i, k);
  }
}

static vise_status check_rows(const vise_i_cpu64 *b, size_t n, vise_error *err) {
  if (n <= b->chunk || !vise_i_net_has_batch_norm(b->net)) return VISE_OK;
  return vise_i_fail(err, VISE_ERR_INTERNAL, "cpu64: %zu rows at once with batch norm, there is room for %zu", n,
                     b->chunk);
}

vise_status vise_i_cpu64_gradient(vise_i_cpu64 *b, const vise_i_batch *batch, const vise_i_cpu64_result *out,
                                  vise_error *err) {
  vise_status status = VISE_OK;
  const vise_array *delta = batch->delta;
  double sum_weights, denominator = 1, sum_loss = 0;
  uint64_t correct = 0;

  VISE_TRY(check_rows(b, batch->n, err));
  if (!delta) {
    VISE_TRY(vise_i_cpu64_sum_weights(b, batch, &sum_weights, err));
    denominator = vise_i_loss_denominator(b->rule, sum_weights, (double)vise_i_cpu64_n_outputs(b));
  }

  memset(out->grad, 0, b->net->n_params * sizeof *out->grad);
  for (size_t first = 0; first < batch->n; first += b->chunk) {
    const size_t n = batch->n - first < b->chunk ? batch->n - first : b->chunk;
    const vise_i_op_pass pass = {.training = true,
                                 .drops = !batch->keeps_all,
                                 .seed = b->spec->seed,
                                 .step = (uint32_t)batch->step,
                                 .first = first,
                                 .n = n};
    vise_i_cpu64_gather_features(b, batch, first, n);
    vise_i_cpu64_forward(b, &pass);

    if (delta) {
      copy_delta(b, delta, first, n);
    } else {
      const double *z = b->values[b->net->n_listed];
      vise_i_cpu64_gather_targets(b, batch, first, n);
      sum_loss += vise_i_cpu64_loss(b, z, n, denominator, b->delta, &correct);
    }

    backward(b, &pass, out->grad);
  }

  *out->loss = sum_loss;
  *out->n_correct = correct;

done:
  return status;
}
