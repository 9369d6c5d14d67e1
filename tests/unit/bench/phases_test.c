/* From launch clocks to a table of phases, with hand-made clocks. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/backend/step_parts.h"
#include "host/bench/bench.h"
#include "tests/unit/train/rig.h"

/* Three phases, of which the second follows without an exchange. */
static vise_k_step three_phases(void) {
  vise_k_step step;
  memset(&step, 0, sizeof step);
  step.n_phases = 3;
  step.n_members = 3;
  step.phases[0] = (vise_k_phase){.kind = VISE_K_FORWARD, .layer = 0, .exchange = 1};
  step.phases[1] = (vise_k_phase){.kind = VISE_K_ROWS, .layer = 1};
  step.phases[2] = (vise_k_phase){.kind = VISE_K_UPDATE, .exchange = 1};
  return step;
}

enum { MEMBERS = 3 };

static uint64_t *marks_of(uint64_t *clocks, uint32_t place, uint32_t member) {
  return clocks + vise_k_clocks_at(place, MEMBERS, member);
}

/* The marks of one step, which takes 600 clocks. Member m has a clock of its own, needs 10 m longer for the forward
   phase and thus waits 10 m less for the update's exchange; a step starts 40 - 10 m after it left the one before. */
static void fill_step(uint64_t *clocks, uint32_t place, uint64_t origin) {
  for (uint32_t m = 0; m < MEMBERS; m++) {
    uint64_t *to = marks_of(clocks, place, m), *phase = to + VISE_K_CLOCK_PHASES;
    const uint64_t o = origin + 1000003 * m;
    to[VISE_K_CLOCK_START] = o;
    to[VISE_K_CLOCK_STEP] = o + 100;
    to[VISE_K_CLOCK_INPUTS] = o + 130;
    phase[VISE_K_CLOCK_ARRIVE] = o + 130;
    phase[VISE_K_CLOCK_POLL] = o + 150;
    phase[VISE_K_CLOCK_BEGIN] = o + 170;
    phase[3 + VISE_K_CLOCK_BEGIN] = o + 200 + 10 * m;
    phase[6 + VISE_K_CLOCK_ARRIVE] = o + 300 + 10 * m;
    phase[6 + VISE_K_CLOCK_POLL] = o + 360;
    phase[6 + VISE_K_CLOCK_BEGIN] = o + 400;
    to[VISE_K_CLOCK_LEAVE] = o + 560 + 10 * m;
    to[VISE_K_CLOCK_END] = o + 590;
  }
}

static uint64_t *make_clocks(void) {
  const size_t n_bytes = vise_k_n_clocks(MEMBERS) * sizeof(uint64_t);
  uint64_t *clocks = malloc(n_bytes);
  cr_assert_not_null(clocks);
  memset(clocks, 0xee, n_bytes);
  return clocks;
}

static void expect_part(const vise_i_meter_part *part, const char *name, double wait, double skew, double work) {
  cr_expect_str_eq(part->name, name);
  cr_expect((isnan(wait) && isnan(part->wait)) || part->wait == wait, "%s: waits %g, not %g", name, part->wait, wait);
  cr_expect((isnan(skew) && isnan(part->skew)) || part->skew == skew, "%s: skew %g, not %g", name, part->skew, skew);
  cr_expect((isnan(work) && isnan(part->work)) || part->work == work, "%s: works %g, not %g", name, part->work, work);
}

/* is_first: of its launch; is_last: of it. */
static void expect_parts(const vise_i_meter_parts *parts, bool is_first, bool is_last) {
  cr_assert_eq(parts->n, 6);
  expect_part(&parts->parts[0], "start", is_first ? NAN : 20, is_first ? NAN : 20, 100);
  expect_part(&parts->parts[1], "gather", NAN, NAN, 30);
  expect_part(&parts->parts[2], "forward 0", 40, 0, 50);
  expect_part(&parts->parts[3], "rows", NAN, NAN, 100);
  expect_part(&parts->parts[4], "update", 80, 20, 180);
  expect_part(&parts->parts[5], "end", NAN, NAN, is_last ? 30 : NAN);
}

Test(bench_phases, clocks_of_one_launch_become_parts) {
  const uint64_t origins[] = {0, UINT64_MAX - 250}; /* the second wraps around 0 */
  const vise_k_step step = three_phases();
  static vise_i_meter_steps parts;

  for (size_t i = 0; i < 2; i++) {
    uint64_t *clocks = make_clocks();
    marks_of(clocks, VISE_K_CLOCK_LAUNCH, 0)[VISE_K_CLOCK_START] = origins[i] - 7;
    for (uint32_t s = 0; s < 3; s++) fill_step(clocks, (5 + s) % VISE_K_CLOCK_STEPS, origins[i] + 600 * s);
    vise_i_step_parts(&step, &(vise_i_step_clocks){clocks, 5, 8, false}, &parts);

    cr_assert_eq(parts.n, 3);
    for (size_t s = 0; s < 3; s++) expect_parts(&parts.steps[s], s == 0, s == 2);
    cr_expect_eq(parts.launch_clocks, 7 + 1200 + 590);
    free(clocks);
  }
}

