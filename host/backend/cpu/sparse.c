/*
 * A first layer of which most inputs are zero: pixels, one-hot columns, counts. The rows of a pass are kept as lists of
 * what is not zero, by rows for the forward product and by columns for the gradient (host/product, which leaves out the
 * terms that are zero). Whether that is done is chosen by the share of zeros in the data, and it changes no bit: where
 * zeros times weights or gradients are not zero, since these are not finite, the result is that of the dense layer.
 *
 * Every thread makes lists of its own: to make them takes little longer than to read them from another processor.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/backend/cpu/cpu.h"
#include "host/base/memory.h"
#include "host/product/product.h"

/* Rows looked at, of bound data and of others, and the most of their features that may not be zero. */
enum { LOOK_BOUND = 256, LOOK_SINGLE = 16, LEAST_INPUTS = 32, MOST_INPUTS = 1 << 24 };
static const double MOST_NONZERO = 0.4;

struct vise_i_cpu_lists {
  vise_i_entry *rows, *columns; /* [chunk * in], of which as much as there is is touched */
  size_t *row_start;            /* [chunk + 1] */
  size_t *column_start;         /* [in + 2]: while columns are being filled, one further */
  float *row;                   /* [in]: one row, where it is not listed as it is read */
  uint8_t *bytes;               /* [in * align_column(chunk)]: where bytes are, by columns */
};

static size_t align_column(size_t n_rows) {
  enum { ALIGN = 16 };
  return (n_rows + ALIGN - 1) / ALIGN * ALIGN;
}

/* ---- whether ------------------------------------------------------------------------------------------------------ */

/* Inputs that something else than the first product needs, or that change after they are read. */
static bool net_allows(const vise_i_cpu *b) {
  return b->has_panels && !b->spec->hooks.keeps_dense && b->net->widths[0] >= LEAST_INPUTS &&
         b->net->widths[0] <= MOST_INPUTS && b->chunk <= MOST_INPUTS && b->net->input_dropout == 0 &&
         !b->net->blocks[0].residual;
}

static double share_of_nonzero(vise_i_cpu *b, const vise_i_data *data, vise_i_cpu_source source, float *row) {
  const size_t n = data->x.n_rows, in = b->net->widths[0], most = source == VISE_I_CPU_BOUND ? LOOK_BOUND : LOOK_SINGLE;
  const size_t n_looked = n < most ? n : most;
  size_t n_nonzero = 0;

  for (size_t i = 0; i < n_looked; i++) {
    vise_i_cpu_convert_row(b, data, source, i * n / n_looked, row);
    for (size_t c = 0; c < in; c++) n_nonzero += row[c] != 0;
  }

  return (double)n_nonzero / (double)(n_looked * in);
}

static void free_lists(vise_i_cpu_lists *lists) {
  free(lists->rows);
  free(lists->columns);
  free(lists->row_start);
  free(lists->column_start);
  free(lists->row);
  free(lists->bytes);
}

static vise_status alloc_lists(const vise_i_cpu *b, vise_i_cpu_lists *lists, vise_error *err) {
  vise_status status = VISE_OK;
  const size_t in = b->net->widths[0];
  size_t n;

  if (!vise_i_size_mul(align_column(b->chunk), in, &n)) {
    return vise_i_fail(err, VISE_ERR_MEMORY, "features of a batch: too large");
  }
  VISE_TRY(vise_i_alloc(&lists->bytes, n, 1, "features of a batch", err));
  n += VISE_I_LIST_SPARE;
  VISE_TRY(vise_i_alloc(&lists->rows, n, sizeof *lists->rows, "features of a batch", err));
  VISE_TRY(vise_i_alloc(&lists->columns, n, sizeof *lists->columns, "features of a batch", err));
  VISE_TRY(vise_i_alloc(&lists->row_start, b->chunk + 1, sizeof(size_t), "features of a batch", err));
  VISE_TRY(vise_i_alloc(&lists->column_start, in + 2, sizeof(size_t), "features of a batch", err));
  VISE_TRY(vise_i_alloc(&lists->row, in, sizeof(float), "features of a batch", err));

done:
  return status;
}

void vise_i_cpu_lists_free(vise_i_cpu *b) {
  for (size_t i = 0; b->lists && i < vise_i_team_size(b->team); i++) free_lists(&b->lists[i]);
  free(b->lists);
}

vise_i_cpu_lists *vise_i_cpu_lists_at(const vise_i_cpu *b, size_t part) {
  return &b->lists[part];
}

vise_status vise_i_cpu_choose_sparse(vise_i_cpu *b, const vise_i_data *data, vise_i_cpu_source source,
                                     vise_error *err) {
  vise_status status = VISE_OK;
  const size_t n_threads = vise_i_team_size(b->team);
  b->is_sparse[source] = false;
  if (!net_allows(b) || data->x.n_rows == 0 || data->x.col_stride != 1) return VISE_OK;

  if (share_of_nonzero(b, data, source, b->x) > MOST_NONZERO) return VISE_OK;
  if (!b->lists) {
    VISE_TRY(vise_i_alloc_zero(&b->lists, n_threads, sizeof *b->lists, "features of a batch", err));
    for (size_t i = 0; i < n_threads; i++) VISE_TRY(alloc_lists(b, &b->lists[i], err));
  }
  b->is_sparse[source] = true;

done:
  return status;
}

/* ---- lists -------------------------------------------------------------------------------------------------------- */

