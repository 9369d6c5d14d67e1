/*
 * Files of other programs whose net is more than linear layers and activations: an nn.Sequential of Linear, BatchNorm1d,
 * activation and Dropout modules. Modules without tensors are known by their places alone: one between two linear layers
 * is an activation, two are an activation and a dropout; one at the start is a dropout, all of which are off.
 */
#ifndef VISE_I_FOREIGN_H
#define VISE_I_FOREIGN_H

#include "host/model/safetensors.h"
#include "host/net/net.h"

/* Whether the file has batch norm, or modules elsewhere than "0", "2", "4", ... */
bool vise_i_foreign_has_modules(const vise_i_st_file *file);

/* The net of such a file, its hidden layers with this activation. */
VISE_WARN_UNUSED vise_status vise_i_foreign_net(const vise_i_st_file *file, const char *path,
                                                vise_activation activation, vise_i_net *out, vise_error *err);

/* Whether the name is that of a bias which a batch norm makes superfluous. */
bool vise_i_foreign_is_absorbed(const vise_i_net *net, const char *name);

/* Subtracts such biases from the running means, which are of sums without them then; the outputs stay as they were. params
   are those of the net, of the file's type. */
VISE_WARN_UNUSED vise_status vise_i_foreign_absorb(const vise_i_st_file *file, const char *path, const vise_i_net *net,
                                                   vise_dtype dtype, void *params, vise_error *err);

#endif
