/* The cases of the benchmark, and how much work a step of them is. */
#include <stdio.h>
#include <string.h>

#include "host/bench/bench.h"

enum { CLASSES = 10 };

typedef struct named_case {
  const char *name;
  size_t n_layers, widths[6];
  vise_loss loss;
  size_t batch;
  bool byte_features;
} named_case;

static const named_case named[] = {
    {"mnist-64", 2, {784, 128, 10}, VISE_LOSS_CROSS_ENTROPY, 64, true},
    {"mnist-128", 2, {784, 128, 10}, VISE_LOSS_CROSS_ENTROPY, 128, true},
    {"tabular", 3, {32, 256, 256, 1}, VISE_LOSS_MSE, 256, false},
    {"policy", 3, {17, 64, 64, 6}, VISE_LOSS_MSE, 64, false},
    {"classic-64x4", 4, {64, 64, 64, 64, 64}, VISE_LOSS_MSE, 262144, false},
    {"classic-128x4", 4, {128, 128, 128, 128, 128}, VISE_LOSS_MSE, 262144, false},
    {"large-4096x4", 4, {4096, 4096, 4096, 4096, 4096}, VISE_LOSS_MSE, 4096, false},
};
enum { N_NAMED = sizeof named / sizeof *named };

static const size_t grid_layers[] = {2, 4, 8};
enum {
  N_GRID_LAYERS = sizeof grid_layers / sizeof *grid_layers,
  LOG_MIN_WIDTH = 5,
  N_GRID_WIDTHS = 8,
  LOG_MIN_BATCH = 5,
  N_GRID_BATCHES = 10,
  N_GRID = N_GRID_LAYERS * N_GRID_WIDTHS * N_GRID_BATCHES
};

static void named_at(size_t i, vise_bench_case *out) {
  memset(out, 0, sizeof *out);
  (void)snprintf(out->name, sizeof out->name, "%s", named[i].name);
  out->n_layers = named[i].n_layers;
  memcpy(out->widths, named[i].widths, (named[i].n_layers + 1) * sizeof *out->widths);
  out->loss = named[i].loss;
  out->batch = named[i].batch;
  out->byte_features = named[i].byte_features;
}

/* A classifier of `width` features whose inner layers are as wide: depth by depth, width by width, batch by batch. */
static void grid_at(size_t i, vise_bench_case *out) {
  const size_t batch = (size_t)1 << (LOG_MIN_BATCH + i % N_GRID_BATCHES);
  const size_t width = (size_t)1 << (LOG_MIN_WIDTH + i / N_GRID_BATCHES % N_GRID_WIDTHS);
  memset(out, 0, sizeof *out);
  out->n_layers = grid_layers[i / N_GRID_BATCHES / N_GRID_WIDTHS];
  (void)snprintf(out->name, sizeof out->name, "grid-w%zu-l%zu-b%zu", width, out->n_layers, batch);
  for (size_t l = 0; l < out->n_layers; l++) out->widths[l] = width;
  out->widths[out->n_layers] = CLASSES;
  out->loss = VISE_LOSS_CROSS_ENTROPY;
  out->batch = batch;
}

size_t vise_bench_list_cases(vise_bench_set set, vise_bench_case *out, size_t n) {
  const size_t n_cases = set == VISE_BENCH_NAMED ? N_NAMED : N_GRID;
  for (size_t i = 0; out != NULL && i < n && i < n_cases; i++) {
    if (set == VISE_BENCH_NAMED) {
      named_at(i, &out[i]);
    } else {
      grid_at(i, &out[i]);
    }
  }
  return n_cases;
}

vise_status vise_bench_find_case(const char *name, vise_bench_case *out, vise_error *err) {
  vise_bench_case found;
  char known[512] = "";
  VISE_ENTER(err, name, out);

  for (size_t i = 0; i < N_NAMED + N_GRID; i++) {
    if (i < N_NAMED) {
      named_at(i, &found);
      const size_t used = strlen(known);
      (void)snprintf(known + used, sizeof known - used, "%s%s", i == 0 ? "" : ", ", found.name);
    } else {
      grid_at(i - N_NAMED, &found);
    }

    if (strcmp(found.name, name) == 0) {
      *out = found;
      return VISE_OK;
    }
  }

  return vise_i_fail(err, VISE_ERR_USAGE,
                     "'%s' is not a case of the benchmark: expected %s, or one of the grid, such as %s", name, known,
                     "grid-w256-l4-b1024");
}

