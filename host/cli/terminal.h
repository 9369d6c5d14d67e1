/*
 * What is printed may hold texts of others: names of columns, classes and tensors, keys of files, paths. A terminal must
 * not take them for commands of its own, so standard output and standard error become streams that let no control
 * character through but newline and tab: each becomes a question mark, and so does what is not UTF-8.
 */
#ifndef VISE_I_CLI_TERMINAL_H
#define VISE_I_CLI_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

/* Once, before anything is printed. */
void vise_i_cli_terminal_begin(void);

/* The streams as they were: for data that are to stay as they are (but not on a terminal), and for a bar, which is made
   of control characters, on standard output or error. */
FILE *vise_i_cli_data_output(void);
FILE *vise_i_cli_bar_output(int file);

/* Writes JSON (valid, in UTF-8) so that nothing of it is lost: such characters become escapes, \u009b. */
void vise_i_cli_put_json(FILE *stream, const char *json);
/* Whether all that was printed has been written; if not, errno says why, as far as that is known. */
bool vise_i_cli_output_is_written(void);

/* Bytes of a character that is not whole yet. */
typedef struct vise_i_cli_plain {
  unsigned char begun[4];
  size_t n, n_wanted;
} vise_i_cli_plain;

/* Appends the plain form of n bytes to out, which has room for n + 4; returns how many bytes that are. What is begun at
   the end comes with the next call. */
size_t vise_i_cli_plain_text(vise_i_cli_plain *plain, const char *text, size_t n, char *out);

#endif
