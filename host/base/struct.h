/*
 * Public structs that may grow. A program compiled against an older header passes a smaller struct: what it lacks has
 * its default, and nothing past its end is read or written. One compiled against a newer header passes a larger one,
 * which is accepted if all that this version does not know is zero.
 *
 * For this to hold, fields are only ever appended, a new field starts where the struct ended before (not in its
 * padding), and a struct that is part of another, or an element of an array inside one, never changes.
 */
#ifndef VISE_I_STRUCT_H
#define VISE_I_STRUCT_H

#include <stddef.h>

#include "host/base/error.h"

/* Bytes of the struct as it was when `last` was its last field. */
#define VISE_I_BYTES_UP_TO(type, last) \
  ((offsetof(type, last) + sizeof(((type *)0)->last) + _Alignof(type) - 1) / _Alignof(type) * _Alignof(type))

/* A result without a size of its own is filled by two functions: name_sized(n_bytes, ...), which the header's macro `name`
   calls, and, for programs built without the macro, name(...), which passes what the struct had at first. The latter is
   defined as `vise_status(name)(...)`, for the parentheses keep the macro away. */

/* Gives `own` to a caller whose struct has n_bytes: what both know; the rest of a larger one becomes 0. */
void vise_i_struct_give(void *given, size_t n_bytes, const void *own, size_t own_bytes);
/* The same for arrays of n structs. */
void vise_i_struct_give_array(void *given, size_t n_bytes, const void *own, size_t own_bytes, size_t n);

/* A struct that starts with its size: gives the defaults in `own`, and n_bytes as its size. Nothing for NULL. */
void vise_i_config_give(void *given, size_t n_bytes, const void *own, size_t own_bytes);

/* Takes a caller's struct that starts with its size over the defaults in `own`, whose own size stays. VISE_ERR_USAGE,
   naming `type`: NULL, a size that no init call writes, or a larger struct with something set that is unknown here. */
VISE_WARN_UNUSED vise_status vise_i_config_take(void *own, size_t own_bytes, const void *given, const char *type,
                                                vise_error *err);

/* Defines type_init_sized(config, n_bytes), and type_init(config) for programs built when the header had no macro of
   that name: it fills the struct that ended with `last`. defaults: a function that returns the struct. */
#define VISE_I_DEFINE_INIT(type, last, defaults)               \
  void type##_init_sized(type *config, size_t n_bytes) {       \
    const type own = defaults();                               \
    vise_i_config_give(config, n_bytes, &own, sizeof own);     \
  }                                                            \
  void(type##_init)(type * config) {                           \
    type##_init_sized(config, VISE_I_BYTES_UP_TO(type, last)); \
  }

#endif
