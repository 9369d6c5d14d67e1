/*
 * What the plan of a step on a batch in parts goes by, and its launches on the cuda backend: which nodes of the tree of parts
 * there are before ranks exchange them, whose they are and where they lie. Plain C, also in builds without CUDA.
 */
#ifndef VISE_I_PART_NODES_H
#define VISE_I_PART_NODES_H

#include "host/backend/step_plan.h"
#include "host/ranks/parts.h"

/* The nodes of the tree that the parts of a batch have become. */
typedef struct vise_i_part_nodes {
  vise_i_parts parts;  /* of this rank */
  size_t n_own, n_all; /* nodes of this rank, of all */
  size_t first;        /* nodes of the ranks before it */
  uint8_t all;         /* bit p: one begins at part p */
  bool travel_whole;   /* to every rank, which all add them up */
} vise_i_part_nodes;

/* Of a batch of n_rows rows; the spec has parts. */
vise_i_part_nodes vise_i_part_nodes_of(const vise_i_step_spec *spec, size_t n_rows);
/* Where the gradient of part p, of this rank's own, goes: a node that it completes is added to the one before it. depth: nodes
   so far. */
vise_k_part_place vise_i_part_place(const vise_i_parts *parts, size_t p, size_t depth);
/* The place of the first of its nodes among the gradients. */
size_t vise_i_part_own_place(const vise_i_part_nodes *nodes);

/* Parts of this rank, at most. */
size_t vise_i_part_most_own(const vise_i_step_spec *spec);
/* Rows of a launch, and the parts and gradients that there is room for; nothing where batches are in one piece. */
void vise_i_part_request(const vise_i_step_spec *spec, vise_i_plan_request *request);
/* Refuses what steps in parts on the cuda backend lack. */
VISE_WARN_UNUSED vise_status vise_i_part_check(const vise_i_step_spec *spec, vise_error *err);

#endif
