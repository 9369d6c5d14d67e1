/* Calls that bring their own rows: a step on the caller's batch; outputs and the full gradient of any number of rows,
   one part at a time. */
#include <string.h>

#include "host/backend/check_data.h"
#include "host/backend/cuda/cuda.h"
#include "host/base/array.h"

vise_status vise_i_cuda_grow_single(vise_i_backend *b, size_t n_bytes, vise_error *err) {
  vise_status status = VISE_OK;
  size_t available = 0;
  if (n_bytes <= b->single_bytes) return VISE_OK;

  if (b->single) VISE_I_CUDA_TRY(b, cudaFree(b->single));
  b->single = NULL;
  b->single_bytes = 0;

  VISE_TRY(vise_i_cuda_available(b, &available, err));
  if (n_bytes > available) {
    vise_i_cuda_forget(b);
    VISE_TRY(vise_i_cuda_available(b, &available, err));
  }

  if (b->memory_limit > 0 && n_bytes > available) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_MEMORY,
                         "`device_memory_limit` %zu: the rows of a call take %zu bytes, %zu more than are left",
                         b->memory_limit, n_bytes, n_bytes - available));
  }

  VISE_TRY(vise_i_cuda_alloc(b, n_bytes, "rows of data", &b->single, err));
  b->single_bytes = n_bytes;

done:
  return status;
}

/* ---- a step ---- */

static vise_status send_delta(vise_i_backend *b, const vise_array *delta, vise_error *err) {
  vise_status status;
  const size_t n = delta->n_rows * delta->n_cols;
  VISE_TRY(vise_i_cuda_reserve(b, n * sizeof(float), err));
  const size_t part = b->buffer_bytes / sizeof(float);

  for (size_t at = 0, k = 0; at < n; at += part, k ^= 1) {
    const size_t m = n - at < part ? n - at : part;
    float *out = (float *)(void *)b->buffers[k];
    VISE_I_CUDA_TRY(b, cudaEventSynchronize(b->copied[k]));
    for (size_t i = 0; i < m; i++) {
      out[i] = (float)vise_i_array_get(delta, (at + i) / delta->n_cols, (at + i) % delta->n_cols);
    }
    VISE_I_CUDA_TRY(b,
                    cudaMemcpyAsync(b->external_delta + at, out, m * sizeof *out, cudaMemcpyHostToDevice, b->copies));
    VISE_I_CUDA_TRY(b, cudaEventRecord(b->copied[k], b->copies));
  }

done:
  return status;
}

static vise_status check_step(vise_i_backend *b, const vise_i_data *data, const vise_array *delta, vise_error *err) {
  vise_status status;
  const size_t n = data->x.n_rows, n_out = b->net->widths[b->net->n_layers];

  VISE_TRY(vise_i_cuda_check_batch(b, n, err));
  if ((b->spec.rule.loss == VISE_LOSS_EXTERNAL) != (delta != NULL)) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_INTERNAL, "cuda: the external loss, and it alone, takes a delta"));
  }

  VISE_TRY(vise_i_cuda_check_data(b, data, !delta, err));
  if (!delta) VISE_TRY(vise_i_cuda_check_labels(b, data, NULL, n, err));
  if (delta && (delta->n_rows != n || delta->n_cols != n_out)) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_SHAPE, "delta is [%zu, %zu], expected [%zu, %zu]", delta->n_rows, delta->n_cols,
                         n, n_out));
  }

done:
  return status;
}

static vise_k_step_record record_of(const vise_i_hyper *hyper, double denominator, size_t n) {
  return (vise_k_step_record){.hyper = *hyper, .denominator = denominator, .n_rows = (uint32_t)n};
}

