/* The ranges of a model's inputs, from --inputs or from the rows of --data: for vise certify and vise export. */
#ifndef VISE_I_CLI_INPUT_RANGES_H
#define VISE_I_CLI_INPUT_RANGES_H

#include "host/cli/model_data.h"

typedef struct vise_i_cli_ranges {
  size_t n;
  double *low, *high; /* [n] each, NaN where nothing was said */
  const char *origin; /* borrowed: --data, or NULL */
  vise_dataset *rows; /* those of --data */
} vise_i_cli_ranges;

/* *out is to be cleared on failure too. */
VISE_WARN_UNUSED vise_status vise_i_cli_ranges_read(const vise_i_cli_options *options, const vise_i_cli_model *model,
                                                    vise_i_cli_ranges *out, vise_error *err);
void vise_i_cli_ranges_clear(vise_i_cli_ranges *ranges);

#endif
