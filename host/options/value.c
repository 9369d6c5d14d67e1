/* From text to the fields of a struct. Nothing is written before all of the text has been understood. */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/call.h"
#include "host/base/memory.h"
#include "host/options/options.h"

/* One call of vise_option_set. */
typedef struct setting {
  const vise_option *option;
  char *config;
  void **owned;
  const char *field, *text;
} setting;

/* Memory that a config owns: at most one block for each option. The value's bytes follow. */
typedef struct block {
  struct block *next;
  const vise_option *option;
  double values[]; /* of any type */
} block;

static void write_at(const setting *s, size_t k, const void *value, size_t n_bytes) {
  memcpy(s->config + s->option->offsets[k], value, n_bytes);
}

/* ---- memory ----------------------------------------------------------------------------------------------------- */

static void *pointer_at(const void *config, const vise_option *option) {
  void *pointer;
  memcpy(&pointer, (const char *)config + option->offsets[0], sizeof pointer);
  return pointer;
}

static bool is_list(const vise_option *option) {
  return option->type == VISE_OPTION_REALS || option->type == VISE_OPTION_SIZES ||
         option->type == VISE_OPTION_LAYER_INTERVALS || option->type == VISE_OPTION_LAYER_REALS;
}

/* Points the field at `values` (NULL: none), with n items if it is a list. */
static void point(char *config, const vise_option *option, const void *values, size_t n) {
  memcpy(config + option->offsets[0], &values, sizeof values);
  if (is_list(option)) memcpy(config + option->offsets[1], &n, sizeof n);
}

/* Replaces what this option owned, or only frees that if made is NULL. */
static void own(const setting *s, block *made, size_t n) {
  block *head = *s->owned, **link = &head;
  while (*link != NULL && (*link)->option != s->option) link = &(*link)->next;

  if (*link != NULL) {
    block *old = *link;
    *link = old->next;
    free(old);
  }
  if (made != NULL) {
    made->next = head;
    head = made;
  }
  *s->owned = head;
  point(s->config, s->option, made == NULL ? NULL : made->values, n);
}

static vise_status make_block(const setting *s, size_t n_bytes, block **out, vise_error *err) {
  size_t n;
  if (!vise_i_size_add(sizeof(block), n_bytes, &n)) return vise_i_fail_memory(err, 0, s->option->name);
  const vise_status status = vise_i_alloc_zero(out, n, 1, s->option->name, err);
  if (status == VISE_OK) (*out)->option = s->option;
  return status;
}

void vise_option_clear(void *config, void **owned) {
  if (config == NULL || owned == NULL) return;
  for (block *b = *owned, *next; b != NULL; b = next) {
    next = b->next;
    if (pointer_at(config, b->option) == (void *)b->values) point(config, b->option, NULL, 0);
    free(b);
  }
  *owned = NULL;
}

/* ---- plain values ----------------------------------------------------------------------------------------------- */

static bool is_word(const setting *s) {
  return s->option->word != NULL && strcmp(s->text, s->option->word) == 0;
}

static void write_alike(const setting *s, const void *value, size_t n_bytes) {
  for (size_t k = 0; k < VISE_OPTION_MAX_FIELDS && s->option->offsets[k] != 0; k++) write_at(s, k, value, n_bytes);
}

static vise_status set_flag(const setting *s, vise_error *err) {
  static const char *const words[] = {"no", "yes", "false", "true"};
  for (size_t i = 0; i < 4; i++) {
    if (strcmp(s->text, words[i]) != 0) continue;
    const bool value = (i % 2 == 1) != ((s->option->flags & VISE_OPTION_INVERTED) != 0);
    write_alike(s, &value, sizeof value);
    return VISE_OK;
  }
  return vise_i_fail(err, VISE_ERR_USAGE, "`%s`: '%s' is neither yes nor no", s->field, s->text);
}

/* Where 0 is the default, it is off. */
static bool is_off(const setting *s) {
  const vise_option *option = s->option;
  return option->word == NULL && option->default_value != NULL && strcmp(option->default_value, "0") == 0 &&
         strcmp(s->text, "off") == 0;
}

static vise_status set_real(const setting *s, vise_error *err) {
  double value = s->option->flags & VISE_OPTION_BY_OPTIMIZER ? (double)NAN : 0;
  if (!is_word(s) && !is_off(s)) {
    vise_status status = vise_i_parse_real(s->field, s->text, false, &value, err);
    if (status == VISE_OK) status = vise_i_option_check_number(s->option, s->field, value, s->text, err);
    if (status != VISE_OK) return status;
  }
  write_alike(s, &value, sizeof value);
  return VISE_OK;
}

