/* Calls that bring their own rows: a step on the caller's batch; outputs and the full gradient of any number of rows,
   one part at a time. */
#include <string.h>

#include "host/backend/check_data.h"
#include "host/backend/cuda/parts.h"
#include "host/base/array.h"

/* ---- a step ---- */

static void fill_delta(const void *context, size_t first, size_t n, char *buffer) {
  const vise_array *delta = context;
  float *out = (float *)(void *)buffer;
  for (size_t i = 0; i < n; i++) {
    out[i] = (float)vise_i_array_get(delta, (first + i) / delta->n_cols, (first + i) % delta->n_cols);
  }
}

static vise_status send_delta(vise_i_cuda *b, const vise_array *delta, vise_error *err) {
  const vise_i_cuda_items items = {delta->n_rows * delta->n_cols, sizeof(float), fill_delta, delta};
  return vise_i_cuda_send_items(b->cx, b->external_delta, &items, err);
}

static vise_k_step_record record_of(const vise_i_hyper *hyper, double denominator, size_t n) {
  return (vise_k_step_record){.hyper = *hyper, .denominator = denominator, .n_rows = (uint32_t)n};
}

vise_status vise_i_cuda_step(vise_i_backend *backend, const vise_i_batch *batch, const vise_i_hyper *hyper,
                             vise_step_stats *stats, vise_error *err) {
  vise_i_cuda *b = vise_i_cuda_of(backend);
  vise_status status;
  const vise_i_data *data = batch->data;
  const bool with_targets = !batch->delta;
  uint64_t skips = b->train.state.counters.consecutive_skips;
  vise_k_step step = b->train.step;
  vise_k_source x, y;
  double sum = 0, denominator = 1;

  VISE_TRY(vise_i_cuda_enter(b, err));
  VISE_TRY(vise_i_check_step(backend, batch, err));
  VISE_TRY(vise_i_cuda_check_size(data, err));
  if (with_targets) VISE_TRY(vise_i_cuda_check_labels(b, batch, err));

  vise_i_cuda_rows rows = vise_i_cuda_layout(data, with_targets, batch->n);
  VISE_TRY(vise_i_cuda_grow_single(b, rows.n_bytes, err));
  rows.memory = b->cx->single;
  VISE_TRY(vise_i_cuda_renew_sums(b, err));
  VISE_TRY(vise_i_cuda_sources(b, data, VISE_I_CUDA_SINGLE, &x, &y, err));
  VISE_TRY(vise_i_cuda_put_rows(b, &(vise_i_cuda_part){batch, 0, batch->n}, &rows, 0, err));
  if (batch->delta) VISE_TRY(send_delta(b, batch->delta, err));

  for (size_t i = 0; with_targets && i < batch->n; i++) sum += vise_i_cuda_row_factor(b, data, i);
  if (with_targets) denominator = vise_i_cuda_denominator(b, sum);
  b->cx->mail->records[0] = record_of(hyper, denominator, batch->n);
  b->cx->mail->records[0].external_loss = batch->external_loss;
  vise_i_cuda_read_rows(&step, &x, &y, &rows, with_targets && vise_i_has_labels(b->net, data));
  step.n_steps = 1;

  if (vise_i_ranks_are_many(backend->spec.ranks)) VISE_TRY(vise_i_cuda_exchange_open(b, err));
  VISE_TRY(vise_i_cuda_send(b, &b->train, b->parts ? vise_i_cuda_parts_spread(b, 1) : 1, err));
  VISE_TRY(vise_i_cuda_launch(b, &b->train, &step, 0, err));
  VISE_TRY(vise_i_cuda_exchange_await(b, err));
  VISE_TRY(vise_i_cuda_fetch(b, &b->train, 0, 1, err));
  VISE_TRY(vise_i_cuda_receive(b, &b->train, err));
  b->n_launches += b->n_launched;
  vise_i_cuda_report(b, &b->cx->mail->stats[0], batch->n, hyper, stats);
  VISE_TRY(vise_i_cuda_after_step(b, stats, hyper, &skips, err));

done:
  return status;
}

/* ---- many rows ---- */

/* Rows of a batch sent part by part into the memory of single calls. */
typedef struct parts {
  const vise_i_batch *batch;
  vise_i_cuda_rows layout; /* of one part */
  vise_k_source x, y;
} parts;

