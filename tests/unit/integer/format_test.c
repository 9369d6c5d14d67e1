#include <criterion/criterion.h>
#include <string.h>

#include "host/net/quantization.h"

Test(format, reads_what_it_writes) {
  static const char *const texts[][2] = {{"int8,acc16", "int8,acc16,act8,in8"},
                                         {"int8,acc12,act4,in4", "int8,acc12,act4,in4"},
                                         {"in2,int8,act3,acc32", "int8,acc32,act3,in2"},
                                         {"int8,acc10,unconstrained", "int8,acc10,act8,in8,unconstrained"}};
  for (size_t i = 0; i < 4; i++) {
    char buffer[VISE_I_INTEGER_FORMAT_BYTES];
    vise_i_integer_format format;
    cr_assert_eq(vise_i_integer_format_parse("quantize", texts[i][0], &format, NULL), VISE_OK);
    cr_assert_str_eq(vise_i_integer_format_text(&format, buffer), texts[i][1]);
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
                                      "int16,acc16",
                                      "int8,acc16 ",
                                      "int8,acc1x"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    vise_i_integer_format format;
    vise_error err = VISE_ERROR_INIT;
    cr_assert_eq(vise_i_integer_format_parse("quantize", texts[i], &format, &err), VISE_ERR_USAGE, "%s", texts[i]);
    cr_assert(strstr(err.text, "`quantize`: '"), "%s", err.text);
  }
}
