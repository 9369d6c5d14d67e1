/* A model made ready to run forward over a dataset: what evaluation and prediction share. */
#ifndef VISE_I_INFERENCE_H
#define VISE_I_INFERENCE_H

#include "host/backend/backend.h"
#include "host/train/metrics.h"
#include "vise/evaluate.h"

typedef struct vise_i_inference {
  vise_i_backend *backend; /* holds the model's weights */
  vise_model *model;       /* a copy in the backend's type */
  vise_i_scales scales;
  vise_i_view view;
  size_t n_outputs, chunk;     /* chunk: rows at a time */
  const double *class_weights; /* of the loss, borrowed; NULL: none */
  vise_integer_report *report; /* to be filled when it is closed; NULL: it is no integer net, or nobody asks */
} vise_i_inference;

/* Picks the backend and checks the dataset against the model; config NULL: the defaults. *out is untouched on failure.
   Errors: those of vise_evaluate. */
VISE_WARN_UNUSED vise_status vise_i_inference_open(const vise_model *model, const vise_dataset *dataset,
                                                   const vise_eval_config *config, bool need_targets,
                                                   vise_i_inference *out, vise_error *err);
/* Its pass over all rows; borrows the inference. */
vise_i_pass vise_i_inference_pass(const vise_i_inference *inference);
void vise_i_inference_close(vise_i_inference *inference);

#endif
