/* What a sweep tells on the terminal. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/cli.h"
#include "host/cli/progress.h"
#include "host/cli/report.h"
#include "host/cli/scores.h"
#include "host/cli/sweep.h"

enum { N_LISTED = 5, NAME_BYTES = 512 };

/* ---- before ------------------------------------------------------------------------------------------------------------ */

static void print_rungs(const vise_i_cli_sweeping *s) {
  size_t n = s->n_configs;
  (void)printf("%-15s ", "halving");
  for (size_t rung = 0; rung < s->n_rungs; rung++) {
    (void)printf("%s%zu", rung > 0 ? ", " : "", n);
    if (s->rungs[rung] > 0) {
      (void)printf(" for %llu epoch%s", (unsigned long long)s->rungs[rung], vise_i_cli_plural(s->rungs[rung]));
    } else {
      (void)printf(" to the end");
    }
    n = (n + s->options->halving - 1) / s->options->halving;
  }
  (void)printf("\n");
}

static void print_search(const vise_i_cli_sweeping *s) {
  size_t n_same = 0;
  for (size_t config = 0; config < s->n_configs; config++) n_same += s->same_as[config] != config;
  (void)printf("%-15s %zu configuration%s (%s:", "sweep", s->n_configs, vise_i_cli_plural(s->n_configs),
               vise_search_name(s->options->search));
  for (size_t axis = 0; axis < s->n_axes; axis++) {
    (void)printf("%s %s", axis > 0 ? "," : "", vise_space_axis_name(s->space, axis));
  }
  (void)printf(")");
  if (n_same > 0) (void)printf(", %zu of them equal to earlier ones", n_same);
  if (s->n_folds > 1) (void)printf(", %zu folds", s->n_folds);
  if (s->n_repeats > 1) (void)printf(" x %zu repeats", s->n_repeats);
  (void)printf(": %zu fits, scored by %s\n", (s->n_configs - n_same) * s->n_splits,
               vise_i_cli_score_name(s->options->score));
}

/* Of arrays the loss says whether whole numbers are classes. */
static size_t n_classes_of(const vise_i_cli_sweeping *s) {
  const vise_i_cli_setup *first = &s->data[0].setups[0];
  if (first->preprocessor != NULL) return vise_preprocessor_n_classes(first->preprocessor);
  return vise_i_cli_is_regression(s->options->training.loss) ? 0 : first->n_classes;
}

void vise_i_cli_sweep_print_start(const vise_i_cli_sweeping *s) {
  const vise_i_cli_setup *first = &s->data[0].setups[0];
  size_t n_done = 0;
  for (size_t i = 0; i < s->n_configs * s->n_splits; i++) n_done += s->fits[i].n_rungs > 0;

  (void)printf("%-15s %s: %zu rows, %zu input%s", "data", s->options->train,
               vise_dataset_n_rows(first->train) + vise_dataset_n_rows(first->validation),
               vise_dataset_n_features(first->train), vise_i_cli_plural(vise_dataset_n_features(first->train)));
  if (n_classes_of(s) > 0) (void)printf(", %zu classes", n_classes_of(s));
  if (s->n_data_bytes > (64u << 20)) (void)printf("; folds take %zu MiB", s->n_data_bytes >> 20);
  (void)printf("\n");
  print_search(s);
  if (s->n_rungs > 1) print_rungs(s);
  if (n_done > 0) (void)printf("%-15s %zu fits are done\n", "resumed", n_done);
  (void)fflush(stdout);
}

/* ---- after --------------------------------------------------------------------------------------------------------------- */

static void print_choice(const vise_i_cli_sweeping *s, const char *what, size_t config) {
  char name[NAME_BYTES];
  vise_i_cli_sweep_name(s, config, name, sizeof name);
  (void)printf("%-15s %s: %s %.5g", what, name, vise_i_cli_score_name(s->options->score), s->means[config]);
  if (isfinite(s->errors[config])) (void)printf(" +- %.2g", s->errors[config]);
  (void)printf("\n");
}

/* What the other way to select would take. */
static void print_other(const vise_i_cli_sweeping *s) {
  const bool by_best = s->options->select == VISE_SELECT_BEST;
  const char *what = by_best ? "one-se" : "best";
  if (s->best == s->one_se) {
    (void)printf("%-15s the same\n", what);
  } else {
    print_choice(s, what, by_best ? s->one_se : s->best);
  }
}

/* The first of those of the k-th rank on, in their order; SIZE_MAX: there are no more. */
static size_t ranked(const vise_i_cli_sweeping *s, size_t after_rank, size_t after_config) {
  size_t found = SIZE_MAX;
  for (size_t config = 0; config < s->n_configs; config++) {
    const size_t rank = s->ranks[config];
    if (rank < after_rank || (rank == after_rank && config <= after_config && after_rank > 0)) continue;
    if (!isfinite(s->means[config]) || s->same_as[config] != config) continue;
    if (found == SIZE_MAX || rank < s->ranks[found]) found = config;
  }
  return found;
}

static void print_best(const vise_i_cli_sweeping *s) {
  size_t rank = 0, at = 0;
  (void)printf("\n  %-5s %-22s %s\n", "rank", vise_i_cli_score_name(s->options->score), "configuration");
  for (size_t i = 0; i < N_LISTED; i++) {
    char name[NAME_BYTES], score[64];
    const size_t config = ranked(s, rank, at);
    if (config == SIZE_MAX) break;
    rank = s->ranks[config];
    at = config;

    vise_i_cli_sweep_name(s, config, name, sizeof name);
    const int n = snprintf(score, sizeof score, "%.5g", s->means[config]);
    if (isfinite(s->errors[config])) {
      (void)snprintf(score + n, sizeof score - (size_t)n, " +- %.2g", s->errors[config]);
    }
    (void)printf("  %-5zu %-22s %s\n", rank, score, name);
  }
  (void)printf("\n");
}

static bool is_on_device(const vise_i_cli_sweeping *s) {
  const vise_backend backend = s->options->training.backend;
  vise_device_info info;
  return backend == VISE_BACKEND_CUDA || (backend == VISE_BACKEND_AUTO && vise_list_devices(&info, 1) > 0);
}

void vise_i_cli_sweep_print_end(const vise_i_cli_sweeping *s) {
  char took[32];
  vise_i_cli_format_time(s->seconds, took, sizeof took);
  if (s->n_fits_now > 0) {
    (void)printf("%-15s %zu fits in %s (%.3g fits/s, ", "trained", s->n_fits_now, took,
                 (double)s->n_fits_now / s->seconds);
    (void)(is_on_device(s) ? printf("on the GPU)\n") : printf("%d at a time)\n", s->n_jobs));
  }
  if (!s->has_winner) return;

  print_best(s);
  print_choice(s, s->options->select == VISE_SELECT_BEST ? "winner (best)" : "winner (one-se)", s->winner);
  print_other(s);
  (void)fflush(stdout);
}
