/* The readers: each makes arrays from an input and trusts nothing in it. */
#ifndef VISE_I_READER_H
#define VISE_I_READER_H

#include "host/base/error.h"
#include "host/base/number.h"
#include "host/base/quote.h"
#include "host/data/input.h"
#include "vise/table.h"

/* An array and the memory that holds it. */
typedef struct vise_i_table {
  void *memory; /* free() */
  vise_array array;
} vise_i_table;

/* How one value lies in a file: as in memory, or as one of NumPy's types that become the nearest type that holds all of
   its values. */
typedef enum vise_i_item {
  VISE_I_ITEM_SAME,
  VISE_I_ITEM_BOOL, /* u8 */
  VISE_I_ITEM_I8,   /* i32, as I16 and U16 */
  VISE_I_ITEM_I16,
  VISE_I_ITEM_U16,
  VISE_I_ITEM_U32, /* i64 */
  VISE_I_ITEM_U64, /* i64; larger values are refused */
  VISE_I_ITEM_F16  /* f32 */
} vise_i_item;

enum { VISE_I_DIMS_MAX = 255 };

/* What the header of an NPY or IDX file says. Sizes are checked for overflow, not against the file. */
typedef struct vise_i_layout {
  vise_dtype dtype;   /* in memory */
  vise_i_item item;   /* in the file */
  const char *stored; /* its name, for messages */
  bool fortran, big_endian;
  size_t n_rows, n_cols;
  size_t dims[VISE_I_DIMS_MAX], n_dims;
  size_t header_bytes, data_bytes; /* in the file */
} vise_i_layout;

enum {
  VISE_I_NPY_HEADER_MAX = 12 + 65536, /* bytes read to find a header */
  VISE_I_IDX_HEADER_MAX = 4 + 4 * 255,
};

/* Parses the header at the start of bytes[0..n), n being HEADER_MAX or the whole content if shorter. */
VISE_WARN_UNUSED vise_status vise_i_npy_header(const char *name, const uint8_t *bytes, size_t n, vise_i_layout *layout,
                                               vise_error *err);
VISE_WARN_UNUSED vise_status vise_i_idx_header(const char *name, const uint8_t *bytes, size_t n, vise_i_layout *layout,
                                               vise_error *err);
/* Fills layout's sizes from dtype, header_bytes and the dimensions (flattened to two). */
VISE_WARN_UNUSED vise_status vise_i_layout_shape(vise_i_layout *layout, const char *name, const size_t *dims,
                                                 size_t n_dims, vise_error *err);

/* Bytes of one value in the file. */
size_t vise_i_item_size(const vise_i_layout *layout);
/* The values of a file, in the byte order of this machine, as layout->dtype: out[n_rows * n_cols], in the order that
   they have there. Not for VISE_I_ITEM_SAME. VISE_ERR_VALUE names a value that does not fit. */
VISE_WARN_UNUSED vise_status vise_i_convert_items(const vise_i_layout *layout, const char *name, const void *raw,
                                                  void *out, vise_error *err);
/* Puts an array of layout->dtype and any number of dimensions from Fortran into C order: out[n_rows * n_cols]. */
void vise_i_order_as_c(const vise_i_layout *layout, const void *values, void *out);

/* Reads an input of kind NPY or IDX. Nothing is allocated before the header agrees with the size of the file. */
VISE_WARN_UNUSED vise_status vise_i_array_read(vise_i_input *input, vise_i_table *out, vise_error *err);

/* The columns of a table of numbers. */
typedef struct vise_i_columns_read {
  vise_i_table features, targets; /* f64; targets i64 when all are integers; targets.array.n_cols 0: no targets */
  size_t first_line;              /* row r is in line first_line + r; 0: lines that hold no rows lie between */
} vise_i_columns_read;

/* The numbers of a table, of which target and target_optional pick columns as in vise_dataset_source. A text, a date, a
   gap: VISE_ERR_VALUE. */
VISE_WARN_UNUSED vise_status vise_i_table_numbers(const vise_table *table, const char *target, bool target_optional,
                                                  vise_i_columns_read *out, vise_error *err);

/* The same over memory (gzip data or not); name is used in messages. */
VISE_WARN_UNUSED vise_status vise_i_npy_parse(const char *name, const uint8_t *bytes, size_t n, vise_i_table *out,
                                              vise_error *err);
VISE_WARN_UNUSED vise_status vise_i_idx_parse(const char *name, const uint8_t *bytes, size_t n, vise_i_table *out,
                                              vise_error *err);

/* Turns a C-ordered f64 table into i64, in place, if all values are integers of at most 2^53. */
void vise_i_table_to_integers(vise_i_table *table);

/* VISE_ERR_VALUE naming the first non-finite element, if there is one. */
VISE_WARN_UNUSED vise_status vise_i_check_finite(const vise_array *array, const char *name, vise_error *err);

/* The columns of a table, to pick targets from. names is NULL without a header line. */
typedef struct vise_i_columns {
  const char *file;
  size_t n_cols;
  const char *const *names;
} vise_i_columns;

/* slots[c] = -1 for a feature column, else the place of column c among the targets. *n_targets 0: no targets. */
VISE_WARN_UNUSED vise_status vise_i_columns_pick(const vise_i_columns *columns, const char *target,
                                                 bool target_optional, int32_t *slots, size_t *n_targets,
                                                 vise_error *err);

#endif
