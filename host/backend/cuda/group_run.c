/* Steps, projections and outputs of many members of a group, each in one launch. */
#include <stdlib.h>
#include <string.h>

#include "host/backend/check_data.h"
#include "host/backend/cuda/group.h"
#include "host/base/memory.h"

/* Outputs on the device at once, about, if there is room for so many. */
#define OUTPUT_BYTES ((size_t)256 << 20)

static vise_i_cuda *take_state(vise_i_backend *backend, const vise_k_team_result *result) {
  vise_i_cuda *b = vise_i_cuda_of(backend);
  b->train.state = result->state;
  return b;
}

/* ---- projections ---- */

static vise_status project(vise_i_group *g, vise_i_cuda_group_mode mode, vise_i_cuda *const *members,
                           const vise_i_hyper *hyper, size_t n, vise_error *err) {
  vise_status status = VISE_OK;
  vise_i_cuda_teams t;
  const vise_i_hyper open = {.clip_factor = 1, .clamp_factor = 1, .row_l1_factor = 1};
  if (n == 0) return VISE_OK;

  VISE_TRY(vise_i_cuda_group_open(g, mode, n, n, &t, err));
  for (size_t i = 0; i < n; i++) {
    vise_i_cuda_group_team(g, &t, i, members[i]);
    t.records[i] = vise_i_cuda_project_record(hyper ? &hyper[i] : &open);
    t.teams[i].records = t.device_records + i;
  }
  VISE_TRY(vise_i_cuda_group_launch(g, &t, err));
  for (size_t i = 0; i < n; i++) take_state(&members[i]->base, &t.results[i])->sums_are_old = false;

done:
  return status;
}

vise_status vise_i_cuda_group_project(vise_i_group *group, vise_i_backend *const *members, const vise_i_hyper *hyper,
                                      size_t n, vise_error *err) {
  vise_status status;
  vise_i_cuda **all = NULL;

  VISE_TRY(vise_i_cuda_enter_context(group->cx, err));
  VISE_TRY(vise_i_alloc(&all, n, sizeof *all, "members", err));
  for (size_t i = 0; i < n; i++) all[i] = vise_i_cuda_of(members[i]);
  VISE_TRY(project(group, VISE_I_CUDA_GROUP_PROJECT, all, hyper, n, err));

done:
  free(all);
  return status;
}

/* ---- steps ---- */

/* The member's own failure. */
static void fail(vise_i_member_steps *m, vise_status status, const vise_error *text) {
  m->status = status;
  if (m->err) (void)vise_i_fail(m->err, status, "%s", text->text);
}

static bool goes_on(const vise_i_member_steps *m) {
  return m->status == VISE_OK && m->n_done < m->n;
}

/* Checks each member and sends its order; those that fail take no part. An error is the group's. */
static vise_status begin(vise_i_group *g, vise_i_member_steps *members, size_t n, vise_error *err) {
  vise_status status = VISE_OK;
  g->round++;

  for (size_t i = 0; i < n; i++) {
    vise_i_member_steps *m = &members[i];
    vise_i_cuda *b = vise_i_cuda_of(m->backend);
    vise_error own = VISE_ERROR_INIT;
    const vise_i_steps steps = {.first = m->first, .size = m->size, .n = m->n, .hyper = m->hyper};

    m->n_done = 0;
    m->status = VISE_OK;
    status = vise_i_check_run(m->backend, &steps, b->bound.n_indices, &own);
    if (status == VISE_OK) status = vise_i_cuda_share_order(b, &own);
    if (g->cx->poison != VISE_OK || status == VISE_ERR_MEMORY) return vise_i_fail(err, status, "%s", own.text);
    if (status != VISE_OK) fail(m, status, &own);
  }
  return VISE_OK;
}

