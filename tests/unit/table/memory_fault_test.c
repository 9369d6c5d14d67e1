/* Every allocation of reading, fitting, converting and writing fails once: an error, nothing leaked, no crash. */
#include <jansson.h>

#include "table_support.h"
#include "tests/support/allocation_fault.h"

static const char TEXT[] =
    "id,a,day,color,code,note,y\n1,0.5,2026-01-01,red,\"1\",\"x\"\"y\",u\n2,,2026-01-02,blue,\"2\",,v\n"
    "3,1.5,2026-01-03,red,\"1\",\"x\"\"y\",u\n4,2.5,,blue,\"2\",z,v\n5,2.25,2026-01-05,red,\"2\",z,u\n";

static vise_status work(vise_error *err) {
  vise_status status;
  vise_table *table = NULL, *again = NULL;
  vise_preprocessor *p = NULL, *q = NULL;
  vise_transformed *made = NULL;
  vise_split split = {0};
  char *json = NULL;
  vise_table_options options = table_options();
  status = try_text(TEXT, &options, &table, err);
  if (status == VISE_OK) status = vise_preprocessor_fit(table, NULL, NULL, 0, &p, err);
  if (status == VISE_OK) status = vise_preprocessor_to_json(p, &json, err);
  if (status == VISE_OK) status = vise_preprocessor_from_json(json, &q, err);
  options.like = q;
  if (status == VISE_OK) status = try_text(TEXT, &options, &again, err);
  if (status == VISE_OK) status = vise_preprocessor_transform(q, again, NULL, &made, err);
  if (status == VISE_OK) {
    vise_split_options how;
    vise_split_options_init(&how);
    how.fraction = 0.4;
    status = vise_table_split(table, NULL, &how, &split, err);
  }
  vise_split_clear(&split);
  size_t folds[5];
  if (status == VISE_OK) status = vise_table_folds(table, NULL, NULL, folds, 5, err);
  if (status == VISE_OK) status = vise_folds_split(folds, NULL, 5, 1, &split, err);
  vise_split_clear(&split);
  vise_fold_options by_group;
  vise_fold_options_init(&by_group);
  by_group.n_folds = 2;
  by_group.group = "color";
  by_group.stratify = false;
  if (status == VISE_OK) status = vise_table_folds(table, NULL, &by_group, folds, 5, err);

  vise_transformed_free(made);
  vise_preprocessor_free(p);
  vise_preprocessor_free(q);
  vise_table_free(table);
  vise_table_free(again);
  free(json);
  return status;
}

static vise_status work_libsvm(vise_error *err) {
  vise_table *table = NULL;
  const vise_status status = vise_table_parse("x.svm", "1 1:5\n2 3:1\n", 12, NULL, &table, err);
  vise_table_free(table);
  return status;
}

static vise_status work_columns(vise_error *err) {
  static const double values[] = {1, 2};
  static const char *const names[] = {"a"}, *const texts[] = {"u", "v"};
  vise_table *table = NULL;
  const vise_array array = vise_array_of(values, VISE_F64, 2, 1);
  vise_status status = vise_table_create("x", 2, &table, err);
  if (status == VISE_OK) status = vise_table_add_numbers(table, names, &array, err);
  if (status == VISE_OK) status = vise_table_add_text(table, "b", texts, err);
  vise_table_free(table);
  return status;
}

static void fail_each(vise_status (*task)(vise_error *err)) {
  size_t n = 0;
  json_set_alloc_funcs(__wrap_malloc, free);
  for (bool failed = true; failed; n++) {
    vise_error err = VISE_ERROR_INIT;
    fault_arm(n);
    const vise_status status = task(&err);
    failed = fault.has_failed;
    fault_disarm();

    cr_assert(status == VISE_OK ? !failed : status == VISE_ERR_MEMORY, "allocation %zu: %s (%s)", n,
              vise_status_name(status), err.text);
    cr_assert(status == VISE_OK || err.text[0] != '\0', "allocation %zu", n);
  }

  cr_assert(n > 3);
}

Test(table_memory_fault, of_text) {
  fail_each(work);
}

Test(table_memory_fault, of_libsvm) {
  fail_each(work_libsvm);
}

Test(table_memory_fault, of_columns) {
  fail_each(work_columns);
}
