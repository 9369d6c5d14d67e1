/*
 * Where the bits of a training first differ from those of another device:
 *
 *   first_bits record FILE    the first steps of each training in golden_cases.c, each with its weights and statistics
 *   first_bits compare FILE   the same on this device: for each training the first step that differs, its statistics,
 *                             the first element that differs in each tensor, by how many units in the last place
 *
 * Exit status 0: all bits are the same; 1: some differ; 2: neither could be found out.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/gpu/golden_cases.h"

enum { N_STEPS = 8, N_NUMBERS = 4 };

static const char *const NUMBERS[N_NUMBERS] = {"loss", "penalty", "gradient norm", "clipped norm"};
static const char HEAD[16] = "vise first bits";

/* What is compared of a step. */
typedef struct dump {
  double numbers[N_NUMBERS];
  float *weights;
} dump;

static void take_step(golden_training *t, dump *out) {
  vise_step_stats stats;
  memset(&stats, 0, sizeof stats);
  golden_take(t, 1, &stats);
  golden_weights(t, out->weights);
  const double numbers[N_NUMBERS] = {stats.loss, stats.penalty, stats.grad_norm, stats.grad_norm_clipped};
  memcpy(out->numbers, numbers, sizeof numbers);
}

/* Floats in the order of their values. */
static int64_t rank_of(float x) {
  int32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits < 0 ? (int64_t)INT32_MIN - bits : bits;
}

static bool differ(float a, float b) {
  return memcmp(&a, &b, sizeof a) != 0 && !(isnan(a) && isnan(b));
}

/* Tells of the elements of a tensor that differ; returns how many. */
static size_t tell_tensor(const vise_i_tensor *tensor, const float *got, const float *expected) {
  size_t n = 0, first = 0;
  int64_t most = 0;

  for (size_t i = 0; i < tensor->n_rows * tensor->n_cols; i++) {
    if (!differ(got[i], expected[i])) continue;
    const int64_t ulps = llabs(rank_of(got[i]) - rank_of(expected[i]));
    if (n++ == 0) first = i;
    if (ulps > most) most = ulps;
  }

  if (n > 0) {
    printf("  %s: %zu of %zu differ, by up to %lld ulp; first [%zu][%zu]: %.9g (%a), expected %.9g (%a), %lld ulp\n",
           tensor->name, n, tensor->n_rows * tensor->n_cols, (long long)most, first / tensor->n_cols,
           first % tensor->n_cols, (double)got[first], (double)got[first], (double)expected[first],
           (double)expected[first], llabs(rank_of(got[first]) - rank_of(expected[first])));
  }

  return n;
}

/* Whether the step is the same; tells of it, if not. */
static bool tell_step(const golden_training *t, size_t step, const dump *got, const dump *expected) {
  bool numbers_differ = false, weights_differ = false;

  for (size_t i = 0; i < N_NUMBERS; i++) {
    const double a = got->numbers[i], b = expected->numbers[i];
    numbers_differ = numbers_differ || (memcmp(&a, &b, sizeof a) != 0 && !(isnan(a) && isnan(b)));
  }
  for (size_t i = 0; i < t->net.n_values; i++) {
    weights_differ = weights_differ || differ(got->weights[i], expected->weights[i]);
  }
  if (!numbers_differ && !weights_differ) return true;

  printf("%s: step %zu is the first that differs\n", t->of->name, step + 1);
  for (size_t i = 0; i < N_NUMBERS; i++) {
    const double a = got->numbers[i], b = expected->numbers[i];
    printf("  %s: %.17g, expected %.17g%s\n", NUMBERS[i], a, b, memcmp(&a, &b, sizeof a) == 0 ? "" : "  <-- differs");
  }

  size_t n_told = 0;
  for (size_t k = 0; k < t->net.n_tensors; k++) {
    const vise_i_tensor *tensor = &t->net.tensors[k];
    n_told += tell_tensor(tensor, got->weights + tensor->offset, expected->weights + tensor->offset);
  }
  if (weights_differ && n_told == 0) printf("  what is not trained (running statistics) differs\n");
  return false;
}

static bool transfer(FILE *file, bool record, dump *d, size_t n_values) {
  if (record) {
    return fwrite(d->numbers, sizeof d->numbers, 1, file) == 1 &&
           fwrite(d->weights, sizeof *d->weights, n_values, file) == n_values;
  }
  return fread(d->numbers, sizeof d->numbers, 1, file) == 1 &&
         fread(d->weights, sizeof *d->weights, n_values, file) == n_values;
}

/* Steps of one training, written to the file or compared with it. */
static bool go_through(const golden_case *g, FILE *file, bool record, bool *same) {
  golden_training *t = golden_open(g);
  dump got = {.weights = malloc(t->net.n_values * sizeof(float))};
  dump expected = {.weights = malloc(t->net.n_values * sizeof(float))};
  bool works = true, own_same = true;

  for (size_t s = 0; s < N_STEPS && works; s++) {
    take_step(t, &got);
    works = transfer(file, record, record ? &got : &expected, t->net.n_values);
    if (works && !record && own_same) own_same = tell_step(t, s, &got, &expected);
  }

  if (!record && works && own_same) printf("%s: %d steps, the same bits\n", g->name, N_STEPS);
  *same = *same && own_same;
  free(got.weights);
  free(expected.weights);
  golden_close(t);
  return works;
}

int main(int argc, char **argv) {
  const bool record = argc == 3 && strcmp(argv[1], "record") == 0;
  if (argc != 3 || (!record && strcmp(argv[1], "compare") != 0)) {
    fprintf(stderr, "usage: first_bits record|compare FILE\n");
    return 2;
  }

  FILE *file = fopen(argv[2], record ? "wb" : "rb");
  char head[sizeof HEAD];
  bool works = file != NULL, same = true;

  if (works && record) works = fwrite(HEAD, sizeof HEAD, 1, file) == 1;
  if (works && !record) works = fread(head, sizeof head, 1, file) == 1 && memcmp(head, HEAD, sizeof HEAD) == 0;
  for (size_t i = 0; i < golden_n_cases && works; i++) works = go_through(&golden_cases[i], file, record, &same);
  if (file && fclose(file) != 0) works = false;

  if (!works) fprintf(stderr, "%s cannot be %s\n", argv[2], record ? "written" : "read");
  return !works ? 2 : same ? 0 : 1;
}
