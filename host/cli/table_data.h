/* Tables as data: reading a file with the options of the command line, and making a dataset of it. */
#ifndef VISE_I_CLI_TABLE_DATA_H
#define VISE_I_CLI_TABLE_DATA_H

#include <stdio.h>

#include "host/cli/options.h"

/* Whether the file is a table rather than an array of numbers. */
VISE_WARN_UNUSED vise_status vise_i_cli_is_table(const char *path, bool *out, vise_error *err);

/* How the command line wants tables read, but for the kinds of columns. */
VISE_WARN_UNUSED vise_status vise_i_cli_table_options(const vise_i_cli_options *options, vise_table_options *out,
                                                      vise_error *err);

/* Reads a table; like (may be NULL) says which columns of which kinds, with its targets or without. */
VISE_WARN_UNUSED vise_status vise_i_cli_table_read(const vise_i_cli_options *options, const char *path,
                                                   const vise_preprocessor *like, bool targets, vise_table **out,
                                                   vise_error *err);

/* The place of a column that is given by its name or its place, from the end if that is negative; SIZE_MAX: there is none. */
size_t vise_i_cli_column_place(const vise_table *table, const char *column);

/* A file of targets or row weights as numbers, [n_rows, n_cols]; free() array->data. */
VISE_WARN_UNUSED vise_status vise_i_cli_array_read(const vise_i_cli_options *options, const char *path,
                                                   vise_array *array, vise_error *err);

/* What is to become of a table: rows NULL: all of them. */
typedef struct vise_i_cli_use {
  const size_t *rows;
  size_t n_rows;
  bool targets;                 /* those of the table */
  bool every_row;               /* a row out for each row in */
  bool use_up;                  /* the table is read no more */
  bool silent;                  /* nothing is said of what was noticed */
  const char *labels, *weights; /* files with a row for each of the table's, or NULL */
} vise_i_cli_use;

/* Makes a dataset of a table, and says what was noticed on the way. */
VISE_WARN_UNUSED vise_status vise_i_cli_table_use(const vise_i_cli_options *options,
                                                  const vise_preprocessor *preprocessor, vise_table *table,
                                                  const vise_i_cli_use *use, vise_dataset **out, vise_error *err);

/* A file through the preprocessor of a model: a table by the names of its columns, an array of numbers by their places.
   Only targets, every_row and labels count in use. */
VISE_WARN_UNUSED vise_status vise_i_cli_load_through(const vise_i_cli_options *options,
                                                     const vise_preprocessor *preprocessor, const char *path,
                                                     const vise_i_cli_use *use, vise_dataset **out, vise_error *err);

/* Prints a line of the library about the data, its options as those of the command line. */
void vise_i_cli_print_line(FILE *stream, const char *head, const char *line);

#endif
