/* SIGINT and SIGTERM end a run in order; a second one kills at once. */
#ifndef VISE_I_CLI_SIGNALS_H
#define VISE_I_CLI_SIGNALS_H

/* For every command: a file that may not grow further (ulimit -f) is an error of writing it, not the end of the
 * process. */
void vise_i_cli_signals_prepare(void);

/* From now on the first SIGINT or SIGTERM is remembered, and a second one has its default effect. A reader of the notes
   that goes away (SIGPIPE) no longer ends the process. */
void vise_i_cli_signals_install(void);

/* The signal that came; 0: none. */
int vise_i_cli_signal_caught(void);

#endif
