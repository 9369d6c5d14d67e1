/* Gathers rows of any type and order into the float arrays of a step; checks labels, sums weights. */
#include "host/backend/check_data.h"
#include "host/backend/cpu/cpu.h"
#include "host/base/array.h"
#include "host/ops/simd.h"

enum { SHARE_DRAWS = 2048 /* of dropout, worth a second thread */ };

/* How columns are scaled: not at all, by one pair for all, or each by its own. */
typedef enum scale_mode { SCALE_NONE, SCALE_UNIFORM, SCALE_COLUMNS } scale_mode;

typedef struct scaling {
  scale_mode mode;
  const double *shift, *inverse;
} scaling;

static scaling scaling_of(const vise_i_cpu *b, const vise_i_scaling *given, vise_i_cpu_source source, bool targets) {
  const size_t n_in = b->net->widths[0], n_out = b->net->widths[b->net->n_layers];
  const size_t at = (size_t)source * (n_in + n_out) + (targets ? n_in : 0);
  const scale_mode mode = !given->shift ? SCALE_NONE : given->uniform ? SCALE_UNIFORM : SCALE_COLUMNS;
  return (scaling){mode, b->scale_shift + at, b->scale_inverse + at};
}

static void prepare(const vise_i_scaling *given, size_t n, double *shift, double *inverse) {
  if (!given->shift) return;
  const size_t n_given = given->uniform ? 1 : n;
  for (size_t i = 0; i < n_given; i++) {
    shift[i] = given->shift[i];
    inverse[i] = 1.0 / given->scale[i];
  }
}

/* The byte table holds the exact quotients. Float division vectorizes, so it is used if it gives the same bits for all
   256 (it does for shift 0 and a scale that is a float). */
static void prepare_bytes(vise_i_cpu *b, const vise_i_data *data, vise_i_cpu_source source) {
  const vise_i_scaling *s = &data->x_scaling;
  float *table = b->byte_table[source];
  b->byte_divisor[source] = 0;
  if (data->x.dtype != VISE_U8 || (s->shift && !s->uniform)) return;

  const double shift = s->shift ? s->shift[0] : 0, scale = s->shift ? s->scale[0] : 1;
  const float divisor = (float)scale;
  bool same = true;
  for (int i = 0; i < 256; i++) {
    table[i] = (float)((i - shift) / scale);
    if (!((float)i / divisor == table[i])) same = false;
  }

  if (same) b->byte_divisor[source] = divisor;
}

void vise_i_cpu_prepare_scaling(vise_i_cpu *b, const vise_i_data *data, vise_i_cpu_source source) {
  const size_t n_in = b->net->widths[0], n_out = b->net->widths[b->net->n_layers];
  const size_t at = (size_t)source * (n_in + n_out);
  prepare(&data->x_scaling, n_in, b->scale_shift + at, b->scale_inverse + at);
  prepare(&data->y_scaling, n_out, b->scale_shift + at + n_in, b->scale_inverse + at + n_in);
  prepare_bytes(b, data, source);
}

/* One row of contiguous values of type T. */
#define DEFINE_CONVERT_ROW(name, T)                                                                              \
  VISE_I_CLONES static void convert_row_##name(const T *restrict in, float *restrict out, size_t n, scaling s) { \
    if (s.mode == SCALE_NONE) {                                                                                  \
      for (size_t c = 0; c < n; c++) out[c] = (float)in[c];                                                      \
    } else if (s.mode == SCALE_UNIFORM) {                                                                        \
      const double shift = s.shift[0], inverse = s.inverse[0];                                                   \
      for (size_t c = 0; c < n; c++) out[c] = (float)(((double)in[c] - shift) * inverse);                        \
    } else {                                                                                                     \
      const double *restrict shift = s.shift, *restrict inverse = s.inverse;                                     \
      for (size_t c = 0; c < n; c++) out[c] = (float)(((double)in[c] - shift[c]) * inverse[c]);                  \
    }                                                                                                            \
  }

