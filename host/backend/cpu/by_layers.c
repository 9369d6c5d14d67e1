/*
 * A batch in parts through a net with batch norm, whose statistics are those of all rows: the parts of this process go
 * through a layer one after the other, then what they found is put together with that of the other ranks, and they go on.
 * Each part has a view with room for all of its rows.
 */
#include <stdlib.h>
#include <string.h>

#include "host/backend/cpu/cpu.h"
#include "host/base/memory.h"
#include "host/ranks/statistics.h"

struct vise_i_cpu_part_views {
  vise_i_cpu *views; /* [n]: of this process's parts */
  size_t n;
  double *all; /* [VISE_I_MOST_PARTS][2, widest]: what the parts found at a layer */
};

vise_status vise_i_cpu_part_views_create(vise_i_cpu *b, size_t n_parts, vise_error *err) {
  vise_status status;
  vise_i_cpu_part_views *parts;
  const size_t rows = vise_i_most_part_rows(b->spec->parts, b->spec->max_batch);

  VISE_TRY(vise_i_alloc_zero(&b->part_views, 1, sizeof *b->part_views, "parts", err));
  parts = b->part_views;
  VISE_TRY(vise_i_alloc_zero(&parts->views, n_parts, sizeof *parts->views, "parts", err));
  VISE_TRY(vise_i_alloc_zero(&parts->all, VISE_I_MOST_PARTS * 2 * vise_i_cpu_widest_output(b->net), sizeof(double),
                             "statistics of parts", err));

  for (; parts->n < n_parts; parts->n++) {
    vise_i_cpu *view = &parts->views[parts->n];
    view->net = b->net;
    view->spec = b->spec;
    view->chunk = rows;
    const vise_status made = vise_i_cpu_alloc_rows(view, err);
    if (made != VISE_OK) parts->n++; /* what it has is to be freed */
    VISE_TRY(made);

    for (size_t l = 0; l < b->net->n_layers; l++) {
      if (!b->net->blocks[l].batch_norm) continue;
      VISE_TRY(vise_i_alloc_zero(&view->more[l].sums, 2 * b->net->widths[l + 1], sizeof(double), "sums", err));
    }
  }

done:
  return status;
}

void vise_i_cpu_part_views_destroy(vise_i_cpu *b) {
  vise_i_cpu_part_views *parts = b->part_views;
  if (parts == NULL) return;

  for (size_t i = 0; i < parts->n; i++) {
    for (size_t l = 0; l < VISE_MAX_LAYERS; l++) free(parts->views[i].more[l].sums);
    vise_i_cpu_free_rows(&parts->views[i]);
  }
  free(parts->views);
  free(parts->all);
  free(parts);
}

/* ---- what the parts tell each other ------------------------------------------------------------------------------- */

static vise_i_cpu *view_at(const vise_i_cpu *b, size_t p) {
  return &b->part_views->views[p - b->addends.parts.first];
}

/* Numbers [2, width] of each of this process's parts at layer l, as `merge` makes them those of the batch; they are then at
   the front of `all`. */
static void merge(vise_i_cpu *b, size_t l, bool statistics) {
  const vise_i_parts *parts = &b->addends.parts;
  const vise_i_part_units units = {b->spec->ranks, *parts, b->addends.n_rows, b->net->widths[l + 1]};
  const size_t n = 2 * units.width;
  double *all = b->part_views->all;

  for (size_t p = parts->first; p < parts->end; p++) {
    const vise_i_cpu_more *more = &view_at(b, p)->more[l];
    memcpy(all + p * n, statistics ? more->statistics : more->sums, n * sizeof *all);
  }
  if (b->exchanged != VISE_OK) return;
  b->exchanged = statistics ? vise_i_merge_statistics(&units, all, &b->exchange_error)
                            : vise_i_merge_sums(&units, all, &b->exchange_error);
}

/* Statistics of the whole batch at layer l, to b and the views. */
static void merge_statistics(vise_i_cpu *b, size_t l) {
  const vise_i_parts *parts = &b->addends.parts;
  const size_t n_bytes = 2 * b->net->widths[l + 1] * sizeof(double);
  merge(b, l, true);

  memcpy(b->more[l].statistics, b->part_views->all, n_bytes);
  for (size_t p = parts->first; p < parts->end; p++) {
    memcpy(view_at(b, p)->more[l].statistics, b->part_views->all, n_bytes);
  }
}

/* ---- the walk ------------------------------------------------------------------------------------------------------ */

