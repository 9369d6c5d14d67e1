/* How tables are written: delimiters, quotes, line ends, lines to leave out, and what is refused. */
#include <stdio.h>

#include "table_support.h"

#define AB "2 rows [a:number b:number] 1|2 / 3|4"

Test(table_dialect, finds_the_delimiter) {
  static const struct {
    const char *text, delimiter;
  } cases[] = {{"a,b\n1,2\n3,4\n", ','},         {"a;b\n1;2\n3;4\n", ';'},      {"a\tb\n1\t2\n3\t4\n", '\t'},
               {"a|b\n1|2\n3|4\n", '|'},         {"a b\n1 2\n3 4\n", ' '},      {"  a   b\n  1   2 \n  3   4\n", ' '},
               {"\"a\";b\n\"1\";2\n3;4\n", ';'}, {"a , b\n1 , 2\n3,\t4\n", ','}};

  for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
    vise_table *table = read_text(cases[k].text, NULL);
    cr_assert_eq(vise_table_delimiter(table), cases[k].delimiter, "%s", cases[k].text);
    cr_assert_str_eq(shown(table), AB);
    vise_table_free(table);
  }
}

Test(table_dialect, prefers_tab_semicolon_pipe_comma_space) {
  EXPECT_TABLE("a b;c,d\n1 x;2,y\n3 z;4,w\n", NULL, "2 rows [a b:text c,d:text] 1 x|2,y / 3 z|4,w");
  EXPECT_TABLE("x,y\tz\n1,5\t2\n2,5\t3\n", NULL, "2 rows [x,y:text z:number] 1,5|2 / 2,5|3");
}

Test(table_dialect, takes_a_delimiter_that_is_given) {
  static const char *const names[] = {"semicolon", ";"};
  vise_table_options options = table_options();
  for (size_t k = 0; k < 2; k++) {
    options.delimiter = names[k];
    EXPECT_TABLE("a;b\n1;2\n3;4\n", &options, AB);
  }
  options.delimiter = ":";
  EXPECT_TABLE("a:b\n1:2\n3:4\n", &options, AB);
}

Test(table_dialect, reads_the_forms_of_one_table) {
  static const char *const texts[] = {
      "a,b\n1,2\n3,4\n",
      "a,b\n1,2\n3,4",
      "a,b\r\n1,2\r\n3,4\r\n",
      "a,b\r1,2\r3,4\r",
      "a,b\r1,2\r3,4",
      "\xef\xbb\xbf"
      "a,b\n1,2\n3,4\n",
      "a,b\n1,2\n3,4\n\n\r\n  \n",
      " a , b \n 1 ,2\n3, 4\n",
      "\"a\",b\n1,2\n\"3\",4\n",
      "sep=,\na,b\n1,2\n3,4\n",
      "\na,b\n1,2\n\n3,4\n",
  };

  for (size_t k = 0; k < sizeof texts / sizeof texts[0]; k++) EXPECT_TABLE(texts[k], NULL, AB);
}

Test(table_dialect, obeys_a_separator_line) {
  EXPECT_TABLE("sep=;\na;b\n1,5;2\n3,5;4\n", NULL, "2 rows [a:text b:number] 1,5|2 / 3,5|4");
  EXPECT_TABLE("sep=|\r\na|b\r\n1|2\r\n3|4\r\n", NULL, AB);
}

Test(table_dialect, keeps_line_breaks_and_quotes_in_quotes) {
  vise_table *table = read_text("name,n\n\"two\nlines\",1\n\"a \"\"b\"\", c\",2\n\"x\r\ny\",3\nlast,4\n", NULL);
  cr_assert_str_eq(shown(table), "4 rows [name:text n:number] two\nlines|1 / a \"b\", c|2 / x\r\ny|3 / last|4");
  static const size_t lines[] = {2, 4, 5, 7};
  for (size_t r = 0; r < 4; r++) cr_assert_eq(vise_table_line(table, r), lines[r], "row %zu", r);
  vise_table_free(table);
}

Test(table_dialect, leaves_out_lines) {
  vise_table_options options = table_options();
  options.skip_lines = 2;
  EXPECT_TABLE("made by\nsome, tool, here\na,b\n1,2\n3,4\n", &options, AB);
  options.skip_lines = 0;
  options.comment = '#';
  vise_table *table = read_text("# made by a tool\na,b\n1,2\n  # and, here, too\n3,4\n\n\n", &options);
  cr_assert_str_eq(shown(table), AB);
  cr_assert(has_note(table, "2 comments skipped") && !has_note(table, "blank"));
  cr_assert_eq(vise_table_line(table, 1), 5);
  vise_table_free(table);
}

