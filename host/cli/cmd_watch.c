/* vise watch: follows a run or a sweep by the files in its folder. */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "host/cli/cli.h"
#include "host/cli/message.h"
#include "host/cli/signals.h"
#include "host/cli/watch.h"

/* Between two looks. Files on the disk of another machine give no notice of changes, so none is waited for. */
enum { LOOK_NANOSECONDS = 250000000 };

typedef enum kind { UNKNOWN, RUN, SWEEP } kind;

typedef struct watching {
  const vise_i_cli_options *options;
  char *dir;
  kind kind;
  bool told_to_wait;
  vise_i_cli_watched_run run;
  vise_i_cli_watched_sweep sweep;
} watching;

/* ---- the folder ----------------------------------------------------------------------------------------------- */

static bool is_one_of(const char *name, const char *const *names) {
  while (*names != NULL && strcmp(*names, name) != 0) names++;
  return *names != NULL;
}

/* What the names in the folder are of. *foreign: of something that neither is nor can become a run or a sweep. */
static vise_status find_kind(const char *dir, kind *out, bool *foreign, vise_error *err) {
  static const char *const of_run[] = {"metrics.jsonl", "config.json", "checkpoints", VISE_RUN_LOCK_NAME, NULL};
  static const char *const of_sweep[] = {"sweep.json", NULL};
  const struct dirent *entry;
  size_t n_run = 0, n_sweep = 0, n_others = 0;
  DIR *folder = opendir(dir);
  if (folder == NULL) return vise_i_cli_fail(err, VISE_ERR_IO, "%s: cannot be read: %s", dir, strerror(errno));

  while ((entry = readdir(folder)) != NULL) {
    const char *name = entry->d_name, *end = strrchr(name, '.');
    n_run += is_one_of(name, of_run);
    n_sweep += is_one_of(name, of_sweep);
    n_others += name[0] != '.' && (end == NULL || strcmp(end, ".tmp") != 0);
  }

  (void)closedir(folder);
  *out = n_sweep > 0 ? SWEEP : n_run > 0 ? RUN : UNKNOWN;
  *foreign = *out == UNKNOWN && n_others > 0;
  return VISE_OK;
}

static vise_status check_folder(const char *dir, vise_error *err) {
  struct stat info;
  bool foreign = false;
  kind found;
  if (stat(dir, &info) != 0) {
    return errno == ENOENT ? vise_i_cli_fail(err, VISE_ERR_USAGE, "%s: there is no such folder", dir)
                           : vise_i_cli_fail(err, VISE_ERR_IO, "%s: %s", dir, strerror(errno));
  }
  if (!S_ISDIR(info.st_mode)) return vise_i_cli_fail(err, VISE_ERR_USAGE, "%s: is not a folder", dir);

  const vise_status status = find_kind(dir, &found, &foreign, err);
  if (status != VISE_OK || !foreign) return status;
  return vise_i_cli_fail(err, VISE_ERR_USAGE,
                         "%s: there is neither a run (metrics.jsonl) nor a sweep (sweep.json) in it", dir);
}

/* ---- a look --------------------------------------------------------------------------------------------------- */

/* Once there is something to be watched. */
static vise_status begin(watching *w, vise_error *err) {
  bool foreign = false;
  vise_status status = find_kind(w->dir, &w->kind, &foreign, err);
  if (status == VISE_OK && w->kind == RUN) status = vise_i_cli_watch_run_init(&w->run, w->dir, w->options, err);
  if (status == VISE_OK && w->kind == SWEEP) status = vise_i_cli_watch_sweep_init(&w->sweep, w->dir, w->options, err);
  return status;
}

static vise_i_cli_outcome outcome_of(const watching *w) {
  return w->kind == RUN ? w->run.outcome : w->kind == SWEEP ? w->sweep.outcome : VISE_I_CLI_NOT_BEGUN;
}

static bool is_certain(const watching *w) {
  return w->kind == RUN     ? vise_i_cli_watch_run_is_certain(&w->run)
         : w->kind == SWEEP ? vise_i_cli_watch_sweep_is_certain(&w->sweep)
                            : true;
}

