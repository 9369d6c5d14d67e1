/*
 * Steps on the bound data. Data that fit are wholly on the device, with the order of the epoch; of larger data the host
 * gathers the rows of the next steps, in that order, into chunks that take turns: the steps see the same rows in the
 * same places of the batch, so that their bits are the same.
 */
#include <stdlib.h>
#include <string.h>

#include "host/backend/check_data.h"
#include "host/backend/cuda/cuda.h"
#include "host/backend/nonfinite.h"
#include "host/base/memory.h"

#define CHUNK_BYTES ((size_t)64 << 20)
enum { REPORT_STEPS = 512 };

/* ---- data ---- */

void vise_i_cuda_unbind(vise_i_backend *b) {
  vise_i_cuda_forget(b); /* data to train on come first */
  if (b->bound.memory) (void)cudaFree(b->bound.memory);
  free(b->bound.row_factors);
  memset(&b->bound, 0, sizeof b->bound);
}

static vise_status make_row_factors(vise_i_backend *b, const vise_i_data *data, vise_error *err) {
  const size_t n = data->x.n_rows;
  if (b->spec.rule.loss == VISE_LOSS_EXTERNAL || (!data->row_weights && !b->spec.class_weights)) return VISE_OK;
  const vise_status status = vise_i_alloc(&b->bound.row_factors, n, sizeof(double), "weights of rows", err);
  if (status != VISE_OK) return status;
  for (size_t i = 0; i < n; i++) b->bound.row_factors[i] = vise_i_cuda_row_factor(b, data, i);
  return VISE_OK;
}

static vise_status bind_resident(vise_i_backend *b, const vise_i_data *data, const vise_i_cuda_rows *all,
                                 vise_error *err) {
  vise_status status;
  vise_i_cuda_bound *bound = &b->bound;
  const size_t n_bytes = all->n_bytes + all->n_rows * sizeof(uint32_t);

  VISE_TRY(vise_i_cuda_alloc(b, n_bytes, "the data", &bound->memory, err));
  bound->n_bytes = n_bytes;
  bound->resident = true;
  bound->rows[0] = *all;
  bound->rows[0].memory = bound->memory;
  bound->order = (uint32_t *)(void *)(bound->memory + all->n_bytes);

  VISE_TRY(vise_i_cuda_put_rows(b, data, &bound->rows[0], 0, NULL, 0, all->n_rows, err));
done:
  return status;
}

static vise_status bind_chunks(vise_i_backend *b, const vise_i_data *data, bool with_targets, size_t available,
                               vise_error *err) {
  vise_status status;
  vise_i_cuda_bound *bound = &b->bound;
  const vise_i_cuda_rows batch = vise_i_cuda_layout(b, data, with_targets, b->spec.max_batch);
  size_t each = available / 2 < CHUNK_BYTES ? available / 2 : CHUNK_BYTES;

  if (each < batch.n_bytes) each = batch.n_bytes;
  if (2 * each > available) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_MEMORY,
                         "two batches of data take %zu bytes of device memory, %zu more than the %zu that are left; "
                         "use a smaller `batch`",
                         2 * each, 2 * each - available, available));
  }

  const size_t row_bytes = batch.x_row_bytes + batch.y_row_bytes + sizeof(float);
  size_t n_rows = (each - 3 * (size_t)VISE_I_PLAN_ALIGN) / row_bytes; /* the parts begin at multiples of it */
  if (each < 3 * (size_t)VISE_I_PLAN_ALIGN + row_bytes || n_rows < b->spec.max_batch) n_rows = b->spec.max_batch;
  const vise_i_cuda_rows chunk = vise_i_cuda_layout(b, data, with_targets, n_rows);

  VISE_TRY(vise_i_cuda_alloc(b, 2 * chunk.n_bytes, "chunks of the data", &bound->memory, err));
  bound->n_bytes = 2 * chunk.n_bytes;
  for (int k = 0; k < 2; k++) {
    bound->rows[k] = chunk;
    bound->rows[k].memory = bound->memory + (size_t)k * chunk.n_bytes;
  }

done:
  return status;
}

