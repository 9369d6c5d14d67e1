/* What the two CPU backends share: state as the interface has it, the bound data and their order, the loop of run. */
#ifndef VISE_I_HOST_H
#define VISE_I_HOST_H

#include "host/backend/backend.h"

/* What a CPU backend's own struct begins with. */
typedef struct vise_i_host {
  vise_i_backend base;
  vise_i_counters counters;
  void *state[VISE_I_N_STATES]; /* [n_params], or NULL: not kept */
  vise_i_data data;             /* bound; borrowed, as is the order */
  bool is_bound;
  const size_t *order;
  size_t n_order;
} vise_i_host;

/* Fills *h, which is all 0; free the state also after an error. */
VISE_WARN_UNUSED vise_status vise_i_host_open(vise_i_host *h, const vise_i_backend_ops *ops,
                                              const vise_i_step_spec *spec, vise_error *err);
void vise_i_host_free(vise_i_host *h);

/* Entries of the table; set_state of the rounded weights is VISE_ERR_INTERNAL. */
bool vise_i_host_has_state(const vise_i_backend *backend, vise_i_state which);
vise_status vise_i_host_get_state(vise_i_backend *backend, vise_i_state which, void *out, vise_error *err);
vise_status vise_i_host_set_state(vise_i_backend *backend, vise_i_state which, const void *values, vise_error *err);
vise_i_counters vise_i_host_get_counters(const vise_i_backend *backend);
void vise_i_host_set_counters(vise_i_backend *backend, const vise_i_counters *counters);
vise_status vise_i_host_bind(vise_i_backend *backend, const vise_i_data *data, vise_error *err);
vise_status vise_i_host_set_order(vise_i_backend *backend, const size_t *rows, size_t n_rows, vise_error *err);
uint64_t vise_i_host_n_launches(const vise_i_backend *backend); /* 0 */

/* One step on rows of the bound data. */
typedef vise_status vise_i_host_step(vise_i_backend *backend, const vise_i_batch *batch, const vise_i_hyper *hyper,
                                     vise_step_stats *stats, vise_error *err);

/* The loop of run. */
VISE_WARN_UNUSED vise_status vise_i_host_run(vise_i_backend *backend, const vise_i_steps *steps, vise_i_host_step *step,
                                             size_t *n_done, vise_error *err);

#endif