/* Sums of the weights that were set, of those who need them. */
static vise_status renew_sums(vise_i_group *g, const vise_i_member_steps *members, size_t n, vise_error *err) {
  vise_status status;
  vise_i_cuda **old = NULL;
  size_t n_old = 0;

  VISE_TRY(vise_i_alloc(&old, n, sizeof *old, "members", err));
  for (size_t i = 0; i < n; i++) {
    vise_i_cuda *b = vise_i_cuda_of(members[i].backend);
    if (goes_on(&members[i]) && vise_i_cuda_needs_sums(b)) old[n_old++] = b;
  }
  VISE_TRY(project(g, VISE_I_CUDA_GROUP_SUMS, old, NULL, n_old, err));

done:
  free(old);
  return status;
}

/* The next steps of a member, up to `most`. */
static vise_i_cuda_span span_of(const vise_i_member_steps *m, size_t most) {
  const size_t left = m->n - m->n_done, n = left < most ? left : most;
  return (vise_i_cuda_span){.first = m->first + m->n_done * m->size,
                            .batch = m->size,
                            .n = n,
                            .hyper = m->hyper + m->n_done,
                            .steps_of_piece = n};
}

static void describe(const vise_i_cuda *b, const vise_i_step_sums *sums, vise_k_team *team) {
  vise_k_step step;
  vise_i_cuda_read_rows(&step, &b->bound.x, &b->bound.y, &b->bound.rows[0], vise_i_has_labels(b->net, &b->bound.data));
  team->order = b->bound.order;
  team->row_weights = step.row_weights;
  team->x = step.x;
  team->y = step.y;
  team->labels = step.labels;
  team->sums = (vise_k_sums){
      .loss = sums->loss,
      .rows = sums->rows,
      .n_correct = sums->n_correct,
      .n_clipped_values = sums->n_clipped_values,
      .n_steps = sums->n_steps,
      .n_skipped = sums->n_skipped,
      .n_norm_clipped = sums->n_norm_clipped,
      .first_skip = sums->first_skip,
      .first_bad_tensor = sums->first_bad_tensor,
  };
}

static void give_sums(const vise_k_sums *from, vise_i_step_sums *out) {
  *out = (vise_i_step_sums){
      .loss = from->loss,
      .rows = from->rows,
      .n_correct = from->n_correct,
      .n_clipped_values = from->n_clipped_values,
      .n_steps = from->n_steps,
      .n_skipped = from->n_skipped,
      .n_norm_clipped = from->n_norm_clipped,
      .first_skip = from->first_skip,
      .first_bad_tensor = (int)from->first_bad_tensor,
  };
}

/* What a member's steps came to. */
static vise_status finish(vise_i_member_steps *m, const vise_i_cuda_span *span, const vise_k_team_result *result,
                          vise_error *err) {
  vise_i_cuda *b = take_state(m->backend, result);
  vise_step_stats last = m->last ? *m->last : (vise_step_stats){0};
  vise_error own = VISE_ERROR_INIT;
  const size_t n = result->state.cursor;

  if (n < 1 || n > span->n || (n < span->n && !result->state.halted)) {
    return vise_i_fail(err, VISE_ERR_INTERNAL, "cuda: the device did %zu of %zu steps", n, span->n);
  }

  give_sums(&result->sums, m->sums);
  vise_i_cuda_report(b, &result->last, vise_i_cuda_rows_of_step(b, span, n - 1), &span->hyper[n - 1], &last);
  if (m->last) *m->last = last;
  m->n_done += n;

  uint64_t skips_before = result->state.counters.consecutive_skips - (last.skipped ? 1 : 0);
  vise_status status = vise_i_cuda_after_step(b, &last, &span->hyper[n - 1], &skips_before, &own);
  if (status == VISE_OK && n < span->n) {
    status = vise_i_fail(&own, VISE_ERR_INTERNAL, "cuda: the device halted after %zu of %zu steps", n, span->n);
  }
  if (status != VISE_OK) fail(m, status, &own);
  if (status != VISE_OK && status != VISE_ERR_NONFINITE) m->n_done--;
  return VISE_OK;
}

