/* Structs of callers that know fewer or more fields than the library. */
#include "host/base/struct.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

/* The library's version, an older and a newer one. */
typedef struct thing {
  size_t struct_size;
  int a;
  double b;
} thing;

typedef struct old_thing {
  size_t struct_size;
  int a;
} old_thing;

typedef struct new_thing {
  size_t struct_size;
  int a;
  double b, c;
} new_thing;

static thing default_thing(void) {
  return (thing){.struct_size = sizeof(thing), .a = 1, .b = 2};
}

void thing_init_sized(thing *config, size_t n_bytes);
void thing_init(thing *config);
VISE_I_DEFINE_INIT(thing, a, default_thing)

enum { GUARD = 0x5a };

Test(structs, smaller_struct_is_filled_and_nothing_after_it) {
  unsigned char room[sizeof(thing) + 32];
  memset(room, GUARD, sizeof room);

  thing_init_sized((thing *)room, sizeof(old_thing));

  old_thing got;
  memcpy(&got, room, sizeof got);
  cr_expect_eq(got.struct_size, sizeof got);
  cr_expect_eq(got.a, 1);
  for (size_t i = sizeof got; i < sizeof room; ++i) cr_assert_eq(room[i], GUARD, "byte %zu was written", i);
}

Test(structs, plain_init_fills_what_the_struct_was_at_first) {
  thing t;
  memset(&t, GUARD, sizeof t);
  thing_init(&t);
  cr_expect_eq(t.struct_size, sizeof(old_thing));
  cr_expect_eq(t.a, 1);
  unsigned char b[sizeof t.b];
  memcpy(b, &t.b, sizeof b);
  for (size_t i = 0; i < sizeof b; ++i) cr_assert_eq(b[i], GUARD);
}

Test(structs, larger_struct_has_zeros_in_what_is_unknown) {
  new_thing t;
  memset(&t, GUARD, sizeof t);
  thing_init_sized((thing *)&t, sizeof t);
  cr_expect_eq(t.struct_size, sizeof t);
  cr_expect(t.b == 2 && t.c == 0);
}

Test(structs, init_of_null_or_of_no_size_does_nothing) {
  size_t size = 77;
  thing_init_sized(NULL, sizeof(thing));
  thing_init_sized((thing *)&size, 3);
  cr_expect_eq(size, 77);
}

Test(structs, smaller_struct_leaves_the_other_fields_at_their_defaults) {
  const old_thing given = {.struct_size = sizeof given, .a = 7};
  thing own = default_thing();
  vise_error err = VISE_ERROR_INIT;
  cr_assert_eq(vise_i_config_take(&own, sizeof own, &given, "thing", &err), VISE_OK);
  cr_expect_eq(own.struct_size, sizeof own);
  cr_expect(own.a == 7 && own.b == 2);
}

Test(structs, larger_struct_is_taken_if_the_rest_is_zero) {
  new_thing given = {.struct_size = sizeof given, .a = 7, .b = 8};
  thing own = default_thing();
  vise_error err = VISE_ERROR_INIT;
  cr_assert_eq(vise_i_config_take(&own, sizeof own, &given, "thing", &err), VISE_OK);
  cr_expect(own.a == 7 && own.b == 8);

  given.c = 1;
  given.a = 9;
  cr_assert_eq(vise_i_config_take(&own, sizeof own, &given, "thing", &err), VISE_ERR_USAGE);
  cr_expect(strstr(err.text, "24 bytes that this version of Vise knows"), "%s", err.text);
  cr_expect_eq(own.a, 7);
}

Test(structs, sizes_that_no_init_writes_are_refused) {
  const size_t sizes[] = {0, 1, sizeof(size_t), 17, SIZE_MAX, 0x5a5a5a5a5a5a5a58};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i) {
    const old_thing given = {.struct_size = sizes[i]};
    thing own = default_thing();
    vise_error err = VISE_ERROR_INIT;
    cr_expect_eq(vise_i_config_take(&own, sizeof own, &given, "thing", &err), VISE_ERR_USAGE, "%zu", sizes[i]);
    cr_expect(strstr(err.text, "thing: struct_size is") && strstr(err.text, "thing_init"), "%s", err.text);
  }

  thing own = default_thing();
  vise_error err = VISE_ERROR_INIT;
  cr_expect_eq(vise_i_config_take(&own, sizeof own, NULL, "thing", &err), VISE_ERR_USAGE);
  cr_expect(strstr(err.text, "thing is NULL"), "%s", err.text);
}

Test(structs, arrays_have_the_callers_stride) {
  const thing own[2] = {{.struct_size = 1, .a = 2, .b = 3}, {.struct_size = 4, .a = 5, .b = 6}};
  old_thing small[3] = {[2] = {.a = GUARD}};
  new_thing large[2];
  memset(large, GUARD, sizeof large);

  vise_i_struct_give_array(small, sizeof *small, own, sizeof *own, 2);
  vise_i_struct_give_array(large, sizeof *large, own, sizeof *own, 2);
  vise_i_struct_give_array(NULL, sizeof *large, own, sizeof *own, 2);

  cr_expect(small[0].a == 2 && small[1].struct_size == 4 && small[1].a == 5 && small[2].a == GUARD);
  cr_expect(large[0].b == 3 && large[0].c == 0 && large[1].b == 6 && large[1].c == 0);
}
