#include "sweep_support.h"

#include <criterion/criterion.h>

#include "tests/support/unit.h"

vise_space *sweep_space(vise_search search, size_t n_configs, uint64_t seed, const char *const *axes) {
  vise_space_options options;
  vise_space *space = NULL;
  vise_error err = VISE_ERROR_INIT;
  vise_space_options_init(&options);
  options.search = search;
  options.n_configs = n_configs;
  options.seed = seed;

  EXPECT_OK(vise_space_create(&options, &space, &err), err);
  for (; *axes != NULL; axes++) EXPECT_OK(vise_space_add_axis(space, *axes, &err), err);
  return space;
}

const char *sweep_text(const vise_space *space, size_t point, size_t axis) {
  static char texts[8][64];
  static size_t turn;
  char *text = texts[turn++ % 8];
  const size_t n = vise_space_text(space, point, axis, text, sizeof *texts);
  cr_assert_lt(n, sizeof *texts);
  return text;
}