/* One launch: up to `most` steps of each member that goes on; *n_left: members that took part. */
static vise_status launch(vise_i_group *g, vise_i_member_steps *members, size_t n, size_t most, vise_error *err) {
  vise_status status;
  vise_i_cuda_teams t;
  size_t n_teams = 0, n_records = 0, k = 0;

  for (size_t i = 0; i < n; i++) {
    if (!goes_on(&members[i])) continue;
    n_teams++;
    n_records += span_of(&members[i], most).n;
  }

  VISE_TRY(vise_i_cuda_group_open(g, VISE_I_CUDA_GROUP_STEP, n_teams, n_records, &t, err));
  n_teams = 0;
  for (size_t i = 0; i < n; i++) {
    if (!goes_on(&members[i])) continue;
    vise_i_cuda *b = vise_i_cuda_of(members[i].backend);
    const vise_i_cuda_span span = span_of(&members[i], most);

    vise_i_cuda_group_team(g, &t, n_teams, b);
    vise_i_cuda_fill_records(b, &span, t.records + k);
    describe(b, members[i].sums, &t.teams[n_teams]);
    t.teams[n_teams].records = t.device_records + k;
    t.teams[n_teams++].n_steps = (uint32_t)span.n;
    k += span.n;
  }

  VISE_TRY(vise_i_cuda_group_launch(g, &t, err));
  g->n_launches++;

  n_teams = 0;
  for (size_t i = 0; i < n; i++) {
    if (!goes_on(&members[i])) continue;
    const vise_i_cuda_span span = span_of(&members[i], most);
    VISE_TRY(finish(&members[i], &span, &t.results[n_teams++], err));
  }

done:
  return status;
}

vise_status vise_i_cuda_group_run(vise_i_group *group, vise_i_member_steps *members, size_t n, vise_error *err) {
  vise_status status;
  size_t most = VISE_I_CUDA_RECORDS, n_left = n;

  VISE_TRY(vise_i_cuda_enter_context(group->cx, err));
  VISE_TRY(begin(group, members, n, err));
  VISE_TRY(renew_sums(group, members, n, err));
  for (size_t i = 0; i < n; i++) {
    if (members[i].backend->spec.assert_projection) most = 1;
  }

  for (;;) {
    n_left = 0;
    for (size_t i = 0; i < n; i++) n_left += goes_on(&members[i]);
    if (n_left == 0) break;
    VISE_TRY(launch(group, members, n, most, err));
  }

done:
  return status;
}

/* ---- outputs ---- */

/* Outputs of members [first, end) in one launch. */
typedef struct piece {
  const vise_i_member_rows *members;
  size_t first, end;
  size_t n_outputs; /* floats, at the start of the group's outputs */
  size_t *indices;  /* [end - first]: where a member's rows begin among the indices after them; SIZE_MAX: dense */
  size_t n_indices;
} piece;

static size_t n_out_of(const vise_i_member_rows *m) {
  const vise_i_net *net = m->backend->spec.net;
  return net->widths[net->n_layers];
}

static size_t n_chunks_of(const vise_i_member_rows *m) {
  return vise_i_ceil_div(m->batch->n, m->backend->spec.max_batch);
}

/* The source of the features: that of the bound data where the scaling is the same, else one that is sent now. */
static vise_status find_source(vise_i_cuda *b, const vise_i_data *data, vise_k_source *x, vise_error *err) {
  vise_status status = VISE_OK;
  const vise_i_data *bound = &b->bound.data;
  const vise_i_scaling *a = &bound->x_scaling, *c = &data->x_scaling;
  vise_k_source y;

  if (b->bound.is_bound && bound->x.dtype == data->x.dtype && bound->x.n_cols == data->x.n_cols &&
      a->shift == c->shift && a->scale == c->scale && a->uniform == c->uniform) {
    *x = b->bound.x;
    return VISE_OK;
  }

  VISE_TRY(vise_i_cuda_sources(b, data, VISE_I_CUDA_SINGLE, x, &y, err));
  VISE_I_CUDA_TRY(b->cx, cudaStreamSynchronize(b->cx->copies)); /* the pinned scales are every member's */
done:
  return status;
}

