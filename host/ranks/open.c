/* Joining the ranks that a launcher started: loading what speaks MPI. */
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/base/call.h"
#include "host/base/memory.h"
#include "host/ranks/launcher.h"
#include "host/ranks/ranks.h"

#ifndef VISE_I_MPI_MODULE
#define VISE_I_MPI_MODULE "" /* this build has none */
#endif

static const char here = 0; /* in the file that this code is in */

/* The module beside the file that this code is in (a program in bin/ has it in ../lib), or where it is installed. */
static void *load_module(void) {
  static const char *const places[] = {"", "../lib/", "vise/", "../lib/vise/"};
  Dl_info info;
  char path[4096];
  const char *name = strrchr(VISE_I_MPI_MODULE, '/');
  if (name == NULL || dladdr(&here, &info) == 0 || info.dli_fname == NULL) {
    return dlopen(VISE_I_MPI_MODULE, RTLD_NOW | RTLD_GLOBAL);
  }

  const char *slash = strrchr(info.dli_fname, '/');
  const int n_folder = slash != NULL ? (int)(slash - info.dli_fname) + 1 : 0;
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    const int n = snprintf(path, sizeof path, "%.*s%s%s", n_folder, info.dli_fname, places[i], name + 1);
    if (n <= 0 || (size_t)n >= sizeof path || access(path, R_OK) != 0) continue;
    return dlopen(path, RTLD_NOW | RTLD_GLOBAL);
  }
  return dlopen(VISE_I_MPI_MODULE, RTLD_NOW | RTLD_GLOBAL);
}

static vise_status load(const vise_i_launch *launch, vise_i_carrier_open_function **out, vise_error *err) {
  if (VISE_I_MPI_MODULE[0] == '\0') {
    return vise_i_fail(
        err, VISE_ERR_UNSUPPORTED,
        "this is process %zu of %zu that %s started, and this build of Vise lacks MPI: each would train by "
        "itself, and all would write the same files; build with VISE_MPI=ON (Debian's libopenmpi-dev), or "
        "start one process",
        launch->rank, launch->size, launch->launcher);
  }

  void *module = load_module();
  if (module == NULL) return vise_i_fail(err, VISE_ERR_UNSUPPORTED, "MPI cannot be loaded: %s", dlerror());

  void *symbol = dlsym(module, VISE_I_CARRIER_OPEN);
  if (symbol == NULL) return vise_i_fail(err, VISE_ERR_UNSUPPORTED, "MPI cannot be loaded: %s", dlerror());
  memcpy(out, &symbol, sizeof *out);
  return VISE_OK;
}

static vise_status open_carrier(const vise_i_launch *launch, vise_ranks *ranks, vise_error *err) {
  vise_status status;
  char text[VISE_I_CARRIER_TEXT] = "";
  vise_i_carrier_open_function *open_it = NULL;

  VISE_TRY(load(launch, &open_it, err));
  ranks->carrier = open_it(text);
  if (ranks->carrier == NULL) VISE_TRY(vise_i_fail(err, VISE_ERR_IO, "MPI: %s", text));

  const vise_i_carrier *carrier = ranks->carrier;
  if (carrier->size != launch->size) {
    VISE_TRY(
        vise_i_fail(err, VISE_ERR_UNSUPPORTED,
                    "%s started %zu processes, but MPI knows of %zu: it is not the launcher of the MPI that Vise was "
                    "built with (with srun, try --mpi=pmix)",
                    launch->launcher, launch->size, carrier->size));
  }
  ranks->rank = carrier->rank;
  ranks->size = carrier->size;
  ranks->local_rank = carrier->local_rank;

done:
  return status;
}

/* Also the first time that all meet. */
static vise_status name_hosts(vise_ranks *ranks, vise_error *err) {
  vise_status status;
  char mine[VISE_I_HOST_NAME] = "";
  char(*hosts)[VISE_I_HOST_NAME] = NULL;

  VISE_TRY(vise_i_alloc_zero(&hosts, ranks->size, sizeof *hosts, "ranks", err));
  VISE_TRY(vise_i_ranks_reserve(ranks, err));
  (void)gethostname(mine, sizeof mine - 1);
  VISE_TRY(vise_i_ranks_gather(ranks, mine, sizeof mine, hosts, err));
  for (size_t r = 0; r < ranks->size; r++) hosts[r][VISE_I_HOST_NAME - 1] = '\0';
  ranks->hosts = hosts;
  hosts = NULL;

done:
  free(hosts);
  return status;
}

/* Of an object that may be half made. */
static void dispose(vise_ranks *ranks) {
  if (ranks == NULL) return;
  if (ranks->carrier != NULL && !ranks->lost) ranks->carrier->close(ranks->carrier); /* else it would wait for ever */
  free(ranks->hosts);
  free(ranks->messages);
  free(ranks->ends);
  free(ranks->scratch);
  free(ranks->room);
  free(ranks);
}

vise_status vise_ranks_open(vise_ranks **out, vise_error *err) {
  vise_status status;
  vise_ranks *ranks = NULL;
  VISE_ENTER(err, out);

  const vise_i_launch launch = vise_i_launch_find();
  if (launch.launcher == NULL) {
    *out = NULL;
    return VISE_OK;
  }
  if (!launch.has_mpi) {
    return vise_i_fail(
        err, VISE_ERR_UNSUPPORTED,
        "this is process %zu of %zu by WORLD_SIZE and RANK, but ranks of Vise meet by MPI: start them with "
        "mpirun or srun, or one process without these variables",
        launch.rank, launch.size);
  }

  VISE_TRY(vise_i_alloc_zero(&ranks, 1, sizeof *ranks, "ranks", err));
  ranks->size = 1;
  ranks->seconds = VISE_RANKS_SECONDS;
  if (launch.size > 1) VISE_TRY(open_carrier(&launch, ranks, err));
  VISE_TRY(name_hosts(ranks, err));
  *out = ranks;
  ranks = NULL;

done:
  dispose(ranks);
  return status;
}

const char *vise_ranks_launcher(size_t *rank, size_t *size) {
  const vise_i_launch launch = vise_i_launch_find();
  if (rank != NULL) *rank = launch.rank;
  if (size != NULL) *size = launch.size;
  return launch.launcher;
}

void vise_ranks_close(vise_ranks *ranks) {
  dispose(ranks);
}

vise_status vise_ranks_set_seconds(vise_ranks *ranks, double seconds, vise_error *err) {
  VISE_ENTER(err, ranks);
  if (!(seconds > 0) || !isfinite(seconds)) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`rank_timeout` %g: expected seconds, above 0", seconds);
  }
  ranks->seconds = seconds;
  return VISE_OK;
}

void vise_ranks_abort(vise_ranks *ranks, int exit_code) {
  if (ranks != NULL && ranks->carrier != NULL) ranks->carrier->end_all(ranks->carrier, exit_code);
}
