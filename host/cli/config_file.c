/* --config FILE: a JSON object whose keys are the names of options. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/commands.h"
#include "host/cli/json_file.h"
#include "host/cli/message.h"
#include "host/cli/options.h"
#include "host/cli/suggest.h"
#include "host/cli/text_json.h"

enum { REAL_BYTES = 40 };

/* The shortest text that reads back as value. */
static void write_real(double value, char text[REAL_BYTES]) {
  for (int digits = 1; digits <= 17; digits++) {
    (void)snprintf(text, REAL_BYTES, "%.*g", digits, value);
    if (!(strtod(text, NULL) < value) && !(strtod(text, NULL) > value)) break;
  }
}

static vise_status copy(const char *text, char **out) {
  *out = strdup(text);
  return *out != NULL ? VISE_OK : VISE_ERR_MEMORY;
}

/* The text that the command line would have for value, malloc'ed. VISE_ERR_USAGE: there is none. VISE_ERR_MEMORY. */
static vise_status value_text(const vise_option *row, const json_t *value, char **out) {
  const bool is_flag = row->type == VISE_OPTION_FLAG;
  const bool is_text = row->type == VISE_OPTION_TEXT || row->type == VISE_OPTION_PATH;
  char number[REAL_BYTES];
  vise_status status = VISE_ERR_USAGE;

  if (json_is_boolean(value)) {
    const bool fits = is_flag || row->type == VISE_OPTION_YES_NO;
    return fits ? copy(json_is_true(value) ? "yes" : "no", out) : VISE_ERR_USAGE;
  }
  if (is_flag) return VISE_ERR_USAGE;

  switch (json_typeof(value)) {
    case JSON_OBJECT:
      if (is_text) status = vise_i_cli_text_from_json(value, out);
      return status == VISE_ERR_FORMAT ? VISE_ERR_USAGE : status;
    case JSON_STRING:
      return copy(json_string_value(value), out);
    case JSON_INTEGER:
      (void)snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
      return copy(number, out);
    case JSON_REAL:
      write_real(json_real_value(value), number);
      return copy(number, out);
    default:
      return VISE_ERR_USAGE;
  }
}

static vise_status set_value(vise_i_cli_options *options, int i, const char *path, const json_t *value,
                             vise_error *err) {
  const vise_option *row = options->rows[i];
  char *text = NULL;
  const vise_status made = value_text(row, value, &text);
  if (made == VISE_ERR_MEMORY) return vise_i_cli_fail(err, made, "out of memory for the options in %s", path);
  if (made != VISE_OK) {
    const char *wanted = row->type == VISE_OPTION_FLAG                ? "true or false"
                         : (row->flags & VISE_OPTION_REPEATABLE) != 0 ? "an array of texts"
                                                                      : "a text or a number";
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "%s: the value of \"%s\" must be %s", path, row->name, wanted);
  }

  vise_error inner = VISE_ERROR_INIT;
  const vise_status status = vise_i_cli_set(options, i, text, VISE_I_CLI_FROM_FILE, &inner);
  free(text);
  if (status == VISE_OK) return VISE_OK;

  char said[VISE_ERROR_TEXT_BYTES];
  vise_i_cli_translate(inner.text, VISE_I_CLI_AS_KEY, said, sizeof said);
  return vise_i_cli_fail(err, status, "%s: %s", path, said);
}

static vise_status fail_unknown(const vise_i_cli_options *options, const char *path, const char *key, vise_error *err) {
  vise_i_cli_guess guess = {key, NULL, 0};
  for (size_t k = 0; k < options->n_rows; k++) vise_i_cli_suggest(&guess, options->rows[k]->name);

  if (guess.best != NULL) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "%s: unknown key \"%s\"; did you mean \"%s\"?", path, key, guess.best);
  }
  return vise_i_cli_fail(err, VISE_ERR_USAGE,
                         "%s: unknown key \"%s\"; keys are the names of vise %s's options without the dashes", path,
                         key, vise_i_cli_command_of(options->command)->name);
}

static vise_status set_key(vise_i_cli_options *options, const char *path, const char *key, const json_t *value,
                           vise_error *err) {
  const int i = vise_i_cli_find(options, key, NULL);
  if (i < 0) return fail_unknown(options, path, key, err);
  if (strcmp(key, "config") == 0 || strcmp(key, "resume") == 0 || strcmp(key, "join") == 0) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "%s: \"%s\" is for the command line only", path, key);
  }
  if (json_is_null(value)) return VISE_OK; /* not given: config.json has null for what is off */

  if ((options->rows[i]->flags & VISE_OPTION_REPEATABLE) == 0 || !json_is_array(value)) {
    return set_value(options, i, path, value, err);
  }
  for (size_t k = 0; k < json_array_size(value); k++) {
    const vise_status status = set_value(options, i, path, json_array_get(value, k), err);
    if (status != VISE_OK) return status;
  }
  return VISE_OK;
}

vise_status vise_i_cli_config_take(vise_i_cli_options *options, const char *path, const json_t *object,
                                   vise_error *err) {
  const char *key;
  json_t *value;
  if (!json_is_object(object)) return vise_i_cli_fail(err, VISE_ERR_FORMAT, "%s: not a JSON object of options", path);
  json_object_foreach((json_t *)(uintptr_t)object, key, value) {
    const vise_status status = set_key(options, path, key, value, err);
    if (status != VISE_OK) return status;
  }
  return VISE_OK;
}

vise_status vise_i_cli_config_read(vise_i_cli_options *options, const char *path, bool given, vise_error *err) {
  json_t *root = NULL;
  vise_status status = given ? vise_i_cli_json_read_given(path, &root, err) : vise_i_cli_json_read(path, &root, err);
  if (status != VISE_OK) return status;

  /* sweep.json has more than options in it. */
  const json_t *within = json_object_get(root, "options");
  status = vise_i_cli_config_take(options, path, json_is_object(within) ? within : root, err);
  json_decref(root);
  return status;
}
