/* What a run records of its steps and weights: the numbers, how often, and that it can be interrupted. */
#include <stdio.h>
#include <stdlib.h>

#include "rig.h"

static const size_t widths[] = {4, 6, 3};

/* So many small steps in an epoch that each can be recorded. */
enum { MANY_ROWS = 800 };

static vise_train_config boxed_config(void) {
  vise_train_config config;
  vise_train_config_init(&config);
  config.backend = VISE_BACKEND_CPU;
  config.batch = 1;
  config.epochs = 3;
  config.lr = 0.02;
  config.l2 = 1e-5;
  config.clip_norm = 1;
  config.clip_value = true;
  config.clip_value_lo = -0.6;
  config.clip_value_hi = 0.6;
  config.clamp = true;
  config.clamp_lo = -0.125;
  config.clamp_hi = 0.25;
  config.n_threads = 1;
  return config;
}

static vise_run_result train(const vise_train_config *config, size_t n_rows, const char *folder, size_t log_every,
                             vise_model *model) {
  vise_dataset *rows = rig_classes(n_rows, 4, 3, 1);
  vise_trainer *trainer = NULL;
  vise_run_result result;
  vise_run_config run = rig_run_config(folder, NULL);
  run.log_every = log_every;

  OK(vise_trainer_create(config, model, rows, NULL, NULL, &trainer, &rig_err));
  OK(vise_trainer_run(trainer, &run, &result, &rig_err));
  vise_trainer_free(trainer);
  vise_dataset_free(rows);
  return result;
}

static double number(const json_t *object, const char *key) {
  const json_t *value = json_object_get(object, key);
  cr_assert(json_is_number(value), "\"%s\"", key);
  return json_number_value(value);
}

static bool is_near(double got, double wanted) {
  return fabs(got - wanted) <= 1e-12 * (1 + fabs(wanted));
}

/* ---- the numbers ------------------------------------------------------------------------------------------------ */

/* Returns how many are at a bound. */
static size_t check_layer(const json_t *layer, const vise_model *model, size_t tensor) {
  size_t n_rows = 0, n_cols = 0, at_lo = 0, at_hi = 0, zero = 0;
  OK(vise_model_tensor_shape(model, tensor, &n_rows, &n_cols, &rig_err));
  double *w = calloc(n_rows * n_cols, sizeof *w), squares = 0, largest = 0;
  OK(vise_model_get_tensor(model, tensor, w, n_rows * n_cols, &rig_err));
  for (size_t i = 0; i < n_rows * n_cols; i++) {
    squares += w[i] * w[i];
    largest = fmax(largest, fabs(w[i]));
    at_lo += w[i] == -0.125;
    at_hi += w[i] == 0.25;
    zero += w[i] == 0;
  }
  free(w);

  cr_expect(is_near(number(layer, "norm"), sqrt(squares)));
  cr_expect(number(layer, "max_abs") == largest);
  cr_expect(number(layer, "weights") == (double)(n_rows * n_cols));
  cr_expect(number(layer, "zero_weights") == (double)zero);
  cr_expect(number(layer, "at_lower_bound") == (double)at_lo);
  cr_expect(number(layer, "at_upper_bound") == (double)at_hi);
  cr_expect(number(layer, "lower_bound") == -0.125 && number(layer, "upper_bound") == 0.25);
  return at_lo + at_hi;
}

Test(record, tells_what_the_last_weights_are_like) {
  char folder[256];
  size_t n = 0;
  vise_model *model = rig_model(widths, 3, true, VISE_F32);
  const vise_train_config config = boxed_config();
  rig_folder(folder);

  (void)train(&config, MANY_ROWS, folder, 0, model);

  json_t **events = rig_events(folder, &n);
  cr_assert_eq(n, 4);
  const json_t *layers = json_object_get(events[2], "layers");
  cr_assert_eq(json_array_size(layers), 2);
  cr_expect_str_eq(json_string_value(json_object_get(json_array_get(layers, 1), "name")), "2.weight");
  const size_t n_at_bound =
      check_layer(json_array_get(layers, 0), model, 0) + check_layer(json_array_get(layers, 1), model, 2);
  cr_expect(n_at_bound > 0, "the box does nothing");

  rig_events_free(events, n);
  vise_model_free(model);
  rig_remove(folder);
}

/* Sums over the steps of an epoch, from their own events. */
typedef struct step_sums {
  double n, clipped, values, penalty, before, after, lr;
} step_sums;

static void add_step(step_sums *sums, const json_t *step) {
  sums->n++;
  sums->clipped += number(step, "grad_norm_clipped") < number(step, "grad_norm");
  sums->values += number(step, "clipped_values");
  sums->penalty += number(step, "penalty");
  sums->before += number(step, "grad_norm");
  sums->after += number(step, "grad_norm_clipped");
  sums->lr = number(step, "lr");
}

