/* Launches and their other costs; steps that are not finite; changed learning rates and bounds; errors. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/emulation/host/emulation.h"
#include "tests/gpu/gpu_rig.h"
#include "tests/support/step_checks.h"

static const vise_i_backend_ops *const OPS = &vise_i_backend_cuda;

/* Only the emulated device counts, and loses stores when asked to. */
extern emu_counts emu_read_counts(void) __attribute__((weak));
extern void emu_lose_store(unsigned block, uint64_t after) __attribute__((weak));

Test(steps, launches_are_counted) {
  static const struct { uint64_t per_launch, n_launches; } cases[] = {{1, RIG_EPOCH}, {7, 2}, {0, 1}, {100, 1}};

  for (size_t i = 0; i < 4; i++) {
    step_rig *r = gpu_rig_make(VISE_ADAM);
    vise_error err = VISE_ERROR_INIT;

    r->spec.steps_per_launch = cases[i].per_launch;
    vise_i_backend *b = step_rig_start(r);

    cr_expect(OPS->n_launches(b) == 0);
    cr_assert(cudaDeviceSynchronize() == cudaSuccess); /* the order may still be in flight */
    const emu_counts before = emu_read_counts ? emu_read_counts() : (emu_counts){0};

    step_rig_expect(r, b, 0, RIG_EPOCH, VISE_OK, RIG_EPOCH, &err);
    cr_expect(OPS->n_launches(b) == cases[i].n_launches && vise_i_cuda_of(b)->n_idle_launches == 0);

    if (emu_read_counts) {
      const emu_counts after = emu_read_counts();
      cr_expect(after.launches - before.launches == cases[i].n_launches);
      cr_expect(after.cooperative_launches - before.cooperative_launches == cases[i].n_launches);
      cr_expect(after.memsets == before.memsets && after.allocations == before.allocations);
      cr_expect(after.host_allocations == before.host_allocations);
      /* state and records in, state and statistics out, whatever the number of steps */
      cr_expect(after.copies - before.copies == 4, "%d copies", (int)(after.copies - before.copies));
    }

    cr_expect(vise_i_cuda_of(b)->train.state.cursor == RIG_EPOCH);
    OPS->destroy(b);
    step_rig_free(r);
  }
}

Test(steps, launches_of_chunks_end_with_them) {
  step_rig *r = gpu_rig_make(VISE_SGD);
  vise_error err = VISE_ERROR_INIT;
  r->spec.device_memory_limit = gpu_rig_limit_for_rows(r, 4 * RIG_BATCH);
  vise_i_backend *b = step_rig_start(r);
  const size_t steps = vise_i_cuda_of(b)->bound.rows[0].n_rows / RIG_BATCH;
  cr_assert(!vise_i_cuda_of(b)->bound.resident && steps >= 3 && steps < 7);
  step_rig_expect(r, b, 0, RIG_EPOCH, VISE_OK, RIG_EPOCH, &err);
  cr_expect(OPS->n_launches(b) == (RIG_EPOCH + steps - 1) / steps);
  OPS->destroy(b);
  step_rig_free(r);
}

/* Every step sees the rate and the bounds of its own record, within one launch as well. */
Test(steps, changed_rates_and_bounds) {
  step_rig *r = gpu_rig_make(VISE_SGD);
  OPS->destroy(check_changing_rates(r, RIG_STEPS));
  step_rig_free(r);
}

/* ---- not finite ---- */

Test(steps, nonfinite_data_skip_without_a_trace) {
  const double bad[] = {NAN, INFINITY, -INFINITY, 1e39}; /* the last is beyond float32 */

  for (size_t i = 0; i < 4; i++) {
    for (int optimizer = VISE_SGD; optimizer < vise_optimizer_count_; optimizer++) {
      for (uint64_t per_launch = 0; per_launch < 2; per_launch++) {
        if (rig_is_short() && (i + (size_t)optimizer + per_launch) % 2 != 0) continue;
        step_rig *r = gpu_rig_make((vise_optimizer)optimizer);
        uint64_t launched;

        r->spec.steps_per_launch = per_launch;
        vise_i_backend *b = check_nonfinite_data(r, bad[i], true, &launched);
        cr_expect(OPS->n_launches(b) == (per_launch ? 7 : 2) &&
                  vise_i_cuda_of(b)->n_idle_launches == (per_launch ? 2 : 0));

        OPS->destroy(b);
        step_rig_free(r);
      }
    }
  }
}

Test(steps, goes_on_after_skips) {
  step_rig *r = gpu_rig_make(VISE_ADAM);
  check_going_on_after_skips(r);
  step_rig_free(r);
}

Test(steps, nonfinite_weights_skip_without_a_trace) {
  step_rig *r = gpu_rig_make(VISE_RMSPROP);
  check_nonfinite_weights(r);
  step_rig_free(r);
}

Test(steps, penalty_overflow_skips_despite_the_value_clip) {
  step_rig *r = gpu_rig_make(VISE_SGD);
  check_penalty_overflow(r);
  step_rig_free(r);
}

Test(steps, halt_ends_at_once_and_propagate_goes_on) {
  step_rig *r = gpu_rig_make(VISE_SGD);
  r->spec.steps_per_launch = 1;
  vise_i_backend *b = check_halt(r);
  cr_expect(OPS->n_launches(b) == 1 && vise_i_cuda_of(b)->n_idle_launches == RIG_EPOCH - 1);
  OPS->destroy(b);
  check_propagate(r);
  step_rig_free(r);
}

/* ---- errors ---- */

