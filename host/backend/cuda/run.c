/*
 * Steps on the bound data. Data that fit are wholly on the device, with the order of the epoch; of larger data the host
 * gathers the rows of the next steps, in that order, into chunks that take turns: the steps see the same rows in the
 * same places of the batch, so that their bits are the same.
 */
#include "host/backend/check_data.h"
#include "host/backend/cuda/group.h"
#include "host/backend/cuda/parts.h"

enum { REPORT_STEPS = 512 };

/* Steps between two looks at the statistics. */
typedef struct block {
  vise_i_cuda_span span;
  vise_step_stats *stats;
  size_t n_reported;   /* steps reported so far */
  uint64_t skips;      /* consecutive ones before the next step */
  vise_status verdict; /* of the latest step */
  vise_error verdict_text;
  size_t n_launches;
  uint16_t starts[VISE_I_CUDA_RECORDS]; /* first step of each launch */
  uint32_t counts[VISE_I_CUDA_RECORDS]; /* b->n_launched of each */
} block;

size_t vise_i_cuda_rows_of_step(const vise_i_cuda *b, const vise_i_cuda_span *span, size_t step) {
  return vise_i_batch_rows(b->net, span->batch, b->bound.n_indices - (span->first + step * span->batch));
}

void vise_i_cuda_fill_records(const vise_i_cuda *b, const vise_i_cuda_span *span, vise_k_step_record *out) {
  for (size_t i = 0; i < span->n; i++) {
    const size_t at = span->first + i * span->batch, n = vise_i_cuda_rows_of_step(b, span, i);
    double sum = (double)n;
    if (b->bound.row_factors) {
      sum = 0;
      for (size_t r = 0; r < n; r++) sum += b->bound.row_factors[b->bound.indices[at + r]];
    }

    out[i] = (vise_k_step_record){
        .hyper = span->hyper[i],
        .denominator = vise_i_cuda_denominator(b, sum),
        .first = (uint32_t)(b->bound.resident ? at : i % span->steps_of_piece * span->batch),
        .n_rows = (uint32_t)n,
    };
  }

  /* A step gathers the rows of the next one, if they are in the same piece. */
  for (size_t i = 0; i + 1 < span->n; i++) {
    if ((i + 1) % span->steps_of_piece == 0) continue;
    out[i].next_first = out[i + 1].first;
    out[i].next_n_rows = out[i + 1].n_rows;
  }
}

/* Steps [at, at + n) of the block, up to steps_per_launch in each launch. */
static vise_status launch_steps(vise_i_cuda *b, block *k, vise_k_step *step, size_t at, size_t n, vise_error *err) {
  vise_status status = VISE_OK;
  const uint64_t fused_most = b->base.spec.steps_per_launch > 0 ? b->base.spec.steps_per_launch : n;
  const uint64_t most = b->unfused || b->parts ? 1 : fused_most;

  for (size_t end = at + n; at < end; at += step->n_steps) {
    step->n_steps = (uint32_t)(end - at < most ? end - at : most);
    /* The last launch of a block gathers nothing ahead, so the clocks of those before it stay. */
    const bool is_last = at + step->n_steps == k->span.n;
    step->clocks = is_last && k->n_launches > 0 ? NULL : b->watch.clocks;
    if (step->clocks) vise_i_cuda_watch_step(b, at, step->n_steps, k->n_launches == 0);

    VISE_TRY(vise_i_cuda_launch(b, &b->train, step, at, err));
    k->starts[k->n_launches] = (uint16_t)at;
    k->counts[k->n_launches++] = b->n_launched;
  }
  VISE_TRY(vise_i_cuda_exchange_await(b, err));

done:
  return status;
}

/* Reports the steps up to `end`, or to the one that ends the run; k->verdict then says so. */
static void report_to(vise_i_cuda *b, block *k, size_t end) {
  for (; k->n_reported < end && k->verdict == VISE_OK; k->n_reported++) {
    const size_t i = k->n_reported;
    vise_i_cuda_report(b, &b->cx->mail->stats[i], vise_i_cuda_rows_of_step(b, &k->span, i), &k->span.hyper[i],
                       &k->stats[i]);
    k->verdict = vise_i_cuda_after_step(b, &k->stats[i], &k->span.hyper[i], &k->skips, &k->verdict_text);
  }
}

/* Steps in a piece (whole launches): the host reports one piece while the device works on the next. */
static size_t steps_of_report(const vise_i_cuda *b, const block *k) {
  const size_t in_launch = b->base.spec.steps_per_launch > 0 ? (size_t)b->base.spec.steps_per_launch : 1;
  const size_t n = in_launch < REPORT_STEPS ? REPORT_STEPS / in_launch * in_launch : in_launch;
  return n < k->span.n ? n : k->span.n;
}

static vise_status run_resident(vise_i_cuda *b, block *k, vise_error *err) {
  vise_status status = VISE_OK;
  vise_k_step step = b->train.step;
  const size_t most = steps_of_report(b, k);

  vise_i_cuda_read_rows(&step, &b->bound.x, &b->bound.y, &b->bound.rows[0], vise_i_has_labels(b->net, &b->bound.data));
  step.order = b->bound.order;

  for (size_t at = 0, c = 0; at < k->span.n && k->verdict == VISE_OK; at += most, c ^= 1) {
    const size_t n = k->span.n - at < most ? k->span.n - at : most;
    VISE_TRY(launch_steps(b, k, &step, at, n, err));
    VISE_TRY(vise_i_cuda_fetch(b, &b->train, at, n, err));
    VISE_I_CUDA_TRY(b->cx, cudaEventRecord(b->cx->fetched[c], b->cx->copies));

    if (at == 0) continue;
    VISE_I_CUDA_TRY(b->cx, cudaEventSynchronize(b->cx->fetched[c ^ 1]));
    report_to(b, k, at);
  }

done:
  return status;
}

