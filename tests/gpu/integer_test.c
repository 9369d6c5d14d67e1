/* Training for integer nets: rounded weights are those of cpu to the bit, steps agree with cpu, and neither CTAs, tiles,
   launches nor interruptions change a bit; fused and unfused. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/gpu/gpu_rig.h"
#include "tests/support/same_bits.h"
#include "tests/support/step_checks.h"

static const vise_i_backend_ops *const OPS = &vise_i_backend_cuda, *const HOST = &vise_i_backend_cpu;
static const char *const FORMATS[] = {"int8,acc16", "int8,acc14,act4", "int8,acc12,act4,in4", "int8,acc24,act6,in5"};
enum { N_FORMATS = sizeof FORMATS / sizeof *FORMATS };

/* A training of step_rig for an integer net: penalties, clips and the mask stay, boxes and max-norm go. */
typedef struct integer_rig {
  step_rig *r;
  vise_i_quantization *q;
} integer_rig;

/* Such that no sum of a layer lies halfway between two levels of the next. */
static void set_scales(vise_i_quantization *q) {
  for (size_t i = 0; i < q->n_rows; i++) q->scales[i] = 0.02f * (1 + 0.25f * (float)(i % 5));
  for (size_t l = 1; l < q->n_layers; l++) {
    q->scales[q->n_rows + l] = 3.0173f / (float)vise_i_value_most(&q->format, l);
  }
}

/* Inputs are whole numbers from 0 to X; 0 stands for `zero` of them. */
static void set_inputs(integer_rig *t, int zero) {
  const int most = vise_i_value_most(&t->q->format, 0);
  uint64_t state = 5;
  vise_i_quantization_set_input(t->q, 2.0 / most, zero);
  for (size_t i = 0; i < RIG_ROWS * RIG_IN; i++) t->r->x[i] = floor((rig_random(&state) + 1) / 2 * (most + 1));
  t->r->data.x_scaling = (vise_i_scaling){&t->q->in_shift, &t->q->in_divisor, true};
}

static integer_rig make(vise_optimizer optimizer, const char *format, const vise_net_config *net) {
  integer_rig t = {.r = step_rig_make(&vise_i_backend_cuda, optimizer)};
  vise_error err = VISE_ERROR_INIT;
  vise_i_integer_format parsed;
  step_rig *r = t.r;
  uint64_t state = 3;

  cr_assert(vise_i_net_make(net, &r->net, &err) == VISE_OK, "%s", err.text);
  free(r->params);
  r->params = calloc(r->net.n_params, sizeof *r->params);
  rig_fill(&state, 0.4, r->params, r->net.n_params);
  r->spec.rule.max_norm = 0;
  for (size_t l = 0; l < VISE_MAX_LAYERS; l++) r->spec.boxes[l] = (vise_i_box){-INFINITY, INFINITY};

  cr_assert(vise_i_integer_format_parse("format", format, &parsed, &err) == VISE_OK, "%s", err.text);
  cr_assert(vise_i_quantization_make(&r->net, &parsed, &t.q, &err) == VISE_OK, "%s", err.text);
  set_scales(t.q);
  set_inputs(&t, parsed.in_bits == 8 ? 100 : 0);
  r->spec.quantization = t.q;
  return t;
}

static vise_net_config net_of(vise_activation activation, bool deep, double dropout) {
  vise_net_config c;
  vise_net_config_init(&c);
  c.n_layers = deep ? 3 : 2;
  c.widths[0] = RIG_IN;
  c.widths[1] = 21;
  c.widths[2] = deep ? 36 : RIG_OUT;
  c.widths[3] = RIG_OUT;
  c.activation = activation;
  c.bias = true;
  c.dropout = dropout;
  return c;
}

static integer_rig make_plain(vise_optimizer optimizer, const char *format) {
  const vise_net_config net = net_of(VISE_RELU, true, 0);
  return make(optimizer, format, &net);
}

static void end(integer_rig *t) {
  vise_i_quantization_free(t->q);
  step_rig_free(t->r);
}

/* ---- rounded weights ---- */

static float *state_of(const step_rig *r, vise_i_backend *b, vise_i_state which) {
  vise_error err = VISE_ERROR_INIT;
  float *out = calloc(vise_i_state_n(&r->net, which), sizeof *out);
  cr_assert(b->ops->get_state(b, which, out, &err) == VISE_OK, "%s", err.text);
  return out;
}

