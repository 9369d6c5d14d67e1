/* Threads that meet at barriers, that are kept from their processor, and that do not start. */
#include <criterion/criterion.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "host/backend/cpu/parking.h"
#include "host/backend/cpu/team.h"
#include "host/base/file.h"
#include "tests/support/backend_rig.h"
#include "tests/support/thread_fault.h"

enum { MOST_PARTS = 7 };

static vise_i_team *team_of(int n_threads) {
  vise_i_team *team = NULL;
  vise_error err = VISE_ERROR_INIT;
  cr_assert(vise_i_team_create(n_threads, &team, &err) == VISE_OK, "%s", err.text);
  return team;
}

/* ---- barriers ---- */

typedef struct exchange {
  vise_i_team *team;
  size_t n_rounds, n_barriers;
  size_t told[MOST_PARTS]; /* plain numbers: only the barriers order them */
  size_t n_wrong[MOST_PARTS];
} exchange;

/* In each round every part tells a number that depends on the others' of the round before. */
static void exchange_part(void *context, size_t part, size_t n_parts) {
  exchange *x = context;
  size_t own = part;
  for (size_t round = 0; round < x->n_rounds; round++) {
    size_t sum = 0;
    x->told[part] = own;
    vise_i_team_barrier(x->team, part);
    for (size_t p = 0; p < n_parts; p++) {
      sum += x->told[p];
      x->n_wrong[part] += x->told[p] != round + p;
    }

    vise_i_team_barrier(x->team, part);
    own = (sum - n_parts * (n_parts - 1) / 2) / n_parts + part + 1;
  }
}

Test(cpu_team, parts_exchange_what_they_wrote_at_barriers) {
  static const struct {
    int n_threads;
    size_t n_rounds;
  } cases[] = {{1, 50}, {2, 5000}, {3, 500}, {4, 200}, {7, 100}};

  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    exchange x = {.team = team_of(cases[c].n_threads), .n_rounds = cases[c].n_rounds};

    /* Again after a sleep, and in tasks that are short. */
    vise_i_team_run(x.team, exchange_part, &x);
    usleep(2000);
    vise_i_team_run(x.team, exchange_part, &x);
    x.n_rounds = 1;
    for (int run = 0; run < 100; run++) {
      cr_assert_eq(vise_i_team_run(x.team, exchange_part, &x), (size_t)cases[c].n_threads);
    }

    for (size_t p = 0; p < MOST_PARTS; p++) cr_expect_eq(x.n_wrong[p], 0, "part %zu of %d", p, cases[c].n_threads);
    vise_i_team_destroy(x.team);
  }
}

/* ---- parking ---- */

Test(cpu_team, parks_for_longer_while_threads_come_late) {
  vise_i_parking p = {0};
  double now = 1000;
  cr_expect(!vise_i_parking_holds(&p, now));

  vise_i_parking_late(&p, now, 0.004); /* once is chance */
  cr_expect(!vise_i_parking_holds(&p, now));
  now += 0.011;
  vise_i_parking_late(&p, now, 0.004); /* and so is once more after a while */
  cr_expect(!vise_i_parking_holds(&p, now));

  now += 0.007;
  for (double pause = 0.008; pause < 20; pause *= 2) {
    const double expected = pause < 1 ? pause : 1;
    vise_i_parking_late(&p, now, 0.004);
    cr_expect(vise_i_parking_holds(&p, now + 0.99 * expected), "%g s", expected);
    now += 1.01 * expected;
    cr_expect(!vise_i_parking_holds(&p, now), "%g s", expected);
    now += 0.008; /* together, half of it lost */
  }

  now += 0.1; /* the neighbour has left */
  vise_i_parking_late(&p, now, 0.004);
  cr_expect(!vise_i_parking_holds(&p, now));
  now += 0.0004;
  vise_i_parking_late(&p, now, 0.0003); /* two on one processor */
  cr_expect(vise_i_parking_holds(&p, now + 0.007));
  cr_expect(!vise_i_parking_holds(&p, now + 0.009));
}

enum { N_NUMBERS = 1000 };

typedef struct sum_work {
  vise_i_team *team;
  double late_seconds; /* for which the last part does not run, or runs */
  bool late_by_work;
  size_t n_parts, sums[MOST_PARTS];
} sum_work;