vise_status vise_i_cuda_bind(vise_i_backend *b, const vise_i_data *data, vise_error *err) {
  vise_status status;
  const bool with_targets = b->spec.rule.loss != VISE_LOSS_EXTERNAL;
  size_t available = 0;

  VISE_TRY(vise_i_cuda_enter(b, err));
  VISE_TRY(vise_i_cuda_check_data(b, data, with_targets, err));
  if (with_targets) VISE_TRY(vise_i_cuda_check_labels(b, data, NULL, data->x.n_rows, err));

  vise_i_cuda_unbind(b);
  VISE_TRY(make_row_factors(b, data, err));
  VISE_TRY(vise_i_cuda_sources(b, data, VISE_I_CUDA_BOUND, &b->bound.x, &b->bound.y, err));

  /* Outputs and gradients need room for rows too. */
  VISE_TRY(vise_i_cuda_available(b, &available, err));
  size_t single = vise_i_cuda_layout(b, data, with_targets, b->wide.plan.step.max_rows).n_bytes;
  if (single > VISE_I_CUDA_SINGLE_BYTES) single = VISE_I_CUDA_SINGLE_BYTES;
  if (single > available / 8) single = available / 8;
  VISE_TRY(vise_i_cuda_grow_single(b, single, err));
  VISE_TRY(vise_i_cuda_available(b, &available, err));

  const vise_i_cuda_rows all = vise_i_cuda_layout(b, data, with_targets, data->x.n_rows);
  if (all.n_bytes + data->x.n_rows * sizeof(uint32_t) <= available) {
    VISE_TRY(bind_resident(b, data, &all, err));
  } else {
    VISE_TRY(bind_chunks(b, data, with_targets, available, err));
  }

  VISE_I_CUDA_TRY(b, cudaStreamSynchronize(b->copies));
  b->bound.data = *data;
  b->bound.is_bound = true;

done:
  return status;
}

static vise_status send_order(vise_i_backend *b, const size_t *rows, size_t n, vise_error *err) {
  vise_status status;
  VISE_TRY(vise_i_cuda_reserve(b, n * sizeof(uint32_t), err));
  const size_t part = b->buffer_bytes / sizeof(uint32_t);

  for (size_t at = 0, k = 0; at < n; at += part, k ^= 1) {
    const size_t m = n - at < part ? n - at : part;
    uint32_t *out = (uint32_t *)(void *)b->buffers[k];
    VISE_I_CUDA_TRY(b, cudaEventSynchronize(b->copied[k]));
    for (size_t i = 0; i < m; i++) out[i] = (uint32_t)rows[at + i];
    VISE_I_CUDA_TRY(b, cudaMemcpyAsync(b->bound.order + at, out, m * sizeof *out, cudaMemcpyHostToDevice, b->copies));
    VISE_I_CUDA_TRY(b, cudaEventRecord(b->copied[k], b->copies));
  }

done:
  return status;
}

vise_status vise_i_cuda_set_order(vise_i_backend *b, const size_t *rows, size_t n_rows, vise_error *err) {
  vise_status status;
  const size_t n_data = b->bound.data.x.n_rows;

  VISE_TRY(vise_i_cuda_enter(b, err));
  if (!b->bound.is_bound) VISE_TRY(vise_i_fail(err, VISE_ERR_INTERNAL, "cuda: an order without data"));
  if (n_rows > n_data) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_INTERNAL, "cuda: an order of %zu rows, the data have %zu", n_rows, n_data));
  }
  for (size_t i = 0; i < n_rows; i++) {
    if (rows[i] < n_data) continue;
    VISE_TRY(vise_i_fail(err, VISE_ERR_INTERNAL, "cuda: row %zu in the order, the data have %zu", rows[i], n_data));
  }

  if (b->bound.resident) VISE_TRY(send_order(b, rows, n_rows, err));
  b->bound.indices = rows;
  b->bound.n_indices = n_rows;

done:
  return status;
}

/* ---- steps ---- */

/* Steps between two looks at the statistics. */
typedef struct block {
  size_t first, batch, n; /* places in the order, rows of a full batch, steps */
  const vise_i_hyper *hyper;
  vise_step_stats *stats;
  size_t n_reported;   /* steps reported so far */
  uint64_t skips;      /* consecutive ones before the next step */
  vise_status verdict; /* of the latest step */
  vise_error verdict_text;
  size_t steps_of_piece; /* all of the block when resident */
  size_t n_launches;
  uint16_t starts[VISE_I_CUDA_RECORDS]; /* first step of each launch */
  uint32_t counts[VISE_I_CUDA_RECORDS]; /* b->n_launched of each */
} block;

static size_t rows_of_step(const vise_i_backend *b, const block *k, size_t step) {
  const size_t left = b->bound.n_indices - (k->first + step * k->batch);
  return left < k->batch ? left : k->batch;
}

static void fill_records(vise_i_backend *b, const block *k) {
  for (size_t i = 0; i < k->n; i++) {
    const size_t at = k->first + i * k->batch, n = rows_of_step(b, k, i);
    double sum = (double)n;
    if (b->bound.row_factors) {
      sum = 0;
      for (size_t r = 0; r < n; r++) sum += b->bound.row_factors[b->bound.indices[at + r]];
    }

    b->mail->records[i] = (vise_k_step_record){
        .hyper = k->hyper[i],
        .denominator = vise_i_cuda_denominator(b, sum),
        .first = (uint32_t)(b->bound.resident ? at : i % k->steps_of_piece * k->batch),
        .n_rows = (uint32_t)n,
    };
  }

  /* A step gathers the rows of the next one, if they are in the same piece. */
  for (size_t i = 0; i + 1 < k->n; i++) {
    if ((i + 1) % k->steps_of_piece == 0) continue;
    b->mail->records[i].next_first = b->mail->records[i + 1].first;
    b->mail->records[i].next_n_rows = b->mail->records[i + 1].n_rows;
  }
}

