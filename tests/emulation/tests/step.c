// The step of step.cu against the same sums in the same order on the host: the bits must be equal, under every schedule
// and on any number of SMs. VISE_EMU_SECONDS=limit also fails steps that take longer.
#include "step.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned state = 12345;
static float noise(void) {
  state = state * 1664525u + 1013904223u;
  return (float)(state >> 8) / 8388608.0f - 1.0f;
}

static float x[kBatch * kInputs];
static int labels[kBatch];
static float hidden[kBatch * kHidden], d_scores[kBatch * kClasses], d_hidden[kBatch * kHidden];

// sum over k of a[m * a_m + k * a_k] * b[k * b_k + n * b_n]
static float dot(const float *a, int m, int a_m, int a_k, const float *b, int n, int b_k, int b_n, int n_k) {
  float sum = 0;
  for (int k = 0; k < n_k; ++k) sum = fmaf(a[m * a_m + k * a_k], b[k * b_k + n * b_n], sum);
  return sum;
}

static void update_bias(float *bias, const float *delta, int width) {
  for (int n = 0; n < width; ++n) {
    float sum = 0;
    for (int m = 0; m < kBatch; ++m) sum += delta[m * width + n];
    bias[n] = fmaf(-0.1f, sum, bias[n]);
  }
}

static void step_on_host(weights *w) {
  for (int m = 0; m < kBatch; ++m) {
    for (int n = 0; n < kHidden; ++n) {
      const float v = dot(x, m, kInputs, 1, w->w1, n, kHidden, 1, kInputs) + w->b1[n];
      hidden[m * kHidden + n] = v > 0 ? v : 0;
    }
    for (int n = 0; n < kClasses; ++n) {
      const float v = dot(hidden, m, kHidden, 1, w->w2, n, kClasses, 1, kHidden);
      d_scores[m * kClasses + n] = (v + w->b2[n] - (labels[m] == n ? 1.0f : 0.0f)) * (1.0f / kBatch);
    }
    for (int n = 0; n < kHidden; ++n) {
      const float v = dot(d_scores, m, kClasses, 1, w->w2, n, 1, kClasses, kClasses);
      d_hidden[m * kHidden + n] = hidden[m * kHidden + n] > 0 ? v : 0;
    }
  }

  for (int i = 0; i < kInputs * kHidden; ++i) {
    w->w1[i] = fmaf(-0.1f, dot(x, i / kHidden, 1, kInputs, d_hidden, i % kHidden, kHidden, 1, kBatch), w->w1[i]);
  }
  for (int i = 0; i < kHidden * kClasses; ++i) {
    const float gradient = dot(hidden, i / kClasses, 1, kHidden, d_scores, i % kClasses, kClasses, 1, kBatch);
    w->w2[i] = fmaf(-0.1f, gradient, w->w2[i]);
  }

  update_bias(w->b1, d_hidden, kHidden);
  update_bias(w->b2, d_scores, kClasses);
}

int main(void) {
  static weights start, expected, got;
  for (int i = 0; i < kBatch * kInputs; ++i) x[i] = noise();
  for (int i = 0; i < kBatch; ++i) labels[i] = (int)((noise() + 1) * 4.99f);
  for (int i = 0; i < kInputs * kHidden; ++i) start.w1[i] = noise() * 0.05f;
  for (int i = 0; i < kHidden * kClasses; ++i) start.w2[i] = noise() * 0.1f;

  const int n_steps = 2;
  expected = start;
  for (int i = 0; i < n_steps; ++i) step_on_host(&expected);

  got = start;
  double seconds = 0;
  if (step_on_device(&got, x, labels, step_sms(), n_steps, &seconds) != 0) return 1;

  const int equal = memcmp(&got, &expected, sizeof got) == 0;
  printf("%.4f s a step with %d blocks, %s\n", seconds, step_sms(), equal ? "equal bits" : "DIFFERENT BITS");
  const char *limit = getenv("VISE_EMU_SECONDS");
  return !equal || (limit && !(seconds <= atof(limit)));
}
