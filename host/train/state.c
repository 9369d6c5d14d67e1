/* Checkpoints of a trainer, in a folder or in memory: scalars in state.json (numbers that may be non-finite as bit
   patterns), arrays in tensors.safetensors. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/array.h"
#include "host/base/memory.h"
#include "host/json/build.h"
#include "host/model/checkpoint.h"
#include "host/train/fingerprint.h"
#include "host/train/quantize.h"
#include "host/train/rows.h"
#include "host/train/trainer.h"

#define FORMAT_VERSION 1

/* Steps that a training can make, and values that it can clip. */
#define MOST_STEPS (UINT64_C(1) << 53)
#define MOST_VALUES (UINT64_C(1) << 62)

/* ---- numbers ---------------------------------------------------------------------------------------------------- */

static json_t *bits_of(double value) {
  uint64_t bits;
  char text[24];
  memcpy(&bits, &value, sizeof(bits));
  snprintf(text, sizeof(text), "%016" PRIx64, bits);
  return json_string(text);
}

static vise_status take_bits(const json_t *value, const char *key, const char *dir, double *out, vise_error *err) {
  const char *text = json_string_value(value);
  if (text == NULL || strlen(text) != 16 || strspn(text, "0123456789abcdef") != 16) {
    return vise_i_fail(err, VISE_ERR_FORMAT, "%s: state.json: \"%s\" is not 16 hexadecimal digits", dir, key);
  }
  const uint64_t bits = strtoull(text, NULL, 16);
  memcpy(out, &bits, sizeof(*out));
  return VISE_OK;
}

static vise_status get_count(const json_t *object, const char *key, const char *dir, uint64_t *out, vise_error *err) {
  const json_t *value = json_object_get(object, key);
  if (!json_is_integer(value) || json_integer_value(value) < 0) {
    return vise_i_fail(err, VISE_ERR_FORMAT, "%s: state.json: \"%s\" is missing or not a whole number of at least 0",
                       dir, key);
  }
  *out = (uint64_t)json_integer_value(value);
  return VISE_OK;
}

/* ---- scalars ---------------------------------------------------------------------------------------------------- */

/* Versions of Vise that added to the state. */
typedef enum generation { FIRST, WITH_RECORDS, WITH_STALL, N_GENERATIONS } generation;

/* Where the counts and the numbers of a trainer's state lie, so that saving and restoring cannot disagree. Those of a
   generation end before ends_...[generation]; checkpoints of earlier versions lack the later ones. */
typedef struct fields {
  const char *keys[20];
  uint64_t *counts[20];
  size_t n_counts, ends_of_counts[N_GENERATIONS];
  const char *bit_keys[16];
  double *numbers[16];
  size_t n_numbers, ends_of_numbers[N_GENERATIONS];
} fields;

static void add_count(fields *f, const char *key, uint64_t *count) {
  f->keys[f->n_counts] = key;
  f->counts[f->n_counts++] = count;
}

static void add_number(fields *f, const char *key, double *number) {
  f->bit_keys[f->n_numbers] = key;
  f->numbers[f->n_numbers++] = number;
}

static void end_generation(fields *f, generation g) {
  f->ends_of_counts[g] = f->n_counts;
  f->ends_of_numbers[g] = f->n_numbers;
}

static fields fields_of(vise_i_train_state *s, vise_i_counters *c) {
  fields f = {.n_counts = 0};

  add_count(&f, "step", &s->step);
  add_count(&f, "epoch", &s->epoch);
  add_count(&f, "steps_in_epoch", &s->steps_in_epoch);
  add_count(&f, "epoch_correct", &s->current.correct);
  add_count(&f, "last_epoch_correct", &s->last.correct);
  add_count(&f, "skipped", &s->n_skipped);
  add_count(&f, "norm_clipped", &s->n_norm_clipped);
  add_count(&f, "clipped_values", &s->n_clipped_values);
  add_count(&f, "first_skip_step", &s->first_skip_step);
  add_count(&f, "best_epoch", &s->best_epoch);
  add_count(&f, "applied_steps", &c->applied_steps);
  add_count(&f, "consecutive_skips", &c->consecutive_skips);

  add_number(&f, "lr", &s->lr);
  add_number(&f, "epoch_loss_sum", &s->current.loss);
  add_number(&f, "epoch_rows", &s->current.rows);
  add_number(&f, "last_epoch_loss_sum", &s->last.loss);
  add_number(&f, "last_epoch_rows", &s->last.rows);
  add_number(&f, "best_loss", &s->best_loss);
  add_number(&f, "beta1_t", &c->beta1_t);
  add_number(&f, "beta2_t", &c->beta2_t);
  end_generation(&f, FIRST);

  add_count(&f, "record_steps", &s->since_record.steps);
  add_count(&f, "record_skipped", &s->since_record.skipped);
  add_count(&f, "record_norm_clipped", &s->since_record.norm_clipped);
  add_count(&f, "record_clipped_values", &s->since_record.clipped_values);
  add_number(&f, "record_penalty", &s->since_record.penalty);
  add_number(&f, "record_grad_norm", &s->since_record.grad_norm);
  add_number(&f, "record_grad_norm_clipped", &s->since_record.grad_norm_clipped);
  end_generation(&f, WITH_RECORDS);

  add_count(&f, "stall_epoch", &s->stall_epoch);
  add_number(&f, "stall_loss", &s->stall_loss);
  end_generation(&f, WITH_STALL);

  return f;
}