/* Steps [at, at + n) of the block, up to steps_per_launch in each launch. */
static vise_status launch_steps(vise_i_backend *b, block *k, vise_k_step *step, size_t at, size_t n, vise_error *err) {
  vise_status status = VISE_OK;
  const uint64_t fused_most = b->spec.steps_per_launch > 0 ? b->spec.steps_per_launch : n;
  const uint64_t most = b->unfused ? 1 : fused_most;

  for (size_t end = at + n; at < end; at += step->n_steps) {
    step->n_steps = (uint32_t)(end - at < most ? end - at : most);
    /* The last launch of a block gathers nothing ahead, so the clocks of the one before it stay. */
    const bool is_last = at + step->n_steps == k->n;
    step->clocks = is_last && k->n_launches > 0 ? NULL : b->watch.clocks;
    if (step->clocks) b->watch.n_steps = step->n_steps;

    VISE_TRY(vise_i_cuda_launch(b, &b->train, step, at, err));
    k->starts[k->n_launches] = (uint16_t)at;
    k->counts[k->n_launches++] = b->n_launched;
  }

done:
  return status;
}

vise_status vise_i_cuda_after_step(vise_i_backend *b, const vise_step_stats *stats, const vise_i_hyper *hyper,
                                   uint64_t *consecutive_skips, vise_error *err) {
  *consecutive_skips = stats->skipped ? *consecutive_skips + 1 : 0;
  if (stats->skipped) return vise_i_after_skip(&b->spec, *consecutive_skips, stats, err);
  return b->spec.assert_projection ? vise_i_cuda_verify(b, hyper, err) : VISE_OK;
}

/* Reports the steps up to `end`, or to the one that ends the run; k->verdict then says so. */
static void report_to(vise_i_backend *b, block *k, size_t end) {
  for (; k->n_reported < end && k->verdict == VISE_OK; k->n_reported++) {
    const size_t i = k->n_reported;
    vise_i_cuda_report(b, i, rows_of_step(b, k, i), &k->hyper[i], &k->stats[i]);
    k->verdict = vise_i_cuda_after_step(b, &k->stats[i], &k->hyper[i], &k->skips, &k->verdict_text);
  }
}

/* Steps in a piece (whole launches): the host reports one piece while the device works on the next. */
static size_t steps_of_report(const vise_i_backend *b, const block *k) {
  const size_t in_launch = b->spec.steps_per_launch > 0 ? (size_t)b->spec.steps_per_launch : 1;
  const size_t n = in_launch < REPORT_STEPS ? REPORT_STEPS / in_launch * in_launch : in_launch;
  return n < k->n ? n : k->n;
}

static vise_status run_resident(vise_i_backend *b, block *k, vise_error *err) {
  vise_status status = VISE_OK;
  vise_k_step step = b->train.step;
  const size_t most = steps_of_report(b, k);

  vise_i_cuda_read_rows(b, &step, &b->bound.x, &b->bound.y, &b->bound.rows[0],
                        vise_i_has_labels(b->net, &b->bound.data));
  step.order = b->bound.order;

  for (size_t at = 0, c = 0; at < k->n && k->verdict == VISE_OK; at += most, c ^= 1) {
    const size_t n = k->n - at < most ? k->n - at : most;
    VISE_TRY(launch_steps(b, k, &step, at, n, err));
    VISE_TRY(vise_i_cuda_fetch(b, &b->train, at, n, err));
    VISE_I_CUDA_TRY(b, cudaEventRecord(b->fetched[c], b->copies));

    if (at == 0) continue;
    VISE_I_CUDA_TRY(b, cudaEventSynchronize(b->fetched[c ^ 1]));
    report_to(b, k, at);
  }

done:
  return status;
}

