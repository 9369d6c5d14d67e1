/* From argv to options: exact names only, then glibc's argp, then --config or --resume under what was typed. */
#include <argp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/options.h"
#include "host/cli/parse.h"

enum { KEY_OPTION = 0x1000, KEY_NEGATED = 0x2000, HELP_BYTES = 640 };

/* One option as typed. */
typedef struct typed_option {
  int row;
  const char *text; /* borrowed from argv, or "true" / "false" */
} typed_option;

typedef struct typed_list {
  typed_option *items;
  size_t n;
} typed_list;

/* ---- exact names ---------------------------------------------------------------------------------------------- */

static bool is_builtin(const char *name) {
  return strcmp(name, "help") == 0 || strcmp(name, "usage") == 0 || strcmp(name, "version") == 0;
}

/* Edit distance between two short words. */
static size_t word_distance(const char *a, const char *b) {
  size_t row[64];
  size_t n = strlen(b);
  if (n >= sizeof row / sizeof *row || strlen(a) >= 64) return 64;

  for (size_t j = 0; j <= n; j++) row[j] = j;
  for (size_t i = 1; a[i - 1] != '\0'; i++) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= n; j++) {
      size_t best = diagonal + (a[i - 1] != b[j - 1]);
      if (row[j] + 1 < best) best = row[j] + 1;
      if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
      diagonal = row[j];
      row[j] = best;
    }
  }

  return row[n];
}

static vise_status fail_unknown(vise_i_cli_command command, const char *name, vise_error *err) {
  const char *nearest = NULL;
  size_t least = 3; /* a name further away is no help */

  for (size_t i = 0; i < vise_i_cli_table_n; i++) {
    if ((vise_i_cli_table[i].commands & command) == 0) continue;
    size_t distance = word_distance(name, vise_i_cli_table[i].name);
    if (distance < least && 2 * distance < strlen(name)) {
      least = distance;
      nearest = vise_i_cli_table[i].name;
    }
  }

  if (nearest != NULL) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "unknown option --%s; is --%s meant?", name, nearest);
  }
  return vise_i_cli_fail(err, VISE_ERR_USAGE, "unknown option --%s", name);
}

/* argp takes any unambiguous beginning of a name; scripts would then break when options are added. */
static vise_status check_names(vise_i_cli_command command, int argc, char **argv, vise_error *err) {
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--") == 0) break;
    if (strncmp(argv[i], "--", 2) != 0) continue;

    char name[64];
    size_t length = strcspn(argv[i] + 2, "=");
    if (length >= sizeof name) length = sizeof name - 1;
    memcpy(name, argv[i] + 2, length);
    name[length] = '\0';

    bool negated = false;
    if (is_builtin(name)) continue;
    int row = vise_i_cli_find(command, name, &negated);
    if (row < 0) return fail_unknown(command, name, err);
    if (vise_i_cli_table[row].type != VISE_I_CLI_FLAG && strchr(argv[i], '=') == NULL) i++;
  }

  return VISE_OK;
}

/* ---- argp ----------------------------------------------------------------------------------------------------- */

