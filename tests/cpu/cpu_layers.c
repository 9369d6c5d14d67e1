/* cpu against cpu64 on nets with batch norm, dropout, residuals, and blocks of different kinds. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/backend/cpu/cpu.h"
#include "tests/support/agreement.h"
#include "tests/support/backend_rig.h"

static const vise_i_backend_ops *const OPS = &vise_i_backend_cpu;
static const agreement CPU = {.ops = &vise_i_backend_cpu, .slack = 1};

static void batch_norm(cpu_case *c) {
  c->batch_norm = true;
}
static void dropout(cpu_case *c) {
  c->dropout = 0.4;
}
static void input_dropout(cpu_case *c) {
  c->input_dropout = 0.2;
}
static void residual(cpu_case *c) {
  c->residual = true;
}
static void all(cpu_case *c) {
  c->batch_norm = c->residual = true;
  c->dropout = 0.4;
  c->input_dropout = 0.2;
}

/* What a list alone can say: activations, biases and what follows differ from block to block; one has no activation. */
static void list(cpu_case *c) {
  static vise_layer layers[14];
  static const vise_layer_kind kinds[] = {
      VISE_LAYER_DROPOUT,    VISE_LAYER_LINEAR,     VISE_LAYER_ACTIVATION, VISE_LAYER_LINEAR, VISE_LAYER_BATCH_NORM,
      VISE_LAYER_ACTIVATION, VISE_LAYER_DROPOUT,    VISE_LAYER_RESIDUAL,   VISE_LAYER_LINEAR, VISE_LAYER_DROPOUT,
      VISE_LAYER_LINEAR,     VISE_LAYER_ACTIVATION, VISE_LAYER_RESIDUAL,   VISE_LAYER_LINEAR};

  for (size_t i = 0; i < 14; i++) {
    vise_layer_init(&layers[i]);
    layers[i].kind = kinds[i];
    layers[i].width = 21;
    layers[i].bias = i != 1;
    layers[i].activation = i == 2 ? VISE_TANH : i == 5 ? VISE_GELU : VISE_ELU;
    layers[i].dropout = 0.1 * (double)(i % 4 + 1);
    layers[i].span = i == 7 ? 4 : 2;
  }
  layers[13].width = 5;
  c->layers = layers;
  c->n_listed = 14;
}

static const struct kind {
  const char *name;
  void (*apply)(cpu_case *c);
} kinds[] = {{"batch norm", batch_norm}, {"dropout", dropout}, {"input dropout", input_dropout},
             {"residual", residual},     {"all", all},         {"list", list}};

/* 17-17-17-5: both hidden blocks can have residuals. */
static cpu_case make(size_t kind) {
  static const size_t widths[] = {17, 17, 17, 5};
  cpu_case c = cpu_case_make();
  cpu_case_shape(&c, 3, widths);
  c.spec.seed = 0x123456789abcdefu;
  kinds[kind].apply(&c);
  return c;
}

Test(cpu_layers, each_kind_with_each_activation) {
  for (size_t k = 0; k < N_OF(kinds); k++) {
    for (int activation = 0; activation < vise_activation_count_; activation++) {
      cpu_case c = make(k);
      c.activation = (vise_activation)activation;
      agreement_expect(&CPU, &c, kinds[k].name, vise_activation_name(c.activation));
    }
  }
}

/* Gain and shift are treated as biases are. */
Test(cpu_layers, each_kind_with_each_option) {
  for (size_t k = 0; k < N_OF(kinds); k++) {
    for (size_t o = 0; o < cpu_n_options; o++) {
      cpu_case c = make(k);
      c.n_steps = 4;
      cpu_options[o].apply(&c);
      agreement_expect(&CPU, &c, kinds[k].name, cpu_options[o].name);
    }
  }
}

Test(cpu_layers, thirty_steps_with_clips_box_decay_and_adam) {
  static const char *const options[] = {"adam", "norm clip", "value clip", "box with biases", "decoupled decay", "l2"};

  for (size_t k = 0; k < N_OF(kinds); k++) {
    cpu_case c = make(k);
    c.n_steps = 30;
    for (size_t o = 0; o < N_OF(options); o++) cpu_option_apply(&c, options[o]);
    agreement_expect(&CPU, &c, kinds[k].name, "thirty steps");
  }
}

