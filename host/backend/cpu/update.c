/*
 * The pass that writes: gradient (formed again as in reduce.c), norm scale, optimizer, cap, decay, proximal L1, mask
 * and box for each element, and counts of entries at their bounds. One loop for each optimizer and kind of penalty,
 * free of branches, so that all of them vectorize; the float operations are those of docs/step.md in its order.
 */
#include <math.h>

#include "host/backend/cpu/cpu.h"
#include "host/ops/simd.h"

typedef enum direction {
  SGD,
  SGD_MOMENTUM,
  SGD_NESTEROV,
  RMSPROP,
  RMSPROP_MOMENTUM,
  ADAM,
  LION,
  N_DIRECTIONS
} direction;

/* PLAIN: no penalty and none of the rarer options; L2: the same with c2*w; GENERAL: all. Each without a mask and with. */
typedef enum generality { PLAIN, L2, GENERAL, N_GENERALITIES } generality;

typedef struct update_args {
  vise_i_cpu_shaping shaping;
  float scale, lr, cap, keep, shrink, lo, hi;
  float mu, rho, rho_rest, beta1, beta1_rest, beta2, beta2_rest, eps, correct1, correct2;
  int32_t penalty_last; /* all bits or none: of the shaping's */
  float least, most;    /* what weights are clamped to: lo and hi, or 0 where a sign cuts them */
  bool boxed;           /* lo or hi is finite; if not, the rarer functions clamp all the same, which changes nothing */
} update_args;

typedef struct update_counts {
  uint64_t n_lo, n_hi; /* weights at the box */
  uint32_t largest;    /* bits of the largest magnitude; a NaN is above all others */
} update_counts;

/* x, or 0 where all bits of `drop` are set, not none of them: selects by what is no comparison of floats keep loops from
   becoming vector code. */
VISE_I_INLINE float keep_unless(float x, int32_t drop) {
  int32_t bits;
  memcpy(&bits, &x, sizeof bits);
  bits &= ~drop;
  memcpy(&x, &bits, sizeof x);
  return x;
}

/* The gradient that the optimizer gets. */
VISE_I_INLINE float shaped(const update_args *a, float g, float w, generality kind) {
  const vise_i_cpu_shaping *s = &a->shaping;
  if (kind == PLAIN) return g * a->scale;
  if (kind == L2) return (g + w * s->c2) * a->scale;
  const float penalty = w * s->c2 + vise_i_sign(w) * s->c1;
  const float before = keep_unless(penalty, a->penalty_last), after = keep_unless(penalty, ~a->penalty_last);
  return vise_i_clamp(g + before, s->lo, s->hi) * a->scale + after;
}

/* The direction u of the optimizer; advances the moments. */
VISE_I_INLINE float step_direction(const update_args *a, float g, float *m1, float *m2, direction kind) {
  switch (kind) {
    case SGD:
      return g;
    case SGD_MOMENTUM:
      return *m1 = a->mu * *m1 + g;
    case SGD_NESTEROV:
      *m1 = a->mu * *m1 + g;
      return g + a->mu * *m1;
    case RMSPROP:
    case RMSPROP_MOMENTUM: {
      *m2 = a->rho * *m2 + a->rho_rest * g * g;
      const float u = g / (sqrtf(*m2) + a->eps);
      if (kind == RMSPROP) return u;
      return *m1 = a->mu * *m1 + u;
    }
    case ADAM:
      *m1 = a->beta1 * *m1 + a->beta1_rest * g;
      *m2 = a->beta2 * *m2 + a->beta2_rest * g * g;
      return (*m1 * a->correct1) / (sqrtf(*m2 * a->correct2) + a->eps);
    case LION: {
      const float u = vise_i_sign(a->beta1 * *m1 + a->beta1_rest * g);
      *m1 = a->beta2 * *m1 + a->beta2_rest * g;
      return u;
    }
    case N_DIRECTIONS:
      break;
  }

  return g;
}

VISE_I_INLINE int32_t magnitude_bits(float x) {
  int32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits & INT32_MAX;
}

/* sign(w) max(|w| - by, 0), with a true zero where |w| <= by; by = 0 changes nothing. */
VISE_I_INLINE float shrink1(float w, float by) {
  const float rest = fabsf(w) - by;
  return keep_unless(copysignf(rest, w), -(rest <= 0));
}

/* All bits where a mask byte is this one. */
VISE_I_INLINE int32_t is(int32_t byte, int32_t other) {
  return -(byte == other);
}

