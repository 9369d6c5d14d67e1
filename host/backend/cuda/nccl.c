/* Finding NCCL. */
#include "host/backend/cuda/nccl.h"

#include <dlfcn.h>
#include <string.h>

vise_status vise_i_nccl_check(const vise_i_nccl *nccl, int result, const char *expression, vise_error *err) {
  if (result == VISE_I_NCCL_SUCCESS || result == VISE_I_NCCL_IN_PROGRESS) return VISE_OK;
  return vise_i_fail(err, VISE_ERR_DEVICE, "NCCL: %s (%d) from %s; NCCL_DEBUG=WARN says more", nccl->error_text(result),
                     result, expression);
}

#ifdef VISE_I_LINKED_NCCL

#define X(field, function, type, arguments) type function arguments;
VISE_I_NCCL_TABLE(X)
#undef X

vise_status vise_i_nccl_open(vise_i_nccl *out, vise_error *err) {
  (void)err;
#define X(field, function, type, arguments) out->field = function;
  VISE_I_NCCL_TABLE(X)
#undef X
  return VISE_OK;
}

#else

vise_status vise_i_nccl_open(vise_i_nccl *out, vise_error *err) {
  /* Once loaded it stays: it has threads of its own. */
  void *library = dlopen("libnccl.so.2", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library == NULL) {
    return vise_i_fail(
        err, VISE_ERR_UNSUPPORTED,
        "training by several processes on `backend` cuda needs NCCL: libnccl.so.2 was not found; install it "
        "or set LD_LIBRARY_PATH, or use `backend` cpu");
  }

#define X(field, function, type, arguments)                                                                      \
  {                                                                                                              \
    void *const address = dlsym(library, #function);                                                             \
    if (address == NULL) {                                                                                       \
      return vise_i_fail(err, VISE_ERR_UNSUPPORTED, "the NCCL that was found has no %s: 2.7 or newer is needed", \
                         #function);                                                                             \
    }                                                                                                            \
    memcpy(&out->field, &address, sizeof address);                                                               \
  }
  VISE_I_NCCL_TABLE(X)
#undef X
  return VISE_OK;
}

#endif
