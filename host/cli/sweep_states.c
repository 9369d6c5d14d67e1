/*
 * With --halving: the states of fits that were scored at a rung and may go on from there, in states/rung-N.bin until all
 * have been scored at the next one; without a folder, in files that have no name. A state stands there before the line of
 * the fit is in fits.jsonl. One that is lost costs time and nothing else: the fit is trained from its beginning.
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
#include "host/cli/sweep.h"

/* What stands before the bytes of a state. */
typedef struct state_head {
  char magic[8];
  uint64_t config, split, n_bytes;
} state_head;

static const char magic[8] = "visefit";

void vise_i_cli_sweep_states_name(size_t rung, char name[64]) {
  (void)snprintf(name, 64, "states/rung-%zu.bin", rung);
}

/* Where each fit's state lies, from the heads; a cut end is cut off. */
static void read_heads(const vise_i_cli_sweeping *s, vise_i_cli_states *states) {
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
    }
    at += head.n_bytes;
  }
  states->n_bytes = at;
  (void)vise_i_cli_cut(states->file, at);
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

static vise_status open_states(vise_i_cli_sweeping *s, size_t rung, vise_i_cli_states *out, vise_error *err) {
  char name[64], path[VISE_I_CLI_PATH_BYTES];
  *out = (vise_i_cli_states){.file = -1, .rung = rung};
  if (s->dir == NULL) {
    out->file = open_nameless();
    if (out->file >= 0) return VISE_OK;
    return vise_i_cli_fail(err, VISE_ERR_IO, "--halving: no file for the states of fits: %s; give --out, or set TMPDIR",
                           strerror(errno));
  }

  vise_i_cli_sweep_path(s, "states", path);
  if (mkdir(path, 0777) != 0 && errno != EEXIST) return vise_i_cli_sweep_fail_file(s, "states", "made", err);
  vise_i_cli_sweep_states_name(rung, name);
  vise_i_cli_sweep_path(s, name, path);
  out->file = vise_i_cli_open_own(path, 0);
  if (out->file < 0) {
    return vise_i_cli_fail(err, VISE_ERR_IO, "%s: cannot be written: %s", path, vise_i_cli_open_error());
  }
  read_heads(s, out);
  return VISE_OK;
}

static void close_states(vise_i_cli_states *states) {
  if (states->file >= 0) (void)close(states->file);
  states->file = -1;
}

vise_status vise_i_cli_sweep_states_begin(vise_i_cli_sweeping *s, size_t rung, vise_error *err) {
  close_states(&s->before);
  s->before = s->kept;
  s->kept = (vise_i_cli_states){.file = -1};

  vise_status status = VISE_OK;
  if (rung > 1 && s->before.file < 0) status = open_states(s, rung - 1, &s->before, err);
  if (status == VISE_OK && rung < s->n_rungs) status = open_states(s, rung, &s->kept, err);
  return status;
}

static void remove_one(const vise_i_cli_sweeping *s, size_t rung) {
  char name[64], path[VISE_I_CLI_PATH_BYTES];
  if (s->dir == NULL || rung == 0) return;
  vise_i_cli_sweep_states_name(rung, name);
  vise_i_cli_sweep_path(s, name, path);
  (void)unlink(path);
}

void vise_i_cli_sweep_states_end(vise_i_cli_sweeping *s, size_t rung) {
  close_states(&s->before);
  remove_one(s, rung - 1);
}

void vise_i_cli_sweep_states_close(vise_i_cli_sweeping *s) {
  close_states(&s->before);
  close_states(&s->kept);
}

void vise_i_cli_sweep_states_remove(const vise_i_cli_sweeping *s) {
  char path[VISE_I_CLI_PATH_BYTES];
  for (size_t rung = 1; rung <= VISE_I_CLI_MOST_RUNGS; rung++) remove_one(s, rung);
  vise_i_cli_sweep_path(s, "states", path);
  (void)rmdir(path);
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
    char name[64];
    vise_i_cli_sweep_states_name(s->kept.rung, name);
    const vise_status status =
        s->dir != NULL ? vise_i_cli_sweep_fail_file(s, name, "written", err)
                       : vise_i_cli_fail(err, VISE_ERR_IO, "the states of fits cannot be written: %s", strerror(errno));
    (void)vise_i_cli_cut(file, s->kept.n_bytes);
    return status;
  }

  fit->state_at = s->kept.n_bytes + sizeof head;
  fit->n_state = n;
  s->kept.n_bytes += sizeof head + n;
  return VISE_OK;
}

vise_status vise_i_cli_sweep_states_read(const vise_i_cli_sweeping *s, const vise_i_cli_fit *fit, void **out,
                                         vise_error *err) {
  *out = NULL;
  if (fit->n_state == 0 || fit->n_rungs != s->before.rung) return VISE_OK;
  char *bytes = malloc(fit->n_state);
  if (bytes == NULL) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for the state of a fit");

  size_t n = 0;
  while (n < fit->n_state) {
    const ssize_t now = pread(s->before.file, bytes + n, fit->n_state - n, (off_t)(fit->state_at + n));
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
