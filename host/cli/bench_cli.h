/* What the files of vise bench share. */
#ifndef VISE_I_CLI_BENCH_CLI_H
#define VISE_I_CLI_BENCH_CLI_H

#include <jansson.h>
#include <stdio.h>

#include "host/cli/options.h"

/* The cases that the options ask for; *out is malloc'ed. */
VISE_WARN_UNUSED vise_status vise_i_cli_bench_cases(const vise_i_cli_options *options, vise_bench_case **out, size_t *n,
                                                    vise_error *err);
/* The rows of --data; *out is NULL without it. The cases become such that take its kind of features. */
VISE_WARN_UNUSED vise_status vise_i_cli_bench_data(const vise_i_cli_options *options, vise_bench_case *cases, size_t n,
                                                   vise_dataset **out, vise_error *err);
/* The modes and precisions in a comma list, as bits; NULL gives 0, which means all. */
VISE_WARN_UNUSED vise_status vise_i_cli_bench_modes(const char *list, unsigned *out, vise_error *err);
VISE_WARN_UNUSED vise_status vise_i_cli_bench_precisions(const char *list, unsigned *out, vise_error *err);

/* --mode ranks, which stands alone: prints what it finds; ranks NULL is refused. */
bool vise_i_cli_bench_is_of_ranks(const vise_i_cli_options *options);
VISE_WARN_UNUSED vise_status vise_i_cli_bench_ranks(const vise_i_cli_options *options, vise_ranks *ranks,
                                                    vise_error *err);

/* Where rows are written as they come. */
typedef struct vise_i_cli_bench_output {
  FILE *csv;             /* NULL: none */
  bool as_json;          /* kept in the arrays; else a table on standard output */
  json_t *rows, *phases; /* NULL with as_json: out of memory */
  size_t n_rows, n_phases;
} vise_i_cli_bench_output;

/* What is told before the rows. */
typedef struct vise_i_cli_bench_heading {
  vise_bench_machine machine;
  vise_bench_cores cores[2]; /* one thread; those of the run or, without a number, all */
  size_t n_cores;
  const vise_dataset *data; /* NULL: random rows */
} vise_i_cli_bench_heading;

VISE_WARN_UNUSED vise_status vise_i_cli_bench_measure(const vise_bench_config *config, vise_i_cli_bench_heading *out,
                                                      vise_error *err);
/* Prints version, build, machine and data; each line begins with prefix. */
void vise_i_cli_bench_print_heading(FILE *stream, const char *prefix, const vise_i_cli_bench_heading *heading);
json_t *vise_i_cli_bench_machine_json(const vise_i_cli_bench_heading *heading);
void vise_i_cli_bench_print_cases(const vise_bench_case *cases, size_t n);
json_t *vise_i_cli_bench_cases_json(const vise_bench_case *cases, size_t n);
/* A number in the CSV after its comma, nothing for NaN; and `width` characters wide in a table, a dash for NaN. */
void vise_i_cli_bench_csv_number(FILE *stream, double value);
__attribute__((format(printf, 2, 0))) void vise_i_cli_bench_cell(int width, const char *format, double value);
/* The heading of the CSV. The tools in bench/peers print the same columns. */
void vise_i_cli_bench_csv_heading(FILE *stream);
void vise_i_cli_bench_phase(vise_i_cli_bench_output *output, const vise_bench_phase *phase);
void vise_i_cli_bench_row(vise_i_cli_bench_output *output, const vise_bench_row *row);

#endif