static void give(vise_i_backend *b, vise_i_state which, const float *values) {
  vise_error err = VISE_ERROR_INIT;
  cr_assert(b->ops->set_state(b, which, values, &err) == VISE_OK, "%s", err.text);
}

static void expect_same_state(const step_rig *r, vise_i_backend *a, vise_i_backend *b, vise_i_state which,
                              const char *what) {
  float *x = state_of(r, a, which), *y = state_of(r, b, which);
  cr_expect(same_floats(x, y, vise_i_state_n(&r->net, which)), "%s", what);
  free(x);
  free(y);
}

/* Weights of all sizes, of a few magnitudes, of one sign, and what is not finite. */
static void odd_weights(const step_rig *r, float *w) {
  uint64_t state = 11;
  for (size_t i = 0; i < r->net.n_params; i++) {
    const double x = rig_random(&state);
    const size_t row = i / RIG_IN % 6;
    w[i] = (float)(row == 0   ? 30 * x
                   : row == 1 ? 0.001 * x
                   : row == 2 ? copysign(0.3, x)
                   : row == 3 ? fabs(x)
                   : row == 4 ? -fabs(x) * 4
                              : (i % 9 == 0 ? 0 : x));
  }
  w[7] = (float)NAN;
  w[RIG_IN + 3] = (float)INFINITY;
  w[r->net.n_params - 1] = (float)NAN;
}

static void expect_rounded_as_on_the_host(const char *format, vise_step_mode mode) {
  integer_rig t = make_plain(VISE_SGD, format);
  vise_error err = VISE_ERROR_INIT;
  t.r->spec.use_mask = false;
  t.r->spec.step_mode = mode;
  vise_i_backend *b = rig_create(OPS, &t.r->spec, t.r->params);
  t.r->spec.step_mode = VISE_STEP_AUTO;
  vise_i_backend *host = rig_create(HOST, &t.r->spec, t.r->params);
  expect_same_state(t.r, host, b, VISE_I_ROUNDED, format);
  expect_same_state(t.r, host, b, VISE_I_SCALES, format);

  float *w = state_of(t.r, b, VISE_I_PARAMS), *scales = state_of(t.r, b, VISE_I_SCALES);
  odd_weights(t.r, w);
  give(b, VISE_I_PARAMS, w);
  give(host, VISE_I_PARAMS, w);
  expect_same_state(t.r, host, b, VISE_I_ROUNDED, format);
  expect_same_state(t.r, host, b, VISE_I_PARAMS, "latent weights are not cut where they are set");

  for (size_t i = 0; i < t.q->n_scales; i++) scales[i] *= 1.5f;
  give(b, VISE_I_SCALES, scales);
  give(host, VISE_I_SCALES, scales);
  expect_same_state(t.r, host, b, VISE_I_ROUNDED, format);

  cr_assert(OPS->project(b, &t.r->hyper[0], &err) == VISE_OK && HOST->project(host, &t.r->hyper[0], &err) == VISE_OK);
  expect_same_state(t.r, host, b, VISE_I_PARAMS, "latent weights are cut");
  expect_same_state(t.r, host, b, VISE_I_ROUNDED, format);

  free(w);
  free(scales);
  OPS->destroy(b);
  HOST->destroy(host);
  end(&t);
}

Test(integer, rounded_weights_are_those_of_cpu) {
  for (size_t i = 0; i < N_FORMATS; i++) {
    expect_rounded_as_on_the_host(FORMATS[i], i % 2 ? VISE_STEP_UNFUSED : VISE_STEP_FUSED);
  }
}

/* ---- steps ---- */

/* A step in parts rounds in a launch of its own. */
Test(integer, one_part_has_the_bits_of_the_whole) {
  const vise_net_config net = net_of(VISE_RELU, true, 0.25);
  integer_rig t = make(VISE_ADAM, FORMATS[0], &net);
  vise_i_backend *whole = step_rig_start(t.r);
  step_rig_run(t.r, whole, RIG_STEPS, RIG_STEPS, t.r->stats);
  t.r->spec.parts = 1;
  vise_i_backend *part = step_rig_start(t.r);
  step_rig_run(t.r, part, RIG_STEPS, RIG_STEPS, t.r->stats);

  expect_same_state(t.r, part, whole, VISE_I_PARAMS, "latent weights");
  expect_same_state(t.r, part, whole, VISE_I_ROUNDED, "rounded weights");
  cr_expect_eq(OPS->n_launches(part), 2 * RIG_STEPS);
  OPS->destroy(whole);
  OPS->destroy(part);
  end(&t);
}

