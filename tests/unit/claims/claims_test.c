/* Who trains which fit: what follows from records, whoever writes them. */
#include "host/claims/claims.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { PLACES = 10, ROUNDS = 2 };

static vise_i_claims *claims;
static bool done[PLACES];

static void make(void) {
  claims = vise_i_claims_create(ROUNDS, PLACES);
  cr_assert(claims != NULL);
  memset(done, 0, sizeof done);
}

static void drop(void) {
  vise_i_claims_free(claims);
}

TestSuite(claims, .init = make, .fini = drop);

static bool join(size_t who, size_t jobs) {
  return vise_i_claims_apply(claims, &(vise_i_claims_record){.kind = VISE_I_CLAIMS_JOIN, .who = who, .jobs = jobs});
}

static bool leave(size_t who) {
  return vise_i_claims_apply(claims, &(vise_i_claims_record){.kind = VISE_I_CLAIMS_LEAVE, .who = who});
}

static bool end(size_t who) {
  return vise_i_claims_apply(claims, &(vise_i_claims_record){.kind = VISE_I_CLAIMS_END, .who = who});
}

static bool claim(size_t who, size_t round, size_t first, size_t n) {
  const vise_i_claims_range range = {first, n};
  const vise_i_claims_record record = {
      .kind = VISE_I_CLAIMS_CLAIM, .who = who, .round = round, .ranges = &range, .n_ranges = 1};
  return vise_i_claims_apply(claims, &record);
}

static bool is_done(void *user, size_t place) {
  return ((bool *)user)[place];
}

static vise_i_claims_search all(bool from_end) {
  return (vise_i_claims_search){.round = 1, .n = PLACES, .is_done = is_done, .user = done, .from_end = from_end};
}

static size_t count_open(void) {
  const vise_i_claims_search search = all(false);
  return vise_i_claims_count_open(claims, &search);
}

Test(claims, the_first_that_claims_a_fit_has_it) {
  cr_assert(join(0, 1) && join(1, 3));
  cr_assert(claim(1, 1, 2, 3));
  cr_assert(claim(0, 1, 0, 6));
  static const size_t owners[] = {0, 0, 1, 1, 1, 0, SIZE_MAX};
  for (size_t i = 0; i < sizeof owners / sizeof *owners; i++) {
    cr_assert_eq(vise_i_claims_owner(claims, 1, i), owners[i], "place %zu", i);
    cr_assert_eq(vise_i_claims_owner(claims, 2, i), SIZE_MAX, "rounds have claims of their own");
  }
  cr_assert_eq(vise_i_claims_n_jobs(claims), 4);
  cr_assert_eq(count_open(), 4);
}

Test(claims, fits_of_one_that_leaves_are_open_again) {
  cr_assert(join(0, 1) && join(1, 1) && claim(0, 1, 0, 4) && claim(1, 1, 4, 2));
  done[1] = true;
  cr_assert(leave(0));
  cr_assert_eq(vise_i_claims_n_at_work(claims), 1);
  cr_assert_eq(vise_i_claims_owner(claims, 1, 0), SIZE_MAX);
  cr_assert_eq(count_open(), 7);
  cr_assert(claim(1, 1, 0, 1));
  cr_assert_eq(vise_i_claims_owner(claims, 1, 0), 1);
}

/* A worker that was stopped and missed has lost what it had, and may claim again. */
Test(claims, one_that_comes_back_has_nothing) {
  cr_assert(join(0, 1) && join(1, 1) && claim(0, 1, 0, 4) && leave(0));
  cr_assert(claim(0, 1, 5, 1), "a claim between leaving and coming back counts for nothing");
  cr_assert_eq(vise_i_claims_owner(claims, 1, 5), SIZE_MAX);
  cr_assert(claim(1, 1, 0, 1) && join(0, 2));
  cr_assert_eq(vise_i_claims_n_workers(claims), 2);
  cr_assert_eq(vise_i_claims_n_jobs(claims), 3);
  cr_assert_eq(vise_i_claims_owner(claims, 1, 0), 1);
  cr_assert_eq(vise_i_claims_owner(claims, 1, 1), SIZE_MAX);
  cr_assert(claim(0, 1, 1, 1));
  cr_assert_eq(vise_i_claims_owner(claims, 1, 1), 0);
}

Test(claims, one_makes_the_results_until_it_is_lost) {
  cr_assert(join(0, 1) && join(1, 1));
  cr_assert_eq(vise_i_claims_ends(claims), SIZE_MAX);
  cr_assert(end(1) && end(0));
  cr_assert_eq(vise_i_claims_ends(claims), 1);
  cr_assert(leave(1));
  cr_assert_eq(vise_i_claims_ends(claims), SIZE_MAX);
  cr_assert(end(1), "it has left");
  cr_assert_eq(vise_i_claims_ends(claims), SIZE_MAX);
  cr_assert(end(0) && join(1, 1) && end(1));
  cr_assert_eq(vise_i_claims_ends(claims), 0);
}

