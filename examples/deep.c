/* A deeper net, built layer by layer, on a table of numbers: blocks of linear layer, batch norm, activation, dropout, and a
   residual around each but the first. The weights stay within [-1, 1]; outputs of dropout and batch norm have no such
   bound, and need none. */
#include <stdio.h>
#include <stdlib.h>
#include <vise/vise.h>

enum { N = 800, N_INPUTS = 4, WIDTH = 24, N_BLOCKS = 3, MOST_LAYERS = 5 * N_BLOCKS + 2 };

/* A list of layers being written. */
typedef struct net {
  vise_layer layers[MOST_LAYERS];
  size_t n;
} net;

static vise_layer *add(net *to, vise_layer_kind kind) {
  vise_layer *layer = &to->layers[to->n++];
  vise_layer_init(layer);
  layer->kind = kind;
  return layer;
}

static void add_block(net *to, bool has_residual) {
  const size_t begin = to->n;
  add(to, VISE_LAYER_LINEAR)->width = WIDTH;
  add(to, VISE_LAYER_BATCH_NORM);
  add(to, VISE_LAYER_ACTIVATION)->activation = VISE_SILU;
  add(to, VISE_LAYER_DROPOUT)->dropout = 0.05;

  if (!has_residual) return;
  const size_t span = to->n - begin; /* the layers of the block, whose input is added */
  add(to, VISE_LAYER_RESIDUAL)->span = span;
}

static vise_status make_model(vise_model **out, vise_error *err) {
  net made = {.n = 0};
  for (int i = 0; i < N_BLOCKS; i++) add_block(&made, i > 0);
  add(&made, VISE_LAYER_LINEAR)->width = 1;

  vise_status status = vise_model_create_layers(N_INPUTS, made.layers, made.n, VISE_F32, out, err);
  return status == VISE_OK ? vise_model_initialize(*out, VISE_INIT_HE, 1, err) : status;
}

/* y = x0 x1 + |x2| - x3/2 for numbers in [-1, 1]. */
static vise_status make_data(unsigned seed, vise_dataset **out, vise_error *err) {
  static double x[N][N_INPUTS], y[N];
  uint64_t state = seed;
  for (int i = 0; i < N; i++) {
    for (int k = 0; k < N_INPUTS; k++) {
      state = state * 6364136223846793005u + 1442695040888963407u; /* Knuth's MMIX */
      x[i][k] = (double)(state >> 33) / (1u << 30) - 1;
    }
    y[i] = x[i][0] * x[i][1] + (x[i][2] < 0 ? -x[i][2] : x[i][2]) - x[i][3] / 2;
  }
  const vise_array features = vise_array_of(x, VISE_F64, N, N_INPUTS), targets = vise_array_of(y, VISE_F64, N, 1);
  return vise_dataset_from_arrays(&features, &targets, NULL, true, out, err);
}

static vise_status train(vise_model *model, const vise_dataset *data, vise_error *err) {
  vise_train_config config;
  vise_trainer *trainer = NULL;
  vise_train_config_init(&config);
  config.backend = VISE_BACKEND_CPU;
  config.loss = VISE_LOSS_MSE;
  config.optimizer = VISE_ADAM;
  config.lr = 0.01;
  config.epochs = 60;
  config.clamp = true;
  config.clamp_lo = -1;
  config.clamp_hi = 1;

  vise_status status = vise_trainer_create(&config, model, data, NULL, NULL, &trainer, err);
  if (status == VISE_OK) status = vise_trainer_run(trainer, NULL, NULL, err);
  vise_trainer_free(trainer);
  return status;
}

static vise_status score(const vise_model *model, const vise_dataset *data, double *out, vise_error *err) {
  vise_eval_config config;
  vise_metrics metrics;
  vise_eval_config_init(&config);
  config.backend = VISE_BACKEND_CPU;
  const vise_status status = vise_evaluate(model, data, &config, &metrics, err);
  if (status == VISE_OK) *out = metrics.r2;
  return status;
}

static void print_layers(const vise_model *model) {
  for (size_t i = 0; i < vise_model_n_listed(model); i++) {
    vise_layer layer;
    vise_model_layer(model, i, &layer);
    printf("%s%s", i == 0 ? "" : layer.kind == VISE_LAYER_LINEAR ? "\n" : ", ", vise_layer_kind_name(layer.kind));
  }
  printf("\n");
}

int main(void) {
  vise_error err;
  vise_dataset *seen = NULL, *unseen = NULL;
  vise_model *model = NULL;
  double r2 = 0;

  vise_status status = make_data(1, &seen, &err);
  if (status == VISE_OK) status = make_data(2, &unseen, &err);
  if (status == VISE_OK) status = make_model(&model, &err);
  if (status == VISE_OK) status = train(model, seen, &err);
  if (status == VISE_OK) status = score(model, unseen, &r2, &err);

  if (status == VISE_OK) {
    print_layers(model);
    printf("R^2 %.2f on rows that it has not seen\n", r2);
  } else {
    fprintf(stderr, "%s\n", err.text);
  }
  vise_model_free(model);
  vise_dataset_free(unseen);
  vise_dataset_free(seen);
  return status != VISE_OK;
}
