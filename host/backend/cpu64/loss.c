/*
 * Losses. For each there is a row function: value and gradient of the row's loss, unreduced. The loss of a batch is
 *   sum_i r_i * c_i * row_i / D,   r_i the row weight, c_i the class weight of its label (cross-entropy has c inside
 * row_i), with D from vise_i_loss_denominator. Without weights D is N, N*K or 1; PyTorch's rule for weights
 * replaces N by their sum. Weights that sum to 0 make the loss 0/0, which the non-finite policy handles.
 */
#include "host/rule/loss.h"

#include <math.h>

#include "host/backend/cpu64/cpu64.h"

/*
 * PyTorch's cross-entropy with class weights c and label smoothing q, for label t and p = softmax(z):
 *   (1 - q) c_t (-log p_t) + q/K sum_k c_k (-log p_k),   -log p_k = log sum exp(z - max) - (z_k - max)
 * Gradient: (1 - q) c_t (p_k - [k = t]) + q/K (p_k sum c - c_k).
 */
static double cross_entropy_row(const vise_i_cpu64 *b, const double *z, size_t t, size_t n_out, double *delta) {
  double q = b->rule->label_smoothing, max = z[0], sum_exp = 0, sum_c = 0, smooth = 0, log_sum, c_t;

  for (size_t k = 1; k < n_out; k++) max = z[k] > max ? z[k] : max;
  for (size_t k = 0; k < n_out; k++) sum_exp += exp(z[k] - max);
  log_sum = log(sum_exp);
  c_t = vise_i_cpu64_class_weight(b, t, 0);

  for (size_t k = 0; k < n_out; k++) {
    double c = vise_i_cpu64_class_weight(b, k, 0);
    sum_c += c;
    if (q > 0) smooth += c * (log_sum - (z[k] - max));
  }

  for (size_t k = 0; k < n_out; k++) {
    double p = exp(z[k] - max) / sum_exp;
    delta[k] = (1 - q) * c_t * (p - (k == t ? 1 : 0));
    if (q > 0) delta[k] += q / (double)n_out * (p * sum_c - vise_i_cpu64_class_weight(b, k, 0));
  }

  return (1 - q) * c_t * (log_sum - (z[t] - max)) + q / (double)n_out * smooth;
}

static double row_loss(const vise_i_cpu64 *b, const double *z, const double *y, size_t label, double *delta) {
  const size_t n_out = vise_i_cpu64_n_outputs(b);
  double sum = 0;

  if (b->rule->loss == VISE_LOSS_CROSS_ENTROPY) return cross_entropy_row(b, z, label, n_out, delta);
  for (size_t k = 0; k < n_out; k++) sum += vise_i_output_loss(b->rule, z[k], y[k], &delta[k]);
  return sum;
}

/* With class labels: the largest output, ties to the lowest index, is the label. Without: every output has the sign of
   its target, z > 0 exactly where the target is above 0 (with one output: the usual rule; with several: all labels
   right). */
static bool row_is_correct(const double *z, const double *y, size_t label, size_t n_out) {
  if (label != VISE_I_NO_LABEL) {
    size_t best = 0;
    for (size_t k = 1; k < n_out; k++) best = z[k] > z[best] ? k : best;
    return best == label;
  }
  for (size_t k = 0; k < n_out; k++) {
    if ((z[k] > 0) != (y[k] > 0)) return false;
  }
  return true;
}

double vise_i_cpu64_loss(const vise_i_cpu64 *b, const double *z, size_t n, double denominator, double *delta,
                         uint64_t *n_correct) {
  size_t n_out = vise_i_cpu64_n_outputs(b);
  bool classification = vise_i_loss_classifies(b->rule->loss);
  double sum = 0;

  for (size_t i = 0; i < n; i++) {
    const double *z_row = z + i * n_out, *y_row = b->targets + i * n_out;
    double *delta_row = delta + i * n_out, weight = b->row_weights[i];
    if (b->rule->loss != VISE_LOSS_CROSS_ENTROPY) weight *= vise_i_cpu64_class_weight(b, b->labels[i], y_row[0]);
    sum += weight * row_loss(b, z_row, y_row, b->labels[i], delta_row);
    for (size_t k = 0; k < n_out; k++) delta_row[k] = weight * delta_row[k] / denominator;
    if (classification && row_is_correct(z_row, y_row, b->labels[i], n_out)) *n_correct += 1;
  }

  return sum / denominator;
}
