#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "host/ranks/ranks.h"
#include "tests/support/ranks_rig.h"

static void agree(vise_ranks *ranks, void *context) {
  const size_t failing = *(const size_t *)context, rank = vise_ranks_rank(ranks);
  vise_error err = VISE_ERROR_INIT;
  const bool fails = rank >= failing;
  const vise_status mine = fails ? vise_i_fail(&err, VISE_ERR_IO, "no file on %zu", rank) : VISE_OK;
  const vise_status all = vise_ranks_agree(ranks, mine, &err);

  if (failing >= vise_ranks_size(ranks)) {
    cr_expect_eq(all, VISE_OK);
    return;
  }
  char expected[64];
  (void)snprintf(expected, sizeof expected, failing == 0 ? "no file on 0" : "rank %zu, on here: no file on %zu",
                 failing, failing);
  cr_expect_eq(all, VISE_ERR_IO);
  cr_expect_str_eq(err.text, expected);
}

Test(agree, all_hear_of_the_lowest_that_failed) {
  for (size_t n_ranks = 2; n_ranks <= 5; n_ranks++) {
    for (size_t failing = 0; failing <= n_ranks; failing++) ranks_run(n_ranks, RANKS_NOBODY, agree, &failing);
  }
}

Test(agree, one_process_keeps_its_own) {
  vise_error err = VISE_ERROR_INIT;
  (void)vise_i_fail(&err, VISE_ERR_VALUE, "mine");
  cr_expect_eq(vise_ranks_agree(NULL, VISE_ERR_VALUE, &err), VISE_ERR_VALUE);
  cr_expect_str_eq(err.text, "mine");
  cr_expect_eq(vise_ranks_size(NULL), 1);
  cr_expect_eq(vise_ranks_rank(NULL), 0);
}

static void broadcast(vise_ranks *ranks, void *context) {
  char text[32] = "";
  vise_error err = VISE_ERROR_INIT;
  (void)context;
  if (vise_i_ranks_is_first(ranks)) strcpy(text, "from the first");
  cr_assert_eq(vise_i_ranks_broadcast(ranks, text, sizeof text, &err), VISE_OK, "%s", err.text);
  cr_expect_str_eq(text, "from the first");
}

Test(agree, the_first_tells_all) {
  for (size_t n_ranks = 1; n_ranks <= 7; n_ranks++) ranks_run(n_ranks, RANKS_NOBODY, broadcast, NULL);
}

static void wait_for_silent(vise_ranks *ranks, void *context) {
  const int silent = *(const int *)context;
  char mine = 'x', all[RANKS_MOST];
  vise_error err = VISE_ERROR_INIT;
  cr_expect_eq(vise_i_ranks_gather(ranks, &mine, 1, all, &err), VISE_ERR_IO);

  char expected[96];
  (void)snprintf(expected, sizeof expected, "rank %d of 3, on here, has not answered for 0.2 seconds", silent);
  cr_expect_str_eq(err.text, expected);
  cr_expect(vise_ranks_are_lost(ranks));
  cr_expect_eq(vise_ranks_agree(ranks, VISE_OK, &err), VISE_OK); /* it does not wait again */
}

Test(agree, a_rank_that_does_not_answer_is_named) {
  for (int silent = 0; silent < 3; silent++) ranks_run(3, silent, wait_for_silent, &silent);
}
