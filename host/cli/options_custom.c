/* The options whose values are not one plain number, text or name. */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/options.h"
#include "host/cli/parse.h"

static json_t *range_json(double lo, double hi) {
  char low[40], high[40];
  vise_i_cli_format_real(lo, low, sizeof low);
  vise_i_cli_format_real(hi, high, sizeof high);
  return json_sprintf("%s:%s", low, high);
}

/* ---- --layers ---- */

vise_status vise_i_cli_set_layers(vise_i_cli_options *options, const char *text, vise_error *err) {
  return vise_i_cli_parse_layers(text, VISE_MAX_LAYERS + 1, options->widths, &options->n_widths, err);
}

json_t *vise_i_cli_get_layers(const vise_i_cli_options *options) {
  if (options->n_widths == 0) return json_null();
  char text[(VISE_MAX_LAYERS + 1) * 24];
  size_t used = 0;
  for (size_t i = 0; i < options->n_widths; i++) {
    const char *separator = i == 0 ? "" : "-";
    int n = options->widths[i] == 0 ? snprintf(text + used, sizeof text - used, "%sauto", separator)
                                    : snprintf(text + used, sizeof text - used, "%s%zu", separator, options->widths[i]);
    used += n > 0 ? (size_t)n : 0;
  }
  return json_string(text);
}

void vise_i_cli_clear_layers(vise_i_cli_options *options) {
  options->n_widths = 0;
}

/* ---- --class-weights ---- */

vise_status vise_i_cli_set_class_weights(vise_i_cli_options *options, const char *text, vise_error *err) {
  double *values = NULL;
  size_t n = 0;
  vise_status status = vise_i_cli_parse_real_list(text, &values, &n, err);
  if (status != VISE_OK) return status;

  for (size_t i = 0; i < n; i++) {
    if (values[i] < 0) {
      free(values);
      return vise_i_cli_fail(err, VISE_ERR_USAGE, "'%s': weight %zu is negative", text, i);
    }
  }

  free(options->class_weights);
  options->class_weights = values;
  options->n_class_weights = n;
  return VISE_OK;
}

json_t *vise_i_cli_get_class_weights(const vise_i_cli_options *options) {
  if (options->n_class_weights == 0) return json_null();
  json_t *text = json_string("");
  for (size_t i = 0; i < options->n_class_weights && text != NULL; i++) {
    char number[40];
    vise_i_cli_format_real(options->class_weights[i], number, sizeof number);
    json_t *longer = json_sprintf("%s%s%s", json_string_value(text), i == 0 ? "" : ",", number);
    json_decref(text);
    text = longer;
  }
  return text;
}

void vise_i_cli_clear_class_weights(vise_i_cli_options *options) {
  free(options->class_weights);
  options->class_weights = NULL;
  options->n_class_weights = 0;
}

/* ---- --clip-value, --clamp ---- */

vise_status vise_i_cli_set_clip_value(vise_i_cli_options *options, const char *text, vise_error *err) {
  vise_train_config *training = &options->training;
  vise_status status = vise_i_cli_parse_range(text, &training->clip_value_lo, &training->clip_value_hi, err);
  if (status == VISE_OK) training->clip_value = true;
  return status;
}

json_t *vise_i_cli_get_clip_value(const vise_i_cli_options *options) {
  const vise_train_config *training = &options->training;
  return training->clip_value ? range_json(training->clip_value_lo, training->clip_value_hi) : json_null();
}

void vise_i_cli_clear_clip_value(vise_i_cli_options *options) {
  options->training.clip_value = false;
}

vise_status vise_i_cli_set_clamp(vise_i_cli_options *options, const char *text, vise_error *err) {
  vise_train_config *training = &options->training;
  vise_status status = vise_i_cli_parse_range(text, &training->clamp_lo, &training->clamp_hi, err);
  if (status == VISE_OK) training->clamp = true;
  return status;
}

json_t *vise_i_cli_get_clamp(const vise_i_cli_options *options) {
  const vise_train_config *training = &options->training;
  return training->clamp ? range_json(training->clamp_lo, training->clamp_hi) : json_null();
}

void vise_i_cli_clear_clamp(vise_i_cli_options *options) {
  options->training.clamp = false;
}

/* ---- --clamp-layer ---- */