static vise_status make_state(vise_trainer *t, json_t *run, json_t **out, vise_error *err) {
  vise_status status;
  json_t *state = json_object(), *training = NULL, *rows = NULL;
  vise_i_train_state copy = t->state;
  vise_i_counters counters = t->ops->get_counters(t->backend);
  const fields f = fields_of(&copy, &counters);

  VISE_TRY(vise_i_fingerprint_make(t, &training, err));
  VISE_TRY(vise_i_rows_make(t, &rows, err));
  vise_i_json_put(&state, "format", json_integer(FORMAT_VERSION));
  vise_i_json_put(&state, "training", training);
  vise_i_json_put(&state, "rows", rows);
  training = rows = NULL;

  for (size_t i = 0; i < f.n_counts; i++) {
    vise_i_json_put(&state, f.keys[i], json_integer((json_int_t)*f.counts[i]));
  }
  for (size_t i = 0; i < f.n_numbers; i++) vise_i_json_put(&state, f.bit_keys[i], bits_of(*f.numbers[i]));
  vise_i_json_put(&state, "first_bad_tensor", json_integer(t->state.first_bad_tensor));

  if (t->state.has_frozen_m) {
    json_t *frozen = json_array();
    for (size_t l = 0; l < t->net->n_layers; l++) vise_i_json_add(&frozen, bits_of(t->state.frozen_m[l]));
    vise_i_json_put(&state, "frozen_m", frozen);
  }

  if (run != NULL) vise_i_json_put(&state, "run", json_incref(run));
  if (state == NULL) VISE_TRY(vise_i_fail_memory(err, 0, "a checkpoint"));
  *out = json_incref(state);

done:
  json_decref(state);
  json_decref(training);
  json_decref(rows);
  return status;
}

static vise_status parse_frozen(const vise_trainer *t, const json_t *state, const char *dir, vise_i_train_state *s,
                                vise_error *err) {
  const json_t *frozen = json_object_get(state, "frozen_m");
  s->has_frozen_m = frozen != NULL;
  if (frozen == NULL) return VISE_OK;

  if (json_array_size(frozen) != t->net->n_layers) {
    return vise_i_fail(err, VISE_ERR_FORMAT, "%s: state.json: \"frozen_m\" has %zu entries, expected %zu", dir,
                       json_array_size(frozen), t->net->n_layers);
  }

  for (size_t l = 0; l < t->net->n_layers; l++) {
    const vise_status status = take_bits(json_array_get(frozen, l), "frozen_m", dir, &s->frozen_m[l], err);
    if (status != VISE_OK) return status;
  }
  return VISE_OK;
}

static bool is_count_of_rows(double rows) {
  return rows >= 0 && rows <= VISE_I_EXACT_INTEGERS && rows == trunc(rows);
}

