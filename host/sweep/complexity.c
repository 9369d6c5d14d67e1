/* Which of two configurations is more regularised. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/call.h"
#include "host/base/memory.h"
#include "host/base/number.h"
#include "host/base/quote.h"
#include "host/base/struct.h"
#include "host/options/options.h"
#include "host/sweep/directions.h"
#include "host/train/resolve.h"
#include "vise/search.h"

typedef struct key {
  const vise_option *option;
  bool is_max;
} key;

struct vise_complexity {
  size_t n_keys;
  key keys[];
};

/* ---- the list --------------------------------------------------------------------------------------------------- */

/* Whether values of the option have an order. */
static bool is_ordered(const vise_option *option) {
  switch (option->type) {
    case VISE_OPTION_FLAG:
    case VISE_OPTION_YES_NO:
    case VISE_OPTION_REAL:
    case VISE_OPTION_COUNT:
    case VISE_OPTION_INT:
    case VISE_OPTION_SWITCHED_REAL:
    case VISE_OPTION_INTERVAL:
    case VISE_OPTION_WIDTHS:
      return option->of == VISE_OPTION_OF_TRAIN_CONFIG || option->of == VISE_OPTION_OF_NET_CONFIG;
    default:
      return false;
  }
}

static vise_status find_option(const char *name, const vise_option **out, vise_error *err) {
  bool negated = false;
  char quoted[VISE_I_QUOTE_BYTES];
  const vise_option *option = vise_option_find(name, &negated);

  if (option == NULL || negated) {
    return vise_i_fail(err, VISE_ERR_USAGE, "complexity: there is no option '%s'%s%s",
                       vise_i_quote(quoted, name, strlen(name)), negated ? ": write " : "",
                       negated ? option->name : "");
  }
  if (!is_ordered(option)) {
    return vise_i_fail(err, VISE_ERR_USAGE, "complexity: the values of '%s' have no order", option->name);
  }
  *out = option;
  return VISE_OK;
}

/* "NAME", "NAME:max" or "NAME:min"; *item is cut at the colon. */
static vise_status read_key(char *item, key *out, vise_error *err) {
  char quoted[VISE_I_QUOTE_BYTES];
  char *colon = strchr(item, ':');
  if (colon != NULL) *colon = '\0';
  if (*item == '\0') {
    return vise_i_fail(err, VISE_ERR_USAGE,
                       "complexity: a name is empty; expected options, as in l2,clip-norm,batch:min");
  }
  const vise_status status = find_option(item, &out->option, err);
  if (status != VISE_OK) return status;

  const vise_i_direction *known = vise_i_direction_find(out->option->name);
  const char *direction = colon == NULL ? (known == NULL ? "" : known->is_max ? "max" : "min") : colon + 1;
  out->is_max = strcmp(direction, "max") == 0;
  if (out->is_max || strcmp(direction, "min") == 0) return VISE_OK;

  if (colon == NULL) {
    return vise_i_fail(err, VISE_ERR_USAGE,
                       "complexity: are larger or smaller values of '%s' more regularised? Write "
                       "%s:max or %s:min",
                       out->option->name, out->option->name, out->option->name);
  }
  return vise_i_fail(err, VISE_ERR_USAGE, "complexity: '%s' after '%s': expected max or min",
                     vise_i_quote(quoted, direction, strlen(direction)), out->option->name);
}

static vise_status add_key(vise_complexity *complexity, key added, vise_error *err) {
  for (size_t i = 0; i < complexity->n_keys; i++) {
    if (complexity->keys[i].option != added.option) continue;
    return vise_i_fail(err, VISE_ERR_USAGE, "complexity: '%s' is there twice", added.option->name);
  }
  complexity->keys[complexity->n_keys++] = added;
  return VISE_OK;
}

static vise_status read_list(char *list, vise_complexity *complexity, vise_error *err) {
  for (char *item = list, *next; item != NULL; item = next) {
    key read = {.option = NULL};
    next = strchr(item, ',');
    if (next != NULL) *next++ = '\0';

    vise_status status = read_key(item, &read, err);
    if (status == VISE_OK) status = add_key(complexity, read, err);
    if (status != VISE_OK) return status;
  }
  return VISE_OK;
}

static void add_defaults(vise_complexity *complexity) {
  for (size_t i = 0; i < vise_i_n_directions; i++) {
    const vise_i_direction *known = &vise_i_directions[i];
    if (!known->by_default) continue;
    complexity->keys[complexity->n_keys++] = (key){vise_option_find(known->name, NULL), known->is_max};
  }
}

vise_status vise_complexity_parse(const char *list, vise_complexity **out, vise_error *err) {
  vise_complexity *made = NULL;
  char *own = NULL;
  size_t n = vise_i_n_directions;
  vise_status status;
  VISE_ENTER(err, out);
  for (const char *c = list; c != NULL && *c != '\0'; c++) n += *c == ',';

  VISE_TRY(vise_i_alloc_zero(&made, 1, sizeof *made + (n + 1) * sizeof *made->keys, "an order of options", err));
  if (list == NULL) {
    add_defaults(made);
  } else {
    VISE_TRY(vise_i_copy_text(&own, list, err));
    VISE_TRY(read_list(own, made, err));
  }
  *out = made;
  made = NULL;

done:
  free(own);
  free(made);
  return status;
}

