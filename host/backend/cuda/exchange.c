/* What ranks send each other in a step, from device to device, and how they wait for it. */
#include <sched.h>

#include "host/backend/cuda/nccl.h"
#include "host/backend/cuda/parts.h"
#include "host/base/file.h"
#include "kernels/part_sums.h"

/* ---- joining ---- */

static vise_status make_events(vise_i_cuda *b, vise_error *err) {
  vise_status status = VISE_OK;
  for (size_t i = 0; i < VISE_I_CUDA_STEPS_AHEAD; i++) {
    VISE_I_CUDA_TRY(b->cx, cudaEventCreateWithFlags(&b->parts->passed[i], cudaEventDisableTiming));
  }
done:
  return status;
}

vise_status vise_i_cuda_exchange_open(vise_i_cuda *b, vise_error *err) {
  vise_status status = VISE_OK;
  vise_i_cuda_parts *parts = b->parts;
  vise_ranks *ranks = parts->ranks;
  vise_i_nccl_id id = {{0}};
  if (parts->comm != NULL) return VISE_OK;

  status = make_events(b, err);
  if (status == VISE_OK && vise_i_ranks_is_first(ranks)) {
    status = vise_i_nccl_check(parts->nccl, parts->nccl->make_id(&id), "ncclGetUniqueId", err);
  }
  VISE_TRY(vise_ranks_agree(ranks, status, err)); /* from here on all of them come */
  VISE_TRY(vise_i_ranks_broadcast(ranks, &id, sizeof id, err));
  status = vise_i_nccl_check(
      parts->nccl, parts->nccl->join(&parts->comm, (int)vise_ranks_size(ranks), id, (int)vise_ranks_rank(ranks)),
      "ncclCommInitRank (each rank needs a GPU of its own)", err);
  VISE_TRY(vise_ranks_agree(ranks, status, err));

done:
  return status;
}

void vise_i_cuda_exchange_close(vise_i_cuda *b) {
  vise_i_cuda_parts *parts = b->parts;
  if (parts->comm != NULL) {
    /* Leaving waits for the others, and what is still in the stream might for ever. */
    const bool all_is_done =
        !parts->is_broken && parts->n_passed == parts->n_begun && !vise_ranks_are_lost(parts->ranks);
    (void)(all_is_done ? parts->nccl->leave(parts->comm) : parts->nccl->end(parts->comm));
    parts->comm = NULL;
  }
  for (size_t i = 0; i < VISE_I_CUDA_STEPS_AHEAD; i++) {
    if (parts->passed[i] != NULL) (void)cudaEventDestroy(parts->passed[i]);
    parts->passed[i] = NULL;
  }
}

/* ---- messages ---- */

/* A step's exchange. */
typedef struct journey {
  vise_i_cuda *b;
  vise_i_cuda_parts *parts;
  const vise_i_part_nodes *nodes;
  size_t n_params; /* of the device layout */
  float *gradients;
} journey;

static vise_status send(const journey *j, const void *data, size_t n_bytes, size_t to, vise_error *err) {
  const vise_i_nccl *nccl = j->parts->nccl;
  if (n_bytes == 0) return VISE_OK;
  return vise_i_nccl_check(nccl, nccl->send(data, n_bytes, VISE_I_NCCL_BYTES, (int)to, j->parts->comm, j->b->cx->steps),
                           "ncclSend", err);
}

static vise_status receive(const journey *j, void *data, size_t n_bytes, size_t from, vise_error *err) {
  const vise_i_nccl *nccl = j->parts->nccl;
  if (n_bytes == 0) return VISE_OK;
  return vise_i_nccl_check(nccl,
                           nccl->receive(data, n_bytes, VISE_I_NCCL_BYTES, (int)from, j->parts->comm, j->b->cx->steps),
                           "ncclRecv", err);
}

/* Ranks and their nodes. */
typedef struct peer {
  size_t rank;
  vise_i_parts parts;
  size_t n_nodes, begins[VISE_I_MOST_PARTS];
} peer;

static peer peer_of(const journey *j, size_t rank) {
  const size_t size = vise_ranks_size(j->parts->ranks);
  peer p = {.rank = rank, .parts = vise_i_parts_of_rank(&j->nodes->parts, rank, size)};
  p.n_nodes = vise_i_parts_nodes(&p.parts, p.begins);
  return p;
}

/* Elements of a gradient that a rank adds: from here to begin_of_slice(j, rank + 1). */
static size_t begin_of_slice(size_t n_params, size_t rank, size_t n_ranks) {
  return n_params / 4 * rank / n_ranks * 4;
}

static size_t slice_of(const journey *j, size_t rank, size_t *n) {
  const size_t size = vise_ranks_size(j->parts->ranks), first = begin_of_slice(j->n_params, rank, size);
  *n = begin_of_slice(j->n_params, rank + 1, size) - first;
  return first;
}