static vise_status parse_whole(const setting *s, uint64_t *value, vise_error *err) {
  if (is_word(s)) return VISE_OK;
  vise_status status = s->option->type == VISE_OPTION_BYTES ? vise_i_parse_bytes(s->field, s->text, value, err)
                                                            : vise_i_parse_count(s->field, s->text, value, err);
  if (status == VISE_OK) status = vise_i_option_check_number(s->option, s->field, (double)*value, s->text, err);
  return status;
}

static vise_status set_whole(const setting *s, vise_error *err) {
  uint64_t value = 0;
  const vise_status status = parse_whole(s, &value, err);
  if (status != VISE_OK) return status;

  if (s->option->type == VISE_OPTION_INT) {
    if (value > INT_MAX) return vise_i_fail(err, VISE_ERR_USAGE, "`%s`: '%s' is too large", s->field, s->text);
    const int narrow = (int)value;
    write_alike(s, &narrow, sizeof narrow);
  } else {
    write_alike(s, &value, sizeof value);
  }
  return VISE_OK;
}

static vise_status set_name(const setting *s, vise_error *err) {
  for (unsigned i = 0; s->option->names[i] != NULL; i++) {
    if (strcmp(s->text, s->option->names[i]) != 0) continue;
    write_alike(s, &i, sizeof i);
    return VISE_OK;
  }

  char known[256];
  (void)vise_option_range(s->option, known, sizeof known);
  return vise_i_fail(err, VISE_ERR_USAGE, "`%s`: '%s' is unknown; it can be %s", s->field, s->text, known);
}

/* The lines that a repeatable text has so far, and where the next one begins. */
static const char *earlier_lines(const setting *s, size_t *n_bytes) {
  const bool adds = (s->option->flags & VISE_OPTION_REPEATABLE) != 0;
  const char *lines = adds ? pointer_at(s->config, s->option) : NULL;
  *n_bytes = lines != NULL ? strlen(lines) + 1 : 0;
  return lines;
}

static vise_status set_text(const setting *s, vise_error *err) {
  if (is_word(s)) {
    own(s, NULL, 0);
    return VISE_OK;
  }
  if (*s->text == '\0') return vise_i_fail(err, VISE_ERR_USAGE, "`%s`: the value is empty", s->field);

  block *made = NULL;
  size_t n_before = 0;
  const char *before = earlier_lines(s, &n_before);
  const size_t n_bytes = strlen(s->text) + 1;
  const vise_status status = make_block(s, n_before + n_bytes, &made, err);
  if (status != VISE_OK) return status;

  char *text = (char *)made->values;
  if (n_before > 0) {
    memcpy(text, before, n_before);
    text[n_before - 1] = '\n';
  }
  memcpy(text + n_before, s->text, n_bytes);
  own(s, made, 0);
  return VISE_OK;
}

/* ---- values of several fields ----------------------------------------------------------------------------------- */

static vise_status set_switched_real(const setting *s, vise_error *err) {
  double value = 0;
  const bool on = !is_word(s);
  const vise_status status = on ? vise_i_parse_real(s->field, s->text, false, &value, err) : VISE_OK;
  if (status != VISE_OK) return status;
  write_at(s, 0, &on, sizeof on);
  write_at(s, 1, &value, sizeof value);
  return VISE_OK;
}

static vise_status set_interval(const setting *s, vise_error *err) {
  double lo = -(double)INFINITY, hi = (double)INFINITY;
  const bool on = !is_word(s);
  const vise_status status = on ? vise_i_parse_interval(s->field, s->text, &lo, &hi, err) : VISE_OK;
  if (status != VISE_OK) return status;
  write_at(s, 0, &on, sizeof on);
  write_at(s, 1, &lo, sizeof lo);
  write_at(s, 2, &hi, sizeof hi);
  return VISE_OK;
}

static vise_status set_widths(const setting *s, vise_error *err) {
  size_t widths[VISE_MAX_LAYERS + 1], n = 0;
  const vise_status status = vise_i_parse_widths(s->field, s->text, widths, &n, err);
  if (status != VISE_OK) return status;
  const size_t n_layers = n - 1;
  write_at(s, 0, &n_layers, sizeof n_layers);
  write_at(s, 1, widths, n * sizeof *widths);
  return VISE_OK;
}

