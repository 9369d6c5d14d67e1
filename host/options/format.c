/* Values and ranges as text. */
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/traits.h"
#include "host/options/options.h"

void vise_i_text_add(vise_i_text *text, const char *format, ...) {
  const size_t room = text->n < text->n_bytes ? text->n_bytes - text->n : 0;
  va_list arguments;
  va_start(arguments, format);
  const int n = vsnprintf(room > 0 ? text->buffer + text->n : NULL, room, format, arguments);
  va_end(arguments);
  text->n += n > 0 ? (size_t)n : 0;
}

void vise_i_text_add_real(vise_i_text *text, double value) {
  if (isinf(value)) {
    vise_i_text_add(text, "%s", value < 0 ? "-inf" : "inf");
    return;
  }

  locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0), before = uselocale(c_locale);
  char number[40] = "";
  bool exact = false;
  for (int digits = 1; digits <= 17 && !exact; digits++) {
    snprintf(number, sizeof number, "%.*g", digits, value);
    exact = !(strtod(number, NULL) < value) && !(strtod(number, NULL) > value);
  }
  (void)uselocale(before);
  freelocale(c_locale);

  vise_i_text_add(text, "%s", number);
}

static void add_names(vise_i_text *text, const vise_option *option) {
  const char *separator = "";
  for (size_t i = 0; option->names[i] != NULL; i++) {
    if (option->library_only != NULL && strcmp(option->names[i], option->library_only) == 0) continue;
    vise_i_text_add(text, "%s%s", separator, option->names[i]);
    separator = ", ";
  }
}

/* An end of a range: a whole number with all of its digits. */
static void add_end(vise_i_text *text, const vise_option *option, double value) {
  if (option->type == VISE_OPTION_REAL) {
    vise_i_text_add_real(text, value);
  } else {
    vise_i_text_add(text, "%.0f", value);
  }
}

/* "a number of at least 0 and below 1", "a whole number from 1 to 4096, or auto". */
static void add_numbers(vise_i_text *text, const vise_option *option, const char *kind) {
  const bool open = option->flags & VISE_OPTION_MIN_OPEN, bounded = option->max > 0;
  const bool closed = bounded && !open && !(option->flags & VISE_OPTION_MAX_OPEN);

  vise_i_text_add(text, "%s %s", kind, closed ? "from " : open ? "above " : "of at least ");
  add_end(text, option, option->min);
  if (bounded) {
    vise_i_text_add(text, "%s",
                    closed                                 ? " to "
                    : option->flags & VISE_OPTION_MAX_OPEN ? " and below "
                                                           : " and at most ");
    add_end(text, option, option->max);
  }
}

size_t vise_option_range(const vise_option *option, char *buffer, size_t n_bytes) {
  vise_i_text text = {buffer, buffer != NULL ? n_bytes : 0, 0};
  if (text.n_bytes > 0) buffer[0] = '\0';
  if (option == NULL) return 0;

  switch (option->type) {
    case VISE_OPTION_NAME:
      add_names(&text, option);
      break;
    case VISE_OPTION_REAL:
      add_numbers(&text, option, "a number");
      break;
    case VISE_OPTION_COUNT:
    case VISE_OPTION_INT:
      add_numbers(&text, option, "a whole number");
      break;
    case VISE_OPTION_BYTES:
      add_numbers(&text, option, "a number of bytes");
      break;
    case VISE_OPTION_SWITCHED_REAL:
      vise_i_text_add(&text, "a number");
      break;
    default:
      break;
  }
  if (text.n > 0 && option->word != NULL && option->type != VISE_OPTION_NAME) {
    vise_i_text_add(&text, ", or %s", option->word);
  }
  return text.n;
}

/* ---- values ----------------------------------------------------------------------------------------------------- */

/* Reads the k-th field of a value from a struct. */
typedef struct reading {
  const vise_option *option;
  const char *config;
} reading;

