/* The scales of a net: of its inputs, of rows by least error, of hidden values by what they are on some rows. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/memory.h"
#include "host/integer/parts.h"
#include "host/product/product.h"

/* The share of the values that one scale covers. */
#define COVERED 0.9995
/* Scales that are tried: so many to a factor of 2, over so many of these, and as many more as weights have bits beyond 8. */
enum { STEPS_OF_OCTAVE = 4, OCTAVES = 10, MOST_OCTAVES = 300 };
/* What scales of rows are multiplied by where training goes on from weights that were trained. */
#define WARM_SLACK 1.41
/* Accumulators from so many bits on have one scale for all rows of a layer, a power of 2. */
enum { WIDE_ACCUMULATOR = 16 };

/* ---- rows ---- */

int64_t vise_i_integer_round(const vise_i_integer_row *row, double s, double t, int32_t *v) {
  const double most = vise_i_bias_most(row->format), b = rint(row->bias / (s * t));
  const int64_t bias = (int64_t)(b < -most ? -most : (b > most ? most : b));
  const vise_i_radii radii = vise_i_integer_radii(row->format, row->most, row->zero, bias);
  vise_i_fixed_f64(row->weights, row->n, ldexp(s, radii.more_bits), v);
  vise_i_project_row(v, row->n, &radii);
  return bias;
}

/* What is lost of a row, as a sum of squares; a bias that is cut counts as one input of half the range does. */
static double row_error(const vise_i_integer_row *row, double s, double t, int32_t *v) {
  const double cut = fabs(row->bias) / (s * t) - vise_i_bias_most(row->format);
  const double of_bias = cut > 0.5 ? cut * s / (0.5 * row->most) : 0;
  double sum = of_bias * of_bias;
  (void)vise_i_integer_round(row, s, t, v);
  for (size_t i = 0; i < row->n; i++) {
    const double e = row->weights[i] - s * v[i];
    sum += e * e;
  }
  return sum;
}

static double largest(const double *w, size_t n) {
  double most = 0;
  for (size_t i = 0; i < n; i++) most = fabs(w[i]) > most ? fabs(w[i]) : most;
  return most;
}

/* The scale from which on a bias is not cut; 0 for none. */
static double scale_of_bias(const vise_i_integer_row *row, double t) {
  return fabs(row->bias) / (t * vise_i_bias_most(row->format));
}

/* How many octaves above a scale are tried: also those that a bias needs. */
static double octaves_above(double scale, double of_bias, const vise_i_integer_format *format) {
  const double octaves = OCTAVES + vise_i_more_bits(format);
  return of_bias > 0 ? fmin(fmax(octaves, ceil(log2(of_bias / scale))), MOST_OCTAVES) : octaves;
}

static double fit_row(const vise_i_integer_row *row, double t, int32_t *v) {
  const double least = largest(row->weights, row->n) / vise_i_most_q(row->format);
  const double of_bias = scale_of_bias(row, t);
  double best = least, best_error = INFINITY;
  if (!(least > 0)) return of_bias > 0 ? of_bias : 1;

  const double octaves = octaves_above(least, of_bias, row->format);
  for (int k = 0; k <= STEPS_OF_OCTAVE * octaves; k++) {
    const double s = least * exp2((double)k / STEPS_OF_OCTAVE), error = row_error(row, s, t, v);
    if (error < best_error) {
      best = s;
      best_error = error;
    }
  }
  return best;
}

/* A layer being fitted. */
typedef struct fitted_layer {
  const vise_i_folded *folded;
  vise_i_quantization *q;
  size_t l;
  int32_t *v; /* as in vise_i_integer_round */
} fitted_layer;

static vise_i_integer_row row_at(const fitted_layer *f, size_t r) {
  const vise_i_net *net = f->folded->net;
  const size_t n = net->widths[f->l];
  return (vise_i_integer_row){
      .format = &f->q->format,
      .most = vise_i_value_most(&f->q->format, f->l),
      .zero = vise_i_value_zero(f->q, net, f->l),
      .weights = f->folded->weights[f->l] + r * n,
      .bias = f->folded->biases[f->l][r],
      .n = n,
  };
}

