/*
 * Lines are told from others by what they say: a run that is resumed cuts its file back and writes on, perhaps beyond
 * where it was, and a folder that is copied from another machine gets a new file each time. So each line that was
 * handed out is remembered by a number, and when the file changed the last of them is compared; if it is another one,
 * all of them are, from the first.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/cli/message.h"
#include "host/cli/watch.h"

/* FNV-1a. */
static uint64_t hash_of(const char *bytes, size_t n) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (size_t i = 0; i < n; i++) hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3u;
  return hash;
}

vise_status vise_i_cli_watch_path(char **out, const char *dir, const char *name, vise_error *err) {
  if (asprintf(out, "%s/%s", dir, name) >= 0) return VISE_OK;
  *out = NULL;
  return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory");
}

vise_status vise_i_cli_tail_init(vise_i_cli_tail *tail, const char *dir, const char *name, vise_error *err) {
  *tail = (vise_i_cli_tail){0};
  return vise_i_cli_watch_path(&tail->path, dir, name, err);
}

void vise_i_cli_tail_free(vise_i_cli_tail *tail) {
  free(tail->path);
  free(tail->marks);
}

/* One look. */
typedef struct looking {
  vise_i_cli_tail *tail;
  FILE *stream;
  char *line;
  size_t room;
} looking;

/* The next whole line in l->line, or 0 bytes. */
static size_t next_line(looking *l) {
  const ssize_t n = getline(&l->line, &l->room, l->stream);
  return n > 0 && l->line[n - 1] == '\n' ? (size_t)n : 0;
}

static uint64_t begin_of(const vise_i_cli_tail *tail, size_t i) {
  return i == 0 ? 0 : tail->marks[i - 1].end;
}

/* Whether line i, at which the stream stands, is the one that was handed out. */
static bool is_same(looking *l, size_t i) {
  const vise_i_cli_tail_mark *mark = &l->tail->marks[i];
  const size_t n = next_line(l);
  return n == mark->end - begin_of(l->tail, i) && hash_of(l->line, n) == mark->hash;
}

static bool go_to(looking *l, size_t i) {
  return fseeko(l->stream, (off_t)begin_of(l->tail, i), SEEK_SET) == 0;
}

/* How many of the lines are there still. */
static size_t count_kept(looking *l) {
  const vise_i_cli_tail *tail = l->tail;
  size_t kept = 0;
  if (tail->n == 0 || (go_to(l, tail->n - 1) && is_same(l, tail->n - 1))) return tail->n;
  if (!go_to(l, 0)) return 0;
  while (kept < tail->n && is_same(l, kept)) kept++;
  return kept;
}

static bool add_mark(vise_i_cli_tail *tail, size_t n_bytes, uint64_t hash) {
  if (tail->n == tail->room) {
    const size_t room = tail->room > 0 ? 2 * tail->room : 64;
    vise_i_cli_tail_mark *marks = realloc(tail->marks, room * sizeof *marks);
    if (marks == NULL) return false;
    tail->marks = marks;
    tail->room = room;
  }
  tail->marks[tail->n] = (vise_i_cli_tail_mark){begin_of(tail, tail->n) + n_bytes, hash};
  tail->n++;
  return true;
}

static vise_status read_lines(looking *l, const vise_i_cli_tail_events *events, bool *news, vise_error *err) {
  vise_i_cli_tail *tail = l->tail;
  const size_t kept = count_kept(l);
  if (kept < tail->n) {
    *news = true;
    tail->n = kept;
    events->cut(events->user, kept);
  }

  if (!go_to(l, kept)) return vise_i_cli_fail(err, VISE_ERR_IO, "%s: cannot be read: %s", tail->path, strerror(errno));
  for (size_t n; (n = next_line(l)) > 0;) {
    *news = true;
    if (!add_mark(tail, n, hash_of(l->line, n))) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory");
    events->line(events->user, l->line, n);
  }
  return VISE_OK;
}

/* Whether the file is as it was; notes how it is. */
static bool is_unchanged(vise_i_cli_tail *tail, const struct stat *info) {
  const bool same = tail->exists && info->st_dev == tail->device && info->st_ino == tail->inode &&
                    info->st_size == tail->size && info->st_mtim.tv_sec == tail->changed.tv_sec &&
                    info->st_mtim.tv_nsec == tail->changed.tv_nsec;
  tail->exists = true;
  tail->device = info->st_dev;
  tail->inode = info->st_ino;
  tail->size = info->st_size;
  tail->changed = info->st_mtim;
  return same;
}

vise_status vise_i_cli_tail_look(vise_i_cli_tail *tail, const vise_i_cli_tail_events *events, bool *news,
                                 vise_error *err) {
  struct stat info;
  *news = false;

  /* It is opened anew each time: it may be another file, and file systems of a network look for news then. */
  const int file = open(tail->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0 && errno == ENOENT) {
    tail->exists = false;
    return VISE_OK;
  }
  if (file < 0 || fstat(file, &info) != 0 || !S_ISREG(info.st_mode)) {
    const char *why = file < 0 ? strerror(errno) : "it is not a regular file";
    const vise_status status = vise_i_cli_fail(err, VISE_ERR_IO, "%s: cannot be read: %s", tail->path, why);
    if (file >= 0) (void)close(file);
    return status;
  }

  looking l = {.tail = tail, .stream = is_unchanged(tail, &info) ? NULL : fdopen(file, "r")};
  if (l.stream == NULL) {
    (void)close(file);
    return VISE_OK;
  }
  const vise_status status = read_lines(&l, events, news, err);
  free(l.line);
  (void)fclose(l.stream);
  return status;
}
