/* The unfused step: its memory, its launches, its graphs. */
#include "host/backend/cuda/unfused.h"

#include <stdlib.h>
#include <string.h>

#include "host/base/memory.h"
#include "kernels/canonical.h"

enum {
  MASK_ALIGN = 128, /* bits between columns of a mask, as cuBLAS wants them */
  MOST_CELLS_FOR_ONE =
      2048 /* sums of 32 x 32 weights that one CTA adds up in about the time of a launch (not measured) */
};

/* ---- memory ---- */

static void *place(vise_i_unfused *u, size_t n_bytes) {
  void *memory = u->memory ? u->memory + u->n_bytes : NULL;
  u->n_bytes += vise_i_round_up(n_bytes, VISE_I_PLAN_ALIGN);
  return memory;
}

/* Once to count, once with memory. */
static void place_all(const vise_i_cuda *b, vise_i_unfused *u) {
  const vise_k_step *step = &b->train.plan.step;
  u->n_bytes = 0;

  u->context = place(u, sizeof *u->context);
  u->loss_leaves = place(u, vise_n_leaves(step->max_rows) * sizeof(double));
  if (step->sum_phase || step->n_cells > MOST_CELLS_FOR_ONE) {
    u->group_sums = place(u, (size_t)3 * step->n_groups * sizeof(double));
  }
  u->workspace = place(u, u->n_workspace);

  for (uint32_t l = 0; l + 1 < step->n_layers; l++) {
    if (!vise_i_unfused_masks_relu(&step->layers[l])) continue;
    u->mask_ld[l] = (int64_t)vise_i_round_up(step->layers[l].n_out, MASK_ALIGN);
    u->masks[l] = place(u, (size_t)u->mask_ld[l] / 8 * step->max_rows);
  }
}

static vise_status describe_device(vise_i_cuda *b, vise_i_unfused *u, vise_error *err) {
  vise_status status = VISE_OK;
  int n_sms = 0, major = 0;

  VISE_I_CUDA_TRY(b->cx, cudaDeviceGetAttribute(&n_sms, cudaDevAttrMultiProcessorCount, b->base.spec.device));
  VISE_I_CUDA_TRY(b->cx, cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, b->base.spec.device));
  u->n_sms = (uint32_t)n_sms;
  u->n_workspace = major >= 9 ? VISE_I_BLAS_WORKSPACE_BYTES : VISE_I_BLAS_WORKSPACE_BYTES_BEFORE;

  /* Under a limit data come first: less only leaves cuBLAS fewer algorithms. */
  if (b->cx->memory_limit > 0 && u->n_workspace > b->cx->memory_limit / 16)
    u->n_workspace = b->cx->memory_limit / 16 / 256 * 256;
  if (b->base.spec.hooks.workspace_bytes > 0) u->n_workspace = b->base.spec.hooks.workspace_bytes;

done:
  return status;
}

vise_status vise_i_unfused_count(vise_i_cuda *b, size_t *out, vise_error *err) {
  vise_status status = VISE_OK;
  vise_i_unfused counted;
  memset(&counted, 0, sizeof counted);
  if (b->base.spec.step_mode == VISE_STEP_FUSED) goto done;
  VISE_TRY(describe_device(b, &counted, err));
  place_all(b, &counted);
done:
  if (status == VISE_OK) *out = counted.n_bytes;
  return status;
}

static vise_status allocate(vise_i_cuda *b, vise_error *err) {
  vise_status status;
  vise_i_unfused *u = b->unfused;
  size_t available = 0, n_bytes = 0;

  VISE_TRY(vise_i_unfused_count(b, &n_bytes, err));
  VISE_TRY(vise_i_cuda_available(b->cx, &available, err));
  if (b->cx->memory_limit > 0 && n_bytes > available) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_MEMORY,
                         "`device_memory_limit` %zu: the unfused step takes %zu bytes beside the plan, %zu more than "
                         "are left",
                         b->cx->memory_limit, n_bytes, n_bytes - available));
  }

  VISE_TRY(vise_i_cuda_alloc(b->cx, n_bytes, "the unfused step", &u->memory, err));
  VISE_TRY(describe_device(b, u, err));
  place_all(b, u);
  VISE_I_CUDA_TRY(b->cx, cudaMemsetAsync(u->memory, 0, u->n_bytes, b->cx->copies));
  VISE_I_CUDA_TRY(b->cx, cudaStreamSynchronize(b->cx->copies));

