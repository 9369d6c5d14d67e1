/* What can be said of a row of the table without a config: finding it, its names, and where its fields lie. */
#include <stdio.h>
#include <string.h>

#include "host/options/options.h"

const char *vise_option_topic_title(vise_option_topic topic) {
#define TITLE(symbol, title) title,
  static const char *const titles[] = {VISE_OPTION_TOPIC_TABLE(TITLE)};
  return (size_t)topic < (size_t)vise_option_topic_count_ ? titles[topic] : "?";
}

size_t vise_option_negated_name(const vise_option *option, char *buffer, size_t n_bytes) {
  if (buffer == NULL) n_bytes = 0;
  if (n_bytes > 0) buffer[0] = '\0';
  if (option == NULL) return 0;
  const bool negative = strncmp(option->name, "no-", 3) == 0;
  const int n = snprintf(buffer, n_bytes, "%s%s", negative ? "" : "no-", option->name + (negative ? 3 : 0));
  return n > 0 ? (size_t)n : 0;
}

const vise_option *vise_option_at(size_t i) {
  return i < vise_i_n_options ? &vise_i_options[i] : NULL;
}

/* "-" and "_" are one letter. */
static bool same_name(const char *a, const char *b) {
  for (; *a != '\0' && *b != '\0'; a++, b++) {
    if ((*a == '_' ? '-' : *a) != (*b == '_' ? '-' : *b)) return false;
  }
  return *a == *b;
}

/* The name after "no-"; NULL: it has none. */
static const char *after_no(const char *name) {
  return strncmp(name, "no-", 3) == 0 || strncmp(name, "no_", 3) == 0 ? name + 3 : NULL;
}

/* One of the two is the other with "no-" before it. */
static bool are_contrary(const char *name, const char *flag) {
  const char *positive = after_no(flag), *rest = after_no(name);
  if (positive != NULL) return same_name(name, positive);
  return rest != NULL && same_name(rest, flag);
}

const vise_option *vise_option_find(const char *name, bool *negated) {
  for (size_t i = 0; name != NULL && i < vise_i_n_options; i++) {
    const vise_option *option = &vise_i_options[i];
    const bool found = same_name(name, option->name);
    if (!found && (option->type != VISE_OPTION_FLAG || !are_contrary(name, option->name))) continue;
    if (negated != NULL) *negated = !found;
    return option;
  }
  return NULL;
}

const char *vise_i_option_field(const vise_option *option, size_t k, char buffer[VISE_I_FIELD_BYTES]) {
  const char *at = option->field != NULL ? option->field : option->name;
  for (; k > 0 && strchr(at, ',') != NULL; k--) at = strchr(at, ',') + 1;
  size_t n = strcspn(at, ",");
  if (n > VISE_I_FIELD_BYTES - 1) n = VISE_I_FIELD_BYTES - 1;
  memcpy(buffer, at, n);
  buffer[n] = '\0';
  return buffer;
}

/* Bytes that the k-th field of an option takes. */
static size_t field_bytes(const vise_option *option, size_t k) {
  switch (option->type) {
    case VISE_OPTION_FLAG:
    case VISE_OPTION_YES_NO:
      return sizeof(bool);
    case VISE_OPTION_INT:
    case VISE_OPTION_NAME:
      return sizeof(int);
    case VISE_OPTION_WIDTHS:
      return k == 0 ? sizeof(size_t) : (VISE_MAX_LAYERS + 1) * sizeof(size_t);
    case VISE_OPTION_SWITCHED_REAL:
    case VISE_OPTION_INTERVAL:
      return k == 0 ? sizeof(bool) : sizeof(double);
    case VISE_OPTION_MOMENT:
      return k == 0 ? sizeof(vise_weight_op_timing) : sizeof(uint64_t);
    case VISE_OPTION_CADENCE:
      return k == 2 ? sizeof(bool) : sizeof(double);

    default:
      return sizeof(double);
  }
}

bool vise_i_option_is_within(const vise_option *option, const void *config) {
  size_t struct_size;
  memcpy(&struct_size, config, sizeof struct_size);
  for (size_t k = 0; k < VISE_OPTION_MAX_FIELDS && option->offsets[k] != 0; k++) {
    if (option->offsets[k] + field_bytes(option, k) > struct_size) return false;
  }
  return true;
}
