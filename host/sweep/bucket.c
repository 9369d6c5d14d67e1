#include "host/sweep/bucket.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/backend/group.h"
#include "host/base/file.h"
#include "host/base/memory.h"
#include "host/train/run.h"
#include "host/train/stopping.h"

/* Outputs of held-out rows that are on the host at once. */
enum { OUTPUT_BYTES = 64 << 20 };

/* A fit and its trainer; in the bucket once the trainer has a backend. */
typedef struct member {
  vise_i_sweep_fit *fit;
  vise_model *model;
  vise_trainer *trainer;
  vise_i_run run;
  vise_stop_reason reason; /* VISE_STOP_NONE while it goes on */
  vise_status status;
  uint64_t epoch; /* before the steps at hand */
  uint64_t step;
  double seconds;
} member;

/* Fits of one shape. */
typedef struct bucket {
  const vise_i_bucket_call *call;
  const vise_i_group_ops *ops;
  vise_i_group *group;
  vise_i_orders *orders;
  member *members; /* [n]: those that wait begin at `next` */
  size_t n, next;
  member **active; /* [n_active], of room for n_most */
  size_t n_active, n_most;
  vise_i_member_steps *steps; /* [n_most] */
  vise_i_step_sums *sums;
  vise_step_stats *last;
  member **due; /* [n_most]: whose held-out rows are to be evaluated */
  size_t n_due;
} bucket;

/* ---- a member -------------------------------------------------------------------------------------------------------- */

static void leave(bucket *b, member *m) {
  m->fit->result.seconds = m->seconds;
  vise_trainer_free(m->trainer);
  vise_model_free(m->model);
  m->trainer = NULL;
  m->model = NULL;
  b->call->give(b->call->user, m->fit);
}

/* Everything but its backend. */
static vise_status prepare(member *m) {
  vise_status status;
  vise_i_sweep_fit *fit = m->fit;
  vise_error *err = &fit->result.error;
  const vise_dataset *const datasets[3] = {fit->train, fit->validation, NULL};

  VISE_TRY(vise_i_sweep_fit_model(fit, &m->model, err));
  VISE_TRY(vise_i_trainer_prepare(&fit->training, m->model, datasets, true, &m->trainer, err));
  m->run = vise_i_run_of(m->trainer);
  vise_run_config_init(&m->run.config);
  m->run.config.evaluate_at_end = true;
  m->run.segment = VISE_I_MOST_STEPS;

done:
  return status;
}

static vise_status start(bucket *b, member *m) {
  vise_status status;
  vise_error *err = &m->fit->result.error;
  m->trainer->spec.group = b->group;
  m->trainer->orders = b->orders;
  VISE_TRY(vise_i_trainer_start(m->trainer, err));
done:
  return status;
}

/* After the weights are projected. */
static vise_status go_on(member *m) {
  vise_status status = VISE_OK;
  const vise_i_sweep_fit *fit = m->fit;
  if (fit->state == NULL) goto done;
  VISE_TRY(vise_trainer_restore_memory(m->trainer, fit->state, fit->n_state_bytes, &m->fit->result.error));
  m->run.skips_seen = m->trainer->state.n_skipped;
  m->run.checked_step = m->trainer->state.step;
done:
  return status;
}

static void fail(member *m, vise_status status) {
  m->status = status;
  m->reason =
      m->run.trainer != NULL ? vise_i_run_failure_reason(&m->run, status, &m->fit->result.error) : VISE_STOP_ERROR;
}

/* The end of a member: what vise_trainer_run does at the end of its loop. */
static void finish(bucket *b, member *m) {
  vise_i_sweep_fit *fit = m->fit;
  vise_error *err = &fit->result.error;
  if (m->reason == VISE_STOP_INTERRUPTED) {
    vise_i_sweep_fit_drop(fit);
    leave(b, m);
    return;
  }

  vise_run_result made;
  vise_status status = vise_i_run_finish(&m->run, m->status, m->reason, &made, err);
  vise_i_sweep_fit_report(&made, &fit->result);
  if (status == VISE_OK) status = vise_i_sweep_fit_keep(fit, b->call->config, m->model, m->trainer, err);
  fit->result.status = status;
  leave(b, m);
}

/* ---- held-out rows ----------------------------------------------------------------------------------------------------- */

