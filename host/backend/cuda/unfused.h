/*
 * The unfused step: products by cuBLASLt and the kernels of kernels/unfused.h, one launch each, on the stream of
 * steps; or the same captured in a CUDA graph and replayed. It works on the memory and the records of the fused step's
 * team, so that everything around a step (data, statistics, state, projection, outputs) is the same for both.
 *   blas.c              cuBLAS
 *   unfused_products.c  the products of a batch size: layouts, epilogues, algorithms
 *   unfused.c           memory; the launches of a step; graphs
 */
#ifndef VISE_I_CUDA_UNFUSED_H
#define VISE_I_CUDA_UNFUSED_H

#include "host/backend/cuda/blas.h"
#include "host/backend/cuda/cuda.h"
#include "kernels/unfused.h"

enum { VISE_I_UNFUSED_SHAPES = 4, VISE_I_UNFUSED_GRAPHS = 2 };

/* One product, ready to be called: D = epilogue(op(A) op(B)), column-major as cuBLAS has it. */
typedef struct vise_i_product {
  cublasLtMatmulDesc_t operation;
  cublasLtMatrixLayout_t a, b, d;
  cublasLtMatmulAlgo_t algorithm;
  cublasLtEpilogue_t epilogue;
  const void *pa, *pb;
  void *pd;
} vise_i_product;

/* A captured step. A launch depends on nothing but the data that the step reads. */
typedef struct vise_i_unfused_graph {
  cudaGraphExec_t graph;
  vise_k_step step; /* as captured */
  uint32_t n_launches;
} vise_i_unfused_graph;

/* The step for batches of n_rows rows. */
typedef struct vise_i_unfused_shape {
  uint32_t n_rows; /* 0: free */
  vise_i_product forward[VISE_K_MAX_LAYERS], gradient[VISE_K_MAX_LAYERS];
  vise_i_product delta[VISE_K_MAX_LAYERS]; /* of hidden layers */
  bool has_run;                            /* once without a graph, so that everything is loaded */
  vise_i_unfused_graph graphs[VISE_I_UNFUSED_GRAPHS];
  uint32_t next_graph;
} vise_i_unfused_shape;

typedef struct vise_i_unfused {
  vise_i_blas blas;
  bool replays; /* unfused-graph */
  uint32_t n_sms;
  char *memory; /* one block for all of the following */
  size_t n_bytes;
  vise_k_unfused_context *context;
  double *loss_leaves; /* of row losses */
  double *group_sums;  /* [3][n_groups], for nets where all multiprocessors sum them; or NULL */
  char *workspace;     /* of cuBLAS */
  size_t n_workspace;
  char *masks[VISE_K_MAX_LAYERS]; /* of relu, bits: [max_rows][mask_ld] */
  int64_t mask_ld[VISE_K_MAX_LAYERS];
  vise_i_unfused_shape shapes[VISE_I_UNFUSED_SHAPES];
  uint32_t next_shape;
} vise_i_unfused;

/* Bytes that it takes apart from the arena, by the train plan; 0 if steps are fused. */
VISE_WARN_UNUSED vise_status vise_i_unfused_count(vise_i_cuda *b, size_t *out, vise_error *err);

/* Makes b->unfused, after the arena. VISE_ERR_UNSUPPORTED without cuBLAS. */
VISE_WARN_UNUSED vise_status vise_i_unfused_create(vise_i_cuda *b, vise_error *err);
void vise_i_unfused_destroy(vise_i_cuda *b);

/* Launches one step of n_rows rows, the next of the team's state; b->n_launched is how many launches that took:
   kernels, calls of cuBLAS, or nodes of the graph. replay: by a graph, where the backend has graphs. */
VISE_WARN_UNUSED vise_status vise_i_unfused_launch(vise_i_cuda *b, const vise_k_step *step, size_t n_rows, bool replay,
                                                   vise_error *err);

/* What products read: weights, or those of an integer net. */
static inline float *vise_i_unfused_used(const vise_k_step *step) {
  return step->rounds ? step->rounding.rounded : step->params;
}

/* Whether cuBLAS may leave a mask of relu on the way through a hidden layer, and use it on the way back. */
static inline bool vise_i_unfused_masks_relu(const vise_k_layer *layer) {
  return layer->activation == VISE_RELU && vise_k_unfused_is_plain_back(layer);
}

/* ---- unfused_products.c ---- */

/* Fills the products of a shape whose n_rows is set; what it made so far is for vise_i_unfused_close_shape, also after
   an error. */
VISE_WARN_UNUSED vise_status vise_i_unfused_open_shape(vise_i_cuda *b, vise_i_unfused_shape *shape, vise_error *err);
void vise_i_unfused_close_shape(vise_i_unfused *u, vise_i_unfused_shape *shape);
VISE_WARN_UNUSED vise_status vise_i_unfused_multiply(vise_i_cuda *b, const vise_i_product *product, vise_error *err);

#endif