size_t vise_i_cuda_exchange_floats(const vise_i_cuda *b, size_t n_rows, size_t n_params) {
  const vise_i_part_nodes nodes = vise_i_part_nodes_of(&b->base.spec, n_rows);
  const size_t size = vise_ranks_size(b->parts->ranks);
  if (nodes.travel_whole || size == 1) return 0;
  return (nodes.n_all - nodes.n_own) * (n_params / size + 4);
}

/* What each rank's parts have, `each` bytes a part: all of them begin at `all`, in their order. */
static vise_status swap_of_parts(const journey *j, const peer *of, void *all, size_t each, vise_error *err) {
  vise_status status = VISE_OK;
  const vise_i_parts *mine = &j->nodes->parts;
  VISE_TRY(send(j, (char *)all + mine->first * each, (mine->end - mine->first) * each, of->rank, err));
  VISE_TRY(receive(j, (char *)all + of->parts.first * each, (of->parts.end - of->parts.first) * each, of->rank, err));
done:
  return status;
}

/* Nodes lie in the order of their ranks. *at: of this rank's, moved on. */
static vise_status swap_whole(const journey *j, const peer *of, size_t *at, vise_error *err) {
  vise_status status = VISE_OK;
  const size_t n_bytes = j->n_params * sizeof(float);
  VISE_TRY(send(j, j->gradients + j->nodes->first * j->n_params, j->nodes->n_own * n_bytes, of->rank, err));
  VISE_TRY(receive(j, j->gradients + *at * j->n_params, of->n_nodes * n_bytes, of->rank, err));
  *at += of->n_nodes;
done:
  return status;
}

/* To each rank its slice of this one's nodes; from each this one's slice of its nodes, into *to, which is moved on. */
static vise_status swap_slices(const journey *j, const peer *of, float **to, vise_k_part_sums *sums, vise_error *err) {
  vise_status status = VISE_OK;
  size_t n_theirs = 0;
  const size_t theirs = slice_of(j, of->rank, &n_theirs);

  for (size_t k = 0; k < j->nodes->n_own; k++) {
    VISE_TRY(send(j, j->gradients + k * j->n_params + theirs, n_theirs * sizeof(float), of->rank, err));
  }
  for (size_t k = 0; k < of->n_nodes; k++) {
    VISE_TRY(receive(j, *to, sums->n * sizeof(float), of->rank, err));
    sums->nodes[of->begins[k]] = *to;
    *to += sums->n;
  }

done:
  return status;
}

/* The first meeting. sums: what this rank adds, if nodes go in slices. */
static vise_status swap_nodes(const journey *j, vise_k_part_sums *sums, vise_error *err) {
  vise_status status = VISE_OK;
  const size_t size = vise_ranks_size(j->parts->ranks), rank = vise_ranks_rank(j->parts->ranks);
  float *to = j->parts->received;

  VISE_I_NCCL_TRY(j->parts->nccl, j->parts->nccl->group_start());
  for (size_t r = 0, at = 0; r < size; r++) {
    const peer of = peer_of(j, r);
    if (r == rank) {
      at += of.n_nodes;
      continue;
    }
    VISE_TRY(swap_of_parts(j, &of, j->parts->found, sizeof *j->parts->found, err));
    VISE_TRY(j->nodes->travel_whole ? swap_whole(j, &of, &at, err) : swap_slices(j, &of, &to, sums, err));
  }
  VISE_I_NCCL_TRY(j->parts->nccl, j->parts->nccl->group_end());

done:
  return status;
}

/* The second one: each rank's slice of the sum to all. */
static vise_status spread_sums(const journey *j, const vise_k_part_sums *sums, vise_error *err) {
  vise_status status = VISE_OK;
  const size_t size = vise_ranks_size(j->parts->ranks), rank = vise_ranks_rank(j->parts->ranks);

  VISE_I_NCCL_TRY(j->parts->nccl, j->parts->nccl->group_start());
  for (size_t r = 0; r < size; r++) {
    size_t n_theirs = 0;
    const size_t theirs = slice_of(j, r, &n_theirs);
    if (r == rank) continue;
    VISE_TRY(send(j, sums->to, sums->n * sizeof(float), r, err));
    VISE_TRY(receive(j, j->gradients + theirs, n_theirs * sizeof(float), r, err));
  }
  VISE_I_NCCL_TRY(j->parts->nccl, j->parts->nccl->group_end());

done:
  return status;
}

