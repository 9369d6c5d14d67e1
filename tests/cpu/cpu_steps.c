/* What must match bit for bit: skipped steps, repeated runs, one call or many; and no allocation inside a step. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/backend/cpu/threads.h"
#include "host/backend/cuda/device.h"
#include "tests/support/allocation_fault.h"
#include "tests/support/step_checks.h"

static const vise_i_backend_ops *const OPS = &vise_i_backend_cpu;

/* One order for all steps; the projection is verified after each. */
static step_rig *make_rig(vise_optimizer optimizer) {
  step_rig *r = step_rig_make(OPS, optimizer);
  r->spec.assert_projection = true;
  r->data.row_weights = NULL;
  r->n_order = RIG_STEPS * RIG_BATCH;
  return r;
}

Test(cpu_steps, one_call_of_twenty_equals_twenty_calls_and_again) {
  for (int optimizer = VISE_SGD; optimizer < vise_optimizer_count_; optimizer++) {
    step_rig *r = make_rig((vise_optimizer)optimizer);
    const char *name = vise_optimizer_name((vise_optimizer)optimizer);
    vise_step_stats stats[RIG_STEPS], single[RIG_STEPS];

    float *once = step_rig_train(r, RIG_STEPS, r->stats), *again = step_rig_train(r, RIG_STEPS, stats);
    float *singly = step_rig_train(r, 1, single);

    cr_expect(step_rig_same(r, once, again), "%s: two runs differ", name);
    cr_expect(step_rig_same(r, once, singly), "%s: one call differs from twenty", name);
    cr_expect(step_rig_same_stats(r->stats, stats, RIG_STEPS), "%s: statistics of two runs", name);
    cr_expect(step_rig_same_stats(r->stats, single, RIG_STEPS), "%s: statistics of twenty calls", name);

    free(once);
    free(again);
    free(singly);
    step_rig_free(r);
  }
}

/* Products large enough to be split among threads. */
Test(cpu_steps, two_threads_keep_their_bits) {
  static const size_t widths[] = {300, 128, 10};
  const vise_i_net net = rig_net(2, widths, VISE_RELU, true);
  vise_i_step_spec spec = rig_spec(&net);
  double *params = calloc(net.n_params, sizeof *params), *x = calloc(64 * 300, sizeof *x), y[64];
  double *ends[2];
  uint64_t state = 3;

  rig_fill(&state, 0.1, params, net.n_params);
  rig_fill(&state, 1, x, 64 * 300);
  for (size_t i = 0; i < 64; i++) y[i] = (double)(i % 10);

  spec.rule.loss = VISE_LOSS_CROSS_ENTROPY;
  spec.n_threads = 2;
  const vise_i_data data = rig_data(x, 64, 300, y, 1, true, NULL);
  const vise_i_hyper hyper = rig_hyper(0.1);

  for (int run = 0; run < 2; run++) {
    vise_i_backend *b = rig_create(OPS, &spec, params);
    for (int step = 0; step < 10; step++) {
      vise_error err = VISE_ERROR_INIT;
      vise_step_stats stats = {0};
      cr_assert(OPS->step(b, &(vise_i_batch){.data = &data, .n = data.x.n_rows}, &hyper, &stats, &err) == VISE_OK, "%s",
                err.text);
    }

    ends[run] = calloc(net.n_params, sizeof *ends[run]);
    rig_get_state(OPS, b, VISE_I_PARAMS, net.n_params, ends[run]);
    OPS->destroy(b);
  }

  cr_expect(memcmp(ends[0], ends[1], net.n_params * sizeof *ends[0]) == 0);
  cr_expect(memcmp(ends[0], params, net.n_params * sizeof *params) != 0);

  free(ends[0]);
  free(ends[1]);
  free(params);
  free(x);
}