/* What steps leave: latent weights that were cut, and the rounded ones that cpu makes of them. */
static void expect_rounded_after_steps(const integer_rig *t, vise_step_mode mode) {
  step_rig *r = t->r;
  r->spec.step_mode = mode;
  vise_i_backend *b = step_rig_start(r);
  step_rig_run(r, b, RIG_STEPS, RIG_STEPS, r->stats);
  r->spec.step_mode = VISE_STEP_AUTO;
  vise_i_backend *host = rig_create(HOST, &r->spec, r->params);
  float *w = state_of(r, b, VISE_I_PARAMS);
  give(host, VISE_I_PARAMS, w);
  expect_same_state(r, host, b, VISE_I_ROUNDED, "rounded weights after steps");
  cr_assert(HOST->project(host, &r->hyper[0], NULL) == VISE_OK);
  expect_same_state(r, host, b, VISE_I_PARAMS, "what can be reached");
  free(w);
  OPS->destroy(b);
  HOST->destroy(host);
}

Test(integer, steps_round_what_they_move) {
  static const vise_step_mode MODES[] = {VISE_STEP_FUSED, VISE_STEP_UNFUSED, VISE_STEP_UNFUSED_GRAPH};
  for (size_t i = 0; i < 3; i++) {
    integer_rig t = make_plain(VISE_SGD, FORMATS[i]);
    for (size_t s = 0; s < RIG_STEPS; s++) t.r->hyper[s] = rig_hyper(8); /* so far that some are cut */
    expect_rounded_after_steps(&t, MODES[i]);
    end(&t);
  }
}

/* Steps against those of cpu. A hidden value between two levels may become either, so that few steps are compared, and
   weights by what they moved. */
static void expect_as_cpu(const integer_rig *t, vise_step_mode mode, const char *what) {
  enum { STEPS = 3 };
  step_rig *r = t->r;
  vise_step_stats stats[2][STEPS];
  double *w[2], moved = 0, off = 0;
  const vise_i_backend_ops *const ops[] = {OPS, HOST};

  for (int i = 0; i < 2; i++) {
    r->spec.step_mode = i == 0 ? mode : VISE_STEP_AUTO;
    vise_i_backend *b = rig_begin(ops[i], &r->spec, r->params, &r->hyper[0], &r->data, r->order, r->n_order);
    rig_run(ops[i], b, r->n_order, RIG_BATCH, STEPS, STEPS, r->hyper, stats[i]);
    w[i] = calloc(r->net.n_params, sizeof **w);
    rig_get_state(ops[i], b, VISE_I_PARAMS, r->net.n_params, w[i]);
    ops[i]->destroy(b);
  }

  for (size_t k = 0; k < r->net.n_params; k++) {
    moved += fabs(w[1][k] - (double)(float)r->params[k]);
    off += fabs(w[0][k] - w[1][k]);
  }
  cr_expect(off <= 0.01 * moved, "%s: %g of %g", what, off, moved);
  for (size_t s = 0; s < STEPS; s++) {
    cr_expect(!stats[0][s].skipped);
    cr_expect(rig_near(stats[0][s].loss, stats[1][s].loss, 0, s == 0 ? 1e-5 : 1e-3), "%s, step %zu: %.9g and %.9g",
              what, s, stats[0][s].loss, stats[1][s].loss);
    cr_expect(rig_near(stats[0][s].penalty, stats[1][s].penalty, 0, 1e-4), "%s: %.9g and %.9g", what,
              stats[0][s].penalty, stats[1][s].penalty);
  }
  free(w[0]);
  free(w[1]);
}

Test(integer, steps_agree_with_cpu) {
  static const vise_activation KINDS[] = {VISE_RELU, VISE_LEAKY_RELU, VISE_TANH, VISE_SIGMOID, VISE_IDENTITY};
  for (int i = 0; i < 10; i++) {
    const vise_net_config net = net_of(KINDS[i % 5], i % 3 != 0, i == 1 || i == 8 ? 0.2 : 0);
    integer_rig t = make((vise_optimizer)(i % 3), FORMATS[i % N_FORMATS], &net);
    t.r->spec.hooks.forced_tile = i == 2 || i == 3 ? 1 + VISE_K_TILE_64 : 0;
    expect_as_cpu(&t, i < 5 ? VISE_STEP_FUSED : VISE_STEP_UNFUSED, vise_activation_name(KINDS[i % 5]));
    if (i < 5) expect_as_cpu(&t, VISE_STEP_UNFUSED, vise_activation_name(KINDS[i % 5]));
    end(&t);
  }
}