VISE_I_INLINE update_counts update_leaf(const update_args *args, float *restrict w, const float *restrict g,
                                        float *restrict m1, float *restrict m2, const int32_t *restrict mask, size_t n,
                                        direction how, generality kind, bool boxed) {
  const update_args local = *args, *a = &local; /* so the compiler sees that stores do not change it */
  const bool first = how != SGD && how != RMSPROP, second = how == RMSPROP || how == RMSPROP_MOMENTUM || how == ADAM;
  uint32_t n_lo = 0, n_hi = 0;
  int32_t largest = 0;

  for (size_t i = 0; i < n; i++) {
    float x = w[i], v1 = first ? m1[i] : 0, v2 = second ? m2[i] : 0;
    float d = a->lr * step_direction(a, shaped(a, g[i], x, kind), &v1, &v2, how);

    if (kind == GENERAL) {
      d = vise_i_clamp(d, -a->cap, a->cap);
      x = shrink1(a->keep * x - d, a->shrink);
    } else {
      x = x - d;
    }

    if (mask) {
      const int32_t pruned = is(mask[i], 0);
      x = keep_unless(x, pruned);
      v1 = keep_unless(v1, pruned);
      v2 = keep_unless(v2, pruned);
    }

    if (boxed) { /* which a sign cuts at 0, where there is one: it contains 0 then */
      const float lo = mask ? keep_unless(a->least, is(mask[i], VISE_I_KEPT | VISE_I_NOT_NEGATIVE)) : a->least;
      const float hi = mask ? keep_unless(a->most, is(mask[i], VISE_I_KEPT | VISE_I_NOT_POSITIVE)) : a->most;
      x = vise_i_clamp(x, lo, hi);
      n_lo += x == a->lo;
      n_hi += x == a->hi;
    }
    if (!mask) largest = magnitude_bits(x) > largest ? magnitude_bits(x) : largest;
    w[i] = x;
    if (first) m1[i] = v1;
    if (second) m2[i] = v2;
  }

  /* In the loop above the compiler would make two selects of each clamp with bounds of its own, of floats and of bits. */
  for (size_t i = 0; mask && i < n; i++) largest = magnitude_bits(w[i]) > largest ? magnitude_bits(w[i]) : largest;
  return (update_counts){n_lo, n_hi, (uint32_t)largest};
}

static inline void add_counts(update_counts *all, const update_counts *c) {
  all->n_lo += c->n_lo;
  all->n_hi += c->n_hi;
  if (c->largest > all->largest) all->largest = c->largest;
}

/* Of the same elements; moments that are not kept are NULL. */
typedef struct update_arrays {
  float *w;
  const float *g;
  float *m1, *m2;
  const uint8_t *mask;
} update_arrays;

enum { BLOCK = VISE_I_CPU_PANEL };

/* Whether a block of a mask is one byte throughout. In panels an input's weights lie together, and mostly have one sign. */
VISE_I_INLINE bool is_even(const uint8_t *mask) {
  uint64_t words[BLOCK / 8], differs = 0;
  memcpy(words, mask, BLOCK);
  for (size_t i = 0; i < BLOCK / 8; i++) differs |= words[i] ^ 0x0101010101010101u * mask[0];
  return differs == 0;
}

/* How many elements from the first on are kept and have one sign; whole blocks. */
VISE_I_INLINE size_t even_run(const uint8_t *mask, size_t n) {
  size_t run = 0;
  while (run + BLOCK <= n && mask[0] != 0 && mask[run] == mask[0] && is_even(mask + run)) run += BLOCK;
  return run;
}

/* The mask's bytes are widened a block at a time: loops over bytes and floats do not become vector code. */
VISE_I_INLINE update_counts update_masked(const update_args *a, const update_arrays *all_of, size_t n, direction how,
                                          generality kind) {
  int32_t wide[BLOCK];
  update_counts all = {0, 0, 0};

  for (size_t i = 0, n_block; i < n; i += n_block) {
    const uint8_t *mask = all_of->mask + i;
    float *m1 = all_of->m1 ? all_of->m1 + i : NULL, *m2 = all_of->m2 ? all_of->m2 + i : NULL;
    const size_t run = even_run(mask, n - i);
    n_block = run > 0 ? run : (n - i < BLOCK ? n - i : (size_t)BLOCK);

    update_counts c;
    if (run > 0) {
      update_args cut = *a;
      if (mask[0] & VISE_I_NOT_NEGATIVE) cut.least = 0;
      if (mask[0] & VISE_I_NOT_POSITIVE) cut.most = 0;
      c = update_leaf(&cut, all_of->w + i, all_of->g + i, m1, m2, NULL, n_block, how, kind, true);
    } else {
      for (size_t j = 0; j < n_block; j++) wide[j] = mask[j];
      c = update_leaf(a, all_of->w + i, all_of->g + i, m1, m2, wide, n_block, how, kind, true);
    }
    add_counts(&all, &c);
  }
  return all;
}