Test(steps, a_device_error_poisons) {
  step_rig *r = gpu_rig_make(VISE_SGD);
  vise_error first = VISE_ERROR_INIT, later = VISE_ERROR_INIT;
  vise_i_backend *b = step_rig_start(r);
  double out[RIG_ROWS * RIG_OUT];
  float *state = step_rig_snapshot(r, b);

  vise_i_cuda_of(b)->train.step.n_members = 100000; /* more than any device holds at once */
  step_rig_expect(r, b, 0, 2, VISE_ERR_DEVICE, 0, &first);
  cr_expect(strstr(first.text, "CUDA device 0: ") && strstr(first.text, ".c:"), "%s", first.text);
  step_rig_expect(r, b, 0, 2, VISE_ERR_DEVICE, 0, &later);
  cr_expect_str_eq(later.text, first.text);

  cr_expect(OPS->get_state(b, VISE_I_PARAMS, state, NULL) == VISE_ERR_DEVICE);
  cr_expect(OPS->set_state(b, VISE_I_PARAMS, state, NULL) == VISE_ERR_DEVICE);
  cr_expect(OPS->project(b, &r->hyper[0], NULL) == VISE_ERR_DEVICE);
  cr_expect(OPS->bind(b, &r->data, NULL) == VISE_ERR_DEVICE);
  cr_expect(OPS->set_order(b, r->order, RIG_ROWS, NULL) == VISE_ERR_DEVICE);
  cr_expect(OPS->forward(b, &(vise_i_batch){.data = &r->data, .n = RIG_ROWS}, out, NULL) == VISE_ERR_DEVICE);

  free(state);
  OPS->destroy(b);
  step_rig_free(r);
}

/* An arrival of CTA 1 is lost: the error says who waits for whom. */
Test(steps, a_missing_arrival_is_named) {
  if (!emu_lose_store || !VISE_WATCHDOG) return;
  step_rig *r = gpu_rig_make(VISE_SGD);
  vise_error err = VISE_ERROR_INIT;
  unsigned cta = 0, slot = 0, expected = 0, seen = 0;

  cr_assert_eq(setenv("VISE_WATCHDOG_POLLS", "256", 1), 0);
  vise_i_backend *b = step_rig_start(r);
  step_rig_run(r, b, 2, 2, NULL);
  emu_lose_store(1, 3);
  step_rig_expect(r, b, 2, 2, VISE_ERR_DEVICE, 0, &err);
  emu_lose_store(0, UINT64_MAX);

  const char *told = strstr(err.text, "the exchange hangs: ");
  cr_assert_not_null(told, "%s", err.text);
  cr_assert_eq(sscanf(told, "the exchange hangs: CTA %u waits for slot %u at epoch %u and sees epoch %u;", &cta, &slot,
                      &expected, &seen),
               4, "%s", told);
  cr_expect_neq(cta, 1, "%s", told);
  cr_expect_eq(slot, 1, "%s", told);
  cr_expect_eq(seen, expected - 2, "%s", told);

  OPS->destroy(b);
  step_rig_free(r);
}

Test(steps, refuses_what_does_not_fit) {
  step_rig *r = gpu_rig_make(VISE_SGD);
  vise_error err = VISE_ERROR_INIT;
  vise_i_backend *b = NULL;

  r->spec.device_memory_limit = 4000;
  cr_expect(OPS->create(&r->spec, &b, &err) == VISE_ERR_MEMORY && b == NULL);
  cr_expect(strstr(err.text, "more than the 4000 there are") != NULL, "%s", err.text);
  vise_error_clear(&err);

  r->spec.device_memory_limit = gpu_rig_limit(r, 1000);
  b = rig_create(OPS, &r->spec, r->params);
  cr_expect(OPS->bind(b, &r->data, &err) == VISE_ERR_MEMORY && strstr(err.text, "two batches of data"), "%s", err.text);

  OPS->destroy(b);
  step_rig_free(r);
}

Test(steps, guards_stay_as_they_are) {
  for (int optimizer = VISE_SGD; optimizer < vise_optimizer_count_; optimizer++) {
    step_rig *r = gpu_rig_make((vise_optimizer)optimizer);
    vise_error err = VISE_ERROR_INIT;
    double out[RIG_ROWS * RIG_OUT], *gradient = calloc(r->net.n_params, sizeof *gradient);

    r->spec.hooks.guard_bytes = 256;
    r->spec.rule.clip_norm_p = VISE_NORM_INF;
    vise_i_backend *b = step_rig_start(r);

    step_rig_run(r, b, RIG_STEPS, RIG_STEPS, NULL);
    cr_assert(OPS->forward(b, &(vise_i_batch){.data = &r->data, .n = RIG_ROWS}, out, &err) == VISE_OK, "%s", err.text);
    cr_assert(
        OPS->full_gradient(b, &(vise_i_batch){.data = &r->data, .n = RIG_ROWS}, gradient, NULL, NULL, &err) == VISE_OK,
        "%s", err.text);
    cr_expect(vise_i_cuda_check_guards(vise_i_cuda_of(b), &err) == VISE_OK, "%s", err.text);

    const vise_i_plan_array *moments = &vise_i_cuda_of(b)->train.plan.arrays[VISE_I_PLAN_MOMENT1];
    cr_assert(cudaMemset(vise_i_cuda_of(b)->arena + moments->offset + moments->n_bytes + 3, 0, 1) == cudaSuccess);
    cr_assert(cudaDeviceSynchronize() == cudaSuccess);
    cr_expect(vise_i_cuda_check_guards(vise_i_cuda_of(b), &err) == VISE_ERR_INTERNAL &&
                  strstr(err.text, "behind the first moments"),
              "%s", err.text);

    free(gradient);
    OPS->destroy(b);
    step_rig_free(r);
  }
}
