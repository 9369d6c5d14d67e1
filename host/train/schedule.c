#include "host/train/schedule.h"

#include <math.h>

/* How far a schedule that ends has come: 0 to 1. */
static double fraction_done(const vise_schedule_config *schedule, uint64_t s, uint64_t planned_steps) {
  const uint64_t warmup = schedule->warmup_steps;
  if (s <= warmup || planned_steps <= warmup) return 0;
  if (s >= planned_steps) return 1;
  return (double)(s - warmup) / (double)(planned_steps - warmup);
}

double vise_i_schedule_factor(const vise_schedule_config *schedule, uint64_t s, uint64_t epoch,
                              uint64_t planned_steps) {
  const uint64_t warmup = schedule->warmup_steps;
  const double warm = s < warmup ? ((double)s + 1) / (double)warmup : 1;
  const double r = schedule->final_ratio;

  switch (schedule->kind) {
    case VISE_SCHEDULE_STEP:
      return warm * pow(schedule->gamma, (double)(epoch / schedule->step_epochs));
    case VISE_SCHEDULE_LINEAR:
      return warm * (1 - (1 - r) * fraction_done(schedule, s, planned_steps));
    case VISE_SCHEDULE_COSINE:
      return warm * (r + (1 - r) * (1 + cos(3.14159265358979323846 * fraction_done(schedule, s, planned_steps))) / 2);
    default:
      return warm;
  }
}

/* The smaller of two limits: steps, and epochs of so many steps; 0: none. */
static uint64_t smaller_limit(uint64_t steps, uint64_t epochs, uint64_t steps_per_epoch) {
  if (epochs == 0 || steps_per_epoch == 0 || epochs > UINT64_MAX / steps_per_epoch) return steps;
  const uint64_t by_epochs = epochs * steps_per_epoch;
  return steps == 0 || by_epochs < steps ? by_epochs : steps;
}

uint64_t vise_i_planned_steps(const vise_train_config *config, uint64_t steps_per_epoch) {
  return smaller_limit(config->steps, config->epochs, steps_per_epoch);
}

uint64_t vise_i_last_step(const vise_train_config *config, uint64_t steps_per_epoch) {
  return smaller_limit(vise_i_planned_steps(config, steps_per_epoch), config->stop_after_epoch, steps_per_epoch);
}
