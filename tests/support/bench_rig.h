/* Short runs of the benchmark on a small net, and what they report. */
#ifndef VISE_T_BENCH_RIG_H
#define VISE_T_BENCH_RIG_H

#include "vise/bench.h"

enum { BENCH_RIG_ROWS = 32, BENCH_RIG_PHASES = 128 };

typedef struct bench_heard {
  vise_bench_row rows[BENCH_RIG_ROWS];
  vise_bench_phase phases[BENCH_RIG_PHASES];
  size_t n_rows, n_phases, n_rows_before_phases, n_notes;
  char notes[4096]; /* a line each */
} bench_heard;

/* 9-7-3 with batches of 16. */
vise_bench_case bench_rig_case(void);

/* 0.01 s a row, one thread; rows and notes go to *heard, which is emptied first, phases only if config.phase is set to
   bench_rig_on_phase. */
vise_bench_config bench_rig_config(const vise_bench_case *cases, size_t n_cases, bench_heard *heard);
void bench_rig_on_phase(void *user, const vise_bench_phase *phase);

#endif
