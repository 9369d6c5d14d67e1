/* The records of claims as files. A file is linked to its place when it is whole, and link fails where one is: so all see
   the same records in the same order, also on a file system of the network, and nobody has to hold a lock. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "host/cli/files.h"
#include "host/cli/json_file.h"
#include "host/cli/message.h"
#include "host/cli/sweep_share.h"
#include "host/json/build.h"
#include "host/json/text.h"

enum { NAME_BYTES = 64, WAITS = 600, WAIT_NANOSECONDS = 100000000 };

static void record_name(uint64_t number, char name[NAME_BYTES]) {
  (void)snprintf(name, NAME_BYTES, VISE_I_CLI_WORKERS "/record-%08" PRIu64, number);
}

/* ---- what a record says ----------------------------------------------------------------------------------------------- */

static const char *const events[] = {"join", "claim", "end", "leave"};

static bool kind_of(const json_t *object, vise_i_claims_kind *out) {
  const char *event = json_string_value(json_object_get(object, "event"));
  for (size_t i = 0; event != NULL && i < sizeof events / sizeof *events; i++) {
    *out = (vise_i_claims_kind)i;
    if (strcmp(event, events[i]) == 0) return true;
  }
  return false;
}

static size_t size_of(const json_t *object) {
  const json_int_t value = json_integer_value(object);
  return value > 0 ? (size_t)value : 0;
}

static void copy_text(const json_t *object, const char *key, char *out, size_t n_bytes) {
  const char *text = json_string_value(json_object_get(object, key));
  (void)snprintf(out, n_bytes, "%s", text != NULL ? text : "");
}

/* The number of a worker; that of the next one if there is none of this name. */
static size_t find(const vise_i_cli_share *share, const char *name) {
  size_t who = 0;
  while (who < vise_i_claims_n_workers(share->claims) && strcmp(share->workers[who].name, name) != 0) who++;
  return who;
}

static bool take_worker(vise_i_cli_share *share, size_t who, const json_t *object) {
  if (who == vise_i_claims_n_workers(share->claims)) {
    vise_i_cli_worker *workers = realloc(share->workers, (who + 1) * sizeof *workers);
    if (workers == NULL) return false;
    share->workers = workers;
    workers[who] = (vise_i_cli_worker){.followed = {.n_bytes = 0}};
  }

  vise_i_cli_worker *worker = &share->workers[who];
  worker->pulse = (vise_i_claims_pulse){.begun = false};
  worker->lease = json_number_value(json_object_get(object, "lease"));
  copy_text(object, "worker", worker->name, sizeof worker->name);
  copy_text(object, "machine", worker->machine, sizeof worker->machine);
  copy_text(object, "fits", worker->fits, sizeof worker->fits);
  return true;
}

static vise_i_claims_range *ranges_of(const json_t *list, size_t *n) {
  *n = json_array_size(list);
  vise_i_claims_range *ranges = calloc(*n + 1, sizeof *ranges);
  for (size_t i = 0; ranges != NULL && i < *n; i++) {
    const json_t *pair = json_array_get(list, i);
    ranges[i] = (vise_i_claims_range){size_of(json_array_get(pair, 0)), size_of(json_array_get(pair, 1))};
  }
  return ranges;
}

/* One process at a time holds the folder, so that an earlier holder is gone. */
static void take_folder(vise_i_cli_share *share, size_t holder) {
  const char *fits = share->workers[holder].fits;
  for (size_t who = 0; who < vise_i_claims_n_workers(share->claims); who++) {
    const vise_i_claims_record record = {.kind = VISE_I_CLAIMS_LEAVE, .who = who};
    if (who != holder && strcmp(share->workers[who].fits, fits) == 0) {
      (void)vise_i_claims_apply(share->claims, &record);
    }
  }
}

/* One that no worker would write counts for nothing, for all of them alike. */
static vise_status apply(vise_i_cli_share *share, const json_t *object, vise_error *err) {
  vise_i_claims_record record = {.jobs = size_of(json_object_get(object, "jobs")),
                                 .round = size_of(json_object_get(object, "round"))};
  const char *name = json_string_value(json_object_get(object, "worker"));
  if (name == NULL || strlen(name) >= VISE_I_CLI_WORKER_BYTES || !kind_of(object, &record.kind)) return VISE_OK;
  record.who = find(share, name);

  const bool joins = record.kind == VISE_I_CLAIMS_JOIN;
  vise_i_claims_range *ranges = ranges_of(json_object_get(object, "fits"), &record.n_ranges);
  record.ranges = ranges;
  bool taken = ranges != NULL && (!joins || take_worker(share, record.who, object));
  if (taken) taken = vise_i_claims_apply(share->claims, &record) || !joins;
  free(ranges);
  if (!taken) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for the workers of the sweep");
  if (joins) take_folder(share, record.who);
  if (joins && strcmp(name, share->self.name) == 0) share->me = record.who;
  return VISE_OK;
}

/* ---- reading ---------------------------------------------------------------------------------------------------------- */

