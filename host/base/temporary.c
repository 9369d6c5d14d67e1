#include "host/base/temporary.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/base/memory.h"

#define MARK ".tmp-"
enum { MAX_NUMBER = 100000 };

/* Room for "<path>", a dot and the end that make_name writes. */
static vise_status reserve(const char *path, char **out, size_t *n_bytes, vise_error *err) {
  *n_bytes = strlen(path) + 64;
  return vise_i_alloc(out, *n_bytes, 1, "a path", err);
}

/* "<folder>/<dot><name>.tmp-<pid>-<number>" for the path "<folder>/<name>". */
static void make_name(char *out, size_t n_bytes, const char *path, const char *dot, int number) {
  const char *slash = strrchr(path, '/');
  int n_folder = slash ? (int)(slash + 1 - path) : 0;
  snprintf(out, n_bytes, "%.*s%s%s" MARK "%ld-%d", n_folder, path, dot, path + n_folder, (long)getpid(), number);
}

vise_status vise_i_temporary_file(const char *path, char **out, FILE **stream, vise_error *err) {
  char *name = NULL;
  size_t n_bytes = 0;
  int fd = -1;
  vise_status status = reserve(path, &name, &n_bytes, err);
  if (status != VISE_OK) return status;

  for (int number = 0; fd < 0 && number < MAX_NUMBER; ++number) {
    make_name(name, n_bytes, path, "", number);
    fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0 && errno != EEXIST) break;
  }

  FILE *opened = fd < 0 ? NULL : fdopen(fd, "wb");
  if (!opened) {
    status = vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be written", path);
    if (fd >= 0) {
      close(fd);
      unlink(name);
    }
    free(name);
    return status;
  }

  *stream = opened;
  *out = name;
  return VISE_OK;
}

vise_status vise_i_temporary_dir(const char *path, char **out, vise_error *err) {
  char *name = NULL;
  size_t n_bytes = 0;
  vise_status status = reserve(path, &name, &n_bytes, err);
  if (status != VISE_OK) return status;

  for (int number = 0; number < MAX_NUMBER; ++number) {
    make_name(name, n_bytes, path, ".", number);
    if (mkdir(name, 0777) == 0) {
      *out = name;
      return VISE_OK;
    }
    if (errno != EEXIST) break;
  }

  status = vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: the folder cannot be made", path);
  free(name);
  return status;
}

/* The digits at text, and whether there are any; *end is what follows. */
static bool parse_digits(const char *text, const char **end, long *out) {
  char *stop = NULL;
  if (*text < '0' || *text > '9') return false;
  errno = 0;
  *out = strtol(text, &stop, 10);
  *end = stop;
  return errno == 0;
}

/* The process that made it; 0: name is not a temporary one. Names without a number are those of earlier versions. */
static long owner_of(const char *name, size_t *n_stem) {
  const char *mark = NULL, *end = NULL;
  long owner = 0, number = 0;

  for (const char *at = name; (at = strstr(at, MARK)) != NULL; ++at) mark = at;
  if (!mark || !parse_digits(mark + strlen(MARK), &end, &owner)) return 0;
  if (*end == '-' && !parse_digits(end + 1, &end, &number)) return 0;
  if (*end != '\0') return 0;

  if (n_stem) *n_stem = (size_t)(mark - name);
  return owner;
}

bool vise_i_temporary_is(const char *name, size_t *n_stem) {
  return owner_of(name, n_stem) > 0;
}

bool vise_i_temporary_is_abandoned(const char *name) {
  const long owner = owner_of(name, NULL);
  if (owner <= 0) return false;
  return owner == (long)getpid() || (kill((pid_t)owner, 0) != 0 && errno == ESRCH);
}
