/* The end of a sweep that several processes share: one of them makes the results, any of them; the others wait until they
   are made, and take its place where it is lost. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/cli/files.h"
#include "host/cli/folder_use.h"
#include "host/cli/json_file.h"
#include "host/cli/message.h"
#include "host/cli/signals.h"
#include "host/cli/sweep_share.h"
#include "host/cli/tell.h"
#include "host/cli/text_stream.h"

enum { TRIES = 2 }; /* of what a disk may refuse once */

#define LOOK_SECONDS 0.2
#define WAIT_SECONDS 0.25 /* at most */

static vise_status fail_replaced(const vise_i_cli_sweeping *s, vise_error *err) {
  return vise_i_cli_fail(err, VISE_ERR_STATE, "%s: another sweep has taken the place of this one", s->dir);
}

/* ---- whose it is ------------------------------------------------------------------------------------------------------ */

/* What the holder of the folder is at that has not joined; it may be making the results. */
static vise_i_cli_use_state main_of(const vise_i_cli_sweeping *s) {
  char path[VISE_I_CLI_PATH_BYTES];
  for (size_t who = 0; who < vise_i_claims_n_workers(s->share->claims); who++) {
    if (strcmp(s->share->workers[who].fits, "fits.jsonl") == 0) return VISE_I_CLI_UNUSED;
  }
  if (!s->joins) return VISE_I_CLI_UNUSED;
  vise_i_cli_sweep_path(s, "fits.jsonl", path);
  return vise_i_cli_use_of(path);
}

static void tell_who(const vise_i_cli_sweeping *s, size_t who, size_t *told) {
  if (who == *told) return;
  *told = who;
  if (who != SIZE_MAX) {
    vise_i_cli_tell(VISE_I_CLI_NOTE, "all fits are done; worker %s makes the results", s->share->workers[who].name);
  } else {
    vise_i_cli_tell(VISE_I_CLI_NOTE, "all fits are done; another process makes the results");
  }
}

/* Takes it on where nobody has it. */
static vise_status ask(vise_i_cli_sweeping *s, size_t *told, vise_error *err) {
  const vise_i_cli_share *share = s->share;
  const size_t who = vise_i_claims_ends(share->claims);
  if (who == share->me) return VISE_OK;
  if (who != SIZE_MAX || main_of(s) != VISE_I_CLI_UNUSED || vise_i_cli_share_is_refitting(s)) {
    if (!s->options->quiet) tell_who(s, who, told);
    return VISE_OK;
  }
  const vise_status status = vise_i_cli_share_join(s, err);
  if (status != VISE_OK) return status;
  return vise_i_cli_log_add(s, vise_i_cli_log_record("end", share->self.name), err);
}

vise_status vise_i_cli_share_end(vise_i_cli_sweeping *s, bool *mine, vise_error *err) {
  vise_status status = VISE_OK;
  size_t n_new = 0, told = SIZE_MAX - 1;
  double wait = 0;
  *mine = false;
  while (status == VISE_OK && !*mine && vise_i_cli_share_is_wanted(s)) {
    status = vise_i_cli_share_look(s, LOOK_SECONDS, &n_new, err);
    if (status == VISE_OK) status = ask(s, &told, err);
    *mine = status == VISE_OK && s->share->me != SIZE_MAX && vise_i_claims_ends(s->share->claims) == s->share->me;
    s->interrupted = vise_i_cli_signal_caught() != 0;
    if (s->interrupted) return status;
    if (!*mine) wait = vise_i_cli_share_pause(wait, WAIT_SECONDS);
  }
  if (*mine) return VISE_OK;
  if (!vise_i_cli_share_is_over(s)) return status != VISE_OK ? status : fail_replaced(s, err);
  vise_error_clear(err); /* of what was removed between two calls */
  return VISE_OK;
}

/* ---- one file of fits ------------------------------------------------------------------------------------------------- */

typedef struct merging {
  const vise_i_cli_sweeping *s;
  FILE *to;
  size_t round;       /* whose lines are taken */
  unsigned char *has; /* [n_rungs][n_configs][n_splits] */
} merging;

static size_t count_of(const json_t *object, const char *name, size_t missing) {
  const json_t *value = json_object_get(object, name);
  return json_is_integer(value) && json_integer_value(value) >= 0 ? (size_t)json_integer_value(value) : missing;
}

/* Whether it is the first line of its fit in this round. */
static bool is_first(const merging *m, const json_t *fit) {
  const vise_i_cli_sweeping *s = m->s;
  const size_t config = count_of(fit, "config", SIZE_MAX), repeat = count_of(fit, "repeat", SIZE_MAX),
               fold = count_of(fit, "fold", 0), round = count_of(fit, "round", 1);
  if (config >= s->n_configs || repeat >= s->n_repeats || fold < 1 || fold > s->n_folds || round != m->round) {
    return false;
  }
  unsigned char *has = &m->has[((round - 1) * s->n_configs + config) * s->n_splits + repeat * s->n_folds + fold - 1];
  const bool first = *has == 0;
  *has = 1;
  return first;
}

