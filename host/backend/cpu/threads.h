/* How many threads a step on the CPU is worth. */
#ifndef VISE_I_CPU_THREADS_H
#define VISE_I_CPU_THREADS_H

#include <stddef.h>

#include "host/net/net.h"

/* Threads for steps on batches of this many rows: one for each 6 million multiply-adds of a step (below that, waking a
   thread costs more than it gains), at most one for each processor that this process may run on. At least 1. */
int vise_i_cpu_default_threads(const vise_i_net *net, size_t batch);

#endif