Test(bench_phases, the_ring_holds_the_last_steps) {
  enum { STEPS = VISE_K_CLOCK_STEPS + 10 };
  const vise_k_step step = three_phases();
  static vise_i_meter_steps parts;
  uint64_t *clocks = make_clocks();
  marks_of(clocks, VISE_K_CLOCK_LAUNCH, 0)[VISE_K_CLOCK_START] = 0;
  for (uint32_t s = 0; s < STEPS; s++) fill_step(clocks, s % VISE_K_CLOCK_STEPS, 600 * s);

  vise_i_step_parts(&step, &(vise_i_step_clocks){clocks, 0, STEPS, false}, &parts);
  cr_assert_eq(parts.n, VISE_K_CLOCK_STEPS);
  for (size_t s = 0; s < parts.n; s++) expect_parts(&parts.steps[s], s == 0, s + 1 == parts.n);
  cr_expect_eq(parts.launch_clocks, 600.0 * (STEPS - 1) + 590);

  /* Each step a launch. */
  vise_i_step_parts(&step, &(vise_i_step_clocks){clocks, 0, STEPS, true}, &parts);
  cr_assert_eq(parts.n, VISE_K_CLOCK_STEPS);
  for (size_t s = 0; s < parts.n; s++) expect_parts(&parts.steps[s], true, true);
  free(clocks);
}

Test(bench_phases, every_step_has_room) {
  vise_k_step step;
  static vise_i_meter_steps parts;
  uint64_t *clocks = make_clocks();
  memset(&step, 0, sizeof step);
  step.n_phases = VISE_K_MAX_PHASES;
  step.n_members = MEMBERS;
  vise_i_step_parts(&step, &(vise_i_step_clocks){clocks, 0, 1, true}, &parts);
  cr_expect_eq(parts.steps[0].n, VISE_K_MAX_PHASES + 3);
  cr_expect_str_eq(parts.steps[0].parts[parts.steps[0].n - 1].name, "end");
  free(clocks);
}

/* Steps with a part that waits and one that does not. */
static void fill_steps(vise_i_meter_steps *call, size_t n, const double *waits, const double *works) {
  memset(call, 0, sizeof *call);
  call->n = n;
  for (size_t i = 0; i < n; i++) {
    call->steps[i].n = 2;
    call->steps[i].parts[0] = (vise_i_meter_part){"gather", NAN, NAN, works[i]};
    call->steps[i].parts[1] = (vise_i_meter_part){"rows", waits[i], waits[i] / 4, 30};
  }
}

Test(bench_phases, medians_and_shares) {
  static vise_i_meter_steps calls[2];
  vise_bench_phase phases[VISE_I_METER_MOST_PARTS];
  const double waits[] = {20, 1000, 40, 30}, works[] = {100, 300, 200, 5000};

  /* The median is that of all steps of all calls. */
  fill_steps(&calls[0], 1, waits, works);
  fill_steps(&calls[1], 2, waits + 1, works + 1);
  cr_assert_eq(vise_i_bench_phases_summarize(calls, 2, 2, phases), 2);

  /* 200 + 40 + 30 clocks at 2 MHz. */
  cr_expect_str_eq(phases[0].name, "gather");
  cr_expect(phases[0].is_first && !phases[1].is_first);
  cr_expect(isnan(phases[0].us_wait) && isnan(phases[0].us_skew) && isnan(phases[0].share_wait));
  cr_expect_eq(phases[0].us_work, 100);
  cr_expect_eq(phases[1].us_wait, 20);
  cr_expect_eq(phases[1].us_skew, 5);
  cr_expect_eq(phases[1].us_work, 15);
  cr_expect_float_eq(phases[0].share_work, 200.0 / 270, 1e-12);
  cr_expect_float_eq(phases[1].share_wait, 40.0 / 270, 1e-12);
  cr_expect_float_eq(phases[1].share_work, 30.0 / 270, 1e-12);
  cr_expect_eq(phases[1].n_steps, 3);
  cr_expect_eq(phases[1].clock_mhz, 2);

  /* An even number of steps: the mean of the middle two. */
  fill_steps(&calls[0], 4, waits, works);
  (void)vise_i_bench_phases_summarize(calls, 1, 1, phases);
  cr_expect_eq(phases[0].us_work, 250);
  cr_expect_eq(phases[1].us_wait, 35);
}

/* The first step of a launch waits for none, the last alone ends: what most steps have counts. */
Test(bench_phases, steps_without_a_part) {
  static vise_i_meter_steps call;
  vise_bench_phase phases[VISE_I_METER_MOST_PARTS];
  const double waits[] = {NAN, 40, 60}, works[] = {NAN, NAN, 10};

  fill_steps(&call, 3, waits, works);
  (void)vise_i_bench_phases_summarize(&call, 1, 1, phases);
  cr_expect(isnan(phases[0].us_work));
  cr_expect_eq(phases[1].us_wait, 50);
}
