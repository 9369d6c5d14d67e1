#include "host/backend/part_nodes.h"

_Static_assert((int)VISE_K_MOST_PARTS == (int)VISE_I_MOST_PARTS, "as many parts as ranks have");

/* Bytes of all nodes up to which they go from every rank to every other: a second meeting takes longer than they do. */
#define WHOLE_BYTES ((size_t)256 << 10)

vise_i_part_nodes vise_i_part_nodes_of(const vise_i_step_spec *spec, size_t n_rows) {
  const size_t rank = vise_ranks_rank(spec->ranks), size = vise_ranks_size(spec->ranks);
  vise_i_part_nodes out = {.parts = vise_i_parts_of(spec->parts, n_rows, rank, size)};

  for (size_t r = 0; r < size; r++) {
    const vise_i_parts of = vise_i_parts_of_rank(&out.parts, r, size);
    size_t begins[VISE_I_MOST_PARTS];
    const size_t n = vise_i_parts_nodes(&of, begins);
    for (size_t k = 0; k < n; k++) out.all |= (uint8_t)(1u << begins[k]);
    if (r == rank) {
      out.n_own = n;
      out.first = out.n_all;
    }
    out.n_all += n;
  }

  out.travel_whole = out.n_all * spec->net->n_params * sizeof(float) <= WHOLE_BYTES;
  return out;
}

vise_k_part_place vise_i_part_place(const vise_i_parts *parts, size_t p, size_t depth) {
  size_t begin = p, n_joins = 0;
  while (begin > parts->first) {
    const size_t step = begin & (~begin + 1), other = begin - step; /* the lowest bit that is set */
    const size_t end = other + 2 * step < parts->n ? other + 2 * step : parts->n;
    if (end != p + 1 || !vise_i_parts_join(parts, other, step)) break;
    begin = other;
    n_joins++;
  }
  return (vise_k_part_place){(uint8_t)(depth - n_joins), (uint8_t)n_joins};
}

size_t vise_i_part_own_place(const vise_i_part_nodes *nodes) {
  return nodes->travel_whole ? nodes->first : 0;
}

size_t vise_i_part_most_own(const vise_i_step_spec *spec) {
  return vise_i_most_parts(spec->parts, spec->max_batch, vise_ranks_rank(spec->ranks), vise_ranks_size(spec->ranks));
}

/* Gradients that there must be room for, of batches of n_rows rows. */
static size_t n_gradients_of(const vise_i_step_spec *spec, size_t n_rows) {
  const vise_i_part_nodes nodes = vise_i_part_nodes_of(spec, n_rows);
  size_t most = nodes.travel_whole ? nodes.n_all : 1, depth = 0;
  for (size_t p = nodes.parts.first; p < nodes.parts.end; p++) {
    depth = vise_i_part_place(&nodes.parts, p, depth).slot + 1u;
    if (vise_i_part_own_place(&nodes) + depth > most) most = vise_i_part_own_place(&nodes) + depth;
  }
  return most;
}

void vise_i_part_request(const vise_i_step_spec *spec, vise_i_plan_request *request) {
  if (spec->parts == 0) return;
  request->max_rows = vise_i_most_part_rows(spec->parts, spec->max_batch);
  if (request->max_rows > spec->max_batch) request->max_rows = spec->max_batch;
  request->gathers = true;
  if (vise_i_net_has_batch_norm(spec->net)) {
    const size_t n = vise_i_part_most_own(spec);
    request->n_parts = n > 0 ? (uint32_t)n : 1; /* a rank without rows still has the statistics */
  }
  for (size_t n = 1; n <= spec->parts; n++) {
    const size_t n_gradients = n_gradients_of(spec, n * VISE_I_PART_ROWS);
    if (n_gradients > request->n_gradients) request->n_gradients = (uint32_t)n_gradients;
  }
}

vise_status vise_i_part_check(const vise_i_step_spec *spec, vise_error *err) {
  const char *what = NULL;
  if (spec->parts == 0) return VISE_OK;

  if (spec->group != NULL) {
    what = "a sweep, whose nets share launches";
  } else if (spec->step_mode == VISE_STEP_UNFUSED || spec->step_mode == VISE_STEP_UNFUSED_GRAPH) {
    what = "`step_mode` unfused";
  } else if (spec->precision == VISE_TF32 || spec->precision == VISE_BF16) {
    what = "`precision` tf32 or bf16; use fp32";
  } else if (spec->steps_per_launch > 1) {
    what = "`steps_per_launch` above 1: a step in parts takes launches of its own";
  }
  if (what == NULL) return VISE_OK;
  return vise_i_fail(err, VISE_ERR_UNSUPPORTED, "%s on `backend` cuda: not with %s",
                     vise_i_ranks_are_many(spec->ranks) ? "training by several processes" : "`parts`", what);
}
