#include "host/backend/cuda/parts.h"

#include <stdlib.h>

#include "host/backend/cuda/nccl.h"
#include "host/base/memory.h"

/* ---- memory ---- */

vise_status vise_i_cuda_parts_create(vise_i_cuda *b, vise_error *err) {
  vise_status status = VISE_OK;
  const vise_i_step_spec *spec = &b->base.spec;
  if (spec->parts == 0) return VISE_OK;

  VISE_TRY(vise_i_alloc_zero(&b->parts, 1, sizeof *b->parts, "parts", err));
  b->parts->ranks = spec->ranks;
  b->parts->most = spec->parts;
  if (!vise_i_ranks_are_many(spec->ranks)) goto done;
  VISE_TRY(vise_i_alloc_zero(&b->parts->nccl, 1, sizeof *b->parts->nccl, "parts", err));
  VISE_TRY(vise_i_nccl_open(b->parts->nccl, err));

done:
  return status;
}

void vise_i_cuda_parts_destroy(vise_i_cuda *b) {
  if (b->parts == NULL) return;
  vise_i_cuda_exchange_close(b);
  free(b->parts->nccl);
  free(b->parts);
  b->parts = NULL;
}

void vise_i_cuda_parts_place(vise_i_cuda *b, vise_i_cuda_placer *p) {
  vise_i_cuda_parts *parts = b->parts;
  size_t n_floats = 0;
  if (parts == NULL) return;

  for (size_t n = 1; n <= parts->most; n++) {
    const size_t here = vise_i_cuda_exchange_floats(b, n * VISE_I_PART_ROWS, b->train.plan.n_params);
    if (here > n_floats) n_floats = here;
  }
  parts->found = vise_i_cuda_place(p, VISE_K_MOST_PARTS * sizeof *parts->found);
  parts->received = n_floats > 0 ? vise_i_cuda_place(p, n_floats * sizeof *parts->received) : NULL;
}

/* ---- records ---- */

size_t vise_i_cuda_parts_most_steps(const vise_i_cuda *b) {
  return VISE_I_CUDA_RECORDS / (vise_i_part_most_own(&b->base.spec) + 1);
}

/* Records of a step's launches, from that of the step; returns their number. */
static size_t spread_step(const vise_i_cuda *b, const vise_k_step_record *step, vise_k_step_record *out) {
  const vise_i_part_nodes nodes = vise_i_part_nodes_of(&b->base.spec, step->n_rows);
  const vise_i_parts *parts = &nodes.parts;
  size_t n = 0, depth = 0;

  for (size_t p = parts->first; p < parts->end; p++) {
    size_t first, end;
    vise_i_part_rows(step->n_rows, parts->n, p, &first, &end);
    out[n] = *step;
    out[n].first = step->first + (uint32_t)first;
    out[n].n_rows = (uint32_t)(end - first);
    out[n].position = (uint32_t)first;
    out[n].batch_rows = step->n_rows;
    out[n].of_batch = (vise_k_part_index){(uint16_t)p, (uint16_t)parts->n};
    out[n].part = vise_i_part_place(parts, p, depth);
    depth = out[n++].part.slot + 1u;
  }

  out[n] = *step;
  out[n].given.nodes = nodes.travel_whole ? nodes.all : 1;
  out[n++].given.n_parts = (uint8_t)parts->n;
  return n;
}

/* From the last step on, which is never before its own place. */
size_t vise_i_cuda_parts_spread(vise_i_cuda *b, size_t n) {
  vise_k_step_record *records = b->cx->mail->records;
  size_t end = 0;

  for (size_t i = 0; i < n; i++) {
    const vise_i_parts parts = vise_i_part_nodes_of(&b->base.spec, records[i].n_rows).parts;
    end += parts.end - parts.first + 1;
    b->parts->places[i] = (uint16_t)(end - 1);
  }
  for (size_t i = n; i-- > 0;) {
    vise_k_step_record step = records[i];
    step.next_first = step.next_n_rows = 0; /* launches of single steps gather for themselves */
    (void)spread_step(b, &step, records + (i > 0 ? b->parts->places[i - 1] + 1u : 0));
  }
  return end;
}

size_t vise_i_cuda_parts_done(const vise_i_cuda *b, size_t n, uint32_t cursor) {
  size_t done = 0;
  while (done < n && b->parts->places[done] < cursor) done++;
  return done;
}

/* ---- launches ---- */

/* Statistics from which those of the launch's cursor are at `place`. */
static vise_k_step_stats *stats_from(vise_k_step_stats *place, size_t cursor) {
  return (vise_k_step_stats *)((uintptr_t)place - cursor * sizeof *place);
}

static vise_status launch(vise_i_cuda *b, const vise_k_step *step, vise_error *err) {
  vise_status status = VISE_OK;
  VISE_I_CUDA_TRY(b->cx, vise_k_step_run(b->train.plan.variant, step, b->train.plan.shared_bytes, b->cx->steps));
  b->n_launched++;
done:
  return status;
}

/* The gradients of this rank's parts, and the exchanges that this takes: at each batch norm, then of the sums. */
static vise_status launch_gradients(vise_i_cuda *b, const vise_i_plan *plan, size_t place,
                                    const vise_i_part_nodes *nodes, vise_error *err) {
  vise_status status = VISE_OK;
  vise_i_cuda_parts *parts = b->parts;
  const size_t n_own = nodes->parts.end - nodes->parts.first;
  const uint32_t n_segments = vise_i_plan_n_segments(plan);
  const bool are_many = vise_i_ranks_are_many(parts->ranks);

  for (uint32_t segment = 0; segment < n_segments; segment++) {
    vise_k_step step;
    vise_i_plan_segment(plan, segment, &step);
    step.n_steps = (uint32_t)n_own;
    step.gradients += vise_i_part_own_place(nodes) * plan->n_params;
    step.stats = stats_from(parts->found + nodes->parts.first, place - n_own);
    if (segment > 0) step.clocks = NULL;
    if (n_own > 0) VISE_TRY(launch(b, &step, err));
    if (are_many && segment + 1 < n_segments) VISE_TRY(vise_i_cuda_exchange_norm(b, nodes, &step, err));
  }
  if (are_many) VISE_TRY(vise_i_cuda_exchange(b, nodes, err));

done:
  return status;
}

vise_status vise_i_cuda_parts_launch(vise_i_cuda *b, const vise_k_step *step, size_t i, vise_error *err) {
  vise_status status = VISE_OK;
  vise_i_cuda_parts *parts = b->parts;
  const size_t place = parts->places[i];
  const vise_i_part_nodes nodes = vise_i_part_nodes_of(&b->base.spec, b->cx->mail->records[place].n_rows);
  vise_i_plan plan = b->train.plan;
  vise_k_step update;

  plan.step = *step;
  b->n_launched = 0;
  parts->is_broken = true; /* until the step is on its way */
  VISE_TRY(launch_gradients(b, &plan, place, &nodes, err));

  vise_i_plan_update_of_parts(&plan, &update);
  update.clocks = NULL;
  update.found = parts->found;
  update.stats = stats_from(step->stats + i, place);
  VISE_TRY(launch(b, &update, err));
  parts->is_broken = false;
  if (vise_i_ranks_are_many(parts->ranks)) VISE_TRY(vise_i_cuda_exchange_begun(b, err));

done:
  return status;
}