vise_status vise_i_cuda_step(vise_i_backend *b, const vise_i_data *data, const vise_array *delta, double external_loss,
                             const vise_i_hyper *hyper, vise_step_stats *stats, vise_error *err) {
  vise_status status;
  const size_t n = data->x.n_rows;
  uint64_t skips = b->train.state.counters.consecutive_skips;
  vise_k_step step = b->train.step;
  vise_k_source x, y;
  double sum = 0;

  VISE_TRY(vise_i_cuda_enter(b, err));
  VISE_TRY(check_step(b, data, delta, err));

  vise_i_cuda_rows rows = vise_i_cuda_layout(b, data, !delta, n);
  VISE_TRY(vise_i_cuda_grow_single(b, rows.n_bytes, err));
  rows.memory = b->single;
  VISE_TRY(vise_i_cuda_renew_sums(b, err));
  VISE_TRY(vise_i_cuda_sources(b, data, VISE_I_CUDA_SINGLE, &x, &y, err));
  VISE_TRY(vise_i_cuda_put_rows(b, data, &rows, 0, NULL, 0, n, err));
  if (delta) VISE_TRY(send_delta(b, delta, err));

  for (size_t i = 0; i < n; i++) sum += delta ? 1 : vise_i_cuda_row_factor(b, data, i);
  b->mail->records[0] = record_of(hyper, delta ? 1 : vise_i_cuda_denominator(b, sum), n);
  b->mail->records[0].external_loss = external_loss;
  vise_i_cuda_read_rows(b, &step, &x, &y, &rows, !delta && vise_i_has_labels(b->net, data));
  step.n_steps = 1;

  VISE_TRY(vise_i_cuda_call(b, &b->train, &step, err));
  b->n_launches += b->n_launched;
  vise_i_cuda_report(b, 0, n, hyper, stats);
  VISE_TRY(vise_i_cuda_after_step(b, stats, hyper, &skips, err));

done:
  return status;
}

/* ---- many rows ---- */

/* Rows of data sent part by part into the memory of single calls. */
typedef struct parts {
  const vise_i_data *data;
  const size_t *rows;
  vise_i_cuda_rows layout; /* of one part */
  vise_k_source x, y;
} parts;

static vise_status open_parts(vise_i_backend *b, const vise_i_data *data, const size_t *rows, size_t n,
                              bool with_targets, parts *p, vise_error *err) {
  vise_status status;
  size_t n_rows = b->wide.plan.step.max_rows;
  *p = (parts){.data = data, .rows = rows};
  if (n_rows > n && n > 0) n_rows = n;

  if (b->single_bytes == 0) {
    /* Without bound data nothing was set aside. */
    size_t n_bytes = vise_i_cuda_layout(b, data, with_targets, b->wide.plan.step.max_rows).n_bytes, available = 0;
    VISE_TRY(vise_i_cuda_available(b, &available, err));
    if (n_bytes > VISE_I_CUDA_SINGLE_BYTES) n_bytes = VISE_I_CUDA_SINGLE_BYTES;
    if (n_bytes > available / 8) n_bytes = available / 8;
    VISE_TRY(vise_i_cuda_grow_single(b, n_bytes, err));
  }

  while (n_rows > 1 && vise_i_cuda_layout(b, data, with_targets, n_rows).n_bytes > b->single_bytes) {
    n_rows = (n_rows + 1) / 2;
  }

  p->layout = vise_i_cuda_layout(b, data, with_targets, n_rows);
  VISE_TRY(vise_i_cuda_grow_single(b, p->layout.n_bytes, err));
  p->layout.memory = b->single;
  VISE_TRY(vise_i_cuda_sources(b, data, VISE_I_CUDA_SINGLE, &p->x, &p->y, err));

done:
  return status;
}

/* Launches the step on rows [first, first + n) of the parts' rows; the record is in the mail. */
static vise_status run_part(vise_i_backend *b, const parts *p, vise_k_step *step, size_t first, size_t n,
                            vise_error *err) {
  vise_status status;
  VISE_TRY(vise_i_cuda_put_rows(b, p->data, &p->layout, 0, p->rows ? p->rows + first : NULL, first, n, err));
  vise_i_cuda_read_rows(b, step, &p->x, &p->y, &p->layout, vise_i_has_labels(b->net, p->data));
  VISE_TRY(vise_i_cuda_call(b, &b->wide, step, err));
done:
  return status;
}

