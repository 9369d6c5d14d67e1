/* Inputs in which an output is monotone: a path's effect is the product of the signs of its weights, and if no path from an
   input to an output is negative, and all activations are monotone, the output never falls when the input grows. Sets of
   inputs are bits; scales are positive. */
#include <stdlib.h>
#include <string.h>

#include "host/base/memory.h"
#include "host/certify/certificate.h"

/* For each value the inputs with a rising path to it, and with a falling one: [n, n_words] each. */
typedef struct paths {
  uint64_t *up, *down;
} paths;

static void free_paths(paths *p) {
  free(p->up);
  free(p->down);
  *p = (paths){0};
}

static vise_status make_paths(paths *p, size_t n, size_t n_words, vise_error *err) {
  size_t all = 0;
  if (!vise_i_size_mul(n, n_words, &all)) return vise_i_fail_memory(err, 0, "monotone inputs");
  const vise_status status = vise_i_alloc_zero(&p->up, all, sizeof *p->up, "monotone inputs", err);
  return status == VISE_OK ? vise_i_alloc_zero(&p->down, all, sizeof *p->down, "monotone inputs", err) : status;
}

static void merge(uint64_t *to, const uint64_t *from, size_t n) {
  for (size_t i = 0; i < n; i++) to[i] |= from[i];
}

/* Through a weight of that sign. */
static void along(const paths *in, size_t j, bool rises, const paths *out, size_t k, size_t n_words) {
  merge(out->up + k * n_words, (rises ? in->up : in->down) + j * n_words, n_words);
  merge(out->down + k * n_words, (rises ? in->down : in->up) + j * n_words, n_words);
}

static void through_row(const vise_i_affine *a, size_t k, const paths *in, const paths *out, size_t n_words) {
  const double factor = a->factor[k];
  for (size_t j = 0; j < a->n_in; j++) {
    const double w = vise_i_affine_weight(a, k, j);
    const bool is_zero = !(w < 0) && !(w > 0), is_off = !(factor < 0) && !(factor > 0);
    if (is_zero || is_off) continue;
    along(in, j, (w > 0) == (factor > 0), out, k, n_words);
  }
}

static vise_status through_block(const vise_model *model, size_t l, const vise_certificate *c, paths *p,
                                 vise_error *err) {
  const vise_i_certified_layer *layer = &c->layers[l];
  vise_i_affine a;
  paths next = {0};
  vise_status status = VISE_OK;
  VISE_TRY(vise_i_affine_of(model, l, &a, err));
  VISE_TRY(make_paths(&next, a.n_out, c->n_words, err));

  const size_t n = c->n_words;
  for (size_t k = 0; k < a.n_out; k++) {
    through_row(&a, k, p, &next, n);
    if (layer->has_activation && !vise_i_is_monotone(layer->activation)) { /* a path may do both */
      merge(next.up + k * n, next.down + k * n, n);
      merge(next.down + k * n, next.up + k * n, n);
    }
    if (layer->residual) along(p, k, true, &next, k, n);
  }

  free_paths(p);
  *p = next;
  next = (paths){0};

done:
  free_paths(&next);
  vise_i_affine_free(&a);
  return status;
}

vise_status vise_i_certify_monotone(const vise_model *model, vise_certificate *out, vise_error *err) {
  paths p = {0};
  vise_status status = VISE_OK;
  out->n_words = (out->inputs.n + 63) / 64;

  VISE_TRY(make_paths(&p, out->inputs.n, out->n_words, err));
  for (size_t i = 0; i < out->inputs.n; i++) p.up[i * out->n_words + i / 64] |= (uint64_t)1 << i % 64;
  for (size_t l = 0; l < out->n_layers; l++) VISE_TRY(through_block(model, l, out, &p, err));

  out->up = p.up;
  out->down = p.down;
  p = (paths){0};

done:
  free_paths(&p);
  return status;
}
