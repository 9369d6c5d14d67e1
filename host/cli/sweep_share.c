/* Several processes with one sweep: who they are, and what they have done. */
#include "host/cli/sweep_share.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "host/cli/files.h"
#include "host/cli/folder_use.h"
#include "host/cli/message.h"
#include "host/cli/progress.h"
#include "host/cli/tell.h"
#include "host/json/build.h"
#include "vise/folder.h"

enum { MOST_TRIES = 100, LOCK_TRIES = 2, HOST_BYTES = 64 };

/* How often others are asked whether they live, and how often a process says so within its lease. */
#define CHECK_SECONDS 1.0
#define BEATS_PER_LEASE 10
#define LEAST_PAUSE 0.005

/* ---- this process ----------------------------------------------------------------------------------------------------- */

/* What cannot be looked at is there: what is done with it next says what is wrong. */
bool vise_i_cli_share_is_wanted(const vise_i_cli_sweeping *s) {
  char path[VISE_I_CLI_PATH_BYTES];
  if (s->dir == NULL) return false;
  vise_i_cli_sweep_path(s, VISE_I_CLI_WORKERS, path);
  return access(path, F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

bool vise_i_cli_share_is_over(const vise_i_cli_sweeping *s) {
  char path[VISE_I_CLI_PATH_BYTES];
  if (s->share == NULL || vise_i_cli_share_is_wanted(s)) return false;
  vise_i_cli_sweep_path(s, "results.csv", path);
  return access(path, F_OK) == 0;
}

bool vise_i_cli_share_is_refitting(const vise_i_cli_sweeping *s) {
  char path[VISE_I_CLI_PATH_BYTES];
  vise_i_cli_sweep_path(s, "best/" VISE_RUN_LOCK_NAME, path);
  return vise_i_cli_use_of(path) == VISE_I_CLI_USED;
}

/* "node7-4711-9c0f12": a name that no other process of the sweep has, with which names of files begin. */
static void make_name(char out[VISE_I_CLI_WORKER_BYTES]) {
  char host[HOST_BYTES] = "";
  unsigned number = 0;
  if (gethostname(host, sizeof host - 1) != 0 || host[0] == '\0') (void)snprintf(host, sizeof host, "host");
  for (char *c = host; *c != '\0'; c++) {
    const bool fits = (*c >= '0' && *c <= '9') || (*c >= 'A' && *c <= 'Z') || (*c >= 'a' && *c <= 'z');
    if (!fits) *c = '_';
  }
  (void)!getrandom(&number, sizeof number, GRND_NONBLOCK); /* O_EXCL finds out what was used before */
  (void)snprintf(out, VISE_I_CLI_WORKER_BYTES, "%s-%ld-%06x", host, (long)getpid(), number & 0xffffffu);
}

/* The file of fits of a process that joins. */
static vise_status open_fits(vise_i_cli_sweeping *s, vise_error *err) {
  vise_i_cli_worker *self = &s->share->self;
  char path[VISE_I_CLI_PATH_BYTES];
  for (int i = 0; i < MOST_TRIES && s->fits_file < 0; i++) {
    make_name(self->name);
    (void)snprintf(self->fits, sizeof self->fits, VISE_I_CLI_WORKERS "/%s.jsonl", self->name);
    vise_i_cli_sweep_path(s, self->fits, path);
    s->fits_file = vise_i_cli_open_own(path, O_APPEND | O_EXCL);
    if (s->fits_file < 0 && errno != EEXIST) break;
  }
  if (s->fits_file < 0) {
    return vise_i_cli_fail(err, VISE_ERR_IO, "%s: cannot be written: %s", path, vise_i_cli_open_error());
  }
  vise_i_cli_use_show(s->fits_file);
  s->fits_name = self->fits;
  s->fits_bytes = 0;
  s->last_sync = vise_i_cli_seconds();
  return VISE_OK;
}

/* Its signs of life. Where locks cannot be asked for, the number alone counts. */
static vise_status begin_pulse(vise_i_cli_sweeping *s, vise_error *err) {
  char name[VISE_I_CLI_WORKER_FILE_BYTES];
  vise_i_cli_share *share = s->share;
  share->self.lease = s->options->lease;
  (void)snprintf(name, sizeof name, VISE_I_CLI_WORKERS "/%s.alive", share->self.name);
  vise_i_cli_sweep_path(s, name, share->pulse.path);

  const vise_status status = vise_i_cli_pulse_begin(&share->pulse, share->self.lease / BEATS_PER_LEASE, err);
  if (status == VISE_OK && vise_i_cli_use_of(share->pulse.path) == VISE_I_CLI_USED) {
    vise_i_cli_machine(share->self.machine);
  }
  return status;
}

static vise_status make_folder(const vise_i_cli_sweeping *s, vise_error *err) {
  char path[VISE_I_CLI_PATH_BYTES];
  struct stat info;
  vise_i_cli_sweep_path(s, VISE_I_CLI_WORKERS, path);
  if (mkdir(path, 0777) != 0 && errno != EEXIST) return vise_i_cli_sweep_fail_file(s, VISE_I_CLI_WORKERS, "made", err);
  if (lstat(path, &info) != 0) return vise_i_cli_sweep_fail_file(s, VISE_I_CLI_WORKERS, "examined", err);
  if (S_ISDIR(info.st_mode)) return VISE_OK;
  return vise_i_cli_fail(err, VISE_ERR_USAGE,
                         "%s: is not a folder, which processes that share the sweep need: move it away", path);
}

vise_status vise_i_cli_share_open(vise_i_cli_sweeping *s, vise_error *err) {
  vise_i_cli_share *share = s->share = calloc(1, sizeof *share);
  if (share != NULL) {
    share->me = SIZE_MAX;
    share->pulse.file = -1;
  }
  if (share != NULL) share->claims = vise_i_claims_create(s->n_rungs, s->n_configs * s->n_splits);
  if (share == NULL || share->claims == NULL) {
    return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for the claims of %zu configurations", s->n_configs);
  }

  share->looked_at = share->checked_at = -1;
  vise_status status = make_folder(s, err);
  if (status != VISE_OK) return status;
  if (s->joins) {
    status = open_fits(s, err);
  } else {
    make_name(share->self.name);
    (void)snprintf(share->self.fits, sizeof share->self.fits, "%s", s->fits_name);
  }
  return status == VISE_OK ? begin_pulse(s, err) : status;
}

vise_status vise_i_cli_share_join(vise_i_cli_sweeping *s, vise_error *err) {
  const vise_i_cli_worker *self = &s->share->self;
  vise_status status = vise_i_cli_log_read(s, err);
  while (status == VISE_OK && !vise_i_claims_is_at_work(s->share->claims, s->share->me)) {
    json_t *record = vise_i_cli_log_record("join", self->name);
    vise_i_json_put(&record, "jobs", json_integer(s->n_jobs));
    vise_i_json_put(&record, "lease", json_real(self->lease));
    vise_i_json_put(&record, "machine", json_string(self->machine));
    vise_i_json_put(&record, "fits", json_string(self->fits));
    status = vise_i_cli_log_add(s, record, err);
  }
  return status;
}

/* A process that is gone, with its files, has nothing to leave. */
static void leave(vise_i_cli_sweeping *s) {
  const vise_i_cli_share *share = s->share;
  while (vise_i_cli_share_is_wanted(s) && vise_i_claims_is_at_work(share->claims, share->me)) {
    if (vise_i_cli_log_add(s, vise_i_cli_log_record("leave", share->self.name), NULL) != VISE_OK) return;
  }
}

/* What was made for nothing. */
static void remove_own(const vise_i_cli_sweeping *s) {
  char path[VISE_I_CLI_PATH_BYTES];
  if (s->joins && s->share->self.fits[0] != '\0') {
    vise_i_cli_sweep_path(s, s->share->self.fits, path);
    (void)unlink(path);
  }
  vise_i_cli_sweep_path(s, VISE_I_CLI_WORKERS, path);
  (void)rmdir(path);
}

/* A holder of the folder that was killed has left the file of its lock. */
static void remove_lock(const vise_i_cli_sweeping *s) {
  char path[VISE_I_CLI_PATH_BYTES];
  vise_folder *folder = NULL;
  vise_i_cli_sweep_path(s, VISE_RUN_LOCK_NAME, path);
  for (int i = 0; i < LOCK_TRIES && s->joins && access(path, F_OK) == 0; i++) {
    if (vise_i_cli_use_of(path) != VISE_I_CLI_UNUSED) continue;
    (void)!vise_folder_open(s->dir, false, &folder, NULL);
    vise_folder_close(folder);
    folder = NULL;
  }
}

void vise_i_cli_share_close(vise_i_cli_sweeping *s) {
  vise_i_cli_share *share = s->share;
  if (share == NULL) return;
  const bool joined = share->me != SIZE_MAX;
  if (joined) leave(s);
  vise_i_cli_pulse_end(&share->pulse);
  if (!joined) remove_own(s);
  remove_lock(s);
  if (s->fits_name == share->self.fits) s->fits_name = NULL;
  vise_i_claims_free(share->claims);
  free(share->workers);
  free(share);
  s->share = NULL;
}

/* ---- the others ------------------------------------------------------------------------------------------------------- */

/* Whether it is gone, or has been silent for longer than it asked to be waited for. */
static bool is_lost(const vise_i_cli_sweeping *s, vise_i_cli_worker *worker) {
  char path[VISE_I_CLI_PATH_BYTES], name[VISE_I_CLI_WORKER_FILE_BYTES], machine[VISE_I_CLI_MACHINE_BYTES];
  uint64_t number = worker->pulse.number;
  (void)snprintf(name, sizeof name, VISE_I_CLI_WORKERS "/%s.alive", worker->name);
  vise_i_cli_sweep_path(s, name, path);
  vise_i_cli_machine(machine);
  if (machine[0] != '\0' && strcmp(machine, worker->machine) == 0 && vise_i_cli_use_of(path) == VISE_I_CLI_UNUSED) {
    return true;
  }

  (void)vise_i_cli_pulse_read(path, &number); /* one that is missing does not change */
  const double silent = vise_i_claims_look(&worker->pulse, number, vise_i_cli_seconds(), 2 * CHECK_SECONDS);
  return silent > (worker->lease > 1 ? worker->lease : 1);
}

/* The fits of those that are lost are open to all. */
static vise_status check_others(vise_i_cli_sweeping *s, vise_error *err) {
  const vise_i_cli_share *share = s->share;
  vise_status status = VISE_OK;
  for (size_t who = 0; status == VISE_OK && who < vise_i_claims_n_workers(share->claims); who++) {
    vise_i_cli_worker *worker = &share->workers[who];
    if (who == share->me || !vise_i_claims_is_at_work(share->claims, who) || !is_lost(s, worker)) continue;

    if (!s->options->quiet)
      vise_i_cli_tell(VISE_I_CLI_NOTE, "worker %s is lost; its fits are open to the others", worker->name);
    json_t *record = vise_i_cli_log_record("leave", worker->name);
    vise_i_json_put(&record, "by", json_string(share->self.name));
    status = vise_i_cli_log_add(s, record, err);
  }
  return status;
}

/* Fits in the files of others. That of the folder's holder is read whether it has joined or not. */
static vise_status read_others(vise_i_cli_sweeping *s, size_t *n_new, vise_error *err) {
  vise_i_cli_share *share = s->share;
  vise_status status = VISE_OK;
  if (s->joins) status = vise_i_cli_sweep_fits_follow(s, "fits.jsonl", &share->main, n_new, err);
  for (size_t who = 0; status == VISE_OK && who < vise_i_claims_n_workers(share->claims); who++) {
    vise_i_cli_worker *worker = &share->workers[who];
    if (who == share->me || strcmp(worker->fits, "fits.jsonl") == 0) continue;
    status = vise_i_cli_sweep_fits_follow(s, worker->fits, &worker->followed, n_new, err);
  }
  return status;
}

vise_status vise_i_cli_share_look(vise_i_cli_sweeping *s, double every, size_t *n_new, vise_error *err) {
  vise_i_cli_share *share = s->share;
  const double now = vise_i_cli_seconds();
  if (share->looked_at >= 0 && now - share->looked_at < every) return VISE_OK;
  share->looked_at = now;
  if (vise_i_cli_share_is_over(s)) { /* one file has all fits */
    vise_i_cli_followed from_start = {.n_bytes = 0};
    return vise_i_cli_sweep_fits_follow(s, "fits.jsonl", &from_start, n_new, err);
  }

  vise_status status = vise_i_cli_log_read(s, err);
  if (status == VISE_OK) status = read_others(s, n_new, err);
  if (status == VISE_OK && now - share->checked_at >= CHECK_SECONDS) {
    share->checked_at = now;
    status = check_others(s, err);
  }
  return status;
}

double vise_i_cli_share_pause(double last, double most) {
  const double twice = last > 0 ? 2 * last : LEAST_PAUSE, seconds = twice < most ? twice : most;
  (void)nanosleep(&(struct timespec){.tv_nsec = (long)(seconds * 1e9)}, NULL);
  return seconds;
}

/* ---- before it is replaced -------------------------------------------------------------------------------------------- */

vise_status vise_i_cli_share_check_unused(const vise_i_cli_sweeping *s, vise_error *err) {
  char path[VISE_I_CLI_PATH_BYTES], name[VISE_I_CLI_PATH_BYTES];
  vise_i_cli_sweep_path(s, VISE_I_CLI_WORKERS, path);
  DIR *folder = opendir(path);
  if (folder == NULL) return VISE_OK; /* there is none, or removing it says what is wrong */

  vise_status status = VISE_OK;
  const struct dirent *entry;
  while (status == VISE_OK && (entry = readdir(folder)) != NULL) {
    const size_t n = strlen(entry->d_name);
    if (n < 6 || strcmp(entry->d_name + n - 6, ".jsonl") != 0) continue;
    (void)snprintf(name, sizeof name, "%.3800s/%s", path, entry->d_name);
    if (vise_i_cli_use_of(name) != VISE_I_CLI_USED) continue;
    status =
        vise_i_cli_fail(err, VISE_ERR_STATE,
                        "%s: worker %.*s is helping with the sweep in it; wait for its end, or choose another folder",
                        s->dir, (int)n - 6, entry->d_name);
  }
  (void)closedir(folder);
  return status;
}