static double cpu_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void sum_part(void *context, size_t part, size_t n_parts) {
  sum_work *w = context;
  size_t i, end;
  if (part > 0 && part == n_parts - 1) {
    if (w->late_by_work) {
      const double until = cpu_now() + w->late_seconds;
      while (cpu_now() < until) continue;
    } else if (w->late_seconds > 0) {
      usleep((useconds_t)(1e6 * w->late_seconds));
    }
  }

  vise_i_team_slice(N_NUMBERS, 16, part, n_parts, &i, &end);
  w->sums[part] = 0;
  for (; i < end; i++) w->sums[part] += i;
  vise_i_team_barrier(w->team, part);
  if (part == 0) w->n_parts = n_parts;
}

/* Runs it, checks the sum, and returns the number of parts. */
static size_t sum_up(sum_work *w) {
  size_t sum = 0;
  const size_t n_parts = vise_i_team_run(w->team, sum_part, w);
  cr_assert_eq(n_parts, w->n_parts);
  for (size_t p = 0; p < n_parts; p++) sum += w->sums[p];
  cr_assert_eq(sum, (size_t)N_NUMBERS * (N_NUMBERS - 1) / 2);
  return n_parts;
}

/* A part that sleeps is one without a processor. */
Test(cpu_team, a_thread_without_a_processor_is_left_out_for_a_while) {
  for (int n_threads = 2; n_threads <= 4; n_threads++) {
    const size_t n = (size_t)n_threads;
    sum_work w = {.team = team_of(n_threads), .late_seconds = 3e-3};

    for (int i = 0; i < 10; i++) cr_assert_eq(sum_up(&w), n); /* not allowed */
    vise_i_team_allow_parking(w.team);
    for (int times = 0; times < 3; times++) {
      int i = 0;
      w.late_seconds = 3e-3;
      while (i < 1000 && sum_up(&w) == n) i++;
      cr_assert(i < 1000, "%d threads, never parked", n_threads);
      cr_expect_eq(w.n_parts, 1);

      const double until = vise_i_now() + 20;
      w.late_seconds = 0;
      while (sum_up(&w) == 1) cr_assert(vise_i_now() < until, "%d threads, never rejoined", n_threads);
      cr_assert_eq(w.n_parts, n);
    }
    vise_i_team_destroy(w.team);
  }
}

/* On a busy machine the thread may in truth be kept from its processor, so one time of many must do. */
Test(cpu_team, a_thread_that_has_more_to_do_is_waited_for) {
  enum { ATTEMPTS = 200, RUNS = 4 };
  cpu_set_t processors;
  if (sched_getaffinity(0, sizeof processors, &processors) != 0 || CPU_COUNT(&processors) < 2) {
    cr_skip_test("needs two processors");
  }

  for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
    sum_work w = {.team = team_of(2), .late_seconds = 2e-3, .late_by_work = true};
    int run = 0;
    vise_i_team_allow_parking(w.team);
    while (run < RUNS && sum_up(&w) == 2) run++;
    vise_i_team_destroy(w.team);
    if (run == RUNS) return;
  }
  cr_expect_fail("a part of 2 ms was taken for one without a processor");
}

/* ---- threads that do not start ---- */

Test(cpu_team, a_thread_that_does_not_start_is_an_error) {
  for (size_t thread = 2; thread <= 4; thread++) {
    char expected[128];
    vise_i_team *team = NULL;
    vise_error err = VISE_ERROR_INIT;
    thread_fault_state = (thread_fault){.fails_at = thread - 1};
    snprintf(
        expected, sizeof expected,
        "threads: the system would not start thread %zu of 4: Resource temporarily unavailable; use fewer `threads`",
        thread);

    cr_expect_eq(vise_i_team_create(4, &team, &err), VISE_ERR_UNSUPPORTED);
    cr_expect_str_eq(err.text, expected);
    cr_expect_null(team);
    cr_expect_eq(thread_fault_state.n_started, thread - 2);
    cr_expect_eq(thread_fault_state.n_ended, thread - 2);
  }
}

Test(cpu_team, a_backend_without_its_threads_is_not_made) {
  static const size_t widths[] = {3, 2};
  const vise_i_net net = rig_net(1, widths, VISE_TANH, true);
  vise_i_step_spec spec = rig_spec(&net);
  vise_i_backend *b = NULL;
  vise_error err = VISE_ERROR_INIT;

  spec.n_threads = 3;
  thread_fault_state = (thread_fault){.fails_at = 2};
  cr_expect_eq(vise_i_backend_cpu.create(&spec, &b, &err), VISE_ERR_UNSUPPORTED);
  cr_expect_null(b);
  cr_expect(strstr(err.text, "would not start thread 3 of 3") != NULL, "%s", err.text);
  cr_expect_eq(thread_fault_state.n_ended, 1);
}
