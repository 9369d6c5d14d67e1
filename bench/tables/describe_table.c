/* describe_table FILE [TARGET]: reads a table, fits a preprocessor to all of its rows, converts them, and prints what
   was made of it. Exit status 0, or 2 with the reason why it was refused. `--time`: seconds and peak memory instead. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "vise/vise.h"

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void print_lines(const vise_table *table, const vise_preprocessor *p, const vise_transformed *made) {
  for (size_t i = 0; i < vise_table_n_notes(table); i++) printf("%s\n", vise_table_note(table, i));
  for (size_t i = 0; i < vise_preprocessor_n_lines(p); i++) printf("%s\n", vise_preprocessor_line(p, i));
  for (size_t i = 0; i < vise_transformed_n_notes(made); i++) printf("%s\n", vise_transformed_note(made, i));
}

static void print_times(double begin, double read, const vise_transformed *made) {
  struct rusage usage;
  const vise_array x = vise_transformed_features(made);
  const vise_array y = vise_transformed_targets(made);
  getrusage(RUSAGE_SELF, &usage);
  printf("{\"read_s\": %.3f, \"convert_s\": %.3f, \"peak_mb\": %.1f, \"f32_mb\": %.1f, \"rows\": %zu}\n", read - begin,
         now() - read, (double)usage.ru_maxrss / 1024, (double)x.n_rows * (double)(x.n_cols + y.n_cols) * 4 / 1048576,
         x.n_rows);
}

int main(int argc, char **argv) {
  vise_error err = VISE_ERROR_INIT;
  vise_table *table = NULL;
  vise_preprocessor *p = NULL;
  vise_transformed *made = NULL;
  vise_preprocessor_options fit;
  vise_transform_options transform;
  const bool timed = argc > 1 && strcmp(argv[1], "--time") == 0;
  const int first = timed ? 2 : 1;
  if (argc <= first) {
    fprintf(stderr, "usage: describe_table [--time] FILE [TARGET]\n");
    return 1;
  }
  vise_preprocessor_options_init(&fit);
  vise_transform_options_init(&transform);
  fit.target = argc > first + 1 ? argv[first + 1] : NULL;
  transform.use_up = true;

  const double begin = now();
  vise_status status = vise_table_read(argv[first], NULL, &table, &err);
  const double read = now();
  if (status == VISE_OK) status = vise_preprocessor_fit(table, &fit, NULL, 0, &p, &err);
  if (status == VISE_OK) status = vise_preprocessor_transform(p, table, &transform, &made, &err);
  if (status == VISE_OK && timed) print_times(begin, read, made);
  if (status == VISE_OK && !timed) print_lines(table, p, made);
  if (status != VISE_OK) printf("%s\n", err.text);

  vise_transformed_free(made);
  vise_preprocessor_free(p);
  vise_table_free(table);
  return status == VISE_OK ? 0 : 2;
}
