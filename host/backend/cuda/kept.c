/*
 * Rows that stay on the device between calls, for data that the caller marks as unchanging by an id (vise_i_data). A
 * validation set is then sent once, not in each epoch. Data that share rows with the bound data are there already. And
 * memory for the rows of a call's own data, which may need the place of kept ones.
 */
#include <string.h>

#include "host/backend/cuda/group.h"

void vise_i_cuda_forget(vise_i_cuda *b) {
  for (size_t i = 0; i < VISE_I_CUDA_MOST_KEPT; i++) {
    if (b->member.group) {
      vise_i_cuda_drop_rows(b, &b->member.kept[i]);
    } else {
      vise_i_cuda_release(b->cx, &b->kept[i].rows.memory, b->kept[i].rows.n_bytes);
    }
  }
  memset(b->kept, 0, sizeof b->kept);
}

static bool is_bound(const vise_i_cuda *b, const vise_i_data *data) {
  const vise_array *x = &b->bound.data.x;
  return b->bound.is_bound && b->bound.resident && b->bound.data.id == data->id && x->data == data->x.data &&
         x->n_rows == data->x.n_rows;
}

/* Sends all rows, unless they would take more than half of what is left. */
static vise_status keep(vise_i_cuda *b, const vise_i_data *data, vise_i_cuda_kept *kept, vise_error *err) {
  vise_status status;
  vise_error inner = VISE_ERROR_INIT;
  size_t available = 0;
  char *memory = NULL;
  vise_i_cuda_rows rows = vise_i_cuda_layout(data, false, data->x.n_rows);

  kept->id = data->id;
  if (b->member.group) {
    struct vise_i_cuda_shared_rows **shared = &b->member.kept[kept - b->kept];
    return vise_i_cuda_share_features(b, data, shared, &kept->rows, err);
  }
  VISE_TRY(vise_i_cuda_available(b->cx, &available, err));
  if (rows.n_bytes > available / 2) goto done;

  const vise_status allocated = vise_i_cuda_alloc(b->cx, rows.n_bytes, "rows of data", &memory, &inner);
  if (allocated == VISE_ERR_MEMORY) goto done; /* they are sent part by part instead */
  if (allocated != VISE_OK) VISE_TRY(vise_i_fail(err, allocated, "%s", inner.text));

  rows.memory = memory;
  const vise_i_batch all = {.data = data, .n = rows.n_rows};
  status = vise_i_cuda_put_rows(b, &(vise_i_cuda_part){&all, 0, rows.n_rows}, &rows, 0, err);
  if (status == VISE_OK) {
    kept->rows = rows;
  } else {
    (void)cudaStreamSynchronize(b->cx->copies);
    vise_i_cuda_release(b->cx, &memory, rows.n_bytes);
  }

done:
  return status;
}

vise_status vise_i_cuda_keep(vise_i_cuda *b, const vise_i_data *data, vise_i_cuda_rows *out, bool *is_kept,
                             vise_error *err) {
  vise_status status = VISE_OK;
  vise_i_cuda_kept *place = NULL;
  *is_kept = false;
  if (data->id == 0) return VISE_OK;

  if (is_bound(b, data)) {
    *out = b->bound.rows[0];
    out->y_row_bytes = 0;
    out->weighted = false;
    *is_kept = true;
    return VISE_OK;
  }

  for (size_t i = VISE_I_CUDA_MOST_KEPT; i-- > 0;) {
    if (b->kept[i].id == 0 || b->kept[i].id == data->id) place = &b->kept[i];
    if (b->kept[i].id == data->id) break;
  }
  if (!place) return VISE_OK;

  if (place->id == 0) VISE_TRY(keep(b, data, place, err));
  *out = place->rows;
  *is_kept = place->rows.memory != NULL;

done:
  return status;
}

vise_status vise_i_cuda_grow_single(vise_i_cuda *b, size_t n_bytes, vise_error *err) {
  vise_status status = VISE_OK;
  size_t available = 0;
  if (n_bytes <= b->cx->single_bytes) return VISE_OK;

  vise_i_cuda_release(b->cx, &b->cx->single, b->cx->single_bytes);
  b->cx->single_bytes = 0;

  VISE_TRY(vise_i_cuda_available(b->cx, &available, err));
  if (n_bytes > available) {
    vise_i_cuda_forget(b);
    VISE_TRY(vise_i_cuda_available(b->cx, &available, err));
  }

  if (b->cx->memory_limit > 0 && n_bytes > available) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_MEMORY,
                         "`device_memory_limit` %zu: the rows of a call take %zu bytes, %zu more than are left",
                         b->cx->memory_limit, n_bytes, n_bytes - available));
  }

  VISE_TRY(vise_i_cuda_alloc(b->cx, n_bytes, "rows of data", &b->cx->single, err));
  b->cx->single_bytes = n_bytes;

done:
  return status;
}

vise_status vise_i_cuda_reserve_single(vise_i_cuda *b, const vise_i_data *data, bool with_targets, vise_error *err) {
  vise_status status;
  size_t n_bytes = vise_i_cuda_layout(data, with_targets, b->wide.plan.step.max_rows).n_bytes, available = 0;
  VISE_TRY(vise_i_cuda_available(b->cx, &available, err));
  if (n_bytes > VISE_I_CUDA_SINGLE_BYTES) n_bytes = VISE_I_CUDA_SINGLE_BYTES;
  if (n_bytes > available / 8) n_bytes = available / 8;
  VISE_TRY(vise_i_cuda_grow_single(b, n_bytes, err));
done:
  return status;
}
