/*
 * The matrix products of the unfused step. Rows of batches and weights are rows in memory and so columns to cuBLAS:
 * with X [rows][n_in], W [n_out][n_in], D = dL/dZ [rows][n_out] as we have them, cuBLAS is asked for
 *
 *   forward   Z' = W X'         n_out x rows,  bias and relu (with its mask) as epilogues
 *   delta     (D W)' = W' D'    n_in x rows,   relu's derivative by the mask
 *   gradient  (D' X)' = X' D    n_in x n_out,  the bias gradient from the sums over rows of D
 *
 * Where batch norm, dropout, rounding or a residual comes between product and activation, or its derivative, relu is left to the
 * kernels that do these, and the product is in float32 in bf16 too.
 *
 * An epilogue that cuBLAS does not have for the types at hand is left to a kernel: candidates are tried in order.
 */
#include <string.h>

#include "host/backend/cuda/unfused.h"

enum { MOST_ALGORITHMS = 4 };

/* A product before cuBLAS knows of it: D [m x n] = op(A) op(B), k terms each. */
typedef struct request {
  bool transpose_a, transpose_b;
  uint64_t m, n, k;
  const void *a, *b;
  void *d;
  uint64_t ld_a, ld_b, ld_d;
  cudaDataType in, out;
  cublasLtEpilogue_t epilogues[5]; /* to try in this order, ended by CUBLASLT_EPILOGUE_DEFAULT */
  void *bias;
  cudaDataType bias_type;
  void *mask;
  int64_t mask_ld;
} request;

static bool has_mask(cublasLtEpilogue_t e) {
  return e == CUBLASLT_EPILOGUE_RELU_AUX || e == CUBLASLT_EPILOGUE_RELU_AUX_BIAS || e == CUBLASLT_EPILOGUE_DRELU;
}

static bool adds_bias(cublasLtEpilogue_t e) {
  return e == CUBLASLT_EPILOGUE_BIAS || e == CUBLASLT_EPILOGUE_RELU_BIAS || e == CUBLASLT_EPILOGUE_RELU_AUX_BIAS ||
         e == CUBLASLT_EPILOGUE_BGRADB;
}

/* The largest power of two, up to 256, that divides an address. */
static uint32_t alignment_of(const void *p) {
  uint32_t alignment = 256;
  while ((uintptr_t)p % alignment != 0) alignment /= 2;
  return alignment;
}

