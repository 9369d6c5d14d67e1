/*
 * How a checkpoint is laid out, shared by its writer and its reader. state.json begins with the hash of all that follows:
 *   {"xxh64":"<16 hex digits>",
 *   "version":1,"files":{"model.safetensors":{"bytes":1234,"xxh64":"..."}},"state":{...}}
 * so that any change of any byte is found: in the fixed text, in the digits, or in what they cover. A block of memory is
 * the files of the table in its order, state.json, and a footer: the length of state.json and a mark.
 */
#ifndef VISE_I_CHECKPOINT_FORMAT_H
#define VISE_I_CHECKPOINT_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "host/base/error.h"

#define VISE_I_STATE_FILE "state.json"
#define VISE_I_CHECKPOINT_VERSION 1
/* VISE_I_PREFIX_BYTES long. */
#define VISE_I_PREFIX_FORMAT "{\"xxh64\":\"%016llx\",\n"
enum { VISE_I_PREFIX_BYTES = 29, VISE_I_HASH_TEXT_BYTES = 17, VISE_I_PART_NAME_BYTES = 96 };
#define VISE_I_MAX_STATE_BYTES ((size_t)64 << 20)

typedef struct vise_i_footer {
  uint64_t n_state; /* little-endian, as safetensors are */
  char mark[8];
} vise_i_footer;
#define VISE_I_FOOTER_MARK "vise-ckp"

void vise_i_checkpoint_hash_text(uint64_t hash, char out[VISE_I_HASH_TEXT_BYTES]);

/* "<name>.safetensors". VISE_ERR_INTERNAL: no name for a part; where names the checkpoint in the message. */
VISE_WARN_UNUSED vise_status vise_i_checkpoint_part_file(const char *where, const char *name,
                                                         char out[VISE_I_PART_NAME_BYTES], vise_error *err);

#endif
