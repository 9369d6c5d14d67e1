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

/* Whether inputs are near, if the data set allows it; then rows and columns begin at these floats of the shared memory. */
VISE_FN int vise_plans_near_inputs(const vise_k_step *p) {
  return VISE_STEP_NEAR_INPUTS && p->near_rows > 0;
}

VISE_FN uint32_t vise_near_rows_at(const vise_k_step *p) {
  return vise_step_held_at(p, p->n_held + p->n_near * vise_k_step_near_arrays(p));
}

VISE_FN uint32_t vise_near_columns_at(const vise_k_step *p) {
  return vise_near_rows_at(p) + vise_k_step_near_row_floats(p);
}

/* What the launch makes of its data set; whether it keeps inputs near, and where. By one thread, as it begins. */
VISE_FN void vise_inputs_open(vise_step *step) {
  const vise_k_step *p = &step->p;
  step->input_kind = vise_input_kind_of(p);
  step->near_at[0] = step->near_at[1] = 0;
  if (!vise_plans_near_inputs(p) || step->input_kind == VISE_INPUT_OTHER) return;
  step->near_at[0] = vise_near_rows_at(p);
  step->near_at[1] = vise_near_columns_at(p);
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
  part.at = vise_near_rows_at(&step->p);
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
  part.at = vise_near_columns_at(&step->p);
  part.n_places = exists ? vise_ceil_div(step->p.max_rows, 32) * 32 : 0;
  part.row = part.unit = 0;
  part.column = tile % vise_ceil_div(first->n_in, 32) * 32;
  part.rows_log = part.swizzle_log = 31; /* all places are rows; no swizzle */
  return part;
}

/* Where they are, for the launch. By the first threads of two warps. */
VISE_FN void vise_near_prepare(vise_step *step) {
  if (!vise_plans_near_inputs(&step->p)) return;
  if (threadIdx.x == 96) step->near_parts[0] = vise_near_rows(step);
  if (threadIdx.x == 128) step->near_parts[1] = vise_near_columns(step);
}

enum { VISE_NEAR_PLACES = VISE_K_STEP_THREADS / 8 }; /* at a time; a thread's quads all have the same swizzle */

/* This thread's first place: the last warps', which take the odd ones, come first, since the first warp publishes. */
VISE_FN uint32_t vise_near_place(void) {
  return VISE_NEAR_PLACES - 1 - threadIdx.x / 8;
}

/* This thread's first quad of the part. */
VISE_FN float *vise_near_quad(const vise_near_part *part) {
  const uint32_t place = vise_near_place(), swizzle = place >> part->swizzle_log & 7;
  return vise_step_floats() + part->at + place * 32 + (threadIdx.x % 8 ^ swizzle) * 4;
}

/* Starts to copy a quad, of which n elements exist, of 1 byte (log 0) or 4; the others become 0. */
template <int ELEMENT_LOG>
static __device__ __forceinline__ void vise_near_copy_quad(float *to, const char *from, uint32_t n) {
  const uint32_t n_bytes = (n < 4 ? n : 4) << ELEMENT_LOG;
  if constexpr (ELEMENT_LOG > 0) {
    ptx_cp_async_16(to, from, n_bytes);
  } else {
    ptx_cp_async_4(to, from, n_bytes);
  }
}

enum { VISE_NEAR_ROWS = 4 }; /* of near columns: as many are looked up at a time */

/* The rows of a batch, order[first .. first + n_rows) of the data set. */
typedef struct vise_near_batch {
  uint32_t first, n_rows;
} vise_near_batch;

/* Where row `r` of the batch is in the data set; past the last row, where some row is. */
VISE_FN uint32_t vise_near_look_up(const vise_k_step *p, vise_near_batch batch, uint32_t r) {
  const uint32_t at = batch.first + (r < batch.n_rows ? r : 0);
  return p->order ? p->order[at] : at;
}

