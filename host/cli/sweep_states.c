/*
 * With --halving: the states of fits that were scored at a rung and may go on from there, in states/rung-N.bin until all
 * have been scored at the next one; of a process that joined, in workers/NAME.rung-N.bin; without a folder, in files that
 * have no name. A state stands there before the line of the fit is in fits.jsonl. One that is lost costs time and nothing
 * else: the fit is trained from its beginning.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/cli/files.h"
#include "host/cli/message.h"
#include "host/cli/sweep_share.h"

/* What stands before the bytes of a state. */
typedef struct state_head {
  char magic[8];
  uint64_t config, split, n_bytes;
} state_head;

static const char magic[8] = "visefit";

void vise_i_cli_sweep_states_name(size_t rung, char name[64]) {
  (void)snprintf(name, 64, "states/rung-%zu.bin", rung);
}

/* Where each fit's state lies, from the heads. */
static void read_heads(const vise_i_cli_sweeping *s, vise_i_cli_states *states, size_t place) {
  struct stat info;
  state_head head;
  uint64_t at = 0;
  if (fstat(states->file, &info) != 0) return;

  while (pread(states->file, &head, sizeof head, (off_t)at) == (ssize_t)sizeof head) {
    const bool sound = memcmp(head.magic, magic, sizeof magic) == 0 && head.config < s->n_configs &&
                       head.split < s->n_splits && head.n_bytes <= (uint64_t)info.st_size - at - sizeof head;
    if (!sound) break;

    vise_i_cli_fit *fit = vise_i_cli_fit_at(s, head.config, head.split);
    at += sizeof head;
    if (fit->n_rungs == states->rung) {
      fit->state_at = at;
      fit->n_state = head.n_bytes;
      fit->state_file = place;
    }
    at += head.n_bytes;
  }
  states->n_bytes = at;
}

/* A file that is gone once it is closed. */
static int open_nameless(void) {
  const char *folder = getenv("TMPDIR");
  char path[VISE_I_CLI_PATH_BYTES];
  (void)snprintf(path, sizeof path, "%s/vise-states-XXXXXX", folder != NULL && *folder != '\0' ? folder : "/tmp");
  const int file = mkostemp(path, O_CLOEXEC);
  if (file >= 0) (void)unlink(path);
  return file;
}

/* The file of a process with the states of a rung: of one that joined by its name, of the folder's holder without one. */
static void path_of(const vise_i_cli_sweeping *s, const char *worker, size_t rung, char path[VISE_I_CLI_PATH_BYTES]) {
  char name[VISE_I_CLI_WORKER_FILE_BYTES + 64];
  vise_i_cli_sweep_states_name(rung, name);
  if (worker != NULL) (void)snprintf(name, sizeof name, VISE_I_CLI_WORKERS "/%s.rung-%zu.bin", worker, rung);
  vise_i_cli_sweep_path(s, name, path);
}

static void own_path(const vise_i_cli_sweeping *s, size_t rung, char path[VISE_I_CLI_PATH_BYTES]) {
  path_of(s, s->joins ? s->share->self.name : NULL, rung, path);
}

/* The file of this process, to go on with; a cut end is cut off. */
static vise_status open_own(vise_i_cli_sweeping *s, size_t rung, vise_i_cli_states *out, vise_error *err) {
  char path[VISE_I_CLI_PATH_BYTES];
  *out = (vise_i_cli_states){.file = -1, .rung = rung};
  if (s->dir == NULL) {
    out->file = open_nameless();
    if (out->file >= 0) return VISE_OK;
    return vise_i_cli_fail(err, VISE_ERR_IO, "--halving: no file for the states of fits: %s; give --out, or set TMPDIR",
                           strerror(errno));
  }

  vise_i_cli_sweep_path(s, "states", path);
  if (!s->joins && mkdir(path, 0777) != 0 && errno != EEXIST) {
    return vise_i_cli_sweep_fail_file(s, "states", "made", err);
  }
  own_path(s, rung, path);
  out->file = vise_i_cli_open_own(path, 0);
  if (out->file < 0) {
    return vise_i_cli_fail(err, VISE_ERR_IO, "%s: cannot be written: %s", path, vise_i_cli_open_error());
  }
  read_heads(s, out, 0);
  (void)vise_i_cli_cut(out->file, out->n_bytes);
  return VISE_OK;
}

static void close_states(vise_i_cli_states *states) {
  if (states->file >= 0) (void)close(states->file);
  states->file = -1;
}

static void close_before(vise_i_cli_sweeping *s) {
  for (size_t i = 0; i < s->n_before; i++) close_states(&s->before[i]);
  free(s->before);
  s->before = NULL;
  s->n_before = 0;
}

/* A further file of the rung before; of another process one that cannot be read is one without states. */
static vise_status add_before(vise_i_cli_sweeping *s, vise_i_cli_states states, vise_error *err) {
  vise_i_cli_states *grown = realloc(s->before, (s->n_before + 1) * sizeof *grown);
  if (grown == NULL) {
    close_states(&states);
    return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for the states of fits");
  }
  s->before = grown;
  s->before[s->n_before++] = states;
  return VISE_OK;
}

