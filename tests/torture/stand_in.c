/*
 * A stand-in for the tool, small and right, unless STAND_IN names a fault that it is to have: so that the torture shows
 * that it sees each kind (self_test.py).
 *
 *   stand-in copy --out FILE                      writes what d.csv holds, in capitals
 *   stand-in train --out DIR [--overwrite]        a folder with config.json, two checkpoints and a model
 *   stand-in train --resume DIR
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 512, SEED_BYTES = 16, CONFIG_BYTES = 64 };

static bool has(const char *fault) {
  const char *wanted = getenv("STAND_IN");
  return wanted != NULL && strcmp(wanted, fault) == 0;
}

static int fail(int code, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  if (!has("mute")) {
    fprintf(stderr, "vise: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "%s\n", has("advises") ? "; try --overwrite" : "");
  }
  va_end(arguments);
  return code;
}

static int fail_errno(int code, const char *path) {
  const int number = errno;
  while (has("hangs") && number == EIO) (void)0;
  if (has("blames")) return fail(code, "%s: damaged", path);
  if (number == ENOMEM) return fail(code, "%s: out of memory", path);
  return fail(code, "%s: %s", path, strerror(number));
}

/* ---- files ------------------------------------------------------------------------------------------------------------ */

static int open_file(const char *path, int flags) {
  int fd;
  while ((fd = open(path, flags | O_CLOEXEC, 0666)) < 0 && errno == EINTR && !has("gives-up")) (void)0;
  return fd;
}

/* The bytes of a file, malloc'ed, with a 0 after them; NULL with errno. */
static char *read_file(const char *path, size_t *n) {
  const int fd = open_file(path, O_RDONLY | O_NONBLOCK);
  struct stat info;
  if (fd < 0) return NULL;
  if (fstat(fd, &info) != 0) {
    close(fd);
    return NULL;
  }

  char *bytes = malloc((size_t)info.st_size + 1);
  if (bytes == NULL && has("crashes")) *(volatile char *)NULL = 0;
  *n = 0;
  while (bytes != NULL && *n < (size_t)info.st_size) {
    const ssize_t got = read(fd, bytes + *n, (size_t)info.st_size - *n);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      free(bytes);
      bytes = NULL;
      break;
    }
    *n += (size_t)got;
    if (has("reads-once")) break;
  }

  const int number = errno;
  close(fd);
  errno = number;
  if (bytes != NULL) bytes[*n] = '\0';
  return bytes;
}

static bool sync_folder(const char *path) {
  char folder[PATH_BYTES];
  snprintf(folder, sizeof folder, "%s", path);
  char *slash = strrchr(folder, '/');
  if (slash != NULL) *slash = '\0';

  const int fd = open_file(slash != NULL ? folder : ".", O_RDONLY | O_DIRECTORY);
  if (fd < 0) return false;
  int done;
  while ((done = fsync(fd)) != 0 && errno == EINTR) (void)0;
  const int number = errno;
  close(fd);
  errno = number;
  return done == 0 || has("syncs-not");
}

static bool write_bytes(int fd, const char *bytes, size_t n) {
  while (n > 0) {
    const ssize_t done = write(fd, bytes, n);
    if (done < 0 && errno == EINTR && !has("gives-up")) continue;
    if (done <= 0) return false;
    if (has("writes-once")) return true;
    bytes += done;
    n -= (size_t)done;
  }

  int done;
  while ((done = fsync(fd)) != 0 && errno == EINTR) (void)0;
  return done == 0 || has("syncs-not");
}

static bool save(const char *path, const char *bytes, size_t n) {
  char temporary[PATH_BYTES + 8];
  snprintf(temporary, sizeof temporary, "%s.tmp", path);
  const char *at = has("tears") ? path : temporary;
  const bool is_careful = !has("tears") && !has("follows");

  if (is_careful) unlink(at); /* what a killed one left */
  const int fd = open_file(at, O_WRONLY | O_CREAT | (is_careful ? O_EXCL | O_NOFOLLOW : O_TRUNC));
  if (fd < 0) return false;
  bool written = write_bytes(fd, bytes, n);
  int number = errno;
  (void)close(fd);
  if (written && at != path && rename(at, path) != 0) {
    written = false;
    number = errno;
  }
  if (!written && !has("leaves")) unlink(at);
  errno = number;
  return written && sync_folder(path);
}

/* ---- copy ------------------------------------------------------------------------------------------------------------- */

static int copy(const char *out) {
  size_t n;
  char *bytes = read_file("d.csv", &n);
  if (bytes == NULL && has("shrugs")) return save(out, "", 0) ? 0 : 1;
  if (bytes == NULL) return fail_errno(2, "d.csv");
  for (size_t i = 0; i < n; i++) bytes[i] = (char)toupper((unsigned char)bytes[i]);

  const bool saved = save(out, bytes, n);
  const int code = saved ? 0 : fail_errno(has("belittles") ? 2 : 1, out);
  free(bytes);
  return code;
}