/* While the device works on one chunk, the host fills the other. */
static vise_status run_chunks(vise_i_cuda *b, block *k, vise_error *err) {
  vise_status status = VISE_OK;
  const bool labels = vise_i_has_labels(b->net, &b->bound.data);
  const vise_i_batch all = {.data = &b->bound.data, .rows = b->bound.indices, .n = b->bound.n_indices};

  for (size_t at = 0, c = 0; at < k->span.n; at += k->span.steps_of_piece, c ^= 1) {
    const size_t n = k->span.n - at < k->span.steps_of_piece ? k->span.n - at : k->span.steps_of_piece;
    const size_t place = k->span.first + at * k->span.batch;
    const size_t n_rows = (n - 1) * k->span.batch + vise_i_cuda_rows_of_step(b, &k->span, at + n - 1);
    vise_k_step step = b->train.step;

    VISE_I_CUDA_TRY(b->cx, cudaStreamWaitEvent(b->cx->copies, b->cx->done[c], 0));
    VISE_TRY(vise_i_cuda_put_rows(b, &(vise_i_cuda_part){&all, place, n_rows}, &b->bound.rows[c], 0, err));
    VISE_TRY(vise_i_cuda_await_copies(b->cx, err));

    vise_i_cuda_read_rows(&step, &b->bound.x, &b->bound.y, &b->bound.rows[c], labels);
    VISE_TRY(launch_steps(b, k, &step, at, n, err));
    VISE_I_CUDA_TRY(b->cx, cudaEventRecord(b->cx->done[c], b->cx->steps));
  }

done:
  return status;
}

/* Launches that came after a halt did nothing; they are counted apart. */
static void count_launches(vise_i_cuda *b, const block *k, size_t n_done) {
  for (size_t i = 0; i < k->n_launches; i++) {
    if (k->starts[i] < n_done) {
      b->n_launches += k->counts[i];
    } else {
      b->n_idle_launches += k->counts[i];
    }
  }
}

static vise_status run_block(vise_i_cuda *b, block *k, size_t *n_done, vise_error *err) {
  vise_status status;
  k->skips = b->train.state.counters.consecutive_skips;
  k->verdict_text = (vise_error)VISE_ERROR_INIT;
  k->span.steps_of_piece = b->bound.resident ? k->span.n : b->bound.rows[0].n_rows / k->span.batch;
  vise_i_cuda_fill_records(b, &k->span, b->cx->mail->records);

  VISE_TRY(vise_i_cuda_send(b, &b->train, b->parts ? vise_i_cuda_parts_spread(b, k->span.n) : k->span.n, err));
  VISE_TRY(vise_i_cuda_watch_begin(b, err));
  VISE_TRY(b->bound.resident ? run_resident(b, k, err) : run_chunks(b, k, err));
  VISE_TRY(vise_i_cuda_watch_launched(b, err));
  if (!b->bound.resident) VISE_TRY(vise_i_cuda_fetch(b, &b->train, 0, k->span.n, err));
  VISE_TRY(vise_i_cuda_receive(b, &b->train, err));
  VISE_TRY(vise_i_cuda_watch_end(b, err));

  const uint32_t cursor = b->train.state.cursor;
  const size_t n = b->parts ? vise_i_cuda_parts_done(b, k->span.n, cursor) : cursor;
  if (n > k->span.n || n < k->n_reported || (n < k->span.n && !b->train.state.halted)) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_INTERNAL, "cuda: the device did %zu of %zu steps", n, k->span.n));
  }

  count_launches(b, k, n);
  report_to(b, k, n);
  const bool last_counts = k->verdict == VISE_OK || k->verdict == VISE_ERR_NONFINITE;
  *n_done += last_counts ? k->n_reported : k->n_reported - 1;
  if (k->verdict != VISE_OK) VISE_TRY(vise_i_fail(err, k->verdict, "%s", k->verdict_text.text));
  if (n < k->span.n)
    status = vise_i_fail(err, VISE_ERR_INTERNAL, "cuda: the device halted after %zu of %zu steps", n, k->span.n);

done:
  return status;
}

vise_status vise_i_cuda_run(vise_i_backend *backend, const vise_i_steps *steps, size_t *n_done, vise_error *err) {
  vise_i_cuda *b = vise_i_cuda_of(backend);
  vise_status status;
  const size_t room = b->parts ? vise_i_cuda_parts_most_steps(b) : VISE_I_CUDA_RECORDS;
  const size_t most = backend->spec.assert_projection ? 1 : room;
  size_t done_steps = 0;

  VISE_TRY(vise_i_cuda_enter(b, err));
  VISE_TRY(vise_i_check_run(backend, steps, b->bound.n_indices, err));
  if (vise_i_ranks_are_many(backend->spec.ranks)) VISE_TRY(vise_i_cuda_exchange_open(b, err));
  if (b->member.group) VISE_TRY(vise_i_cuda_send_order(b, err));
  VISE_TRY(vise_i_cuda_renew_sums(b, err));

  while (done_steps < steps->n) {
    const size_t left = steps->n - done_steps;
    block k = {.span = {.first = steps->first + done_steps * steps->size,
                        .batch = steps->size,
                        .n = left < most ? left : most,
                        .hyper = steps->hyper + done_steps},
               .stats = steps->stats + done_steps};
    VISE_TRY(run_block(b, &k, &done_steps, err));
  }

done:
  *n_done = done_steps;
  return status;
}
