/* Plans of many nets at a time: the size of a team, what fits in memory and on a multiprocessor, the expected time. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "host/plan/teams.h"
#include "tests/unit/plan/plan_rig.h"

static const size_t SMALL[] = {17, 32, 16, 3}, MEDIUM[] = {17, 64, 64, 3}, LARGE[] = {384, 384, 384, 10};

/* A plan_case whose request can be used as it is. */
typedef struct teams_case {
  vise_i_net net;
  vise_i_rule rule;
  vise_i_box boxes[VISE_MAX_LAYERS];
  vise_i_plan_request request;
} teams_case;

static void make(teams_case *c, size_t n_layers, const size_t *widths, size_t max_rows) {
  const plan_case made = plan_case_make(n_layers, widths, max_rows);
  vise_error err = VISE_ERROR_INIT;
  cr_assert(vise_i_net_make(&made.net, &c->net, &err) == VISE_OK, "%s", err.text);
  c->rule = made.rule;
  for (size_t l = 0; l < VISE_MAX_LAYERS; l++) c->boxes[l] = (vise_i_box){-INFINITY, INFINITY};
  c->request = made.request;
  c->request.net = &c->net;
  c->request.rule = &c->rule;
  c->request.boxes = c->boxes;
  c->request.max_rows = max_rows;
}

static vise_i_plan_teams plan_of(const teams_case *c, size_t n_nets, bool clusters) {
  vise_error err = VISE_ERROR_INIT;
  vise_i_plan_teams out;
  const vise_i_plan_teams_request request = {
      .kinds = &c->request, .n_kinds = 1, .n_nets = n_nets, .steps_at_once = 32, .clusters = clusters};
  cr_assert(vise_i_plan_teams_make(&request, &out, &err) == VISE_OK, "%s", err.text);
  return out;
}

Test(plan_teams, many_small_nets_have_a_cta_each_and_share_multiprocessors) {
  teams_case c;
  make(&c, 3, SMALL, 64);
  const vise_i_plan_teams p = plan_of(&c, 10000, true);
  cr_expect(p.n_members == 1 && p.ctas_per_sm == 2 && p.variant == VISE_K_SMALL_F32);
  cr_expect(p.n_at_once == 264 && p.bucket == 10000 && p.n_buckets == 1);

  /* two CTAs, with what the device keeps for each, fit a multiprocessor */
  cr_expect(p.shared_bytes <= p.most_shared && 2 * (p.most_shared + 1024) <= (size_t)228 * 1024);
}

/* 10,000 fits of 20 epochs of 2,000 rows: the figure of the design is a second. */
Test(plan_teams, expected_time_of_a_sweep) {
  teams_case c;
  make(&c, 3, MEDIUM, 64);
  const vise_i_plan_teams p = plan_of(&c, 10000, true);
  const double seconds = 1e-6 * vise_i_plan_teams_us(&p, 10000, 20 * 32, 32);
  cr_expect(p.n_members == 1 && seconds > 0.1 && seconds < 1, "%u CTAs, %g s", p.n_members, seconds);
}

Test(plan_teams, few_large_nets_have_more_ctas) {
  teams_case c;
  make(&c, 3, LARGE, 256);
  const vise_i_plan_teams one = plan_of(&c, 1, true), many = plan_of(&c, 10000, true);
  cr_expect(one.n_members == 8, "%u", one.n_members);
  cr_expect(many.n_members < one.n_members);
  cr_expect(plan_of(&c, 1, false).n_members == 1, "there are no clusters");

  double before = 0;
  for (size_t n = 1; n <= 4096; n *= 4) {
    const vise_i_plan_teams p = plan_of(&c, n, true);
    const double us = vise_i_plan_teams_us(&p, n, 10, 10);
    cr_expect(us >= before, "%zu nets take %g us, fewer take %g", n, us, before);
    before = us;
  }
}

Test(plan_teams, large_tiles_have_a_multiprocessor_each) {
  static const size_t wide[] = {2048, 2048, 10};
  teams_case c;
  make(&c, 2, wide, 1024);
  const vise_i_plan_teams p = plan_of(&c, 1000, true);
  cr_expect(p.variant == VISE_K_LARGE_F32 && p.ctas_per_sm == 1 && p.most_shared == (size_t)227 * 1024);
}

Test(plan_teams, device_without_room_for_two_ctas) {
  teams_case c;
  make(&c, 3, SMALL, 64);
  c.request.machine.shared_bytes = (size_t)99 * 1024;
  cr_expect(plan_of(&c, 1000, true).ctas_per_sm == 1);
}

