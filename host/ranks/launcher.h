/* Whether a launcher started this process as one of many, by the variables that launchers set. */
#ifndef VISE_I_LAUNCHER_H
#define VISE_I_LAUNCHER_H

#include <stdbool.h>
#include <stddef.h>

typedef struct vise_i_launch {
  const char *launcher; /* its name; NULL: the process was started by itself */
  bool has_mpi;         /* the launcher can be one of MPI's */
  size_t rank, size;
} vise_i_launch;

vise_i_launch vise_i_launch_find(void);

#endif
