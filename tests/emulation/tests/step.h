// One training step of a two-layer net, as a plain persistent kernel: the emulation's benchmark, and a test that its
// bits do not depend on the schedule, the build or the number of SMs.
#pragma once
#ifdef __cplusplus
extern "C" {
#endif

enum { kBatch = 64, kInputs = 784, kHidden = 128, kClasses = 10 };
typedef struct {
  float w1[kInputs * kHidden], b1[kHidden], w2[kHidden * kClasses], b2[kClasses];
} weights;

// Runs n_steps on the emulated device with n_blocks blocks; seconds is the time per step. 0 when all launches worked.
int step_on_device(weights *w, const float *x, const int *labels, int n_blocks, int n_steps, double *seconds);
int step_sms(void);  // of the emulated device

#ifdef __cplusplus
}
#endif
