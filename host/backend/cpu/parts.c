/* Which parts a batch is cut into, and the backend as a thread sees it that works on one. */
#include <string.h>

#include "host/backend/cpu/cpu.h"
#include "host/backend/cpu/threads.h"

vise_i_parts vise_i_cpu_parts(const vise_i_cpu *b, size_t n) {
  const vise_i_step_spec *spec = b->spec;
  const size_t n_rows =
      n < spec->max_batch ? n : spec->max_batch; /* there is room for the parts of the largest batch */
  if (spec->parts > 0) {
    return vise_i_parts_of(spec->parts, n_rows, vise_ranks_rank(spec->ranks), vise_ranks_size(spec->ranks));
  }
  const size_t n_parts = vise_i_cpu_parts_of(b->net, n_rows);
  return (vise_i_parts){n_parts, 0, n_parts};
}

bool vise_i_cpu_goes_by_rows(const vise_i_cpu *b, size_t n) {
  return b->spec->parts > 0 || vise_i_cpu_parts(b, n).n > 1;
}

void vise_i_cpu_rows_of_part(const vise_i_cpu *b, size_t n, size_t n_parts, size_t p, size_t *first, size_t *end) {
  if (b->spec->parts > 0) {
    vise_i_part_rows(n, n_parts, p, first, end);
  } else {
    vise_i_team_slice(n, VISE_I_CPU_ALIGN_ROWS, p, n_parts, first, end);
  }
}

void vise_i_cpu_renew_view(vise_i_cpu *to, const vise_i_cpu *b, size_t thread, float *grads) {
  const vise_i_cpu own = *to;
  *to = *b;

  to->team = NULL;
  to->views = NULL;
  to->part_grads = NULL;
  to->lists = b->lists ? vise_i_cpu_lists_at(b, thread) : NULL;
  to->ahead = vise_i_cpu_ahead_at(b, thread);

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