/* While the device works on one chunk, the host fills the other. */
static vise_status run_chunks(vise_i_backend *b, block *k, vise_error *err) {
  vise_status status = VISE_OK;
  const bool labels = vise_i_has_labels(b->net, &b->bound.data);

  for (size_t at = 0, c = 0; at < k->n; at += k->steps_of_piece, c ^= 1) {
    const size_t n = k->n - at < k->steps_of_piece ? k->n - at : k->steps_of_piece;
    const size_t place = k->first + at * k->batch;
    const size_t n_rows = (n - 1) * k->batch + rows_of_step(b, k, at + n - 1);
    vise_k_step step = b->train.step;

    VISE_I_CUDA_TRY(b, cudaStreamWaitEvent(b->copies, b->done[c], 0));
    VISE_TRY(vise_i_cuda_put_rows(b, &b->bound.data, &b->bound.rows[c], 0, b->bound.indices + place, 0, n_rows, err));
    VISE_TRY(vise_i_cuda_await_copies(b, err));

    vise_i_cuda_read_rows(b, &step, &b->bound.x, &b->bound.y, &b->bound.rows[c], labels);
    VISE_TRY(launch_steps(b, k, &step, at, n, err));
    VISE_I_CUDA_TRY(b, cudaEventRecord(b->done[c], b->steps));
  }

done:
  return status;
}

/* Launches that came after a halt did nothing; they are counted apart. */
static void count_launches(vise_i_backend *b, const block *k, size_t n_done) {
  for (size_t i = 0; i < k->n_launches; i++) {
    if (k->starts[i] < n_done) {
      b->n_launches += k->counts[i];
    } else {
      b->n_idle_launches += k->counts[i];
    }
  }
}

static vise_status run_block(vise_i_backend *b, block *k, size_t *n_done, vise_error *err) {
  vise_status status;
  k->skips = b->train.state.counters.consecutive_skips;
  k->verdict_text = (vise_error)VISE_ERROR_INIT;
  k->steps_of_piece = b->bound.resident ? k->n : b->bound.rows[0].n_rows / k->batch;
  fill_records(b, k);

  VISE_TRY(vise_i_cuda_send(b, &b->train, k->n, err));
  VISE_TRY(vise_i_cuda_watch_begin(b, err));
  VISE_TRY(b->bound.resident ? run_resident(b, k, err) : run_chunks(b, k, err));
  VISE_TRY(vise_i_cuda_watch_launched(b, err));
  if (!b->bound.resident) VISE_TRY(vise_i_cuda_fetch(b, &b->train, 0, k->n, err));
  VISE_TRY(vise_i_cuda_receive(b, &b->train, err));
  VISE_TRY(vise_i_cuda_watch_end(b, err));

  const size_t n = b->train.state.cursor;
  if (n > k->n || n < k->n_reported || (n < k->n && !b->train.state.halted)) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_INTERNAL, "cuda: the device did %zu of %zu steps", n, k->n));
  }

  count_launches(b, k, n);
  report_to(b, k, n);
  const bool last_counts = k->verdict == VISE_OK || k->verdict == VISE_ERR_NONFINITE;
  *n_done += last_counts ? k->n_reported : k->n_reported - 1;
  if (k->verdict != VISE_OK) VISE_TRY(vise_i_fail(err, k->verdict, "%s", k->verdict_text.text));
  if (n < k->n) status = vise_i_fail(err, VISE_ERR_INTERNAL, "cuda: the device halted after %zu of %zu steps", n, k->n);

done:
  return status;
}

vise_status vise_i_cuda_check_batch(const vise_i_backend *b, size_t n, vise_error *err) {
  if (n >= 1 && n <= b->spec.max_batch) return VISE_OK;
  return vise_i_fail(err, VISE_ERR_INTERNAL, "cuda: a batch of %zu rows, expected 1 to %zu", n, b->spec.max_batch);
}

vise_status vise_i_cuda_run(vise_i_backend *b, size_t first, size_t batch, size_t n_steps, const vise_i_hyper *hyper,
                            vise_step_stats *stats, size_t *n_done, vise_error *err) {
  vise_status status;
  const size_t most = b->spec.assert_projection ? 1 : VISE_I_CUDA_RECORDS;
  size_t done_steps = 0;

  VISE_TRY(vise_i_cuda_enter(b, err));
  VISE_TRY(vise_i_cuda_check_batch(b, batch, err));
  if (b->spec.rule.loss == VISE_LOSS_EXTERNAL) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_INTERNAL, "cuda: the external loss has steps one by one only"));
  }

  for (size_t at = first, i = 0; i < n_steps; at += batch, i++) {
    if (at < b->bound.n_indices) continue;
    VISE_TRY(
        vise_i_fail(err, VISE_ERR_INTERNAL, "cuda: a batch at %zu, the order has %zu rows", at, b->bound.n_indices));
  }

  VISE_TRY(vise_i_cuda_renew_sums(b, err));
  while (done_steps < n_steps) {
    const size_t left = n_steps - done_steps;
    block k = {.first = first + done_steps * batch,
               .batch = batch,
               .n = left < most ? left : most,
               .hyper = hyper + done_steps,
               .stats = stats + done_steps};
    VISE_TRY(run_block(b, &k, &done_steps, err));
  }

done:
  *n_done = done_steps;
  return status;
}
