/* Inputs that CTAs keep in shared memory (kernels/near_inputs.cuh): the bits of a training are those of one that gathers
   its rows, for bytes and floats, whole and partial batches, any number of steps to a launch, data in chunks. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/gpu/gpu_rig.h"

enum { STEPS = 4, MOST_ROWS = 150 };

static const vise_i_backend_ops *const OPS = &vise_i_backend_cuda;

typedef struct near_case {
  size_t n_layers, widths[4], n_rows, batch;
  bool batch_norm;
} near_case;

/* Tiles of 8 x 8, 16 x 4 and 32 x 32; one layer with many outputs; inputs that end within a quad, batches within a tile. */
static const near_case CASES[] = {
    {2, {100, 24, 5}, 60, 24, false},   {2, {200, 22, 6}, 55, 20, false}, {1, {70, 80}, 25, 9, false},
    {3, {33, 16, 16, 3}, 75, 33, true}, {2, {35, 64, 1}, 100, 64, false},
};

/* A training: the same numbers as bytes, floats and doubles. */
typedef struct training {
  vise_i_net net;
  vise_i_step_spec spec;
  size_t n_rows, batch, order[MOST_ROWS];
  uint8_t *bytes;
  float *floats;
  double *x, *y, *params;
} training;

static const double SHIFT = 0, SCALE = 255;

static training training_make(const near_case *c) {
  const vise_i_net plain = rig_net(c->n_layers, c->widths, VISE_RELU, true);
  vise_error err = VISE_ERROR_INIT;
  vise_net_config config = {
      .struct_size = sizeof config, .n_layers = c->n_layers, .bias = true, .batch_norm = c->batch_norm};
  training t = {.net = plain, .n_rows = c->n_rows, .batch = c->batch};
  const size_t n_x = c->n_rows * c->widths[0], n_y = c->n_rows * c->widths[c->n_layers];
  uint64_t state = 7;

  memcpy(config.widths, c->widths, sizeof c->widths);
  if (c->batch_norm) cr_assert(vise_i_net_make(&config, &t.net, &err) == VISE_OK, "%s", err.text);
  t.bytes = malloc(n_x);
  t.floats = malloc(n_x * sizeof *t.floats);
  t.x = malloc(n_x * sizeof *t.x);
  t.y = malloc(n_y * sizeof *t.y);
  t.params = malloc(t.net.n_values * sizeof *t.params);
  rig_fill(&state, 1, t.y, n_y);
  rig_fill(&state, 0.3, t.params, t.net.n_values);
  for (size_t i = 0; i < n_x; i++) {
    t.bytes[i] = (uint8_t)((rig_random(&state) + 1) * 128);
    t.floats[i] = (float)(t.bytes[i] / SCALE);
    t.x[i] = t.floats[i];
  }
  for (size_t i = 0; i < c->n_rows; i++) t.order[i] = i * 7 % c->n_rows;
  return t;
}

static void training_free(training *t) {
  free(t->bytes);
  free(t->floats);
  free(t->x);
  free(t->y);
  free(t->params);
}

/* The weights after STEPS steps on data of the type; near: whether the plan must keep inputs near. */
static float *train(training *t, vise_dtype type, bool near) {
  vise_error err = VISE_ERROR_INIT;
  const size_t n_in = t->net.widths[0], n_out = t->net.widths[t->net.n_layers];
  vise_i_data data = rig_data(t->x, t->n_rows, n_in, t->y, n_out, false, NULL);
  vise_step_stats stats[STEPS];
  vise_i_hyper hyper[STEPS];
  float *end = malloc(t->net.n_values * sizeof *end);

  if (type == VISE_F32) data.x = vise_array_of(t->floats, type, t->n_rows, n_in);
  if (type == VISE_U8) {
    data.x = vise_array_of(t->bytes, type, t->n_rows, n_in);
    data.x_scaling = (vise_i_scaling){&SHIFT, &SCALE, true};
  }
  for (size_t s = 0; s < STEPS; s++) {
    hyper[s] = rig_hyper(0.05);
    hyper[s].step = s;
  }

  t->spec.net = &t->net;
  vise_i_backend *b = rig_begin(OPS, &t->spec, t->params, &hyper[0], &data, t->order, t->n_rows);
  cr_expect_eq(vise_i_cuda_of(b)->train.plan.step.near_rows > 0, near, "%zu inputs", n_in);
  cr_expect_eq(vise_i_cuda_of(b)->bound.resident, t->spec.device_memory_limit == 0);
  rig_run(OPS, b, t->n_rows, t->batch, STEPS, STEPS, hyper, stats);
  cr_assert(OPS->get_state(b, VISE_I_PARAMS, end, &err) == VISE_OK, "%s", err.text);
  OPS->destroy(b);
  return end;
}

static void expect_same(training *t, const float *reference, vise_dtype type, const char *what) {
  float *end = train(t, type, true);
  cr_expect(memcmp(end, reference, t->net.n_values * sizeof *end) == 0, "%zu inputs, %s: the weights differ",
            t->net.widths[0], what);
  free(end);
}

Test(near_inputs, bits_of_a_training) {
  for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
    training t = training_make(&CASES[i]);
    t.spec = rig_spec(&t.net);
    t.spec.max_batch = t.batch;
    t.spec.rule.momentum = 0.9;
    t.spec.rule.clip_norm = 1;

    t.spec.hooks.n_ctas = 1;
    float *reference = train(&t, VISE_F64, false);
    t.spec.hooks.n_ctas = 0;

    expect_same(&t, reference, VISE_F64, "doubles, which are gathered");
    expect_same(&t, reference, VISE_U8, "bytes");
    expect_same(&t, reference, VISE_F32, "floats");
    t.spec.steps_per_launch = 1 + i % 2;
    expect_same(&t, reference, i % 4 < 2 ? VISE_U8 : VISE_F32, "few steps to a launch");

    free(reference);
    training_free(&t);
  }
}

Test(near_inputs, data_in_chunks) {
  static const near_case many_rows = {2, {100, 24, 5}, 150, 24, false};
  training t = training_make(&many_rows);
  t.spec = rig_spec(&t.net);
  t.spec.max_batch = t.batch;
  float *reference = train(&t, VISE_F64, true);

  const size_t row_bytes = (t.net.widths[0] * sizeof(float) + 15) / 16 * 16 + t.net.widths[2] * sizeof(double);
  step_rig *r = gpu_rig_make(VISE_SGD);
  step_rig own = *r;
  own.spec = t.spec;
  memcpy(own.params = malloc(t.net.n_values * sizeof *own.params), t.params, t.net.n_values * sizeof *own.params);
  t.spec.device_memory_limit = gpu_rig_limit(&own, (2 * (t.batch + 5) * row_bytes + 6 * VISE_I_PLAN_ALIGN) * 8 / 7);
  expect_same(&t, reference, VISE_F32, "floats in chunks");
  t.spec.steps_per_launch = 1;
  expect_same(&t, reference, VISE_F32, "floats in chunks, one step a launch");

  free(own.params);
  step_rig_free(r);
  free(reference);
  training_free(&t);
}
