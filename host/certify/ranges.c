/*
 * Interval arithmetic through the net. What goes from layer to layer are ranges of the values as float32 computes them,
 * so that each layer adds its own margin alone:
 *   input      (x - shift) / scale, off by gamma(6) (|x| + |shift|) / scale
 *   layer      factor_k sum_j w_kj a_j + offset_k, off by gamma(n + 13) (|factor_k| sum_j |w_kj| max|a_j| + bulk_k), and by
 *              what is lost where numbers below 2^-126 become 0
 *   activation exact for relu and identity, one rounding for leaky-relu, 2^-20 (gelu, silu: of the argument)
 * In the same walk: how far float32 is off the exact value, at most, e_y = |factor| |W| e_a + margin, then c e_y.
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/memory.h"
#include "host/certify/certificate.h"
#include "host/ops/ref64.h"

#define SMOOTH_ERROR 0x1p-20
#define TINY 0x1p-126

/* Where they are least; a bit below what they are there. */
#define GELU_LEAST_AT -0.751791524693
#define GELU_LEAST -0.16997121
#define SILU_LEAST_AT -1.278464542761
#define SILU_LEAST -0.27846455

/* The values at one place of the net: their ranges, and how far they may be off the exact ones. */
typedef struct place {
  vise_i_ranges at;
  double *error;
} place;

static vise_status make_place(place *out, size_t n, vise_error *err) {
  vise_status status = vise_i_ranges_make(&out->at, n, err);
  return status == VISE_OK ? vise_i_alloc_zero(&out->error, n, sizeof *out->error, "bounds", err) : status;
}

static void free_place(place *p) {
  vise_i_ranges_free(&p->at);
  free(p->error);
  *p = (place){0};
}

static double largest(const vise_i_ranges *r, size_t i) {
  return fmax(fabs(r->low[i]), fabs(r->high[i]));
}

static void widen(place *p, size_t i, double margin) {
  p->at.low[i] = nextafter(p->at.low[i] - margin, -INFINITY);
  p->at.high[i] = nextafter(p->at.high[i] + margin, INFINITY);
}

static void scale_inputs(const vise_certificate *c, place *out) {
  const vise_i_inputs *inputs = &c->inputs;
  for (size_t i = 0; i < inputs->n; i++) {
    const double shift = inputs->shift[i], scale = inputs->scale[i];
    const double margin =
        vise_i_gamma(6) * ((largest(&c->given, i) + fabs(shift)) / scale) + 4 * TINY * (1 + 1 / scale);
    out->at.low[i] = (c->given.low[i] - shift) / scale;
    out->at.high[i] = (c->given.high[i] - shift) / scale;
    widen(out, i, margin);
    out->error[i] = margin;
  }
}

static void through_row(const vise_i_affine *a, size_t k, const place *in, place *out) {
  double low = 0, high = 0, bulk = 0, error = 0, lost = 0;
  for (size_t j = 0; j < a->n_in; j++) {
    const double w = vise_i_affine_weight(a, k, j) * a->factor[k];
    low += w * (w < 0 ? in->at.high[j] : in->at.low[j]);
    high += w * (w < 0 ? in->at.low[j] : in->at.high[j]);
    bulk += fabs(w) * largest(&in->at, j);
    error += fabs(w) * in->error[j];
    lost += 2 + fabs(w) + largest(&in->at, j); /* a product, a sum, a value or a weight that becomes 0 */
  }

  const size_t n_terms = a->n_in + VISE_I_TERMS_BEYOND;
  const double tiny = TINY * (lost + VISE_I_TERMS_BEYOND) * (1 + fabs(a->factor[k]));
  const double margin = vise_i_gamma(n_terms) * (bulk + a->bulk[k]) + tiny;
  out->at.low[k] = low + a->offset[k];
  out->at.high[k] = bulk + a->bulk[k] <= FLT_MAX ? high + a->offset[k] : INFINITY; /* a part of the sum may overflow */
  widen(out, k, margin);
  out->error[k] = vise_i_above(error + margin, a->n_in);
}

static void bend(vise_activation f, double least_at, double least, double *low, double *high) {
  const double at_low = vise_i_ref64_activate(f, *low), at_high = vise_i_ref64_activate(f, *high);
  const bool has_least = *low <= least_at && least_at <= *high;
  *low = has_least ? least : fmin(at_low, at_high);
  *high = fmax(at_low, at_high);
}

/* In place. Around the place where it is least, which is known to twelve digits, a function is flat: what that leaves is far
   below the margin. */
