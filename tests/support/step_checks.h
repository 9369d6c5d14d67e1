/*
 * What every float32 backend must do: steps that are not finite leave no trace, and each step sees its own rate and
 * bounds. Each check takes a rig whose training has not begun, changes it as it needs, and does not free it.
 * Those that return the backend leave it to the caller, to check its other counts and to destroy it.
 */
#ifndef VISE_T_STEP_CHECKS_H
#define VISE_T_STEP_CHECKS_H

#include "tests/support/step_rig.h"

/* Four steps, then five on rows with `bad` values, the third of which reaches the limit of skips. is_copied: the
   backend has a copy of the rows, so they are bound again; else it must see them change. n_launched: launches of the
   first four. */
vise_i_backend *check_nonfinite_data(step_rig *r, double bad, bool is_copied, uint64_t *n_launched);
void check_nonfinite_weights(step_rig *r);
/* A gradient that overflows only with its penalty, and a value clip that would hide it. */
void check_penalty_overflow(step_rig *r);
/* After the error of too many skips the backend goes on where the caller lets it. */
void check_going_on_after_skips(step_rig *r);
/* The first of ten steps is not finite and ends the run: policy halt. */
vise_i_backend *check_halt(step_rig *r);
/* Two such steps with policy propagate. */
void check_propagate(step_rig *r);

/* State and counters of a training of nine steps, given to another backend, go on with the bits of one that was not
   interrupted. */
void check_carried_state(const step_rig *r);

/* Rates and bounds change with every step, also within a call of run (of up to `most` steps): weights and reports
   agree with cpu64. */
vise_i_backend *check_changing_rates(step_rig *r, size_t most);

#endif
