// The exchange of a team: payloads and plain data arrive, also when epochs wrap and after aborted launches.
#include <stdio.h>

#include "kernels/exchange.h"
#include "tests/emulation/kernel_tests/kernel_rig.h"

typedef struct team_memory {
  vise_k_exchange_rounds p;
  size_t n_slot_bytes, n_word_bytes;
} team_memory;

static team_memory make(uint32_t n_teams, uint32_t n_members, uint32_t first_epoch) {
  team_memory m;
  memset(&m, 0, sizeof m);
  m.n_slot_bytes = n_teams * vise_k_exchange_bytes(n_members);
  m.n_word_bytes = (size_t)n_teams * 2 * n_members * 256 * 4;

  m.p.exchange.slots = rig_device(NULL, m.n_slot_bytes);
  RIG_OK(vise_k_exchange_prepare(m.p.exchange.slots, n_teams, n_members, 0));
  m.p.exchange.n_slots = m.p.exchange.n_members = n_members;
  m.p.exchange.first_epoch = first_epoch;
  m.p.n_teams = n_teams;
  m.p.absent_round = UINT32_MAX;
  m.p.words = rig_device(NULL, m.n_word_bytes);

  return m;
}

static void discard(team_memory *m) {
  rig_free(m->p.exchange.slots, NULL, m->n_slot_bytes);
  rig_free(m->p.words, NULL, m->n_word_bytes);
}

// One launch; the results of the rounds before abort_round are checked.
static void launch(team_memory *m, uint32_t n_rounds, uint32_t abort_round) {
  const uint32_t n = m->p.exchange.n_members, n_teams = m->p.n_teams;
  const size_t n_results = (size_t)n_teams * n_rounds * n;
  double *sums = malloc(n_results * sizeof *sums);
  uint64_t *checks = malloc(n_results * sizeof *checks);

  m->p.n_rounds = n_rounds;
  m->p.abort_round = abort_round;
  m->p.sums = rig_device(NULL, n_results * sizeof *sums);
  m->p.checks = rig_device(NULL, n_results * sizeof *checks);
  RIG_OK(vise_k_exchange_run(&m->p, 0));
  m->p.exchange.first_epoch += n_rounds;

  rig_free(m->p.sums, sums, n_results * sizeof *sums);
  rig_free(m->p.checks, checks, n_results * sizeof *checks);

  const uint32_t n_done = n_rounds < abort_round ? n_rounds : abort_round;
  for (uint32_t team = 0; team < n_teams; team++) {
    for (uint32_t round = 0; round < n_done; round++) {
      double sum = 0;
      uint32_t flags = 0;
      for (uint32_t i = 0; i < n; i++) {
        sum += team + 1000.0 * i + round / 8.0;
        flags += team + 7 * i + round;
      }
      for (uint32_t i = 0; i < n; i++) {
        const size_t at = ((size_t)team * n_rounds + round) * n + i;
        const uint32_t words = 256 * (256 * round + 31 * ((i + 1) % n)) + 255 * 128;
        if (memcmp(&sums[at], &sum, sizeof sum) == 0 && checks[at] == ((uint64_t)flags << 32 | words)) continue;
        cr_assert(memcmp(&sums[at], &sum, sizeof sum) == 0, "team %u of %u, round %u, member %u: %g, expected %g", team,
                  n_teams, round, i, sums[at], sum);
        cr_assert_eq(checks[at], (uint64_t)flags << 32 | words, "team %u round %u member %u", team, round, i);
      }
    }
  }

  free(sums);
  free(checks);
}

Test(kernel_exchange, everyone_gets_everything_every_round) {
  static const uint32_t members[] = {1, 2, 3, 4};
  for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
    team_memory m = make(1, members[i], 1);
    launch(&m, 5, UINT32_MAX);
    launch(&m, 4, UINT32_MAX);
    discard(&m);
  }
  team_memory m = make(2, 2, 77);
  launch(&m, 6, UINT32_MAX);
  discard(&m);
}

Test(kernel_exchange, the_whole_device) {
  uint32_t n = rig_resident_ctas();
  if (n > 132) n = 132;
  team_memory m = make(1, n, 5);
  launch(&m, 2, UINT32_MAX);
  discard(&m);
}

Test(kernel_exchange, epochs_wrap) {
  team_memory m = make(1, 2, UINT32_MAX - 999);
  launch(&m, 700, UINT32_MAX);
  launch(&m, 500, UINT32_MAX);
  cr_assert_eq(m.p.exchange.first_epoch, 200);
  discard(&m);
  for (uint32_t before = 0; before < 4; before++) {
    m = make(1, 3, 0u - before);
    launch(&m, 6, UINT32_MAX);
    discard(&m);
  }
}

