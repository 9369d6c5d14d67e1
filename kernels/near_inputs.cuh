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
 * Limits      what is quick to convert (vise_input_kind): all else would take longer than the waits. Slices of 32 k.
 */
#ifndef VISE_K_NEAR_INPUTS_CUH
#define VISE_K_NEAR_INPUTS_CUH

#include "kernels/gather.cuh"
#include "kernels/step_context.cuh"

/* How the data set becomes inputs: floats as they are, bytes that are divided, in rows whose parts can be read as vectors;
   or all else. */
typedef enum vise_input_kind { VISE_INPUT_OTHER, VISE_INPUT_PLAIN, VISE_INPUT_DIVIDED } vise_input_kind;

VISE_FN uint32_t vise_input_kind_of(const vise_k_step *p) {
  const vise_k_source *s = &p->x;
  if (((uintptr_t)s->x | s->row_bytes) % 16 != 0 || VISE_RARE(p->input_dropout.threshold)) return VISE_INPUT_OTHER;
  if (s->type == VISE_F32 && s->scaling == VISE_K_SCALE_NONE) return VISE_INPUT_PLAIN;
  const int divided = s->type == VISE_U8 && s->scaling != VISE_K_SCALE_COLUMNS && s->byte_divisor != 0.0f;
  return divided ? VISE_INPUT_DIVIDED : VISE_INPUT_OTHER;
}

/* What the launch makes of its data set; whether it keeps inputs near, and where. By one thread, as it begins. */
VISE_FN void vise_inputs_open(vise_step *step) {
  const vise_k_step *p = &step->p;
  step->input_kind = vise_input_kind_of(p);
  step->near_at[0] = step->near_at[1] = 0;
  if (!VISE_STEP_NEAR_INPUTS || p->near_rows == 0) return;
  if (step->input_kind == VISE_INPUT_OTHER) {
    step->p.phases[0].tile = p->far_tile;
    return;
  }
  step->near_at[0] = vise_step_held_at(p, p->n_held + p->n_near * vise_k_step_near_arrays(p));
  step->near_at[1] = step->near_at[0] + vise_k_step_near_row_floats(p);
}

/* Where near rows (0) or columns (1) are; 0 if there are none. */
VISE_FN uint32_t vise_near_inputs_at(const vise_step *step, int columns) {
  return VISE_STEP_NEAR_INPUTS ? step->near_at[columns] : 0;
}

/* The rows of this CTA's forward tile. Tiles are those of a whole batch: of a smaller one some have no rows. */
VISE_FN vise_near_part vise_near_rows(const vise_step *step) {
  const vise_k_layer *first = &step->p.layers[0];
  const vise_k_tile planned = (vise_k_tile)step->p.phases[0].tile;
  const uint32_t rows_log = vise_k_tile_rows_log(planned), units_log = vise_k_tile_units_log(planned);
  const uint32_t n_down = vise_k_tiles_of(step->p.max_rows, rows_log), tile = vise_step_member(),
                 across = tile / n_down;
  vise_near_part part;
  part.at = vise_near_inputs_at(step, 0);
  part.unit = across << units_log;
  part.n_places = part.unit < first->n_out ? vise_k_tiles_of(first->n_in, 5) << rows_log : 0;
  part.row = (tile - across * n_down) << rows_log;
  part.column = 0;
  part.rows_log = rows_log;
  part.swizzle_log = planned == VISE_K_TILE_8 ? 1 : 2; /* a thread multiplies 2 rows, or 4 */
  return part;
}

/* The columns of its gradient tile, of all rows up to a whole slice. */
VISE_FN vise_near_part vise_near_columns(const vise_step *step) {
  const vise_k_layer *first = &step->p.layers[0];
  const uint32_t tile = vise_step_member();
  const int exists = tile < first->first_vector_tile; /* the first layer's weights come first */
  vise_near_part part;
  part.at = vise_near_inputs_at(step, 1);
  part.n_places = exists ? vise_ceil_div(step->p.max_rows, 32) * 32 : 0;
  part.row = part.unit = 0;
  part.column = tile % vise_ceil_div(first->n_in, 32) * 32;
  part.rows_log = part.swizzle_log = 31; /* all places are rows; no swizzle */
  return part;
}