vise_status vise_i_cuda_exchange(vise_i_cuda *b, const vise_i_part_nodes *nodes, vise_error *err) {
  vise_status status = VISE_OK;
  const journey j = {b, b->parts, nodes, b->train.plan.n_params, b->train.step.gradients};
  const peer me = peer_of(&j, vise_ranks_rank(b->parts->ranks));
  size_t n_mine = 0;
  const size_t mine = slice_of(&j, me.rank, &n_mine);
  vise_k_part_sums sums = {.to = j.gradients + mine, .n = n_mine};

  for (size_t k = 0; k < me.n_nodes; k++) sums.nodes[me.begins[k]] = j.gradients + k * j.n_params + mine;
  VISE_TRY(swap_nodes(&j, &sums, err));
  if (nodes->travel_whole) goto done;
  VISE_I_CUDA_TRY(b->cx, vise_k_part_sums_run(&sums, b->cx->steps));
  b->n_launched++;
  VISE_TRY(spread_sums(&j, &sums, err));

done:
  return status;
}

vise_status vise_i_cuda_exchange_norm(vise_i_cuda *b, const vise_i_part_nodes *nodes, const vise_k_step *launch,
                                      vise_error *err) {
  vise_status status = VISE_OK;
  const journey j = {.b = b, .parts = b->parts, .nodes = nodes};
  const vise_k_phase *last = &launch->phases[launch->n_phases - 1];
  const vise_k_layer *layer = &launch->layers[last->layer];
  double *all = launch->statistics + vise_k_norm_of_part(layer, last->kind == VISE_K_NORM_DELTA_SUMS, 0);
  const size_t size = vise_ranks_size(j.parts->ranks), rank = vise_ranks_rank(j.parts->ranks);

  VISE_I_NCCL_TRY(j.parts->nccl, j.parts->nccl->group_start());
  for (size_t r = 0; r < size; r++) {
    const peer of = peer_of(&j, r);
    if (r != rank) VISE_TRY(swap_of_parts(&j, &of, all, (size_t)2 * layer->n_out * sizeof *all, err));
  }
  VISE_I_NCCL_TRY(j.parts->nccl, j.parts->nccl->group_end());

done:
  return status;
}

/* ---- waiting ---- */

/* Nothing that waits for the exchange may stay in the stream. */
static vise_status give_up(vise_i_cuda *b, const char *why, vise_error *err) {
  vise_i_cuda_parts *parts = b->parts;
  vise_ranks *ranks = parts->ranks;
  (void)parts->nccl->end(parts->comm);
  parts->comm = NULL;

  const vise_status status = vise_i_ranks_roll_call(ranks, err);
  ranks->lost = true;
  if (status != VISE_OK) return status;
  return vise_i_fail(err, VISE_ERR_IO, "NCCL: %s, though all ranks are there", why);
}

/* Until step i is over. */
static vise_status await_step(vise_i_cuda *b, uint64_t i, vise_error *err) {
  vise_status status = VISE_OK;
  const vise_i_cuda_parts *parts = b->parts;
  const double begin = vise_i_now();
  enum { SPINS = 64 };

  for (size_t spins = 1;; spins++) {
    const cudaError_t error = cudaEventQuery(parts->passed[i % VISE_I_CUDA_STEPS_AHEAD]);
    if (error == cudaSuccess) return VISE_OK;
    if (error != cudaErrorNotReady) VISE_I_CUDA_TRY(b->cx, error);
    if (spins % SPINS != 0) continue;

    int result = VISE_I_NCCL_SUCCESS;
    VISE_I_NCCL_TRY(parts->nccl, parts->nccl->async_error(parts->comm, &result));
    if (result != VISE_I_NCCL_SUCCESS && result != VISE_I_NCCL_IN_PROGRESS) {
      return give_up(b, parts->nccl->error_text(result), err);
    }
    if (vise_i_now() - begin > parts->ranks->seconds) return give_up(b, "an exchange has not ended in time", err);
    (void)sched_yield();
  }

done:
  return status;
}

vise_status vise_i_cuda_exchange_begun(vise_i_cuda *b, vise_error *err) {
  vise_status status = VISE_OK;
  vise_i_cuda_parts *parts = b->parts;
  const uint64_t i = parts->n_begun++;
  VISE_I_CUDA_TRY(b->cx, cudaEventRecord(parts->passed[i % VISE_I_CUDA_STEPS_AHEAD], b->cx->steps));
  if (parts->n_begun - parts->n_passed < VISE_I_CUDA_STEPS_AHEAD) return VISE_OK;
  VISE_TRY(await_step(b, parts->n_passed, err));
  parts->n_passed++;
done:
  return status;
}

vise_status vise_i_cuda_exchange_await(vise_i_cuda *b, vise_error *err) {
  vise_status status = VISE_OK;
  vise_i_cuda_parts *parts = b->parts;
  if (parts == NULL) return VISE_OK;
  for (; parts->n_passed < parts->n_begun; parts->n_passed++) VISE_TRY(await_step(b, parts->n_passed, err));
done:
  return status;
}
