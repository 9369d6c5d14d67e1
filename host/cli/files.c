#include "host/cli/files.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/cli/message.h"

/* The folder that path lies in; malloc'ed. */
static char *folder_of(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash == NULL ? strdup(".") : slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

static bool same_place(const char *a, const char *b) {
  struct stat of_a, of_b;
  return stat(a, &of_a) == 0 && stat(b, &of_b) == 0 && of_a.st_dev == of_b.st_dev && of_a.st_ino == of_b.st_ino;
}

bool vise_i_cli_same_file(const char *a, const char *b) {
  if (strcmp(a, b) == 0 || same_place(a, b)) return true;
  const char *slash_a = strrchr(a, '/'), *slash_b = strrchr(b, '/');
  if (strcmp(slash_a == NULL ? a : slash_a + 1, slash_b == NULL ? b : slash_b + 1) != 0) return false;
  char *folder_a = folder_of(a), *folder_b = folder_of(b);
  bool same = folder_a != NULL && folder_b != NULL && same_place(folder_a, folder_b);
  free(folder_a);
  free(folder_b);
  return same;
}

vise_status vise_i_cli_check_spares_model(const char *out, const char *model, vise_error *err) {
  char *in_folder = NULL;
  if (out == NULL) return VISE_OK;
  if (asprintf(&in_folder, "%s/model.safetensors", model) < 0) {
    return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory");
  }

  const bool same = vise_i_cli_same_file(out, model) || vise_i_cli_same_file(out, in_folder);
  free(in_folder);
  if (!same) return VISE_OK;
  return vise_i_cli_fail(err, VISE_ERR_USAGE, "--out %s is the model that is read; write to another file", out);
}

vise_status vise_i_cli_exists(const char *path, bool *out, vise_error *err) {
  struct stat info;
  *out = stat(path, &info) == 0;
  if (*out || errno == ENOENT || errno == ENOTDIR) return VISE_OK;
  return vise_i_cli_fail(err, VISE_ERR_IO, "%s: cannot be examined: %s", path, strerror(errno));
}

vise_status vise_i_cli_exists_in(const char *dir, const char *name, bool *out, vise_error *err) {
  char *path = NULL;
  if (asprintf(&path, "%s/%s", dir, name) < 0) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory");
  const vise_status status = vise_i_cli_exists(path, out, err);
  free(path);
  return status;
}

/* What is there may be replaced by a file. */
static vise_status check_target(const char *path, vise_error *err) {
  struct stat info;
  if (stat(path, &info) != 0 || S_ISREG(info.st_mode)) return VISE_OK; /* writing says what else is wrong */
  return vise_i_cli_fail(err, VISE_ERR_IO, "%s: is %s, which a file cannot replace: choose another name", path,
                         S_ISDIR(info.st_mode) ? "a folder" : "a special file");
}

vise_status vise_i_cli_check_output(const char *path, vise_error *err) {
  char *folder = folder_of(path);
  if (folder == NULL) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory");
  bool there = false;
  vise_status status = vise_i_cli_exists(folder, &there, err);
  if (status == VISE_OK && !there) {
    status = vise_i_cli_fail(err, VISE_ERR_IO, "%s: the folder %s does not exist", path, folder);
  } else if (status == VISE_OK && access(folder, W_OK) != 0) {
    status =
        vise_i_cli_fail(err, VISE_ERR_IO, "%s: the folder %s cannot be written: %s", path, folder, strerror(errno));
  }
  free(folder);
  return status == VISE_OK ? check_target(path, err) : status;
}

void vise_i_cli_keep_standard_files(void) {
  for (int file = STDIN_FILENO; file <= STDERR_FILENO; file++) {
    if (fcntl(file, F_GETFD) >= 0 || errno != EBADF) continue;
    (void)open("/dev/null", file == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
}

/* ---- opening ---------------------------------------------------------------------------------------------------- */

/* O_NONBLOCK: opening a FIFO must not wait; as anything else but a regular file it is refused with EINVAL. */
static int open_regular(const char *path, int flags) {
  int file;
  do file = open(path, flags | O_NONBLOCK | O_CLOEXEC, 0666);
  while (file < 0 && errno == EINTR);
  struct stat info;
  if (file < 0) return file;
  const int number = fstat(file, &info) != 0 ? errno : S_ISREG(info.st_mode) ? 0 : EINVAL;
  if (number == 0) return file;
  (void)close(file);
  errno = number;
  return -1;
}

const char *vise_i_cli_open_error(void) {
  return errno == EINVAL ? "it is not a regular file" : strerror(errno);
}

int vise_i_cli_open_own(const char *path, int flags) {
  return open_regular(path, O_RDWR | O_CREAT | O_NOFOLLOW | flags);
}

FILE *vise_i_cli_open(const char *path) {
  const int file = open_regular(path, O_RDONLY);
  FILE *stream = file >= 0 ? fdopen(file, "r") : NULL;
  if (stream == NULL && file >= 0) (void)close(file);
  return stream;
}

/* ---- writing ---------------------------------------------------------------------------------------------------- */

bool vise_i_cli_write_all(int file, const void *bytes, size_t n) {
  const char *at = bytes;
  while (n > 0) {
    const ssize_t done = write(file, at, n);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0 && errno == EAGAIN) { /* a pipe that somebody made not wait */
      (void)poll(&(struct pollfd){.fd = file, .events = POLLOUT}, 1, -1);
      continue;
    }
    if (done <= 0) {
      if (done == 0) errno = ENOSPC;
      return false;
    }
    at += done;
    n -= (size_t)done;
  }
  return true;
}

bool vise_i_cli_cut(int file, uint64_t n_bytes) {
  int failed;
  do failed = ftruncate(file, (off_t)n_bytes);
  while (failed != 0 && errno == EINTR);
  return failed == 0;
}
