/* Fits y = 3x + 2 exactly with one linear layer, through the installed headers and library alone. */
#include <math.h>
#include <stdio.h>
#include <vise/vise.h>

static vise_status fit(double *weight, double *bias, vise_error *err) {
  const double x[4] = {-1, 0, 1, 2}, y[4] = {-1, 2, 5, 8};
  const vise_array features = vise_array_of(x, VISE_F64, 4, 1), targets = vise_array_of(y, VISE_F64, 4, 1);
  vise_dataset *data = NULL;
  vise_model *model = NULL;
  vise_trainer *trainer = NULL;

  vise_net_config net;
  vise_net_config_init(&net);
  net.n_layers = 1;
  net.widths[0] = net.widths[1] = 1;

  vise_train_config config;
  vise_train_config_init(&config);
  config.loss = VISE_LOSS_MSE;
  config.lr = 0.3;
  config.batch = 0;
  config.backend = VISE_BACKEND_CPU64;

  vise_status status = vise_dataset_from_arrays(&features, &targets, NULL, false, &data, err);
  if (status == VISE_OK) status = vise_model_create(&net, VISE_F64, &model, err);
  if (status == VISE_OK) status = vise_trainer_create(&config, model, data, NULL, NULL, &trainer, err);
  if (status == VISE_OK) status = vise_trainer_step(trainer, 500, NULL, NULL, err);
  if (status == VISE_OK) status = vise_trainer_sync(trainer, err);
  if (status == VISE_OK) status = vise_model_get_tensor(model, 0, weight, 1, err);
  if (status == VISE_OK) status = vise_model_get_tensor(model, 1, bias, 1, err);

  vise_trainer_free(trainer);
  vise_model_free(model);
  vise_dataset_free(data);
  return status;
}

int main(void) {
  vise_error err = VISE_ERROR_INIT;
  double weight = 0, bias = 0;
  if (fit(&weight, &bias, &err) != VISE_OK) {
    printf("%s: %s\n", vise_status_name(err.code), err.text);
    return 1;
  }
  printf("vise %s: y = %.6f x + %.6f\n", vise_version(), weight, bias);
  return fabs(weight - 3) <= 1e-6 && fabs(bias - 2) <= 1e-6 ? 0 : 1;
}
