/* libsvm files. */
#include "table_support.h"

static vise_status parse(const char *text, const vise_table_options *options, vise_table **out, vise_error *err) {
  return vise_table_parse("x.svm", text, strlen(text), options, out, err);
}

static vise_table *parse_ok(const char *text) {
  vise_error err = VISE_ERROR_INIT;
  vise_table *table = NULL;
  EXPECT_OK(parse(text, NULL, &table, &err), err);
  return table;
}

Test(table_libsvm, reads_sparse_rows) {
  vise_table *table = parse_ok("# a comment\n+1 1:0.5 3:-2e1 # more\n\n-1 2:4\n-1\n");
  cr_assert_str_eq(shown(table), "3 rows [1:number 2:number 3:number label:number] 0.5|0|-20|1 / 0|4|0|-1 / 0|0|0|-1");
  static const size_t lines[] = {2, 4, 5};
  for (size_t r = 0; r < 3; r++) cr_assert_eq(vise_table_line(table, r), lines[r]);
  vise_table_free(table);
}

Test(table_libsvm, counts_from_0_if_an_index_is_0) {
  vise_table *table = parse_ok("1 0:5 1:6\n2 qid:3 1:7");
  cr_assert_str_eq(shown(table), "2 rows [0:number 1:number label:number] 5|6|1 / 0|7|2");
  cr_assert(has_note(table, "qid"));
  vise_table_free(table);
}

Test(table_libsvm, is_told_by_the_name) {
  static const char *const names[] = {"a.svm", "a.libsvm", "a.svmlight", "A.SVM", "a.svm.gz"};
  for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
    vise_error err = VISE_ERROR_INIT;
    vise_table *table = NULL;
    EXPECT_OK(vise_table_parse(names[k], "1 1:5\n", 6, NULL, &table, &err), err);
    cr_assert_eq(vise_table_n_columns(table), 2);
    vise_table_free(table);
  }
}

Test(table_libsvm, refuses_with_the_line) {
  static const struct {
    const char *text, *expected;
  } cases[] = {{"1 1:5\nx 1:2\n", "x.svm:2: \"x\": the label is not a number"},
               {"1,2 1:5\n", "x.svm:1: \"1,2\": the label is not a number"},
               {"1 1:5 a:2\n", "x.svm:1: \"a:2\": expected INDEX:VALUE"},
               {"1 1:5 2\n", "expected INDEX:VALUE"},
               {"1 1:x\n", "the value is not a number"},
               {"1 2:5 2:6\n", "indices must ascend"},
               {"1 99999999999:1\n", "an index over 16777216"},
               {"# nothing\n", "holds no rows"},
               {"1\n2\n", "no row has a feature"}};

  for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
    vise_error err = VISE_ERROR_INIT;
    vise_table *table = NULL;
    EXPECT_ERROR(parse(cases[k].text, NULL, &table, &err), &err, VISE_ERR_FORMAT, cases[k].expected);
  }
}

Test(table_libsvm, refuses_what_is_too_large_as_dense_rows) {
  vise_error err = VISE_ERROR_INIT;
  vise_table *table = NULL;
  vise_table_options options = table_options();
  options.max_bytes = 1000000;
  EXPECT_ERROR(parse("1 1000000:5\n", &options, &table, &err), &err, VISE_ERR_MEMORY,
               "1 rows of 1000000 features as dense rows would take 7.63 MiB");
}

Test(table_libsvm, files_of_other_numbers_of_features_match) {
  vise_error err = VISE_ERROR_INIT;
  vise_table *train = parse_ok("1 1:5 2:1 3:1\n2 1:6 3:3\n1 1:7 2:1\n2 2:3 3:1\n1 2:2\n2 3:9\n");
  vise_preprocessor *p = fit_all(train, NULL);
  cr_assert_eq(vise_preprocessor_n_inputs(p), 3);

  vise_table *test = parse_ok("2 1:5 7:1\n1 2:1\n");
  vise_transformed *made = NULL;
  EXPECT_OK(vise_preprocessor_transform(p, test, NULL, &made, &err), err);
  vise_column_info third;
  EXPECT_OK(vise_preprocessor_column(p, 2, &third, &err), err);

  EXPECT_NEAR(feature_at(made, 0, 2), (0 - third.shift) / third.scale, 1e-6);
  cr_assert(has_transform_note(made, "left out, which the model does not use: 4, 5, 6, 7"));

  vise_transformed_free(made);
  vise_table_free(test);
  vise_table_free(train);
  vise_preprocessor_free(p);
}