/* Where each member's rows are: equal addresses are sent once. */
static void place_indices(piece *p) {
  p->n_indices = 0;
  for (size_t i = p->first; i < p->end; i++) {
    const vise_i_batch *batch = p->members[i].batch;
    size_t at = SIZE_MAX;
    for (size_t k = i; batch->rows && at == SIZE_MAX && k-- > p->first;) {
      const vise_i_batch *other = p->members[k].batch;
      if (other->rows == batch->rows && other->n == batch->n) at = p->indices[k - p->first];
    }
    if (batch->rows && at == SIZE_MAX) {
      at = p->n_indices;
      p->n_indices += batch->n;
    }
    p->indices[i - p->first] = at;
  }
}

static vise_status send_piece_indices(const piece *p, uint32_t *to, vise_error *err) {
  vise_status status = VISE_OK;
  size_t sent = 0;
  for (size_t i = p->first; i < p->end; i++) {
    if (p->indices[i - p->first] != sent) continue;
    const vise_i_batch *batch = p->members[i].batch;
    if (sent == p->n_indices) break;
    VISE_TRY(vise_i_cuda_send_indices(vise_i_cuda_of(p->members[i].backend), to + sent, batch->rows, batch->n, err));
    sent += batch->n;
  }
done:
  return status;
}

/* Records of a member's rows in parts of its largest batch. */
static size_t fill_forward(const vise_i_member_rows *m, vise_k_step_record *out) {
  const vise_i_hyper hyper = {.lr = 0, .clip_factor = 1, .clamp_factor = 1};
  const size_t most = m->backend->spec.max_batch, n = n_chunks_of(m);
  for (size_t i = 0; i < n; i++) {
    const size_t at = i * most, left = m->batch->n - at;
    out[i] = (vise_k_step_record){.hyper = hyper,
                                  .denominator = 1,
                                  .first = (uint32_t)at,
                                  .position = (uint32_t)at,
                                  .n_rows = (uint32_t)(left < most ? left : most)};
  }
  return n;
}

static vise_status launch_piece(vise_i_group *g, const piece *p, vise_error *err) {
  vise_status status;
  vise_i_cuda_teams t;
  size_t n_records = 0, at = 0, k = 0;
  float *outputs = (float *)(void *)g->outputs.device;
  const uint32_t *indices = (const uint32_t *)(const void *)(outputs + p->n_outputs);

  for (size_t i = p->first; i < p->end; i++) n_records += n_chunks_of(&p->members[i]);
  VISE_TRY(vise_i_cuda_group_open(g, VISE_I_CUDA_GROUP_FORWARD, p->end - p->first, n_records, &t, err));

  for (size_t i = p->first; i < p->end; i++) {
    const vise_i_member_rows *m = &p->members[i];
    vise_i_cuda *b = vise_i_cuda_of(m->backend);
    vise_k_team *team = &t.teams[i - p->first];
    vise_i_cuda_rows kept;
    bool is_kept = false;

    vise_i_cuda_group_team(g, &t, i - p->first, b);
    VISE_TRY(vise_i_cuda_keep(b, m->batch->data, &kept, &is_kept, err));
    VISE_TRY(find_source(b, m->batch->data, &team->x, err));
    team->x.x = kept.memory;
    team->order = m->batch->rows ? indices + p->indices[i - p->first] : NULL;
    team->outputs = outputs + at;
    team->records = t.device_records + k;
    team->n_steps = (uint32_t)fill_forward(m, t.records + k);
    k += team->n_steps;
    at += m->batch->n * n_out_of(m);
  }

  VISE_TRY(vise_i_cuda_group_launch(g, &t, err));
  for (size_t i = p->first; i < p->end; i++) take_state(p->members[i].backend, &t.results[i - p->first]);

done:
  return status;
}

