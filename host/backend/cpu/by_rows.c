/*
 * Batches whose rows are cut into parts, each with a gradient of its own, which are added in a binary tree. Each thread takes
 * parts through the whole net, a few rows at a time so that they stay in its cache; threads thus meet twice per batch and
 * not at every layer. Where a process has fewer parts than threads, the threads go through each part together.
 *
 * Parts are cut for two reasons. A batch that is large for its net has parts by the sizes of net and batch alone (threads.c),
 * so that the sums are the same for any number of threads. With the option `parts`, batches of any size have the parts of
 * host/ranks/parts.h, of which a rank has some: the sums are the same for any number of ranks.
 *
 * Each thread works on a backend like any other (a "view"): it shares weights, data and scaling with the real one and
 * has scratch of its own. The first view uses the scratch of the real one.
 */
#include <stdlib.h>

#include "host/backend/cpu/cpu.h"
#include "host/backend/cpu/threads.h"
#include "host/base/memory.h"

/* Rows of a view at a time at least, where parts are not cut for its cache. */
enum { LEAST_CHUNK = 96 };

/* That this process has. */
static size_t most_parts(const vise_i_cpu *b) {
  const vise_i_step_spec *spec = b->spec;
  if (spec->parts == 0) return vise_i_cpu_parts_of(b->net, spec->max_batch);
  return vise_i_most_parts(spec->parts, spec->max_batch, vise_ranks_rank(spec->ranks), vise_ranks_size(spec->ranks));
}

static size_t view_chunk(const vise_i_cpu *b) {
  size_t chunk = vise_i_cpu_part_chunk(b->net);
  if (chunk < LEAST_CHUNK) chunk = LEAST_CHUNK;
  return chunk < b->chunk ? chunk : b->chunk;
}

vise_status vise_i_cpu_views_create(vise_i_cpu *b, vise_error *err) {
  vise_status status = VISE_OK;
  const size_t n_views = vise_i_team_size(b->team), n_parts = most_parts(b);
  if (!vise_i_cpu_goes_by_rows(b, b->spec->max_batch)) return VISE_OK;

  VISE_TRY(vise_i_alloc_zero(&b->part_grads, VISE_I_MOST_PARTS, sizeof *b->part_grads, "gradients of parts", err));
  b->part_grads[0] = b->grads;
  for (size_t p = 1; p < n_parts; p++) {
    VISE_TRY(vise_i_alloc_aligned(&b->part_grads[p], b->net->n_params, sizeof(float), "gradient of a part", err));
  }
  if (vise_i_net_has_batch_norm(b->net)) return vise_i_cpu_part_views_create(b, n_parts, err);

  VISE_TRY(vise_i_alloc_zero(&b->views, n_views, sizeof *b->views, "threads", err));
  b->views[0] = *b;
  b->views[0].chunk = view_chunk(b);
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
  vise_i_cpu_part_views_destroy(b);

  for (size_t p = 1; b->part_grads && p < VISE_I_MOST_PARTS; p++) free(b->part_grads[p]);
  free(b->part_grads);
}

void vise_i_cpu_begin_parts(vise_i_cpu *b, size_t n) {
  vise_i_addends *addends = &b->addends;
  addends->parts = vise_i_cpu_parts(b, n);
  addends->n_rows = n;
  addends->dtype = VISE_F32;
  addends->n_values = b->net->n_params;
  addends->sum = b->grads;
  for (size_t p = addends->parts.first; p < addends->parts.end; p++) {
    addends->values[p] = b->part_grads[p - addends->parts.first];
  }
}

/* Where a thread goes on after part p: in its next part, or in its first one of the next batch. */
static size_t next_of(const vise_i_cpu *b, const vise_i_cpu_rows *rows, const vise_i_crew *crew, size_t p) {
  const vise_i_parts *parts = &b->addends.parts;
  const bool is_last = p + crew->n_parts >= parts->end;
  const size_t first_of_all = parts->first + crew->part, next = is_last ? first_of_all : p + crew->n_parts;
  size_t first, end;
  vise_i_cpu_rows_of_part(b, rows->end, parts->n, next < parts->n ? next : p, &first, &end);
  return is_last ? rows->batch->n + first : first;
}

/* What a part's gradient is found by: a thread of its own, or the whole crew. */
static void gradient_of_part(vise_i_cpu *b, const vise_i_crew *crew, const vise_i_cpu_rows *rows, size_t p,
                             bool together) {
  const vise_i_parts *parts = &b->addends.parts;
  vise_i_cpu *view = &b->views[together ? 0 : crew->part];
  vise_i_cpu_rows part = *rows;

  vise_i_cpu_rows_of_part(b, rows->end, parts->n, p, &part.first, &part.end);
  part.next = next_of(b, rows, together ? &VISE_I_ALONE : crew, p);
  if (!together || vise_i_crew_is_first(crew)) {
    vise_i_cpu_renew_view(view, b, together ? 0 : crew->part, b->part_grads[p - parts->first]);
  }
  if (together) vise_i_crew_meet(crew);
  vise_i_cpu_gradient_of_rows(view, together ? crew : &VISE_I_ALONE, &part, &b->addends.found[p]);
}

static void gradients_of_parts(vise_i_cpu *b, const vise_i_crew *crew, const vise_i_cpu_rows *rows) {
  const vise_i_parts *parts = &b->addends.parts;
  const bool together = parts->end - parts->first == 1 && crew->n_parts > 1;
  if (together) {
    gradient_of_part(b, crew, rows, parts->first, true);
    return;
  }
  for (size_t p = parts->first + crew->part; p < parts->end; p += crew->n_parts) {
    gradient_of_part(b, crew, rows, p, false);
  }
}

void vise_i_cpu_gradient_by_rows(vise_i_cpu *b, const vise_i_crew *crew, const vise_i_cpu_rows *rows,
                                 vise_i_cpu_found *found) {
  enum { ALIGN = 1024 };
  vise_i_addends *addends = &b->addends;

  if (b->part_views != NULL) {
    vise_i_cpu_gradient_by_layers(b, crew, rows);
  } else {
    gradients_of_parts(b, crew, rows);
  }
  vise_i_crew_meet(crew);

  size_t begin, end;
  vise_i_crew_slice(crew, addends->n_values, ALIGN, addends->n_values >= VISE_I_CPU_SHARE_ELEMENTS, &begin, &end);
  vise_i_add_own_parts(addends, begin, end);
  vise_i_crew_meet(crew);

  if (vise_i_crew_is_first(crew)) {
    if (b->exchanged == VISE_OK) b->exchanged = vise_i_add_all_parts(b->spec->ranks, addends, &b->exchange_error);
    *found = (vise_i_cpu_found){0};
    for (size_t p = 0; p < addends->parts.n; p++) {
      found->loss += addends->found[p].loss;
      found->n_correct += addends->found[p].n_correct;
    }
  }
  vise_i_crew_meet(crew);
}

void vise_i_cpu_outputs_by_rows(vise_i_cpu *b, const vise_i_crew *crew, const vise_i_cpu_rows *rows, double *out) {
  vise_i_cpu *view = &b->views[crew->part];
  vise_i_cpu_rows part = *rows;

  vise_i_team_slice(rows->end, VISE_I_CPU_ALIGN_ROWS, crew->part, crew->n_parts, &part.first, &part.end);
  vise_i_cpu_renew_view(view, b, crew->part, b->grads);
  vise_i_cpu_outputs_of_rows(view, &VISE_I_ALONE, &part, out);
}
