/* Loss, accuracy, RMSE and R^2 from raw outputs, in float64: the same numbers for every backend. */
#ifndef VISE_I_METRICS_H
#define VISE_I_METRICS_H

#include "host/train/data_view.h"
#include "vise/evaluate.h"

/* What the loss is. */
typedef struct vise_i_metrics_spec {
  vise_i_rule rule;            /* of which the loss counts; external: only n_rows is filled */
  const double *class_weights; /* as in vise_i_step_spec; NULL: none */
  size_t n_outputs;
} vise_i_metrics_spec;

/* The loss stored in a model (class weights are not). */
vise_i_metrics_spec vise_i_metrics_spec_of_model(const vise_model *model);
/* The loss of a step. */
vise_i_metrics_spec vise_i_metrics_spec_of_step(const vise_i_step_spec *step);

/* All NaN, n_rows 0. */
vise_metrics vise_i_metrics_none(void);

/*
 * Sums over rows; add may be called any number of times, in row order. outputs is [n, n_outputs]: the raw outputs of
 * the view's rows first .. first + n. finish fills *out (loss: reductions and weights as in the step; accuracy: share
 * of rows, not weighted; RMSE over rows and outputs, and R^2 averaged over outputs, both unweighted and with the target
 * scaling undone).
 */
typedef struct vise_i_metrics_sums vise_i_metrics_sums;
VISE_WARN_UNUSED vise_status vise_i_metrics_begin(const vise_i_metrics_spec *spec, vise_i_metrics_sums **out,
                                                  vise_error *err);
void vise_i_metrics_add(vise_i_metrics_sums *sums, const vise_i_view *view, size_t first, size_t n,
                        const double *outputs);
void vise_i_metrics_finish(const vise_i_metrics_sums *sums, vise_metrics *out);
void vise_i_metrics_free(vise_i_metrics_sums *sums);

/* How good they are in one number, at most 1: the accuracy of what classifies, else R^2. */
double vise_i_metrics_score(const vise_metrics *metrics);

/* A pass forward over the rows of a view at the backend's current weights, chunk rows at a time (0: chosen). */
typedef struct vise_i_pass {
  vise_i_backend *backend;
  const vise_i_view *view;
  size_t chunk;
  vise_ranks *ranks; /* who share the rows; NULL: nobody does */
  bool own_rows;     /* the rows are this rank's own: metrics are those of the rows of all */
} vise_i_pass;

/* take gets the outputs [n, n_outputs] of rows first .. first + n, in row order. */
VISE_WARN_UNUSED vise_status vise_i_pass_run(const vise_i_pass *pass, size_t n_outputs,
                                             void (*take)(void *user, size_t first, size_t n, const double *outputs),
                                             void *user, vise_error *err);

/* The metrics of a whole view. */
VISE_WARN_UNUSED vise_status vise_i_metrics_of_view(const vise_i_pass *pass, const vise_i_metrics_spec *spec,
                                                    vise_metrics *out, vise_error *err);

/* Rows at a time that keep the outputs within about 4 MiB: at least 1, at most n_rows (1 for no rows). */
size_t vise_i_metrics_chunk(size_t n_rows, size_t n_outputs);

#endif
