/* The table of layer kinds: what a net must know of each to give it a shape, tensors and names. */
#ifndef VISE_I_KINDS_H
#define VISE_I_KINDS_H

#include "host/net/net.h"

enum { VISE_I_MOST_OWN_TENSORS = 4 };

typedef struct vise_i_kind {
  const char *after;                          /* what it may follow, for messages */
  int place;                                  /* within a block: layers come in this order */
  bool is_module;                             /* counts in an nn.Sequential */
  size_t n_tensors;                           /* most that it has */
  vise_i_role roles[VISE_I_MOST_OWN_TENSORS]; /* in the order in which they are saved */
} vise_i_kind;

const vise_i_kind *vise_i_kind_of(vise_layer_kind kind);

/* The name after the module's index, as PyTorch has it. */
const char *vise_i_role_name(vise_i_role role);
/* Whether a step trains it. */
bool vise_i_role_is_trained(vise_i_role role);

#endif
