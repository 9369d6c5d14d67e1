/* Small trainings whose bits are the same on every device: golden_test.c holds their ends, first_bits.c their steps. */
#ifndef VISE_T_GOLDEN_CASES_H
#define VISE_T_GOLDEN_CASES_H

#include "tests/support/backend_rig.h"

enum { GOLDEN_STEPS = 100 };

typedef struct golden_case {
  const char *name;
  size_t n_layers, widths[4], n_rows, batch;
  vise_activation activation;
  vise_loss loss;
  vise_optimizer optimizer;
  bool labels, layers; /* layers: batch norm, dropout, residuals */
  uint64_t weights;    /* XXH3 of the float32 weights after GOLDEN_STEPS steps; 0: not held */
} golden_case;

extern const golden_case golden_cases[];
extern const size_t golden_n_cases;

/* A training on the CUDA backend, at its next step. */
typedef struct golden_training {
  const golden_case *of;
  vise_i_net net;
  vise_i_step_spec spec;
  double *x, *y, *params;
  size_t *order;
  vise_i_hyper hyper[GOLDEN_STEPS];
  vise_i_backend *backend;
  size_t n_done;
} golden_training;

/* On failure these end the program. Steps of an epoch are taken by one call of the backend. */
golden_training *golden_open(const golden_case *of);
void golden_take(golden_training *t, size_t n, vise_step_stats *stats);
void golden_weights(const golden_training *t, float *out); /* [net.n_values] */
void golden_close(golden_training *t);

#endif
