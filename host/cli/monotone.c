/* --monotone: which features the outputs are to rise or fall with, by their names or places. */
#include "host/cli/monotone.h"

#include <stdlib.h>
#include <string.h>

#include "host/cli/cli.h"

/* One "NAME=+" of the list. */
typedef struct item {
  const char *name;
  size_t n; /* letters of the name */
  int8_t direction;
} item;

static vise_status read_item(const char *text, size_t n, item *out, vise_error *err) {
  const char sign = n > 0 ? text[n - 1] : '\0';
  if (n < 3 || text[n - 2] != '=' || (sign != '+' && sign != '-')) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "--monotone: '%.*s' is not NAME=+ or NAME=-", (int)n, text);
  }
  *out = (item){text, n - 2, sign == '+' ? 1 : -1};
  return VISE_OK;
}

static bool is_place(const item *it, size_t *place) {
  char *end;
  if (it->name[0] < '0' || it->name[0] > '9') return false;
  const unsigned long long read = strtoull(it->name, &end, 10);
  *place = (size_t)read;
  return end == it->name + it->n;
}

static vise_status set_direction(const item *it, size_t input, int8_t *directions, vise_error *err) {
  if (directions[input] != 0) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "--monotone: '%.*s' is there twice", (int)it->n, it->name);
  }
  directions[input] = it->direction;
  return VISE_OK;
}

/* A column of a table by its name, else by its place. */
static vise_status find_column(const vise_preprocessor *preprocessor, const item *it, vise_column_info *out,
                               vise_error *err) {
  size_t place = 0;
  const bool by_place = is_place(it, &place);

  for (int by_name = 1; by_name >= 0; by_name--) {
    for (size_t i = 0; i < vise_preprocessor_n_columns(preprocessor); i++) {
      const vise_status status = vise_preprocessor_column(preprocessor, i, out, err);
      if (status != VISE_OK) return status;
      const bool is_named = out->name != NULL && strlen(out->name) == it->n && strncmp(out->name, it->name, it->n) == 0;
      if (by_name ? is_named : by_place && out->place == place) return VISE_OK;
    }
  }
  return vise_i_cli_fail(err, VISE_ERR_USAGE, "--monotone: the table has no column '%.*s'", (int)it->n, it->name);
}

static vise_status set_column(const vise_preprocessor *preprocessor, const item *it, int8_t *directions,
                              vise_error *err) {
  vise_column_info column;
  const vise_status status = find_column(preprocessor, it, &column, err);
  if (status != VISE_OK) return status;
  if (column.role != VISE_COLUMN_FEATURE) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "--monotone: column '%.*s' is no feature%s%s", (int)it->n, it->name,
                           column.reason != NULL ? ": " : "", column.reason != NULL ? column.reason : "");
  }
  if (column.kind == VISE_COLUMN_TEXT) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "--monotone: column '%.*s' holds text, which has no order", (int)it->n,
                           it->name);
  }
  return set_direction(it, column.first_input, directions, err);
}

static vise_status set_input(size_t n_inputs, const item *it, int8_t *directions, vise_error *err) {
  size_t place = 0;
  if (is_place(it, &place) && place < n_inputs) return set_direction(it, place, directions, err);
  return vise_i_cli_fail(err, VISE_ERR_USAGE,
                         "--monotone: '%.*s' is no feature: those of an array are 0 to %zu, by their places",
                         (int)it->n, it->name, n_inputs - 1);
}

/* The outputs of a softmax pull each other down. */
static vise_status check_loss(const vise_i_cli_options *options, vise_error *err) {
  if (options->training.loss != VISE_LOSS_CROSS_ENTROPY) return VISE_OK;
  return vise_i_cli_fail(err, VISE_ERR_USAGE,
                         "--monotone: not with --loss cross-entropy, whose probabilities of several classes are not "
                         "monotone; for two classes choose --loss bce");
}

vise_status vise_i_cli_make_monotone(const vise_i_cli_options *options, const vise_preprocessor *preprocessor,
                                     vise_model *model, vise_error *err) {
  const size_t n_inputs = vise_model_width(model, 0);
  vise_status status = check_loss(options, err);
  int8_t *directions = calloc(n_inputs, 1);
  if (status == VISE_OK && directions == NULL) {
    status = vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for --monotone");
  }

  for (const char *at = options->monotone; status == VISE_OK && at != NULL;) {
    const char *comma = strchr(at, ',');
    item it = {NULL, 0, 0};
    status = read_item(at, comma != NULL ? (size_t)(comma - at) : strlen(at), &it, err);
    if (status == VISE_OK) {
      status = preprocessor != NULL ? set_column(preprocessor, &it, directions, err)
                                    : set_input(n_inputs, &it, directions, err);
    }
    at = comma != NULL ? comma + 1 : NULL;
  }

  if (status == VISE_OK) status = vise_model_set_monotone(model, directions, n_inputs, err);
  free(directions);
  return status;
}