Test(cpu_steps, state_carries_a_training_over) {
  for (int optimizer = VISE_SGD; optimizer <= VISE_ADAM; optimizer++) {
    step_rig *r = make_rig((vise_optimizer)optimizer);
    check_carried_state(r);
    step_rig_free(r);
  }
}

Test(cpu_steps, no_allocation_inside_a_step) {
  step_rig *r = make_rig(VISE_ADAM);
  vise_i_backend *b = step_rig_start(r);
  vise_error err = VISE_ERROR_INIT;
  size_t n_done;

  free(malloc(1));
  cr_assert(fault.n_calls > 0, "allocations are not counted");

  const size_t before = fault.n_calls;
  cr_assert(OPS->run(b, &(vise_i_steps){0, RIG_BATCH, RIG_STEPS, r->hyper, r->stats}, &n_done, &err) == VISE_OK);

  vise_i_data few = r->data;
  few.x.n_rows = few.y.n_rows = 5;
  cr_assert(OPS->step(b, &(vise_i_batch){.data = &few, .n = few.x.n_rows}, &r->hyper[0], &r->stats[0], &err) == VISE_OK,
            "%s", err.text);
  cr_expect(fault.n_calls == before, "%zu allocations", fault.n_calls - before);

  OPS->destroy(b);
  step_rig_free(r);
}

Test(cpu_steps, changed_rates_and_bounds) {
  step_rig *r = make_rig(VISE_SGD);
  OPS->destroy(check_changing_rates(r, RIG_STEPS));
  step_rig_free(r);
}

Test(cpu_steps, nonfinite_data_skip_without_a_trace) {
  const double bad[] = {NAN, INFINITY, -INFINITY, 1e39}; /* the last is beyond float32 */
  for (size_t i = 0; i < 4; i++) {
    for (int optimizer = VISE_SGD; optimizer < vise_optimizer_count_; optimizer++) {
      step_rig *r = make_rig((vise_optimizer)optimizer);
      uint64_t launched;
      OPS->destroy(check_nonfinite_data(r, bad[i], false, &launched));
      step_rig_free(r);
    }
  }
}

Test(cpu_steps, goes_on_after_skips) {
  step_rig *r = make_rig(VISE_ADAM);
  check_going_on_after_skips(r);
  step_rig_free(r);
}

Test(cpu_steps, nonfinite_weights_skip_without_a_trace) {
  step_rig *r = make_rig(VISE_RMSPROP);
  check_nonfinite_weights(r);
  step_rig_free(r);
}

Test(cpu_steps, penalty_overflow_skips_despite_the_value_clip) {
  step_rig *r = make_rig(VISE_SGD);
  check_penalty_overflow(r);
  step_rig_free(r);
}

Test(cpu_steps, halt_ends_at_once_and_propagate_goes_on) {
  step_rig *r = make_rig(VISE_SGD);
  OPS->destroy(check_halt(r));
  check_propagate(r);
  step_rig_free(r);
}

Test(cpu_steps, moments_that_are_not_kept_are_refused) {
  step_rig *r = make_rig(VISE_SGD);
  r->spec.rule.momentum = 0;
  r->spec.use_mask = false;
  vise_i_backend *b = step_rig_start(r);
  vise_error err = VISE_ERROR_INIT;
  cr_expect(!OPS->has_state(b, VISE_I_MOMENT1) && !OPS->has_state(b, VISE_I_MOMENT2) &&
            !OPS->has_state(b, VISE_I_MASK));
  cr_expect(OPS->set_state(b, VISE_I_MOMENT1, r->params, &err) == VISE_ERR_INTERNAL);
  OPS->destroy(b);
  step_rig_free(r);
}

