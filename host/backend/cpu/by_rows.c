/*
 * Batches that are large for their net: their rows are cut into parts, and each thread takes parts through the whole
 * net, a few rows at a time so that they stay in its cache, each into a gradient of its own; then the gradients are
 * added in a binary tree. Threads thus meet twice per batch and not at every layer. How many parts there are depends on
 * the net and the batch alone (threads.c), so the sums are the same for any number of threads.
 *
 * Each thread works on a backend like any other (a "view"): it shares weights, data and scaling with the real one and
 * has scratch of its own. The first view uses the scratch of the real one.
 */
#include <stdlib.h>
#include <string.h>

#include "host/backend/cpu/cpu.h"
#include "host/backend/cpu/threads.h"
#include "host/base/memory.h"

enum { ALIGN_ROWS = 16 };

/* There is room for the parts of the largest batch. */
size_t vise_i_cpu_row_parts(const vise_i_cpu *b, size_t n) {
  const size_t most = b->spec->max_batch;
  return vise_i_cpu_parts_of(b->net, n < most ? n : most);
}

/* `to` keeps its scratch; all else is copied from b. */
static void renew(vise_i_cpu *to, const vise_i_cpu *b, const vise_i_crew *crew, float *grads) {
  const vise_i_cpu own = *to;
  *to = *b;

  to->team = NULL;
  to->views = NULL;
  to->row_parts = NULL;
  to->lists = b->lists ? vise_i_cpu_lists_at(b, crew->part) : NULL;
  to->ahead = vise_i_cpu_ahead_at(b, crew->part);

  to->chunk = own.chunk;
  to->x = own.x;
  to->first_rows = own.first_rows;
  to->y = own.y;
  to->labels = own.labels;
  to->row_weight = own.row_weight;
  to->row_sum = own.row_sum;
  memcpy(to->act, own.act, sizeof to->act);
  memcpy(to->pre, own.pre, sizeof to->pre);
  memcpy(to->more, own.more, sizeof to->more);
  memcpy(to->delta, own.delta, sizeof to->delta);
  memcpy(to->row_tmp, own.row_tmp, sizeof to->row_tmp);

  to->grads = grads;
  for (size_t t = 0; t < b->net->n_tensors; t++) to->tensors[t].g = grads + b->net->tensors[t].offset;
}

vise_status vise_i_cpu_views_create(vise_i_cpu *b, vise_error *err) {
  vise_status status = VISE_OK;
  const size_t n_views = vise_i_team_size(b->team), chunk = vise_i_cpu_part_chunk(b->net);
  const size_t n_parts = vise_i_cpu_row_parts(b, b->spec->max_batch);
  if (n_parts == 1) return VISE_OK;

  VISE_TRY(vise_i_alloc_zero(&b->row_parts, n_parts, sizeof *b->row_parts, "gradients of parts", err));
  b->row_parts[0].grads = b->grads;
  for (size_t p = 1; p < n_parts; p++) {
    VISE_TRY(vise_i_alloc_aligned(&b->row_parts[p].grads, b->net->n_params, sizeof(float), "gradient of a part", err));
  }

  VISE_TRY(vise_i_alloc_zero(&b->views, n_views, sizeof *b->views, "threads", err));
  b->views[0] = *b;
  b->views[0].chunk = chunk < b->chunk ? chunk : b->chunk;
  for (size_t i = 1; i < n_views; i++) {
    vise_i_cpu *view = &b->views[i];
    view->net = b->net;
    view->spec = b->spec;
    view->chunk = b->views[0].chunk;
    VISE_TRY(vise_i_cpu_alloc_rows(view, err));
  }

done:
  return status;
}

void vise_i_cpu_views_destroy(vise_i_cpu *b) {
  for (size_t i = 1; b->views && i < vise_i_team_size(b->team); i++) vise_i_cpu_free_rows(&b->views[i]);
  free(b->views);

  const size_t n_parts = b->row_parts ? vise_i_cpu_row_parts(b, b->spec->max_batch) : 0;
  for (size_t p = 1; p < n_parts; p++) free(b->row_parts[p].grads);
  free(b->row_parts);
}

/* Elements [begin, end) of the parts' gradients, added in a binary tree into the first. */
static void add_gradients(const vise_i_cpu *b, size_t n_parts, size_t begin, size_t end) {
  enum { BLOCK = 4096 };
  for (size_t at = begin; at < end; at += BLOCK) {
    const size_t n = end - at < BLOCK ? end - at : BLOCK;
    for (size_t step = 1; step < n_parts; step *= 2) {
      for (size_t p = 0; p + step < n_parts; p += 2 * step) {
        vise_i_cpu_add(b->row_parts[p].grads + at, b->row_parts[p + step].grads + at, n);
      }
    }
  }
}

/* Where a thread goes on after part p: in its next part, or in its first one of the next batch. */
static size_t next_of(const vise_i_cpu_rows *rows, const vise_i_crew *crew, size_t p, size_t n_parts) {
  const bool is_last = p + crew->n_parts >= n_parts;
  size_t first, end;
  vise_i_team_slice(rows->end, ALIGN_ROWS, is_last ? crew->part : p + crew->n_parts, n_parts, &first, &end);
  return is_last ? rows->batch->n + first : first;
}

void vise_i_cpu_gradient_by_rows(vise_i_cpu *b, const vise_i_crew *crew, const vise_i_cpu_rows *rows,
                                 vise_i_cpu_found *found) {
  enum { ALIGN = 1024 };
  const size_t n_parts = vise_i_cpu_row_parts(b, rows->end);
  vise_i_cpu *view = &b->views[crew->part];

  for (size_t p = crew->part; p < n_parts; p += crew->n_parts) {
    vise_i_cpu_rows part = *rows;
    vise_i_team_slice(rows->end, ALIGN_ROWS, p, n_parts, &part.first, &part.end);
    part.next = next_of(rows, crew, p, n_parts);
    renew(view, b, crew, b->row_parts[p].grads);
    vise_i_cpu_gradient_of_rows(view, &VISE_I_ALONE, &part, &b->row_parts[p].found);
  }
  vise_i_crew_meet(crew);

  size_t begin, end;
  vise_i_crew_slice(crew, b->net->n_params, ALIGN, b->net->n_params >= VISE_I_CPU_SHARE_ELEMENTS, &begin, &end);
  add_gradients(b, n_parts, begin, end);
  if (vise_i_crew_is_first(crew)) {
    *found = (vise_i_cpu_found){0};
    for (size_t p = 0; p < n_parts; p++) {
      found->loss += b->row_parts[p].found.loss;
      found->n_correct += b->row_parts[p].found.n_correct;
    }
  }
  vise_i_crew_meet(crew);
}

void vise_i_cpu_outputs_by_rows(vise_i_cpu *b, const vise_i_crew *crew, const vise_i_cpu_rows *rows, double *out) {
  vise_i_cpu *view = &b->views[crew->part];
  vise_i_cpu_rows part = *rows;

  vise_i_team_slice(rows->end, ALIGN_ROWS, crew->part, crew->n_parts, &part.first, &part.end);
  renew(view, b, crew, b->grads);
  vise_i_cpu_outputs_of_rows(view, &VISE_I_ALONE, &part, out);
}
