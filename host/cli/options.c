#include "host/cli/options.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/cli/parse.h"
#include "host/cli/text_json.h"

const char *vise_i_cli_command_name(vise_i_cli_command command) {
  switch (command) {
    case VISE_I_CLI_TRAIN:
      return "train";
    case VISE_I_CLI_EVAL:
      return "eval";
    case VISE_I_CLI_PREDICT:
      return "predict";
    case VISE_I_CLI_PRUNE:
      return "prune";
    case VISE_I_CLI_CHECK:
      return "check";
    case VISE_I_CLI_INFO:
      return "info";
    case VISE_I_CLI_BENCH:
      return "bench";
  }
  return "?";
}

static void *field(vise_i_cli_options *options, const vise_i_cli_option *option) {
  return (char *)options + option->offset;
}

static const void *const_field(const vise_i_cli_options *options, const vise_i_cli_option *option) {
  return (const char *)options + option->offset;
}

void vise_i_cli_options_init(vise_i_cli_options *options, vise_i_cli_command command) {
  memset(options, 0, sizeof *options);
  options->command = command;

  vise_train_config_init(&options->training);
  options->training.weight_op.t = 0;
  options->training.weight_op.fraction = 0;

  options->activation = VISE_RELU;
  options->init_scheme = VISE_INIT_LINEAR;
  options->output = VISE_OUTPUT_RAW;
  options->checkpoint_seconds = 30;
  options->batch = command == VISE_I_CLI_TRAIN || command == VISE_I_CLI_CHECK ? options->training.batch : 0;

  vise_weight_op_init(&options->op);
  options->op.t = 0;
  options->op.fraction = 0;
  options->seconds = options->tolerance = 1;
}

void vise_i_cli_options_free(vise_i_cli_options *options) {
  for (size_t i = 0; i < vise_i_cli_table_n; i++) {
    const vise_i_cli_option *option = &vise_i_cli_table[i];
    if (option->type == VISE_I_CLI_TEXT || option->type == VISE_I_CLI_PATH) {
      char **text = field(options, option);
      free(*text);
      *text = NULL;
    }
  }

  vise_i_cli_clear_class_weights(options);
  vise_i_cli_clear_clamp_layer(options);
  vise_i_cli_clear_op_layers(options);
}

void vise_i_cli_negated_name(const vise_i_cli_option *option, char *buffer, size_t n_bytes) {
  if (strncmp(option->name, "no-", 3) == 0) {
    (void)snprintf(buffer, n_bytes, "%s", option->name + 3);
  } else {
    (void)snprintf(buffer, n_bytes, "no-%s", option->name);
  }
}

int vise_i_cli_find(vise_i_cli_command command, const char *name, bool *negated) {
  for (size_t i = 0; i < vise_i_cli_table_n; i++) {
    const vise_i_cli_option *option = &vise_i_cli_table[i];
    if ((option->commands & command) == 0) continue;

    if (strcmp(option->name, name) == 0) {
      if (negated != NULL) *negated = false;
      return (int)i;
    }

    if (negated != NULL && option->type == VISE_I_CLI_FLAG) {
      char other[64];
      vise_i_cli_negated_name(option, other, sizeof other);
      if (strcmp(other, name) == 0) {
        *negated = true;
        return (int)i;
      }
    }
  }

  return -1;
}

bool vise_i_cli_given(const vise_i_cli_options *options, const char *name) {
  int i = vise_i_cli_find(options->command, name, NULL);
  return i >= 0 && options->source[i] != VISE_I_CLI_DEFAULT;
}

/* "must be > 0 and < 1": the allowed interval in words. */
static vise_status fail_range(const vise_i_cli_option *option, const char *text, vise_error *err) {
  char lower[64], upper[64] = "";
  char number[40];
  vise_i_cli_format_real(option->min, number, sizeof number);
  (void)snprintf(lower, sizeof lower, "%s %s", option->flags & VISE_I_CLI_MIN_OPEN ? ">" : ">=", number);
  if (option->max > 0) {
    vise_i_cli_format_real(option->max, number, sizeof number);
    (void)snprintf(upper, sizeof upper, " and %s %s", option->flags & VISE_I_CLI_MAX_OPEN ? "<" : "<=", number);
  }
  return vise_i_cli_fail(err, VISE_ERR_USAGE, "'%s' must be %s%s%s", text, lower, upper,
                         option->flags & VISE_I_CLI_CAN_BE_OFF ? " (or off)" : "");
}

static bool in_range(const vise_i_cli_option *option, double value) {
  bool above = option->flags & VISE_I_CLI_MIN_OPEN ? value > option->min : value >= option->min;
  bool below = option->max <= 0 || (option->flags & VISE_I_CLI_MAX_OPEN ? value < option->max : value <= option->max);
  return above && below;
}

static vise_status set_number(vise_i_cli_options *options, const vise_i_cli_option *option, const char *text,
                              vise_error *err) {
  double real = 0;
  uint64_t count = 0;
  bool off = option->flags & VISE_I_CLI_CAN_BE_OFF && strcmp(text, "off") == 0;

  if (!off) {
    vise_status status = option->type == VISE_I_CLI_REAL ? vise_i_cli_parse_real(text, false, &real, err)
                                                         : vise_i_cli_parse_count(text, &count, err);
    if (status != VISE_OK) return status;
    if (!in_range(option, option->type == VISE_I_CLI_REAL ? real : (double)count)) {
      return fail_range(option, text, err);
    }
  }

  if (option->type == VISE_I_CLI_REAL) {
    *(double *)field(options, option) = real;
  } else {
    *(uint64_t *)field(options, option) = count;
  }
  return VISE_OK;
}

