/* Steps on the caller's own rows, the caller's own gradient, and forward passes. */
#include <stdlib.h>

#include "rig.h"

enum { N_ROWS = 22, N_FEATURES = 4, BATCH = 5 };
static const size_t widths[] = {N_FEATURES, 6, 3};

/* The values of a dataset in file order. */
typedef struct values {
  double *x, *y;
  int64_t *labels;
} values;

static values read_values(const vise_dataset *dataset) {
  const size_t n = vise_dataset_n_rows(dataset), n_features = vise_dataset_n_features(dataset);
  values v = {malloc(n * n_features * sizeof(double)), malloc(n * sizeof(double)), malloc(n * sizeof(int64_t))};
  for (size_t i = 0; i < n; i++) {
    OK(vise_dataset_get_features(dataset, i, v.x + i * n_features, &rig_err));
    OK(vise_dataset_get_targets(dataset, i, v.y + i, &rig_err));
    v.labels[i] = (int64_t)v.y[i];
  }
  return v;
}

static void free_values(values *v) {
  free(v->x);
  free(v->y);
  free(v->labels);
}

static void check_own_batches(vise_backend backend, vise_dtype dtype, vise_optimizer optimizer) {
  vise_dataset *train = rig_classes(N_ROWS, N_FEATURES, 3, 1);
  vise_model *a = rig_model(widths, 3, true, dtype), *b = rig_model(widths, 3, true, dtype);

  vise_train_config config;
  vise_train_config_init(&config);
  config.backend = backend;
  config.optimizer = optimizer;
  config.scale = VISE_SCALE_STANDARD;
  config.shuffle = false;
  config.batch = BATCH;
  config.l2 = 1e-3;
  config.clip_norm = 0.3;
  config.clamp = true;
  config.clamp_lo = -0.3;
  config.clamp_hi = 0.5;
  config.lr = 0.05;

  vise_trainer *by_data = NULL, *by_hand = NULL;
  OK(vise_trainer_create(&config, a, train, NULL, NULL, &by_data, &rig_err));
  OK(vise_trainer_create(&config, b, train, NULL, NULL, &by_hand, &rig_err));
  values v = read_values(train);

  for (size_t step = 0; step < 10; step++) {
    const size_t first = step % 5 * BATCH, n = N_ROWS - first < BATCH ? N_ROWS - first : BATCH;
    const vise_array x = vise_array_of(v.x + first * N_FEATURES, VISE_F64, n, N_FEATURES);
    const vise_array y = vise_array_of(v.labels + first, VISE_I64, n, 1);
    vise_step_stats p, q;

    OK(vise_trainer_step(by_data, 1, &p, NULL, &rig_err));
    OK(vise_trainer_step_batch(by_hand, &x, &y, NULL, &q, &rig_err));
    cr_expect(p.loss == q.loss && p.grad_norm == q.grad_norm && p.n_rows == q.n_rows && p.n_correct == q.n_correct,
              "step %zu: %.17g, %.17g", step, p.loss, q.loss);
    cr_expect(p.step == q.step && p.epoch == step / 5 + 1 && q.epoch == 0);
  }

  OK(vise_trainer_sync(by_data, &rig_err));
  OK(vise_trainer_sync(by_hand, &rig_err));
  cr_expect(rig_same_params(a, b));

  free_values(&v);
  vise_trainer_free(by_data);
  vise_trainer_free(by_hand);
  vise_model_free(a);
  vise_model_free(b);
  vise_dataset_free(train);
}

Test(batches, equal_the_training_data_bit_for_bit) {
  check_own_batches(VISE_BACKEND_CPU64, VISE_F64, VISE_SGD);
  check_own_batches(VISE_BACKEND_CPU, VISE_F32, VISE_SGD);
  check_own_batches(VISE_BACKEND_CPU, VISE_F32, VISE_ADAM);
}

