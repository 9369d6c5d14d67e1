/* A loss of one's own: the quantiles 0.1, 0.5 and 0.9 of y given x, by the pinball loss. Vise runs the net forward, the
   program computes the gradient of its loss at the outputs, and Vise takes the step. */
#include <stdio.h>
#include <vise/vise.h>

enum { N = 500, K = 3, N_STEPS = 1500 };
static const double quantiles[K] = {0.1, 0.5, 0.9};

/* A number in [0, 1), the same on every machine. */
static double number(unsigned *state) {
  *state = *state * 1103515245u + 12345u;
  return (double)(*state >> 8 & 0xffffu) / 65536;
}

/* The mean over rows of sum_k max(q_k (y - z_k), (q_k - 1) (y - z_k)), and its gradient with respect to z. */
static double pinball(const double *z, const double *y, double *delta) {
  double loss = 0;
  for (int i = 0; i < N; i++) {
    for (int k = 0; k < K; k++) {
      const double above = y[i] - z[i * K + k];
      const double slope = above > 0 ? quantiles[k] : quantiles[k] - 1;
      loss += slope * above / N;
      delta[i * K + k] = -slope / N;
    }
  }
  return loss;
}

static vise_status train(vise_trainer *trainer, const double *x, const double *y, double *z, vise_error *err) {
  static double delta[N * K];
  const vise_array inputs = vise_array_of(x, VISE_F64, N, 1), gradient = vise_array_of(delta, VISE_F64, N, K);

  vise_status status = VISE_OK;
  for (int step = 0; step < N_STEPS && status == VISE_OK; step++) {
    status = vise_trainer_forward(trainer, &inputs, z, err);
    if (status != VISE_OK) break;
    const double loss = pinball(z, y, delta);
    status = vise_trainer_step_external(trainer, &inputs, &gradient, loss, NULL, err);
  }
  return status == VISE_OK ? vise_trainer_forward(trainer, &inputs, z, err) : status;
}

/* How many of the targets lie below each quantile: q_k of them should. */
static void print_shares(const double *z, const double *y) {
  for (int k = 0; k < K; k++) {
    int n_below = 0;
    for (int i = 0; i < N; i++) n_below += y[i] < z[i * K + k];
    printf("quantile %.1f: %.1f of the targets lie below\n", quantiles[k], (double)n_below / N);
  }
}

static vise_status run(vise_error *err) {
  static double x[N], y[N], z[N * K];
  unsigned state = 5;
  for (int i = 0; i < N; i++) {
    x[i] = 2 * number(&state) - 1;
    y[i] = x[i] * x[i] + (0.2 + 0.5 * (x[i] > 0)) * (number(&state) - 0.5); /* noise that depends on x */
  }

  vise_net_config net;
  vise_net_config_init(&net);
  net.n_layers = 2;
  net.widths[0] = 1;
  net.widths[1] = 16;
  net.widths[2] = K;
  net.activation = VISE_TANH;
  vise_train_config config;
  vise_train_config_init(&config);
  config.loss = VISE_LOSS_EXTERNAL;
  config.optimizer = VISE_ADAM;
  config.backend = VISE_BACKEND_CPU64;
  config.clamp = true; /* all that Vise does to weights holds here too */
  config.clamp_lo = -3;
  config.clamp_hi = 3;

  vise_model *model = NULL;
  vise_trainer *trainer = NULL;
  vise_status status = vise_model_create(&net, VISE_F64, &model, err);
  if (status == VISE_OK) status = vise_model_initialize(model, VISE_INIT_LINEAR, 1, err);
  if (status == VISE_OK) status = vise_trainer_create(&config, model, NULL, NULL, NULL, &trainer, err);
  if (status == VISE_OK) status = train(trainer, x, y, z, err);
  if (status == VISE_OK) print_shares(z, y);
  vise_trainer_free(trainer);
  vise_model_free(model);
  return status;
}

int main(void) {
  vise_error err;
  if (run(&err) == VISE_OK) return 0;
  fprintf(stderr, "%s\n", err.text);
  return 1;
}
