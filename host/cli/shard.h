/* Training with --sync-every: whose rows are whose. */
#ifndef VISE_I_CLI_SHARD_H
#define VISE_I_CLI_SHARD_H

#include "host/cli/options.h"

/* Whether this process is one of several that have tables of their own, or share the rows of one. */
bool vise_i_cli_has_own_data(const vise_i_cli_options *options);
bool vise_i_cli_shares_rows(const vise_i_cli_options *options);

/* Counts of all processes with --own-data are added; they stay where all have one table. */
VISE_WARN_UNUSED vise_status vise_i_cli_shard_count(const vise_i_cli_options *options, size_t *n, vise_error *err);

/* This process's share of the rows of a table, rows[0..n_rows) (NULL: all): by the values of --shard-by, or row i to process
   i modulo their number: those that are kept, in their order. vise_split_clear it. */
VISE_WARN_UNUSED vise_status vise_i_cli_shard_table(const vise_i_cli_options *options, const vise_table *table,
                                                    const size_t *rows, size_t n_rows, vise_split *out,
                                                    vise_error *err);
/* The same of an array, in the place of *train. */
VISE_WARN_UNUSED vise_status vise_i_cli_shard_array(const vise_i_cli_options *options, vise_dataset **train,
                                                    vise_error *err);

/* "{rank}" in the paths of data becomes this process's number, until they are put back. */
enum { VISE_I_CLI_N_DATA_PATHS = 7 };
typedef struct vise_i_cli_own_paths {
  char *made[VISE_I_CLI_N_DATA_PATHS];
  const char *given[VISE_I_CLI_N_DATA_PATHS];
} vise_i_cli_own_paths;
VISE_WARN_UNUSED vise_status vise_i_cli_own_paths_take(vise_i_cli_options *options, vise_i_cli_own_paths *paths,
                                                       vise_error *err);
void vise_i_cli_own_paths_put_back(vise_i_cli_options *options, vise_i_cli_own_paths *paths);

#endif
