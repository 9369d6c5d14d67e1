/* Every allocation of an export fails once: the call says so, leaks nothing, and leaves no folder. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "host/base/file.h"
#include "tests/support/allocation_fault.h"
#include "tests/unit/model/rig.h"
#include "vise/export.h"

/* Rows that integers take their ranges from. */
static vise_dataset *rows_for(const vise_model *model) {
  static double x[30];
  vise_dataset *data = NULL;
  for (size_t i = 0; i < 30; i++) x[i] = (double)(i * 7 % 11) / 11 - 0.4;
  const vise_array array = vise_array_of(x, VISE_F64, 10, vise_model_width(model, 0));
  cr_assert_eq(vise_dataset_from_arrays(&array, NULL, NULL, true, &data, NULL), VISE_OK);
  return data;
}

static void fail_each(vise_export_format format, size_t at_least) {
  json_set_alloc_funcs(__wrap_malloc, free);
  rig_make_folder();
  vise_model *model = rig_model((const size_t[]){3, 4, 2, 0}, true, VISE_F32);
  const char *dir = rig_in("net"), *all = rig_in(".");
  size_t n = 0;
  vise_export_config config;
  vise_export_config_init(&config);
  config.format = format;
  config.integers = "int8,acc16";
  vise_dataset *data = rows_for(model);
  config.data = data;

  for (;; n++) {
    vise_error err = VISE_ERROR_INIT;
    fault_arm(n);
    const vise_status status = vise_export(model, &config, dir, &err);
    fault_disarm();
    if (status == VISE_OK && !fault.has_failed) break;

    if (status != VISE_OK) {
      cr_assert(status == VISE_ERR_MEMORY || status == VISE_ERR_IO, "allocation %zu: %s", n, err.text);
      cr_assert(rig_n_entries(all) == 0 || strstr(err.text, "may not last") != NULL, "allocation %zu: %s", n, err.text);
    }
    cr_assert_eq(vise_i_remove_tree(dir, NULL), VISE_OK);
  }

  cr_assert_geq(n, at_least, "%zu allocations only", n);
  cr_assert_eq(rig_n_entries(all), 1);
  vise_dataset_free(data);
  vise_model_free(model);
  rig_remove_folder();
}

Test(export_memory, onnx) {
  fail_each(VISE_EXPORT_ONNX, 20);
}

Test(export_memory, integer_c) {
  fail_each(VISE_EXPORT_INTEGER_C, 60);
}

Test(export_memory, float_c) {
  fail_each(VISE_EXPORT_FLOAT_C, 60);
}
