/* Fits for tests of the queue: 4 features, 3 classes, a net 4-6-3. */
#ifndef VISE_T_QUEUE_RIG_H
#define VISE_T_QUEUE_RIG_H

#include "tests/unit/train/rig.h"
#include "vise/sweep.h"

typedef struct queue_case {
  vise_train_config training;
  vise_net_config net;
  vise_model *initial; /* NULL: net */
  vise_sweep_fit fit;  /* for state and what is kept; the rest is filled in by queue_submit */
} queue_case;

/* The rows of all cases. */
void queue_make_data(void);
void queue_free_data(void);

/* 5 epochs of 5 steps; the model is kept. */
void queue_case_init(queue_case *c, vise_backend backend);
/* The same by a trainer's run; the model is for the caller to free. */
vise_model *queue_run_alone(const queue_case *c, vise_run_result *result);

vise_sweep *queue_sweep(int n_jobs);
/* Submits a case; fails the test if it is refused. */
void queue_submit(vise_sweep *sweep, const queue_case *c, uint64_t id);
/* One fit that lasts for a moment, with the id 1000. */
void queue_busy(vise_sweep *sweep);
/* One that does not end by itself, with the id 2000. */
void queue_endless(vise_sweep *sweep);
/* The next fit that ended; false: there is none. */
bool queue_next(vise_sweep *sweep, vise_sweep_result *result);

/* All results, by their ids, which are those below `most`; returns their number. */
size_t queue_drain(vise_sweep *sweep, vise_sweep_result *results, size_t most);

/* ---- what must hold for every backend ---- */

enum { QUEUE_KINDS = 6 };
/* Fits of all sorts: what a trainer keeps between steps, and what ends it. */
void queue_configure(size_t kind, vise_backend backend, queue_case *c);
/* The result is what the case comes to without a queue. */
void queue_expect_run(const queue_case *c, const vise_sweep_result *result);
/* So it is for fits of all sorts at once. */
void queue_expect_runs(vise_backend backend, int n_jobs);
/* Lets a fit go on from *last (empty: from its start) until the epoch (0: to its end), with its state. */
void queue_run_part(vise_sweep *sweep, const queue_case *c, uint64_t until, vise_sweep_result *last);
/* Fits of all sorts in three parts are as if they had never stopped. */
void queue_expect_parts(vise_backend backend);
/* Fits that are not finite are told of, and the others beside them are as ever. */
void queue_expect_bad_fits_alone(vise_backend backend);

#endif
