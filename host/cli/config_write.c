/* config.json: every option that a run was made with, one per line, readable by --config. */
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/message.h"
#include "host/cli/options.h"
#include "host/cli/text_json.h"
#include "host/cli/text_stream.h"
#include "host/json/text.h"

/* Texts as jansson escapes them. */
static bool write_text(FILE *stream, const char *text) {
  json_t *json = vise_i_cli_text_to_json(text);
  char *quoted = NULL;
  const bool written = vise_i_json_text(json, JSON_ENCODE_ANY, "config.json", &quoted, NULL, NULL) == VISE_OK &&
                       fputs(quoted, stream) >= 0;
  free(quoted);
  json_decref(json);
  return written;
}

/* Splits text where a repeated option is parted, in place. */
static bool write_array(FILE *stream, const vise_option *row, char *text) {
  const char *between = row->type == VISE_OPTION_TEXT ? "\n" : ",";
  bool written = fputs("[", stream) >= 0;
  const char *separator = "", *item;
  while (written && (item = strsep(&text, between)) != NULL) {
    written = fputs(separator, stream) >= 0 && write_text(stream, item);
    separator = ", ";
  }
  return written && fputs("]", stream) >= 0;
}

/* Whether text is a number for JSON too: jansson's whole numbers are signed. */
static bool is_number(const vise_option *row, const char *text) {
  switch (row->type) {
    case VISE_OPTION_REAL:
    case VISE_OPTION_SWITCHED_REAL:
      return true;
    case VISE_OPTION_COUNT:
    case VISE_OPTION_INT:
    case VISE_OPTION_BYTES:
    case VISE_OPTION_CADENCE:
      return *text >= '0' && strspn(text, "0123456789") == strlen(text) && strtoull(text, NULL, 10) <= INT64_MAX;
    default:
      return false;
  }
}

/* What null stands for: it is read as not given. */
static bool is_null(const vise_option *row, const char *text) {
  const bool off = row->word != NULL && strcmp(row->word, "off") == 0 && strcmp(text, "off") == 0;
  return *text == '\0' || (off && row->type != VISE_OPTION_CADENCE); /* whose default is not off */
}

static bool write_value(FILE *stream, const vise_option *row, char *text) {
  const bool is_off = is_null(row, text);
  if (row->type == VISE_OPTION_FLAG && *text != '\0')
    return fputs(strcmp(text, "yes") == 0 ? "true" : "false", stream) >= 0;
  if ((row->flags & VISE_OPTION_REPEATABLE) != 0) return write_array(stream, row, is_off ? NULL : text);
  if (is_off) return fputs("null", stream) >= 0;
  return is_number(row, text) ? fputs(text, stream) >= 0 : write_text(stream, text);
}

/* What a recipe set stands in the other lines. A scaling that is that of --init's file is not named, since an option would
   replace it. */
static char *text_of(const vise_i_cli_options *options, const vise_option *row) {
  const bool is_kept = (options->keeps_scale && strcmp(row->name, "scale") == 0) ||
                       (options->keeps_scale_target && strcmp(row->name, "scale-target") == 0);
  if (is_kept) return strdup("");
  return strcmp(row->name, "recipe") == 0 ? strdup("none") : vise_i_cli_text(options, row);
}

static bool write_options(FILE *stream, const vise_i_cli_options *options) {
  const char *separator = "{\n";
  for (size_t i = 0; i < options->n_rows; i++) {
    const vise_option *row = options->rows[i];
    if ((row->commands & VISE_COMMAND_TRAIN) == 0 || row->change == VISE_OPTION_LOCAL) continue;

    char *text = text_of(options, row);
    const bool written =
        text != NULL && fprintf(stream, "%s  \"%s\": ", separator, row->name) > 0 && write_value(stream, row, text);
    free(text);
    if (!written) return false;
    separator = ",\n";
  }

  return fputs("\n}\n", stream) >= 0;
}

vise_status vise_i_cli_config_text(const vise_i_cli_options *options, char **out, vise_error *err) {
  vise_i_cli_text_stream text;
  const vise_status status = vise_i_cli_text_begin(&text, "config.json", err);
  if (status != VISE_OK) return status;
  if (!write_options(text.stream, options)) vise_i_cli_text_lacks(text.stream);
  return vise_i_cli_text_end(&text, "config.json", out, NULL, err);
}
