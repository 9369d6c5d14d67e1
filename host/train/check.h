/* The parts of the self-check. The comparing functions take their data as arguments, so that tests can pass wrong
   data. */
#ifndef VISE_I_CHECK_H
#define VISE_I_CHECK_H

#include "host/backend/backend.h"
#include "host/net/net.h"
#include "vise/check.h"

/* Steps of the comparison between backends. */
#define VISE_I_CHECK_STEPS 20

/*
 * Where a gradient is compared: a float64 backend that holds the weights `params`, and the rows that make the loss.
 * One entry of params at a time is moved and put back, here and in the backend.
 */
typedef struct vise_i_check_point {
  const vise_i_backend_ops *ops;
  vise_i_backend *backend;
  const vise_i_data *data;
  const size_t *rows;
  size_t n_rows;
  const vise_i_net *net;
  double *params;     /* [n_params] */
  double *scratch;    /* [n_params] */
  uint64_t seed;      /* chooses the entries */
  size_t max_entries; /* of each tensor, at least 1 */
} vise_i_check_point;

typedef enum vise_i_check_part { VISE_I_CHECK_DATA_LOSS, VISE_I_CHECK_PENALTY } vise_i_check_part;

typedef struct vise_i_gradient_verdict {
  size_t n_entries; /* looked at */
  size_t n_kinks;   /* of these: left out, because the loss has a kink there */
  double worst;     /* |analytic - numeric| of the entry that comes nearest to, or goes furthest beyond, its limit */
  double tolerance; /* that limit */
  bool passed;
} vise_i_gradient_verdict;

/*
 * Compares analytic[n_params], the gradient of one part of the objective, with central differences for one tensor.
 *
 * Up to max_entries entries spread over the tensor, the one with the largest analytic value always among them, are
 * moved by h = 1e-5 max(1, |w|). Allowed: 1e-6 of the largest analytic entry of the tensor (truncation) plus c eps V /
 * h, V the value that is differentiated (rounding). An entry that misses this is tried with h/10 and h/100, which a
 * kink of relu, L1, hinge or huber within h seldom survives; if the one-sided differences still disagree and the
 * analytic value lies between them (any subgradient does), the entry is counted as a kink and left out. Passed: no
 * entry outside, and at least half of them compared. Errors: VISE_ERR_NONFINITE (value), or the backend's.
 */
VISE_WARN_UNUSED vise_status vise_i_check_tensor(const vise_i_check_point *point, vise_i_check_part part, size_t tensor,
                                                 const double *analytic, vise_i_gradient_verdict *verdict,
                                                 vise_error *err);

/* A short training of one backend. Zero-initialise; free with vise_i_check_run_free. */
typedef struct vise_i_check_run {
  size_t n_steps;                  /* steps before the first skipped one */
  double loss[VISE_I_CHECK_STEPS]; /* of each */
  double *start, *params;          /* [n_params] before and after them */
  /* Largest violation after any of the steps, relative to the bound (for a bound of 0: absolute). */
  double box, row_l1, max_norm;
  size_t n_unmasked; /* pruned weights that were not 0 */
  size_t n_wrong;    /* weights of a wrong sign */
  bool has_box, has_mask, has_signs, has_row_l1, has_max_norm;
} vise_i_check_run;

/*
 * At most max_steps steps of config (whose backend is not auto) from the model's weights; verifies all projections
 * after each. Stops before the first step that is skipped for non-finite numbers.
 */
VISE_WARN_UNUSED vise_status vise_i_check_train(const vise_train_config *config, const vise_model *model,
                                                const vise_dataset *dataset, size_t max_steps, vise_i_check_run *run,
                                                vise_error *err);
void vise_i_check_run_free(vise_i_check_run *run);
/* The model's parameters as doubles, to be freed. */
VISE_WARN_UNUSED vise_status vise_i_check_copy_params(const vise_model *model, double **out, vise_error *err);

/*
 * Largest difference of a float32 run from the reference over the tensors, as a share of the distance the tensor moved:
 * ||w - w_ref|| / (||w_ref - w_start|| + 20 eps32/tolerance ||w_ref||); the second term is what rounding the
 * stored weights at each step may do. NaN when anything is not a number.
 */
double vise_i_check_weight_difference(const vise_i_net *net, const double *start, const double *reference,
                                      const double *params, double tolerance);
/* Largest |loss - loss_ref| / (|loss_ref| + 1e-3 largest |loss_ref|) over n steps. NaN as above. */
double vise_i_check_loss_difference(const double *reference, const double *loss, size_t n);

#endif
