/* One step: gradient of a batch, then the order of docs/step.md; whether to skip is decided before any write. */
#include <math.h>

#include "host/backend/cpu/cpu.h"
#include "host/backend/cpu/threads.h"
#include "host/backend/nonfinite.h"
#include "host/backend/projection.h"

static vise_status check_rows(const vise_i_cpu *b, size_t n, vise_error *err) {
  if (n <= b->chunk || !vise_i_net_has_batch_norm(b->net)) return VISE_OK;
  return vise_i_fail(err, VISE_ERR_INTERNAL, "cpu: %zu rows at once with batch norm, there is room for %zu", n,
                     b->chunk);
}

/* A step, or only the gradient of its batch, by all threads of the team. */
typedef struct step_work {
  vise_i_cpu *b;
  vise_i_cpu_rows rows;
  vise_i_cpu_found found;

  const vise_i_hyper *hyper; /* NULL: only the gradient */
  const vise_i_batch *batch;
  vise_step_stats *stats;
} step_work;

/* All that is not for every weight: whether the step is applied, and how. */
static void decide(step_work *work) {
  vise_i_cpu *b = work->b;
  vise_step_stats *s = work->stats;
  s->loss = work->batch->delta ? work->batch->external_loss : work->found.loss;
  s->n_correct = work->found.n_correct;

  const bool finite = vise_i_cpu_judge_gradient(b, work->hyper, s) && isfinite(s->loss);
  s->skipped = vise_i_must_skip(b->rule, finite);
  vise_i_count_step(b->rule, &b->host.counters, s->skipped);
}

static void step_part(void *context, size_t part, size_t n_parts) {
  step_work *work = context;
  vise_i_cpu *b = work->b;
  const vise_i_crew crew = {b->team, part, n_parts};

  if (vise_i_cpu_goes_by_rows(b, work->rows.end)) {
    vise_i_cpu_gradient_by_rows(b, &crew, &work->rows, &work->found);
  } else {
    vise_i_cpu_gradient_of_rows(b, &crew, &work->rows, &work->found);
  }
  if (!work->hyper || b->exchanged != VISE_OK) return;

  vise_i_cpu_sum_gradient(b, &crew, work->hyper);
  vise_i_crew_meet(&crew);
  if (vise_i_crew_is_first(&crew)) decide(work);
  vise_i_crew_meet(&crew);
  if (work->stats->skipped) return;

  vise_i_cpu_update(b, &crew, work->hyper);
  if (vise_i_cpu_has_rest(b, &crew)) {
    vise_i_crew_meet(&crew);
    vise_i_cpu_bound_rest(b, &crew);
  }
  if (!b->rounded) return;
  vise_i_crew_meet(&crew);
  vise_i_cpu_round(b, &crew, true);
}

size_t vise_i_cpu_run(vise_i_cpu *b, size_t n_rows, vise_i_team_work *work, void *context) {
  const size_t most = b->spec->max_batch; /* more rows are worked on a chunk at a time */
  const bool together = vise_i_cpu_worth_threads(b->net, n_rows < most ? n_rows : most) > 1;
  if (together || b->spec->hooks.shares_always) return vise_i_team_run(b->team, work, context);

  work(context, 0, 1);
  return 1;
}

/* Fills what the threads need to know of the batch. */
static vise_status prepare(vise_i_cpu *b, const vise_i_batch *batch, vise_i_cpu_rows *rows, vise_error *err) {
  vise_status status = VISE_OK;
  *rows = (vise_i_cpu_rows){.batch = batch,
                            .source = batch->data == &b->host.data ? VISE_I_CPU_BOUND : VISE_I_CPU_SINGLE,
                            .end = batch->n,
                            .next = batch->n};

  VISE_TRY(check_rows(b, batch->n, err));
  if (!batch->delta) VISE_TRY(vise_i_cpu_sum_weights(b, batch, &rows->weight_sum, err));
  rows->weight_sum = vise_i_weight_divisor(rows->weight_sum);
  if (vise_i_cpu_goes_by_rows(b, batch->n)) vise_i_cpu_begin_parts(b, batch->n);

done:
  return status;
}

vise_status vise_i_cpu_gradient(vise_i_cpu *b, const vise_i_batch *batch, vise_i_cpu_found *found, vise_error *err) {
  step_work work = {.b = b};
  const vise_status status = prepare(b, batch, &work.rows, err);
  if (status != VISE_OK) return status;

  (void)vise_i_cpu_run(b, batch->n, step_part, &work);
  if (b->exchanged != VISE_OK) return vise_i_fail(err, b->exchanged, "%s", b->exchange_error.text);
  *found = work.found;
  return VISE_OK;
}

/* The debug mode, on weights as the interface has them: those in panels are not in rows. */
static vise_status verify(vise_i_cpu *b, const vise_i_hyper *hyper, vise_error *err) {
  vise_status status;
  vise_i_backend *backend = &b->host.base;
  VISE_TRY(backend->ops->get_state(backend, VISE_I_PARAMS, b->verified, err));
  if (b->mask != NULL) VISE_TRY(backend->ops->get_state(backend, VISE_I_MASK, b->verified_mask, err));

  const vise_array weights = vise_array_of(b->verified, VISE_F32, 1, b->net->n_params);
  VISE_TRY(vise_i_verify_projection(b->spec, &weights, b->mask != NULL ? b->verified_mask : NULL, hyper, err));
  if (b->spec->quantization != NULL) {
    VISE_TRY(backend->ops->get_state(backend, VISE_I_ROUNDED, b->verified, err));
    VISE_TRY(vise_i_verify_rounding(b->spec, b->host.state[VISE_I_SCALES], &weights, err));
  }
done:
  return status;
}

vise_status vise_i_cpu_step(vise_i_cpu *b, const vise_i_batch *batch, const vise_i_hyper *hyper, vise_step_stats *stats,
                            vise_error *err) {
  vise_status status = VISE_OK;
  vise_step_stats s = {
      .step = stats->step, .epoch = stats->epoch, .n_rows = batch->n, .lr = hyper->lr, .bad_tensor = -1};
  vise_i_batch now = *batch;
  now.step = hyper->step;

  step_work work = {.b = b, .hyper = hyper, .batch = &now, .stats = &s};
  VISE_TRY(prepare(b, &now, &work.rows, err));
  vise_i_cpu_set_penalty(b, !b->rule->prox_l1);
  vise_i_cpu_set_box(b, hyper);
  const size_t n_parts = vise_i_cpu_run(b, batch->n, step_part, &work);
  if (b->exchanged != VISE_OK) VISE_TRY(vise_i_fail(err, b->exchanged, "%s", b->exchange_error.text));

  if (s.skipped) {
    vise_i_cpu_count_bounds(b);
    status = vise_i_after_skip(b->spec, b->host.counters.consecutive_skips, &s, err);
  } else {
    vise_i_cpu_after_update(b, n_parts);
    vise_i_cpu_track(b);
    if (b->spec->assert_projection) VISE_TRY(verify(b, hyper, err));
  }

  vise_i_cpu_sum_bounds(b, &s);
  *stats = s;

done:
  return status;
}
