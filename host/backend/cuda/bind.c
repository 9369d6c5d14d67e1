/* The data set on the device, all of it or in two chunks that take turns, and the order of its rows. */
#include <stdlib.h>
#include <string.h>

#include "host/backend/check_data.h"
#include "host/backend/cuda/group.h"
#include "host/base/memory.h"

#define CHUNK_BYTES ((size_t)64 << 20)

void vise_i_cuda_unbind(vise_i_cuda *b) {
  vise_i_cuda_forget(b); /* data to train on come first */
  if (b->member.group) {
    vise_i_cuda_drop_rows(b, &b->member.rows);
    vise_i_cuda_drop_order(b);
  } else {
    vise_i_cuda_release(b->cx, &b->bound.memory, b->bound.n_bytes);
  }
  free(b->bound.row_factors);
  memset(&b->bound, 0, sizeof b->bound);
}

static vise_status make_row_factors(vise_i_cuda *b, const vise_i_data *data, vise_error *err) {
  const size_t n = data->x.n_rows;
  if (b->base.spec.rule.loss == VISE_LOSS_EXTERNAL || (!data->row_weights && !b->base.spec.class_weights))
    return VISE_OK;
  const vise_status status = vise_i_alloc(&b->bound.row_factors, n, sizeof(double), "weights of rows", err);
  if (status != VISE_OK) return status;
  for (size_t i = 0; i < n; i++) b->bound.row_factors[i] = vise_i_cuda_row_factor(b, data, i);
  return VISE_OK;
}

static vise_status bind_resident(vise_i_cuda *b, const vise_i_data *data, const vise_i_cuda_rows *all,
                                 vise_error *err) {
  vise_status status;
  vise_i_cuda_bound *bound = &b->bound;
  const size_t n_bytes = all->n_bytes + all->n_rows * sizeof(uint32_t);

  VISE_TRY(vise_i_cuda_alloc(b->cx, n_bytes, "the data", &bound->memory, err));
  bound->n_bytes = n_bytes;
  bound->resident = true;
  bound->rows[0] = *all;
  bound->rows[0].memory = bound->memory;
  bound->order = (uint32_t *)(void *)(bound->memory + all->n_bytes);

  const vise_i_batch batch = {.data = data, .n = all->n_rows};
  VISE_TRY(vise_i_cuda_put_rows(b, &(vise_i_cuda_part){&batch, 0, batch.n}, &bound->rows[0], 0, err));
done:
  return status;
}

/* In a group the rows are those of every member with the same data, and room for rows of calls was made by the first. */
static vise_status bind_shared(vise_i_cuda *b, const vise_i_data *data, bool with_targets, vise_error *err) {
  vise_status status;
  if (b->cx->single_bytes == 0) VISE_TRY(vise_i_cuda_reserve_single(b, data, with_targets, err));
  VISE_TRY(vise_i_cuda_share_rows(b, data, with_targets, &b->member.rows, &b->bound.rows[0], err));
  b->bound.resident = true;
done:
  return status;
}

static vise_status bind_chunks(vise_i_cuda *b, const vise_i_data *data, bool with_targets, size_t available,
                               vise_error *err) {
  vise_status status;
  vise_i_cuda_bound *bound = &b->bound;
  const vise_i_cuda_rows batch = vise_i_cuda_layout(data, with_targets, b->base.spec.max_batch);
  size_t each = available / 2 < CHUNK_BYTES ? available / 2 : CHUNK_BYTES;

  if (each < batch.n_bytes) each = batch.n_bytes;
  if (2 * each > available) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_MEMORY,
                         "two batches of data take %zu bytes of device memory, %zu more than the %zu that are left; "
                         "use a smaller `batch`",
                         2 * each, 2 * each - available, available));
  }

  const size_t row_bytes = batch.x_row_bytes + batch.y_row_bytes + sizeof(float);
  size_t n_rows = (each - 3 * (size_t)VISE_I_PLAN_ALIGN) / row_bytes; /* the parts begin at multiples of it */
  if (each < 3 * (size_t)VISE_I_PLAN_ALIGN + row_bytes || n_rows < b->base.spec.max_batch)
    n_rows = b->base.spec.max_batch;
  const vise_i_cuda_rows chunk = vise_i_cuda_layout(data, with_targets, n_rows);

  VISE_TRY(vise_i_cuda_alloc(b->cx, 2 * chunk.n_bytes, "chunks of the data", &bound->memory, err));
  bound->n_bytes = 2 * chunk.n_bytes;
  for (int k = 0; k < 2; k++) {
    bound->rows[k] = chunk;
    bound->rows[k].memory = bound->memory + (size_t)k * chunk.n_bytes;
  }

