/* Forward and backward: outputs, data loss and its gradient, over chunks of rows. */
#include <string.h>

#include "host/backend/cpu64/cpu64.h"
#include "host/base/array.h"
#include "host/ops/rounding.h"
#include "host/ranks/statistics.h"

/* Rows that go through the net together: those of the scratch from `at` on. A part of a batch has a gradient of its own. */
typedef struct span {
  vise_i_op_pass pass;
  size_t at;
  double *grad;
} span;

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

static void round_outputs(vise_i_cpu64 *b, size_t i, const span *s) {
  const vise_i_layer *layer = &b->net->layers[i];
  if (!is_rounded(b, i)) return;
  const vise_i_levels levels =
      vise_i_output_levels(b->spec->quantization, b->net, b->host.state[VISE_I_SCALES], layer->block);
  const size_t first = s->at * layer->n_out;
  vise_i_round_values_f64(&levels, b->values[i + 1] + first, b->levels[layer->block] + first, s->pass.n * layer->n_out);
}

/* Spans that go through each layer one after the other; of a batch norm they are all parts of this process. */
typedef struct walk {
  span spans[VISE_I_MOST_PARTS];
  size_t n;
  const vise_i_part_units *parts; /* of the batch; NULL: the span is the batch, or part of one without batch norm */
} walk;

static vise_i_ref64 op_of(const vise_i_cpu64 *b, const span *s, size_t i) {
  const vise_i_layer *layer = &b->net->layers[i];
  return (vise_i_ref64){
      .net = b->net,
      .layer = layer,
      .pass = &s->pass,
      .params = b->used,
      .in = inputs_of(b, i) + s->at * layer->n_in,
      .from = layer->kind == VISE_LAYER_RESIDUAL ? b->values[layer->from] + s->at * layer->n_out : NULL,
      .out = b->values[i + 1] + s->at * layer->n_out,
      .statistics = b->statistics[layer->block],
  };
}

/* The statistics of the batch, from those of its parts. */
static vise_status merge_statistics(vise_i_cpu64 *b, const walk *w, size_t i, vise_error *err) {
  const size_t n = 2 * b->net->layers[i].n_out;
  vise_i_part_units units = *w->parts;
  units.width = n / 2;

  for (size_t k = 0; k < w->n; k++) {
    vise_i_ref64 op = op_of(b, &w->spans[k], i);
    op.statistics = b->part_sums + (units.parts.first + k) * n;
    vise_i_ref64_measure(&op);
  }
  const vise_status status = vise_i_merge_statistics(&units, b->part_sums, err);
  memcpy(b->statistics[b->net->layers[i].block], b->part_sums, n * sizeof(double));
  return status;
}

static vise_status forward(vise_i_cpu64 *b, const walk *w, vise_error *err) {
  vise_status status = VISE_OK;
  for (size_t i = 0; i < b->net->n_listed; i++) {
    const bool merges = w->parts != NULL && b->net->layers[i].kind == VISE_LAYER_BATCH_NORM;
    if (merges) VISE_TRY(merge_statistics(b, w, i, err));

    for (size_t k = 0; k < w->n; k++) {
      vise_i_ref64 op = op_of(b, &w->spans[k], i);
      op.has_statistics = merges;
      vise_i_ref64_kind_of(op.layer->kind)->forward(&op);
      round_outputs(b, i, &w->spans[k]);
    }
  }

done:
  return status;
}

void vise_i_cpu64_forward(vise_i_cpu64 *b, const vise_i_op_pass *pass) {
  const walk w = {.spans = {{.pass = *pass}}, .n = 1};
  (void)!forward(b, &w, NULL); /* it only fails between ranks */
}

/* The gradient that goes past a block, to its inputs. */
static void add_skip(const vise_i_cpu64 *b, size_t first, size_t n) {
  for (size_t i = first; i < first + n; i++) b->delta[i] += b->delta_skip[i];
}

static vise_status backward_of_norm(vise_i_cpu64 *b, const walk *w, size_t i, vise_error *err) {
  const size_t width = b->net->layers[i].n_out;
  vise_i_part_units units = *w->parts;
  units.width = width;

  for (size_t k = 0; k < w->n; k++) {
    const vise_i_ref64 op = op_of(b, &w->spans[k], i);
    vise_i_ref64_norm_sum(&op, b->delta + w->spans[k].at * width, b->part_sums + (units.parts.first + k) * 2 * width,
                          w->spans[k].grad);
  }
  const vise_status status = vise_i_merge_sums(&units, b->part_sums, err);
  for (size_t k = 0; k < w->n; k++) {
    const vise_i_ref64 op = op_of(b, &w->spans[k], i);
    vise_i_ref64_norm_below(&op, b->part_sums, units.n_rows, b->delta + w->spans[k].at * width);
  }
  return status;
}

