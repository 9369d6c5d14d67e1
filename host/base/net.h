/* The description of a net: widths, activation, and where each tensor lies in the flat parameter array. */
#ifndef VISE_I_NET_H
#define VISE_I_NET_H

#include "host/base/error.h"
#include "vise/model.h"

typedef struct vise_i_tensor {
  size_t offset;         /* into the flat parameters */
  size_t n_rows, n_cols; /* a bias is [n_rows, 1] */
  size_t layer;
  bool is_bias;
  char name[24]; /* "0.weight" */
} vise_i_tensor;

typedef struct vise_i_net {
  size_t n_layers;
  size_t widths[VISE_MAX_LAYERS + 1];
  vise_activation activation;
  bool bias;
  size_t n_tensors;                           /* n_layers, or 2 * n_layers with bias */
  vise_i_tensor tensors[2 * VISE_MAX_LAYERS]; /* W_0, b_0, W_1, ... */
  size_t n_params;
} vise_i_net;

/* Fills *net; checks widths and the parameter count. */
VISE_WARN_UNUSED vise_status vise_i_net_make(const vise_net_config *given, vise_i_net *net, vise_error *err);

static inline size_t vise_i_tensor_n(const vise_i_tensor *tensor) {
  return tensor->n_rows * tensor->n_cols;
}

/* Tensor index of layer's weight and bias (bias only if net->bias). */
size_t vise_i_net_weight(const vise_i_net *net, size_t layer);
size_t vise_i_net_bias(const vise_i_net *net, size_t layer);

#endif
