/* The unfused step, launched and replayed: the same bits, launch counts, what a replay must see anew, steps
   that are not finite, data in chunks, steps on the caller's batch, errors. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/backend/cuda/unfused.h"
#include "tests/emulation/host/emulation.h"
#include "tests/gpu/gpu_rig.h"
#include "tests/support/step_checks.h"

static const vise_i_backend_ops *const OPS = &vise_i_backend_cuda;
static const vise_step_mode MODES[] = {VISE_STEP_UNFUSED, VISE_STEP_UNFUSED_GRAPH};

/* Only the emulated device counts, and can be told to refuse. */
extern emu_counts emu_read_counts(void) __attribute__((weak));
extern void emu_refuse_epilogue(unsigned epilogue) __attribute__((weak));
extern void emu_lack_training_epilogues(int lack) __attribute__((weak));

static step_rig *make(vise_optimizer optimizer, vise_step_mode mode) {
  step_rig *r = gpu_rig_make(optimizer);
  r->spec.step_mode = mode;
  r->spec.hooks.workspace_bytes = (size_t)4 << 20; /* the same under every limit: cuBLAS chooses its algorithms by it */
  return r;
}

/* ---- bits ---- */

Test(unfused_steps, replayed_and_cut_the_bits_are_the_same) {
  static const vise_activation activations[] = {VISE_RELU, VISE_SILU};
  static const size_t per_call[] = {1, 5, RIG_STEPS};

  for (int i = 0; i < 2 * 3 * 3; i++) {
    if (rig_is_short() && (i % 9 + i / 9) % 2 != 0) continue; /* each optimizer in each precision with one activation */
    step_rig *r = make((vise_optimizer)(i / 3 % 3), VISE_STEP_UNFUSED);
    vise_step_stats stats[RIG_STEPS];

    step_rig_activate(r, activations[i / 9]);
    r->spec.precision = (vise_precision)(VISE_FP32 + i % 3);
    float *reference = step_rig_train(r, RIG_STEPS, r->stats);

    for (size_t k = 0; k < 6; k++) {
      if (rig_is_short() && k / 2 != (size_t)i / 3 % 3) continue; /* one cut an optimizer, in both modes */
      r->spec.step_mode = MODES[k % 2];
      float *end = step_rig_train(r, per_call[k / 2], stats);
      cr_expect(step_rig_same(r, reference, end), "case %d, %zu steps a call, %s", i, per_call[k / 2],
                vise_step_mode_name(MODES[k % 2]));
      cr_expect(step_rig_same_stats(r->stats, stats, RIG_STEPS), "case %d: the statistics differ", i);
      free(end);
    }

    free(reference);
    step_rig_free(r);
  }
}

Test(unfused_steps, chunks_are_as_resident_data) {
  for (size_t m = 0; m < 2; m++) {
    step_rig *r = make(VISE_ADAM, MODES[m]);
    vise_step_stats stats[RIG_STEPS];
    float *resident = step_rig_train(r, RIG_STEPS, r->stats);

    r->spec.device_memory_limit = gpu_rig_limit_for_rows(r, 3 * RIG_BATCH);
    vise_i_backend *b = step_rig_start(r);
    cr_expect(!vise_i_cuda_of(b)->bound.resident && vise_i_cuda_of(b)->bound.rows[0].n_rows < RIG_ROWS / 2);
    OPS->destroy(b);

    float *cut = step_rig_train(r, RIG_STEPS, stats);
    cr_expect(step_rig_same(r, resident, cut) && step_rig_same_stats(r->stats, stats, RIG_STEPS), "%s",
              vise_step_mode_name(MODES[m]));

    free(resident);
    free(cut);
    step_rig_free(r);
  }
}

/* ---- launches ---- */

static void plain(vise_i_step_spec *s) {
  s->rule.k2 = s->rule.k1 = s->rule.kF = s->rule.k2d = s->rule.clip_norm = s->rule.max_norm = 0;
  s->rule.clip_value = s->use_mask = false;
}
static void with_penalties(vise_i_step_spec *s) {
  plain(s);
  s->rule.k2 = s->rule.k1 = 1e-3;
  s->rule.clip_value = true;
  s->rule.clip_norm = 1;
  s->rule.clip_norm_type = VISE_CLIP_GLOBAL;
}
static void with_norm(vise_i_step_spec *s) {
  plain(s);
  s->rule.kF = 1e-3;
}
static void by_units(vise_i_step_spec *s) {
  plain(s);
  s->rule.clip_norm = 1;
}
static void bound_units(vise_i_step_spec *s) {
  plain(s);
  s->rule.max_norm = 1;
}
static void bound_rows(vise_i_step_spec *s) {
  plain(s);
  for (size_t l = 0; l < s->net->n_layers; l++) s->row_balls[l] = (vise_i_row_ball){0.5, l == 0};
}
static void bound_tensors(vise_i_step_spec *s) {
  bound_units(s);
  s->rule.max_norm_scope = VISE_MAX_NORM_TENSOR;
}

