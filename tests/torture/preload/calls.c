/*
 * Stands between the tool and the kernel, by LD_PRELOAD: each system call that concerns a file of the user is counted,
 * and one of them fails, does half of its work, or is the last that the process lives to make.
 *
 * A seccomp filter turns the calls into SIGSYS, whose handler makes them in the tool's stead. So every call is seen,
 * whoever makes it: the tool, the C library's streams or another library, through whatever function. The handler's own
 * calls come from one instruction (common.c), which the filter lets pass.
 *
 *   TORTURE_ROOT      what lies below this folder is the user's; relative paths are, and standard output is
 *   TORTURE_CALL      the number of the call that it is about, from 1
 *   TORTURE_ERRNO     it fails with this number, and nothing is done
 *   TORTURE_STAY      1: so do all calls after it; 2: those that take room on the disk
 *   TORTURE_SHORT     1: it is a read or write, and does half of its work
 *   TORTURE_KILL      1: the process is killed before it; 2: after it
 *   TORTURE_DELAY     before each call the thread sleeps, at most so many microseconds, by chance
 *   TORTURE_SEED      which chance
 *   TORTURE_LIST      1: every call is reported
 *   TORTURE_REPORT    the file for "call NUMBER NAME WRITES PATH" and, for those that were not left alone, "fault ..."
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "common.h"

#ifndef __x86_64__
#error "the registers of x86-64 are used"
#endif

/* Where a call's path is: its argument 0 or 1 (after a folder's descriptor), or that of a descriptor. */
typedef enum form { PATH_FIRST, PATH_AT, OF_FILE, OF_MAP } form;

static const struct watched {
  long number;
  const char *name;
  form form;
  bool takes_room; /* on the disk */
} watched[] = {
    {SYS_read, "read", OF_FILE, false},
    {SYS_write, "write", OF_FILE, true},
    {SYS_pread64, "pread", OF_FILE, false},
    {SYS_pwrite64, "pwrite", OF_FILE, true},
    {SYS_readv, "readv", OF_FILE, false},
    {SYS_writev, "writev", OF_FILE, true},
    {SYS_preadv, "preadv", OF_FILE, false},
    {SYS_pwritev, "pwritev", OF_FILE, true},
    {SYS_open, "open", PATH_FIRST, false},
    {SYS_openat, "open", PATH_AT, false},
    {SYS_openat2, "open", PATH_AT, false},
    {SYS_creat, "open", PATH_FIRST, true},
    {SYS_close, "close", OF_FILE, false},
    {SYS_stat, "stat", PATH_FIRST, false},
    {SYS_lstat, "stat", PATH_FIRST, false},
    {SYS_newfstatat, "stat", PATH_AT, false},
    {SYS_statx, "stat", PATH_AT, false},
    {SYS_fstat, "fstat", OF_FILE, false},
    {SYS_lseek, "lseek", OF_FILE, false},
    {SYS_access, "access", PATH_FIRST, false},
    {SYS_faccessat, "access", PATH_AT, false},
    {SYS_faccessat2, "access", PATH_AT, false},
    {SYS_readlink, "readlink", PATH_FIRST, false},
    {SYS_readlinkat, "readlink", PATH_AT, false},
    {SYS_dup, "dup", OF_FILE, false},
    {SYS_dup2, "dup", OF_FILE, false},
    {SYS_dup3, "dup", OF_FILE, false},
    {SYS_fcntl, "fcntl", OF_FILE, false},
    {SYS_flock, "flock", OF_FILE, false},
    {SYS_fsync, "fsync", OF_FILE, true},
    {SYS_fdatasync, "fsync", OF_FILE, true},
    {SYS_truncate, "truncate", PATH_FIRST, false},
    {SYS_ftruncate, "ftruncate", OF_FILE, false},
    {SYS_fallocate, "fallocate", OF_FILE, true},
    {SYS_getdents, "getdents", OF_FILE, false},
    {SYS_getdents64, "getdents", OF_FILE, false},
    {SYS_rename, "rename", PATH_FIRST, false},
    {SYS_renameat, "rename", PATH_AT, false},
    {SYS_renameat2, "rename", PATH_AT, false},
    {SYS_link, "link", PATH_FIRST, true},
    {SYS_linkat, "link", PATH_AT, true},
    {SYS_symlink, "symlink", PATH_FIRST, true},
    {SYS_unlink, "unlink", PATH_FIRST, false},
    {SYS_unlinkat, "unlink", PATH_AT, false},
    {SYS_mkdir, "mkdir", PATH_FIRST, true},
    {SYS_mkdirat, "mkdir", PATH_AT, true},
    {SYS_rmdir, "rmdir", PATH_FIRST, false},
    {SYS_chmod, "chmod", PATH_FIRST, false},
    {SYS_fchmod, "fchmod", OF_FILE, false},
    {SYS_fchmodat, "chmod", PATH_AT, false},
    {SYS_statfs, "statfs", PATH_FIRST, false},
    {SYS_fstatfs, "fstatfs", OF_FILE, false},
    {SYS_copy_file_range, "copy_file_range", OF_FILE, true},
    {SYS_sendfile, "sendfile", OF_FILE, true},
    {SYS_utimensat, "utimensat", PATH_AT, false},
    {SYS_mmap, "mmap", OF_MAP, false},
};
enum { N_WATCHED = sizeof watched / sizeof *watched, PATH_BYTES = 4096 };

