/*
 * Many nets in one launch (host/backend/group.h): whatever the size of a team and of the group, each member's weights,
 * moments, sums, outputs and errors are those of the same backend alone, to the bit.
 */
#include "host/backend/cuda/group.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/layers_rig.h"
#include "tests/support/same_bits.h"
#include "tests/support/step_rig.h"

enum { MOST_STEPS = 8, MOST_MEMBERS = 7, HELD_OUT = 21 };

static const vise_i_backend_ops *const OPS = &vise_i_backend_cuda;
static const vise_i_group_ops *const GROUP = &vise_i_cuda_group_ops;

/* ---- what is trained ---- */

/* A training of a few steps in two calls, the second with another order. */
typedef struct fit {
  vise_i_net net;
  vise_i_step_spec spec;
  vise_i_data data;
  double *params;
  const size_t *orders[2]; /* [n_order] of each call */
  size_t n_order, n_steps[2], batch;
  vise_i_hyper hyper[MOST_STEPS];
  vise_i_scaling scaling;
} fit;

typedef enum fit_shape { ONE_LAYER, THREE_LAYERS, ALL_LAYERS, ALL_RULES, N_SHAPES } fit_shape;

typedef struct fits {
  fit_shape shape;
  fit fits[MOST_MEMBERS];
  step_rig *rules;    /* ALL_RULES: nets and data */
  layers_rig *layers; /* ALL_LAYERS */
  double x[2][RIG_ROWS * 17], y[RIG_ROWS];
  double shift[17], scale[17];
  size_t orders[2][RIG_ROWS], held_out[HELD_OUT];
} fits;

static void make_plain(fits *f, size_t i, fit *out) {
  static const size_t one[] = {9, 3}, three[] = {17, 9, 5, 3};
  const bool is_one = f->shape == ONE_LAYER;
  uint64_t state = 3 * i + 1;

  out->net = rig_net(is_one ? 1 : 3, is_one ? one : three, VISE_RELU, i % 2 == 0 || !is_one);
  out->spec = rig_spec(&out->net);
  out->spec.rule.loss = VISE_LOSS_CROSS_ENTROPY;
  out->spec.rule.optimizer = VISE_ADAM;
  out->spec.rule.k2 = i % 3 == 0 ? 0 : 1e-3 * (double)i;
  out->spec.rule.clip_norm = 0.5;
  out->spec.max_batch = out->batch = RIG_BATCH;
  out->params = calloc(out->net.n_values, sizeof *out->params);
  rig_fill(&state, 0.4, out->params, out->net.n_values);
  out->data = rig_data(f->x[i % 2], RIG_ROWS, out->net.widths[0], f->y, 1, true, NULL);
  out->data.x_scaling = (vise_i_scaling){f->shift, f->scale, false};
  out->n_order = 3 * RIG_BATCH + 3; /* the last batch of an epoch is a small one */
}

static const double class_weights[RIG_OUT] = {1, 2, 0.5, 1, 3, 1, 0.25};

static void make_rules(const fits *f, size_t i, fit *out) {
  const step_rig *r = f->rules;
  out->net = r->net;
  out->spec = r->spec;
  out->spec.rule.prox_l1 = true;
  out->spec.rule.kF = 0;
  out->spec.rule.k1 = 1e-4 * (double)(1 + i);
  out->spec.boxes[0].hi = 0.1 + 0.02 * (double)i;
  out->spec.rule.max_norm = 0.5 + 0.1 * (double)i;
  out->spec.row_balls[0] = (vise_i_row_ball){0.6 + 0.1 * (double)i, i % 2 == 1};
  if (i % 2 == 1) out->spec.class_weights = class_weights;
  out->params = malloc(r->net.n_values * sizeof *out->params);
  memcpy(out->params, r->params, r->net.n_values * sizeof *out->params);
  out->data = r->data;
  out->batch = RIG_BATCH;
  out->n_order = RIG_ROWS;
}

static void make_layers(const fits *f, size_t i, fit *out) {
  const layers_rig *r = f->layers;
  out->net = r->net;
  out->spec = r->spec;
  out->spec.seed = 1000 + i;
  out->params = malloc(r->net.n_values * sizeof *out->params);
  memcpy(out->params, r->params, r->net.n_values * sizeof *out->params);
  out->data = r->data;
  out->batch = LAYERS_BATCH;
  out->n_order = 3 * LAYERS_BATCH + 1; /* the last row joins the third batch */
}

