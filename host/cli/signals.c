#include "host/cli/signals.h"

#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

static atomic_int caught = 0; /* two threads may each get a signal at the same time */

static void restore_default(int number) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = SIG_DFL;
  (void)sigaction(number, &action, NULL);
}

static void remember(int number) {
  restore_default(SIGINT);
  restore_default(SIGTERM);
  if (atomic_exchange(&caught, number) != 0) (void)raise(number); /* the second one kills, once this returns */
}

static void ignore(int number) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = SIG_IGN;
  (void)sigaction(number, &action, NULL);
}

void vise_i_cli_signals_prepare(void) {
  ignore(SIGXFSZ);
}

void vise_i_cli_signals_install(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);

  (void)sigemptyset(&action.sa_mask);
  (void)sigaddset(&action.sa_mask, SIGINT);
  (void)sigaddset(&action.sa_mask, SIGTERM);
  action.sa_flags = SA_RESTART; /* a read or write in progress must not fail */
  action.sa_handler = remember;

  /* Also in a background job, whose shell ignores SIGINT: whoever sends it wants the run to end. */
  (void)sigaction(SIGINT, &action, NULL);
  (void)sigaction(SIGTERM, &action, NULL);
  ignore(SIGPIPE);
}

int vise_i_cli_signal_caught(void) {
  return atomic_load(&caught);
}