static struct {
  char root[PATH_BYTES];
  size_t n_root;
  long call, error, stay, kills, delay;
  bool is_short, lists;
} settings;

static _Atomic long n_calls;
static _Atomic unsigned long chance;

static bool is_below_root(const char *path) {
  return settings.n_root > 0 && strncmp(path, settings.root, settings.n_root) == 0 &&
         (path[settings.n_root] == '/' || path[settings.n_root] == '\0');
}

/* The path of an open file; empty: it has none. */
static void path_of(long fd, char path[PATH_BYTES]) {
  t_line name = {.n = 0};
  t_line_text(&name, "/proc/self/fd/");
  t_line_number(&name, (unsigned long)fd, 10);
  name.text[name.n] = '\0';
  const long n = t_system_call(SYS_readlink, (long)name.text, (long)path, PATH_BYTES - 1, 0, 0, 0);
  path[n > 0 ? n : 0] = '\0';
}

/* Whether a call is about a file of the user; path is then what it is called. */
static bool is_users(const struct watched *of, const long a[6], char path[PATH_BYTES]) {
  path[0] = '\0';
  if (of->form == OF_MAP && (int)a[4] < 0) return false;

  if (of->form == OF_FILE || of->form == OF_MAP) {
    const int fd = (int)(of->form == OF_MAP ? a[4] : a[0]);
    if (fd == STDERR_FILENO || fd == T_REPORT_FD || fd < 0) return false;
    if (fd == STDOUT_FILENO) {
      strcpy(path, "<stdout>");
      return true;
    }
    path_of(fd, path);
    return is_below_root(path);
  }

  const char *name = (const char *)(of->form == PATH_AT ? a[1] : a[0]);
  const int folder = of->form == PATH_AT ? (int)a[0] : AT_FDCWD;
  const bool names_fd = of->form == PATH_AT && (name == NULL || name[0] == '\0'); /* AT_EMPTY_PATH */
  if (names_fd && folder == STDOUT_FILENO) {
    strcpy(path, "<stdout>");
    return true;
  }
  if (!names_fd && (name == NULL || name[0] == '/')) {
    strncpy(path, name == NULL ? "" : name, PATH_BYTES - 1);
    path[PATH_BYTES - 1] = '\0';
    return is_below_root(path);
  }

  if (folder >= 0) {
    path_of(folder, path);
    if (!is_below_root(path)) return false;
    if (names_fd) return true;
    const size_t n = strlen(path);
    path[n < PATH_BYTES - 2 ? n : PATH_BYTES - 2] = '/';
    strncpy(path + n + 1, name, PATH_BYTES - n - 2);
  } else {
    strncpy(path, name, PATH_BYTES - 1);
  }
  path[PATH_BYTES - 1] = '\0';
  return true;
}

static bool takes_room(const struct watched *of, const long a[6]) {
  const long flags = of->number == SYS_open ? a[1] : of->number == SYS_openat ? a[2] : 0;
  return of->takes_room || (flags & O_CREAT) != 0;
}

static void report(const char *kind, long number, const struct watched *of, const long a[6], const char *path) {
  t_line line = {.n = 0};
  t_line_text(&line, kind);
  t_line_text(&line, " ");
  t_line_number(&line, (unsigned long)number, 10);
  t_line_text(&line, " ");
  t_line_text(&line, of->name);
  t_line_text(&line, takes_room(of, a) ? " 1 " : " 0 ");
  t_line_text(&line, path);
  t_line_end(&line);
}

static void die(void) {
  (void)t_system_call(SYS_kill, t_system_call(SYS_getpid, 0, 0, 0, 0, 0, 0), SIGKILL, 0, 0, 0, 0);
}

