/* What vise bench says before its rows: machine, build and data. */
#include <math.h>

#include "host/cli/bench_cli.h"
#include "host/cli/cli.h"
#include "host/json/build.h"

vise_status vise_i_cli_bench_measure(const vise_bench_config *config, vise_i_cli_bench_heading *out, vise_error *err) {
  vise_status status = vise_bench_measure_machine(config, &out->machine, err);
  const int n_threads = config->n_threads > 0 ? config->n_threads : out->machine.n_processors;

  out->data = config->data;
  out->n_cores = n_threads > 1 ? 2 : 1;
  for (size_t i = 0; status == VISE_OK && i < out->n_cores; i++) {
    status = vise_bench_measure_cores(i == 0 ? 1 : n_threads, &out->cores[i], err);
  }
  return status;
}

__attribute__((format(printf, 2, 0))) static void print_rate(FILE *stream, const char *format, const char *without,
                                                             double rate) {
  if (isnan(rate)) {
    (void)fputs(without, stream);
  } else {
    (void)fprintf(stream, format, rate);
  }
}

static void print_cores(FILE *stream, const char *prefix, const vise_i_cli_bench_heading *heading) {
  for (size_t i = 0; i < heading->n_cores; i++) {
    const vise_bench_cores *cores = &heading->cores[i];
    (void)fprintf(stream, "%s%s %s, %d thread%s: fp32 %.4g GFLOP/s, fp64 %.4g GFLOP/s", prefix,
                  i == 0 ? "peak     " : "         ", cores->instructions, cores->n_threads,
                  cores->n_threads == 1 ? "" : "s", 1e-9 * cores->fp32_flop_per_s, 1e-9 * cores->fp64_flop_per_s);
    print_rate(stream, ", round trip %.0f ns\n", "\n", cores->round_trip_ns);
  }
}

void vise_i_cli_bench_print_heading(FILE *stream, const char *prefix, const vise_i_cli_bench_heading *heading) {
  const vise_bench_machine *machine = &heading->machine;

  (void)fprintf(stream, "%smachine   %s, %d processors\n", prefix, machine->cpu, machine->n_processors);
  (void)fprintf(stream, "%sdevice    %s\n", prefix, machine->device[0] == '\0' ? "none" : machine->device);
  (void)fprintf(stream, "%svise      %s\n", prefix, vise_version());
  (void)fprintf(stream, "%sbuild     %s\n", prefix, vise_build_options());

  print_cores(stream, prefix, heading);
  for (size_t i = 0; i < machine->n_rates; i++) {
    const vise_bench_rate *rate = &machine->rates[i];
    (void)fprintf(stream, "%s%s %-5s %s:", prefix, i == 0 ? "rates    " : "         ", vise_backend_name(rate->backend),
                  rate->precision == VISE_PRECISION_AUTO ? "fp64" : vise_precision_name(rate->precision));
    print_rate(stream, " copies %.1f GB/s", " copies not measured", 1e-9 * rate->copy_bytes_per_s);
    print_rate(stream,
               rate->backend == VISE_BACKEND_CUDA ? ", products %.4g TFLOP/s\n" : ", multiply-adds %.4g TFLOP/s\n",
               ", products not measured\n", 1e-12 * rate->gemm_flop_per_s);
  }

  if (machine->device_note[0] != '\0') (void)fprintf(stream, "%snote      %s\n", prefix, machine->device_note);
  if (heading->data != NULL) {
    (void)fprintf(stream, "%sdata      %s, %zu rows\n", prefix, vise_dataset_name(heading->data),
                  vise_dataset_n_rows(heading->data));
  }
}

static json_t *text_or_null(const char *text) {
  return text[0] == '\0' ? json_null() : json_string(text);
}

static json_t *rates_json(const vise_bench_machine *machine) {
  json_t *rates = json_array();
  for (size_t i = 0; i < machine->n_rates; i++) {
    const vise_bench_rate *rate = &machine->rates[i];
    json_t *item = json_object();
    vise_i_json_put(&item, "backend", json_string(vise_backend_name(rate->backend)));
    vise_i_json_put(
        &item, "precision",
        json_string(rate->precision == VISE_PRECISION_AUTO ? "fp64" : vise_precision_name(rate->precision)));
    vise_i_json_put(&item, "copy_bytes_per_s", vise_i_cli_json_real(rate->copy_bytes_per_s));
    vise_i_json_put(&item, "gemm_flop_per_s", vise_i_cli_json_real(rate->gemm_flop_per_s));
    vise_i_json_add(&rates, item);
  }
  return rates;
}

static json_t *cores_json(const vise_i_cli_bench_heading *heading) {
  json_t *list = json_array();
  for (size_t i = 0; i < heading->n_cores; i++) {
    const vise_bench_cores *cores = &heading->cores[i];
    json_t *item = json_object();
    vise_i_json_put(&item, "threads", json_integer(cores->n_threads));
    vise_i_json_put(&item, "instructions", json_string(cores->instructions));
    vise_i_json_put(&item, "fp32_flop_per_s", vise_i_cli_json_real(cores->fp32_flop_per_s));
    vise_i_json_put(&item, "fp64_flop_per_s", vise_i_cli_json_real(cores->fp64_flop_per_s));
    vise_i_json_put(&item, "round_trip_ns", vise_i_cli_json_real(cores->round_trip_ns));
    vise_i_json_add(&list, item);
  }
  return list;
}

json_t *vise_i_cli_bench_machine_json(const vise_i_cli_bench_heading *heading) {
  const vise_bench_machine *machine = &heading->machine;
  json_t *object = json_object();

  vise_i_json_put(&object, "cpu", json_string(machine->cpu));
  vise_i_json_put(&object, "processors", json_integer(machine->n_processors));
  vise_i_json_put(&object, "blas", json_null());
  vise_i_json_put(&object, "device", text_or_null(machine->device));
  vise_i_json_put(&object, "rates", rates_json(machine));
  vise_i_json_put(&object, "device_note", text_or_null(machine->device_note));
  vise_i_json_put(&object, "cores", cores_json(heading));
  return object;
}
