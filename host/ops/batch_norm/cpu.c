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

VISE_I_CLONES static void backward(const vise_i_cpu_batch_norm *norm, float *delta, float *gain_grad) {
  const size_t n = norm->n;
  for (size_t k = 0; k < norm->width; k++) {
    const double factor = (double)norm->gain[k] / sqrt(norm->variance[k] + VISE_I_BATCH_NORM_EPS);
    const float *restrict x = norm->x + k * n;
    float *restrict d = delta + k * n;

    const double sum_x = sum_products(d, x, n), mean = sum_power(d, 0, 1, n) / (double)n, mean_x = sum_x / (double)n;
    gain_grad[k] = (float)sum_x;
    for (size_t i = 0; i < n; i++) d[i] = (float)(factor * ((double)d[i] - (mean + (double)x[i] * mean_x)));
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

static void move(float *running, double value) {
  *running = (float)((1 - VISE_I_BATCH_NORM_MOMENTUM) * (double)*running + VISE_I_BATCH_NORM_MOMENTUM * value);
}

void vise_i_cpu_batch_norm_track(const vise_i_cpu_batch_norm *norm, float *running_mean, float *running_variance) {
  for (size_t k = 0; k < norm->width; k++) {
    move(&running_mean[k], norm->mean[k]);
    move(&running_variance[k], norm->variance[k] * VISE_I_BATCH_NORM_UNBIASED(norm->n));
  }
}