vise_status vise_i_cli_set_clamp_layer(vise_i_cli_options *options, const char *text, vise_error *err) {
  const char *equals = strchr(text, '=');
  char layer_text[32];
  uint64_t layer = 0;
  vise_layer_clamp clamp = {0};

  if (equals == NULL || (size_t)(equals - text) >= sizeof layer_text) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "'%s' is not L=LO:HI, as in 0=-0.5:0.5", text);
  }

  memcpy(layer_text, text, (size_t)(equals - text));
  layer_text[equals - text] = '\0';
  vise_status status = vise_i_cli_parse_count(layer_text, &layer, err);
  if (status == VISE_OK) status = vise_i_cli_parse_range(equals + 1, &clamp.lo, &clamp.hi, err);
  if (status != VISE_OK) return status;

  clamp.layer = (size_t)layer;
  for (size_t i = 0; i < options->n_layer_clamps; i++) {
    if (options->layer_clamps[i].layer == clamp.layer) {
      return vise_i_cli_fail(err, VISE_ERR_USAGE, "'%s': layer %zu has bounds already", text, clamp.layer);
    }
  }

  vise_layer_clamp *longer =
      realloc(options->layer_clamps, (options->n_layer_clamps + 1) * sizeof *options->layer_clamps);
  if (longer == NULL) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory");
  options->layer_clamps = longer;
  options->layer_clamps[options->n_layer_clamps++] = clamp;
  return VISE_OK;
}

json_t *vise_i_cli_get_clamp_layer(const vise_i_cli_options *options) {
  json_t *list = json_array();
  for (size_t i = 0; list != NULL && i < options->n_layer_clamps; i++) {
    const vise_layer_clamp *clamp = &options->layer_clamps[i];
    json_t *range = range_json(clamp->lo, clamp->hi);
    json_t *item = range == NULL ? NULL : json_sprintf("%zu=%s", clamp->layer, json_string_value(range));
    json_decref(range);

    if (json_array_append_new(list, item) != 0) {
      json_decref(list);
      return NULL;
    }
  }

  return list;
}

void vise_i_cli_clear_clamp_layer(vise_i_cli_options *options) {
  free(options->layer_clamps);
  options->layer_clamps = NULL;
  options->n_layer_clamps = 0;
}

/* ---- --weight-op-at ---- */

vise_status vise_i_cli_set_weight_op_at(vise_i_cli_options *options, const char *text, vise_error *err) {
  vise_weight_op_timing at = VISE_AT_EVERY;
  uint64_t when = 0;

  if (strcmp(text, "every") != 0) {
    const char *number = strchr(text, ':');
    at = strncmp(text, "step:", 5) == 0 ? VISE_AT_STEP : VISE_AT_EPOCH;
    if (number == NULL || (at == VISE_AT_EPOCH && strncmp(text, "epoch:", 6) != 0)) {
      return vise_i_cli_fail(err, VISE_ERR_USAGE, "'%s' is not step:N, epoch:N or every", text);
    }

    vise_status status = vise_i_cli_parse_count(number + 1, &when, err);
    if (status != VISE_OK) return status;
    if (when == 0) return vise_i_cli_fail(err, VISE_ERR_USAGE, "'%s': steps and epochs are counted from 1", text);
  }

  options->training.weight_op_at = at;
  options->training.weight_op_when = when;
  options->weight_op_at_given = true;
  return VISE_OK;
}

json_t *vise_i_cli_get_weight_op_at(const vise_i_cli_options *options) {
  const vise_train_config *training = &options->training;
  if (!options->weight_op_at_given) return json_null();
  if (training->weight_op_at == VISE_AT_EVERY) return json_string("every");
  return json_sprintf("%s:%llu", training->weight_op_at == VISE_AT_STEP ? "step" : "epoch",
                      (unsigned long long)training->weight_op_when);
}

void vise_i_cli_clear_weight_op_at(vise_i_cli_options *options) {
  options->weight_op_at_given = false;
}

/* ---- --batch ---- */

