#include "host/ranks/launcher.h"

#include <errno.h>
#include <stdlib.h>

typedef struct launcher {
  const char *name, *size, *rank;
  bool has_mpi;
  bool counts_alone; /* one process of it is a rank too */
} launcher;

/* The first whose variables are set is the one. SLURM_NTASKS is set in a batch script too, where nothing was launched yet. */
static const launcher launchers[] = {
    {"mpirun", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", true, true},
    {"mpiexec", "PMI_SIZE", "PMI_RANK", true, true},
    {"srun", "SLURM_STEP_NUM_TASKS", "SLURM_PROCID", true, false},
    {"a launcher that sets WORLD_SIZE", "WORLD_SIZE", "RANK", false, false},
};

/* A whole number in the environment. */
static bool read_count(const char *name, size_t *out) {
  const char *text = getenv(name);
  char *end = NULL;
  if (text == NULL || *text < '0' || *text > '9') return false;

  errno = 0;
  const unsigned long long value = strtoull(text, &end, 10);
  if (errno != 0 || *end != '\0') return false;
  *out = (size_t)value;
  return true;
}

vise_i_launch vise_i_launch_find(void) {
  for (size_t i = 0; i < sizeof launchers / sizeof *launchers; i++) {
    const launcher *l = &launchers[i];
    vise_i_launch found = {l->name, l->has_mpi, 0, 0};
    if (!read_count(l->size, &found.size) || !read_count(l->rank, &found.rank)) continue;
    if (found.size > 1 || (found.size == 1 && l->counts_alone)) return found;
  }
  return (vise_i_launch){.size = 1};
}
