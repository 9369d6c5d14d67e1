/* Threads that begin a piece of work at the same moment, to be timed. */
#ifndef VISE_I_BENCH_GANG_H
#define VISE_I_BENCH_GANG_H

#include "host/base/error.h"

typedef struct vise_i_bench_gang vise_i_bench_gang;
/* place: 0 for the caller, up to n_threads - 1 */
typedef void vise_i_bench_work(void *context, int place);

/* VISE_ERR_UNSUPPORTED where so many threads cannot be had. */
VISE_WARN_UNUSED vise_status vise_i_bench_gang_create(int n_threads, vise_i_bench_gang **out, vise_error *err);
void vise_i_bench_gang_free(vise_i_bench_gang *gang);
/* All do the work; returns the seconds from the first start to the last end. */
double vise_i_bench_gang_run(vise_i_bench_gang *gang, vise_i_bench_work *work, void *context);

/* One look's wait of a loop that waits for another thread; n_spins starts at 0. */
void vise_i_bench_spin(unsigned *n_spins);

#endif