DEFINE_CONVERT_ROW(u8, uint8_t)
DEFINE_CONVERT_ROW(i32, int32_t)
DEFINE_CONVERT_ROW(i64, int64_t)
DEFINE_CONVERT_ROW(f32, float)
DEFINE_CONVERT_ROW(f64, double)

VISE_I_CLONES static void divide_bytes(const uint8_t *restrict in, float *restrict out, size_t n, float divisor) {
  for (size_t c = 0; c < n; c++) out[c] = (float)in[c] / divisor;
}

static void convert_row(vise_dtype dtype, const void *in, float *out, size_t n, scaling s) {
  switch (dtype) {
    case VISE_U8:
      convert_row_u8(in, out, n, s);
      return;
    case VISE_I32:
      convert_row_i32(in, out, n, s);
      return;
    case VISE_I64:
      convert_row_i64(in, out, n, s);
      return;
    case VISE_F32:
      convert_row_f32(in, out, n, s);
      return;
    case VISE_F64:
      convert_row_f64(in, out, n, s);
      return;

    case vise_dtype_count_:
      return;
  }
}

static inline double element(const void *data, vise_dtype dtype, size_t i) {
  switch (dtype) {
    case VISE_U8:
      return ((const uint8_t *)data)[i];
    case VISE_I32:
      return ((const int32_t *)data)[i];
    case VISE_I64:
      return (double)((const int64_t *)data)[i];
    case VISE_F32:
      return (double)((const float *)data)[i];
    case VISE_F64:
      return ((const double *)data)[i];
    case vise_dtype_count_:
      break;
  }

  return 0;
}

static inline float scaled(double x, const scaling *s, size_t column) {
  if (s->mode == SCALE_NONE) return (float)x;
  const size_t c = s->mode == SCALE_UNIFORM ? 0 : column;
  return (float)((x - s->shift[c]) * s->inverse[c]);
}

/* Where elements go: (row, column) to at[row * row_stride + column * column_stride]. */
typedef struct placing {
  float *at;
  size_t row_stride, column_stride;
} placing;

/* Rows first..first + n of a batch: rows[first..], or first, first + 1, ... where rows is NULL. */
typedef struct selection {
  const size_t *rows;
  size_t first, n;
} selection;

static size_t row_of(const selection *s, size_t i) {
  return s->rows ? s->rows[s->first + i] : s->first + i;
}

/* Any strides; column by column, as such arrays are stored. */
static void gather_strided(const vise_array *from, const selection *rows, const scaling *s, placing to) {
  for (size_t c = 0; c < from->n_cols; c++) {
    for (size_t r = 0; r < rows->n; r++) {
      const double x = element(from->data, from->dtype, row_of(rows, r) * from->row_stride + c * from->col_stride);
      to.at[r * to.row_stride + c * to.column_stride] = scaled(x, s, c);
    }
  }
}

/* A row at `in` whose features lie together. */
static void convert_one(const vise_i_cpu *b, const vise_array *x, const scaling *s, vise_i_cpu_source source,
                        const void *in, float *out) {
  const float *table = b->byte_table[source], divisor = b->byte_divisor[source];
  const size_t n = x->n_cols;

  if (x->dtype != VISE_U8 || s->mode == SCALE_COLUMNS) {
    convert_row(x->dtype, in, out, n, *s);
  } else if (divisor != 0) {
    divide_bytes(in, out, n, divisor);
  } else {
    for (size_t c = 0; c < n; c++) out[c] = table[((const uint8_t *)in)[c]];
  }
}

void vise_i_cpu_convert_row(const vise_i_cpu *b, const vise_i_data *data, vise_i_cpu_source source, size_t row,
                            float *out) {
  const scaling s = scaling_of(b, &data->x_scaling, source, false);
  const char *in = data->x.data;
  convert_one(b, &data->x, &s, source, in + row * data->x.row_stride * vise_dtype_size(data->x.dtype), out);
}

vise_i_byte_values vise_i_cpu_byte_values(const vise_i_cpu *b, const vise_i_data *data, vise_i_cpu_source source) {
  const scaling s = scaling_of(b, &data->x_scaling, source, false);
  const float *table = b->byte_table[source];
  if (data->x.dtype != VISE_U8 || s.mode == SCALE_COLUMNS || table[0] != 0) return (vise_i_byte_values){0};
  return (vise_i_byte_values){table, b->byte_divisor[source]};
}

