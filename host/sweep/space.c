/* The points of a search. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/call.h"
#include "host/base/memory.h"
#include "host/base/rng.h"
#include "host/base/struct.h"
#include "host/sweep/axis.h"
#include "host/sweep/sobol.h"
#include "vise/search.h"

_Static_assert(VISE_MAX_SOBOL_AXES == VISE_I_SOBOL_MAX_DIMENSIONS, "the header says what the table has");

struct vise_space {
  vise_space_options options;
  vise_i_axis *axes;
  size_t n_axes, capacity;
  size_t n_points;
};

static vise_space_options default_options(void) {
  vise_space_options own;
  memset(&own, 0, sizeof own);
  own.struct_size = sizeof own;
  own.search = VISE_SEARCH_GRID;
  return own;
}

VISE_I_DEFINE_INIT(vise_space_options, seed, default_options)

/* ---- making one ------------------------------------------------------------------------------------------------- */

static vise_status check(const vise_space_options *options, vise_error *err) {
  const size_t n = options->n_configs;
  if ((size_t)options->search >= (size_t)vise_search_count_) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`search`: %d is not one of its %d values", (int)options->search,
                       (int)vise_search_count_);
  }

  if (options->search == VISE_SEARCH_GRID) {
    if (n == 0) return VISE_OK;
    return vise_i_fail(err, VISE_ERR_USAGE,
                       "`n_configs` %zu: a grid has as many as its values make; `search` random and "
                       "sobol take a number",
                       n);
  }
  if (n >= 1 && n <= VISE_MAX_POINTS) return VISE_OK;
  return vise_i_fail(err, VISE_ERR_USAGE, "`n_configs` %zu: `search` %s needs a number from 1 to %d", n,
                     vise_search_name(options->search), VISE_MAX_POINTS);
}

vise_status vise_space_create(const vise_space_options *options, vise_space **out, vise_error *err) {
  vise_space_options own = default_options();
  vise_space *space = NULL;
  vise_status status;
  VISE_ENTER(err, options, out);

  VISE_TRY(vise_i_config_take(&own, sizeof own, options, "vise_space_options", err));
  VISE_TRY(check(&own, err));
  VISE_TRY(vise_i_alloc_zero(&space, 1, sizeof *space, "a space", err));
  space->options = own;
  space->n_points = own.search == VISE_SEARCH_GRID ? 1 : own.n_configs;
  *out = space;
done:
  return status;
}

void vise_space_free(vise_space *space) {
  if (space == NULL) return;
  for (size_t i = 0; i < space->n_axes; i++) vise_i_axis_clear(&space->axes[i]);
  free(space->axes);
  free(space);
}

static vise_status check_axis(const vise_space *space, const vise_i_axis *axis, vise_error *err) {
  for (size_t i = 0; i < space->n_axes; i++) {
    if (strcmp(space->axes[i].name, axis->name) != 0) continue;
    return vise_i_fail(err, VISE_ERR_USAGE, "%s is varied twice: give all of its values at once", axis->name);
  }

  if (space->options.search == VISE_SEARCH_SOBOL && space->n_axes == VISE_MAX_SOBOL_AXES) {
    return vise_i_fail(err, VISE_ERR_USAGE, "%s: `search` sobol has at most %d axes; set it to random", axis->name,
                       VISE_MAX_SOBOL_AXES);
  }
  if (space->options.search != VISE_SEARCH_GRID) return VISE_OK;

  if (axis->n_values == 0) {
    return vise_i_fail(err, VISE_ERR_USAGE,
                       "%s: '%s' is a range, and a grid takes lists: set `search` to random or sobol", axis->name,
                       axis->text);
  }
  if (axis->n_values > VISE_MAX_POINTS / space->n_points) {
    return vise_i_fail(
        err, VISE_ERR_USAGE,
        "%s: its %zu values make a grid of more than %d configurations: give fewer values, or set `search` "
        "to random or sobol",
        axis->name, axis->n_values, VISE_MAX_POINTS);
  }
  return VISE_OK;
}

vise_status vise_space_add_axis(vise_space *space, const char *text, vise_error *err) {
  vise_i_axis axis = {.name = NULL};
  vise_status status;
  VISE_ENTER(err, space, text);

  VISE_TRY(vise_i_axis_parse(text, &axis, err));
  VISE_TRY(check_axis(space, &axis, err));
  VISE_TRY(vise_i_grow(&space->axes, &space->capacity, space->n_axes + 1, sizeof *space->axes, "the axes", err));
  space->axes[space->n_axes++] = axis;
  if (space->options.search == VISE_SEARCH_GRID) space->n_points *= axis.n_values;
  return VISE_OK;

done:
  vise_i_axis_clear(&axis);
  return status;
}

/* ---- points ----------------------------------------------------------------------------------------------------- */

