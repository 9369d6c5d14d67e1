/* config.json: every option that a run was made with, one per line, readable by --config. */
#include <stdio.h>
#include <stdlib.h>

#include "host/cli/options.h"
#include "host/cli/parse.h"

/* Numbers in their shortest exact form, which jansson lacks; everything else as jansson writes it. */
static bool write_value(FILE *stream, const json_t *value) {
  if (json_is_real(value)) {
    char number[40];
    vise_i_cli_format_real(json_real_value(value), number, sizeof number);
    return fputs(number, stream) >= 0;
  }
  char *text = json_dumps(value, JSON_ENCODE_ANY);
  bool written = text != NULL && fputs(text, stream) >= 0;
  free(text);
  return written;
}

static bool write_options(FILE *stream, const vise_i_cli_options *options) {
  const char *separator = "{\n";
  for (size_t i = 0; i < vise_i_cli_table_n; i++) {
    const vise_i_cli_option *option = &vise_i_cli_table[i];
    if ((option->commands & VISE_I_CLI_TRAIN) == 0 || option->change == VISE_I_CLI_PLACE) continue;

    json_t *value = vise_i_cli_get(options, i);
    bool written =
        value != NULL && fprintf(stream, "%s  \"%s\": ", separator, option->name) > 0 && write_value(stream, value);
    json_decref(value);
    if (!written) return false;
    separator = ",\n";
  }

  return fputs("\n}\n", stream) >= 0;
}

vise_status vise_i_cli_config_text(const vise_i_cli_options *options, char **out, vise_error *err) {
  char *text = NULL;
  size_t n_bytes = 0;
  FILE *stream = open_memstream(&text, &n_bytes);

  bool written = stream != NULL && write_options(stream, options);
  if (stream != NULL && fclose(stream) != 0) written = false;
  if (!written) {
    free(text);
    return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for config.json");
  }

  *out = text;
  return VISE_OK;
}