/* ---- train ------------------------------------------------------------------------------------------------------------ */

static bool put(const char *dir, const char *name, const char *text) {
  char path[PATH_BYTES];
  snprintf(path, sizeof path, "%s/%s", dir, name);
  return save(path, text, strlen(text));
}

static bool exists(const char *dir, const char *name) {
  char path[PATH_BYTES];
  struct stat info;
  snprintf(path, sizeof path, "%s/%s", dir, name);
  return stat(path, &info) == 0;
}

/* The lock goes with the process. */
static int lock(const char *dir) {
  char path[PATH_BYTES];
  snprintf(path, sizeof path, "%s/lock", dir);
  const int fd = open_file(path, O_RDWR | O_CREAT | O_NOFOLLOW);
  int done = 0;
  while (fd >= 0 && !has("locks-not") && (done = flock(fd, LOCK_EX | LOCK_NB)) != 0 && errno == EINTR) (void)0;
  if (done == 0) return fd;
  const int number = errno;
  close(fd);
  errno = number;
  return -1;
}

/* The seed, with a sum by which damage shows. */
static void make_config(char *config, size_t n_bytes, const char *seed) {
  unsigned sum = 7;
  for (const char *at = seed; *at != '\0'; at++) sum = sum * 31 + (unsigned char)*at;
  snprintf(config, n_bytes, "%s %u\n", seed, sum);
}

/* Checks a config.json, whose seed is returned; 0 or an exit code. */
static int read_config(const char *dir, char seed[SEED_BYTES]) {
  char path[PATH_BYTES], expected[CONFIG_BYTES];
  size_t n;
  snprintf(path, sizeof path, "%s/config.json", dir);
  char *text = read_file(path, &n);
  if (text == NULL) return fail_errno(2, path);

  snprintf(seed, SEED_BYTES, "%.*s", (int)strcspn(text, " "), text);
  make_config(expected, sizeof expected, seed);
  const bool same = has("believes") || (n == strlen(expected) && strcmp(text, expected) == 0);
  free(text);
  return same ? 0 : fail(2, "%s: damaged", path);
}

/* Two checkpoints and a model, after config.json. */
static int train_in(const char *dir, const char *given, bool resumes) {
  char seed[SEED_BYTES], text[CONFIG_BYTES];
  snprintf(seed, sizeof seed, "%s", given);
  const int code = resumes ? read_config(dir, seed) : 0;
  if (code != 0) return code;

  make_config(text, sizeof text, seed);
  if (!resumes && !put(dir, "config.json", text)) return fail_errno(1, dir);
  for (const char *const *name = (const char *const[]){"one", "two", "model", NULL}; *name != NULL; name++) {
    snprintf(text, sizeof text, "%s of %s%s", *name, seed, resumes && has("forgets") ? ", again" : "");
    if (!put(dir, *name, text)) return fail_errno(1, dir);
  }
  return 0;
}

static int train(const char *dir, const char *seed, bool resumes, bool overwrites) {
  if (!resumes && mkdir(dir, 0777) != 0 && errno != EEXIST) return fail_errno(2, dir);
  if (resumes && !exists(dir, "config.json")) return fail(2, "%s: there is no run to resume", dir);

  const int held = lock(dir);
  if (held < 0) {
    return errno == EWOULDBLOCK ? fail(2, "%s: another run is using it", dir) : fail_errno(1, dir);
  }
  if (!resumes && !overwrites && exists(dir, "config.json")) return fail(2, "%s: not empty", dir);
  return train_in(dir, seed, resumes);
}

int main(int argc, char **argv) {
  const char *out = NULL, *resume = NULL, *seed = "0";
  bool overwrites = false;
  for (int i = 2; i < argc; i++) {
    if (strcmp(argv[i], "--overwrite") == 0) overwrites = true;
    if (i + 1 == argc) break;
    if (strcmp(argv[i], "--out") == 0) out = argv[i + 1];
    if (strcmp(argv[i], "--resume") == 0) resume = argv[i + 1];
    if (strcmp(argv[i], "--seed") == 0) seed = argv[i + 1];
  }

  if (argc > 1 && strcmp(argv[1], "copy") == 0 && out != NULL) return copy(out);
  if (argc > 1 && strcmp(argv[1], "train") == 0 && (out != NULL || resume != NULL)) {
    return train(resume != NULL ? resume : out, seed, resume != NULL, overwrites);
  }
  return fail(2, "usage");
}
