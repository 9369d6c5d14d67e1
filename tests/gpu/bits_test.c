/* What must not change a bit: steps per launch and call, CTAs, tiles, where the data is, where a training was cut. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/gpu/gpu_rig.h"
#include "tests/support/step_checks.h"

static const vise_i_backend_ops *const OPS = &vise_i_backend_cuda;

static void expect_same(const step_rig *r, const float *reference, const vise_step_stats *stats, size_t most,
                        const char *what) {
  vise_step_stats own[RIG_STEPS];
  float *end = step_rig_train(r, most, own);
  cr_expect(step_rig_same(r, reference, end), "%s: the weights differ", what);
  cr_expect(step_rig_same_stats(stats, own, RIG_STEPS), "%s: the statistics differ", what);
  free(end);
}

Test(bits, steps_per_launch_and_per_call) {
  static const uint64_t per_launch[] = {1, 7, 0};
  static const size_t per_call[] = {1, 5, RIG_STEPS};

  for (int optimizer = VISE_SGD; optimizer < vise_optimizer_count_; optimizer++) {
    step_rig *r = gpu_rig_make((vise_optimizer)optimizer);
    float *reference = step_rig_train(r, RIG_STEPS, r->stats);

    for (size_t i = 0; i < 3; i++) {
      for (size_t k = 0; k < 3; k++) {
        if (rig_is_short() && (i + k + (size_t)optimizer) % 3 != 0) continue; /* each number once */
        r->spec.steps_per_launch = per_launch[i];
        expect_same(r, reference, r->stats, per_call[k], vise_optimizer_name((vise_optimizer)optimizer));
      }
    }

    free(reference);
    step_rig_free(r);
  }
}

static void expect_same_by_ctas(bool rows) {
  step_rig *r = gpu_rig_make(VISE_ADAM);
  for (size_t l = 0; rows && l < r->net.n_layers; l++) r->spec.row_balls[l] = (vise_i_row_ball){0.6, l % 2 == 1};
  vise_i_backend *b = step_rig_start(r);
  const int most = (int)vise_i_cuda_of(b)->train.step.n_members;
  OPS->destroy(b);

  float *reference = step_rig_train(r, RIG_STEPS, r->stats);
  for (int n = 1; n <= most; n = n < 3 ? n + 1 : 2 * n + 1) {
    r->spec.hooks.n_ctas = n;
    expect_same(r, reference, r->stats, RIG_STEPS, rows ? "CTAs, sums of rows" : "CTAs");
  }

  free(reference);
  step_rig_free(r);
}

Test(bits, ctas) {
  expect_same_by_ctas(false);
  expect_same_by_ctas(true);
}

Test(bits, tiles) {
  for (int type = VISE_CLIP_GLOBAL; type <= VISE_CLIP_UNIT; type++) {
    step_rig *r = gpu_rig_make(VISE_RMSPROP);
    r->spec.rule.clip_norm_type = (vise_clip_norm_type)type;
    float *reference = step_rig_train(r, RIG_STEPS, r->stats);

    for (int tile = VISE_K_TILE_8; tile < VISE_K_N_TILES; tile++) {
      if (rig_is_short() && (type + tile) % 2 != 0) continue;
      r->spec.hooks.forced_tile = 1 + tile;
      expect_same(r, reference, r->stats, RIG_STEPS, "tiles");
    }

    free(reference);
    step_rig_free(r);
  }
}

/* The kernel of common nets and that of all nets, where sums of the gradient travel and where they do not. */
Test(bits, kernels) {
  static const double CLIP_NORMS[] = {0, 0.1};
  for (size_t i = 0; i < sizeof CLIP_NORMS / sizeof *CLIP_NORMS; i++) {
    step_rig *r = gpu_rig_make(VISE_ADAM);
    r->spec.rule.clip_norm_type = VISE_CLIP_GLOBAL;
    r->spec.rule.clip_norm = CLIP_NORMS[i];
    r->spec.rule.kF = r->spec.rule.max_norm = 0;
    float *reference = step_rig_train(r, RIG_STEPS, r->stats);

    for (int in_memory = 0; in_memory < 2; in_memory++) {
      r->spec.hooks.sums_in_memory = in_memory;
      vise_i_backend *b = step_rig_start(r);
      cr_expect(vise_k_is_plain(&vise_i_cuda_of(b)->train.step) == !in_memory);
      OPS->destroy(b);
      expect_same(r, reference, r->stats, RIG_STEPS, "kernels");
    }

    free(reference);
    step_rig_free(r);
  }
}

/* The comparison itself: another penalty is seen. */
Test(bits, comparison_sees_another_training) {
  step_rig *r = gpu_rig_make(VISE_SGD);
  vise_step_stats stats[RIG_STEPS];
  float *a = step_rig_train(r, RIG_STEPS, r->stats);
  r->spec.rule.k2 *= 1.001;
  float *b = step_rig_train(r, RIG_STEPS, stats);
  cr_expect(!step_rig_same(r, a, b) && !step_rig_same_stats(stats, r->stats, RIG_STEPS));
  free(a);
  free(b);
  step_rig_free(r);
}

