/* What tests of backends share: small nets, random data, a plain step description, comparisons that a NaN fails. */
#ifndef VISE_T_BACKEND_RIG_H
#define VISE_T_BACKEND_RIG_H

#include "host/backend/backend.h"

/* Whether tests that go through many cases leave out those that another test, or another case, nearly repeats: on the
   emulated device, where a step takes long, but with ./dev test --thorough (the variable VISE_TESTS_SHORT). */
bool rig_is_short(void);

/* A net of the given widths (n_layers + 1 of them). Ends the test program on bad widths. */
vise_i_net rig_net(size_t n_layers, const size_t *widths, vise_activation activation, bool bias);

/* Plain SGD on the half_mean mse of net: no penalty, clip, box or mask; policy skip, limit 8; one thread. */
vise_i_step_spec rig_spec(const vise_i_net *net);

/* The rate lr, with factors 1. */
vise_i_hyper rig_hyper(double lr);

/* Pseudo-random numbers in [-1, 1), multiples of 2^-20 so that float32 holds them; *state is any start. */
double rig_random(uint64_t *state);
void rig_fill(uint64_t *state, double scale, double *out, size_t n);

/* A batch over arrays of doubles: x [n, n_in]; y [n, n_y], class labels if y_is_class; row_weights [n] or NULL. */
vise_i_data rig_data(const double *x, size_t n, size_t n_in, const double *y, size_t n_y, bool y_is_class,
                     const double *row_weights);

/* A backend with the given parameters (doubles, rounded to its type). Ends the test program on failure. */
vise_i_backend *rig_create(const vise_i_backend_ops *ops, const vise_i_step_spec *spec, const double *params);
void rig_set_params(const vise_i_backend_ops *ops, vise_i_backend *b, size_t n, const double *params);
/* A backend ready to train: parameters set and projected by hyper, data bound, order set. */
vise_i_backend *rig_begin(const vise_i_backend_ops *ops, const vise_i_step_spec *spec, const double *params,
                          const vise_i_hyper *hyper, const vise_i_data *data, const size_t *order, size_t n_order);
/* n_steps steps from the first on, through an order of n_order rows over and over. Each call of run has up to `most`
   steps and never passes the end of the order. hyper and stats [n_steps]. */
void rig_run(const vise_i_backend_ops *ops, vise_i_backend *b, size_t n_order, size_t batch, size_t n_steps,
             size_t most, const vise_i_hyper *hyper, vise_step_stats *stats);
/* A float array of state as doubles. */
void rig_get_state(const vise_i_backend_ops *ops, vise_i_backend *b, vise_i_state which, size_t n, double *out);

/* |got - ref| <= atol + rtol |ref|; false for NaN. */
bool rig_near(double got, double ref, double atol, double rtol);
/* Number of elements that fail rig_near; *worst is the index of the largest excess, NaN first. */
size_t rig_compare(const double *got, const double *ref, size_t n, double atol, double rtol, size_t *worst);

#endif
