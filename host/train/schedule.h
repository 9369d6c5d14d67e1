/* The factor of a schedule at a step: warm * f of docs/step.md. */
#ifndef VISE_I_SCHEDULE_H
#define VISE_I_SCHEDULE_H

#include "vise/train.h"

/*
 * warm * f for the step that follows s attempted ones (s = step - 1), in the epoch that follows `epoch` completed ones.
 * planned_steps is T (0: unlimited; linear and cosine are then at their start). warm = min(1, (s+1)/Wm), 1 without
 * warm-up; p = clamp((s-Wm)/(T-Wm), 0, 1); linear f = 1-(1-r)p; cosine f = r+(1-r)(1+cos(pi p))/2; step f =
 * gamma^floor(epoch/E).
 */
double vise_i_schedule_factor(const vise_schedule_config *schedule, uint64_t s, uint64_t epoch, uint64_t planned_steps);

/* Planned steps of a run: the smaller of the two limits, 0 when there is none (or no way to know). */
uint64_t vise_i_planned_steps(const vise_train_config *config, uint64_t steps_per_epoch);
/* The same of the steps that are taken, stop_after_epoch counted in. */
uint64_t vise_i_last_step(const vise_train_config *config, uint64_t steps_per_epoch);

#endif
