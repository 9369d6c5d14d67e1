/* From launch clocks to a table of phases, with hand-made clocks. */
#include <math.h>
#include <string.h>

#include "host/backend/step_parts.h"
#include "host/bench/bench.h"
#include "tests/unit/train/rig.h"

/* Three phases, of which the second follows without an exchange. */
static vise_k_step three_phases(void) {
  vise_k_step step;
  memset(&step, 0, sizeof step);
  step.n_phases = 3;
  step.phases[0] = (vise_k_phase){.kind = VISE_K_FORWARD, .layer = 0, .exchange = 1};
  step.phases[1] = (vise_k_phase){.kind = VISE_K_ROWS, .layer = 1};
  step.phases[2] = (vise_k_phase){.kind = VISE_K_UPDATE, .exchange = 1};
  return step;
}

static void fill_clocks(uint64_t *clocks, uint64_t origin) {
  const uint64_t phases[] = {170, 200, 205, 300, 400, 450};
  memset(clocks, 0xee, VISE_K_N_CLOCKS * sizeof *clocks);
  clocks[VISE_K_CLOCK_LAUNCH] = origin + 0;
  clocks[VISE_K_CLOCK_STEP] = origin + 100;
  clocks[VISE_K_CLOCK_INPUTS] = origin + 130;
  for (size_t i = 0; i < 6; i++) clocks[VISE_K_CLOCK_PHASES + i] = origin + phases[i];
  clocks[VISE_K_CLOCK_END] = origin + 500;
}

static void expect_part(const vise_i_meter_part *part, const char *name, double wait, double work) {
  cr_expect_str_eq(part->name, name);
  cr_expect((isnan(wait) && isnan(part->wait)) || part->wait == wait, "%s: waits %g, not %g", name, part->wait, wait);
  cr_expect((isnan(work) && isnan(part->work)) || part->work == work, "%s: works %g, not %g", name, part->work, work);
}

Test(bench_phases, clocks_become_parts) {
  const uint64_t origins[] = {0, UINT64_MAX - 250}; /* the second wraps around 0 */
  const vise_k_step step = three_phases();

  for (size_t i = 0; i < 2; i++) {
    uint64_t clocks[VISE_K_N_CLOCKS];
    vise_i_meter_parts parts;
    fill_clocks(clocks, origins[i]);
    vise_i_step_parts(&step, clocks, 1, &parts);

    cr_assert_eq(parts.n, 6);
    expect_part(&parts.parts[0], "start", NAN, 100);
    expect_part(&parts.parts[1], "gather", NAN, 30);
    expect_part(&parts.parts[2], "forward 0", 40, 30);
    expect_part(&parts.parts[3], "rows", NAN, 95);
    expect_part(&parts.parts[4], "update", 100, 50);
    expect_part(&parts.parts[5], "end", NAN, 50);
    cr_expect_eq(parts.launch_clocks, 500);

    /* In a launch of many steps the start was long before the last of them. */
    vise_i_step_parts(&step, clocks, 2, &parts);
    expect_part(&parts.parts[0], "start", NAN, NAN);
    expect_part(&parts.parts[2], "forward 0", 40, 30);
  }
}

Test(bench_phases, every_step_has_room) {
  vise_k_step step;
  uint64_t clocks[VISE_K_N_CLOCKS] = {0};
  vise_i_meter_parts parts;
  memset(&step, 0, sizeof step);
  step.n_phases = VISE_K_MAX_PHASES;
  vise_i_step_parts(&step, clocks, 1, &parts);
  cr_expect_eq(parts.n, VISE_K_MAX_PHASES + 3);
  cr_expect_str_eq(parts.parts[parts.n - 1].name, "end");
}

Test(bench_phases, medians_and_shares) {
  vise_i_meter_parts launches[4];
  vise_bench_phase phases[VISE_I_METER_MOST_PARTS];
  const double waits[] = {20, 1000, 40, 30}, works[] = {100, 300, 200, 5000};

  memset(launches, 0, sizeof launches);
  for (size_t i = 0; i < 4; i++) {
    launches[i].n = 2;
    launches[i].parts[0] = (vise_i_meter_part){"gather", NAN, works[i]};
    launches[i].parts[1] = (vise_i_meter_part){"rows", waits[i], 30};
  }

  cr_assert_eq(vise_i_bench_phases_summarize(launches, 3, 2, phases), 2);
  /* 200 + 40 + 30 clocks at 2 MHz. */
  cr_expect_str_eq(phases[0].name, "gather");
  cr_expect(phases[0].is_first && !phases[1].is_first);
  cr_expect(isnan(phases[0].us_wait) && isnan(phases[0].share_wait));
  cr_expect_eq(phases[0].us_work, 100);
  cr_expect_eq(phases[1].us_wait, 20);
  cr_expect_eq(phases[1].us_work, 15);
  cr_expect_float_eq(phases[0].share_work, 200.0 / 270, 1e-12);
  cr_expect_float_eq(phases[1].share_wait, 40.0 / 270, 1e-12);
  cr_expect_float_eq(phases[1].share_work, 30.0 / 270, 1e-12);
  cr_expect_eq(phases[1].n_launches, 3);
  cr_expect_eq(phases[1].clock_mhz, 2);

  /* An even number of launches: the mean of the middle two. */
  (void)vise_i_bench_phases_summarize(launches, 4, 1, phases);
  cr_expect_eq(phases[0].us_work, 250);
  cr_expect_eq(phases[1].us_wait, 35);
}
