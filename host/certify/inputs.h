/* The inputs of a model before scaling: of arrays as they are; of a table numbers in its units, and 0 or 1 for what its
   preprocessor made of texts and gaps. The net sees (x - shift) / scale. */
#ifndef VISE_I_INPUTS_H
#define VISE_I_INPUTS_H

#include "host/base/error.h"
#include "vise/model.h"

typedef struct vise_i_inputs {
  size_t n;
  double *shift, *scale; /* [n] */
  double *fill;          /* [n]: what a gap in a column of numbers becomes; 0 else */
  bool *is_bit;          /* [n]: 0 or 1 */
  char **names;          /* [n]; NULL: a model of arrays */
  char **classes;        /* [n_classes], the names of a table's classes */
  size_t n_classes;
  vise_scale kind; /* of a model of arrays */
} vise_i_inputs;

/* *out is to be freed on failure too. VISE_ERR_FORMAT: the model's preprocessor is damaged, or another net's. */
VISE_WARN_UNUSED vise_status vise_i_inputs_of(const vise_model *model, vise_i_inputs *out, vise_error *err);
void vise_i_inputs_free(vise_i_inputs *inputs);

#endif
