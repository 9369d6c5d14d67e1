#include "host/backend/cpu/threads.h"

#include "host/base/processors.h"

/* ---- parts of a batch --------------------------------------------------------------------------------------------- */

enum {
  LEAST_CHUNK = 96,          /* rows at a time; wider nets fit fewer into a cache and are shared by layers */
  CACHE_FLOATS = 128 * 1024, /* activations that fit into a processor's own cache */
  ALIGN_CHUNK = 16
};

size_t vise_i_cpu_part_chunk(const vise_i_net *net) {
  size_t width = 0;
  for (size_t l = 0; l <= net->n_layers; l++) width += net->widths[l];
  return CACHE_FLOATS / width / ALIGN_CHUNK * ALIGN_CHUNK;
}

/* Rows of a part at least, so that cutting the batch costs one thread nothing: a part's gradient has to be added, and
   products of few rows are slower. */
static size_t least_rows(const vise_i_net *net) {
  return net->n_params <= 128000 ? 128 : 256;
}

size_t vise_i_cpu_parts_of(const vise_i_net *net, size_t n) {
  const size_t fit = n / least_rows(net);
  if (vise_i_net_has_batch_norm(net)) return 1; /* its rows depend on each other */
  if (vise_i_cpu_part_chunk(net) < LEAST_CHUNK || fit < 2) return 1;
  return fit < VISE_I_CPU_ROW_PARTS ? fit : (size_t)VISE_I_CPU_ROW_PARTS;
}

/* ---- threads ------------------------------------------------------------------------------------------------------ */

/* Multiply-adds of a step for a thread: where threads take rows through the whole net, and where they share its layers.
   These are worth it only if a layer has many for each value that threads read from each other: its inputs, and its
   outputs and their gradients. All measured on two cores, on nets of two to four layers. */
static const double WORK_BY_ROWS = 4e5, WORK_BY_LAYERS = 1.2e6, WORK_PER_VALUE = 100;

size_t vise_i_cpu_worth_threads(const vise_i_net *net, size_t n) {
  /* Each layer multiplies three times: forward, gradient of the weights, and (except the first) of its inputs. */
  double work = 0, values = (double)net->widths[0] * (double)n;
  for (size_t l = 0; l < net->n_layers; l++) {
    work += (l ? 3.0 : 2.0) * (double)net->widths[l] * (double)net->widths[l + 1] * (double)n;
    values += 2 * (double)net->widths[l + 1] * (double)n;
  }

  const size_t n_parts = vise_i_cpu_parts_of(net, n);
  if (n_parts == 1 && work < WORK_PER_VALUE * values) return 1;
  const double wanted = work / (n_parts > 1 ? WORK_BY_ROWS : WORK_BY_LAYERS),
               most = n_parts > 1 ? (double)n_parts : 4096;
  if (!(wanted >= 1)) return 1;
  return (size_t)(wanted < most ? wanted : most);
}

int vise_i_cpu_default_threads(const vise_i_net *net, size_t batch) {
  const size_t worth = vise_i_cpu_worth_threads(net, batch), most = (size_t)vise_i_n_processors();
  return (int)(worth < most ? worth : most);
}