Test(integer, outputs_and_gradients_agree_with_cpu) {
  integer_rig t = make_plain(VISE_SGD, "int8,acc14,act4");
  const vise_i_batch all = {.data = &t.r->data, .n = RIG_ROWS};
  vise_i_backend *b = step_rig_start(t.r), *host = rig_create(HOST, &t.r->spec, t.r->params);
  double *out[2], *g[2], loss[2], penalty[2];
  vise_error err = VISE_ERROR_INIT;
  size_t worst, n_off;

  for (int i = 0; i < 2; i++) {
    vise_i_backend *own = i == 0 ? b : host;
    out[i] = calloc(RIG_ROWS * RIG_OUT, sizeof **out);
    g[i] = calloc(t.r->net.n_params, sizeof **g);
    cr_assert(own->ops->project(own, &t.r->hyper[0], &err) == VISE_OK, "%s", err.text);
    cr_assert(own->ops->forward(own, &all, out[i], &err) == VISE_OK, "%s", err.text);
    cr_assert(own->ops->full_gradient(own, &all, g[i], &loss[i], &penalty[i], &err) == VISE_OK, "%s", err.text);
  }
  n_off = rig_compare(out[0], out[1], RIG_ROWS * RIG_OUT, 1e-5, 1e-4, &worst);
  cr_expect(n_off <= RIG_OUT, "%zu of the outputs, the worst %zu: %g and %g", n_off, worst, out[0][worst],
            out[1][worst]);
  cr_expect(rig_near(loss[0], loss[1], 0, 1e-4) && rig_near(penalty[0], penalty[1], 0, 1e-5));
  n_off = rig_compare(g[0], g[1], t.r->net.n_params, 1e-4, 1e-2, &worst);
  cr_expect(n_off == 0, "%zu of the gradient, the worst %zu: %g and %g", n_off, worst, g[0][worst], g[1][worst]);

  for (int i = 0; i < 2; i++) {
    free(out[i]);
    free(g[i]);
  }
  OPS->destroy(b);
  HOST->destroy(host);
  end(&t);
}

/* ---- bits ---- */

static void expect_same(const step_rig *r, const float *reference, const vise_step_stats *stats, size_t most,
                        const char *what) {
  vise_step_stats own[RIG_STEPS];
  float *after = step_rig_train(r, most, own);
  cr_expect(step_rig_same(r, reference, after), "%s: the weights differ", what);
  cr_expect(step_rig_same_stats(stats, own, RIG_STEPS), "%s: the statistics differ", what);
  free(after);
}

Test(integer, ctas_tiles_and_launches_change_no_bit) {
  for (int optimizer = VISE_SGD; optimizer <= VISE_ADAM; optimizer += VISE_ADAM - VISE_SGD) {
    integer_rig t = make_plain((vise_optimizer)optimizer, FORMATS[optimizer == VISE_SGD]);
    step_rig *r = t.r;
    if (optimizer == VISE_SGD) r->spec.rule.clip_norm_type = VISE_CLIP_GLOBAL;
    vise_i_backend *b = step_rig_start(r);
    const int most = (int)vise_i_cuda_of(b)->train.step.n_members;
    OPS->destroy(b);
    float *reference = step_rig_train(r, RIG_STEPS, r->stats);

    for (int n = 1; n <= most; n = 2 * n + 1) {
      r->spec.hooks.n_ctas = n;
      expect_same(r, reference, r->stats, RIG_STEPS, "CTAs");
    }
    r->spec.hooks.n_ctas = 0;
    for (int tile = VISE_K_TILE_8; tile < VISE_K_N_TILES; tile++) {
      if (rig_is_short() && (tile + optimizer) % 2) continue;
      r->spec.hooks.forced_tile = 1 + tile;
      expect_same(r, reference, r->stats, RIG_STEPS, "tiles");
    }
    r->spec.hooks.forced_tile = 0;
    r->spec.hooks.sums_in_memory = 1;
    expect_same(r, reference, r->stats, 5, "sums in memory");
    r->spec.hooks.sums_in_memory = 0;
    r->spec.steps_per_launch = 1;
    expect_same(r, reference, r->stats, RIG_STEPS, "launches of one step");
    r->spec.steps_per_launch = 7;
    expect_same(r, reference, r->stats, RIG_STEPS, "launches of seven steps");

    free(reference);
    end(&t);
  }
}