/* Outputs [n][ld] of the last launch, as doubles without padding. */
static vise_status fetch_outputs(vise_i_backend *b, size_t n, double *out, vise_error *err) {
  vise_status status;
  const vise_k_layer *last = &b->wide.step.layers[b->net->n_layers - 1];
  const float *from = b->wide.step.activations + last->out;

  VISE_TRY(vise_i_cuda_reserve(b, n * last->ld_out * sizeof(float), err));
  const size_t most = b->buffer_bytes / (last->ld_out * sizeof(float));
  const float *z = (const float *)(const void *)b->buffers[0];

  for (size_t first = 0; first < n; first += most) {
    const size_t m = n - first < most ? n - first : most;
    VISE_I_CUDA_TRY(b, cudaMemcpyAsync(b->buffers[0], from + first * last->ld_out, m * last->ld_out * sizeof(float),
                                       cudaMemcpyDeviceToHost, b->copies));
    VISE_I_CUDA_TRY(b, cudaStreamSynchronize(b->copies));

    for (size_t r = 0; r < m; r++) {
      for (size_t k = 0; k < last->n_out; k++) {
        out[(first + r) * last->n_out + k] = (double)z[r * last->ld_out + k];
      }
    }
  }

done:
  return status;
}

static bool are_neighbours(const size_t *rows, size_t n) {
  for (size_t i = 1; i < n; i++) {
    if (rows[i] != rows[0] + i) return false;
  }
  return true;
}

/* Sends the indices of rows that the kernel gathers. */
static vise_status send_indices(vise_i_backend *b, const size_t *rows, size_t n, vise_error *err) {
  vise_status status;
  VISE_TRY(vise_i_cuda_reserve(b, n * sizeof(uint32_t), err));
  uint32_t *out = (uint32_t *)(void *)b->buffers[0];
  VISE_I_CUDA_TRY(b, cudaEventSynchronize(b->copied[0]));
  for (size_t i = 0; i < n; i++) out[i] = (uint32_t)rows[i];
  VISE_I_CUDA_TRY(b, cudaMemcpyAsync(b->single, out, n * sizeof *out, cudaMemcpyHostToDevice, b->copies));
  VISE_I_CUDA_TRY(b, cudaEventRecord(b->copied[0], b->copies));
done:
  return status;
}

/* Rows per launch: as many as the plan takes and a buffer holds. */
static size_t most_indices(const vise_i_backend *b) {
  const size_t most = VISE_I_CUDA_PINNED_BYTES / sizeof(uint32_t), n = b->wide.plan.step.max_rows;
  return n < most ? n : most;
}

/* Outputs of rows that are on the device. */
static vise_status forward_kept(vise_i_backend *b, const vise_i_data *inputs, const vise_i_cuda_rows *kept,
                                const size_t *rows, size_t n, double *out, vise_error *err) {
  vise_status status;
  vise_k_source x, y;
  const size_t n_out = b->net->widths[b->net->n_layers];
  const vise_i_hyper hyper = {0, 1, 1};
  const size_t most = most_indices(b);

  VISE_TRY(vise_i_cuda_sources(b, inputs, VISE_I_CUDA_SINGLE, &x, &y, err));
  vise_k_step step = vise_i_cuda_mode_step(&b->wide, VISE_K_FORWARD_ONLY);
  vise_i_cuda_read_rows(b, &step, &x, &y, kept, false);

  for (size_t first = 0; first < n; first += most) {
    const size_t m = n - first < most ? n - first : most;
    const bool dense = !rows || are_neighbours(rows + first, m);

    b->mail->records[0] = record_of(&hyper, 1, m);
    b->mail->records[0].first = (uint32_t)(!dense ? 0 : rows ? rows[first] : first);
    if (!dense) VISE_TRY(send_indices(b, rows + first, m, err));
    step.order = dense ? NULL : (const uint32_t *)(const void *)b->single;

    VISE_TRY(vise_i_cuda_call(b, &b->wide, &step, err));
    VISE_TRY(fetch_outputs(b, m, out + first * n_out, err));
  }

done:
  return status;
}