vise_status vise_i_bench_check_case(const vise_bench_case *bench_case, vise_error *err) {
  vise_net_config config;
  vise_i_net net;
  const size_t n_layers = bench_case->n_layers;

  if (n_layers == 0 || n_layers > VISE_MAX_LAYERS) {
    return vise_i_fail(err, VISE_ERR_USAGE, "a case of the benchmark has %zu layers, expected 1 to %d", n_layers,
                       VISE_MAX_LAYERS);
  }
  if (bench_case->batch == 0) return vise_i_fail(err, VISE_ERR_USAGE, "a case of the benchmark has a batch of 0 rows");
  if (bench_case->loss != VISE_LOSS_MSE &&
      (bench_case->loss != VISE_LOSS_CROSS_ENTROPY || bench_case->widths[n_layers] < 2)) {
    return vise_i_fail(
        err, VISE_ERR_USAGE,
        "a case of the benchmark has loss %s with %zu outputs, expected mse, or cross-entropy with at least 2",
        vise_loss_name(bench_case->loss), bench_case->widths[n_layers]);
  }

  vise_net_config_init(&config);
  config.n_layers = n_layers;
  memcpy(config.widths, bench_case->widths, (n_layers + 1) * sizeof *config.widths);
  return vise_i_net_make(&config, &net, err);
}

vise_status vise_bench_make_case(const size_t *widths, size_t n_layers, size_t batch, vise_bench_case *out,
                                 vise_error *err) {
  vise_bench_case made = {.batch = batch};
  size_t used = 0;
  VISE_ENTER(err, widths, out);

  if (n_layers == 0 || n_layers > VISE_MAX_LAYERS) {
    return vise_i_fail(err, VISE_ERR_USAGE, "vise_bench_make_case: %zu layers, expected 1 to %d", n_layers,
                       VISE_MAX_LAYERS);
  }

  made.n_layers = n_layers;
  for (size_t l = 0; l <= n_layers; l++) {
    made.widths[l] = widths[l];
    if (used < sizeof made.name) {
      used += (size_t)snprintf(made.name + used, sizeof made.name - used, "%s%zu", l == 0 ? "" : "-", widths[l]);
    }
  }

  made.loss = widths[n_layers] == 1 ? VISE_LOSS_MSE : VISE_LOSS_CROSS_ENTROPY;
  const vise_status status = vise_i_bench_check_case(&made, err);
  if (status == VISE_OK) *out = made;
  return status;
}

double vise_bench_step_flop(const vise_bench_case *bench_case) {
  double products = 0;
  if (bench_case == NULL) return 0;
  for (size_t l = 0; l < bench_case->n_layers; l++) {
    products += (l == 0 ? 2.0 : 3.0) * (double)bench_case->widths[l] * (double)bench_case->widths[l + 1];
  }
  return 2.0 * (double)bench_case->batch * products;
}

double vise_bench_step_bytes(const vise_bench_case *bench_case, size_t element_bytes) {
  double parameters = 0;
  if (bench_case == NULL) return 0;
  const double features = (double)bench_case->widths[0] * (bench_case->byte_features ? 1.0 : 4.0);
  const double targets =
      bench_case->loss == VISE_LOSS_CROSS_ENTROPY ? 4.0 : 4.0 * (double)bench_case->widths[bench_case->n_layers];
  for (size_t l = 0; l < bench_case->n_layers; l++) {
    parameters += ((double)bench_case->widths[l] + 1.0) * (double)bench_case->widths[l + 1];
  }
  return (double)bench_case->batch * (features + targets) + 2.0 * (double)element_bytes * parameters;
}
