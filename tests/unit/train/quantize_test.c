/* Training for an integer net: what the model gets is one, to the bit, whatever the backend, the threads or an
   interruption. */
#include <stdlib.h>

#include "host/backend/projection.h"
#include "host/integer/integer.h"
#include "rig.h"

enum { N_ROWS = 300, N_IN = 40, N_CLASSES = 3 };

/* Labels by where the few values lie that are not 0; with `negative` some of these are below it. */
static vise_dataset *make_rows(bool negative) {
  static double x[N_ROWS * N_IN], y[N_ROWS];
  uint64_t state = 7;
  memset(x, 0, sizeof x);
  for (size_t i = 0; i < N_ROWS; i++) {
    y[i] = (double)(i % N_CLASSES);
    for (size_t k = 0; k < 8; k++) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      const size_t at = (i % N_CLASSES) * 10 + (state >> 33) % 18;
      x[i * N_IN + at] = (double)(state >> 40 & 255) / 255 - (negative && k % 4 == 0 ? 0.7 : 0);
    }
  }
  return rig_dataset(x, N_ROWS, N_IN, y, 1);
}

static vise_train_config config_of(const char *format) {
  vise_train_config config;
  vise_train_config_init(&config);
  config.backend = VISE_BACKEND_CPU;
  config.loss = VISE_LOSS_CROSS_ENTROPY;
  config.quantize = format;
  config.lr = 0.1;
  config.momentum = 0.9;
  config.batch = 20;
  config.epochs = 12;
  config.n_threads = 1;
  return config;
}

static vise_model *make_model(vise_activation activation, vise_dtype dtype) {
  const size_t widths[] = {N_IN, 70, 24, N_CLASSES};
  vise_model *model = rig_model(widths, 4, true, dtype);
  OK(vise_model_set_activation(model, activation, &rig_err));
  return model;
}

static vise_trainer *make_trainer(const vise_train_config *config, vise_model *model, vise_dataset *rows) {
  vise_trainer *trainer = NULL;
  OK(vise_trainer_create(config, model, rows, rows, NULL, &trainer, &rig_err));
  return trainer;
}

static vise_model *train(const vise_train_config *config, vise_activation activation, vise_dataset *rows) {
  vise_model *model = make_model(activation, config->backend == VISE_BACKEND_CPU64 ? VISE_F64 : VISE_F32);
  vise_trainer *trainer = make_trainer(config, model, rows);
  OK(vise_trainer_step(trainer, 12 * N_ROWS / 20, NULL, NULL, &rig_err));
  OK(vise_trainer_sync(trainer, &rig_err));
  vise_trainer_free(trainer);
  return model;
}

/* As floats, and as the integers that it is. */
static void check_model(const vise_model *model, const vise_dataset *rows, const char *format, double least) {
  vise_eval_config config;
  vise_metrics plain, exact;
  vise_integer_report report = {0};
  vise_eval_config_init(&config);
  config.backend = VISE_BACKEND_CPU64;
  OK(vise_evaluate(model, rows, &config, &plain, &rig_err));
  config.as = format;
  config.integer = &report;
  OK(vise_evaluate(model, rows, &config, &exact, &rig_err));

  cr_assert(report.is_trained && report.is_proven, "%s", format);
  cr_assert(exact.accuracy >= least, "%s: %g", format, exact.accuracy);
  cr_assert(fabs(exact.accuracy - plain.accuracy) <= 0.05, "%s: %g and %g", format, plain.accuracy, exact.accuracy);
}