static vise_status add_others(vise_i_cli_sweeping *s, const char *worker, size_t rung, vise_error *err) {
  char path[VISE_I_CLI_PATH_BYTES];
  path_of(s, worker, rung, path);
  vise_i_cli_states states = {.file = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), .rung = rung};
  if (states.file < 0) return VISE_OK;
  read_heads(s, &states, s->n_before);
  return add_before(s, states, err);
}

/* The states of the rung before: of this process, and of all others. */
static vise_status begin_before(vise_i_cli_sweeping *s, size_t rung, vise_error *err) {
  vise_i_cli_states own = s->kept;
  vise_status status = VISE_OK;
  close_before(s);
  s->kept = (vise_i_cli_states){.file = -1};
  if (rung == 0) return VISE_OK;
  if (own.file < 0) status = open_own(s, rung, &own, err);
  if (status == VISE_OK) status = add_before(s, own, err);
  if (s->share == NULL) return status;

  if (status == VISE_OK && s->joins) status = add_others(s, NULL, rung, err);
  for (size_t who = 0; status == VISE_OK && who < vise_i_claims_n_workers(s->share->claims); who++) {
    const vise_i_cli_worker *worker = &s->share->workers[who];
    if (who != s->share->me && strcmp(worker->fits, "fits.jsonl") != 0) status = add_others(s, worker->name, rung, err);
  }
  return status;
}

vise_status vise_i_cli_sweep_states_begin(vise_i_cli_sweeping *s, size_t rung, vise_error *err) {
  const vise_status status = begin_before(s, rung - 1, err);
  return status == VISE_OK && rung < s->n_rungs ? open_own(s, rung, &s->kept, err) : status;
}

static void remove_one(const vise_i_cli_sweeping *s, size_t rung) {
  char path[VISE_I_CLI_PATH_BYTES];
  if (s->dir == NULL || rung == 0) return;
  own_path(s, rung, path);
  (void)unlink(path);
}

void vise_i_cli_sweep_states_end(vise_i_cli_sweeping *s, size_t rung) {
  close_before(s);
  remove_one(s, rung - 1);
}

void vise_i_cli_sweep_states_close(vise_i_cli_sweeping *s) {
  close_before(s);
  close_states(&s->kept);
}

void vise_i_cli_sweep_states_remove(const vise_i_cli_sweeping *s) {
  char path[VISE_I_CLI_PATH_BYTES];
  for (size_t rung = 1; rung <= VISE_I_CLI_MOST_RUNGS; rung++) {
    path_of(s, NULL, rung, path);
    (void)unlink(path);
  }
  vise_i_cli_sweep_path(s, "states", path);
  (void)rmdir(path);
}

void vise_i_cli_sweep_states_sync(const vise_i_cli_sweeping *s) {
  if (s->dir != NULL && s->kept.file >= 0) (void)fdatasync(s->kept.file);
}

vise_status vise_i_cli_sweep_states_keep(vise_i_cli_sweeping *s, size_t config, size_t split, const void *bytes,
                                         size_t n, vise_error *err) {
  vise_i_cli_fit *fit = vise_i_cli_fit_at(s, config, split);
  state_head head = {.config = config, .split = split, .n_bytes = n};
  memcpy(head.magic, magic, sizeof magic);

  const int file = s->kept.file;
  const bool written = lseek(file, (off_t)s->kept.n_bytes, SEEK_SET) >= 0 &&
                       vise_i_cli_write_all(file, &head, sizeof head) && vise_i_cli_write_all(file, bytes, n);
  if (!written) {
    char path[VISE_I_CLI_PATH_BYTES] = "the states of fits";
    const int number = errno;
    if (s->dir != NULL) own_path(s, s->kept.rung, path);
    const vise_status status = vise_i_cli_fail(err, VISE_ERR_IO, "%s: cannot be written: %s", path, strerror(number));
    (void)vise_i_cli_cut(file, s->kept.n_bytes);
    return status;
  }

  fit->state_at = s->kept.n_bytes + sizeof head;
  fit->state_file = 0; /* this one's is the first of those of a rung before */
  fit->n_state = n;
  s->kept.n_bytes += sizeof head + n;
  return VISE_OK;
}

vise_status vise_i_cli_sweep_states_read(const vise_i_cli_sweeping *s, const vise_i_cli_fit *fit, void **out,
                                         vise_error *err) {
  *out = NULL;
  const bool has = fit->n_state > 0 && fit->state_file < s->n_before && fit->n_rungs == s->before[fit->state_file].rung;
  if (!has) return VISE_OK;
  const int file = s->before[fit->state_file].file;
  char *bytes = malloc(fit->n_state);
  if (bytes == NULL) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for the state of a fit");

  size_t n = 0;
  while (n < fit->n_state) {
    const ssize_t now = pread(file, bytes + n, fit->n_state - n, (off_t)(fit->state_at + n));
    if (now < 0 && errno == EINTR) continue;
    if (now <= 0) break;
    n += (size_t)now;
  }
  if (n == fit->n_state) {
    *out = bytes;
  } else {
    free(bytes);
  }
  return VISE_OK;
}