Test(record, sums_the_steps_of_an_epoch) {
  char folder[256];
  size_t n = 0, n_epochs = 0;
  double all_clipped = 0;
  vise_model *model = rig_model(widths, 3, true, VISE_F32);
  vise_train_config config = boxed_config();
  config.lr_schedule.kind = VISE_SCHEDULE_LINEAR;
  rig_folder(folder);

  const vise_run_result result = train(&config, MANY_ROWS, folder, 1, model);

  json_t **events = rig_events(folder, &n);
  step_sums sums = {.n = 0};
  for (size_t i = 0; i < n; i++) {
    if (strcmp(rig_event_of(events[i]), "step") == 0) add_step(&sums, events[i]);
    if (strcmp(rig_event_of(events[i]), "epoch") != 0) continue;
    n_epochs++;
    cr_expect(number(events[i], "steps") == sums.n && sums.n == MANY_ROWS);
    cr_expect(number(events[i], "steps_norm_clipped") == sums.clipped);
    cr_expect(number(events[i], "clipped_values") == sums.values);
    cr_expect(number(events[i], "skipped_steps") == 0);
    cr_expect(number(events[i], "lr") == sums.lr);
    cr_expect(is_near(number(events[i], "penalty"), sums.penalty / sums.n));
    cr_expect(is_near(number(events[i], "grad_norm"), sums.before / sums.n));
    cr_expect(is_near(number(events[i], "grad_norm_clipped"), sums.after / sums.n));
    all_clipped += sums.clipped;
    sums = (step_sums){.n = 0};
  }
  cr_expect_eq(n_epochs, 3);
  cr_expect(all_clipped == (double)result.n_norm_clipped && all_clipped > 0);

  rig_events_free(events, n);
  vise_model_free(model);
  rig_remove(folder);
}

/* A row that makes the gradient infinite is counted, and is in no mean. */
Test(record, leaves_skipped_steps_out_of_means) {
  char folder[256];
  double x[MANY_ROWS], y[MANY_ROWS];
  const size_t one[] = {1, 1};
  for (size_t i = 0; i < MANY_ROWS; i++) x[i] = y[i] = i == 5 ? 3e38 : 0.5;
  vise_dataset *rows = rig_dataset(x, MANY_ROWS, 1, y, 1);
  vise_model *model = rig_model(one, 2, true, VISE_F32);
  vise_trainer *trainer = NULL;
  vise_train_config config = boxed_config();
  config.loss = VISE_LOSS_MSE;
  config.epochs = 1;
  rig_folder(folder);

  vise_run_config run = rig_run_config(folder, NULL);
  OK(vise_trainer_create(&config, model, rows, NULL, NULL, &trainer, &rig_err));
  OK(vise_trainer_run(trainer, &run, NULL, &rig_err));

  size_t n = 0;
  json_t **events = rig_events(folder, &n);
  cr_expect(number(events[0], "skipped_steps") == 1 && number(events[0], "steps") == MANY_ROWS);
  cr_expect(number(events[0], "grad_norm") < 10);

  rig_events_free(events, n);
  vise_trainer_free(trainer);
  vise_model_free(model);
  vise_dataset_free(rows);
  rig_remove(folder);
}

/* ---- how often -------------------------------------------------------------------------------------------------- */

/* But for the first epochs. */
Test(record, is_rare_where_an_epoch_is_short) {
  char folder[256];
  size_t n = 0, n_records = 0, period = 0, last = 0;
  double n_steps = 0;
  vise_model *model = rig_model(widths, 3, true, VISE_F32);
  vise_train_config config = boxed_config();
  config.batch = 8;
  config.epochs = 1500;
  rig_folder(folder);

  (void)train(&config, 16, folder, 0, model);

  json_t **events = rig_events(folder, &n);
  cr_assert_eq(n, 1501);
  for (size_t i = 0; i + 1 < n; i++) {
    if (json_object_get(events[i], "layers") == NULL) continue;
    const size_t epoch = i + 1;
    if (period == 0 && epoch > 30) period = epoch;
    cr_expect(epoch <= 30 || epoch % period == 0);
    n_records++;
    n_steps += number(events[i], "steps");
    last = epoch;
  }
  cr_expect(period == 50, "every %zu epochs", period);
  cr_expect_eq(n_records, 30 + 1500 / period);
  cr_expect(n_steps == (double)(2 * last));

  rig_events_free(events, n);
  vise_model_free(model);
  rig_remove(folder);
}

/* What was summed before a run was interrupted is in the record after it went on. */
Test(record, goes_on_where_a_run_was_interrupted) {
  char folders[2][256];
  char *metrics[2];
  for (size_t i = 0; i < 2; i++) {
    vise_model *model = rig_model(widths, 3, true, VISE_F32);
    vise_train_config config = boxed_config();
    config.batch = 8;
    config.epochs = i == 0 ? 1000 : 777;
    rig_folder(folders[i]);
    (void)train(&config, 16, folders[i], 0, model);
    vise_model_free(model);
  }

  vise_dataset *rows = rig_classes(16, 4, 3, 1);
  vise_model *model = rig_model(widths, 3, true, VISE_F32);
  vise_trainer *trainer = NULL;
  vise_train_config config = boxed_config();
  config.batch = 8;
  config.epochs = 1000;
  vise_run_config run = rig_run_config(folders[1], NULL);
  run.resume = true;
  OK(vise_trainer_create(&config, model, rows, NULL, NULL, &trainer, &rig_err));
  OK(vise_trainer_run(trainer, &run, NULL, &rig_err));

  for (size_t i = 0; i < 2; i++) metrics[i] = rig_metrics(folders[i]);
  cr_expect_str_eq(metrics[0], metrics[1]);
  cr_expect(strstr(metrics[0], "\"layers\"") != NULL);

  for (size_t i = 0; i < 2; i++) {
    free(metrics[i]);
    rig_remove(folders[i]);
  }
  vise_trainer_free(trainer);
  vise_model_free(model);
  vise_dataset_free(rows);
}
