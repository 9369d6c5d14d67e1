#include "host/train/orders.h"

#include <stdlib.h>
#include <string.h>

#include "host/base/memory.h"
#include "host/base/rng.h"

typedef struct kept_order {
  const vise_dataset *dataset;
  bool shuffle;
  uint64_t seed, epoch;
  uint64_t used; /* the round in which it was asked for last */
  size_t *rows;
} kept_order;

struct vise_i_orders {
  kept_order *kept;
  size_t n, capacity;
  uint64_t round;
};

void vise_i_order_make(const vise_i_order_key *key, size_t *out) {
  const size_t n = key->view->n_rows;
  if (key->shuffle) vise_i_permutation(key->seed, VISE_I_STREAM_ORDER, (uint32_t)key->epoch, out, n);
  for (size_t i = 0; i < n; i++) out[i] = vise_i_view_row(key->view, key->shuffle ? out[i] : i);
}

vise_status vise_i_orders_create(vise_i_orders **out, vise_error *err) {
  return vise_i_alloc_zero(out, 1, sizeof **out, "orders of rows", err);
}

void vise_i_orders_free(vise_i_orders *orders) {
  if (orders == NULL) return;
  for (size_t i = 0; i < orders->n; i++) free(orders->kept[i].rows);
  free(orders->kept);
  free(orders);
}

/* Without a shuffle all seeds and epochs have one order. */
static kept_order wanted(const vise_i_order_key *key) {
  return (kept_order){.dataset = key->view->dataset,
                      .shuffle = key->shuffle,
                      .seed = key->shuffle ? key->seed : 0,
                      .epoch = key->shuffle ? key->epoch : 0};
}

static kept_order *find(vise_i_orders *orders, const kept_order *w) {
  for (size_t i = orders->n; i-- > 0;) { /* the newest are asked for most */
    kept_order *k = &orders->kept[i];
    if (k->dataset == w->dataset && k->shuffle == w->shuffle && k->seed == w->seed && k->epoch == w->epoch) return k;
  }
  return NULL;
}

vise_status vise_i_orders_get(vise_i_orders *orders, const vise_i_order_key *key, const size_t **out, vise_error *err) {
  vise_status status = VISE_OK;
  kept_order w = wanted(key);
  kept_order *found = find(orders, &w);

  if (found == NULL) {
    VISE_TRY(vise_i_alloc(&w.rows, key->view->n_rows, sizeof *w.rows, "the order of the rows", err));
    VISE_TRY(vise_i_grow(&orders->kept, &orders->capacity, orders->n + 1, sizeof *orders->kept, "orders of rows", err));
    vise_i_order_make(key, w.rows);
    found = &orders->kept[orders->n++];
    *found = w;
    w.rows = NULL;
  }
  found->used = orders->round;
  *out = found->rows;

done:
  free(w.rows);
  return status;
}

void vise_i_orders_forget(vise_i_orders *orders) {
  size_t n = 0;
  for (size_t i = 0; i < orders->n; i++) {
    if (orders->kept[i].used + 1 < orders->round) {
      free(orders->kept[i].rows);
    } else {
      orders->kept[n++] = orders->kept[i];
    }
  }
  orders->n = n;
  orders->round++;
}
