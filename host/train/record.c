#include "host/train/record.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/memory.h"

enum { FIRST_EPOCHS = 30, DENSE_EPOCHS = 1000, N_LANES = 16 };

/* ---- how often -------------------------------------------------------------------------------------------------- */

/* Nanoseconds on a fast machine: of an epoch by itself, of a step by itself, and of a weight for a row. */
static const double epoch_alone = 6000, cpu_step = 2500, cpu_weight_row = 0.03, device_step = 5000;
/* Those of a record: its line, and its way from a device; each layer; each weight that is copied and looked at. */
static const double cpu_record = 2000, device_record = 40000, record_layer = 1500, cpu_weight = 1.2,
                    device_weight = 1.5;
/* The part of the time that records may take. */
static const double share = 0.01;

/* The next of 1, 2, 5, 10, 20, ... */
static uint64_t round_up(double periods) {
  uint64_t ten = 1;
  while (periods > 10.0 * (double)ten && ten < UINT64_MAX / 100) ten *= 10;
  const uint64_t steps[] = {1, 2, 5};
  for (size_t i = 0; i < 3; i++) {
    if (periods <= (double)(steps[i] * ten)) return steps[i] * ten;
  }
  return 10 * ten;
}

uint64_t vise_i_record_period(const vise_trainer *trainer) {
  const vise_trainer *t = trainer;
  const bool on_device = t->which == VISE_BACKEND_CUDA;
  const double n_weights = (double)t->net->n_values, n_steps = (double)t->steps_per_epoch,
               n_rows = (double)t->n_per_epoch;

  const double steps = on_device ? n_steps * device_step : n_steps * cpu_step + n_rows * n_weights * cpu_weight_row,
               epoch = epoch_alone + steps;
  const double record = (on_device ? device_record + n_weights * device_weight : cpu_record + n_weights * cpu_weight) +
                        (double)t->net->n_layers * record_layer;

  return round_up(record / (share * epoch));
}

/* ---- what the weights are like ---------------------------------------------------------------------------------- */

/* Sums in lanes, so that vectors hold them; their order is the same on every machine. */
typedef struct look {
  double squares[N_LANES], largest[N_LANES];
  uint64_t at_lo, at_hi, zero;
} look;

/* n of them, at most N_LANES; then all of a tensor. */
#define LOOK_AT(type)                                                                      \
  static inline void look_at_##type(look *sums, const type *w, size_t n, vise_i_box box) { \
    const type lo = (type)box.lo, hi = (type)box.hi;                                       \
    unsigned at_lo = 0, at_hi = 0, zero = 0;                                               \
                                                                                           \
    for (size_t k = 0; k < n; k++) {                                                       \
      const double size = fabs((double)w[k]);                                              \
      sums->squares[k] += size * size;                                                     \
      sums->largest[k] = size > sums->largest[k] ? size : sums->largest[k];                \
    }                                                                                      \
    for (size_t k = 0; k < n; k++) {                                                       \
      at_lo += w[k] == lo;                                                                 \
      at_hi += w[k] == hi;                                                                 \
      zero += w[k] == 0;                                                                   \
    }                                                                                      \
                                                                                           \
    sums->at_lo += at_lo;                                                                  \
    sums->at_hi += at_hi;                                                                  \
    sums->zero += zero;                                                                    \
  }                                                                                        \
                                                                                           \
  static void look_at_all_##type(look *sums, const type *w, size_t n, vise_i_box box) {    \
    size_t i = 0;                                                                          \
    for (; i + N_LANES <= n; i += N_LANES) look_at_##type(sums, w + i, N_LANES, box);      \
    look_at_##type(sums, w + i, n - i, box);                                               \
  }

LOOK_AT(float)
LOOK_AT(double)