/* A range of rows of some members, and room for their outputs. */
typedef struct passing {
  vise_i_member_rows *rows;
  vise_i_batch *batches;
  size_t *identity; /* [n_rows]: of views without rows of their own */
  double *outputs;
} passing;

static void free_passing(passing *p) {
  free(p->rows);
  free(p->batches);
  free(p->identity);
  free(p->outputs);
}

static vise_status make_passing(passing *p, size_t n_members, size_t n_rows, size_t n_values, vise_error *err) {
  vise_status status;
  VISE_TRY(vise_i_alloc(&p->rows, n_members, sizeof *p->rows, "outputs", err));
  VISE_TRY(vise_i_alloc(&p->batches, n_members, sizeof *p->batches, "outputs", err));
  VISE_TRY(vise_i_alloc(&p->identity, n_rows, sizeof *p->identity, "outputs", err));
  VISE_TRY(vise_i_alloc(&p->outputs, n_values, sizeof *p->outputs, "outputs", err));
  for (size_t i = 0; i < n_rows; i++) p->identity[i] = i;
done:
  return status;
}

/* Metrics of one member from the outputs of all of its held-out rows. */
static vise_status measure(member *m, const double *outputs, vise_error *err) {
  vise_status status;
  vise_i_metrics_sums *sums = NULL;
  const vise_trainer *t = m->trainer;
  const vise_i_metrics_spec spec = vise_i_metrics_spec_of_step(&t->spec);
  VISE_TRY(vise_i_metrics_begin(&spec, &sums, err));
  vise_i_metrics_add(sums, &t->validation, 0, t->validation.n_rows, outputs);
  vise_i_metrics_finish(sums, &m->run.validation);
  m->run.evaluated = true;
  m->run.evaluated_step = t->state.step;
done:
  vise_i_metrics_free(sums);
  return status;
}

/* Members [0, n) of `due`, whose outputs fit on the host. */
static vise_status evaluate_some(bucket *b, member *const *due, size_t n, vise_error *err) {
  vise_status status;
  passing p = {NULL, NULL, NULL, NULL};
  size_t n_values = 0, most_rows = 0;
  for (size_t i = 0; i < n; i++) {
    const vise_trainer *t = due[i]->trainer;
    n_values += t->validation.n_rows * t->net->widths[t->net->n_layers];
    if (t->validation.n_rows > most_rows) most_rows = t->validation.n_rows;
  }
  VISE_TRY(make_passing(&p, n, most_rows, n_values, err));

  size_t at = 0;
  for (size_t i = 0; i < n; i++) {
    const vise_trainer *t = due[i]->trainer;
    const vise_i_view *view = &t->validation;
    p.batches[i] =
        (vise_i_batch){.data = &view->data, .rows = view->rows != NULL ? view->rows : p.identity, .n = view->n_rows};
    p.rows[i] = (vise_i_member_rows){t->backend, &p.batches[i], p.outputs + at};
    at += view->n_rows * t->net->widths[t->net->n_layers];
  }
  VISE_TRY(b->ops->forward(b->group, p.rows, n, err));

  at = 0;
  for (size_t i = 0; i < n; i++) {
    const vise_trainer *t = due[i]->trainer;
    VISE_TRY(measure(due[i], p.outputs + at, err));
    at += t->validation.n_rows * t->net->widths[t->net->n_layers];
  }

done:
  free_passing(&p);
  return status;
}

/* The held-out rows of all members that are due, as many members at a time as there is room for. */
static vise_status evaluate(bucket *b, vise_error *err) {
  size_t first = 0, bytes = 0;
  vise_status status = VISE_OK;
  for (size_t i = 0; i < b->n_due && status == VISE_OK; i++) {
    const vise_trainer *t = b->due[i]->trainer;
    const size_t own = t->validation.n_rows * t->net->widths[t->net->n_layers] * sizeof(double);
    if (bytes > 0 && bytes + own > OUTPUT_BYTES) {
      status = evaluate_some(b, b->due + first, i - first, err);
      first = i;
      bytes = 0;
    }
    bytes += own;
  }
  if (status == VISE_OK && b->n_due > first) status = evaluate_some(b, b->due + first, b->n_due - first, err);
  b->n_due = 0;
  return status;
}

/* ---- a round ----------------------------------------------------------------------------------------------------------- */

