/* What a target is taken for. */
#include <stdio.h>

#include "table_support.h"

/* "kind loss: class count, ..." of y, the last column. */
static const char *summary(const vise_preprocessor *p) {
  static char text[1024];
  size_t used = (size_t)snprintf(text, sizeof text, "%s %s:", vise_target_kind_name(vise_preprocessor_target_kind(p)),
                                 vise_loss_name(vise_preprocessor_loss(p)));
  for (size_t k = 0; k < vise_preprocessor_n_classes(p); k++) {
    used += (size_t)snprintf(text + used, sizeof text - used, " %s %zu", vise_preprocessor_class_name(p, k),
                             vise_preprocessor_class_count(p, k));
  }
  return text;
}

static void expect_target(const char *text, const vise_preprocessor_options *options, const char *expected,
                          const char *file, int line) {
  vise_preprocessor *p = fit_text(text, options, NULL);
  cr_assert_str_eq(summary(p), expected, "%s:%d: %s", file, line, summary(p));
  vise_preprocessor_free(p);
}
#define EXPECT_TARGET(text, options, expected) expect_target(text, options, expected, __FILE__, __LINE__)

static double (*value)(size_t i);
static const char *form;

static void value_row(size_t i, char *out, size_t n) {
  char number[32];
  snprintf(number, sizeof number, form, value(i));
  snprintf(out, n, "%zu,%s", (i * 37) % 101, number);
}

static const char *target_rows(size_t n, const char *number_form, double (*number)(size_t i)) {
  form = number_form;
  value = number;
  return rows_of("x,y", n, value_row);
}

static double one_to_three(size_t i) {
  return (double)(i % 3 + 1);
}

static double hundreds(size_t i) {
  return (double)(i % 3 * 100 + 1);
}

static double signs(size_t i) {
  return i % 3 == 0 ? -1 : 1;
}

static double prices(size_t i) {
  return 250000 + 100 * (double)i;
}

static double from_2(size_t i) {
  return (double)(i % 4 + 2);
}

static double halves(size_t i) {
  return (double)(i % 3) / 2;
}

static double two_measures(size_t i) {
  return i % 2 == 0 ? 0.25 : 7.5;
}

static double rare_one(size_t i) {
  return i == 7 ? 9 : (double)(i % 2 + 1);
}

Test(table_target, text_and_codes_are_classes) {
  EXPECT_TARGET("x,y\n1,b\n2,a\n3,b\n4,a\n", NULL, "classes cross-entropy: a 2 b 2");
  EXPECT_TARGET("x,y\n1,no\n2,yes\n3,\n4,yes\n5,no\n", NULL, "classes cross-entropy: no 2 yes 2");
  EXPECT_TARGET("x,y\n1,\"10\"\n2,\"9\"\n3,\"10\"\n4,\"9\"\n", NULL, "classes cross-entropy: 9 2 10 2");
  EXPECT_TARGET(target_rows(60, "%.0f", one_to_three), NULL, "classes cross-entropy: 1 20 2 20 3 20");
  EXPECT_TARGET(target_rows(60, "%.0f", hundreds), NULL, "classes cross-entropy: 1 20 101 20 201 20");
  EXPECT_TARGET(target_rows(60, "%.0f", signs), NULL, "classes cross-entropy: -1 20 1 40");
  EXPECT_TARGET(target_rows(60, "%g", two_measures), NULL, "classes cross-entropy: 0.25 30 7.5 30");
}

Test(table_target, other_numbers_are_numbers) {
  EXPECT_TARGET(target_rows(60, "%.0f", prices), NULL, "numbers mse:");
  EXPECT_TARGET(target_rows(60, "%.0f", from_2), NULL, "numbers mse:");
  EXPECT_TARGET(target_rows(60, "%g", halves), NULL, "numbers mse:");
  EXPECT_TARGET(target_rows(60, "%g", rare_one), NULL, "numbers mse:");
  EXPECT_TARGET("x,y\n1,0\n2,1\n3,0\n", NULL, "numbers mse:");
}

Test(table_target, gives_the_reason_and_the_remedy) {
  static const struct {
    const char *text, *expected;
  } cases[] = {{"x,y\n1,0\n2,1\n3,0\n4,1\n5,1\n", "it has two values, 0 and 1, so they are classes; `loss` mse"},
               {"x,y\n1,5\n2,1.5\n3,0\n", "it has 3 different numbers; `categorical` makes them classes"},
               {"x,y\n1,a\n2,a\n3,b\n4,b\n", "its text names classes"}};

  for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
    vise_preprocessor *p = fit_text(cases[k].text, NULL, NULL);
    cr_assert(has_line(p, cases[k].expected));
    cr_assert(strstr(vise_preprocessor_target_reason(p), cases[k].expected) != NULL);
    vise_preprocessor_free(p);
  }
}