/* Rates, numbers of steps and data differ from member to member. */
static fits *make_fits(fit_shape shape) {
  fits *f = calloc(1, sizeof *f);
  uint64_t state = 5;
  f->shape = shape;
  f->rules = step_rig_make(OPS, VISE_SGD);
  f->layers = layers_rig_make(OPS, &layers_nets[n_layers_nets - 1], VISE_GELU);

  for (size_t k = 0; k < 2; k++) rig_fill(&state, 1, f->x[k], RIG_ROWS * 17);
  for (size_t i = 0; i < RIG_ROWS; i++) f->y[i] = (double)(i * 7 % 3);
  for (size_t c = 0; c < 17; c++) {
    f->shift[c] = 0.01 * (double)c;
    f->scale[c] = 1 + 0.1 * (double)c;
  }
  f->x[1][9 * 17 + 3] = NAN; /* some steps of the members with these data are skipped */
  for (size_t i = 0; i < HELD_OUT; i++) f->held_out[i] = 3 * i;

  for (size_t i = 0; i < MOST_MEMBERS; i++) {
    fit *own = &f->fits[i];
    if (shape == ALL_RULES) {
      make_rules(f, i, own);
    } else if (shape == ALL_LAYERS) {
      make_layers(f, i, own);
    } else {
      make_plain(f, i, own);
    }
    own->data.id = 1;
    own->spec.net = &own->net;
    own->n_steps[0] = 2 + i % (shape == ALL_LAYERS ? 2 : 3);
    own->n_steps[1] = 1 + i % 2;
    for (size_t k = 0; k < 2; k++) own->orders[k] = f->orders[k];
    for (size_t s = 0; s < MOST_STEPS; s++) {
      own->hyper[s] = rig_hyper(0.01 * (double)(1 + i) / (double)(1 + s));
      own->hyper[s].step = s;
    }
  }

  for (size_t k = 0; k < 2; k++) {
    const size_t n = f->fits[0].n_order;
    for (size_t i = 0; i < n; i++) f->orders[k][i] = (i * 13 + 7 * k) % n;
  }
  return f;
}

static void free_fits(fits *f) {
  for (size_t i = 0; i < MOST_MEMBERS; i++) free(f->fits[i].params);
  step_rig_free(f->rules);
  layers_rig_free(f->layers);
  free(f);
}

/* ---- what it comes to ---- */

typedef struct outcome {
  float *state; /* params, moments */
  vise_i_counters counters;
  vise_i_step_sums sums;
  vise_step_stats last;
  size_t n_done;
  vise_status status;
  vise_error err;
  double out[2][RIG_ROWS * RIG_OUT]; /* of all rows; of those held out */
} outcome;

static void free_outcome(outcome *o) {
  free(o->state);
}

static float *snapshot(const fit *f, vise_i_backend *b) {
  const size_t n = f->net.n_values;
  float *all = calloc(3 * n, sizeof *all);
  for (int which = VISE_I_PARAMS; which <= VISE_I_MOMENT2; which++) {
    vise_error err = VISE_ERROR_INIT;
    if (!OPS->has_state(b, (vise_i_state)which)) continue;
    cr_assert(OPS->get_state(b, (vise_i_state)which, all + (size_t)which * n, &err) == VISE_OK, "%s", err.text);
  }
  return all;
}

static vise_i_backend *begin(const fit *f, vise_i_group *group) {
  vise_error err = VISE_ERROR_INIT;
  vise_i_step_spec spec = f->spec;
  spec.group = group;
  vise_i_backend *b = rig_create(OPS, &spec, f->params);
  cr_assert(OPS->bind(b, &f->data, &err) == VISE_OK, "%s", err.text);
  return b;
}

/* As host/train counts a step. */
static void count(const vise_step_stats *s, vise_i_step_sums *sums) {
  sums->n_steps++;
  if (s->skipped) {
    if (sums->n_skipped++ > 0) return;
    sums->first_skip = sums->n_steps;
    sums->first_bad_tensor = s->bad_tensor;
    return;
  }
  sums->loss += (double)s->n_rows * s->loss;
  sums->rows += (double)s->n_rows;
  sums->n_correct += s->n_correct;
  sums->n_clipped_values += s->n_clipped_values;
  sums->n_norm_clipped += s->norm_clipped;
}

static vise_i_batch rows_of(const fits *f, const fit *own, bool held_out) {
  return (vise_i_batch){
      .data = &own->data, .rows = held_out ? f->held_out : NULL, .n = held_out ? HELD_OUT : own->data.x.n_rows};
}

