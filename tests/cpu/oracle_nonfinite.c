/* Non-finite numbers in cpu64: what is skipped, that a skipped step changes no bit, and the three policies. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "tests/support/backend_rig.h"

#define OPS (&vise_i_backend_cpu64)
#define N 6
#define N_IN 3
#define N_HIDDEN 4
#define N_OUT 2
#define N_PARAMS (N_HIDDEN * N_IN + N_HIDDEN + N_OUT * N_HIDDEN + N_OUT)

/* Everything that a skipped step must leave alone. */
typedef struct snapshot {
  double params[N_PARAMS], moment1[N_PARAMS], moment2[N_PARAMS];
  uint8_t mask[N_PARAMS];
  vise_i_counters counters;
} snapshot;

typedef struct rig {
  vise_i_net net;
  vise_i_step_spec spec;
  vise_i_hyper hyper;
  double x[N * N_IN], y[N * N_OUT], row_weights[N], params[N_PARAMS];
  vise_i_data data;
  vise_i_backend *b;
  vise_step_stats stats;
} rig;

static void rig_make(rig *r) {
  const size_t widths[] = {N_IN, N_HIDDEN, N_OUT};
  uint64_t seed = 11;

  memset(r, 0, sizeof *r);
  r->net = rig_net(2, widths, VISE_TANH, true);
  r->spec = rig_spec(&r->net);
  r->hyper = rig_hyper(0.01);

  rig_fill(&seed, 1, r->x, N * N_IN);
  rig_fill(&seed, 1, r->y, N * N_OUT);
  rig_fill(&seed, 0.5, r->params, N_PARAMS);
  for (size_t i = 0; i < N; i++) r->row_weights[i] = 1;

  r->data = rig_data(r->x, N, N_IN, r->y, N_OUT, false, r->row_weights);
}

static vise_status step(rig *r) {
  return OPS->step(r->b, &(vise_i_batch){.data = &r->data, .n = r->data.x.n_rows}, &r->hyper, &r->stats, NULL);
}

/* Creates the backend and takes two good steps, so that moments and counters are not at their start. */
static void rig_warm_up(rig *r) {
  r->b = rig_create(OPS, &r->spec, r->params);
  cr_assert(step(r) == VISE_OK && step(r) == VISE_OK && !r->stats.skipped);
}

static void take(rig *r, snapshot *s) {
  memset(s, 0, sizeof *s);
  cr_assert(OPS->get_state(r->b, VISE_I_PARAMS, s->params, NULL) == VISE_OK);
  if (OPS->has_state(r->b, VISE_I_MOMENT1)) {
    cr_assert(OPS->get_state(r->b, VISE_I_MOMENT1, s->moment1, NULL) == VISE_OK);
  }
  if (OPS->has_state(r->b, VISE_I_MOMENT2)) {
    cr_assert(OPS->get_state(r->b, VISE_I_MOMENT2, s->moment2, NULL) == VISE_OK);
  }
  if (OPS->has_state(r->b, VISE_I_MASK)) cr_assert(OPS->get_state(r->b, VISE_I_MASK, s->mask, NULL) == VISE_OK);
  s->counters = OPS->get_counters(r->b);
}

/* True when all but the count of consecutive skips is the same, bit for bit. */
static bool same(const snapshot *a, const snapshot *b) {
  snapshot copy = *b;
  copy.counters.consecutive_skips = a->counters.consecutive_skips;
  return memcmp(a->params, copy.params, sizeof copy.params) == 0 &&
         memcmp(a->moment1, copy.moment1, sizeof copy.moment1) == 0 &&
         memcmp(a->moment2, copy.moment2, sizeof copy.moment2) == 0 &&
         memcmp(a->mask, copy.mask, sizeof copy.mask) == 0 &&
         a->counters.applied_steps == copy.counters.applied_steps && a->counters.beta1_t == copy.counters.beta1_t &&
         a->counters.beta2_t == copy.counters.beta2_t;
}

/* ---- what is planted ---- */

typedef enum plant { IN_FEATURES, IN_TARGETS, IN_ROW_WEIGHTS, N_PLANTS } plant;