Test(plan_teams, memory_makes_buckets) {
  teams_case c;
  make(&c, 3, SMALL, 64);
  const vise_i_plan_teams all = plan_of(&c, 1000, true);
  const size_t each = all.member_bytes + all.launch_bytes;
  cr_expect(all.n_bytes == all.common_bytes + 1000 * each && all.n_buckets == 1);

  c.request.machine.memory_bytes = all.common_bytes + 300 * each + each / 2;
  const vise_i_plan_teams some = plan_of(&c, 1000, true);
  cr_expect(some.n_fit == 300 && some.bucket == 300 && some.n_buckets == 4);
  cr_expect(vise_i_plan_teams_us(&some, 1000, 10, 10) >= vise_i_plan_teams_us(&all, 1000, 10, 10));

  vise_error err = VISE_ERROR_INIT;
  vise_i_plan_teams none;
  c.request.machine.memory_bytes = all.common_bytes + each - 1;
  const vise_i_plan_teams_request request = {
      .kinds = &c.request, .n_kinds = 1, .n_nets = 5, .steps_at_once = 32, .clusters = true};
  cr_expect(vise_i_plan_teams_make(&request, &none, &err) == VISE_ERR_MEMORY && strstr(err.text, "1 more than"), "%s",
            err.text);

  /* Not even what all share. */
  c.request.machine.memory_bytes = 1;
  cr_expect(vise_i_plan_teams_make(&request, &none, &err) == VISE_ERR_MEMORY);
}

/* A place has room for every kind, whichever comes first. */
Test(plan_teams, kinds) {
  teams_case plain, adam;
  make(&plain, 3, SMALL, 64);
  make(&adam, 3, SMALL, 64);
  vise_error err = VISE_ERROR_INIT;
  adam.rule.optimizer = VISE_ADAM;
  adam.rule.beta1 = adam.rule.beta2 = 0.9;
  const vise_i_plan_request kinds[2] = {plain.request, adam.request}, swapped[2] = {adam.request, plain.request};
  vise_i_plan_teams a, b;
  vise_i_plan_teams_request request = {.kinds = kinds, .n_kinds = 2, .n_nets = 100, .clusters = true};
  cr_assert(vise_i_plan_teams_make(&request, &a, &err) == VISE_OK);
  request.kinds = swapped;
  cr_assert(vise_i_plan_teams_make(&request, &b, &err) == VISE_OK);
  cr_expect(a.member_bytes == b.member_bytes && a.member_bytes == plan_of(&adam, 100, true).member_bytes);
  cr_expect(a.member_bytes > plan_of(&plain, 100, true).member_bytes);
}

Test(plan_teams, size_of_teams_by_hand) {
  for (uint32_t n = 1; n <= 8; n *= 2) {
    teams_case c;
    make(&c, 3, SMALL, 64);
    c.request.hooks.n_ctas = n;
    const vise_i_plan_teams p = plan_of(&c, 1000, true);
    vise_i_plan train, wide;
    vise_error err = VISE_ERROR_INIT;
    cr_assert(vise_i_plan_member(&c.request, &p, &train, &wide, &err) == VISE_OK);
    cr_expect(p.n_members == n && train.step.n_members == n && train.shared_bytes <= p.shared_bytes);
  }
}

Test(plan_teams, refusals) {
  const struct {
    vise_precision precision;
    uint32_t n_ctas;
    bool clusters;
    const char *text;
  } cases[] = {{VISE_TF32, 0, true, "fp32 only"},
               {VISE_BF16, 0, true, "fp32 only"},
               {VISE_FP32, 3, true, "expected 1, 2, 4 or 8"},
               {VISE_FP32, 16, true, "expected 1, 2, 4 or 8"},
               {VISE_FP32, 2, false, "clusters"}};

  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    teams_case c;
    make(&c, 3, SMALL, 64);
    vise_error err = VISE_ERROR_INIT;
    vise_i_plan_teams out;
    c.request.precision = cases[i].precision;
    c.request.hooks.n_ctas = cases[i].n_ctas;
    const vise_i_plan_teams_request request = {
        .kinds = &c.request, .n_kinds = 1, .n_nets = 5, .clusters = cases[i].clusters};
    cr_expect(vise_i_plan_teams_make(&request, &out, &err) == VISE_ERR_UNSUPPORTED && strstr(err.text, cases[i].text),
              "%zu: %s", i, err.text);
  }
}
