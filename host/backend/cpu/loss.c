/* Losses and their gradients at the outputs. Outputs, targets and gradients are stored output by output, [K, n], so
   that loops run along the batch; sums over outputs and rows are in float64. */
#include <math.h>

#include "host/backend/cpu/cpu.h"
#include "host/ops/simd.h"

/* x[i] = exp(x[i]). */
VISE_I_CLONES static void exp_all(float *x, size_t n) {
  for (size_t i = 0; i < n; i++) x[i] = vise_i_exp(x[i]);
}

/* most[r] = largest output of row r, arg[r] its index (the lowest if several are largest). A NaN in the first output
   stays; one in another shows in the sum of exponentials. */
VISE_I_CLONES static void row_maxima(const float *restrict z, size_t n_out, size_t n, float *restrict most,
                                     int32_t *restrict arg) {
  memcpy(most, z, n * sizeof *z);
  memset(arg, 0, n * sizeof *arg);
  for (size_t k = 1; k < n_out; k++) {
    const float *restrict zk = z + k * n;
    for (size_t r = 0; r < n; r++) {
      const int32_t more =
          -(int32_t)(zk[r] > most[r]); /* all bits or none: a select would become a slow masked store */
      arg[r] = ((int32_t)k & more) | (arg[r] & ~more);
      most[r] = zk[r] > most[r] ? zk[r] : most[r];
    }
  }
}

/* d = exp(z - most). */
VISE_I_CLONES static void exponentials(const float *restrict z, const float *restrict most, float *restrict d,
                                       size_t n_out, size_t n) {
  for (size_t k = 0; k < n_out; k++) {
    for (size_t r = 0; r < n; r++) d[k * n + r] = vise_i_exp(z[k * n + r] - most[r]);
  }
}

/* sum[r] = sum over the outputs. */
VISE_I_CLONES static void row_sums(const float *restrict d, double *restrict sum, size_t n_out, size_t n) {
  memset(sum, 0, n * sizeof *sum);
  for (size_t k = 0; k < n_out; k++) {
    for (size_t r = 0; r < n; r++) sum[r] += (double)d[k * n + r];
  }
}

/* weighted[r] = sum over the outputs of z - most, times the weights of the classes. */
static void sum_shifted(const vise_i_cpu *b, const float *z, const float *most, size_t n_out, size_t n,
                        float *weighted) {
  for (size_t r = 0; r < n; r++) {
    double sum = 0;
    for (size_t k = 0; k < n_out; k++) {
      sum += (b->class_weights ? (double)b->class_weights[k] : 1.0) * (double)(z[k * n + r] - most[r]);
    }
    weighted[r] = (float)sum;
  }
}

/* d[k, r] = d[k, r] * a[r] - c[r] * w_k; the caller subtracts the label's own term. */
VISE_I_CLONES static void scale_rows(float *restrict d, const float *restrict a, const float *restrict c,
                                     const float *class_weights, size_t n_out, size_t n) {
  for (size_t k = 0; k < n_out; k++) {
    const float w = class_weights ? class_weights[k] : 1.0f;
    for (size_t r = 0; r < n; r++) d[k * n + r] = d[k * n + r] * a[r] - c[r] * w;
  }
}

/* Softmax cross-entropy with PyTorch's label smoothing s: for a row of weight r and label y,
   r * ((1-s) w_y (lse - z_y) + s/K sum_k w_k (lse - z_k)). */
