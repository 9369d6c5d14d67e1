#include "host/base/struct.h"

#include <string.h>

/* A larger difference than any release will bring: a size beyond it was never written by an init call. */
enum { MAX_GROWTH_BYTES = 4096 };

void vise_i_struct_give(void *given, size_t n_bytes, const void *own, size_t own_bytes) {
  if (!given) return;
  const size_t shared = n_bytes < own_bytes ? n_bytes : own_bytes;
  memcpy(given, own, shared);
  memset((char *)given + shared, 0, n_bytes - shared);
}

void vise_i_struct_give_array(void *given, size_t n_bytes, const void *own, size_t own_bytes, size_t n) {
  for (size_t i = 0; given && i < n; ++i) {
    vise_i_struct_give((char *)given + i * n_bytes, n_bytes, (const char *)own + i * own_bytes, own_bytes);
  }
}

void vise_i_config_give(void *given, size_t n_bytes, const void *own, size_t own_bytes) {
  if (!given || n_bytes < sizeof n_bytes) return;
  vise_i_struct_give(given, n_bytes, own, own_bytes);
  memcpy(given, &n_bytes, sizeof n_bytes);
}

vise_status vise_i_config_take(void *own, size_t own_bytes, const void *given, const char *type, vise_error *err) {
  size_t n_bytes = 0;
  if (!given) return vise_i_fail(err, VISE_ERR_USAGE, "%s is NULL; initialise one with %s_init", type, type);

  memcpy(&n_bytes, given, sizeof n_bytes);
  if (n_bytes <= sizeof n_bytes || n_bytes % sizeof n_bytes != 0 || n_bytes > own_bytes + MAX_GROWTH_BYTES) {
    return vise_i_fail(err, VISE_ERR_USAGE, "%s: struct_size is %zu; initialise it with %s_init", type, n_bytes, type);
  }

  const char *bytes = given;
  for (size_t i = own_bytes; i < n_bytes; ++i) {
    if (bytes[i] != 0) {
      return vise_i_fail(err, VISE_ERR_USAGE,
                         "%s: a field beyond the %zu bytes that this version of Vise knows is set (byte %zu of %zu)",
                         type, own_bytes, i, n_bytes);
    }
  }

  const size_t shared = n_bytes < own_bytes ? n_bytes : own_bytes;
  memcpy((char *)own + sizeof n_bytes, bytes + sizeof n_bytes, shared - sizeof n_bytes);
  return VISE_OK;
}
