#include "tests/support/bench_rig.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static void on_row(void *user, const vise_bench_row *row) {
  bench_heard *h = user;
  cr_assert(h->n_rows < BENCH_RIG_ROWS);
  h->rows[h->n_rows++] = *row;
}

static void on_note(void *user, const char *text) {
  bench_heard *h = user;
  const size_t used = strlen(h->notes);
  (void)snprintf(h->notes + used, sizeof h->notes - used, "%s\n", text);
  h->n_notes++;
}

void bench_rig_on_phase(void *user, const vise_bench_phase *phase) {
  bench_heard *h = user;
  cr_assert(h->n_phases < BENCH_RIG_PHASES);
  if (h->n_phases == 0) h->n_rows_before_phases = h->n_rows;
  h->phases[h->n_phases++] = *phase;
}

vise_bench_case bench_rig_case(void) {
  static const size_t widths[] = {9, 7, 3};
  vise_error err = VISE_ERROR_INIT;
  vise_bench_case c;
  cr_assert_eq(vise_bench_make_case(widths, 2, 16, &c, &err), VISE_OK, "%s", err.text);
  return c;
}

vise_bench_config bench_rig_config(const vise_bench_case *cases, size_t n_cases, bench_heard *heard) {
  vise_bench_config config;
  vise_bench_config_init(&config);
  memset(heard, 0, sizeof *heard);

  config.cases = cases;
  config.n_cases = n_cases;
  config.seconds = 0.01;
  config.n_threads = 1;
  config.report = on_row;
  config.note = on_note;
  config.user = heard;
  return config;
}