Test(bits, data_in_chunks) {
  static const size_t n_rows[] = {RIG_BATCH, 2 * RIG_BATCH + 3, 29};
  step_rig *r = gpu_rig_make(VISE_ADAM);
  float *reference = step_rig_train(r, RIG_STEPS, r->stats);

  for (size_t i = 0; i < 3; i++) {
    r->spec.device_memory_limit = gpu_rig_limit_for_rows(r, n_rows[i]);
    vise_i_backend *b = step_rig_start(r);
    cr_assert(vise_i_cuda_of(b)->bound.is_bound && !vise_i_cuda_of(b)->bound.resident,
              "the limit of %zu rows is not met", n_rows[i]);
    cr_expect(vise_i_cuda_of(b)->bound.rows[0].n_rows < RIG_ROWS / 2 &&
              vise_i_cuda_of(b)->bound.rows[0].n_rows >= RIG_BATCH);
    cr_expect(vise_i_cuda_of(b)->arena_bytes + vise_i_cuda_of(b)->cx->single_bytes + vise_i_cuda_of(b)->bound.n_bytes <=
              r->spec.device_memory_limit);
    OPS->destroy(b);

    for (uint64_t per_launch = 0; per_launch < 3; per_launch++) {
      r->spec.steps_per_launch = per_launch;
      const bool first = (i + per_launch) % 2 == 0;
      if (first || !rig_is_short()) expect_same(r, reference, r->stats, RIG_STEPS, "chunks");
      if (!first || !rig_is_short()) expect_same(r, reference, r->stats, 3, "chunks, three steps a call");
    }

    r->spec.steps_per_launch = 0;
    r->spec.device_memory_limit = 0;
  }

  free(reference);
  step_rig_free(r);
}

Test(bits, state_carries_a_training_over) {
  for (int optimizer = VISE_SGD; optimizer < vise_optimizer_count_; optimizer++) {
    step_rig *r = gpu_rig_make((vise_optimizer)optimizer);
    check_carried_state(r);
    step_rig_free(r);
  }
}

/* Rows of the data set by their order, and the same rows as the caller's own batch. */
Test(bits, run_and_step_are_the_same) {
  step_rig *r = gpu_rig_make(VISE_SGD);
  vise_i_backend *run = step_rig_start(r), *step = step_rig_start(r);
  vise_error err = VISE_ERROR_INIT;
  vise_step_stats by_run[3], by_step[3];

  memset(by_step, 0, sizeof by_step);
  step_rig_run(r, run, 3, 3, by_run);

  for (size_t s = 0; s < 3; s++) {
    double x[RIG_BATCH * RIG_IN], y[RIG_BATCH], weights[RIG_BATCH];
    for (size_t i = 0; i < RIG_BATCH; i++) {
      const size_t row = r->order[s * RIG_BATCH + i];
      memcpy(x + i * RIG_IN, r->x + row * RIG_IN, RIG_IN * sizeof *x);
      y[i] = r->y[row];
      weights[i] = r->row_weights[row];
    }

    const vise_i_data own = rig_data(x, RIG_BATCH, RIG_IN, y, 1, true, weights);
    cr_assert(
        OPS->step(step, &(vise_i_batch){.data = &own, .n = own.x.n_rows}, &r->hyper[s], &by_step[s], &err) == VISE_OK,
        "%s", err.text);
  }

  cr_expect(step_rig_same_stats(by_run, by_step, 3));
  cr_expect(OPS->n_launches(step) == 3);
  float *a = step_rig_snapshot(r, run), *b = step_rig_snapshot(r, step);
  cr_expect(step_rig_same(r, a, b));

  free(a);
  free(b);
  OPS->destroy(run);
  OPS->destroy(step);
  step_rig_free(r);
}

/* Thresholds do not depend on how they are searched for: by a CTA to a long row, or a warp; from the last ones on. */
Test(bits, sums_of_rows_are_those_of_the_cpu) {
  static const size_t shapes[][4] = {{700, 20, 3}, {300, 270, 2}, {40, 33, 5}};
  static const int n_ctas[] = {1, 3, 0};
  const vise_i_hyper hyper = rig_hyper(0.1);
  uint64_t random = 3;

  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    const vise_i_net net = rig_net(2, shapes[i], VISE_RELU, true);
    vise_i_step_spec spec = rig_spec(&net);
    double *params = malloc(net.n_values * sizeof *params);
    double *expected = malloc(net.n_values * sizeof *params), *got = malloc(net.n_values * sizeof *params);
    vise_error err = VISE_ERROR_INIT;
    rig_fill(&random, 0.1, params, net.n_values);
    for (size_t k = 5; k < net.n_values; k += 3) params[k] = k % 2 ? 0 : 0 - params[k - 5]; /* zeros and ties */

    for (int sided = 0; sided < 2; sided++) {
      for (size_t l = 0; l < 2; l++) spec.row_balls[l] = (vise_i_row_ball){(double)shapes[i][l] / 128, sided};
      vise_i_backend *cpu = rig_create(&vise_i_backend_cpu, &spec, params);
      cr_assert(vise_i_backend_cpu.project(cpu, &hyper, &err) == VISE_OK, "%s", err.text);
      rig_get_state(&vise_i_backend_cpu, cpu, VISE_I_PARAMS, net.n_params, expected);
      vise_i_backend_cpu.destroy(cpu);
      cr_assert(memcmp(expected, params, net.n_params * sizeof *params) != 0);

      for (size_t k = 0; k < sizeof n_ctas / sizeof *n_ctas; k++) {
        spec.hooks.n_ctas = n_ctas[k];
        vise_i_backend *b = rig_create(OPS, &spec, params);
        for (int again = 0; again < 2; again++) {
          rig_set_params(OPS, b, net.n_params, params);
          cr_assert(OPS->project(b, &hyper, &err) == VISE_OK, "%s", err.text);
          rig_get_state(OPS, b, VISE_I_PARAMS, net.n_params, got);
          cr_expect(memcmp(got, expected, net.n_params * sizeof *got) == 0, "shape %zu, sided %d, %d CTAs, %d", i,
                    sided, n_ctas[k], again);
        }
        OPS->destroy(b);
      }
      spec.hooks.n_ctas = 0;
    }

    free(params);
    free(expected);
    free(got);
  }
}
