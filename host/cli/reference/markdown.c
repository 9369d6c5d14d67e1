#include <string.h>

#include "host/cli/message.h"
#include "host/cli/reference/reference.h"

/* A cell of a table: a | within it is no border. */
static void put(FILE *stream, const char *text) {
  char translated[2048];
  vise_i_cli_translate(text, VISE_I_CLI_AS_OPTION, translated, sizeof translated);
  for (const char *c = translated; *c != '\0'; c++) {
    if (*c == '|' || *c == '*') (void)fputc('\\', stream);
    (void)fputc(*c, stream);
  }
}

static void put_commands(FILE *stream, const vise_option *row) {
  const char *separator = "";
  for (const vise_i_cli_command *command = vise_i_cli_commands; command->name != NULL; command++) {
    if ((row->commands & command->bit) == 0) continue;
    (void)fprintf(stream, "%s%s", separator, command->name);
    separator = ", ";
  }
}

static void put_row(FILE *stream, const vise_option *row) {
  char value[256], range[256], label[80];
  const bool is_field = row->of != VISE_OPTION_OF_TOOL;
  vise_i_cli_label(row, label, sizeof label);
  vise_i_cli_default(row, row->commands & -row->commands, value, sizeof value);
  (void)vise_option_range(row, range, sizeof range);

  (void)fputs("| `", stream);
  put(stream, label);
  (void)fputs("` | ", stream);
  put(stream, row->help);
  (void)fputs(" | ", stream);
  put(stream, row->type == VISE_OPTION_FLAG ? "yes or no" : range);
  (void)fputs(" | ", stream);
  put(stream, value);
  (void)fputs(" | ", stream);
  put_commands(stream, row);
  (void)fprintf(stream, " | %s%s%s |\n", is_field ? "`" : "", is_field ? row->field : "", is_field ? "`" : "");
}

void vise_i_cli_write_markdown(FILE *stream) {
  const vise_option *rows[VISE_I_CLI_MAX_OPTIONS];
  const size_t n = vise_i_cli_list_rows(rows);
  int topic = -1;

  (void)fputs(
      "# Options\n\n"
      "This file is made from the table of options (`host/options/table.c`, `host/cli/options_table.c`); `./dev docs`\n"
      "writes it anew. On the command line, `--name value` and `--name=value` are the same, `--no-name` negates a "
      "flag,\n"
      "and `off` switches off what has been given by `--config`. In a JSON file for `--config` and in\n"
      "`vise_train_config_set` the names are the same, without the dashes. The last column is the field of\n"
      "`vise_train_config`, `vise_net_config` or `vise_run_config`.\n",
      stream);

  for (size_t i = 0; i < n; i++) {
    if ((int)rows[i]->topic != topic) {
      (void)fprintf(stream, "\n## %s\n\n", vise_option_topic_title(rows[i]->topic));
      (void)fputs("| option | what it does | values | default | commands | in C |\n", stream);
      (void)fputs("| --- | --- | --- | --- | --- | --- |\n", stream);
      topic = (int)rows[i]->topic;
    }
    put_row(stream, rows[i]);
  }
}
