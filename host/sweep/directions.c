#include "host/sweep/directions.h"

#include <math.h>
#include <string.h>

#define MAX .is_max = true, .off = 0
#define MIN .is_max = false, .off = INFINITY

/* clang-format off */
const vise_i_direction vise_i_directions[] = {
  {"l2", MAX, .by_default = true},
  {"l1", MAX, .by_default = true},
  {"norm-penalty", MAX, .by_default = true},
  {"clamp", MIN, .by_default = true},
  {"clamp-init", MIN, .by_default = true},
  {"clip-value", MIN, .by_default = true},
  {"clip-norm", MIN, .by_default = true},
  {"clip-agc", MIN, .by_default = true},
  {"decoupled-decay", MAX, .by_default = true},
  {"dropout", MAX, .by_default = true},
  {"input-dropout", MAX, .by_default = true},
  {"max-norm", MIN, .by_default = true},
  {"row-l1", MIN, .by_default = true},
  {"row-l1-sided", MIN, .by_default = true},
  {"label-smoothing", MAX},
  {"max-update", MIN},
  {"layers", MIN},
  {"epochs", MIN},
  {"steps", MIN},
};
/* clang-format on */

const size_t vise_i_n_directions = sizeof vise_i_directions / sizeof *vise_i_directions;

const vise_i_direction *vise_i_direction_find(const char *name) {
  for (size_t i = 0; i < vise_i_n_directions; i++) {
    if (strcmp(vise_i_directions[i].name, name) == 0) return &vise_i_directions[i];
  }
  return NULL;
}
