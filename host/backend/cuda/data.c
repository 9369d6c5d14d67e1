/* Data as the device has them: elements keep their type, rows are dense (features padded to 16 bytes), labels and
   values of targets are as they came, row weights are floats. */
#include <string.h>

#include "host/backend/check_data.h"
#include "host/backend/cuda/cuda.h"
#include "host/base/array.h"
#include "kernels/gather_bytes.h"

enum { ROW_ALIGN = 16 };

vise_status vise_i_cuda_check_size(const vise_i_data *data, vise_error *err) {
  if (data->x.n_rows <= UINT32_MAX) return VISE_OK;
  return vise_i_fail(err, VISE_ERR_UNSUPPORTED, "features: %zu rows, `backend` cuda counts up to %u", data->x.n_rows,
                     UINT32_MAX);
}

vise_status vise_i_cuda_check_labels(const vise_i_cuda *b, const vise_i_batch *batch, vise_error *err) {
  vise_status status = VISE_OK;
  if (!vise_i_has_labels(b->net, batch->data)) return VISE_OK;
  for (size_t i = 0; i < batch->n; i++) {
    const size_t row = batch->rows ? batch->rows[i] : i;
    const double label = vise_i_array_get(&batch->data->y, row, 0);
    VISE_TRY(vise_i_check_label(row, label, b->net->widths[b->net->n_layers], err));
  }
done:
  return status;
}

double vise_i_cuda_row_factor(const vise_i_cuda *b, const vise_i_data *data, size_t row) {
  double factor = data->row_weights ? data->row_weights[row] : 1;
  if (b->base.spec.class_weights && data->y.data) {
    const double y = vise_i_array_get(&data->y, row, 0);
    factor *= b->base.spec.class_weights[vise_i_has_labels(b->net, data) ? (size_t)y : y > 0];
  }
  return factor;
}

double vise_i_cuda_denominator(const vise_i_cuda *b, double sum) {
  return vise_i_loss_denominator(&b->base.spec.rule, sum, (double)b->net->widths[b->net->n_layers]);
}

/* ---- layout of rows ---- */

vise_i_cuda_rows vise_i_cuda_layout(const vise_i_data *data, bool with_targets, size_t n_rows) {
  vise_i_cuda_rows r = {.n_rows = n_rows, .weighted = data->row_weights != NULL};
  r.x_row_bytes = vise_i_round_up(data->x.n_cols * vise_dtype_size(data->x.dtype), ROW_ALIGN);
  if (with_targets) r.y_row_bytes = data->y.n_cols * vise_dtype_size(data->y.dtype);
  r.y_at = vise_i_round_up(n_rows * r.x_row_bytes, VISE_I_PLAN_ALIGN);
  r.weights_at = vise_i_round_up(r.y_at + n_rows * r.y_row_bytes, VISE_I_PLAN_ALIGN);
  r.n_bytes = vise_i_round_up(r.weights_at + (r.weighted ? n_rows * sizeof(float) : 0), VISE_I_PLAN_ALIGN);
  return r;
}

/* ---- scaling ---- */

static vise_status send_array(vise_i_cuda *b, void *to, const void *from, size_t n_bytes, vise_error *err) {
  vise_status status = VISE_OK;
  VISE_I_CUDA_TRY(b->cx, cudaMemcpyAsync(to, from, n_bytes, cudaMemcpyHostToDevice, b->cx->copies));
done:
  return status;
}

/* An array of data, and where its scaling goes. */
typedef struct described {
  const vise_array *array;
  const vise_i_scaling *scaling;
  size_t row_bytes;
  const vise_i_cuda_scaling *device, *pinned;
} described;

static vise_status make_source(vise_i_cuda *b, const described *d, vise_k_source *out, vise_error *err) {
  vise_status status = VISE_OK;
  const vise_i_scaling *scaling = d->scaling;
  const vise_i_cuda_scaling *device = d->device, *pinned = d->pinned;
  const vise_array *array = d->array;
  const size_t n = array->n_cols;
  const bool scaled = scaling->shift != NULL;
  vise_k_source s = {.row_bytes = d->row_bytes, .type = array->dtype, .n_columns = (uint32_t)n};

  if (scaled) s.scaling = scaling->uniform ? VISE_K_SCALE_UNIFORM : VISE_K_SCALE_COLUMNS;
  if (s.scaling == VISE_K_SCALE_UNIFORM) {
    s.shift = scaling->shift[0];
    s.inverse = 1 / scaling->scale[0];
  }

  if (s.scaling == VISE_K_SCALE_COLUMNS) {
    for (size_t c = 0; c < n; c++) {
      pinned->shift[c] = scaling->shift[c];
      pinned->inverse[c] = 1 / scaling->scale[c];
    }
    VISE_TRY(send_array(b, device->shift, pinned->shift, n * sizeof(double), err));
    VISE_TRY(send_array(b, device->inverse, pinned->inverse, n * sizeof(double), err));
    s.column_shift = device->shift;
    s.column_inverse = device->inverse;
  } else if (array->dtype == VISE_U8) {
    vise_k_gather_bytes(scaled ? scaling->shift[0] : 0, scaled ? scaling->scale[0] : 1, pinned->byte_values,
                        &s.byte_divisor, &s.byte_inverse);
    VISE_TRY(send_array(b, device->byte_values, pinned->byte_values, 256 * sizeof(float), err));
    s.byte_values = device->byte_values;
  }

  *out = s;
done:
  return status;
}