static void list_columns(vise_i_cpu_lists *lists, size_t n, size_t in) {
  size_t *start = lists->column_start;
  const size_t n_entries = lists->row_start[n];

  /* How many each column has, two places further; where each begins, one further; and when all are placed, where it
     should be, since each has moved to the end of its column. */
  memset(start, 0, (in + 2) * sizeof *start);
  for (size_t k = 0; k < n_entries; k++) start[lists->rows[k].at + 2]++;
  for (size_t c = 2; c < in + 2; c++) start[c] += start[c - 1];
  for (size_t r = 0; r < n; r++) {
    for (size_t k = lists->row_start[r]; k < lists->row_start[r + 1]; k++) {
      const vise_i_entry e = lists->rows[k];
      lists->columns[start[e.at + 1]++] = (vise_i_entry){(uint32_t)r, e.value};
    }
  }
}

/* Rows of bytes, and their columns in the same way. */
static void list_byte_rows(vise_i_cpu_lists *lists, const vise_i_byte_rows *rows, const vise_i_byte_values *values,
                           bool columns) {
  (void)vise_i_list_bytes(rows, values, lists->row_start, lists->rows);
  if (!columns) return;

  const size_t n_column = align_column(rows->m);
  vise_i_transpose_bytes(rows, lists->bytes, n_column);
  const vise_i_byte_rows transposed = {lists->bytes, n_column, NULL, rows->n, rows->m};
  (void)vise_i_list_bytes(&transposed, values, lists->column_start, lists->columns);
}

void vise_i_cpu_list_rows(const vise_i_cpu *b, vise_i_cpu_lists *lists, const vise_i_cpu_rows *rows,
                          const vise_i_op_pass *pass) {
  const vise_i_data *data = rows->batch->data;
  const size_t in = b->net->widths[0], *chosen = rows->batch->rows;
  const vise_i_byte_values values = vise_i_cpu_byte_values(b, data, rows->source);
  vise_i_entry *end = lists->rows;

  if (values.table) {
    const uint8_t *at = (const uint8_t *)data->x.data + (chosen ? 0 : pass->first * data->x.row_stride);
    const vise_i_byte_rows bytes = {at, data->x.row_stride, chosen ? chosen + pass->first : NULL, pass->n, in};
    list_byte_rows(lists, &bytes, &values, pass->training);
    return;
  }

  for (size_t r = 0; r < pass->n; r++) {
    lists->row_start[r] = (size_t)(end - lists->rows);
    vise_i_cpu_prefetch_row(rows->batch, pass->first + r);
    vise_i_cpu_convert_row(b, data, rows->source, chosen ? chosen[pass->first + r] : pass->first + r, lists->row);
    end = vise_i_list_floats(lists->row, in, end);
  }

  lists->row_start[pass->n] = (size_t)(end - lists->rows);
  if (pass->training) list_columns(lists, pass->n, in);
}

/* ---- products ----------------------------------------------------------------------------------------------------- */

size_t vise_i_cpu_n_listed(const vise_i_cpu *b, const vise_i_crew *crew) {
  return b->lists[crew->part].row_start[b->pass.n];
}

void vise_i_cpu_sparse_forward(const vise_i_cpu *b, const vise_i_crew *crew, const vise_i_cpu_piece *piece, float *to) {
  const vise_i_cpu_lists *lists = &b->lists[crew->part];
  vise_i_multiply_sparse(&(vise_i_product_sparse){.m = b->pass.n,
                                                  .n = piece->end - piece->first,
                                                  .k = b->net->widths[0],
                                                  .start = lists->row_start,
                                                  .entries = lists->rows,
                                                  .b = b->tensors[b->net->blocks[0].weight].used + piece->at,
                                                  .b_row = piece->width,
                                                  .c = to,
                                                  .c_row = piece->width,
                                                  .ahead = vise_i_cpu_ahead_of(b, crew)});
}

/* A gradient that is not finite, in row r: to the weights of one unit from the inputs that are zero there. */
static void spoil_zeros(const vise_i_cpu *b, const vise_i_cpu_lists *lists, size_t r, float *g, size_t stride) {
  const vise_i_entry *entry = lists->rows + lists->row_start[r], *end = lists->rows + lists->row_start[r + 1];
  for (size_t i = 0; i < b->net->widths[0]; i++) {
    if (entry < end && entry->at == i) {
      entry++;
    } else {
      g[i * stride] = NAN;
    }
  }
}

/* Gradients that are not finite times zero are not numbers. */
static void spoil(const vise_i_cpu *b, const vise_i_cpu_lists *lists, const vise_i_cpu_piece *piece, const float *delta,
                  float *g) {
  const size_t width = piece->end - piece->first;
  float sums[VISE_I_CPU_PANEL] = {0};
  for (size_t r = 0; r < b->pass.n; r++) {
    for (size_t u = 0; u < width; u++) sums[u] += delta[r * piece->width + u] * 0.0f;
  }

  for (size_t u = 0; u < width; u++) {
    for (size_t r = 0; sums[u] != 0 && r < b->pass.n; r++) {
      if (!isfinite(delta[r * piece->width + u])) spoil_zeros(b, lists, r, g + u, piece->width);
    }
  }
}

void vise_i_cpu_sparse_gradient(const vise_i_cpu *b, const vise_i_crew *crew, const vise_i_cpu_piece *piece,
                                const float *delta, bool add) {
  const vise_i_cpu_lists *lists = &b->lists[crew->part];
  float *g = b->tensors[b->net->blocks[0].weight].g + piece->at;
  vise_i_multiply_sparse(&(vise_i_product_sparse){.m = b->net->widths[0],
                                                  .n = piece->end - piece->first,
                                                  .k = b->pass.n,
                                                  .start = lists->column_start,
                                                  .entries = lists->columns,
                                                  .b = delta,
                                                  .b_row = piece->width,
                                                  .c = g,
                                                  .c_row = piece->width,
                                                  .add = add,
                                                  .ahead = vise_i_cpu_ahead_of(b, crew)});
  spoil(b, lists, piece, delta, g);
}
