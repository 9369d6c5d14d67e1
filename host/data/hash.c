/* What tells the rows of a dataset from others: all of their bytes, hashed once. */
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "host/base/call.h"
#include "host/base/memory.h"
#include "host/data/storage.h"

/* The rows of an array that belong to a dataset. */
typedef struct part {
  const vise_dataset *dataset;
  vise_array array;
} part;

static bool is_packed(const vise_array *array) {
  return array->row_stride == array->n_cols && (array->col_stride == 1 || array->n_cols == 1);
}

static const char *row_at(const part *p, size_t r) {
  const size_t stored = vise_i_stored_row(p->dataset, r);
  return (const char *)p->array.data + stored * p->array.row_stride * vise_dtype_size(p->array.dtype);
}

/* Takes in the rows one by one; of columns apart, by way of `row`, room for one. */
static bool add_rows(XXH3_state_t *state, const part *p, char *row) {
  const size_t size = vise_dtype_size(p->array.dtype), n_bytes = p->array.n_cols * size;
  bool done = true;

  for (size_t r = 0; r < p->dataset->n_rows && done; r++) {
    const char *from = row_at(p, r);
    for (size_t c = 0; row != NULL && c < p->array.n_cols; c++) {
      memcpy(row + c * size, from + c * p->array.col_stride * size, size);
    }
    done = XXH3_64bits_update(state, row != NULL ? row : from, n_bytes) == XXH_OK;
  }
  return done;
}

static vise_status hash_part(const part *p, uint64_t *out, vise_error *err) {
  vise_status status = VISE_OK;
  XXH3_state_t *state = XXH3_createState();
  const size_t size = vise_dtype_size(p->array.dtype);
  const uint64_t sizes[] = {(uint64_t)p->array.dtype, p->dataset->n_rows, p->array.n_cols};
  char *row = NULL;

  if (state == NULL) VISE_TRY(vise_i_fail_memory(err, 0, "a hash"));
  if (p->array.col_stride != 1 && p->array.n_cols > 1)
    VISE_TRY(vise_i_alloc(&row, p->array.n_cols, size, "a row", err));

  bool done = XXH3_64bits_reset(state) == XXH_OK && XXH3_64bits_update(state, sizes, sizeof sizes) == XXH_OK;
  if (done && p->dataset->rows == NULL && is_packed(&p->array)) {
    done = XXH3_64bits_update(state, p->array.data, p->dataset->n_rows * p->array.n_cols * size) == XXH_OK;
  } else if (done) {
    done = add_rows(state, p, row);
  }
  if (!done) VISE_TRY(vise_i_fail(err, VISE_ERR_INTERNAL, "XXH3_64bits_update"));
  *out = XXH3_64bits_digest(state);

done:
  XXH3_freeState(state);
  free(row);
  return status;
}

static vise_status hash_all(const vise_dataset *dataset, vise_i_dataset_hash *out, vise_error *err) {
  const vise_i_storage *s = dataset->storage;
  const vise_array weights = vise_array_of(s->row_weights, VISE_F64, s->features.array.n_rows, 1);
  vise_i_dataset_hash made = {0, 0, 0};
  vise_status status;

  VISE_TRY(hash_part(&(part){dataset, s->features.array}, &made.features, err));
  if (s->targets.array.n_cols > 0) VISE_TRY(hash_part(&(part){dataset, s->targets.array}, &made.targets, err));
  if (s->row_weights != NULL) VISE_TRY(hash_part(&(part){dataset, weights}, &made.row_weights, err));
  *out = made;

done:
  return status;
}

vise_status vise_i_dataset_hash_of(const vise_dataset *dataset, vise_i_dataset_hash *out, vise_error *err) {
  vise_dataset *kept = (vise_dataset *)(uintptr_t)dataset; /* const protects the data, not what was found of them */
  if (!atomic_load_explicit(&kept->has_hash, memory_order_acquire)) {
    vise_i_dataset_hash made;
    const vise_status status = hash_all(dataset, &made, err);
    if (status != VISE_OK) return status;

    /* Two threads may do so at once: both write the same. */
    atomic_store_explicit(&kept->hash[0], made.features, memory_order_relaxed);
    atomic_store_explicit(&kept->hash[1], made.targets, memory_order_relaxed);
    atomic_store_explicit(&kept->hash[2], made.row_weights, memory_order_relaxed);
    atomic_store_explicit(&kept->has_hash, true, memory_order_release);
  }

  *out = (vise_i_dataset_hash){atomic_load_explicit(&kept->hash[0], memory_order_relaxed),
                               atomic_load_explicit(&kept->hash[1], memory_order_relaxed),
                               atomic_load_explicit(&kept->hash[2], memory_order_relaxed)};
  return VISE_OK;
}

vise_status vise_dataset_hash(const vise_dataset *dataset, uint64_t *out, vise_error *err) {
  vise_i_dataset_hash hash;
  VISE_ENTER(err, dataset, out);
  const vise_status status = vise_i_dataset_hash_of(dataset, &hash, err);
  if (status != VISE_OK) return status;
  const uint64_t parts[] = {hash.features, hash.targets, hash.row_weights};
  *out = XXH3_64bits(parts, sizeof parts);
  return VISE_OK;
}
