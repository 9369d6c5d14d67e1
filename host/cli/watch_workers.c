/* A sweep that several processes share, as it is watched: the fits of those that joined lie in files of their own until all
   are done. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/cli/message.h"
#include "host/cli/watch.h"

#define FOLDER "workers"

static bool is_known(const vise_i_cli_watched_sweep *sweep, const char *name) {
  for (size_t i = 0; i < sweep->n_workers; i++) {
    if (strcmp(strrchr(sweep->workers[i].path, '/') + 1, name) == 0) return true;
  }
  return false;
}

static vise_status add(vise_i_cli_watched_sweep *sweep, const char *name, vise_error *err) {
  char path[512];
  vise_i_cli_tail *grown = realloc(sweep->workers, (sweep->n_workers + 1) * sizeof *grown);
  if (grown == NULL) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory");
  sweep->workers = grown;
  (void)snprintf(path, sizeof path, FOLDER "/%s", name);
  const vise_status status = vise_i_cli_tail_init(&grown[sweep->n_workers], sweep->dir, path, err);
  if (status == VISE_OK) sweep->n_workers++;
  return status;
}

static vise_status find(vise_i_cli_watched_sweep *sweep, vise_error *err) {
  char *path = NULL;
  vise_status status = vise_i_cli_watch_path(&path, sweep->dir, FOLDER, err);
  DIR *folder = status == VISE_OK ? opendir(path) : NULL;
  free(path);
  if (folder == NULL) return status; /* nobody has joined */

  const struct dirent *entry;
  while (status == VISE_OK && (entry = readdir(folder)) != NULL) {
    const char *end = strrchr(entry->d_name, '.');
    if (end != NULL && strcmp(end, ".jsonl") == 0 && !is_known(sweep, entry->d_name)) {
      status = add(sweep, entry->d_name, err);
    }
  }
  (void)closedir(folder);
  return status;
}

void vise_i_cli_watch_workers_ask(vise_i_cli_watched_sweep *sweep) {
  sweep->use = vise_i_cli_use_of(sweep->fits_file.path);
  sweep->n_at_work = sweep->use == VISE_I_CLI_USED;
  for (size_t i = 0; i < sweep->n_workers; i++) {
    const vise_i_cli_use_state use = vise_i_cli_use_of(sweep->workers[i].path);
    sweep->n_at_work += use == VISE_I_CLI_USED;
    if (use == VISE_I_CLI_USED || (use == VISE_I_CLI_USE_UNKNOWN && sweep->use == VISE_I_CLI_UNUSED)) sweep->use = use;
  }
}

vise_status vise_i_cli_watch_workers_look(vise_i_cli_watched_sweep *sweep, const vise_i_cli_tail_events *events,
                                          bool *news, vise_error *err) {
  vise_status status = find(sweep, err);
  for (size_t i = 0; status == VISE_OK && i < sweep->n_workers; i++) {
    bool its = false;
    status = vise_i_cli_tail_look(&sweep->workers[i], events, &its, err);
    *news = *news || its;
  }
  return status;
}

bool vise_i_cli_watch_workers_merged(const vise_i_cli_watched_sweep *sweep) {
  if (sweep->n_workers == 0) return false;
  const char *last = strrchr(sweep->workers[0].path, '/');
  char folder[4096];
  (void)snprintf(folder, sizeof folder, "%.*s", (int)(last - sweep->workers[0].path), sweep->workers[0].path);
  return access(folder, F_OK) == 0 || access(sweep->results_path, F_OK) == 0;
}

void vise_i_cli_watch_workers_forget(vise_i_cli_watched_sweep *sweep) {
  for (size_t i = 0; i < sweep->n_workers; i++) {
    sweep->workers[i].n = 0;
    sweep->workers[i].exists = false;
  }
}

void vise_i_cli_watch_workers_free(vise_i_cli_watched_sweep *sweep) {
  for (size_t i = 0; i < sweep->n_workers; i++) vise_i_cli_tail_free(&sweep->workers[i]);
  free(sweep->workers);
}