#define READ(type, name)                                             \
  static type name(const reading *r, size_t k) {                     \
    type value;                                                      \
    memcpy(&value, r->config + r->option->offsets[k], sizeof value); \
    return value;                                                    \
  }
READ(bool, bool_at)
READ(double, real_at)
READ(uint64_t, count_at)
READ(int, int_at)
READ(unsigned, name_at)
READ(const char *, text_at)
READ(const void *, pointer_at)
#undef READ

double vise_i_option_real(const vise_option *option, const void *config) {
  const double value = real_at(&(reading){option, config}, 0);
  if (!(option->flags & VISE_OPTION_BY_OPTIMIZER)) return value;

  vise_optimizer optimizer;
  memcpy(&optimizer, (const char *)config + offsetof(vise_train_config, optimizer), sizeof optimizer);
  return vise_i_beta2_of(optimizer, value);
}

static void add_interval(vise_i_text *text, double lo, double hi) {
  vise_i_text_add_real(text, lo);
  vise_i_text_add(text, ":");
  vise_i_text_add_real(text, hi);
}

static void add_list(vise_i_text *text, const reading *r) {
  const void *items = pointer_at(r, 0);
  const size_t n = items == NULL ? 0 : (size_t)count_at(r, 1);
  if (n == 0) vise_i_text_add(text, "%s", r->option->word == NULL ? "" : r->option->word);

  for (size_t i = 0; i < n; i++) {
    if (i > 0) vise_i_text_add(text, ",");
    if (r->option->type == VISE_OPTION_REALS) {
      vise_i_text_add_real(text, ((const double *)items)[i]);
    } else if (r->option->type == VISE_OPTION_SIZES) {
      vise_i_text_add(text, "%zu", ((const size_t *)items)[i]);
    } else if (r->option->type == VISE_OPTION_LAYER_REALS) {
      const vise_layer_bound *bound = &((const vise_layer_bound *)items)[i];
      vise_i_text_add(text, "%zu=", bound->layer);
      vise_i_text_add_real(text, bound->bound);
    } else {
      const vise_layer_clamp *clamp = &((const vise_layer_clamp *)items)[i];
      vise_i_text_add(text, "%zu=", clamp->layer);
      add_interval(text, clamp->lo, clamp->hi);
    }
  }
}

static void add_widths(vise_i_text *text, const reading *r) {
  const size_t n_layers = (size_t)count_at(r, 0);
  const char *widths = r->config + r->option->offsets[1];

  for (size_t i = 0; n_layers > 0 && i <= n_layers && i <= VISE_MAX_LAYERS; i++) {
    size_t width;
    memcpy(&width, widths + i * sizeof width, sizeof width);
    if (i > 0) vise_i_text_add(text, "-");
    if (width == 0) {
      vise_i_text_add(text, "auto");
    } else {
      vise_i_text_add(text, "%zu", width);
    }
  }
}

static void add_moment(vise_i_text *text, const reading *r) {
  const unsigned at = name_at(r, 0);
  const unsigned long long when = count_at(r, 1);
  if (name_at(r, 2) == VISE_WEIGHT_OP_NONE || (at != VISE_AT_EVERY && when == 0)) {
    vise_i_text_add(text, "%s", r->option->word);
  } else if (at == VISE_AT_EVERY) {
    vise_i_text_add(text, "every");
  } else {
    vise_i_text_add(text, "%s:%llu", at == VISE_AT_STEP ? "step" : "epoch", when);
  }
}

/* In the largest unit that leaves a whole number. */
static void add_seconds(vise_i_text *text, double seconds) {
  const char *unit = "hms";
  while (unit[1] != '\0' && fmod(seconds, vise_i_unit_seconds(*unit)) > 0) unit++;

  const double n = seconds / vise_i_unit_seconds(*unit);
  if (n < 1e15 && !(fmod(n, 1) > 0)) {
    vise_i_text_add(text, "%.0f", n);
  } else {
    vise_i_text_add_real(text, n);
  }
  vise_i_text_add(text, "%c", *unit);
}