static outcome train_alone(const fits *f, const fit *own) {
  outcome o = {.err = VISE_ERROR_INIT};
  vise_i_backend *b = begin(own, NULL);
  cr_assert(OPS->project(b, &own->hyper[0], &o.err) == VISE_OK);

  for (size_t call = 0; call < 2 && o.status == VISE_OK; call++) {
    vise_step_stats stats[MOST_STEPS] = {{0}};
    size_t n = 0;
    const vise_i_steps steps = {0, own->batch, own->n_steps[call], own->hyper + o.n_done, stats};
    cr_assert(OPS->set_order(b, own->orders[call], own->n_order, &o.err) == VISE_OK);
    o.status = OPS->run(b, &steps, &n, &o.err);
    for (size_t i = 0; i < n; i++) count(&stats[i], &o.sums);
    if (n > 0) o.last = stats[n - 1];
    o.n_done += n;
  }

  o.state = snapshot(own, b);
  o.counters = OPS->get_counters(b);
  for (size_t k = 0; k < 2; k++) {
    const vise_i_batch batch = rows_of(f, own, k == 1);
    vise_error err = VISE_ERROR_INIT;
    cr_assert(OPS->forward(b, &batch, o.out[k], &err) == VISE_OK, "%s", err.text);
  }
  OPS->destroy(b);
  return o;
}

static bool same_sums(const vise_i_step_sums *a, const vise_i_step_sums *b) {
  return same_doubles(&a->loss, &b->loss, 1) && a->rows == b->rows && a->n_correct == b->n_correct &&
         a->n_clipped_values == b->n_clipped_values && a->n_steps == b->n_steps && a->n_skipped == b->n_skipped &&
         a->n_norm_clipped == b->n_norm_clipped && a->first_skip == b->first_skip &&
         a->first_bad_tensor == b->first_bad_tensor;
}

static void expect_same(const fit *f, const outcome *got, const outcome *alone, const char *what) {
  cr_expect(same_floats(got->state, alone->state, 3 * f->net.n_values), "%s: the weights differ", what);
  cr_expect(memcmp(&got->counters, &alone->counters, sizeof got->counters) == 0, "%s: the counters differ", what);
  cr_expect(same_sums(&got->sums, &alone->sums), "%s: the sums differ", what);
  cr_expect(step_rig_same_stats(&got->last, &alone->last, 1), "%s: the last step's statistics differ", what);
  cr_expect(same_doubles(&got->out[0][0], &alone->out[0][0], sizeof got->out / sizeof(double)),
            "%s: the outputs differ", what);
  cr_expect(got->status == alone->status && got->n_done == alone->n_done, "%s: %s after %zu steps, alone %s after %zu",
            what, vise_status_name(got->status), got->n_done, vise_status_name(alone->status), alone->n_done);
  cr_expect(strcmp(got->err.text, alone->err.text) == 0, "%s: \"%s\", alone \"%s\"", what, got->err.text,
            alone->err.text);
}

/* ---- in a group ---- */

static vise_i_group *make_group(const fits *f, size_t n, uint32_t n_ctas, vise_error *err) {
  vise_i_step_spec specs[MOST_MEMBERS];
  const vise_i_step_spec *kinds[MOST_MEMBERS];
  vise_i_group *group = NULL;
  for (size_t i = 0; i < MOST_MEMBERS; i++) {
    specs[i] = f->fits[i].spec;
    specs[i].hooks.n_ctas = n_ctas;
    kinds[i] = &specs[i];
  }
  (void)GROUP->create(kinds, MOST_MEMBERS, n, 2, &group, err);
  return group;
}

/* The first step of a call, or those after it, of the members that go on. Returns whether there were any. */
static bool run_piece(const fits *f, vise_i_group *group, size_t n, size_t call, size_t piece,
                      vise_i_backend *const *members, outcome *o) {
  vise_error err = VISE_ERROR_INIT;
  vise_i_member_steps runs[MOST_MEMBERS];
  size_t m = 0, n_steps = 0, who[MOST_MEMBERS];

  for (size_t i = 0; i < n; i++) {
    const fit *own = &f->fits[i];
    if (o[i].status != VISE_OK) continue;
    runs[m] = (vise_i_member_steps){.backend = members[i],
                                    .first = piece * own->batch,
                                    .size = own->batch,
                                    .n = piece == 0 ? 1 : own->n_steps[call] - 1,
                                    .hyper = own->hyper + o[i].n_done,
                                    .sums = &o[i].sums,
                                    .last = &o[i].last,
                                    .err = &o[i].err};
    n_steps += runs[m].n;
    who[m++] = i;
  }

  cr_assert(GROUP->run(group, runs, m, &err) == VISE_OK, "%s", err.text);
  for (size_t k = 0; k < m; k++) {
    o[who[k]].n_done += runs[k].n_done;
    o[who[k]].status = runs[k].status;
  }
  return n_steps > 0;
}

