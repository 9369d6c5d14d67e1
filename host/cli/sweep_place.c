/* Whose folder it is: one sweep at a time has it, an earlier sweep is replaced as a whole, and others' files stay. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/cli/files.h"
#include "host/cli/json_file.h"
#include "host/cli/message.h"
#include "host/cli/sweep_share.h"
#include "host/cli/tensorboard_file.h"
#include "vise/folder.h"
#include "vise/run.h"

enum { FIXED_NAMES = 4, STATE_NAME_BYTES = 64 };

/* ---- looking ------------------------------------------------------------------------------------------------------------ */

static bool begins_with(const char *text, const char *start) {
  return strncmp(text, start, strlen(start)) == 0;
}

/* Of an empty folder, after a kill: the lock, and sweep.json that was being written. */
static bool is_of_the_start(const char *name) {
  return strcmp(name, VISE_RUN_LOCK_NAME) == 0 || begins_with(name, "sweep.json.tmp");
}

/* Of the winner, which a run wrote. */
static bool is_of_a_run(const char *name) {
  static const char *const names[] = {"config.json",       "metrics.jsonl", "model.safetensors", "mask.safetensors",
                                      "signs.safetensors", "checkpoints",   "report.html"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    const size_t n = strlen(names[i]);
    if (strncmp(name, names[i], n) == 0 && (name[n] == '\0' || begins_with(name + n, ".tmp-"))) return true;
  }
  return strcmp(name, VISE_RUN_LOCK_NAME) == 0 || begins_with(name, ".vise-replaced.tmp-");
}

static bool is_of_checkpoints(const char *name) {
  return begins_with(name, "step-") || begins_with(name, ".step-");
}

/* Whether a folder holds nothing else than expected; *there: it is one. */
static vise_status holds_only(const char *dir, bool (*expected)(const char *name), bool *there, bool *out,
                              vise_error *err) {
  DIR *folder;
  do folder = opendir(dir);
  while (folder == NULL && errno == EINTR);
  *there = folder != NULL;
  *out = true;
  if (folder == NULL && errno == ENOENT) return VISE_OK;
  if (folder == NULL) return vise_i_cli_fail(err, VISE_ERR_IO, "%s: cannot be read: %s", dir, strerror(errno));

  const struct dirent *entry;
  while (*out && (errno = 0, entry = readdir(folder)) != NULL) {
    *out = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 || expected(entry->d_name);
  }
  const int number = *out ? errno : 0;
  (void)closedir(folder);
  if (number == 0) return VISE_OK;
  return vise_i_cli_fail(err, VISE_ERR_IO, "%s: cannot be read: %s", dir, strerror(number));
}

/* What is not a folder is found now, not when the winner is to be trained there. */
static vise_status check_best(const vise_i_cli_sweeping *s, bool *there, vise_error *err) {
  char path[VISE_I_CLI_PATH_BYTES];
  struct stat info;
  vise_i_cli_sweep_path(s, "best", path);
  *there = lstat(path, &info) == 0;
  if (!*there && errno != ENOENT) {
    return vise_i_cli_fail(err, VISE_ERR_IO, "%s: cannot be examined: %s", path, strerror(errno));
  }
  if (!*there || S_ISDIR(info.st_mode)) return VISE_OK;
  return vise_i_cli_fail(err, VISE_ERR_USAGE, "%s: is not a folder, so that the winner cannot be there: move it away",
                         path);
}

/* Only what a sweep wrote is replaced. */
static vise_status check_is_sweep(const vise_i_cli_sweeping *s, vise_error *err) {
  static const char *const keys[] = {"format", "options", "configs", "folds", "rungs"};
  char path[VISE_I_CLI_PATH_BYTES];
  json_t *root = NULL;
  bool ours = true;
  vise_i_cli_sweep_path(s, "sweep.json", path);
  const vise_status status = vise_i_cli_json_read(path, &root, err);
  if (status != VISE_OK) return status;

  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) ours = ours && json_object_get(root, keys[i]) != NULL;
  json_decref(root);
  if (ours) return VISE_OK;
  return vise_i_cli_fail(
      err, VISE_ERR_USAGE,
      "%s: it was not written by a sweep, and --overwrite replaces nothing else: move it away, or give "
      "another folder",
      path);
}

