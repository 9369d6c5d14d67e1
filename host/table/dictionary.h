/* Texts of a column by number: each different text is kept once, in the order of its first appearance. */
#ifndef VISE_I_DICTIONARY_H
#define VISE_I_DICTIONARY_H

#include <stddef.h>
#include <stdint.h>

#include "host/base/error.h"

/* The code of no text: a gap. */
#define VISE_I_GAP UINT32_MAX

typedef struct vise_i_dictionary {
  char *bytes; /* the texts, each with a zero after it */
  size_t n_bytes, bytes_capacity;
  size_t *starts; /* [n] */
  size_t n, starts_capacity;
  struct vise_i_slot *slots; /* [n_slots], a power of 2, at most 2/3 taken */
  size_t n_slots;
} vise_i_dictionary;

/* The code of text[0..n), which is added if it is new. The text holds no zero. */
VISE_WARN_UNUSED vise_status vise_i_dictionary_code(vise_i_dictionary *dictionary, const char *text, size_t n,
                                                    uint32_t *code, vise_error *err);
/* The same without adding; VISE_I_GAP if it is not there. */
uint32_t vise_i_dictionary_find(const vise_i_dictionary *dictionary, const char *text, size_t n);
/* Bytes that it takes. */
size_t vise_i_dictionary_n_bytes(const vise_i_dictionary *dictionary);
void vise_i_dictionary_free(vise_i_dictionary *dictionary);

static inline const char *vise_i_dictionary_text(const vise_i_dictionary *dictionary, uint32_t code) {
  return dictionary->bytes + dictionary->starts[code];
}

#endif
