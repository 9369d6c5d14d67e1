#include "host/cli/help.h"

#include <stdlib.h>
#include <string.h>

#include "host/cli/message.h"

enum { COLUMNS = 80, LABEL_COLUMN = 27, TOPIC_WIDTH = 12, SHORT_COLUMN = 36, DESCRIPTION_BYTES = 1024 };

/* Prints text in words from the column where the cursor is, later lines from `indent`, and ends the line. */
static void print_wrapped(FILE *stream, const char *text, int column, int indent) {
  const char *word = text;
  bool first = true;

  while (*word != '\0') {
    const int length = (int)strcspn(word, " ");
    if (!first && column + 1 + length > COLUMNS) {
      (void)fprintf(stream, "\n%*s", indent, "");
      column = indent;
    } else if (!first) {
      (void)fputc(' ', stream);
      column++;
    }
    (void)fprintf(stream, "%.*s", length, word);
    column += length;
    word += length + strspn(word + length, " ");
    first = false;
  }

  (void)fputc('\n', stream);
}

/* Prints a label after `start` columns and the text after `indent`, on a line of its own if the label is too long. */
static void print_item(FILE *stream, const char *label, const char *text, int start, int indent) {
  const int end = start + (int)strlen(label);
  (void)fprintf(stream, "%s", label);
  if (end + 1 > indent) {
    (void)fprintf(stream, "\n%*s", indent, "");
  } else {
    (void)fprintf(stream, "%*s", indent - end, "");
  }
  print_wrapped(stream, text, indent, indent);
}

void vise_i_cli_label(const vise_option *row, char *buffer, size_t n_bytes) {
  (void)snprintf(buffer, n_bytes, "--%s%s%s", row->name, row->argument == NULL ? "" : " ",
                 row->argument == NULL ? "" : row->argument);
}

void vise_i_cli_default(const vise_option *row, unsigned command, char *buffer, size_t n_bytes) {
  vise_i_cli_options options;
  vise_i_cli_options_init(&options, command);
  char *text = row->flags & VISE_OPTION_BY_OPTIMIZER ? strdup(row->word) : vise_i_cli_text(&options, row);
  (void)snprintf(buffer, n_bytes, "%s", text == NULL ? "" : text);
  free(text);
  vise_i_cli_options_free(&options);
}

/* ", cuda only". */
static void add_backends(FILE *out, const vise_option *row) {
  const char *separator = ", ";
  for (unsigned i = 0; i < vise_backend_count_; i++) {
    if ((row->backends >> i & 1) == 0) continue;
    (void)fprintf(out, "%s%s", separator, vise_backend_name((vise_backend)i));
    separator = " and ";
  }
  if (row->backends != 0) (void)fprintf(out, " only");
}

void vise_i_cli_describe(const vise_option *row, unsigned command, char *buffer, size_t n_bytes) {
  char text[DESCRIPTION_BYTES] = "", range[256], value[256], negated[64];
  FILE *out = fmemopen(text, sizeof text, "w");
  if (out == NULL) return;
  (void)vise_option_range(row, range, sizeof range);
  vise_i_cli_default(row, command, value, sizeof value);
  (void)vise_option_negated_name(row, negated, sizeof negated);

  (void)fputs(row->help, out);
  if (*value != '\0') (void)fputs(" (", out);
  if (*range != '\0') (void)fprintf(out, "%s; ", range);
  if (row->type == VISE_OPTION_FLAG) (void)fprintf(out, "--%s negates; ", negated);
  if (*value != '\0') (void)fprintf(out, "default %s", value);
  add_backends(out, row);
  if (*value != '\0') (void)fputc(')', out);
  if ((row->alias_commands & command) != 0) (void)fprintf(out, "; --%s is the same", row->alias);
  (void)fclose(out);

  vise_i_cli_translate(text, VISE_I_CLI_AS_OPTION, buffer, n_bytes);
}

/* ---- one command ------------------------------------------------------------------------------------------------ */

static void print_examples(FILE *stream, const vise_i_cli_command *command) {
  (void)fprintf(stream, "Usage: vise %s [OPTION...]\n\n", command->name);
  for (size_t i = 0; command->examples[i] != NULL; i++) (void)fprintf(stream, "  %s\n", command->examples[i]);
  (void)fputc('\n', stream);
}

/* A phrase and the default, as much of it as fits in one line. */
static void short_text(const vise_option *row, unsigned command, char *buffer, size_t n_bytes) {
  char phrase[DESCRIPTION_BYTES], value[128], range[128];
  const size_t room = COLUMNS - SHORT_COLUMN;
  vise_i_cli_translate(row->help, VISE_I_CLI_AS_OPTION, phrase, sizeof phrase);
  phrase[strcspn(phrase, ";")] = '\0';
  vise_i_cli_default(row, command, value, sizeof value);
  (void)vise_option_range(row, range, sizeof range);

  if (row->type == VISE_OPTION_NAME && strlen(range) <= room) (void)snprintf(phrase, sizeof phrase, "%s", range);
  const bool tells = row->type != VISE_OPTION_FLAG && *value != '\0' && strcmp(value, "off") != 0;
  if (tells && strlen(phrase) + strlen(value) + 3 <= room) {
    (void)snprintf(buffer, n_bytes, "%s (%s)", phrase, value);
  } else {
    (void)snprintf(buffer, n_bytes, "%s", phrase);
  }
}

