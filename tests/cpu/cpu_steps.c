/* What must hold to the bit: skipped steps, repeated runs, one call or many; and no allocation inside a step. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/backend/cpu/threads.h"
#include "host/backend/cuda/device.h"
#include "tests/support/backend_rig.h"

/* Calls of the allocator from the library and the tests (the linker sends them here), not from libraries. */
static size_t n_allocations;
void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t each);
void *__real_realloc(void *p, size_t n);
void *__real_aligned_alloc(size_t alignment, size_t n);
int __real_posix_memalign(void **out, size_t alignment, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t each);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_aligned_alloc(size_t alignment, size_t n);
int __wrap_posix_memalign(void **out, size_t alignment, size_t n);
void *__wrap_malloc(size_t n) {
  n_allocations++;
  return __real_malloc(n);
}
void *__wrap_calloc(size_t n, size_t each) {
  n_allocations++;
  return __real_calloc(n, each);
}
void *__wrap_realloc(void *p, size_t n) {
  n_allocations++;
  return __real_realloc(p, n);
}
void *__wrap_aligned_alloc(size_t alignment, size_t n) {
  n_allocations++;
  return __real_aligned_alloc(alignment, n);
}
int __wrap_posix_memalign(void **out, size_t alignment, size_t n) {
  n_allocations++;
  return __real_posix_memalign(out, alignment, n);
}

enum { ROWS = 100, BATCH = 8, STEPS = 20, N_IN = 33, N_OUT = 7 };

static const vise_i_backend_ops *const OPS = &vise_i_backend_cpu;

typedef struct rig {
  vise_i_net net;
  vise_i_step_spec spec;
  vise_i_data data;
  double *params, x[ROWS * N_IN], y[ROWS];
  size_t order[STEPS * BATCH];
  vise_i_hyper hyper[STEPS];
  vise_step_stats stats[STEPS];
} rig;

/* A net with everything switched on. */
static rig *make_rig(vise_optimizer optimizer) {
  static const size_t widths[] = {N_IN, 21, N_OUT};
  rig *r = calloc(1, sizeof *r);
  uint64_t state = 77;
  r->net = rig_net(2, widths, VISE_SILU, true);
  r->spec = rig_spec(&r->net);
  r->spec.loss = VISE_LOSS_CROSS_ENTROPY;
  r->spec.optimizer = optimizer;
  r->spec.momentum = optimizer == VISE_ADAM ? 0 : 0.9;
  r->spec.k2 = 1e-3;
  r->spec.k1 = 1e-4;
  r->spec.kF = 1e-4;
  r->spec.k2d = 1e-3;
  r->spec.clip_value = true;
  r->spec.clip_lo = -0.05;
  r->spec.clip_hi = 0.05;
  r->spec.clip_norm = 0.1;
  r->spec.clip_norm_type = VISE_CLIP_UNIT;
  r->spec.max_norm = 1;
  r->spec.use_mask = true;
  r->spec.assert_projection = true;
  r->spec.max_batch = BATCH;
  for (size_t l = 0; l < 2; l++) {
    r->spec.box_lo[l] = -0.2;
    r->spec.box_hi[l] = 0.2;
  }
  r->params = calloc(r->net.n_params, sizeof *r->params);
  rig_fill(&state, 0.3, r->params, r->net.n_params);
  rig_fill(&state, 1, r->x, ROWS * N_IN);
  for (size_t i = 0; i < ROWS; i++) r->y[i] = (double)(i % N_OUT);
  for (size_t i = 0; i < STEPS * BATCH; i++) r->order[i] = (i * 13) % ROWS;
  for (size_t i = 0; i < STEPS; i++) r->hyper[i] = rig_hyper(0.05);
  r->data = rig_data(r->x, ROWS, N_IN, r->y, 1, true, NULL);
  return r;
}

static void free_rig(rig *r) {
  free(r->params);
  free(r);
}

