/* What holds for all calls of the training layer: errors, ownership, device errors, checkpoints in memory. */
#include "host/train/trainer.h"
#include "rig.h"

static const size_t widths[] = {4, 6, 3};

typedef struct scene {
  vise_dataset *train;
  vise_model *model;
  vise_trainer *trainer;
} scene;

static scene make(vise_weight_op_kind op) {
  scene s = {.train = rig_classes(23, 4, 3, 1), .model = rig_model(widths, 3, true, VISE_F64)};
  vise_train_config config;
  vise_train_config_init(&config);

  config.backend = VISE_BACKEND_CPU64;
  config.optimizer = VISE_ADAM;
  config.scale = VISE_SCALE_STANDARD;
  config.batch = 5;
  config.weight_op.kind = op;
  config.weight_op.fraction = 0.3;
  config.weight_op_at = VISE_AT_STEP;
  config.weight_op_when = 3;
  OK(vise_trainer_create(&config, s.model, s.train, NULL, NULL, &s.trainer, &rig_err));

  return s;
}

static void clean(scene *s) {
  vise_trainer_free(s->trainer);
  vise_model_free(s->model);
  vise_dataset_free(s->train);
}

/* ---- errors ----------------------------------------------------------------------------------------------------- */

Test(interface, an_error_tells_of_the_last_call) {
  scene s = make(VISE_WEIGHT_OP_NONE);
  vise_error err;
  memset(&err, 'x', sizeof(err)); /* it need not have been initialised */

  cr_expect_eq(vise_trainer_set_lr(s.trainer, -1, &err), VISE_ERR_USAGE);
  cr_expect_not_null(strstr(err.text, "learning rate -1"), "%s", err.text);
  cr_expect_eq(vise_model_load("/missing/model", &s.model, &err), VISE_ERR_IO);
  cr_expect_eq(err.code, VISE_ERR_IO);
  cr_expect_not_null(strstr(err.text, "/missing/model"), "%s", err.text);
  cr_expect_eq(vise_trainer_step(s.trainer, 1, NULL, NULL, &err), VISE_OK);
  cr_expect(err.code == VISE_OK && err.text[0] == 0);

  clean(&s);
}

/* ---- ownership -------------------------------------------------------------------------------------------------- */

Test(interface, datasets_and_models_may_be_freed_before_their_trainer) {
  scene s = make(VISE_WEIGHT_OP_NONE);
  vise_dataset *part = NULL;
  const size_t rows[] = {3, 1};
  OK(vise_dataset_select(s.train, rows, 2, &part, &rig_err));
  vise_dataset_free(s.train);
  vise_model_free(s.model);

  OK(vise_trainer_step(s.trainer, 7, NULL, NULL, &rig_err));
  OK(vise_trainer_sync(s.trainer, &rig_err));
  vise_trainer_free(s.trainer);
  cr_expect_eq(vise_dataset_n_rows(part), 2);
  vise_dataset_free(part);
}

Test(interface, a_dataset_lives_until_its_last_reference) {
  vise_dataset *data = rig_regression(5, 2, 1);
  cr_expect_eq(vise_dataset_retain(data), data);
  vise_dataset_free(data);
  cr_expect_eq(vise_dataset_n_rows(data), 5);
  vise_dataset_free(data);
  cr_expect_null(vise_dataset_retain(NULL));
}

/* ---- checkpoints in memory -------------------------------------------------------------------------------------- */

static void step_and_read(scene *s, size_t n, double *loss) {
  vise_step_stats stats[8];
  OK(vise_trainer_step(s->trainer, n, stats, NULL, &rig_err));
  OK(vise_trainer_sync(s->trainer, &rig_err));
  *loss = stats[n - 1].loss;
}

Test(interface, a_checkpoint_in_memory_goes_on_with_the_same_bits) {
  scene a = make(VISE_PRUNE), b = make(VISE_PRUNE);
  void *bytes = NULL;
  size_t n = 0;
  double wanted, got;

  OK(vise_trainer_step(a.trainer, 4, NULL, NULL, &rig_err)); /* pruned, and within an epoch */
  OK(vise_trainer_save_memory(a.trainer, &bytes, &n, &rig_err));
  step_and_read(&a, 8, &wanted);
  OK(vise_trainer_restore_memory(b.trainer, bytes, n, &rig_err));
  step_and_read(&b, 8, &got);

  cr_expect_eq(memcmp(&got, &wanted, sizeof(got)), 0);
  cr_expect(rig_same_params(a.model, b.model));
  cr_expect_eq(memcmp(vise_model_mask(a.model), vise_model_mask(b.model), vise_model_n_parameters(a.model)), 0);
  vise_buffer_free(bytes);
  clean(&a);
  clean(&b);
}

