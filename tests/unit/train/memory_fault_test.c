/*
 * Every allocation by Vise fails once while a trainer is made and runs: the call says so, leaks nothing, and leaves
 * whole checkpoints. jansson's allocations are among them.
 */
#include <jansson.h>

#include "rig.h"
#include "tests/support/allocation_fault.h"

static const size_t widths[] = {4, 6, 3};

typedef struct scene {
  vise_dataset *train, *validation;
  vise_train_config config;
  char folder[256];
  vise_model *model;
} scene;

static vise_status make_and_run(const scene *s, bool resume, vise_error *err) {
  vise_trainer *trainer = NULL;
  vise_run_config run = rig_run_config(s->folder, NULL);
  run.resume = resume;
  run.overwrite = !resume;
  run.log_every = 4;
  run.config_json = rig_config_json;
  run.checkpoint_each_epoch = true;

  vise_status status = vise_trainer_create(&s->config, s->model, s->train, s->validation, NULL, &trainer, err);
  if ((status == VISE_OK) != (trainer != NULL)) return VISE_ERR_INTERNAL;
  if (status == VISE_OK) status = vise_trainer_run(trainer, &run, NULL, err);
  vise_trainer_free(trainer);
  return status;
}

static void check_every_allocation(bool resume) {
  scene s = {.train = rig_classes(23, 4, 3, 1), .validation = rig_classes(9, 4, 3, 2)};

  vise_train_config_init(&s.config);
  s.config.backend = VISE_BACKEND_CPU64;
  s.config.scale = VISE_SCALE_STANDARD;
  s.config.batch = 5;
  s.config.n_threads = 1;
  s.config.patience = 3;
  s.config.stop_projected_gradient = 1e-9;
  s.config.weight_op.kind = VISE_PRUNE;
  s.config.weight_op.fraction = 0.3;

  s.model = rig_model(widths, 3, true, VISE_F64);
  rig_folder(s.folder);
  json_set_alloc_funcs(__wrap_malloc, free);

  size_t n_refused = 0, i = 0;
  for (; i < 100000; i++) {
    if (resume) {
      s.config.epochs = 1;
      OK(make_and_run(&s, false, &rig_err));
    }

    s.config.epochs = 2;
    vise_error err = VISE_ERROR_INIT;
    fault_arm(i);
    const vise_status status = make_and_run(&s, resume, &err);
    fault_disarm();
    if (!fault.has_failed) break;

    n_refused += status == VISE_ERR_MEMORY;
    /* The folder layer reports an entry it has no memory to name as unreadable; the file layer cannot tell a string
       that is not UTF-8 from one it had no memory for, and mentions both. */
    const bool said = status == VISE_ERR_MEMORY || status == VISE_ERR_IO || strstr(err.text, "memory") != NULL;
    cr_assert(status == VISE_OK || said, "allocation %zu: %s: %s", i, vise_status_name(status), err.text);
    (void)rig_whole_checkpoints(s.folder, "allocation", i);
  }

  cr_expect_gt(i, 50, "%zu allocations", i);
  cr_expect_gt(n_refused, i / 2, "%zu of %zu failures were noticed", n_refused, i);

  rig_remove(s.folder);
  vise_model_free(s.model);
  vise_dataset_free(s.train);
  vise_dataset_free(s.validation);
}

Test(train_memory, every_allocation_of_a_new_run_may_fail) {
  check_every_allocation(false);
}

Test(train_memory, every_allocation_of_a_resumed_run_may_fail) {
  check_every_allocation(true);
}
