/* Whether fits have the same bits here as where the sweep began: the weights after a few steps of the first fit tell, which
   go through the same kernels and functions as all others. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/message.h"
#include "host/cli/sweep.h"

enum { STEPS = 8 };

/* As FNV-1a, a number at a time. */
static vise_status add_tensor(const vise_model *model, size_t i, uint64_t *hash, vise_error *err) {
  size_t n_rows = 0, n_columns = 0;
  vise_status status = vise_model_tensor_shape(model, i, &n_rows, &n_columns, err);
  const size_t n = n_rows * n_columns;
  double *values = calloc(n + 1, sizeof *values);
  if (values == NULL) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for the weights of a fit");

  if (status == VISE_OK) status = vise_model_get_tensor(model, i, values, n, err);
  for (size_t k = 0; status == VISE_OK && k < n; k++) {
    uint64_t bits;
    memcpy(&bits, &values[k], sizeof bits);
    *hash = (*hash ^ bits) * 0x100000001b3u;
    *hash ^= *hash >> 29;
  }
  free(values);
  return status;
}

static vise_status write_hash(const vise_model *model, char out[24], vise_error *err) {
  uint64_t hash = 0xcbf29ce484222325u;
  vise_status status = VISE_OK;
  for (size_t i = 0; status == VISE_OK && i < vise_model_n_tensors(model); i++) {
    status = add_tensor(model, i, &hash, err);
  }
  if (status == VISE_OK) (void)snprintf(out, 24, "%016" PRIx64, hash);
  return status;
}

/* Trains the first fit for a few steps; *out: its model, NULL where its numbers are not finite. */
static vise_status train(const vise_i_cli_sweeping *s, const vise_sweep_fit *fit, vise_model **out, vise_error *err) {
  vise_sweep_config config;
  vise_sweep *queue = NULL;
  vise_sweep_result result = {0};
  bool found = false;
  vise_sweep_config_init(&config);
  config.n_jobs = 1;
  vise_status status = vise_sweep_create(&config, &queue, err);
  if (status == VISE_OK) status = vise_sweep_submit(queue, fit, err);
  if (status == VISE_OK) status = vise_sweep_next(queue, (double)INFINITY, &result, &found, err);
  if (status == VISE_OK && result.status != VISE_OK && result.status != VISE_ERR_NONFINITE) {
    status = vise_i_cli_sweep_fit_failed(s, 0, 0, result.status, result.error.text, err);
  }
  *out = result.model;
  result.model = NULL;
  vise_sweep_result_clear(&result);
  vise_sweep_free(queue);
  return status;
}

vise_status vise_i_cli_sweep_probe(const vise_i_cli_sweeping *s, char out[24], vise_error *err) {
  vise_i_cli_options options;
  vise_i_cli_setup setup;
  vise_model *model = NULL;
  out[0] = '\0';

  vise_status status = vise_i_cli_sweep_resolve(s, 0, 0, &options, &setup, err);
  if (status == VISE_OK) {
    vise_train_config training = vise_i_cli_trainer_config(&options, &setup);
    vise_sweep_fit fit;
    if (training.steps == 0 || training.steps > STEPS) training.steps = STEPS;
    vise_sweep_fit_init(&fit);
    fit.training = &training;
    vise_i_cli_sweep_fill(&options, &setup, &fit);
    fit.keep_model = true;
    status = train(s, &fit, &model, err);
  }
  if (status == VISE_OK && model != NULL) status = write_hash(model, out, err);
  vise_model_free(model);
  vise_model_free(setup.model);
  vise_i_cli_options_free(&options);
  return status;
}

const char *vise_i_cli_sweep_backend(const vise_i_cli_sweeping *s) {
  const vise_train_config *training = &s->options->training;
  const bool on_cpu = training->quantize != NULL || training->parts > 0; /* which cuda lacks in a sweep */
  vise_device_info info;
  switch (training->backend) {
    case VISE_BACKEND_AUTO:
      return !on_cpu && vise_list_devices(&info, 1) > 0 ? "cuda" : "cpu";
    case VISE_BACKEND_CUDA:
      return "cuda";
    case VISE_BACKEND_CPU64:
      return "cpu64";
    default:
      return "cpu";
  }
}

static const char *text_of(const json_t *sheet, const char *key) {
  const char *text = json_string_value(json_object_get(sheet, key));
  return text != NULL ? text : "";
}

vise_status vise_i_cli_sweep_check_bits(const vise_i_cli_sweeping *s, const json_t *sheet, vise_error *err) {
  const char *version = text_of(sheet, "version"), *backend = text_of(sheet, "backend"),
             *probe = text_of(sheet, "probe");
  char own[24];

  if (strcmp(version, vise_version()) != 0) {
    return vise_i_cli_fail(
        err, VISE_ERR_USAGE,
        "--join %s: the sweep is of version %s, and this is %s, which may compute other bits; give it "
        "the same",
        s->dir, version, vise_version());
  }
  if (strcmp(backend, vise_i_cli_sweep_backend(s)) != 0) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE,
                           "--join %s: the sweep is trained by backend %s, and this process would train it by %s, with "
                           "other bits; it can be joined where there is the same",
                           s->dir, backend, vise_i_cli_sweep_backend(s));
  }

  const vise_status status = vise_i_cli_sweep_probe(s, own, err);
  if (status != VISE_OK || strcmp(probe, own) == 0) return status;
  return vise_i_cli_fail(err, VISE_ERR_USAGE,
                         "--join %s: a few steps of the first fit have other bits here than where the sweep began: the "
                         "processor, the GPU or the build differs in what it computes",
                         s->dir);
}