static void plant_in_data(rig *r, plant where, double bad) {
  if (where == IN_FEATURES) r->x[4] = bad;
  if (where == IN_TARGETS) r->y[5] = bad;
  if (where == IN_ROW_WEIGHTS) r->row_weights[2] = bad;
}

static void set_optimizer(rig *r, int kind) {
  static const vise_optimizer kinds[] = {VISE_SGD, VISE_SGD, VISE_RMSPROP, VISE_RMSPROP, VISE_ADAM};
  r->spec.rule.optimizer = kinds[kind];
  r->spec.rule.momentum = kind == 1 || kind == 3 ? 0.9 : 0;

  /* Everything that writes after the decision is on. */
  r->spec.rule.k2d = 0.1;
  r->spec.rule.k1 = 0.01;
  r->spec.rule.prox_l1 = true;
  r->spec.use_mask = true;
  r->spec.boxes[0].lo = r->spec.boxes[1].lo = -0.3;
  r->spec.boxes[0].hi = r->spec.boxes[1].hi = 0.3;
  r->spec.rule.max_norm = 0.5;
}

Test(oracle_nonfinite, skipped_step_changes_no_bit) {
  static const double bad[] = {NAN, INFINITY, -INFINITY};

  for (int optimizer = 0; optimizer < 5; optimizer++) {
    for (int where = 0; where < N_PLANTS; where++) {
      for (size_t k = 0; k < 3; k++) {
        rig r;
        snapshot before, after;

        rig_make(&r);
        set_optimizer(&r, optimizer);
        rig_warm_up(&r);
        take(&r, &before);

        plant_in_data(&r, (plant)where, bad[k]);
        r.hyper.clamp_factor = 0.5; /* nor does a smaller box reach a skipped step */
        cr_assert(step(&r) == VISE_OK);
        take(&r, &after);

        cr_expect(r.stats.skipped && (!isfinite(r.stats.loss) || r.stats.n_nonfinite > 0), "optimizer %d, plant %d, %g",
                  optimizer, where, bad[k]);
        cr_expect(same(&before, &after), "optimizer %d, plant %d, %g: state changed", optimizer, where, bad[k]);
        cr_expect(after.counters.consecutive_skips == 1);
        OPS->destroy(r.b);
      }
    }
  }
}

Test(oracle_nonfinite, a_batch_without_weight_is_a_step_of_loss_0) {
  rig r;
  rig_make(&r);
  rig_warm_up(&r);
  memset(r.row_weights, 0, sizeof r.row_weights);

  cr_assert(step(&r) == VISE_OK);
  cr_expect(!r.stats.skipped && r.stats.loss == 0 && r.stats.n_nonfinite == 0);
  OPS->destroy(r.b);
}

Test(oracle_nonfinite, bad_weight_is_skipped_and_named) {
  rig r;
  snapshot before, after;

  rig_make(&r);
  rig_warm_up(&r);
  r.params[N_PARAMS - 1] = NAN; /* the last bias: all gradients become NaN */
  rig_set_params(OPS, r.b, N_PARAMS, r.params);

  take(&r, &before);
  cr_assert(step(&r) == VISE_OK);
  take(&r, &after);

  cr_expect(r.stats.skipped && r.stats.bad_tensor == 0 && isnan(r.stats.loss));
  cr_expect(same(&before, &after));
  OPS->destroy(r.b);
}

/* Only some tensors' gradients are bad: the first of them is named, entries are counted per tensor. */
Test(oracle_nonfinite, entries_are_counted_per_tensor) {
  rig r;
  rig_make(&r);
  rig_warm_up(&r);
  r.y[1] = INFINITY; /* output 1 only: its row of the last weight and its bias are inf, below all is inf or NaN */
  cr_assert(step(&r) == VISE_OK);
  const vise_tensor_stats *t = r.b->tensor_stats;
  cr_expect(t[2].n_nonfinite == N_HIDDEN && t[3].n_nonfinite == 1, "%lu %lu", t[2].n_nonfinite, t[3].n_nonfinite);
  cr_expect(t[0].n_nonfinite == N_HIDDEN * N_IN && t[1].n_nonfinite == N_HIDDEN);
  cr_expect(r.stats.n_nonfinite == N_HIDDEN * N_IN + N_HIDDEN + N_HIDDEN + 1 && r.stats.bad_tensor == 0);
  OPS->destroy(r.b);
}