void vise_complexity_free(vise_complexity *complexity) {
  free(complexity);
}

size_t vise_complexity_n_keys(const vise_complexity *complexity) {
  return complexity == NULL ? 0 : complexity->n_keys;
}

const char *vise_complexity_name(const vise_complexity *complexity, size_t i) {
  return complexity == NULL || i >= complexity->n_keys ? NULL : complexity->keys[i].option->name;
}

bool vise_complexity_is_max(const vise_complexity *complexity, size_t i) {
  return complexity != NULL && i < complexity->n_keys && complexity->keys[i].is_max;
}

/* ---- keys ------------------------------------------------------------------------------------------------------- */

/* The configurations that are being compared, over this version's defaults. */
typedef struct subject {
  vise_train_config train;
  vise_net_config net;
  double k2, k1;
} subject;

static vise_status take(subject *s, const vise_train_config *train, const vise_net_config *net, size_t n_rows,
                        vise_error *err) {
  vise_train_config_init(&s->train);
  vise_net_config_init(&s->net);
  vise_status status = vise_i_config_take(&s->train, sizeof s->train, train, "vise_train_config", err);
  if (status == VISE_OK) status = vise_i_config_take(&s->net, sizeof s->net, net, "vise_net_config", err);
  if (status != VISE_OK) return status;

  if (s->train.penalty_convention == VISE_OVER_M && (s->train.l2 > 0 || s->train.l1 > 0) && n_rows == 0) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`penalty_convention` over_m needs the number of rows trained on, n_rows");
  }
  if (s->net.n_layers > VISE_MAX_LAYERS) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`n_layers` %zu: at most %d", s->net.n_layers, VISE_MAX_LAYERS);
  }
  vise_i_resolve_penalties(&s->train, n_rows, &s->k2, &s->k1);
  return VISE_OK;
}

static double extent(bool on, double lo, double hi) {
  return on ? fmax(fabs(lo), fabs(hi)) : INFINITY;
}

/* The largest over the layers; a net without any is one layer, as in a linear model. */
static double clamp_extent(const subject *s) {
  double largest = 0;
  for (size_t layer = 0; layer < s->net.n_layers || layer == 0; layer++) {
    double here = extent(s->train.clamp, s->train.clamp_lo, s->train.clamp_hi);
    for (size_t i = 0; i < s->train.n_layer_clamps; i++) {
      const vise_layer_clamp *clamp = &s->train.layer_clamps[i];
      if (clamp->layer == layer) here = extent(true, clamp->lo, clamp->hi);
    }
    largest = fmax(largest, here);
  }
  return largest;
}

static double n_weights(const vise_net_config *net) {
  double n = 0;
  for (size_t layer = 0; layer < net->n_layers; layer++) {
    n += fmax((double)net->widths[layer], 1) * fmax((double)net->widths[layer + 1], 1);
  }
  return n;
}

/* The value of an option by its text; NaN for a word that amounts to no number. */
static double value_by_text(const subject *s, const vise_option *option) {
  const void *config = option->of == VISE_OPTION_OF_NET_CONFIG ? (const void *)&s->net : &s->train;
  const vise_i_direction *known = vise_i_direction_find(option->name);
  char text[128];
  double lo, hi;
  (void)vise_option_text(option, config, text, sizeof text);

  if (strcmp(text, "off") == 0 && known != NULL) return known->off;
  if (strcmp(text, "yes") == 0 || strcmp(text, "no") == 0) return strcmp(text, "yes") == 0;
  if (option->type == VISE_OPTION_INTERVAL) {
    return vise_i_parse_interval(option->name, text, &lo, &hi, NULL) == VISE_OK ? extent(true, lo, hi) : NAN;
  }
  return vise_i_number_parse(text, strlen(text), &lo) == VISE_I_NUMBER ? lo : NAN;
}

static double value_of(const subject *s, const vise_option *option) {
  if (strcmp(option->name, "l2") == 0) return s->k2;
  if (strcmp(option->name, "l1") == 0) return s->k1;
  if (strcmp(option->name, "clamp") == 0) return clamp_extent(s);
  if (option->type == VISE_OPTION_WIDTHS) return n_weights(&s->net);
  return value_by_text(s, option);
}

vise_status vise_complexity_keys(const vise_complexity *complexity, const vise_train_config *config,
                                 const vise_net_config *net, size_t n_rows, double *out, vise_error *err) {
  subject s;
  VISE_ENTER(err, complexity, config, net, out);
  const vise_status status = take(&s, config, net, n_rows, err);
  if (status != VISE_OK) return status;

  for (size_t i = 0; i < complexity->n_keys; i++) {
    const key *k = &complexity->keys[i];
    const double value = value_of(&s, k->option);
    out[i] = isnan(value) ? -INFINITY : k->is_max ? value : -value;
  }
  return VISE_OK;
}
