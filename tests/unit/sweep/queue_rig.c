#include "queue_rig.h"

static vise_dataset *train, *validation;

void queue_make_data(void) {
  train = rig_classes(23, 4, 3, 1);
  validation = rig_classes(9, 4, 3, 2);
}

void queue_free_data(void) {
  vise_dataset_free(train);
  vise_dataset_free(validation);
  train = validation = NULL;
}

void queue_case_init(queue_case *c, vise_backend backend) {
  memset(c, 0, sizeof *c);
  vise_train_config_init(&c->training);
  vise_net_config_init(&c->net);
  vise_sweep_fit_init(&c->fit);
  OK(vise_net_config_set(&c->net, "layers", "4-6-3", &rig_err));
  c->training.backend = backend;
  c->training.optimizer = VISE_ADAM;
  c->training.scale = VISE_SCALE_STANDARD;
  c->training.batch = 5;
  c->training.epochs = 5;
  c->fit.keep_model = true;
}

vise_model *queue_run_alone(const queue_case *c, vise_run_result *result) {
  vise_train_config config = c->training;
  vise_run_config run;
  vise_model *model = NULL;
  vise_trainer *trainer = NULL;
  if (config.backend == VISE_BACKEND_AUTO) config.backend = VISE_BACKEND_CPU;
  const vise_dtype dtype = config.backend == VISE_BACKEND_CPU64 ? VISE_F64 : VISE_F32;

  if (c->initial != NULL) {
    OK(vise_model_clone(c->initial, dtype, &model, &rig_err));
  } else {
    OK(vise_model_create(&c->net, dtype, &model, &rig_err));
    OK(vise_model_initialize(model, VISE_INIT_LINEAR, config.seed, &rig_err));
  }
  vise_run_config_init(&run);
  OK(vise_trainer_create(&config, model, train, validation, NULL, &trainer, &rig_err));
  OK(vise_trainer_run(trainer, &run, result, &rig_err));
  vise_trainer_free(trainer);
  return model;
}

vise_sweep *queue_sweep(int n_jobs) {
  vise_sweep *sweep = NULL;
  vise_sweep_config config;
  vise_sweep_config_init(&config);
  config.n_jobs = n_jobs;
  OK(vise_sweep_create(&config, &sweep, &rig_err));
  cr_assert_eq(vise_sweep_n_jobs(sweep), n_jobs);
  return sweep;
}

void queue_submit(vise_sweep *sweep, const queue_case *c, uint64_t id) {
  vise_sweep_fit fit = c->fit;
  fit.id = id;
  fit.training = &c->training;
  fit.net = c->initial == NULL ? &c->net : NULL;
  fit.initial = c->initial;
  fit.train = train;
  fit.validation = validation;
  OK(vise_sweep_submit(sweep, &fit, &rig_err));
}

static void submit_long(vise_sweep *sweep, uint64_t epochs, uint64_t id) {
  queue_case c;
  queue_case_init(&c, VISE_BACKEND_CPU);
  c.training.epochs = epochs;
  c.fit.keep_state = true;
  queue_submit(sweep, &c, id);
}

void queue_busy(vise_sweep *sweep) {
  submit_long(sweep, 2000, 1000);
}

void queue_endless(vise_sweep *sweep) {
  submit_long(sweep, UINT64_MAX / 1000, 2000);
}

bool queue_next(vise_sweep *sweep, vise_sweep_result *result) {
  bool found = false;
  OK(vise_sweep_next(sweep, INFINITY, result, &found, &rig_err));
  return found;
}