/* *there false: there is no such record yet. One that is damaged, which only a crash of its machine does, is NULL. */
static vise_status read_record(const vise_i_cli_sweeping *s, uint64_t number, bool *there, json_t **out,
                               vise_error *err) {
  char name[NAME_BYTES], path[VISE_I_CLI_PATH_BYTES];
  record_name(number, name);
  vise_i_cli_sweep_path(s, name, path);
  FILE *stream = vise_i_cli_open(path);
  *there = stream != NULL;
  if (stream == NULL && (errno == ENOENT || errno == ENOTDIR)) return VISE_OK;
  if (stream == NULL) {
    return vise_i_cli_fail(err, VISE_ERR_IO, "%s: cannot be read: %s", path, vise_i_cli_open_error());
  }

  vise_i_cli_lines lines = {.stream = stream, .path = path};
  vise_status status = vise_i_cli_lines_next(&lines, err);
  if (status == VISE_OK && lines.n > 0) {
    const vise_status parsed = vise_i_cli_lines_json(&lines, out, NULL);
    if (parsed == VISE_ERR_MEMORY) status = vise_i_cli_fail(err, parsed, "out of memory for %s", path);
  }
  free(lines.text);
  (void)fclose(stream);
  return status;
}

static vise_status read_next(vise_i_cli_sweeping *s, bool *there, vise_error *err) {
  json_t *object = NULL;
  vise_status status = read_record(s, s->share->n_records + 1, there, &object, err);
  if (status != VISE_OK || !*there) return status;
  s->share->n_records++;
  status = apply(s->share, object, err);
  json_decref(object);
  return status;
}

vise_status vise_i_cli_log_read(vise_i_cli_sweeping *s, vise_error *err) {
  bool there = true;
  vise_status status = VISE_OK;
  while (status == VISE_OK && there) status = read_next(s, &there, err);
  return status;
}

/* ---- writing ---------------------------------------------------------------------------------------------------------- */

json_t *vise_i_cli_log_record(const char *event, const char *name) {
  return json_pack("{s:s, s:s}", "event", event, "worker", name);
}

/* Writes the file that is to be linked. */
static vise_status write_text(const vise_i_cli_sweeping *s, const char *name, char *text, size_t n, vise_error *err) {
  char path[VISE_I_CLI_PATH_BYTES];
  vise_i_cli_sweep_path(s, name, path);
  const int file = vise_i_cli_open_own(path, O_TRUNC);
  if (file < 0) {
    return vise_i_cli_fail(err, VISE_ERR_IO, "%s: cannot be written: %s", path, vise_i_cli_open_error());
  }
  text[n] = '\n';
  bool written = vise_i_cli_write_all(file, text, n + 1);
  const int number = errno;
  if (close(file) != 0 && written) {
    written = false;
  } else {
    errno = number;
  }
  return written ? VISE_OK : vise_i_cli_sweep_fail_file(s, name, "written", err);
}

/* *won: it is in that place; else another record is. */
static vise_status link_to(const vise_i_cli_sweeping *s, const char *name, uint64_t number, bool *won,
                           vise_error *err) {
  char record[NAME_BYTES], from[VISE_I_CLI_PATH_BYTES], to[VISE_I_CLI_PATH_BYTES];
  record_name(number, record);
  vise_i_cli_sweep_path(s, name, from);
  vise_i_cli_sweep_path(s, record, to);
  *won = link(from, to) == 0;
  if (*won || errno == EEXIST) return VISE_OK;
  if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS && errno != EMLINK) {
    return vise_i_cli_sweep_fail_file(s, record, "made", err);
  }
  return vise_i_cli_fail(err, VISE_ERR_UNSUPPORTED,
                         "%s: this file system has no hard links, which processes that share a sweep agree by; use "
                         "another folder for it",
                         s->dir);
}

/* A file that is there, and that the cache of a network's file system does not show yet. */
static vise_status wait_for_next(vise_i_cli_sweeping *s, vise_error *err) {
  bool there = false;
  vise_status status = read_next(s, &there, err);
  for (int i = 0; status == VISE_OK && !there && i < WAITS; i++) {
    (void)nanosleep(&(struct timespec){.tv_nsec = WAIT_NANOSECONDS}, NULL);
    status = read_next(s, &there, err);
  }
  if (status != VISE_OK || there) return status;
  errno = ESTALE;
  return vise_i_cli_sweep_fail_file(s, VISE_I_CLI_WORKERS, "read", err);
}

vise_status vise_i_cli_log_add(vise_i_cli_sweeping *s, json_t *record, vise_error *err) {
  char name[VISE_I_CLI_WORKER_FILE_BYTES], path[VISE_I_CLI_PATH_BYTES], *text = NULL;
  size_t n = 0;
  bool won = false;
  vise_status status = vise_i_json_text(record, JSON_COMPACT, "a record of the sweep", &text, &n, err);
  json_decref(record);
  if (status != VISE_OK) return status;

  (void)snprintf(name, sizeof name, VISE_I_CLI_WORKERS "/%s.tmp", s->share->self.name);
  status = write_text(s, name, text, n, err);
  if (status == VISE_OK) status = link_to(s, name, s->share->n_records + 1, &won, err);
  if (status == VISE_OK) status = wait_for_next(s, err);
  if (status == VISE_OK) status = vise_i_cli_log_read(s, err);
  vise_i_cli_sweep_path(s, name, path);
  (void)unlink(path);
  free(text);
  return status;
}