static vise_status set_moment(const setting *s, vise_error *err) {
  vise_weight_op_timing at = VISE_AT_EPOCH;
  uint64_t when = 0;

  if (strcmp(s->text, "every") == 0) {
    at = VISE_AT_EVERY;
  } else if (!is_word(s)) {
    const char *number = strchr(s->text, ':');
    at = strncmp(s->text, "step:", 5) == 0 ? VISE_AT_STEP : VISE_AT_EPOCH;
    if (number == NULL || (at == VISE_AT_EPOCH && strncmp(s->text, "epoch:", 6) != 0)) {
      return vise_i_fail(err, VISE_ERR_USAGE, "`%s`: '%s' is not step:N, epoch:N or every", s->field, s->text);
    }

    const vise_status status = vise_i_parse_count(s->field, number + 1, &when, err);
    if (status != VISE_OK) return status;
    if (when == 0) {
      return vise_i_fail(err, VISE_ERR_USAGE, "`%s`: '%s': steps and epochs are counted from 1", s->field, s->text);
    }
  }

  write_at(s, 0, &at, sizeof at);
  write_at(s, 1, &when, sizeof when);
  return VISE_OK;
}

static vise_status set_cadence(const setting *s, vise_error *err) {
  vise_i_cadence value = {0};
  const vise_status status = is_word(s) ? VISE_OK : vise_i_parse_cadence(s->field, s->text, &value, err);
  if (status != VISE_OK) return status;
  write_at(s, 0, &value.steps, sizeof value.steps);
  write_at(s, 1, &value.seconds, sizeof value.seconds);
  write_at(s, 2, &value.each_epoch, sizeof value.each_epoch);
  return VISE_OK;
}

/* ---- lists ------------------------------------------------------------------------------------------------------ */

/* A list being read into a block that has room for all of it. */
typedef struct filling {
  const setting *s;
  block *made;
  size_t n;
} filling;

static vise_status add_real(void *user, const char *item, vise_error *err) {
  filling *f = user;
  double *value = f->made->values + f->n;
  const vise_status status = vise_i_parse_real(f->s->field, item, false, value, err);
  if (status != VISE_OK) return status;
  if (*value < 0) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`%s`: '%s': number %zu is negative", f->s->field, f->s->text, f->n);
  }
  f->n++;
  return VISE_OK;
}

static vise_status add_size(void *user, const char *item, vise_error *err) {
  filling *f = user;
  return vise_i_parse_count(f->s->field, item, (uint64_t *)(void *)f->made->values + f->n++, err);
}

/* "L=" before a value; *rest receives what follows. like: what the whole would look like. */
static vise_status read_layer(const filling *f, const char *item, const char *like, size_t *layer, const char **rest,
                              vise_error *err) {
  const char *equals = strchr(item, '=');
  char text[32];
  uint64_t read = 0;

  if (equals == NULL || (size_t)(equals - item) >= sizeof text) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`%s`: '%s' is not %s", f->s->field, item, like);
  }
  memcpy(text, item, (size_t)(equals - item));
  text[equals - item] = '\0';

  const vise_status status = vise_i_parse_count(f->s->field, text, &read, err);
  *layer = (size_t)read;
  *rest = equals + 1;
  return status;
}

static vise_status refuse_twice(const filling *f, const char *item, size_t layer, vise_error *err) {
  return vise_i_fail(err, VISE_ERR_USAGE, "`%s`: '%s': layer %zu has bounds already", f->s->field, item, layer);
}

static vise_status add_layer_interval(void *user, const char *item, vise_error *err) {
  filling *f = user;
  vise_layer_clamp *clamps = (vise_layer_clamp *)(void *)f->made->values, *clamp = &clamps[f->n];
  const char *rest = NULL;

  vise_status status = read_layer(f, item, "L=LO:HI, as in 0=-0.5:0.5", &clamp->layer, &rest, err);
  if (status == VISE_OK) status = vise_i_parse_interval(f->s->field, rest, &clamp->lo, &clamp->hi, err);
  if (status != VISE_OK) return status;

  for (size_t i = 0; i < f->n; i++) {
    if (clamps[i].layer == clamp->layer) return refuse_twice(f, item, clamp->layer, err);
  }
  f->n++;
  return VISE_OK;
}