static const struct counted {
  const char *name;
  vise_activation activation;
  int without_epilogues;
  void (*set)(vise_i_step_spec *spec);
  uint64_t n_launches; /* per step: gather, 2 + 1 + 2 products, loss, gradient, decide, update; and any extras */
} counted[] = {{"plain", VISE_RELU, 0, plain, 10},
               {"identity", VISE_IDENTITY, 0, plain, 10},
               {"penalties and clips", VISE_RELU, 0, with_penalties, 10},
               {"tanh", VISE_TANH, 0, plain, 12},
               {"gelu", VISE_GELU, 0, plain, 12},
               {"frobenius", VISE_RELU, 0, with_norm, 11},
               {"norm clip by units", VISE_RELU, 0, by_units, 11},
               {"max-norm", VISE_RELU, 0, bound_units, 11},
               {"max-norm by tensors", VISE_RELU, 0, bound_tensors, 12},
               {"sums of rows", VISE_RELU, 0, bound_rows, 11},
               {"without masks", VISE_RELU, 1, plain, 11},
               {"without epilogues", VISE_RELU, 2, plain, 14}};

/* What one call of run does on the emulated device. */
static void expect_counts(const emu_counts *a, const emu_counts *b, uint64_t n_steps, uint64_t n_each, bool replayed,
                          const char *what) {
  cr_expect(b->launches - a->launches == n_steps * n_each, "%s: %d launches", what, (int)(b->launches - a->launches));
  cr_expect(b->library_calls - a->library_calls == n_steps * 5, "%s", what);
  cr_expect(b->graph_launches - a->graph_launches == (replayed ? n_steps : 0), "%s", what);
  cr_expect(b->cooperative_launches == a->cooperative_launches && b->memsets == a->memsets, "%s", what);
  cr_expect(b->allocations == a->allocations && b->host_allocations == a->host_allocations, "%s", what);
  /* state and records in, state and statistics out, whatever the number of steps */
  cr_expect(b->copies - a->copies == 4 && b->synchronizations - a->synchronizations == 1, "%s: %d copies, %d waits",
            what, (int)(b->copies - a->copies), (int)(b->synchronizations - a->synchronizations));
}

Test(unfused_steps, launches_are_few_and_counted) {
  for (size_t i = 0; i < sizeof counted / sizeof *counted; i++) {
    for (size_t m = 0; m < 2; m++) {
      const struct counted *c = &counted[i];
      step_rig *r = make(VISE_ADAM, MODES[m]);
      vise_error err = VISE_ERROR_INIT;

      step_rig_activate(r, c->activation);
      r->spec.hooks.without_epilogues = c->without_epilogues;
      c->set(&r->spec);
      vise_i_backend *b = step_rig_start(r);
      step_rig_expect(r, b, 0, 2, VISE_OK, 2, &err); /* the first plain, then a capture */

      for (size_t n = 1; n <= 6; n += 5) {
        const uint64_t launched = OPS->n_launches(b);
        const emu_counts before = emu_read_counts ? emu_read_counts() : (emu_counts){0};
        step_rig_expect(r, b, 2, n, VISE_OK, n, &err);

        if (emu_read_counts) { /* elsewhere products may be several kernels, or cuBLAS lack an epilogue */
          const emu_counts after = emu_read_counts();
          cr_expect(OPS->n_launches(b) - launched == n * c->n_launches, "%s: %d launches in %zu steps", c->name,
                    (int)(OPS->n_launches(b) - launched), n);
          expect_counts(&before, &after, n, c->n_launches, m > 0, c->name);
        }

        cr_expect((OPS->n_launches(b) - launched) % n == 0);
      }

      cr_expect(vise_i_cuda_of(b)->n_captures == m && vise_i_cuda_of(b)->train.state.cursor == 6);
      OPS->destroy(b);
      step_rig_free(r);
    }
  }
}

