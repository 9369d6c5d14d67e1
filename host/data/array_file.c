/* NPY and IDX files beyond their headers: sizes, values, byte order. */
#include <endian.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/array.h"
#include "host/base/memory.h"
#include "host/base/room.h"
#include "host/data/reader.h"

/* deflate expands one byte to at most 1032. */
enum { DEFLATE_RATIO = 1032 };

/* Does the announced size fit the size of the file? Checked before anything is allocated. */
static vise_status check_size(const vise_i_input *input, const vise_i_layout *l, vise_error *err) {
  const size_t announced = l->header_bytes + l->data_bytes;
  const char *dtype = l->stored;

  if (input->gzip) {
    size_t most;
    if (vise_i_size_mul(input->n_bytes, DEFLATE_RATIO, &most) && announced > most) {
      return vise_i_fail(err, VISE_ERR_FORMAT,
                         "%s: its header announces %zu x %zu %s, %zu bytes; %zu bytes of gzip data cannot hold that",
                         input->name, l->n_rows, l->n_cols, dtype, announced, input->n_bytes);
    }
    return VISE_OK;
  }

  if (announced == input->n_bytes) return VISE_OK;
  return vise_i_fail(err, VISE_ERR_FORMAT,
                     "%s: %s: its header announces %zu x %zu %s, %zu bytes in all, but it has %zu", input->name,
                     announced > input->n_bytes ? "truncated" : "has bytes behind its end", l->n_rows, l->n_cols, dtype,
                     announced, input->n_bytes);
}

/* What the values take in memory at most: those of the file, and of which other ones are made. */
static vise_status check_room(const vise_i_input *input, const vise_i_layout *l, vise_error *err) {
  const vise_i_room room = vise_i_room_of(input->name, input->max_bytes);
  const double made = (double)l->n_rows * (double)l->n_cols * (double)vise_dtype_size(l->dtype);
  const bool converts = l->item != VISE_I_ITEM_SAME, orders = l->fortran && l->n_dims > 2;
  char what[128];
  double n_bytes = (double)l->data_bytes + (input->gzip ? (double)input->n_bytes : 0);
  if (converts || orders) n_bytes = fmax(n_bytes, (double)l->data_bytes + made);
  if (converts && orders) n_bytes = fmax(n_bytes, 2 * made);

  (void)snprintf(what, sizeof what, "%zu x %zu values (%s)", l->n_rows, l->n_cols, l->stored);
  return vise_i_room_check(&room, n_bytes, VISE_I_NEEDS, what, err);
}

static void swap_bytes(void *data, size_t size, size_t n_bytes) {
  if (size == 2) {
    uint16_t *v = data;
    for (size_t k = 0; k < n_bytes / 2; k++) v[k] = be16toh(v[k]);
  } else if (size == 4) {
    uint32_t *v = data;
    for (size_t k = 0; k < n_bytes / 4; k++) v[k] = be32toh(v[k]);
  } else if (size == 8) {
    uint64_t *v = data;
    for (size_t k = 0; k < n_bytes / 8; k++) v[k] = be64toh(v[k]);
  }
}

/* A member of an archive is compared with its checksum where it ends. */
static vise_status check_end(vise_i_input *input, vise_error *err) {
  uint8_t beyond;
  size_t got = 0;
  const vise_status status = vise_i_input_read(input, &beyond, 1, &got, err);
  if (status != VISE_OK || got == 0) return status;
  return vise_i_fail(err, VISE_ERR_FORMAT, "%s: has bytes behind its end", input->name);
}

/* Reads the values into new memory (free *out_memory) at *out_data; prefix[0..n_prefix) was read already. */
static vise_status read_values(vise_i_input *input, const vise_i_layout *l, const uint8_t *prefix, size_t n_prefix,
                               uint8_t **out_memory, uint8_t **out_data, vise_error *err) {
  vise_status status = VISE_OK;
  uint8_t *memory = NULL;

  if (input->gzip) {
    /* libdeflate writes header and values in one piece: the header is placed so that the values are aligned. */
    const size_t pad = (VISE_I_ALIGNMENT - l->header_bytes % VISE_I_ALIGNMENT) % VISE_I_ALIGNMENT;
    const size_t total = l->header_bytes + l->data_bytes;
    VISE_TRY(vise_i_alloc_aligned(&memory, pad + total, 1, input->name, err));
    VISE_TRY(vise_i_input_gunzip(input, memory + pad, total, err));
    *out_data = memory + pad + l->header_bytes;
  } else {
    const size_t have = n_prefix - l->header_bytes;
    const size_t first = have < l->data_bytes ? have : l->data_bytes;
    size_t got = 0;

    VISE_TRY(vise_i_alloc_aligned(&memory, l->data_bytes, 1, input->name, err));
    memcpy(memory, prefix + l->header_bytes, first);
    VISE_TRY(vise_i_input_read(input, memory + first, l->data_bytes - first, &got, err));
    if (got < l->data_bytes - first) {
      VISE_TRY(vise_i_fail(err, VISE_ERR_IO, "%s: became shorter while it was read", input->name));
    }
    if (input->archive != NULL) VISE_TRY(check_end(input, err));

    *out_data = memory;
  }

  *out_memory = memory;
  memory = NULL;

done:
  free(memory);
  return status;
}