static void print_short(FILE *stream, const vise_i_cli_command *command, const vise_option *row, bool begins_topic) {
  char label[80], text[DESCRIPTION_BYTES];
  const char *title = vise_option_topic_title(row->topic);
  vise_i_cli_label(row, label, sizeof label);
  short_text(row, command->bit, text, sizeof text);
  (void)fprintf(stream, "%-*.*s", TOPIC_WIDTH, begins_topic ? (int)strcspn(title, " :") : 0, title);
  print_item(stream, label, text, TOPIC_WIDTH, SHORT_COLUMN);
}

static void print_long(FILE *stream, const vise_i_cli_command *command, const vise_option *row, bool begins_topic) {
  char label[80], text[DESCRIPTION_BYTES];
  vise_i_cli_label(row, label, sizeof label);
  vise_i_cli_describe(row, command->bit, text, sizeof text);
  if (begins_topic) (void)fprintf(stream, "\n%s:\n", vise_option_topic_title(row->topic));
  (void)fputs("  ", stream);
  print_item(stream, label, text, 2, LABEL_COLUMN);
}

/* Whether the kind of the data decides on other defaults than those of the rows. */
static bool has_recipes(const vise_i_cli_command *command) {
  const vise_option *rows[VISE_I_CLI_MAX_OPTIONS];
  const size_t n = vise_i_cli_list_rows(rows);
  for (size_t i = 0; i < n; i++) {
    if ((rows[i]->commands & command->bit) != 0 && strcmp(rows[i]->name, "recipe") == 0) return true;
  }
  return false;
}

void vise_i_cli_help_command(FILE *stream, const vise_i_cli_command *command, bool all) {
  const vise_option *rows[VISE_I_CLI_MAX_OPTIONS];
  const size_t n = vise_i_cli_list_rows(rows);
  char about[DESCRIPTION_BYTES];
  int topic = -1;

  print_examples(stream, command);
  if (all) {
    vise_i_cli_translate(command->about, VISE_I_CLI_AS_OPTION, about, sizeof about);
    print_wrapped(stream, about, 0, 0);
  }

  for (size_t i = 0; i < n; i++) {
    const vise_option *row = rows[i];
    if ((row->commands & command->bit) == 0 || (!all && (row->common & command->bit) == 0)) continue;
    (all ? print_long : print_short)(stream, command, row, (int)row->topic != topic);
    topic = (int)row->topic;
  }

  (void)fprintf(stream, "\n");
  if (!all) (void)fprintf(stream, "vise %s --help-all lists every option, ", command->name);
  if (!all) (void)fprintf(stream, "'vise help OPTION' tells about one.\n");
  if (has_recipes(command)) {
    (void)fprintf(stream, "Defaults are those of arrays; 'vise info --recipes' lists those of tables.\n");
  }
  if (all) (void)fprintf(stream, "--help and --version are options of every command.\n");
}

/* ---- all commands ----------------------------------------------------------------------------------------------- */

void vise_i_cli_help(FILE *stream) {
  (void)fprintf(stream,
                "Usage: vise COMMAND [OPTION...]\n"
                "Trains neural nets with hard regularization.\n\n"
                "  %s\n  vise predict --model run/model.safetensors --data new.csv --out answers.csv\n\n",
                vise_i_cli_commands[0].examples[0]);

  const char *topic = "";
  for (const vise_i_cli_command *command = vise_i_cli_commands; command->name != NULL; command++) {
    const bool begins = strcmp(command->topic, topic) != 0;
    topic = command->topic;
    (void)fprintf(stream, "%-*s%-9s%s\n", TOPIC_WIDTH, begins ? topic : "", command->name, command->summary);
  }

  (void)fprintf(stream,
                "\n'vise help COMMAND' shows the most used options of a command, 'vise COMMAND\n"
                "--help-all' all of them, 'vise help OPTION' one; 'vise --version' the version.\n"
                "Exit codes: 0 ended as asked; 1 failed after work began; 2 nothing done (usage,\n"
                "input, not available); 130 and 143 interrupted, state saved.\n");
}

/* Names of the commands that have a row. */
static void print_takers(FILE *stream, const vise_option *row) {
  const char *separator = "vise ";
  for (const vise_i_cli_command *command = vise_i_cli_commands; command->name != NULL; command++) {
    if ((row->commands & command->bit) == 0) continue;
    (void)fprintf(stream, "%s%s", separator, command->name);
    separator = ", ";
  }
  (void)fprintf(stream, ": ");
}

bool vise_i_cli_help_option(FILE *stream, const char *name) {
  const vise_option *rows[VISE_I_CLI_MAX_OPTIONS];
  const size_t n = vise_i_cli_list_rows(rows);
  bool found = false;

  for (size_t i = 0; i < n; i++) {
    const vise_option *row = rows[i];
    char label[80], text[DESCRIPTION_BYTES], contrary[64];
    (void)vise_option_negated_name(row, contrary, sizeof contrary);
    const bool negated = row->type == VISE_OPTION_FLAG && strcmp(name, contrary) == 0;
    if (strcmp(name, row->name) != 0 && !negated && (row->alias == NULL || strcmp(name, row->alias) != 0)) continue;

    vise_i_cli_label(row, label, sizeof label);
    vise_i_cli_describe(row, row->commands & -row->commands, text, sizeof text);
    print_takers(stream, row);
    (void)fprintf(stream, "%s\n  ", label);
    print_wrapped(stream, text, 2, 2);
    if (row->of != VISE_OPTION_OF_TOOL) (void)fprintf(stream, "  In C: %s\n", row->field);
    found = true;
  }
  return found;
}
