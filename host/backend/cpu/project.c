/* Mask and box outside the update, the bounds of rows in it and outside; counting entries at their bounds. */
#include <math.h>

#include "host/backend/cpu/cpu.h"
#include "host/backend/projection.h"
#include "host/ops/simd.h"

static void set_radius(const vise_i_cpu *b, vise_i_cpu_tensor *t, double factor) {
  const vise_i_row_ball ball = vise_i_tensor_ball(b->spec, t->shape);
  t->radius = vise_i_row_radius(&ball, factor);
  t->sided = ball.sided;
}

void vise_i_cpu_set_box(vise_i_cpu *b, const vise_i_hyper *hyper) {
  for (size_t i = 0; i < b->net->n_tensors; i++) {
    vise_i_cpu_tensor *t = &b->tensors[i];
    const vise_i_box box = vise_i_tensor_box(b->spec, t->shape, hyper->clamp_factor);
    t->lo = (float)box.lo;
    t->hi = (float)box.hi;
    t->boxed = isfinite(t->lo) || isfinite(t->hi);
    if (b->bounds_rows) set_radius(b, t, hyper->row_l1_factor);
  }
}

VISE_I_CLONES static void clamp_all(float *w, size_t n, float lo, float hi) {
  for (size_t i = 0; i < n; i++) w[i] = vise_i_clamp(w[i], lo, hi);
}

/* Entries equal to either value, which may be infinite. */
VISE_I_CLONES static void count_equal(const float *w, size_t n, float lo, float hi, uint64_t counts[2]) {
  enum { MOST = 1 << 20 }; /* counts of so many fit 32 bits */
  counts[0] = counts[1] = 0;
  for (size_t first = 0; first < n; first += MOST) {
    const size_t end = n - first < MOST ? n : first + MOST;
    uint32_t n_lo = 0, n_hi = 0;
    for (size_t i = first; i < end; i++) {
      n_lo += w[i] == lo;
      n_hi += w[i] == hi;
    }
    counts[0] += n_lo;
    counts[1] += n_hi;
  }
}

/* ---- bounds of rows ---- */

enum { LANES = VISE_I_LANES };

static bool bounds_norms(const vise_i_cpu *b, const vise_i_cpu_tensor *t) {
  return vise_i_bounds_unit_norms(b->rule) && !t->shape->is_bias;
}

static bool has_bounds(const vise_i_cpu *b, const vise_i_cpu_tensor *t) {
  return t->last_thresholds != NULL || bounds_norms(b, t);
}

bool vise_i_cpu_has_whole_rows(const vise_i_cpu *b, const vise_i_crew *crew, size_t tensor, size_t *first,
                               size_t *end) {
  const vise_i_cpu_tensor *t = &b->tensors[tensor];
  const size_t align = vise_i_cpu_in_panels(b, t) ? (size_t)VISE_I_CPU_PANEL : LANES;
  const bool is_shared = t->n >= VISE_I_CPU_SHARE_ELEMENTS;
  if (!has_bounds(b, t) || (is_shared && (t->shape->n_rows + align - 1) / align < crew->n_parts)) return false;

  vise_i_crew_slice(crew, t->shape->n_rows, align, is_shared, first, end);
  return true;
}

size_t vise_i_cpu_rows_at_once(const vise_i_cpu *b, size_t tensor) {
  enum { ELEMENTS = 16384 };
  const vise_i_cpu_tensor *t = &b->tensors[tensor];
  const size_t align = vise_i_cpu_in_panels(b, t) ? (size_t)VISE_I_CPU_PANEL : LANES;
  return align * (1 + ELEMENTS / (align * t->shape->n_cols));
}

/* Whether threads share rows of a tensor, or have some that do not lie together. */
static bool is_rest(const vise_i_cpu *b, const vise_i_crew *crew, size_t tensor) {
  size_t first, end;
  return has_bounds(b, &b->tensors[tensor]) && !vise_i_cpu_has_whole_rows(b, crew, tensor, &first, &end);
}

