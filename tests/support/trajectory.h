/*
 * Golden trajectories: trainings that PyTorch computed in float64 (tests/golden/make_trajectories.py), read from
 * tests/golden/trajectories.json or layers.json and run on any backend. A case names everything it needs: net, data, settings under
 * the names of vise_i_step_spec, the weights before and after, and what some of the steps reported.
 */
#ifndef VISE_T_TRAJECTORY_H
#define VISE_T_TRAJECTORY_H

#include "host/backend/backend.h"

/* Plain nets, and nets with batch norm, dropout and residuals. */
#define TRAJECTORIES_PLAIN VISE_SOURCE_DIR "/tests/golden/trajectories.json"
#define TRAJECTORIES_LAYERS VISE_SOURCE_DIR "/tests/golden/layers.json"

#define TRAJECTORY_MAX_REPORTED 16
#define TRAJECTORY_MAX_CLASSES 16

typedef struct trajectory {
  const char *name;
  vise_i_net net;
  vise_i_step_spec spec; /* net and class_weights point into this case: do not copy a trajectory */
  double class_weights[TRAJECTORY_MAX_CLASSES];
  double lr;
  size_t batch, n_steps; /* consecutive rows in file order, over and over */
  size_t n_rows;
  double *x, *y, *row_weights; /* row_weights is NULL where all are 1 */
  uint8_t *mask;               /* [n_params] or NULL */
  double *initial, *final;     /* [n_values]; initial is before mask and box are applied */
  vise_i_data data;            /* over x, y and row_weights */
  /* At the steps reported_steps[i] (from 1): */
  size_t n_reported, reported_steps[TRAJECTORY_MAX_REPORTED];
  double losses[TRAJECTORY_MAX_REPORTED], penalties[TRAJECTORY_MAX_REPORTED];
  double grad_norms[TRAJECTORY_MAX_REPORTED], grad_norms_clipped[TRAJECTORY_MAX_REPORTED];
  /* Sums over all steps; the entries at their bounds at the end. */
  uint64_t clipped_values, norm_clipped, correct, at_lo, at_hi;
} trajectory;

/* All cases of the file, in its order. Ends the test program with a message if the file is wrong, also on an unknown
   setting. Free with trajectory_free_all. */
trajectory *trajectory_load_all(const char *path, size_t *n_cases);
void trajectory_free_all(trajectory *cases, size_t n_cases);

/* Runs the case on a backend, from its initial weights, projected. final [n_values]; stats [n_steps]. */
VISE_WARN_UNUSED vise_status trajectory_run(const trajectory *t, const vise_i_backend_ops *ops, double *final,
                                            vise_step_stats *stats, vise_error *err);

/* How far a backend may be from PyTorch's float64: weights (those of adam and lion apart), and, relative to 1 + |ref|, the reported
   losses, penalties and norms. */
typedef struct trajectory_tolerance {
  double weight, adam_weight, report;
} trajectory_tolerance;

/* Every case of the file on a backend: weights, running statistics, reports, and whatever `more` checks, which may be
   NULL; stats [t->n_steps]. */
void trajectory_check_all(const char *path, const vise_i_backend_ops *ops, const trajectory_tolerance *tolerance,
                          void (*more)(const trajectory *t, const vise_step_stats *stats));
/* The same on a float32 backend, as exact as float32 is after the hundreds of steps of a case. */
void trajectory_check_all_float32(const char *path, const vise_i_backend_ops *ops);

#endif