/* A number that no training reaches, which a later conversion or difference could not hold. NULL: there is none. */
static const char *find_impossible(const vise_trainer *t, const vise_i_train_state *s, const vise_i_counters *c) {
  if (s->step > MOST_STEPS || s->epoch > s->step || s->steps_in_epoch > s->step) return "step";
  if (s->best_epoch > s->epoch) return "best_epoch";
  if (s->n_skipped > s->step || s->first_skip_step > s->step) return "skipped";
  if (s->n_norm_clipped > s->step) return "norm_clipped";
  if (s->n_clipped_values > MOST_VALUES) return "clipped_values";
  if (s->since_record.steps > s->step || s->since_record.skipped > s->since_record.steps ||
      s->since_record.norm_clipped > s->since_record.steps) {
    return "record_steps";
  }
  if (s->since_record.clipped_values > MOST_VALUES) return "record_clipped_values";
  if (c->applied_steps > s->step || c->consecutive_skips > s->step) return "applied_steps";

  if (!is_count_of_rows(s->current.rows) || (double)s->current.correct > s->current.rows) return "epoch_rows";
  if (!is_count_of_rows(s->last.rows) || (double)s->last.correct > s->last.rows) return "last_epoch_rows";
  if (!(s->lr >= 0 && isfinite(s->lr))) return "lr";
  if (isnan(s->best_loss)) return "best_loss";
  if (s->stall_epoch > s->epoch) return "stall_epoch";
  if (isnan(s->stall_loss)) return "stall_loss";
  if (!(c->beta1_t >= 0 && c->beta1_t <= 1) || !(c->beta2_t >= 0 && c->beta2_t <= 1)) return "beta1_t";
  for (size_t l = 0; s->has_frozen_m && l < t->net->n_layers; l++) {
    if (!(s->frozen_m[l] >= 0 && isfinite(s->frozen_m[l]))) return "frozen_m";
  }
  return NULL;
}

/* The counts and numbers that the checkpoint has; what its version knew nothing of begins now. */
static vise_status parse_numbers(const json_t *state, const char *dir, vise_i_train_state *s, vise_i_counters *counters,
                                 vise_error *err) {
  vise_status status = VISE_OK;
  const fields f = fields_of(s, counters);
  generation last = FIRST;
  while (last + 1 < N_GENERATIONS && json_object_get(state, f.keys[f.ends_of_counts[last]]) != NULL) last++;

  for (size_t i = 0; i < f.ends_of_counts[last]; i++) VISE_TRY(get_count(state, f.keys[i], dir, f.counts[i], err));
  for (size_t i = 0; i < f.ends_of_numbers[last]; i++) {
    VISE_TRY(take_bits(json_object_get(state, f.bit_keys[i]), f.bit_keys[i], dir, f.numbers[i], err));
  }

  if (last < WITH_RECORDS) memset(&s->since_record, 0, sizeof s->since_record);
  if (last < WITH_STALL) {
    s->stall_epoch = s->epoch;
    s->stall_loss = INFINITY;
  }
done:
  return status;
}

static vise_status parse_state(const vise_trainer *t, const json_t *state, const char *dir, vise_i_train_state *s,
                               vise_i_counters *counters, vise_error *err) {
  vise_status status;
  uint64_t version = 0;

  VISE_TRY(get_count(state, "format", dir, &version, err));
  if (version != FORMAT_VERSION) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_FORMAT, "%s: a checkpoint of format %" PRIu64 ", this version reads %d", dir,
                         version, FORMAT_VERSION));
  }

  VISE_TRY(parse_numbers(state, dir, s, counters, err));

  const json_t *bad_tensor = json_object_get(state, "first_bad_tensor");
  if (!json_is_integer(bad_tensor) || json_integer_value(bad_tensor) < -1 ||
      json_integer_value(bad_tensor) >= (json_int_t)t->net->n_tensors) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_FORMAT, "%s: state.json: \"first_bad_tensor\" is not a tensor", dir));
  }
  s->first_bad_tensor = (int)json_integer_value(bad_tensor);

  if (t->has_train && s->steps_in_epoch >= t->steps_per_epoch) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_FORMAT, "%s: state.json: step %" PRIu64 " of an epoch of %" PRIu64, dir,
                         s->steps_in_epoch, t->steps_per_epoch));
  }
  VISE_TRY(parse_frozen(t, state, dir, s, err));

  const char *impossible = find_impossible(t, s, counters);
  if (impossible != NULL) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_FORMAT, "%s: state.json: \"%s\" is not a number that a training reaches", dir,
                         impossible));
  }

done:
  return status;
}

/* ---- arrays ----------------------------------------------------------------------------------------------------- */

/* The arrays of a trainer; NULL for those it does not have. */
enum { ARRAY_PARAMS, ARRAY_MOMENT1, ARRAY_MOMENT2, ARRAY_MASK, ARRAY_SCALES, ARRAY_BEST, ARRAY_BEST_SCALES, N_ARRAYS };
static const char *const array_names[N_ARRAYS] = {"params", "moment1", "moment2",    "mask",
                                                  "scales", "best",    "best_scales"};
