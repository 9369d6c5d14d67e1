/* Rows of data and orders that the members of a group share on the device. */
#include <stdlib.h>
#include <string.h>

#include "host/backend/check_data.h"
#include "host/backend/cuda/group.h"
#include "host/base/memory.h"

/* ---- rows ---- */

static bool is_same_array(const vise_array *a, const vise_array *b) {
  return a->data == b->data && a->dtype == b->dtype && a->n_rows == b->n_rows && a->n_cols == b->n_cols &&
         a->row_stride == b->row_stride && a->col_stride == b->col_stride;
}

static bool has_targets_of(const vise_i_cuda_shared_rows *s, const vise_i_data *data) {
  return s->with_targets && is_same_array(&s->data.y, &data->y) && s->data.y_is_class == data->y_is_class &&
         s->data.row_weights == data->row_weights;
}

/* What is there of the data: with targets, without, or either. */
static vise_i_cuda_shared_rows *find(const vise_i_group *g, const vise_i_data *data, bool with_targets,
                                     bool features_suffice) {
  for (size_t i = 0; i < g->n_rows; i++) {
    vise_i_cuda_shared_rows *s = g->rows[i];
    if (!is_same_array(&s->data.x, &data->x)) continue;
    if (features_suffice || (with_targets ? has_targets_of(s, data) : !s->with_targets)) return s;
  }
  return NULL;
}

bool vise_i_cuda_shares(const vise_i_cuda *b, const vise_i_data *data) {
  return b->member.group && find(b->member.group, data, true, false) != NULL;
}

/* Sends the rows into memory that there is room for. */
static vise_status add(vise_i_cuda *b, const vise_i_data *data, bool with_targets, const vise_i_cuda_rows *layout,
                       vise_i_cuda_shared_rows **out, vise_error *err) {
  vise_status status;
  vise_i_group *g = b->member.group;
  vise_i_cuda_shared_rows *s = NULL;
  const vise_i_batch all = {.data = data, .n = layout->n_rows};

  VISE_TRY(vise_i_grow(&g->rows, &g->rows_room, g->n_rows + 1, sizeof(vise_i_cuda_shared_rows *), "data", err));
  VISE_TRY(vise_i_alloc_zero(&s, 1, sizeof *s, "data", err));
  s->data = *data;
  s->with_targets = with_targets;
  s->rows = *layout;

  VISE_TRY(vise_i_cuda_alloc(b->cx, layout->n_bytes, "the data", &s->rows.memory, err));
  VISE_TRY(vise_i_cuda_put_rows(b, &(vise_i_cuda_part){&all, 0, all.n}, &s->rows, 0, err));
  VISE_I_CUDA_TRY(b->cx, cudaStreamSynchronize(b->cx->copies));
  g->rows[g->n_rows++] = s;
  *out = s;
  s = NULL;

done:
  if (s) {
    (void)cudaStreamSynchronize(b->cx->copies);
    vise_i_cuda_release(b->cx, &s->rows.memory, layout->n_bytes);
    free(s);
  }
  return status;
}

vise_status vise_i_cuda_share_rows(vise_i_cuda *b, const vise_i_data *data, bool with_targets,
                                   vise_i_cuda_shared_rows **user, vise_i_cuda_rows *out, vise_error *err) {
  vise_status status = VISE_OK;
  size_t available = 0;
  vise_i_cuda_shared_rows *s = find(b->member.group, data, with_targets, false);
  const vise_i_cuda_rows layout = vise_i_cuda_layout(data, with_targets, data->x.n_rows);

  if (!s) {
    VISE_TRY(vise_i_cuda_available(b->cx, &available, err));
    if (layout.n_bytes > available) {
      VISE_TRY(vise_i_fail(err, VISE_ERR_MEMORY,
                           "the data take %zu bytes of device memory, %zu more than the %zu that are left beside the "
                           "nets; train fewer at a time",
                           layout.n_bytes, layout.n_bytes - available, available));
    }
    VISE_TRY(add(b, data, with_targets, &layout, &s, err));
  }

  s->n_users++;
  *user = s;
  *out = s->rows;

done:
  return status;
}

