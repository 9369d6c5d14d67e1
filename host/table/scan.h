/* Splitting text into rows and fields. The text ends with a zero, and holds none otherwise. */
#ifndef VISE_I_SCAN_H
#define VISE_I_SCAN_H

#include "host/table/dialect.h"

typedef struct vise_i_field {
  const char *text; /* without blanks and quotes round it; text[n] is a byte that no number holds */
  size_t n;
  bool quoted;
  size_t n_line_ends; /* within quotes */
} vise_i_field;

typedef enum vise_i_scan {
  VISE_I_SCANNED,
  VISE_I_SCAN_INCOMPLETE, /* the text ends before it can be told */
  VISE_I_SCAN_NOTHING,    /* a row that is blank or a comment, or the end of the data */
  VISE_I_SCAN_BAD_QUOTE,  /* text after a closing quote */
  VISE_I_SCAN_MEMORY
} vise_i_scan;

typedef struct vise_i_scanner {
  const vise_i_dialect *dialect;
  bool at_end;   /* the zero is the end of the data */
  char *scratch; /* of a field that holds quotes */
  size_t scratch_capacity;
} vise_i_scanner;

/* The field at *at, which moves to the delimiter, line end or zero after it. */
vise_i_scan vise_i_scan_field(vise_i_scanner *scanner, const char **at, vise_i_field *field);
/* The end of a line at *at (\n, \r\n, \r, or the end of the data), which moves past it. NOTHING: there is none. */
vise_i_scan vise_i_scan_line_end(const vise_i_scanner *scanner, const char **at);
/* Moves past a line that is blank or a comment. NOTHING: *at was at one, and is after it; SCANNED: at a row. */
vise_i_scan vise_i_scan_blank(const vise_i_scanner *scanner, const char **at, bool *is_comment);

/* A row with copies of its fields. */
typedef struct vise_i_row {
  char *bytes;
  size_t n_bytes, bytes_capacity;
  vise_i_field *fields; /* their texts lie in bytes, each with a zero after it */
  size_t n, fields_capacity;
  size_t n_line_ends; /* within quotes */
} vise_i_row;

/* The row at *at, which moves past its line end. */
vise_i_scan vise_i_scan_row(vise_i_scanner *scanner, const char **at, vise_i_row *row);
void vise_i_row_free(vise_i_row *row);

#endif
