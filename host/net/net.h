/*
 * What a net is: a list of layers, each of a kind that kinds.c describes, and where every tensor lies in the flat array
 * of parameters. The list has a grammar: an input dropout, hidden blocks, and a linear layer at the end. A block is a
 * linear layer and what follows it: batch norm, activation, dropout, residual addition, in this order, each at most
 * once. The fast backends work by blocks, which they can fuse; the oracle walks the list.
 */
#ifndef VISE_I_NET_H
#define VISE_I_NET_H

#include <stdint.h>

#include "host/base/error.h"
#include "vise/model.h"

enum {
  VISE_I_MOST_LISTED = 5 * VISE_MAX_LAYERS + 1,  /* layers of the list */
  VISE_I_MOST_TENSORS = 3 * VISE_MAX_LAYERS,     /* that are trained */
  VISE_I_MOST_ALL_TENSORS = 5 * VISE_MAX_LAYERS, /* running statistics too */
};

/* No such tensor. */
#define VISE_I_NO_TENSOR ((size_t)-1)

/* What a tensor is for. Weights are penalized, boxed, pruned; the other trained ones are treated as biases: exempt unless
   asked. Running statistics are state: no step's gradient reaches them. */
typedef enum vise_i_role {
  VISE_I_WEIGHT,
  VISE_I_BIAS,
  VISE_I_GAIN,  /* of batch norm */
  VISE_I_SHIFT, /* of batch norm */
  VISE_I_RUNNING_MEAN,
  VISE_I_RUNNING_VARIANCE
} vise_i_role;

typedef struct vise_i_tensor {
  size_t offset;         /* into the flat parameters */
  size_t n_rows, n_cols; /* all but a weight are [n_rows, 1] */
  size_t layer;          /* the linear layer that it belongs to or follows */
  vise_i_role role;
  bool is_bias;  /* treated as biases are: all but weights */
  char name[32]; /* "0.weight" */
} vise_i_tensor;

/* One layer of the list: n_in values of a row to n_out. */
typedef struct vise_i_layer {
  vise_layer_kind kind;
  size_t n_in, n_out;
  size_t block;               /* the linear layer that it is or follows; of the input dropout: 0 */
  vise_activation activation; /* of kind activation */
  double dropout;             /* of kind dropout */
  size_t from;                /* of kind residual: the layer whose inputs are added */
  size_t module;              /* its index in an nn.Sequential, where it is a module there */
} vise_i_layer;

/* A linear layer and what follows it. Tensors are indices, VISE_I_NO_TENSOR where there is none. */
typedef struct vise_i_block {
  size_t weight, bias, gain, shift, running_mean, running_variance;
  size_t linear;              /* in the list of layers */
  bool batch_norm, residual;  /* residual: the inputs of the block are added to its outputs */
  bool has_activation;        /* a layer of the list, also where it is the identity */
  vise_activation activation; /* identity where there is none */
  double dropout;             /* 0: none */
} vise_i_block;

typedef struct vise_i_net {
  size_t n_layers; /* blocks: linear layers */
  size_t widths[VISE_MAX_LAYERS + 1];
  vise_i_block blocks[VISE_MAX_LAYERS];
  double input_dropout;       /* 0: none */
  vise_activation activation; /* of the first hidden layer; without one, what the net was made with */

  size_t n_listed;
  vise_i_layer layers[VISE_I_MOST_LISTED];

  size_t n_tensors;     /* trained, the first ones: W_0, b_0, W_1, ...; with batch norm W_0, gain_0, shift_0, ... */
  size_t n_all_tensors; /* and running statistics after them: mean_0, variance_0, ... */
  vise_i_tensor tensors[VISE_I_MOST_ALL_TENSORS];
  size_t n_params; /* numbers that are trained */
  size_t n_values; /* all numbers of the flat array */
} vise_i_net;

/* Fills *net from the shorthand; checks widths and the parameter count. */
VISE_WARN_UNUSED vise_status vise_i_net_make(const vise_net_config *given, vise_i_net *net, vise_error *err);
/* The same from a list. */
VISE_WARN_UNUSED vise_status vise_i_net_of_layers(size_t n_inputs, const vise_layer *layers, size_t n_layers,
                                                  vise_i_net *net, vise_error *err);
/* Layer i of the net's list as the public struct. */
vise_layer vise_i_net_layer(const vise_i_net *net, size_t i);

/* Gives all activations of the net this kind. */
void vise_i_net_set_activation(vise_i_net *net, vise_activation activation);

static inline size_t vise_i_tensor_n(const vise_i_tensor *tensor) {
  return tensor->n_rows * tensor->n_cols;
}

/* Whether a layer is more than a linear one with an activation, of one kind throughout, and all have biases or none: what
   a vise_net_config of the first release says. */
bool vise_i_net_is_plain(const vise_i_net *net);

/* Whether rows of a batch depend on each other; whether training draws random numbers. */
bool vise_i_net_has_batch_norm(const vise_i_net *net);
bool vise_i_net_has_dropout(const vise_i_net *net);

/* Rows of the next batch where `left` are left of an epoch, in batches of `size`: the last takes what is left. With batch
   norm a last row alone, which has no variance, joins the batch before. */
size_t vise_i_batch_rows(const vise_i_net *net, size_t size, size_t left);
/* Batches of an epoch of n rows, at least 1. */
size_t vise_i_n_batches(const vise_i_net *net, size_t size, size_t n);

/* ---- dropout ---- */

/* A value is kept where the 24 bits of its draw, x >> 8, are at least this. */
static inline uint32_t vise_i_dropout_threshold(double p) {
  const double t = p * 16777216.0;
  const uint32_t whole = (uint32_t)t;
  return whole + ((double)whole < t);
}

/* What kept values are multiplied by; a float in every backend. */
static inline float vise_i_dropout_scale(double p) {
  return (float)(1.0 / (1.0 - p));
}

#endif