vise_status vise_i_cli_set_batch(vise_i_cli_options *options, const char *text, vise_error *err) {
  uint64_t rows = 0;
  bool full = strcmp(text, "full") == 0;

  if (!full) {
    vise_error inner = VISE_ERROR_INIT;
    if (vise_i_cli_parse_count(text, &rows, &inner) != VISE_OK || rows == 0) {
      return vise_i_cli_fail(err, VISE_ERR_USAGE, "'%s' is neither a number of rows >= 1 nor full", text);
    }
  }

  options->batch = (size_t)rows;
  options->batch_full = full;
  return VISE_OK;
}

json_t *vise_i_cli_get_batch(const vise_i_cli_options *options) {
  if (options->batch_full) return json_string("full");
  if (options->batch == 0) return json_null();
  if (options->batch > INT64_MAX) return json_sprintf("%zu", options->batch);
  return json_integer((json_int_t)options->batch);
}

void vise_i_cli_clear_batch(vise_i_cli_options *options) {
  options->batch = 0;
  options->batch_full = false;
}

/* ---- --stop-loss ---- */

vise_status vise_i_cli_set_stop_loss(vise_i_cli_options *options, const char *text, vise_error *err) {
  vise_status status = vise_i_cli_parse_real(text, false, &options->training.stop_loss, err);
  if (status == VISE_OK) options->training.stop_loss_on = true;
  return status;
}

json_t *vise_i_cli_get_stop_loss(const vise_i_cli_options *options) {
  return options->training.stop_loss_on ? json_real(options->training.stop_loss) : json_null();
}

void vise_i_cli_clear_stop_loss(vise_i_cli_options *options) {
  options->training.stop_loss_on = false;
}

/* ---- --threads, --device, --device-memory-limit ---- */

vise_status vise_i_cli_set_threads(vise_i_cli_options *options, const char *text, vise_error *err) {
  uint64_t n = 0;
  if (strcmp(text, "auto") != 0) {
    vise_error inner = VISE_ERROR_INIT;
    if (vise_i_cli_parse_count(text, &n, &inner) != VISE_OK || n == 0 || n > 1024) {
      return vise_i_cli_fail(err, VISE_ERR_USAGE, "'%s' is neither a number of threads from 1 to 1024 nor auto", text);
    }
  }
  options->n_threads = n;
  return VISE_OK;
}

json_t *vise_i_cli_get_threads(const vise_i_cli_options *options) {
  return options->n_threads == 0 ? json_string("auto") : json_integer((json_int_t)options->n_threads);
}

void vise_i_cli_clear_threads(vise_i_cli_options *options) {
  options->n_threads = 0;
}

vise_status vise_i_cli_set_device(vise_i_cli_options *options, const char *text, vise_error *err) {
  uint64_t n = 0;
  vise_status status = vise_i_cli_parse_count(text, &n, err);
  if (status != VISE_OK) return status;
  if (n > INT_MAX) return vise_i_cli_fail(err, VISE_ERR_USAGE, "'%s' is too large", text);
  options->training.device = (int)n;
  return VISE_OK;
}

json_t *vise_i_cli_get_device(const vise_i_cli_options *options) {
  return json_integer(options->training.device);
}

void vise_i_cli_clear_device(vise_i_cli_options *options) {
  options->training.device = 0;
}

vise_status vise_i_cli_set_device_memory_limit(vise_i_cli_options *options, const char *text, vise_error *err) {
  static const char suffixes[] = "KMG";
  char digits[32];
  uint64_t n = 0;
  const size_t length = strlen(text);
  const char *suffix = length > 1 ? strchr(suffixes, text[length - 1]) : NULL;
  const unsigned shift = suffix != NULL ? 10 * (unsigned)(suffix - suffixes + 1) : 0;
  const size_t n_digits = length - (suffix != NULL);
  vise_error inner = VISE_ERROR_INIT;

  if (n_digits >= sizeof digits) return vise_i_cli_fail(err, VISE_ERR_USAGE, "'%s' is too large", text);
  memcpy(digits, text, n_digits);
  digits[n_digits] = '\0';

  if (vise_i_cli_parse_count(digits, &n, &inner) != VISE_OK || n == 0) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "'%s' is not a number of bytes above 0, as in 1000000, 500M or 8G",
                           text);
  }

  if (n > (uint64_t)SIZE_MAX >> shift) return vise_i_cli_fail(err, VISE_ERR_USAGE, "'%s' is too large", text);
  options->training.device_memory_limit = (size_t)(n << shift);
  return VISE_OK;
}

