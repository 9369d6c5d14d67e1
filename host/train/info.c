/* What this build is, and what it can run on. */
#include <cblas.h>
#include <stdio.h>
#include <unistd.h>

#include "host/backend/backend.h"
#include "vise/evaluate.h"

/* The build passes these; the library is the only place that knows them. */
#if !defined(VISE_VERSION_TEXT) || !defined(VISE_BUILD_TYPE_TEXT) || !defined(VISE_BLAS_TEXT)
#error "VISE_VERSION_TEXT, VISE_BUILD_TYPE_TEXT and VISE_BLAS_TEXT come from host/train/CMakeLists.txt"
#endif
#ifndef VISE_SANITIZE_TEXT
#define VISE_SANITIZE_TEXT "none"
#endif

#if defined(__clang__)
#define COMPILER_TEXT "clang " __clang_version__
#elif defined(__GNUC__)
#define COMPILER_TEXT "gcc " __VERSION__
#else
#define COMPILER_TEXT "unknown"
#endif

const char *vise_version(void) {
  return VISE_VERSION_TEXT;
}

const char *vise_build_options(void) {
  return "compiler=" COMPILER_TEXT ", build=" VISE_BUILD_TYPE_TEXT ", blas=" VISE_BLAS_TEXT
         ", sanitizers=" VISE_SANITIZE_TEXT ", cuda=no, mpi=no, nccl=no";
}

static void describe(vise_backend backend, vise_backend_info *info) {
  const char *why_not = NULL;
  info->backend = backend;
  info->available = vise_i_backend_find(backend, &why_not) != NULL;
  if (!info->available) {
    snprintf(info->detail, sizeof info->detail, "%s", why_not != NULL ? why_not : "not part of this build");
    return;
  }
  /* OpenBLAS picks its kernels for the processor at start-up; its text names them. */
  snprintf(info->detail, sizeof info->detail, "%s, %ld processors, %s",
           backend == VISE_BACKEND_CPU64 ? "float64, reference" : "float32", sysconf(_SC_NPROCESSORS_ONLN),
           openblas_get_config());
}

size_t vise_list_backends(vise_backend_info *out, size_t n) {
  static const vise_backend backends[] = {VISE_BACKEND_CUDA, VISE_BACKEND_CPU, VISE_BACKEND_CPU64};
  size_t n_backends = sizeof backends / sizeof backends[0];
  for (size_t i = 0; i < n && i < n_backends; i++) describe(backends[i], &out[i]);
  return n_backends;
}
