#include "host/backend/host.h"

#include <stdlib.h>
#include <string.h>

#include "host/backend/check_data.h"
#include "host/base/memory.h"

static vise_i_host *own(vise_i_backend *backend) {
  return (vise_i_host *)backend;
}

static const vise_i_host *own_const(const vise_i_backend *backend) {
  return (const vise_i_host *)backend;
}

static size_t element_bytes(const vise_i_backend_ops *ops, vise_i_state which) {
  if (which == VISE_I_SCALES) return sizeof(float);
  return which == VISE_I_MASK ? sizeof(uint8_t) : vise_dtype_size(ops->dtype);
}

/* Whether the array is kept, and its name in messages. */
static bool is_kept(const vise_i_step_spec *spec, vise_i_state which, const char **name) {
  switch (which) {
    case VISE_I_PARAMS:
      *name = "weights";
      return true;
    case VISE_I_MOMENT1:
      *name = "first moments";
      return vise_i_keeps_moment1(&spec->rule);
    case VISE_I_MOMENT2:
      *name = "second moments";
      return vise_i_keeps_moment2(&spec->rule);
    case VISE_I_MASK:
      *name = "mask";
      return spec->use_mask;
    case VISE_I_SCALES:
      *name = "scales";
      return spec->quantization != NULL;
    case VISE_I_ROUNDED:
      *name = "rounded weights";
      return spec->quantization != NULL;
    case VISE_I_N_STATES:
      break;
  }

  return false;
}

vise_status vise_i_host_open(vise_i_host *h, const vise_i_backend_ops *ops, const vise_i_step_spec *spec,
                             vise_error *err) {
  vise_status status = VISE_OK;
  h->base.ops = ops;
  h->base.spec = *spec;
  h->counters.beta1_t = h->counters.beta2_t = 1;

  for (int i = 0; i < VISE_I_N_STATES; i++) {
    const vise_i_state which = (vise_i_state)i;
    const size_t bytes = element_bytes(ops, which), n = vise_i_state_n(spec->net, which);
    const char *name;
    if (!is_kept(spec, which, &name)) continue;
    VISE_TRY(vise_i_alloc_aligned(&h->state[i], n, bytes, name, err));
    memset(h->state[i], which == VISE_I_MASK ? 1 : 0, n * bytes);
    if (which == VISE_I_SCALES) memcpy(h->state[i], spec->quantization->scales, n * bytes);
  }

done:
  return status;
}

void vise_i_host_free(vise_i_host *h) {
  for (int i = 0; i < VISE_I_N_STATES; i++) free(h->state[i]);
}

bool vise_i_host_has_state(const vise_i_backend *backend, vise_i_state which) {
  return own_const(backend)->state[which] != NULL;
}

static vise_status find_state(vise_i_backend *b, vise_i_state which, void **out, size_t *n_bytes, vise_error *err) {
  *out = own(b)->state[which];
  *n_bytes = vise_i_state_n(b->spec.net, which) * element_bytes(b->ops, which);
  if (*out) return VISE_OK;
  return vise_i_fail(err, VISE_ERR_INTERNAL, "%s: state %d is not kept", b->ops->name, (int)which);
}

vise_status vise_i_host_get_state(vise_i_backend *backend, vise_i_state which, void *out, vise_error *err) {
  void *from;
  size_t n_bytes;
  const vise_status status = find_state(backend, which, &from, &n_bytes, err);
  if (status == VISE_OK) memcpy(out, from, n_bytes);
  return status;
}

vise_status vise_i_host_set_state(vise_i_backend *backend, vise_i_state which, const void *values, vise_error *err) {
  void *to;
  size_t n_bytes;
  if (which == VISE_I_ROUNDED) {
    return vise_i_fail(err, VISE_ERR_INTERNAL, "%s: rounded weights follow from the others", backend->ops->name);
  }
  const vise_status status = find_state(backend, which, &to, &n_bytes, err);
  if (status == VISE_OK) memcpy(to, values, n_bytes);
  return status;
}

vise_i_counters vise_i_host_get_counters(const vise_i_backend *backend) {
  return own_const(backend)->counters;
}

void vise_i_host_set_counters(vise_i_backend *backend, const vise_i_counters *counters) {
  own(backend)->counters = *counters;
}

vise_status vise_i_host_bind(vise_i_backend *backend, const vise_i_data *data, vise_error *err) {
  vise_i_host *h = own(backend);
  const bool with_targets = backend->spec.rule.loss != VISE_LOSS_EXTERNAL;
  const vise_status status = vise_i_check_data(&backend->spec, data, with_targets, err);
  if (status != VISE_OK) return status;

  h->data = *data;
  h->is_bound = true;
  h->order = NULL;
  h->n_order = 0;
  return VISE_OK;
}

vise_status vise_i_host_set_order(vise_i_backend *backend, const size_t *rows, size_t n_rows, vise_error *err) {
  vise_i_host *h = own(backend);
  if (!h->is_bound) return vise_i_fail(err, VISE_ERR_INTERNAL, "%s: an order without data", backend->ops->name);
  const vise_status status = vise_i_check_order(backend, rows, n_rows, h->data.x.n_rows, err);
  if (status != VISE_OK) return status;

  h->order = rows;
  h->n_order = n_rows;
  return VISE_OK;
}

uint64_t vise_i_host_n_launches(const vise_i_backend *backend) {
  (void)backend;
  return 0;
}

vise_status vise_i_host_run(vise_i_backend *backend, const vise_i_steps *steps, vise_i_host_step *step, size_t *n_done,
                            vise_error *err) {
  vise_status status;
  const vise_i_host *h = own(backend);
  size_t done_steps = 0;

  VISE_TRY(vise_i_check_run(backend, steps, h->n_order, err));
  for (size_t i = 0; i < steps->n; i++) {
    const size_t at = steps->first + i * steps->size;
    const size_t n = vise_i_batch_rows(backend->spec.net, steps->size, h->n_order - at);
    const size_t n_left = h->n_order - at - n;
    const vise_i_batch batch = {
        .data = &h->data, .rows = h->order + at, .n = n, .n_next = n_left < steps->size ? n_left : steps->size};

    status = step(backend, &batch, &steps->hyper[i], &steps->stats[i], err);
    if (status == VISE_OK || status == VISE_ERR_NONFINITE) done_steps++;
    if (status != VISE_OK) goto done;
  }

done:
  *n_done = done_steps;
  return status;
}
