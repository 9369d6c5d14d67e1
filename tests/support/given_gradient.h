/* cpu64 on gradients written by hand: one linear layer [2, 3] with bias, the external loss, and the identity as features,
   so that the gradient of W is the transposed delta and that of b its column sums. */
#ifndef VISE_T_GIVEN_GRADIENT_H
#define VISE_T_GIVEN_GRADIENT_H

#include "tests/support/backend_rig.h"

enum { GIVEN_IN = 3, GIVEN_OUT = 2, GIVEN_PARAMS = 8 /* W: 0 1 2 | 3 4 5, b: 6 7 */ };

typedef struct given {
  vise_i_net net;
  vise_i_step_spec spec; /* change it before given_start */
  vise_i_hyper hyper;
  vise_step_stats stats; /* of the last step */
  vise_i_backend *b;
  double params[GIVEN_PARAMS]; /* after the last step */
} given;

void given_make(given *g, double lr);
/* A backend at these parameters; destroy it with vise_i_backend_cpu64. */
void given_start(given *g, const double *params);
/* One step with the gradient of W, [2, 3]. */
void given_step(given *g, const double *w_grad);
/* Fails the test unless GIVEN_PARAMS numbers are as expected, to a few bits. */
void given_expect(const double *got, const double *expected, const char *what);

#endif
