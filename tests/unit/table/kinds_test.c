/* Kinds of columns: numbers, text, dates, codes, gaps, and what the caller wants. */
#include <stdio.h>
#include <unistd.h>

#include "table_support.h"

Test(table_kinds, are_found_from_the_fields) {
  static const struct {
    const char *text, *expected;
  } cases[] = {
      {"a\n1\n-2.5e3\n+.5\n", "3 rows [a:number] 1 / -2500 / 0.5"},
      {"a\nyes\nno\n", "2 rows [a:text] yes / no"},
      {"a\nTrue\nFalse\n", "2 rows [a:text] True / False"},
      {"a\n0x10\n12\n", "2 rows [a:text] 0x10 / 12"},
      {"a\n2026-11-29\n2026/11/30 08:15\n", "2 rows [a:date] 20786 / 20787.34375"},
      {"a\n2026-11-29T06:00:00Z\n2026-11-29T06:00:00.5+02:00\n", "2 rows [a:date] 20786.25 / 20786.16667"},
      {"a\n2026-02-30\n2026-02-28\n", "2 rows [a:text] 2026-02-30 / 2026-02-28"},
      {"a\n29.11.2026\n", "1 rows [a:text] 29.11.2026"},
      {"a\n2026-11-29\n5\n", "2 rows [a:text] 2026-11-29 / 5"},
      {"a\ninf\n1\n", "2 rows [a:number] inf / 1"},
  };

  for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) EXPECT_TABLE(cases[k].text, NULL, cases[k].expected);
}

Test(table_kinds, gaps_are_those_of_the_list) {
  EXPECT_TABLE("n,t\n1,a\n,\nNA,NA\nN/A,N/A\nNaN,NaN\nnan,nan\n?,?\n\"\",\"\"\n2,b\n", NULL,
               "9 rows [n:number t:text] 1|a / _|_ / _|_ / _|_ / _|_ / _|_ / _|_ / _|_ / 2|b");
  EXPECT_TABLE("n,t\n1,a\nNone,None\nnull,null\nNULL,NULL\n.,.\n", NULL,
               "5 rows [n:number t:text] 1|a / _|None / _|null / _|NULL / _|.");
  EXPECT_TABLE("n,t\nNone,u\n2,v\n", NULL, "2 rows [n:number t:text] _|u / 2|v");
}

Test(table_kinds, takes_further_gaps) {
  vise_table_options options = table_options();
  options.na = "-999, missing";
  EXPECT_TABLE("n,t\n1,missing\n-999,a\n-999.0,-999\nmissing,b\n", &options,
               "4 rows [n:number t:text] 1|_ / _|a / _|_ / _|b");
}

Test(table_kinds, strips_characters_from_numbers) {
  vise_table_options options = table_options();
  options.strip = "%$,";
  EXPECT_TABLE("a;b\n\"1,234\";12%\n$5;50%\n", &options, "2 rows [a:number b:number] 1234|12 / 5|50");
}

Test(table_kinds, quoted_numbers_that_repeat_are_codes) {
  EXPECT_TABLE("n,c\n1,\"01\"\n2,\"02\"\n3,\"01\"\n", NULL, "3 rows [n:number c:text] 1|01 / 2|02 / 3|01");
  /* no other numbers are unquoted; no repeats; one is not quoted */
  EXPECT_TABLE("n,c\n\"1\",\"01\"\n\"2\",\"02\"\n\"3\",\"01\"\n", NULL, "3 rows [n:number c:number] 1|1 / 2|2 / 3|1");
  EXPECT_TABLE("n,c\n1,\"01\"\n2,\"02\"\n3,\"03\"\n", NULL, "3 rows [n:number c:number] 1|1 / 2|2 / 3|3");
  EXPECT_TABLE("n,c\n1,\"01\"\n2,\"02\"\n3,01\n", NULL, "3 rows [n:number c:number] 1|1 / 2|2 / 3|1");
}

static void quoted_row(size_t i, char *out, size_t n) {
  snprintf(out, n, "%zu,\"%zu\"", i, i / 2);
}

Test(table_kinds, many_quoted_numbers_are_numbers) {
  vise_table *table = read_text(rows_of("n,c", 200, quoted_row), NULL);
  cr_assert_eq(vise_table_column_kind(table, 1), VISE_COLUMN_NUMBER);
  for (size_t r = 0; r < 200; r++) {
    double v = -1;
    cr_assert_eq(vise_table_number(table, r, 1, &v, NULL), VISE_OK);
    cr_assert_eq(v, (double)(r / 2), "row %zu", r);
  }
  vise_table_free(table);
}

static void code_row(size_t i, char *out, size_t n) {
  snprintf(out, n, "%zu,\"%02zu\"", i, i % 64);
}

Test(table_kinds, up_to_64_quoted_numbers_are_codes) {
  vise_table *table = read_text(rows_of("n,c", 200, code_row), NULL);
  const char *text = NULL;
  cr_assert_eq(vise_table_column_kind(table, 1), VISE_COLUMN_TEXT);
  cr_assert(vise_table_text(table, 128, 1, &text, NULL) == VISE_OK && strcmp(text, "00") == 0);
  vise_table_free(table);
}