/* Of a layer that is not linear: delta stays where it is. */
static void backward_of_layer(vise_i_cpu64 *b, const span *s, size_t i) {
  const vise_i_ref64 op = op_of(b, s, i);
  const size_t first = s->at * op.layer->n_out;
  if (op.layer->kind == VISE_LAYER_RESIDUAL) {
    memcpy(b->delta_skip + first, b->delta + first, s->pass.n * op.layer->n_out * sizeof *b->delta);
  }
  vise_i_ref64_kind_of(op.layer->kind)->backward(&op, b->delta + first, b->delta + first, s->grad);
}

static void backward_of_linear(vise_i_cpu64 *b, const walk *w, size_t i) {
  const vise_i_layer *layer = &b->net->layers[i];
  const bool is_first = layer->block == 0; /* nothing below it is trained */

  for (size_t k = 0; k < w->n; k++) {
    const span *s = &w->spans[k];
    const vise_i_ref64 op = op_of(b, s, i);
    vise_i_ref64_linear.backward(&op, b->delta + s->at * layer->n_out,
                                 is_first ? NULL : b->delta_below + s->at * layer->n_in, s->grad);
  }

  double *const delta = b->delta;
  b->delta = b->delta_below;
  b->delta_below = delta;
  if (!b->net->blocks[layer->block].residual || is_first) return;
  for (size_t k = 0; k < w->n; k++) add_skip(b, w->spans[k].at * layer->n_in, w->spans[k].pass.n * layer->n_in);
}

/* From b->delta = dL/d outputs, adds dL/dtheta to the spans' gradients. */
static vise_status backward(vise_i_cpu64 *b, const walk *w, vise_error *err) {
  vise_status status = VISE_OK;
  for (size_t i = b->net->n_listed; i-- > b->net->blocks[0].linear;) {
    const vise_layer_kind kind = b->net->layers[i].kind;
    if (kind == VISE_LAYER_LINEAR) {
      backward_of_linear(b, w, i);
    } else if (kind == VISE_LAYER_BATCH_NORM && w->parts != NULL) {
      VISE_TRY(backward_of_norm(b, w, i, err));
    } else {
      for (size_t k = 0; k < w->n; k++) backward_of_layer(b, &w->spans[k], i);
    }
  }

done:
  return status;
}

static void copy_delta(vise_i_cpu64 *b, const vise_array *delta, const span *s) {
  const size_t n_out = vise_i_cpu64_n_outputs(b);
  for (size_t i = 0; i < s->pass.n; i++) {
    for (size_t k = 0; k < n_out; k++) {
      b->delta[(s->at + i) * n_out + k] = vise_i_array_get(delta, s->pass.first + i, k);
    }
  }
}

static vise_status check_rows(const vise_i_cpu64 *b, size_t n, vise_error *err) {
  if (n <= b->chunk || !vise_i_net_has_batch_norm(b->net)) return VISE_OK;
  return vise_i_fail(err, VISE_ERR_INTERNAL, "cpu64: %zu rows at once with batch norm, there is room for %zu", n,
                     b->chunk);
}

/* ---- the gradient of a batch --------------------------------------------------------------------------------------- */

/* What the spans of a batch have in common. */
typedef struct task {
  const vise_i_batch *batch;
  double denominator; /* of the loss */
  vise_i_part_units units;
  vise_i_addends addends;
} task;

static span span_of(const vise_i_cpu64 *b, const vise_i_batch *batch, size_t first, size_t end, double *grad) {
  return (span){.pass = {.training = true,
                         .drops = !batch->keeps_all,
                         .seed = b->spec->seed,
                         .step = (uint32_t)batch->step,
                         .first = first,
                         .n = end - first},
                .grad = grad};
}

/* The loss of a span's rows, and its gradient at the outputs. */
static void find_loss(vise_i_cpu64 *b, const task *t, const span *s, vise_i_part_found *found) {
  const size_t at = s->at * vise_i_cpu64_n_outputs(b);
  if (t->batch->delta != NULL) {
    copy_delta(b, t->batch->delta, s);
    return;
  }
  const double *z = b->values[b->net->n_listed] + at;
  vise_i_cpu64_gather_targets(b, t->batch, s->pass.first, s->pass.n);
  found->loss += vise_i_cpu64_loss(b, z, s->pass.n, t->denominator, b->delta + at, &found->n_correct);
}