/* Where they are, for the launch. By the first threads of two warps, once it is known that there are any. */
VISE_FN void vise_near_prepare(vise_step *step) {
  if (!vise_near_inputs_at(step, 0)) return;
  if (threadIdx.x == 0) step->near_parts[0] = vise_near_rows(step);
  if (threadIdx.x == 32) step->near_parts[1] = vise_near_columns(step);
}

enum { VISE_NEAR_PLACES = VISE_K_STEP_THREADS / 8 }; /* at a time; a thread's quads all have the same swizzle */

/* This thread's first quad of the part. */
VISE_FN float *vise_near_quad(const vise_near_part *part) {
  const uint32_t place = threadIdx.x / 8, swizzle = place >> part->swizzle_log & 7;
  return vise_step_floats() + part->at + place * 32 + (threadIdx.x % 8 ^ swizzle) * 4;
}

/* Starts to copy a quad, of which n elements exist, of 1 byte (log 0) or 4; the others become 0. */
VISE_FN void vise_near_copy_quad(float *to, const char *from, uint32_t n, uint32_t element_log) {
  const uint32_t n_bytes = (n < 4 ? n : 4) << element_log;
  if (element_log) {
    ptx_cp_async_16(to, from, n_bytes);
  } else {
    ptx_cp_async_4(to, from, n_bytes);
  }
}

/* Starts to copy this thread's quads of near rows, all of one row of the batch, which has n_rows. */
VISE_FN void vise_near_copy_rows(const vise_step *step, const vise_near_part *part, uint32_t first, uint32_t n_rows) {
  const vise_k_step *p = &step->p;
  const uint32_t place = threadIdx.x / 8, r = part->row + (place & ((1u << part->rows_log) - 1));
  const uint32_t element_log = step->input_kind == VISE_INPUT_DIVIDED ? 0 : 2;
  const uint32_t by = VISE_NEAR_PLACES >> part->rows_log << 5, end = r < n_rows ? p->x.n_columns : 0;
  const uint32_t at = first + (r < n_rows ? r : 0), row = p->order ? p->order[at] : at;
  const char *const from = (const char *)p->x.x + (size_t)row * p->x.row_bytes;
  uint32_t column = (place >> part->rows_log) * 32 + threadIdx.x % 8 * 4;
  float *to = vise_near_quad(part);

#pragma unroll 4
  for (uint32_t i = place; i < part->n_places; i += VISE_NEAR_PLACES) {
    const uint32_t n = column < end ? end - column : 0;
    vise_near_copy_quad(to, from + ((size_t)(n ? column : 0) << element_log), n, element_log);
    column += by;
    to += VISE_NEAR_PLACES * 32;
  }
}

/* Those of near columns, all of the same columns; which rows the next ones are is looked up together. */
VISE_FN void vise_near_copy_columns(const vise_step *step, const vise_near_part *part, uint32_t first,
                                    uint32_t n_rows) {
  enum { N = 4 };
  const vise_k_step *p = &step->p;
  const uint32_t column = part->column + threadIdx.x % 8 * 4, n_columns = p->x.n_columns;
  const uint32_t element_log = step->input_kind == VISE_INPUT_DIVIDED ? 0 : 2;
  const uint32_t n = column < n_columns ? n_columns - column : 0;
  const char *const x = (const char *)p->x.x + ((size_t)(n ? column : 0) << element_log);
  float *to = vise_near_quad(part);

#pragma unroll 1
  for (uint32_t i = threadIdx.x / 8; i < part->n_places; i += N * VISE_NEAR_PLACES) {
    uint32_t rows[N];
#pragma unroll
    for (uint32_t k = 0; k < N; k++) {
      const uint32_t r = i + k * VISE_NEAR_PLACES;
      rows[k] = first + (r < n_rows ? r : 0);
    }
    if (p->order) {
#pragma unroll
      for (uint32_t k = 0; k < N; k++) rows[k] = p->order[rows[k]];
    }

#pragma unroll
    for (uint32_t k = 0; k < N && i + k * VISE_NEAR_PLACES < part->n_places; k++) {
      const uint32_t here = i + k * VISE_NEAR_PLACES < n_rows ? n : 0;
      vise_near_copy_quad(to + k * VISE_NEAR_PLACES * 32, x + (size_t)rows[k] * p->x.row_bytes, here, element_log);
    }
    to += N * VISE_NEAR_PLACES * 32;
  }
}

