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

/* ---- options as structs ----------------------------------------------------------------------------------------- */

static bool at_once(void *user) {
  (void)user;
  return true;
}

Test(fit, with_structs_is_the_same_fit) {
  vise_dataset *train = rig_classes(40, 4, 3, 1);
  vise_model *by_text = NULL, *by_structs = NULL;
  vise_train_config training;
  vise_net_config net;
  vise_run_config run;
  vise_fit_config config;
  vise_run_result result;
  double losses[3] = {NAN, NAN, NAN};
  vise_train_config_init(&training);
  vise_net_config_init(&net);
  vise_run_config_init(&run);
  vise_fit_config_init(&config);
  OK(vise_net_config_set(&net, "layers", "auto-6-auto", &rig_err));
  training.seed = 7;
  training.epochs = 3;
  run.losses = losses;
  run.n_losses = 3;
  config.training = &training;
  config.net = &net;
  config.init_scheme = VISE_INIT_HE;
  config.run = &run;
  config.train = train;

  OK(vise_fit(train, NULL, "layers=auto-6-auto seed=7 epochs=3 init-scheme=he", &by_text, &rig_err));
  OK(vise_fit_with(&config, &by_structs, &result, &rig_err));
  cr_expect(rig_same_params(by_text, by_structs));
  cr_expect(result.reason == VISE_STOP_EPOCHS && result.epochs == 3 && losses[2] == result.train.loss);
  cr_expect_eq(net.widths[0], 0, "the caller's struct stays as it was");
  vise_model_free(by_structs);

  /* All but the rows may be left out, and a run that is interrupted gives a model too. */
  vise_fit_config_init(&config);
  config.train = train;
  run.interrupted = at_once;
  config.run = &run;
  OK(vise_fit_with(&config, &by_structs, &result, &rig_err));
  cr_expect(result.reason == VISE_STOP_INTERRUPTED && vise_model_n_layers(by_structs) == 1);
  vise_model_free(by_structs);

  by_structs = NULL;
  config.train = NULL;
  EXPECT_ERROR(vise_fit_with(&config, &by_structs, NULL, &rig_err), &rig_err, VISE_ERR_USAGE, "`train` is NULL");
  cr_expect_null(by_structs);
  vise_model_free(by_text);
  vise_dataset_free(train);
}

/* ---- tables ----------------------------------------------------------------------------------------------------- */

static vise_table *numbers_table(const double *x, const double *y, size_t n) {
  vise_table *table = NULL;
  const vise_array features = vise_array_of(x, VISE_F64, n, 1), target = vise_array_of(y, VISE_F64, n, 1);
  OK(vise_table_create("X", n, &table, &rig_err));
  OK(vise_table_add_numbers(table, NULL, &features, &rig_err));
  OK(vise_table_add_numbers(table, NULL, &target, &rig_err));
  return table;
}

Test(fit, prepares_a_table_in_one_call) {
  const double x[] = {1, 2, 3, 6, 100}, y[] = {1.5, 2, 4, 8, 0}, weights[] = {1, 2, 1, 1, 5};
  const size_t rows[] = {0, 1, 2, 3};
  vise_table *table = numbers_table(x, y, 5);
  vise_preprocessor_options options;
  vise_transform_options how;
  vise_preprocessor *made = NULL;
  vise_dataset *train = NULL, *other = NULL;
  const vise_array w = vise_array_of(weights, VISE_F64, 5, 1);
  double input = NAN;
  vise_preprocessor_options_init(&options);
  vise_transform_options_init(&how);
  how.rows = rows;
  how.n_rows = 4;
  how.dtype = VISE_F64;
  how.row_weights = &w;

  OK(vise_dataset_prepare(table, &options, &how, &made, &train, &rig_err));
  vise_column_info info;
  OK(vise_preprocessor_column(made, 0, &info, &rig_err));
  cr_expect_eq(info.shift, 3, "fitted to the rows that are taken");
  cr_expect_eq(vise_dataset_n_rows(train), 4);

  vise_preprocessor *const known = made;
  OK(vise_dataset_prepare(table, NULL, NULL, &made, &other, &rig_err));
  cr_expect(made == known);
  cr_expect_eq(vise_dataset_n_rows(other), 5);
  OK(vise_dataset_get_features(other, 4, &input, &rig_err));
  cr_expect_float_eq(input, (100 - 3) / info.scale, 1e-4);

  /* What fails changes nothing. */
  const vise_array short_weights = vise_array_of(weights, VISE_F64, 3, 1);
  vise_preprocessor *none = NULL;
  vise_dataset *nothing = NULL;
  how.row_weights = &short_weights;
  EXPECT_ERROR(vise_dataset_prepare(table, &options, &how, &none, &nothing, &rig_err), &rig_err, VISE_ERR_SHAPE,
               "row weights: 3 rows");
  cr_expect(none == NULL && nothing == NULL);
  vise_dataset_free(train);
  vise_dataset_free(other);
  vise_preprocessor_free(made);
  vise_table_free(table);
}