void vise_i_cpu_prefetch_row(const vise_i_batch *batch, size_t at) {
  if (!batch->rows || at + VISE_I_AHEAD_ROWS >= batch->n) return;
  const vise_array *x = &batch->data->x;
  const size_t n_element = vise_dtype_size(x->dtype);
  const char *data = x->data;
  vise_i_ahead_row(data + batch->rows[at + VISE_I_AHEAD_ROWS] * x->row_stride * n_element, x->n_cols * n_element);
}

/* Rows first + [r, end) of the batch to rows [r, end) of b->x, where the features of a row lie together. */
static void gather_rows(vise_i_cpu *b, const vise_i_cpu_rows *rows, size_t first, size_t r, size_t end) {
  const vise_array *x = &rows->batch->data->x;
  const scaling s = scaling_of(b, &rows->batch->data->x_scaling, rows->source, false);
  const selection chosen = {rows->batch->rows, first, end};
  const size_t n_row_bytes = x->row_stride * vise_dtype_size(x->dtype);
  const char *data = x->data;

  for (; r < end; r++) {
    vise_i_cpu_prefetch_row(rows->batch, first + r);
    convert_one(b, x, &s, rows->source, data + row_of(&chosen, r) * n_row_bytes, b->x + r * x->n_cols);
  }
}

/* The same with any strides. */
static void gather_rows_strided(vise_i_cpu *b, const vise_i_cpu_rows *rows, size_t first, size_t r, size_t end) {
  const vise_array *x = &rows->batch->data->x;
  const scaling s = scaling_of(b, &rows->batch->data->x_scaling, rows->source, false);
  const selection chosen = {rows->batch->rows, first + r, end - r};
  gather_strided(x, &chosen, &s, (placing){b->x + r * x->n_cols, x->n_cols, 1});
}

void vise_i_cpu_slice_rows(const vise_i_cpu *b, const vise_i_crew *crew, size_t n, bool drops, size_t *first,
                           size_t *end) {
  const size_t least = drops ? SHARE_DRAWS : VISE_I_CPU_SHARE_ELEMENTS;
  vise_i_crew_slice(crew, n, 1, n * b->net->widths[0] >= least, first, end);
}

void vise_i_cpu_gather_x(vise_i_cpu *b, const vise_i_cpu_rows *rows, size_t first, size_t r, size_t end) {
  if (rows->batch->data->x.col_stride == 1) {
    gather_rows(b, rows, first, r, end);
  } else {
    gather_rows_strided(b, rows, first, r, end);
  }
}

/* Class weight of a row by its first target, unscaled: a label, or with one output the sign of a value. */
static double class_weight(const vise_i_cpu *b, bool labels, double y) {
  if (!b->class_weights) return 1;
  return (double)b->class_weights[labels ? (size_t)y : y > 0];
}

/* Rows first..first + n of a batch, whose labels are integers, to `to` (NULL: nowhere): whether all name a class. */
#define DEFINE_LABELS(name, T)                                                                                    \
  static bool labels_##name(const T *from, size_t stride, const selection *rows, size_t n_classes, int32_t *to) { \
    bool valid = true;                                                                                            \
    for (size_t r = 0; r < rows->n; r++) {                                                                        \
      const T label = from[row_of(rows, r) * stride];                                                             \
      valid &= (uint64_t)label < n_classes;                                                                       \
      if (to) to[r] = (int32_t)label;                                                                             \
    }                                                                                                             \
    return valid;                                                                                                 \
  }
DEFINE_LABELS(i32, int32_t)
DEFINE_LABELS(i64, int64_t)

/* False: they are not integers, or not all name a class. */
static bool read_labels(const vise_array *y, const selection *rows, size_t n_classes, int32_t *to) {
  if (y->dtype == VISE_I32) return labels_i32(y->data, y->row_stride, rows, n_classes, to);
  return y->dtype == VISE_I64 && labels_i64(y->data, y->row_stride, rows, n_classes, to);
}