Test(interface, a_damaged_or_foreign_checkpoint_leaves_the_trainer_as_it_was) {
  scene a = make(VISE_PRUNE), b = make(VISE_PRUNE), c = make(VISE_PRUNE), other = make(VISE_WEIGHT_OP_NONE);
  void *bytes = NULL;
  size_t n = 0;
  double wanted, got;

  OK(vise_trainer_step(a.trainer, 4, NULL, NULL, &rig_err));
  OK(vise_trainer_save_memory(a.trainer, &bytes, &n, &rig_err));
  unsigned char *damaged = malloc(n);
  memcpy(damaged, bytes, n);

  for (size_t i = 0; i < n; i += 97) {
    damaged[i] ^= 4;
    REFUSED(vise_trainer_restore_memory(b.trainer, damaged, n, &rig_err), VISE_ERR_FORMAT, "memory");
    damaged[i] ^= 4;
    REFUSED(vise_trainer_restore_memory(b.trainer, damaged, i, &rig_err), VISE_ERR_FORMAT, "memory");
  }
  REFUSED(vise_trainer_restore_memory(other.trainer, bytes, n, &rig_err), VISE_ERR_USAGE, "memory was made with");

  step_and_read(&b, 5, &got);
  step_and_read(&c, 5, &wanted);
  cr_expect_eq(memcmp(&got, &wanted, sizeof(got)), 0);
  cr_expect(rig_same_params(b.model, c.model));

  free(damaged);
  vise_buffer_free(bytes);
  clean(&a);
  clean(&b);
  clean(&c);
  clean(&other);
}

/* ---- a backend that fails --------------------------------------------------------------------------------------- */

static const vise_i_backend_ops *whole;
static int calls_until_failure;

static vise_status fail_get(vise_i_backend *backend, vise_i_state which, void *out, vise_error *err) {
  if (calls_until_failure-- > 0) return whole->get_state(backend, which, out, err);
  return vise_i_fail(err, VISE_ERR_DEVICE, "the device is gone");
}

static vise_status fail_set(vise_i_backend *backend, vise_i_state which, const void *in, vise_error *err) {
  if (calls_until_failure-- != 0) return whole->set_state(backend, which, in, err);
  return vise_i_fail(err, VISE_ERR_MEMORY, "no memory for once");
}

static void expect_poison(vise_status (*call)(vise_trainer *trainer, vise_error *err)) {
  scene s = make(VISE_PRUNE);
  vise_i_backend_ops broken = *s.trainer->ops;
  whole = s.trainer->ops;
  broken.get_state = fail_get;

  s.trainer->ops = &broken;
  cr_expect_eq(call(s.trainer, NULL), VISE_ERR_DEVICE); /* the text is kept, whoever wants it */
  s.trainer->ops = whole;
  REFUSED(vise_trainer_step(s.trainer, 1, NULL, NULL, &rig_err), VISE_ERR_DEVICE, "failed before: the device is gone");
  clean(&s);
}

static vise_status save(vise_trainer *trainer, vise_error *err) {
  void *bytes;
  size_t n;
  return vise_trainer_save_memory(trainer, &bytes, &n, err);
}

static vise_status step_to_operation(vise_trainer *trainer, vise_error *err) {
  return vise_trainer_step(trainer, 3, NULL, NULL, err);
}

static vise_status step_on_larger_batch(vise_trainer *trainer, vise_error *err) {
  static double x[40 * 4], y[40];
  const vise_array features = vise_array_of(x, VISE_F64, 40, 4), targets = vise_array_of(y, VISE_F64, 40, 1);
  return vise_trainer_step_batch(trainer, &features, &targets, NULL, NULL, err);
}

static vise_status run(vise_trainer *trainer, vise_error *err) {
  return vise_trainer_run(trainer, NULL, NULL, err);
}

Test(interface, a_device_error_in_any_call_poisons_the_trainer) {
  calls_until_failure = 0;
  expect_poison(vise_trainer_sync);
  calls_until_failure = 0;
  expect_poison(save);
  calls_until_failure = 0;
  expect_poison(step_to_operation);
  calls_until_failure = 0;
  expect_poison(step_on_larger_batch);
  calls_until_failure = 2; /* the prune of step 3 has its weights and its mask; the end of the run fails */
  expect_poison(run);
}

Test(interface, a_restore_that_fails_midway_is_undone) {
  scene a = make(VISE_PRUNE), b = make(VISE_PRUNE), c = make(VISE_PRUNE);
  void *bytes = NULL;
  size_t n = 0;
  double wanted, got;
  OK(vise_trainer_step(a.trainer, 4, NULL, NULL, &rig_err));
  OK(vise_trainer_save_memory(a.trainer, &bytes, &n, &rig_err));

  vise_i_backend_ops broken = *b.trainer->ops;
  whole = b.trainer->ops;
  broken.set_state = fail_set;
  b.trainer->ops = &broken;
  for (int i = 0; i < 4; i++) {
    calls_until_failure = i;
    REFUSED(vise_trainer_restore_memory(b.trainer, bytes, n, &rig_err), VISE_ERR_MEMORY, "for once");
  }
  b.trainer->ops = whole;

  step_and_read(&b, 5, &got);
  step_and_read(&c, 5, &wanted);
  cr_expect_eq(memcmp(&got, &wanted, sizeof(got)), 0);
  cr_expect(rig_same_params(b.model, c.model));

  vise_buffer_free(bytes);
  clean(&a);
  clean(&b);
  clean(&c);
}