Test(cpu_layers, shapes_and_batches) {
  static const agreement_shape shapes[] = {
      {2, {1, 1, 2}, 2}, {2, {40, 65, 3}, 64}, {3, {33, 33, 15, 4}, 16}, {2, {784, 128, 10}, 64}};
  for (size_t k = 0; k + 1 < N_OF(kinds); k++) {
    for (size_t s = 0; s < N_OF(shapes); s++) {
      cpu_case c = agreement_case_of(&CPU, &shapes[s], 2 * shapes[s].batch + 3, 3, 0);
      kinds[k].apply(&c);
      agreement_expect(&CPU, &c, kinds[k].name, "shapes");
    }
  }
}

Test(cpu_layers, batches_of_one_row_without_batch_norm) {
  cpu_case c = make(4);
  c.batch_norm = false;
  c.batch = 1;
  agreement_expect(&CPU, &c, "all but batch norm", "one row");
}

/* 25 rows in batches of 12: the last alone has no variance, so there are 12 and 13. */
Test(cpu_layers, a_last_row_alone_joins_the_batch_before) {
  cpu_case c = make(4);
  c.n_rows = 25;
  c.n_steps = 4;

  cpu_result r = cpu_case_run(&c, OPS);
  cr_expect(r.stats[0].n_rows == 12 && r.stats[1].n_rows == 13 && r.stats[2].n_rows == 12 && r.stats[3].n_rows == 13);
  cpu_result_free(&r);
  agreement_expect(&CPU, &c, "all", "13 rows");
}

/* Batches above a chunk, and those cut into parts by rows: draws go by the position in the batch. */
static void expect_large_batches(size_t kind, int n_threads) {
  cpu_case c = make(kind);
  c.spec.n_threads = n_threads;
  c.batch = c.n_rows = 2500;
  c.n_steps = 2;
  agreement_expect(&CPU, &c, kinds[kind].name, n_threads == 1 ? "2500 rows" : "2500 rows, two threads");
}

Test(cpu_layers, large_batches_are_one_batch) {
  for (size_t k = 0; k < N_OF(kinds); k++) expect_large_batches(k, 1);
  for (size_t k = 0; k < 4; k++) expect_large_batches(k, 2); /* by rows, except with batch norm */
}

/* ---- threads ----------------------------------------------------------------------------------------------------- */

enum { SHARED = 112, SHARED_ROWS = 48, SHARED_OUT = 10, SHARED_VALUES = SHARED * (SHARED + SHARED_OUT + 6) };

/* The gradient of one batch by this many threads, and its loss in front of it. The first product is large enough to
   share. */
static void gradient_by(int n_threads, size_t kind, double *out, vise_i_net *net) {
  static double x[SHARED_ROWS * SHARED], y[SHARED_ROWS], params[SHARED_VALUES];
  vise_error err = VISE_ERROR_INIT;
  cpu_case c = make(kind);
  vise_net_config config = {.struct_size = sizeof config,
                            .n_layers = 2,
                            .widths = {SHARED, SHARED, SHARED_OUT},
                            .activation = VISE_SILU,
                            .bias = true,
                            .batch_norm = c.batch_norm,
                            .dropout = c.dropout,
                            .input_dropout = c.input_dropout,
                            .residual = c.residual};

  cr_assert(vise_i_net_make(&config, net, &err) == VISE_OK && net->n_values <= SHARED_VALUES);
  for (size_t i = 0; i < SHARED_ROWS * SHARED; i++) x[i] = ((double)(i * 37 % 17) - 8) / 8;
  for (size_t i = 0; i < SHARED_ROWS; i++) y[i] = (double)(i % SHARED_OUT);
  for (size_t i = 0; i < net->n_values; i++) params[i] = ((double)(i * 29 % 13) - 6) / 16;

  vise_i_step_spec spec = rig_spec(net);
  spec.rule.loss = VISE_LOSS_CROSS_ENTROPY;
  spec.max_batch = SHARED_ROWS;
  spec.n_threads = n_threads;

  const vise_i_data data = rig_data(x, SHARED_ROWS, SHARED, y, 1, true, NULL);
  vise_i_backend *b = rig_create(OPS, &spec, params);
  cr_assert(OPS->full_gradient(b, &(vise_i_batch){.data = &data, .n = SHARED_ROWS}, out + 1, out, NULL, &err) ==
            VISE_OK);
  OPS->destroy(b);
}

