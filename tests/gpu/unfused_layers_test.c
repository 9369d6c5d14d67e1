/* Batch norm, dropout and residuals in the unfused step, launched and replayed: against cpu64, in every precision and with
   every set of cuBLAS' epilogues; launches; the same bits; skips. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "host/backend/cuda/cuda.h"
#include "tests/emulation/host/emulation.h"
#include "tests/support/layers_checks.h"

static const vise_i_backend_ops *const OPS = &vise_i_backend_cuda, *const ORACLE = &vise_i_backend_cpu64;
static const vise_step_mode MODES[] = {VISE_STEP_UNFUSED, VISE_STEP_UNFUSED_GRAPH};

/* Only the emulated device counts. */
extern emu_counts emu_read_counts(void) __attribute__((weak));

/* Where all plain layers leave relu and biases to cuBLAS, a step of 5 layers is: gather, 5 + 4 + 5 products, loss, gradient,
   decide, update; two more for each hidden layer with more than relu, one for a plain one below a residual. */
static const struct {
  size_t net;
  vise_activation activation;
  int without_epilogues;
  uint64_t n_launches;
} CASES[] = {
    {0, VISE_RELU, 0, 27}, {1, VISE_GELU, 1, 27}, {1, VISE_RELU, 2, 29}, /* the last layer's bias, and all gradients of biases, by kernels */
    {2, VISE_RELU, 0, 19}, {3, VISE_RELU, 0, 24}, {3, VISE_SILU, 0, 27}, {4, VISE_TANH, 2, 29}, {5, VISE_SILU, 0, 27}};
enum { N_CASES = sizeof CASES / sizeof *CASES };

static layers_rig *make(size_t net, vise_activation activation, vise_step_mode mode) {
  layers_rig *r = layers_rig_make(OPS, &layers_nets[net], activation);
  r->spec.step_mode = mode;
  r->spec.hooks.workspace_bytes = (size_t)64 << 10;
  return r;
}

/* ---- agreement ---- */

/* Calls of run do nothing but what they should: two in a row. */
static void expect_counts(const layers_rig *r, vise_i_backend *b, size_t first, uint64_t n_each) {
  vise_step_stats stats[2];
  if (!emu_read_counts) return; /* elsewhere products may be several kernels, or cuBLAS lack an epilogue */

  const uint64_t launched = OPS->n_launches(b);
  const emu_counts before = emu_read_counts();
  layers_rig_run(r, b, first, 2, 2, stats);
  const emu_counts after = emu_read_counts();

  cr_expect(OPS->n_launches(b) - launched == 2 * n_each && after.launches - before.launches == 2 * n_each,
            "%s: %d launches, expected %d", r->name, (int)(OPS->n_launches(b) - launched), (int)(2 * n_each));
  cr_expect(after.library_calls - before.library_calls == 2 * 14 && after.memsets == before.memsets);
  cr_expect(after.graph_launches - before.graph_launches == (r->spec.step_mode == MODES[1] ? 2 : 0));
  cr_expect(after.allocations == before.allocations && after.cooperative_launches == before.cooperative_launches);
}

/* eps keeps gradients of mere rounding from deciding the step of adam. */
static void expect_agreement(size_t i, vise_precision precision, double slack, double eps) {
  const size_t n_steps = precision == VISE_FP32 ? 3 : 2;
  layers_rig *r = make(CASES[i].net, CASES[i].activation, MODES[i % 2]);
  layers_rig *oracle = layers_rig_make(ORACLE, &layers_nets[CASES[i].net], CASES[i].activation);

  r->spec.hooks.without_epilogues = CASES[i].without_epilogues;
  r->spec.precision = precision;
  r->spec.rule.eps = oracle->spec.rule.eps = eps;
  vise_i_backend *b = layers_rig_start(r), *b64 = layers_rig_start(oracle);
  check_layers_steps(r, b, oracle, b64, n_steps, slack);
  if (precision == VISE_FP32) expect_counts(r, b, n_steps, CASES[i].n_launches);

  OPS->destroy(b);
  ORACLE->destroy(b64);
  layers_rig_free(r);
  layers_rig_free(oracle);
}

Test(unfused_layers, agree_with_the_oracle_in_counted_launches) {
  for (size_t i = 0; i < N_CASES; i++) expect_agreement(i, VISE_FP32, 1, 1e-4);
}
Test(unfused_layers, agree_in_tf32) {
  expect_agreement(N_CASES - 1, VISE_TF32, 10, 0.1);
}
Test(unfused_layers, agree_in_bf16) {
  for (size_t i = 0; i < N_CASES; i++) expect_agreement(i, VISE_BF16, 120, 0.1);
}

/* ---- replays ---- */

/* Two epochs: both sizes of batches come twice, and are captured then. */
Test(unfused_layers, replayed_the_bits_are_the_same) {
  enum { STEPS = 13 };
  layers_rig *oracle = layers_rig_make(ORACLE, &layers_nets[n_layers_nets - 1], VISE_RELU);
  double *params[2];

  for (size_t m = 0; m < 2; m++) {
    layers_rig *r = make(n_layers_nets - 1, VISE_RELU, MODES[m]);
    vise_i_backend *b = layers_rig_start(r), *b64 = layers_rig_start(oracle);
    check_layers_steps(r, b, oracle, b64, STEPS, 1);
    cr_expect_eq(vise_i_cuda_of(b)->n_captures, 2 * m);
    params[m] = layers_rig_params(r, b);
    OPS->destroy(b);
    ORACLE->destroy(b64);
    layers_rig_free(r);
  }

  cr_expect(memcmp(params[0], params[1], oracle->net.n_values * sizeof **params) == 0);
  free(params[0]);
  free(params[1]);
  layers_rig_free(oracle);
}

Test(unfused_layers, running_statistics_stay_in_a_skipped_step) {
  for (size_t m = 0; m < 2; m++) {
    layers_rig *r = make(n_layers_nets - 1, VISE_RELU, MODES[m]);
    check_layers_skip(r);
    layers_rig_free(r);
  }
}