static vise_status check_stop(member *m) {
  const vise_status status = vise_i_stop_check(m->trainer, &m->reason, &m->fit->result.error);
  if (status != VISE_OK) fail(m, status);
  return status;
}

/* Fills the places that are free. An error is that of the group. */
static vise_status refill(bucket *b, vise_error *err) {
  vise_status status;
  vise_i_backend **backends = NULL;
  vise_i_hyper *hyper = NULL;
  const size_t first = b->n_active;
  if (b->next == b->n || b->n_active == b->n_most) return VISE_OK;
  VISE_TRY(vise_i_alloc(&backends, b->n_most, sizeof(void *), "fits", err));
  VISE_TRY(vise_i_alloc(&hyper, b->n_most, sizeof *hyper, "fits", err));

  for (; b->n_active < b->n_most && b->next < b->n; b->next++) {
    member *m = &b->members[b->next];
    const vise_status started = start(b, m);
    if (started == VISE_ERR_DEVICE) VISE_TRY(vise_i_fail(err, started, "%s", m->fit->result.error.text));
    if (started != VISE_OK) {
      m->fit->result.status = started;
      leave(b, m);
      continue;
    }
    backends[b->n_active - first] = m->trainer->backend;
    hyper[b->n_active - first] = vise_i_trainer_hyper(m->trainer);
    b->active[b->n_active++] = m;
  }

  if (b->n_active > first) VISE_TRY(b->ops->project(b->group, backends, hyper, b->n_active - first, err));
  for (size_t i = first; i < b->n_active; i++) {
    const vise_status went_on = go_on(b->active[i]);
    if (went_on != VISE_OK) {
      fail(b->active[i], went_on);
    } else {
      (void)!check_stop(b->active[i]);
    }
  }

done:
  free(backends);
  free(hyper);
  return status;
}

/* What the steps did to the counts of a trainer, as vise_i_trainer_count does it step by step. */
static void count(member *m, const vise_i_step_sums *sums, const vise_step_stats *last) {
  vise_trainer *t = m->trainer;
  vise_i_train_state *s = &t->state;
  if (s->n_skipped == 0 && sums->first_skip > 0) {
    s->first_skip_step = s->step + sums->first_skip;
    s->first_bad_tensor = sums->first_bad_tensor;
  }
  s->current = (vise_i_epoch_sums){sums->loss, sums->rows, sums->n_correct};
  s->n_skipped += sums->n_skipped;
  s->n_norm_clipped += sums->n_norm_clipped;
  s->n_clipped_values += sums->n_clipped_values;
  s->step += sums->n_steps;
  s->steps_in_epoch += sums->n_steps;
  if (sums->n_steps == 0) return;

  t->last_stats = *last;
  t->last_stats.step = s->step;
  t->last_stats.epoch = s->epoch + 1;
  t->has_stepped = true;
}

/* One launch for all that go on. */
static vise_status take_steps(bucket *b, vise_error *err) {
  size_t n = 0;
  for (size_t i = 0; i < b->n_active; i++) {
    member *m = b->active[i];
    vise_i_steps steps = {.n = 0};
    if (m->reason != VISE_STOP_NONE) continue;
    m->epoch = m->trainer->state.epoch;
    const vise_status status =
        vise_i_trainer_begin_steps(m->trainer, vise_i_run_next_segment(&m->run), &steps, &m->fit->result.error);
    if (status != VISE_OK) {
      fail(m, status);
      continue;
    }

    const vise_i_epoch_sums *current = &m->trainer->state.current;
    b->due[n] = m;
    b->sums[n] = (vise_i_step_sums){.loss = current->loss, .rows = current->rows, .n_correct = current->correct};
    b->steps[n] = (vise_i_member_steps){.backend = m->trainer->backend,
                                        .first = steps.first,
                                        .size = steps.size,
                                        .n = steps.n,
                                        .hyper = steps.hyper,
                                        .sums = &b->sums[n],
                                        .last = &b->last[n],
                                        .err = &m->fit->result.error};
    n++;
  }

  const vise_status status = n > 0 ? b->ops->run(b->group, b->steps, n, err) : VISE_OK;
  for (size_t i = 0; i < n && status == VISE_OK; i++) {
    member *m = b->due[i];
    count(m, &b->sums[i], &b->last[i]);
    const vise_status ended = vise_i_trainer_end_steps(m->trainer, b->steps[i].status, &m->fit->result.error);
    if (ended != VISE_OK) fail(m, ended);
  }
  vise_i_orders_forget(b->orders);
  return status;
}

