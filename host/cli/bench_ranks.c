/* vise bench --mode ranks, with mpirun: what the exchange of a step costs. */
#include <stdlib.h>
#include <string.h>

#include "host/cli/bench_cli.h"
#include "host/cli/cli.h"
#include "host/cli/ranks.h"
#include "host/json/build.h"

/* Bytes of gradients: of nets of 1,000 to 1,000,000 weights. */
static const size_t sizes[] = {4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20};
enum { N_SIZES = sizeof sizes / sizeof *sizes };

static void print_heading(const vise_ranks *ranks) {
  (void)printf("%zu ranks: microseconds to add a gradient, and of MPI_Allreduce for as many bytes\n\n",
               vise_ranks_size(ranks));
  (void)printf("%10s %12s %12s %8s\n", "bytes", "exchange", "allreduce", "ratio");
}

static void print_row(const vise_bench_exchange *row) {
  (void)printf("%10zu %12.1f %12.1f %8.2f\n", row->n_bytes, 1e6 * row->exchange_seconds, 1e6 * row->allreduce_seconds,
               row->exchange_seconds / row->allreduce_seconds);
  (void)fflush(stdout);
}

static json_t *row_json(const vise_bench_exchange *row) {
  return json_pack("{s:I, s:f, s:f}", "bytes", (json_int_t)row->n_bytes, "exchange_seconds", row->exchange_seconds,
                   "allreduce_seconds", row->allreduce_seconds);
}

vise_status vise_i_cli_bench_ranks(const vise_i_cli_options *options, vise_ranks *ranks, vise_error *err) {
  json_t *rows = json_array(), *object = json_object();
  vise_status status = VISE_OK;
  if (ranks == NULL) {
    status = vise_i_cli_fail(err, VISE_ERR_USAGE, "`mode` ranks: start it with mpirun, as in mpirun -n 2 vise bench");
  }

  if (status == VISE_OK && !options->json) print_heading(ranks);
  for (size_t i = 0; status == VISE_OK && i < N_SIZES; i++) {
    vise_bench_exchange row;
    status = vise_bench_ranks(ranks, sizes[i], options->seconds, &row, err);
    if (status == VISE_OK && !options->json) print_row(&row);
    if (status == VISE_OK) vise_i_json_add(&rows, row_json(&row));
  }

  if (status == VISE_OK && options->json) {
    vise_i_json_put(&object, "ranks", json_integer((json_int_t)vise_ranks_size(ranks)));
    vise_i_json_put(&object, "rows", json_incref(rows));
    status = vise_i_cli_print_json(json_incref(object), err);
  }
  json_decref(rows);
  json_decref(object);
  return status;
}

bool vise_i_cli_bench_is_of_ranks(const vise_i_cli_options *options) {
  return options->modes != NULL && strcmp(options->modes, "ranks") == 0;
}
