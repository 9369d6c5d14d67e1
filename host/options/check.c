/* The ranges of the table, for values from any source: text that is being set, or a struct that a program filled. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "host/options/options.h"

static bool is_in_range(const vise_option *option, double value) {
  const bool above = option->flags & VISE_OPTION_MIN_OPEN ? value > option->min : value >= option->min;
  const bool bounded = option->max > 0;
  const bool below = option->flags & VISE_OPTION_MAX_OPEN ? value < option->max : value <= option->max;
  return isfinite(value) && above && (!bounded || below);
}

vise_status vise_i_option_check_number(const vise_option *option, const char *field, double value, const char *text,
                                       vise_error *err) {
  if (is_in_range(option, value)) return VISE_OK;

  char range[128];
  (void)vise_option_range(option, range, sizeof range);
  return vise_i_fail(err, VISE_ERR_USAGE, "`%s` %s: expected %s", field, text, range);
}

static vise_status check_real(const vise_option *option, const char *field, const void *place, vise_error *err) {
  double value;
  char text[40];
  memcpy(&value, place, sizeof value);
  const bool by_optimizer = option->flags & VISE_OPTION_BY_OPTIMIZER;
  const bool is_word = isnan(value) ? by_optimizer : !by_optimizer && !(value > 0) && !(value < 0);
  if ((option->word != NULL && is_word) || is_in_range(option, value)) return VISE_OK;
  snprintf(text, sizeof text, "%g", value);
  return vise_i_option_check_number(option, field, value, text, err);
}

static vise_status check_count(const vise_option *option, const char *field, const void *place, vise_error *err) {
  uint64_t value;
  char text[24];
  memcpy(&value, place, sizeof value);
  if ((option->word != NULL && value == 0) || is_in_range(option, (double)value)) return VISE_OK;
  snprintf(text, sizeof text, "%" PRIu64, value);
  return vise_i_option_check_number(option, field, (double)value, text, err);
}

static vise_status check_int(const vise_option *option, const char *field, const void *place, vise_error *err) {
  int value;
  char text[24];
  memcpy(&value, place, sizeof value);
  if ((option->word != NULL && value == 0) || is_in_range(option, value)) return VISE_OK;
  snprintf(text, sizeof text, "%d", value);
  return vise_i_option_check_number(option, field, value, text, err);
}

vise_status vise_i_option_check_int(const char *name, int value, vise_error *err) {
  const vise_option *option = vise_option_find(name, NULL);
  char field[VISE_I_FIELD_BYTES];
  return check_int(option, vise_i_option_field(option, 0, field), &value, err);
}

vise_status vise_i_option_check_real(const char *name, double value, vise_error *err) {
  const vise_option *option = vise_option_find(name, NULL);
  char field[VISE_I_FIELD_BYTES];
  return check_real(option, vise_i_option_field(option, 0, field), &value, err);
}

static vise_status check_name(const vise_option *option, const char *field, const void *place, vise_error *err) {
  unsigned value, n = 0;
  memcpy(&value, place, sizeof value);
  while (option->names[n] != NULL) n++;
  if (value < n) return VISE_OK;
  return vise_i_fail(err, VISE_ERR_USAGE, "`%s`: %u is not one of its %u values", field, value, n);
}

static vise_status check_field(const vise_option *option, size_t k, const char *config, vise_error *err) {
  char field[VISE_I_FIELD_BYTES];
  const char *name = vise_i_option_field(option, k, field);
  const void *place = config + option->offsets[k];

  switch (option->type) {
    case VISE_OPTION_REAL:
      return check_real(option, name, place, err);
    case VISE_OPTION_COUNT:
      return check_count(option, name, place, err);
    case VISE_OPTION_INT:
      return check_int(option, name, place, err);
    case VISE_OPTION_NAME:
      return check_name(option, name, place, err);
    default:
      return VISE_OK; /* several fields, whose rules are no ranges */
  }
}

vise_status vise_i_options_check(vise_option_struct of, const void *config, vise_error *err) {
  for (size_t i = 0; i < vise_i_n_options; i++) {
    const vise_option *option = &vise_i_options[i];
    if (option->of != of) continue;

    for (size_t k = 0; k < VISE_OPTION_MAX_FIELDS; k++) {
      if (option->offsets[k] == 0) break;
      const vise_status status = check_field(option, k, config, err);
      if (status != VISE_OK) return status;
    }
  }
  return VISE_OK;
}
