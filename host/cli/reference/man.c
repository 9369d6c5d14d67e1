#include <string.h>

#include "host/cli/message.h"
#include "host/cli/reference/reference.h"

/* Text for roff: a hyphen stays one, a backslash and a leading dot are no commands. */
static void put(FILE *stream, const char *text) {
  if (*text == '.' || *text == '\'') (void)fputs("\\&", stream);
  for (; *text != '\0'; text++) {
    if (*text == '-') {
      (void)fputs("\\-", stream);
    } else if (*text == '\\') {
      (void)fputs("\\e", stream);
    } else {
      (void)fputc(*text, stream);
    }
  }
}

static void put_line(FILE *stream, const char *text) {
  char translated[2048];
  vise_i_cli_translate(text, VISE_I_CLI_AS_OPTION, translated, sizeof translated);
  put(stream, translated);
  (void)fputc('\n', stream);
}

static void put_name(FILE *stream, const vise_i_cli_command *command, const char *separator) {
  (void)fputs("vise", stream);
  if (command == NULL) return;
  put(stream, separator);
  put(stream, command->name);
}

static void put_heading(FILE *stream, const vise_i_cli_command *command) {
  (void)fputs(".TH \"", stream);
  put_name(stream, command, "-");
  (void)fprintf(stream, "\" 1 \"\" \"vise %s\" \"Vise\"\n.SH NAME\n", vise_version());
  put_name(stream, command, "-");
  (void)fputs(" \\- ", stream);
  put_line(stream, command == NULL ? "trains neural nets with hard regularization" : command->summary);
  (void)fputs(".SH SYNOPSIS\n.B ", stream);
  put_name(stream, command, " ");
  (void)fprintf(stream, "%s\n[\\fIOPTION\\fR...]\n", command == NULL ? "\n\\fICOMMAND\\fR" : "");
}

static void put_examples(FILE *stream, const vise_i_cli_command *command) {
  (void)fputs(".nf\n", stream);
  for (size_t i = 0; command->examples[i] != NULL; i++) put_line(stream, command->examples[i]);
  (void)fputs(".fi\n", stream);
}

static void put_option(FILE *stream, const vise_option *row, unsigned command) {
  char text[1024];

  (void)fputs(".TP\n\\fB\\-\\-", stream);
  put(stream, row->name);
  (void)fputs("\\fR", stream);
  if (row->argument != NULL) {
    (void)fputs(" \\fI", stream);
    put(stream, row->argument);
    (void)fputs("\\fR", stream);
  }
  (void)fputc('\n', stream);

  vise_i_cli_describe(row, command, text, sizeof text);
  put_line(stream, text);
}

static void put_options(FILE *stream, const vise_i_cli_command *command) {
  const vise_option *rows[VISE_I_CLI_MAX_OPTIONS];
  const size_t n = vise_i_cli_list_rows(rows);
  int topic = -1;

  (void)fputs(".SH OPTIONS\n", stream);
  for (size_t i = 0; i < n; i++) {
    if ((rows[i]->commands & command->bit) == 0) continue;
    if ((int)rows[i]->topic != topic) (void)fprintf(stream, ".SS %s\n", vise_option_topic_title(rows[i]->topic));
    topic = (int)rows[i]->topic;
    put_option(stream, rows[i], command->bit);
  }
}

static void put_commands(FILE *stream) {
  (void)fputs(".SH COMMANDS\n", stream);
  for (const vise_i_cli_command *command = vise_i_cli_commands; command->name != NULL; command++) {
    (void)fprintf(stream, ".TP\n.BR vise\\-%s (1)\n", command->name);
    put_line(stream, command->summary);
  }
}

static void put_end(FILE *stream, const vise_i_cli_command *command) {
  (void)fputs(
      ".SH EXIT STATUS\n"
      ".TP\n.B 0\nended as asked, any requested stop included\n"
      ".TP\n.B 1\nfailed after work began\n"
      ".TP\n.B 2\nnothing done: usage, input, or not available here\n"
      ".TP\n.BR 130 \", \" 143\ninterrupted, state saved\n"
      ".SH SEE ALSO\n",
      stream);

  if (command != NULL) (void)fputs(".BR vise (1)\n", stream);
  for (const vise_i_cli_command *other = vise_i_cli_commands; command == NULL && other->name != NULL; other++) {
    (void)fprintf(stream, ".BR vise\\-%s (1)%s\n", other->name, other[1].name == NULL ? "" : ",");
  }
}

void vise_i_cli_write_man(FILE *stream, const vise_i_cli_command *command) {
  put_heading(stream, command);
  (void)fputs(".SH DESCRIPTION\n", stream);
  put_line(stream, command == NULL ? "Trains multilayer perceptrons and linear models whose weights stay inside bounds "
                                     "that hold after every step, and uses the models."
                                   : command->about);

  if (command == NULL) {
    put_commands(stream);
  } else {
    (void)fputs(".SH EXAMPLES\n", stream);
    put_examples(stream, command);
    put_options(stream, command);
  }

  put_end(stream, command);
}