static const vise_i_state array_states[N_ARRAYS] = {VISE_I_PARAMS, VISE_I_MOMENT1, VISE_I_MOMENT2, VISE_I_MASK,
                                                    VISE_I_SCALES, VISE_I_PARAMS,  VISE_I_SCALES};

typedef struct arrays {
  void *data[N_ARRAYS];
} arrays;

static void free_arrays(arrays *a) {
  for (size_t i = 0; i < N_ARRAYS; i++) free(a->data[i]);
}

static vise_dtype dtype_of(const vise_trainer *t, size_t i) {
  if (array_states[i] == VISE_I_MASK) return VISE_U8;
  return array_states[i] == VISE_I_SCALES ? VISE_F32 : t->ops->dtype;
}

static size_t element_bytes(const vise_trainer *t, size_t i) {
  return vise_dtype_size(dtype_of(t, i));
}

static size_t n_elements(const vise_trainer *t, size_t i) {
  return vise_i_state_n(t->net, array_states[i]);
}

static vise_i_st_dtype stored_dtype(const vise_trainer *t, size_t i) {
  const vise_dtype dtype = dtype_of(t, i);
  if (dtype == VISE_U8) return VISE_I_ST_U8;
  return dtype == VISE_F64 ? VISE_I_ST_F64 : VISE_I_ST_F32;
}

/* What a trainer keeps beside its backend; NULL for the arrays of the backend, and for what there is not. */
static const void *best_of(const vise_trainer *t, size_t i) {
  if (i == ARRAY_BEST) return t->best_params;
  return i == ARRAY_BEST_SCALES ? t->best_scales : NULL;
}

static vise_status collect(vise_trainer *t, arrays *a, vise_error *err) {
  vise_status status = VISE_OK;

  for (size_t i = 0; i < N_ARRAYS; i++) {
    const size_t n = n_elements(t, i);
    const bool kept = i >= ARRAY_BEST   ? best_of(t, i) != NULL
                      : i == ARRAY_MASK ? t->has_mask
                                        : t->ops->has_state(t->backend, array_states[i]);
    if (!kept) continue;

    VISE_TRY(vise_i_alloc(&a->data[i], n, element_bytes(t, i), "a checkpoint", err));
    if (i >= ARRAY_BEST) {
      memcpy(a->data[i], best_of(t, i), n * element_bytes(t, i));
    } else {
      VISE_TRY(t->ops->get_state(t->backend, array_states[i], a->data[i], err));
    }
  }

done:
  return status;
}

/* All that a checkpoint of the trainer holds, `run` (may be NULL) with it. */
typedef struct snapshot {
  json_t *state;
  arrays data;
  vise_i_st_tensor tensors[N_ARRAYS];
  vise_i_checkpoint_part part;
} snapshot;

static void free_snapshot(snapshot *s) {
  json_decref(s->state);
  free_arrays(&s->data);
}

/* free_snapshot also after a failure. */
static vise_status take_snapshot(vise_trainer *t, json_t *run, snapshot *s, vise_error *err) {
  vise_status status;
  *s = (snapshot){.part = {.name = "tensors", .tensors = s->tensors}};

  VISE_TRY(make_state(t, run, &s->state, err));
  VISE_TRY(collect(t, &s->data, err));
  for (size_t i = 0; i < N_ARRAYS; i++) {
    if (s->data.data[i] == NULL) continue;
    s->tensors[s->part.n_tensors++] = (vise_i_st_tensor){.name = array_names[i],
                                                         .dtype = stored_dtype(t, i),
                                                         .n_dims = 1,
                                                         .dims = {n_elements(t, i)},
                                                         .data = s->data.data[i]};
  }

done:
  return status;
}

vise_status vise_i_trainer_save(vise_trainer *trainer, const char *dir, json_t *run, vise_error *err) {
  snapshot s;
  vise_status status = take_snapshot(trainer, run, &s, err);
  if (status == VISE_OK) status = vise_i_checkpoint_write(dir, s.state, &s.part, 1, err);
  free_snapshot(&s);
  return status;
}

static vise_status check_scales(const float *scales, size_t n, const char *dir, vise_error *err) {
  for (size_t i = 0; i < n; i++) {
    if (scales[i] > 0 && isfinite(scales[i])) continue;
    return vise_i_fail(err, VISE_ERR_FORMAT, "%s: tensors.safetensors: scale %zu is %g, expected a number above 0", dir,
                       i, (double)scales[i]);
  }
  return VISE_OK;
}