static void activate(vise_activation f, place *p, size_t i) {
  const double bulk = largest(&p->at, i);
  double *low = &p->at.low[i], *high = &p->at.high[i], margin = 0;

  if (f == VISE_GELU) {
    bend(f, GELU_LEAST_AT, GELU_LEAST, low, high);
    margin = SMOOTH_ERROR * bulk;
  } else if (f == VISE_SILU) {
    bend(f, SILU_LEAST_AT, SILU_LEAST, low, high);
    margin = SMOOTH_ERROR * bulk;
  } else {
    *low = vise_i_ref64_activate(f, *low);
    *high = vise_i_ref64_activate(f, *high);
    if (f == VISE_LEAKY_RELU) margin = vise_i_gamma(3) * bulk;
    if (f == VISE_ELU) margin = SMOOTH_ERROR * fmin(bulk, 1);
    if (f == VISE_TANH || f == VISE_SIGMOID) margin = SMOOTH_ERROR;
  }

  if (margin > 0) widen(p, i, margin + TINY);
  p->error[i] = vise_i_above(vise_i_slope_bound(f) * p->error[i] + margin + TINY, 4);
}

static void add(place *to, const place *from, size_t i) {
  to->at.low[i] += from->at.low[i];
  to->at.high[i] += from->at.high[i];
  const double margin = vise_i_gamma(3) * largest(&to->at, i) + TINY;
  widen(to, i, margin);
  to->error[i] = vise_i_above(to->error[i] + from->error[i] + margin, 4);
}

static vise_status check_finite(const place *p, const char *what, vise_error *err) {
  for (size_t i = 0; i < p->at.n; i++) {
    if (largest(&p->at, i) <= FLT_MAX && p->error[i] <= FLT_MAX) continue;
    return vise_i_fail(err, VISE_ERR_VALUE,
                       "certify: %s %zu may be as large as %g, beyond float32, so that it may overflow: give smaller "
                       "ranges of the inputs, or train with smaller weights (`clamp`)",
                       what, i, largest(&p->at, i));
  }
  return VISE_OK;
}

static vise_status through_block(const vise_model *model, size_t l, vise_certificate *out, place *p, vise_error *err) {
  vise_i_affine a;
  place next = {0};
  vise_i_certified_layer *layer = &out->layers[l];
  vise_status status = VISE_OK;

  VISE_TRY(vise_i_affine_of(model, l, &a, err));
  VISE_TRY(make_place(&next, a.n_out, err));
  for (size_t k = 0; k < a.n_out; k++) through_row(&a, k, p, &next);
  VISE_TRY(check_finite(&next, "a pre-activation of a layer, unit", err));

  VISE_TRY(vise_i_ranges_make(&layer->pre, a.n_out, err));
  memcpy(layer->pre.low, next.at.low, 2 * a.n_out * sizeof *next.at.low);
  for (size_t k = 0; layer->has_activation && k < a.n_out; k++) activate(layer->activation, &next, k);
  for (size_t k = 0; layer->residual && k < a.n_out; k++) add(&next, p, k);
  VISE_TRY(check_finite(&next, "an output of a layer, unit", err));

  free_place(p);
  *p = next;
  next = (place){0};

done:
  free_place(&next);
  vise_i_affine_free(&a);
  return status;
}

/* The scaling of the targets undone. */
static vise_status finish(const vise_model *model, vise_certificate *out, place *p, vise_error *err) {
  double *shift = NULL, *scale = NULL;
  vise_status status = VISE_OK;
  const size_t n = p->at.n;
  VISE_TRY(vise_i_alloc(&shift, n, sizeof *shift, "scaling", err));
  VISE_TRY(vise_i_alloc(&scale, n, sizeof *scale, "scaling", err));
  const bool scaled = vise_model_target_scaling(model, shift, scale) != VISE_SCALE_NONE;

  for (size_t i = 0; scaled && i < n; i++) {
    const double margin = vise_i_gamma(6) * (largest(&p->at, i) * scale[i] + fabs(shift[i]));
    p->at.low[i] = p->at.low[i] * scale[i] + shift[i];
    p->at.high[i] = p->at.high[i] * scale[i] + shift[i];
    widen(p, i, margin);
    p->error[i] = vise_i_above(p->error[i] * scale[i] + margin, 4);
  }

  VISE_TRY(check_finite(p, "output", err));
  out->outputs = p->at;
  out->float32_error = p->error;
  *p = (place){0};

done:
  free(shift);
  free(scale);
  return status;
}

vise_status vise_i_certify_ranges(const vise_model *model, vise_certificate *out, vise_error *err) {
  place p = {0};
  vise_status status = VISE_OK;

  VISE_TRY(make_place(&p, out->inputs.n, err));
  scale_inputs(out, &p);
  VISE_TRY(check_finite(&p, "the scaled input", err));
  for (size_t l = 0; l < out->n_layers; l++) VISE_TRY(through_block(model, l, out, &p, err));
  VISE_TRY(finish(model, out, &p, err));

done:
  free_place(&p);
  return status;
}
