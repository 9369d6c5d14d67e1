/* The vise tool: picks the command. */
#include <stdio.h>
#include <string.h>

#include "host/cli/cli.h"
#include "host/cli/signals.h"

typedef struct command_row {
  const char *name, *title; /* title: argv[0] of the command, for messages */
  const char *summary;
  int (*run)(int argc, char **argv); /* NULL: comes in a later version */
} command_row;

static const command_row commands[] = {
    {"train", "vise train", "train a model", vise_i_cli_train},
    {"eval", "vise eval", "loss and accuracy of a saved model", vise_i_cli_eval},
    {"predict", "vise predict", "outputs of a saved model, as CSV or NPY", vise_i_cli_predict},
    {"prune", "vise prune", "one-shot weight operations", vise_i_cli_prune},
    {"check", "vise check", "gradient and backend agreement test on this machine", vise_i_cli_check},
    {"info", "vise info", "backends, versions, build options", vise_i_cli_info},
    {"sweep", "vise sweep", "grid or random search with k-fold cross-validation (in a later version)", NULL},
    {"bench", "vise bench", "time the step on this machine", vise_i_cli_bench},
};

static void print_usage(FILE *stream) {
  (void)fprintf(stream, "Usage: vise COMMAND [OPTION...]\nTrains neural nets with hard regularization.\n\n");
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
    (void)fprintf(stream, "  %-8s %s\n", commands[i].name, commands[i].summary);
  }
  (void)fprintf(
      stream,
      "\n'vise COMMAND --help' lists the options of a command; 'vise --version' prints the version.\n"
      "Exit codes: 0 ended as asked; 1 failed after work began; 2 nothing done (usage, input, not available);\n"
      "130 and 143 interrupted, state saved.\n");
}

static int run_command(const command_row *command, int argc, char **argv) {
  if (command->run == NULL) {
    (void)fprintf(stderr, "%s: this command comes in a later version of Vise\n", command->title);
    return VISE_I_CLI_NOTHING_DONE;
  }
  char title[32];
  (void)snprintf(title, sizeof title, "%s", command->title);
  argv[1] = title;
  return command->run(argc - 1, argv + 1);
}

int main(int argc, char **argv) {
  vise_i_cli_signals_prepare();

  if (argc < 2) {
    print_usage(stderr);
    return VISE_I_CLI_NOTHING_DONE;
  }

  const char *word = argv[1];
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
    if (strcmp(word, commands[i].name) == 0) return run_command(&commands[i], argc, argv);
  }

  if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "-?") == 0 || strcmp(word, "help") == 0) {
    print_usage(stdout);
    return 0;
  }
  if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
    (void)printf("vise %s\n", vise_version());
    return 0;
  }

  (void)fprintf(stderr, "vise: unknown %s '%s'\nTry 'vise --help' for the commands.\n",
                word[0] == '-' ? "option" : "command", word);
  return VISE_I_CLI_NOTHING_DONE;
}
