#include <criterion/criterion.h>
#include <string.h>

#include "host/net/quantization.h"

Test(format, reads_what_it_writes) {
  static const char *const texts[][2] = {{"int8,acc16", "int8,acc16,act8,in8"},
                                         {"int8,acc12,act4,in4", "int8,acc12,act4,in4"},
                                         {"in2,int8,act3,acc32", "int8,acc32,act3,in2"},
                                         {"int8,acc10,unconstrained", "int8,acc10,act8,in8,unconstrained"},
                                         {"acc24,int16,in4", "int16,acc24,act8,in4"}};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    char buffer[VISE_I_INTEGER_FORMAT_BYTES];
    vise_i_integer_format format;
    cr_assert_eq(vise_i_integer_format_parse("quantize", texts[i][0], &format, NULL), VISE_OK);
    cr_assert_str_eq(vise_i_integer_format_text(&format, buffer), texts[i][1]);
  }
}

Test(format, is_the_same_only_where_all_of_it_is) {
  static const char *const texts[] = {"int8,acc16",      "int16,acc16",    "int8,acc17",
                                      "int8,acc16,act7", "int8,acc16,in7", "int8,acc16,unconstrained"};
  enum { N = sizeof texts / sizeof *texts };
  vise_i_integer_format formats[N];
  for (size_t i = 0; i < N; i++) {
    cr_assert_eq(vise_i_integer_format_parse("as", texts[i], &formats[i], NULL), VISE_OK);
  }
  for (size_t i = 0; i < N; i++) {
    for (size_t k = 0; k < N; k++) cr_assert_eq(vise_i_integer_format_is_same(&formats[i], &formats[k]), i == k);
  }
}

Test(format, others_are_refused) {
  static const char *const texts[] = {"",
                                      "int8",
                                      "acc16",
                                      "int8,acc9",
                                      "int8,acc33",
                                      "int8,acc",
                                      "int8,acc16,",
                                      ",int8,acc16",
                                      "int8,acc16,act1",
                                      "int8,acc16,in9",
                                      "int8,acc016",
                                      "int8,acc16,acc12",
                                      "int16",
                                      "int8,int16,acc16",
                                      "int16,int16,acc16",
                                      "int32,acc16",
                                      "int8,acc16 ",
                                      "int8,acc1x"};

  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    vise_i_integer_format format;
    vise_error err = VISE_ERROR_INIT;
    cr_assert_eq(vise_i_integer_format_parse("quantize", texts[i], &format, &err), VISE_ERR_USAGE, "%s", texts[i]);
    cr_assert(strstr(err.text, "`quantize`: '"), "%s", err.text);
  }
}