/* Appends to a help text of HELP_BYTES; what does not fit is cut. */
static void append(char *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void append(char *buffer, const char *format, ...) {
  size_t at = strlen(buffer);
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(buffer + at, HELP_BYTES - at, format, arguments);
  va_end(arguments);
}

static void append_default(char *buffer, const vise_i_cli_option *option, const json_t *value) {
  if (json_is_real(value)) {
    char number[40];
    vise_i_cli_format_real(json_real_value(value), number, sizeof number);
    append(buffer, "default %s)", number);
  } else if (json_is_integer(value)) {
    append(buffer, "default %lld)", (long long)json_integer_value(value));
  } else if (json_is_string(value)) {
    append(buffer, "default %s)", json_string_value(value));
  } else {
    append(buffer, "default %s)", strcmp(option->name, "batch") == 0 ? "auto" : "off");
  }
}

/* The help for one row: text, names, default, how to negate it. Files and --layers state their own defaults. */
static void write_help(const vise_i_cli_options *defaults, size_t row, char *buffer) {
  const vise_i_cli_option *option = &vise_i_cli_table[row];
  buffer[0] = '\0';
  append(buffer, "%s", option->help);

  if (option->type == VISE_I_CLI_FLAG) {
    char negated[64];
    vise_i_cli_negated_name(option, negated, sizeof negated);
    append(buffer, " (default no; --%s negates)", negated);
    return;
  }

  bool explains_itself = option->type == VISE_I_CLI_PATH || option->type == VISE_I_CLI_TEXT;
  if (explains_itself || (strcmp(option->name, "layers") == 0 && option->set == vise_i_cli_set_layers)) return;

  append(buffer, " (");
  for (int i = 0; option->names != NULL && option->names->name_at(i) != NULL; i++) {
    const char *name = option->names->name_at(i);
    if (option->names->refused != NULL && strcmp(name, option->names->refused) == 0) continue;
    append(buffer, "%s%s", i == 0 ? "" : ", ", name);
  }
  if (option->names != NULL) append(buffer, "; ");

  json_t *value = vise_i_cli_get(defaults, row);
  append_default(buffer, option, value);
  json_decref(value);
}

/* What argp needs for a command: its options and their texts. */
typedef struct argp_texts {
  struct argp_option options[3 * VISE_I_CLI_MAX_OPTIONS];
  char help[VISE_I_CLI_MAX_OPTIONS][HELP_BYTES];
  char negated[VISE_I_CLI_MAX_OPTIONS][64];
} argp_texts;

static void build_texts(argp_texts *texts, const vise_i_cli_options *defaults) {
  size_t n = 0;
  int heading = 0;

  for (size_t i = 0; i < vise_i_cli_table_n; i++) {
    const vise_i_cli_option *option = &vise_i_cli_table[i];
    if ((option->commands & defaults->command) == 0) continue;

    if (option->group != heading) {
      heading = option->group;
      texts->options[n++] = (struct argp_option){.doc = vise_i_cli_groups[heading], .group = heading};
    }

    write_help(defaults, i, texts->help[i]);
    texts->options[n++] = (struct argp_option){.name = option->name,
                                               .key = KEY_OPTION + (int)i,
                                               .arg = option->argument,
                                               .doc = texts->help[i],
                                               .group = option->group};

    if (option->type == VISE_I_CLI_FLAG) {
      vise_i_cli_negated_name(option, texts->negated[i], sizeof texts->negated[i]);
      texts->options[n++] = (struct argp_option){
          .name = texts->negated[i], .key = KEY_NEGATED + (int)i, .flags = OPTION_HIDDEN, .group = option->group};
    }
  }
}

static error_t collect_option(int key, char *argument, struct argp_state *state) {
  typed_list *list = state->input;
  if (key >= KEY_OPTION && key < KEY_NEGATED + VISE_I_CLI_MAX_OPTIONS) {
    bool negated = key >= KEY_NEGATED;
    typed_option *item = &list->items[list->n++];
    item->row = key - (negated ? KEY_NEGATED : KEY_OPTION);
    item->text = argument != NULL ? argument : negated ? "false" : "true";
    return 0;
  }
  if (key == ARGP_KEY_ARG) argp_error(state, "unexpected argument '%s'; options start with --", argument);
  return ARGP_ERR_UNKNOWN;
}

static const char *command_summary(vise_i_cli_command command) {
  switch (command) {
    case VISE_I_CLI_TRAIN:
      return "Trains a model and, with --out, saves it.\v"
             "An option that is off by default takes the word off too, which undoes what --config says. config.json in "
             "--out has every option as it was resolved, files by their whole path; --config repeats the run.";
    case VISE_I_CLI_EVAL:
      return "Prints loss and accuracy (or RMSE and R^2) of a saved model.";
    case VISE_I_CLI_PREDICT:
      return "Writes the outputs of a saved model as CSV or NPY.";
    case VISE_I_CLI_PRUNE:
      return "Applies a one-shot weight operation to a saved model.";
    case VISE_I_CLI_CHECK:
      return "Compares gradients with differences, and every backend with cpu64, on this machine. Takes train's "
             "options; without --train it makes up a small data set.";
    case VISE_I_CLI_INFO:
      return "Prints backends, versions and build options.";
    case VISE_I_CLI_BENCH:
      return "Times the training step on this machine, verified against cpu64 before it is timed: cases x modes x "
             "precisions, without --case, --grid or --layers the named cases.\v"
             "Times of the device modes are by CUDA events around whole calls; --phases shows where a fused step "
             "spends "
             "its own. Exits with 1 when a verification failed; such a row has no times. What this build or machine "
             "has "
             "not is left out with a note.";
  }
  return "";
}

static void print_version(FILE *stream, struct argp_state *state) {
  (void)state;
  (void)fprintf(stream, "vise %s\n", vise_version());
}

/* Runs argp, which prints help, version and usage errors itself and then exits. */
static vise_status collect(vise_i_cli_options *options, int argc, char **argv, typed_list *list, vise_error *err) {
  argp_texts *texts = calloc(1, sizeof *texts);
  list->items = calloc((size_t)argc, sizeof *list->items);
  if (texts == NULL || list->items == NULL) {
    free(texts);
    return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory");
  }

  build_texts(texts, options);
  argp_err_exit_status = 2;
  argp_program_version_hook = print_version;
  struct argp argp = {.options = texts->options, .parser = collect_option, .doc = command_summary(options->command)};
  error_t failed = argp_parse(&argp, argc, argv, 0, NULL, list);

  free(texts);
  if (failed != 0) return vise_i_cli_fail(err, VISE_ERR_USAGE, "%s", strerror(failed));
  return VISE_OK;
}

/* ---- typed options over a file -------------------------------------------------------------------------------- */

static vise_status apply_typed(vise_i_cli_options *options, const typed_list *list, vise_error *err) {
  for (size_t i = 0; i < list->n; i++) {
    vise_error inner = VISE_ERROR_INIT;
    vise_status status = vise_i_cli_set(options, list->items[i].row, list->items[i].text, VISE_I_CLI_FROM_LINE, &inner);
    if (status != VISE_OK) {
      return vise_i_cli_fail(err, status, "--%s: %s", vise_i_cli_table[list->items[i].row].name, inner.text);
    }
  }
  return VISE_OK;
}

/* The text last typed for this option; NULL if none. */
static const char *typed_text(const vise_i_cli_options *options, const typed_list *list, const char *name) {
  const char *text = NULL;
  int row = vise_i_cli_find(options->command, name, NULL);
  for (size_t i = 0; row >= 0 && i < list->n; i++) {
    if (list->items[i].row == row) text = list->items[i].text;
  }
  return text;
}

static bool moves(vise_schedule kind) {
  return kind == VISE_SCHEDULE_LINEAR || kind == VISE_SCHEDULE_COSINE;
}

/* Refuses typed options that change what the run computes. before: the values of the rows as saved. */
static vise_status check_changes(const vise_i_cli_options *options, const typed_list *list, json_t *const *before,
                                 vise_error *err) {
  const vise_train_config *training = &options->training;
  bool planned =
      moves(training->lr_schedule.kind) || moves(training->clip_schedule.kind) || moves(training->clamp_schedule.kind);

  for (size_t i = 0; i < list->n; i++) {
    int row = list->items[i].row;
    const vise_i_cli_option *option = &vise_i_cli_table[row];
    if (option->change == VISE_I_CLI_FREE || option->change == VISE_I_CLI_PLACE) continue;

    json_t *after = vise_i_cli_get(options, (size_t)row);
    bool same = after != NULL && json_equal(before[row], after);
    json_decref(after);
    if (same) continue;

    if (option->change == VISE_I_CLI_FIXED) {
      return vise_i_cli_fail(err, VISE_ERR_USAGE,
                             "--%s cannot be changed by --resume, which allows changes to limits, "
                             "logging and threads only; start a new run instead",
                             option->name);
    }
    if (planned) {
      return vise_i_cli_fail(err, VISE_ERR_USAGE,
                             "--%s cannot be changed by --resume: under a linear or cosine "
                             "schedule the limits decide every step; start a new run instead",
                             option->name);
    }
  }

  return VISE_OK;
}

static vise_status resume(vise_i_cli_options *options, const typed_list *list, const char *dir, vise_error *err) {
  static const char *const refused[] = {"config", "out", "overwrite", "init"};
  bool training = options->command == VISE_I_CLI_TRAIN;

  for (size_t i = 0; training && i < sizeof refused / sizeof *refused; i++) {
    if (typed_text(options, list, refused[i]) != NULL) {
      return vise_i_cli_fail(err, VISE_ERR_USAGE,
                             "--resume and --%s contradict each other: --resume DIR goes on with "
                             "the run in DIR as it was started",
                             refused[i]);
    }
  }

  char *path = NULL;
  if (asprintf(&path, "%s/config.json", dir) < 0) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory");
  vise_status status = vise_i_cli_config_read(options, path, err);
  free(path);
  if (status != VISE_OK) return status;

  json_t *before[VISE_I_CLI_MAX_OPTIONS] = {NULL};
  for (size_t i = 0; i < vise_i_cli_table_n; i++) {
    if ((vise_i_cli_table[i].commands & options->command) != 0) before[i] = vise_i_cli_get(options, i);
  }

  status = apply_typed(options, list, err);
  if (status == VISE_OK && training) status = check_changes(options, list, before, err);
  for (size_t i = 0; i < vise_i_cli_table_n; i++) json_decref(before[i]);
  return status;
}

vise_status vise_i_cli_parse_arguments(vise_i_cli_options *options, int argc, char **argv, vise_error *err) {
  static char help[] = "--help";
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "-h") == 0) argv[i] = help;
  }

  vise_status status = check_names(options->command, argc, argv, err);
  if (status != VISE_OK) return status;

  typed_list list = {NULL, 0};
  status = collect(options, argc, argv, &list, err);
  if (status == VISE_OK) {
    const char *run = typed_text(options, &list, "resume");
    const char *file = typed_text(options, &list, "config");
    if (run != NULL) {
      status = resume(options, &list, run, err);
    } else {
      if (file != NULL) status = vise_i_cli_config_read(options, file, err);
      if (status == VISE_OK) status = apply_typed(options, &list, err);
    }
  }

  free(list.items);
  return status == VISE_OK ? vise_i_cli_options_finish(options, err) : status;
}
