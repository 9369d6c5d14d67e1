/* What every layer must know of a pass through the net. */
#ifndef VISE_I_OPS_PASS_H
#define VISE_I_OPS_PASS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Rows first .. first + n of a batch. In training batch norm takes the statistics of these rows, which are then the whole
   batch, else the running ones. */
typedef struct vise_i_op_pass {
  bool training, drops; /* drops: dropout is on */
  uint64_t seed;
  uint32_t step; /* attempted steps before this one: what dropout draws by */
  size_t first, n;
} vise_i_op_pass;

#endif