static void cross_entropy(vise_i_cpu *b, size_t n_out, size_t n, double weight_sum, double *loss, uint64_t *n_correct) {
  const float *z = b->act[b->net->n_layers - 1];
  float *d = b->delta[0], *most = b->row_tmp[0], *a = b->row_tmp[1], *c = b->row_tmp[2], *own = b->row_tmp[3];
  const double smoothing = b->rule->label_smoothing;
  const double all_weights = b->class_weights ? b->class_weight_sum : (double)n_out;
  int32_t *arg = (int32_t *)(void *)a; /* read before a is written */
  uint64_t correct = 0;

  row_maxima(z, n_out, n, most, arg);
  for (size_t r = 0; r < n; r++) correct += arg[r] == b->labels[r];
  for (size_t r = 0; r < n; r++) own[r] = z[(size_t)b->labels[r] * n + r] - most[r];
  if (smoothing > 0) sum_shifted(b, z, most, n_out, n, c);
  exponentials(z, most, d, n_out, n);
  row_sums(d, b->row_sum, n_out, n);

  double total = 0;
  for (size_t r = 0; r < n; r++) {
    const double weight = (double)b->row_weight[r];
    const double class_weight = b->class_weights ? (double)b->class_weights[b->labels[r]] : 1;
    const double log_sum = log(b->row_sum[r]), on_label = weight * (1 - smoothing) * class_weight;
    double row = on_label * (log_sum - (double)own[r]), spread = 0;
    if (smoothing > 0) {
      spread = weight * smoothing / (double)n_out;
      row += spread * (all_weights * log_sum - (double)c[r]);
    }

    total += row;
    a[r] = (float)((on_label + spread * all_weights) / (b->row_sum[r] * weight_sum));
    c[r] = (float)(spread / weight_sum);
    own[r] = (float)(on_label / weight_sum);
  }

  scale_rows(d, a, c, b->class_weights, n_out, n);
  for (size_t r = 0; r < n; r++) d[(size_t)b->labels[r] * n + r] -= own[r];
  *loss = total / weight_sum;
  *n_correct = correct;
}

/* Output k of bce for n rows: the sum of its values in float64; scale is for the gradient. */
static double bce_output(vise_i_cpu *b, size_t k, size_t n, float scale) {
  const float *z = b->act[b->net->n_layers - 1] + k * n, *y = b->y + k * n, *w = b->row_weight;
  float *restrict e = b->row_tmp[0], *restrict d = b->delta[0] + k * n;
  double total = 0;

  for (size_t r = 0; r < n; r++) e[r] = -fabsf(z[r]);
  exp_all(e, n);

  for (size_t r = 0; r < n; r++) {
    /* e = exp(-|z|): nothing overflows, and small values keep their digits */
    const float positive = z[r] < 0 ? 0 : z[r];
    const float p = (z[r] < 0 ? e[r] : 1.0f) / (1.0f + e[r]);
    total += (double)w[r] * ((double)positive - (double)z[r] * (double)y[r] + log1p((double)e[r]));
    d[r] = (p - y[r]) * (w[r] * scale);
  }

  return total;
}

/* One output of a loss for n rows: adds its values to sum; d = its slopes times the weights w. */
typedef void output_loss(const float *z, const float *y, float *d, const float *w, double *sum, size_t n);

/* e^2; its slope without the 2 */
VISE_I_CLONES static void squared_output(const float *restrict z, const float *restrict y, float *restrict d,
                                         const float *restrict w, double *restrict sum, size_t n) {
  for (size_t r = 0; r < n; r++) {
    const float e = z[r] - y[r];
    sum[r] += (double)e * (double)e;
    d[r] = e * w[r];
  }
}

VISE_I_CLONES static void huber_output(const float *restrict z, const float *restrict y, float *restrict d,
                                       const float *restrict w, double *restrict sum, size_t n) {
  for (size_t r = 0; r < n; r++) {
    const float e = z[r] - y[r];
    const float c = e < -1.0f ? -1.0f : (e > 1.0f ? 1.0f : e); /* the gradient; NaN stays */
    sum[r] += (double)c * ((double)e - 0.5 * (double)c);       /* e^2/2 inside, |e| - 1/2 outside */
    d[r] = c * w[r];
  }
}

VISE_I_CLONES static void hinge_output(const float *restrict z, const float *restrict y, float *restrict d,
                                       const float *restrict w, double *restrict sum, size_t n) {
  for (size_t r = 0; r < n; r++) {
    const float gap = 1.0f - y[r] * z[r];
    sum[r] += (double)(gap < 0 ? 0 : gap);
    d[r] = gap > 0 ? -y[r] * w[r] : (gap != gap ? gap : 0.0f);
  }
}

