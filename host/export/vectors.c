/* Test vectors: inputs within ranges, what they give in exact arithmetic, and how far float32 may be from it. */
#include <math.h>
#include <stdlib.h>

#include "host/base/memory.h"
#include "host/base/rng.h"
#include "host/export/export.h"
#include "vise/evaluate.h"

/* The range of an input of which nothing is said. */
static void usual_range(const vise_i_inputs *inputs, size_t i, double *low, double *high) {
  const bool is_byte = inputs->names == NULL && inputs->kind == VISE_SCALE_UNIT;
  const bool is_plain = inputs->names == NULL && inputs->kind == VISE_SCALE_NONE;
  *low = is_byte || inputs->is_bit[i] ? 0 : is_plain ? -1 : inputs->shift[i] - 2 * inputs->scale[i];
  *high = is_byte ? 255 : inputs->is_bit[i] || is_plain ? 1 : inputs->shift[i] + 2 * inputs->scale[i];
}

static double draw(const vise_i_inputs *inputs, size_t i, double low, double high, uint32_t bits) {
  const double u = vise_i_uniform_f32(bits);
  const bool is_byte = inputs->names == NULL && inputs->kind == VISE_SCALE_UNIT;
  if (inputs->is_bit[i]) return u < 0.5 ? 0 : 1;
  const double x = low + u * (high - low);
  return (double)(float)(is_byte ? floor(x + 0.5) : x);
}

static void fill(vise_i_export *e, const double *low, const double *high) {
  const size_t n_in = e->inputs.n;
  for (size_t v = 0; v < e->vectors.n; v++) {
    for (size_t i = 0; i < n_in; i++) {
      uint32_t bits[4];
      vise_i_philox(1, (const uint32_t[4]){(uint32_t)i, (uint32_t)v, 0, VISE_I_STREAM_CHECK}, bits);
      e->vectors.inputs[v * n_in + i] = draw(&e->inputs, i, low[i], high[i], bits[0]);
    }
  }
}

/* What the net sees, where the model does not scale by itself. */
static vise_status seen_by_net(const vise_i_export *e, double **out, vise_error *err) {
  const size_t n_in = e->inputs.n, n = e->vectors.n * n_in;
  const vise_status status = vise_i_alloc(out, n, sizeof **out, "test vectors", err);
  for (size_t k = 0; status == VISE_OK && k < n; k++) {
    const double x = e->vectors.inputs[k];
    const bool scales = e->inputs.names != NULL; /* else the model does */
    (*out)[k] = scales ? (x - e->inputs.shift[k % n_in]) / e->inputs.scale[k % n_in] : x;
  }
  return status;
}

static vise_status predict(vise_i_export *e, vise_error *err) {
  vise_status status = VISE_OK;
  vise_dataset *dataset = NULL;
  vise_model *model = NULL; /* vise_predict takes any, cpu64 all of its digits */
  double *seen = NULL;
  vise_eval_config config;
  vise_eval_config_init(&config);
  config.backend = VISE_BACKEND_CPU64;
  config.n_threads = 1;

  VISE_TRY(seen_by_net(e, &seen, err));
  const vise_array array = vise_array_of(seen, VISE_F64, e->vectors.n, e->inputs.n);
  VISE_TRY(vise_dataset_from_arrays(&array, NULL, NULL, false, &dataset, err));
  VISE_TRY(vise_model_clone(e->model, VISE_F64, &model, err));
  VISE_TRY(vise_predict(model, dataset, &config, VISE_OUTPUT_RAW, e->vectors.outputs, err));

done:
  vise_dataset_free(dataset);
  vise_model_free(model);
  free(seen);
  return status;
}

static vise_status certify(vise_i_export *e, vise_error *err) {
  vise_status status = VISE_OK;
  vise_certificate *certificate = NULL;
  vise_certify_config config;
  vise_certify_config_init(&config);
  config.low = e->vectors.low;
  config.high = e->vectors.high;

  VISE_TRY(vise_certify(e->model, &config, &certificate, err));
  for (size_t k = 0; k < e->n_outputs; k++) {
    double least, most;
    VISE_TRY(vise_certificate_output(certificate, k, &least, &most, &e->vectors.tolerance[k], err));
  }

done:
  vise_certificate_free(certificate);
  return status;
}

vise_status vise_i_vectors_draw(vise_i_export *e, const vise_export_config *config, vise_error *err) {
  vise_status status = VISE_OK;
  vise_i_vectors *v = &e->vectors;
  const size_t n_in = e->inputs.n;
  size_t n_values = 0;
  if (!vise_i_size_mul(config->n_vectors, n_in, &n_values)) return vise_i_fail_memory(err, 0, "test vectors");
  VISE_TRY(vise_i_alloc(&v->low, n_in, sizeof *v->low, "ranges", err));
  VISE_TRY(vise_i_alloc(&v->high, n_in, sizeof *v->high, "ranges", err));
  VISE_TRY(vise_i_alloc(&v->inputs, n_values, sizeof *v->inputs, "test vectors", err));
  v->n = config->n_vectors;

  for (size_t i = 0; i < n_in; i++) {
    v->low[i] = config->low == NULL ? NAN : config->low[i];
    v->high[i] = config->high == NULL ? NAN : config->high[i];
    if (isnan(v->low[i]) && isnan(v->high[i])) usual_range(&e->inputs, i, &v->low[i], &v->high[i]);
    if (isfinite(v->low[i]) && isfinite(v->high[i]) && v->low[i] <= v->high[i]) continue;
    VISE_TRY(vise_i_fail(err, VISE_ERR_USAGE,
                         "input %zu: the range %g to %g, expected two finite numbers, the smaller one first", i,
                         v->low[i], v->high[i]));
  }
  fill(e, v->low, v->high);

done:
  return status;
}

vise_status vise_i_vectors_answer(vise_i_export *e, vise_error *err) {
  vise_status status = VISE_OK;
  size_t n_results = 0;
  if (!vise_i_size_mul(e->vectors.n, e->n_outputs, &n_results)) return vise_i_fail_memory(err, 0, "test vectors");
  VISE_TRY(vise_i_alloc(&e->vectors.outputs, n_results, sizeof *e->vectors.outputs, "test vectors", err));
  VISE_TRY(vise_i_alloc(&e->vectors.tolerance, e->n_outputs, sizeof *e->vectors.tolerance, "test vectors", err));
  VISE_TRY(certify(e, err));
  VISE_TRY(predict(e, err));

done:
  return status;
}