vise_status vise_i_cuda_forward(vise_i_backend *b, const vise_i_data *data, const size_t *rows, size_t n, double *out,
                                vise_error *err) {
  vise_status status;
  parts p;
  vise_i_cuda_rows kept;
  bool is_kept = false;
  const size_t n_out = b->net->widths[b->net->n_layers];
  const vise_i_hyper hyper = {0, 1, 1};
  const vise_i_data inputs = {.x = data->x, .x_scaling = data->x_scaling, .id = data->id}; /* no targets */

  VISE_TRY(vise_i_cuda_enter(b, err));
  VISE_TRY(vise_i_cuda_check_data(b, data, false, err));

  /* First, as it may have to make room. */
  if (data->id != 0) VISE_TRY(vise_i_cuda_grow_single(b, most_indices(b) * sizeof(uint32_t), err));
  VISE_TRY(vise_i_cuda_keep(b, &inputs, &kept, &is_kept, err));
  if (is_kept) return forward_kept(b, &inputs, &kept, rows, n, out, err);

  VISE_TRY(open_parts(b, &inputs, rows, n, false, &p, err));
  vise_k_step step = vise_i_cuda_mode_step(&b->wide, VISE_K_FORWARD_ONLY);
  for (size_t first = 0; first < n; first += p.layout.n_rows) {
    const size_t m = n - first < p.layout.n_rows ? n - first : p.layout.n_rows;
    b->mail->records[0] = record_of(&hyper, 1, m);
    VISE_TRY(run_part(b, &p, &step, first, m, err));
    VISE_TRY(fetch_outputs(b, m, out + first * n_out, err));
  }

done:
  return status;
}

static void add_gradient(const vise_i_backend *b, double *out) {
  for (size_t i = 0; i < b->net->n_tensors; i++) {
    const vise_i_tensor *t = &b->net->tensors[i];
    const vise_k_layer *layer = &b->wide.step.layers[t->layer];
    const size_t n_rows = t->is_bias ? 1 : t->n_rows, n_columns = t->is_bias ? t->n_rows : t->n_cols;
    const float *g = b->flat + (t->is_bias ? layer->bias : layer->weight);
    for (size_t r = 0; r < n_rows; r++) {
      for (size_t c = 0; c < n_columns; c++) out[t->offset + r * n_columns + c] += (double)g[r * layer->ld + c];
    }
  }
}

vise_status vise_i_cuda_full_gradient(vise_i_backend *b, const vise_i_data *data, const size_t *rows, size_t n,
                                      double *out, double *loss, double *penalty, vise_error *err) {
  vise_status status;
  parts p;
  double sum = 0, data_loss = 0;
  const vise_i_hyper hyper = {0, 1, 1};

  VISE_TRY(vise_i_cuda_enter(b, err));
  if (b->spec.rule.loss == VISE_LOSS_EXTERNAL) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_INTERNAL, "cuda: the external loss has no gradient of its own"));
  }
  VISE_TRY(vise_i_cuda_check_data(b, data, true, err));
  VISE_TRY(vise_i_cuda_check_labels(b, data, rows, n, err));
  VISE_TRY(vise_i_cuda_renew_sums(b, err));
  VISE_TRY(open_parts(b, data, rows, n, true, &p, err));

  for (size_t i = 0; i < n; i++) sum += vise_i_cuda_row_factor(b, data, rows ? rows[i] : i);
  memset(out, 0, b->net->n_params * sizeof *out);
  for (size_t first = 0; first < n; first += p.layout.n_rows) {
    const bool is_last = first + p.layout.n_rows >= n;
    const size_t m = is_last ? n - first : p.layout.n_rows;
    vise_k_step step = vise_i_cuda_mode_step(&b->wide, VISE_K_GRADIENT_ONLY);
    if (!is_last) { /* penalties come once, with the last part */
      step.rule.k2 = step.rule.k1 = step.rule.kF = 0;
      step.weight_sums_needed = 0;
    }

    b->wide.state.parity = b->train.state.parity;
    b->mail->records[0] = record_of(&hyper, vise_i_cuda_denominator(b, sum), m);
    VISE_TRY(run_part(b, &p, &step, first, m, err));

    data_loss += b->mail->stats[0].loss;
    VISE_TRY(vise_i_cuda_download(b, b->flat, step.gradients, b->train.plan.n_params * sizeof(float), err));
    add_gradient(b, out);
  }

  if (loss) *loss = data_loss;
  if (penalty) *penalty = b->mail->stats[0].penalty;

done:
  return status;
}
