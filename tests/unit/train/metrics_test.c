/* Loss, accuracy, RMSE and R^2: against the loss that a step reports, and against numbers worked out by hand. */
#include "host/train/metrics.h"

#include "host/train/trainer.h"
#include "rig.h"

static double noise(size_t i) {
  return sin(12.9898 * (double)i + 1) * 2;
}

typedef enum labels { VALUES, CLASSES, ZERO_ONE, MINUS_ONE } labels;

/* 17 rows of 3 features with targets of the given kind, weighted if asked. */
static vise_dataset *make_data(labels kind, size_t n_targets, size_t n_outputs, bool weighted) {
  enum { N = 17 };
  double x[N * 3], y[N * 4], weights[N];

  for (size_t i = 0; i < N * 3; i++) x[i] = noise(i);
  for (size_t i = 0; i < N * n_targets; i++) {
    const double v = noise(1000 + i);
    y[i] = kind == VALUES ? 2 * v : (v > 0 ? 1 : (kind == MINUS_ONE ? -1 : 0));
    if (kind == CLASSES) y[i] = (double)(i * 7 % n_outputs);
  }
  for (size_t i = 0; i < N; i++) weights[i] = (double)(i % 4);

  const vise_array features = vise_array_of(x, VISE_F64, N, 3), targets = vise_array_of(y, VISE_F64, N, n_targets);
  const vise_array row_weights = vise_array_of(weights, VISE_F64, N, 1);
  vise_dataset *dataset = NULL;
  OK(vise_dataset_from_arrays(&features, &targets, weighted ? &row_weights : NULL, true, &dataset, &rig_err));
  return dataset;
}

/* Of the held-out rows, `chunk` at a time. */
static vise_metrics metrics_of_rows(vise_trainer *trainer, size_t chunk) {
  const vise_i_metrics_spec spec = vise_i_metrics_spec_of_step(&trainer->spec);
  const vise_i_pass pass = {.backend = trainer->backend, .view = &trainer->validation, .chunk = chunk};
  vise_metrics out;
  OK(vise_i_metrics_of_view(&pass, &spec, &out, &rig_err));
  return out;
}

/* The validation metrics just before a step on all rows are what the step reports. */
static void check_against_step(vise_train_config *config, labels kind, size_t n_targets, size_t n_outputs,
                               bool weighted) {
  const size_t widths[] = {3, 5, n_outputs};
  vise_dataset *data = make_data(kind, n_targets, n_outputs, weighted);
  vise_model *model = rig_model(widths, 3, true, VISE_F64);
  vise_trainer *trainer = NULL;
  vise_step_stats stats;

  config->backend = VISE_BACKEND_CPU64;
  config->batch = 0;
  OK(vise_trainer_create(config, model, data, data, NULL, &trainer, &rig_err));

  const vise_metrics whole = metrics_of_rows(trainer, 0), chunked = metrics_of_rows(trainer, 4);
  OK(vise_trainer_step(trainer, 1, &stats, NULL, &rig_err));

  const char *name = vise_loss_name(config->loss);
  cr_expect(fabs(whole.loss - stats.loss) <= 1e-13 * fabs(stats.loss), "%s, %zu outputs: %.17g, the step's %.17g", name,
            n_outputs, whole.loss, stats.loss);
  EXPECT_NEAR(chunked.loss, whole.loss, 1e-13 * fabs(whole.loss));
  cr_expect_eq(whole.n_rows, 17);
  if (vise_i_loss_is_regression(config->loss)) {
    cr_expect(isnan(whole.accuracy) && isfinite(whole.rmse) && isfinite(whole.r2));
  } else {
    cr_expect(whole.accuracy == (double)stats.n_correct / 17, "%s: %g of %llu", name, whole.accuracy,
              (unsigned long long)stats.n_correct);
    cr_expect(isnan(whole.rmse) && isnan(whole.r2));
  }

  vise_trainer_free(trainer);
  vise_model_free(model);
  vise_dataset_free(data);
}

