/* How a table lies in memory: blocks of rows, and within a block column after column. A block is freed once its rows
   have been converted, so that a table and what is made of it never stand in memory whole together. */
#ifndef VISE_I_TABLE_H
#define VISE_I_TABLE_H

#include "host/base/error.h"
#include "host/table/dictionary.h"
#include "host/table/list.h"
#include "vise/table.h"

/* The values of a column are doubles (numbers; dates in days since 1970-01-01; NaN for a gap) or uint32_t codes of its
   dictionary (text; VISE_I_GAP for a gap). */
typedef struct vise_i_column {
  char *name; /* NULL: none */
  vise_column_kind kind;
  bool named;   /* the name is from the file, not made up */
  bool forced;  /* the caller gave the kind */
  bool skipped; /* not read: every row is a gap */
  bool coded;   /* numbers that were taken for codes */
  vise_i_dictionary texts;
} vise_i_column;

typedef struct vise_i_block {
  unsigned char *memory; /* vise_i_table's n_bytes_block bytes, by mmap; NULL: freed */
  size_t first_line;     /* 0: no lines */
  uint32_t *lines;       /* line of each row less first_line; NULL: row i stands in line first_line + i */
} vise_i_block;

struct vise_table {
  char *name;
  bool has_names, is_sparse, used_up;
  bool is_text; /* read from delimited text, where numbers may be spelt in other ways */
  char delimiter, decimal;
  char *strip, *na; /* as in the options; NULL: nothing */
  size_t n_rows;
  size_t offset; /* stored rows before row 0: line 1, if it was a header after all */
  vise_i_column *columns;
  size_t n_columns, columns_capacity;
  vise_i_block *blocks;
  size_t n_blocks, blocks_capacity;
  size_t block_rows, column_bytes, block_bytes; /* of a block; bytes from a column to the next */
  vise_i_list notes;
};

/* Rows of one column that lie together. Either numbers or codes is NULL. */
typedef struct vise_i_span {
  size_t first_row, n_rows;
  const double *numbers;
  const uint32_t *codes;
} vise_i_span;

/* The rows of column c in block b. A column that was not read has neither numbers nor codes. */
vise_i_span vise_i_table_span(const vise_table *table, size_t b, size_t c);

/* An empty table for n_columns columns, without rows. */
VISE_WARN_UNUSED vise_status vise_i_table_make(const char *name, size_t n_columns, vise_table **out, vise_error *err);
/* One more block, zeroed. */
VISE_WARN_UNUSED vise_status vise_i_table_add_block(vise_table *table, vise_error *err);
/* n_blocks blocks of block_bytes each, which hold what they held. */
VISE_WARN_UNUSED vise_status vise_i_table_resize_blocks(vise_table *table, size_t n_blocks, size_t block_bytes,
                                                        vise_error *err);
/* Bytes that its values and texts take. */
size_t vise_i_table_n_bytes(const vise_table *table);
/* Drops all blocks. */
void vise_i_table_clear(vise_table *table);
/* Gives the memory of one block back. */
void vise_i_table_free_block(vise_table *table, size_t b);
/* Sets block_rows and what follows from it; before the first block. n_rows: as many there will be; SIZE_MAX: not known. */
void vise_i_table_size_blocks(vise_table *table, size_t n_rows);

/* Where the values of column c of block b begin. */
static inline void *vise_i_table_values(const vise_table *table, size_t b, size_t c) {
  return table->blocks[b].memory + c * table->column_bytes;
}

/* Turns the first n_rows stored rows of a column of text into numbers (all its texts must be), or one of numbers that
   are all gaps into text. */
void vise_i_column_to_numbers(vise_table *table, size_t c, size_t n_rows);
void vise_i_column_to_gaps(vise_table *table, size_t c, size_t n_rows);

/* 'column "age"' or "column 3 (from 0)". */
enum { VISE_I_COLUMN_TEXT_BYTES = 96 };
const char *vise_i_column_text(char buffer[VISE_I_COLUMN_TEXT_BYTES], const vise_table *table, size_t c);
/* "x.csv:17: column ..." for a row of a column, or "x: row 15: column ..." where there are no lines. */
enum { VISE_I_PLACE_BYTES = 512 };
const char *vise_i_place_text(char buffer[VISE_I_PLACE_BYTES], const vise_table *table, size_t row, size_t c);

/* Gives every column a name of its own, in a table with names: "Unnamed: 3", "age.1". */
VISE_WARN_UNUSED vise_status vise_i_table_finish_names(vise_table *table, vise_error *err);

/* The columns that a list names, each marked once: chosen[n_columns]. `field` is what messages call the list.
   A name that is no column, or a place outside, is VISE_ERR_USAGE. */
VISE_WARN_UNUSED vise_status vise_i_table_choose(const vise_table *table, const char *list, const char *field,
                                                 bool *chosen, vise_error *err);
/* The one column that text names, by name or place; VISE_ERR_USAGE. */
VISE_WARN_UNUSED vise_status vise_i_table_find(const vise_table *table, const char *text, const char *field,
                                               size_t *out, vise_error *err);
/* The column of this very name; false: there is none. */
bool vise_i_table_find_name(const vise_table *table, const char *name, size_t *out);

/* ---- columns in memory (make.c) ---- */

/* A new last column, with a name or without as those before. It counts once it is ended. */
VISE_WARN_UNUSED vise_status vise_i_column_begin(vise_table *table, const char *name, vise_error *err);
/* Counts the new column, or takes it back where status says so; names are made unique. Returns the status. */
VISE_WARN_UNUSED vise_status vise_i_column_end(vise_table *table, vise_status status, vise_error *err);

#endif