static vise_status set_text(vise_i_cli_options *options, const vise_i_cli_option *option, const char *text,
                            vise_error *err) {
  if (*text == '\0') return vise_i_cli_fail(err, VISE_ERR_USAGE, "the value is empty");
  char *copy = strdup(text);
  if (copy == NULL) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory");
  char **place = field(options, option);
  free(*place);
  *place = copy;
  return VISE_OK;
}

/* Lists the option's names, except the one that is refused. */
static vise_status fail_name(const vise_i_cli_option *option, const char *text, vise_status status, vise_error *err) {
  char known[256] = "";
  const char *refused = option->names->refused, *name;
  for (int i = 0; (name = option->names->name_at(i)) != NULL; i++) {
    if (refused != NULL && strcmp(name, refused) == 0) continue;
    size_t used = strlen(known);
    (void)snprintf(known + used, sizeof known - used, "%s%s", used > 0 ? ", " : "", name);
  }
  return vise_i_cli_fail(err, status, "'%s' is unknown; it can be %s", text, known);
}

static vise_status set_enum(vise_i_cli_options *options, const vise_i_cli_option *option, const char *text,
                            vise_error *err) {
  if (option->names->refused != NULL && strcmp(text, option->names->refused) == 0) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "'%s' is for programs that use the library", text);
  }
  vise_status status = option->names->parse(text, field(options, option), NULL);
  if (status != VISE_OK) return fail_name(option, text, status, err);
  return VISE_OK;
}

vise_status vise_i_cli_set(vise_i_cli_options *options, int i, const char *text, vise_i_cli_source source,
                           vise_error *err) {
  const vise_i_cli_option *option = &vise_i_cli_table[i];

  /* A list on the command line replaces the one in the file instead of adding to it. */
  if (option->flags & VISE_I_CLI_REPEATABLE && options->source[i] != source) option->clear(options);

  vise_status status = VISE_ERR_INTERNAL;
  switch (option->type) {
    case VISE_I_CLI_FLAG:
      *(bool *)field(options, option) = strcmp(text, "true") == 0;
      status = VISE_OK;
      break;
    case VISE_I_CLI_YES_NO:
      status = vise_i_cli_parse_yes_no(text, field(options, option), err);
      break;
    case VISE_I_CLI_TEXT:
    case VISE_I_CLI_PATH:
      status = set_text(options, option, text, err);
      break;
    case VISE_I_CLI_REAL:
    case VISE_I_CLI_COUNT:
      status = set_number(options, option, text, err);
      break;
    case VISE_I_CLI_ENUM:
      status = set_enum(options, option, text, err);
      break;
    case VISE_I_CLI_CUSTOM:
      if (option->flags & VISE_I_CLI_CAN_BE_OFF && strcmp(text, "off") == 0) {
        option->clear(options);
        status = VISE_OK;
      } else {
        status = option->set(options, text, err);
      }
      break;
  }

  if (status == VISE_OK) options->source[i] = (unsigned char)source;
  return status;
}

/* The path made absolute, to hold from any folder. */
static json_t *path_json(const char *path) {
  if (path == NULL) return json_null();
  if (*path == '/') return vise_i_cli_text_to_json(path);
  char *folder = getcwd(NULL, 0), *whole = NULL;
  if (folder == NULL) return vise_i_cli_text_to_json(path);

  const int n = asprintf(&whole, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder, path);
  json_t *json = n < 0 ? NULL : vise_i_cli_text_to_json(whole);
  if (n >= 0) free(whole);
  free(folder);
  return json;
}

json_t *vise_i_cli_get(const vise_i_cli_options *options, size_t i) {
  const vise_i_cli_option *option = &vise_i_cli_table[i];
  const void *place = const_field(options, option);
  bool can_be_off = option->flags & VISE_I_CLI_CAN_BE_OFF;

  switch (option->type) {
    case VISE_I_CLI_FLAG:
      return json_boolean(*(const bool *)place);
    case VISE_I_CLI_YES_NO:
      return json_string(*(const bool *)place ? "yes" : "no");
    case VISE_I_CLI_TEXT: {
      const char *text = *(char *const *)place;
      return text == NULL ? json_null() : vise_i_cli_text_to_json(text);
    }
    case VISE_I_CLI_PATH:
      return path_json(*(char *const *)place);
    case VISE_I_CLI_REAL: {
      double value = *(const double *)place;
      return can_be_off && !(fabs(value) > 0) ? json_null() : json_real(value);
    }
    case VISE_I_CLI_COUNT: {
      uint64_t value = *(const uint64_t *)place;
      if (can_be_off && value == 0) return json_null();
      if (value <= INT64_MAX) return json_integer((json_int_t)value);
      return json_sprintf("%llu", (unsigned long long)value); /* jansson's integers are signed */
    }
    case VISE_I_CLI_ENUM:
      return json_string(option->names->name(place));
    case VISE_I_CLI_CUSTOM:
      return option->get(options);
  }
  return json_null();
}
