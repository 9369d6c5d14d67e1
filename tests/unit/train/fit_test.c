/* A fit in one call. */
#include "rig.h"

Test(fit, is_a_run_with_these_options) {
  vise_dataset *train = rig_classes(40, 4, 3, 1);
  const size_t widths[] = {4, 6, 3};
  vise_model *fitted = NULL, *model = rig_model(widths, 3, true, VISE_F64);
  vise_trainer *trainer = NULL;
  vise_train_config config;
  vise_train_config_init(&config);
  config.backend = VISE_BACKEND_CPU64;
  config.lr = 0.1;
  config.momentum = 0.5;
  config.nesterov = true;
  config.clamp = true;
  config.clamp_lo = -0.5;
  config.clamp_hi = 0.25;
  config.seed = 1;
  config.epochs = 3;

  OK(vise_trainer_create(&config, model, train, NULL, NULL, &trainer, &rig_err));
  OK(vise_trainer_run(trainer, NULL, NULL, &rig_err));
  OK(vise_fit(train, NULL,
              " layers=auto-6-auto lr=0.1\tmomentum=0.5 nesterov clamp=-0.5:0.25\nseed=1 epochs=3 backend=cpu64 "
              "init_scheme=linear ",
              &fitted, &rig_err));
  cr_expect(rig_same_params(fitted, model));

  vise_trainer_free(trainer);
  vise_model_free(fitted);
  vise_model_free(model);
  vise_dataset_free(train);
}

Test(fit, scores_classes_by_accuracy_and_numbers_by_r2) {
  vise_dataset *classes = rig_classes(200, 4, 3, 1), *numbers = rig_regression(200, 4, 1);
  vise_model *model = NULL;
  double score = 0;

  OK(vise_fit(classes, NULL, NULL, &model, &rig_err));
  cr_expect_eq(vise_model_n_layers(model), 1);
  cr_expect_eq(vise_model_width(model, 1), 3);
  vise_metrics metrics;
  OK(vise_evaluate(model, classes, NULL, &metrics, &rig_err));
  OK(vise_score(model, classes, &score, &rig_err));
  cr_expect_eq(score, metrics.accuracy);
  vise_model_free(model);

  OK(vise_fit(numbers, NULL, "loss=mse no-bias", &model, &rig_err));
  OK(vise_evaluate(model, numbers, NULL, &metrics, &rig_err));
  OK(vise_score(model, numbers, &score, &rig_err));
  cr_expect_eq(score, metrics.r2);
  cr_expect_not(vise_model_has_bias(model));

  vise_model_free(model);
  vise_dataset_free(classes);
  vise_dataset_free(numbers);
}

Test(fit, stops_by_validation) {
  vise_dataset *train = rig_regression(30, 4, 1), *validation = rig_regression(10, 4, 2);
  vise_model *model = NULL;
  REFUSED(vise_fit(train, NULL, "loss=mse patience=2", &model, &rig_err), VISE_ERR_USAGE, "patience");
  OK(vise_fit(train, validation, "loss=mse patience=2 epochs=100000 lr=0.1", &model, &rig_err));
  vise_model_free(model);
  vise_dataset_free(train);
  vise_dataset_free(validation);
}

Test(fit, refuses_and_names_what_is_wrong) {
  vise_dataset *train = rig_classes(20, 4, 3, 1), *numbers = rig_regression(20, 4, 1);
  vise_model *model = NULL;
  static const struct {
    const char *options;
    vise_status status;
    const char *says;
  } cases[] = {
      {"learning-rate=1", VISE_ERR_USAGE, "there is no option 'learning-rate'"},
      {"lr=fast", VISE_ERR_USAGE, "lr"},
      {"lr=-1", VISE_ERR_USAGE, "lr"},
      {"init-scheme=best", VISE_ERR_USAGE, "init_scheme: 'best' is unknown"},
      {"layers=3-5-3", VISE_ERR_SHAPE, "3 inputs"},
      {"layers=auto-2", VISE_ERR_VALUE, "label 2"},
      {"epochs=off", VISE_ERR_USAGE, "nothing would end the run"},
      {"lr=1e300 epochs=2 nonfinite=halt l2=1e300", VISE_ERR_NONFINITE, ""},
  };

  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    REFUSED(vise_fit(train, NULL, cases[i].options, &model, &rig_err), cases[i].status, cases[i].says);
  }
  REFUSED(vise_fit(numbers, NULL, NULL, &model, &rig_err), VISE_ERR_VALUE, "for numbers choose mse");
  cr_expect_null(model);

  vise_dataset_free(train);
  vise_dataset_free(numbers);
}

Test(fit, takes_batch_norm_dropout_and_residuals) {
  vise_dataset *train = rig_classes(60, 4, 3, 1);
  vise_model *model = NULL;
  OK(vise_fit(train, NULL,
              "layers=auto-6-6-auto batch-norm dropout=0.25 input_dropout=0.1 residual epochs=2 backend=cpu64", &model,
              &rig_err));
  cr_expect_eq(vise_model_n_listed(model), 11);
  vise_model_free(model);
  model = NULL;
  REFUSED(vise_fit(train, NULL, "layers=auto-6-auto dropout=1 backend=cpu64", &model, &rig_err), VISE_ERR_USAGE,
          "dropout");
  cr_expect_null(model);
  vise_dataset_free(train);
}
