/* Trainings of nets with batch norm, dropout and residuals, on any backend, with penalties, clips, box and mask. */
#ifndef VISE_T_LAYERS_RIG_H
#define VISE_T_LAYERS_RIG_H

#include "tests/support/backend_rig.h"

enum { LAYERS_ROWS = 67, LAYERS_BATCH = 11, LAYERS_IN = 19, LAYERS_OUT = 5, LAYERS_MOST_STEPS = 24 };

/* What the hidden layers have. */
typedef struct layers_net {
  const char *name;
  bool batch_norm, residual;
  double dropout, input_dropout;
  size_t first; /* units of the first hidden layer */
} layers_net;

/* Each kind alone, then, as the last, all together. */
extern const layers_net layers_nets[];
extern const size_t n_layers_nets;

typedef struct layers_rig {
  const char *name; /* of its net */
  const vise_i_backend_ops *ops;
  vise_i_net net;
  vise_i_step_spec spec;
  vise_i_data data;
  double *params, x[LAYERS_ROWS * LAYERS_IN], y[LAYERS_ROWS], row_weights[LAYERS_ROWS];
  size_t order[LAYERS_ROWS];
  vise_i_hyper hyper[LAYERS_MOST_STEPS];
} layers_rig;

/* 19-12-19-19-19-5: four hidden layers, of which two, or all if the first has 19 units, keep their width; an epoch is 6 batches of 11, and one row, which with
   batch norm joins the last. Adam, L2, value clip, norm clip, box on all parameters. */
layers_rig *layers_rig_make(const vise_i_backend_ops *ops, const layers_net *net, vise_activation activation);
void layers_rig_free(layers_rig *r);

/* A backend with weights, data and order. */
vise_i_backend *layers_rig_start(const layers_rig *r);
/* Takes n steps from `first` of the training on, in calls of up to `most`, into stats[n]. */
void layers_rig_run(const layers_rig *r, vise_i_backend *b, size_t first, size_t n, size_t most,
                    vise_step_stats *stats);
/* All parameters, [net.n_values]; free(). */
double *layers_rig_params(const layers_rig *r, vise_i_backend *b);

#endif