/* Of the loss and of all gradients; cpu_threads.c has whole steps. */
Test(cpu_layers, threads_do_not_change_bits) {
  static double one[SHARED_VALUES + 1], many[SHARED_VALUES + 1];
  vise_i_net net;

  for (size_t k = 0; k + 1 < N_OF(kinds); k++) {
    gradient_by(1, k, one, &net);
    for (int n_threads = 2; n_threads <= 3; n_threads++) {
      gradient_by(n_threads, k, many, &net);
      cr_expect(memcmp(one, many, (net.n_params + 1) * sizeof *one) == 0, "%s", kinds[k].name);
    }
  }
}

/* ---- single calls ------------------------------------------------------------------------------------------------ */

enum { N_ROWS = 24, N_IN = 6, N_OUT = 3, MOST_VALUES = 400 };

typedef struct rig {
  vise_i_net net;
  vise_i_step_spec spec;
  vise_i_data data;
  double x[N_ROWS * N_IN], y[N_ROWS], params[MOST_VALUES];
} rig;

static void rig_make(rig *r, double p, bool norm) {
  vise_error err = VISE_ERROR_INIT;
  vise_net_config config;
  uint64_t state = 11;

  vise_net_config_init(&config);
  config.n_layers = 2;
  config.widths[0] = N_IN;
  config.widths[1] = 9;
  config.widths[2] = N_OUT;
  config.dropout = config.input_dropout = p;
  config.batch_norm = norm;
  cr_assert(vise_i_net_make(&config, &r->net, &err) == VISE_OK, "%s", err.text);
  cr_assert(r->net.n_values <= MOST_VALUES);

  r->spec = rig_spec(&r->net);
  r->spec.rule.loss = VISE_LOSS_CROSS_ENTROPY;
  r->spec.max_batch = N_ROWS;
  rig_fill(&state, 1, r->x, N_ROWS * N_IN);
  rig_fill(&state, 0.5, r->params, r->net.n_values);
  for (size_t i = r->net.n_params; i < r->net.n_values; i++) r->params[i] = 1 + 0.25 * (double)(i % 3);
  for (size_t i = 0; i < N_ROWS; i++) r->y[i] = (double)(i % N_OUT);
  r->data = rig_data(r->x, N_ROWS, N_IN, r->y, 1, true, NULL);
}

Test(cpu_layers, a_skipped_step_moves_no_running_statistics) {
  vise_error err = VISE_ERROR_INIT;
  vise_step_stats stats = {0};
  const vise_i_hyper hyper = rig_hyper(0.1);
  float before[MOST_VALUES], after[MOST_VALUES];
  rig r;

  rig_make(&r, 0, true);
  vise_i_backend *b = rig_create(OPS, &r.spec, r.params);
  const vise_i_batch batch = {.data = &r.data, .n = N_ROWS};
  const size_t n_bytes = r.net.n_values * sizeof *before, n_trained = r.net.n_params;

  cr_assert(OPS->get_state(b, VISE_I_PARAMS, before, &err) == VISE_OK);
  r.x[5] = NAN;
  cr_assert(OPS->step(b, &batch, &hyper, &stats, &err) == VISE_OK, "%s", err.text);
  cr_assert(OPS->get_state(b, VISE_I_PARAMS, after, &err) == VISE_OK);
  cr_expect(stats.skipped && memcmp(before, after, n_bytes) == 0);

  r.x[5] = 0.5;
  cr_assert(OPS->step(b, &batch, &hyper, &stats, &err) == VISE_OK, "%s", err.text);
  cr_assert(OPS->get_state(b, VISE_I_PARAMS, after, &err) == VISE_OK);
  cr_expect(!stats.skipped);
  for (size_t i = n_trained; i < r.net.n_values; i++) cr_expect(after[i] != before[i], "%zu", i);
  OPS->destroy(b);
}

