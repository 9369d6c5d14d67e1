/* Batch norm, dropout and residuals in the unfused step, launched and replayed: against cpu64, in every precision and with
   every set of cuBLAS' epilogues; the same bits; launches; skips. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "host/backend/cuda/cuda.h"
#include "tests/emulation/host/emulation.h"
#include "tests/support/layers_checks.h"

static const vise_i_backend_ops *const OPS = &vise_i_backend_cuda, *const ORACLE = &vise_i_backend_cpu64;
static const vise_step_mode MODES[] = {VISE_STEP_UNFUSED, VISE_STEP_UNFUSED_GRAPH};
static const vise_activation ACTIVATIONS[] = {VISE_RELU, VISE_GELU, VISE_TANH};

/* Only the emulated device counts. */
extern emu_counts emu_read_counts(void) __attribute__((weak));

static layers_rig *make(size_t net, vise_activation activation, vise_step_mode mode) {
  layers_rig *r = layers_rig_make(OPS, &layers_nets[net], activation);
  r->spec.step_mode = mode;
  r->spec.hooks.workspace_bytes = (size_t)1 << 20;
  return r;
}

/* ---- agreement and bits ---- */

/* Two epochs: both sizes of batches come twice, so that both are replayed. */
enum { STEPS = 14 };

static void expect_agreement(size_t net, vise_activation activation, int without_epilogues) {
  layers_rig *oracle = layers_rig_make(ORACLE, &layers_nets[net], activation);
  double *params[2];

  for (size_t m = 0; m < 2; m++) {
    layers_rig *r = make(net, activation, MODES[m]);
    r->spec.hooks.without_epilogues = without_epilogues;
    vise_i_backend *b = check_layers_agreement(r, oracle, STEPS, 1);
    cr_expect(vise_i_cuda_of(b)->n_captures == 2 * m, "%s: %d captures", r->name, (int)vise_i_cuda_of(b)->n_captures);
    params[m] = layers_rig_params(r, b);
    OPS->destroy(b);
    layers_rig_free(r);
  }

  cr_expect(memcmp(params[0], params[1], oracle->net.n_values * sizeof **params) == 0, "%s: replays differ",
            oracle->name);
  free(params[0]);
  free(params[1]);
  layers_rig_free(oracle);
}

Test(unfused_layers, agree_with_the_oracle_launched_and_replayed) {
  for (size_t net = 0; net < n_layers_nets; net++) {
    for (size_t k = 0; k < 2; k++) expect_agreement(net, ACTIVATIONS[(net + k) % 3], (int)(net + k) % 3);
  }
}

/* eps keeps gradients of mere rounding from deciding the step of adam. */
static void expect_low_precision(vise_precision precision, double slack) {
  for (size_t net = 0; net < n_layers_nets; net++) {
    layers_rig *r = make(net, ACTIVATIONS[net % 3], VISE_STEP_UNFUSED);
    layers_rig *oracle = layers_rig_make(ORACLE, &layers_nets[net], ACTIVATIONS[net % 3]);
    r->spec.precision = precision;
    r->spec.rule.eps = oracle->spec.rule.eps = 0.1;
    OPS->destroy(check_layers_agreement(r, oracle, 3, slack));
    layers_rig_free(r);
    layers_rig_free(oracle);
  }
}

Test(unfused_layers, agree_in_tf32) {
  expect_low_precision(VISE_TF32, 60);
}
Test(unfused_layers, agree_in_bf16) {
  expect_low_precision(VISE_BF16, 250);
}

/* ---- launches ---- */

/* Of a step of 5 layers: gather, 5 + 4 + 5 products, loss, gradient, sums (the clip is by units), decide, update; two for
   each hidden layer with more than relu, and one below a residual. */
static const struct {
  vise_activation activation;
  uint64_t n[6]; /* by net */
} COUNTED[] = {{VISE_RELU, {28, 28, 20, 25, 28, 28}}, {VISE_TANH, {28, 28, 28, 28, 28, 28}}};

static void expect_launches(size_t net, size_t counted) {
  for (size_t m = 0; m < 2; m++) {
    layers_rig *r = make(net, COUNTED[counted].activation, MODES[m]);
    vise_step_stats stats[2];
    vise_i_backend *b = layers_rig_start(r);
    layers_rig_run(r, b, 0, 2, 2, stats);

    const emu_counts before = emu_read_counts();
    layers_rig_run(r, b, 2, 2, 2, stats);
    const emu_counts after = emu_read_counts();
    const uint64_t n = COUNTED[counted].n[net];

    cr_expect(OPS->n_launches(b) == 4 * n, "%s: %d launches in 4 steps", r->name, (int)OPS->n_launches(b));
    cr_expect(after.launches - before.launches == 2 * n && after.library_calls - before.library_calls == 2 * 14);
    cr_expect(after.graph_launches - before.graph_launches == 2 * m);
    OPS->destroy(b);
    layers_rig_free(r);
  }
}

Test(unfused_layers, launches_are_few_and_counted) {
  if (!emu_read_counts) return;
  cr_assert_eq(n_layers_nets, 6);
  for (size_t net = 0; net < n_layers_nets; net++) {
    for (size_t k = 0; k < 2; k++) expect_launches(net, k);
  }
}

/* ---- skips ---- */

Test(unfused_layers, running_statistics_stay_in_a_skipped_step) {
  for (size_t m = 0; m < 2; m++) {
    layers_rig *r = make(n_layers_nets - 1, VISE_RELU, MODES[m]);
    check_layers_skip(r);
    layers_rig_free(r);
  }
}
