/* --config FILE: a JSON object whose keys are the names of options. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/cli/options.h"
#include "host/cli/parse.h"
#include "host/cli/text_json.h"

/* The text that the command line would have for value, in buffer or in value itself; NULL: there is none. */
static const char *value_text(const vise_i_cli_option *option, const json_t *value, char *buffer, size_t n_bytes) {
  switch (json_typeof(value)) {
    case JSON_STRING:
      return option->type == VISE_I_CLI_FLAG ? NULL : json_string_value(value);
    case JSON_INTEGER:
      (void)snprintf(buffer, n_bytes, "%lld", (long long)json_integer_value(value));
      return option->type == VISE_I_CLI_FLAG ? NULL : buffer;
    case JSON_REAL:
      vise_i_cli_format_real(json_real_value(value), buffer, n_bytes);
      return option->type == VISE_I_CLI_FLAG ? NULL : buffer;
    case JSON_TRUE:
    case JSON_FALSE:
      if (option->type == VISE_I_CLI_FLAG) return json_is_true(value) ? "true" : "false";
      if (option->type == VISE_I_CLI_YES_NO) return json_is_true(value) ? "yes" : "no";
      return NULL;
    case JSON_OBJECT:
    case JSON_ARRAY:
    case JSON_NULL:
      return NULL;
  }
  return NULL;
}

static vise_status set_value(vise_i_cli_options *options, int row, const char *path, const json_t *value,
                             vise_error *err) {
  const vise_i_cli_option *option = &vise_i_cli_table[row];
  const bool is_text = option->type == VISE_I_CLI_TEXT || option->type == VISE_I_CLI_PATH;
  char buffer[64];
  vise_error inner = VISE_ERROR_INIT;
  char *bytes = is_text ? vise_i_cli_text_from_object(value) : NULL;
  const char *text = bytes != NULL ? bytes : value_text(option, value, buffer, sizeof buffer);

  if (text == NULL) {
    const char *wanted = option->type == VISE_I_CLI_FLAG         ? "true or false"
                         : option->flags & VISE_I_CLI_REPEATABLE ? "an array of texts"
                                                                 : "a text or a number";
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "%s: the value of \"%s\" must be %s", path, option->name, wanted);
  }

  vise_status status = vise_i_cli_set(options, row, text, VISE_I_CLI_FROM_FILE, &inner);
  free(bytes);
  if (status != VISE_OK) return vise_i_cli_fail(err, status, "%s: \"%s\": %s", path, option->name, inner.text);
  return VISE_OK;
}

static vise_status set_key(vise_i_cli_options *options, const char *path, const char *key, const json_t *value,
                           vise_error *err) {
  int row = vise_i_cli_find(options->command, key, NULL);
  if (row < 0) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE,
                           "%s: unknown key \"%s\"; keys are the names of vise %s's options without "
                           "the dashes",
                           path, key, vise_i_cli_command_name(options->command));
  }

  const vise_i_cli_option *option = &vise_i_cli_table[row];
  if (strcmp(key, "config") == 0 || strcmp(key, "resume") == 0) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "%s: \"%s\" is for the command line only", path, key);
  }

  if (json_is_null(value)) return VISE_OK; /* not given: config.json has null for what is off */
  if (option->flags & VISE_I_CLI_REPEATABLE && json_is_array(value)) {
    for (size_t i = 0; i < json_array_size(value); i++) {
      vise_status status = set_value(options, row, path, json_array_get(value, i), err);
      if (status != VISE_OK) return status;
    }
    return VISE_OK;
  }

  return set_value(options, row, path, value, err);
}

static vise_status load(const char *path, json_t **out, vise_error *err) {
  /* O_NONBLOCK: opening a FIFO must not wait for a writer; it is refused below. */
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return vise_i_cli_fail(err, VISE_ERR_IO, "%s: cannot be opened: %s", path, strerror(errno));

  struct stat info;
  vise_status status = VISE_OK;
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    status = vise_i_cli_fail(err, VISE_ERR_IO, "%s: is not a regular file; give a file of options in JSON", path);
  } else {
    json_error_t where;
    *out = json_loadfd(fd, JSON_REJECT_DUPLICATES, &where);
    if (*out == NULL) {
      status = vise_i_cli_fail(err, VISE_ERR_FORMAT, "%s:%d:%d: %s", path, where.line, where.column, where.text);
    }
  }

  (void)close(fd);
  return status;
}

vise_status vise_i_cli_config_read(vise_i_cli_options *options, const char *path, vise_error *err) {
  json_t *root = NULL;
  vise_status status = load(path, &root, err);
  if (status != VISE_OK) return status;

  if (!json_is_object(root)) {
    status = vise_i_cli_fail(err, VISE_ERR_FORMAT, "%s: not a JSON object of options", path);
  } else {
    const char *key;
    json_t *value;
    json_object_foreach(root, key, value) {
      status = set_key(options, path, key, value, err);
      if (status != VISE_OK) break;
    }
  }

  json_decref(root);
  return status;
}
