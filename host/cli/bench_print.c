/* What vise bench prints: cases, and rows as a table, CSV or JSON. */
#include <math.h>
#include <string.h>

#include "host/cli/bench_cli.h"
#include "host/cli/cli.h"
#include "host/json/build.h"

enum { SHAPE_BYTES = 24 * (VISE_MAX_LAYERS + 1) };

static const char *precision_name(vise_precision precision) {
  return precision == VISE_PRECISION_AUTO ? "fp64" : vise_precision_name(precision);
}

static const char *verdict(const vise_bench_row *row) {
  return row->is_reference ? "reference" : row->verified ? "yes" : "NO";
}

static void write_shape(const vise_bench_case *c, char *out) {
  size_t used = 0;
  for (size_t l = 0; l <= c->n_layers; l++) {
    used += (size_t)snprintf(out + used, SHAPE_BYTES - used, "%s%zu", l == 0 ? "" : "-", c->widths[l]);
  }
}

/* ---- cases ---- */

void vise_i_cli_bench_print_cases(const vise_bench_case *cases, size_t n) {
  (void)printf("%-20s %8s %-14s %-8s %10s %12s  %s\n", "case", "batch", "loss", "features", "MFLOP", "bytes", "shape");
  for (size_t i = 0; i < n; i++) {
    char shape[SHAPE_BYTES];
    write_shape(&cases[i], shape);
    (void)printf("%-20s %8zu %-14s %-8s %10.4g %12.4g  %s\n", cases[i].name, cases[i].batch,
                 vise_loss_name(cases[i].loss), cases[i].byte_features ? "u8" : "f32",
                 1e-6 * vise_bench_step_flop(&cases[i]), vise_bench_step_bytes(&cases[i], sizeof(float)), shape);
  }
}

json_t *vise_i_cli_bench_cases_json(const vise_bench_case *cases, size_t n) {
  json_t *list = json_array();
  for (size_t i = 0; i < n; i++) {
    const vise_bench_case *c = &cases[i];
    json_t *item = json_object(), *widths = json_array();
    for (size_t l = 0; l <= c->n_layers; l++) vise_i_json_add(&widths, json_integer((json_int_t)c->widths[l]));

    vise_i_json_put(&item, "name", json_string(c->name));
    vise_i_json_put(&item, "widths", widths);
    vise_i_json_put(&item, "batch", json_integer((json_int_t)c->batch));
    vise_i_json_put(&item, "loss", json_string(vise_loss_name(c->loss)));
    vise_i_json_put(&item, "byte_features", json_boolean(c->byte_features));
    vise_i_json_put(&item, "flop", json_real(vise_bench_step_flop(c)));
    vise_i_json_put(&item, "bytes", json_real(vise_bench_step_bytes(c, sizeof(float))));
    vise_i_json_add(&list, item);
  }

  return list;
}

/* ---- rows ------------------------------------------------------------------------------------------------------- */

/* A column in the CSV and a key in the JSON. */
typedef struct number {
  const char *name;
  double value;
} number;

enum { N_NUMBERS = 25 };

static void list_numbers(const vise_bench_row *row, number out[N_NUMBERS]) {
  const number numbers[N_NUMBERS] = {{"worst_error", row->worst_error},
                                     {"tolerance", row->tolerance},
                                     {"us_per_step", row->us_median},
                                     {"us_min", row->us_min},
                                     {"us_q1", row->us_q1},
                                     {"us_q3", row->us_q3},
                                     {"us_max", row->us_max},
                                     {"repeats", (double)row->n_repeats},
                                     {"steps_per_repeat", (double)row->steps_per_repeat},
                                     {"steps_per_s", row->steps_per_s},
                                     {"gb_per_s", 1e-9 * row->bytes_per_s},
                                     {"tflop_per_s", 1e-12 * row->flop_per_s},
                                     {"launches_per_step", row->launches_per_step},
                                     {"x_unfused", row->x_unfused},
                                     {"x_unfused_graph", row->x_unfused_graph},
                                     {"share_of_copy", row->share_of_copy},
                                     {"share_of_gemm", row->share_of_gemm},
                                     {"verified_batch", (double)row->verified_batch},
                                     {"us_host", row->us_host},
                                     {"us_launches", row->us_launches},
                                     {"floor_us", row->floor_us},
                                     {"share_of_floor", row->share_of_floor},
                                     {"gflop_per_s", 1e-9 * row->flop_per_s},
                                     {"peak_gflop_per_s", 1e-9 * row->peak_flop_per_s},
                                     {"share_of_peak", row->share_of_peak}};

  memcpy(out, numbers, sizeof numbers);
}

void vise_i_cli_bench_csv_number(FILE *stream, double value) {
  char text[32] = "";
  if (!isnan(value)) (void)snprintf(text, sizeof text, "%.6g", value);
  (void)fprintf(stream, ",%s", text);
}

void vise_i_cli_bench_csv_heading(FILE *stream) {
  const vise_bench_row none = {0};
  number numbers[N_NUMBERS];
  list_numbers(&none, numbers);
  (void)fprintf(stream, "tool,mode,device,case,shape,batch,precision,threads,verified");
  for (size_t i = 0; i < N_NUMBERS; i++) (void)fprintf(stream, ",%s", numbers[i].name);
  (void)fprintf(stream, "\n");
}