#define DEFINE_ONE(how, kind)                                                                                         \
  VISE_I_CLONES static update_counts update_##how##_##kind(const update_args *a, float *w, const float *g, float *m1, \
                                                           float *m2, const uint8_t *mask, size_t n) {                \
    (void)mask;                                                                                                       \
    if (kind < GENERAL && !a->boxed) return update_leaf(a, w, g, m1, m2, NULL, n, how, kind, false);                  \
    return update_leaf(a, w, g, m1, m2, NULL, n, how, kind, true);                                                    \
  }                                                                                                                   \
  VISE_I_CLONES static update_counts masked_##how##_##kind(const update_args *a, float *w, const float *g, float *m1, \
                                                           float *m2, const uint8_t *mask, size_t n) {                \
    return update_masked(a, &(update_arrays){w, g, m1, m2, mask}, n, how, kind);                                      \
  }
#define DEFINE(how) DEFINE_ONE(how, PLAIN) DEFINE_ONE(how, L2) DEFINE_ONE(how, GENERAL)

DEFINE(SGD)
DEFINE(SGD_MOMENTUM)
DEFINE(SGD_NESTEROV)
DEFINE(RMSPROP)
DEFINE(RMSPROP_MOMENTUM)
DEFINE(ADAM)
DEFINE(LION)

typedef update_counts update_function(const update_args *, float *, const float *, float *, float *, const uint8_t *,
                                      size_t);
