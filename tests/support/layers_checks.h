/* What must hold of trainings of nets with batch norm, dropout and residuals, however the cuda backend runs a step. */
#ifndef VISE_T_LAYERS_CHECKS_H
#define VISE_T_LAYERS_CHECKS_H

#include "tests/support/layers_rig.h"

void check_layers_near(const char *what, const char *name, const double *got, const double *ref, size_t n,
                       double tolerance);

/* The first n_steps steps, in calls of up to four, and what they leave are those of the oracle, of the same net, to 1e-4
   times slack. */
void check_layers_steps(const layers_rig *r, vise_i_backend *b, const layers_rig *oracle, vise_i_backend *b64,
                        size_t n_steps, double slack);

/* A step that is skipped, the second, leaves everything as it was, running statistics too. */
void check_layers_skip(layers_rig *r);

#endif