/* Puts values that memory does not hold as the file does in place of *memory and *data. */
static vise_status adapt(const vise_i_input *input, const vise_i_layout *l, uint8_t **memory, uint8_t **data,
                         vise_error *err) {
  const bool converts = l->item != VISE_I_ITEM_SAME, orders = l->fortran && l->n_dims > 2;
  const size_t n = l->n_rows * l->n_cols, size = vise_dtype_size(l->dtype);
  vise_status status = VISE_OK;
  uint8_t *made = NULL;

  for (int pass = 0; pass < 2; pass++) {
    if (!(pass == 0 ? converts : orders)) continue;
    VISE_TRY(vise_i_alloc_aligned(&made, n, size, input->name, err));
    if (pass == 0) {
      VISE_TRY(vise_i_convert_items(l, input->name, *data, made, err));
    } else {
      vise_i_order_as_c(l, *data, made);
    }
    free(*memory);
    *memory = *data = made;
    made = NULL;
  }

done:
  free(made);
  return status;
}

/* No early exit, so that the loops are vectorised. */
static bool block_goes_beyond(const void *data, vise_dtype dtype, size_t n, double most) {
  int bad = 0;
  if (dtype == VISE_F32) {
    const float *v = data;
    for (size_t k = 0; k < n; k++) bad |= !(fabsf(v[k]) <= FLT_MAX);
  } else {
    const double *v = data;
    for (size_t k = 0; k < n; k++) bad |= !(fabs(v[k]) <= most);
  }
  return bad != 0;
}

static vise_status check_values(const vise_array *a, const char *name, double most, vise_error *err) {
  size_t row = 0, col = 0;
  if (a->dtype != VISE_F32 && a->dtype != VISE_F64) return VISE_OK;
  const bool dense =
      (a->col_stride == 1 && a->row_stride == a->n_cols) || (a->row_stride == 1 && a->col_stride == a->n_rows);
  if (dense && !block_goes_beyond(a->data, a->dtype, a->n_rows * a->n_cols, most)) return VISE_OK;
  if (!vise_i_array_find_beyond(a, most, &row, &col)) return VISE_OK;

  const double v = vise_i_array_get(a, row, col);
  return vise_i_fail(err, VISE_ERR_VALUE, "%s: row %zu, column %zu (from 0) is %g%s", name, row, col, v,
                     isfinite(v) ? ", beyond the range of float32 (3.4e38)" : "; every value must be finite");
}

vise_status vise_i_check_finite(const vise_array *a, const char *name, vise_error *err) {
  return check_values(a, name, DBL_MAX, err);
}

vise_status vise_i_array_read(vise_i_input *input, vise_i_table *out, vise_error *err) {
  vise_status status = VISE_OK;
  uint8_t *prefix = NULL, *memory = NULL, *data = NULL;
  const bool npy = input->kind == VISE_I_KIND_NPY;
  const size_t most = npy ? VISE_I_NPY_HEADER_MAX : VISE_I_IDX_HEADER_MAX;
  size_t n_prefix = 0;
  vise_i_layout l;

  VISE_TRY(vise_i_alloc(&prefix, most, 1, "file header", err));
  VISE_TRY(vise_i_input_read(input, prefix, most, &n_prefix, err));
  VISE_TRY((npy ? vise_i_npy_header : vise_i_idx_header)(input->name, prefix, n_prefix, &l, err));
  VISE_TRY(check_size(input, &l, err));
  VISE_TRY(check_room(input, &l, err));
  VISE_TRY(read_values(input, &l, prefix, n_prefix, &memory, &data, err));

  if (l.big_endian) swap_bytes(data, vise_i_item_size(&l), l.data_bytes);
  VISE_TRY(adapt(input, &l, &memory, &data, err));
  vise_array array = vise_array_of(data, l.dtype, l.n_rows, l.n_cols);
  if (l.fortran && l.n_dims <= 2) {
    array.row_stride = 1;
    array.col_stride = l.n_rows;
  }

  VISE_TRY(check_values(&array, input->name, FLT_MAX, err));
  *out = (vise_i_table){memory, array};
  memory = NULL;

done:
  free(memory);
  free(prefix);
  return status;
}

static vise_status parse_memory(vise_i_kind kind, const char *name, const uint8_t *bytes, size_t n, vise_i_table *out,
                                vise_error *err) {
  vise_i_input input;
  vise_status status = vise_i_input_open_memory(&input, name, bytes, n, err);
  if (status != VISE_OK) return status;
  input.kind = kind;
  status = vise_i_array_read(&input, out, err);
  vise_i_input_close(&input);
  return status;
}

vise_status vise_i_npy_parse(const char *name, const uint8_t *bytes, size_t n, vise_i_table *out, vise_error *err) {
  return parse_memory(VISE_I_KIND_NPY, name, bytes, n, out, err);
}

vise_status vise_i_idx_parse(const char *name, const uint8_t *bytes, size_t n, vise_i_table *out, vise_error *err) {
  return parse_memory(VISE_I_KIND_IDX, name, bytes, n, out, err);
}
