/* Orders of rows that several trainers share: those of one dataset, seed and epoch are made once. */
#ifndef VISE_I_ORDERS_H
#define VISE_I_ORDERS_H

#include "host/train/data_view.h"

typedef struct vise_i_orders vise_i_orders;

/* What the order of an epoch depends on. */
typedef struct vise_i_order_key {
  const vise_i_view *view;
  bool shuffle;
  uint64_t seed, epoch;
} vise_i_order_key;

VISE_WARN_UNUSED vise_status vise_i_orders_create(vise_i_orders **out, vise_error *err);
void vise_i_orders_free(vise_i_orders *orders);

/* The stored rows in the order of the epoch, [view->n_rows]; they stay until the second vise_i_orders_forget from now. */
VISE_WARN_UNUSED vise_status vise_i_orders_get(vise_i_orders *orders, const vise_i_order_key *key, const size_t **out,
                                               vise_error *err);
/* Orders that nobody has asked for since the call before this one may go. */
void vise_i_orders_forget(vise_i_orders *orders);

/* Writes that order to out. */
void vise_i_order_make(const vise_i_order_key *key, size_t *out);

#endif
