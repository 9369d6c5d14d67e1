#include "host/net/net.h"

#include <criterion/criterion.h>
#include <string.h>

static vise_net_config config_of(size_t n, const size_t *widths) {
  vise_net_config config;
  vise_net_config_init(&config);
  config.n_layers = n - 1;
  memcpy(config.widths, widths, n * sizeof *widths);
  return config;
}

Test(net, tensors_lie_in_order_without_gaps) {
  const size_t widths[] = {5, 3, 2};
  vise_net_config config = config_of(3, widths);
  vise_i_net net;
  cr_assert_eq(vise_i_net_make(&config, &net, NULL), VISE_OK);
  cr_assert_eq(net.n_tensors, 4);
  cr_assert_eq(net.n_params, 5 * 3 + 3 + 3 * 2 + 2);

  const char *names[] = {"0.weight", "0.bias", "2.weight", "2.bias"};
  size_t offset = 0;
  for (size_t i = 0; i < 4; ++i) {
    cr_assert_str_eq(net.tensors[i].name, names[i]);
    cr_assert_eq(net.tensors[i].offset, offset);
    offset += net.tensors[i].n_rows * net.tensors[i].n_cols;
  }
  cr_assert_eq(offset, net.n_params);

  cr_assert_eq(net.tensors[2].n_rows, 2);
  cr_assert_eq(net.tensors[2].n_cols, 3);
  cr_assert_eq(net.blocks[1].weight, 2);
  cr_assert_eq(net.blocks[1].bias, 3);

  config.bias = false;
  cr_assert_eq(vise_i_net_make(&config, &net, NULL), VISE_OK);
  cr_assert_eq(net.n_tensors, 2);
  cr_assert_eq(net.blocks[1].weight, 1);
}

Test(net, impossible_shapes_are_refused) {
  const size_t zero[] = {5, 0, 2}, wide[] = {5, VISE_MAX_WIDTH + 1}, huge[] = {VISE_MAX_WIDTH, VISE_MAX_WIDTH};
  vise_i_net net = {.n_layers = 77};
  vise_error err = VISE_ERROR_INIT;

  vise_net_config config = config_of(3, zero);
  cr_assert_eq(vise_i_net_make(&config, &net, &err), VISE_ERR_SHAPE);
  cr_assert(strstr(err.text, "width 0 at position 1"), "%s", err.text);

  config = config_of(2, wide);
  cr_assert_eq(vise_i_net_make(&config, &net, NULL), VISE_ERR_SHAPE);
  config = config_of(2, huge);
  cr_assert_eq(vise_i_net_make(&config, &net, NULL), VISE_ERR_SHAPE);

  config = config_of(3, zero);
  config.n_layers = VISE_MAX_LAYERS + 1;
  cr_assert_eq(vise_i_net_make(&config, &net, NULL), VISE_ERR_SHAPE);
  config.n_layers = 0;
  cr_assert_eq(vise_i_net_make(&config, &net, NULL), VISE_ERR_SHAPE);

  memset(&config, 0, sizeof config);
  vise_error_clear(&err);
  cr_assert_eq(vise_i_net_make(&config, &net, &err), VISE_ERR_USAGE);
  cr_assert(strstr(err.text, "vise_net_config_init"));
  cr_assert_eq(net.n_layers, 77);
}