/* What a target of n values makes of an open net, the loss given or not. */
typedef struct settled {
  size_t n_values;
  const char *loss; /* NULL: not given */
  vise_loss expected;
  bool scales;
  size_t n_outputs;
} settled;

static void check_settled(const settled *s) {
  double x[60], y[60];
  for (size_t i = 0; i < 60; i++) {
    x[i] = (double)((i * 37) % 60);
    y[i] = s->n_values == 0 ? 0.5 * (double)i : (double)(i % s->n_values);
  }
  vise_table *table = numbers_table(x, y, 60);
  vise_preprocessor_options options;
  vise_train_config training;
  vise_net_config net;
  vise_preprocessor *made = NULL;
  vise_dataset *data = NULL;
  vise_preprocessor_options_init(&options);
  vise_train_config_init(&training);
  vise_net_config_init(&net);
  if (s->loss != NULL) OK(vise_train_config_set(&training, "loss", s->loss, &rig_err));
  options.loss_given = s->loss != NULL;
  options.loss = training.loss;
  options.target_kind = s->n_values == 0 ? VISE_TARGET_NUMBERS : VISE_TARGET_CLASSES;
  if (s->n_outputs == 1 && s->expected == VISE_LOSS_HUBER) options.loss_given = false; /* classes, taken as numbers */

  OK(vise_dataset_prepare(table, &options, NULL, &made, &data, &rig_err));
  vise_train_config_settle(&training, made, s->loss != NULL, false);
  OK(vise_net_config_settle(&net, made, data, training.loss, &rig_err));
  cr_expect_eq(training.loss, s->expected, "%zu values: %s", s->n_values, vise_loss_name(training.loss));
  cr_expect_eq(training.scale_target, s->scales, "%zu values, loss %s", s->n_values, vise_loss_name(training.loss));
  cr_expect_eq(net.widths[net.n_layers], s->n_outputs, "%zu values: %zu outputs", s->n_values, net.widths[1]);

  vise_dataset_free(data);
  vise_preprocessor_free(made);
  vise_table_free(table);
}

Test(fit, the_target_settles_what_nobody_gave) {
  static const settled cases[] = {
      {0, NULL, VISE_LOSS_MSE, true, 1},
      {0, "huber", VISE_LOSS_HUBER, false, 1},
      {0, "mse", VISE_LOSS_MSE, false, 1},
      {3, NULL, VISE_LOSS_CROSS_ENTROPY, false, 3},
      {2, NULL, VISE_LOSS_CROSS_ENTROPY, false, 2},
      {2, "bce", VISE_LOSS_BCE, false, 1},
      {2, "hinge", VISE_LOSS_HINGE, false, 1},
      {3, "hinge", VISE_LOSS_HINGE, false, 3},
      {3, "huber", VISE_LOSS_HUBER, false, 1},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check_settled(&cases[i]);
}

Test(fit, outputs_have_room_for_all_classes) {
  const double x[] = {1, 2, 3, 4, 5, 6}, y[] = {0, 1, 2, 0, 1, 2};
  vise_table *table = numbers_table(x, y, 6);
  vise_preprocessor_options options;
  vise_net_config net;
  vise_preprocessor *made = NULL;
  vise_dataset *data = NULL;
  vise_preprocessor_options_init(&options);
  options.target_kind = VISE_TARGET_CLASSES;
  vise_net_config_init(&net);
  OK(vise_net_config_set(&net, "layers", "auto-4-2", &rig_err));
  OK(vise_dataset_prepare(table, &options, NULL, &made, &data, &rig_err));
  EXPECT_ERROR(vise_net_config_settle(&net, made, data, VISE_LOSS_CROSS_ENTROPY, &rig_err), &rig_err, VISE_ERR_SHAPE,
               "the net has 2 outputs but X has 3 classes; write 3 or auto last");
  cr_expect_eq(net.widths[0], 0);
  vise_dataset_free(data);
  vise_preprocessor_free(made);
  vise_table_free(table);
}