Test(claims, records_that_no_worker_writes_change_nothing) {
  cr_assert(join(0, 1));
  cr_assert_not(join(2, 1));
  cr_assert_not(leave(1));
  cr_assert_not(end(7));
  cr_assert_not(claim(1, 1, 0, 1));
  cr_assert_not(claim(0, 0, 0, 1));
  cr_assert_not(claim(0, ROUNDS + 1, 0, 1));
  cr_assert_not(claim(0, 1, 0, PLACES + 1));
  cr_assert_not(claim(0, 1, PLACES + 1, 0));
  cr_assert_not(claim(0, 1, 2, SIZE_MAX));
  cr_assert_eq(count_open(), PLACES);
  cr_assert_eq(vise_i_claims_n_workers(claims), 1);
}

static void expect_ranges(bool from_end, size_t n_wanted, size_t room, const vise_i_claims_range *wanted, size_t n) {
  vise_i_claims_range ranges[PLACES];
  const vise_i_claims_search search = all(from_end);
  cr_assert_eq(vise_i_claims_find_open(claims, &search, n_wanted, ranges, room), n);
  for (size_t i = 0; i < n; i++) {
    cr_assert_eq(ranges[i].first, wanted[i].first, "range %zu", i);
    cr_assert_eq(ranges[i].n, wanted[i].n, "range %zu", i);
  }
}

Test(claims, open_fits_are_found_from_both_ends) {
  cr_assert(join(0, 1) && claim(0, 1, 2, 2));
  done[7] = true; /* open: 0 1, 4 5 6, 8 9 */
  expect_ranges(false, 4, PLACES, (const vise_i_claims_range[]){{0, 2}, {4, 2}}, 2);
  expect_ranges(true, 4, PLACES, (const vise_i_claims_range[]){{8, 2}, {5, 2}}, 2);
  expect_ranges(false, SIZE_MAX, PLACES, (const vise_i_claims_range[]){{0, 2}, {4, 3}, {8, 2}}, 3);
  expect_ranges(false, SIZE_MAX, 2, (const vise_i_claims_range[]){{0, 2}, {4, 3}}, 2);
  expect_ranges(false, 0, PLACES, NULL, 0);

  vise_i_claims_range range;
  const vise_i_claims_search rest = {
      .round = 1, .first = 5, .n = 9, .is_done = is_done, .user = done, .from_end = true};
  cr_assert_eq(vise_i_claims_count_open(claims, &rest), 3);
  cr_assert_eq(vise_i_claims_find_open(claims, &rest, 1, &range, 1), 1);
  cr_assert(range.first == 8 && range.n == 1);

  for (size_t i = 0; i < PLACES; i++) done[i] = true;
  expect_ranges(false, 4, PLACES, NULL, 0);
}

/* Whatever comes of it, no fit has two owners, and what all of them left is open. */
Test(claims, any_order_of_records_has_one_owner_for_each_fit) {
  size_t expected[PLACES];
  srand(1);
  for (int i = 0; i < 4; i++) cr_assert(join((size_t)i, 1));
  for (size_t i = 0; i < PLACES; i++) expected[i] = SIZE_MAX;

  for (int i = 0; i < 20000; i++) {
    const size_t who = (size_t)rand() % 4, first = (size_t)rand() % PLACES, n = (size_t)rand() % (PLACES - first + 1);
    const int what = rand() % 8;
    if (what == 0) cr_assert(leave(who));
    if (what == 1) cr_assert(join(who, 1));
    if (what > 1) {
      const bool works = vise_i_claims_is_at_work(claims, who);
      cr_assert(claim(who, 1, first, n));
      for (size_t k = first; works && k < first + n; k++) expected[k] = expected[k] == SIZE_MAX ? who : expected[k];
    }

    for (size_t k = 0; k < PLACES; k++) {
      if (what < 2 && expected[k] == who) expected[k] = SIZE_MAX;
      cr_assert_eq(vise_i_claims_owner(claims, 1, k), expected[k], "after %d records", i + 1);
    }
  }
}

Test(claims, silence_is_what_was_looked_at) {
  vise_i_claims_pulse pulse = {0};
  cr_assert_eq(vise_i_claims_look(&pulse, 7, 1000, 2), 0);
  cr_assert_eq(vise_i_claims_look(&pulse, 7, 1001, 2), 1);
  cr_assert_eq(vise_i_claims_look(&pulse, 7, 1500, 2), 3); /* this worker was stopped itself */
  cr_assert_eq(vise_i_claims_look(&pulse, 8, 1501, 2), 0);
  cr_assert_eq(vise_i_claims_look(&pulse, 0, 1502, 2), 0);
  cr_assert_eq(vise_i_claims_look(&pulse, 0, 1504, 2), 2);
}
