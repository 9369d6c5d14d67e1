/* A loop of one's own: points inside and outside a circle. The learning rate is halved when the loss on held-out rows has
   not improved for five epochs; after the third time the weights of the best epoch come back and the loop ends. */
#include <stdio.h>
#include <vise/vise.h>

enum { N = 600, N_HALVINGS = 3, PATIENCE = 5 };

typedef struct task {
  vise_dataset *train, *held_out;
  vise_model *model;
  vise_trainer *trainer;
  void *best; /* a checkpoint in memory */
  size_t n_best;
} task;

/* A number in [-1, 1), the same on every machine. */
static double number(unsigned *state) {
  *state = *state * 1103515245u + 12345u;
  return (double)(*state >> 8 & 0xffffu) / 32768 - 1;
}

static vise_status make_data(task *t, vise_error *err) {
  static double points[N][2];
  static int labels[N];
  unsigned state = 1;
  for (int i = 0; i < N; i++) {
    points[i][0] = number(&state);
    points[i][1] = number(&state);
    labels[i] = points[i][0] * points[i][0] + points[i][1] * points[i][1] < 0.5;
  }

  const vise_array x = vise_array_of(points, VISE_F64, N, 2), y = vise_array_of(labels, VISE_I32, N, 1);
  vise_dataset *all = NULL;
  vise_status status = vise_dataset_from_arrays(&x, &y, NULL, false, &all, err);
  if (status == VISE_OK) status = vise_dataset_split(all, 0.25, true, 7, &t->train, &t->held_out, err);
  vise_dataset_free(all);
  return status;
}

static vise_status make_trainer(task *t, vise_error *err) {
  vise_net_config net;
  vise_net_config_init(&net);
  net.n_layers = 2;
  net.widths[0] = net.widths[2] = 2;
  net.widths[1] = 16;

  vise_train_config config;
  vise_train_config_init(&config);
  config.backend = VISE_BACKEND_CPU64;
  vise_status status = vise_train_config_set(&config, "optimizer", "adam", err); /* a field, or its name as text */
  if (status == VISE_OK) status = vise_train_config_set(&config, "lr", "0.05", err);
  if (status == VISE_OK) status = vise_train_config_set(&config, "clamp", "-4:4", err);
  if (status == VISE_OK) status = vise_model_create(&net, VISE_F64, &t->model, err);
  if (status == VISE_OK) status = vise_model_initialize(t->model, VISE_INIT_HE, 3, err);
  if (status == VISE_OK) status = vise_trainer_create(&config, t->model, t->train, NULL, NULL, &t->trainer, err);
  return status;
}

/* One epoch, and how good the weights are after it. */
static vise_status take_epoch(task *t, vise_metrics *metrics, vise_error *err) {
  const size_t n_steps = (vise_dataset_n_rows(t->train) + 63) / 64; /* batches of 64 */
  vise_status status = vise_trainer_step(t->trainer, n_steps, NULL, NULL, err);
  if (status == VISE_OK) status = vise_trainer_sync(t->trainer, err);
  return status == VISE_OK ? vise_evaluate(t->model, t->held_out, NULL, metrics, err) : status;
}

static vise_status loop(task *t, vise_error *err) {
  vise_status status = VISE_OK;
  double lr = 0.05, best_loss = 1e30;
  int best_epoch = 0, waited = 0, n_halvings = 0, epoch = 0;

  while (status == VISE_OK && n_halvings < N_HALVINGS) {
    vise_metrics now;
    epoch++;
    status = take_epoch(t, &now, err);
    if (status != VISE_OK) break;

    if (now.loss < best_loss) {
      best_loss = now.loss;
      best_epoch = epoch;
      waited = 0;
      vise_buffer_free(t->best);
      t->best = NULL;
      status = vise_trainer_save_memory(t->trainer, &t->best, &t->n_best, err);
    } else if (++waited == PATIENCE) {
      waited = 0;
      n_halvings++;
      status = vise_trainer_set_lr(t->trainer, lr /= 2, err);
    }
  }

  double score = 0;
  if (status == VISE_OK) status = vise_trainer_restore_memory(t->trainer, t->best, t->n_best, err);
  if (status == VISE_OK) status = vise_trainer_sync(t->trainer, err);
  if (status == VISE_OK) status = vise_score(t->model, t->held_out, &score, err);
  if (status == VISE_OK) printf("best epoch %d of %d, accuracy %.2f\n", best_epoch, epoch, score);
  return status;
}

int main(void) {
  task t = {0};
  vise_error err;
  vise_status status = make_data(&t, &err);
  if (status == VISE_OK) status = make_trainer(&t, &err);
  if (status == VISE_OK) status = loop(&t, &err);
  if (status != VISE_OK) fprintf(stderr, "%s\n", err.text);

  vise_buffer_free(t.best);
  vise_dataset_free(t.train); /* the trainer keeps what it needs: any order will do */
  vise_dataset_free(t.held_out);
  vise_model_free(t.model);
  vise_trainer_free(t.trainer);
  return status == VISE_OK ? 0 : 1;
}
