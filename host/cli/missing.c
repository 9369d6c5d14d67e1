#include "host/cli/missing.h"

#include "host/cli/message.h"

vise_status vise_i_cli_check_targets(const vise_dataset *dataset, const char *option, vise_error *err) {
  if (vise_dataset_n_targets(dataset) > 0) return VISE_OK;
  return vise_i_cli_fail(err, VISE_ERR_USAGE,
                         "%s: holds features without targets; --%s takes the file of those: class labels 0, 1, 2, ... "
                         "or one-hot rows for cross-entropy, numbers for mse",
                         vise_dataset_name(dataset), option);
}

vise_status vise_i_cli_fail_activation(const char *path, vise_error *err) {
  return vise_i_cli_fail(err, VISE_ERR_USAGE,
                         "%s: the file does not say which activation its hidden layers have, as another program wrote "
                         "it; give --activation (relu, tanh, sigmoid, gelu, ...)",
                         path);
}