/* *replaces: there is an earlier sweep. */
static vise_status check_folder(const vise_i_cli_sweeping *s, bool *replaces, vise_error *err) {
  bool is_sweep = false, there = false, is_empty = false, has_best = false;
  vise_status status = vise_i_cli_exists_in(s->dir, "sweep.json", &is_sweep, err);
  if (status == VISE_OK) status = check_best(s, &has_best, err);
  if (status == VISE_OK) status = holds_only(s->dir, is_of_the_start, &there, &is_empty, err);
  if (status != VISE_OK) return status;

  *replaces = is_sweep && !s->resumes;
  if (s->resumes && !is_sweep) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "--resume %s: there is no sweep (sweep.json) in it", s->dir);
  }
  if (s->resumes || is_empty) return VISE_OK;
  if (!is_sweep) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "--out %s: the folder holds something else; give an empty or a new one",
                           s->dir);
  }

  if (s->options->run.overwrite && !s->options->refit && has_best) {
    return vise_i_cli_fail(
        err, VISE_ERR_USAGE,
        "--overwrite and --refit no would leave the winner of the earlier sweep in %s/best: remove it, or "
        "give another folder",
        s->dir);
  }
  if (s->options->run.overwrite) return check_is_sweep(s, err);
  return vise_i_cli_fail(err, VISE_ERR_USAGE,
                         "--out %s: holds an earlier sweep; go on with it by --resume %s, or give "
                         "--overwrite or another folder",
                         s->dir, s->dir);
}

/* ---- beginning ---------------------------------------------------------------------------------------------------------- */

/* Takes the earlier winner for this sweep, so that it can go: nobody is using it, and it holds only what a run wrote. Else
   *out is NULL, and it stays until the new winner takes its place. */
static vise_status take_best(const vise_i_cli_sweeping *s, vise_folder **out, vise_error *err) {
  char path[VISE_I_CLI_PATH_BYTES], checkpoints[VISE_I_CLI_PATH_BYTES];
  bool there = false, ours = false, only_steps = false, ignored = false;
  vise_i_cli_sweep_path(s, "best", path);
  vise_i_cli_sweep_path(s, "best/checkpoints", checkpoints);
  vise_status status = holds_only(path, is_of_a_run, &there, &ours, err);
  if (status != VISE_OK || !there) return status;

  status = vise_folder_open(path, false, out, err);
  if (status == VISE_OK && ours) status = holds_only(checkpoints, is_of_checkpoints, &ignored, &only_steps, err);
  if (status == VISE_OK && ours && only_steps) return VISE_OK;
  vise_folder_close(*out);
  *out = NULL;
  return status;
}

/* An earlier sweep, whole until sweep.json is that of this one. */
static vise_status replace_earlier(const vise_i_cli_sweeping *s, vise_error *err) {
  static const char *const fixed[FIXED_NAMES] = {"fits.jsonl", "results.csv", "report.html", VISE_I_CLI_WORKERS};
  const char *gone[VISE_I_CLI_MOST_RUNGS + FIXED_NAMES + 2];
  char states[VISE_I_CLI_MOST_RUNGS][STATE_NAME_BYTES], *text = NULL;
  vise_folder *best = NULL;
  size_t n = 0;

  for (size_t rung = 1; rung <= VISE_I_CLI_MOST_RUNGS; rung++) {
    vise_i_cli_sweep_states_name(rung, states[rung - 1]);
    gone[n++] = states[rung - 1];
  }
  vise_status status = vise_i_cli_share_check_unused(s, err);
  if (status == VISE_OK) status = take_best(s, &best, err);
  for (size_t i = 0; i < FIXED_NAMES; i++) gone[n++] = fixed[i];
  if (best != NULL) gone[n++] = "best";
  /* One in which is something else stays. */
  if (vise_i_cli_events_check(s->dir, true, NULL) == VISE_OK) gone[n++] = VISE_I_CLI_EVENTS_FOLDER;

  if (status == VISE_OK) status = vise_i_cli_sweep_json_text(s, &text, err);
  if (status == VISE_OK) status = vise_folder_replace(s->folder, gone, n, "sweep.json", text, err);
  vise_folder_close(best);
  free(text);
  return status;
}

/* In this order: at any moment a kill leaves an empty folder, or one to go on with. */
static vise_status begin(vise_i_cli_sweeping *s, bool replaces, vise_error *err) {
  char path[VISE_I_CLI_PATH_BYTES];
  vise_status status = vise_i_cli_sweep_probe(s, s->probe, err);
  if (status == VISE_OK) status = replaces ? replace_earlier(s, err) : vise_i_cli_sweep_json_write(s, err);
  if (status == VISE_OK) status = vise_i_cli_sweep_fits_open(s, err);
  if (status != VISE_OK && !replaces) {
    vise_i_cli_sweep_path(s, "sweep.json", path);
    (void)unlink(path);
    vise_i_cli_sweep_path(s, "fits.jsonl", path);
    (void)unlink(path);
  }
  return status;
}