/* A batch larger than any before: the state of the optimizer must survive. */
Test(batches, may_grow_at_any_time) {
  for (size_t i = 0; i < 2; i++) {
    const vise_dtype dtype = i == 0 ? VISE_F64 : VISE_F32;
    vise_dataset *train = rig_classes(N_ROWS, N_FEATURES, 3, 1);
    vise_model *a = rig_model(widths, 3, true, dtype), *b = rig_model(widths, 3, true, dtype);

    vise_train_config config;
    vise_train_config_init(&config);
    config.backend = i == 0 ? VISE_BACKEND_CPU64 : VISE_BACKEND_CPU;
    config.optimizer = VISE_ADAM;
    config.batch = 2;
    config.n_threads = 1;

    vise_trainer *small = NULL, *large = NULL;
    OK(vise_trainer_create(&config, a, NULL, NULL, NULL, &small, &rig_err));
    config.batch = 1000;
    OK(vise_trainer_create(&config, b, NULL, NULL, NULL, &large, &rig_err));

    values v = read_values(train);
    const size_t sizes[] = {1, 2, 3, 20, 1, 22};
    for (size_t k = 0; k < 6; k++) {
      const vise_array x = vise_array_of(v.x, VISE_F64, sizes[k], N_FEATURES);
      const vise_array y = vise_array_of(v.labels, VISE_I64, sizes[k], 1);
      OK(vise_trainer_step_batch(small, &x, &y, NULL, NULL, &rig_err));
      OK(vise_trainer_step_batch(large, &x, &y, NULL, NULL, &rig_err));
    }

    OK(vise_trainer_sync(small, &rig_err));
    OK(vise_trainer_sync(large, &rig_err));
    cr_expect(rig_same_params(a, b));

    free_values(&v);
    vise_trainer_free(small);
    vise_trainer_free(large);
    vise_model_free(a);
    vise_model_free(b);
    vise_dataset_free(train);
  }
}

Test(batches, external_gradients_do_what_the_loss_does) {
  const size_t sizes[] = {N_FEATURES, 5, 1};
  vise_dataset *train = rig_regression(N_ROWS, N_FEATURES, 1);
  vise_model *a = rig_model(sizes, 3, true, VISE_F64), *b = rig_model(sizes, 3, true, VISE_F64);

  vise_train_config config;
  vise_train_config_init(&config);
  config.backend = VISE_BACKEND_CPU64;
  config.loss = VISE_LOSS_MSE;
  config.lr = 0.1;
  config.momentum = 0.5;
  config.l1 = 1e-3;

  vise_trainer *own = NULL, *external = NULL;
  OK(vise_trainer_create(&config, a, NULL, NULL, NULL, &own, &rig_err));
  config.loss = VISE_LOSS_EXTERNAL;
  OK(vise_trainer_create(&config, b, NULL, NULL, NULL, &external, &rig_err));

  values v = read_values(train);
  const vise_array x = vise_array_of(v.x, VISE_F64, N_ROWS, N_FEATURES);
  const vise_array y = vise_array_of(v.y, VISE_F64, N_ROWS, 1);
  double out[N_ROWS], delta[N_ROWS];

  for (size_t step = 0; step < 30; step++) {
    vise_step_stats p, q;
    OK(vise_trainer_forward(external, &x, out, &rig_err));
    for (size_t i = 0; i < N_ROWS; i++) delta[i] = (out[i] - v.y[i]) / N_ROWS;
    const vise_array d = vise_array_of(delta, VISE_F64, N_ROWS, 1);

    OK(vise_trainer_step_batch(own, &x, &y, NULL, &p, &rig_err));
    OK(vise_trainer_step_external(external, &x, &d, 42, &q, &rig_err));
    cr_expect(q.loss == 42);
    EXPECT_NEAR(q.grad_norm, p.grad_norm, 1e-12 * p.grad_norm);
  }

  OK(vise_trainer_sync(own, &rig_err));
  OK(vise_trainer_sync(external, &rig_err));
  double *p = rig_params(a), *q = rig_params(b);
  for (size_t i = 0; i < vise_model_n_parameters(a); i++) EXPECT_NEAR(q[i], p[i], 1e-12);

  const vise_array flat = vise_array_of(delta, VISE_F64, N_ROWS / 2, 2), bytes = vise_array_of("", VISE_U8, N_ROWS, 1);
  REFUSED(vise_trainer_step_external(external, &x, &flat, 0, NULL, &rig_err), VISE_ERR_SHAPE, "delta is [11, 2]");
  REFUSED(vise_trainer_step_external(external, &x, &bytes, 0, NULL, &rig_err), VISE_ERR_USAGE, "delta is u8");
  REFUSED(vise_trainer_step_batch(external, &x, &y, NULL, NULL, &rig_err), VISE_ERR_STATE, "external");
  REFUSED(vise_trainer_step_external(own, &x, &flat, 0, NULL, &rig_err), VISE_ERR_STATE, "not external");

  free(p);
  free(q);
  free_values(&v);
  vise_trainer_free(own);
  vise_trainer_free(external);
  vise_model_free(a);
  vise_model_free(b);
  vise_dataset_free(train);
}

