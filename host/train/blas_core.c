/* Whether OpenBLAS runs the best kernels that it has for this processor. */
#include <cblas.h>
#include <stdlib.h>
#include <string.h>

#include "vise/evaluate.h"

#if defined(__x86_64__)
/* What the kernels of OpenBLAS's core SkylakeX use. */
static bool has_avx512(void) {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512cd");
}
#else
static bool has_avx512(void) {
  return false;
}
#endif

const char *vise_blas_core_advice(void) {
  const char *core = openblas_get_corename();
  if (getenv("OPENBLAS_CORETYPE") != NULL) return NULL;
  bool is_avx2 = strcmp(core, "Haswell") == 0 || strcmp(core, "Zen") == 0;
  bool can_choose = strstr(openblas_get_config(), "DYNAMIC_ARCH") != NULL;
  return is_avx2 && can_choose && has_avx512() ? "SkylakeX" : NULL;
}