static void print_csv(FILE *stream, const vise_bench_row *row, const char *shape) {
  number numbers[N_NUMBERS];
  const bool on_cpu = row->mode == VISE_BENCH_CPU || row->mode == VISE_BENCH_CPU64;
  list_numbers(row, numbers);

  (void)fprintf(stream, "vise-%s,%s,%s,%s,%s,%zu,%s,", vise_version(), vise_bench_mode_name(row->mode),
                on_cpu ? "cpu" : "cuda", row->bench_case->name, shape, row->bench_case->batch,
                precision_name(row->precision));
  if (on_cpu) (void)fprintf(stream, "%d", row->n_threads);
  (void)fprintf(stream, ",%s", row->is_reference ? "reference" : row->verified ? "yes" : "no");

  for (size_t i = 0; i < N_NUMBERS; i++) vise_i_cli_bench_csv_number(stream, numbers[i].value);

  (void)fputs("\n", stream);
  (void)fflush(stream);
}

static json_t *row_json(const vise_bench_row *row, const char *shape) {
  number numbers[N_NUMBERS];
  json_t *object = json_object();
  list_numbers(row, numbers);

  vise_i_json_put(&object, "mode", json_string(vise_bench_mode_name(row->mode)));
  vise_i_json_put(&object, "case", json_string(row->bench_case->name));
  vise_i_json_put(&object, "shape", json_string(shape));
  vise_i_json_put(&object, "batch", json_integer((json_int_t)row->bench_case->batch));
  vise_i_json_put(&object, "precision", json_string(precision_name(row->precision)));
  vise_i_json_put(&object, "threads", json_integer(row->n_threads));
  vise_i_json_put(&object, "verified", json_boolean(row->verified));
  vise_i_json_put(&object, "reference", json_boolean(row->is_reference));

  for (size_t i = 0; i < N_NUMBERS; i++) {
    vise_i_json_put(&object, numbers[i].name, vise_i_cli_json_real(numbers[i].value));
  }

  return object;
}

void vise_i_cli_bench_cell(int width, const char *format, double value) {
  char text[32] = "-";
  if (!isnan(value)) (void)snprintf(text, sizeof text, format, value);
  (void)printf(" %*s", width, text);
}

static void print_table_row(const vise_bench_row *row, bool first) {
  if (first) {
    (void)printf("\n%-18s %-13s %-5s %3s %11s %11s %11s %10s %8s %8s %8s %9s %7s %6s %6s %6s %6s  %s\n", "case", "mode",
                 "prec", "thr", "us/step", "q1", "q3", "steps/s", "GB/s", "GFLOP/s", "launches", "x-unfused", "x-graph",
                 "copy", "gemm", "floor", "peak", "verified");
  }

  (void)printf("%-18s %-13s %-5s %3d", row->bench_case->name, vise_bench_mode_name(row->mode),
               precision_name(row->precision), row->n_threads);
  vise_i_cli_bench_cell(11, "%.1f", row->us_median);
  vise_i_cli_bench_cell(11, "%.1f", row->us_q1);
  vise_i_cli_bench_cell(11, "%.1f", row->us_q3);
  vise_i_cli_bench_cell(10, "%.1f", row->steps_per_s);
  vise_i_cli_bench_cell(8, "%.4g", 1e-9 * row->bytes_per_s);
  vise_i_cli_bench_cell(8, "%.5g", 1e-9 * row->flop_per_s);
  vise_i_cli_bench_cell(8, "%.3g", row->launches_per_step);
  vise_i_cli_bench_cell(9, "%.2f", row->x_unfused);
  vise_i_cli_bench_cell(7, "%.2f", row->x_unfused_graph);
  vise_i_cli_bench_cell(6, "%.2f", row->share_of_copy);
  vise_i_cli_bench_cell(6, "%.2f", row->share_of_gemm);
  vise_i_cli_bench_cell(6, "%.2f", row->share_of_floor);
  vise_i_cli_bench_cell(6, "%.3f", row->share_of_peak);

  (void)printf("  %s", verdict(row));
  if (!row->verified) {
    (void)printf(": weights off by %.3g (allowed %.3g), loss by %.3g (allowed %.3g)", row->worst_error, row->tolerance,
                 row->worst_loss_error, row->loss_tolerance);
  } else if (row->verified_batch < row->bench_case->batch) {
    (void)printf(" (by cpu64 on %zu rows)", row->verified_batch);
  }

  (void)printf("\n");
  (void)fflush(stdout);
}

void vise_i_cli_bench_row(vise_i_cli_bench_output *output, const vise_bench_row *row) {
  char shape[SHAPE_BYTES];
  write_shape(row->bench_case, shape);
  if (output->csv != NULL) print_csv(output->csv, row, shape);
  if (output->as_json) {
    vise_i_json_add(&output->rows, row_json(row, shape));
  } else {
    print_table_row(row, output->n_rows == 0);
  }
  output->n_rows++;
}