static uint64_t grid_place(const vise_space *space, size_t point, size_t axis) {
  size_t stride = 1;
  for (size_t i = axis + 1; i < space->n_axes; i++) stride *= space->axes[i].n_values;
  return point / stride % space->axes[axis].n_values;
}

/* Uniform, as a fraction of 2^64. */
static uint64_t random_fraction(const vise_space *space, size_t point, size_t axis) {
  const uint32_t counter[4] = {(uint32_t)point, (uint32_t)axis, (uint32_t)((uint64_t)point >> 32),
                               VISE_I_STREAM_SEARCH};
  uint32_t draw[4];
  vise_i_philox(space->options.seed, counter, draw);
  return (uint64_t)draw[1] << 32 | draw[0];
}

/* The middle of the 2^-32 that the shifted coordinate stands for. */
static uint64_t sobol_fraction(const vise_space *space, size_t point, size_t axis) {
  const uint32_t counter[4] = {(uint32_t)axis, 0, 0, VISE_I_STREAM_SHIFT};
  uint32_t draw[4];
  vise_i_philox(space->options.seed, counter, draw);
  return (uint64_t)(vise_i_sobol((uint32_t)point, axis) ^ draw[0]) << 32 | UINT64_C(1) << 31;
}

static uint64_t code_of(const vise_space *space, size_t point, size_t axis) {
  switch (space->options.search) {
    case VISE_SEARCH_RANDOM:
      return vise_i_axis_code(&space->axes[axis], random_fraction(space, point, axis));
    case VISE_SEARCH_SOBOL:
      return vise_i_axis_code(&space->axes[axis], sobol_fraction(space, point, axis));
    default:
      return grid_place(space, point, axis);
  }
}

static bool has(const vise_space *space, size_t point, size_t axis) {
  return space != NULL && point < space->n_points && axis < space->n_axes;
}

size_t vise_space_n_axes(const vise_space *space) {
  return space == NULL ? 0 : space->n_axes;
}

const char *vise_space_axis_name(const vise_space *space, size_t axis) {
  return space == NULL || axis >= space->n_axes ? NULL : space->axes[axis].name;
}

size_t vise_space_n_points(const vise_space *space) {
  return space == NULL ? 0 : space->n_points;
}

size_t vise_space_text(const vise_space *space, size_t point, size_t axis, char *buffer, size_t n_bytes) {
  if (has(space, point, axis)) {
    return vise_i_axis_text(&space->axes[axis], code_of(space, point, axis), buffer, buffer == NULL ? 0 : n_bytes);
  }
  if (buffer != NULL && n_bytes > 0) *buffer = '\0';
  return 0;
}

double vise_space_number(const vise_space *space, size_t point, size_t axis) {
  if (space == NULL) return 0;
  return has(space, point, axis) ? vise_i_axis_number(&space->axes[axis], code_of(space, point, axis)) : NAN;
}

int vise_space_edge(const vise_space *space, size_t point, size_t axis) {
  return has(space, point, axis) ? vise_i_axis_edge(&space->axes[axis], code_of(space, point, axis)) : 0;
}

/* ---- points that are the same ----------------------------------------------------------------------------------- */

/* splitmix64's mixing (Steele, Lea and Flood, 2014), of one code after the other. */
static uint64_t hash_of(const vise_space *space, size_t point) {
  uint64_t hash = 0;
  for (size_t axis = 0; axis < space->n_axes; axis++) {
    hash = (hash ^ code_of(space, point, axis)) + UINT64_C(0x9e3779b97f4a7c15);
    hash = (hash ^ hash >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    hash = (hash ^ hash >> 27) * UINT64_C(0x94d049bb133111eb);
    hash ^= hash >> 31;
  }
  return hash;
}

static bool are_same(const vise_space *space, size_t a, size_t b) {
  for (size_t axis = 0; axis < space->n_axes; axis++) {
    if (code_of(space, a, axis) != code_of(space, b, axis)) return false;
  }
  return true;
}

vise_status vise_space_same_as(const vise_space *space, size_t *out, size_t n, vise_error *err) {
  size_t *slots = NULL, n_slots = 2; /* point + 1; 0: free */
  vise_status status = VISE_OK;
  VISE_ENTER(err, space, out);
  if (n != space->n_points) {
    return vise_i_fail(err, VISE_ERR_USAGE, "room for %zu points, but the space has %zu", n, space->n_points);
  }

  while (n_slots < 2 * n) n_slots *= 2;
  VISE_TRY(vise_i_alloc_zero(&slots, n_slots, sizeof *slots, "the points of a search", err));
  for (size_t point = 0; point < n; point++) {
    size_t slot = hash_of(space, point) & (n_slots - 1);
    while (slots[slot] != 0 && !are_same(space, slots[slot] - 1, point)) slot = (slot + 1) & (n_slots - 1);
    if (slots[slot] == 0) slots[slot] = point + 1;
    out[point] = slots[slot] - 1;
  }

done:
  free(slots);
  return status;
}