static void tell_to_wait(watching *w) {
  vise_i_cli_progress none;
  if (w->told_to_wait || outcome_of(w) != VISE_I_CLI_NOT_BEGUN) return;
  w->told_to_wait = true;
  vise_i_cli_progress_begin_watch(&none, w->options);
  vise_i_cli_watch_note(w->kind == RUN ? &w->run.progress : &none, w->options, "waiting",
                        "%s: nothing has begun here yet; waiting for it", w->dir);
  (void)fflush(stdout);
}

static vise_status look(watching *w, vise_error *err) {
  vise_status status = VISE_OK;
  if (access(w->dir, F_OK) != 0) return vise_i_cli_fail(err, VISE_ERR_IO, "%s: the folder is gone", w->dir);
  if (w->kind == UNKNOWN) status = begin(w, err);
  if (status == VISE_OK && w->kind == RUN) status = vise_i_cli_watch_run_look(&w->run, err);
  if (status == VISE_OK && w->kind == SWEEP) status = vise_i_cli_watch_sweep_look(&w->sweep, err);
  if (status == VISE_OK) tell_to_wait(w);
  return status;
}

/* ---- until it ends -------------------------------------------------------------------------------------------- */

static bool has_ended(const watching *w) {
  const vise_i_cli_outcome outcome = outcome_of(w);
  if (w->options->once) return is_certain(w);
  return outcome != VISE_I_CLI_NOT_BEGUN && outcome != VISE_I_CLI_AT_WORK;
}

/* Nobody may read what is written, or a signal may have come. */
static bool is_stopped(void) {
  return vise_i_cli_signal_caught() != 0 || ferror(stdout) != 0;
}

static vise_status tell(watching *w, vise_error *err) {
  if (w->kind == RUN) return vise_i_cli_watch_run_tell(&w->run, err);
  if (w->kind == SWEEP) return vise_i_cli_watch_sweep_tell(&w->sweep, err);

  if (w->options->json) {
    const char *state = vise_i_cli_outcome_name(VISE_I_CLI_NOT_BEGUN);
    return vise_i_cli_print_json(json_pack("{s:n, s:s}", "kind", "state", state), err);
  }
  (void)printf("%-15s not begun\n", "run");
  return VISE_OK;
}

static vise_status follow(watching *w, vise_error *err) {
  vise_status status = look(w, err);
  while (status == VISE_OK && !has_ended(w) && !is_stopped()) {
    (void)nanosleep(&(struct timespec){.tv_nsec = LOOK_NANOSECONDS}, NULL);
    if (!is_stopped()) status = look(w, err);
  }
  return status == VISE_OK && !is_stopped() ? tell(w, err) : status;
}

static int run(const vise_i_cli_options *options) {
  vise_error err = VISE_ERROR_INIT;
  watching w = {.options = options, .dir = strdup(options->folders)};
  const size_t n = w.dir != NULL ? strlen(w.dir) : 0;
  if (n > 1 && w.dir[n - 1] == '/') w.dir[n - 1] = '\0';

  vise_status status =
      w.dir != NULL ? check_folder(w.dir, &err) : vise_i_cli_fail(&err, VISE_ERR_MEMORY, "out of memory");
  const int failed = status == VISE_OK ? VISE_I_CLI_FAILED : VISE_I_CLI_NOTHING_DONE;
  if (status == VISE_OK) status = follow(&w, &err);

  if (w.kind == RUN) vise_i_cli_watch_run_free(&w.run);
  if (w.kind == SWEEP) vise_i_cli_watch_sweep_free(&w.sweep);
  free(w.dir);
  (void)fflush(stdout);
  if (vise_i_cli_signal_caught() != 0 && status == VISE_OK) return 128 + vise_i_cli_signal_caught();
  return vise_i_cli_end(VISE_COMMAND_WATCH, status, &err, failed);
}

int vise_i_cli_watch(int argc, char **argv) {
  vise_error err = VISE_ERROR_INIT;
  vise_i_cli_options options;

  vise_i_cli_options_init(&options, VISE_COMMAND_WATCH);
  const vise_status status = vise_i_cli_parse_arguments(&options, argc, argv, &err);
  int code;
  if (status == VISE_OK) {
    vise_i_cli_signals_install();
    (void)signal(SIGPIPE, SIG_DFL); /* head(1) has seen enough: there is nothing to be saved */
    code = run(&options);
  } else {
    code = vise_i_cli_report_error(VISE_COMMAND_WATCH, &err, status, VISE_I_CLI_NOTHING_DONE);
  }
  vise_i_cli_options_free(&options);
  return code;
}
