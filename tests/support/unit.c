#include "tests/support/unit.h"

#include <criterion/criterion.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/base/file.h"

void unit_expect(vise_status status, const vise_error *err, vise_status wanted, const char *says, unit_place place) {
  cr_assert_eq(status, wanted, "%s:%d: %s: %s, expected %s: %s", place.file, place.line, place.what,
               vise_status_name(status), vise_status_name(wanted), err->text);
  if (wanted == VISE_OK) return;

  cr_assert_eq(err->code, wanted, "%s:%d: %s: the error says %s, expected %s", place.file, place.line, place.what,
               vise_status_name(err->code), vise_status_name(wanted));
  cr_assert(strstr(err->text, says) != NULL, "%s:%d: %s: \"%s\" does not say \"%s\"", place.file, place.line,
            place.what, err->text, says);
}

void unit_expect_near(double got, double wanted, double tolerance, unit_place place) {
  cr_assert(fabs(got - wanted) <= tolerance, "%s:%d: %s is %.17g, expected %.17g", place.file, place.line, place.what,
            got, wanted);
}

void rig_folder(char path[256]) {
  /* In memory if possible: the tests sync hundreds of small files. */
  const char *base = getenv("TMPDIR");
  if (base == NULL) base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
  snprintf(path, 256, "%s/vise-test-XXXXXX", base);
  cr_assert(mkdtemp(path) != NULL, "%s: no temporary folder", path);
}

void rig_remove(const char *path) {
  vise_error err = VISE_ERROR_INIT;
  EXPECT_OK(vise_i_remove_tree(path, &err), err);
}

const char *rig_path(const char *folder, const char *name) {
  static char paths[32][512];
  static size_t turn;
  char *path = paths[turn++ % 32];
  snprintf(path, sizeof paths[0], "%s/%s", folder, name);
  return path;
}

bool rig_exists(const char *path) {
  return access(path, F_OK) == 0;
}

static char folder_of_test[256];

void rig_make_folder(void) {
  rig_folder(folder_of_test);
}

void rig_remove_folder(void) {
  rig_remove(folder_of_test);
}

const char *rig_in(const char *name) {
  return rig_path(folder_of_test, name);
}

int rig_with_full_disk(size_t limit, int (*body)(void *user), void *user) {
  const pid_t child = fork();
  cr_assert_geq(child, 0);

  if (child == 0) {
    const struct rlimit files = {limit, limit};
    signal(SIGXFSZ, SIG_IGN);
    _exit(setrlimit(RLIMIT_FSIZE, &files) == 0 ? body(user) : 99);
  }

  int result = 0;
  cr_assert_eq(waitpid(child, &result, 0), child);
  cr_assert(WIFEXITED(result), "limit %zu: the child crashed", limit);
  return WEXITSTATUS(result);
}
