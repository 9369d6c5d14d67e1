/* The vise tool: picks the command. */
#include <stdio.h>
#include <string.h>

#include "host/cli/cli.h"
#include "host/cli/files.h"
#include "host/cli/help.h"
#include "host/cli/ranks.h"
#include "host/cli/signals.h"
#include "host/cli/suggest.h"
#include "host/cli/terminal.h"

typedef struct runner {
  unsigned bit;
  int (*run)(int argc, char **argv);
} runner;

static const runner runners[] = {
    {VISE_COMMAND_TRAIN, vise_i_cli_train},         {VISE_COMMAND_EVAL, vise_i_cli_eval},
    {VISE_COMMAND_PREDICT, vise_i_cli_predict},     {VISE_COMMAND_PRUNE, vise_i_cli_prune},
    {VISE_COMMAND_CHECK, vise_i_cli_check},         {VISE_COMMAND_INFO, vise_i_cli_info},
    {VISE_COMMAND_BENCH, vise_i_cli_bench},         {VISE_COMMAND_SWEEP, vise_i_cli_sweep},
    {VISE_COMMAND_REPORT, vise_i_cli_report_pages}, {VISE_COMMAND_WATCH, vise_i_cli_watch},
    {VISE_COMMAND_CERTIFY, vise_i_cli_certify},     {VISE_COMMAND_EXPORT, vise_i_cli_export},
};

static int run(const vise_i_cli_command *command, int argc, char **argv) {
  const unsigned for_several =
      VISE_COMMAND_TRAIN | VISE_COMMAND_SWEEP | VISE_COMMAND_BENCH | VISE_COMMAND_INFO | VISE_COMMAND_WATCH;
  if ((command->bit & for_several) == 0 && vise_i_cli_ranks_refuse(command->bit)) return VISE_I_CLI_NOTHING_DONE;
  for (size_t i = 0; i < sizeof runners / sizeof *runners; i++) {
    if (runners[i].bit == command->bit) return runners[i].run(argc - 1, argv + 1);
  }
  return VISE_I_CLI_NOTHING_DONE;
}

static int refuse(const char *kind, const char *word, const vise_i_cli_guess *guess) {
  (void)fprintf(stderr, "vise: unknown %s '%s'", kind, word);
  if (guess->best != NULL) (void)fprintf(stderr, "; did you mean '%s'?", guess->best);
  (void)fprintf(stderr, "\nTry 'vise --help' for the commands.\n");
  return VISE_I_CLI_NOTHING_DONE;
}

static vise_i_cli_guess guess_command(const char *word) {
  vise_i_cli_guess guess = {word, NULL, 0};
  for (size_t i = 0; vise_i_cli_commands[i].name != NULL; i++) vise_i_cli_suggest(&guess, vise_i_cli_commands[i].name);
  return guess;
}

/* vise help [COMMAND | OPTION]. */
static int help(const char *word) {
  const vise_i_cli_command *command = word == NULL ? NULL : vise_i_cli_command_named(word);
  const char *option = word != NULL && strncmp(word, "--", 2) == 0 ? word + 2 : word;

  if (word == NULL) {
    vise_i_cli_help(stdout);
  } else if (command != NULL) {
    vise_i_cli_help_command(stdout, command, false);
  } else if (!vise_i_cli_help_option(stdout, option)) {
    const vise_option *rows[VISE_I_CLI_MAX_OPTIONS];
    const size_t n = vise_i_cli_list_rows(rows);
    vise_i_cli_guess guess = guess_command(option);
    for (size_t i = 0; i < n; i++) vise_i_cli_suggest(&guess, rows[i]->name);
    return refuse("command or option", word, &guess);
  }
  return vise_i_cli_end_output(0, 0);
}

int main(int argc, char **argv) {
  vise_i_cli_keep_standard_files();
  vise_i_cli_terminal_begin();
  vise_i_cli_signals_prepare();
  if (argc < 2) {
    vise_i_cli_help(stderr);
    return VISE_I_CLI_NOTHING_DONE;
  }

  const char *word = argv[1];
  const vise_i_cli_command *command = vise_i_cli_command_named(word);
  if (command != NULL) return run(command, argc, argv);
  if (strcmp(word, "help") == 0) return help(argc > 2 ? argv[2] : NULL);
  if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "--help-all") == 0) return help(NULL);
  if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
    (void)printf("vise %s\n", vise_version());
    return vise_i_cli_end_output(0, 0);
  }

  const vise_i_cli_guess guess = guess_command(word);
  return refuse(word[0] == '-' ? "option" : "command", word, &guess);
}
