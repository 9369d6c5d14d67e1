#include "host/table/dictionary.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "host/base/memory.h"

/* An open-addressing table; code 0 is stored as 1, so that zeroed memory is empty. */
typedef struct vise_i_slot {
  uint32_t hash, code_plus_1;
} vise_i_slot;

enum { FIRST_SLOTS = 64 };

static const char WHAT[] = "different texts";

static uint32_t hash_of(const char *text, size_t n) {
  return (uint32_t)XXH3_64bits(text, n);
}

/* The slot of text, or the empty one where it belongs. */
static vise_i_slot *find_slot(const vise_i_dictionary *d, const char *text, size_t n, uint32_t hash) {
  const size_t mask = d->n_slots - 1;
  for (size_t i = hash & mask;; i = (i + 1) & mask) {
    vise_i_slot *slot = &d->slots[i];
    if (slot->code_plus_1 == 0) return slot;
    if (slot->hash != hash) continue;
    const char *known = vise_i_dictionary_text(d, slot->code_plus_1 - 1);
    if (strncmp(known, text, n) == 0 && known[n] == '\0') return slot;
  }
}

static vise_status grow_slots(vise_i_dictionary *d, vise_error *err) {
  const size_t n_slots = d->n_slots == 0 ? FIRST_SLOTS : d->n_slots * 2;
  vise_i_slot *old = d->slots, *slots = NULL;
  const vise_status status = vise_i_alloc_zero(&slots, n_slots, sizeof *slots, WHAT, err);
  if (status != VISE_OK) return status;

  for (size_t i = 0; i < d->n_slots; i++) {
    if (old[i].code_plus_1 == 0) continue;
    size_t k = old[i].hash & (n_slots - 1);
    while (slots[k].code_plus_1 != 0) k = (k + 1) & (n_slots - 1);
    slots[k] = old[i];
  }
  free(old);
  d->slots = slots;
  d->n_slots = n_slots;
  return VISE_OK;
}

static vise_status add(vise_i_dictionary *d, const char *text, size_t n, vise_error *err) {
  vise_status status = vise_i_grow(&d->bytes, &d->bytes_capacity, d->n_bytes + n + 1, 1, WHAT, err);
  if (status == VISE_OK) status = vise_i_grow(&d->starts, &d->starts_capacity, d->n + 1, sizeof *d->starts, WHAT, err);
  if (status != VISE_OK) return status;

  if (n > 0) memcpy(d->bytes + d->n_bytes, text, n);
  d->bytes[d->n_bytes + n] = '\0';
  d->starts[d->n++] = d->n_bytes;
  d->n_bytes += n + 1;
  return VISE_OK;
}

vise_status vise_i_dictionary_code(vise_i_dictionary *dictionary, const char *text, size_t n, uint32_t *code,
                                   vise_error *err) {
  const uint32_t hash = hash_of(text, n);
  vise_status status = VISE_OK;
  if (dictionary->n * 3 >= dictionary->n_slots * 2) status = grow_slots(dictionary, err);
  if (status != VISE_OK) return status;

  vise_i_slot *slot = find_slot(dictionary, text, n, hash);
  if (slot->code_plus_1 == 0) {
    if (dictionary->n >= VISE_I_GAP - 1) return vise_i_fail_memory(err, 0, "more than 4 billion different texts");
    status = add(dictionary, text, n, err);
    if (status != VISE_OK) return status;
    *slot = (vise_i_slot){hash, (uint32_t)dictionary->n};
  }
  *code = slot->code_plus_1 - 1;
  return VISE_OK;
}

uint32_t vise_i_dictionary_find(const vise_i_dictionary *dictionary, const char *text, size_t n) {
  if (dictionary->n == 0) return VISE_I_GAP;
  const vise_i_slot *slot = find_slot(dictionary, text, n, hash_of(text, n));
  return slot->code_plus_1 == 0 ? VISE_I_GAP : slot->code_plus_1 - 1;
}

size_t vise_i_dictionary_n_bytes(const vise_i_dictionary *dictionary) {
  return dictionary->bytes_capacity + dictionary->starts_capacity * sizeof *dictionary->starts +
         dictionary->n_slots * sizeof *dictionary->slots;
}

void vise_i_dictionary_free(vise_i_dictionary *dictionary) {
  free(dictionary->bytes);
  free(dictionary->starts);
  free(dictionary->slots);
  *dictionary = (vise_i_dictionary){0};
}
