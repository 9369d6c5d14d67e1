/* Some rows of a batch at a time: their scratch, and their gradient. */
#include <stdlib.h>

#include "host/backend/cpu/cpu.h"
#include "host/base/memory.h"
#include "host/ops/rounding.h"

size_t vise_i_cpu_widest_output(const vise_i_net *net) {
  size_t widest = 0;
  for (size_t l = 1; l <= net->n_layers; l++) {
    if (net->widths[l] > widest) widest = net->widths[l];
  }
  return widest;
}

/* Array for chunk rows of this width. */
static vise_status alloc_rows(vise_i_cpu *b, float **out, size_t width, const char *what, vise_error *err) {
  size_t n;
  if (!vise_i_size_mul(b->chunk, width, &n)) return vise_i_fail(err, VISE_ERR_MEMORY, "%s: too large", what);
  return vise_i_alloc_aligned(out, n, sizeof **out, what, err);
}

static vise_status alloc_more(vise_i_cpu *b, size_t l, vise_error *err) {
  vise_status status = VISE_OK;
  const vise_i_block *block = &b->net->blocks[l];
  const size_t width = b->net->widths[l + 1];
  vise_i_cpu_more *more = &b->more[l];

  const bool has_own = block->residual || block->dropout > 0 || vise_i_rounds_outputs(b->spec->quantization, l);
  if (has_own) VISE_TRY(alloc_rows(b, &more->out, width, "activations", err));
  if (block->dropout > 0) VISE_TRY(alloc_rows(b, &more->factors, width, "dropout", err));
  if (block->batch_norm) {
    VISE_TRY(alloc_rows(b, &more->x, width, "batch norm", err));
    VISE_TRY(vise_i_alloc_zero(&more->statistics, 2 * width, sizeof(double), "statistics", err));
  }

done:
  return status;
}

vise_status vise_i_cpu_alloc_rows(vise_i_cpu *b, vise_error *err) {
  vise_status status = VISE_OK;
  const vise_i_net *net = b->net;

  for (size_t l = 0; l < net->n_layers; l++) {
    const bool keeps = l + 1 < net->n_layers && vise_i_activation_needs_z(net->blocks[l].activation);
    VISE_TRY(alloc_rows(b, &b->act[l], net->widths[l + 1], "activations", err));
    if (keeps) VISE_TRY(alloc_rows(b, &b->pre[l], net->widths[l + 1], "activations", err));
    VISE_TRY(alloc_more(b, l, err));
  }

  VISE_TRY(alloc_rows(b, &b->x, net->widths[0], "features of a batch", err));
  VISE_TRY(alloc_rows(b, &b->first_rows, net->widths[1], "activations", err));
  VISE_TRY(alloc_rows(b, &b->y, net->widths[net->n_layers], "targets of a batch", err));
  for (int i = 0; i < 2; i++) {
    VISE_TRY(alloc_rows(b, &b->delta[i], vise_i_cpu_widest_output(net), "gradients of activations", err));
  }

  for (int i = 0; i < 4; i++) VISE_TRY(alloc_rows(b, &b->row_tmp[i], 1, "scratch of the loss", err));
  VISE_TRY(alloc_rows(b, &b->row_weight, 1, "row weights of a batch", err));
  VISE_TRY(vise_i_alloc_aligned(&b->row_sum, b->chunk, sizeof(double), "scratch of the loss", err));
  VISE_TRY(vise_i_alloc_aligned(&b->labels, b->chunk, sizeof(int32_t), "labels of a batch", err));

done:
  return status;
}

void vise_i_cpu_free_rows(vise_i_cpu *b) {
  for (size_t l = 0; l < VISE_MAX_LAYERS; l++) {
    free(b->act[l]);
    free(b->pre[l]);
    free(b->more[l].out);
    free(b->more[l].factors);
    free(b->more[l].x);
    free(b->more[l].statistics);
  }

  for (int i = 0; i < 2; i++) free(b->delta[i]);
  for (int i = 0; i < 4; i++) free(b->row_tmp[i]);

  free(b->x);
  free(b->first_rows);
  free(b->y);
  free(b->labels);
  free(b->row_weight);
  free(b->row_sum);
}