static vise_i_backend *start(rig *r) {
  vise_error err = VISE_ERROR_INIT;
  vise_i_backend *b = rig_create(OPS, &r->spec, r->params);
  cr_assert(OPS->project(b, &r->hyper[0], &err) == VISE_OK && OPS->bind(b, &r->data, &err) == VISE_OK &&
                OPS->set_order(b, r->order, STEPS * BATCH, &err) == VISE_OK,
            "%s", err.text);
  return b;
}

/* All state, one array after the other; n_params * 3 floats, absent moments 0. */
static float *snapshot(const rig *r, vise_i_backend *b) {
  float *all = calloc(3 * r->net.n_params, sizeof *all);
  for (int which = VISE_I_PARAMS; which <= VISE_I_MOMENT2; which++) {
    vise_error err = VISE_ERROR_INIT;
    if (!OPS->has_state(b, (vise_i_state)which)) continue;
    cr_assert(OPS->get_state(b, (vise_i_state)which, all + (size_t)which * r->net.n_params, &err) == VISE_OK);
  }
  return all;
}

static bool same_state(const rig *r, const float *a, const float *b) {
  return memcmp(a, b, 3 * r->net.n_params * sizeof *a) == 0;
}

static void expect_no_change(const rig *r, vise_i_backend *b, const float *before, const char *what) {
  float *after = snapshot(r, b);
  cr_expect(same_state(r, before, after), "%s: state was touched", what);
  free(after);
}

Test(cpu_steps, one_call_of_twenty_equals_twenty_calls_and_again) {
  for (int optimizer = VISE_SGD; optimizer <= VISE_ADAM; optimizer++) {
    rig *r = make_rig((vise_optimizer)optimizer);
    vise_i_backend *once = start(r), *again = start(r), *singly = start(r);
    vise_error err = VISE_ERROR_INIT;
    vise_step_stats stats[STEPS], single[STEPS];
    size_t n_done;
    memset(stats, 0, sizeof stats);
    memset(single, 0, sizeof single);
    cr_assert(OPS->run(once, 0, BATCH, STEPS, r->hyper, r->stats, &n_done, &err) == VISE_OK && n_done == STEPS, "%s",
              err.text);
    cr_assert(OPS->run(again, 0, BATCH, STEPS, r->hyper, stats, &n_done, &err) == VISE_OK && n_done == STEPS);
    for (size_t s = 0; s < STEPS; s++) {
      cr_assert(OPS->run(singly, s * BATCH, BATCH, 1, r->hyper, &single[s], &n_done, &err) == VISE_OK && n_done == 1);
    }
    float *a = snapshot(r, once), *b = snapshot(r, again), *c = snapshot(r, singly);
    cr_expect(same_state(r, a, b), "%s: two runs differ", vise_optimizer_name((vise_optimizer)optimizer));
    cr_expect(same_state(r, a, c), "%s: one call differs from twenty", vise_optimizer_name((vise_optimizer)optimizer));
    for (size_t s = 0; s < STEPS; s++) {
      cr_expect(stats[s].loss == r->stats[s].loss && single[s].loss == r->stats[s].loss &&
                single[s].grad_norm == r->stats[s].grad_norm && single[s].penalty == r->stats[s].penalty);
    }
    free(a);
    free(b);
    free(c);
    OPS->destroy(once);
    OPS->destroy(again);
    OPS->destroy(singly);
    free_rig(r);
  }
}

