/* The phases of a fused step: a table, comment lines in the CSV, or JSON. */
#include "host/cli/bench_cli.h"
#include "host/cli/cli.h"
#include "host/json/build.h"

/* Other readers of the CSV skip lines that begin with #. */
static void print_csv(FILE *stream, const vise_bench_phase *p, bool first) {
  if (first) {
    (void)fputs(
        "# phase,case,mode,batch,precision,name,us_wait,us_skew,us_work,share_wait,share_work,steps,clock_mhz\n",
        stream);
  }

  (void)fprintf(stream, "# phase,%s,%s,%zu,%s,%s", p->bench_case->name, vise_bench_mode_name(p->mode),
                p->bench_case->batch, vise_precision_name(p->precision), p->name);
  vise_i_cli_bench_csv_number(stream, p->us_wait);
  vise_i_cli_bench_csv_number(stream, p->us_skew);
  vise_i_cli_bench_csv_number(stream, p->us_work);
  vise_i_cli_bench_csv_number(stream, p->share_wait);
  vise_i_cli_bench_csv_number(stream, p->share_work);

  (void)fprintf(stream, ",%zu", p->n_steps);
  vise_i_cli_bench_csv_number(stream, p->clock_mhz);
  (void)fputs("\n", stream);
  (void)fflush(stream);
}

static json_t *phase_json(const vise_bench_phase *p) {
  json_t *object = json_object();
  vise_i_json_put(&object, "case", json_string(p->bench_case->name));
  vise_i_json_put(&object, "mode", json_string(vise_bench_mode_name(p->mode)));
  vise_i_json_put(&object, "batch", json_integer((json_int_t)p->bench_case->batch));
  vise_i_json_put(&object, "precision", json_string(vise_precision_name(p->precision)));
  vise_i_json_put(&object, "name", json_string(p->name));

  vise_i_json_put(&object, "us_wait", vise_i_cli_json_real(p->us_wait));
  vise_i_json_put(&object, "us_skew", vise_i_cli_json_real(p->us_skew));
  vise_i_json_put(&object, "us_work", vise_i_cli_json_real(p->us_work));
  vise_i_json_put(&object, "share_wait", vise_i_cli_json_real(p->share_wait));
  vise_i_json_put(&object, "share_work", vise_i_cli_json_real(p->share_work));
  vise_i_json_put(&object, "steps", json_integer((json_int_t)p->n_steps));
  vise_i_json_put(&object, "clock_mhz", vise_i_cli_json_real(p->clock_mhz));

  return object;
}

static void print_table(const vise_bench_phase *p) {
  if (p->is_first) {
    (void)printf("\n%s, %s %s: medians of %zu steps, %.0f MHz\n", p->bench_case->name, vise_bench_mode_name(p->mode),
                 vise_precision_name(p->precision), p->n_steps, p->clock_mhz);
    (void)printf("%-12s %14s %10s %10s %7s %7s\n", "phase", "exchange us", "skew us", "us", "ex. %", "%");
  }

  (void)printf("%-12s", p->name);
  vise_i_cli_bench_cell(14, "%.2f", p->us_wait);
  vise_i_cli_bench_cell(10, "%.2f", p->us_skew);
  vise_i_cli_bench_cell(10, "%.2f", p->us_work);
  vise_i_cli_bench_cell(7, "%.2f", 100 * p->share_wait);
  vise_i_cli_bench_cell(7, "%.2f", 100 * p->share_work);

  (void)printf("\n");
  (void)fflush(stdout);
}

void vise_i_cli_bench_phase(vise_i_cli_bench_output *output, const vise_bench_phase *phase) {
  if (output->csv != NULL) print_csv(output->csv, phase, output->n_phases == 0);
  if (output->as_json) {
    vise_i_json_add(&output->phases, phase_json(phase));
  } else {
    print_table(phase);
  }
  output->n_phases++;
}
