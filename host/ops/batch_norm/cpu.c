/* The formulas of ref64.c. Sums and statistics are float64: a mean far from 0 costs no digits of the deviations. */
#include "host/ops/cpu.h"

#include <math.h>

#include "host/ops/simd.h"
#include "host/rule/batch_norm.h"

/* Sum over a row of (a - mean)^power. */
VISE_I_INLINE double sum_power(const float *a, double mean, int power, size_t n) {
  double lanes[VISE_I_LANES] = {0};
  size_t i = 0;

  for (; i + VISE_I_LANES <= n; i += VISE_I_LANES) {
    for (size_t j = 0; j < VISE_I_LANES; j++) {
      const double d = (double)a[i + j] - mean;
      lanes[j] += power == 1 ? d : d * d;
    }
  }
  for (size_t j = 0; i + j < n; j++) {
    const double d = (double)a[i + j] - mean;
    lanes[j] += power == 1 ? d : d * d;
  }

  return vise_i_sum_lanes(lanes);
}

VISE_I_INLINE double sum_products(const float *restrict a, const float *restrict b, size_t n) {
  double lanes[VISE_I_LANES] = {0};
  size_t i = 0;
  for (; i + VISE_I_LANES <= n; i += VISE_I_LANES) {
    for (size_t j = 0; j < VISE_I_LANES; j++) lanes[j] += (double)a[i + j] * (double)b[i + j];
  }
  for (size_t j = 0; i + j < n; j++) lanes[j] += (double)a[i + j] * (double)b[i + j];
  return vise_i_sum_lanes(lanes);
}

VISE_I_CLONES static void measure(const vise_i_cpu_batch_norm *norm, const float *z) {
  const size_t n = norm->n;
  for (size_t k = 0; k < norm->width; k++) {
    const float *row = z + k * n;
    const double mean = sum_power(row, 0, 1, n) / (double)n;
    norm->mean[k] = mean;
    norm->variance[k] = sum_power(row, mean, 2, n) / (double)n;
  }
}

VISE_I_CLONES static void forward(const vise_i_cpu_batch_norm *norm, float *z) {
  const size_t n = norm->n;
  for (size_t k = 0; k < norm->width; k++) {
    const double mean = norm->mean[k], inverse = 1 / sqrt(norm->variance[k] + VISE_I_BATCH_NORM_EPS);
    const float gain = norm->gain[k];
    float *restrict x = norm->x + k * n, *restrict row = z + k * n;

    for (size_t i = 0; i < n; i++) {
      x[i] = (float)(((double)row[i] - mean) * inverse);
      row[i] = gain * x[i];
    }
  }
}

/* Of unit k. */
VISE_I_INLINE void sum_unit(const vise_i_cpu_batch_norm *norm, const float *delta, size_t k, double *sum,
                            double *sum_x) {
  const size_t n = norm->n;
  *sum_x = sum_products(delta + k * n, norm->x + k * n, n);
  *sum = sum_power(delta + k * n, 0, 1, n);
}

VISE_I_INLINE void below_unit(const vise_i_cpu_batch_norm *norm, float *delta, size_t k, double mean, double mean_x) {
  const size_t n = norm->n;
  const double factor = (double)norm->gain[k] / sqrt(norm->variance[k] + VISE_I_BATCH_NORM_EPS);
  const float *restrict x = norm->x + k * n;
  float *restrict d = delta + k * n;
  for (size_t i = 0; i < n; i++) d[i] = (float)(factor * ((double)d[i] - (mean + (double)x[i] * mean_x)));
}

VISE_I_CLONES static void backward(const vise_i_cpu_batch_norm *norm, float *delta, float *gain_grad) {
  for (size_t k = 0; k < norm->width; k++) {
    double sum, sum_x;
    sum_unit(norm, delta, k, &sum, &sum_x);
    gain_grad[k] = (float)sum_x;
    below_unit(norm, delta, k, sum / (double)norm->n, sum_x / (double)norm->n);
  }
}

VISE_I_CLONES static void sum_units(const vise_i_cpu_batch_norm *norm, const float *delta, double *sum, double *sum_x,
                                    float *gain_grad) {
  for (size_t k = 0; k < norm->width; k++) {
    sum_unit(norm, delta, k, &sum[k], &sum_x[k]);
    gain_grad[k] = (float)sum_x[k];
  }
}

VISE_I_CLONES static void below(const vise_i_cpu_batch_norm *norm, const double *sum, const double *sum_x,
                                size_t n_rows, float *delta) {
  for (size_t k = 0; k < norm->width; k++) {
    below_unit(norm, delta, k, sum[k] / (double)n_rows, sum_x[k] / (double)n_rows);
  }
}

void vise_i_cpu_batch_norm_measure(const vise_i_cpu_batch_norm *norm, const float *z) {
  measure(norm, z);
}

void vise_i_cpu_batch_norm_forward(const vise_i_cpu_batch_norm *norm, float *z) {
  forward(norm, z);
}

void vise_i_cpu_batch_norm_backward(const vise_i_cpu_batch_norm *norm, float *delta, float *gain_grad) {
  backward(norm, delta, gain_grad);
}

void vise_i_cpu_batch_norm_sum(const vise_i_cpu_batch_norm *norm, const float *delta, double *sum, double *sum_x,
                               float *gain_grad) {
  sum_units(norm, delta, sum, sum_x, gain_grad);
}

void vise_i_cpu_batch_norm_below(const vise_i_cpu_batch_norm *norm, const double *sum, const double *sum_x,
                                 size_t n_rows, float *delta) {
  below(norm, sum, sum_x, n_rows, delta);
}

static void move(float *running, double value) {
  *running = (float)((1 - VISE_I_BATCH_NORM_MOMENTUM) * (double)*running + VISE_I_BATCH_NORM_MOMENTUM * value);
}

void vise_i_cpu_batch_norm_track(const vise_i_cpu_batch_norm *norm, float *running_mean, float *running_variance) {
  for (size_t k = 0; k < norm->width; k++) {
    move(&running_mean[k], norm->mean[k]);
    move(&running_variance[k], norm->variance[k] * VISE_I_BATCH_NORM_UNBIASED(norm->n));
  }
}