Test(table_target, is_what_the_loss_asks_for) {
  vise_preprocessor_options options = fit_options();
  options.loss_given = true;
  options.loss = VISE_LOSS_MSE;
  EXPECT_TARGET(target_rows(60, "%.0f", one_to_three), &options, "numbers mse:");
  EXPECT_REFUSAL("x,y\n1,a\n2,a\n3,b\n4,b\n", &options, "target column \"y\" is text, which `loss` mse cannot take");

  options.loss = VISE_LOSS_HINGE;
  EXPECT_TARGET(target_rows(60, "%.0f", signs), &options, "classes hinge: -1 20 1 40");

  options.loss = VISE_LOSS_BCE;
  EXPECT_TARGET(target_rows(60, "%.0f", signs), &options, "classes bce: -1 20 1 40");
  EXPECT_REFUSAL(target_rows(60, "%.0f", one_to_three), &options, "`loss` bce takes two classes, and the target has 3");

  options.loss = VISE_LOSS_CROSS_ENTROPY;
  EXPECT_TARGET(target_rows(60, "%.0f", from_2), &options, "classes cross-entropy: 2 15 3 15 4 15 5 15");
  EXPECT_TARGET("x,y\n1,0\n2,1\n3,2\n", &options, "classes cross-entropy: 0 1 1 1 2 1");
  EXPECT_REFUSAL(target_rows(60, "%.0f", prices), &options,
                 "target column \"y\" has 60 different numbers in 60 rows, too many to be classes; `loss` mse");
}

Test(table_target, is_what_the_lists_ask_for) {
  vise_table_options options = table_options();
  options.numeric = "y";
  vise_table *table = read_text(target_rows(60, "%.0f", one_to_three), &options);
  vise_preprocessor *p = fit_all(table, NULL);
  cr_assert_str_eq(summary(p), "numbers mse:");
  vise_preprocessor_free(p);
  vise_table_free(table);

  options.numeric = NULL;
  options.categorical = "y";
  table = read_text(target_rows(60, "%.0f", from_2), &options);
  p = fit_all(table, NULL);
  cr_assert_str_eq(summary(p), "classes cross-entropy: 2 15 3 15 4 15 5 15");
  vise_preprocessor_free(p);
  vise_table_free(table);
}

Test(table_target, refuses_what_cannot_be_learnt) {
  static const struct {
    const char *text, *expected;
  } cases[] = {
      {"x,y\n1,0\n2,0\n3,0\n", "target column \"y\" is 0 in all of 3 rows, so there is nothing to learn"},
      {"x,y\n1,a\n2,a\n3,a\n", "target column \"y\" is the same in every row"},
      {"x,y\n1,\n2,NA\n3,?\n", "target column \"y\" holds nothing but gaps"},
      {"x,y\n1,Ann\n2,Bob\n3,Cid\n", "target column \"y\" is text that differs in 3 of 3 rows"},
      {"x,y\n1,2026-01-01\n2,2026-01-02\n", "target column \"y\" is dates"},
      {"x,id\n5,1\n7,2\n9,3\n", "target column \"id\" holds row names or ids"},
      {"x,cust_id\n5,17\n7,17\n9,23\n8,40\n", "target column \"cust_id\" is called as ids are"},
      {"y\n1\n2\n", "no feature is left beside the target"},
      {"a~y\n1~u\n2~v\n3~w\n", "text that differs in 3 of 3 rows, so it names rows and not classes; `delimiter` tells"},
      {",y\n1,5\n2,6\n", "no feature is left; column \"Unnamed: 0\" was left out: row names"},
  };

  for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) EXPECT_REFUSAL(cases[k].text, NULL, cases[k].expected);
}

Test(table_target, rows_without_one_are_left_out) {
  vise_table *table;
  vise_preprocessor *p = fit_text("x,y\n1,a\n2,\n3,b\n4,a\n5,b\n", NULL, &table);
  cr_assert_eq(vise_preprocessor_n_rows(p), 4);
  cr_assert(has_line(p, "1 row left out: no target"));

  vise_transformed *made = transform_all(p, table, NULL);
  static const size_t rows[] = {0, 2, 3, 4};
  static const double classes[] = {0, 1, 0, 1};
  cr_assert(vise_transformed_counts(made).n_rows == 4 && vise_transformed_counts(made).n_without_target == 1);

  for (size_t i = 0; i < 4; i++) {
    cr_assert_eq(vise_transformed_rows(made)[i], rows[i]);
    EXPECT_NEAR(target_at(made, i, 0), classes[i], 0);
  }

  vise_transformed_free(made);
  vise_table_free(table);
  vise_preprocessor_free(p);
}