static vise_status check_mask(const uint8_t *mask, size_t n, const char *dir, vise_error *err) {
  for (size_t i = 0; i < n; i++) {
    if (mask[i] == vise_i_mask_byte(mask[i] != 0, vise_i_mask_sign(mask[i]))) continue;
    return vise_i_fail(
        err, VISE_ERR_FORMAT,
        "%s: tensors.safetensors: \"mask\", element %zu is %u, expected 0, 1, 3 (not negative) or 5 (not "
        "positive)",
        dir, i, mask[i]);
  }
  return VISE_OK;
}

static bool asks_for_signs(const uint8_t *mask, size_t n) {
  for (size_t i = 0; i < n; i++) {
    if (vise_i_mask_sign(mask[i]) != 0) return true;
  }
  return false;
}

/* Copies the arrays out of the file; those that the trainer needs must be there. */
static vise_status read_arrays(const vise_trainer *t, vise_i_checkpoint_place place, arrays *a, vise_error *err) {
  vise_status status;
  vise_i_st_file *file = NULL;

  VISE_TRY(vise_i_checkpoint_read_part(place, "tensors", &file, err));
  for (size_t i = 0; i < N_ARRAYS; i++) {
    const vise_i_st_tensor *tensor = vise_i_st_find(file, array_names[i]);
    const size_t n = n_elements(t, i);
    const bool needed = i < ARRAY_BEST
                            ? i != ARRAY_MASK && t->ops->has_state(t->backend, array_states[i])
                            : i == ARRAY_BEST_SCALES && a->data[ARRAY_BEST] != NULL && t->quantization != NULL;

    if (tensor == NULL && !needed) continue;
    if (tensor == NULL || tensor->dtype != stored_dtype(t, i) || vise_i_st_n_elements(tensor) != n) {
      VISE_TRY(vise_i_fail(err, VISE_ERR_FORMAT,
                           "%s: tensors.safetensors: \"%s\" is missing or does not have %zu elements of %s", place.name,
                           array_names[i], n, vise_dtype_name(dtype_of(t, i))));
    }

    VISE_TRY(vise_i_alloc(&a->data[i], n, element_bytes(t, i), "a checkpoint", err));
    memcpy(a->data[i], tensor->data, n * element_bytes(t, i));
    if (i == ARRAY_MASK) VISE_TRY(check_mask(a->data[i], n, place.name, err));
    if (array_states[i] == VISE_I_SCALES) VISE_TRY(check_scales(a->data[i], n, place.name, err));
  }

done:
  vise_i_st_free(file);
  return status;
}

/* Gives the backend its arrays; without a mask of its own, a trainer that may prune has pruned nothing yet. */
static vise_status put_arrays(vise_trainer *t, arrays *a, vise_error *err) {
  vise_status status = VISE_OK;
  const size_t n = t->net->n_params;

  if (a->data[ARRAY_MASK] == NULL && t->spec.use_mask) {
    VISE_TRY(vise_i_alloc(&a->data[ARRAY_MASK], n, 1, "mask", err));
    memset(a->data[ARRAY_MASK], 1, n);
  }
  for (size_t i = 0; i < ARRAY_BEST; i++) {
    if (a->data[i] == NULL || !t->ops->has_state(t->backend, array_states[i])) continue;
    VISE_TRY(t->ops->set_state(t->backend, array_states[i], a->data[i], err));
  }
  if (t->quantization != NULL) VISE_TRY(vise_i_trainer_set_scales(t, a->data[ARRAY_SCALES], err));

done:
  return status;
}

/* The same, with the arrays of before put back if it fails; if that fails too, the trainer is of no more use. */
static vise_status exchange_arrays(vise_trainer *t, arrays *a, vise_error *err) {
  arrays before = {{NULL}};
  vise_status status;
  VISE_TRY(collect(t, &before, err));
  status = put_arrays(t, a, err);
  if (status != VISE_OK && put_arrays(t, &before, NULL) != VISE_OK) vise_i_trainer_note(t, VISE_ERR_DEVICE, err);
done:
  free_arrays(&before);
  return status;
}

