/* What must hold of trainings of nets with batch norm, dropout and residuals, however the cuda backend runs a step. */
#ifndef VISE_T_LAYERS_CHECKS_H
#define VISE_T_LAYERS_CHECKS_H

#include "tests/support/layers_rig.h"

/* n_steps steps in calls of up to four, then the outputs of all rows and a gradient, are those of the oracle, a rig of the
   same net, to 1e-4 (outputs and gradient: 2e-4) times slack. Returns the backend, for its counts. */
vise_i_backend *check_layers_agreement(const layers_rig *r, const layers_rig *oracle, size_t n_steps, double slack);

/* A step that is skipped, the second, leaves everything as it was, running statistics too. */
void check_layers_skip(layers_rig *r);

#endif
