/* main.c with a device that is always there, a test that hangs and one that does not. */
#include <criterion/criterion.h>
#include <unistd.h>

#include "host/backend/cuda/device.h"

const vise_i_backend_ops *vise_i_cuda_find(const char **why_not) {
  static const vise_i_backend_ops ops = {.name = "always there"};
  *why_not = NULL;
  return &ops;
}

Test(main_program, hangs) {
  for (;;) pause();
}

Test(main_program, goes_on) {
  cr_expect(true);
}
