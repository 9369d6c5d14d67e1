/* SIGINT and SIGTERM end a run cleanly; a second one kills at once. */
#ifndef VISE_I_CLI_SIGNALS_H
#define VISE_I_CLI_SIGNALS_H

/* For every command: a file at its size limit (ulimit -f) is a write error, not the end of the process. */
void vise_i_cli_signals_prepare(void);

/* From now on the first SIGINT or SIGTERM is remembered, and a second one has its default effect. A pipe whose
   reader has gone (SIGPIPE) no longer ends the process. */
void vise_i_cli_signals_install(void);

/* The signal caught; 0: none. */
int vise_i_cli_signal_caught(void);

#endif