/* Returns the number of launches. */
static uint64_t run_call(const fits *f, vise_i_group *group, size_t n, size_t call, vise_i_backend *const *members,
                         outcome *o) {
  vise_error err = VISE_ERROR_INIT;
  size_t order[RIG_ROWS];
  uint64_t n_launches;

  memcpy(order, f->orders[call], sizeof order); /* all members share it, as a sweep's do */
  for (size_t i = 0; i < n; i++) {
    if (o[i].status == VISE_OK) cr_assert(OPS->set_order(members[i], order, f->fits[i].n_order, &err) == VISE_OK);
  }

  n_launches = run_piece(f, group, n, call, 0, members, o);
  memset(order, 0xff, sizeof order); /* it has been read */
  return n_launches + run_piece(f, group, n, call, 1, members, o);
}

static void compute_outputs(const fits *f, vise_i_group *group, size_t n, vise_i_backend *const *members, outcome *o) {
  vise_error err = VISE_ERROR_INIT;
  vise_i_member_rows rows[2 * MOST_MEMBERS];
  vise_i_batch batches[2 * MOST_MEMBERS];
  for (size_t i = 0; i < 2 * n; i++) {
    batches[i] = rows_of(f, &f->fits[i / 2], i % 2 == 1);
    rows[i] = (vise_i_member_rows){members[i / 2], &batches[i], o[i / 2].out[i % 2]};
  }
  /* A member comes once in a call. */
  for (size_t k = 0; k < 2; k++) {
    vise_i_member_rows half[MOST_MEMBERS];
    for (size_t i = 0; i < n; i++) half[i] = rows[2 * i + k];
    cr_assert(GROUP->forward(group, half, n, &err) == VISE_OK, "%s", err.text);
  }
}

static void project_all(const fits *f, vise_i_group *group, size_t n, vise_i_backend *const *members) {
  vise_error err = VISE_ERROR_INIT;
  vise_i_hyper hyper[MOST_MEMBERS];
  for (size_t i = 0; i < n; i++) hyper[i] = f->fits[i].hyper[0];
  cr_assert(GROUP->project(group, members, hyper, n, &err) == VISE_OK, "%s", err.text);
}

static void check(const fits *f, const outcome *alone, size_t n, uint32_t n_ctas) {
  vise_error err = VISE_ERROR_INIT;
  vise_i_backend *members[MOST_MEMBERS];
  outcome o[MOST_MEMBERS] = {{0}};
  uint64_t n_launches = 0;
  char what[96];
  vise_i_group *group = make_group(f, n, n_ctas, &err);
  cr_assert(group, "%s", err.text);
  cr_expect(GROUP->plan(group)->n_members == n_ctas);

  for (size_t i = 0; i < n; i++) {
    o[i].err = (vise_error)VISE_ERROR_INIT;
    members[i] = begin(&f->fits[i], group);
  }
  /* Without bounds a projection only sums the weights, which the first steps then do. */
  if (f->shape != THREE_LAYERS) project_all(f, group, n, members);
  for (size_t call = 0; call < 2; call++) n_launches += run_call(f, group, n, call, members, o);
  cr_expect(GROUP->n_launches(group) == n_launches && n_launches >= 3, "%llu launches",
            (unsigned long long)GROUP->n_launches(group));
  compute_outputs(f, group, n, members, o);

  for (size_t i = 0; i < n; i++) {
    o[i].state = snapshot(&f->fits[i], members[i]);
    o[i].counters = OPS->get_counters(members[i]);
    (void)snprintf(what, sizeof what, "shape %d, %u CTAs, member %zu of %zu", (int)f->shape, n_ctas, i, n);
    expect_same(&f->fits[i], &o[i], &alone[i], what);
    cr_expect(OPS->n_launches(members[i]) == 0);
    free_outcome(&o[i]);
    OPS->destroy(members[i]);
  }
  GROUP->destroy(group);
}