/* Spans through the whole net; found: one for each. */
static vise_status walk_through(vise_i_cpu64 *b, const task *t, const walk *w, vise_i_part_found *found,
                                vise_error *err) {
  vise_status status = VISE_OK;
  const size_t first = w->n > 0 ? w->spans[0].pass.first : 0;
  const span *last = w->n > 0 ? &w->spans[w->n - 1] : NULL;

  if (last != NULL) vise_i_cpu64_gather_features(b, t->batch, first, last->at + last->pass.n);
  VISE_TRY(forward(b, w, err));
  for (size_t k = 0; k < w->n; k++) find_loss(b, t, &w->spans[k], &found[k]);
  VISE_TRY(backward(b, w, err));

done:
  return status;
}

/* The gradients of this process's parts one after the other, in chunks of rows. */
static vise_status walk_by_part(vise_i_cpu64 *b, task *t, vise_error *err) {
  vise_status status = VISE_OK;
  const vise_i_parts *parts = &t->addends.parts;

  for (size_t p = parts->first; p < parts->end; p++) {
    size_t first, end;
    vise_i_part_rows(t->batch->n, parts->n, p, &first, &end);
    for (; first < end; first += b->chunk) {
      const size_t stop = end - first < b->chunk ? end : first + b->chunk;
      const walk w = {.spans = {span_of(b, t->batch, first, stop, t->addends.values[p])}, .n = 1};
      VISE_TRY(walk_through(b, t, &w, &t->addends.found[p], err));
    }
  }

done:
  return status;
}

/* All of them layer by layer. */
static vise_status walk_by_layer(vise_i_cpu64 *b, task *t, vise_error *err) {
  const vise_i_parts *parts = &t->addends.parts;
  walk w = {.parts = &t->units};
  size_t at = 0;

  for (size_t p = parts->first; p < parts->end; p++) {
    size_t first, end;
    vise_i_part_rows(t->batch->n, parts->n, p, &first, &end);
    w.spans[w.n] = span_of(b, t->batch, first, end, t->addends.values[p]);
    w.spans[w.n++].at = at;
    at += end - first;
  }
  return walk_through(b, t, &w, &t->addends.found[parts->first], err);
}

/* Parts, one where the option is off, with gradients of 0. */
static void begin_parts(const vise_i_cpu64 *b, const vise_i_batch *batch, double *grad, task *out) {
  const vise_i_step_spec *spec = b->spec;
  const size_t most = spec->parts > 0 ? spec->parts : 1, n = batch->n < spec->max_batch ? batch->n : spec->max_batch;
  vise_i_addends *addends = &out->addends;

  *addends =
      (vise_i_addends){.parts = vise_i_parts_of(most, n, vise_ranks_rank(spec->ranks), vise_ranks_size(spec->ranks)),
                       .n_rows = batch->n,
                       .dtype = VISE_F64,
                       .n_values = b->net->n_params,
                       .sum = grad};
  const vise_i_parts *parts = &addends->parts;
  for (size_t p = parts->first; p < parts->end; p++) {
    double *values = p == parts->first ? grad : b->part_grads[p - parts->first];
    memset(values, 0, b->net->n_params * sizeof *values);
    addends->values[p] = values;
  }
  out->units = (vise_i_part_units){spec->ranks, *parts, batch->n, 0};
}

vise_status vise_i_cpu64_gradient(vise_i_cpu64 *b, const vise_i_batch *batch, const vise_i_cpu64_result *out,
                                  vise_error *err) {
  vise_status status = VISE_OK;
  task t = {.batch = batch, .denominator = 1};
  const bool by_layer = b->spec->parts > 0 && vise_i_net_has_batch_norm(b->net);

  VISE_TRY(check_rows(b, batch->n, err));
  if (!batch->delta) {
    double sum_weights;
    VISE_TRY(vise_i_cpu64_sum_weights(b, batch, &sum_weights, err));
    t.denominator = vise_i_loss_denominator(b->rule, sum_weights, (double)vise_i_cpu64_n_outputs(b));
  }

  begin_parts(b, batch, out->grad, &t);
  VISE_TRY(by_layer ? walk_by_layer(b, &t, err) : walk_by_part(b, &t, err));
  vise_i_add_own_parts(&t.addends, 0, b->net->n_params);
  VISE_TRY(vise_i_add_all_parts(b->spec->ranks, &t.addends, err));

  *out->loss = 0;
  *out->n_correct = 0;
  for (size_t p = 0; p < t.addends.parts.n; p++) {
    *out->loss += t.addends.found[p].loss;
    *out->n_correct += t.addends.found[p].n_correct;
  }

done:
  return status;
}
