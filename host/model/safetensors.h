/* The safetensors file format: named tensors with a JSON header. Reading is strict (bounds, overlaps, gaps, duplicate
   keys, sizes, and the hash of a file that has one: safetensors_hash.h) and bounded before anything is allocated; writing
   adds a hash to the metadata, goes to a temporary file, then syncs and renames. */
#ifndef VISE_I_SAFETENSORS_H
#define VISE_I_SAFETENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/base/file.h"

typedef enum vise_i_st_dtype {
  VISE_I_ST_U8,
  VISE_I_ST_I64,
  VISE_I_ST_F32,
  VISE_I_ST_F64,
  VISE_I_ST_I8
} vise_i_st_dtype;

#define VISE_I_ST_MAX_DIMS 4

/* One tensor. For writing, data and name are borrowed; for reading they point into the file object. */
typedef struct vise_i_st_tensor {
  const char *name;
  vise_i_st_dtype dtype;
  size_t n_dims, dims[VISE_I_ST_MAX_DIMS];
  const void *data; /* aligned to 8 bytes when read */
} vise_i_st_tensor;

/* One metadata entry. */
typedef struct vise_i_st_meta {
  const char *key, *value;
} vise_i_st_meta;

/* What a file is made of. */
typedef struct vise_i_st_content {
  const vise_i_st_tensor *tensors;
  size_t n_tensors;
  const vise_i_st_meta *meta;
  size_t n_meta;
} vise_i_st_content;

/* Size and hash of a file, for a checkpoint's table. */
typedef struct vise_i_st_digest {
  uint64_t n_bytes, xxh64;
} vise_i_st_digest;

/* Appends the bytes of a file to what `to` holds. Tensors are laid out in the order given, wider elements first, so that
   each is aligned. *digest (may be NULL) receives size and hash. A name or key that JSON cannot hold, or that comes
   twice, is VISE_ERR_INTERNAL; a header over VISE_I_ST_MAX_HEADER_BYTES VISE_ERR_SHAPE. */
VISE_WARN_UNUSED vise_status vise_i_st_put(vise_i_writer *to, const vise_i_st_content *content,
                                           vise_i_st_digest *digest, vise_error *err);
/* A file of its own, and a block of memory of its own (free()). */
VISE_WARN_UNUSED vise_status vise_i_st_write(const char *path, const vise_i_st_content *content,
                                             vise_i_st_digest *digest, vise_error *err);
VISE_WARN_UNUSED vise_status vise_i_st_write_memory(const vise_i_st_content *content, void **out, size_t *out_n,
                                                    vise_error *err);

/* Longest header, as in the format's own implementation. */
#define VISE_I_ST_MAX_HEADER_BYTES 100000000

typedef struct vise_i_st_file vise_i_st_file;

VISE_WARN_UNUSED vise_status vise_i_st_read(const char *path, vise_i_st_file **out, vise_error *err);
/* The same from memory (copied); name is used in messages. For tests and fuzzing. */
VISE_WARN_UNUSED vise_status vise_i_st_parse(const char *name, const uint8_t *bytes, size_t n_bytes,
                                             vise_i_st_file **out, vise_error *err);
void vise_i_st_free(vise_i_st_file *file);
size_t vise_i_st_n_tensors(const vise_i_st_file *file);
const vise_i_st_tensor *vise_i_st_at(const vise_i_st_file *file, size_t i);
/* NULL if there is none of that name. */
const vise_i_st_tensor *vise_i_st_find(const vise_i_st_file *file, const char *name);
const char *vise_i_st_metadata(const vise_i_st_file *file, const char *key);
/* All entries; the texts are the file's, free() the list. */
VISE_WARN_UNUSED vise_status vise_i_st_list_metadata(const vise_i_st_file *file, vise_i_st_meta **out, size_t *out_n,
                                                     vise_error *err);
/* Name in the file ("F32"); "?" for a value outside the enumeration. */
const char *vise_i_st_dtype_name(vise_i_st_dtype dtype);
/* false: no dtype that is read has this name. */
bool vise_i_st_dtype_parse(const char *name, vise_i_st_dtype *out);
/* Bytes of one element; number of elements. */
size_t vise_i_st_dtype_size(vise_i_st_dtype dtype);
size_t vise_i_st_n_elements(const vise_i_st_tensor *tensor);

#endif