/* The row of the batch that this thread copies as its near row. */
VISE_FN uint32_t vise_near_row(const vise_near_part *part) {
  return part->row + (vise_near_place() & ((1u << part->rows_log) - 1));
}

/* Those from place i on. */
VISE_FN void vise_near_look_up_rows(const vise_k_step *p, vise_near_batch batch, uint32_t i,
                                    uint32_t rows[VISE_NEAR_ROWS]) {
#pragma unroll
  for (uint32_t k = 0; k < VISE_NEAR_ROWS; k++) rows[k] = vise_near_look_up(p, batch, i + k * VISE_NEAR_PLACES);
}

/* Starts to copy this thread's quads of near rows, all of one row, which is at `row`. */
template <int ELEMENT_LOG>
static __device__ __forceinline__ void vise_near_copy_rows(const vise_k_step *p, const vise_near_part *part,
                                                           vise_near_batch batch, uint32_t row) {
  const uint32_t place = vise_near_place(), by_log = 10 - part->rows_log;
  const uint32_t end = vise_near_row(part) < batch.n_rows ? p->x.n_columns : 0;
  const uint32_t n = (part->n_places + VISE_NEAR_PLACES - 1 - place) / VISE_NEAR_PLACES;
  const char *const from = (const char *)p->x.x + (size_t)row * p->x.row_bytes;
  uint32_t column = (place >> part->rows_log) * 32 + threadIdx.x % 8 * 4;
  const uint32_t n_whole = part->n_places > 0 && column + 4 <= end ? ((end - 4 - column) >> by_log) + 1 : 0;
  const char *whole = from + ((size_t)column << ELEMENT_LOG);
  float *to = vise_near_quad(part);
  static_assert(VISE_NEAR_PLACES == 32, "32 places are 1 << by_log columns");

#pragma unroll 4
  for (uint32_t i = 0; i < n_whole; i++) {
    vise_near_copy_quad<ELEMENT_LOG>(to, whole, 4);
    whole += (size_t)1 << by_log << ELEMENT_LOG;
    to += VISE_NEAR_PLACES * 32;
  }

  column += n_whole << by_log;
#pragma unroll 1
  for (uint32_t i = n_whole; i < n; i++) {
    const uint32_t left = column < end ? end - column : 0;
    vise_near_copy_quad<ELEMENT_LOG>(to, from + ((size_t)(left ? column : 0) << ELEMENT_LOG), left);
    column += 1u << by_log;
    to += VISE_NEAR_PLACES * 32;
  }
}

