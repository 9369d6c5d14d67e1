/* The options of which it is known which values are more regularised. */
#ifndef VISE_I_DIRECTIONS_H
#define VISE_I_DIRECTIONS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct vise_i_direction {
  const char *name;
  bool is_max;     /* larger values are more regularised */
  bool by_default; /* it is compared unless the caller says otherwise, in the order of the table */
  double off;      /* what `off` amounts to */
} vise_i_direction;

extern const vise_i_direction vise_i_directions[];
extern const size_t vise_i_n_directions;

/* NULL: nothing is known of that option. */
const vise_i_direction *vise_i_direction_find(const char *name);

#endif