done:
  return status;
}

vise_status vise_i_unfused_create(vise_i_cuda *b, vise_error *err) {
  vise_status status;
  VISE_TRY(vise_i_alloc_zero(&b->unfused, 1, sizeof *b->unfused, "the unfused step", err));
  vise_i_unfused *u = b->unfused;
  u->replays = b->base.spec.step_mode == VISE_STEP_UNFUSED_GRAPH;
  VISE_TRY(vise_i_blas_open(&u->blas, err));
  VISE_I_CUDA_TRY(b->cx, vise_k_unfused_prepare());
  VISE_TRY(allocate(b, err));
done:
  return status;
}

void vise_i_unfused_destroy(vise_i_cuda *b) {
  vise_i_unfused *u = b->unfused;
  if (!u) return;
  for (size_t i = 0; i < VISE_I_UNFUSED_SHAPES; i++) vise_i_unfused_close_shape(u, &u->shapes[i]);
  vise_i_blas_close(&u->blas);
  vise_i_cuda_release(b->cx, &u->memory, u->n_bytes);
  free(u);
  b->unfused = NULL;
}

/* ---- the launches of a step ---- */

/* A launch of a kernel or a product, counted. */
#define LAUNCH(call)                \
  do {                              \
    VISE_I_CUDA_TRY(b->cx, (call)); \
    b->n_launched++;                \
  } while (0)

#define MULTIPLY(product)                               \
  do {                                                  \
    VISE_TRY(vise_i_unfused_multiply(b, product, err)); \
    b->n_launched++;                                    \
  } while (0)

static bool makes_relu(cublasLtEpilogue_t e) {
  return e == CUBLASLT_EPILOGUE_RELU || e == CUBLASLT_EPILOGUE_RELU_BIAS || e == CUBLASLT_EPILOGUE_RELU_AUX ||
         e == CUBLASLT_EPILOGUE_RELU_AUX_BIAS;
}

static vise_status launch_layer(vise_i_cuda *b, const vise_k_unfused *k, const vise_i_unfused_shape *shape, uint32_t l,
                                vise_error *err) {
  vise_status status = VISE_OK;
  const vise_k_layer *layer = &k->step.layers[l];
  const cublasLtEpilogue_t epilogue = shape->forward[l].epilogue;
  const bool add_bias = vise_k_has_bias(layer) && epilogue == CUBLASLT_EPILOGUE_DEFAULT;

  MULTIPLY(&shape->forward[l]);
  if (!vise_k_unfused_is_plain(layer)) {
    LAUNCH(vise_k_unfused_block(k, l, shape->n_rows, add_bias, b->cx->steps));
  } else if (!makes_relu(epilogue) && (layer->activation != VISE_IDENTITY || add_bias)) {
    LAUNCH(vise_k_unfused_activate(k, l, shape->n_rows, add_bias, b->cx->steps));
  }

done:
  return status;
}

static vise_status launch_forward(vise_i_cuda *b, const vise_k_unfused *k, const vise_i_unfused_shape *shape,
                                  vise_error *err) {
  vise_status status = VISE_OK;
  vise_k_unfused used = *k;
  used.step.params = vise_i_unfused_used(&k->step);
  for (uint32_t l = 0; l < k->step.n_layers; l++) VISE_TRY(launch_layer(b, &used, shape, l, err));
  LAUNCH(vise_k_unfused_loss(k, shape->n_rows, b->cx->steps));
done:
  return status;
}

/* The delta of hidden layer l. */
static vise_status launch_delta(vise_i_cuda *b, const vise_k_unfused *k, const vise_i_unfused_shape *shape, uint32_t l,
                                vise_error *err) {
  vise_status status = VISE_OK;
  const vise_k_layer *layer = &k->step.layers[l];

  MULTIPLY(&shape->delta[l]);
  if (!vise_k_unfused_is_plain_back(layer)) {
    LAUNCH(vise_k_unfused_block_delta(k, l, shape->n_rows, b->cx->steps));
  } else if (shape->delta[l].epilogue != CUBLASLT_EPILOGUE_DRELU && layer->activation != VISE_IDENTITY) {
    LAUNCH(vise_k_unfused_slope(k, l, shape->n_rows, b->cx->steps));
  }

done:
  return status;
}