static void add_cadence(vise_i_text *text, const reading *r) {
  if (count_at(r, 0) > 0) {
    vise_i_text_add(text, "%llu", (unsigned long long)count_at(r, 0));
  } else if (bool_at(r, 2)) {
    vise_i_text_add(text, "epoch");
  } else if (real_at(r, 1) > 0) {
    add_seconds(text, real_at(r, 1));
  } else {
    vise_i_text_add(text, "%s", r->option->word);
  }
}

static bool is_word(const reading *r) {
  if (r->option->word == NULL) return false;

  switch (r->option->type) {
    case VISE_OPTION_REAL:
      return !(r->option->flags & VISE_OPTION_BY_OPTIMIZER) && !(real_at(r, 0) > 0) && !(real_at(r, 0) < 0);
    case VISE_OPTION_COUNT:
    case VISE_OPTION_BYTES:
      return count_at(r, 0) == 0;
    case VISE_OPTION_INT:
      return int_at(r, 0) == 0;
    case VISE_OPTION_TEXT:
    case VISE_OPTION_PATH:
      return r->option->default_value != NULL && text_at(r, 0) == NULL;
    case VISE_OPTION_SWITCHED_REAL:
    case VISE_OPTION_INTERVAL:
      return !bool_at(r, 0);
    default:
      return false;
  }
}

static void add_value(vise_i_text *text, const reading *r) {
  const vise_option *option = r->option;

  switch (option->type) {
    case VISE_OPTION_FLAG:
    case VISE_OPTION_YES_NO:
      vise_i_text_add(text, "%s", bool_at(r, 0) != ((option->flags & VISE_OPTION_INVERTED) != 0) ? "yes" : "no");
      break;
    case VISE_OPTION_REAL:
      vise_i_text_add_real(text, vise_i_option_real(option, r->config));
      break;
    case VISE_OPTION_COUNT:
    case VISE_OPTION_BYTES:
      vise_i_text_add(text, "%llu", (unsigned long long)count_at(r, 0));
      break;
    case VISE_OPTION_INT:
      vise_i_text_add(text, "%d", int_at(r, 0));
      break;
    case VISE_OPTION_NAME:
      for (unsigned i = 0; option->names[i] != NULL; i++) {
        if (i == name_at(r, 0)) vise_i_text_add(text, "%s", option->names[i]);
      }
      break;
    case VISE_OPTION_TEXT:
    case VISE_OPTION_PATH:
      vise_i_text_add(text, "%s", text_at(r, 0) == NULL ? "" : text_at(r, 0));
      break;
    case VISE_OPTION_SWITCHED_REAL:
      vise_i_text_add_real(text, real_at(r, 1));
      break;
    case VISE_OPTION_INTERVAL:
      add_interval(text, real_at(r, 1), real_at(r, 2));
      break;
    case VISE_OPTION_WIDTHS:
      add_widths(text, r);
      break;
    case VISE_OPTION_REALS:
    case VISE_OPTION_SIZES:
    case VISE_OPTION_LAYER_INTERVALS:
    case VISE_OPTION_LAYER_REALS:
      add_list(text, r);
      break;
    case VISE_OPTION_MOMENT:
      add_moment(text, r);
      break;
    case VISE_OPTION_CADENCE:
      add_cadence(text, r);
      break;
  }
}

size_t vise_option_text(const vise_option *option, const void *config, char *buffer, size_t n_bytes) {
  vise_i_text text = {buffer, buffer != NULL ? n_bytes : 0, 0};
  if (text.n_bytes > 0) buffer[0] = '\0';
  if (option == NULL || config == NULL || !vise_i_option_is_within(option, config)) return 0;

  const reading r = {option, config};
  if (is_word(&r)) {
    vise_i_text_add(&text, "%s", option->word);
  } else {
    add_value(&text, &r);
  }
  return text.n;
}
