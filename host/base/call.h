/* How a public call begins. */
#ifndef VISE_I_CALL_H
#define VISE_I_CALL_H

#include <stddef.h>

#include "host/base/error.h"
#include "host/base/float_state.h"

/* Clears *err, so that it tells of this call and no earlier one, and returns VISE_ERR_USAGE from the function if one of
   the arguments listed (at least one, plain names) is NULL: VISE_ENTER(err, model, path, out). Until the function
   returns, arithmetic is as this library wants it. */
#define VISE_ENTER(err, ...)                                                                                        \
  const vise_i_float_state float_state_ __attribute__((cleanup(vise_i_float_leave))) = vise_i_float_enter();        \
  do {                                                                                                              \
    const void *const given_[] = {__VA_ARGS__};                                                                     \
    const vise_status entered_ = vise_i_enter(err, __func__, #__VA_ARGS__, given_, sizeof given_ / sizeof *given_); \
    if (entered_ != VISE_OK) return entered_;                                                                       \
  } while (0)

/* names: those of the n values, separated by commas. */
VISE_WARN_UNUSED vise_status vise_i_enter(vise_error *err, const char *call, const char *names,
                                          const void *const *values, size_t n);

#endif
