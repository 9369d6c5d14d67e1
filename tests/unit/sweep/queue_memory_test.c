/* Every allocation of a fit fails once: the call or the result says so, and nothing leaks. One thread at a time
   allocates here: the one that calls, or the one that fits. */
#include "tests/support/allocation_fault.h"
#include "tests/unit/sweep/queue_rig.h"

TestSuite(sweep_queue_memory, .init = queue_make_data, .fini = queue_free_data);

static vise_status run(const vise_sweep_fit *fit, vise_sweep_result *result) {
  vise_error err = VISE_ERROR_INIT;
  vise_sweep *sweep = NULL;
  vise_sweep_config config;
  bool found = false;
  vise_sweep_config_init(&config);
  config.n_jobs = 1;

  vise_status status = vise_sweep_create(&config, &sweep, &err);
  if (status == VISE_OK) status = vise_sweep_submit(sweep, fit, &err);
  if (status == VISE_OK) status = vise_sweep_next(sweep, 60, result, &found, &err);
  if (status == VISE_OK) status = found ? result->status : VISE_ERR_INTERNAL;
  vise_sweep_free(sweep);
  return status;
}

Test(sweep_queue_memory, every_failure_is_told) {
  queue_case c;
  vise_dataset *rows = rig_classes(13, 4, 3, 1);
  static const double weights[] = {1, 2, 3};
  queue_case_init(&c, VISE_BACKEND_CPU64);
  c.training.class_weights = weights;
  c.training.n_class_weights = 3;
  c.training.epochs = 1;
  c.fit.keep_state = true;
  c.fit.training = &c.training;
  c.fit.net = &c.net;
  c.fit.train = c.fit.validation = rows;

  size_t n_failed = 0;
  for (bool failed = true; failed; n_failed += failed) {
    vise_sweep_result result = {0};
    fault_arm(n_failed);
    const vise_status status = run(&c.fit, &result);
    failed = fault.has_failed;
    fault_disarm();
    cr_assert_eq(status, failed ? VISE_ERR_MEMORY : VISE_OK, "allocation %zu: %d %s", n_failed, (int)status,
                 result.error.text);
    cr_assert_eq(result.model != NULL, !failed);
    cr_assert_eq(result.state != NULL, !failed);
    vise_sweep_result_clear(&result);
  }
  cr_assert_gt(n_failed, 30);
  vise_dataset_free(rows);
}
