/* How a public call begins: an older error goes, arguments that are NULL are named. */
#include "host/base/call.h"

#include <criterion/criterion.h>
#include <string.h>

vise_status thing_open_sized(const char *path, const int *count, int **out, vise_error *err);

vise_status thing_open_sized(const char *path, const int *count, int **out, vise_error *err) {
  VISE_ENTER(err, path, count, out);
  return VISE_OK;
}

Test(call, names_the_argument_that_is_null) {
  int count = 1, *out = &count;
  vise_error err = VISE_ERROR_INIT;

  cr_expect_eq(thing_open_sized(NULL, &count, &out, &err), VISE_ERR_USAGE);
  cr_expect_str_eq(err.text, "thing_open: the argument path is NULL");
  cr_expect_eq(thing_open_sized("a", NULL, &out, &err), VISE_ERR_USAGE);
  cr_expect_str_eq(err.text, "thing_open: the argument count is NULL");
  cr_expect_eq(thing_open_sized("a", &count, NULL, &err), VISE_ERR_USAGE);
  cr_expect_str_eq(err.text, "thing_open: the argument out is NULL");
  cr_expect_eq(err.code, VISE_ERR_USAGE);
  cr_expect_eq(thing_open_sized("a", &count, NULL, NULL), VISE_ERR_USAGE);
}

Test(call, forgets_an_older_error) {
  int count = 1, *out = &count;
  vise_error err = {VISE_ERR_IO, "older"};
  cr_expect_eq(thing_open_sized("a", &count, &out, &err), VISE_OK);
  cr_expect_eq(err.code, VISE_OK);
  cr_expect_str_eq(err.text, "");
}