static bool has_ended_epoch(const member *m) {
  return m->reason == VISE_STOP_NONE && m->trainer->state.epoch != m->epoch;
}

/* Ends of epochs, and what stops. */
static vise_status end_epochs(bucket *b, vise_error *err) {
  b->n_due = 0;
  for (size_t i = 0; i < b->n_active; i++) {
    member *m = b->active[i];
    if (has_ended_epoch(m) && m->trainer->has_validation && vise_i_run_evaluates_epochs(&m->run))
      b->due[b->n_due++] = m;
  }
  const vise_status status = evaluate(b, err);
  if (status != VISE_OK) return status;

  for (size_t i = 0; i < b->n_active; i++) {
    member *m = b->active[i];
    if (m->reason != VISE_STOP_NONE) continue;
    const vise_status ended = has_ended_epoch(m) ? vise_i_run_end_epoch(&m->run, &m->fit->result.error) : VISE_OK;
    if (ended != VISE_OK) {
      fail(m, ended);
    } else {
      (void)!check_stop(m);
    }
  }
  return VISE_OK;
}

/* Members that stopped leave. */
static vise_status let_go(bucket *b, double seconds, vise_error *err) {
  const bool stops = atomic_load(b->call->stop);
  const double each = b->n_active > 0 ? seconds / (double)b->n_active : 0;
  b->n_due = 0;
  for (size_t i = 0; i < b->n_active; i++) {
    member *m = b->active[i];
    m->seconds += each;
    if (stops && m->reason == VISE_STOP_NONE) m->reason = VISE_STOP_INTERRUPTED;
    const bool restores_best = m->trainer->config.patience > 0 && m->trainer->best_params != NULL;
    const bool ended_well = m->reason != VISE_STOP_NONE && m->reason != VISE_STOP_INTERRUPTED && m->status == VISE_OK;
    if (ended_well && m->trainer->has_validation && !restores_best && !vise_i_run_is_evaluated(&m->run)) {
      b->due[b->n_due++] = m;
    }
  }
  const vise_status status = evaluate(b, err);
  if (status != VISE_OK) return status;

  size_t n = 0;
  for (size_t i = 0; i < b->n_active; i++) {
    if (b->active[i]->reason == VISE_STOP_NONE) {
      b->active[n++] = b->active[i];
    } else {
      finish(b, b->active[i]);
    }
  }
  b->n_active = n;
  return VISE_OK;
}

static vise_status rounds(bucket *b, vise_error *err) {
  vise_status status = VISE_OK;
  while (status == VISE_OK && (b->n_active > 0 || b->next < b->n)) {
    const double start_of_round = vise_i_now();
    if (!atomic_load(b->call->stop)) status = refill(b, err);
    if (status == VISE_OK && !atomic_load(b->call->stop)) status = take_steps(b, err);
    if (status == VISE_OK) status = end_epochs(b, err);
    if (status == VISE_OK) status = let_go(b, vise_i_now() - start_of_round, err);
    if (atomic_load(b->call->stop)) break;
  }
  return status;
}

/* ---- a bucket ------------------------------------------------------------------------------------------------------------ */

/* A group for as many members as fit, at most all. */
static vise_status make_group(bucket *b, vise_error *err) {
  vise_status status;
  const vise_i_step_spec **kinds = NULL;
  uint64_t steps = 0;
  VISE_TRY(vise_i_alloc(&kinds, b->n, sizeof(void *), "fits", err));
  for (size_t i = 0; i < b->n; i++) {
    const vise_trainer *t = b->members[i].trainer;
    kinds[i] = &t->spec;
    if (t->steps_per_epoch > steps) steps = t->steps_per_epoch;
  }
  if (steps > VISE_I_MOST_STEPS) steps = VISE_I_MOST_STEPS;

  b->n_most = b->n;
  for (;;) {
    vise_error inner = VISE_ERROR_INIT;
    status = b->ops->create(kinds, b->n, b->n_most, (size_t)steps, &b->group, &inner);
    if (status != VISE_ERR_MEMORY || b->n_most == 1) {
      if (status != VISE_OK) (void)vise_i_fail(err, status, "%s", inner.text);
      break;
    }
    b->n_most = (b->n_most + 1) / 2;
  }

done:
  free(kinds);
  return status;
}