static vise_status add_layer_real(void *user, const char *item, vise_error *err) {
  filling *f = user;
  vise_layer_bound *bounds = (vise_layer_bound *)(void *)f->made->values, *bound = &bounds[f->n];
  const char *rest = NULL;

  vise_status status = read_layer(f, item, "L=R, as in 0=1.5", &bound->layer, &rest, err);
  if (status == VISE_OK) status = vise_i_parse_real(f->s->field, rest, false, &bound->bound, err);
  if (status != VISE_OK) return status;
  if (!(bound->bound > 0)) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`%s`: '%s': expected a number above 0", f->s->field, item);
  }

  for (size_t i = 0; i < f->n; i++) {
    if (bounds[i].layer == bound->layer) return refuse_twice(f, item, bound->layer, err);
  }
  f->n++;
  return VISE_OK;
}

static vise_status set_list(const setting *s, vise_error *err) {
  static const struct {
    vise_option_type type;
    bool adds;
    size_t bytes;
    vise_status (*add)(void *user, const char *item, vise_error *err);
  } kinds[] = {{VISE_OPTION_REALS, false, sizeof(double), add_real},
               {VISE_OPTION_SIZES, false, sizeof(size_t), add_size},
               {VISE_OPTION_LAYER_INTERVALS, true, sizeof(vise_layer_clamp), add_layer_interval},
               {VISE_OPTION_LAYER_REALS, true, sizeof(vise_layer_bound), add_layer_real}};
  filling f = {.s = s};
  size_t kind = 0;
  while (kinds[kind].type != s->option->type) kind++;
  if (is_word(s)) {
    own(s, NULL, 0);
    return VISE_OK;
  }

  if (kinds[kind].adds) memcpy(&f.n, s->config + s->option->offsets[1], sizeof f.n);
  size_t most = f.n + 1;
  for (const char *c = s->text; *c != '\0'; c++) most += *c == ',';

  vise_status status;
  VISE_TRY(make_block(s, most * kinds[kind].bytes, &f.made, err));
  if (f.n > 0) memcpy(f.made->values, pointer_at(s->config, s->option), f.n * kinds[kind].bytes);
  VISE_TRY(vise_i_parse_list(s->text, ',', &f, kinds[kind].add, err));
  own(s, f.made, f.n);
  f.made = NULL;

done:
  free(f.made);
  return status;
}

/* ---- all of them ------------------------------------------------------------------------------------------------ */

static vise_status set_by_type(const setting *s, vise_error *err) {
  switch (s->option->type) {
    case VISE_OPTION_FLAG:
    case VISE_OPTION_YES_NO:
      return set_flag(s, err);
    case VISE_OPTION_REAL:
      return set_real(s, err);
    case VISE_OPTION_COUNT:
    case VISE_OPTION_INT:
    case VISE_OPTION_BYTES:
      return set_whole(s, err);
    case VISE_OPTION_NAME:
      return set_name(s, err);
    case VISE_OPTION_TEXT:
    case VISE_OPTION_PATH:
      return set_text(s, err);
    case VISE_OPTION_SWITCHED_REAL:
      return set_switched_real(s, err);
    case VISE_OPTION_INTERVAL:
      return set_interval(s, err);
    case VISE_OPTION_WIDTHS:
      return set_widths(s, err);
    case VISE_OPTION_REALS:
    case VISE_OPTION_SIZES:
    case VISE_OPTION_LAYER_INTERVALS:
    case VISE_OPTION_LAYER_REALS:
      return set_list(s, err);
    case VISE_OPTION_MOMENT:
      return set_moment(s, err);
    case VISE_OPTION_CADENCE:
      return set_cadence(s, err);
  }

  return vise_i_fail(err, VISE_ERR_USAGE, "`%s`: unknown type %d", s->option->name, (int)s->option->type);
}

vise_status vise_option_set(const vise_option *option, void *config, void **owned, const char *text, vise_error *err) {
  char field[VISE_I_FIELD_BYTES];
  VISE_ENTER(err, option, config, owned, text);

  const setting s = {option, config, owned, vise_i_option_field(option, 0, field), text};
  if (!vise_i_option_is_within(option, config)) {
    return vise_i_fail(err, VISE_ERR_USAGE,
                       "`%s` lies beyond the caller's struct: build with the headers of this version of Vise", s.field);
  }
  return set_by_type(&s, err);
}