VISE_I_CLONES static void poisson_output(const float *restrict z, const float *restrict y, float *restrict d,
                                         const float *restrict w, double *restrict sum, size_t n) {
  for (size_t r = 0; r < n; r++) {
    const float e = vise_i_exp(z[r]);
    sum[r] += (double)e - (double)z[r] * (double)y[r];
    d[r] = (e - y[r]) * w[r];
  }
}

static output_loss *const OUTPUT_LOSSES[vise_loss_count_] = {
    [VISE_LOSS_MSE] = squared_output,
    [VISE_LOSS_HUBER] = huber_output,
    [VISE_LOSS_HINGE] = hinge_output,
    [VISE_LOSS_POISSON] = poisson_output,
};

/* Losses that are sums of one term for each output; scale is for the gradient. */
static double by_outputs(vise_i_cpu *b, size_t n_out, size_t n, float scale) {
  const float *z = b->act[b->net->n_layers - 1];
  float *weights = b->row_tmp[0];
  double *sum = b->row_sum, total = 0;

  for (size_t r = 0; r < n; r++) weights[r] = b->row_weight[r] * scale;
  memset(sum, 0, n * sizeof *sum);
  for (size_t k = 0; k < n_out; k++) {
    OUTPUT_LOSSES[b->rule->loss](z + k * n, b->y + k * n, b->delta[0] + k * n, weights, sum, n);
  }

  for (size_t r = 0; r < n; r++) total += (double)b->row_weight[r] * sum[r];
  return total;
}

/* With class labels the largest output must be the label's; else every output must have the sign of its target. */
static uint64_t count_correct(vise_i_cpu *b, size_t n_out, size_t n) {
  const float *z = b->act[b->net->n_layers - 1];
  int32_t *flag = (int32_t *)(void *)b->row_tmp[1];
  uint64_t correct = 0;

  if (b->has_labels) {
    row_maxima(z, n_out, n, b->row_tmp[0], flag);
    for (size_t r = 0; r < n; r++) correct += flag[r] == b->labels[r];
    return correct;
  }

  for (size_t r = 0; r < n; r++) flag[r] = 1;
  for (size_t k = 0; k < n_out; k++) {
    for (size_t r = 0; r < n; r++) flag[r] &= (z[k * n + r] > 0) == (b->y[k * n + r] > 0);
  }
  for (size_t r = 0; r < n; r++) correct += (uint64_t)flag[r];
  return correct;
}

void vise_i_cpu_loss(vise_i_cpu *b, size_t n, double weight_sum, double *loss, uint64_t *n_correct) {
  const vise_i_rule *rule = b->rule;
  const size_t n_out = b->net->widths[b->net->n_layers];
  const double denominator = vise_i_loss_denominator(rule, weight_sum, (double)n_out);
  double total = 0;
  *n_correct = 0;

  if (rule->loss == VISE_LOSS_CROSS_ENTROPY) {
    cross_entropy(b, n_out, n, weight_sum, loss, n_correct);
    return;
  }

  if (rule->loss == VISE_LOSS_BCE) {
    for (size_t k = 0; k < n_out; k++) total += bce_output(b, k, n, (float)(1 / denominator));
  } else {
    /* The value of mse is e^2 or its half, with the slope 2 e or e. */
    const bool halved = rule->loss == VISE_LOSS_MSE && rule->mse_reduction != VISE_MSE_MEAN;
    const bool doubled = rule->loss == VISE_LOSS_MSE && !halved;
    total = by_outputs(b, n_out, n, (float)((doubled ? 2 : 1) / denominator));
    if (halved) total /= 2;
  }

  *loss = total / denominator;
  if (vise_i_loss_classifies(rule->loss)) *n_correct = count_correct(b, n_out, n);
}
