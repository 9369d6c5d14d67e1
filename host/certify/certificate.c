/* What a certificate says, by calls. */
#include "host/certify/certificate.h"

#include <stdlib.h>

#include "host/base/call.h"

void vise_certificate_free(vise_certificate *certificate) {
  if (certificate == NULL) return;
  vise_i_inputs_free(&certificate->inputs);
  vise_i_ranges_free(&certificate->given);
  vise_i_ranges_free(&certificate->outputs);
  for (size_t l = 0; l < VISE_MAX_LAYERS; l++) vise_i_ranges_free(&certificate->layers[l].pre);
  vise_i_certified_sums_free(&certificate->sums);
  free(certificate->origin);
  free(certificate->float32_error);
  free(certificate->up);
  free(certificate->down);
  free(certificate);
}

size_t vise_certificate_n_inputs(const vise_certificate *certificate) {
  return certificate == NULL ? 0 : certificate->inputs.n;
}

size_t vise_certificate_n_outputs(const vise_certificate *certificate) {
  return certificate == NULL ? 0 : certificate->n_outputs;
}

static vise_status check_index(const char *what, size_t i, size_t n, vise_error *err) {
  if (i < n) return VISE_OK;
  return vise_i_fail(err, VISE_ERR_USAGE, "%s %zu of a certificate that has %zu", what, i, n);
}

vise_status vise_certificate_input(const vise_certificate *certificate, size_t i, double *low, double *high,
                                   vise_error *err) {
  VISE_ENTER(err, certificate, low, high);
  const vise_status status = check_index("input", i, certificate->inputs.n, err);
  if (status != VISE_OK) return status;
  *low = certificate->given.low[i];
  *high = certificate->given.high[i];
  return VISE_OK;
}

const char *vise_certificate_input_name(const vise_certificate *certificate, size_t i) {
  if (certificate == NULL || certificate->inputs.names == NULL || i >= certificate->inputs.n) return NULL;
  return certificate->inputs.names[i];
}

vise_status vise_certificate_output(const vise_certificate *certificate, size_t i, double *low, double *high,
                                    double *float32_error, vise_error *err) {
  VISE_ENTER(err, certificate, low, high);
  const vise_status status = check_index("output", i, certificate->n_outputs, err);
  if (status != VISE_OK) return status;
  *low = certificate->outputs.low[i];
  *high = certificate->outputs.high[i];
  if (float32_error != NULL) *float32_error = certificate->float32_error[i];
  return VISE_OK;
}

vise_status vise_certificate_layer(const vise_certificate *certificate, size_t layer, double *low, double *high,
                                   vise_error *err) {
  VISE_ENTER(err, certificate, low, high);
  const vise_status status = check_index("layer", layer, certificate->n_layers, err);
  if (status != VISE_OK) return status;

  const vise_i_ranges *pre = &certificate->layers[layer].pre;
  double least = pre->low[0], most = pre->high[0];
  for (size_t k = 1; k < pre->n; k++) {
    least = fmin(least, pre->low[k]);
    most = fmax(most, pre->high[k]);
  }
  *low = least;
  *high = most;
  return VISE_OK;
}

/* ---- sums of integers ---- */

const char *vise_certificate_integers(const vise_certificate *certificate, bool *is_trained) {
  if (certificate == NULL || certificate->sums.format[0] == '\0') return NULL;
  if (is_trained != NULL) *is_trained = certificate->sums.is_trained;
  return certificate->sums.format;
}

const char *vise_certificate_integers_fault(const vise_certificate *certificate) {
  return certificate == NULL ? NULL : certificate->sums.fault;
}

vise_status vise_certificate_sums(const vise_certificate *certificate, size_t layer, int64_t *low, int64_t *high,
                                  double *fullest, vise_error *err) {
  VISE_ENTER(err, certificate, low, high);
  const vise_i_certified_sums *sums = &certificate->sums;
  const vise_status status = check_index("layer", layer, certificate->n_layers, err);
  if (status != VISE_OK) return status;
  if (sums->net == NULL) {
    return vise_i_fail(err, VISE_ERR_USAGE, "sums of layer %zu of a certificate that is about floats alone", layer);
  }

  const vise_i_integer_range *rows = sums->rows[layer];
  vise_i_integer_range all = rows[0];
  for (size_t r = 1; r < sums->net->layers[layer].n_out; r++) {
    all.low = rows[r].low < all.low ? rows[r].low : all.low;
    all.high = rows[r].high > all.high ? rows[r].high : all.high;
  }
  *low = all.low;
  *high = all.high;
  if (fullest != NULL) *fullest = sums->fullest[layer];
  return VISE_OK;
}

/* ---- sensitivity ---- */

double vise_certificate_lipschitz_inf(const vise_certificate *certificate) {
  return certificate == NULL ? 0 : certificate->inf;
}

double vise_certificate_lipschitz_2(const vise_certificate *certificate) {
  return certificate == NULL ? 0 : certificate->two;
}

/* Whether the input is in none of the output's sets. */
static bool is_clear(const vise_certificate *c, const uint64_t *sets, size_t output, size_t input) {
  return (sets[output * c->n_words + input / 64] >> input % 64 & 1) == 0;
}

bool vise_certificate_increases(const vise_certificate *certificate, size_t output, size_t input) {
  if (certificate == NULL || output >= certificate->n_outputs || input >= certificate->inputs.n) return false;
  return is_clear(certificate, certificate->down, output, input);
}

bool vise_certificate_decreases(const vise_certificate *certificate, size_t output, size_t input) {
  if (certificate == NULL || output >= certificate->n_outputs || input >= certificate->inputs.n) return false;
  return is_clear(certificate, certificate->up, output, input);
}
