/* What the schedules make of learning rate and bounds at a step. */
#include "host/train/schedule.h"
#include "host/train/trainer.h"

static vise_i_hyper hyper_at(const vise_trainer *t, uint64_t s, uint64_t epoch) {
  const uint64_t planned = vise_i_planned_steps(&t->config, t->steps_per_epoch);
  return (vise_i_hyper){
      .lr = t->state.lr * vise_i_schedule_factor(&t->config.lr_schedule, s, epoch, planned),
      .clip_factor = vise_i_schedule_factor(&t->config.clip_schedule, s, epoch, planned),
      .clamp_factor = vise_i_schedule_factor(&t->config.clamp_schedule, s, epoch, planned),
      .step = s,
      .row_l1_factor = vise_i_schedule_factor(&t->config.row_l1_schedule, s, epoch, planned),
  };
}

vise_i_hyper vise_i_trainer_hyper_ahead(const vise_trainer *trainer, uint64_t ahead) {
  return hyper_at(trainer, trainer->state.step + ahead, trainer->state.epoch);
}

vise_i_hyper vise_i_trainer_hyper(const vise_trainer *trainer) {
  return vise_i_trainer_hyper_ahead(trainer, 0);
}

vise_i_hyper vise_i_trainer_last_hyper(const vise_trainer *trainer) {
  const vise_i_train_state *s = &trainer->state;
  if (s->step == 0) return vise_i_trainer_hyper(trainer);
  return hyper_at(trainer, s->step - 1, s->steps_in_epoch == 0 && s->epoch > 0 ? s->epoch - 1 : s->epoch);
}

vise_i_box vise_i_trainer_box(const vise_trainer *trainer, const vise_i_tensor *tensor) {
  const vise_trainer *t = trainer;
  const double factor = vise_i_trainer_last_hyper(t).clamp_factor;
  vise_i_box box = vise_i_bounds_of(&t->spec.rule, t->spec.boxes[tensor->layer], tensor->is_bias, factor);
  if (t->ops->dtype == VISE_F32) {
    box.lo = (double)(float)box.lo;
    box.hi = (double)(float)box.hi;
  }
  return box;
}