void vise_i_cpu_bound_rows(vise_i_cpu *b, const vise_i_crew *crew, size_t tensor, size_t first, size_t end) {
  const vise_i_cpu_tensor *t = &b->tensors[tensor];
  vise_i_cpu_bounds *found = &b->found[crew->part];
  vise_i_cpu_edges box = {.lo = t->lo, .hi = t->hi};
  if (t->last_thresholds != NULL) vise_i_cpu_row_l1(b, t, first, end, &box);

  const bool touched = !(t->lo < 0 && t->hi > 0) || found->n_at_lo[tensor] + found->n_at_hi[tensor] > 0;
  box.counts = t->boxed && (touched || is_rest(b, crew, tensor)); /* which others may have counted */
  if (bounds_norms(b, t)) vise_i_cpu_row_norms(b, t, first, end, &box, &found->norms_met[tensor]);
  found->n_at_lo[tensor] += (uint64_t)box.lo_more; /* as many less where that is negative */
  found->n_at_hi[tensor] += (uint64_t)box.hi_more;
}

bool vise_i_cpu_has_rest(const vise_i_cpu *b, const vise_i_crew *crew) {
  for (size_t i = 0; i < b->net->n_tensors; i++) {
    if (is_rest(b, crew, i)) return true;
  }
  return false;
}

void vise_i_cpu_bound_rest(vise_i_cpu *b, const vise_i_crew *crew) {
  for (size_t i = 0; i < b->net->n_tensors; i++) {
    size_t first, end;
    if (!is_rest(b, crew, i)) continue;
    vise_i_crew_slice(crew, b->net->tensors[i].n_rows, LANES, true, &first, &end);
    if (first < end) vise_i_cpu_bound_rows(b, crew, i, first, end);
  }
}

/* ---- all of it ---- */

void vise_i_cpu_project(vise_i_cpu *b) {
  for (size_t i = 0; i < b->net->n_tensors; i++) {
    const vise_i_cpu_tensor *t = &b->tensors[i];
    for (size_t j = 0; t->mask && j < t->n; j++) {
      if (t->mask[j]) t->w[j] = vise_i_bound_sign(t->w[j], t->mask[j]);
      if (t->mask[j]) continue;
      t->w[j] = 0;
      if (t->m1) t->m1[j] = 0;
      if (t->m2) t->m2[j] = 0;
    }
    if (t->boxed) clamp_all(t->w, t->n, t->lo, t->hi);
  }

  for (size_t i = 0; i < b->net->n_tensors; i++) {
    if (has_bounds(b, &b->tensors[i])) vise_i_cpu_bound_rows(b, &VISE_I_ALONE, i, 0, b->net->tensors[i].n_rows);
  }
  (void)vise_i_cpu_tensor_norms(b);
}

void vise_i_cpu_count_bounds(vise_i_cpu *b) {
  for (size_t i = 0; i < b->net->n_tensors; i++) {
    const vise_i_cpu_tensor *t = &b->tensors[i];
    uint64_t counts[2] = {0, 0};
    if (t->boxed) count_equal(t->w, t->n, t->lo, t->hi, counts);
    b->host.base.tensor_stats[i].n_at_lo = isfinite(t->lo) ? counts[0] : 0;
    b->host.base.tensor_stats[i].n_at_hi = isfinite(t->hi) ? counts[1] : 0;
  }
}

void vise_i_cpu_sum_bounds(const vise_i_cpu *b, vise_step_stats *stats) {
  stats->n_at_lo = stats->n_at_hi = stats->n_boxed = 0;
  for (size_t i = 0; i < b->net->n_tensors; i++) {
    stats->n_at_lo += b->host.base.tensor_stats[i].n_at_lo;
    stats->n_at_hi += b->host.base.tensor_stats[i].n_at_hi;
    if (b->tensors[i].boxed) stats->n_boxed += b->tensors[i].n;
  }
}