json_t *vise_i_cli_get_device_memory_limit(const vise_i_cli_options *options) {
  const size_t limit = options->training.device_memory_limit;
  return limit == 0 ? json_null() : json_integer((json_int_t)limit);
}

void vise_i_cli_clear_device_memory_limit(vise_i_cli_options *options) {
  options->training.device_memory_limit = 0;
}

/* ---- prune's --layers ---- */

vise_status vise_i_cli_set_op_layers(vise_i_cli_options *options, const char *text, vise_error *err) {
  size_t *layers = NULL, n = 0;
  vise_status status = vise_i_cli_parse_size_list(text, &layers, &n, err);
  if (status != VISE_OK) return status;
  free(options->op_layers);
  options->op_layers = layers;
  options->n_op_layers = n;
  return VISE_OK;
}

json_t *vise_i_cli_get_op_layers(const vise_i_cli_options *options) {
  return options->n_op_layers == 0 ? json_string("all") : json_sprintf("%zu layers", options->n_op_layers);
}

void vise_i_cli_clear_op_layers(vise_i_cli_options *options) {
  free(options->op_layers);
  options->op_layers = NULL;
  options->n_op_layers = 0;
}

/* ---- --checkpoint-every ---- */

typedef struct time_unit {
  char letter;
  double seconds;
} time_unit;
static const time_unit time_units[] = {{'h', 3600}, {'m', 60}, {'s', 1}};
enum { N_TIME_UNITS = sizeof time_units / sizeof *time_units };

/* "30s", "10m" or "2h" in seconds; 0: it is none of these. */
static double parse_seconds(const char *text) {
  char number[32];
  const size_t n = strlen(text);
  double value = 0;
  if (n < 2 || n > sizeof number) return 0;

  memcpy(number, text, n - 1);
  number[n - 1] = '\0';
  for (size_t i = 0; i < N_TIME_UNITS; i++) {
    if (text[n - 1] != time_units[i].letter) continue;
    return vise_i_cli_parse_real(number, false, &value, NULL) == VISE_OK ? value * time_units[i].seconds : 0;
  }
  return 0;
}

vise_status vise_i_cli_set_checkpoint_every(vise_i_cli_options *options, const char *text, vise_error *err) {
  const bool each_epoch = strcmp(text, "epoch") == 0;
  const double seconds = parse_seconds(text);
  uint64_t steps = 0;

  if (!each_epoch && !(seconds > 0)) {
    vise_error inner = VISE_ERROR_INIT;
    if (vise_i_cli_parse_count(text, &steps, &inner) != VISE_OK || steps == 0) {
      return vise_i_cli_fail(err, VISE_ERR_USAGE,
                             "'%s' is not a number of steps >= 1, epoch, off, or a time > 0 as in 30s, 10m or 2h",
                             text);
    }
  }

  options->checkpoint_every = steps;
  options->checkpoint_each_epoch = each_epoch;
  options->checkpoint_seconds = seconds > 0 ? seconds : 0;
  return VISE_OK;
}

json_t *vise_i_cli_get_checkpoint_every(const vise_i_cli_options *options) {
  const double seconds = options->checkpoint_seconds;
  if (options->checkpoint_every > INT64_MAX) return json_sprintf("%llu", (unsigned long long)options->checkpoint_every);
  if (options->checkpoint_every > 0) return json_integer((json_int_t)options->checkpoint_every);
  if (options->checkpoint_each_epoch) return json_string("epoch");
  if (!(seconds > 0)) return json_string("off"); /* null would mean that it was not given */

  char number[40];
  size_t i = 0;
  while (i + 1 < N_TIME_UNITS && fmod(seconds, time_units[i].seconds) != 0) i++;
  const double value = seconds / time_units[i].seconds;
  if (value < 1e15 && floor(value) == value) return json_sprintf("%.0f%c", value, time_units[i].letter);
  vise_i_cli_format_real(value, number, sizeof number);
  return json_sprintf("%s%c", number, time_units[i].letter);
}

void vise_i_cli_clear_checkpoint_every(vise_i_cli_options *options) {
  options->checkpoint_every = 0;
  options->checkpoint_each_epoch = false;
  options->checkpoint_seconds = 0;
}
