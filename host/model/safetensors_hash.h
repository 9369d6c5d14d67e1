/*
 * The hash of what a safetensors file holds, kept in its metadata, so that damage is found: XXH3 of 128 bits over, in this
 * order, the number of metadata entries (the one of the hash not counted); for each of them, by key, the length of the
 * key, the key, the length of the value, the value; the number of tensors; for each of them, by name, the length of the
 * name, the name, the length of the type's name, its name ("F32"), the number of dimensions, the dimensions, the data.
 * Numbers are 64 bits, little-endian; keys and names are ordered by their bytes. How the header spells all this, and where
 * the data lie, makes no difference, so that a program that only copies a file leaves it right.
 */
#ifndef VISE_I_SAFETENSORS_HASH_H
#define VISE_I_SAFETENSORS_HASH_H

#include "host/model/safetensors.h"

#define VISE_I_ST_HASH_KEY "vise.xxh3_128"
enum { VISE_I_ST_HASH_BYTES = 33 };

/* out: 32 hexadecimal digits, the high ones first, as xxhsum prints them. */
VISE_WARN_UNUSED vise_status vise_i_st_hash(const vise_i_st_content *content, char out[VISE_I_ST_HASH_BYTES],
                                            vise_error *err);

#endif