static vise_status open_parts(vise_i_cuda *b, const vise_i_batch *batch, bool with_targets, parts *p, vise_error *err) {
  vise_status status = VISE_OK;
  size_t n_rows = b->wide.plan.step.max_rows;
  *p = (parts){.batch = batch};
  if (n_rows > batch->n && batch->n > 0) n_rows = batch->n;

  /* Without bound data nothing was set aside. */
  if (b->cx->single_bytes == 0) VISE_TRY(vise_i_cuda_reserve_single(b, batch->data, with_targets, err));
  while (n_rows > 1 && vise_i_cuda_layout(batch->data, with_targets, n_rows).n_bytes > b->cx->single_bytes) {
    n_rows = (n_rows + 1) / 2;
  }

  p->layout = vise_i_cuda_layout(batch->data, with_targets, n_rows);
  VISE_TRY(vise_i_cuda_grow_single(b, p->layout.n_bytes, err));
  p->layout.memory = b->cx->single;
  VISE_TRY(vise_i_cuda_sources(b, batch->data, VISE_I_CUDA_SINGLE, &p->x, &p->y, err));

done:
  return status;
}

/* Launches the step on rows [first, first + n) of the batch; the record is in the mail. */
static vise_status run_part(vise_i_cuda *b, const parts *p, vise_k_step *step, size_t first, size_t n,
                            vise_error *err) {
  vise_status status;
  VISE_TRY(vise_i_cuda_put_rows(b, &(vise_i_cuda_part){p->batch, first, n}, &p->layout, 0, err));
  vise_i_cuda_read_rows(step, &p->x, &p->y, &p->layout, vise_i_has_labels(b->net, p->batch->data));
  VISE_TRY(vise_i_cuda_call(b, &b->wide, step, err));
done:
  return status;
}