/* Those of near columns, all of the same columns. rows: where the first ones are. */
template <int ELEMENT_LOG>
static __device__ __forceinline__ void vise_near_copy_columns(const vise_k_step *p, const vise_near_part *part,
                                                              vise_near_batch batch, uint32_t rows[VISE_NEAR_ROWS]) {
  const uint32_t column = part->column + threadIdx.x % 8 * 4, n_columns = p->x.n_columns;
  const uint32_t n = column < n_columns ? n_columns - column : 0;
  const char *const x = (const char *)p->x.x + ((size_t)(n ? column : 0) << ELEMENT_LOG);
  float *to = vise_near_quad(part);

#pragma unroll 1
  for (uint32_t i = vise_near_place(); i < part->n_places; i += VISE_NEAR_ROWS * VISE_NEAR_PLACES) {
    if (i >= VISE_NEAR_ROWS * VISE_NEAR_PLACES) vise_near_look_up_rows(p, batch, i, rows);
#pragma unroll
    for (uint32_t k = 0; k < VISE_NEAR_ROWS && i + k * VISE_NEAR_PLACES < part->n_places; k++) {
      const uint32_t here = i + k * VISE_NEAR_PLACES < batch.n_rows ? n : 0;
      vise_near_copy_quad<ELEMENT_LOG>(to + k * VISE_NEAR_PLACES * 32, x + (size_t)rows[k] * p->x.row_bytes, here);
    }
    to += VISE_NEAR_ROWS * VISE_NEAR_PLACES * 32;
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
  uint32_t i = vise_near_place();

#pragma unroll 1
  for (; i + 3 * VISE_NEAR_PLACES < part->n_places; i += 4 * VISE_NEAR_PLACES, at += 4 * VISE_NEAR_PLACES * 32) {
    vise_near_convert_quads<4>(&s, at);
  }
#pragma unroll 1
  for (; i < part->n_places; i += VISE_NEAR_PLACES, at += VISE_NEAR_PLACES * 32) vise_near_convert_quads<1>(&s, at);
}

/* What a pass over the near inputs does, in this order: waits for all copies of this thread and makes floats of those of
   rows, or of columns; starts copies of rows and of columns, of this step's batch or of the next one's. */
enum {
  VISE_NEAR_FINISH_ROWS = 1,
  VISE_NEAR_FINISH_COLUMNS = 2,
  VISE_NEAR_COPY_ROWS = 4,
  VISE_NEAR_COPY_COLUMNS = 8,
  VISE_NEAR_NEXT = 16
};

/* Where rows are is looked up first, so that nothing waits for it. */
VISE_FN_CALLED void vise_near_pass(uint32_t what) {
  const vise_step *const step = vise_step_here();
  const vise_k_step *p = &step->p;
  const vise_k_step_record *record = &step->record;
  const vise_near_part *const rows_part = &step->near_parts[0], *const columns_part = &step->near_parts[1];
  const int divided = step->input_kind == VISE_INPUT_DIVIDED;
  vise_near_batch batch = {record->first, record->n_rows};
  if (what & VISE_NEAR_NEXT) batch = {record->next_first, record->next_n_rows};

  uint32_t row = 0, rows[VISE_NEAR_ROWS] = {};
  if (what & VISE_NEAR_COPY_ROWS) row = vise_near_look_up(p, batch, vise_near_row(rows_part));
  if (what & VISE_NEAR_COPY_COLUMNS) vise_near_look_up_rows(p, batch, vise_near_place(), rows);

  if (what & (VISE_NEAR_FINISH_ROWS | VISE_NEAR_FINISH_COLUMNS)) {
    ptx_cp_async_wait(0);
    const vise_near_part part = what & VISE_NEAR_FINISH_ROWS ? *rows_part : *columns_part;
    if (divided) vise_near_convert(p, &part);
  }

  if (what & VISE_NEAR_COPY_ROWS) {
    const vise_near_part part = *rows_part;
    if (divided) {
      vise_near_copy_rows<0>(p, &part, batch, row);
    } else {
      vise_near_copy_rows<2>(p, &part, batch, row);
    }
  }

  if (what & VISE_NEAR_COPY_COLUMNS) {
    const vise_near_part part = *columns_part;
    if (divided) {
      vise_near_copy_columns<0>(p, &part, batch, rows);
    } else {
      vise_near_copy_columns<2>(p, &part, batch, rows);
    }
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
      vise_near_pass(VISE_NEAR_COPY_ROWS | VISE_NEAR_COPY_COLUMNS);
      vise_near_pass(VISE_NEAR_FINISH_ROWS);
      __syncthreads();
      return;
    case VISE_NEAR_AT_FIRST:
      if (threadIdx.x == 0) step->near_is_ready = 0;
      vise_near_pass(VISE_NEAR_FINISH_COLUMNS);
      return;
    case VISE_NEAR_BEFORE_GRADIENT:
      if (goes_on) vise_near_pass(VISE_NEAR_COPY_ROWS | VISE_NEAR_NEXT);
      return;
    case VISE_NEAR_BEFORE_UPDATE:
      if (!goes_on) return;
      vise_near_pass(VISE_NEAR_FINISH_ROWS | VISE_NEAR_COPY_COLUMNS | VISE_NEAR_NEXT);
      if (threadIdx.x == 0) step->near_is_ready = 1;
      return;
  }
}

#endif
