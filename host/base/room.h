/* How much memory there is, and how much of it reading may take. */
#ifndef VISE_I_ROOM_H
#define VISE_I_ROOM_H

#include <stdbool.h>
#include <stddef.h>

#include "host/base/error.h"

/* Bytes that this process may still take: what the machine has available, or less where its control group or its address
   space is limited; SIZE_MAX: not known. root: "" (tests have another one) stands before /proc and /sys. */
size_t vise_i_free_memory(const char *root);

/* What reading a file may take. */
typedef struct vise_i_room {
  const char *name; /* of the file, for messages */
  size_t most;
  bool by_default;
} vise_i_room;

/* most 0: half of what is free. */
vise_i_room vise_i_room_of(const char *name, size_t most);

/* How sure a number of bytes is. */
typedef enum vise_i_need { VISE_I_NEEDS, VISE_I_NEEDS_ABOUT, VISE_I_NEEDS_AT_LEAST } vise_i_need;

/* Refuses n_bytes for `what` ("its rows") if that is too much: VISE_ERR_MEMORY, with how much it is and how to allow it.
   Nothing was allocated for them yet. */
VISE_WARN_UNUSED vise_status vise_i_room_check(const vise_i_room *room, double n_bytes, vise_i_need how,
                                               const char *what, vise_error *err);

/* The same for rows that are being read, n_bytes so far, from the share `done` of the file (0: not known): where they
   would take more than four times what is allowed, that is told early. */
VISE_WARN_UNUSED vise_status vise_i_room_check_part(const vise_i_room *room, double n_bytes, double done,
                                                    vise_error *err);

#endif
