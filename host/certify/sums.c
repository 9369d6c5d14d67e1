/* How far the sums of the net in integers can go: of every row, whatever the inputs, in any order. */
#include <math.h>
#include <stdlib.h>

#include "host/base/memory.h"
#include "host/certify/certificate.h"
#include "host/certify/integers.h"

void vise_i_certified_sums_free(vise_i_certified_sums *sums) {
  vise_i_integer_net_free(sums->net);
  for (size_t l = 0; l < VISE_MAX_LAYERS; l++) free(sums->rows[l]);
  free(sums->fault);
  *sums = (vise_i_certified_sums){.net = NULL};
}

/* Weights that were changed after a training for integers make a net in floats alone, which the rest is about. */
static vise_status take_net(const vise_model *model, const vise_i_integers_wanted *wanted, vise_i_certified_sums *out,
                            vise_error *err) {
  vise_error inner = VISE_ERROR_INIT;
  const vise_status status = vise_i_integers_of(model, wanted, &out->net, &out->is_trained, &inner);
  if (status == VISE_OK) return VISE_OK;
  if (wanted->format == NULL && (status == VISE_ERR_VALUE || status == VISE_ERR_UNSUPPORTED)) {
    return vise_i_copy_text(&out->fault, inner.text, err);
  }
  return vise_i_fail(err, status, "%s", inner.text);
}

static vise_status certify_layer(vise_i_certified_sums *sums, size_t l, vise_error *err) {
  const vise_i_integer_layer *layer = &sums->net->layers[l];
  const vise_status status = vise_i_alloc(&sums->rows[l], layer->n_out, sizeof *sums->rows[l], "bounds of sums", err);
  if (status != VISE_OK) return status;

  for (size_t r = 0; r < layer->n_out; r++) {
    sums->rows[l][r] = vise_i_integer_row_range(layer, r);
    const double fullness = vise_i_integer_fullness(&sums->rows[l][r], sums->net->format.acc_bits);
    sums->fullest[l] = fmax(sums->fullest[l], fullness);
  }
  return VISE_OK;
}

vise_status vise_i_certify_sums(const vise_model *model, const vise_certify_config *config, vise_certificate *out,
                                vise_error *err) {
  const vise_i_integers_wanted wanted = {&out->inputs, config->integers, config->data};
  const vise_i_quantization *trained = vise_i_model_quantization(model);
  vise_i_certified_sums *sums = &out->sums;
  vise_status status = VISE_OK;
  if (trained == NULL && config->integers == NULL) return VISE_OK;

  VISE_TRY(take_net(model, &wanted, sums, err));
  (void)vise_i_integer_format_text(sums->net != NULL ? &sums->net->format : &trained->format, sums->format);
  if (sums->net == NULL) goto done;
  if (!sums->net->is_proven) {
    VISE_TRY(
        vise_i_fail(err, VISE_ERR_USAGE, "`as` unconstrained: its sums may overflow, so there is nothing to prove"));
  }
  for (size_t l = 0; l < sums->net->n_layers; l++) VISE_TRY(certify_layer(sums, l, err));

done:
  return status;
}