Test(quantize, the_model_is_an_integer_net) {
  static const char *const formats[] = {"int8,acc16", "int8,acc14,act4", "int8,acc12,act4,in4", "int8,acc24,act6,in5"};
  static const vise_activation kinds[] = {VISE_RELU, VISE_LEAKY_RELU, VISE_TANH, VISE_SIGMOID, VISE_IDENTITY};
  for (size_t k = 0; k < 5; k++) {
    vise_dataset *rows = make_rows(k % 2 == 1);
    vise_train_config config = config_of(formats[k % 4]);
    if (k == 1) config.clip_norm_type = VISE_CLIP_UNIT; /* the first layer's weights lie by rows */
    if (k == 1) config.clip_norm = 5;
    for (int wide = 0; wide < 2; wide++) {
      config.backend = wide ? VISE_BACKEND_CPU64 : VISE_BACKEND_CPU;
      vise_model *model = train(&config, kinds[k], rows);
      check_model(model, rows, formats[k % 4],
                  kinds[k] == VISE_SIGMOID ? 0.45 : 0.85); /* so few steps train it no further */
      vise_model_free(model);
    }
    vise_dataset_free(rows);
  }
}

/* One step of either backend, from the same weights. */
/* Each row that is rounded on the way is looked at too. */
Test(quantize, the_projection_holds_after_every_step) {
  static const char *const formats[] = {"int8,acc16", "int8,acc10,act2,in3", "int8,acc32"};
  static const vise_activation kinds[] = {VISE_RELU, VISE_TANH, VISE_LEAKY_RELU};
  vise_dataset *rows = make_rows(true);
  for (size_t i = 0; i < 6; i++) {
    vise_train_config config = config_of(formats[i / 2]);
    config.backend = i % 2 == 0 ? VISE_BACKEND_CPU : VISE_BACKEND_CPU64;
    config.assert_projection = true;
    vise_model_free(train(&config, kinds[i / 2], rows));
  }
  vise_dataset_free(rows);
}

static void expect_breach(const vise_i_step_spec *spec, double *w, size_t at, double value, const char *says) {
  vise_error err = VISE_ERROR_INIT;
  const double before = w[at];
  const vise_array weights = vise_array_of(w, VISE_F64, 1, spec->net->n_params);
  OK(vise_i_verify_rounding(spec, spec->quantization->scales, &weights, &rig_err));
  w[at] = value;
  cr_expect_eq(vise_i_verify_rounding(spec, spec->quantization->scales, &weights, &err), VISE_ERR_INTERNAL);
  cr_expect(strstr(err.text, says) != NULL, "\"%s\" does not say \"%s\"", err.text, says);
  w[at] = before;
}

/* 2 inputs up to 255, sums up to 2047: integers up to 8 of a sign, less the bias. */
Test(quantize, rounded_rows_that_do_not_fit_are_seen) {
  vise_model *model = rig_model((const size_t[]){2, 1}, 2, true, VISE_F64);
  vise_i_step_spec spec = {.net = vise_i_model_net(model)};
  vise_i_quantization *q = NULL;
  double w[3] = {0.5 * 5, 0.5 * 3, 0.5 * 0.25 * 7}; /* 5, 3 and 7 */
  const vise_i_integer_format format = {.acc_bits = 12, .act_bits = 8, .in_bits = 8};
  OK(vise_i_quantization_make(spec.net, &format, &q, &rig_err));
  q->scales[0] = 0.5f;
  q->scales[1] = 0.25f;
  spec.quantization = q;

  expect_breach(&spec, w, 0, 0.5 * 6, "row 0: sums go from 0 to 2302, which 12 bits do not hold");
  expect_breach(&spec, w, 2, 0.5 * 0.25 * 8, "row 0: sums go from 0 to 2048");
  expect_breach(&spec, w, 1, 0.5 * -9, "row 0: sums go from -2295 to 1282");
  expect_breach(&spec, w, 0, 0.5 * 128, "the integer 128 is beyond 127");
  expect_breach(&spec, w, 1, 0.5 * 3.01, "is no whole multiple of its scale 0.5");
  expect_breach(&spec, w, 2, 0.7, "is no whole multiple of its scale 0.125");
  vise_i_quantization_free(q);
  vise_model_free(model);
}

