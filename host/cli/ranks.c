#include "host/cli/ranks.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "host/cli/cli.h"
#include "host/cli/commands.h"

/* The ranks of a sweep meet once, when the first has read and checked everything, however long that takes. */
#define PREPARE_SECONDS 1e6

/* Standard error as it was, of a process that is not the first. */
static int own_stderr = -1;

static void silence(void) {
  const int nothing = open("/dev/null", O_WRONLY | O_CLOEXEC);
  (void)fflush(NULL);
  own_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
  if (nothing < 0) return;
  (void)dup2(nothing, STDOUT_FILENO);
  (void)dup2(nothing, STDERR_FILENO);
  (void)close(nothing);
}

bool vise_i_cli_ranks_refuse(unsigned command) {
  size_t rank = 0, size = 1;
  const char *launcher = vise_ranks_launcher(&rank, &size);
  if (launcher == NULL || size == 1) return false;
  if (rank == 0) {
    vise_error err = VISE_ERROR_INIT;
    (void)!vise_i_cli_fail(
        &err, VISE_ERR_UNSUPPORTED,
        "this is one of %zu processes that %s started, and the command is for one: they would all write "
        "the same; `vise train` and `vise sweep` are for several",
        size, launcher);
    (void)vise_i_cli_report_error(command, &err, VISE_ERR_UNSUPPORTED, VISE_I_CLI_NOTHING_DONE);
  }
  return true;
}

static bool asks_for_help(int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    if (strncmp(argv[i], "--help", 6) == 0 || strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--version") == 0)
      return true;
  }
  return false;
}

vise_status vise_i_cli_ranks_open(int argc, char **argv, vise_ranks **out, vise_error *err) {
  size_t rank = 0, size = 1;
  *out = NULL;
  if (vise_ranks_launcher(&rank, &size) == NULL) return VISE_OK;
  if (rank > 0) silence();
  if (asks_for_help(argc, argv)) return VISE_OK; /* it ends the process on the way */

  const vise_status status = vise_ranks_open(out, err);
  if (status == VISE_OK || rank == 0) return status;
  (void)sleep(1); /* what fails on all is told by the first, whose end is that of all */
  vise_i_cli_ranks_complain();
  return status;
}

vise_status vise_i_cli_ranks_use(vise_ranks *ranks, vise_i_cli_options *options, vise_error *err) {
  if (ranks == NULL && options->training.sync_every > 0) { /* before data are read */
    return vise_i_cli_fail(err, VISE_ERR_USAGE,
                           "`sync_every`: this process trains alone; it is for those that mpirun or srun starts");
  }
  if (ranks == NULL) {
    if (!vise_i_cli_given(options, "rank-timeout")) return VISE_OK;
    return vise_i_cli_fail(err, VISE_ERR_USAGE,
                           "`rank_timeout`: this process trains alone; it is for those that mpirun starts");
  }
  options->training.ranks = ranks;
  if (options->training.parts == 0 && options->training.sync_every == 0)
    options->training.parts = VISE_MOST_PARTS; /* also in config.json */
  return vise_ranks_set_seconds(ranks, options->rank_timeout, err);
}

vise_status vise_i_cli_ranks_use_sweep(vise_ranks *ranks, const vise_i_cli_options *options, vise_error *err) {
  const bool has_folder = options->run.out_dir != NULL || vise_i_cli_goes_on(options) != NULL;
  if (vise_ranks_size(ranks) == 1) return VISE_OK;
  if (options->plan || has_folder) return vise_ranks_set_seconds(ranks, PREPARE_SECONDS, err);
  return vise_i_cli_fail(err, VISE_ERR_USAGE,
                         "%zu processes share a sweep by its folder: give --out DIR, which all of them can reach",
                         vise_ranks_size(ranks));
}

void vise_i_cli_ranks_complain(void) {
  if (own_stderr >= 0) (void)dup2(own_stderr, STDERR_FILENO);
}

void vise_i_cli_ranks_speak(const vise_ranks *ranks) {
  const size_t rank = vise_ranks_rank(ranks);
  if (!vise_ranks_are_lost(ranks) || rank == 0 || own_stderr < 0) return;

  /* All that are left notice at about the same time; the first of them to speak ends the others. */
  const long steps = (long)(rank < 16 ? rank : 16);
  const struct timespec turn = {.tv_sec = steps / 4, .tv_nsec = steps % 4 * 250000000};
  (void)nanosleep(&turn, NULL);
  vise_i_cli_ranks_complain();
}

int vise_i_cli_ranks_close(vise_ranks *ranks, int code) {
  if (vise_ranks_are_lost(ranks)) {
    (void)fflush(NULL);
    vise_ranks_abort(ranks, code != 0 ? code : VISE_I_CLI_FAILED);
  }
  vise_ranks_close(ranks);
  return code;
}
