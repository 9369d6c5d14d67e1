/* Launches and what they cost beside; steps that are not finite; changed learning rates and bounds; errors. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/emulation/host/emulation.h"
#include "tests/gpu/gpu_rig.h"

static const vise_i_backend_ops *const OPS = &vise_i_backend_cuda;

/* Only the emulated device counts. */
extern emu_counts emu_read_counts(void) __attribute__((weak));

static void run(vise_i_backend *b, const gpu_rig *r, size_t first_step, size_t n, vise_status expected,
                size_t n_expected, vise_step_stats *stats, vise_error *err) {
  size_t n_done = 12345;
  vise_error_clear(err);
  const vise_status status = OPS->run(b, first_step * RIG_BATCH, RIG_BATCH, n, r->hyper, stats, &n_done, err);
  cr_expect(status == expected, "%s: %s", vise_status_name(status), err->text);
  cr_expect(n_done == n_expected, "%zu steps, expected %zu", n_done, n_expected);
}

Test(steps, launches_are_counted) {
  static const struct { uint64_t per_launch, n_launches; } cases[] = {{1, 13}, {7, 2}, {0, 1}, {100, 1}};
  for (size_t i = 0; i < 4; i++) {
    gpu_rig *r = gpu_rig_make(VISE_ADAM);
    vise_error err = VISE_ERROR_INIT;
    r->spec.steps_per_launch = cases[i].per_launch;
    vise_i_backend *b = gpu_rig_start(r);
    cr_expect(OPS->n_launches(b) == 0);
    cr_assert(cudaDeviceSynchronize() == cudaSuccess); /* the order may still be on its way */
    const emu_counts before = emu_read_counts ? emu_read_counts() : (emu_counts){0};
    run(b, r, 0, 13, VISE_OK, 13, r->stats, &err);
    cr_expect(OPS->n_launches(b) == cases[i].n_launches && b->n_idle_launches == 0);
    if (emu_read_counts) {
      const emu_counts after = emu_read_counts();
      cr_expect(after.launches - before.launches == cases[i].n_launches);
      cr_expect(after.cooperative_launches - before.cooperative_launches == cases[i].n_launches);
      cr_expect(after.memsets == before.memsets && after.allocations == before.allocations);
      cr_expect(after.host_allocations == before.host_allocations);
      /* state and records there, state and statistics back, whatever the number of steps */
      cr_expect(after.copies - before.copies == 4, "%d copies", (int)(after.copies - before.copies));
    }
    cr_expect(b->mail->progress == 13);
    OPS->destroy(b);
    gpu_rig_free(r);
  }
}

Test(steps, launches_of_chunks_end_with_them) {
  gpu_rig *r = gpu_rig_make(VISE_SGD);
  vise_error err = VISE_ERROR_INIT;
  r->spec.device_memory_limit = gpu_rig_limit_for_rows(r, 4 * RIG_BATCH);
  vise_i_backend *b = gpu_rig_start(r);
  const size_t steps = b->bound.rows[0].n_rows / RIG_BATCH;
  cr_assert(!b->bound.resident && steps >= 3 && steps < 7);
  run(b, r, 0, 13, VISE_OK, 13, r->stats, &err);
  cr_expect(OPS->n_launches(b) == (13 + steps - 1) / steps);
  OPS->destroy(b);
  gpu_rig_free(r);
}

