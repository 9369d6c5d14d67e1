/* The three structs of a training: defaults, set, get and clear by name. */
#include <stdio.h>
#include <string.h>

#include "host/base/call.h"
#include "host/base/struct.h"
#include "host/options/options.h"

/* ---- defaults --------------------------------------------------------------------------------------------------- */

void vise_i_options_defaults(vise_option_struct of, void *config) {
  void *none = NULL; /* no default is a list or a text */
  for (size_t i = 0; i < vise_i_n_options; i++) {
    const vise_option *option = &vise_i_options[i];
    if (option->of == of && option->default_value != NULL) {
      (void)!vise_option_set(option, config, &none, option->default_value, NULL);
    }
  }
}

static vise_train_config train_defaults(void) {
  vise_train_config own;
  memset(&own, 0, sizeof own);
  own.struct_size = sizeof own;
  own.weight_op.struct_size = sizeof own.weight_op;
  vise_i_options_defaults(VISE_OPTION_OF_TRAIN_CONFIG, &own);
  return own;
}

static vise_net_config net_defaults(void) {
  vise_net_config own;
  memset(&own, 0, sizeof own);
  own.struct_size = sizeof own;
  vise_i_options_defaults(VISE_OPTION_OF_NET_CONFIG, &own);
  return own;
}

static vise_run_config run_defaults(void) {
  vise_run_config own;
  memset(&own, 0, sizeof own);
  own.struct_size = sizeof own;
  vise_i_options_defaults(VISE_OPTION_OF_RUN_CONFIG, &own);
  return own;
}

VISE_I_DEFINE_INIT(vise_train_config, assert_projection, train_defaults)
VISE_I_DEFINE_INIT(vise_net_config, bias, net_defaults)
VISE_I_DEFINE_INIT(vise_run_config, user, run_defaults)

/* ---- set, get, clear -------------------------------------------------------------------------------------------- */

/* The option of that name, which must be of that struct. */
static vise_status find_in(vise_option_struct of, const char *type, const char *name, const vise_option **out,
                           bool *negated, vise_error *err) {
  const vise_option *option = vise_option_find(name, negated);
  if (option == NULL) return vise_i_fail(err, VISE_ERR_USAGE, "%s: there is no option '%s'", type, name);
  if (option->of != of) {
    return vise_i_fail(err, VISE_ERR_USAGE, "%s: '%s' is an option of another struct", type, name);
  }
  *out = option;
  return VISE_OK;
}

typedef struct target {
  vise_option_struct of;
  const char *type;
} target;

static const char *contrary_of(const char *text) {
  static const char *const pairs[][2] = {{"yes", "no"}, {"no", "yes"}, {"true", "no"}, {"false", "yes"}};
  for (size_t i = 0; i < 4; i++) {
    if (strcmp(text, pairs[i][0]) == 0) return pairs[i][1];
  }
  return text;
}

static vise_status set(target to, void *config, void **owned, const char *name, const char *text, vise_error *err) {
  const vise_option *option = NULL;
  bool negated = false;
  const vise_status status = find_in(to.of, to.type, name, &option, &negated, err);
  if (status != VISE_OK) return status;

  const bool needs_owner = option->type == VISE_OPTION_TEXT || option->type == VISE_OPTION_PATH ||
                           option->type == VISE_OPTION_REALS || option->type == VISE_OPTION_SIZES ||
                           option->type == VISE_OPTION_LAYER_INTERVALS || option->type == VISE_OPTION_LAYER_REALS;
  void *none = NULL;
  if (owned == NULL && needs_owner) {
    return vise_i_fail(err, VISE_ERR_USAGE,
                       "%s: '%s' needs `owned`, which lies beyond the caller's struct: build with the headers of this "
                       "version of Vise",
                       to.type, name);
  }

  return vise_option_set(option, config, owned == NULL ? &none : owned, negated ? contrary_of(text) : text, err);
}

static vise_status get(target from, const void *config, const char *name, char *buffer, size_t n_bytes,
                       vise_error *err) {
  const vise_option *option = NULL;
  bool negated = false;
  const vise_status status = find_in(from.of, from.type, name, &option, &negated, err);
  if (status != VISE_OK) return status;
  if (!vise_i_option_is_within(option, config)) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`%s` lies beyond the caller's struct", option->name);
  }

  char flag[8] = "";
  if (negated) {
    (void)vise_option_text(option, config, flag, sizeof flag);
    (void)snprintf(flag, sizeof flag, "%s", contrary_of(flag));
  }
  const size_t needed = 1 + (negated ? strlen(flag) : vise_option_text(option, config, NULL, 0));
  if (needed > n_bytes) {
    return vise_i_fail(err, VISE_ERR_USAGE, "%s_get: '%s' takes %zu bytes, the buffer has %zu", from.type, name, needed,
                       n_bytes);
  }

  if (negated) {
    memcpy(buffer, flag, needed);
  } else {
    (void)vise_option_text(option, config, buffer, n_bytes);
  }
  return VISE_OK;
}

static const target to_train = {VISE_OPTION_OF_TRAIN_CONFIG, "vise_train_config"};
static const target to_net = {VISE_OPTION_OF_NET_CONFIG, "vise_net_config"};
static const target to_run = {VISE_OPTION_OF_RUN_CONFIG, "vise_run_config"};

/* Where a config keeps what it owns; NULL if the caller's struct does not reach that far. */
static void **owned_by_train(vise_train_config *config) {
  return config != NULL && config->struct_size >= offsetof(vise_train_config, owned) + sizeof config->owned
             ? &config->owned
             : NULL;
}

static void **owned_by_run(vise_run_config *config) {
  return config != NULL && config->struct_size >= offsetof(vise_run_config, owned) + sizeof config->owned
             ? &config->owned
             : NULL;
}

vise_status vise_train_config_set(vise_train_config *config, const char *name, const char *text, vise_error *err) {
  VISE_ENTER(err, config, name, text);
  return set(to_train, config, owned_by_train(config), name, text, err);
}

vise_status vise_net_config_set(vise_net_config *config, const char *name, const char *text, vise_error *err) {
  VISE_ENTER(err, config, name, text);
  return set(to_net, config, NULL, name, text, err);
}

vise_status vise_run_config_set(vise_run_config *config, const char *name, const char *text, vise_error *err) {
  VISE_ENTER(err, config, name, text);
  return set(to_run, config, owned_by_run(config), name, text, err);
}

vise_status vise_train_config_get(const vise_train_config *config, const char *name, char *buffer, size_t n_bytes,
                                  vise_error *err) {
  VISE_ENTER(err, config, name, buffer);
  return get(to_train, config, name, buffer, n_bytes, err);
}

vise_status vise_net_config_get(const vise_net_config *config, const char *name, char *buffer, size_t n_bytes,
                                vise_error *err) {
  VISE_ENTER(err, config, name, buffer);
  return get(to_net, config, name, buffer, n_bytes, err);
}

vise_status vise_run_config_get(const vise_run_config *config, const char *name, char *buffer, size_t n_bytes,
                                vise_error *err) {
  VISE_ENTER(err, config, name, buffer);
  return get(to_run, config, name, buffer, n_bytes, err);
}

void vise_train_config_clear(vise_train_config *config) {
  vise_option_clear(config, owned_by_train(config));
}

void vise_run_config_clear(vise_run_config *config) {
  vise_option_clear(config, owned_by_run(config));
}
