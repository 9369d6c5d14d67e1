#include "host/base/memory.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

Test(memory, overflow_is_refused_and_leaves_output) {
  size_t out = 5;
  cr_assert_not(vise_i_size_mul(SIZE_MAX, 2, &out));
  cr_assert_not(vise_i_size_add(SIZE_MAX, 1, &out));
  cr_assert_eq(out, 5);
  cr_assert(vise_i_size_mul(6, 7, &out));
  cr_assert_eq(out, 42);
}

Test(memory, absurd_allocations_fail_with_a_message) {
  void *pointer = &pointer;
  vise_error err = VISE_ERROR_INIT;
  cr_assert_eq(vise_i_alloc(&pointer, SIZE_MAX / 2, 8, "weights", &err), VISE_ERR_MEMORY);
  cr_assert_eq(pointer, (void *)&pointer);
  cr_assert(strstr(err.text, "weights"));
  vise_error_clear(&err);
  cr_assert_eq(vise_i_alloc_aligned(&pointer, SIZE_MAX, 1, "weights", &err), VISE_ERR_MEMORY);
}

Test(memory, empty_zeroed_and_aligned) {
  void *empty = NULL;
  cr_assert_eq(vise_i_alloc(&empty, 0, 8, "nothing", NULL), VISE_OK);
  cr_assert_not_null(empty);

  unsigned char *zero = NULL;
  cr_assert_eq(vise_i_alloc_zero(&zero, 100, 3, "zeros", NULL), VISE_OK);
  for (int i = 0; i < 300; ++i) cr_assert_eq(zero[i], 0);

  double *aligned = NULL;
  cr_assert_eq(vise_i_alloc_aligned(&aligned, 7, sizeof *aligned, "numbers", NULL), VISE_OK);
  cr_assert_eq((uintptr_t)aligned % 64, 0);

  free(empty);
  free(zero);
  free(aligned);
}
