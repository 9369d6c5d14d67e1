/*
 * Inputs that a CTA keeps in its shared memory. A CTA with one tile of the first layer's forward phase and one of its
 * gradient reads some rows of the batch and some columns. Both come straight from the data set, which no launch writes:
 * so while the team waits, those of the next step are fetched, and no exchange is needed for them.
 *
 * Layout      as stages of a product (stage.cuh). Rows: [32 columns at a time][row of the tile][8 quads], swizzled;
 *             columns: [row of the batch][8 quads]. What lies outside the batch or the data is 0.
 * Memory      each CTA reads the data set for itself: what it holds in bytes is a quarter of the floats that it would
 *             read otherwise. A quad of bytes is copied to the first four bytes of its place among the floats, and the
 *             thread that copied it makes floats of it there.
 * Limits      floats as they are and bytes that are divided (vise_k_source), rows padded to 16 bytes, no dropout of
 *             inputs: what else there is would take longer than the waits. Slices of 32 k.
 */
#ifndef VISE_K_NEAR_INPUTS_CUH
#define VISE_K_NEAR_INPUTS_CUH

#include "kernels/gather.cuh"
#include "kernels/step_context.cuh"

/* The rows that a CTA may keep near in this launch: those of the plan, or 0. */
VISE_FN uint32_t vise_near_rows_of(const vise_k_step *p) {
  const vise_k_source *s = &p->x;
  if (!VISE_STEP_NEAR_INPUTS || p->near_rows == 0 || p->input_dropout.threshold) return 0;
  if (((uintptr_t)s->x | s->row_bytes) % 16 != 0) return 0;
  const int plain = s->type == VISE_F32 && s->scaling == VISE_K_SCALE_NONE;
  const int divided = s->type == VISE_U8 && s->scaling != VISE_K_SCALE_COLUMNS && s->byte_divisor != 0.0f;
  return plain || divided ? p->near_rows : 0;
}

/* Where in shared memory the near rows and columns are; 0 if there are none. */
VISE_FN uint32_t vise_near_rows_at(const vise_step *step) {
  const vise_k_step *p = &step->p;
  if (!VISE_STEP_NEAR_INPUTS || step->near_rows == 0) return 0;
  return vise_step_held_at(p, p->n_held + p->n_near * vise_k_step_near_arrays(p));
}

VISE_FN uint32_t vise_near_columns_at(const vise_step *step) {
  const uint32_t rows_at = vise_near_rows_at(step);
  return rows_at ? rows_at + vise_k_step_near_row_floats(&step->p) : 0;
}

/* What a CTA keeps of a batch. A place is 32 columns of a row: of 1 << rows_log rows from `row` on, then of the same rows
   32 columns further on. */
typedef struct vise_near_part {
  uint32_t at; /* first float in shared memory */
  uint32_t n_places, row, column, rows_log;
  uint32_t swizzle_log; /* of places that share a swizzle */
} vise_near_part;

/* The rows of this CTA's forward tile in a batch of n_rows rows. */
VISE_FN vise_near_part vise_near_rows(const vise_step *step, uint32_t n_rows) {
  const vise_k_layer *first = &step->p.layers[0];
  const uint32_t side = step->near_rows, n_down = vise_ceil_div(n_rows, side), tile = vise_step_member();
  const int exists = tile < n_down * vise_ceil_div(first->n_out, side);
  vise_near_part part;
  part.at = vise_near_rows_at(step);
  part.n_places = exists ? side * vise_ceil_div(first->n_in, 32) : 0;
  part.row = tile % n_down * side;
  part.column = 0;
  part.rows_log = (uint32_t)vise_tree_depth(side);
  part.swizzle_log = side == 8 ? 1 : 2;
  return part;
}

