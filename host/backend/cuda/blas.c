/* Finding cuBLAS. */
#include "host/backend/cuda/blas.h"

#include <dlfcn.h>
#include <string.h>

vise_status vise_i_blas_check(cublasStatus_t status, const char *expression, vise_error *err) {
  if (status == CUBLAS_STATUS_SUCCESS) return VISE_OK;
  return vise_i_fail(err, VISE_ERR_DEVICE, "cuBLAS status %d from %s", (int)status, expression);
}

#ifdef VISE_I_LINKED_CUBLAS

static vise_status find_functions(vise_i_blas *out, vise_error *err) {
  (void)err;
#define X(field, function) out->field = function;
  VISE_I_BLAS_TABLE(X)
#undef X
  return VISE_OK;
}

#else

/* Newest first, as it knows the newest devices. Version 12 works too: what is not opaque (the algorithm, the result of
   the heuristic, the numbers of attributes and epilogues) is the same in both. */
static void *open_library(void) {
  static const char *const names[] = {"libcublasLt.so.13", "libcublasLt.so", "libcublasLt.so.12"};
  void *library = NULL;
  /* Once loaded it stays: its state for the process is not made to be unloaded. */
  for (size_t i = 0; !library && i < sizeof names / sizeof *names; i++) {
    library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  }
  return library;
}

static vise_status find_functions(vise_i_blas *out, vise_error *err) {
  out->library = open_library();
  if (!out->library) {
    return vise_i_fail(err, VISE_ERR_UNSUPPORTED,
                       "`step_mode` unfused needs cuBLAS: libcublasLt.so.13 was not found (nor libcublasLt.so, "
                       "libcublasLt.so.12); install it or set LD_LIBRARY_PATH, or use `step_mode` fused");
  }

#define X(field, function)                                                                                      \
  {                                                                                                             \
    void *const address = dlsym(out->library, #function);                                                       \
    if (!address) {                                                                                             \
      return vise_i_fail(err, VISE_ERR_UNSUPPORTED, "`step_mode` unfused: the cuBLAS that was found has no %s", \
                         #function);                                                                            \
    }                                                                                                           \
    memcpy(&out->field, &address, sizeof address);                                                              \
  }
  VISE_I_BLAS_TABLE(X)
#undef X

  return VISE_OK;
}

#endif

vise_status vise_i_blas_open(vise_i_blas *out, vise_error *err) {
  vise_status status;
  vise_i_blas blas;
  memset(&blas, 0, sizeof blas);
  VISE_TRY(find_functions(&blas, err));
  VISE_I_BLAS_TRY(blas.create(&blas.handle));
  *out = blas;
  return VISE_OK;
done:
  if (blas.library) (void)dlclose(blas.library);
  return status;
}

void vise_i_blas_close(vise_i_blas *blas) {
  if (blas->handle) (void)blas->destroy(blas->handle);
  if (blas->library) (void)dlclose(blas->library);
  memset(blas, 0, sizeof *blas);
}
