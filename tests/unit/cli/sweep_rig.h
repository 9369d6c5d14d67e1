/* What the tests of `vise sweep` share: small tables, calls, and what is in a sweep's folder. */
#ifndef VISE_TEST_CLI_SWEEP_RIG_H
#define VISE_TEST_CLI_SWEEP_RIG_H

#include "tool.h"

/* Rows of three classes that overlap, of all of which there are some in each fold: "a,b,c,color,who,kind"; color is red,
   green or, in one row, blue; who is one of 9 names. */
void sweep_write_people(const char *path, int n_rows);

/* "vise sweep <text as by printf>"; sweep_ok asserts that it ended well, and drops what it said. */
tool_result sweep_run(const char *format, ...) __attribute__((format(printf, 1, 2)));
void sweep_ok(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Asserts that it is refused, with nothing printed and no file made; see tool_expect_refused. */
void sweep_refused(const char *says, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The lines of <dir>/fits.jsonl as an array. */
json_t *sweep_fits(const char *dir);
/* The newest line of a fit; fails the test if there is none. */
const json_t *sweep_fit(const json_t *fits, long config, long repeat, long fold);
double sweep_number(const json_t *object, const char *name);
/* Asserts that in both folders the fits have the same scores, epochs and ends. */
void sweep_expect_same_fits(const char *a, const char *b);

/* results.csv: fields by column and row. */
typedef struct sweep_table {
  char *text, **fields; /* [n_rows + 1][n_columns]; the first row has the names */
  size_t n_rows, n_columns;
} sweep_table;

sweep_table sweep_results(const char *dir);
void sweep_table_free(sweep_table *table);
const char *sweep_field(const sweep_table *table, size_t row, const char *column);
double sweep_value(const sweep_table *table, size_t row, const char *column);
/* All but the columns of times, as lines; to be freed. */
char *sweep_results_without_times(const char *dir);

/* Trains a fit alone, with these options and those of its params, and returns the last event of its metrics. k: of how
   many folds it holds one out; 1: options say which rows. */
json_t *sweep_alone(const json_t *fit, const char *options, int k);
/* Asserts that the fit, scored by its loss, and its val_loss alone are the same, digit for digit. */
void sweep_expect_alone(const json_t *fit, const char *options, int k);

#endif