/* Every step sees the rate and the bounds of its own record, within one launch as well. */
Test(steps, changed_rates_and_bounds) {
  gpu_rig *r = gpu_rig_make(VISE_SGD);
  r->data.row_weights = NULL;
  float *constant = gpu_rig_train(r, RIG_STEPS, NULL);
  for (size_t i = 0; i < RIG_STEPS; i++) {
    r->hyper[i] = (vise_i_hyper){0.05 / (1 + (double)i), 1 + 0.1 * (double)(i % 4), 1 - 0.03 * (double)i};
  }
  float *changed = gpu_rig_train(r, RIG_STEPS, r->stats);
  cr_expect(!gpu_rig_same(r, constant, changed));
  for (size_t i = 0; i < RIG_STEPS; i++) cr_expect(r->stats[i].lr == r->hyper[i].lr);
  double *reference = calloc(r->net.n_params, sizeof *reference);
  const vise_i_backend_ops *oracle = &vise_i_backend_cpu64;
  vise_i_backend *b = rig_create(oracle, &r->spec, r->params);
  vise_error err = VISE_ERROR_INIT;
  cr_assert(oracle->project(b, &r->hyper[0], &err) == VISE_OK && oracle->bind(b, &r->data, &err) == VISE_OK &&
            oracle->set_order(b, r->order, RIG_ROWS, &err) == VISE_OK);
  for (size_t s = 0; s < RIG_STEPS; s++) {
    size_t n_done;
    vise_step_stats stats = {0};
    cr_assert(oracle->run(b, s % 13 * RIG_BATCH, RIG_BATCH, 1, &r->hyper[s], &stats, &n_done, &err) == VISE_OK);
  }
  rig_get_state(oracle, b, VISE_I_PARAMS, r->net.n_params, reference);
  oracle->destroy(b);
  for (size_t i = 0; i < r->net.n_params; i++) {
    if (!rig_near((double)changed[i], reference[i], 2e-5, 2e-5)) {
      cr_expect(false, "[%zu]: %.9g, cpu64 %.9g", i, (double)changed[i], reference[i]);
      break;
    }
  }
  const float bound = (float)(0.2 * r->hyper[RIG_STEPS - 1].clamp_factor);
  for (size_t i = 0; i < r->net.tensors[0].n_rows * r->net.tensors[0].n_cols; i++) {
    cr_assert(fabsf(changed[i]) <= bound);
  }
  free(constant);
  free(changed);
  free(reference);
  gpu_rig_free(r);
}

/* ---- not finite ---- */

static void expect_untouched(const gpu_rig *r, vise_i_backend *b, const float *before, const char *what) {
  float *after = gpu_rig_snapshot(r, b);
  cr_expect(gpu_rig_same(r, before, after), "%s: state was touched", what);
  free(after);
}

Test(steps, nonfinite_data_skip_without_a_trace) {
  const double bad[] = {NAN, INFINITY, -INFINITY, 1e39}; /* the last is beyond float32 */
  for (size_t i = 0; i < 4; i++) {
    for (int optimizer = VISE_SGD; optimizer <= VISE_ADAM; optimizer++) {
      for (uint64_t per_launch = 0; per_launch < 2; per_launch++) {
        gpu_rig *r = gpu_rig_make((vise_optimizer)optimizer);
        const char *name = vise_optimizer_name((vise_optimizer)optimizer);
        r->spec.max_skips = 3;
        r->spec.steps_per_launch = per_launch;
        vise_i_backend *b = gpu_rig_start(r);
        vise_error err = VISE_ERROR_INIT;
        run(b, r, 0, 4, VISE_OK, 4, r->stats, &err);
        const uint64_t at_lo = r->stats[3].n_at_lo;
        float *before = gpu_rig_snapshot(r, b);
        for (size_t j = 0; j < RIG_ROWS * RIG_IN; j += 3) r->x[j] = bad[i];
        cr_assert(OPS->bind(b, &r->data, &err) == VISE_OK && OPS->set_order(b, r->order, RIG_ROWS, &err) == VISE_OK);
        run(b, r, 4, 5, VISE_ERR_NONFINITE, 3, r->stats, &err);
        cr_expect(strstr(err.text, "3 steps in a row") != NULL, "%s", err.text);
        for (size_t s = 0; s < 3; s++) {
          cr_expect(r->stats[s].skipped && r->stats[s].n_at_lo == at_lo && r->stats[s].n_rows == RIG_BATCH);
        }
        cr_expect(OPS->get_counters(b).applied_steps == 4 && OPS->get_counters(b).consecutive_skips == 3);
        cr_expect(OPS->n_launches(b) == (per_launch ? 7 : 2) && b->n_idle_launches == (per_launch ? 2 : 0));
        expect_untouched(r, b, before, name);
        free(before);
        OPS->destroy(b);
        gpu_rig_free(r);
      }
    }
  }
}