static vise_status launch_backward(vise_i_cuda *b, const vise_k_unfused *k, const vise_i_unfused_shape *shape,
                                   vise_error *err) {
  vise_status status = VISE_OK;
  const vise_k_step *step = &k->step;
  uint32_t biases = 0;

  for (uint32_t l = step->n_layers; l-- > 0;) {
    if (l > 0) VISE_TRY(launch_delta(b, k, shape, l - 1, err));
    MULTIPLY(&shape->gradient[l]);
    if (vise_k_has_bias(&step->layers[l]) && shape->gradient[l].epilogue != CUBLASLT_EPILOGUE_BGRADB) biases |= 1u << l;
  }

  if (biases) LAUNCH(vise_k_unfused_bias(k, biases, b->cx->steps));
done:
  return status;
}

static vise_status launch_update(vise_i_cuda *b, const vise_k_unfused *k, uint32_t n_rows, vise_error *err) {
  vise_status status = VISE_OK;
  const vise_i_rule *rule = &k->step.rule;
  const uint32_t n_sms = b->unfused->n_sms;

  if (rule->kF != 0) LAUNCH(vise_k_unfused_norms(k, 0, b->cx->steps));
  LAUNCH(vise_k_unfused_gradient(k, n_rows, n_sms, b->cx->steps));
  if (k->step.sum_phase) LAUNCH(vise_k_unfused_sums(k, n_sms, b->cx->steps));
  LAUNCH(vise_k_unfused_decide(k, b->cx->steps));
  LAUNCH(vise_k_unfused_update(k, n_sms, b->cx->steps));

  if (k->step.rounds) LAUNCH(vise_k_unfused_round(k, b->cx->steps));
  if (k->step.bounds_rows) LAUNCH(vise_k_unfused_row_l1(k, b->cx->steps));
  if (rule->max_norm == 0) goto done;
  if (vise_i_bounds_tensor_norms(rule)) LAUNCH(vise_k_unfused_norms(k, 1, b->cx->steps));
  LAUNCH(vise_k_unfused_max_norm(k, b->cx->steps));

done:
  return status;
}

static vise_status launch_all(vise_i_cuda *b, const vise_k_unfused *k, const vise_i_unfused_shape *shape,
                              vise_error *err) {
  vise_status status = VISE_OK;
  b->n_launched = 0;
  LAUNCH(vise_k_unfused_begin(k, shape->n_rows, b->cx->steps));
  VISE_TRY(launch_forward(b, k, shape, err));
  VISE_TRY(launch_backward(b, k, shape, err));
  VISE_TRY(launch_update(b, k, shape->n_rows, err));
done:
  return status;
}

/* ---- shapes and graphs ---- */

/* The shape for n_rows rows; a new one replaces the oldest. */
static vise_status shape_of(vise_i_cuda *b, size_t n_rows, vise_i_unfused_shape **out, vise_error *err) {
  vise_status status = VISE_OK;
  vise_i_unfused *u = b->unfused;

  for (size_t i = 0; i < VISE_I_UNFUSED_SHAPES; i++) {
    if (u->shapes[i].n_rows != n_rows) continue;
    *out = &u->shapes[i];
    return VISE_OK;
  }

  vise_i_unfused_shape *shape = &u->shapes[u->next_shape++ % VISE_I_UNFUSED_SHAPES];
  if (shape->n_rows > 0) VISE_I_CUDA_TRY(b->cx, cudaStreamSynchronize(b->cx->steps)); /* it may still be in use */
  vise_i_unfused_close_shape(u, shape);
  shape->n_rows = (uint32_t)n_rows;
  VISE_TRY(vise_i_unfused_open_shape(b, shape, err));
  *out = shape;

done:
  if (status != VISE_OK && shape->n_rows == n_rows) vise_i_unfused_close_shape(u, shape);
  return status;
}