/* Products large enough for BLAS to share them out. */
Test(cpu_steps, two_threads_keep_their_bits) {
  static const size_t widths[] = {300, 128, 10};
  const vise_i_net net = rig_net(2, widths, VISE_RELU, true);
  vise_i_step_spec spec = rig_spec(&net);
  double *params = calloc(net.n_params, sizeof *params), *x = calloc(64 * 300, sizeof *x), y[64];
  double *ends[2];
  uint64_t state = 3;
  rig_fill(&state, 0.1, params, net.n_params);
  rig_fill(&state, 1, x, 64 * 300);
  for (size_t i = 0; i < 64; i++) y[i] = (double)(i % 10);
  spec.loss = VISE_LOSS_CROSS_ENTROPY;
  spec.n_threads = 2;
  const vise_i_data data = rig_data(x, 64, 300, y, 1, true, NULL);
  const vise_i_hyper hyper = rig_hyper(0.1);
  for (int run = 0; run < 2; run++) {
    vise_i_backend *b = rig_create(OPS, &spec, params);
    for (int step = 0; step < 10; step++) {
      vise_error err = VISE_ERROR_INIT;
      vise_step_stats stats = {0};
      cr_assert(OPS->step(b, &data, NULL, 0, &hyper, &stats, &err) == VISE_OK, "%s", err.text);
    }
    ends[run] = calloc(net.n_params, sizeof *ends[run]);
    rig_get_state(OPS, b, VISE_I_PARAMS, net.n_params, ends[run]);
    OPS->destroy(b);
  }
  cr_expect(memcmp(ends[0], ends[1], net.n_params * sizeof *ends[0]) == 0);
  cr_expect(memcmp(ends[0], params, net.n_params * sizeof *params) != 0);
  free(ends[0]);
  free(ends[1]);
  free(params);
  free(x);
}

Test(cpu_steps, state_carries_a_training_over) {
  rig *r = make_rig(VISE_ADAM);
  vise_i_backend *whole = start(r), *first = start(r), *second = start(r);
  vise_error err = VISE_ERROR_INIT;
  size_t n_done;
  cr_assert(OPS->run(whole, 0, BATCH, STEPS, r->hyper, r->stats, &n_done, &err) == VISE_OK);
  cr_assert(OPS->run(first, 0, BATCH, 9, r->hyper, r->stats, &n_done, &err) == VISE_OK);
  float *half = snapshot(r, first);
  const vise_i_counters counters = OPS->get_counters(first);
  cr_expect(counters.applied_steps == 9 && rig_near(counters.beta1_t, pow(0.9, 9), 1e-15, 0));
  for (int which = VISE_I_PARAMS; which <= VISE_I_MOMENT2; which++) {
    cr_assert(OPS->set_state(second, (vise_i_state)which, half + (size_t)which * r->net.n_params, &err) == VISE_OK);
  }
  OPS->set_counters(second, &counters);
  cr_assert(OPS->run(second, 9 * BATCH, BATCH, STEPS - 9, r->hyper, r->stats, &n_done, &err) == VISE_OK);
  float *a = snapshot(r, whole), *b = snapshot(r, second);
  cr_expect(same_state(r, a, b));
  free(half);
  free(a);
  free(b);
  OPS->destroy(whole);
  OPS->destroy(first);
  OPS->destroy(second);
  free_rig(r);
}

Test(cpu_steps, no_allocation_inside_a_step) {
  rig *r = make_rig(VISE_ADAM);
  vise_i_backend *b = start(r);
  vise_error err = VISE_ERROR_INIT;
  size_t n_done;
  free(malloc(1));
  cr_assert(n_allocations > 0, "allocations are not counted");
  const size_t before = n_allocations;
  cr_assert(OPS->run(b, 0, BATCH, STEPS, r->hyper, r->stats, &n_done, &err) == VISE_OK);
  vise_i_data few = r->data;
  few.x.n_rows = few.y.n_rows = 5;
  cr_assert(OPS->step(b, &few, NULL, 0, &r->hyper[0], &r->stats[0], &err) == VISE_OK, "%s", err.text);
  cr_expect(n_allocations == before, "%zu allocations", n_allocations - before);
  OPS->destroy(b);
  free_rig(r);
}

