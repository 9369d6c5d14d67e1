/* Choosing target columns. */
#include "data_support.h"

static vise_status parse(const char *text, const char *target, bool optional, vise_i_columns_read *read,
                         vise_error *err) {
  vise_table *table = NULL;
  EXPECT_OK(vise_table_parse("x.csv", text, strlen(text), NULL, &table, err), *err);
  *read = (vise_i_columns_read){0};
  const vise_status status = vise_i_table_numbers(table, target, optional, read, err);
  vise_table_free(table);
  return status;
}

static const char named[] = "a,b,\"c,d\",9,e\n1,2,3,4,5\n";
static const char unnamed[] = "1,2,3,4,5\n";

Test(data_pick, picks_by_name_index_and_list) {
  static const struct {
    const char *text, *target;
    double targets[5];
    size_t n_targets;
    double first_feature;
  } cases[] = {
      {named, NULL, {5}, 1, 1},
      {named, "b", {2}, 1, 1},
      {named, "a", {1}, 1, 2},
      {named, "1", {2}, 1, 1},
      {named, "-5", {1}, 1, 2},
      {named, "-1", {5}, 1, 1},
      {named, "c,d", {3}, 1, 1},
      {named, "9", {4}, 1, 1},
      {named, "e, a", {5, 1}, 2, 2},
      {named, "a,-1,1", {1, 5, 2}, 3, 3},
      {named, "", {0}, 0, 1},
      {unnamed, NULL, {5}, 1, 1},
      {unnamed, "0", {1}, 1, 2},
      {unnamed, "+2", {3}, 1, 1},
      {unnamed, "3,-3,0", {4, 3, 1}, 3, 2},
      {unnamed, "4,0,1,2", {5, 1, 2, 3}, 4, 4},
      {unnamed, "", {0}, 0, 1},
  };

  for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
    vise_error err = VISE_ERROR_INIT;
    vise_i_columns_read read;
    EXPECT_OK(parse(cases[k].text, cases[k].target, false, &read, &err), err);
    cr_assert_eq(read.targets.array.n_cols, cases[k].n_targets, "case %zu", k);
    cr_assert_eq(read.features.array.n_cols, 5 - cases[k].n_targets, "case %zu", k);
    EXPECT_NEAR(vise_i_array_get(&read.features.array, 0, 0), cases[k].first_feature, 0);
    for (size_t c = 0; c < cases[k].n_targets; c++) {
      EXPECT_NEAR(vise_i_array_get(&read.targets.array, 0, c), cases[k].targets[c], 0);
    }

    free(read.features.memory);
    free(read.targets.memory);
  }
}

Test(data_pick, refuses_what_is_not_there) {
  static const struct {
    const char *text, *target;
    bool optional;
    const char *expected;
  } cases[] = {
      {named, "nope", false, "x.csv: has no target column \"nope\"; its 5 columns go from \"a\" to \"e\""},
      {named, "5", false, "has no target column 5; it has 5 columns, 0 to 4 (or -1 to -5 from the end)"},
      {named, "-6", false, "has no target column -6"},
      {named, "99999999999999999999999999", false, "has no target column 99999999999999999999999999;"},
      {named, "a,nope", false, "has no target column \"nope\""},
      {named, "a,nope", true, "has no target column \"nope\""},
      {named, "a,", false, "has no target column \"\""},
      {named, "a,a", false, "target column 0 is asked for twice"},
      {unnamed, "3,-2,0", false, "target column 3 is asked for twice"},
      {named, "0,1,2,3,4", false, "all of them targets"},
      {unnamed, "b", false, "its first line is all numbers, so columns have no names; give an index from 0 to 4"},
      {"y\n1\n", NULL, false, "has 1 column, all of them targets, so no features are left"},
  };

  for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
    vise_error err = VISE_ERROR_INIT;
    vise_i_columns_read read;
    EXPECT_ERROR(parse(cases[k].text, cases[k].target, cases[k].optional, &read, &err), &err, VISE_ERR_USAGE,
                 cases[k].expected);
  }
}

Test(data_pick, optional_targets_may_be_missing) {
  static const struct {
    const char *text, *target;
    size_t n_targets;
  } cases[] = {{named, "nope", 0}, {named, "nope,7", 0}, {unnamed, "y", 0}, {named, "e", 1}, {named, NULL, 1}};

  for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
    vise_error err = VISE_ERROR_INIT;
    vise_i_columns_read read;
    EXPECT_OK(parse(cases[k].text, cases[k].target, true, &read, &err), err);
    cr_assert_eq(read.targets.array.n_cols, cases[k].n_targets, "case %zu", k);
    cr_assert_eq(read.features.array.n_cols, 5 - cases[k].n_targets, "case %zu", k);

    free(read.features.memory);
    free(read.targets.memory);
  }
}

Test(data_pick, the_second_of_equal_names_has_one_of_its_own) {
  static const struct {
    const char *target;
    double value;
  } cases[] = {{"a", 1}, {"b", 2}, {"a.1", 3}};
  for (size_t k = 0; k < 3; k++) {
    vise_error err = VISE_ERROR_INIT;
    vise_i_columns_read read;
    EXPECT_OK(parse("a,b,a\n1,2,3\n", cases[k].target, false, &read, &err), err);
    EXPECT_NEAR(vise_i_array_get(&read.targets.array, 0, 0), cases[k].value, 0);
    free(read.features.memory);
    free(read.targets.memory);
  }
}
