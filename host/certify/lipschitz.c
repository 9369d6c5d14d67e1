/*
 * Lipschitz bounds of the net, the scaling of inputs and targets included. In the infinity norm the bound follows the sums
 * of |W_L| ... |W_1|, unit by unit: K_k = c |factor_k| sum_j |w_kj| K_j, and K_k + K of the block's input with a residual,
 * from K_j = 1 / scale_j; the product of the largest row sums is looser. In the Euclidean norm it is the product of spectral
 * bounds times c, and 1 + that with a residual.
 */
#include <math.h>
#include <stdlib.h>

#include "host/base/memory.h"
#include "host/certify/certificate.h"

/* What columns of a first layer and rows of a last one are multiplied by, so that scaling is part of them. */
typedef struct scaling {
  double *in, *out;
} scaling;

static vise_status effective(const vise_i_affine *a, const double *columns, const double *rows, double **out,
                             vise_error *err) {
  size_t n = 0;
  if (!vise_i_size_mul(a->n_in, a->n_out, &n)) return vise_i_fail_memory(err, 0, "a layer's weights");
  const vise_status status = vise_i_alloc_aligned(out, n, sizeof **out, "a layer's weights", err);
  if (status != VISE_OK) return status;

  for (size_t k = 0; k < a->n_out; k++) {
    const double row = a->factor[k] * (rows == NULL ? 1 : rows[k]);
    for (size_t j = 0; j < a->n_in; j++) {
      (*out)[k * a->n_in + j] = vise_i_affine_weight(a, k, j) * row * (columns == NULL ? 1 : columns[j]);
    }
  }
  return VISE_OK;
}

/* One step of the bound by units: from `in` [n_in] to out [n_out]. */
static void by_units(const vise_i_affine *a, const vise_i_certified_layer *layer, const double *in, double *out) {
  for (size_t k = 0; k < a->n_out; k++) {
    double sum = 0;
    for (size_t j = 0; j < a->n_in; j++) sum += fabs(vise_i_affine_weight(a, k, j)) * in[j];
    out[k] = vise_i_above(layer->slope * fabs(a->factor[k]) * sum, a->n_in + 8);
    if (layer->residual) out[k] = vise_i_above(out[k] + in[k], 1);
  }
}

static double most(const double *values, size_t n) {
  double m = 0;
  for (size_t i = 0; i < n; i++) m = fmax(m, values[i]);
  return m;
}

/* Of the layer alone, scaling included where there is no residual around it, which would have to be scaled too. */
static vise_status through_layer(const vise_i_affine *a, const scaling *s, vise_certificate *out,
                                 vise_i_certified_layer *layer, vise_error *err) {
  double *matrix = NULL;
  const bool alone = layer->residual && s->in != NULL;
  vise_status status = effective(a, alone ? NULL : s->in, s->out, &matrix, err);
  if (status == VISE_OK) status = vise_i_spectral_bound(matrix, a->n_out, a->n_in, layer, err);
  free(matrix);
  if (status != VISE_OK) return status;

  const double inf = layer->slope * layer->row_l1, two = layer->slope * layer->spectral;
  const double before = alone ? most(s->in, a->n_in) : 1;
  out->inf_product = vise_i_above(out->inf_product * (layer->residual ? 1 + inf : inf) * before, 8);
  out->two = vise_i_above(out->two * (layer->residual ? 1 + two : two) * before, 8);
  return VISE_OK;
}

static vise_status through_block(const vise_model *model, size_t l, const scaling *s, vise_certificate *out, double **k,
                                 vise_error *err) {
  vise_i_affine a;
  double *next = NULL;
  vise_status status = VISE_OK;
  VISE_TRY(vise_i_affine_of(model, l, &a, err));
  VISE_TRY(vise_i_alloc(&next, a.n_out, sizeof *next, "bounds", err));

  const scaling here = {l == 0 ? s->in : NULL, l + 1 == out->n_layers ? s->out : NULL};
  by_units(&a, &out->layers[l], *k, next);
  VISE_TRY(through_layer(&a, &here, out, &out->layers[l], err));
  free(*k);
  *k = next;
  next = NULL;

done:
  free(next);
  vise_i_affine_free(&a);
  return status;
}

static vise_status make_scaling(const vise_model *model, const vise_certificate *c, scaling *s, double **k,
                                vise_error *err) {
  vise_status status = VISE_OK;
  VISE_TRY(vise_i_alloc(&s->in, c->inputs.n, sizeof *s->in, "scaling", err));
  VISE_TRY(vise_i_alloc(&s->out, c->n_outputs, sizeof *s->out, "scaling", err));
  VISE_TRY(vise_i_alloc(k, c->inputs.n, sizeof **k, "bounds", err));

  (void)vise_model_target_scaling(model, NULL, s->out);
  for (size_t i = 0; i < c->inputs.n; i++) (*k)[i] = s->in[i] = vise_i_above(1 / c->inputs.scale[i], 1);

done:
  return status;
}

vise_status vise_i_certify_lipschitz(const vise_model *model, vise_certificate *out, vise_error *err) {
  scaling s = {0};
  double *k = NULL;
  vise_status status = VISE_OK;
  out->inf_product = out->two = 1;

  VISE_TRY(make_scaling(model, out, &s, &k, err));
  for (size_t l = 0; l < out->n_layers; l++) VISE_TRY(through_block(model, l, &s, out, &k, err));

  for (size_t i = 0; i < out->n_outputs; i++) out->inf = fmax(out->inf, vise_i_above(k[i] * s.out[i], 1));
  out->inf = fmin(out->inf, out->inf_product);
  if (!isfinite(out->inf_product) || !isfinite(out->two)) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_VALUE, "certify: the Lipschitz bounds are beyond float64"));
  }

done:
  free(s.in);
  free(s.out);
  free(k);
  return status;
}
