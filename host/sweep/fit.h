/* One fit of a sweep: what it takes, and how it runs in its thread. */
#ifndef VISE_I_SWEEP_FIT_H
#define VISE_I_SWEEP_FIT_H

#include <stdatomic.h>

#include "host/base/error.h"
#include "host/train/config_copy.h"
#include "vise/sweep.h"

/* What a submitted fit is, with a copy or a reference of its own to all of it. */
typedef struct vise_i_sweep_fit {
  struct vise_i_sweep_fit *next; /* in a queue */
  uint64_t id;
  vise_train_config training; /* which points to lists */
  vise_i_config_lists lists;
  vise_net_config net;
  vise_init_scheme init_scheme;
  vise_model *initial;              /* or NULL */
  vise_dataset *train, *validation; /* validation may be NULL */
  void *state;                      /* to go on from, or NULL */
  size_t n_state_bytes;
  bool keep_model, keep_state;
  bool on_device;
  vise_sweep_result result;
} vise_i_sweep_fit;

/* VISE_ERR_USAGE where something is missing. Free *out with vise_i_sweep_fit_free. */
VISE_WARN_UNUSED vise_status vise_i_sweep_fit_create(const vise_sweep_fit *given, vise_i_sweep_fit **out,
                                                     vise_error *err);
void vise_i_sweep_fit_free(vise_i_sweep_fit *fit);

/* The model that a fit begins with. */
VISE_WARN_UNUSED vise_status vise_i_sweep_fit_model(const vise_i_sweep_fit *fit, vise_model **out, vise_error *err);
/* What a run came to, as a result. */
void vise_i_sweep_fit_report(const vise_run_result *run, vise_sweep_result *out);
/* After that, if it ended well: its score, and what is kept of it. */
VISE_WARN_UNUSED vise_status vise_i_sweep_fit_keep(vise_i_sweep_fit *fit, const vise_sweep_config *config,
                                                   vise_model *model, vise_trainer *trainer, vise_error *err);

/* Fits, and fills fit->result; ends early once *stop is true. */
void vise_i_sweep_fit_run(vise_i_sweep_fit *fit, const vise_sweep_config *config, atomic_bool *stop);
/* The result of a fit that does not begin any more. */
void vise_i_sweep_fit_drop(vise_i_sweep_fit *fit);

#endif
