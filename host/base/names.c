/* Names of the public enumerations, both ways, and public traits, from the tables in vise/enums.h. */
#include <string.h>

#include "host/base/call.h"
#include "host/base/traits.h"
#include "vise/types.h"

static vise_status parse_name(const char *kind, const char *const *names, size_t n, const char *name, size_t *out,
                              vise_error *err) {
  char known[256] = "";

  for (size_t i = 0; i < n; ++i) {
    if (strcmp(names[i], name) == 0) {
      *out = i;
      return VISE_OK;
    }

    size_t room = sizeof known - strlen(known) - 1;
    if (i > 0) strncat(known, ", ", room);
    room = sizeof known - strlen(known) - 1;
    strncat(known, names[i], room);
  }

  return vise_i_fail(err, VISE_ERR_USAGE, "%s: '%s' is unknown; it can be %s", kind, name, known);
}

#define ITEM_NAME(symbol, name, ...) name,
#define DEFINE(type, TABLE)                                                                             \
  static const char *const type##_names[] = {TABLE(ITEM_NAME)};                                         \
  const char *type##_name(type value) {                                                                 \
    return (size_t)value < (size_t)type##_count_ ? type##_names[value] : "?";                           \
  }                                                                                                     \
  vise_status type##_parse(const char *name, type *out, vise_error *err) {                              \
    VISE_ENTER(err, name, out);                                                                         \
    size_t i;                                                                                           \
    vise_status status = parse_name(&#type[sizeof "vise"], type##_names, type##_count_, name, &i, err); \
    if (status == VISE_OK) *out = (type)i;                                                              \
    return status;                                                                                      \
  }
VISE_ENUM_LIST(DEFINE)

vise_targets vise_loss_targets(vise_loss loss) {
  return vise_i_loss_targets(loss);
}

bool vise_schedule_ends(vise_schedule schedule) {
  return vise_i_schedule_ends(schedule);
}