Test(quantize, backends_agree) {
  double losses[2];
  vise_dataset *rows = make_rows(true);
  vise_train_config config = config_of("int8,acc14,act4,in6");
  for (int wide = 0; wide < 2; wide++) {
    vise_step_stats stats[20];
    config.backend = wide ? VISE_BACKEND_CPU64 : VISE_BACKEND_CPU;
    vise_model *model = make_model(VISE_RELU, wide ? VISE_F64 : VISE_F32);
    vise_trainer *trainer = make_trainer(&config, model, rows);
    OK(vise_trainer_step(trainer, 20, stats, NULL, &rig_err));
    losses[wide] = stats[0].loss;
    cr_assert(fabs(stats[19].loss) < 2);
    vise_trainer_free(trainer);
    vise_model_free(model);
  }
  cr_assert(fabs(losses[0] - losses[1]) < 1e-4 * losses[1], "%.9g and %.9g", losses[0], losses[1]);
  vise_dataset_free(rows);
}

/* A net that is large enough for threads to share its rounding. */
Test(quantize, threads_change_no_bit) {
  const size_t widths[] = {N_IN, 200, 200, N_CLASSES};
  vise_dataset *rows = make_rows(false);
  vise_model *models[2];
  for (int i = 0; i < 2; i++) {
    vise_train_config config = config_of("int8,acc12,act4,in4");
    config.batch = 100;
    config.n_threads = i == 0 ? 1 : 3;
    models[i] = rig_model(widths, 4, true, VISE_F32);
    vise_trainer *trainer = make_trainer(&config, models[i], rows);
    OK(vise_trainer_step(trainer, 9, NULL, NULL, &rig_err));
    OK(vise_trainer_sync(trainer, &rig_err));
    vise_trainer_free(trainer);
  }
  cr_assert(rig_same_params(models[0], models[1]));
  vise_model_free(models[0]);
  vise_model_free(models[1]);
  vise_dataset_free(rows);
}

Test(quantize, interruptions_change_no_bit) {
  vise_dataset *rows = make_rows(false);
  vise_train_config config = config_of("int8,acc14,act4");
  vise_model *expected = train(&config, VISE_RELU, rows);

  for (size_t at = 9; at < 180; at += 50) { /* before and after ranges are frozen */
    vise_model *model = make_model(VISE_RELU, VISE_F32), *other = make_model(VISE_RELU, VISE_F32);
    vise_trainer *first = make_trainer(&config, model, rows), *second = make_trainer(&config, other, rows);
    void *bytes = NULL;
    size_t n_bytes = 0;
    OK(vise_trainer_step(first, at, NULL, NULL, &rig_err));
    OK(vise_trainer_save_memory(first, &bytes, &n_bytes, &rig_err));
    OK(vise_trainer_restore_memory(second, bytes, n_bytes, &rig_err));
    OK(vise_trainer_step(second, 180 - at, NULL, NULL, &rig_err));
    OK(vise_trainer_sync(second, &rig_err));
    cr_assert(rig_same_params(expected, other), "at %zu", at);

    vise_buffer_free(bytes);
    vise_trainer_free(first);
    vise_trainer_free(second);
    vise_model_free(model);
    vise_model_free(other);
  }
  vise_model_free(expected);
  vise_dataset_free(rows);
}

Test(quantize, own_batches_and_forward_are_of_the_integer_net) {
  vise_dataset *rows = make_rows(false);
  vise_train_config config = config_of("int8,acc16,in4");
  vise_model *model = make_model(VISE_RELU, VISE_F32);
  vise_trainer *trainer = make_trainer(&config, model, rows);
  double x[N_IN] = {0.42, 0.85, -3, 7}, near[N_IN] = {0.4201, 0.8501, 0, 1}, y[1] = {2}, out[2][N_CLASSES];
  const vise_array a = vise_array_of(x, VISE_F64, 1, N_IN), b = vise_array_of(near, VISE_F64, 1, N_IN);
  const vise_array target = vise_array_of(y, VISE_F64, 1, 1);

  OK(vise_trainer_step_batch(trainer, &a, &target, NULL, NULL, &rig_err));
  OK(vise_trainer_forward(trainer, &a, out[0], &rig_err));
  OK(vise_trainer_forward(trainer, &b, out[1], &rig_err));
  for (size_t k = 0; k < N_CLASSES; k++) cr_assert_eq(out[0][k], out[1][k]); /* the same integers */

  vise_trainer_free(trainer);
  vise_model_free(model);
  vise_dataset_free(rows);
}

