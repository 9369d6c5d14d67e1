/* What the tests of tables share. */
#ifndef VISE_TABLE_SUPPORT_H
#define VISE_TABLE_SUPPORT_H

#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vise/vise.h"

/* Fails the test unless the call returned `code` with a text that contains `text`. */
void expect_error(vise_status status, const vise_error *err, vise_status code, const char *text, const char *file,
                  int line);
#define EXPECT_ERROR(status, err, code, text) expect_error(status, err, code, text, __FILE__, __LINE__)
#define EXPECT_OK(call, err) cr_assert_eq((call), VISE_OK, "%s", (err).text)

/* NaN-safe: fails unless got is within tol of ref. */
#define EXPECT_NEAR(got, ref, tol) \
  cr_assert(fabs((got) - (ref)) <= (tol), "%s: got %.17g, expected %.17g", #got, (double)(got), (double)(ref))

/* A table of text that must be read. */
vise_table *read_text(const char *text, const vise_table_options *options);
vise_status try_text(const char *text, const vise_table_options *options, vise_table **out, vise_error *err);
vise_table_options table_options(void);

/* "n rows [name:kind ...]: field|field / field|field" with gaps as "_": all of a table in one text of its own. */
const char *shown(const vise_table *table);
#define EXPECT_TABLE(text, options, expected)                                               \
  do {                                                                                      \
    vise_table *table_ = read_text(text, options);                                          \
    cr_assert_str_eq(shown(table_), expected, "%s\n%s\n%s", text, shown(table_), expected); \
    vise_table_free(table_);                                                                \
  } while (0)

/* A preprocessor fitted to all rows. */
vise_preprocessor *fit_all(const vise_table *table, const vise_preprocessor_options *options);
vise_preprocessor_options fit_options(void);
/* Reads text and fits; both must work. The table is kept in *table, or freed where it is NULL. */
vise_preprocessor *fit_text(const char *text, const vise_preprocessor_options *options, vise_table **table);
/* Reads text (which must work) and fits, which must fail with this text. */
void expect_refusal(const char *text, const vise_preprocessor_options *options, const char *expected, const char *file,
                    int line);
#define EXPECT_REFUSAL(text, options, expected) expect_refusal(text, options, expected, __FILE__, __LINE__)

vise_transformed *transform_all(const vise_preprocessor *p, vise_table *table, const vise_transform_options *options);
vise_transform_options transform_options(void);
double feature_at(const vise_transformed *made, size_t row, size_t input);
double target_at(const vise_transformed *made, size_t row, size_t target);

/* One of the lines holds this text. */
bool has_line(const vise_preprocessor *p, const char *text);
bool has_note(const vise_table *table, const char *text);
bool has_transform_note(const vise_transformed *made, const char *text);

/* A text of rows made by a format of the row's number; static, to be used at once. */
const char *rows_of(const char *header, size_t n, void (*row)(size_t i, char *out, size_t n_bytes));

#endif
