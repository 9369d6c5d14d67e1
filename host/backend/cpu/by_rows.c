/*
 * Batches that are large for their net: each thread takes its rows of the batch through the whole net, a few at a time
 * so that they stay in its cache, into a gradient of its own; then the gradients are added in thread order. Threads
 * thus meet once per batch and not at every layer, and products keep their long side.
 *
 * Each thread works on a backend like any other (a "view"): it shares weights, data and scaling with the real one, has
 * scratch and a gradient of its own, and no team. The first view uses the scratch and the gradient of the real one.
 */
#include <stdlib.h>
#include <string.h>

#include "host/backend/cpu/cpu.h"
#include "host/base/memory.h"

enum {
  LEAST_CHUNK = 96,          /* rows at a time; wider nets fit fewer into a cache and are shared by layers */
  CACHE_FLOATS = 128 * 1024, /* activations that fit into a processor's own cache */
  ALIGN_ROWS = 16
};

/* Rows at a time. */
static size_t chunk_of(const vise_i_net *net) {
  size_t width = 0;
  for (size_t l = 0; l <= net->n_layers; l++) width += net->widths[l];
  return CACHE_FLOATS / width / ALIGN_ROWS * ALIGN_ROWS;
}

/* Rows per thread from which going by rows was measured to be faster (two cores of an EPYC): each thread prepares all
   weights for its products and has a gradient to add, which does not pay for few rows. */
static size_t least_rows(const vise_i_net *net) {
  return net->n_params <= 60000 ? 32 : net->n_params <= 128000 ? 64 : 256;
}

static vise_i_cpu *view_of(const vise_i_cpu *b, size_t i) {
  return b->views + i;
}

/* `to` keeps its scratch and gradient; all else is copied from b. */
static void renew(vise_i_cpu *to, const vise_i_cpu *b) {
  const vise_i_cpu own = *to;
  *to = *b;

  to->team = NULL;
  to->views = NULL;

  to->chunk = own.chunk;
  to->x = own.x;
  to->y = own.y;
  to->labels = own.labels;
  to->row_weight = own.row_weight;
  to->row_sum = own.row_sum;
  to->grads = own.grads;
  memcpy(to->act, own.act, sizeof to->act);
  memcpy(to->pre, own.pre, sizeof to->pre);
  memcpy(to->more, own.more, sizeof to->more);
  memcpy(to->delta, own.delta, sizeof to->delta);
  memcpy(to->row_tmp, own.row_tmp, sizeof to->row_tmp);

  for (size_t t = 0; t < b->net->n_tensors; t++) to->tensors[t].g = to->grads + b->net->tensors[t].offset;
}

vise_status vise_i_cpu_views_create(vise_i_cpu *b, vise_error *err) {
  vise_status status = VISE_OK;
  const size_t n_views = vise_i_team_size(b->team), chunk = chunk_of(b->net);
  if (vise_i_net_has_batch_norm(b->net)) return VISE_OK; /* its rows depend on each other */
  if (n_views < 2 || chunk < LEAST_CHUNK || b->spec->max_batch < n_views * least_rows(b->net)) return VISE_OK;

  VISE_TRY(vise_i_alloc_zero(&b->views, n_views, sizeof *b->views, "threads", err));
  *view_of(b, 0) = *b;

  for (size_t i = 1; i < n_views; i++) {
    vise_i_cpu *view = view_of(b, i);
    view->net = b->net;
    view->chunk = chunk < b->chunk ? chunk : b->chunk;
    VISE_TRY(vise_i_alloc_aligned(&view->grads, b->net->n_params, sizeof(float), "gradient of a thread", err));
    VISE_TRY(vise_i_cpu_alloc_rows(view, err));
  }
  view_of(b, 0)->chunk = view_of(b, 1)->chunk;

done:
  return status;
}

void vise_i_cpu_views_destroy(vise_i_cpu *b) {
  if (!b->views) return;
  for (size_t i = 1; i < vise_i_team_size(b->team); i++) {
    vise_i_cpu_free_rows(view_of(b, i));
    free(view_of(b, i)->grads);
  }
  free(b->views);
}

bool vise_i_cpu_goes_by_rows(const vise_i_cpu *b, size_t n) {
  return b->views != NULL && n >= vise_i_team_size(b->team) * least_rows(b->net);
}

typedef struct rows_work {
  vise_i_cpu *b;
  const vise_i_cpu_rows *rows;
  size_t n_views; /* that have gradients to be added up */
} rows_work;

static void rows_part(void *context, size_t part, size_t n_parts) {
  const rows_work *work = context;
  vise_i_cpu *view = view_of(work->b, part);
  vise_i_cpu_rows rows = *work->rows;
  vise_i_team_slice(work->rows->end, ALIGN_ROWS, part, n_parts, &rows.first, &rows.end);
  renew(view, work->b);
  vise_i_cpu_part *found = &work->b->parts[part];
  found->loss = 0;
  found->n_correct = 0;
  vise_i_cpu_gradient_of_rows(view, &rows, &found->loss, &found->n_correct);
}

static void add_part(void *context, size_t part, size_t n_parts) {
  enum { ALIGN = 1024, BLOCK = 4096 };
  const rows_work *work = context;
  const vise_i_cpu *b = work->b;
  size_t begin, end;
  vise_i_team_slice(b->net->n_params, ALIGN, part, n_parts, &begin, &end);
  for (size_t at = begin; at < end; at += BLOCK) {
    const size_t n = end - at < BLOCK ? end - at : BLOCK;
    for (size_t i = 1; i < work->n_views; i++) vise_i_cpu_add(b->grads + at, view_of(b, i)->grads + at, n);
  }
}

void vise_i_cpu_gradient_by_rows(vise_i_cpu *b, const vise_i_cpu_rows *rows, double *loss, uint64_t *n_correct) {
  rows_work work = {.b = b, .rows = rows};
  work.n_views = vise_i_team_run(b->team, rows_part, &work);
  if (work.n_views > 1) (void)vise_i_team_run(b->team, add_part, &work);
  for (size_t p = 0; p < work.n_views; p++) {
    *loss += b->parts[p].loss;
    *n_correct += b->parts[p].n_correct;
  }
}