// Half of the members leave before they arrive, half after: whatever they left behind, the next launch is right.
Test(kernel_exchange, recovers_after_aborted_launches) {
  for (uint32_t abort_round = 0; abort_round < 4; abort_round++) {
    team_memory m = make(1, 4, UINT32_MAX - 9);
    launch(&m, 3, UINT32_MAX);
    launch(&m, 6, abort_round);
    launch(&m, 3, UINT32_MAX);
    launch(&m, 2, 0);
    launch(&m, 2, 1);
    launch(&m, 5, UINT32_MAX);
    discard(&m);
  }
}

// Arrivals in any order, far apart or close. On a GPU VISE_EXCHANGE_ROUNDS says for how many rounds.
Test(kernel_exchange, random_delays) {
  enum { ROUNDS_OF_LAUNCH = 5000 };
  const char *given = getenv("VISE_EXCHANGE_ROUNDS");
  const uint32_t n_rounds = given ? (uint32_t)atoi(given) : 12;
  uint32_t n = rig_resident_ctas() / 4;
  if (n > 132) n = 132;

  team_memory m = make(1, n, 0u - n_rounds / 2);
  for (uint32_t done = 0; done < n_rounds; done += ROUNDS_OF_LAUNCH) {
    const uint32_t left = n_rounds - done;
    m.p.most_delay = 1u << (done / ROUNDS_OF_LAUNCH % 12);  // up to 2048 clocks
    launch(&m, left < ROUNDS_OF_LAUNCH ? left : ROUNDS_OF_LAUNCH, UINT32_MAX);
  }
  printf("%u rounds of %u CTAs\n", n_rounds, n);
  discard(&m);
}

#if VISE_WATCHDOG
// Member 0 does not arrive: the others say so, and the launch ends. After this the device is not used any more.
Test(kernel_exchange, an_arrival_that_is_missing_is_reported) {
  vise_k_watchdog *watchdog = NULL;
  void *mapped = NULL;
  uint32_t n_reports = 0;

  RIG_OK(cudaHostAlloc((void **)&watchdog, sizeof *watchdog, cudaHostAllocMapped));
  RIG_OK(cudaHostGetDevicePointer(&mapped, watchdog, 0));
  memset(watchdog, 0, sizeof *watchdog);
  watchdog->most_polls = 256;

  team_memory m = make(1, 4, 40);
  m.p.exchange.watchdog = mapped;
  m.p.n_rounds = 5;
  m.p.abort_round = UINT32_MAX;
  m.p.absent_round = 3;
  m.p.sums = rig_device(NULL, 5 * 4 * sizeof *m.p.sums);
  m.p.checks = rig_device(NULL, 5 * 4 * sizeof *m.p.checks);
  RIG_OK(vise_k_exchange_run(&m.p, 0));
  cr_assert_neq(cudaDeviceSynchronize(), cudaSuccess);

  for (uint32_t i = 0; i < VISE_K_WATCHDOG_CTAS; i++) {
    const vise_k_watchdog_report *report = &watchdog->reports[i];
    if (report->slot_and_1 == 0) continue;
    cr_expect(i >= 1 && i <= 3 && report->cta == i, "CTA %u reports in place %u", report->cta, i);
    cr_expect_eq(report->slot_and_1, 1);
    cr_expect_eq(report->expected, 43);
    cr_expect_eq(report->seen, 41);
    n_reports++;
  }
  cr_expect(n_reports >= 1, "no CTA reports");
  (void)cudaFreeHost(watchdog);  // which says again that the launch has failed
}
#endif

Test(kernel_exchange, refuses_teams_that_cannot_be) {
  vise_k_exchange_rounds p;
  memset(&p, 0, sizeof p);
  p.n_teams = 1;

  p.exchange.n_members = p.exchange.n_slots = 0;
  cr_assert_eq(vise_k_exchange_run(&p, 0), cudaErrorInvalidValue);
  p.exchange.n_members = 2000;
  p.exchange.n_slots = 2000;
  cr_assert_eq(vise_k_exchange_run(&p, 0), cudaErrorInvalidValue);

  p.n_teams = 1000;  // more than any device holds at once
  p.exchange.n_members = p.exchange.n_slots = 1000;
  cr_assert_eq(vise_k_exchange_run(&p, 0), cudaErrorCooperativeLaunchTooLarge);
}
