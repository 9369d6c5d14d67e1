/* Some rows of a batch at a time: their scratch, and their gradient. */
#include <stdlib.h>

#include "host/backend/cpu/cpu.h"
#include "host/base/memory.h"

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

  if (block->residual || block->dropout > 0) VISE_TRY(alloc_rows(b, &more->out, width, "activations", err));
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
  free(b->y);
  free(b->labels);
  free(b->row_weight);
  free(b->row_sum);
}

void vise_i_cpu_gradient_of_rows(vise_i_cpu *b, const vise_i_cpu_rows *rows, double *loss, uint64_t *n_correct) {
  vise_i_op_pass pass = {.training = true,
                         .drops = !rows->batch->keeps_all && vise_i_net_has_dropout(b->net),
                         .seed = b->spec->seed,
                         .step = (uint32_t)rows->batch->step};

  for (size_t first = rows->first; first < rows->end; first += b->chunk) {
    const size_t n = rows->end - first < b->chunk ? rows->end - first : b->chunk;
    vise_i_cpu_gather_x(b, rows, first, n);
    pass.first = first;
    pass.n = n;
    vise_i_cpu_forward(b, &pass);

    if (rows->batch->delta) {
      vise_i_cpu_gather_delta(b, rows->batch->delta, first, n);
    } else {
      double part;
      uint64_t part_correct;
      vise_i_cpu_gather_y(b, rows, first, n);
      vise_i_cpu_loss(b, n, rows->weight_sum, &part, &part_correct);
      *loss += part;
      *n_correct += part_correct;
    }

    vise_i_cpu_backward(b, first > rows->first);
  }
}