Test(integer, graphs_and_calls_change_no_bit_of_the_unfused_step) {
  integer_rig t = make_plain(VISE_ADAM, "int8,acc14,act4");
  t.r->spec.step_mode = VISE_STEP_UNFUSED;
  float *reference = step_rig_train(t.r, RIG_STEPS, t.r->stats);
  expect_same(t.r, reference, t.r->stats, 5, "five steps a call");
  t.r->spec.step_mode = VISE_STEP_UNFUSED_GRAPH;
  expect_same(t.r, reference, t.r->stats, RIG_STEPS, "graphs");
  free(reference);
  end(&t);
}

Test(integer, state_carries_a_training_over) {
  for (int mode = 0; mode < 2; mode++) {
    integer_rig t = make_plain(VISE_ADAM, "int8,acc14,act4");
    t.r->spec.step_mode = mode ? VISE_STEP_UNFUSED : VISE_STEP_FUSED;
    check_carried_state(t.r);
    end(&t);
  }
}

/* The same numbers as bytes, which CTAs keep near where they have one tile each. */
Test(integer, bytes_are_as_numbers) {
  integer_rig t = make_plain(VISE_ADAM, "int8,acc12,act4,in4");
  static uint8_t bytes[RIG_ROWS * RIG_IN];
  float *reference = step_rig_train(t.r, RIG_STEPS, t.r->stats);
  for (size_t i = 0; i < RIG_ROWS * RIG_IN; i++) bytes[i] = (uint8_t)t.r->x[i];
  t.r->data.x = vise_array_of(bytes, VISE_U8, RIG_ROWS, RIG_IN);
  expect_same(t.r, reference, t.r->stats, RIG_STEPS, "bytes");
  free(reference);
  end(&t);
}

/* A step that is skipped leaves the weights and what they are rounded to. */
Test(integer, skipped_steps_round_nothing) {
  for (int mode = 0; mode < 2; mode++) {
    integer_rig t = make_plain(VISE_SGD, "int8,acc14,act4");
    t.r->spec.step_mode = mode ? VISE_STEP_UNFUSED : VISE_STEP_FUSED;
    vise_i_backend *b = step_rig_start(t.r);
    float *before = state_of(t.r, b, VISE_I_ROUNDED);
    for (size_t i = 0; i < RIG_ROWS; i++) t.r->row_weights[i] = 1e308;
    vise_error err = VISE_ERROR_INIT;
    cr_assert(OPS->bind(b, &t.r->data, &err) == VISE_OK, "%s", err.text);
    cr_assert(OPS->set_order(b, t.r->order, t.r->n_order, &err) == VISE_OK, "%s", err.text);
    step_rig_expect(t.r, b, 0, 2, VISE_OK, 2, &err);
    cr_expect(t.r->stats[0].skipped && t.r->stats[1].skipped);
    float *after = state_of(t.r, b, VISE_I_ROUNDED);
    cr_expect(same_floats(before, after, t.r->net.n_params));
    free(before);
    free(after);
    OPS->destroy(b);
    end(&t);
  }
}

/* ---- what is refused ---- */

static void refused(const step_rig *r, const char *says) {
  vise_error err = VISE_ERROR_INIT;
  vise_i_backend *b = NULL;
  cr_expect(OPS->create(&r->spec, &b, &err) == VISE_ERR_UNSUPPORTED && b == NULL);
  cr_expect(strstr(err.text, says) != NULL, "%s", err.text);
}

Test(integer, other_precisions_are_refused) {
  integer_rig t = make_plain(VISE_SGD, "int8,acc16");
  t.r->spec.precision = VISE_TF32;
  refused(t.r, "`quantize`: not with `precision` tf32");
  t.r->spec.precision = VISE_BF16;
  refused(t.r, "`quantize`: not with `precision` bf16");

  vise_error err = VISE_ERROR_INIT;
  t.r->spec.precision = VISE_FP32;
  vise_i_backend *b = step_rig_start(t.r);
  float *rounded = state_of(t.r, b, VISE_I_ROUNDED);
  cr_expect(OPS->set_state(b, VISE_I_ROUNDED, rounded, &err) == VISE_ERR_INTERNAL);
  free(rounded);
  OPS->destroy(b);
  end(&t);
}
