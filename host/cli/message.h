/* Errors: making them, and saying in the words of the command line what the library says in those of its structs. */
#ifndef VISE_I_CLI_MESSAGE_H
#define VISE_I_CLI_MESSAGE_H

#include <stddef.h>

#include "vise/status.h"

/* Writes code and text to err unless it holds an error already; returns code. */
vise_status vise_i_cli_fail(vise_error *err, vise_status code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Of options, by their names without dashes: one that is nothing without another, two that cannot be together. */
vise_status vise_i_cli_fail_needs(const char *option, const char *needed, vise_error *err);
vise_status vise_i_cli_fail_both(const char *a, const char *b, const char *why, vise_error *err);

/* How an option is written. */
typedef enum vise_i_cli_form { VISE_I_CLI_AS_OPTION, VISE_I_CLI_AS_KEY } vise_i_cli_form; /* --lr, "lr" */

/* Copies text to buffer with every field or option in backquotes (`clip_norm`) written in this form; what no option is
   called, and what does not fit, stays as it is. */
void vise_i_cli_translate(const char *text, vise_i_cli_form form, char *buffer, size_t n_bytes);

#endif