static long make_call(const struct watched *of, const long a[6]) {
  return t_system_call(of->number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* The call that it is about. */
static long disturb(const struct watched *of, long a[6]) {
  if (settings.kills == 1) die();
  if (settings.error > 0) return -settings.error;
  if (settings.is_short) a[2] = (a[2] + 1) / 2;
  const long result = make_call(of, a);
  if (settings.kills == 2) die();
  return result;
}

static bool can_be_short(const struct watched *of, const long a[6]) {
  const bool moves =
      of->number == SYS_read || of->number == SYS_write || of->number == SYS_pread64 || of->number == SYS_pwrite64;
  return moves && a[2] > 1;
}

/* Whether this call, the number-th, is not left alone. */
static bool is_chosen(long number, const struct watched *of, const long a[6]) {
  if (settings.call <= 0 || number < settings.call) return false;
  if (settings.is_short) return number == settings.call && can_be_short(of, a);
  if (number == settings.call) return true;
  return settings.stay == 1 || (settings.stay == 2 && takes_room(of, a));
}

static void sleep_by_chance(void) {
  const unsigned long next = chance * 6364136223846793005u + 1442695040888963407u;
  chance = next;
  const struct timespec time = {.tv_nsec = (long)(next >> 33) % (settings.delay * 1000)};
  (void)t_system_call(SYS_nanosleep, (long)&time, 0, 0, 0, 0, 0);
}

static long take(const struct watched *of, long a[6]) {
  char path[PATH_BYTES];
  if (!is_users(of, a, path)) return make_call(of, a);

  const long number = ++n_calls;
  if (settings.delay > 0) sleep_by_chance();
  if (settings.lists) report("call", number, of, a, path);
  if (!is_chosen(number, of, a)) return make_call(of, a);
  report("fault", number, of, a, path);
  return disturb(of, a);
}

static void on_call(int signal, siginfo_t *info, void *context) {
  (void)signal;
  greg_t *at = ((ucontext_t *)context)->uc_mcontext.gregs;
  long a[6] = {at[REG_RDI], at[REG_RSI], at[REG_RDX], at[REG_R10], at[REG_R8], at[REG_R9]};

  for (size_t i = 0; i < N_WATCHED; i++) {
    if (watched[i].number != info->si_syscall) continue;
    at[REG_RAX] = take(&watched[i], a);
    return;
  }
}

static bool install_filter(void) {
  const unsigned long after = (unsigned long)t_after_system_call;
  struct sock_filter code[N_WATCHED + 8];
  unsigned short n = 0;

  code[n++] =
      (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer));
  code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)after, 0, 3);
  code[n++] =
      (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer) + 4);
  code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)(after >> 32), 0, 1);
  code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
  for (size_t i = 0; i < N_WATCHED; i++) {
    const unsigned char to_trap = (unsigned char)(N_WATCHED - i);
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)watched[i].number, to_trap, 0);
  }
  code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP);

  struct sock_fprog program = {n, code};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

__attribute__((constructor)) static void begin(void) {
  const char *root = getenv("TORTURE_ROOT");
  if (root == NULL) return;
  settings.n_root = strlen(root);
  if (settings.n_root >= sizeof settings.root) abort();
  memcpy(settings.root, root, settings.n_root + 1);
  settings.call = t_setting("TORTURE_CALL");
  settings.error = t_setting("TORTURE_ERRNO");
  settings.stay = t_setting("TORTURE_STAY");
  settings.kills = t_setting("TORTURE_KILL");
  settings.delay = t_setting("TORTURE_DELAY");
  chance = (unsigned long)t_setting("TORTURE_SEED");
  settings.is_short = t_setting("TORTURE_SHORT") != 0;
  settings.lists = t_setting("TORTURE_LIST") != 0;
  t_report_open();

  struct sigaction action = {.sa_sigaction = on_call, .sa_flags = SA_SIGINFO | SA_RESTART};
  if (sigaction(SIGSYS, &action, NULL) != 0 || !install_filter()) {
    t_line line = {.n = 0};
    t_line_text(&line, "unavailable");
    t_line_end(&line);
  }
}

/* A thread that blocks all signals must not block this one: the kernel would end the process. */
static int set_mask(int how, const sigset_t *set, sigset_t *old) {
  sigset_t without;
  if (set != NULL) {
    without = *set;
    if (how != SIG_UNBLOCK) (void)sigdelset(&without, SIGSYS);
    set = &without;
  }
  const long result = t_system_call(SYS_rt_sigprocmask, how, (long)set, (long)old, 8, 0, 0);
  return result < 0 ? (int)-result : 0;
}

int pthread_sigmask(int how, const sigset_t *set, sigset_t *old) {
  return set_mask(how, set, old);
}

int sigprocmask(int how, const sigset_t *set, sigset_t *old) {
  const int number = set_mask(how, set, old);
  if (number == 0) return 0;
  errno = number;
  return -1;
}
