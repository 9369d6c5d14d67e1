/* Which nodes of the tree of parts there are, whose they are and where they lie. */
#include "host/backend/cuda/parts.h"

_Static_assert((int)VISE_K_MOST_PARTS == (int)VISE_I_MOST_PARTS, "as many parts as ranks have");

/* Bytes of all nodes up to which they go from every rank to every other: a second meeting takes longer than they do. */
#define WHOLE_BYTES ((size_t)256 << 10)

vise_i_cuda_nodes vise_i_cuda_nodes_of(const vise_i_cuda *b, size_t n_rows) {
  const vise_i_cuda_parts *parts = b->parts;
  const size_t rank = vise_ranks_rank(parts->ranks), size = vise_ranks_size(parts->ranks);
  vise_i_cuda_nodes out = {.parts = vise_i_parts_of(parts->most, n_rows, rank, size)};

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

  out.travel_whole = out.n_all * b->net->n_params * sizeof(float) <= WHOLE_BYTES;
  return out;
}

vise_k_part_place vise_i_cuda_place_of_part(const vise_i_parts *parts, size_t p, size_t depth) {
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

size_t vise_i_cuda_own_place(const vise_i_cuda_nodes *nodes) {
  return nodes->travel_whole ? nodes->first : 0;
}