Test(table_kinds, are_what_the_caller_wants) {
  vise_table_options options = table_options();
  options.categorical = "zip";
  EXPECT_TABLE("zip,n\n01234,1\n1234,2\n", &options, "2 rows [zip:text n:number] 01234|1 / 1234|2");
  options.categorical = "0";
  EXPECT_TABLE("5,1\n05,2\n", &options, "2 rows [:text :number] 5|1 / 05|2");

  options.categorical = NULL;
  options.numeric = "n";
  vise_error err = VISE_ERROR_INIT;
  vise_table *table = NULL;
  EXPECT_ERROR(try_text("zip,n\n1,1\n2,x\n", &options, &table, &err), &err, VISE_ERR_VALUE,
               "x.csv:3: column \"n\": \"x\" is not a number, as `numeric` says");

  options.categorical = "n";
  vise_error_clear(&err);
  EXPECT_ERROR(try_text("zip,n\n1,1\n", &options, &table, &err), &err, VISE_ERR_USAGE,
               "column \"n\" is in `categorical` and in `numeric`");

  options.categorical = "nothing";
  options.numeric = NULL;
  vise_error_clear(&err);
  EXPECT_ERROR(try_text("zip,n\n1,1\n", &options, &table, &err), &err, VISE_ERR_USAGE,
               "`categorical` names \"nothing\", which is no column; there are zip, n");
}

/* ---- columns that turn out to be text late -------------------------------------------------------------------- */

enum { LATE = 120000 };

static char *late_text(size_t *n) {
  char *text = malloc(LATE * 16 + 64);
  cr_assert_not_null(text);
  size_t used = (size_t)sprintf(text, "code,n\n");
  for (int i = 0; i < LATE; i++) used += (size_t)sprintf(text + used, "%05d,%d\n", i % 7, i);
  used += (size_t)sprintf(text + used, "A7,%d\n", LATE);
  *n = used;
  return text;
}

static void check_late(const vise_table *table) {
  const char *text = NULL;
  cr_assert_eq(vise_table_n_rows(table), LATE + 1);
  cr_assert_eq(vise_table_column_kind(table, 0), VISE_COLUMN_TEXT);

  for (size_t r = 0; r < LATE; r += 997) {
    char expected[16];
    double v = 0;
    sprintf(expected, "%05d", (int)(r % 7));
    cr_assert_eq(vise_table_text(table, r, 0, &text, NULL), VISE_OK);
    cr_assert_str_eq(text, expected);
    cr_assert_eq(vise_table_number(table, r, 1, &v, NULL), VISE_OK);
    cr_assert_eq(v, (double)r);
    cr_assert_eq(vise_table_line(table, r), r + 2);
  }

  cr_assert_eq(vise_table_text(table, LATE, 0, &text, NULL), VISE_OK);
  cr_assert_str_eq(text, "A7");
}

Test(table_kinds, late_text_keeps_the_spelling_of_earlier_numbers) {
  size_t n;
  char *text = late_text(&n);
  vise_error err = VISE_ERROR_INIT;
  vise_table *table = NULL;
  EXPECT_OK(vise_table_parse("x.csv", text, n, NULL, &table, &err), err);
  check_late(table);
  vise_table_free(table);
  free(text);
}

Test(table_kinds, late_text_from_a_pipe_too) {
  size_t n;
  char *text = late_text(&n);
  char path[] = "/tmp/vise-table-XXXXXX", command[64];
  const int fd = mkstemp(path);
  cr_assert(fd >= 0 && write(fd, text, n) == (ssize_t)n);
  close(fd);
  snprintf(command, sizeof command, "cat %s", path);
  FILE *pipe = popen(command, "r");
  cr_assert_not_null(pipe);
  snprintf(command, sizeof command, "/dev/fd/%d", fileno(pipe));

  vise_error err = VISE_ERROR_INIT;
  vise_table *table = NULL;
  EXPECT_OK(vise_table_read(command, NULL, &table, &err), err);
  check_late(table);
  vise_table_free(table);
  pclose(pipe);
  unlink(path);
  free(text);
}

Test(table_kinds, late_values_after_gaps_alone) {
  char *text = malloc(LATE * 8 + 64);
  cr_assert_not_null(text);
  static const char *const ends[] = {"7", "x", "2026-01-01"};
  static const vise_column_kind kinds[] = {VISE_COLUMN_NUMBER, VISE_COLUMN_TEXT, VISE_COLUMN_DATE};

  for (size_t k = 0; k < 3; k++) {
    size_t used = (size_t)sprintf(text, "a,n\n");
    for (int i = 0; i < LATE; i++) used += (size_t)sprintf(text + used, ",5\n");
    sprintf(text + used, "%s,5\n", ends[k]);
    vise_table *table = read_text(text, NULL);
    cr_assert_eq(vise_table_column_kind(table, 0), kinds[k], "%s", ends[k]);
    const char *first = "";
    if (k == 1) cr_assert(vise_table_text(table, 0, 0, &first, NULL) == VISE_OK && first == NULL);
    vise_table_free(table);
  }

  free(text);
}