/* After the error the backend goes on where the caller lets it. */
Test(steps, goes_on_after_skips) {
  gpu_rig *r = gpu_rig_make(VISE_ADAM);
  vise_error err = VISE_ERROR_INIT;
  r->x[r->order[0] * RIG_IN + 5] = NAN;
  r->spec.max_skips = 1;
  vise_i_backend *b = gpu_rig_start(r);
  run(b, r, 0, 3, VISE_ERR_NONFINITE, 1, r->stats, &err);
  run(b, r, 1, 3, VISE_OK, 3, r->stats, &err);
  cr_expect(!r->stats[0].skipped && OPS->get_counters(b).applied_steps == 3);
  cr_expect(OPS->get_counters(b).consecutive_skips == 0);
  OPS->destroy(b);
  gpu_rig_free(r);
}

Test(steps, nonfinite_weights_skip_without_a_trace) {
  gpu_rig *r = gpu_rig_make(VISE_RMSPROP);
  vise_error err = VISE_ERROR_INIT;
  vise_i_backend *b = gpu_rig_start(r);
  run(b, r, 0, 2, VISE_OK, 2, r->stats, &err);
  float *state = gpu_rig_snapshot(r, b);
  state[r->net.tensors[0].offset + 40] = NAN;
  cr_assert(OPS->set_state(b, VISE_I_PARAMS, state, &err) == VISE_OK);
  run(b, r, 2, 2, VISE_OK, 2, r->stats, &err);
  cr_expect(r->stats[0].skipped && r->stats[1].skipped && isnan(r->stats[0].loss));
  expect_untouched(r, b, state, "a weight that is NaN");
  free(state);
  OPS->destroy(b);
  gpu_rig_free(r);
}

/* A gradient that overflows only with its penalty, behind a value clip that would hide it. */
Test(steps, penalty_overflow_skips_despite_the_value_clip) {
  for (int scope = VISE_CLIP_SCOPE_TOTAL; scope <= VISE_CLIP_SCOPE_DATA; scope++) {
    gpu_rig *r = gpu_rig_make(VISE_SGD);
    vise_error err = VISE_ERROR_INIT;
    r->spec.k2 = 1e39;
    r->spec.clip_scope = (vise_clip_scope)scope;
    vise_i_backend *b = gpu_rig_start(r);
    float *before = gpu_rig_snapshot(r, b);
    run(b, r, 0, 1, VISE_OK, 1, r->stats, &err);
    cr_expect(r->stats[0].skipped && r->stats[0].bad_tensor == 0 && r->stats[0].n_nonfinite == 0);
    expect_untouched(r, b, before, vise_clip_scope_name((vise_clip_scope)scope));
    free(before);
    OPS->destroy(b);
    gpu_rig_free(r);
  }
}

Test(steps, halt_ends_at_once_and_propagate_goes_on) {
  gpu_rig *r = gpu_rig_make(VISE_SGD);
  vise_error err = VISE_ERROR_INIT;
  r->x[r->order[0] * RIG_IN] = NAN;
  r->spec.nonfinite = VISE_NONFINITE_HALT;
  r->spec.steps_per_launch = 1;
  vise_i_backend *b = gpu_rig_start(r);
  float *before = gpu_rig_snapshot(r, b);
  run(b, r, 0, 10, VISE_ERR_NONFINITE, 1, r->stats, &err);
  cr_expect(OPS->n_launches(b) == 1 && b->n_idle_launches == 9);
  cr_expect(r->stats[0].skipped && r->stats[0].n_nonfinite > 0 && r->stats[0].bad_tensor == 0);
  cr_expect(OPS->tensor_stats(b)[0].n_nonfinite > 0);
  cr_expect(strstr(err.text, "the step was not finite (policy halt): loss nan, gradient norm nan, first in 0.weight"),
            "%s", err.text);
  expect_untouched(r, b, before, "halt");
  free(before);
  OPS->destroy(b);
  r->spec.nonfinite = VISE_NONFINITE_PROPAGATE;
  b = gpu_rig_start(r);
  run(b, r, 0, 2, VISE_OK, 2, r->stats, &err);
  cr_expect(!r->stats[0].skipped && !r->stats[1].skipped && isnan(r->stats[1].loss));
  float *after = gpu_rig_snapshot(r, b);
  size_t n_nan = 0;
  for (size_t i = 0; i < r->net.n_params; i++) n_nan += isnan(after[i]);
  cr_expect(n_nan > 0, "no NaN went through clip, clamp and max-norm");
  free(after);
  OPS->destroy(b);
  gpu_rig_free(r);
}

