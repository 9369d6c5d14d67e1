/* `vise train` and `vise sweep` as one of several processes that mpirun or srun started. The first one speaks; the others
   write nothing to standard output and error. */
#ifndef VISE_I_CLI_RANKS_H
#define VISE_I_CLI_RANKS_H

#include "host/cli/options.h"

/* Refuses a command that one process is for, where a launcher started several: true, and the first has said so. */
bool vise_i_cli_ranks_refuse(unsigned command);

/* Joins the others before the arguments are read; *out stays NULL in a process by itself, or if these ask for help. */
VISE_WARN_UNUSED vise_status vise_i_cli_ranks_open(int argc, char **argv, vise_ranks **out, vise_error *err);
/* What the options say of ranks, and ranks of the options. */
VISE_WARN_UNUSED vise_status vise_i_cli_ranks_use(vise_ranks *ranks, vise_i_cli_options *options, vise_error *err);
/* The same of a sweep: whether its processes can find each other. */
VISE_WARN_UNUSED vise_status vise_i_cli_ranks_use_sweep(vise_ranks *ranks, const vise_i_cli_options *options,
                                                        vise_error *err);
/* From here on this process tells of its own errors. */
void vise_i_cli_ranks_complain(void);
/* Before an error is reported: if the others are lost, this process may speak, whichever it is. */
void vise_i_cli_ranks_speak(const vise_ranks *ranks);
/* Ends it all; returns code. */
int vise_i_cli_ranks_close(vise_ranks *ranks, int code);

#endif