static void gradient_of(const rig *r, uint64_t step, bool keeps_all, double *out) {
  vise_error err = VISE_ERROR_INIT;
  vise_i_backend *b = rig_create(OPS, &r->spec, r->params);
  const vise_i_batch batch = {.data = &r->data, .n = N_ROWS, .step = step, .keeps_all = keeps_all};
  cr_assert(OPS->full_gradient(b, &batch, out, NULL, NULL, &err) == VISE_OK, "%s", err.text);
  OPS->destroy(b);
}

Test(cpu_layers, gradients_draw_by_their_step_or_keep_all) {
  double first[MOST_VALUES], again[MOST_VALUES], third[MOST_VALUES], kept[MOST_VALUES], plain[MOST_VALUES];
  rig with, without;
  rig_make(&with, 0.5, false);
  rig_make(&without, 0, false);
  const size_t n_bytes = with.net.n_params * sizeof *first;

  gradient_of(&with, 0, false, first);
  gradient_of(&with, 0, false, again);
  gradient_of(&with, 3, false, third);
  gradient_of(&with, 0, true, kept);
  gradient_of(&without, 0, false, plain);

  cr_expect(memcmp(first, again, n_bytes) == 0 && memcmp(first, third, n_bytes) != 0);
  cr_expect(memcmp(kept, plain, n_bytes) == 0 && memcmp(kept, first, n_bytes) != 0);
}

Test(cpu_layers, more_rows_than_a_batch_norm_has_room_for) {
  vise_error err = VISE_ERROR_INIT;
  double gradient[MOST_VALUES];
  size_t rows[100];
  rig r;

  rig_make(&r, 0, true);
  for (size_t i = 0; i < 100; i++) rows[i] = i % N_ROWS;
  vise_i_backend *b = rig_create(OPS, &r.spec, r.params);
  const vise_i_batch batch = {.data = &r.data, .rows = rows, .n = 100};
  cr_expect(OPS->full_gradient(b, &batch, gradient, NULL, NULL, &err) == VISE_ERR_INTERNAL);
  cr_expect(strstr(err.text, "cpu: 100 rows at once with batch norm, there is room for 64") != NULL, "%s", err.text);
  OPS->destroy(b);
}

/* Evaluation goes by the running statistics, whatever else is in the batch, and after a step as before it. */
Test(cpu_layers, outputs_by_running_statistics) {
  vise_error err = VISE_ERROR_INIT;
  vise_step_stats stats = {0};
  const vise_i_hyper hyper = rig_hyper(0);
  double outputs[N_ROWS * N_OUT], reference[N_ROWS * N_OUT], single[N_OUT], later[MOST_VALUES];
  const size_t row = 7;
  size_t worst;
  rig r;

  rig_make(&r, 0.5, true);
  const vise_i_batch batch = {.data = &r.data, .n = N_ROWS};
  vise_i_data one = r.data;
  one.x.data = r.x + row * N_IN;
  one.x.n_rows = 1;

  vise_i_backend *b = rig_create(OPS, &r.spec, r.params), *b64 = rig_create(&vise_i_backend_cpu64, &r.spec, r.params);
  cr_assert(OPS->step(b, &batch, &hyper, &stats, &err) == VISE_OK, "%s", err.text);
  rig_get_state(OPS, b, VISE_I_PARAMS, r.net.n_values, later);
  rig_set_params(&vise_i_backend_cpu64, b64, r.net.n_values, later);

  cr_assert(OPS->forward(b, &batch, outputs, &err) == VISE_OK);
  cr_assert(OPS->forward(b, &(vise_i_batch){.data = &one, .n = 1}, single, &err) == VISE_OK);
  cr_assert(vise_i_backend_cpu64.forward(b64, &batch, reference, &err) == VISE_OK);
  cr_expect(rig_compare(outputs, reference, N_ROWS * N_OUT, 1e-5, 1e-5, &worst) == 0, "%g", outputs[worst]);
  cr_expect(rig_compare(single, reference + row * N_OUT, N_OUT, 1e-5, 1e-5, &worst) == 0, "%g", single[worst]);

  OPS->destroy(b);
  vise_i_backend_cpu64.destroy(b64);
}
