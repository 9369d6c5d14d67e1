#include "host/cli/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/cli/message.h"

/* info --plan takes the options of a training after its own. */
static bool takes(unsigned command, const vise_option *row) {
  const unsigned also = command == VISE_COMMAND_INFO ? VISE_COMMAND_CHECK : 0;
  return (row->commands & (command | also)) != 0;
}

/* The struct that has a row's field, and where that struct keeps what it owns. */
static void *config_of(vise_i_cli_options *options, const vise_option *row, void ***owned) {
  switch (row->of) {
    case VISE_OPTION_OF_TRAIN_CONFIG:
      *owned = &options->training.owned;
      return &options->training;
    case VISE_OPTION_OF_NET_CONFIG:
      *owned = &options->owned; /* it has no lists */
      return &options->net;
    case VISE_OPTION_OF_RUN_CONFIG:
      *owned = &options->run.owned;
      return &options->run;
    case VISE_OPTION_OF_TOOL:
      break;
  }

  *owned = &options->owned;
  return options;
}

static vise_status set_row(vise_i_cli_options *options, const vise_option *row, const char *text, vise_error *err) {
  void **owned = NULL;
  void *config = config_of(options, row, &owned);
  return vise_option_set(row, config, owned, text, err);
}

void vise_i_cli_options_init(vise_i_cli_options *options, unsigned command) {
  const vise_option *rows[VISE_I_CLI_MAX_OPTIONS];
  const size_t n = vise_i_cli_list_rows(rows);
  memset(options, 0, sizeof *options);
  options->struct_size = sizeof *options;
  options->command = command;
  vise_train_config_init(&options->training);
  vise_net_config_init(&options->net);
  vise_run_config_init(&options->run);

  for (size_t i = 0; i < n; i++) {
    const vise_option *row = rows[i];
    if (!takes(command, row)) continue;
    options->rows[options->n_rows++] = row;

    const bool waits = (row->flags & VISE_OPTION_EXPLICIT) != 0;
    const char *text = waits ? row->word : row->of == VISE_OPTION_OF_TOOL ? row->default_value : NULL;
    if (text == NULL) continue;
    const vise_status status = set_row(options, row, text, NULL);
    if (options->begun == VISE_OK) options->begun = status;
  }
  if ((command & (VISE_COMMAND_EVAL | VISE_COMMAND_PREDICT)) != 0) options->training.batch = 0;
}

void vise_i_cli_options_free(vise_i_cli_options *options) {
  vise_train_config_clear(&options->training);
  vise_run_config_clear(&options->run);
  vise_option_clear(options, &options->owned);
}

int vise_i_cli_find(const vise_i_cli_options *options, const char *name, bool *negated) {
  if (negated != NULL) *negated = false;
  for (size_t i = 0; i < options->n_rows; i++) {
    const vise_option *row = options->rows[i];
    const char *older = (row->alias_commands & options->command) != 0 ? row->alias : row->name;
    if (strcmp(row->name, name) == 0 || strcmp(older, name) == 0) return (int)i;

    if (negated != NULL && row->type == VISE_OPTION_FLAG) {
      char contrary[64];
      (void)vise_option_negated_name(row, contrary, sizeof contrary);
      *negated = strcmp(contrary, name) == 0 || (strncmp(name, "no-", 3) == 0 && strcmp(name + 3, older) == 0);
      if (*negated) return (int)i;
    }
  }
  return -1;
}

bool vise_i_cli_given(const vise_i_cli_options *options, const char *name) {
  const int i = vise_i_cli_find(options, name, NULL);
  return i >= 0 && options->source[i] != VISE_I_CLI_DEFAULT;
}

bool vise_i_cli_used(const vise_i_cli_options *options, const char *name) {
  const int i = vise_i_cli_find(options, name, NULL);
  if (i < 0 || options->source[i] == VISE_I_CLI_DEFAULT) return false;

  char text[64], nothing[64];
  vise_train_config defaults;
  const vise_option *row = options->rows[i];
  vise_train_config_init(&defaults);
  (void)vise_option_text(row, &options->training, text, sizeof text);
  (void)vise_option_text(row, &defaults, nothing, sizeof nothing);
  return strcmp(text, row->word != NULL ? row->word : nothing) != 0;
}

vise_status vise_i_cli_set(vise_i_cli_options *options, int i, const char *text, vise_i_cli_source source,
                           vise_error *err) {
  const vise_option *row = options->rows[i];
  if (row->library_only != NULL && strcmp(text, row->library_only) == 0) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "`%s`: '%s' is for programs that use the library", row->name, text);
  }

  const bool is_auto = (row->flags & VISE_OPTION_BY_DATA) != 0 && strcmp(text, "auto") == 0;
  if (is_auto) source = VISE_I_CLI_DEFAULT;

  vise_status status = VISE_OK;
  /* A list on the command line replaces the one in the file instead of adding to it. */
  if ((row->flags & VISE_OPTION_REPEATABLE) != 0 && options->source[i] != source) {
    status = set_row(options, row, row->word, err);
  }
  if (status == VISE_OK) status = set_row(options, row, is_auto ? row->default_value : text, err);
  if (status == VISE_OK) options->source[i] = (unsigned char)source;
  return status;
}

/* The path made absolute, to hold from any folder; as it is where the current one has no name. Takes path over; NULL: out of
   memory. */
static char *absolute(char *path) {
  char *folder = NULL, *whole = NULL;
  if (*path == '/' || *path == '\0') return path;

  folder = getcwd(NULL, 0);
  if (folder == NULL && errno != ENOMEM) return path;
  if (folder == NULL) {
    free(path);
    return NULL;
  }

  if (asprintf(&whole, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder, path) < 0) whole = NULL;
  free(folder);
  free(path);
  return whole;
}

char *vise_i_cli_text(const vise_i_cli_options *options, const vise_option *row) {
  void **owned = NULL;
  /* Which of the structs it is changes nothing in it. */
  const void *config = config_of((vise_i_cli_options *)(uintptr_t)options, row, &owned);
  const size_t n_bytes = vise_option_text(row, config, NULL, 0) + 1;
  char *text = malloc(n_bytes);
  if (text == NULL) return NULL;
  (void)vise_option_text(row, config, text, n_bytes);
  return row->type == VISE_OPTION_PATH && strcmp(text, "-") != 0 ? absolute(text) : text;
}