#define KIND(how, kind) \
  { update_##how##_##kind, masked_##how##_##kind }
#define ROW(how) \
  { KIND(how, PLAIN), KIND(how, L2), KIND(how, GENERAL) }
/* The last index: whether there is a mask. */
static update_function *const functions[N_DIRECTIONS][N_GENERALITIES][2] = {
    ROW(SGD), ROW(SGD_MOMENTUM), ROW(SGD_NESTEROV), ROW(RMSPROP), ROW(RMSPROP_MOMENTUM), ROW(ADAM), ROW(LION),
};

static direction direction_of(const vise_i_rule *rule) {
  const bool momentum = rule->momentum > 0;
  if (rule->optimizer == VISE_ADAM) return ADAM;
  if (rule->optimizer == VISE_LION) return LION;
  if (rule->optimizer == VISE_RMSPROP) return momentum ? RMSPROP_MOMENTUM : RMSPROP;
  if (!momentum) return SGD;
  return rule->nesterov ? SGD_NESTEROV : SGD_MOMENTUM;
}

static generality generality_of(const vise_i_cpu *b, const vise_i_cpu_tensor *t) {
  const vise_i_rule *rule = b->rule;
  if (rule->clip_value || rule->max_update > 0 || t->k.k1 != 0 || t->k.k2d != 0) return GENERAL;
  if (t->c2 == 0) return PLAIN;
  return rule->clip_scope == VISE_CLIP_SCOPE_DATA ? GENERAL : L2;
}

static update_args common_args(const vise_i_cpu *b, const vise_i_hyper *hyper) {
  const vise_i_rule *rule = b->rule;

  return (update_args){
      .lr = (float)hyper->lr,
      .cap = (float)vise_i_update_cap(rule),
      .mu = (float)rule->momentum,
      .rho = (float)rule->rho,
      .rho_rest = (float)(1 - rule->rho),
      .beta1 = (float)rule->beta1,
      .beta1_rest = (float)(1 - rule->beta1),
      .beta2 = (float)rule->beta2,
      .beta2_rest = (float)(1 - rule->beta2),
      .eps = (float)rule->eps,
      .correct1 = (float)(1 / (1 - b->host.counters.beta1_t)),
      .correct2 = (float)(1 / (1 - b->host.counters.beta2_t)),
  };
}

/* Elements [i, end) of a tensor. */
static update_counts update_range(const vise_i_cpu *b, const vise_i_cpu_tensor *t, update_args a, size_t i,
                                  size_t end) {
  enum { MOST = 1 << 20 }; /* counts of so many fit 32 bits */
  update_function *function = functions[direction_of(b->rule)][generality_of(b, t)][t->mask != NULL];
  const size_t n_each = t->n / t->n_units;
  update_counts all = {0};

  while (i < end) {
    const size_t unit = i / n_each, unit_end = (unit + 1) * n_each;
    size_t n = (unit_end < end ? unit_end : end) - i;
    if (n > MOST) n = MOST;

    a.scale = (float)b->unit_scale[t->first_unit + unit];
    const update_counts c = function(&a, t->w + i, t->g + i, t->m1 ? t->m1 + i : NULL, t->m2 ? t->m2 + i : NULL,
                                     t->mask ? t->mask + i : NULL, n);
    add_counts(&all, &c);
    i += n;
  }

  return all;
}

/* A thread's part of a tensor, and its bounds; returns the bits of the largest magnitude before these. */
static uint32_t update_tensor(vise_i_cpu *b, const vise_i_crew *crew, size_t tensor, update_args a) {
  const vise_i_cpu_tensor *t = &b->tensors[tensor];
  vise_i_cpu_bounds *found = &b->found[crew->part];
  uint32_t largest = 0;
  size_t first, end;

  const bool by_rows = vise_i_cpu_has_whole_rows(b, crew, tensor, &first, &end);
  if (!by_rows) vise_i_crew_slice(crew, t->n, VISE_I_CPU_LEAF, t->n >= VISE_I_CPU_SHARE_ELEMENTS, &first, &end);
  const size_t n_each = by_rows ? t->shape->n_cols : 1, n_most = by_rows ? vise_i_cpu_rows_at_once(b, tensor) : t->n;

  found->n_at_lo[tensor] = found->n_at_hi[tensor] = 0;
  for (size_t i = first; i < end; i += n_most) {
    const size_t next = end - i < n_most ? end : i + n_most;
    const update_counts counts = update_range(b, t, a, i * n_each, next * n_each);
    found->n_at_lo[tensor] += counts.n_lo;
    found->n_at_hi[tensor] += counts.n_hi;
    if (counts.largest > largest) largest = counts.largest;
    if (by_rows) vise_i_cpu_bound_rows(b, crew, tensor, i, next);
  }
  return largest;
}

void vise_i_cpu_update(vise_i_cpu *b, const vise_i_crew *crew, const vise_i_hyper *hyper) {
  vise_i_cpu_bounds *found = &b->found[crew->part];
  update_args a = common_args(b, hyper);

  for (size_t i = 0; i < b->net->n_tensors; i++) {
    const vise_i_cpu_tensor *t = &b->tensors[i];
    a.shaping = vise_i_cpu_shaping_of(b, t, hyper);
    a.penalty_last = -(int32_t)a.shaping.penalty_last;
    a.keep = (float)vise_i_decay(&t->k, hyper->lr);
    a.shrink = (float)vise_i_shrinkage(b->rule, &t->k, hyper->lr);
    a.lo = t->lo;
    a.hi = t->hi;
    a.least = a.lo;
    a.most = a.hi;
    a.boxed = t->boxed;

    const uint32_t largest = update_tensor(b, crew, i, a);
    if (i == b->net->blocks[0].weight) found->first_is_finite = largest < VISE_I_BITS_OF_INFINITY;
  }
}

void vise_i_cpu_after_update(vise_i_cpu *b, size_t n_parts) {
  for (size_t i = 0; i < b->net->n_tensors; i++) {
    const vise_i_cpu_tensor *t = &b->tensors[i];
    uint64_t n_lo = 0, n_hi = 0;
    for (size_t p = 0; p < n_parts; p++) {
      n_lo += b->found[p].n_at_lo[i];
      n_hi += b->found[p].n_at_hi[i];
    }
    b->host.base.tensor_stats[i].n_at_lo = isfinite(t->lo) ? n_lo : 0;
    b->host.base.tensor_stats[i].n_at_hi = isfinite(t->hi) ? n_hi : 0;
  }

  b->first_is_finite = true;
  for (size_t p = 0; p < n_parts; p++) b->first_is_finite &= b->found[p].first_is_finite;

  if (vise_i_cpu_tensor_norms(b)) vise_i_cpu_count_bounds(b);
}