/* ---- errors ---- */

Test(steps, a_device_error_poisons) {
  gpu_rig *r = gpu_rig_make(VISE_SGD);
  vise_error first = VISE_ERROR_INIT, later = VISE_ERROR_INIT;
  vise_i_backend *b = gpu_rig_start(r);
  double out[RIG_ROWS * RIG_OUT];
  float *state = gpu_rig_snapshot(r, b);
  b->train.step.n_members = 100000; /* more than any device holds at once */
  run(b, r, 0, 2, VISE_ERR_DEVICE, 0, r->stats, &first);
  cr_expect(strstr(first.text, "CUDA device 0: ") && strstr(first.text, ".c:"), "%s", first.text);
  run(b, r, 0, 2, VISE_ERR_DEVICE, 0, r->stats, &later);
  cr_expect_str_eq(later.text, first.text);
  cr_expect(OPS->get_state(b, VISE_I_PARAMS, state, NULL) == VISE_ERR_DEVICE);
  cr_expect(OPS->set_state(b, VISE_I_PARAMS, state, NULL) == VISE_ERR_DEVICE);
  cr_expect(OPS->project(b, &r->hyper[0], NULL) == VISE_ERR_DEVICE);
  cr_expect(OPS->bind(b, &r->data, NULL) == VISE_ERR_DEVICE);
  cr_expect(OPS->set_order(b, r->order, RIG_ROWS, NULL) == VISE_ERR_DEVICE);
  cr_expect(OPS->forward(b, &r->data, NULL, RIG_ROWS, out, NULL) == VISE_ERR_DEVICE);
  free(state);
  OPS->destroy(b);
  gpu_rig_free(r);
}

Test(steps, refuses_what_does_not_fit) {
  gpu_rig *r = gpu_rig_make(VISE_SGD);
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
  gpu_rig_free(r);
}

Test(steps, guards_stay_as_they_are) {
  for (int optimizer = VISE_SGD; optimizer <= VISE_ADAM; optimizer++) {
    gpu_rig *r = gpu_rig_make((vise_optimizer)optimizer);
    vise_error err = VISE_ERROR_INIT;
    double out[RIG_ROWS * RIG_OUT], *gradient = calloc(r->net.n_params, sizeof *gradient);
    r->spec.guard_bytes = 256;
    r->spec.clip_norm_p = VISE_NORM_INF;
    vise_i_backend *b = gpu_rig_start(r);
    gpu_rig_run(r, b, RIG_STEPS, RIG_STEPS, NULL);
    cr_assert(OPS->forward(b, &r->data, NULL, RIG_ROWS, out, &err) == VISE_OK, "%s", err.text);
    cr_assert(OPS->full_gradient(b, &r->data, NULL, RIG_ROWS, gradient, NULL, NULL, &err) == VISE_OK, "%s", err.text);
    cr_expect(vise_i_cuda_check_guards(b, &err) == VISE_OK, "%s", err.text);
    const vise_i_plan_array *moments = &b->train.plan.arrays[VISE_I_PLAN_MOMENT1];
    cr_assert(cudaMemset(b->arena + moments->offset + moments->n_bytes + 3, 0, 1) == cudaSuccess);
    cr_assert(cudaDeviceSynchronize() == cudaSuccess);
    cr_expect(vise_i_cuda_check_guards(b, &err) == VISE_ERR_INTERNAL && strstr(err.text, "behind the first moments"),
              "%s", err.text);
    free(gradient);
    OPS->destroy(b);
    gpu_rig_free(r);
  }
}
