/* A fit in three calls: y = x^2 on [-1, 1], by a net of 16 hidden units whose weights stay within [-2, 2]. */
#include <stdio.h>
#include <vise/vise.h>

enum { N = 101 };

static vise_status fit(vise_error *err) {
  double x[N], y[N], guess[N], score = 0;
  for (int i = 0; i < N; i++) {
    x[i] = -1 + 0.02 * i;
    y[i] = x[i] * x[i];
  }
  const vise_array features = vise_array_of(x, VISE_F64, N, 1), targets = vise_array_of(y, VISE_F64, N, 1);
  const char *options =
      "layers=auto-16-auto activation=tanh loss=mse optimizer=adam lr=0.02 clamp=-2:2 "
      "batch=16 epochs=200 backend=cpu64";
  vise_dataset *data = NULL;
  vise_model *model = NULL;

  vise_status status = vise_dataset_from_arrays(&features, &targets, NULL, false, &data, err);
  if (status == VISE_OK) status = vise_fit(data, NULL, options, &model, err);
  if (status == VISE_OK) status = vise_predict(model, data, NULL, VISE_OUTPUT_RAW, guess, err);
  if (status == VISE_OK) status = vise_score(model, data, &score, err);

  if (status == VISE_OK) {
    for (int i = 20; i < N; i += 35) printf("%4.1f -> %.2f\n", x[i], guess[i]);
    printf("R^2 %.3f\n", score);
  }
  vise_model_free(model);
  vise_dataset_free(data);
  return status;
}

int main(void) {
  vise_error err;
  if (fit(&err) == VISE_OK) return 0;
  fprintf(stderr, "%s\n", err.text);
  return 1;
}