/* Finite data gradient, overflowing penalty: the total gradient decides in both clip scopes, and no clip hides it. */
Test(oracle_nonfinite, overflow_of_the_penalty_is_seen) {
  for (int scope = 0; scope < 2; scope++) {
    rig r;
    snapshot before, after;

    rig_make(&r);
    rig_warm_up(&r);
    OPS->destroy(r.b);

    r.spec.rule.k2 = 1e308;
    r.params[N_HIDDEN * N_IN + N_HIDDEN] = 3; /* first entry of the last weight: 3e308 */
    r.spec.rule.clip_scope = scope ? VISE_CLIP_SCOPE_DATA : VISE_CLIP_SCOPE_TOTAL;
    r.spec.rule.clip_value = true;
    r.spec.rule.clip_lo = -1;
    r.spec.rule.clip_hi = 1;
    r.b = rig_create(OPS, &r.spec, r.params);

    take(&r, &before);
    cr_assert(step(&r) == VISE_OK);
    take(&r, &after);

    cr_expect(r.stats.skipped && isfinite(r.stats.loss) && r.stats.n_nonfinite == 0 && r.stats.bad_tensor == 2,
              "scope %d: skipped %d, bad tensor %d", scope, r.stats.skipped, r.stats.bad_tensor);
    cr_expect(same(&before, &after));
    OPS->destroy(r.b);
  }
}

Test(oracle_nonfinite, value_clip_does_not_hide_an_infinite_gradient) {
  rig r;
  double delta[N * N_OUT] = {0};
  vise_array delta_array = {delta, VISE_F64, N, N_OUT, N_OUT, 1};
  snapshot before, after;

  rig_make(&r);
  r.spec.rule.loss = VISE_LOSS_EXTERNAL;
  r.spec.rule.clip_value = true;
  r.spec.rule.clip_lo = -1;
  r.spec.rule.clip_hi = 1;

  r.b = rig_create(OPS, &r.spec, r.params);
  delta[3] = -INFINITY;
  take(&r, &before);

  cr_assert(
      OPS->step(r.b,
                &(vise_i_batch){.data = &r.data, .n = r.data.x.n_rows, .delta = &delta_array, .external_loss = 0.5},
                &r.hyper, &r.stats, NULL) == VISE_OK);
  cr_expect(r.stats.skipped && r.stats.loss == 0.5 && r.stats.bad_tensor == 0);

  delta[3] = 1;
  cr_assert(
      OPS->step(r.b,
                &(vise_i_batch){.data = &r.data, .n = r.data.x.n_rows, .delta = &delta_array, .external_loss = NAN},
                &r.hyper, &r.stats, NULL) == VISE_OK);
  take(&r, &after);
  cr_expect(r.stats.skipped && isnan(r.stats.loss) && r.stats.bad_tensor == -1 && r.stats.n_nonfinite == 0);

  cr_expect(same(&before, &after) && after.counters.consecutive_skips == 2);
  OPS->destroy(r.b);
}

/* ---- policies ---- */

Test(oracle_nonfinite, a_good_step_forgives_skips_and_t_counts_applied_steps) {
  rig r;

  rig_make(&r);
  r.spec.rule.optimizer = VISE_ADAM;
  r.spec.rule.max_skips = 3;
  rig_warm_up(&r);

  for (int round = 0; round < 3; round++) {
    vise_i_counters c;

    r.x[0] = NAN;
    cr_assert(step(&r) == VISE_OK && step(&r) == VISE_OK);
    c = OPS->get_counters(r.b);
    cr_expect(c.consecutive_skips == 2 && c.applied_steps == (uint64_t)(2 + round));

    r.x[0] = 0.25;
    cr_assert(step(&r) == VISE_OK && !r.stats.skipped && r.stats.bad_tensor == -1);
    c = OPS->get_counters(r.b);
    cr_expect(c.consecutive_skips == 0 && c.applied_steps == (uint64_t)(3 + round));
  }

  cr_expect(rig_near(OPS->get_counters(r.b).beta1_t, pow(0.9, 5), 0, 1e-15));
  cr_expect(OPS->get_counters(r.b).beta2_t == 0.999 * 0.999 * 0.999 * 0.999 * 0.999);
  OPS->destroy(r.b);
}

