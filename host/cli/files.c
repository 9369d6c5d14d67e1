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

vise_status vise_i_cli_check_folder(const char *path, vise_error *err) {
  char *folder = folder_of(path);
  if (folder == NULL) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory");
  vise_status status = VISE_OK;
  if (access(folder, F_OK) != 0) {
    status = vise_i_cli_fail(err, VISE_ERR_IO, "%s: the folder %s does not exist", path, folder);
  } else if (access(folder, W_OK) != 0) {
    status = vise_i_cli_fail(err, VISE_ERR_IO, "%s: the folder %s cannot be written", path, folder);
  }
  free(folder);
  return status;
}

void vise_i_cli_keep_standard_files(void) {
  for (int file = STDIN_FILENO; file <= STDERR_FILENO; file++) {
    if (fcntl(file, F_GETFD) >= 0 || errno != EBADF) continue;
    (void)open("/dev/null", file == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
}

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

/* A name is on the disk once its folder is. */
static void sync_folder_of(const char *path) {
  char *name = folder_of(path);
  const int folder = name != NULL ? open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
  free(name);
  if (folder < 0) return;
  (void)fsync(folder);
  (void)close(folder);
}

vise_status vise_i_cli_file_save(const char *path, const char *text, size_t n, vise_error *err) {
  char *temporary = NULL;
  if (asprintf(&temporary, "%s.tmp", path) < 0) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory");

  const int file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  bool written = file >= 0 && vise_i_cli_write_all(file, text, n) && fsync(file) == 0;
  int number = errno;
  if (file >= 0 && close(file) != 0 && written) {
    written = false;
    number = errno;
  }
  if (written && rename(temporary, path) != 0) {
    written = false;
    number = errno;
  }

  if (written) sync_folder_of(path);
  if (!written && file >= 0) (void)unlink(temporary);
  free(temporary);
  return written ? VISE_OK : vise_i_cli_fail(err, VISE_ERR_IO, "%s: cannot be written: %s", path, strerror(number));
}
