/*
 * The first layer, whose inputs are stored row by row and whose weights, [units, in] elsewhere, are stored in panels of
 * VISE_I_CPU_PANEL units: [panel][in][units of the panel]. So one input's weights to all units of a panel lie together,
 * as do those of a thread's units. Where the gradients of units are scaled by themselves they must lie together instead: then
 * there are no panels.
 */
#include "host/backend/cpu/cpu.h"
#include "host/product/product.h"

bool vise_i_cpu_has_panels(const vise_i_rule *rule) {
  return !vise_i_scales_units(rule);
}

vise_i_cpu_piece vise_i_cpu_piece_at(const vise_i_cpu *b, size_t unit, size_t end) {
  const size_t in = b->net->widths[0], out = b->net->widths[1];
  const size_t panel = unit / VISE_I_CPU_PANEL * VISE_I_CPU_PANEL, panel_end = panel + VISE_I_CPU_PANEL;
  return (vise_i_cpu_piece){
      .first = unit,
      .end = end < panel_end ? end : panel_end,
      .at = panel * in + (unit - panel),
      .width = out < panel_end ? out - panel : (size_t)VISE_I_CPU_PANEL,
  };
}

static const vise_i_cpu_tensor *weight_of(const vise_i_cpu *b) {
  return &b->tensors[b->net->blocks[0].weight];
}

bool vise_i_cpu_in_panels(const vise_i_cpu *b, const vise_i_cpu_tensor *t) {
  return b->has_panels && t->shape == weight_of(b)->shape;
}

/* The piece's part of b->first_rows, where a panel's rows lie together: each row piece->width after the one before. */
static float *rows_of(const vise_i_cpu *b, const vise_i_cpu_piece *piece) {
  const size_t panel = piece->first / VISE_I_CPU_PANEL * VISE_I_CPU_PANEL;
  return b->first_rows + panel * b->pass.n + (piece->first - panel);
}

static void piece_forward(vise_i_cpu *b, const vise_i_crew *crew, const vise_i_cpu_piece *piece) {
  const size_t n = b->pass.n, in = b->net->widths[0], width = piece->end - piece->first;
  const float *w = weight_of(b)->used + piece->at;
  float *rows = rows_of(b, piece);

  if (b->pass_is_listed) {
    vise_i_cpu_sparse_forward(b, crew, piece, rows);
  } else {
    vise_i_multiply_f32(&(vise_i_product_f32){.m = n,
                                              .n = width,
                                              .k = in,
                                              .a = {b->x, in, 1},
                                              .b = {w, piece->width, 1},
                                              .c = rows,
                                              .c_row = piece->width,
                                              .ahead = vise_i_cpu_ahead_of(b, crew)});
  }
  vise_i_transpose_f32(n, width, rows, piece->width, b->act[0] + piece->first * n, n);
}

static void piece_gradient(vise_i_cpu *b, const vise_i_crew *crew, const vise_i_cpu_piece *piece, const float *delta,
                           bool add) {
  const size_t n = b->pass.n, in = b->net->widths[0], width = piece->end - piece->first;
  float *rows = rows_of(b, piece), *g = weight_of(b)->g + piece->at;
  vise_i_transpose_f32(width, n, delta + piece->first * n, n, rows, piece->width);

  if (b->pass_is_listed) {
    vise_i_cpu_sparse_gradient(b, crew, piece, rows, add);
  } else {
    vise_i_multiply_f32(&(vise_i_product_f32){.m = in,
                                              .n = width,
                                              .k = n,
                                              .a = {b->x, 1, in},
                                              .b = {rows, piece->width, 1},
                                              .c = g,
                                              .c_row = piece->width,
                                              .add = add,
                                              .ahead = vise_i_cpu_ahead_of(b, crew)});
  }
}

void vise_i_cpu_first_forward(vise_i_cpu *b, const vise_i_crew *crew, const vise_i_cpu_units *units) {
  const size_t n = b->pass.n, in = b->net->widths[0], out = b->net->widths[1], width = units->end - units->first;

  if (!b->has_panels) {
    const vise_i_matrix_f32 weights = {weight_of(b)->used + units->first * in, 1, in};
    float *rows = b->first_rows + units->first;
    vise_i_multiply_f32(&(vise_i_product_f32){n, width, in, {b->x, in, 1}, weights, rows, out, false, NULL});
    vise_i_transpose_f32(n, width, rows, out, b->act[0] + units->first * n, n);
    return;
  }

  for (size_t u = units->first; u < units->end;) {
    const vise_i_cpu_piece piece = vise_i_cpu_piece_at(b, u, units->end);
    piece_forward(b, crew, &piece);
    u = piece.end;
  }
}

void vise_i_cpu_first_gradient(vise_i_cpu *b, const vise_i_crew *crew, const vise_i_cpu_units *units,
                               const float *delta, bool add) {
  const size_t n = b->pass.n, in = b->net->widths[0], width = units->end - units->first;

  if (!b->has_panels) {
    float *g = weight_of(b)->g + units->first * in;
    delta += units->first * n;
    vise_i_multiply_f32(&(vise_i_product_f32){width, in, n, {delta, n, 1}, {b->x, in, 1}, g, in, add, NULL});
    return;
  }

  for (size_t u = units->first; u < units->end;) {
    const vise_i_cpu_piece piece = vise_i_cpu_piece_at(b, u, units->end);
    piece_gradient(b, crew, &piece, delta, add);
    u = piece.end;
  }
}

/* ---- to and from [units, in], which is how everything else has these weights -------------------------------------- */

size_t vise_i_cpu_first_place(const vise_i_cpu *b, size_t i) {
  const size_t in = b->net->widths[0], panel = i / (VISE_I_CPU_PANEL * in) * VISE_I_CPU_PANEL;
  const vise_i_cpu_piece p = vise_i_cpu_piece_at(b, panel, b->net->widths[1]);
  const size_t inside = i - p.at;
  return (panel + inside % p.width) * in + inside / p.width;
}

#define DEFINE_CONVERT(name, T)                                                           \
  static void name(const vise_i_cpu *b, bool to_panels, const T *from, T *to) {           \
    const size_t in = b->net->widths[0], out = b->net->widths[1];                         \
    for (size_t first = 0; first < out; first += VISE_I_CPU_PANEL) {                      \
      const vise_i_cpu_piece p = vise_i_cpu_piece_at(b, first, out);                      \
      for (size_t i = 0; i < in; i++) {                                                   \
        for (size_t u = 0; u < p.width; u++) {                                            \
          const size_t in_panel = p.at + i * p.width + u, in_rows = (first + u) * in + i; \
          to[to_panels ? in_panel : in_rows] = from[to_panels ? in_rows : in_panel];      \
        }                                                                                 \
      }                                                                                   \
    }                                                                                     \
  }

DEFINE_CONVERT(convert_floats, float)
DEFINE_CONVERT(convert_bytes, uint8_t)

void vise_i_cpu_first_convert(const vise_i_cpu *b, vise_i_state which, bool to_panels, const void *from, void *to) {
  const size_t at = weight_of(b)->shape->offset;
  if (which == VISE_I_MASK) {
    convert_bytes(b, to_panels, (const uint8_t *)from + at, (uint8_t *)to + at);
  } else {
    convert_floats(b, to_panels, (const float *)from + at, (float *)to + at);
  }
}
