/* Which box, which penalty? Every configuration of a grid on each of five folds, as many fits at a time as there are
   processors; then the one-standard-error choice. The target is a line with noise, the net could bend much more. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vise/vise.h>

enum { N = 60, N_FOLDS = 5, MOST = 32 };

typedef struct study {
  vise_dataset *data, *train[N_FOLDS], *held_out[N_FOLDS];
  vise_space *space;
  vise_sweep *sweep;
  double scores[MOST * N_FOLDS];
} study;

static vise_status make_data(study *s, vise_error *err) {
  static double x[N], y[N];
  unsigned state = 1;
  size_t folds[N];
  for (int i = 0; i < N; i++) {
    x[i] = -1 + 2.0 * i / N;
    state = state * 1664525u + 1013904223u;
    y[i] = 0.5 * x[i] + 0.6 * ((state >> 8) / 16777216.0 - 0.5);
  }
  const vise_array features = vise_array_of(x, VISE_F64, N, 1), targets = vise_array_of(y, VISE_F64, N, 1);

  vise_status status = vise_dataset_from_arrays(&features, &targets, NULL, false, &s->data, err);
  if (status == VISE_OK) status = vise_dataset_folds(s->data, NULL, folds, N, err);
  for (size_t k = 0; k < N_FOLDS && status == VISE_OK; k++) {
    vise_split split;
    status = vise_folds_split(folds, NULL, N, k + 1, &split, err);
    if (status != VISE_OK) break;
    status = vise_dataset_select(s->data, split.kept, split.n_kept, &s->train[k], err);
    if (status == VISE_OK)
      status = vise_dataset_select(s->data, split.held_out, split.n_held_out, &s->held_out[k], err);
    vise_split_clear(&split);
  }
  return status;
}

/* What is not varied, and the values of one point. */
static vise_status configure(const study *s, size_t point, vise_train_config *training, vise_net_config *net,
                             vise_error *err) {
  vise_train_config_init(training);
  vise_net_config_init(net);
  training->loss = VISE_LOSS_MSE;
  training->optimizer = VISE_ADAM;
  training->lr = 0.02;
  training->batch = 16;
  training->epochs = 150;
  training->backend = VISE_BACKEND_CPU64;

  vise_status status = vise_net_config_set(net, "layers", "1-24-24-1", err);
  for (size_t axis = 0; axis < vise_space_n_axes(s->space) && status == VISE_OK; axis++) {
    char text[32];
    (void)vise_space_text(s->space, point, axis, text, sizeof text);
    status = vise_train_config_set(training, vise_space_axis_name(s->space, axis), text, err);
  }
  return status;
}

static vise_status submit(study *s, size_t i, vise_error *err) {
  vise_train_config training;
  vise_net_config net;
  vise_sweep_fit fit;
  vise_status status = configure(s, i / N_FOLDS, &training, &net, err);
  vise_sweep_fit_init(&fit);
  fit.id = i;
  fit.training = &training;
  fit.net = &net;
  fit.train = s->train[i % N_FOLDS];
  fit.validation = s->held_out[i % N_FOLDS];
  if (status == VISE_OK) status = vise_sweep_submit(s->sweep, &fit, err);
  vise_train_config_clear(&training);
  return status;
}

/* Asks for fits while the queue wants some, and hears of each as it ends. */
static vise_status run(study *s, vise_error *err) {
  const size_t n = vise_space_n_points(s->space) * N_FOLDS;
  vise_status status = VISE_OK;
  bool found = true;
  for (size_t next = 0; status == VISE_OK && found;) {
    vise_sweep_result result;
    while (status == VISE_OK && next < n && vise_sweep_n_wanted(s->sweep) > 0) status = submit(s, next++, err);
    if (status == VISE_OK) status = vise_sweep_next(s->sweep, INFINITY, &result, &found, err);
    if (status != VISE_OK || !found) break;
    s->scores[result.id] = result.status == VISE_OK ? result.score : NAN;
    vise_sweep_result_clear(&result);
  }
  return status;
}

/* The most regularised of those that are as good as the best one, by its standard error. */
static vise_status choose(const study *s, vise_error *err) {
  const size_t n = vise_space_n_points(s->space);
  vise_complexity *complexity = NULL;
  vise_scores scores;
  double keys[MOST * 16];
  size_t best = 0, winner = 0;
  vise_scores_init(&scores);
  scores.values = s->scores;
  scores.n_configs = n;
  scores.n_folds = N_FOLDS;

  vise_status status = vise_complexity_parse(NULL, &complexity, err);
  const size_t n_keys = vise_complexity_n_keys(complexity);
  for (size_t i = 0; i < n && status == VISE_OK; i++) {
    vise_train_config training;
    vise_net_config net;
    status = configure(s, i, &training, &net, err);
    if (status == VISE_OK) status = vise_complexity_keys(complexity, &training, &net, 0, keys + i * n_keys, err);
    vise_train_config_clear(&training);
  }
  if (status == VISE_OK) status = vise_scores_choose(&scores, VISE_SELECT_BEST, NULL, 0, &best, err);
  if (status == VISE_OK) status = vise_scores_choose(&scores, VISE_SELECT_ONE_SE, keys, n_keys, &winner, err);
  vise_complexity_free(complexity);
  if (status != VISE_OK) return status;

  const char *const whose[] = {"best", "one-se"};
  for (int i = 0; i < 2; i++) {
    char clamp[32], l2[32];
    (void)vise_space_text(s->space, i == 0 ? best : winner, 0, clamp, sizeof clamp);
    (void)vise_space_text(s->space, i == 0 ? best : winner, 1, l2, sizeof l2);
    printf("%-7s clamp %s, l2 %s\n", whose[i], clamp, l2);
  }
  return VISE_OK;
}

static vise_status sweep(study *s, vise_error *err) {
  vise_space_options grid;
  vise_space_options_init(&grid);
  vise_status status = make_data(s, err);
  if (status == VISE_OK) status = vise_space_create(&grid, &s->space, err);
  if (status == VISE_OK) status = vise_space_add_axis(s->space, "clamp=0.3,1", err);
  if (status == VISE_OK) status = vise_space_add_axis(s->space, "l2=0,1e-3,1e-2,0.1", err);
  if (status == VISE_OK) status = vise_sweep_create(NULL, &s->sweep, err);
  if (status == VISE_OK) status = run(s, err);
  if (status == VISE_OK) status = choose(s, err);

  vise_sweep_free(s->sweep);
  vise_space_free(s->space);
  for (int k = 0; k < N_FOLDS; k++) {
    vise_dataset_free(s->train[k]);
    vise_dataset_free(s->held_out[k]);
  }
  vise_dataset_free(s->data);
  return status;
}

int main(void) {
  vise_error err;
  study s = {0};
  if (sweep(&s, &err) == VISE_OK) return 0;
  fprintf(stderr, "%s\n", err.text);
  return 1;
}
