#include "host/model/safetensors_hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "host/base/memory.h"

/* A hash, and whether all of it was taken in. */
typedef struct hasher {
  XXH3_state_t *state;
  bool failed;
} hasher;

static void add(hasher *h, const void *bytes, size_t n) {
  if (n > 0 && XXH3_128bits_update(h->state, bytes, n) != XXH_OK) h->failed = true;
}

static void add_number(hasher *h, uint64_t number) {
  add(h, &number, sizeof number);
}

static void add_text(hasher *h, const char *text) {
  const size_t n = strlen(text);
  add_number(h, n);
  add(h, text, n);
}

static int by_key(const void *a, const void *b) {
  return strcmp((*(const vise_i_st_meta *const *)a)->key, (*(const vise_i_st_meta *const *)b)->key);
}

static int by_name(const void *a, const void *b) {
  return strcmp((*(const vise_i_st_tensor *const *)a)->name, (*(const vise_i_st_tensor *const *)b)->name);
}

/* Needs room for the entries' addresses. */
static void add_metadata(hasher *h, const vise_i_st_content *content, const vise_i_st_meta **order) {
  size_t n = 0;
  for (size_t i = 0; i < content->n_meta; i++) {
    if (strcmp(content->meta[i].key, VISE_I_ST_HASH_KEY) != 0) order[n++] = &content->meta[i];
  }
  if (n > 1) qsort(order, n, sizeof *order, by_key);

  add_number(h, n);
  for (size_t i = 0; i < n; i++) {
    add_text(h, order[i]->key);
    add_text(h, order[i]->value);
  }
}

static void add_tensors(hasher *h, const vise_i_st_content *content, const vise_i_st_tensor **order) {
  const size_t n = content->n_tensors;
  for (size_t i = 0; i < n; i++) order[i] = &content->tensors[i];
  if (n > 1) qsort(order, n, sizeof *order, by_name);

  add_number(h, n);
  for (size_t i = 0; i < n; i++) {
    const vise_i_st_tensor *tensor = order[i];
    add_text(h, tensor->name);
    add_text(h, vise_i_st_dtype_name(tensor->dtype));
    add_number(h, tensor->n_dims);
    for (size_t d = 0; d < tensor->n_dims; d++) add_number(h, tensor->dims[d]);
    add(h, tensor->data, vise_i_st_n_elements(tensor) * vise_i_st_dtype_size(tensor->dtype));
  }
}

vise_status vise_i_st_hash(const vise_i_st_content *content, char out[VISE_I_ST_HASH_BYTES], vise_error *err) {
  vise_status status = VISE_OK;
  const vise_i_st_meta **entries = NULL;
  const vise_i_st_tensor **tensors = NULL;
  hasher h = {.state = XXH3_createState()};

  if (!h.state) VISE_TRY(vise_i_fail_memory(err, 0, "a hash"));
  VISE_TRY(vise_i_alloc(&entries, content->n_meta, sizeof *entries, "a hash", err));
  VISE_TRY(vise_i_alloc(&tensors, content->n_tensors, sizeof *tensors, "a hash", err));

  h.failed = XXH3_128bits_reset(h.state) != XXH_OK;
  add_metadata(&h, content, entries);
  add_tensors(&h, content, tensors);
  if (h.failed) VISE_TRY(vise_i_fail(err, VISE_ERR_INTERNAL, "XXH3_128bits_update"));

  const XXH128_hash_t digest = XXH3_128bits_digest(h.state);
  snprintf(out, VISE_I_ST_HASH_BYTES, "%016" PRIx64 "%016" PRIx64, digest.high64, digest.low64);

done:
  XXH3_freeState(h.state);
  free(entries);
  free(tensors);
  return status;
}
