#include "host/backend/cpu/threads.h"

#include <sched.h>
#include <unistd.h>

/* Multiply-adds of a step for which one more thread pays; measured on nets of two layers. */
static const double MULTIPLY_ADDS_PER_THREAD = 6e6;

static int n_processors(void) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) {
    const int n = CPU_COUNT(&set);
    if (n > 0) return n;
  }
  const long n = sysconf(_SC_NPROCESSORS_ONLN);
  return n > 0 && n <= 1024 ? (int)n : 1;
}

int vise_i_cpu_default_threads(const vise_i_net *net, size_t batch) {
  /* Each layer multiplies three times: forward, gradient of the weights, and (except the first) of its inputs. */
  double work = 0;
  for (size_t l = 0; l < net->n_layers; l++) {
    work += (l ? 3.0 : 2.0) * (double)net->widths[l] * (double)net->widths[l + 1] * (double)batch;
  }
  const int most = n_processors();
  const double wanted = work / MULTIPLY_ADDS_PER_THREAD;
  if (!(wanted >= 1)) return 1;
  return wanted >= most ? most : (int)wanted;
}
