/* What machine this is, and what it reaches with nothing but copies, multiply-adds and, on a device, products. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "host/base/file.h"
#include "host/base/memory.h"
#include "host/base/processors.h"
#include "host/bench/bench.h"
#include "vise/info.h"

enum { REPEATS = 5 };
#define COPY_BYTES ((size_t)64 << 20) /* more than caches hold */

/* The model that /proc names, or else the architecture. */
static void name_cpu(char *out, size_t n_bytes) {
  char line[256];
  struct utsname names;
  FILE *file = fopen("/proc/cpuinfo", "r");

  (void)snprintf(out, n_bytes, "%s", uname(&names) == 0 ? names.machine : "unknown");
  while (file != NULL && fgets(line, sizeof line, file) != NULL) {
    const char *colon = strchr(line, ':');
    if (strncmp(line, "model name", 10) != 0 || colon == NULL) continue;
    colon += 1 + strspn(colon + 1, " \t");
    (void)snprintf(out, n_bytes, "%.*s", (int)strcspn(colon, "\n"), colon);
    break;
  }

  if (file != NULL) (void)fclose(file);
}

/* Bytes per second that memcpy reads and writes on one thread; the best of some runs. */
static vise_status measure_copy(double *bytes_per_s, vise_error *err) {
  vise_status status;
  char *from = NULL, *to = NULL;
  double best = INFINITY;

  VISE_TRY(vise_i_alloc(&from, COPY_BYTES, 1, "a copy to be timed", err));
  VISE_TRY(vise_i_alloc(&to, COPY_BYTES, 1, "a copy to be timed", err));

  for (size_t i = 0; i < COPY_BYTES; i++) from[i] = (char)(i * 37 + i / 256);
  memcpy(to, from, COPY_BYTES);

  for (int r = 0; r < REPEATS; r++) {
    const double start = vise_i_now();
    from[(size_t)r] = (char)(to[(size_t)r + 1] + 1); /* each copy moves something new */
    memcpy(to, from, COPY_BYTES);
    best = fmin(best, vise_i_now() - start);
  }
  *bytes_per_s = 2.0 * (double)COPY_BYTES / best;

done:
  free(from);
  free(to);
  return status;
}

/* The peak of multiply-adds stands where a device has its rate of large products. */
static vise_status measure_cpu(int n_threads, vise_bench_machine *machine, vise_error *err) {
  vise_status status;
  vise_bench_cores cores;
  double copy = NAN;

  VISE_TRY(measure_copy(&copy, err));
  VISE_TRY(vise_bench_measure_cores(n_threads, &cores, err));
  machine->rates[machine->n_rates++] = (vise_bench_rate){VISE_BACKEND_CPU, VISE_FP32, copy, cores.fp32_flop_per_s};
  machine->rates[machine->n_rates++] =
      (vise_bench_rate){VISE_BACKEND_CPU64, VISE_PRECISION_AUTO, copy, cores.fp64_flop_per_s};

done:
  return status;
}

static vise_status measure_device(const vise_bench_config *config, vise_bench_machine *machine, vise_error *err) {
  static const vise_precision precisions[] = {VISE_FP32, VISE_TF32, VISE_BF16};
  vise_status status = VISE_OK;
  const char *why_not = NULL;
  const vise_i_meter *meter = vise_i_meter_find(VISE_BACKEND_CUDA);

  if (vise_i_backend_find(VISE_BACKEND_CUDA, &why_not) == NULL) return VISE_OK;
  (void)snprintf(machine->device, sizeof machine->device, "number %d", config->device);
  if (meter == NULL) return VISE_OK;
  VISE_TRY(meter->describe(config->device, machine->device, sizeof machine->device, err));

  for (size_t p = 0; p < sizeof precisions / sizeof *precisions; p++) {
    vise_i_meter_rates rates;
    VISE_TRY(meter->measure(config->device, precisions[p], &rates, err));
    machine->rates[machine->n_rates++] =
        (vise_bench_rate){VISE_BACKEND_CUDA, precisions[p], rates.copy_bytes_per_s, rates.gemm_flop_per_s};
    if (rates.note[0]) (void)snprintf(machine->device_note, sizeof machine->device_note, "%s", rates.note);
  }

done:
  return status;
}

vise_status vise_bench_measure_machine(const vise_bench_config *config, vise_bench_machine *out, vise_error *err) {
  vise_status status;
  vise_bench_machine machine = {.n_processors = vise_i_n_processors()};
  vise_bench_config own;
  VISE_ENTER(err, config, out);
  VISE_TRY(vise_i_bench_take_config(config, &own, err));

  name_cpu(machine.cpu, sizeof machine.cpu);
  VISE_TRY(measure_cpu(own.n_threads > 0 ? own.n_threads : machine.n_processors, &machine, err));
  VISE_TRY(measure_device(&own, &machine, err));
  *out = machine;

done:
  return status;
}