static vise_status make_room(bucket *b, vise_error *err) {
  vise_status status;
  VISE_TRY(vise_i_orders_create(&b->orders, err));
  VISE_TRY(vise_i_alloc(&b->active, b->n_most, sizeof(void *), "fits", err));
  VISE_TRY(vise_i_alloc(&b->due, b->n_most, sizeof(void *), "fits", err));
  VISE_TRY(vise_i_alloc(&b->steps, b->n_most, sizeof *b->steps, "fits", err));
  VISE_TRY(vise_i_alloc(&b->sums, b->n_most, sizeof *b->sums, "fits", err));
  VISE_TRY(vise_i_alloc_zero(&b->last, b->n_most, sizeof *b->last, "fits", err));
done:
  return status;
}

/* What is left of the members has this end. */
static void drop_rest(bucket *b, vise_status status, const vise_error *why) {
  for (size_t i = 0; i < b->n; i++) {
    member *m = &b->members[i];
    if (m->trainer == NULL) continue;
    vise_i_sweep_fit_drop(m->fit);
    if (status != VISE_OK) {
      m->fit->result.reason = VISE_STOP_ERROR;
      m->fit->result.status = status;
      m->fit->result.error = *why;
    }
    leave(b, m);
  }
}

/* Trains members[n], which are of one shape. */
static void train(const vise_i_bucket_call *call, member *members, size_t n) {
  vise_error err = VISE_ERROR_INIT;
  bucket b = {.call = call, .members = members, .n = n};
  b.ops = members[0].trainer->ops->group;

  vise_status status = VISE_OK;
  if (b.ops == NULL) status = vise_i_fail(&err, VISE_ERR_INTERNAL, "this backend trains no groups");
  if (status == VISE_OK) status = make_group(&b, &err);
  if (status == VISE_OK) status = make_room(&b, &err);
  if (status == VISE_OK) status = rounds(&b, &err);
  drop_rest(&b, status, &err);

  if (b.group != NULL) b.ops->destroy(b.group);
  vise_i_orders_free(b.orders);
  free(b.active);
  free(b.due);
  free(b.steps);
  free(b.sums);
  free(b.last);
}

/* By shape, then as they came. */
static int by_shape(const void *a, const void *b) {
  const member *x = a, *y = b;
  const vise_i_net *p = x->trainer->net, *q = y->trainer->net;
  if (p->n_layers != q->n_layers) return p->n_layers < q->n_layers ? -1 : 1;
  const int by_widths = memcmp(p->widths, q->widths, (p->n_layers + 1) * sizeof *p->widths);
  if (by_widths != 0) return by_widths;
  return x->fit->id < y->fit->id ? -1 : x->fit->id > y->fit->id;
}

static bool same_shape(const member *a, const member *b) {
  const vise_i_net *p = a->trainer->net, *q = b->trainer->net;
  return p->n_layers == q->n_layers && memcmp(p->widths, q->widths, (p->n_layers + 1) * sizeof *p->widths) == 0;
}

void vise_i_bucket_train(vise_i_sweep_fit *list, const vise_i_bucket_call *call) {
  size_t n_fits = 0, n = 0;
  for (const vise_i_sweep_fit *fit = list; fit != NULL; fit = fit->next) n_fits++;
  member *members = calloc(n_fits, sizeof *members);
  bucket none = {.call = call};

  while (list != NULL) {
    vise_i_sweep_fit *fit = list;
    list = fit->next;
    fit->result = (vise_sweep_result){.id = fit->id, .reason = VISE_STOP_ERROR, .score = NAN};
    member m = {.fit = fit};
    vise_status status = members != NULL ? prepare(&m) : vise_i_fail_memory(&fit->result.error, 0, "fits");
    if (status == VISE_OK) {
      members[n++] = m;
      continue;
    }
    fit->result.status = status;
    leave(&none, &m);
  }

  if (n > 0) qsort(members, n, sizeof *members, by_shape);
  for (size_t first = 0, end; first < n; first = end) {
    for (end = first + 1; end < n && same_shape(&members[first], &members[end]); end++) {
    }
    train(call, members + first, end - first);
  }
  free(members);
}
