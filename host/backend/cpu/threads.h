/* How many threads a step on the CPU is worth, by the shape of the net and the rows alone. */
#ifndef VISE_I_CPU_THREADS_H
#define VISE_I_CPU_THREADS_H

#include <stddef.h>

#include "host/net/net.h"

enum { VISE_I_CPU_ROW_PARTS = 8 };
/* Parts that a batch of n rows is cut into (by_rows.c): 1 if it is not. */
size_t vise_i_cpu_parts_of(const vise_i_net *net, size_t n);
/* Rows of a part at a time. */
size_t vise_i_cpu_part_chunk(const vise_i_net *net);

/* Threads that steps on n rows are worth, if there were processors enough. At least 1. */
size_t vise_i_cpu_worth_threads(const vise_i_net *net, size_t n);

/* As many, at most one for each processor that this process may run on. */
int vise_i_cpu_default_threads(const vise_i_net *net, size_t batch);

#endif
