/* Where tensors, activations and sums of a plan lie. */
#include "host/plan/plan.h"
#include "kernels/canonical.h"

enum { TENSOR_ALIGN = 32, LD_ALIGN = 8 };

/* The end so far of each array that tensors have parts in. */
typedef struct ends {
  uint64_t params, activations;
  uint64_t cells, row_leaves, groups, units;
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

void vise_i_plan_layout(const vise_i_plan_request *request, vise_i_plan *plan) {
  const vise_i_net *net = request->net;
  vise_k_step *step = &plan->step;
  const uint64_t rows = request->max_rows;
  ends at = {0};

  step->ld_inputs = (uint32_t)vise_i_round_up(net->widths[0], LD_ALIGN);
  for (size_t l = 0; l < net->n_layers; l++) {
    vise_k_layer *layer = &step->layers[l];
    const bool hidden = l + 1 < net->n_layers;
    layer->n_in = (uint32_t)net->widths[l];
    layer->n_out = (uint32_t)net->widths[l + 1];
    layer->ld = (uint32_t)vise_i_round_up(layer->n_in, LD_ALIGN);
    layer->ld_out = (uint32_t)vise_i_round_up(layer->n_out, LD_ALIGN);
    layer->box = request->boxes[l];

    layer->weight = take(&at.params, (uint64_t)layer->n_out * layer->ld);
    layer->weight_at = place_sums(&at, layer->n_out, layer->n_in);

    if (net->blocks[l].bias != VISE_I_NO_TENSOR) {
      layer->bias = take(&at.params, layer->n_out);
      layer->bias_at = place_sums(&at, 1, layer->n_out);
    }

    layer->out = take(&at.activations, rows * layer->ld_out);
    if (hidden && step->has_pre) layer->pre = take(&at.activations, rows * layer->ld_out);
    if (!request->forward_only) layer->delta = take(&at.activations, rows * layer->ld_out);
  }

  plan->n_params = step->n_params = at.params;
  plan->arrays[VISE_I_PLAN_ACTIVATIONS].n_elements = at.activations;
  step->n_cells = (uint32_t)at.cells;
  step->n_row_leaves = (uint32_t)at.row_leaves;
  step->n_groups = (uint32_t)at.groups;
  step->n_units = (uint32_t)at.units;
}