Test(metrics, are_what_a_step_reports) {
  const double class_weights[] = {0.5, 2, 1, 3};
  const struct {
    vise_loss loss;
    labels kind;
    size_t n_targets, n_outputs, n_class_weights;
  } cases[] = {
      {VISE_LOSS_CROSS_ENTROPY, CLASSES, 1, 4, 4},
      {VISE_LOSS_BCE, ZERO_ONE, 1, 1, 2},
      {VISE_LOSS_BCE, ZERO_ONE, 3, 3, 0},
      {VISE_LOSS_BCE, CLASSES, 1, 4, 4},
      {VISE_LOSS_MSE, VALUES, 1, 1, 0},
      {VISE_LOSS_MSE, VALUES, 3, 3, 0},
      {VISE_LOSS_MSE, CLASSES, 1, 4, 4},
      {VISE_LOSS_HUBER, VALUES, 2, 2, 0},
      {VISE_LOSS_HUBER, CLASSES, 1, 3, 3},
      {VISE_LOSS_POISSON, ZERO_ONE, 1, 1, 0},
      {VISE_LOSS_POISSON, ZERO_ONE, 3, 3, 0},
      {VISE_LOSS_POISSON, CLASSES, 1, 4, 4},
      {VISE_LOSS_HINGE, MINUS_ONE, 1, 1, 2},
      {VISE_LOSS_HINGE, ZERO_ONE, 1, 1, 2},
      {VISE_LOSS_HINGE, CLASSES, 1, 4, 4},
      {VISE_LOSS_HINGE, MINUS_ONE, 3, 3, 0},
  };

  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    for (unsigned variant = 0; variant < 12; variant++) {
      vise_train_config config;
      vise_train_config_init(&config);
      config.loss = cases[i].loss;

      if ((variant & 1) != 0 && cases[i].n_class_weights > 0) {
        config.class_weights = class_weights;
        config.n_class_weights = cases[i].n_class_weights;
      }

      const bool weighted = (variant & 2) != 0;
      if (config.loss == VISE_LOSS_CROSS_ENTROPY) config.label_smoothing = 0.1 * (variant / 4);
      if (config.loss == VISE_LOSS_MSE) config.mse_reduction = (vise_mse_reduction)(variant / 4);
      const bool regression = config.loss == VISE_LOSS_MSE || config.loss == VISE_LOSS_HUBER;
      config.scale_target = regression && cases[i].kind == VALUES && variant % 3 == 0;

      check_against_step(&config, cases[i].kind, cases[i].n_targets, cases[i].n_outputs, weighted);
    }
  }
}

/* y = 2 x on x = 1..4 with the weight 1.5: residuals -0.5 x. */
Test(metrics, rmse_and_r2_by_hand) {
  const double x[] = {1, 2, 3, 4}, y[] = {2, 4, 6, 8}, w = 1.5;
  const size_t widths[] = {1, 1};
  vise_dataset *data = rig_dataset(x, 4, 1, y, 1);

  for (size_t scaled = 0; scaled < 2; scaled++) {
    vise_model *model = rig_model(widths, 2, scaled == 1, VISE_F64);
    vise_train_config config;
    vise_train_config_init(&config);
    config.loss = VISE_LOSS_MSE;
    config.backend = VISE_BACKEND_CPU64;
    config.scale_target = scaled == 1;

    vise_trainer *trainer = NULL;
    if (scaled == 1) {
      /* Targets are (y-5)/sqrt(5): these weights give 1.5 x in their units. */
      const double scaled_w = 1.5 / sqrt(5), scaled_b = -5 / sqrt(5);
      OK(vise_model_set_tensor(model, 0, &scaled_w, 1, &rig_err));
      OK(vise_model_set_tensor(model, 1, &scaled_b, 1, &rig_err));
    } else {
      OK(vise_model_set_tensor(model, 0, &w, 1, &rig_err));
    }
    OK(vise_trainer_create(&config, model, data, data, NULL, &trainer, &rig_err));

    const vise_metrics m = metrics_of_rows(trainer, 0);

    EXPECT_NEAR(m.rmse, sqrt(30.0 / 16), 1e-13); /* mean of (0.5 x)^2 = 7.5/4 */
    EXPECT_NEAR(m.r2, 1 - 7.5 / 20, 1e-13);
    EXPECT_NEAR(m.loss, scaled == 1 ? 7.5 / 8 / 5 : 7.5 / 8, 1e-13);

    vise_trainer_free(trainer);
    vise_model_free(model);
  }
  vise_dataset_free(data);
}

Test(metrics, of_a_selection_are_of_its_rows) {
  const size_t widths[] = {4, 3}, rows[] = {19, 3, 7, 7, 0};
  vise_dataset *all = rig_classes(20, 4, 3, 1), *some = NULL;
  vise_model *model = rig_model(widths, 2, true, VISE_F64);
  OK(vise_dataset_select(all, rows, 5, &some, &rig_err));

  vise_train_config config;
  vise_train_config_init(&config);
  config.backend = VISE_BACKEND_CPU64;
  vise_trainer *trainer = NULL;
  OK(vise_trainer_create(&config, model, all, some, NULL, &trainer, &rig_err));

  const vise_metrics m = metrics_of_rows(trainer, 2);

  double sum = 0;
  for (size_t i = 0; i < 5; i++) {
    double x[4], y, z[3];
    OK(vise_dataset_get_features(all, rows[i], x, &rig_err));
    OK(vise_dataset_get_targets(all, rows[i], &y, &rig_err));
    const vise_array array = vise_array_of(x, VISE_F64, 1, 4);
    OK(vise_trainer_forward(trainer, &array, z, &rig_err));
    sum += log(exp(z[0]) + exp(z[1]) + exp(z[2])) - z[(size_t)y];
  }

  EXPECT_NEAR(m.loss, sum / 5, 1e-13);
  cr_expect_eq(m.n_rows, 5);
  vise_trainer_free(trainer);
  vise_model_free(model);
  vise_dataset_free(some);
  vise_dataset_free(all);
}