vise_layer_record vise_i_record_tensor(const vise_trainer *trainer, const void *params, size_t tensor) {
  const vise_i_tensor *of = &trainer->net->tensors[tensor];
  const vise_i_box box = vise_i_trainer_box(trainer, of);
  const vise_dtype dtype = trainer->ops->dtype;
  const void *begin = (const char *)params + of->offset * vise_dtype_size(dtype);
  const size_t n = vise_i_tensor_n(of);
  look sums = {.squares = {0}};

  if (dtype == VISE_F32) {
    look_at_all_float(&sums, begin, n, box);
  } else {
    look_at_all_double(&sums, begin, n, box);
  }

  vise_layer_record out = {.name = of->name, .n_weights = n, .lo = box.lo, .hi = box.hi};
  out.weights = vise_array_of(begin, dtype, of->n_rows, of->n_cols);
  if (!isinf(box.lo) || !isinf(box.hi)) out.n_boxed = n;
  for (size_t k = 0; k < N_LANES; k++) {
    out.norm += sums.squares[k];
    out.max_abs = fmax(out.max_abs, sums.largest[k]);
  }
  out.n_at_lo = sums.at_lo;
  out.n_at_hi = sums.at_hi;
  out.n_zero = sums.zero;
  out.norm = sqrt(out.norm);
  return out;
}

/* ---- a record --------------------------------------------------------------------------------------------------- */

vise_status vise_i_recorder_init(vise_i_recorder *recorder, const vise_trainer *trainer, vise_error *err) {
  vise_status status;
  vise_i_recorder made = {.period = vise_i_record_period(trainer)};

  VISE_TRY(vise_i_alloc(&made.params, vise_i_trainer_n_bytes(trainer), 1, "weights", err));
  VISE_TRY(vise_i_alloc(&made.layers, trainer->net->n_layers, sizeof *made.layers, "a record", err));
  *recorder = made;
  return VISE_OK;

done:
  vise_i_recorder_free(&made);
  return status;
}

void vise_i_recorder_free(vise_i_recorder *recorder) {
  free(recorder->params);
  free(recorder->layers);
  *recorder = (vise_i_recorder){0};
}

/* Not by the limits of the run, so that one that goes on to others has the same records. */
static bool is_due(const vise_i_recorder *recorder, const vise_trainer *t) {
  if (recorder->period == 0) return false;
  if (t->state.epoch <= FIRST_EPOCHS) return true;
  const uint64_t thinned = round_up((double)t->state.epoch / DENSE_EPOCHS), period = recorder->period;
  return t->state.epoch % (period > thinned ? period : thinned) == 0;
}

/* Means are over the steps that were taken. */
static double mean(double sum, const vise_i_record_sums *sums) {
  return sums->steps > sums->skipped ? sum / (double)(sums->steps - sums->skipped) : NAN;
}

vise_status vise_i_recorder_take(vise_i_recorder *recorder, vise_trainer *trainer, const vise_record **out,
                                 vise_error *err) {
  vise_status status;
  vise_trainer *t = trainer;
  const vise_i_net *net = t->net;
  const vise_i_record_sums *sums = &t->state.since_record;
  *out = NULL;
  if (!is_due(recorder, t)) return VISE_OK;

  /* Of a training for integers, what they are rounded to: the net that is made. */
  const vise_i_state which = t->quantization != NULL ? VISE_I_ROUNDED : VISE_I_PARAMS;
  VISE_TRY(t->ops->get_state(t->backend, which, recorder->params, err));
  for (size_t l = 0; l < net->n_layers; l++) {
    recorder->layers[l] = vise_i_record_tensor(t, recorder->params, net->blocks[l].weight);
  }

  recorder->record = (vise_record){.n_steps = sums->steps,
                                   .n_skipped = sums->skipped,
                                   .n_norm_clipped = sums->norm_clipped,
                                   .n_clipped_values = sums->clipped_values,
                                   .lr = t->last_stats.lr,
                                   .penalty = mean(sums->penalty, sums),
                                   .grad_norm = mean(sums->grad_norm, sums),
                                   .grad_norm_clipped = mean(sums->grad_norm_clipped, sums),
                                   .n_layers = net->n_layers,
                                   .layers = recorder->layers};
  memset(&t->state.since_record, 0, sizeof t->state.since_record);
  *out = &recorder->record;

done:
  return status;
}
