/* Where tensors, activations and sums of a plan lie. */
#include <math.h>

#include "host/plan/plan.h"
#include "kernels/canonical.h"

enum { TENSOR_ALIGN = 32, LD_ALIGN = 8 };

/* The end so far of each array that tensors have parts in. */
typedef struct ends {
  uint64_t params, activations;
  uint64_t cells, row_leaves, groups, units;
  uint32_t statistics;
} ends;

static vise_k_places place_sums(ends *at, uint64_t n_rows, uint64_t n_columns) {
  const uint64_t leaves = vise_n_leaves((uint32_t)n_columns), n_groups = vise_n_groups((uint32_t)n_rows);
  const vise_k_places places = {(uint32_t)at->cells, (uint32_t)at->row_leaves, (uint32_t)at->groups,
                                (uint32_t)at->units};
  at->cells += n_groups * leaves;
  at->row_leaves += n_rows * leaves;
  at->groups += n_groups;
  at->units += n_rows;
  return places;
}

static uint64_t take(uint64_t *at, uint64_t n) {
  const uint64_t begin = *at;
  *at = vise_i_round_up(begin + n, TENSOR_ALIGN);
  return begin;
}

static vise_k_dropout dropout_of(double p) {
  vise_k_dropout dropout = {0, 1};
  if (p > 0) dropout = (vise_k_dropout){vise_i_dropout_threshold(p), vise_i_dropout_scale(p)};
  return dropout;
}

static void describe_block(const vise_i_block *block, bool hidden, vise_k_layer *layer) {
  layer->activation = (uint8_t)(hidden ? block->activation : VISE_IDENTITY);
  layer->has_norm = block->batch_norm;
  layer->has_residual = block->residual;
  layer->dropout = dropout_of(block->dropout);
  layer->n_vectors = block->batch_norm ? 2 : block->bias != VISE_I_NO_TENSOR;
}

static void name_tensor(uint32_t layer, uint32_t part, vise_k_step *step) {
  step->tensors[step->n_tensors++] = (uint8_t)(layer + part * VISE_K_MAX_LAYERS);
}

static void place_tensors(ends *at, uint32_t l, vise_k_layer *layer, vise_k_step *step) {
  layer->first_tensor = (uint8_t)step->n_tensors;
  layer->weight = take(&at->params, (uint64_t)layer->n_out * layer->ld);
  layer->weight_at = place_sums(at, layer->n_out, layer->n_in);
  name_tensor(l, 0, step);

  for (uint32_t i = 0; i < layer->n_vectors; i++) {
    const uint64_t first = take(&at->params, layer->n_out);
    const vise_k_places places = place_sums(at, 1, layer->n_out);
    if (i == 0) {
      layer->vector = first;
      layer->vector_at = places;
    }
    name_tensor(l, 1 + i, step);
  }
}

/* An array of activations after the outputs. */
static uint32_t take_after(ends *at, const vise_k_layer *layer, uint64_t n) {
  return (uint32_t)((take(&at->activations, n) - layer->out) / TENSOR_ALIGN);
}

/* Each array of activations has a place of its own, since the way back reads them. */
static void place_activations(ends *at, const vise_i_plan_request *request, bool rounds, vise_k_layer *layer) {
  const uint64_t n = (uint64_t)request->max_rows * layer->ld_out;
  const bool trains = !request->forward_only;

  layer->out = take(&at->activations, n);
  if (vise_i_activation_needs_z((vise_activation)layer->activation)) layer->pre_by = take_after(at, layer, n);
  if (trains) layer->delta = take(&at->activations, n);
  if (trains && (layer->dropout.threshold || layer->has_residual || rounds)) layer->act_by = take_after(at, layer, n);
  if (trains && layer->has_norm) layer->linear_by = take_after(at, layer, n);
  if (trains && layer->has_residual) layer->delta_out_by = take_after(at, layer, n);
}

/* Running statistics lie after all that is trained, those of the batch in arrays of their own. */
static void place_running(ends *at, vise_k_layer *layer) {
  if (!layer->has_norm) return;
  layer->running = (uint32_t)(take(&at->params, layer->n_out) / TENSOR_ALIGN);
  take(&at->params, layer->n_out);
  layer->statistics = at->statistics;
  at->statistics += 2 * layer->n_out;
}

/* The largest float that is not above. */
static float round_down(double x) {
  const float near = (float)x;
  return (double)near > x ? nextafterf(near, 0) : near;
}

static void bound_rows(const vise_i_row_ball *ball, size_t l, vise_k_step *step) {
  const float radius = round_down(ball->radius);
  step->row_radii[l] = ball->sided ? -radius : radius;
  if (radius > 0) step->bounds_rows = step->weight_sums_by_rows = 1;
}

/* In the place of balls. */
static void describe_rounding(const vise_i_plan_request *request, vise_k_step *step) {
  const vise_i_quantization *q = request->quantization;
  step->rounds = 1;
  step->rounding = (vise_k_rounding){.acc_bits = (uint8_t)q->format.acc_bits,
                                     .act_bits = (uint8_t)q->format.act_bits,
                                     .in_bits = (uint8_t)q->format.in_bits,
                                     .bounds = 1};
  for (size_t l = 0; l < request->net->n_layers; l++) {
    step->rounding.zeros[l] = (uint8_t)vise_i_value_zero(q, request->net, l);
  }
}

void vise_i_plan_layout(const vise_i_plan_request *request, vise_i_plan *plan) {
  const vise_i_net *net = request->net;
  vise_k_step *step = &plan->step;
  ends at = {0};

  step->seed = request->seed;
  step->input_dropout = dropout_of(net->input_dropout);
  step->has_norm = vise_i_net_has_batch_norm(net);
  if (request->quantization != NULL) describe_rounding(request, step);
  step->ld_inputs = (uint32_t)vise_i_round_up(net->widths[0], LD_ALIGN);
  for (size_t l = 0; l < net->n_layers; l++) {
    vise_k_layer *layer = &step->layers[l];
    const bool hidden = l + 1 < net->n_layers;
    layer->n_in = (uint32_t)net->widths[l];
    layer->n_out = (uint32_t)net->widths[l + 1];
    layer->ld = (uint32_t)vise_i_round_up(layer->n_in, LD_ALIGN);
    layer->ld_out = (uint32_t)vise_i_round_up(layer->n_out, LD_ALIGN);
    layer->box = request->boxes[l];
    if (request->row_balls != NULL && !request->forward_only && !step->rounds)
      bound_rows(&request->row_balls[l], l, step);

    describe_block(&net->blocks[l], hidden, layer);
    place_tensors(&at, (uint32_t)l, layer, step);
    place_activations(&at, request, hidden && step->rounds, layer);
  }

  plan->n_params = step->n_params = at.params;
  for (size_t l = 0; l < net->n_layers; l++) place_running(&at, &step->layers[l]);
  plan->n_values = at.params;
  plan->n_statistics = at.statistics;
  plan->arrays[VISE_I_PLAN_ACTIVATIONS].n_elements = (request->n_parts > 0 ? request->n_parts : 1) * at.activations;
  plan->part_floats = at.activations;
  step->n_cells = (uint32_t)at.cells;
  step->n_row_leaves = (uint32_t)at.row_leaves;
  step->n_groups = (uint32_t)at.groups;
  step->n_units = (uint32_t)at.units;
}