static bool same_source(const vise_k_source *a, const vise_k_source *b) {
  return a->x == b->x && a->row_bytes == b->row_bytes && a->type == b->type && a->n_columns == b->n_columns &&
         a->scaling == b->scaling && memcmp(&a->shift, &b->shift, sizeof a->shift) == 0 &&
         memcmp(&a->inverse, &b->inverse, sizeof a->inverse) == 0 && a->column_shift == b->column_shift &&
         a->column_inverse == b->column_inverse && a->byte_values == b->byte_values &&
         memcmp(&a->byte_divisor, &b->byte_divisor, sizeof a->byte_divisor) == 0 &&
         memcmp(&a->byte_inverse, &b->byte_inverse, sizeof a->byte_inverse) == 0;
}

/* Compares all that may differ between steps of one backend. */
static bool same_step(const vise_k_step *a, const vise_k_step *b) {
  return same_source(&a->x, &b->x) && same_source(&a->y, &b->y) && a->order == b->order &&
         a->row_weights == b->row_weights && a->labels == b->labels;
}

static vise_status capture(vise_i_cuda *b, const vise_k_unfused *k, const vise_i_unfused_shape *shape,
                           vise_i_unfused_graph *out, vise_error *err) {
  vise_status status;
  cudaGraph_t graph = NULL;
  size_t n_nodes = 0;

  VISE_I_CUDA_TRY(b->cx, cudaStreamBeginCapture(b->cx->steps, cudaStreamCaptureModeThreadLocal));
  status = launch_all(b, k, shape, err);
  const cudaError_t ended = cudaStreamEndCapture(b->cx->steps, &graph);

  if (status != VISE_OK) goto done;
  VISE_I_CUDA_TRY(b->cx, ended);
  VISE_I_CUDA_TRY(b->cx, cudaGraphGetNodes(graph, NULL, &n_nodes));
  VISE_I_CUDA_TRY(b->cx, cudaGraphInstantiateWithFlags(&out->graph, graph, 0));
  out->step = k->step;
  out->n_launches = (uint32_t)n_nodes;

done:
  if (graph) (void)cudaGraphDestroy(graph);
  return status;
}

static vise_status replay_step(vise_i_cuda *b, const vise_k_unfused *k, vise_i_unfused_shape *shape, vise_error *err) {
  vise_status status = VISE_OK;
  vise_i_unfused_graph *graph = NULL;

  for (size_t g = 0; g < VISE_I_UNFUSED_GRAPHS; g++) {
    if (shape->graphs[g].graph && same_step(&shape->graphs[g].step, &k->step)) graph = &shape->graphs[g];
  }

  if (!graph) {
    graph = &shape->graphs[shape->next_graph++ % VISE_I_UNFUSED_GRAPHS];
    if (graph->graph) {
      VISE_I_CUDA_TRY(b->cx, cudaStreamSynchronize(b->cx->steps));
      VISE_I_CUDA_TRY(b->cx, cudaGraphExecDestroy(graph->graph));
      graph->graph = NULL;
    }
    VISE_TRY(capture(b, k, shape, graph, err));
    b->n_captures++;
  }

  VISE_I_CUDA_TRY(b->cx, cudaGraphLaunch(graph->graph, b->cx->steps));
  b->n_launched = graph->n_launches;
done:
  return status;
}

vise_status vise_i_unfused_launch(vise_i_cuda *b, const vise_k_step *step, size_t n_rows, bool replay,
                                  vise_error *err) {
  vise_status status;
  vise_i_unfused *u = b->unfused;
  vise_i_unfused_shape *shape = NULL;
  vise_k_unfused k = {.step = *step, .context = u->context, .loss_leaves = u->loss_leaves};

  k.step.sum_phase = u->group_sums != NULL;
  k.step.cells_travel = 0; /* its launches meet in memory */
  k.step.group_sums = u->group_sums;

  VISE_TRY(shape_of(b, n_rows, &shape, err));
  if (u->replays && replay && shape->has_run) {
    VISE_TRY(replay_step(b, &k, shape, err));
  } else {
    VISE_TRY(launch_all(b, &k, shape, err));
  }
  shape->has_run = true;

done:
  return status;
}
