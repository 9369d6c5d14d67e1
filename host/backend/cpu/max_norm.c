/*
 * Max-norm. Rows of the first layer lie side by side, in panels: a float32 sum of squares shows that most of them are inside,
 * without a look at exact ones. Where the rows before were at the bound, these will be too, and exact sums come at once.
 */
#include <math.h>

#include "host/backend/cpu/cpu.h"
#include "host/backend/projection.h"
#include "host/ops/simd.h"

/* The rows of a panel, or some of them, side by side: row r has w[i * stride + r] for i < n. */
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

/* Rows times their scales; counts: and what that does at the edges. */
VISE_I_INLINE void scale_all(const beside *rows, const float *scales, vise_i_cpu_edges *box, size_t n_rows,
                             bool counts) {
  float scale[VISE_I_CPU_PANEL];
  int32_t lo_more[VISE_I_CPU_PANEL] = {0}, hi_more[VISE_I_CPU_PANEL] = {0};
  const float lo = box->lo, hi = box->hi;
  memcpy(scale, scales, sizeof scale);

  for (size_t i = 0; i < rows->n; i++) {
    float *w = rows->w + i * rows->stride;
    for (size_t r = 0; r < n_rows; r++) {
      const float before = w[r], after = before * scale[r];
      if (counts) vise_i_cpu_count_edges(before, after, lo, hi, &lo_more[r], &hi_more[r]);
      w[r] = after;
    }
  }

  if (counts) vise_i_cpu_add_edges(box, lo_more, hi_more, n_rows);
}

VISE_I_CLONES static void scale_rows(const beside *rows, const float scales[VISE_I_CPU_PANEL], vise_i_cpu_edges *box) {
  if (rows->n_rows != VISE_I_CPU_PANEL) {
    scale_all(rows, scales, box, rows->n_rows, true);
  } else if (box->counts) {
    scale_all(rows, scales, box, VISE_I_CPU_PANEL, true);
  } else {
    scale_all(rows, scales, box, VISE_I_CPU_PANEL, false);
  }
}

static bool bound_beside(const vise_i_cpu *b, const beside *rows, vise_i_cpu_edges *box, bool met) {
  double sum[VISE_I_CPU_PANEL];
  float scale[VISE_I_CPU_PANEL];
  bool any = false;

  if (!met && are_inside(rows, b->rule->max_norm)) return false;
  exact_squares(rows, sum);
  for (size_t r = 0; r < rows->n_rows; r++) {
    scale[r] = (float)vise_i_max_norm_scale(b->rule, sqrt(sum[r]));
    any |= scale[r] != 1.0f;
  }
  if (any) scale_rows(rows, scale, box);
  return any;
}

/* n weights that lie together. */
VISE_I_CLONES static void scale_together(float *w, size_t n, float scale, vise_i_cpu_edges *box) {
  const float lo = box->lo, hi = box->hi;
  enum { MOST = 1 << 20 }; /* counts of so many fit 32 bits */
  for (size_t i = 0; box->counts && i < n; i += MOST) {
    const size_t end = n - i < MOST ? n : i + MOST;
    int32_t lo_more = 0, hi_more = 0;
    for (size_t j = i; j < end; j++) vise_i_cpu_count_edges(w[j], w[j] * scale, lo, hi, &lo_more, &hi_more);
    vise_i_cpu_add_edges(box, &lo_more, &hi_more, 1);
  }
  for (size_t i = 0; i < n; i++) w[i] *= scale;
}

static bool bound_together(const vise_i_cpu *b, float *w, size_t n, vise_i_cpu_edges *box) {
  const float scale = (float)vise_i_max_norm_scale(b->rule, sqrt(vise_i_cpu_sum_squares(w, n)));
  if (scale == 1.0f) return false;
  scale_together(w, n, scale, box);
  return true;
}

void vise_i_cpu_row_norms(const vise_i_cpu *b, const vise_i_cpu_tensor *t, size_t first, size_t end,
                          vise_i_cpu_edges *box, bool *met) {
  const size_t n = t->shape->n_cols;
  const bool in_panels = t->shape->n_rows > 1 && vise_i_cpu_in_panels(b, t);
  bool any = false;

  for (size_t u = first; u < end;) {
    const vise_i_cpu_piece piece = in_panels ? vise_i_cpu_piece_at(b, u, end) : (vise_i_cpu_piece){.end = u + 1};
    if (in_panels) {
      const beside rows = {t->w + piece.at, n, piece.width, piece.end - piece.first};
      any |= bound_beside(b, &rows, box, *met);
    } else {
      any |= bound_together(b, t->w + u * n, n, box);
    }
    u = piece.end;
  }
  *met = any;
}

bool vise_i_cpu_tensor_norms(vise_i_cpu *b) {
  bool any = false;
  for (size_t i = 0; vise_i_bounds_tensor_norms(b->rule) && i < b->net->n_tensors; i++) {
    const vise_i_cpu_tensor *t = &b->tensors[i];
    vise_i_cpu_edges unseen = {.counts = false};
    if (!t->shape->is_bias) any |= bound_together(b, t->w, t->n, &unseen);
  }
  return any;
}