Test(table_target, may_be_named_placed_several_or_none) {
  static const char text[] = "a,b,c\n1,2,3\n4,7,1\n3,3,3.5\n";
  vise_preprocessor_options options = fit_options();
  options.target = "0";
  vise_preprocessor *p = fit_text(text, &options, NULL);
  cr_assert_str_eq(vise_preprocessor_target_name(p, 0), "a");
  vise_preprocessor_free(p);

  options.target = "c,a";
  vise_table *table;
  p = fit_text(text, &options, &table);
  vise_transformed *made = transform_all(p, table, NULL);
  cr_assert(vise_preprocessor_n_targets(p) == 2 && vise_preprocessor_n_inputs(p) == 1);
  EXPECT_NEAR(target_at(made, 2, 0), 3.5, 0);
  EXPECT_NEAR(target_at(made, 2, 1), 3, 0);
  double shift, scale;
  vise_error err = VISE_ERROR_INIT;
  EXPECT_OK(vise_preprocessor_target_scaling(p, 0, &shift, &scale, &err), err);
  EXPECT_NEAR(shift, 2.5, 1e-15);
  vise_transformed_free(made);
  vise_table_free(table);
  vise_preprocessor_free(p);

  options.target = "";
  p = fit_text(text, &options, NULL);
  cr_assert(vise_preprocessor_n_targets(p) == 0 && vise_preprocessor_n_inputs(p) == 3);
  vise_preprocessor_free(p);
  options.target = "a,a";
  EXPECT_REFUSAL(text, &options, "`target` names column \"a\" twice");
  options.target = "a,b";
  EXPECT_REFUSAL("a,b,c\n1,u,3\n4,v,1\n", &options,
                 "target column \"b\" is text; of several targets each must be numbers");
}

Test(table_target, is_the_last_column_that_holds_something) {
  vise_preprocessor *p = fit_text("a,y,\n1,2,\n3,4,\n", NULL, NULL);
  cr_assert_str_eq(vise_preprocessor_target_name(p, 0), "y");
  vise_preprocessor_free(p);
}

Test(table_target, kind_may_be_given) {
  vise_preprocessor_options options = fit_options();
  options.target_kind = VISE_TARGET_CLASSES;
  options.loss_given = true;
  options.loss = VISE_LOSS_CROSS_ENTROPY;
  vise_preprocessor *p = fit_text("x,y\n1,0\n2,2\n3,5\n4,9\n5,0\n6,2\n", &options, NULL);
  cr_assert_eq(vise_preprocessor_target_kind(p), VISE_TARGET_CLASSES);
  cr_assert_eq(vise_preprocessor_n_classes(p), 4);
  vise_preprocessor_free(p);
  p = fit_text("x,y\n1,a\n2,b\n3,c\n4,d\n5,a\n6,b\n", &options, NULL); /* four of six */
  cr_assert_eq(vise_preprocessor_n_classes(p), 4);
  vise_preprocessor_free(p);

  options = fit_options();
  options.target_kind = VISE_TARGET_NUMBERS;
  p = fit_text("x,y\n1,0\n2,1\n3,0\n4,1\n5,0\n6,1\n", &options, NULL);
  cr_assert_eq(vise_preprocessor_target_kind(p), VISE_TARGET_NUMBERS);
  vise_preprocessor_free(p);
  options.target_kind = (vise_target_kind)17;
  EXPECT_REFUSAL("x,y\n1,0\n2,1\n", &options, "`target_kind` is out of range");
}

/* Lines that end in a delimiter leave an empty last column, with names or without. */
Test(table_target, is_not_what_a_delimiter_at_the_end_of_lines_leaves) {
  static const char *const texts[] = {
      "a,b,y,\n1,2,u,\n3,4,v,\n5,7,u,\n6,8,v,\n",
      "a,b,y\n1,2,u,\n3,4,v,\n5,7,u,\n6,8,v,\n",
      "1,2,u,\n3,4,v,\n5,7,u,\n6,8,v,\n",
      "sep=;\r\n1;2;u;\r\n3;4;v;\r\n5;7;u;\r\n6;8;v;\r\n",
  };
  for (size_t k = 0; k < sizeof texts / sizeof texts[0]; k++) {
    EXPECT_TARGET(texts[k], NULL, "classes cross-entropy: u 2 v 2");
  }
}

Test(table_target, a_constant_one_is_taken_where_that_is_asked) {
  vise_preprocessor_options options;
  vise_table *table;
  double shift = 0, scale = 0;
  vise_error err = VISE_ERROR_INIT;
  vise_preprocessor_options_init(&options);
  options.constant_target = 1;
  options.target_kind = VISE_TARGET_NUMBERS;
  vise_preprocessor *p = fit_text("x,y\n1,7\n2,7\n3,7\n", &options, &table);
  cr_assert_eq(vise_preprocessor_target_scaling(p, 0, &shift, &scale, &err), VISE_OK, "%s", err.text);
  EXPECT_NEAR(shift, 7, 0);
  EXPECT_NEAR(scale, 1, 0);

  /* Of classes one alone is nothing to tell apart. */
  vise_preprocessor *none = NULL;
  options.target_kind = VISE_TARGET_CLASSES;
  EXPECT_ERROR(vise_preprocessor_fit(table, &options, NULL, 0, &none, &err), &err, VISE_ERR_VALUE, "nothing to learn");
  vise_preprocessor_free(p);
  vise_table_free(table);
}