Test(cpu_steps, nonfinite_data_skip_without_a_trace) {
  const double bad[] = {NAN, INFINITY, -INFINITY, 1e39}; /* the last is beyond float32 */
  for (size_t i = 0; i < 4; i++) {
    for (int optimizer = VISE_SGD; optimizer <= VISE_ADAM; optimizer++) {
      rig *r = make_rig((vise_optimizer)optimizer);
      r->spec.max_skips = 3;
      vise_i_backend *b = start(r);
      vise_error err = VISE_ERROR_INIT;
      size_t n_done;
      cr_assert(OPS->run(b, 0, BATCH, 4, r->hyper, r->stats, &n_done, &err) == VISE_OK);
      const uint64_t at_lo = r->stats[3].n_at_lo;
      float *before = snapshot(r, b);
      for (size_t j = 0; j < ROWS * N_IN; j += 3) r->x[j] = bad[i]; /* the data are borrowed */
      cr_expect(OPS->run(b, 4 * BATCH, BATCH, 5, r->hyper, r->stats, &n_done, &err) == VISE_ERR_NONFINITE);
      cr_expect(n_done == 3, "%zu steps until the limit of 3 skips", n_done);
      for (size_t s = 0; s < n_done; s++) {
        cr_expect(r->stats[s].skipped && r->stats[s].n_at_lo == at_lo && r->stats[s].n_rows == BATCH);
      }
      cr_expect(OPS->get_counters(b).applied_steps == 4 && OPS->get_counters(b).consecutive_skips == 3);
      cr_expect(strstr(err.text, "3 steps in a row") != NULL, "%s", err.text);
      expect_no_change(r, b, before, vise_optimizer_name((vise_optimizer)optimizer));
      free(before);
      OPS->destroy(b);
      free_rig(r);
    }
  }
}

/* A gradient that overflows only with its penalty, behind a value clip that would hide it. */
Test(cpu_steps, penalty_overflow_skips_despite_the_value_clip) {
  for (int scope = VISE_CLIP_SCOPE_TOTAL; scope <= VISE_CLIP_SCOPE_DATA; scope++) {
    rig *r = make_rig(VISE_SGD);
    r->spec.k2 = 1e39;
    r->spec.clip_scope = (vise_clip_scope)scope;
    vise_i_backend *b = start(r);
    vise_error err = VISE_ERROR_INIT;
    size_t n_done;
    float *before = snapshot(r, b);
    cr_assert(OPS->run(b, 0, BATCH, 1, r->hyper, r->stats, &n_done, &err) == VISE_OK, "%s", err.text);
    cr_expect(r->stats[0].skipped && r->stats[0].bad_tensor == 0 && r->stats[0].n_nonfinite == 0);
    expect_no_change(r, b, before, vise_clip_scope_name((vise_clip_scope)scope));
    free(before);
    OPS->destroy(b);
    free_rig(r);
  }
}

Test(cpu_steps, halt_ends_at_once_and_propagate_goes_on) {
  rig *r = make_rig(VISE_SGD);
  r->x[r->order[0] * N_IN] = NAN;
  r->spec.nonfinite = VISE_NONFINITE_HALT;
  vise_i_backend *b = start(r);
  vise_error err = VISE_ERROR_INIT;
  size_t n_done;
  float *before = snapshot(r, b);
  cr_expect(OPS->run(b, 0, BATCH, STEPS, r->hyper, r->stats, &n_done, &err) == VISE_ERR_NONFINITE && n_done == 1);
  cr_expect(r->stats[0].skipped && r->stats[0].n_nonfinite > 0 && r->stats[0].bad_tensor == 0);
  cr_expect(OPS->tensor_stats(b)[0].n_nonfinite > 0);
  cr_expect(strstr(err.text, "the step was not finite (policy halt): loss nan, gradient norm nan, first in 0.weight"),
            "%s", err.text);
  expect_no_change(r, b, before, "halt");
  free(before);
  OPS->destroy(b);

  r->spec.nonfinite = VISE_NONFINITE_PROPAGATE;
  vise_error_clear(&err);
  b = start(r);
  cr_assert(OPS->run(b, 0, BATCH, 2, r->hyper, r->stats, &n_done, &err) == VISE_OK && n_done == 2, "%s", err.text);
  cr_expect(!r->stats[0].skipped && !r->stats[1].skipped && isnan(r->stats[1].loss));
  float *after = snapshot(r, b);
  size_t n_nan = 0;
  for (size_t i = 0; i < r->net.n_params; i++) n_nan += isnan(after[i]);
  cr_expect(n_nan > 0, "no NaN went through clip, clamp and max-norm");
  free(after);
  OPS->destroy(b);
  free_rig(r);
}

