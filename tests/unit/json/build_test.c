/* Values being made: what could not be made is nowhere left out; texts that are any bytes. */
#include "host/json/build.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "host/json/bytes.h"
#include "host/json/text.h"
#include "tests/support/unit.h"

Test(json_build, what_is_missing_reaches_the_whole) {
  vise_error err = VISE_ERROR_INIT;
  char *text = NULL;
  json_t *inner = json_object(), *list = json_array(), *whole = json_object();

  vise_i_json_put(&inner, "value", NULL);
  cr_assert(inner == NULL);
  vise_i_json_put(&inner, "more", json_integer(1));
  vise_i_json_add(&list, json_true());
  vise_i_json_add(&list, inner);
  cr_assert(list == NULL);

  vise_i_json_put(&whole, "first", json_integer(1));
  vise_i_json_put(&whole, "list", list);
  vise_i_json_put(&whole, "last", json_integer(2));
  EXPECT_ERROR(vise_i_json_text(whole, JSON_COMPACT, "a report", &text, NULL, &err), &err, VISE_ERR_MEMORY, "a report");
  cr_assert(whole == NULL && text == NULL);
}

Test(json_build, values_are_taken_over) {
  json_t *list = json_array(), *whole = json_object();
  vise_i_json_add(&list, json_integer(3));
  vise_i_json_put(&whole, "list", list);
  vise_i_json_put(&whole, "list", json_incref(list));
  cr_assert_eq(list->refcount, 1);
  cr_assert_eq(json_integer_value(json_array_get(json_object_get(whole, "list"), 0)), 3);
  json_decref(whole);
}

Test(json_build, bytes_come_back) {
  static const char *const texts[] = {"",     "plain",       "caf\xc3\xa9", "caf\xe9", "\xff\xfe\x80\x01",
                                      "\xc3", "\xed\xa0\x80"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    char *back = NULL;
    json_t *value = vise_i_json_of_bytes(texts[i], "latin");
    cr_assert(value != NULL);
    cr_assert_eq(json_is_string(value), i < 3, "%zu", i);
    cr_assert_eq(vise_i_json_to_bytes(value, "latin", &back), VISE_OK);
    cr_assert_str_eq(back, texts[i]);
    free(back);
    json_decref(value);
  }
}

Test(json_build, other_values_are_no_bytes) {
  char *back = NULL;
  json_t *values[] = {json_integer(1),
                      json_null(),
                      json_pack("{s:s}", "other", "a"),
                      json_pack("{s:i}", "latin", 1),
                      json_pack("{s:s}", "latin", "\xe2\x82\xac"),
                      json_pack("{s:s, s:s}", "latin", "a", "b", "c")};
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
    cr_assert_eq(vise_i_json_to_bytes(values[i], "latin", &back), VISE_ERR_FORMAT, "%zu", i);
    json_decref(values[i]);
  }
  cr_assert(back == NULL);
  cr_assert_eq(vise_i_json_to_bytes(NULL, "latin", &back), VISE_ERR_FORMAT);
}
