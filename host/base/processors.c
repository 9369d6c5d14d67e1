#include "host/base/processors.h"

#include <sched.h>
#include <unistd.h>

int vise_i_n_processors(void) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) return CPU_COUNT(&set);
  const long n = sysconf(_SC_NPROCESSORS_ONLN);
  return n > 0 && n <= 1024 ? (int)n : 1;
}