/* Alone with the tiles that the plan chooses, in groups with `tile` if it is not 0. */
static void check_tiles(fit_shape shape, const uint32_t sizes[][2], size_t n_sizes, int tile) {
  fits *f = make_fits(shape);
  outcome *alone = calloc(MOST_MEMBERS, sizeof *alone);
  size_t most = 0;
  for (size_t i = 0; i < n_sizes; i++) most = sizes[i][0] > most ? sizes[i][0] : most;
  for (size_t i = 0; i < most; i++) alone[i] = train_alone(f, &f->fits[i]);
  for (size_t i = 0; i < MOST_MEMBERS; i++) f->fits[i].spec.hooks.forced_tile = tile;
  for (size_t i = 0; i < n_sizes; i++) check(f, alone, sizes[i][0], sizes[i][1]);
  for (size_t i = 0; i < MOST_MEMBERS; i++) free_outcome(&alone[i]);
  free(alone);
  free_fits(f);
}

static void check_all(fit_shape shape, const uint32_t sizes[][2], size_t n_sizes) {
  check_tiles(shape, sizes, n_sizes, 0);
}

/* {members, CTAs of a team} */
Test(group, one_layer) {
  static const uint32_t sizes[][2] = {{7, 1}, {3, 2}, {1, 8}};
  check_all(ONE_LAYER, sizes, 3);
}

Test(group, three_layers) {
  static const uint32_t sizes[][2] = {{1, 1}, {3, 1}, {7, 1}, {1, 2}, {7, 2}, {3, 4}, {3, 8}};
  check_all(THREE_LAYERS, sizes, 7);
}

Test(group, batch_norm_dropout_and_residuals) {
  static const uint32_t sizes[][2] = {{3, 1}, {2, 4}};
  check_all(ALL_LAYERS, sizes, 2);
}

Test(group, boxes_clips_by_units_max_norm_and_prox) {
  static const uint32_t sizes[][2] = {{4, 1}, {3, 2}, {2, 8}};
  check_all(ALL_RULES, sizes, 3);
}

Test(group, large_tiles) {
  static const uint32_t sizes[][2] = {{2, 1}, {1, 4}};
  check_tiles(THREE_LAYERS, sizes, 2, 1 + VISE_K_TILE_64);
}

/* ---- a member that ends, a member alone, places ---- */

/* Steps that are not finite end two members, each with its own words; the others go on. */
Test(group, a_member_that_halts_hurts_no_other) {
  static const uint32_t sizes[][2] = {{7, 1}, {3, 2}};
  fits *f = make_fits(THREE_LAYERS);
  outcome *alone = calloc(MOST_MEMBERS, sizeof *alone);
  f->fits[1].spec.rule.nonfinite = VISE_NONFINITE_HALT;
  f->fits[2].spec.rule.max_skips = 1;
  f->fits[2].params[4] = INFINITY;
  f->fits[3].spec.rule.max_skips = 0;

  for (size_t i = 0; i < MOST_MEMBERS; i++) alone[i] = train_alone(f, &f->fits[i]);
  cr_expect(alone[1].status == VISE_ERR_NONFINITE && alone[2].status == VISE_ERR_NONFINITE);
  cr_expect(alone[0].status == VISE_OK && alone[0].sums.n_skipped == 0 && alone[5].sums.n_skipped > 0);
  for (size_t i = 0; i < 2; i++) check(f, alone, sizes[i][0], sizes[i][1]);

  for (size_t i = 0; i < MOST_MEMBERS; i++) free_outcome(&alone[i]);
  free(alone);
  free_fits(f);
}