/* Outputs [n][ld] of the last launch, as doubles without padding. */
static vise_status fetch_outputs(vise_i_cuda *b, size_t n, double *out, vise_error *err) {
  vise_status status;
  const vise_k_layer *last = &b->wide.step.layers[b->net->n_layers - 1];
  const float *from = b->wide.step.activations + last->out;

  VISE_TRY(vise_i_cuda_reserve(b->cx, n * last->ld_out * sizeof(float), err));
  const size_t most = b->cx->buffer_bytes / (last->ld_out * sizeof(float));
  const float *z = (const float *)(const void *)b->cx->buffers[0];

  for (size_t first = 0; first < n; first += most) {
    const size_t m = n - first < most ? n - first : most;
    VISE_I_CUDA_TRY(b->cx, cudaMemcpyAsync(b->cx->buffers[0], from + first * last->ld_out,
                                           m * last->ld_out * sizeof(float), cudaMemcpyDeviceToHost, b->cx->copies));
    VISE_I_CUDA_TRY(b->cx, cudaStreamSynchronize(b->cx->copies));

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

/* Rows per launch: as many as the plan takes and a buffer holds. */
static size_t most_indices(const vise_i_cuda *b) {
  const size_t most = VISE_I_CUDA_PINNED_BYTES / sizeof(uint32_t), n = b->wide.plan.step.max_rows;
  return n < most ? n : most;
}

/* Outputs of rows that are on the device. */
static vise_status forward_kept(vise_i_cuda *b, const vise_i_batch *batch, const vise_i_cuda_rows *kept, double *out,
                                vise_error *err) {
  vise_status status;
  vise_k_source x, y;
  const size_t n_out = b->net->widths[b->net->n_layers], most = most_indices(b);
  const vise_i_hyper hyper = {.lr = 0, .clip_factor = 1, .clamp_factor = 1};

  VISE_TRY(vise_i_cuda_sources(b, batch->data, VISE_I_CUDA_SINGLE, &x, &y, err));
  vise_k_step step = vise_i_cuda_mode_step(&b->wide, VISE_K_FORWARD_ONLY);
  vise_i_cuda_read_rows(&step, &x, &y, kept, false);

  for (size_t first = 0; first < batch->n; first += most) {
    const size_t m = batch->n - first < most ? batch->n - first : most;
    const size_t *rows = batch->rows ? batch->rows + first : NULL;
    const bool dense = !rows || are_neighbours(rows, m);

    b->cx->mail->records[0] = record_of(&hyper, 1, m);
    b->cx->mail->records[0].first = (uint32_t)(!dense ? 0 : rows ? rows[0] : first);
    if (!dense) VISE_TRY(vise_i_cuda_send_indices(b, b->cx->single, rows, m, err));
    step.order = dense ? NULL : (const uint32_t *)(const void *)b->cx->single;

    VISE_TRY(vise_i_cuda_call(b, &b->wide, &step, err));
    VISE_TRY(fetch_outputs(b, m, out + first * n_out, err));
  }

done:
  return status;
}

vise_status vise_i_cuda_forward(vise_i_backend *backend, const vise_i_batch *batch, double *out, vise_error *err) {
  vise_i_cuda *b = vise_i_cuda_of(backend);
  vise_status status;
  parts p;
  vise_i_cuda_rows kept;
  bool is_kept = false;
  const vise_i_data *data = batch->data;
  const size_t n_out = b->net->widths[b->net->n_layers];
  const vise_i_hyper hyper = {.lr = 0, .clip_factor = 1, .clamp_factor = 1};
  const vise_i_data features = {.x = data->x, .x_scaling = data->x_scaling, .id = data->id};
  const vise_i_batch inputs = {.data = &features, .rows = batch->rows, .n = batch->n}; /* no targets */

  VISE_TRY(vise_i_cuda_enter(b, err));
  VISE_TRY(vise_i_check_data(&backend->spec, data, false, err));
  VISE_TRY(vise_i_cuda_check_size(data, err));

  if (b->train.step.rounds) VISE_TRY(vise_i_cuda_renew_sums(b, err));

  /* First, as it may have to make room. */
  if (data->id != 0) VISE_TRY(vise_i_cuda_grow_single(b, most_indices(b) * sizeof(uint32_t), err));
  VISE_TRY(vise_i_cuda_keep(b, &features, &kept, &is_kept, err));
  if (is_kept) return forward_kept(b, &inputs, &kept, out, err);

  VISE_TRY(open_parts(b, &inputs, false, &p, err));
  vise_k_step step = vise_i_cuda_mode_step(&b->wide, VISE_K_FORWARD_ONLY);
  for (size_t first = 0; first < batch->n; first += p.layout.n_rows) {
    const size_t m = batch->n - first < p.layout.n_rows ? batch->n - first : p.layout.n_rows;
    b->cx->mail->records[0] = record_of(&hyper, 1, m);
    VISE_TRY(run_part(b, &p, &step, first, m, err));
    VISE_TRY(fetch_outputs(b, m, out + first * n_out, err));
  }

done:
  return status;
}

static void add_gradient(const vise_i_cuda *b, double *out) {
  for (size_t i = 0; i < b->net->n_tensors; i++) {
    const vise_i_tensor *t = &b->net->tensors[i];
    const vise_k_layer *layer = &b->wide.step.layers[t->layer];
    const size_t n_rows = t->is_bias ? 1 : t->n_rows, n_columns = t->is_bias ? t->n_rows : t->n_cols;
    const uint64_t vector = vise_k_vector_of(layer, t->role == VISE_I_SHIFT).at;
    const float *g = b->cx->flat + (t->is_bias ? vector : layer->weight);
    for (size_t r = 0; r < n_rows; r++) {
      for (size_t c = 0; c < n_columns; c++) out[t->offset + r * n_columns + c] += (double)g[r * layer->ld + c];
    }
  }
}

vise_status vise_i_cuda_full_gradient(vise_i_backend *backend, const vise_i_batch *batch, double *out, double *loss,
                                      double *penalty, vise_error *err) {
  vise_i_cuda *b = vise_i_cuda_of(backend);
  vise_status status;
  parts p;
  double sum = 0, data_loss = 0;
  const vise_i_hyper hyper = {.lr = 0, .clip_factor = 1, .clamp_factor = 1, .step = batch->step};

  VISE_TRY(vise_i_cuda_enter(b, err));
  VISE_TRY(vise_i_check_gradient(backend, batch, err));
  VISE_TRY(vise_i_cuda_check_size(batch->data, err));
  VISE_TRY(vise_i_cuda_check_labels(b, batch, err));
  VISE_TRY(vise_i_cuda_renew_sums(b, err));
  VISE_TRY(open_parts(b, batch, true, &p, err));
  if (p.layout.n_rows < batch->n && vise_i_net_has_batch_norm(b->net)) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_INTERNAL, "cuda: %zu rows at once with batch norm, there is room for %zu",
                         batch->n, p.layout.n_rows));
  }

  for (size_t i = 0; i < batch->n; i++) {
    sum += vise_i_cuda_row_factor(b, batch->data, batch->rows ? batch->rows[i] : i);
  }

  memset(out, 0, b->net->n_params * sizeof *out);
  for (size_t first = 0; first < batch->n; first += p.layout.n_rows) {
    const bool is_last = first + p.layout.n_rows >= batch->n;
    const size_t m = is_last ? batch->n - first : p.layout.n_rows;
    vise_k_step step = vise_i_cuda_mode_step(&b->wide, VISE_K_GRADIENT_ONLY);
    if (!is_last) { /* penalties come once, with the last part */
      step.rule.k2 = step.rule.k1 = step.rule.kF = 0;
      step.weight_sums_needed = 0;
    }

    b->wide.state.parity = b->train.state.parity;
    b->cx->mail->records[0] = record_of(&hyper, vise_i_cuda_denominator(b, sum), m);
    b->cx->mail->records[0].position = (uint32_t)first;
    b->cx->mail->records[0].keeps_all = batch->keeps_all;
    VISE_TRY(run_part(b, &p, &step, first, m, err));

    data_loss += b->cx->mail->stats[0].loss;
    VISE_TRY(vise_i_cuda_download(b->cx, b->cx->flat, step.gradients, b->train.plan.n_params * sizeof(float), err));
    add_gradient(b, out);
  }

  if (loss) *loss = data_loss;
  if (penalty) *penalty = b->cx->mail->stats[0].penalty;

done:
  return status;
}
