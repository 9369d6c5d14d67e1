/* Schedules against numbers worked out by hand. */
#include "host/train/schedule.h"

#include "rig.h"

static void expect(const vise_schedule_config *schedule, uint64_t s, uint64_t epoch, uint64_t planned, double wanted) {
  const double got = vise_i_schedule_factor(schedule, s, epoch, planned);
  cr_expect(fabs(got - wanted) <= 1e-15, "s %llu of %llu: %.17g, expected %.17g", (unsigned long long)s,
            (unsigned long long)planned, got, wanted);
}

Test(schedule, constant_warms_up_linearly) {
  vise_schedule_config schedule = {.kind = VISE_SCHEDULE_CONSTANT, .warmup_steps = 4};
  const double wanted[] = {0.25, 0.5, 0.75, 1, 1, 1};
  for (size_t s = 0; s < 6; s++) expect(&schedule, s, 0, 0, wanted[s]);
  schedule.warmup_steps = 0;
  for (size_t s = 0; s < 6; s++) expect(&schedule, s, 0, 0, 1);
}

Test(schedule, linear_goes_to_the_final_ratio) {
  const vise_schedule_config schedule = {.kind = VISE_SCHEDULE_LINEAR, .final_ratio = 0.2};
  /* f = 1 - 0.8 s/8 */
  const double wanted[] = {1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.2};
  for (size_t s = 0; s < 10; s++) expect(&schedule, s, 0, 8, wanted[s]);
}

Test(schedule, linear_starts_after_the_warm_up) {
  const vise_schedule_config schedule = {.kind = VISE_SCHEDULE_LINEAR, .warmup_steps = 2};
  /* warm: 1/2, 1, 1, ...; p = (s-2)/(6-2) */
  const double wanted[] = {0.5, 1, 1, 0.75, 0.5, 0.25, 0, 0};
  for (size_t s = 0; s < 8; s++) expect(&schedule, s, 0, 6, wanted[s]);
}

Test(schedule, cosine_is_half_way_in_the_middle) {
  const vise_schedule_config schedule = {.kind = VISE_SCHEDULE_COSINE, .final_ratio = 0.1};
  expect(&schedule, 0, 0, 8, 1);
  expect(&schedule, 2, 0, 8, 0.1 + 0.9 * (1 + sqrt(0.5)) / 2);
  expect(&schedule, 4, 0, 8, 0.55);
  expect(&schedule, 8, 0, 8, 0.1);
  expect(&schedule, 99, 0, 8, 0.1);
}

Test(schedule, step_counts_epochs_from_zero) {
  const vise_schedule_config schedule = {.kind = VISE_SCHEDULE_STEP, .gamma = 0.5, .step_epochs = 3};
  const double wanted[] = {1, 1, 1, 0.5, 0.5, 0.5, 0.25};
  for (size_t epoch = 0; epoch < 7; epoch++) expect(&schedule, 100 * epoch, epoch, 0, wanted[epoch]);
}

Test(schedule, plans_go_on_where_a_run_ends_before) {
  vise_train_config config;
  vise_train_config_init(&config);
  config.epochs = 3;
  cr_expect_eq(vise_i_last_step(&config, 7), 21);
  config.stop_after_epoch = 2;
  cr_expect_eq(vise_i_planned_steps(&config, 7), 21);
  cr_expect_eq(vise_i_last_step(&config, 7), 14);
  config.stop_after_epoch = 4;
  cr_expect_eq(vise_i_last_step(&config, 7), 21);
  config.epochs = 0;
  cr_expect_eq(vise_i_last_step(&config, 7), 28);
}

Test(schedule, plans_the_smaller_limit) {
  vise_train_config config;
  vise_train_config_init(&config);

  config.epochs = 3;
  cr_expect_eq(vise_i_planned_steps(&config, 7), 21);
  config.steps = 20;
  cr_expect_eq(vise_i_planned_steps(&config, 7), 20);
  config.epochs = 2;
  cr_expect_eq(vise_i_planned_steps(&config, 7), 14);

  config.epochs = 0;
  cr_expect_eq(vise_i_planned_steps(&config, 7), 20);
  config.steps = 0;
  cr_expect_eq(vise_i_planned_steps(&config, 7), 0);

  config.epochs = UINT64_MAX;
  cr_expect_eq(vise_i_planned_steps(&config, 7), 0, "an overflow is no limit");
}

/* The steps of a trainer use them: lr of step s+1 is lr * factor(s). */
Test(schedule, steps_follow_it) {
  const size_t widths[] = {2, 1};
  vise_dataset *train = rig_regression(10, 2, 3);
  vise_model *model = rig_model(widths, 2, true, VISE_F64);

  vise_train_config config;
  vise_train_config_init(&config);
  config.loss = VISE_LOSS_MSE;
  config.backend = VISE_BACKEND_CPU64;
  config.lr = 0.3;
  config.batch = 4; /* 3 steps an epoch */
  config.epochs = 2;
  config.lr_schedule.kind = VISE_SCHEDULE_LINEAR;

  vise_trainer *trainer = NULL;
  vise_step_stats stats[6];
  size_t n_done = 0;
  OK(vise_trainer_create(&config, model, train, NULL, NULL, &trainer, &rig_err));
  OK(vise_trainer_step(trainer, 6, stats, &n_done, &rig_err));
  cr_assert_eq(n_done, 6);

  for (size_t s = 0; s < 6; s++) {
    EXPECT_NEAR(stats[s].lr, 0.3 * (1 - (double)s / 6), 1e-16);
    cr_expect_eq(stats[s].step, s + 1);
    cr_expect_eq(stats[s].epoch, s / 3 + 1);
    cr_expect_eq(stats[s].n_rows, s % 3 == 2 ? 2 : 4);
  }

  vise_trainer_free(trainer);
  vise_model_free(model);
  vise_dataset_free(train);
}