Test(batches, are_checked_like_data) {
  vise_model *model = rig_model(widths, 3, true, VISE_F32);
  vise_train_config config;
  vise_train_config_init(&config);
  vise_trainer *trainer = NULL;
  OK(vise_trainer_create(&config, model, NULL, NULL, NULL, &trainer, &rig_err));

  double numbers[2 * N_FEATURES] = {0};
  int64_t labels[2] = {0, 3};
  vise_array x = vise_array_of(numbers, VISE_F64, 2, N_FEATURES), y = vise_array_of(labels, VISE_I64, 2, 1);

  REFUSED(vise_trainer_step_batch(trainer, &x, &y, NULL, NULL, &rig_err), VISE_ERR_VALUE, "3");
  labels[1] = 2;
  numbers[5] = NAN;
  REFUSED(vise_trainer_step_batch(trainer, &x, &y, NULL, NULL, &rig_err), VISE_ERR_VALUE,
          "row 1, column 1 (from 0) is nan");
  numbers[5] = 0;

  const vise_array narrow = vise_array_of(numbers, VISE_F64, 2, 3), none = vise_array_of(numbers, VISE_F64, 0, 4);
  REFUSED(vise_trainer_step_batch(trainer, &narrow, &y, NULL, NULL, &rig_err), VISE_ERR_SHAPE, "3 features");
  REFUSED(vise_trainer_step_batch(trainer, &none, &y, NULL, NULL, &rig_err), VISE_ERR_SHAPE, "no rows");
  REFUSED(vise_trainer_step_batch(trainer, &x, NULL, NULL, NULL, &rig_err), VISE_ERR_USAGE, "y is NULL");

  REFUSED(vise_trainer_step(trainer, 1, NULL, NULL, &rig_err), VISE_ERR_STATE, "without training data");
  const vise_run_config run = rig_run_config(NULL, NULL);
  REFUSED(vise_trainer_run(trainer, &run, NULL, &rig_err), VISE_ERR_STATE, "without training data");
  REFUSED(vise_trainer_set_lr(trainer, -1, &rig_err), VISE_ERR_USAGE, "-1");
  REFUSED(vise_trainer_set_lr(trainer, NAN, &rig_err), VISE_ERR_USAGE, "nan");

  vise_tensor_stats tensors[4];
  OK(vise_trainer_step_batch(trainer, &x, &y, NULL, NULL, &rig_err));
  OK(vise_trainer_tensor_stats(trainer, tensors, 4, &rig_err));
  REFUSED(vise_trainer_tensor_stats(trainer, tensors, 3, &rig_err), VISE_ERR_SHAPE, "3");

  vise_trainer_free(trainer);
  vise_model_free(model);
}