/* Makes floats of N quads of bytes, in places VISE_NEAR_PLACES apart. */
template <int N>
static __device__ __forceinline__ void vise_near_convert_quads(const vise_k_source *s, float *at) {
  uint32_t bytes[N];
#pragma unroll
  for (int i = 0; i < N; i++) bytes[i] = vise_bits_f32(at[i * VISE_NEAR_PLACES * 32]);
#pragma unroll
  for (int i = 0; i < N; i++) *(float4 *)(at + i * VISE_NEAR_PLACES * 32) = vise_gather_divided(s, bytes[i]);
}

/* Makes floats of the bytes that this thread has copied. */
VISE_FN void vise_near_convert(const vise_k_step *p, const vise_near_part *part) {
  const vise_k_source s = p->x;
  float *at = vise_near_quad(part);
  uint32_t i = threadIdx.x / 8;

#pragma unroll 1
  for (; i + 3 * VISE_NEAR_PLACES < part->n_places; i += 4 * VISE_NEAR_PLACES, at += 4 * VISE_NEAR_PLACES * 32) {
    vise_near_convert_quads<4>(&s, at);
  }
#pragma unroll 1
  for (; i < part->n_places; i += VISE_NEAR_PLACES, at += VISE_NEAR_PLACES * 32) vise_near_convert_quads<1>(&s, at);
}

/* What a pass over the near inputs is for: the rows of this step, whose copies it starts; or as these say. */
enum { VISE_NEAR_COLUMNS = 1, VISE_NEAR_NEXT = 2, VISE_NEAR_FINISH = 4 };

/* FINISH: waits for all copies of this thread and makes floats of them. */
VISE_FN_CALLED void vise_near_pass(uint32_t what) {
  vise_step *const step = vise_step_here();
  const vise_k_step_record *record = &step->record;
  const int columns = (what & VISE_NEAR_COLUMNS) != 0, next = (what & VISE_NEAR_NEXT) != 0;
  const uint32_t first = next ? record->next_first : record->first;
  const uint32_t n_rows = next ? record->next_n_rows : record->n_rows;

  if (what & VISE_NEAR_FINISH) {
    ptx_cp_async_wait(0);
    if (step->input_kind != VISE_INPUT_DIVIDED) return;
  }

  const vise_near_part part = step->near_parts[columns];
  if (what & VISE_NEAR_FINISH) {
    vise_near_convert(&step->p, &part);
    return;
  }

  if (columns) {
    vise_near_copy_columns(step, &part, first, n_rows);
  } else {
    vise_near_copy_rows(step, &part, first, n_rows);
  }
  ptx_cp_async_commit();
}

/* When near inputs are fetched. */
typedef enum vise_near_moment {
  VISE_NEAR_AT_START,        /* of a step whose rows were not fetched by the one before: those it begins with */
  VISE_NEAR_AT_FIRST,        /* while the team waits after the first phase: the columns are there */
  VISE_NEAR_BEFORE_GRADIENT, /* while it waits for the deltas: the rows of the next step are on their way */
  VISE_NEAR_BEFORE_UPDATE    /* while it waits for the norm: the rows are there, the columns on their way */
} vise_near_moment;

/* By all threads, if inputs are near. What is on its way overwrites rows or columns whose phase is over, and is seen by
   the CTA after the barrier of an exchange or a product. */
VISE_FN_CALLED void vise_near_turn(vise_near_moment moment) {
  vise_step *const step = vise_step_here();
  const int goes_on = step->record.next_n_rows > 0 && step->state.cursor + 1 < step->end;

  switch (moment) {
    case VISE_NEAR_AT_START:
      if (step->near_is_ready) return;
      vise_near_pass(0);
      vise_near_pass(VISE_NEAR_COLUMNS);
      vise_near_pass(VISE_NEAR_FINISH);
      __syncthreads();
      return;
    case VISE_NEAR_AT_FIRST:
      if (threadIdx.x == 0) step->near_is_ready = 0;
      vise_near_pass(VISE_NEAR_COLUMNS | VISE_NEAR_FINISH);
      return;
    case VISE_NEAR_BEFORE_GRADIENT:
      if (goes_on) vise_near_pass(VISE_NEAR_NEXT);
      return;
    case VISE_NEAR_BEFORE_UPDATE:
      if (!goes_on) return;
      vise_near_pass(VISE_NEAR_NEXT | VISE_NEAR_FINISH);
      vise_near_pass(VISE_NEAR_NEXT | VISE_NEAR_COLUMNS);
      if (threadIdx.x == 0) step->near_is_ready = 1;
      return;
  }
}

#endif