done:
  return status;
}

/* All rows if they fit, else chunks. */
static vise_status bind_alone(vise_i_cuda *b, const vise_i_data *data, bool with_targets, vise_error *err) {
  vise_status status;
  size_t available = 0;
  const vise_i_cuda_rows all = vise_i_cuda_layout(data, with_targets, data->x.n_rows);

  /* Outputs and gradients need room for rows too. */
  VISE_TRY(vise_i_cuda_reserve_single(b, data, with_targets, err));
  VISE_TRY(vise_i_cuda_available(b->cx, &available, err));

  if (all.n_bytes + data->x.n_rows * sizeof(uint32_t) <= available) {
    VISE_TRY(bind_resident(b, data, &all, err));
  } else {
    VISE_TRY(bind_chunks(b, data, with_targets, available, err));
  }

done:
  return status;
}

vise_status vise_i_cuda_bind(vise_i_backend *backend, const vise_i_data *data, vise_error *err) {
  vise_i_cuda *b = vise_i_cuda_of(backend);
  vise_status status;
  const bool with_targets = backend->spec.rule.loss != VISE_LOSS_EXTERNAL;
  const vise_i_batch rows = {.data = data, .n = data->x.n_rows};

  VISE_TRY(vise_i_cuda_enter(b, err));
  VISE_TRY(vise_i_check_data(&backend->spec, data, with_targets, err));
  VISE_TRY(vise_i_cuda_check_size(data, err));
  if (with_targets && !vise_i_cuda_shares(b, data)) VISE_TRY(vise_i_cuda_check_labels(b, &rows, err));

  vise_i_cuda_unbind(b);
  VISE_TRY(make_row_factors(b, data, err));
  VISE_TRY(vise_i_cuda_sources(b, data, VISE_I_CUDA_BOUND, &b->bound.x, &b->bound.y, err));

  VISE_TRY(b->member.group ? bind_shared(b, data, with_targets, err) : bind_alone(b, data, with_targets, err));
  VISE_I_CUDA_TRY(b->cx, cudaStreamSynchronize(b->cx->copies));
  b->bound.data = *data;
  b->bound.is_bound = true;

done:
  return status;
}

vise_status vise_i_cuda_set_order(vise_i_backend *backend, const size_t *rows, size_t n_rows, vise_error *err) {
  vise_i_cuda *b = vise_i_cuda_of(backend);
  vise_status status;
  const size_t n_data = b->bound.data.x.n_rows;

  VISE_TRY(vise_i_cuda_enter(b, err));
  if (!b->bound.is_bound) VISE_TRY(vise_i_fail(err, VISE_ERR_INTERNAL, "cuda: an order without data"));
  if (n_rows > n_data) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_INTERNAL, "cuda: an order of %zu rows, the data have %zu", n_rows, n_data));
  }

  if (b->member.group) { /* checked and sent with the next run, once for all members that have it */
    b->bound.order_is_new = true;
    b->bound.indices = rows;
    b->bound.n_indices = n_rows;
    return VISE_OK;
  }

  VISE_TRY(vise_i_check_order(backend, rows, n_rows, n_data, err));
  if (b->bound.resident) VISE_TRY(vise_i_cuda_send_indices(b, b->bound.order, rows, n_rows, err));
  b->bound.indices = rows;
  b->bound.n_indices = n_rows;

done:
  return status;
}