/* That the trainer is as it was when the checkpoint was made. */
static vise_status check_same(const vise_trainer *t, const json_t *state, const char *dir, vise_i_other_rows *other,
                              vise_error *err) {
  vise_status status;
  json_t *now = NULL, *rows = NULL;
  const json_t *run = json_object_get(state, "run");
  const bool had_patience = run == NULL || json_is_true(json_object_get(run, "patience"));

  VISE_TRY(vise_i_fingerprint_make(t, &now, err));
  VISE_TRY(vise_i_fingerprint_compare(json_object_get(state, "training"), now, dir, err));
  VISE_TRY(vise_i_rows_make(t, &rows, err));
  VISE_TRY(vise_i_rows_compare(json_object_get(state, "rows"), rows, had_patience && t->config.patience > 0, dir, other,
                               err));

done:
  json_decref(now);
  json_decref(rows);
  return status;
}

vise_status vise_i_trainer_restore(vise_trainer *trainer, vise_i_checkpoint_place place, json_t **run,
                                   vise_error *err) {
  vise_status status;
  vise_trainer *t = trainer;
  json_t *state = NULL;
  vise_i_other_rows other = {false, false};
  arrays a = {{NULL}};
  vise_i_train_state restored = t->state;
  vise_i_counters counters;

  VISE_TRY(vise_i_checkpoint_read_state(place, &state, err));
  VISE_TRY(check_same(t, state, place.name, &other, err));
  VISE_TRY(parse_state(t, state, place.name, &restored, &counters, err));
  if (other.validation) { /* a loss on other rows is no mark to beat */
    restored.best_loss = INFINITY;
    restored.best_epoch = 0;
  }

  VISE_TRY(read_arrays(t, place, &a, err));
  const bool has_mask = a.data[ARRAY_MASK] != NULL;
  const bool has_signs = has_mask && asks_for_signs(a.data[ARRAY_MASK], t->net->n_params);
  if (has_mask && (!t->spec.use_mask || (has_signs && !t->spec.use_signs))) {
    t->spec.use_signs = t->spec.use_signs || has_signs;
    VISE_TRY(vise_i_trainer_rebuild(t, t->spec.max_batch, true, err));
  }
  VISE_TRY(exchange_arrays(t, &a, err));

  t->ops->set_counters(t->backend, &counters);
  t->state = restored;
  t->has_mask = has_mask;
  t->order_is_set = false;
  t->has_stepped = false;
  t->other_rows = other;
  t->last_stats = (vise_step_stats){.step = restored.step, .epoch = restored.epoch + 1, .bad_tensor = -1};

  free(t->best_params);
  t->best_params = a.data[ARRAY_BEST];
  a.data[ARRAY_BEST] = NULL;
  free(t->best_scales);
  t->best_scales = a.data[ARRAY_BEST_SCALES];
  a.data[ARRAY_BEST_SCALES] = NULL;
  if (run != NULL) *run = json_incref(json_object_get(state, "run"));

done:
  json_decref(state);
  free_arrays(&a);
  return status;
}

vise_status vise_trainer_save(vise_trainer *trainer, const char *dir, vise_error *err) {
  VISE_ENTER_TRAINER(err, trainer, dir);
  return vise_i_trainer_note(trainer, vise_i_trainer_save(trainer, dir, NULL, err), err);
}

vise_status vise_trainer_restore(vise_trainer *trainer, const char *dir, vise_error *err) {
  VISE_ENTER_TRAINER(err, trainer, dir);
  const vise_i_checkpoint_place place = vise_i_checkpoint_in_folder(dir);
  return vise_i_trainer_note(trainer, vise_i_trainer_restore(trainer, place, NULL, err), err);
}

vise_status vise_trainer_save_memory(vise_trainer *trainer, void **out_bytes, size_t *out_n_bytes, vise_error *err) {
  snapshot s;
  VISE_ENTER_TRAINER(err, trainer, out_bytes, out_n_bytes);
  vise_status status = take_snapshot(trainer, NULL, &s, err);
  if (status == VISE_OK) {
    status = vise_i_checkpoint_write_memory(s.state, &s.part, 1, out_bytes, out_n_bytes, err);
  }
  free_snapshot(&s);
  return vise_i_trainer_note(trainer, status, err);
}

vise_status vise_trainer_restore_memory(vise_trainer *trainer, const void *bytes, size_t n_bytes, vise_error *err) {
  VISE_ENTER_TRAINER(err, trainer, bytes);
  const vise_i_checkpoint_place place = vise_i_checkpoint_in_memory(bytes, n_bytes);
  return vise_i_trainer_note(trainer, vise_i_trainer_restore(trainer, place, NULL, err), err);
}
