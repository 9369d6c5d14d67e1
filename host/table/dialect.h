/* How a text of a table is written, and what one field of it says. */
#ifndef VISE_I_DIALECT_H
#define VISE_I_DIALECT_H

#include <stdbool.h>
#include <stddef.h>

#include "host/base/error.h"
#include "host/table/list.h"
#include "vise/table.h"

typedef struct vise_i_dialect {
  char delimiter; /* 0: not known yet */
  char decimal, comment;
  vise_header header;
  size_t skip_lines;
  vise_i_list na;     /* further gaps */
  double *na_numbers; /* those of them that are numbers */
  size_t n_na_numbers;
  const char *strip; /* "" without */
  bool plain;        /* a number is a gap or removes characters only by the rules that always hold */
  bool ends_field[256];
} vise_i_dialect;

/* Checks what the options say; options is complete. */
VISE_WARN_UNUSED vise_status vise_i_dialect_make(vise_i_dialect *dialect, const vise_table_options *options,
                                                 vise_error *err);
void vise_i_dialect_free(vise_i_dialect *dialect);
/* Sets the delimiter and what follows from it. VISE_ERR_USAGE if it is the decimal mark as well. */
VISE_WARN_UNUSED vise_status vise_i_dialect_delimit(vise_i_dialect *dialect, char delimiter, vise_error *err);
/* "comma", "tab", ... or the character itself in quotes. */
const char *vise_i_delimiter_text(char buffer[8], char delimiter);

/* A soft gap is one in columns of numbers alone. */
typedef enum vise_i_gap { VISE_I_VALUE, VISE_I_SOFT_GAP, VISE_I_HARD_GAP } vise_i_gap;
vise_i_gap vise_i_gap_of(const vise_i_dialect *dialect, const char *text, size_t n);

/* text[0..n) as a number: decimal mark and characters to strip as the dialect says; inf is infinite. text[n] must be a
   byte that no number holds. False: it is none. *out is NaN for a number that stands for a gap. */
bool vise_i_field_number(const vise_i_dialect *dialect, const char *text, size_t n, double *out);

#endif
