/* Batches in parts (host/ranks/parts.h), by cpu and cpu64, against cpu64 without parts; threads keep the bits. */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/support/agreement.h"
#include "tests/support/ranks_rig.h"

static const vise_i_backend_ops *const backends[] = {&vise_i_backend_cpu, &vise_i_backend_cpu64};

/* A sum over so many rows is no gradient to step along. */
static void apply(cpu_case *c, size_t option) {
  cpu_options[option].apply(c);
  if (c->spec.rule.mse_reduction == VISE_MSE_HALF_SUM) c->lr /= (double)c->batch;
}

/* 150 rows are five slices of 32. */
static cpu_case make(size_t parts) {
  static const size_t widths[] = {17, 17, 17, 5};
  cpu_case c = cpu_case_make();
  cpu_case_shape(&c, 3, widths);
  c.spec.seed = 0x123456789abcdefu;
  c.batch = 150;
  c.n_rows = 401;
  c.n_steps = 3;
  c.spec.parts = parts;
  return c;
}

static void with_layers(cpu_case *c) {
  c->batch_norm = c->residual = true;
  c->dropout = 0.4;
  c->input_dropout = 0.2;
}

static void expect(const cpu_case *c, const char *what) {
  for (size_t b = 0; b < N_OF(backends); b++) {
    char text[256];
    cpu_case without = *c;
    without.spec.parts = 0;
    cpu_result got = cpu_case_run(c, backends[b]);
    cr_expect(cpu_result_agrees(&without, &got, 1, text, sizeof text), "%s, %s, %zu parts: %s", backends[b]->name, what,
              c->spec.parts, text);
    cpu_result_free(&got);
  }
}

Test(cpu_parts, each_option) {
  for (size_t o = 0; o < cpu_n_options; o++) {
    cpu_case c = make(o % 8 + 1);
    apply(&c, o);
    if (cpu_option_allowed(&c)) expect(&c, cpu_options[o].name);
  }
}

Test(cpu_parts, each_option_with_batch_norm_dropout_and_residuals) {
  for (size_t o = 0; o < cpu_n_options; o++) {
    cpu_case c = make(8 - o % 8);
    with_layers(&c);
    apply(&c, o);
    if (cpu_option_allowed(&c)) expect(&c, cpu_options[o].name);
  }
}

/* Parts of one row, batches of fewer slices than parts, a last batch of few rows, more rows than a chunk. */
Test(cpu_parts, batches_of_any_size) {
  static const size_t batches[] = {1, 2, 31, 32, 33, 64, 65, 257, 3000};
  for (size_t i = 0; i < N_OF(batches); i++) {
    for (size_t layers = 0; layers < 2; layers++) {
      cpu_case c = make(8);
      if (layers && batches[i] == 1) continue; /* has no variance */
      if (layers) with_layers(&c);
      c.batch = batches[i];
      c.n_rows = 2 * c.batch + 7;
      expect(&c, "a batch");
    }
  }
}

/* Threads take parts or, where there is one, go through it together. */
Test(cpu_parts, threads_keep_the_bits) {
  static const size_t counts[] = {1, 3, 8};
  for (size_t p = 0; p < N_OF(counts); p++) {
    for (size_t layers = 0; layers < 2; layers++) {
      cpu_case c = make(counts[p]);
      if (layers) with_layers(&c);
      c.spec.hooks.shares_always = true;
      cpu_result one = cpu_case_run(&c, &vise_i_backend_cpu);

      for (int n_threads = 2; n_threads <= 4; n_threads++) {
        c.spec.n_threads = n_threads;
        cpu_result got = cpu_case_run(&c, &vise_i_backend_cpu);
        cr_expect_eq(memcmp(one.params, got.params, one.net.n_values * sizeof *one.params), 0, "%zu parts, %d threads",
                     counts[p], n_threads);
        cr_expect_eq(memcmp(&one.stats[2].loss, &got.stats[2].loss, sizeof(double)), 0);
        cpu_result_free(&got);
      }
      cpu_result_free(&one);
    }
  }
}

/* ---- ranks, which are threads here -------------------------------------------------------------------------------- */

typedef struct together {
  cpu_case c;
  const vise_i_backend_ops *ops;
  cpu_result one;
  const char *what;
} together;

static void run_rank(vise_ranks *ranks, void *context) {
  const together *t = context;
  cpu_case c = t->c;
  c.spec.ranks = ranks;
  cpu_result got = cpu_case_run(&c, t->ops);
  const size_t n_bytes = got.net.n_values * sizeof *got.params;
  cr_expect_eq(memcmp(t->one.params, got.params, n_bytes), 0, "%s, %s: weights of rank %zu of %zu", t->ops->name,
               t->what, vise_ranks_rank(ranks), vise_ranks_size(ranks));
  cr_expect_eq(memcmp(t->one.gradient, got.gradient, got.net.n_params * sizeof *got.gradient), 0, "%s", t->what);
  for (size_t i = 0; i < c.n_steps; i++) {
    cr_expect_eq(memcmp(&t->one.stats[i], &got.stats[i], sizeof got.stats[i]), 0, "%s: what step %zu reports", t->what,
                 i + 1);
  }
  cpu_result_free(&got);
}

static void expect_same_on_ranks(const cpu_case *c, const char *what, size_t most_ranks) {
  for (size_t b = 0; b < N_OF(backends); b++) {
    together t = {.c = *c, .ops = backends[b], .what = what};
    t.one = cpu_case_run(c, backends[b]);
    for (size_t n_ranks = 2; n_ranks <= most_ranks; n_ranks++) ranks_run(n_ranks, RANKS_NOBODY, run_rank, &t);
    cpu_result_free(&t.one);
  }
}

Test(cpu_parts, ranks_have_the_weights_of_one_process) {
  for (size_t o = 0; o < cpu_n_options; o++) {
    for (size_t layers = 0; layers < 2; layers++) {
      cpu_case c = make(8);
      if (layers) with_layers(&c);
      apply(&c, o);
      if (cpu_option_allowed(&c)) expect_same_on_ranks(&c, cpu_options[o].name, 3);
    }
  }
}

Test(cpu_parts, ranks_without_work_follow) {
  static const size_t batches[] = {20, 33, 100, 300};
  for (size_t i = 0; i < N_OF(batches); i++) {
    for (size_t layers = 0; layers < 2; layers++) {
      cpu_case c = make(8);
      if (layers) with_layers(&c);
      c.batch = batches[i];
      expect_same_on_ranks(&c, "batches", 10);
    }
  }
}
