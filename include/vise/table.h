/**
 * @file
 * Tables as users have them: CSV and its kin, libsvm files, or columns in memory, with names, texts, gaps and dates.
 * A table is immutable once read and may be shared by threads; vise_preprocessor (preprocessor.h) makes inputs and
 * targets of a net of it.
 *
 * Each column has a kind, found from its fields:
 *  - number: every field that is no gap is a decimal number;
 *  - date: every field that is no gap is an ISO date or time (2026-11-29, 2026/11/29 08:15);
 *  - text: anything else, and numbers that are codes: all of them quoted while another column of numbers is not,
 *    repeating, and of at most 64 values.
 *
 * Gaps are empty fields, NA, N/A, NaN, nan, ?, what options.na names, and in columns of numbers None, null, NULL and a
 * lone point.
 *
 * Messages name a field of the options in backquotes, as in "`decimal`".
 */
#ifndef VISE_TABLE_H
#define VISE_TABLE_H

#include "vise/types.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct vise_table vise_table;
struct vise_preprocessor;

/** How a table is read. Initialise with vise_table_options_init; texts are borrowed for the call. Lists are separated
    by commas. Columns are named, or given by their place (from 0; negative: from the end); a name wins over a place. */
typedef struct vise_table_options {
  size_t struct_size;
  const char *delimiter; /**< auto (also NULL), comma, semicolon, tab, space, pipe, or one character. auto: of tab,
                                semicolon, pipe, comma and space the first that splits the first 100 lines into equal
                                numbers of fields, over one */
  char decimal;          /**< '.' or ','; 0: that of like, else '.' */
  char comment;          /**< lines that begin with it are left out; 0: none */
  vise_header header;    /**< whether line 1 holds names; auto: by what stands below */
  size_t skip_lines;     /**< lines to leave out at the start */
  const char *na;        /**< list of further texts that are gaps; NULL: those of like, else none */
  const char *strip; /**< characters to remove from a field before it is read as a number, such as "%$,"; NULL: those of
                                like, else none */
  const char *categorical;              /**< list of columns that are text, whatever they hold */
  const char *numeric;                  /**< list of columns that are numbers; a field that is none is an error */
  const struct vise_preprocessor *like; /**< read the columns that it uses, as the kinds that it has; others are left
                                             out. NULL: decide from the table */
  bool like_targets;                    /**< with like: read its targets too, where they are there (default true) */
  size_t max_bytes; /**< most memory that the rows of a file may take while they are read: what would take more is
                           refused before it does, with VISE_ERR_MEMORY; 0: half of what is free */
  const char *also; /**< with like: list of columns to read besides those that it uses, such as that of groups [NULL] */
} vise_table_options;

VISE_API void vise_table_options_init(vise_table_options *options);
VISE_API void vise_table_options_init_sized(vise_table_options *options, size_t n_bytes);
#define vise_table_options_init(options) vise_table_options_init_sized(options, sizeof *(options))

/**
 * Reads a table from a file, a pipe, or standard input ("-"); gzip, zstd, xz and bzip2 data are unpacked. Files named
 * .svm, .libsvm or .svmlight (packed or not) are libsvm: column names are the indices, the label is the last column.
 * options may be NULL. Errors name file, line and column: VISE_ERR_IO, VISE_ERR_FORMAT (rows of unequal length, a
 * quote that is not closed, no rows), VISE_ERR_VALUE (a field of a column in `numeric`), VISE_ERR_USAGE,
 * VISE_ERR_MEMORY. The caller frees *out with vise_table_free.
 */
VISE_API VISE_WARN_UNUSED vise_status vise_table_read(const char *path, const vise_table_options *options,
                                                      vise_table **out, vise_error *err);

/** The same over bytes in memory; name (copied) is what messages call it, and tells libsvm from CSV. */
VISE_API VISE_WARN_UNUSED vise_status vise_table_parse(const char *name, const void *bytes, size_t n_bytes,
                                                       const vise_table_options *options, vise_table **out,
                                                       vise_error *err);

/** A table of n_rows rows and no columns, to be filled by the two calls below. name may be NULL ("table"). */
VISE_API VISE_WARN_UNUSED vise_status vise_table_create(const char *name, size_t n_rows, vise_table **out,
                                                        vise_error *err);

/** Appends each column of array ([n_rows, n_cols], copied) as numbers; NaN is a gap. names: n_cols of them, or NULL in
    a table without names. Errors: VISE_ERR_USAGE (names for some columns only), VISE_ERR_SHAPE, VISE_ERR_MEMORY. */
VISE_API VISE_WARN_UNUSED vise_status vise_table_add_numbers(vise_table *table, const char *const *names,
                                                             const vise_array *array, vise_error *err);

/** Appends a column of text: n_rows texts (copied), NULL or "" for a gap. Errors as above. */
VISE_API VISE_WARN_UNUSED vise_status vise_table_add_text(vise_table *table, const char *name, const char *const *texts,
                                                          vise_error *err);

/** Appends a column of n_rows texts (copied) whose kind is told as in a file: the words for a gap are gaps, and if all
    other texts are dates, the column is one of dates. Texts that are all numbers stay texts, as whoever has them means
    them, unless a word for a gap among them says why they are not numbers. NULL is a gap. Errors as above. */
VISE_API VISE_WARN_UNUSED vise_status vise_table_add_fields(vise_table *table, const char *name,
                                                            const char *const *texts, vise_error *err);

/** NULL is allowed. */
VISE_API void vise_table_free(vise_table *table);

VISE_API size_t vise_table_n_rows(const vise_table *table);
VISE_API size_t vise_table_n_columns(const vise_table *table);
VISE_API const char *vise_table_name(const vise_table *table);
/** Whether the columns have names. One without a name in a table with names is "Unnamed: PLACE"; of equal names the
    second is "NAME.1". */
VISE_API bool vise_table_has_names(const vise_table *table);
/** NULL without names, or outside. Owned by the table. */
VISE_API const char *vise_table_column_name(const vise_table *table, size_t column);
VISE_API vise_column_kind vise_table_column_kind(const vise_table *table, size_t column);
/** The character between fields; 0 for a table that was not read from text. */
VISE_API char vise_table_delimiter(const vise_table *table);
/** The line of the file that holds row `row`, from 1; 0 for a table that was not read. */
VISE_API size_t vise_table_line(const vise_table *table, size_t row);

/** A field of a column of numbers or dates (in days since 1970-01-01); NaN for a gap. VISE_ERR_USAGE outside, or if
    the column is text; VISE_ERR_STATE once the table was used up by vise_preprocessor_transform. */
VISE_API VISE_WARN_UNUSED vise_status vise_table_number(const vise_table *table, size_t row, size_t column, double *out,
                                                        vise_error *err);
/** A field of a column of text; *out is NULL for a gap, else owned by the table. Errors as above. */
VISE_API VISE_WARN_UNUSED vise_status vise_table_text(const vise_table *table, size_t row, size_t column,
                                                      const char **out, vise_error *err);

/** What was found while reading, as lines to print: what line 1 was taken for, the delimiter, lines left out. */
VISE_API size_t vise_table_n_notes(const vise_table *table);
VISE_API const char *vise_table_note(const vise_table *table, size_t i);

#ifdef __cplusplus
}
#endif
#endif