/* Files of earlier versions that were killed while they wrote them; those of this one go when they are written again. */
static void remove_leftovers(const vise_i_cli_sweeping *s) {
  static const char *const names[] = {"sweep.json.tmp", "results.csv.tmp", "report.html.tmp"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char path[VISE_I_CLI_PATH_BYTES];
    vise_i_cli_sweep_path(s, names[i], path);
    (void)unlink(path);
  }
  vise_i_cli_share_remove_ended(s);
}

/* Whether the results are there, with the winner, or one that is being trained. */
static vise_status find_results(const vise_i_cli_sweeping *s, bool *found, vise_error *err) {
  vise_status status = vise_i_cli_exists_in(s->dir, "results.csv", found, err);
  if (status != VISE_OK || !*found || !s->options->refit || vise_i_cli_share_is_refitting(s)) return status;
  return vise_i_cli_exists_in(s->dir, "best/model.safetensors", found, err);
}

/* Whether its results are made and all fits are there, which are read. */
static vise_status check_ended(vise_i_cli_sweeping *s, vise_error *err) {
  vise_i_cli_followed from_start = {.n_bytes = 0};
  size_t n_new = 0, n_rungs = 0;
  bool has_results = false;
  vise_status status = find_results(s, &has_results, err);
  if (status != VISE_OK || !has_results || vise_i_cli_share_is_wanted(s)) return status;

  status = vise_i_cli_sweep_fits_follow(s, "fits.jsonl", &from_start, &n_new, err);
  for (size_t i = 0; i < s->n_configs * s->n_splits; i++) n_rungs += s->fits[i].n_rungs;
  s->ended = n_rungs >= vise_i_cli_sweep_n_planned(s);
  return status;
}

/* The folder is another process's, or nobody's at the moment. */
static vise_status join(vise_i_cli_sweeping *s, vise_error *err) {
  bool there = false;
  vise_status status = vise_i_cli_sweep_check_same(s, err);
  if (status == VISE_OK) status = check_best(s, &there, err);
  if (status == VISE_OK) status = check_ended(s, err);
  return status == VISE_OK && !s->ended ? vise_i_cli_share_open(s, err) : status;
}

/* Others may help in place of taking it. */
static vise_status take_folder(vise_i_cli_sweeping *s, vise_error *err) {
  vise_error inner = VISE_ERROR_INIT;
  const vise_status status = vise_folder_open(s->dir, !s->resumes, &s->folder, &inner);
  if (status == VISE_OK) return VISE_OK;
  if (status == VISE_ERR_STATE && s->resumes) {
    return vise_i_cli_fail(err, status, "%s; or help it by: vise sweep --join %s", inner.text, s->dir);
  }
  return vise_i_cli_fail(err, status, "%s", inner.text);
}

vise_status vise_i_cli_sweep_folder_open(vise_i_cli_sweeping *s, vise_error *err) {
  bool replaces = false;
  if (s->dir == NULL) return VISE_OK;
  const size_t n = strlen(s->dir);
  if (n == 0 || n + VISE_I_CLI_WORKER_FILE_BYTES + STATE_NAME_BYTES > VISE_I_CLI_PATH_BYTES) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE, "--out '%s': expected a folder", s->dir);
  }
  if (s->joins) return join(s, err);

  vise_status status = take_folder(s, err);
  if (status == VISE_OK) status = check_folder(s, &replaces, err);
  if (status == VISE_OK && s->options->tensorboard) status = vise_i_cli_events_check(s->dir, true, err);
  if (status == VISE_OK && s->resumes) status = vise_i_cli_sweep_check_same(s, err);
  if (status == VISE_OK && (s->resumes || replaces)) status = vise_folder_recover(s->folder, err);
  if (status == VISE_OK) status = s->resumes ? vise_i_cli_sweep_fits_open(s, err) : begin(s, replaces, err);
  if (status != VISE_OK) return status;

  remove_leftovers(s);
  const char *note = vise_folder_note(s->folder);
  if (*note != '\0') (void)fprintf(stderr, "warning: %s\n", note);
  return VISE_OK;
}

bool vise_i_cli_sweep_folder_changed(const vise_i_cli_sweeping *s) {
  return vise_folder_changed(s->folder);
}

void vise_i_cli_sweep_folder_close(vise_i_cli_sweeping *s) {
  vise_i_cli_share_close(s);
  if (s->fits_file >= 0) (void)close(s->fits_file);
  s->fits_file = -1;
  vise_folder_close(s->folder);
  s->folder = NULL;
}