Test(cpu_steps, backends_are_found_or_say_why_not) {
  const char *why = NULL;
  cr_expect(vise_i_backend_find(VISE_BACKEND_CPU, &why) == &vise_i_backend_cpu);
  cr_expect(vise_i_backend_find(VISE_BACKEND_CPU64, &why) == &vise_i_backend_cpu64);
  /* No test of the CPU backends sees a GPU (tests/CMakeLists.txt). */
  cr_expect(vise_i_backend_find(VISE_BACKEND_CUDA, &why) == NULL);
  cr_expect_eq(strncmp(why, vise_i_cuda_is_built() ? "no CUDA device" : "this build has no CUDA backend", 14), 0);
  cr_expect(vise_i_backend_find(VISE_BACKEND_CUDA, NULL) == NULL);
}

Test(cpu_steps, small_nets_get_one_thread) {
  static const size_t small[] = {4, 16, 3}, even[] = {64, 64, 64, 64, 64}, wide[] = {784, 128, 10},
                      large[] = {4096, 4096, 4096};
  const vise_i_net s = rig_net(2, small, VISE_RELU, true), l = rig_net(2, large, VISE_RELU, true);
  const vise_i_net e = rig_net(4, even, VISE_RELU, true), w = rig_net(2, wide, VISE_RELU, true);
  cr_expect_eq(vise_i_cpu_worth_threads(&s, 64), 1);
  cr_expect_eq(vise_i_cpu_worth_threads(&e, 64), 1, "its layers are too narrow to share");
  cr_expect_eq(vise_i_cpu_worth_threads(&e, 256), 2, "its rows are enough for two parts");
  cr_expect(vise_i_cpu_worth_threads(&w, 64) >= 2);
  cr_expect(vise_i_cpu_worth_threads(&l, 256) >= 8);
  cr_expect(vise_i_cpu_default_threads(&s, 64) == 1);
  cr_expect(vise_i_cpu_default_threads(&l, 256) >= 1);
  cr_expect(vise_i_cpu_default_threads(&l, 256) >= vise_i_cpu_default_threads(&l, 1));
}

/* A NaN in one output's gradient must reach every weight through the norm, for both norms, in both backends. */
Test(cpu_steps, a_nan_norm_spreads_when_propagated) {
  static const size_t widths[] = {3, 4};
  const vise_i_net net = rig_net(1, widths, VISE_RELU, true);
  const vise_i_backend_ops *both[] = {&vise_i_backend_cpu, &vise_i_backend_cpu64};
  const double params[16] = {0.5, 0.25}, x[3] = {1, 2, 3}, delta[4] = {NAN, 0.1, 0.2, 0.3};
  const vise_i_data data = rig_data(x, 1, 3, NULL, 0, false, NULL);
  const vise_array given = {delta, VISE_F64, 1, 4, 4, 1};
  const vise_i_hyper hyper = rig_hyper(0.1);

  for (int p = VISE_NORM_2; p <= VISE_NORM_INF; p++) {
    for (int i = 0; i < 2; i++) {
      vise_i_step_spec spec = rig_spec(&net);
      vise_error err = VISE_ERROR_INIT;
      vise_step_stats stats = {0};
      double after[16];

      spec.rule.loss = VISE_LOSS_EXTERNAL;
      spec.rule.nonfinite = VISE_NONFINITE_PROPAGATE;
      spec.rule.clip_norm = 1;
      spec.rule.clip_norm_p = (vise_norm_p)p;

      vise_i_backend *b = rig_create(both[i], &spec, params);
      cr_assert(
          both[i]->step(b, &(vise_i_batch){.data = &data, .n = data.x.n_rows, .delta = &given, .external_loss = 1},
                        &hyper, &stats, &err) == VISE_OK,
          "%s", err.text);
      rig_get_state(both[i], b, VISE_I_PARAMS, net.n_params, after);

      for (size_t k = 0; k < net.n_params; k++) cr_expect(isnan(after[k]), "%s[%zu] %g", both[i]->name, k, after[k]);
      cr_expect(stats.n_nonfinite == 4 && stats.bad_tensor == 0 && !stats.skipped);
      both[i]->destroy(b);
    }
  }
}
