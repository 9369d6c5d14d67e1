/* Reading a table from delimited text: the state that its steps share. In order:
     begin     the first rows: delimiter, number of columns, line 1 set aside, kinds as far as they show (begin.c)
     names     what line 1 would name, and which columns the caller wants as what (begin.c)
     rows      each field into its column; a column may turn out to be of another kind (read.c, kinds.c). One that turns
               to text after numbers has lost their spelling: the rows are read once more
     end       whether line 1 was a header; codes or numbers (header.c, kinds.c) */
#ifndef VISE_I_READER_H
#define VISE_I_READER_H

#include "host/base/room.h"
#include "host/table/scan.h"
#include "host/table/source.h"
#include "host/table/table.h"

typedef enum vise_i_mode {
  VISE_I_MODE_NUMBERS,
  VISE_I_MODE_CODES, /* numbers, all of them quoted so far, kept as texts while they are few */
  VISE_I_MODE_TEXT,
  VISE_I_MODE_DATES,
  VISE_I_MODE_SKIP
} vise_i_mode;

enum { VISE_I_CODES_MAX = 64 };

/* What is known of a column while it is read. */
typedef struct vise_i_reading {
  vise_i_mode mode;
  bool forced;
  bool seen;       /* a value, or a gap that text has as a value */
  bool unquoted;   /* a number without quotes */
  bool read_again; /* as text */
} vise_i_reading;

typedef struct vise_i_reader {
  vise_i_source *source;
  const vise_table_options *options;
  vise_i_dialect dialect;
  vise_i_scanner scanner;
  vise_table *table;
  vise_i_room room;
  vise_i_reading *columns;
  vise_error *err;

  char *buffer; /* [capacity]; text up to n, then a zero */
  size_t capacity, n, at;
  size_t base;     /* bytes of the content before buffer[0] */
  size_t line;     /* of buffer[at] */
  size_t n_stored; /* rows stored, that of line 1 included where it has a place */
  size_t n_blank, n_comments;
  size_t n_marked; /* lines at the start that begin with #, taken for comments */

  vise_i_row first;            /* line 1 */
  size_t first_line, first_at; /* where it stands: its place in buffer while the first rows are looked at */
  bool first_is_short;         /* it lacks a field: the name of the row names, or that of an empty last column */
  size_t first_shift;          /* column of its field 0 */
  bool is_named;               /* by line 1, which is a header for sure */
  bool first_has_place;        /* stored row 0 is kept free for it */
  size_t data_at, data_line;   /* where the rows after line 1 begin, in bytes of the content */
} vise_i_reader;

/* begin.c */
VISE_WARN_UNUSED vise_status vise_i_reader_begin(vise_i_reader *reader);
/* fill.c: gets more text after what is left of it. */
VISE_WARN_UNUSED vise_status vise_i_reader_fill(vise_i_reader *reader);
vise_status vise_i_reader_fail(const vise_i_reader *reader, vise_i_scan scan);
vise_status vise_i_reader_fail_length(const vise_i_reader *reader, size_t line, size_t n_fields);
/* kinds.c: what kinds the first rows show; a field into row i of its column; the end. */
VISE_WARN_UNUSED vise_status vise_i_kinds_begin(vise_i_reader *reader);
VISE_WARN_UNUSED vise_status vise_i_kinds_take(vise_i_reader *reader, size_t c, const vise_i_field *field, void *values,
                                               size_t i);
VISE_WARN_UNUSED vise_status vise_i_kinds_end(vise_i_reader *reader);
/* header.c: names the columns by line 1: all of them if it is a header for sure, else those that can only be names. */
VISE_WARN_UNUSED vise_status vise_i_header_name(vise_i_reader *reader);
/* header.c: takes line 1 as what it is. */
VISE_WARN_UNUSED vise_status vise_i_header_end(vise_i_reader *reader);
/* wanted.c: the kinds that the caller asked for, by name or place. */
VISE_WARN_UNUSED vise_status vise_i_wanted_kinds(vise_i_reader *reader);

#endif