vise_status vise_i_cuda_share_features(vise_i_cuda *b, const vise_i_data *data, vise_i_cuda_shared_rows **user,
                                       vise_i_cuda_rows *out, vise_error *err) {
  vise_status status = VISE_OK;
  size_t available = 0;
  vise_i_cuda_shared_rows *s = find(b->member.group, data, false, true);
  const vise_i_cuda_rows layout = vise_i_cuda_layout(data, false, data->x.n_rows);

  if (!s) {
    VISE_TRY(vise_i_cuda_available(b->cx, &available, err));
    *out = layout;
    if (layout.n_bytes > available / 2) goto done;
    VISE_TRY(add(b, data, false, &layout, &s, err));
  }

  s->n_users++;
  *user = s;
  *out = s->rows;
  out->y_row_bytes = 0;
  out->weighted = false;

done:
  return status;
}

void vise_i_cuda_drop_rows(vise_i_cuda *b, vise_i_cuda_shared_rows **user) {
  vise_i_group *g = b->member.group;
  vise_i_cuda_shared_rows *s = *user;
  *user = NULL;
  if (!s || --s->n_users > 0) return;

  size_t at = 0;
  while (g->rows[at] != s) at++;
  g->rows[at] = g->rows[--g->n_rows];
  vise_i_cuda_release(g->cx, &s->rows.memory, s->rows.n_bytes);
  free(s);
}

/* ---- orders ---- */

void vise_i_cuda_drop_order(vise_i_cuda *b) {
  if (b->member.order) b->member.order->n_users--;
  b->member.order = NULL;
}

/* One that was sent in this round, from the latest back; or NULL. */
static vise_i_cuda_shared_order *find_order(const vise_i_group *g, const vise_i_cuda_bound *bound) {
  for (size_t i = g->n_orders; i-- > 0;) {
    vise_i_cuda_shared_order *o = g->orders[i];
    if (o->round == g->round && o->rows == bound->indices && o->n == bound->n_indices && o->n_users > 0) return o;
  }
  return NULL;
}

/* Memory for an order of n rows that nobody uses. */
static vise_status take_order(vise_i_group *g, size_t n, vise_i_cuda_shared_order **out, vise_error *err) {
  vise_status status;
  vise_i_cuda_shared_order *o = NULL;
  const size_t n_bytes = n * sizeof(uint32_t);

  for (size_t i = 0; i < g->n_orders; i++) {
    if (g->orders[i]->n_users > 0 || g->orders[i]->n_bytes < n_bytes) continue;
    *out = g->orders[i];
    return VISE_OK;
  }

  VISE_TRY(
      vise_i_grow(&g->orders, &g->orders_room, g->n_orders + 1, sizeof(vise_i_cuda_shared_order *), "orders", err));
  VISE_TRY(vise_i_alloc_zero(&o, 1, sizeof *o, "an order", err));
  VISE_TRY(vise_i_alloc(&o->copy, n, sizeof *o->copy, "an order", err));
  VISE_TRY(vise_i_cuda_alloc(g->cx, n_bytes, "an order of rows", &o->memory, err));
  o->n_bytes = n_bytes;
  g->orders[g->n_orders++] = o;
  *out = o;
  o = NULL;

done:
  if (o) free(o->copy);
  free(o);
  return status;
}

vise_status vise_i_cuda_share_order(vise_i_cuda *b, vise_error *err) {
  vise_status status = VISE_OK;
  vise_i_group *g = b->member.group;
  vise_i_cuda_bound *bound = &b->bound;
  if (!bound->order_is_new) return VISE_OK;

  vise_i_cuda_shared_order *o = find_order(g, bound);
  const bool is_checked = o && o->n_data <= bound->data.x.n_rows;
  VISE_TRY(vise_i_check_order(&b->base, bound->indices, is_checked ? 0 : bound->n_indices, bound->data.x.n_rows, err));
  vise_i_cuda_drop_order(b);

  if (!o) {
    VISE_TRY(take_order(g, bound->n_indices, &o, err));
    VISE_TRY(vise_i_cuda_send_indices(b, o->memory, bound->indices, bound->n_indices, err));
    memcpy(o->copy, bound->indices, bound->n_indices * sizeof *o->copy);
    o->rows = bound->indices;
    o->n = bound->n_indices;
    o->n_data = bound->data.x.n_rows;
    o->round = g->round;
  }

  o->n_users++;
  b->member.order = o;
  bound->indices = o->copy; /* the caller's may go */
  bound->order = (uint32_t *)(void *)o->memory;
  bound->order_is_new = false;

done:
  return status;
}

vise_status vise_i_cuda_send_order(vise_i_cuda *b, vise_error *err) {
  b->member.group->round++;
  return vise_i_cuda_share_order(b, err);
}