static double fit_layer(const fitted_layer *f, double t) {
  const vise_i_net *net = f->folded->net;
  const size_t n_in = net->widths[f->l], n_out = net->widths[f->l + 1];
  const vise_i_integer_format *format = &f->q->format;
  const double least = largest(f->folded->weights[f->l], n_in * n_out) / vise_i_most_q(format);
  double best = 1, best_error = INFINITY, of_bias = 0;
  for (size_t r = 0; r < n_out; r++) {
    const vise_i_integer_row row = row_at(f, r);
    of_bias = fmax(of_bias, scale_of_bias(&row, t));
  }
  if (!(least > 0)) return of_bias > 0 ? exp2(ceil(log2(of_bias))) : 1;

  const int first = (int)ceil(log2(least)), last = first + (int)octaves_above(exp2(first), of_bias, format);
  for (int k = first; k <= last; k++) {
    double error = 0;
    for (size_t r = 0; r < n_out; r++) {
      const vise_i_integer_row row = row_at(f, r);
      error += row_error(&row, exp2(k), t, f->v);
    }
    if (error < best_error) {
      best = exp2(k);
      best_error = error;
    }
  }
  return best;
}

static void fit_rows(const fitted_layer *f, double slack) {
  const size_t n_out = f->folded->net->widths[f->l + 1];
  float *scales = f->q->scales + f->q->first_row[f->l];
  const double t = (double)vise_i_value_scale(f->q, f->q->scales, f->l);
  const bool alike = f->q->format.acc_bits >= WIDE_ACCUMULATOR;
  const double common = alike ? fit_layer(f, t) : 0;

  for (size_t r = 0; r < n_out; r++) {
    const vise_i_integer_row row = row_at(f, r);
    scales[r] = (float)(alike ? common : slack * fit_row(&row, t, f->v));
  }
}

/*
 * For weights that were just drawn, within [-b, b], which training will make larger. With n inputs and the radius R of
 * a row's integers, s is
 *   b min(1.5 n / R, 1.6 max(1, (128 / R)^(3/4))), and at least b / 16,
 * for all rows of the layer: rows can grow to 6 times the sum that they have, where R allows that with integers of which
 * the largest starts near 1; found by training (bench/integer). Where s is so large that all integers would start as 0
 * the weights are multiplied until the largest is s / 1.6: relu nets do the same with other factors.
 */
static void fit_cold(const fitted_layer *f) {
  const vise_i_net *net = f->folded->net;
  const size_t n_in = net->widths[f->l], n_out = net->widths[f->l + 1];
  double *weights = f->folded->weights[f->l];
  const vise_i_integer_row row = row_at(f, 0);
  const double radius = (double)vise_i_integer_radii(row.format, row.most, row.zero, 0).plus;
  const double b = largest(weights, n_in * n_out), growth = 1.5 * (double)n_in / radius;
  const double coarse = 1.6 * (radius < 128 ? pow(128 / radius, 0.75) : 1);

  double s = b * fmax(fmin(growth, coarse), 1.0 / 16);
  if (!(s > 0)) s = 1;
  if (f->q->format.acc_bits >= WIDE_ACCUMULATOR) s = exp2(rint(log2(s)));
  for (size_t r = 0; r < n_out; r++) f->q->scales[f->q->first_row[f->l] + r] = (float)s;
  for (size_t i = 0; s > 1.6 * b && i < n_in * n_out; i++) weights[i] *= s / (1.6 * b);
}

/* ---- values ---- */

size_t vise_i_calibration_rows(const vise_i_net *net) {
  const size_t n = ((size_t)1 << 28) / net->n_params;
  return n < 64 ? 64 : (n > 512 ? 512 : n);
}

