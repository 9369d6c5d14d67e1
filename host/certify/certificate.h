/*
 * What a certificate holds, and the parts that fill it. All bounds are found in float64 and moved outwards by more than
 * float64 and float32 can be off: with u = 2^-24 and gamma(m) = m u / (1 - m u), a sum of m float32 terms in any order is
 * off by at most gamma(m) times the sum of their magnitudes. The margins count a few terms more than there are, which is
 * room for float64, whose roundings are 2^-29 of one such term.
 */
#ifndef VISE_I_CERTIFICATE_H
#define VISE_I_CERTIFICATE_H

#include <math.h>

#include "host/certify/inputs.h"
#include "host/integer/integer.h"
#include "host/model/model.h"
#include "vise/certify.h"

/* The metadata entry of a model's file that holds its certificate. */
#define VISE_I_CERTIFICATE_KEY "vise.certificate"

/* What a margin counts beyond the inputs of a layer: bias, batch norm, roundings of parameters, and one for float64. */
enum { VISE_I_TERMS_BEYOND = 13 };

/* An interval for each of n values. */
typedef struct vise_i_ranges {
  size_t n;
  double *low, *high; /* one block, of which low is the start */
} vise_i_ranges;

/* How a spectral bound was found. */
typedef enum vise_i_spectral_by {
  VISE_I_BY_FROBENIUS,
  VISE_I_BY_ROWS_AND_COLUMNS,
  VISE_I_BY_CHOLESKY
} vise_i_spectral_by;

typedef struct vise_i_certified_layer {
  vise_activation activation;
  bool has_activation, batch_norm, residual;
  double slope; /* largest |f'| of the activation */
  double row_l1, spectral;
  vise_i_spectral_by spectral_by;
  vise_i_ranges pre; /* what the activation is applied to */
} vise_i_certified_layer;

/* The net in integers, if the model has one, and how far its sums can go. */
typedef struct vise_i_certified_sums {
  char format[VISE_I_INTEGER_FORMAT_BYTES]; /* "": the model has none */
  bool is_trained;
  char *fault; /* why a model that was trained for integers is no such net; NULL: it is */
  vise_i_integer_net *net;
  vise_i_integer_range *rows[VISE_MAX_LAYERS]; /* of each layer [n_out] */
  double fullest[VISE_MAX_LAYERS];
} vise_i_certified_sums;

struct vise_certificate {
  vise_i_inputs inputs;
  char *origin;
  size_t n_layers, n_outputs;
  uint64_t weights; /* XXH3 of all tensors as they lie in the model */

  vise_i_ranges given, outputs;
  double *float32_error; /* [n_outputs] */
  vise_i_certified_layer layers[VISE_MAX_LAYERS];

  vise_i_certified_sums sums;
  double inf, inf_product, two;
  size_t n_words;      /* of 64 inputs each */
  uint64_t *up, *down; /* [n_outputs, n_words]: inputs with a path that makes the output rise, or fall */
};

/* A linear layer and its batch norm as one: y_k = factor_k (W a)_k + offset_k. */
typedef struct vise_i_affine {
  const vise_model *model;
  const vise_i_block *block;
  size_t n_in, n_out, at;         /* at: where W begins in the parameters */
  double *factor, *offset, *bulk; /* [n_out]; bulk: what the magnitudes of offset's terms add up to */
} vise_i_affine;

VISE_WARN_UNUSED vise_status vise_i_affine_of(const vise_model *model, size_t layer, vise_i_affine *out,
                                              vise_error *err);
void vise_i_affine_free(vise_i_affine *affine);

static inline double vise_i_affine_weight(const vise_i_affine *a, size_t k, size_t j) {
  const vise_model *model = a->model;
  return vise_i_param_get(vise_model_dtype(model), vise_i_model_const_params(model), a->at + k * a->n_in + j);
}

/* m u / (1 - m u). */
static inline double vise_i_gamma(size_t m) {
  const double mu = (double)m * 0x1p-24;
  return mu / (1 - mu);
}

/* More than x >= 0 was before n float64 roundings upon the way to it. */
static inline double vise_i_above(double x, size_t n) {
  return nextafter(x * (1 + (double)(n + 8) * 0x1p-52), INFINITY);
}

/* Largest |f'|, rounded up. */
double vise_i_slope_bound(vise_activation activation);
/* f never falls. */
bool vise_i_is_monotone(vise_activation activation);

VISE_WARN_UNUSED vise_status vise_i_ranges_make(vise_i_ranges *out, size_t n, vise_error *err);
void vise_i_ranges_free(vise_i_ranges *ranges);

/* The parts: ranges and float32_error; Lipschitz bounds; monotone inputs. */
VISE_WARN_UNUSED vise_status vise_i_certify_ranges(const vise_model *model, vise_certificate *out, vise_error *err);
VISE_WARN_UNUSED vise_status vise_i_certify_lipschitz(const vise_model *model, vise_certificate *out, vise_error *err);
VISE_WARN_UNUSED vise_status vise_i_certify_monotone(const vise_model *model, vise_certificate *out, vise_error *err);

/* sums.c: of the net in integers that the config names, or that the model was trained to be; nothing without one. */
VISE_WARN_UNUSED vise_status vise_i_certify_sums(const vise_model *model, const vise_certify_config *config,
                                                 vise_certificate *out, vise_error *err);
void vise_i_certified_sums_free(vise_i_certified_sums *sums);

/* XXH3 of the weights, and statistics, as they lie in the model. */
uint64_t vise_i_weights_sum(const vise_model *model);

/* A bound of the spectral norm of matrix [n_rows, n_cols], and of the sum of magnitudes of a row in *row_l1. */
VISE_WARN_UNUSED vise_status vise_i_spectral_bound(const double *matrix, size_t n_rows, size_t n_cols,
                                                   vise_i_certified_layer *out, vise_error *err);

#endif