/* The columns of its gradient tile, of all rows up to a whole slice. */
VISE_FN vise_near_part vise_near_columns(const vise_step *step, uint32_t n_rows) {
  const vise_k_layer *first = &step->p.layers[0];
  const uint32_t tile = vise_step_member();
  const int exists = tile < first->first_vector_tile; /* the first layer's weights come first */
  vise_near_part part;
  part.at = vise_near_columns_at(step);
  part.n_places = exists ? vise_ceil_div(n_rows, 32) * 32 : 0;
  part.row = 0;
  part.column = tile % vise_ceil_div(first->n_in, 32) * 32;
  part.rows_log = part.swizzle_log = 31; /* all places are rows; no swizzle */
  return part;
}

enum { VISE_NEAR_PLACES = VISE_K_STEP_THREADS / 8 }; /* at a time; a thread's quads all have the same swizzle */

/* This thread's first quad of the part. */
VISE_FN float *vise_near_quad(const vise_near_part *part) {
  const uint32_t place = threadIdx.x / 8, swizzle = place >> part->swizzle_log & 7;
  return vise_step_floats() + part->at + place * 32 + (threadIdx.x % 8 ^ swizzle) * 4;
}

/* Starts to copy rows or columns of a batch: rows order[first .. first + n_rows) of the data set. */
VISE_FN_CALLED void vise_near_start(int columns, uint32_t first, uint32_t n_rows) {
  const vise_step *const step = vise_step_here();
  const vise_k_source *s = &step->p.x;
  const uint32_t *const order = step->p.order;
  const vise_near_part part = columns ? vise_near_columns(step, n_rows) : vise_near_rows(step, n_rows);
  const uint32_t n_columns = s->n_columns, element_log = s->type == VISE_U8 ? 0 : 2;
  const char *const x = (const char *)s->x, *row = x;
  float *to = vise_near_quad(&part);

#pragma unroll 1
  for (uint32_t place = threadIdx.x / 8; place < part.n_places; place += VISE_NEAR_PLACES) {
    const uint32_t r = part.row + (place & ((1u << part.rows_log) - 1));
    const uint32_t column = part.column + (place >> part.rows_log) * 32 + threadIdx.x % 8 * 4;
    const int inside = r < n_rows && column < n_columns;
    if (r < n_rows && (columns || place < VISE_NEAR_PLACES)) { /* a thread's places are in one row, or in one column */
      row = x + (order ? order[first + r] : first + r) * s->row_bytes;
    }

    const uint32_t left = inside ? n_columns - column : 0, n_bytes = (left < 4 ? left : 4) << element_log;
    const char *from = inside ? row + ((size_t)column << element_log) : x;
    if (element_log) {
      ptx_cp_async_16(to, from, n_bytes);
    } else {
      ptx_cp_async_4(to, from, n_bytes);
    }
    to += VISE_NEAR_PLACES * 32;
  }

  ptx_cp_async_commit();
}

/* Waits for all copies of this thread; then makes floats of the bytes that it has copied of rows or columns of a batch
   of n_rows. */
VISE_FN_CALLED void vise_near_finish(int columns, uint32_t n_rows) {
  const vise_step *const step = vise_step_here();
  const vise_near_part part = columns ? vise_near_columns(step, n_rows) : vise_near_rows(step, n_rows);
  const float divisor = step->p.x.byte_divisor, inverse = step->p.x.byte_inverse;
  float *at = vise_near_quad(&part);
  ptx_cp_async_wait(0);
  if (step->p.x.type != VISE_U8) return;

#pragma unroll 2
  for (uint32_t place = threadIdx.x / 8; place < part.n_places; place += VISE_NEAR_PLACES) {
    const uint32_t bytes = vise_bits_f32(*at);
    float4 x;
    x.x = vise_k_byte_quotient((float)(bytes & 0xff), divisor, inverse);
    x.y = vise_k_byte_quotient((float)(bytes >> 8 & 0xff), divisor, inverse);
    x.z = vise_k_byte_quotient((float)(bytes >> 16 & 0xff), divisor, inverse);
    x.w = vise_k_byte_quotient((float)(bytes >> 24), divisor, inverse);
    *(float4 *)at = x;
    at += VISE_NEAR_PLACES * 32;
  }
}

#endif
