#include "host/train/rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "host/data/dataset.h"
#include "host/json/build.h"

static const char validation_key[] = "the validation rows", test_key[] = "the test rows";
static const char *const training_keys[] = {"the features of the training rows", "the targets of the training rows",
                                            "the row weights", "the deviations of the targets"};
enum { N_TRAINING_KEYS = sizeof training_keys / sizeof *training_keys };

/* 0: there are none. */
static void put(json_t **object, const char *key, uint64_t hash) {
  char text[32];
  (void)snprintf(text, sizeof text, "xxh3 %016" PRIx64, hash);
  vise_i_json_put(object, key, json_string(hash == 0 ? "none" : text));
}

static vise_status put_held_out(json_t **object, const char *key, const vise_dataset *dataset, vise_error *err) {
  uint64_t hash = 0;
  const vise_status status = dataset != NULL ? vise_dataset_hash(dataset, &hash, err) : VISE_OK;
  if (status == VISE_OK) put(object, key, hash);
  return status;
}

vise_status vise_i_rows_make(const vise_trainer *trainer, json_t **out, vise_error *err) {
  vise_status status = VISE_OK;
  const vise_trainer *t = trainer;
  json_t *object = json_object();
  vise_i_dataset_hash hash = {0, 0, 0};
  const size_t n_outputs = t->net->widths[t->net->n_layers];
  const double *deviations = t->scales.y_scale;

  if (t->local.rows_hash != 0) { /* of what all ranks have */
    hash.features = t->local.rows_hash;
  } else if (t->datasets[0] != NULL) {
    VISE_TRY(vise_i_dataset_hash_of(t->datasets[0], &hash, err));
  }
  put(&object, training_keys[0], hash.features);
  put(&object, training_keys[1], hash.targets);
  put(&object, training_keys[2], hash.row_weights);
  put(&object, training_keys[3], deviations != NULL ? XXH3_64bits(deviations, n_outputs * sizeof *deviations) : 0);

  const bool own_data = t->local.rows_hash != 0 && vise_i_trainer_has_own_data(t);
  VISE_TRY(put_held_out(&object, validation_key, own_data ? NULL : t->datasets[1], err));
  VISE_TRY(put_held_out(&object, test_key, own_data ? NULL : t->datasets[2], err));
  if (object == NULL) VISE_TRY(vise_i_fail_memory(err, 0, "a checkpoint"));
  *out = object;
  object = NULL;

done:
  json_decref(object);
  return status;
}

/* A hash of another algorithm, of a later version, tells nothing. */
static bool differs(const json_t *saved, const json_t *now, const char *key) {
  const char *before = json_string_value(json_object_get(saved, key));
  const char *after = json_string_value(json_object_get(now, key));
  const bool known = before != NULL && (strncmp(before, "xxh3 ", 5) == 0 || strcmp(before, "none") == 0);
  return known && strcmp(before, after) != 0;
}

vise_status vise_i_rows_compare(const json_t *saved, const json_t *now, bool decides, const char *dir,
                                vise_i_other_rows *other, vise_error *err) {
  const char *key = NULL;
  *other = (vise_i_other_rows){differs(saved, now, validation_key), differs(saved, now, test_key)};

  for (size_t i = N_TRAINING_KEYS; i-- > 0;) {
    if (differs(saved, now, training_keys[i])) key = training_keys[i];
  }
  if (key == NULL && decides && other->validation) key = validation_key;
  if (key == NULL) return VISE_OK;
  return vise_i_fail(err, VISE_ERR_USAGE,
                     "%s: %s are not those of before; a run goes on with the same rows in the same order, else begin a "
                     "new one",
                     dir, key);
}