static void refused(vise_train_config config, vise_activation activation, vise_status code, const char *says) {
  vise_dataset *rows = make_rows(false);
  vise_model *model = make_model(activation, config.backend == VISE_BACKEND_CPU64 ? VISE_F64 : VISE_F32);
  vise_trainer *trainer = NULL;
  REFUSED(vise_trainer_create(&config, model, rows, NULL, NULL, &trainer, &rig_err), code, says);
  vise_model_free(model);
  vise_dataset_free(rows);
}

Test(quantize, what_cannot_be_is_refused) {
  vise_train_config config = config_of("int8,acc9");
  refused(config, VISE_RELU, VISE_ERR_USAGE, "`quantize`: 'int8,acc9': expected int8,accP with P from 10 to 32");
  config.quantize = "int16,acc32";
  refused(config, VISE_RELU, VISE_ERR_USAGE, "training is for weights of 8 bits");
  config.quantize = "int8,acc16,unconstrained";
  refused(config, VISE_RELU, VISE_ERR_USAGE, "unconstrained");
  config.quantize = "int8,acc16";
  refused(config, VISE_GELU, VISE_ERR_UNSUPPORTED, "layer 0 has the activation gelu");

  config.max_norm = 1;
  refused(config, VISE_RELU, VISE_ERR_USAGE, "`max_norm`: not with `quantize`");
  config.max_norm = 0;
  config.row_l1 = 1;
  refused(config, VISE_RELU, VISE_ERR_USAGE, "`row_l1`: not with `quantize`");
  config.row_l1 = 0;
  config.row_l1_sided = 1;
  refused(config, VISE_RELU, VISE_ERR_USAGE, "`row_l1_sided`: not with `quantize`");
  config.row_l1_sided = 0;
  config.clamp_init = 1;
  refused(config, VISE_RELU, VISE_ERR_USAGE, "`clamp`: not with `quantize`");
  config.clamp_init = 0;
  config.clamp = true;
  config.clamp_lo = -1;
  config.clamp_hi = 1;
  refused(config, VISE_RELU, VISE_ERR_USAGE, "`clamp`: not with `quantize`");
  config.clamp = false;
  config.epochs = 0;
  config.steps = 0;
  refused(config, VISE_RELU, VISE_ERR_USAGE, "`quantize` needs `epochs` or `steps`");
}

Test(quantize, a_model_that_was_not_trained_so_is_rounded) {
  vise_dataset *rows = make_rows(false);
  vise_train_config config = config_of(NULL);
  vise_model *model = train(&config, VISE_RELU, rows);
  vise_eval_config eval;
  vise_metrics plain, rounded;
  vise_integer_report report = {0};
  vise_eval_config_init(&eval);
  OK(vise_evaluate(model, rows, &eval, &plain, &rig_err));

  eval.integer = &report;
  eval.as = "int8,acc32";
  OK(vise_evaluate(model, rows, &eval, &rounded, &rig_err));
  cr_assert(!report.is_trained && report.is_proven);
  cr_assert(fabs(rounded.loss - plain.loss) < 0.02, "%g and %g", plain.loss, rounded.loss);

  eval.as = "int8,acc12,unconstrained";
  OK(vise_evaluate(model, rows, &eval, &rounded, &rig_err));
  cr_assert(!report.is_proven && report.n_overflows > 0 && report.n_sums == N_ROWS * (70 + 24 + 3));
  eval.as = "int4";
  REFUSED(vise_evaluate(model, rows, &eval, &rounded, &rig_err), VISE_ERR_USAGE, "`as`: 'int4'");
  vise_model_free(model);
  vise_dataset_free(rows);
}