static void gather(vise_i_cpu *b, const vise_i_crew *crew, const vise_i_cpu_rows *rows, size_t p) {
  vise_i_cpu *view = view_at(b, p);
  vise_i_cpu_rows part = *rows;
  vise_i_op_pass pass = vise_i_cpu_training_pass(b, rows);
  vise_i_cpu_rows_of_part(b, b->addends.n_rows, b->addends.parts.n, p, &part.first, &part.end);
  pass.first = part.first;
  pass.n = part.end - part.first;

  if (vise_i_crew_is_first(crew)) {
    vise_i_cpu_renew_view(view, b, 0, b->part_grads[p - b->addends.parts.first]);
    view->is_sparse[0] = view->is_sparse[1] = false; /* lists are of one pass at a time */
    view->has_statistics = true;
  }
  vise_i_crew_meet(crew);
  vise_i_cpu_gather_pass(view, crew, &part, &pass);
}

static void forward(vise_i_cpu *b, const vise_i_crew *crew, size_t l) {
  const vise_i_parts *parts = &b->addends.parts;
  const bool norm = b->net->blocks[l].batch_norm;

  for (size_t p = parts->first; p < parts->end; p++) {
    const vise_i_cpu_units units = vise_i_cpu_share(view_at(b, p), crew, l);
    vise_i_cpu_layer_product(view_at(b, p), crew, &units);
    if (norm) vise_i_cpu_measure(view_at(b, p), &units);
  }
  if (norm) {
    vise_i_crew_meet(crew);
    if (vise_i_crew_is_first(crew)) merge_statistics(b, l);
    vise_i_crew_meet(crew);
  }

  for (size_t p = parts->first; p < parts->end; p++) {
    const vise_i_cpu_units units = vise_i_cpu_share(view_at(b, p), crew, l);
    vise_i_cpu_block_forward(view_at(b, p), &units);
  }
  vise_i_crew_meet(crew);
}

/* `turn` says which of a view's two deltas is that at layer l. */
static void backward(vise_i_cpu *b, const vise_i_crew *crew, size_t l, size_t turn) {
  const vise_i_parts *parts = &b->addends.parts;
  const bool norm = b->net->blocks[l].batch_norm;

  for (size_t p = parts->first; p < parts->end; p++) {
    vise_i_cpu *view = view_at(b, p);
    const vise_i_cpu_units units = vise_i_cpu_share(view, crew, l);
    vise_i_cpu_block_backward(view, &units, view->delta[turn], view->delta[1 - turn], false);
  }
  if (norm) {
    vise_i_crew_meet(crew);
    if (vise_i_crew_is_first(crew)) merge(b, l, false);
    vise_i_crew_meet(crew);
  }

  for (size_t p = parts->first; p < parts->end; p++) {
    vise_i_cpu *view = view_at(b, p);
    const vise_i_cpu_units units = vise_i_cpu_share(view, crew, l);
    if (norm) vise_i_cpu_normalize_backward(view, &units, b->part_views->all, b->addends.n_rows, view->delta[turn]);
    vise_i_cpu_layer_gradient(view, crew, &units, view->delta[turn], false);
  }
  vise_i_crew_meet(crew);
  if (l == 0) return;

  for (size_t p = parts->first; p < parts->end; p++) {
    vise_i_cpu *view = view_at(b, p);
    vise_i_cpu_layer_below(view, crew, l, view->delta[turn], view->delta[1 - turn]);
  }
  vise_i_crew_meet(crew);
}

void vise_i_cpu_gradient_by_layers(vise_i_cpu *b, const vise_i_crew *crew, const vise_i_cpu_rows *rows) {
  const vise_i_parts *parts = &b->addends.parts;
  const size_t n_layers = b->net->n_layers;

  for (size_t p = parts->first; p < parts->end; p++) gather(b, crew, rows, p);
  vise_i_crew_meet(crew);
  for (size_t l = 0; l < n_layers; l++) forward(b, crew, l);

  for (size_t p = parts->first + crew->part; p < parts->end; p += crew->n_parts) {
    b->addends.found[p] = (vise_i_cpu_found){0};
    vise_i_cpu_loss_of_pass(view_at(b, p), rows, &b->addends.found[p]);
  }
  vise_i_crew_meet(crew);

  for (size_t l = n_layers, turn = 0; l-- > 0; turn = 1 - turn) backward(b, crew, l, turn);
  if (vise_i_crew_is_first(crew)) b->pass.n = rows->end; /* of the running statistics */
}
