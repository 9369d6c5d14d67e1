/* The insides of a model, shared only by the files of this layer. */
#ifndef VISE_I_MODEL_STRUCT_H
#define VISE_I_MODEL_STRUCT_H

#include <jansson.h>
#include <stdatomic.h>

#include "host/base/error.h"
#include "host/model/model.h"
#include "host/model/safetensors.h"
#include "host/net/net.h"
#include "vise/model.h"

/* Scaling of one side of the net: shift and scale are [n] for kind standard, else NULL. */
typedef struct vise_i_scaler {
  vise_scale kind;
  size_t n;
  double *shift, *scale;
} vise_i_scaler;

struct vise_model {
  atomic_size_t n_references;
  vise_i_net net;
  vise_dtype dtype;
  void *params;            /* float or double [net.n_values] */
  uint8_t *mask;           /* [net.n_params] or NULL */
  int8_t *signs;           /* the same */
  vise_init_scheme scheme; /* that drew the weights, if is_drawn */
  bool is_drawn;
  bool lacks_activation, lacks_loss; /* the file did not say: another program wrote it */
  vise_loss loss;
  vise_mse_reduction mse_reduction;
  double label_smoothing;
  vise_i_scaler features, targets;
  char *preprocessing;               /* JSON text; NULL: none */
  vise_i_quantization *quantization; /* NULL: none */
  uint64_t n_batches_tracked;        /* batches in the running statistics of its batch norms */
};

/* A model of the net with all weights 0, as vise_model_create makes it. */
VISE_WARN_UNUSED vise_status vise_i_model_of_net(const vise_i_net *net, vise_dtype dtype, vise_model **out,
                                                 vise_error *err);

/* Sets scaler of n columns; side ("feature", "target") is for messages. */
VISE_WARN_UNUSED vise_status vise_i_scaler_set(vise_i_scaler *scaler, const char *side, vise_scale kind,
                                               const double *shift, const double *scale, vise_error *err);
void vise_i_scaler_free(vise_i_scaler *scaler);

/* The model's description (all but weights and mask) as a JSON text with 17 digits, and back: parse makes a model with
   zero weights. text and name (of the file, for messages) are borrowed; free() the *out of format. n_numbers is what
   the file's tensors hold: a description with another number of parameters is refused before memory is allocated for
   it. */
VISE_WARN_UNUSED vise_status vise_i_model_meta_format(const vise_model *model, char **out, vise_error *err);
VISE_WARN_UNUSED vise_status vise_i_model_meta_parse(const char *text, const char *name, vise_dtype dtype,
                                                     size_t n_numbers, vise_model **out, vise_error *err);

/* The model in a file that was read; path is for messages. */
VISE_WARN_UNUSED vise_status vise_i_model_from_tensors(const vise_i_st_file *file, const char *path, vise_model **out,
                                                       vise_error *err);

/* Zeroes the weights that the model's mask prunes; nothing without a mask. */
void vise_i_model_apply_mask(vise_model *model);
/* The same of those on the wrong side of 0 (signs.c). */
void vise_i_model_apply_signs(vise_model *model);

/* Zeroes the floor(fraction*n + 0.5) smallest |w| of the chosen layers and clears their mask bytes; returns how many
   weights that is. All weights must be finite. chosen: [net->n_layers]. */
size_t vise_i_prune(const vise_i_weights *weights, const bool *chosen, double fraction, vise_prune_scope scope);

#endif
