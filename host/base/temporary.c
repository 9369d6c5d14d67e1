#include "host/base/temporary.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "host/base/file.h"
#include "host/base/memory.h"

#define MARK ".tmp-"
enum { MAX_TRIES = 100, END_BYTES = 64, MACHINE_DIGITS = 8, RANDOM_DIGITS = 12 };

/* ---- names ------------------------------------------------------------------------------------------------------ */

static uint32_t add_hash(uint32_t hash, const char *text) {
  for (; *text != '\0'; text++) hash = (hash ^ (unsigned char)*text) * 16777619u;
  return hash;
}

/* Numbers of processes mean something within a machine, and there within a namespace of them (a container). */
static uint32_t this_machine(void) {
  char host[HOST_NAME_MAX + 1] = "", space[64] = "";
  if (gethostname(host, sizeof host - 1) != 0) host[0] = '\0';
  const ssize_t n = readlink("/proc/self/ns/pid", space, sizeof space - 1);
  space[n > 0 ? n : 0] = '\0';
  return add_hash(add_hash(add_hash(2166136261u, host), "|"), space);
}

static uint64_t random_number(void) {
  uint64_t number = 0;
  ssize_t n;
  do n = getrandom(&number, sizeof number, 0);
  while (n < 0 && errno == EINTR);
  if (n == (ssize_t)sizeof number) return number;

  /* Without a source of randomness a name may be guessed, but O_EXCL still refuses what lies there. */
  struct timespec now;
  (void)clock_gettime(CLOCK_REALTIME, &now);
  return (uint64_t)now.tv_nsec * 6364136223846793005u + (uint64_t)now.tv_sec;
}

/* "<folder>/<dot><name>.tmp-<pid>-<machine>-<random>" for the path "<folder>/<name>". */
static void make_name(char *out, size_t n_bytes, const char *path, const char *dot) {
  char end[END_BYTES];
  const int n_end = snprintf(end, sizeof end, MARK "%ld-%0*x-%0*llx", (long)getpid(), MACHINE_DIGITS,
                             (unsigned)this_machine(), RANDOM_DIGITS, (unsigned long long)(random_number() >> 16));
  const char *slash = strrchr(path, '/');
  const int n_folder = slash ? (int)(slash + 1 - path) : 0;
  const int room = NAME_MAX - n_end - (int)strlen(dot);
  snprintf(out, n_bytes, "%.*s%s%.*s%s", n_folder, path, dot, room, path + n_folder, end);
}

/* Room for "<path>", a dot and the end that make_name writes. */
static vise_status reserve(const char *path, char **out, size_t *n_bytes, vise_error *err) {
  *n_bytes = strlen(path) + END_BYTES + 2;
  return vise_i_alloc(out, *n_bytes, 1, "a path", err);
}

/* ---- making ----------------------------------------------------------------------------------------------------- */

vise_status vise_i_temporary_file(const char *path, char **out, int *fd, vise_error *err) {
  char *name = NULL;
  size_t n_bytes = 0;
  vise_status status = reserve(path, &name, &n_bytes, err);
  if (status != VISE_OK) return status;

  for (int i = 0; i < MAX_TRIES; ++i) {
    make_name(name, n_bytes, path, "");
    *fd = vise_i_open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0666);
    if (*fd >= 0) {
      *out = name;
      return VISE_OK;
    }
    if (errno != EEXIST) break;
  }

  status = vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be written", path);
  free(name);
  return status;
}

vise_status vise_i_temporary_dir(const char *path, char **out, vise_error *err) {
  char *name = NULL;
  size_t n_bytes = 0;
  vise_status status = reserve(path, &name, &n_bytes, err);
  if (status != VISE_OK) return status;

  for (int i = 0; i < MAX_TRIES; ++i) {
    make_name(name, n_bytes, path, ".");
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

/* ---- knowing them again ----------------------------------------------------------------------------------------- */

/* Skips the digits at *at; false: there are none. */
static bool skip_digits(const char **at, const char *digits, unsigned long *out) {
  const size_t n = strspn(*at, digits);
  char *end = NULL;
  errno = 0;
  *out = strtoul(*at, &end, strlen(digits) > 10 ? 16 : 10);
  *at += n;
  return n > 0 && n <= 16 && errno == 0;
}

/* What a name says of its maker. */
typedef struct made_by {
  unsigned long pid, machine;
  bool knows_machine;
} made_by;

static bool parse(const char *name, size_t *n_stem, made_by *out) {
  static const char decimal[] = "0123456789", hexadecimal[] = "0123456789abcdef";
  const char *mark = NULL;
  unsigned long ignored = 0;
  *out = (made_by){0};

  for (const char *at = name; (at = strstr(at, MARK)) != NULL; ++at) mark = at;
  if (mark == NULL) return false;
  if (n_stem) *n_stem = (size_t)(mark - name);

  const char *at = mark + strlen(MARK), *before = NULL;
  if (!skip_digits(&at, decimal, &out->pid)) return false;
  if (*at == '\0') return true;
  if (*at++ != '-') return false;
  before = at;
  if (skip_digits(&at, decimal, &ignored) && *at == '\0') return true;

  at = before;
  out->knows_machine = skip_digits(&at, hexadecimal, &out->machine) && at - before == MACHINE_DIGITS && *at == '-';
  before = ++at;
  return out->knows_machine && skip_digits(&at, hexadecimal, &ignored) && at - before == RANDOM_DIGITS && *at == '\0';
}

vise_i_maker vise_i_temporary_maker(const char *name, size_t *n_stem) {
  made_by by;
  if (!parse(name, n_stem, &by) || by.pid == 0 || by.pid > INT_MAX) return VISE_I_MAKER_NONE;
  if (by.knows_machine && by.machine != this_machine()) return VISE_I_MAKER_ELSEWHERE;
  if (by.pid == (unsigned long)getpid()) return VISE_I_MAKER_SELF;
  return kill((pid_t)by.pid, 0) != 0 && errno == ESRCH ? VISE_I_MAKER_ENDED : VISE_I_MAKER_RUNS;
}

bool vise_i_temporary_is_abandoned(const char *name) {
  const vise_i_maker maker = vise_i_temporary_maker(name, NULL);
  return maker != VISE_I_MAKER_NONE && maker != VISE_I_MAKER_RUNS;
}

void vise_i_temporary_remove_abandoned(const char *path) {
  const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
  char *folder = NULL;
  vise_status status = vise_i_parent_path(path, &folder, NULL);
  DIR *dir = status == VISE_OK ? vise_i_open_dir(folder) : NULL;

  for (struct dirent *entry; dir && (entry = vise_i_next_entry(dir, folder, &status, NULL));) {
    size_t n_stem = 0;
    if (vise_i_temporary_maker(entry->d_name, &n_stem) != VISE_I_MAKER_ENDED) continue;
    /* A stem that was cut is not told from that of another long name. */
    if (strlen(name) == n_stem && memcmp(entry->d_name, name, n_stem) == 0) {
      (void)unlinkat(dirfd(dir), entry->d_name, 0);
    }
  }

  if (dir) closedir(dir);
  free(folder);
}
