#include "host/backend/cuda/watchdog.h"

#if VISE_WATCHDOG
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A poll takes about a third of a microsecond. */
enum { MOST_POLLS = 1 << 23 };

void vise_i_cuda_watchdog_arm(vise_k_watchdog *watchdog) {
  const char *given = getenv("VISE_WATCHDOG_POLLS");
  const unsigned long most = given ? strtoul(given, NULL, 10) : 0;
  memset(watchdog, 0, sizeof *watchdog);
  watchdog->most_polls = most > 0 && most <= UINT32_MAX / 2 ? (uint32_t)most : MOST_POLLS;
}

void vise_i_cuda_watchdog_tell(const vise_k_watchdog *watchdog, char *text, size_t n_bytes) {
  const vise_k_watchdog_report *first = NULL;
  size_t n = 0;

  for (size_t i = 0; i < VISE_K_WATCHDOG_CTAS; i++) {
    const vise_k_watchdog_report *report = &watchdog->reports[i];
    if (report->slot_and_1 == 0) continue;
    if (!first) first = report;
    n++;
  }

  if (n_bytes > 0) text[0] = '\0';
  if (!first) return;
  (void)snprintf(
      text, n_bytes, "the exchange hangs: CTA %u waits for slot %u at epoch %u and sees epoch %u; %zu %s in all",
      first->cta, first->slot_and_1 - 1, first->expected, first->seen, n, n == 1 ? "CTA waits" : "CTAs wait");
}
#endif
