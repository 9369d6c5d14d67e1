#include "host/base/error.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "vise/types.h"

Test(error, first_error_wins) {
  vise_error err = VISE_ERROR_INIT;
  cr_assert_eq(vise_i_fail(&err, VISE_ERR_SHAPE, "%d columns", 3), VISE_ERR_SHAPE);
  cr_assert_eq(vise_i_fail(&err, VISE_ERR_IO, "later"), VISE_ERR_IO);
  cr_assert_eq(err.code, VISE_ERR_SHAPE);
  cr_assert_str_eq(err.text, "3 columns");
  vise_error_clear(&err);
  cr_assert_eq(err.code, VISE_OK);
  cr_assert_str_eq(err.text, "");
  cr_assert_eq(vise_i_fail(NULL, VISE_ERR_IO, "no one listens"), VISE_ERR_IO);
  vise_error_clear(NULL);
}

Test(error, text_is_cut_to_fit) {
  vise_error err = VISE_ERROR_INIT;
  char longer[3 * VISE_ERROR_TEXT_BYTES];
  memset(longer, 'x', sizeof longer - 1);
  longer[sizeof longer - 1] = '\0';
  cr_assert_eq(vise_i_fail_errno(&err, VISE_ERR_IO, ENOENT, "%s", longer), VISE_ERR_IO);
  cr_assert_eq(strlen(err.text), VISE_ERROR_TEXT_BYTES - 1);
}

Test(error, errno_text_comes_last) {
  vise_error err = VISE_ERROR_INIT;
  cr_assert_eq(vise_i_fail_errno(&err, VISE_ERR_IO, ENOENT, "a.csv: cannot be opened"), VISE_ERR_IO);
  cr_assert_str_eq(err.text, "a.csv: cannot be opened: No such file or directory");
}

Test(error, every_status_has_name_and_text) {
  cr_assert_str_eq(vise_status_name(VISE_OK), "VISE_OK");
  cr_assert_str_eq(vise_status_name(VISE_ERR_INTERNAL), "VISE_ERR_INTERNAL");
  cr_assert_str_eq(vise_status_name((vise_status)999), "VISE_ERR_?");
  for (int i = 0; i <= VISE_ERR_INTERNAL; ++i) {
    cr_assert(strlen(vise_status_text((vise_status)i)) > 1);
    cr_assert_str_neq(vise_status_text((vise_status)i), "unknown status");
  }
}

Test(names, go_both_ways_for_every_value) {
#define CHECK(type, TABLE)                                                                  \
  for (int i = 0; i < (int)type##_count_; ++i) {                                            \
    type back;                                                                              \
    vise_error err = VISE_ERROR_INIT;                                                       \
    cr_assert_eq(type##_parse(type##_name((type)i), &back, &err), VISE_OK, "%s", err.text); \
    cr_assert_eq((int)back, i);                                                             \
  }
  VISE_ENUM_LIST(CHECK)
  cr_assert_str_eq(vise_loss_name((vise_loss)77), "?");
}

Test(names, unknown_lists_what_can_be) {
  vise_error err = VISE_ERROR_INIT;
  vise_optimizer optimizer = VISE_ADAM;
  cr_assert_eq(vise_optimizer_parse("sdg", &optimizer, &err), VISE_ERR_USAGE);
  cr_assert_eq(optimizer, VISE_ADAM);
  cr_assert_str_eq(err.text, "optimizer: 'sdg' is unknown; it can be sgd, rmsprop, adam, lion");
  cr_assert_eq(vise_optimizer_parse(NULL, &optimizer, NULL), VISE_ERR_USAGE);
}
