/* One run at a time in a folder: a lock that the kernel gives back when its process ends, however that happens. */
#ifndef VISE_I_RUN_LOCK_H
#define VISE_I_RUN_LOCK_H

#include <stdbool.h>

#include "host/base/error.h"
#include "vise/run.h" /* VISE_RUN_LOCK_NAME */

typedef struct vise_i_run_lock {
  int fd; /* -1: not held */
  char *path;
} vise_i_run_lock;

#define VISE_I_RUN_LOCK_INIT \
  { -1, NULL }

/* Takes the lock of dir, an existing folder. VISE_ERR_STATE when another run holds it: the text says which. Where the
   file system has no locks, nothing is held and *has_locks is false. VISE_ERR_IO. */
VISE_WARN_UNUSED vise_status vise_i_run_lock_take(vise_i_run_lock *lock, const char *dir, bool *has_locks,
                                                  vise_error *err);
/* Gives it back; nothing happens when it is not held. */
void vise_i_run_lock_release(vise_i_run_lock *lock);

#endif
