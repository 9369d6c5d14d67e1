/* What line 1 is taken for. */
#include "table_support.h"

Test(table_header, is_found_by_what_stands_below) {
  static const struct {
    const char *text, *expected;
  } cases[] = {
      /* a text over numbers */
      {"a,b\n1,2\n3,4\n", "2 rows [a:number b:number] 1|2 / 3|4"},
      {"a,1\n1,2\n3,4\n", "2 rows [a:number 1:number] 1|2 / 3|4"},
      {"day,x\n2026-01-01,u\n2026-01-02,v\n", "2 rows [day:date x:text] 20454|u / 20455|v"},
      /* texts, all different, none of them below */
      {"name,town\nAnn,Rome\nBob,Oslo\n", "2 rows [name:text town:text] Ann|Rome / Bob|Oslo"},
      {"Ann,Rome\nBob,Oslo\nAnn,Oslo\n", "3 rows [:text :text] Ann|Rome / Bob|Oslo / Ann|Oslo"},
      {"x,x\nAnn,Rome\nBob,Oslo\n", "3 rows [:text :text] x|x / Ann|Rome / Bob|Oslo"},
      /* numbers over numbers, and with text over text: data */
      {"1,2\n3,4\n", "2 rows [:number :number] 1|2 / 3|4"},
      {"5.1,x\n4.9,y\n", "2 rows [:number :text] 5.1|x / 4.9|y"},
      {"2026-01-01,u\n2026-01-02,v\n", "2 rows [:date :text] 20454|u / 20455|v"},
      /* gaps neither make nor break one */
      {"?,2,3\n4,5,6\n", "2 rows [:number :number :number] _|2|3 / 4|5|6"},
      {"1,,3\n4,5,6\n", "2 rows [:number :number :number] 1|_|3 / 4|5|6"},
      {"NA,2,3\n4,5,6\n", "2 rows [:number :number :number] _|2|3 / 4|5|6"},
      {"a,,c\n4,5,6\n", "1 rows [a:number Unnamed: 1:number c:number] 4|5|6"},
      /* an empty first field is the name of row names, if the column can be those */
      {",1.5,7\n1,2,3\n2,4,5\n", "2 rows [Unnamed: 0:number 1.5:number 7:number] 1|2|3 / 2|4|5"},
      {",1.5,7\n0.5,2,3\n0.7,4,5\n", "3 rows [:number :number :number] _|1.5|7 / 0.5|2|3 / 0.7|4|5"},
      /* equal steps beside text; 0, 1, 2 alone */
      {"place,1960,1961,1962\nu,1,2,3\nv,4,5,6\n",
       "2 rows [place:text 1960:number 1961:number 1962:number] u|1|2|3 / v|4|5|6"},
      {"place,1960,1975,1962\nu,1,2,3\nu,4,5,6\n",
       "3 rows [:text :number :number :number] place|1960|1975|1962 / u|1|2|3 / u|4|5|6"},
      {"0,1,2\n5,6,7\n8,9,5\n", "2 rows [0:number 1:number 2:number] 5|6|7 / 8|9|5"},
      {"0,1\n5,6\n8,9\n", "3 rows [:number :number] 0|1 / 5|6 / 8|9"},
      {"1,2,3\n5,6,7\n8,9,5\n", "3 rows [:number :number :number] 1|2|3 / 5|6|7 / 8|9|5"},
      /* alone */
      {"1,2,3\n", "1 rows [:number :number :number] 1|2|3"},
  };

  for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) EXPECT_TABLE(cases[k].text, NULL, cases[k].expected);
}

Test(table_header, is_what_the_caller_says) {
  vise_table_options options = table_options();
  options.header = VISE_HEADER_NO;
  EXPECT_TABLE("a,b\n1,2\n", &options, "2 rows [:text :text] a|b / 1|2");
  EXPECT_TABLE("a,b\n", &options, "1 rows [:text :text] a|b");
  options.header = VISE_HEADER_YES;
  EXPECT_TABLE("1,2\n3,4\n", &options, "1 rows [1:number 2:number] 3|4");
}

Test(table_header, is_one_if_an_option_names_a_field_of_it) {
  vise_table_options options = table_options();
  options.categorical = "x";
  EXPECT_TABLE("x,x2\nu,u\nv,x2\n", &options, "2 rows [x:text x2:text] u|u / v|x2");
}

Test(table_header, gives_each_column_a_name_of_its_own) {
  vise_table *table = read_text("a,a,,a.1\n1,2,3,4\n", NULL);
  cr_assert_str_eq(shown(table), "1 rows [a:number a.1:number Unnamed: 2:number a.1.1:number] 1|2|3|4");
  cr_assert(has_note(table, "it is called \"a.1\"") && has_note(table, "line 1 is a header"));
  vise_table_free(table);
}

Test(table_header, says_what_line_1_was_taken_for) {
  vise_table *table = read_text("1,2\n3,4\n", NULL);
  cr_assert(has_note(table, "line 1 is data, not a header"));
  vise_table_free(table);
}

Test(table_header, keeps_names_of_other_encodings) {
  vise_table *table = read_text("caf\xe9,b\n1,2\n", NULL);
  cr_assert_str_eq(vise_table_column_name(table, 0), "caf\xe9");
  vise_table_free(table);
}
