/* Analytic gradients against central differences. */
#include <float.h>
#include <math.h>

#include "host/base/rng.h"
#include "host/train/check.h"

#define RELATIVE_TOLERANCE 1e-6
#define FIRST_STEP 1e-5
#define N_TRIES 3 /* h, h/10, h/100 */

/* What one try at one entry found. */
typedef struct difference {
  double central, left, right; /* slopes */
  double rounding;             /* how much rounding may have changed `central` */
} difference;

static vise_status value_at(const vise_i_check_point *point, vise_i_check_part part, double *out, vise_error *err) {
  double loss = 0.0, penalty = 0.0;
  vise_status status = point->ops->set_state(point->backend, VISE_I_PARAMS, point->params, err);
  if (status != VISE_OK) return status;

  const vise_i_batch batch = {.data = point->data, .rows = point->rows, .n = point->n_rows};
  status = point->ops->full_gradient(point->backend, &batch, point->scratch, &loss, &penalty, err);
  if (status != VISE_OK) return status;

  *out = part == VISE_I_CHECK_PENALTY ? penalty : loss;
  if (!isfinite(*out)) {
    return vise_i_fail(err, VISE_ERR_NONFINITE,
                       "the %s at the starting weights is not finite, so its gradient cannot be checked; look at the "
                       "scale of the data (`scale` standard) and at the initial weights",
                       part == VISE_I_CHECK_PENALTY ? "penalty" : "data loss");
  }
  return VISE_OK;
}

/* Rounding in the value grows with the number of terms that are summed. */
static double rounding_factor(const vise_i_check_point *point, vise_i_check_part part) {
  double n_terms = part == VISE_I_CHECK_PENALTY ? (double)point->net->n_params
                                                : (double)point->n_rows * (double)point->net->widths[0];
  return 8.0 + sqrt(n_terms) / 8.0;
}

static vise_status try_step(const vise_i_check_point *point, vise_i_check_part part, size_t entry, double h,
                            double value, difference *out, vise_error *err) {
  double w = point->params[entry], above = w + h, below = w - h, value_above = 0.0, value_below = 0.0;

  point->params[entry] = above;
  vise_status status = value_at(point, part, &value_above, err);
  if (status == VISE_OK) {
    point->params[entry] = below;
    status = value_at(point, part, &value_below, err);
  }
  point->params[entry] = w;
  if (status != VISE_OK) return status;

  out->central = (value_above - value_below) / (above - below);
  out->right = (value_above - value) / (above - w);
  out->left = (value - value_below) / (w - below);
  double scale = part == VISE_I_CHECK_PENALTY ? fabs(value) : 1.0 + fabs(value);
  out->rounding = rounding_factor(point, part) * DBL_EPSILON * scale / h;
  return VISE_OK;
}

static bool is_kink(const difference *d, double analytic, double tolerance) {
  double low = d->left < d->right ? d->left : d->right, high = d->left < d->right ? d->right : d->left;
  return high - low > 4.0 * tolerance && analytic >= low - tolerance && analytic <= high + tolerance;
}

/* Keeps the entry whose error is the largest part of what it is allowed. */
static void note_worst(vise_i_gradient_verdict *verdict, double error, double tolerance) {
  bool first = verdict->worst == 0.0 && verdict->tolerance == 0.0;
  if (first || (error != 0.0 && !(error / tolerance <= verdict->worst / verdict->tolerance))) {
    verdict->worst = error;
    verdict->tolerance = tolerance;
  }
}

static vise_status check_entry(const vise_i_check_point *point, vise_i_check_part part, size_t entry, double analytic,
                               double value, double truncation, vise_i_gradient_verdict *verdict, vise_error *err) {
  double w = point->params[entry], h = FIRST_STEP * fmax(1.0, fabs(w)), first_error = 0.0, first_tolerance = 0.0;
  double tolerance = 0.0;
  difference d = {0};

  for (int i = 0; i < N_TRIES; i++, h /= 10.0) {
    vise_status status = try_step(point, part, entry, h, value, &d, err);
    if (status != VISE_OK) return status;

    tolerance = truncation + d.rounding;
    double error = fabs(d.central - analytic);
    if (i == 0) {
      first_error = error;
      first_tolerance = tolerance;
    }
    if (error <= tolerance) {
      if (i == 0) note_worst(verdict, error, tolerance);
      return VISE_OK;
    }
  }

  if (is_kink(&d, analytic, tolerance)) {
    verdict->n_kinks++;
    return VISE_OK;
  }

  verdict->passed = false;
  note_worst(verdict, first_error, first_tolerance);
  return VISE_OK;
}

/* Entry k of n_chosen, one from each of as many equal pieces of the tensor. */
static size_t choose_entry(const vise_i_check_point *point, size_t tensor, size_t n, size_t k, size_t n_chosen) {
  uint32_t counter[4] = {(uint32_t)k, (uint32_t)tensor, 0, VISE_I_STREAM_CHECK}, draw[4];
  double piece = (double)n / (double)n_chosen;
  size_t low = (size_t)(piece * (double)k), high = (size_t)(piece * (double)(k + 1));
  if (high > n) high = n;
  if (high <= low) return low < n ? low : n - 1;
  vise_i_philox(point->seed, counter, draw);
  return low + (size_t)((((uint64_t)draw[0] << 32) | draw[1]) % (high - low));
}

vise_status vise_i_check_tensor(const vise_i_check_point *point, vise_i_check_part part, size_t tensor,
                                const double *analytic, vise_i_gradient_verdict *verdict, vise_error *err) {
  const vise_i_tensor *t = &point->net->tensors[tensor];
  size_t n = vise_i_tensor_n(t), largest = 0;
  size_t n_chosen = n < point->max_entries ? n : point->max_entries;
  vise_i_gradient_verdict found = {.passed = true};
  double value = 0.0;

  vise_status status = value_at(point, part, &value, err);
  if (status != VISE_OK) return status;

  for (size_t i = 0; i < n; i++) {
    if (fabs(analytic[t->offset + i]) > fabs(analytic[t->offset + largest])) largest = i;
    if (!isfinite(analytic[t->offset + i])) {
      *verdict = (vise_i_gradient_verdict){.n_entries = n, .worst = NAN, .passed = false};
      return VISE_OK;
    }
  }

  double truncation = RELATIVE_TOLERANCE * fabs(analytic[t->offset + largest]);
  /* The last one is the largest entry: unseen, it could be wrong and widen the tolerance for the others. */
  for (size_t k = 0; k < n_chosen + (n_chosen < n ? 1 : 0); k++) {
    size_t entry = t->offset + (k < n_chosen ? choose_entry(point, tensor, n, k, n_chosen) : largest);
    status = check_entry(point, part, entry, analytic[entry], value, truncation, &found, err);
    if (status != VISE_OK) return status;
    found.n_entries++;
  }

  if (found.n_kinks > found.n_entries / 2) {
    found.passed = false;
    found.worst = NAN;
  }

  *verdict = found;
  return point->ops->set_state(point->backend, VISE_I_PARAMS, point->params, err);
}
