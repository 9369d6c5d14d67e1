/* Every allocation of a search fails once: it says so, leaks nothing, and leaves a space as it was. */
#include <criterion/criterion.h>

#include "tests/support/allocation_fault.h"
#include "vise/search.h"

/* Returns whether an allocation failed; what was made is checked, and freed. */
typedef bool attempt(size_t after);

static void expect_every_failure_is_clean(attempt *try, size_t n_expected) {
  size_t n = 0;
  while (try(n)) n++;
  cr_expect_geq(n, n_expected, "%zu allocations", n);
}

/* One call with the allocation that fails. */
#define TRY(after, call)                    \
  vise_error err = VISE_ERROR_INIT;         \
  fault_arm(after);                         \
  const vise_status status = (call);        \
  const bool has_failed = fault.has_failed; \
  fault_disarm();                           \
  cr_expect_eq(status, has_failed ? VISE_ERR_MEMORY : VISE_OK)

static vise_space *random_space(void) {
  vise_space_options options;
  vise_space *space = NULL;
  vise_space_options_init(&options);
  options.search = VISE_SEARCH_RANDOM;
  options.n_configs = 5;
  cr_assert_eq(vise_space_create(&options, &space, NULL), VISE_OK);
  return space;
}

static bool create(size_t after) {
  vise_space_options options;
  vise_space *space = NULL;
  vise_space_options_init(&options);
  TRY(after, vise_space_create(&options, &space, &err));
  cr_expect_eq(space == NULL, has_failed);
  vise_space_free(space);
  return has_failed;
}

static bool add_list(size_t after) {
  vise_space *space = random_space();
  TRY(after, vise_space_add_axis(space, "l2=0,1,2", &err));
  cr_expect_eq(vise_space_n_axes(space), has_failed ? 0 : 1);
  vise_space_free(space);
  return has_failed;
}

static bool add_range(size_t after) {
  vise_space *space = random_space();
  TRY(after, vise_space_add_axis(space, "l2=1..2:log", &err));
  cr_expect_eq(vise_space_n_axes(space), has_failed ? 0 : 1);
  vise_space_free(space);
  return has_failed;
}

static bool find_same(size_t after) {
  vise_space *space = random_space();
  size_t same[5];
  TRY(after, vise_space_same_as(space, same, 5, &err));
  vise_space_free(space);
  return has_failed;
}

static bool parse_complexity(size_t after) {
  vise_complexity *complexity = NULL;
  TRY(after, vise_complexity_parse("l2,l1", &complexity, &err));
  cr_expect_eq(complexity == NULL, has_failed);
  vise_complexity_free(complexity);
  return has_failed;
}

static bool rank(size_t after) {
  static const double values[] = {2, 1};
  vise_scores scores;
  size_t ranks[2];
  vise_scores_init(&scores);
  scores.values = values;
  scores.n_configs = 2;
  TRY(after, vise_scores_rank(&scores, ranks, &err));
  return has_failed;
}

Test(sweep_memory, every_failure_is_clean) {
  expect_every_failure_is_clean(create, 1);
  expect_every_failure_is_clean(add_list, 5);
  expect_every_failure_is_clean(add_range, 3);
  expect_every_failure_is_clean(find_same, 1);
  expect_every_failure_is_clean(parse_complexity, 2);
  expect_every_failure_is_clean(rank, 1);
}
