/* What --step auto chooses. */
#include <criterion/criterion.h>

#include "tests/unit/plan/plan_rig.h"

static size_t n_seen;

static void expect_fused(const plan_case *c, const vise_i_plan *plan) {
  vise_i_net net;
  (void)plan;
  cr_assert(vise_i_net_make(&c->net, &net, NULL) == VISE_OK);
  cr_assert(vise_i_plan_choose_step(&net, c->max_rows, VISE_FP32) == VISE_STEP_FUSED);
  cr_assert(vise_i_plan_choose_step(&net, c->max_rows, VISE_PRECISION_AUTO) == VISE_STEP_FUSED);
  n_seen++;
}

/* Whatever is measured for the others: fp32 promises the same bits on every GPU. */
Test(plan_choose, fp32_is_always_fused) {
  plan_for_all(expect_fused);
  cr_assert(n_seen > 100, "%zu nets", n_seen);
}

/* Once unfused, it stays unfused for larger batches; auto never resolves to auto. */
Test(plan_choose, grows_with_the_batch) {
  for (vise_precision precision = VISE_TF32; precision <= VISE_BF16; precision++) {
    for (size_t width = 32; width <= 8192; width *= 4) {
      const size_t widths[] = {width, width, width, 10};
      plan_case c = plan_case_make(3, widths, 1);
      vise_i_net net;
      vise_step_mode before = VISE_STEP_FUSED;
      cr_assert(vise_i_net_make(&c.net, &net, NULL) == VISE_OK);

      for (size_t batch = 1; batch <= 1 << 18; batch *= 4) {
        const vise_step_mode mode = vise_i_plan_choose_step(&net, batch, precision);
        cr_assert(mode == VISE_STEP_FUSED || mode == VISE_STEP_UNFUSED_GRAPH);
        cr_assert(mode == before || before == VISE_STEP_FUSED, "batch %zu, width %zu", batch, width);
        before = mode;
      }
    }
  }
}
