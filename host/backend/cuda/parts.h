/*
 * Steps on batches in parts (host/ranks/parts.h). A step is two launches of the fused kernel: the gradients of this process's
 * parts, one after the other, each added to those that it makes a node of the tree with; and all that comes after the gradient.
 * Each batch norm cuts the first one in two, on the way forward and on the way back: it needs what all parts found up to there.
 * In between ranks exchange that, and nodes, on the device, by NCCL, in the same stream:
 *   parts.c     memory, records and launches
 *   exchange.c  what goes from rank to rank, and waiting for it
 *   nccl.h      NCCL
 * Sums of up to 256 KiB go from every rank to every other, and the second launch adds them. Of larger ones a rank adds a slice,
 * by a launch of its own, and sends that to all. Either way the additions are those of host/ranks/sum.c.
 */
#ifndef VISE_I_CUDA_PARTS_H
#define VISE_I_CUDA_PARTS_H

#include "host/backend/cuda/cuda.h"
#include "host/backend/part_nodes.h"

enum { VISE_I_CUDA_STEPS_AHEAD = 16 }; /* that the host may be ahead of the device, where it waits with a deadline */

struct vise_i_nccl;
struct vise_i_nccl_comm;

typedef struct vise_i_cuda_parts {
  vise_ranks *ranks;
  size_t most;                          /* parts of a batch */
  vise_k_step_stats *found;             /* device [VISE_K_MOST_PARTS]: loss and n_correct of each part */
  float *received;                      /* device: slices of other ranks' nodes; NULL: none come */
  uint16_t places[VISE_I_CUDA_RECORDS]; /* of the steps of a block: the record of the second launch; those of the parts
                                           come before it */

  /* Of several ranks: */
  struct vise_i_nccl *nccl;
  struct vise_i_nccl_comm *comm;               /* NULL: the ranks have not joined yet */
  cudaEvent_t passed[VISE_I_CUDA_STEPS_AHEAD]; /* step i is over: passed[i % VISE_I_CUDA_STEPS_AHEAD] */
  uint64_t n_begun, n_passed;                  /* steps */
  bool is_broken;                              /* an exchange failed on its way to the device */
} vise_i_cuda_parts;

/* ---- parts.c ---- */

/* Before the plan: b->parts, NULL unless batches are in parts. */
VISE_WARN_UNUSED vise_status vise_i_cuda_parts_create(vise_i_cuda *b, vise_error *err);
/* Its arrays in the arena. */
void vise_i_cuda_parts_place(vise_i_cuda *b, vise_i_cuda_placer *p);
void vise_i_cuda_parts_destroy(vise_i_cuda *b);

/* Most steps of a block. */
size_t vise_i_cuda_parts_most_steps(const vise_i_cuda *b);
/* Makes of the n records of whole steps in the mail those of launches; returns their number. */
size_t vise_i_cuda_parts_spread(vise_i_cuda *b, size_t n);
/* The steps of a block of n that are done, by the device's cursor. */
size_t vise_i_cuda_parts_done(const vise_i_cuda *b, size_t n, uint32_t cursor);
/* Launches a step, the i-th of the block. */
VISE_WARN_UNUSED vise_status vise_i_cuda_parts_launch(vise_i_cuda *b, const vise_k_step *step, size_t i,
                                                      vise_error *err);

/* ---- exchange.c: of several ranks ---- */

/* All ranks join, the first time. */
VISE_WARN_UNUSED vise_status vise_i_cuda_exchange_open(vise_i_cuda *b, vise_error *err);
void vise_i_cuda_exchange_close(vise_i_cuda *b);
/* Puts the exchange of a step's nodes, and of what parts found, into the stream; counts the launches. */
VISE_WARN_UNUSED vise_status vise_i_cuda_exchange(vise_i_cuda *b, const vise_i_part_nodes *nodes, vise_error *err);
/* The same of what the parts found at the batch norm that the launch ends at. */
VISE_WARN_UNUSED vise_status vise_i_cuda_exchange_norm(vise_i_cuda *b, const vise_i_part_nodes *nodes,
                                                       const vise_k_step *launch, vise_error *err);
/* Floats of the slices that come from other ranks, of batches of n_rows rows; n_params: of the device layout. */
size_t vise_i_cuda_exchange_floats(const vise_i_cuda *b, size_t n_rows, size_t n_params);
/* After a step's launches: waits until no more than VISE_I_CUDA_STEPS_AHEAD are under way. */
VISE_WARN_UNUSED vise_status vise_i_cuda_exchange_begun(vise_i_cuda *b, vise_error *err);
/* Waits for all steps that have begun, before anything that waits without a deadline. VISE_ERR_IO: a rank did not come. */
VISE_WARN_UNUSED vise_status vise_i_cuda_exchange_await(vise_i_cuda *b, vise_error *err);

#endif
