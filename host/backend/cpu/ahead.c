/* Rows that a thread reads after those it works on: it asks for them while it computes (host/product/ahead.h). */
#include <string.h>

#include "host/backend/cpu/cpu.h"
#include "host/base/memory.h"

enum { MOST_BYTES = 256 * 1024 /* what a cache keeps beside the rest of a step */ };

/* On cache lines of its own. */
struct vise_i_cpu_ahead {
  vise_i_ahead rows;
  char spare[128 - sizeof(vise_i_ahead)];
};

vise_status vise_i_cpu_ahead_create(vise_i_cpu *b, vise_error *err) {
  const size_t n = vise_i_team_size(b->team);
  const vise_status status = vise_i_alloc_aligned(&b->ahead, n, sizeof *b->ahead, "threads", err);
  if (status == VISE_OK) memset(b->ahead, 0, n * sizeof *b->ahead);
  return status;
}

vise_i_cpu_ahead *vise_i_cpu_ahead_at(const vise_i_cpu *b, size_t part) {
  return &b->ahead[part];
}

vise_i_ahead *vise_i_cpu_ahead_of(const vise_i_cpu *b, const vise_i_crew *crew) {
  return &b->ahead[crew->part].rows;
}

void vise_i_cpu_look_ahead(vise_i_cpu *b, const vise_i_crew *crew, const vise_i_cpu_rows *rows, size_t n_multiplied) {
  vise_i_ahead *a = vise_i_cpu_ahead_of(b, crew);
  const vise_i_op_pass *pass = &b->pass;
  const vise_i_batch *batch = rows->batch;
  const vise_array *x = &batch->data->x;
  const size_t done = pass->first + pass->n, first = done < rows->end ? done : rows->next;
  const size_t known = batch->n + batch->n_next;

  *a = (vise_i_ahead){0};
  if (!pass->training || !batch->rows || x->col_stride != 1 || first >= known) return;

  const size_t n = pass->n < known - first ? pass->n : known - first, n_element = vise_dtype_size(x->dtype);
  size_t r = 0, end = n;
  if (!b->pass_is_listed) vise_i_cpu_slice_rows(b, crew, n, false, &r, &end);

  *a = (vise_i_ahead){
      .data = x->data,
      .rows = batch->rows,
      .row = first + r,
      .n_bytes = x->n_cols * n_element,
      .stride = x->row_stride * n_element,
  };
  const size_t most = MOST_BYTES / a->n_bytes;
  a->n_rows = first + (end - r < most ? end : r + most);
  const size_t n_lines = (a->n_rows - a->row) * (a->n_bytes / VISE_I_AHEAD_LINE + 1);
  a->each = n_multiplied / (n_lines + 1) + 1;
}