Test(table_dialect, takes_lines_marked_at_the_start_for_comments) {
  static const char *const texts[] = {
      "# made by tool\na,b\n1,2\n3,4\n",
      "# made by tool, and by hand, 2026\n#\na,b\n1,2\n3,4\n",
      "#made,by,\"a tool\na,b\n1,2\n3,4\n",
      "# made by tool\r\na;b\r\n1;2\r\n3;4\r\n",
      "\xef\xbb\xbf# made by tool\na\tb\n1\t2\n3\t4\n",
      "# a b\na b\n1 2\n3 4\n",
  };
  for (size_t k = 0; k < sizeof texts / sizeof texts[0]; k++) {
    vise_table *table = read_text(texts[k], NULL);
    cr_assert_str_eq(shown(table), AB, "%s: %s", texts[k], shown(table));
    cr_assert(has_note(table, k == 1 ? "2 lines before line 3 begin with # and are taken for comments"
                                     : "1 line before line 2 begins with # and is taken for a comment"));
    cr_assert_eq(vise_table_line(table, 0), k == 1 ? 4 : 3);
    vise_table_free(table);
  }

  /* Without a header, and where text makes the rows be read twice. */
  EXPECT_TABLE("# x\n1,2\n3,4\n", NULL, "2 rows [:number :number] 1|2 / 3|4");
  EXPECT_TABLE("# x, y, z\na,b\n1,2\n3,x\n", NULL, "2 rows [a:number b:text] 1|2 / 3|x");
}

Test(table_dialect, keeps_marked_lines_that_split_as_rows_do) {
  EXPECT_TABLE("#a,b\n1,2\n3,4\n", NULL, "2 rows [#a:number b:number] 1|2 / 3|4");
  EXPECT_TABLE("# by me\n#a,b,\n1,2\n3,4\n", NULL, "2 rows [#a:number b:number] 1|2 / 3|4");
  EXPECT_TABLE("#1,2\n#2,4\n#1,6\n", NULL, "3 rows [:text :number] #1|2 / #2|4 / #1|6");
  EXPECT_TABLE("#x\n1\n2\n", NULL, "2 rows [#x:number] 1 / 2");

  vise_table_options options = table_options();
  options.comment = '%';
  vise_table *table = NULL;
  vise_error err = VISE_ERROR_INIT;
  EXPECT_ERROR(try_text("# made by tool\na,b,c\n1,2,3\n", &options, &table, &err), &err, VISE_ERR_FORMAT, "`comment`");
}

Test(table_dialect, reads_marked_lines_longer_than_its_buffer) {
  enum { N = 300000 };
  char *text = malloc(N + 64);
  cr_assert_not_null(text);
  memset(text, '#', N);
  strcpy(text + N, "\na,b\n1,2\n3,4\n");
  EXPECT_TABLE(text, NULL, AB);
  free(text);
}

Test(table_dialect, reads_a_decimal_comma) {
  vise_table_options options = table_options();
  options.decimal = ',';
  EXPECT_TABLE("a;b\n1,5;2\n-3,25;4\n", &options, "2 rows [a:number b:number] 1.5|2 / -3.25|4");
  EXPECT_TABLE("a b\n1,5 2\n3 4\n", &options, "2 rows [a:number b:number] 1.5|2 / 3|4");
}

Test(table_dialect, knows_lines_that_end_in_a_delimiter) {
  EXPECT_TABLE("a,b,\n1,2,\n3,4,\n", NULL, "2 rows [a:number b:number Unnamed: 2:number] 1|2|_ / 3|4|_");
  EXPECT_TABLE("a,b\n1,2,\n3,4,\n", NULL, "2 rows [a:number b:number Unnamed: 2:number] 1|2|_ / 3|4|_");
  EXPECT_TABLE("a,b,\n1,2\n3,4\n", NULL, AB);
}

Test(table_dialect, knows_row_names_without_a_name) {
  EXPECT_TABLE("a b\nx 1 2\ny 3 4\n", NULL, "2 rows [Unnamed: 0:text a:number b:number] x|1|2 / y|3|4");
}

Test(table_dialect, reads_rows_longer_than_its_buffer) {
  enum { N = 700000 };
  char *text = malloc(N + 64);
  cr_assert_not_null(text);
  strcpy(text, "a,b\n1,\"");
  memset(text + 7, 'x', N);
  strcpy(text + 7 + N, "\"\n2,y\n");

  vise_table *table = read_text(text, NULL);
  cr_assert_eq(vise_table_n_rows(table), 2);
  const char *field = NULL;
  cr_assert_eq(vise_table_text(table, 0, 1, &field, NULL), VISE_OK);
  cr_assert_eq(strlen(field), N);

  vise_table_free(table);
  free(text);
}