/* A training with as many launches a step as that, near the reference. */
static void expect_launches(const step_rig *r, const float *reference, uint64_t n_launches, const char *what) {
  size_t n_bad = 0;
  vise_i_backend *b = step_rig_start(r);
  step_rig_run(r, b, RIG_STEPS, RIG_STEPS, NULL);
  cr_expect_eq(OPS->n_launches(b), RIG_STEPS * n_launches, "%s: %d launches", what, (int)OPS->n_launches(b));

  float *end = step_rig_snapshot(r, b);
  for (size_t k = 0; k < r->net.n_params; k++) n_bad += !rig_near((double)end[k], (double)reference[k], 1e-5, 1e-5);
  cr_expect_eq(n_bad, 0, "%s: %zu weights", what, n_bad);

  free(end);
  OPS->destroy(b);
}

/* cuBLAS may have no algorithm for an epilogue, or find one and then not run it. */
Test(unfused_steps, a_refused_epilogue_is_left_to_a_kernel) {
  static const struct {
    const char *name;
    unsigned epilogue;
  } refused[] = {{"DRELU", CUBLASLT_EPILOGUE_DRELU},
                 {"RELU_AUX_BIAS", CUBLASLT_EPILOGUE_RELU_AUX_BIAS},
                 {"BGRADB", CUBLASLT_EPILOGUE_BGRADB}};

  if (!emu_refuse_epilogue) return;

  step_rig *r = make(VISE_SGD, VISE_STEP_UNFUSED);
  step_rig_activate(r, VISE_RELU);
  plain(&r->spec);
  float *reference = step_rig_train(r, RIG_STEPS, NULL);

  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
    emu_refuse_epilogue(refused[i].epilogue);
    expect_launches(r, reference, 11, refused[i].name);
  }

  emu_refuse_epilogue(0);
  emu_lack_training_epilogues(1);
  expect_launches(r, reference, 12, "no mask and no bias gradient");
  emu_lack_training_epilogues(0);

  free(reference);
  step_rig_free(r);
}

Test(unfused_steps, a_refused_product_is_no_error_of_the_device) {
  if (!emu_refuse_epilogue) return;

  step_rig *r = make(VISE_SGD, VISE_STEP_UNFUSED);
  vise_error err = VISE_ERROR_INIT;

  r->spec.hooks.without_epilogues = 2;
  emu_refuse_epilogue(CUBLASLT_EPILOGUE_DEFAULT);
  vise_i_backend *b = step_rig_start(r);

  step_rig_expect(r, b, 0, 1, VISE_ERR_UNSUPPORTED, 0, &err);
  cr_expect(strstr(err.text, "cuBLAS has no product of ") != NULL, "%s", err.text);
  emu_refuse_epilogue(0);
  step_rig_expect(r, b, 0, 1, VISE_OK, 1, &err);

  OPS->destroy(b);
  step_rig_free(r);
}

/* One graph for full batches, one for the last of an epoch, each captured when it comes the second time. */
Test(unfused_steps, each_batch_size_is_captured_once) {
  step_rig *r = make(VISE_SGD, VISE_STEP_UNFUSED_GRAPH);
  vise_error err = VISE_ERROR_INIT;
  vise_i_backend *b = step_rig_start(r);
  static const uint64_t captures[] = {1, 2, 2, 2};

  for (size_t epoch = 0; epoch < 4; epoch++) {
    step_rig_expect(r, b, 0, RIG_EPOCH, VISE_OK, RIG_EPOCH, &err);
    cr_expect(r->stats[RIG_EPOCH - 1].n_rows == RIG_ROWS % RIG_BATCH &&
              vise_i_cuda_of(b)->n_captures == captures[epoch]);
  }

  /* New data in another place is captured again; in the same place it need not be. */
  cr_assert(OPS->bind(b, &r->data, &err) == VISE_OK && OPS->set_order(b, r->order, RIG_ROWS, &err) == VISE_OK);
  step_rig_expect(r, b, 0, RIG_EPOCH, VISE_OK, RIG_EPOCH, &err);
  cr_expect(vise_i_cuda_of(b)->n_captures <= 4);

  OPS->destroy(b);
  step_rig_free(r);
}

/* ---- what a replay must see anew ---- */

/* Rates, bounds and scales of clips change with every step, in graphs that were captured with the first ones. */
Test(unfused_steps, changed_rates_and_bounds) {
  for (size_t m = 0; m < 2; m++) {
    step_rig *r = make(VISE_SGD, MODES[m]);
    vise_i_backend *b = check_changing_rates(r, 4);
    cr_expect(vise_i_cuda_of(b)->n_captures == m, "%d captures", (int)vise_i_cuda_of(b)->n_captures);
    OPS->destroy(b);
    step_rig_free(r);
  }
}