static void look_ahead(vise_i_cpu *b, const vise_i_crew *crew, const vise_i_cpu_rows *rows) {
  const vise_i_cpu_units units = vise_i_cpu_share(b, crew, 0);
  const size_t n_inputs = b->pass_is_listed ? vise_i_cpu_n_listed(b, crew) : b->pass.n * b->net->widths[0];
  vise_i_cpu_look_ahead(b, crew, rows, 2 * n_inputs * (units.end - units.first));
}

/* Every thread makes its part of the features, or lists of its own; all are done when it returns. */
void vise_i_cpu_gather_pass(vise_i_cpu *b, const vise_i_crew *crew, const vise_i_cpu_rows *rows,
                            const vise_i_op_pass *pass) {
  const bool listed = b->is_sparse[rows->source] && b->first_is_finite;
  const bool drops = pass->drops && b->net->input_dropout > 0;
  size_t r, end;
  vise_i_cpu_slice_rows(b, crew, pass->n, drops, &r, &end);

  if (vise_i_crew_is_first(crew)) {
    b->pass = *pass;
    b->pass_is_listed = listed;
  }
  if (listed) {
    vise_i_cpu_list_rows(b, vise_i_cpu_lists_at(b, crew->part), rows, pass);
  } else {
    vise_i_cpu_gather_x(b, rows, pass->first, r, end);
  }
  vise_i_crew_meet(crew);
  look_ahead(b, crew, rows);

  if (!drops) return;
  vise_i_cpu_drop_inputs(b, r, end);
  vise_i_crew_meet(crew);
}

void vise_i_cpu_outputs_of_rows(vise_i_cpu *b, const vise_i_crew *crew, const vise_i_cpu_rows *rows, double *out) {
  const size_t n_out = b->net->widths[b->net->n_layers];
  const float *z = b->act[b->net->n_layers - 1];

  for (size_t first = rows->first; first < rows->end; first += b->chunk) {
    const size_t n = rows->end - first < b->chunk ? rows->end - first : b->chunk;
    vise_i_cpu_gather_pass(b, crew, rows, &(vise_i_op_pass){.first = first, .n = n});
    vise_i_cpu_forward(b, crew);

    for (size_t r = 0; vise_i_crew_is_first(crew) && r < n; r++) {
      for (size_t k = 0; k < n_out; k++) out[(first + r) * n_out + k] = (double)z[k * n + r];
    }
    vise_i_crew_meet(crew);
  }
}

void vise_i_cpu_loss_of_pass(vise_i_cpu *b, const vise_i_cpu_rows *rows, vise_i_cpu_found *found) {
  const size_t first = b->pass.first, n = b->pass.n;
  if (rows->batch->delta) {
    vise_i_cpu_gather_delta(b, rows->batch->delta, first, n);
    return;
  }

  double loss;
  uint64_t n_correct;
  vise_i_cpu_gather_y(b, rows, first, n);
  vise_i_cpu_loss(b, n, rows->weight_sum, &loss, &n_correct);
  found->loss += loss;
  found->n_correct += n_correct;
}

vise_i_op_pass vise_i_cpu_training_pass(const vise_i_cpu *b, const vise_i_cpu_rows *rows) {
  return (vise_i_op_pass){.training = true,
                          .drops = !rows->batch->keeps_all && vise_i_net_has_dropout(b->net),
                          .seed = b->spec->seed,
                          .step = (uint32_t)rows->batch->step};
}

void vise_i_cpu_gradient_of_rows(vise_i_cpu *b, const vise_i_crew *crew, const vise_i_cpu_rows *rows,
                                 vise_i_cpu_found *found) {
  const bool first_of_crew = vise_i_crew_is_first(crew);
  vise_i_op_pass pass = vise_i_cpu_training_pass(b, rows);
  if (first_of_crew) *found = (vise_i_cpu_found){0};

  for (size_t first = rows->first; first < rows->end; first += b->chunk) {
    pass.first = first;
    pass.n = rows->end - first < b->chunk ? rows->end - first : b->chunk;
    vise_i_cpu_gather_pass(b, crew, rows, &pass);
    vise_i_cpu_forward(b, crew);
    if (first_of_crew) vise_i_cpu_loss_of_pass(b, rows, found);
    vise_i_crew_meet(crew);

    vise_i_cpu_backward(b, crew, first > rows->first);
  }
}
