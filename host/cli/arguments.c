/* From argv to options: exact names only, then --config, --resume or --join under what was typed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/cli.h"
#include "host/cli/help.h"
#include "host/cli/message.h"
#include "host/cli/options.h"
#include "host/cli/suggest.h"

/* One option as typed. */
typedef struct typed_option {
  int row;
  const char *text; /* borrowed from argv, or "yes" / "no" */
} typed_option;

typedef struct typed_list {
  typed_option *items;
  size_t n;
} typed_list;

/* ---- what was typed --------------------------------------------------------------------------------------------- */

static vise_status fail_unknown(const vise_i_cli_options *options, const char *name, vise_error *err) {
  vise_i_cli_guess guess = {name, NULL, 0};
  for (size_t i = 0; i < options->n_rows; i++) vise_i_cli_suggest(&guess, options->rows[i]->name);

  if (guess.best == NULL) return vise_i_cli_fail(err, VISE_ERR_USAGE, "unknown option --%s", name);
  return vise_i_cli_fail(err, VISE_ERR_USAGE, "unknown option --%s; did you mean --%s?", name, guess.best);
}

/* Prints what --help, -h, --help-all and --version ask for, and exits; returns if word is none of them. */
static void answer(unsigned command, const char *word) {
  const bool all = strcmp(word, "--help-all") == 0;
  if (strcmp(word, "--version") == 0) {
    (void)printf("vise %s\n", vise_version());
  } else if (all || strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
    vise_i_cli_help_command(stdout, vise_i_cli_command_of(command), all);
  } else {
    return;
  }
  exit(vise_i_cli_end_output(command, 0));
}

/* Takes "--name", "--name=value" or "--name value" at argv[i]; returns the place after it, or 0 with an error. */
static int take(const vise_i_cli_options *options, char **argv, int i, typed_list *list, vise_error *err) {
  char name[64];
  bool negated = false;
  const char *word = argv[i] + 2, *equals = strchr(word, '=');
  (void)snprintf(name, sizeof name, "%.*s", equals == NULL ? (int)strlen(word) : (int)(equals - word), word);

  const int row = vise_i_cli_find(options, name, &negated);
  if (row < 0) {
    (void)fail_unknown(options, name, err);
    return 0;
  }

  const bool is_flag = options->rows[row]->type == VISE_OPTION_FLAG;
  const char *text = is_flag ? (negated ? "no" : "yes") : equals != NULL ? equals + 1 : argv[i + 1];
  if (is_flag && equals != NULL) {
    (void)vise_i_cli_fail(err, VISE_ERR_USAGE, "--%s takes no value", name);
    return 0;
  }
  if (text == NULL) {
    (void)vise_i_cli_fail(err, VISE_ERR_USAGE, "--%s needs a value: --%s %s", name, name, options->rows[row]->argument);
    return 0;
  }

  list->items[list->n++] = (typed_option){row, text};
  return i + (is_flag || equals != NULL ? 1 : 2);
}

/* The option that a word without dashes is for: vise info MODEL, vise report FOLDER..., vise watch FOLDER; -1: none. */
static int place_of_word(const vise_i_cli_options *options) {
  const bool of_folders = options->command == VISE_COMMAND_REPORT || options->command == VISE_COMMAND_WATCH;
  if (options->command == VISE_COMMAND_INFO) return vise_i_cli_find(options, "model", NULL);
  return of_folders ? vise_i_cli_find(options, "folder", NULL) : -1;
}

static vise_status collect(const vise_i_cli_options *options, int argc, char **argv, typed_list *list,
                           vise_error *err) {
  for (int i = 1; i < argc;) {
    const char *word = argv[i];
    answer(options->command, word);

    const int place = place_of_word(options);
    if (place >= 0 && word[0] != '-') {
      list->items[list->n++] = (typed_option){place, word};
      i++;
      continue;
    }
    if (word[0] != '-' || word[1] == '\0' || strcmp(word, "--") == 0) {
      const char *extra = strcmp(word, "--") == 0 ? argv[i + 1] : word;
      if (extra == NULL) return VISE_OK;
      return vise_i_cli_fail(err, VISE_ERR_USAGE, "unexpected argument '%s'; options start with --", extra);
    }
    if (word[1] != '-') return vise_i_cli_fail(err, VISE_ERR_USAGE, "unknown option %s", word);

    i = take(options, argv, i, list, err);
    if (i == 0) return VISE_ERR_USAGE;
  }
  return VISE_OK;
}

/* ---- typed options over a file -------------------------------------------------------------------------------- */

static vise_status apply_typed(vise_i_cli_options *options, const typed_list *list, vise_error *err) {
  for (size_t i = 0; i < list->n; i++) {
    const vise_status status =
        vise_i_cli_set(options, list->items[i].row, list->items[i].text, VISE_I_CLI_FROM_LINE, err);
    if (status != VISE_OK) return status;
  }
  return VISE_OK;
}

/* The text last typed for this option; NULL if none. */
static const char *typed_text(const vise_i_cli_options *options, const typed_list *list, const char *name) {
  const char *text = NULL;
  const int row = vise_i_cli_find(options, name, NULL);
  for (size_t i = 0; row >= 0 && i < list->n; i++) {
    if (list->items[i].row == row) text = list->items[i].text;
  }
  return text;
}

