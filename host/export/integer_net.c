/* The net in integers that --format c writes. */
#include "host/certify/integers.h"
#include "host/export/export.h"

/* A table's model is given numbers in the units of the table, which its net does not know of. */
static void take_units(const vise_i_export *e, vise_i_integer_net *net) {
  for (size_t i = 0; e->inputs.names != NULL && i < e->inputs.n; i++) {
    const double low = net->input_low[i], scale = net->input_scale[i];
    net->input_low[i] = (float)(low * e->inputs.scale[i] + e->inputs.shift[i]);
    net->input_scale[i] = (float)(scale / e->inputs.scale[i]);
  }
}

vise_status vise_i_export_integer_net(const vise_i_export *e, const vise_export_config *config,
                                      vise_i_integer_net **out, vise_error *err) {
  const vise_i_integers_wanted wanted = {&e->inputs, config->integers, config->data};
  vise_i_integer_net *net = NULL;
  bool is_trained = false;
  const vise_status status = vise_i_integers_of(e->model, &wanted, &net, &is_trained, err);
  if (status != VISE_OK) return status;

  if (!net->is_proven) {
    vise_i_integer_net_free(net);
    return vise_i_fail(err, VISE_ERR_USAGE,
                       "`as` unconstrained: its sums may overflow, and C is written of nets that are proven alone");
  }
  take_units(e, net);
  *out = net;
  return VISE_OK;
}
