/* Fits of a sweep on cuda, in buckets: each is what a trainer's run on cuda is, bit for bit. */
#include <criterion/criterion.h>
#include <math.h>

#include "host/backend/group.h"
#include "tests/unit/sweep/queue_rig.h"

TestSuite(sweep, .init = queue_make_data, .fini = queue_free_data);

Test(sweep, fits_are_runs) {
  queue_expect_runs(VISE_BACKEND_CUDA, 1);
}

Test(sweep, fits_go_on_as_if_they_had_never_stopped) {
  queue_expect_parts(VISE_BACKEND_CUDA);
}

Test(sweep, fits_that_are_not_finite_hurt_nobody) {
  queue_expect_bad_fits_alone(VISE_BACKEND_CUDA);
}

/* Every other net has another shape. */
static void configure(size_t i, queue_case *c) {
  queue_configure(i, VISE_BACKEND_CUDA, c);
  if (i % 2 == 1) OK(vise_net_config_set(&c->net, "layers", "4-5-7-3", &rig_err));
}

/* Nets of two shapes are two buckets. */
Test(sweep, shapes_are_trained_one_after_the_other) {
  enum { N = 6 };
  vise_sweep *sweep = queue_sweep(1);
  vise_sweep_result results[N];
  for (size_t i = 0; i < N; i++) {
    queue_case c;
    configure(i, &c);
    queue_submit(sweep, &c, i);
  }

  cr_assert_eq(queue_drain(sweep, results, N), N);
  for (size_t i = 0; i < N; i++) {
    queue_case c;
    configure(i, &c);
    queue_expect_run(&c, &results[i]);
    vise_sweep_result_clear(&results[i]);
  }
  vise_sweep_free(sweep);
}

/* Fits of different lengths. */
static void configure_turn(size_t i, queue_case *c) {
  queue_configure(5, VISE_BACKEND_CUDA, c);
  c->training.steps = 3 * (i + 1);
}

/* Where few fit at a time, a fit that is done gives its place to the next. */
Test(sweep, fits_take_turns_in_little_memory) {
  enum { N = 7 };
  vise_sweep *sweep = queue_sweep(1);
  vise_sweep_result results[N];
  for (size_t i = 0; i < N; i++) {
    queue_case c;
    configure_turn(i, &c);
    c.training.device_memory_limit = (size_t)3200 << 10;
    queue_submit(sweep, &c, i);
  }

  cr_assert_eq(queue_drain(sweep, results, N), N);
  for (size_t i = 0; i < N; i++) {
    queue_case c;
    configure_turn(i, &c);
    queue_expect_run(&c, &results[i]);
    vise_sweep_result_clear(&results[i]);
  }
  vise_sweep_free(sweep);
}

Test(sweep, a_stop_ends_all) {
  enum { N = 5 };
  vise_sweep *sweep = queue_sweep(1);
  vise_sweep_result result;
  bool found = false;
  size_t n = 0;
  for (size_t i = 0; i < N; i++) {
    queue_case c;
    queue_configure(0, VISE_BACKEND_CUDA, &c);
    c.training.epochs = 1000000;
    queue_submit(sweep, &c, i);
  }

  OK(vise_sweep_next(sweep, 0.2, &result, &found, &rig_err));
  cr_assert(!found);
  vise_sweep_stop(sweep);
  for (; queue_next(sweep, &result); n++) {
    cr_assert_eq(result.reason, VISE_STOP_INTERRUPTED);
    vise_sweep_result_clear(&result);
  }
  cr_assert_eq(n, N);
  vise_sweep_free(sweep);
}
