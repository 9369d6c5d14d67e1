#include "host/claims/claims.h"

#include <stdlib.h>

/* Turns of workers: one that was away and comes back is at work in another turn, without its old claims. */
typedef struct worker {
  size_t turn, jobs; /* turn 0: it is not at work */
} worker;

struct vise_i_claims {
  worker *workers; /* [n_workers], by number */
  size_t n_workers, n_turns;
  size_t *who_of; /* [n_turns + 1] */
  size_t n_rounds, n_places;
  size_t *turns; /* [n_rounds][n_places]: that has the fit; 0: none */
  size_t end;    /* the turn that makes the results */
};

vise_i_claims *vise_i_claims_create(size_t n_rounds, size_t n_places) {
  vise_i_claims *claims = calloc(1, sizeof *claims);
  if (claims == NULL) return NULL;
  claims->n_rounds = n_rounds;
  claims->n_places = n_places;
  if (n_rounds == 0 || n_places <= SIZE_MAX / n_rounds)
    claims->turns = calloc(n_rounds * n_places + 1, sizeof *claims->turns);
  if (claims->turns != NULL) return claims;
  free(claims);
  return NULL;
}

void vise_i_claims_free(vise_i_claims *claims) {
  if (claims == NULL) return;
  free(claims->workers);
  free(claims->who_of);
  free(claims->turns);
  free(claims);
}

/* ---- records -------------------------------------------------------------------------------------------------------- */

static size_t *turn_at(const vise_i_claims *claims, size_t round, size_t place) {
  return &claims->turns[(round - 1) * claims->n_places + place];
}

/* Whether the worker of a turn is still at work in it. */
static bool holds(const vise_i_claims *claims, size_t turn) {
  return turn > 0 && claims->workers[claims->who_of[turn]].turn == turn;
}

static bool join(vise_i_claims *claims, const vise_i_claims_record *record) {
  if (record->who > claims->n_workers) return false;
  size_t *who_of = realloc(claims->who_of, (claims->n_turns + 2) * sizeof *who_of);
  if (who_of == NULL) return false;
  claims->who_of = who_of;

  if (record->who == claims->n_workers) {
    worker *workers = realloc(claims->workers, (claims->n_workers + 1) * sizeof *workers);
    if (workers == NULL) return false;
    claims->workers = workers;
    claims->n_workers++;
  }
  claims->n_turns++;
  who_of[claims->n_turns] = record->who;
  claims->workers[record->who] = (worker){claims->n_turns, record->jobs};
  return true;
}

static bool claim(vise_i_claims *claims, const vise_i_claims_record *record) {
  const size_t turn = claims->workers[record->who].turn;
  if (record->round < 1 || record->round > claims->n_rounds) return false;
  for (size_t i = 0; i < record->n_ranges; i++) {
    const vise_i_claims_range *range = &record->ranges[i];
    if (range->first > claims->n_places || range->n > claims->n_places - range->first) return false;
  }

  for (size_t i = 0; i < record->n_ranges; i++) {
    for (size_t k = 0; k < record->ranges[i].n; k++) {
      size_t *at = turn_at(claims, record->round, record->ranges[i].first + k);
      if (turn > 0 && !holds(claims, *at)) *at = turn;
    }
  }
  return true;
}

bool vise_i_claims_apply(vise_i_claims *claims, const vise_i_claims_record *record) {
  if (record->kind == VISE_I_CLAIMS_JOIN) return join(claims, record);
  if (record->who >= claims->n_workers) return false;
  switch (record->kind) {
    case VISE_I_CLAIMS_CLAIM:
      return claim(claims, record);
    case VISE_I_CLAIMS_END:
      if (!holds(claims, claims->end)) claims->end = claims->workers[record->who].turn;
      return true;
    default:
      claims->workers[record->who].turn = 0;
      return true;
  }
}

/* ---- questions ------------------------------------------------------------------------------------------------------ */

size_t vise_i_claims_n_workers(const vise_i_claims *claims) {
  return claims->n_workers;
}

bool vise_i_claims_is_at_work(const vise_i_claims *claims, size_t who) {
  return who < claims->n_workers && claims->workers[who].turn > 0;
}

size_t vise_i_claims_n_at_work(const vise_i_claims *claims) {
  size_t n = 0;
  for (size_t who = 0; who < claims->n_workers; who++) n += claims->workers[who].turn > 0;
  return n;
}

size_t vise_i_claims_n_jobs(const vise_i_claims *claims) {
  size_t n = 0;
  for (size_t who = 0; who < claims->n_workers; who++)
    n += claims->workers[who].turn > 0 ? claims->workers[who].jobs : 0;
  return n;
}

static size_t who_holds(const vise_i_claims *claims, size_t turn) {
  return holds(claims, turn) ? claims->who_of[turn] : SIZE_MAX;
}

size_t vise_i_claims_owner(const vise_i_claims *claims, size_t round, size_t place) {
  return who_holds(claims, *turn_at(claims, round, place));
}

size_t vise_i_claims_ends(const vise_i_claims *claims) {
  return who_holds(claims, claims->end);
}

/* ---- open places ---------------------------------------------------------------------------------------------------- */

static bool is_open(const vise_i_claims *claims, const vise_i_claims_search *search, size_t place) {
  return !search->is_done(search->user, place) && !holds(claims, *turn_at(claims, search->round, place));
}

size_t vise_i_claims_count_open(const vise_i_claims *claims, const vise_i_claims_search *search) {
  size_t n = 0;
  for (size_t place = search->first; place < search->n; place++) n += is_open(claims, search, place);
  return n;
}

size_t vise_i_claims_find_open(const vise_i_claims *claims, const vise_i_claims_search *search, size_t n_wanted,
                               vise_i_claims_range *out, size_t room) {
  size_t n = 0;
  for (size_t i = search->first; i < search->n && n_wanted > 0; i++) {
    const size_t place = search->from_end ? search->n - 1 - (i - search->first) : i;
    if (!is_open(claims, search, place)) continue;

    vise_i_claims_range *last = n > 0 ? &out[n - 1] : NULL;
    if (last != NULL && !search->from_end && place == last->first + last->n) {
      last->n++;
    } else if (last != NULL && search->from_end && place + 1 == last->first) {
      last->first--;
      last->n++;
    } else {
      if (n == room) break;
      out[n++] = (vise_i_claims_range){place, 1};
    }
    n_wanted--;
  }
  return n;
}

/* ---- whether a worker still lives ----------------------------------------------------------------------------------- */

double vise_i_claims_look(vise_i_claims_pulse *pulse, uint64_t number, double now, double max_gap) {
  const double gap = now - pulse->looked_at;
  if (!pulse->begun || number != pulse->number) {
    pulse->silent = 0;
  } else {
    pulse->silent += gap < max_gap ? gap : max_gap;
  }
  pulse->begun = true;
  pulse->number = number;
  pulse->looked_at = now;
  return pulse->silent;
}