/* Weights that are set, and projected, between replays. */
Test(unfused_steps, weights_set_from_outside) {
  for (size_t m = 0; m < 2; m++) {
    for (int precision = VISE_FP32; precision <= VISE_BF16; precision++) {
      step_rig *r = make(VISE_SGD, MODES[m]);
      vise_error err = VISE_ERROR_INIT;

      r->spec.precision = (vise_precision)precision;
      r->spec.rule.momentum = 0;
      vise_i_backend *b = step_rig_start(r);

      step_rig_expect(r, b, 0, 3, VISE_OK, 3, &err);
      float *first = step_rig_snapshot(r, b);
      step_rig_expect(r, b, 3, 4, VISE_OK, 4, &err);
      float *ahead = step_rig_snapshot(r, b);
      cr_expect(!step_rig_same(r, first, ahead));

      cr_assert(OPS->set_state(b, VISE_I_PARAMS, first, &err) == VISE_OK);
      cr_assert(OPS->project(b, &r->hyper[0], &err) == VISE_OK);
      step_rig_expect(r, b, 3, 4, VISE_OK, 4, &err);
      float *again = step_rig_snapshot(r, b);
      cr_expect(step_rig_same(r, ahead, again), "%s", vise_precision_name((vise_precision)precision));

      free(first);
      free(ahead);
      free(again);
      OPS->destroy(b);
      step_rig_free(r);
    }
  }
}

/* ---- not finite ---- */

Test(unfused_steps, nonfinite_data_skip_without_a_trace) {
  static const vise_activation activations[] = {VISE_RELU, VISE_SILU};
  const double bad[] = {NAN, INFINITY, -INFINITY};

  for (int i = 0; i < 3 * 3 * 2 * 2; i++) {
    if (rig_is_short() && i % 9 % 4 != i / 9) continue; /* each value with each optimizer once */
    step_rig *r = make((vise_optimizer)(i / 3 % 3), MODES[i / 9 % 2]);
    uint64_t launched;

    step_rig_activate(r, activations[i / 18]);
    vise_i_backend *b = check_nonfinite_data(r, bad[i % 3], true, &launched);
    cr_expect(OPS->n_launches(b) - launched == launched / 4 * 3 &&
              vise_i_cuda_of(b)->n_idle_launches == launched / 4 * 2);

    OPS->destroy(b);
    step_rig_free(r);
  }
}

static void in_both_modes(vise_optimizer optimizer, void (*check)(step_rig *r)) {
  for (size_t m = 0; m < 2; m++) {
    step_rig *r = make(optimizer, MODES[m]);
    check(r);
    step_rig_free(r);
  }
}

Test(unfused_steps, goes_on_after_skips) {
  in_both_modes(VISE_ADAM, check_going_on_after_skips);
}
Test(unfused_steps, nonfinite_weights_skip_without_a_trace) {
  in_both_modes(VISE_RMSPROP, check_nonfinite_weights);
}
Test(unfused_steps, penalty_overflow_skips_despite_the_value_clip) {
  in_both_modes(VISE_SGD, check_penalty_overflow);
}

/* ---- steps on the caller's batch ---- */

/* The same rows in the same order, with the batch at another place each time. */
Test(unfused_steps, a_step_is_as_a_run) {
  for (size_t m = 0; m < 2; m++) {
    step_rig *r = make(VISE_ADAM, MODES[m]);
    vise_error err = VISE_ERROR_INIT;
    vise_step_stats stats = {0};

    for (size_t i = 0; i < RIG_ROWS; i++) r->order[i] = i;
    float *reference = step_rig_train(r, RIG_STEPS, r->stats);
    vise_i_backend *b = step_rig_start(r);

    for (size_t s = 0; s < RIG_STEPS; s++) {
      const size_t at = s % RIG_EPOCH * RIG_BATCH, left = RIG_ROWS - at, n = left < RIG_BATCH ? left : RIG_BATCH;
      const vise_i_data batch =
          rig_data(r->x + at * RIG_IN, n, RIG_IN, r->y + at, 1, true, r->data.row_weights ? r->row_weights + at : NULL);

      cr_assert(
          OPS->step(b, &(vise_i_batch){.data = &batch, .n = batch.x.n_rows}, &r->hyper[s], &stats, &err) == VISE_OK,
          "%s", err.text);
      cr_expect(step_rig_same_stats(&stats, &r->stats[s], 1), "step %zu", s);
    }

    cr_expect(vise_i_cuda_of(b)->n_captures == 0);
    float *end = step_rig_snapshot(r, b);
    cr_expect(step_rig_same(r, reference, end));

    free(end);
    free(reference);
    OPS->destroy(b);
    step_rig_free(r);
  }
}

