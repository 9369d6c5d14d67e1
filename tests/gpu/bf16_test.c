/* bf16: the copies that products read are the float arrays, rounded to nearest even, whatever wrote those. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/gpu/gpu_rig.h"

static const vise_i_backend_ops *const OPS = &vise_i_backend_cuda;

static uint16_t rounded(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
}

/* Counts elements of n_rows rows of n_columns, ld apart, that are not the rounded floats. */
static size_t n_wrong(const float *array, const uint16_t *array16, size_t first, size_t n_rows, size_t n_columns,
                      size_t ld) {
  const size_t n = n_rows * ld;
  float *x = calloc(n, sizeof *x);
  uint16_t *x16 = calloc(n, sizeof *x16);
  size_t wrong = 0;

  cr_assert(cudaDeviceSynchronize() == cudaSuccess);
  cr_assert(cudaMemcpy(x, array + first, n * sizeof *x, cudaMemcpyDeviceToHost) == cudaSuccess);
  cr_assert(cudaMemcpy(x16, array16 + first, n * sizeof *x16, cudaMemcpyDeviceToHost) == cudaSuccess);
  for (size_t i = 0; i < n; i++) wrong += i % ld < n_columns && x16[i] != rounded(x[i]);

  free(x);
  free(x16);
  return wrong;
}

static void expect_params(vise_i_backend *b, const char *when) {
  const vise_k_step *step = &vise_i_cuda_of(b)->train.step;
  for (uint32_t l = 0; l < step->n_layers; l++) {
    const vise_k_layer *layer = &step->layers[l];
    const size_t wrong = n_wrong(step->params, step->params16, layer->weight, layer->n_out, layer->n_in, layer->ld);
    cr_expect(wrong == 0, "%s, layer %u: %zu weights", when, l, wrong);
  }
}

/* What the fused kernel's last step left of its batch. */
static void expect_rows(vise_i_backend *b, size_t n_rows) {
  const vise_k_step *step = &vise_i_cuda_of(b)->train.step;
  for (uint32_t l = 0; l < step->n_layers; l++) {
    const vise_k_layer *layer = &step->layers[l];
    if (l + 1 < step->n_layers) {
      cr_expect(n_wrong(step->activations, step->activations16, layer->out, n_rows, layer->n_out, layer->ld_out) == 0);
    }
    cr_expect(n_wrong(step->activations, step->activations16, layer->delta, n_rows, layer->n_out, layer->ld_out) == 0,
              "deltas of layer %u", l);
  }
  cr_expect(n_wrong(step->inputs, step->inputs16, 0, n_rows, step->layers[0].n_in, step->ld_inputs) == 0);
}

static void follow(step_rig *r) {
  vise_error err = VISE_ERROR_INIT;
  float *start = calloc(r->net.n_params, sizeof *start);
  vise_i_backend *b = step_rig_start(r);

  expect_params(b, "projected");
  step_rig_run(r, b, 5, 3, NULL);
  expect_params(b, "trained");
  if (r->spec.step_mode == VISE_STEP_FUSED) expect_rows(b, RIG_BATCH);

  for (size_t i = 0; i < r->net.n_params; i++) start[i] = (float)r->params[i];
  cr_assert(OPS->set_state(b, VISE_I_PARAMS, start, &err) == VISE_OK, "%s", err.text);
  expect_params(b, "set");
  step_rig_run(r, b, 3, 1, NULL);
  expect_params(b, "trained again");

  OPS->destroy(b);
  free(start);
}

Test(bf16, copies_follow) {
  for (int mode = VISE_STEP_FUSED; mode <= VISE_STEP_UNFUSED_GRAPH; mode++) {
    for (int max_norm = 0; max_norm < 3; max_norm++) {
      for (int tile = VISE_K_TILE_8; tile <= VISE_K_TILE_128; tile++) {
        if (mode != VISE_STEP_FUSED && tile != VISE_K_TILE_8 && tile != VISE_K_TILE_128) continue;

        step_rig *r = gpu_rig_make(VISE_ADAM);
        r->spec.precision = VISE_BF16;
        r->spec.step_mode = (vise_step_mode)mode;
        r->spec.hooks.forced_tile = 1 + tile;
        if (max_norm == 0) r->spec.rule.max_norm = 0;
        if (max_norm == 2) r->spec.rule.max_norm_scope = VISE_MAX_NORM_TENSOR;

        follow(r);
        step_rig_free(r);
      }
    }
  }
}

/* Outputs wider than the rows phase takes: another phase writes their deltas. */
Test(bf16, copies_of_wide_outputs_follow) {
  static const size_t widths[] = {RIG_IN, 40, 90};
  step_rig *r = gpu_rig_make(VISE_SGD);
  uint64_t state = 5;

  free(r->params);
  r->net = rig_net(2, widths, VISE_GELU, true);
  r->params = calloc(r->net.n_params, sizeof *r->params);
  rig_fill(&state, 0.3, r->params, r->net.n_params);

  r->spec.precision = VISE_BF16;
  r->spec.hooks.forced_tile = 1 + VISE_K_TILE_64;
  follow(r);
  step_rig_free(r);
}