vise_status vise_i_cpu_sum_weights(const vise_i_cpu *b, const vise_i_batch *batch, double *out, vise_error *err) {
  const vise_i_data *data = batch->data;
  const vise_array *y = &data->y;
  const bool labels = vise_i_has_labels(b->net, data);
  const selection all = {batch->rows, 0, batch->n};
  double sum = 0;

  if (!data->row_weights && !b->class_weights &&
      (!labels || read_labels(y, &all, b->net->widths[b->net->n_layers], NULL))) {
    *out = (double)batch->n;
    return VISE_OK;
  }

  for (size_t r = 0; r < batch->n; r++) {
    const size_t row = batch->rows ? batch->rows[r] : r;
    const double value = element(y->data, y->dtype, row * y->row_stride);
    if (labels) {
      const vise_status status = vise_i_check_label(row, value, b->net->widths[b->net->n_layers], err);
      if (status != VISE_OK) return status;
    }
    sum += (data->row_weights ? data->row_weights[row] : 1) * class_weight(b, labels, value);
  }

  *out = sum;
  return VISE_OK;
}

static void gather_labels(vise_i_cpu *b, const vise_array *y, const selection *rows) {
  const size_t n_out = b->net->widths[b->net->n_layers], n = rows->n;
  const vise_targets kind = vise_i_loss_targets(b->rule->loss);

  if (!read_labels(y, rows, n_out, b->labels)) {
    for (size_t r = 0; r < n; r++) {
      b->labels[r] = (int32_t)element(y->data, y->dtype, row_of(rows, r) * y->row_stride);
    }
  }
  if (kind == VISE_TARGETS_LABELS) return;

  const float off = kind == VISE_TARGETS_SIGNS ? -1.0f : 0.0f; /* one-hot */
  for (size_t i = 0; i < n_out * n; i++) b->y[i] = off;
  for (size_t r = 0; r < n; r++) b->y[(size_t)b->labels[r] * n + r] = 1.0f;
}

static void gather_values(vise_i_cpu *b, const vise_i_cpu_rows *rows, const selection *chosen) {
  const size_t n = chosen->n, n_values = b->net->widths[b->net->n_layers] * n;
  const scaling s = scaling_of(b, &rows->batch->data->y_scaling, rows->source, true);
  gather_strided(&rows->batch->data->y, chosen, &s, (placing){b->y, 1, n});
  if (vise_i_loss_targets(b->rule->loss) != VISE_TARGETS_SIGNS) return;
  for (size_t i = 0; i < n_values; i++) b->y[i] = b->y[i] > 0 ? 1.0f : -1.0f;
}

void vise_i_cpu_gather_y(vise_i_cpu *b, const vise_i_cpu_rows *rows, size_t first, size_t n) {
  const vise_i_data *data = rows->batch->data;
  const vise_array *y = &data->y;
  const selection chosen = {rows->batch->rows, first, n};
  b->has_labels = vise_i_has_labels(b->net, data);

  if (b->has_labels) {
    gather_labels(b, y, &chosen);
  } else {
    gather_values(b, rows, &chosen);
  }

  const bool by_class = b->class_weights && vise_i_loss_targets(b->rule->loss) != VISE_TARGETS_LABELS;
  for (size_t r = 0; r < n; r++) b->row_weight[r] = 1;
  if (!data->row_weights && !by_class) return;

  for (size_t r = 0; r < n; r++) {
    const size_t row = row_of(&chosen, r);
    double weight = data->row_weights ? data->row_weights[row] : 1;
    /* Label smoothing spreads a row over all classes, so cross-entropy takes the class weights itself. */
    if (by_class) {
      weight *= class_weight(b, b->has_labels, element(y->data, y->dtype, row * y->row_stride));
    }
    b->row_weight[r] = (float)weight;
  }
}

void vise_i_cpu_gather_delta(vise_i_cpu *b, const vise_array *delta, size_t first, size_t n) {
  const scaling none = {SCALE_NONE, NULL, NULL};
  const selection chosen = {NULL, first, n};
  gather_strided(delta, &chosen, &none, (placing){b->delta[0], 1, n});
}