/* Runs 10 steps of 2 rows over bad data; returns how many were attempted. */
static size_t run_bad(rig *r, vise_status expected, vise_step_stats *stats) {
  static const size_t order[20] = {0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5, 0, 1};
  vise_i_hyper hyper[10];
  vise_error err = VISE_ERROR_INIT;
  size_t n_done = 0;

  for (size_t i = 0; i < 10; i++) hyper[i] = r->hyper;
  cr_assert(OPS->bind(r->b, &r->data, NULL) == VISE_OK && OPS->set_order(r->b, order, 20, NULL) == VISE_OK);

  cr_expect(OPS->run(r->b, &(vise_i_steps){0, 2, 10, hyper, stats}, &n_done, &err) == expected);
  cr_expect((expected != VISE_OK) == (strstr(err.text, "0.weight") != NULL), "message: %s", err.text);

  const bool halt = r->spec.rule.nonfinite == VISE_NONFINITE_HALT;
  const char *said = halt ? "the step was not finite (policy halt): loss nan" : "5 steps in a row were not finite";
  cr_expect((expected != VISE_OK) == (strstr(err.text, said) != NULL), "message: %s", err.text);
  return n_done;
}

Test(oracle_nonfinite, run_ends_at_the_limit_of_consecutive_skips) {
  rig r;
  snapshot before, after;
  vise_step_stats stats[10];

  rig_make(&r);
  r.spec.rule.max_skips = 5;
  rig_warm_up(&r);
  for (size_t i = 0; i < N; i++) r.x[i * N_IN] = NAN;

  take(&r, &before);
  cr_expect(run_bad(&r, VISE_ERR_NONFINITE, stats) == 5);
  take(&r, &after);

  cr_expect(same(&before, &after) && after.counters.consecutive_skips == 5);
  for (size_t i = 0; i < 5; i++) cr_expect(stats[i].skipped && stats[i].n_rows == 2 && stats[i].bad_tensor == 0);
  OPS->destroy(r.b);
}

Test(oracle_nonfinite, halt_ends_after_the_first) {
  rig r;
  snapshot before, after;
  vise_step_stats stats[10];

  rig_make(&r);
  r.spec.rule.nonfinite = VISE_NONFINITE_HALT;
  rig_warm_up(&r);
  r.x[4 * N_IN] = INFINITY; /* row 4: the third step. An infinite feature gives tanh 1, but an infinite gradient */
  r.x[4 * N_IN + 1] = NAN;

  take(&r, &before);
  cr_expect(run_bad(&r, VISE_ERR_NONFINITE, stats) == 3);
  take(&r, &after);

  cr_expect(stats[2].skipped && !stats[0].skipped && !stats[1].skipped);
  cr_expect(after.counters.applied_steps == before.counters.applied_steps + 2);
  cr_expect(!isnan(after.params[0]));
  OPS->destroy(r.b);
}

Test(oracle_nonfinite, propagate_applies_the_step) {
  rig r;
  snapshot after;
  vise_step_stats stats[10];

  rig_make(&r);
  r.spec.rule.nonfinite = VISE_NONFINITE_PROPAGATE;
  r.spec.boxes[0].lo = r.spec.boxes[1].lo = -0.3;
  r.spec.boxes[0].hi = r.spec.boxes[1].hi = 0.3;
  r.spec.assert_projection = true; /* NaN does not breach the box */
  rig_warm_up(&r);

  for (size_t i = 0; i < N; i++) r.x[i * N_IN] = NAN;
  cr_expect(run_bad(&r, VISE_OK, stats) == 10);
  take(&r, &after);

  cr_expect(isnan(after.params[0]) && after.counters.applied_steps == 12 && after.counters.consecutive_skips == 0);
  cr_expect(!stats[0].skipped && stats[0].bad_tensor == 0 && stats[0].n_nonfinite == N_PARAMS);
  OPS->destroy(r.b);
}