Test(table_dialect, reads_many_columns_and_one) {
  enum { N = 5000 };
  char *text = malloc(N * 16);
  cr_assert_not_null(text);
  size_t used = 0;
  for (int r = 0; r < 2; r++) {
    for (int c = 0; c < N; c++) used += (size_t)sprintf(text + used, "%d%s", c * (r + 1) + 7, c + 1 < N ? "," : "\n");
  }

  vise_table *table = read_text(text, NULL);
  cr_assert(vise_table_n_columns(table) == N && vise_table_n_rows(table) == 2);
  vise_table_free(table);
  free(text);

  EXPECT_TABLE("x\n1\n2.5\n", NULL, "2 rows [x:number] 1 / 2.5");
  EXPECT_TABLE("1\n", NULL, "1 rows [:number] 1");
}

Test(table_dialect, refuses_with_line_and_remedy) {
  static const struct {
    const char *text;
    vise_status code;
    const char *expected;
  } cases[] = {
      {"a,b\n1,2\n3\n", VISE_ERR_FORMAT, "x.csv:3: 1 field, expected 2 (as in line 1)"},
      {"a,b\n1,2\n3,4\n5,6,7\n8,9\n", VISE_ERR_FORMAT, "x.csv:4: 3 fields, expected 2"},
      {"\"a\nb\",c\n1,2\n3\n4,5\n", VISE_ERR_FORMAT, "x.csv:4: 1 field, expected 2"},
      {"made by tool\na,b,y\n1,2,0\n3,4,1\n", VISE_ERR_FORMAT,
       "x.csv:1: 1 field, while most lines have 3; `skip_lines`"},
      {"a,b\n1,2\n\"3,4\n5,6\n", VISE_ERR_FORMAT, "x.csv:3: a quote in this row is not closed"},
      {"a,b\n1,2\n\"3\"x,4\n", VISE_ERR_FORMAT, "x.csv:3: text after a closing quote"},
      {"a,b\n", VISE_ERR_FORMAT, "x.csv: holds a header line but no rows"},
      {"\n \n\n", VISE_ERR_FORMAT, "x.csv: holds no rows"},
      {"\xef\xbb\xbf", VISE_ERR_FORMAT, "x.csv: holds no rows"},
      {"PK\x03\x04rest", VISE_ERR_FORMAT, "ZIP archive"},
      {"\xff\xfe"
       "a",
       VISE_ERR_FORMAT, "UTF-16"},
      {"\x93NUMPY", VISE_ERR_FORMAT, "NPY"},
  };

  for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
    vise_error err = VISE_ERROR_INIT;
    vise_table *table = NULL;
    EXPECT_ERROR(try_text(cases[k].text, NULL, &table, &err), &err, cases[k].code, cases[k].expected);
    cr_assert_null(table);
  }
  vise_error err = VISE_ERROR_INIT;
  vise_table *table = NULL;
  EXPECT_ERROR(vise_table_parse("x.csv", "a,b\n1,\0\n", 8, NULL, &table, &err), &err, VISE_ERR_FORMAT, "zero bytes");
  vise_error_clear(&err);
  EXPECT_ERROR(vise_table_parse("x.csv", "", 0, NULL, &table, &err), &err, VISE_ERR_FORMAT, "x.csv: is empty");
}

Test(table_dialect, refuses_options_that_make_no_sense) {
  static const struct {
    const char *delimiter;
    char decimal, comment;
    const char *expected;
  } cases[] = {{"comma", ',', 0, "`delimiter` and `decimal` are both"},
               {"x", '.', 0, "`delimiter` is \"x\""},
               {"", '.', 0, "`delimiter` is \"\""},
               {"colon", '.', 0, "`delimiter` is \"colon\""},
               {NULL, ';', 0, "`decimal` is \";\""},
               {NULL, '.', '"', "`comment`"},
               {"#", '.', '#', "`delimiter` and `comment`"}};

  for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
    vise_error err = VISE_ERROR_INIT;
    vise_table *table = NULL;
    vise_table_options options = table_options();
    options.delimiter = cases[k].delimiter;
    options.decimal = cases[k].decimal;
    options.comment = cases[k].comment;
    EXPECT_ERROR(try_text("a,b\n1,2\n", &options, &table, &err), &err, VISE_ERR_USAGE, cases[k].expected);
  }
  vise_error err = VISE_ERROR_INIT;
  vise_table *table = NULL;
  EXPECT_ERROR(vise_table_read(NULL, NULL, &table, &err), &err, VISE_ERR_USAGE, "argument path is NULL");
  vise_error_clear(&err);
  EXPECT_ERROR(vise_table_read("/nowhere/x.csv", NULL, &table, &err), &err, VISE_ERR_IO, "/nowhere/x.csv");
  vise_error_clear(&err);
  EXPECT_ERROR(vise_table_read("/tmp", NULL, &table, &err), &err, VISE_ERR_IO, "is a folder");
}