static int compare_floats(const void *a, const void *b) {
  const float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

/* The value that the share COVERED of the n magnitudes does not exceed; sorts them. */
static float covering(float *values, size_t n) {
  size_t at = (size_t)ceil(COVERED * (double)n);
  at = at > 0 ? at - 1 : 0;
  qsort(values, n, sizeof *values, compare_floats);
  return values[at < n ? at : n - 1];
}

/* The range of the inputs, with 0 in it. */
static void fit_inputs(const vise_i_folded *folded, const vise_i_calibration *calibration, vise_i_quantization *q) {
  const int most = vise_i_value_most(&q->format, 0);
  const size_t n = calibration->n * folded->net->widths[0];
  double lo = 0, hi = calibration->unit_range ? 1 : 0;

  for (size_t i = 0; !calibration->unit_range && i < n; i++) {
    const double x = (double)calibration->x[i];
    if (!isfinite(x)) continue;
    lo = x < lo ? x : lo;
    hi = x > hi ? x : hi;
  }

  const double t = hi > lo ? (hi - lo) / most : 1;
  const double zero = rint(-lo / t);
  vise_i_quantization_set_input(q, t, zero > most ? most : (int)zero);
}

static float activate(vise_activation kind, float z) {
  switch (kind) {
    case VISE_RELU:
      return z > 0 ? z : 0;
    case VISE_LEAKY_RELU:
      return z > 0 ? z : 0.01f * z;
    case VISE_TANH:
      return tanhf(z);
    case VISE_SIGMOID:
      return 1 / (1 + expf(-z));
    default:
      return z;
  }
}

/* The calibration rows on their way through the net. */
typedef struct walk {
  const vise_i_folded *folded;
  vise_i_quantization *q;
  size_t n;
  float *values, *next; /* [n, width] of the layer at hand, and of the next */
  float *weights;       /* of a layer, rounded */
  float *sorted;
  int32_t *v;
} walk;

static void walk_free(walk *w) {
  free(w->values);
  free(w->next);
  free(w->weights);
  free(w->sorted);
  free(w->v);
}

static vise_status walk_make(walk *w, vise_error *err) {
  vise_status status;
  const vise_i_net *net = w->folded->net;
  size_t widest = 0, most = 0;
  for (size_t l = 0; l <= net->n_layers; l++) {
    widest = net->widths[l] > widest ? net->widths[l] : widest;
    if (l > 0 && net->widths[l] * net->widths[l - 1] > most) most = net->widths[l] * net->widths[l - 1];
  }

  VISE_TRY(vise_i_alloc_aligned(&w->values, w->n * widest, sizeof(float), "calibration", err));
  VISE_TRY(vise_i_alloc_aligned(&w->next, w->n * widest, sizeof(float), "calibration", err));
  VISE_TRY(vise_i_alloc_aligned(&w->sorted, w->n * widest, sizeof(float), "calibration", err));
  VISE_TRY(vise_i_alloc_aligned(&w->weights, most, sizeof(float), "calibration", err));
  VISE_TRY(vise_i_alloc(&w->v, widest, sizeof *w->v, "calibration", err));
done:
  return status;
}

static vise_i_levels levels_at(const walk *w, size_t l) {
  return (vise_i_levels){(double)vise_i_value_scale(w->q, w->q->scales, l), vise_i_value_most(&w->q->format, l),
                         vise_i_value_zero(w->q, w->folded->net, l)};
}

/* w->next: the layer's outputs with rounded weights, after the activation. */
static void walk_layer(walk *w, size_t l) {
  const vise_i_net *net = w->folded->net;
  const size_t n_in = net->widths[l], n_out = net->widths[l + 1];
  const fitted_layer f = {w->folded, w->q, l, w->v};
  const float *scales = vise_i_row_scales(w->q, w->q->scales, l);
  const double t = (double)vise_i_value_scale(w->q, w->q->scales, l);

  for (size_t r = 0; r < n_out; r++) {
    const vise_i_integer_row row = row_at(&f, r);
    const int64_t bias = vise_i_integer_round(&row, (double)scales[r], t, w->v);
    for (size_t i = 0; i < n_in; i++) w->weights[r * n_in + i] = scales[r] * (float)w->v[i];
    for (size_t k = 0; k < w->n; k++) w->next[k * n_out + r] = (float)((double)bias * (double)scales[r] * t);
  }
  vise_i_multiply_f32(&(vise_i_product_f32){
      w->n, n_out, n_in, {w->values, n_in, 1}, {w->weights, 1, n_in}, w->next, n_out, true, NULL});
  for (size_t i = 0; i < w->n * n_out; i++) w->next[i] = activate(net->blocks[l].activation, w->next[i]);
}

/* The scale of what layer l makes; one that no value asks for is 1. */
static void fit_values_of(walk *w, size_t l) {
  const vise_i_net *net = w->folded->net;
  const vise_activation activation = net->blocks[l].activation;
  const int most = vise_i_value_most(&w->q->format, l + 1), zero = vise_i_activation_zero(activation, most);
  const size_t n = w->n * net->widths[l + 1];
  float scale = vise_i_activation_scale(activation, most);

  if (scale == 0) {
    for (size_t i = 0; i < n; i++) w->sorted[i] = activation == VISE_IDENTITY ? fabsf(w->next[i]) : w->next[i];
    scale = covering(w->sorted, n) / (float)(most - zero);
  }
  w->q->scales[w->q->n_rows + l + 1] = scale > 0 && isfinite(scale) ? scale : 1;
}

/* How rows get their scales. */
typedef enum row_fit { KEEP, FIT_FINAL, FIT_WARM, FIT_COLD } row_fit;

static void choose_rows(const fitted_layer *f, row_fit how) {
  if (how == FIT_COLD) {
    fit_cold(f);
  } else if (how != KEEP) {
    fit_rows(f, how == FIT_WARM ? WARM_SLACK : 1);
  }
}

/* Through all layers. */
static vise_status walk_through(const vise_i_folded *folded, const vise_i_calibration *calibration, row_fit how,
                                vise_i_quantization *q, vise_error *err) {
  vise_status status;
  const vise_i_net *net = folded->net;
  walk w = {.folded = folded, .q = q, .n = calibration->n};

  VISE_TRY(walk_make(&w, err));
  vise_i_levels levels = levels_at(&w, 0);
  vise_i_round_values_f32(&levels, calibration->x, w.values, w.n * net->widths[0]);

  for (size_t l = 0; l < net->n_layers; l++) {
    const fitted_layer f = {folded, q, l, w.v};
    choose_rows(&f, how);
    if (l + 1 == net->n_layers) break;

    walk_layer(&w, l);
    fit_values_of(&w, l);
    levels = levels_at(&w, l + 1);
    vise_i_round_values_f32(&levels, w.next, w.values, w.n * net->widths[l + 1]);
  }

done:
  walk_free(&w);
  return status;
}

/* Whether all weights lie where an initializer draws them from. */
static bool are_drawn(const vise_i_folded *folded) {
  const vise_i_net *net = folded->net;
  for (size_t l = 0; l < net->n_layers; l++) {
    const double widest = sqrt(6.0 / (double)net->widths[l]); /* that of `he` */
    if (largest(folded->weights[l], net->widths[l] * net->widths[l + 1]) > 1.0001 * widest) return false;
  }
  return true;
}

static vise_status fit(const vise_i_folded *folded, const vise_i_integer_format *format,
                       const vise_i_calibration *calibration, row_fit how, vise_i_quantization **out, vise_error *err) {
  vise_status status;
  vise_i_quantization *q = NULL;

  VISE_TRY(vise_i_quantization_make(folded->net, format, &q, err));
  fit_inputs(folded, calibration, q);
  VISE_TRY(walk_through(folded, calibration, how, q, err));
  *out = q;
  q = NULL;

done:
  vise_i_quantization_free(q);
  return status;
}

vise_status vise_i_quantization_fit(const vise_i_folded *folded, const vise_i_integer_format *format,
                                    const vise_i_calibration *calibration, vise_i_quantization **out, vise_error *err) {
  return fit(folded, format, calibration, FIT_FINAL, out, err);
}

vise_status vise_i_quantization_start(vise_i_folded *folded, const vise_i_integer_format *format,
                                      const vise_i_calibration *calibration, vise_i_quantization **out,
                                      vise_error *err) {
  return fit(folded, format, calibration, are_drawn(folded) ? FIT_COLD : FIT_WARM, out, err);
}

vise_status vise_i_quantization_fit_values(const vise_i_folded *folded, const vise_i_calibration *calibration,
                                           vise_i_quantization *q, vise_error *err) {
  return walk_through(folded, calibration, KEEP, q, err);
}