static vise_status merge_file(const merging *m, const char *name, vise_error *err) {
  char path[VISE_I_CLI_PATH_BYTES];
  vise_i_cli_sweep_path(m->s, name, path);
  vise_i_cli_lines lines = {.stream = vise_i_cli_open(path), .path = path};
  if (lines.stream == NULL && errno == ENOENT) return VISE_OK;
  if (lines.stream == NULL)
    return vise_i_cli_fail(err, VISE_ERR_IO, "%s: cannot be read: %s", path, vise_i_cli_open_error());

  vise_status status;
  while ((status = vise_i_cli_lines_next(&lines, err)) == VISE_OK && lines.n > 0) {
    json_t *fit = NULL;
    status = vise_i_cli_lines_json(&lines, &fit, err);
    if (status == VISE_OK && is_first(m, fit)) (void)fwrite(lines.text, 1, lines.n, m->to);
    json_decref(fit);
    if (status != VISE_OK) break;
  }
  free(lines.text);
  (void)fclose(lines.stream);
  return status;
}

static vise_status merge_round(const merging *m, vise_error *err) {
  const vise_i_cli_share *share = m->s->share;
  vise_status status = merge_file(m, "fits.jsonl", err);
  for (size_t who = 0; status == VISE_OK && who < vise_i_claims_n_workers(share->claims); who++) {
    if (strcmp(share->workers[who].fits, "fits.jsonl") == 0) continue;
    status = merge_file(m, share->workers[who].fits, err);
  }
  return status;
}

/* Of one fit the line of the last round comes last. */
static vise_status merge_all(merging *m, vise_error *err) {
  vise_status status = VISE_OK;
  for (m->round = 1; status == VISE_OK && m->round <= m->s->n_rungs; m->round++) status = merge_round(m, err);
  return status;
}

/* Those who ask whether somebody is at work ask for the lock of this file. */
static void show_use(vise_i_cli_sweeping *s) {
  char path[VISE_I_CLI_PATH_BYTES];
  vise_i_cli_sweep_path(s, "fits.jsonl", path);
  const int file = vise_i_cli_open_own(path, O_APPEND);
  if (file < 0) return;
  vise_i_cli_use_show(file);
  (void)close(s->fits_file);
  s->fits_file = file;
}

vise_status vise_i_cli_share_merge(vise_i_cli_sweeping *s, vise_error *err) {
  vise_i_cli_text_stream stream;
  char *text = NULL;
  size_t n = 0;
  merging m = {.s = s, .has = calloc(s->n_rungs * s->n_configs * s->n_splits + 1, 1)};
  if (m.has == NULL) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for the fits");

  vise_status status = vise_i_cli_text_begin(&stream, "fits.jsonl", err);
  if (status == VISE_OK) {
    m.to = stream.stream;
    const vise_status merged = merge_all(&m, err);
    status = vise_i_cli_text_end(&stream, "fits.jsonl", &text, &n, err);
    if (merged != VISE_OK) status = merged;
  }
  if (status == VISE_OK) status = vise_i_cli_sweep_file_write(s, "fits.jsonl", text, n, err);
  if (status == VISE_OK) show_use(s);
  free(text);
  free(m.has);
  return status;
}

/* ---- cleaning up ------------------------------------------------------------------------------------------------------ */

static bool ends_with(const char *name, const char *end) {
  const size_t n = strlen(name), n_end = strlen(end);
  return n >= n_end && strcmp(name + n - n_end, end) == 0;
}

static bool is_ours(const char *name) {
  return strncmp(name, "record-", 7) == 0 || ends_with(name, ".jsonl") || ends_with(name, ".alive") ||
         ends_with(name, ".tmp") || (strstr(name, ".rung-") != NULL && ends_with(name, ".bin"));
}

static void remove_folder(const char *path) {
  DIR *folder = opendir(path);
  if (folder == NULL) return;
  const struct dirent *entry;
  while ((entry = readdir(folder)) != NULL) {
    if (is_ours(entry->d_name)) (void)unlinkat(dirfd(folder), entry->d_name, 0);
  }
  (void)closedir(folder);
  (void)rmdir(path);
}

void vise_i_cli_share_remove_ended(const vise_i_cli_sweeping *s) {
  char path[VISE_I_CLI_PATH_BYTES];
  vise_i_cli_sweep_path(s, VISE_I_CLI_WORKERS_ENDED, path);
  remove_folder(path);
}

/* At once for all that look at it; then what it holds. */
void vise_i_cli_share_remove(const vise_i_cli_sweeping *s) {
  char path[VISE_I_CLI_PATH_BYTES], ended[VISE_I_CLI_PATH_BYTES];
  vise_i_cli_sweep_path(s, VISE_I_CLI_WORKERS, path);
  vise_i_cli_sweep_path(s, VISE_I_CLI_WORKERS_ENDED, ended);
  vise_i_cli_share_remove_ended(s);
  for (int i = 0; i < TRIES && vise_i_cli_share_is_wanted(s); i++) (void)rename(path, ended);
  for (int i = 0; i < TRIES && access(ended, F_OK) == 0; i++) remove_folder(ended);
}
