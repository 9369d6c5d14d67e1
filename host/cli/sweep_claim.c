/* Which fits a process takes next, of a sweep that it shares. */
#include <stdlib.h>
#include <string.h>

#include "host/cli/message.h"
#include "host/cli/sweep_share.h"
#include "host/json/build.h"

enum { MOST_RANGES = 1024, MOST_TRIES = 1000 };

typedef struct searched {
  const vise_i_cli_sweeping *s;
  const vise_i_cli_round *round;
} searched;

static bool is_done(const searched *of, size_t place) {
  const size_t n_splits = of->s->n_splits;
  return vise_i_cli_fit_is_done(of->s, of->round->configs[place / n_splits], place % n_splits, of->round->number);
}

static bool is_done_or_begun(void *user, size_t place) {
  const searched *of = user;
  return of->round->begun[place] != 0 || is_done(of, place);
}

static bool is_not_begun(void *user, size_t place) {
  const searched *of = user;
  return of->round->begun[place] == 0 || is_done(of, place);
}

/* The holder of the folder that does not know yet that it is not alone begins with the first fits. */
static bool begins_at_end(const vise_i_cli_sweeping *s) {
  bool has_main = !s->joins;
  for (size_t who = 0; who < vise_i_claims_n_workers(s->share->claims); who++) {
    has_main = has_main || strcmp(s->share->workers[who].fits, "fits.jsonl") == 0;
  }
  return !has_main;
}

static vise_status add_claim(vise_i_cli_sweeping *s, size_t round, const vise_i_claims_range *ranges, size_t n,
                             vise_error *err) {
  json_t *record = vise_i_cli_log_record("claim", s->share->self.name), *list = json_array();
  for (size_t i = 0; i < n; i++) {
    vise_i_json_add(&list, json_pack("[I, I]", (json_int_t)ranges[i].first, (json_int_t)ranges[i].n));
  }
  vise_i_json_put(&record, "round", json_integer((json_int_t)round));
  vise_i_json_put(&record, "fits", list);
  return vise_i_cli_log_add(s, record, err);
}

vise_status vise_i_cli_share_claim_begun(vise_i_cli_sweeping *s, const vise_i_cli_round *round, vise_error *err) {
  searched of = {s, round};
  const vise_i_claims_search search = {
      .round = round->number, .n = round->n * s->n_splits, .is_done = is_not_begun, .user = &of};
  vise_i_claims_range ranges[MOST_RANGES];
  const size_t n = vise_i_claims_find_open(s->share->claims, &search, SIZE_MAX, ranges, MOST_RANGES);
  return n > 0 ? add_claim(s, round->number, ranges, n, err) : VISE_OK;
}

/* One that the others missed for a while comes back. */
static vise_status be_at_work(vise_i_cli_sweeping *s, const vise_i_cli_round *round, vise_error *err) {
  if (vise_i_claims_is_at_work(s->share->claims, s->share->me)) return VISE_OK;
  const vise_status status = vise_i_cli_share_join(s, err);
  return status == VISE_OK ? vise_i_cli_share_claim_begun(s, round, err) : status;
}

/* At the end all have less and less in their queues, so that they end together. */
static size_t share_of(const vise_i_cli_sweeping *s, const vise_i_cli_round *round, size_t n_left, size_t n_wanted) {
  const size_t n_jobs = vise_i_claims_n_jobs(s->share->claims), mine = (size_t)s->n_jobs, n_open = round->n_open;
  const size_t fair = (n_left + n_open) * mine / (2 * (n_jobs > mine ? n_jobs : mine));
  const size_t most = fair > mine ? fair : mine, share = most > n_open ? most - n_open : 0;
  return n_wanted < share ? n_wanted : share;
}

/* Those of the ranges that are this process's. */
static size_t take_own(const vise_i_cli_sweeping *s, size_t round, const vise_i_claims_range *ranges, size_t n,
                       size_t *places) {
  size_t n_own = 0;
  for (size_t i = 0; i < n; i++) {
    for (size_t place = ranges[i].first; place < ranges[i].first + ranges[i].n; place++) {
      if (vise_i_claims_owner(s->share->claims, round, place) == s->share->me) places[n_own++] = place;
    }
  }
  return n_own;
}

vise_status vise_i_cli_share_claim(vise_i_cli_sweeping *s, const vise_i_cli_round *round, size_t n_wanted,
                                   size_t *places, size_t *n, vise_error *err) {
  searched of = {s, round};
  vise_i_claims_search search = {.round = round->number,
                                 .first = round->first,
                                 .n = round->n * s->n_splits,
                                 .is_done = is_done_or_begun,
                                 .user = &of};
  vise_i_claims_range ranges[MOST_RANGES];
  vise_status status = vise_i_cli_log_read(s, err);
  *n = 0;

  for (int i = 0; status == VISE_OK && *n == 0 && i < MOST_TRIES; i++) {
    search.from_end = begins_at_end(s);
    const size_t n_left = vise_i_claims_count_open(s->share->claims, &search);
    const size_t share = share_of(s, round, n_left, n_wanted);
    const size_t n_ranges = vise_i_claims_find_open(s->share->claims, &search, share, ranges, MOST_RANGES);
    if (n_ranges == 0) break;
    status = be_at_work(s, round, err);
    if (status == VISE_OK) status = add_claim(s, round->number, ranges, n_ranges, err);
    if (status == VISE_OK) *n = take_own(s, round->number, ranges, n_ranges, places);
  }
  return status;
}