/* Single calls on a member, beside others and in a place that another has left. */
Test(group, single_calls_and_places) {
  fits *f = make_fits(THREE_LAYERS);
  vise_error err = VISE_ERROR_INIT;
  double gradient[2][256], loss[2];
  const fit *own = &f->fits[4];
  vise_i_group *group = make_group(f, 2, 2, &err);
  cr_assert(group, "%s", err.text);
  vise_i_backend *gone = begin(&f->fits[2], group), *other = begin(&f->fits[1], group), *more = NULL;
  const outcome used = {.err = VISE_ERROR_INIT};
  outcome o[2] = {used, used};

  vise_i_step_spec spec = own->spec;
  spec.group = group;
  cr_expect(OPS->create(&spec, &more, &err) == VISE_ERR_INTERNAL && !more, "a third member of two");
  (void)run_call(f, group, 1, 0, (vise_i_backend *const[]){gone}, o);
  OPS->destroy(gone);

  vise_i_backend *members[2] = {begin(own, group), begin(own, NULL)};
  float *states[2];
  for (size_t i = 0; i < 2; i++) {
    vise_step_stats stats[MOST_STEPS] = {{0}};
    size_t n = 0;
    const vise_i_steps steps = {own->batch, own->batch, own->n_steps[0], own->hyper, stats};
    const vise_i_batch batch = rows_of(f, own, false);
    cr_assert(OPS->set_order(members[i], own->orders[0], own->n_order, &err) == VISE_OK);
    cr_assert(OPS->run(members[i], &steps, &n, &err) == VISE_OK && n == own->n_steps[0], "%s", err.text);
    cr_expect(OPS->n_launches(members[i]) == 1);
    cr_assert(OPS->full_gradient(members[i], &batch, gradient[i], &loss[i], NULL, &err) == VISE_OK, "%s", err.text);
    states[i] = snapshot(own, members[i]);
    OPS->destroy(members[i]);
  }

  cr_assert(own->net.n_params <= 256);
  cr_expect(memcmp(states[0], states[1], 3 * own->net.n_values * sizeof(float)) == 0);
  for (size_t i = 0; i < own->net.n_params; i++) cr_expect(rig_near(gradient[0][i], gradient[1][i], 1e-6, 1e-5));
  cr_expect(rig_near(loss[0], loss[1], 1e-9, 1e-6));
  for (size_t i = 0; i < 2; i++) free(states[i]);
  OPS->destroy(other);
  GROUP->destroy(group);
  free_fits(f);
}

/* ---- what is refused ---- */

Test(group, memory_that_does_not_fit) {
  fits *f = make_fits(THREE_LAYERS);
  vise_error err = VISE_ERROR_INIT;
  vise_i_group *group = make_group(f, 7, 1, &err);
  const vise_i_plan_teams *plan = GROUP->plan(group);
  const size_t each = plan->member_bytes + plan->launch_bytes, limit = plan->common_bytes + 5 * each + each / 2;
  GROUP->destroy(group);

  for (size_t i = 0; i < MOST_MEMBERS; i++) f->fits[i].spec.device_memory_limit = limit;
  group = make_group(f, 7, 1, &err);
  cr_expect(!group && strstr(err.text, "7 nets at a time take") && strstr(err.text, "5 would fit"), "%s", err.text);

  vise_error_clear(&err);
  group = make_group(f, 5, 1, &err);
  cr_assert(group, "%s", err.text);
  vise_i_step_spec spec = f->fits[0].spec;
  vise_i_backend *b = NULL;
  spec.group = group;
  cr_assert(OPS->create(&spec, &b, &err) == VISE_OK, "%s", err.text);
  vise_i_data large = f->fits[0].data;
  large.x.n_rows = large.y.n_rows = 100000; /* never read */
  large.y_is_class = false;
  cr_expect(OPS->bind(b, &large, &err) != VISE_OK);
  OPS->destroy(b);
  GROUP->destroy(group);
  free_fits(f);
}

Test(group, refusals) {
  fits *f = make_fits(THREE_LAYERS);
  vise_error err = VISE_ERROR_INIT;
  vise_i_group *group = NULL;
  vise_i_step_spec tf32 = f->fits[0].spec, unfused = f->fits[0].spec;
  fits *other = make_fits(ONE_LAYER);

  tf32.precision = VISE_TF32;
  const vise_i_step_spec *kinds[] = {&tf32, &other->fits[0].spec};
  cr_expect(GROUP->create(kinds, 1, 1, 1, &group, &err) == VISE_ERR_UNSUPPORTED && strstr(err.text, "tf32"), "%s",
            err.text);

  vise_error_clear(&err);
  unfused.step_mode = VISE_STEP_UNFUSED;
  kinds[0] = &unfused;
  cr_expect(GROUP->create(kinds, 1, 1, 1, &group, &err) == VISE_ERR_UNSUPPORTED && strstr(err.text, "unfused"), "%s",
            err.text);

  vise_error_clear(&err);
  kinds[0] = &f->fits[0].spec;
  cr_expect(GROUP->create(kinds, 2, 1, 1, &group, &err) == VISE_ERR_UNSUPPORTED && strstr(err.text, "widths"), "%s",
            err.text);
  cr_expect(!vise_i_backend_cpu.group && !vise_i_backend_cpu64.group && OPS->group == GROUP);
  free_fits(other);
  free_fits(f);
}