Test(cpu_steps, moments_that_are_not_kept_are_refused) {
  rig *r = make_rig(VISE_SGD);
  r->spec.momentum = 0;
  r->spec.use_mask = false;
  vise_i_backend *b = start(r);
  vise_error err = VISE_ERROR_INIT;
  cr_expect(!OPS->has_state(b, VISE_I_MOMENT1) && !OPS->has_state(b, VISE_I_MOMENT2) &&
            !OPS->has_state(b, VISE_I_MASK));
  cr_expect(OPS->set_state(b, VISE_I_MOMENT1, r->params, &err) == VISE_ERR_INTERNAL);
  OPS->destroy(b);
  free_rig(r);
}

Test(cpu_steps, backends_are_found_or_say_why_not) {
  const char *why = NULL;
  cr_expect(vise_i_backend_find(VISE_BACKEND_CPU, &why) == &vise_i_backend_cpu);
  cr_expect(vise_i_backend_find(VISE_BACKEND_CPU64, &why) == &vise_i_backend_cpu64);
  /* No test of the CPU backends sees a GPU (tests/CMakeLists.txt). */
  cr_expect(vise_i_backend_find(VISE_BACKEND_CUDA, &why) == NULL);
  cr_expect_eq(strncmp(why, vise_i_cuda_is_built() ? "no CUDA device" : "this build has no CUDA backend", 14), 0);
  cr_expect(vise_i_backend_find(VISE_BACKEND_CUDA, NULL) == NULL);
}

Test(cpu_steps, small_nets_get_one_thread) {
  static const size_t small[] = {4, 16, 3}, large[] = {4096, 4096, 4096};
  const vise_i_net s = rig_net(2, small, VISE_RELU, true), l = rig_net(2, large, VISE_RELU, true);
  cr_expect(vise_i_cpu_default_threads(&s, 64) == 1);
  cr_expect(vise_i_cpu_default_threads(&l, 256) >= 1);
  cr_expect(vise_i_cpu_default_threads(&l, 256) >= vise_i_cpu_default_threads(&l, 1));
}

/* A NaN in one output's gradient must reach every weight through the norm, for both norms, in both backends. */
Test(cpu_steps, a_nan_norm_spreads_when_propagated) {
  static const size_t widths[] = {3, 4};
  const vise_i_net net = rig_net(1, widths, VISE_RELU, true);
  const vise_i_backend_ops *both[] = {&vise_i_backend_cpu, &vise_i_backend_cpu64};
  const double params[16] = {0.5, 0.25}, x[3] = {1, 2, 3}, delta[4] = {NAN, 0.1, 0.2, 0.3};
  const vise_i_data data = rig_data(x, 1, 3, NULL, 0, false, NULL);
  const vise_array given = {delta, VISE_F64, 1, 4, 4, 1};
  const vise_i_hyper hyper = rig_hyper(0.1);
  for (int p = VISE_NORM_2; p <= VISE_NORM_INF; p++) {
    for (int i = 0; i < 2; i++) {
      vise_i_step_spec spec = rig_spec(&net);
      vise_error err = VISE_ERROR_INIT;
      vise_step_stats stats = {0};
      double after[16];
      spec.loss = VISE_LOSS_EXTERNAL;
      spec.nonfinite = VISE_NONFINITE_PROPAGATE;
      spec.clip_norm = 1;
      spec.clip_norm_p = (vise_norm_p)p;
      vise_i_backend *b = rig_create(both[i], &spec, params);
      cr_assert(both[i]->step(b, &data, &given, 1, &hyper, &stats, &err) == VISE_OK, "%s", err.text);
      rig_get_state(both[i], b, VISE_I_PARAMS, net.n_params, after);
      for (size_t k = 0; k < net.n_params; k++) cr_expect(isnan(after[k]), "%s[%zu] %g", both[i]->name, k, after[k]);
      cr_expect(stats.n_nonfinite == 4 && stats.bad_tensor == 0 && !stats.skipped);
      both[i]->destroy(b);
    }
  }
}