Test(unfused_steps, external_deltas) {
  const vise_i_backend_ops *both[] = {OPS, &vise_i_backend_cpu64};
  double *ends[2], delta[RIG_BATCH * RIG_OUT];
  step_rig *r = make(VISE_ADAM, VISE_STEP_UNFUSED);
  uint64_t state = 5;

  rig_fill(&state, 0.1, delta, RIG_BATCH * RIG_OUT);
  r->spec.rule.loss = VISE_LOSS_EXTERNAL;
  const vise_array given = {delta, VISE_F64, RIG_BATCH, RIG_OUT, RIG_OUT, 1};

  for (size_t k = 0; k < 2; k++) {
    vise_error err = VISE_ERROR_INIT;
    vise_i_backend *b = rig_create(both[k], &r->spec, r->params);
    vise_i_data batch = rig_data(r->x, RIG_BATCH, RIG_IN, r->y, 1, true, NULL);
    batch.y.data = NULL;

    cr_assert(both[k]->project(b, &r->hyper[0], &err) == VISE_OK);
    for (size_t s = 0; s < 4; s++) {
      vise_step_stats stats = {0};
      const double loss = s == 2 ? NAN : 1.5;
      cr_assert(
          both[k]->step(b, &(vise_i_batch){.data = &batch, .n = batch.x.n_rows, .delta = &given, .external_loss = loss},
                        &r->hyper[0], &stats, &err) == VISE_OK,
          "%s", err.text);
      cr_expect(stats.skipped == (s == 2) && (s == 2 || stats.loss == 1.5));
    }

    ends[k] = calloc(r->net.n_params, sizeof(double));
    rig_get_state(both[k], b, VISE_I_PARAMS, r->net.n_params, ends[k]);
    both[k]->destroy(b);
  }

  size_t worst;
  const size_t n_bad = rig_compare(ends[0], ends[1], r->net.n_params, 2e-5, 2e-5, &worst);
  cr_expect(n_bad == 0, "%zu weights differ, most [%zu]", n_bad, worst);

  free(ends[0]);
  free(ends[1]);
  step_rig_free(r);
}

/* ---- errors ---- */

Test(unfused_steps, refuses_what_it_cannot_do) {
  step_rig *r = make(VISE_SGD, VISE_STEP_UNFUSED);
  vise_error err = VISE_ERROR_INIT;
  vise_i_backend *b = NULL;

  r->spec.steps_per_launch = 2;
  cr_expect(OPS->create(&r->spec, &b, &err) == VISE_ERR_UNSUPPORTED && b == NULL);
  cr_expect(strstr(err.text, "`steps_per_launch` 2: `step_mode` unfused launches each step by itself") != NULL, "%s",
            err.text);

  vise_error_clear(&err);
  r->spec.steps_per_launch = 0;
  r->spec.device_memory_limit = gpu_rig_limit(r, 0);

  vise_status status = VISE_OK;
  while (status == VISE_OK) {
    r->spec.device_memory_limit -= 512;
    status = OPS->create(&r->spec, &b, &err);
    if (status == VISE_OK) OPS->destroy(b);
  }

  cr_expect(status == VISE_ERR_MEMORY);
  cr_expect(strstr(err.text, "bytes") != NULL && strstr(err.text, "more") != NULL, "%s", err.text);
  step_rig_free(r);
}

static void expect_poison(vise_step_mode mode) {
  step_rig *r = make(VISE_SGD, mode);
  vise_error first = VISE_ERROR_INIT, later = VISE_ERROR_INIT;
  vise_i_backend *b = step_rig_start(r);

  step_rig_expect(r, b, 0, 1, VISE_OK, 1, &first);
  vise_i_cuda_of(b)->unfused->n_sms = 0; /* launches without CTAs are refused, in the middle of a capture too */
  step_rig_expect(r, b, 0, 3, VISE_ERR_DEVICE, 0, &first);
  step_rig_expect(r, b, 0, 3, VISE_ERR_DEVICE, 0, &later);

  cr_expect(strstr(later.text, "CUDA device 0: ") != NULL, "%s", later.text);
  cr_expect(OPS->project(b, &r->hyper[0], NULL) == VISE_ERR_DEVICE);

  OPS->destroy(b);
  step_rig_free(r);
}

Test(unfused_steps, a_device_error_poisons) {
  expect_poison(VISE_STEP_UNFUSED);
}
Test(unfused_steps, a_device_error_poisons_replays) {
  expect_poison(VISE_STEP_UNFUSED_GRAPH);
}