#define SET_OPERATION(attribute, value) \
  VISE_I_BLAS_TRY(u->blas.operation_set(p->operation, CUBLASLT_MATMUL_DESC_##attribute, &(value), sizeof(value)))

static vise_status set_epilogue(vise_i_unfused *u, const request *r, cublasLtEpilogue_t epilogue, vise_i_product *p,
                                vise_error *err) {
  vise_status status;
  const uint32_t kind = epilogue;
  SET_OPERATION(EPILOGUE, kind);

  if (adds_bias(epilogue)) {
    const int32_t type = r->bias_type;
    SET_OPERATION(BIAS_POINTER, r->bias);
    SET_OPERATION(BIAS_DATA_TYPE, type);
  }

  if (has_mask(epilogue)) {
    SET_OPERATION(EPILOGUE_AUX_POINTER, r->mask);
    SET_OPERATION(EPILOGUE_AUX_LD, r->mask_ld);
  }

  p->epilogue = epilogue;
done:
  return status;
}

static vise_status make_preference(vise_i_unfused *u, const request *r, cublasLtMatmulPreference_t *out,
                                   vise_error *err) {
  vise_status status;
  const uint64_t workspace = u->n_workspace;
  const struct {
    cublasLtMatmulPreferenceAttributes_t attribute;
    uint32_t bytes;
  } alignments[] = {{CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, alignment_of(r->a)},
                    {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignment_of(r->b)},
                    {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, alignment_of(r->d)},
                    {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, alignment_of(r->d)}};

  VISE_I_BLAS_TRY(u->blas.preference_create(out));
  VISE_I_BLAS_TRY(u->blas.preference_set(*out, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace, sizeof workspace));
  for (size_t i = 0; i < sizeof alignments / sizeof *alignments; i++) {
    VISE_I_BLAS_TRY(u->blas.preference_set(*out, alignments[i].attribute, &alignments[i].bytes, sizeof(uint32_t)));
  }

done:
  return status;
}

static cublasStatus_t multiply(const vise_i_cuda *b, const vise_i_product *p) {
  const vise_i_unfused *u = b->unfused;
  const float one = 1, zero = 0;
  return u->blas.multiply(u->blas.handle, p->operation, &one, p->pa, p->a, p->pb, p->b, &zero, p->pd, p->d, p->pd, p->d,
                          &p->algorithm, u->workspace, u->n_workspace, b->cx->steps);
}

vise_status vise_i_unfused_multiply(vise_i_cuda *b, const vise_i_product *p, vise_error *err) {
  vise_status status;
  VISE_I_BLAS_TRY(multiply(b, p));
done:
  return status;
}

/* Finds an algorithm for the product with the epilogue that is set: the best, as cuBLAS ranks them, that also runs,
   since it promises some that it then refuses. The targets hold nothing of use yet, and the stream of steps is not
   capturing. Returns why there is none. */
static cublasStatus_t find_algorithm(vise_i_cuda *b, cublasLtMatmulPreference_t preference, vise_i_product *p) {
  const vise_i_unfused *u = b->unfused;
  cublasLtMatmulHeuristicResult_t results[MOST_ALGORITHMS];
  int n = 0;

  memset(results, 0, sizeof results);
  cublasStatus_t found =
      u->blas.choose(u->blas.handle, p->operation, p->a, p->b, p->d, p->d, preference, MOST_ALGORITHMS, results, &n);
  if (found != CUBLAS_STATUS_SUCCESS) return found;

  found = CUBLAS_STATUS_NOT_SUPPORTED;
  for (int i = 0; i < n && found != CUBLAS_STATUS_SUCCESS; i++) {
    p->algorithm = results[i].algo;
    found = results[i].state != CUBLAS_STATUS_SUCCESS ? results[i].state : multiply(b, p);
  }

  return found;
}

/* Chooses the first epilogue that cuBLAS has an algorithm for, and the algorithm. */
static vise_status choose(vise_i_cuda *b, const request *r, vise_i_product *p, vise_error *err) {
  vise_status status;
  vise_i_unfused *u = b->unfused;
  cublasLtMatmulPreference_t preference = NULL;

  VISE_TRY(make_preference(u, r, &preference, err));
  for (size_t i = 0;; i++) {
    VISE_TRY(set_epilogue(u, r, r->epilogues[i], p, err));
    const cublasStatus_t found = find_algorithm(b, preference, p);
    if (found == CUBLAS_STATUS_SUCCESS) break;

    if (r->epilogues[i] != CUBLASLT_EPILOGUE_DEFAULT) continue;
    VISE_I_CUDA_TRY(b->cx, cudaStreamSynchronize(b->cx->steps)); /* fails if the device itself did */
    VISE_TRY(vise_i_fail(err, VISE_ERR_UNSUPPORTED,
                         "`step_mode` unfused: cuBLAS has no product of %llu x %llu x %llu (status %d)",
                         (unsigned long long)r->m, (unsigned long long)r->n, (unsigned long long)r->k, (int)found));
  }

done:
  if (preference) (void)u->blas.preference_destroy(preference);
  return status;
}

static void close_product(vise_i_unfused *u, vise_i_product *p) {
  if (p->operation) (void)u->blas.operation_destroy(p->operation);
  if (p->a) (void)u->blas.layout_destroy(p->a);
  if (p->b) (void)u->blas.layout_destroy(p->b);
  if (p->d) (void)u->blas.layout_destroy(p->d);
  memset(p, 0, sizeof *p);
}

static vise_status open_product(vise_i_cuda *b, const request *r, vise_i_product *p, vise_error *err) {
  vise_status status;
  vise_i_unfused *u = b->unfused;
  const cublasComputeType_t compute =
      b->base.spec.precision == VISE_TF32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
  const int32_t op_a = r->transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N, op_b = r->transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N;

  close_product(u, p);
  VISE_I_BLAS_TRY(u->blas.operation_create(&p->operation, compute, CUDA_R_32F));
  SET_OPERATION(TRANSA, op_a);
  SET_OPERATION(TRANSB, op_b);

  VISE_I_BLAS_TRY(u->blas.layout_create(&p->a, r->in, r->transpose_a ? r->k : r->m, r->transpose_a ? r->m : r->k,
                                        (int64_t)r->ld_a));
  VISE_I_BLAS_TRY(u->blas.layout_create(&p->b, r->in, r->transpose_b ? r->n : r->k, r->transpose_b ? r->k : r->n,
                                        (int64_t)r->ld_b));
  VISE_I_BLAS_TRY(u->blas.layout_create(&p->d, r->out, r->m, r->n, (int64_t)r->ld_d));

  p->pa = r->a;
  p->pb = r->b;
  p->pd = r->d;
  VISE_TRY(choose(b, r, p, err));

done:
  return status;
}

/* ---- operands ---- */

static bool is_bf16(const vise_i_cuda *b) {
  return b->train.step.params16 != NULL;
}

static void *params_at(const vise_i_cuda *b, uint64_t at) {
  return is_bf16(b) ? (void *)(b->train.step.params16 + at) : (void *)(vise_i_unfused_used(&b->train.step) + at);
}

/* wide: in float32 whatever the precision. */
static void *activations_at(const vise_i_cuda *b, uint64_t at, bool wide) {
  return is_bf16(b) && !wide ? (void *)(b->train.step.activations16 + at) : (void *)(b->train.step.activations + at);
}

/* What a layer reads: rows gathered, or the activations below. */
static const void *inputs_of(const vise_i_cuda *b, size_t l, uint64_t *ld) {
  const vise_k_step *step = &b->train.step;
  if (l > 0) {
    *ld = step->layers[l - 1].ld_out;
    return activations_at(b, step->layers[l - 1].out, false);
  }
  *ld = step->ld_inputs;
  return is_bf16(b) ? (const void *)step->inputs16 : (const void *)step->inputs;
}

/* Adds an epilogue to those to try, unless a test turns it off. */
static void try_epilogue(const vise_i_cuda *b, request *r, size_t *n, cublasLtEpilogue_t epilogue) {
  if (b->base.spec.hooks.without_epilogues >= (has_mask(epilogue) ? 1 : 2)) return;
  r->epilogues[(*n)++] = epilogue;
}

/* Where the product of a layer goes. */
static uint64_t product_at(const vise_k_layer *layer) {
  if (layer->has_norm) return vise_k_linear(layer);
  return vise_i_activation_needs_z((vise_activation)layer->activation) ? vise_k_pre(layer) : layer->out;
}

static vise_status open_forward(vise_i_cuda *b, vise_i_unfused_shape *shape, size_t l, vise_error *err) {
  const vise_k_step *step = &b->train.step;
  const vise_k_layer *layer = &step->layers[l];
  const bool plain = vise_k_unfused_is_plain(layer), wide = l + 1 == step->n_layers || !plain;
  const bool relu = layer->activation == VISE_RELU && plain, has_bias = vise_k_has_bias(layer);
  const cudaDataType in = is_bf16(b) ? CUDA_R_16BF : CUDA_R_32F, out = wide ? CUDA_R_32F : in;
  size_t n = 0;

  request r = {.transpose_a = true,
               .m = layer->n_out,
               .n = shape->n_rows,
               .k = layer->n_in,
               .a = params_at(b, layer->weight),
               .ld_a = layer->ld,
               .d = activations_at(b, product_at(layer), wide),
               .ld_d = layer->ld_out,
               .in = in,
               .out = out,
               .bias = wide ? (void *)(vise_i_unfused_used(step) + layer->vector) : params_at(b, layer->vector),
               .bias_type = out,
               .mask = b->unfused->masks[l],
               .mask_ld = b->unfused->mask_ld[l]};
  r.b = inputs_of(b, l, &r.ld_b);

  if (relu && shape->delta[l].epilogue == CUBLASLT_EPILOGUE_DRELU) {
    try_epilogue(b, &r, &n, has_bias ? CUBLASLT_EPILOGUE_RELU_AUX_BIAS : CUBLASLT_EPILOGUE_RELU_AUX);
  } else if (relu) {
    try_epilogue(b, &r, &n, has_bias ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_RELU);
  }
  if (has_bias && !(relu && n > 0 && has_mask(r.epilogues[0]))) try_epilogue(b, &r, &n, CUBLASLT_EPILOGUE_BIAS);

  r.epilogues[n] = CUBLASLT_EPILOGUE_DEFAULT;
  return open_product(b, &r, &shape->forward[l], err);
}

/* dL/da of hidden layer l; with_mask: times relu's derivative. */
static vise_status open_delta(vise_i_cuda *b, vise_i_unfused_shape *shape, size_t l, bool with_mask, vise_error *err) {
  const vise_k_layer *layer = &b->train.step.layers[l], *above = layer + 1;
  const bool wide = !vise_k_unfused_is_plain_back(layer);
  const cudaDataType type = is_bf16(b) ? CUDA_R_16BF : CUDA_R_32F;
  size_t n = 0;

  request r = {.m = layer->n_out,
               .n = shape->n_rows,
               .k = above->n_out,
               .a = params_at(b, above->weight),
               .ld_a = above->ld,
               .b = activations_at(b, above->delta, false),
               .ld_b = above->ld_out,
               .d = activations_at(b, layer->delta, wide),
               .ld_d = layer->ld_out,
               .in = type,
               .out = wide ? CUDA_R_32F : type,
               .mask = b->unfused->masks[l],
               .mask_ld = b->unfused->mask_ld[l]};

  if (with_mask) try_epilogue(b, &r, &n, CUBLASLT_EPILOGUE_DRELU);
  r.epilogues[n] = CUBLASLT_EPILOGUE_DEFAULT;
  return open_product(b, &r, &shape->delta[l], err);
}

static vise_status open_gradient(vise_i_cuda *b, vise_i_unfused_shape *shape, size_t l, vise_error *err) {
  const vise_k_step *step = &b->train.step;
  const vise_k_layer *layer = &step->layers[l];
  size_t n = 0;

  request r = {.transpose_b = true,
               .m = layer->n_in,
               .n = layer->n_out,
               .k = shape->n_rows,
               .b = activations_at(b, layer->delta, false),
               .ld_b = layer->ld_out,
               .d = step->gradients + layer->weight,
               .ld_d = layer->ld,
               .in = is_bf16(b) ? CUDA_R_16BF : CUDA_R_32F,
               .out = CUDA_R_32F,
               .bias = step->gradients + layer->vector,
               .bias_type = CUDA_R_32F};

  r.a = inputs_of(b, l, &r.ld_a);
  if (vise_k_has_bias(layer)) try_epilogue(b, &r, &n, CUBLASLT_EPILOGUE_BGRADB);
  r.epilogues[n] = CUBLASLT_EPILOGUE_DEFAULT;
  return open_product(b, &r, &shape->gradient[l], err);
}

vise_status vise_i_unfused_open_shape(vise_i_cuda *b, vise_i_unfused_shape *shape, vise_error *err) {
  vise_status status = VISE_OK;
  const vise_k_step *step = &b->train.step;

  for (size_t l = 0; l < step->n_layers; l++) {
    const bool hidden = l + 1 < step->n_layers, relu = hidden && vise_i_unfused_masks_relu(&step->layers[l]);
    if (hidden) VISE_TRY(open_delta(b, shape, l, relu, err));
    VISE_TRY(open_forward(b, shape, l, err));

    /* A mask that cuBLAS reads but does not write is of no use. */
    if (relu && shape->delta[l].epilogue == CUBLASLT_EPILOGUE_DRELU && !has_mask(shape->forward[l].epilogue)) {
      VISE_TRY(open_delta(b, shape, l, false, err));
      VISE_TRY(open_forward(b, shape, l, err));
    }

    VISE_TRY(open_gradient(b, shape, l, err));
  }

done:
  return status;
}

void vise_i_unfused_close_shape(vise_i_unfused *u, vise_i_unfused_shape *shape) {
  for (size_t l = 0; l < VISE_K_MAX_LAYERS; l++) {
    close_product(u, &shape->forward[l]);
    close_product(u, &shape->delta[l]);
    close_product(u, &shape->gradient[l]);
  }
  for (size_t g = 0; g < VISE_I_UNFUSED_GRAPHS; g++) {
    if (shape->graphs[g].graph) (void)cudaGraphExecDestroy(shape->graphs[g].graph);
  }
  memset(shape, 0, sizeof *shape);
}
