/* Outputs of a model for every row of a dataset. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/call.h"
#include "host/base/memory.h"
#include "host/model/model.h"
#include "host/rule/loss.h"
#include "host/train/inference.h"
#include "vise/evaluate.h"

size_t vise_predict_width(const vise_model *model, vise_output output) {
  if (model == NULL) return 0;
  return output == VISE_OUTPUT_CLASS ? 1 : vise_model_width(model, vise_model_n_layers(model));
}

vise_output vise_predict_output(const vise_model *model, vise_output output) {
  if (output != VISE_OUTPUT_AUTO) return output;
  return vise_i_loss_link(vise_model_loss(model)) == VISE_LINK_EXP ? VISE_OUTPUT_MEAN : VISE_OUTPUT_RAW;
}

static vise_status check_output(const vise_model *model, vise_output output, vise_error *err) {
  const vise_loss loss = vise_model_loss(model);
  const vise_link link = vise_i_loss_link(loss);

  if (output == VISE_OUTPUT_PROBABILITY && link != VISE_LINK_SOFTMAX && link != VISE_LINK_SIGMOID) {
    return vise_i_fail(err, VISE_ERR_USAGE,
                       "output probability needs a model trained with cross-entropy or bce; this one has the loss %s: "
                       "use raw%s",
                       vise_loss_name(loss), vise_i_loss_classifies(loss) ? " or class" : "");
  }
  if (output == VISE_OUTPUT_CLASS && vise_i_loss_is_regression(loss)) {
    return vise_i_fail(err, VISE_ERR_USAGE,
                       "output class needs a model that classifies; this one has the loss %s: use raw",
                       vise_loss_name(loss));
  }
  if (output == VISE_OUTPUT_MEAN && !vise_i_loss_is_regression(loss)) {
    return vise_i_fail(err, VISE_ERR_USAGE, "output mean needs a regression; this model has the loss %s: use %s",
                       vise_loss_name(loss), link == VISE_LINK_IDENTITY ? "raw" : "probability");
  }
  if ((int)output < 0 || output >= vise_output_count_) {
    return vise_i_fail(err, VISE_ERR_USAGE, "output %d: expected raw, probability, class, mean or auto", (int)output);
  }

  return VISE_OK;
}

static double sigmoid(double z) {
  /* exp of a positive number could overflow to infinity. */
  if (z >= 0) return 1.0 / (1.0 + exp(-z));
  double e = exp(z);
  return e / (1.0 + e);
}

static void softmax(const double *z, size_t n, double *out) {
  double largest = z[0], sum = 0.0;
  for (size_t k = 1; k < n; k++) {
    if (z[k] > largest) largest = z[k];
  }
  for (size_t k = 0; k < n; k++) {
    out[k] = exp(z[k] - largest);
    sum += out[k];
  }
  for (size_t k = 0; k < n; k++) out[k] /= sum;
}

static double class_of(const double *z, size_t n) {
  if (n == 1) return z[0] > 0.0 ? 1.0 : 0.0;
  return (double)vise_i_argmax(z, n);
}

/* Turns one row of raw outputs z[n] into what was asked for. */
static void convert_row(const double *z, size_t n, vise_output output, vise_loss loss, const vise_i_scaling *y,
                        double *out) {
  if (output == VISE_OUTPUT_CLASS) {
    out[0] = class_of(z, n);
  } else if (output == VISE_OUTPUT_PROBABILITY && vise_i_loss_link(loss) == VISE_LINK_SOFTMAX) {
    softmax(z, n, out);
  } else {
    for (size_t k = 0; k < n; k++) {
      size_t c = y->uniform ? 0 : k;
      out[k] = output == VISE_OUTPUT_MEAN ? vise_i_expected(loss, z[k]) : z[k];

      if (output == VISE_OUTPUT_PROBABILITY) {
        out[k] = sigmoid(z[k]);
      } else if (y->scale != NULL) {
        out[k] = out[k] * y->scale[c] + y->shift[c];
      }
    }
  }
}

/* The raw outputs of all rows, as they come. */
typedef struct collected {
  double *raw;
  size_t n_outputs;
} collected;

static void collect(void *user, size_t first, size_t n, const double *outputs) {
  const collected *c = user;
  memcpy(c->raw + first * c->n_outputs, outputs, n * c->n_outputs * sizeof *outputs);
}

vise_status vise_predict(const vise_model *model, const vise_dataset *dataset, const vise_eval_config *config,
                         vise_output output, double *out, vise_error *err) {
  vise_status status = VISE_OK;
  vise_i_inference it = {0};
  double *raw = NULL;
  size_t n_raw = 0;
  VISE_ENTER(err, model, dataset, out);

  output = vise_predict_output(model, output);
  VISE_TRY(check_output(model, output, err));
  VISE_TRY(vise_i_inference_open(model, dataset, config, false, &it, err));
  if (!vise_i_size_mul(it.view.n_rows, it.n_outputs, &n_raw)) {
    status =
        vise_i_fail(err, VISE_ERR_MEMORY, "%zu rows of %zu outputs do not fit in memory", it.view.n_rows, it.n_outputs);
    goto done;
  }

  /* Not straight into out, which stays untouched when a later row fails. */
  VISE_TRY(vise_i_alloc(&raw, n_raw, sizeof *raw, "outputs of a prediction", err));
  const vise_i_pass pass = vise_i_inference_pass(&it);
  VISE_TRY(vise_i_pass_run(&pass, it.n_outputs, collect, &(collected){raw, it.n_outputs}, err));

  vise_i_scaling y = vise_i_scales_y(&it.scales);
  size_t width = vise_predict_width(model, output);
  for (size_t i = 0; i < it.view.n_rows; i++) {
    convert_row(raw + i * it.n_outputs, it.n_outputs, output, vise_model_loss(model), &y, out + i * width);
  }

done:
  free(raw);
  vise_i_inference_close(&it);
  return status;
}
