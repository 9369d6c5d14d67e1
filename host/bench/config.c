/* The configuration of a benchmark, whatever header its caller was built with. */
#include "host/base/struct.h"
#include "host/bench/bench.h"

static vise_bench_config default_config(void) {
  return (vise_bench_config){
      .struct_size = sizeof(vise_bench_config), .seconds = 1, .tolerance_factor = 1, .steps_per_launch = 256};
}

VISE_I_DEFINE_INIT(vise_bench_config, user, default_config)

vise_status vise_i_bench_take_config(const vise_bench_config *given, vise_bench_config *out, vise_error *err) {
  *out = default_config();
  return vise_i_config_take(out, sizeof *out, given, "vise_bench_config", err);
}
