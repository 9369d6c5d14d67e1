/* Mask, box, balls of rows and max-norm outside the update; counting entries at their bounds. */
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

VISE_I_CLONES static void multiply_all(float *w, size_t n, float by) {
  for (size_t i = 0; i < n; i++) w[i] *= by;
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

/* ---- max-norm ---- */

/* The rows of a panel, or the first of them, side by side: row r has w[i * stride + r] for i < n. */
typedef struct beside {
  float *w;
  size_t n, stride, n_rows; /* at most VISE_I_CPU_PANEL */
} beside;

VISE_I_INLINE void add_squares(const beside *rows, float *near, size_t n_rows) {
  float sum[VISE_I_CPU_PANEL] = {0};
  for (size_t i = 0; i < rows->n; i++) {
    const float *w = rows->w + i * rows->stride;
    for (size_t r = 0; r < n_rows; r++) sum[r] += w[r] * w[r];
  }
  memcpy(near, sum, sizeof sum);
}

VISE_I_CLONES static void near_squares(const beside *rows, float near[VISE_I_CPU_PANEL]) {
  if (rows->n_rows == VISE_I_CPU_PANEL) add_squares(rows, near, VISE_I_CPU_PANEL);
  if (rows->n_rows != VISE_I_CPU_PANEL) add_squares(rows, near, rows->n_rows);
}

/* Whether all rows lie so far inside that rounding of their sums of squares in float32, and squares that vanish, cannot
   matter. */
static bool are_inside(const beside *rows, double radius) {
  enum { MOST_TERMS = 8192 }; /* such sums may be wrong by 1/2048 */
  float near[VISE_I_CPU_PANEL];
  if (rows->n > MOST_TERMS || radius < 1e-12) return false;

  near_squares(rows, near);
  for (size_t r = 0; r < rows->n_rows; r++) {
    if (!((double)near[r] < 0.998 * radius * radius)) return false;
  }
  return true;
}

VISE_I_INLINE void add_exact(const beside *rows, size_t first, size_t n_rows, double *to) {
  double sum[VISE_I_LANES] = {0};
  for (size_t i = 0; i < rows->n; i++) {
    const float *w = rows->w + i * rows->stride + first;
    for (size_t r = 0; r < n_rows; r++) sum[r] += (double)w[r] * (double)w[r];
  }
  for (size_t r = 0; r < n_rows; r++) to[first + r] = sum[r];
}

VISE_I_CLONES static void exact_squares(const beside *rows, double sum[VISE_I_CPU_PANEL]) {
  size_t r = 0;
  for (; r + VISE_I_LANES <= rows->n_rows; r += VISE_I_LANES) add_exact(rows, r, VISE_I_LANES, sum);
  if (r < rows->n_rows) add_exact(rows, r, rows->n_rows - r, sum);
}

VISE_I_CLONES static void scale_rows(const beside *rows, const float scale[VISE_I_CPU_PANEL]) {
  for (size_t i = 0; i < rows->n; i++) {
    float *w = rows->w + i * rows->stride;
    for (size_t r = 0; r < rows->n_rows; r++) w[r] *= scale[r];
  }
}

static bool bound_rows(const vise_i_cpu *b, const beside *rows) {
  double sum[VISE_I_CPU_PANEL];
  float scale[VISE_I_CPU_PANEL];
  bool any = false;

  if (are_inside(rows, b->rule->max_norm)) return false;
  exact_squares(rows, sum);
  for (size_t r = 0; r < rows->n_rows; r++) {
    scale[r] = (float)vise_i_max_norm_scale(b->rule, sqrt(sum[r]));
    any |= scale[r] != 1.0f;
  }
  if (any) scale_rows(rows, scale);
  return any;
}

/* Of the first layer's rows, in panels. */
static bool bound_panels(const vise_i_cpu *b, const vise_i_cpu_tensor *t) {
  const size_t n_rows = t->shape->n_rows;
  bool any = false;
  for (size_t first = 0; first < n_rows; first += VISE_I_CPU_PANEL) {
    const vise_i_cpu_piece piece = vise_i_cpu_piece_at(b, first, n_rows);
    const beside rows = {t->w + piece.at, t->shape->n_cols, piece.width, piece.end - piece.first};
    any |= bound_rows(b, &rows);
  }
  return any;
}

bool vise_i_cpu_max_norm(vise_i_cpu *b) {
  bool any = false;
  for (size_t i = 0; i < b->net->n_tensors; i++) {
    const vise_i_cpu_tensor *t = &b->tensors[i];
    size_t n_each;
    const size_t n_groups = vise_i_norm_groups(b->rule, t->shape, &n_each);
    if (n_groups > 1 && b->has_panels && i == b->net->blocks[0].weight) {
      any |= bound_panels(b, t);
      continue;
    }

    for (size_t u = 0; u < n_groups; u++) {
      const double norm = sqrt(vise_i_cpu_sum_squares(t->w + u * n_each, n_each));
      const float scale = (float)vise_i_max_norm_scale(b->rule, norm);
      if (scale == 1.0f) continue;
      multiply_all(t->w + u * n_each, n_each, scale);
      any = true;
    }
  }
  return any;
}

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

  if (b->bounds_rows) vise_i_cpu_row_l1(b, &VISE_I_ALONE);
  if (b->rule->max_norm > 0) (void)vise_i_cpu_max_norm(b);
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