/* A file of a sweep may lie elsewhere for those that join it: its rows are compared later. */
static bool is_of_rows(const vise_option *option) {
  return option->type == VISE_OPTION_PATH && option->topic == VISE_TOPIC_DATA;
}

/* Refuses typed options that change what the run computes. before: the values of the rows as saved. */
static vise_status check_changes(const vise_i_cli_options *options, const typed_list *list, char *const *before,
                                 vise_error *err) {
  const vise_train_config *training = &options->training;
  const bool sweeps = options->command == VISE_COMMAND_SWEEP; /* whose fits are all to have the same limits */
  const bool joins = typed_text(options, list, "join") != NULL;
  const bool planned =
      sweeps || vise_schedule_ends(training->lr_schedule.kind) || vise_schedule_ends(training->clip_schedule.kind) ||
      vise_schedule_ends(training->clamp_schedule.kind) || vise_schedule_ends(training->row_l1_schedule.kind);

  for (size_t i = 0; i < list->n; i++) {
    const int row = list->items[i].row;
    const vise_option *option = options->rows[row];
    const bool may = option->change == VISE_OPTION_FREE || option->change == VISE_OPTION_LOCAL;
    if (may || (option->change == VISE_OPTION_LIMIT && !planned)) continue;
    if (joins && is_of_rows(option)) continue;

    char *after = vise_i_cli_text(options, option);
    const bool known = after != NULL && before[row] != NULL, same = known && strcmp(before[row], after) == 0;
    free(after);
    if (!known) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for the options");
    if (same) continue;

    if (sweeps) {
      return vise_i_cli_fail(
          err, VISE_ERR_USAGE,
          "--%s cannot be changed by --%s: all fits of a sweep are trained and scored alike; start a new sweep instead",
          option->name, joins ? "join" : "resume");
    }
    if (option->change == VISE_OPTION_FIXED) {
      return vise_i_cli_fail(err, VISE_ERR_USAGE,
                             "--%s cannot be changed by --resume, which allows changes to limits, logging and threads "
                             "only; start a new run instead",
                             option->name);
    }
    return vise_i_cli_fail(err, VISE_ERR_USAGE,
                           "--%s cannot be changed by --resume: under a linear or cosine schedule the limits decide "
                           "every step; start a new run instead",
                           option->name);
  }
  return VISE_OK;
}

/* What contradicts --resume or --join. */
static vise_status check_refused(const vise_i_cli_options *options, const typed_list *list, vise_error *err) {
  static const char *const refused[] = {"config", "out", "overwrite", "init", "resume"};
  const bool joins = typed_text(options, list, "join") != NULL;
  for (size_t i = 0; i < sizeof refused / sizeof *refused - !joins; i++) {
    if (typed_text(options, list, refused[i]) == NULL) continue;
    if (joins) {
      return vise_i_cli_fail(err, VISE_ERR_USAGE,
                             "--join and --%s contradict each other: --join DIR helps with the sweep in DIR as it was "
                             "started",
                             refused[i]);
    }
    return vise_i_cli_fail(err, VISE_ERR_USAGE,
                           "--resume and --%s contradict each other: --resume DIR goes on with the %s in DIR as it "
                           "was started",
                           refused[i], options->command == VISE_COMMAND_SWEEP ? "sweep" : "run");
  }
  return VISE_OK;
}

static vise_status resume(vise_i_cli_options *options, const typed_list *list, const char *dir, vise_error *err) {
  const bool sweeps = options->command == VISE_COMMAND_SWEEP;
  const bool training = options->command == VISE_COMMAND_TRAIN || sweeps;
  const vise_status allowed = training ? check_refused(options, list, err) : VISE_OK;
  if (allowed != VISE_OK) return allowed;

  char *path = NULL, *before[VISE_I_CLI_MAX_OPTIONS] = {NULL};
  if (asprintf(&path, "%s/%s", dir, sweeps ? "sweep.json" : "config.json") < 0)
    return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory");
  vise_status status = vise_i_cli_config_read(options, path, false, err);
  free(path);
  if (status != VISE_OK) return status;

  for (size_t i = 0; i < options->n_rows; i++) before[i] = vise_i_cli_text(options, options->rows[i]);
  status = apply_typed(options, list, err);
  if (status == VISE_OK && training) status = check_changes(options, list, before, err);
  for (size_t i = 0; i < options->n_rows; i++) free(before[i]);
  return status;
}

vise_status vise_i_cli_parse_arguments(vise_i_cli_options *options, int argc, char **argv, vise_error *err) {
  typed_list list = {calloc((size_t)argc, sizeof *list.items), 0};
  if (list.items == NULL) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory");

  vise_status status = collect(options, argc, argv, &list, err);
  if (status == VISE_OK) {
    const char *joined = typed_text(options, &list, "join");
    const char *run = joined != NULL ? joined : typed_text(options, &list, "resume");
    const char *file = typed_text(options, &list, "config");
    if (run != NULL) {
      status = resume(options, &list, run, err);
    } else {
      if (file != NULL) status = vise_i_cli_config_read(options, file, true, err);
      if (status == VISE_OK) status = apply_typed(options, &list, err);
    }
  }

  free(list.items);
  return status == VISE_OK ? vise_i_cli_finish(options, err) : status;
}
