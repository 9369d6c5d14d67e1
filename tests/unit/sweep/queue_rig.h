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

#endif