vise_status vise_i_cuda_sources(vise_i_cuda *b, const vise_i_data *data, vise_i_cuda_scales which, vise_k_source *x,
                                vise_k_source *y, vise_error *err) {
  vise_status status;
  const vise_i_cuda_rows rows = vise_i_cuda_layout(data, data->y.data != NULL, 1);
  static const vise_i_scaling none;

  const vise_i_cuda_scaling *device = b->scales[which], *pinned = b->cx->pinned_scales[which];
  const described features = {&data->x, &data->x_scaling, rows.x_row_bytes, &device[0], &pinned[0]};
  const described targets = {&data->y, vise_i_has_labels(b->net, data) ? &none : &data->y_scaling, rows.y_row_bytes,
                             &device[1], &pinned[1]};

  *y = (vise_k_source){0};
  VISE_TRY(make_source(b, &features, x, err));
  if (data->y.data) VISE_TRY(make_source(b, &targets, y, err));

done:
  return status;
}

/* ---- rows ---- */

static void copy_elements(char *out, const char *in, size_t n, size_t stride, size_t element_bytes) {
  for (size_t c = 0; c < n; c++) memcpy(out + c * element_bytes, in + c * stride * element_bytes, element_bytes);
}

/* A row as it is, with zeros up to row_bytes. */
static void copy_row(char *out, const vise_array *from, size_t row, size_t row_bytes) {
  const size_t element_bytes = vise_dtype_size(from->dtype), n_bytes = from->n_cols * element_bytes;
  const char *in = (const char *)from->data + row * from->row_stride * element_bytes;
  if (from->col_stride == 1) {
    memcpy(out, in, n_bytes);
  } else {
    copy_elements(out, in, from->n_cols, from->col_stride, element_bytes);
  }
  memset(out + n_bytes, 0, row_bytes - n_bytes);
}

/* Rows first..first + n of the batch into a buffer: all features, then all targets, then all weights. */
static void gather(const vise_i_batch *batch, const vise_i_cuda_rows *r, size_t first, size_t n, char *buffer) {
  const vise_i_data *data = batch->data;
  char *x = buffer, *y = x + n * r->x_row_bytes, *weights = y + n * r->y_row_bytes;

  for (size_t i = 0; i < n; i++) {
    const size_t row = batch->rows ? batch->rows[first + i] : first + i;
    copy_row(x + i * r->x_row_bytes, &data->x, row, r->x_row_bytes);
    if (r->y_row_bytes > 0) copy_row(y + i * r->y_row_bytes, &data->y, row, r->y_row_bytes);
    if (r->weighted) {
      const float weight = (float)data->row_weights[row];
      memcpy(weights + i * sizeof weight, &weight, sizeof weight);
    }
  }
}

vise_status vise_i_cuda_put_rows(vise_i_cuda *b, const vise_i_cuda_part *part, const vise_i_cuda_rows *to, size_t at,
                                 vise_error *err) {
  vise_status status;
  const size_t n = part->n, row_bytes = to->x_row_bytes + to->y_row_bytes + (to->weighted ? sizeof(float) : 0);

  VISE_TRY(vise_i_cuda_reserve(b->cx, n * row_bytes, err));
  const size_t most = b->cx->buffer_bytes / row_bytes;

  for (size_t i = 0, k = 0; i < n; i += most, k ^= 1) {
    const size_t m = n - i < most ? n - i : most;
    const char *x = b->cx->buffers[k], *y = x + m * to->x_row_bytes, *weights = y + m * to->y_row_bytes;

    VISE_I_CUDA_TRY(b->cx, cudaEventSynchronize(b->cx->copied[k]));
    gather(part->batch, to, part->first + i, m, b->cx->buffers[k]);
    VISE_TRY(send_array(b, to->memory + (at + i) * to->x_row_bytes, x, m * to->x_row_bytes, err));
    if (to->y_row_bytes > 0) {
      VISE_TRY(send_array(b, to->memory + to->y_at + (at + i) * to->y_row_bytes, y, m * to->y_row_bytes, err));
    }
    if (to->weighted) {
      VISE_TRY(send_array(b, to->memory + to->weights_at + (at + i) * sizeof(float), weights, m * sizeof(float), err));
    }
    VISE_I_CUDA_TRY(b->cx, cudaEventRecord(b->cx->copied[k], b->cx->copies));
  }

done:
  return status;
}

void vise_i_cuda_read_rows(vise_k_step *step, const vise_k_source *x, const vise_k_source *y,
                           const vise_i_cuda_rows *rows, bool labels) {
  step->x = *x;
  step->x.x = rows->memory;
  step->y = *y;
  step->y.x = rows->y_row_bytes > 0 ? rows->memory + rows->y_at : NULL;
  step->row_weights = rows->weighted ? (const float *)(const void *)(rows->memory + rows->weights_at) : NULL;
  step->order = NULL;
  step->labels = labels;
}

static void fill_indices(const void *context, size_t first, size_t n, char *buffer) {
  const size_t *rows = context;
  uint32_t *out = (uint32_t *)(void *)buffer;
  for (size_t i = 0; i < n; i++) out[i] = (uint32_t)rows[first + i];
}

vise_status vise_i_cuda_send_indices(vise_i_cuda *b, void *to, const size_t *rows, size_t n, vise_error *err) {
  const vise_i_cuda_items items = {n, sizeof(uint32_t), fill_indices, rows};
  return vise_i_cuda_send_items(b->cx, to, &items, err);
}
