/* Spaces for tests. */
#ifndef VISE_T_SWEEP_SUPPORT_H
#define VISE_T_SWEEP_SUPPORT_H

#include "vise/search.h"

/* A space with these axes, ended by NULL; fails the test if it cannot be made. Free with vise_space_free. */
vise_space *sweep_space(vise_search search, size_t n_configs, uint64_t seed, const char *const *axes);

/* The text of a point on an axis, in one of 8 static buffers, used in turn. */
const char *sweep_text(const vise_space *space, size_t point, size_t axis);

#endif
