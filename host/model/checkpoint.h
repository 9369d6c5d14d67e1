/*
 * Checkpoints: state.json (scalars, and the xxh64 of itself and of every other file) and safetensors files, in a folder
 * "<parent>/step-000000123/" or one after the other in a block of memory. A folder is made under a temporary name, every
 * file synced, then renamed: it is complete or absent. Reading verifies every hash. VISE_ERR_FORMAT means damage: a hash
 * that differs, a missing file, a malformed one. What could not be read (VISE_ERR_IO, VISE_ERR_MEMORY) or is of another
 * version (VISE_ERR_UNSUPPORTED) may be whole.
 */
#ifndef VISE_I_CHECKPOINT_H
#define VISE_I_CHECKPOINT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "host/base/error.h"
#include "host/model/safetensors.h"

/* One file of a checkpoint: "<name>.safetensors". */
typedef struct vise_i_checkpoint_part {
  const char *name;
  const vise_i_st_tensor *tensors;
  size_t n_tensors;
} vise_i_checkpoint_part;

/* Writes the folder dir (must not exist). state is borrowed; doubles in it must be finite (write bit patterns as hex
   text for others) and are written with 17 digits. */
VISE_WARN_UNUSED vise_status vise_i_checkpoint_write(const char *dir, const json_t *state,
                                                     const vise_i_checkpoint_part *parts, size_t n_parts,
                                                     vise_error *err);

/* The same as one block of memory (free()). */
VISE_WARN_UNUSED vise_status vise_i_checkpoint_write_memory(const json_t *state, const vise_i_checkpoint_part *parts,
                                                            size_t n_parts, void **out, size_t *out_n, vise_error *err);

/* Where a checkpoint is read from; borrowed. */
typedef struct vise_i_checkpoint_place {
  const char *name;     /* the folder; of a block, for messages */
  const uint8_t *bytes; /* a block of n_bytes; NULL: a folder */
  size_t n_bytes;
} vise_i_checkpoint_place;

static inline vise_i_checkpoint_place vise_i_checkpoint_in_folder(const char *dir) {
  return (vise_i_checkpoint_place){.name = dir, .bytes = NULL, .n_bytes = 0};
}

static inline vise_i_checkpoint_place vise_i_checkpoint_in_memory(const void *bytes, size_t n_bytes) {
  return (vise_i_checkpoint_place){.name = "memory", .bytes = (const uint8_t *)bytes, .n_bytes = n_bytes};
}

/* Reads and verifies: *out_state is a new reference. */
VISE_WARN_UNUSED vise_status vise_i_checkpoint_read_state(vise_i_checkpoint_place place, json_t **out_state,
                                                          vise_error *err);
/* Opens one part after verifying its hash. */
VISE_WARN_UNUSED vise_status vise_i_checkpoint_read_part(vise_i_checkpoint_place place, const char *name,
                                                         vise_i_st_file **out, vise_error *err);
/* Verifies all of it, keeping nothing. */
VISE_WARN_UNUSED vise_status vise_i_checkpoint_verify(vise_i_checkpoint_place place, vise_error *err);

/* Steps of the checkpoint folders "step-N" in parent, newest first; *out malloc'ed (NULL when none). A missing parent
   holds none. */
VISE_WARN_UNUSED vise_status vise_i_checkpoint_list(const char *parent, uint64_t **out, size_t *out_n, vise_error *err);
/* malloc'ed "<parent>/step-%09llu". */
VISE_WARN_UNUSED vise_status vise_i_checkpoint_path(char **out, const char *parent, uint64_t step, vise_error *err);
/* Whether a folder holds a checkpoint whose state.json is sound, and besides it only files listed there. */
VISE_WARN_UNUSED vise_status vise_i_checkpoint_is_ours(const char *dir, bool *out, vise_error *err);
/* Removes all but the newest `keep` folders, except those that are not ours. */
VISE_WARN_UNUSED vise_status vise_i_checkpoint_prune(const char *parent, size_t keep, vise_error *err);
/* Removes the temporary folders of processes that have ended. */
VISE_WARN_UNUSED vise_status vise_i_checkpoint_remove_leftovers(const char *parent, vise_error *err);
/* Renames a damaged folder to "<path>.damaged", or "<path>.damaged-2", ...; *out is the new path (malloc'ed). */
VISE_WARN_UNUSED vise_status vise_i_checkpoint_set_aside(const char *path, char **out, vise_error *err);

#endif
