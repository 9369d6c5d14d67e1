/* A float32 backend against cpu64: options alone over shapes and batches, in pairs, and other cases. */
#ifndef VISE_T_AGREEMENT_H
#define VISE_T_AGREEMENT_H

#include "tests/support/cpu_options.h"

typedef struct agreement {
  const vise_i_backend_ops *ops;
  double slack;                       /* times the tolerances of cpu_case_agrees */
  void (*set)(cpu_case *c, size_t i); /* what else a case has, varied by i; NULL: nothing */
  bool is_slow; /* loops over all options: fewer shapes and steps, the projection verified for the third shape only */
} agreement;

typedef struct agreement_shape {
  size_t n_layers, widths[17], batch;
} agreement_shape;

#define N_OF(array) (sizeof(array) / sizeof *(array))

/* The case of cpu_case_make with what `set` adds; the second also with a shape, its batch, rows and steps. */
cpu_case agreement_case(const agreement *a, size_t i);
cpu_case agreement_case_of(const agreement *a, const agreement_shape *shape, size_t n_rows, size_t n_steps, size_t i);

/* Fails the test unless the backend agrees with cpu64; first and second name the case. */
void agreement_expect(const agreement *a, const cpu_case *c, const char *first, const char *second);

/* Options part, part + n_parts, ... alone, or as the first of a pair: Criterion runs the parts in parallel. There must
   be more than `least` pairs. */
void agreement_over_shapes(const agreement *a, size_t part, size_t n_parts);
void agreement_in_pairs(const agreement *a, size_t part, size_t n_parts, size_t least);

/* Tests of a suite for an agreement whose loops over all options take long: each in quarters. */
#define AGREEMENT_TESTS(suite, a)         \
  AGREEMENT_TESTS_OF_QUARTER(suite, a, 0) \
  AGREEMENT_TESTS_OF_QUARTER(suite, a, 1) \
  AGREEMENT_TESTS_OF_QUARTER(suite, a, 2) \
  AGREEMENT_TESTS_OF_QUARTER(suite, a, 3)
#define AGREEMENT_TESTS_OF_QUARTER(suite, a, quarter) \
  Test(suite, options_over_shapes_##quarter) {        \
    agreement_over_shapes(a, quarter, 4);             \
  }                                                   \
  Test(suite, options_in_pairs_##quarter) {           \
    agreement_in_pairs(a, quarter, 4, 220);           \
  }

/* Every loss that may have one output, with and without weights of rows and classes. */
void agreement_of_one_output(const agreement *a);
/* Plain and with options that need sums, three steps on each shape. */
void agreement_of_sums(const agreement *a, const agreement_shape *shapes, size_t n_shapes);
/* 2500 rows, all in one batch. */
void agreement_of_full_batches(const agreement *a, size_t n_steps);

#endif