/* The outputs as doubles, a buffer at a time. */
static vise_status fetch_piece(vise_i_group *g, const piece *p, vise_error *err) {
  vise_status status;
  vise_i_cuda_context *cx = g->cx;
  const float *from = (const float *)(const void *)g->outputs.device;
  size_t member = p->first, inside = 0;

  VISE_TRY(vise_i_cuda_reserve(cx, p->n_outputs * sizeof(float), err));
  const size_t most = cx->buffer_bytes / sizeof(float);
  const float *z = (const float *)(const void *)cx->buffers[0];

  for (size_t at = 0; at < p->n_outputs; at += most) {
    const size_t n = p->n_outputs - at < most ? p->n_outputs - at : most;
    VISE_I_CUDA_TRY(cx,
                    cudaMemcpyAsync(cx->buffers[0], from + at, n * sizeof(float), cudaMemcpyDeviceToHost, cx->copies));
    VISE_I_CUDA_TRY(cx, cudaStreamSynchronize(cx->copies));

    for (size_t i = 0; i < n;) {
      const vise_i_member_rows *m = &p->members[member];
      const size_t left = m->batch->n * n_out_of(m) - inside, take = left < n - i ? left : n - i;
      for (size_t j = 0; j < take; j++) m->out[inside + j] = (double)z[i + j];
      i += take;
      inside += take;
      if (take == left) {
        member++;
        inside = 0;
      }
    }
  }

done:
  return status;
}

/* Members whose rows are on the device come first, in *out; the others are served alone. */
static vise_status sort_members(const vise_i_member_rows *members, size_t n, vise_i_member_rows *out, size_t *n_kept,
                                vise_error *err) {
  vise_status status = VISE_OK;
  *n_kept = 0;
  for (size_t i = 0; i < n; i++) {
    const vise_i_batch *batch = members[i].batch;
    const vise_i_data features = {.x = batch->data->x, .x_scaling = batch->data->x_scaling, .id = batch->data->id};
    vise_i_cuda *b = vise_i_cuda_of(members[i].backend);
    vise_i_cuda_rows kept;
    bool is_kept = false;

    if (batch->n == 0) continue;
    VISE_TRY(vise_i_check_data(&b->base.spec, batch->data, false, err));
    VISE_TRY(vise_i_cuda_check_size(batch->data, err));
    VISE_TRY(vise_i_cuda_keep(b, &features, &kept, &is_kept, err));
    if (is_kept) {
      out[(*n_kept)++] = members[i];
    } else {
      VISE_TRY(vise_i_cuda_forward(members[i].backend, batch, members[i].out, err));
    }
  }
done:
  return status;
}

vise_status vise_i_cuda_group_forward(vise_i_group *group, const vise_i_member_rows *members, size_t n,
                                      vise_error *err) {
  vise_status status;
  vise_i_member_rows *kept = NULL;
  size_t n_kept = 0, available = 0;
  piece p = {0};

  VISE_TRY(vise_i_cuda_enter_context(group->cx, err));
  VISE_TRY(vise_i_alloc(&kept, n, sizeof *kept, "members", err));
  VISE_TRY(vise_i_alloc(&p.indices, n, sizeof *p.indices, "members", err));
  VISE_TRY(sort_members(members, n, kept, &n_kept, err));
  VISE_TRY(vise_i_cuda_available(group->cx, &available, err));
  const size_t room = (available + group->outputs.n_bytes) / 2, most = room < OUTPUT_BYTES ? room : OUTPUT_BYTES;

  for (p.members = kept; p.first < n_kept; p.first = p.end) {
    p.n_outputs = 0;
    for (p.end = p.first; p.end < n_kept; p.end++) {
      const size_t more = kept[p.end].batch->n * n_out_of(&kept[p.end]);
      if (p.end > p.first && (p.n_outputs + more) * sizeof(float) > most) break;
      p.n_outputs += more;
    }

    place_indices(&p);
    VISE_TRY(vise_i_cuda_grow_scratch(group, &group->outputs,
                                      p.n_outputs * sizeof(float) + p.n_indices * sizeof(uint32_t), false, err));
    uint32_t *indices = (uint32_t *)(void *)((float *)(void *)group->outputs.device + p.n_outputs);
    VISE_TRY(send_piece_indices(&p, indices, err));
    VISE_TRY(launch_piece(group, &p, err));
    VISE_TRY(fetch_piece(group, &p, err));
  }

done:
  free(kept);
  free(p.indices);
  return status;
}
