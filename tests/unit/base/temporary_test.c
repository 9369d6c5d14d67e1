#include "host/base/temporary.h"

#include <criterion/criterion.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/base/file.h"

static char folder[64];

static void enter(void) {
  strcpy(folder, "/tmp/vise-temporary-XXXXXX");
  cr_assert_not_null(mkdtemp(folder));
  cr_assert_eq(chdir(folder), 0);
}

static void leave(void) {
  cr_assert_eq(chdir("/"), 0);
  cr_assert_eq(vise_i_remove_tree(folder, NULL), VISE_OK);
}

TestSuite(temporary, .init = enter, .fini = leave);

Test(temporary, no_two_have_one_name) {
  char *names[6] = {NULL};
  int files[3];
  for (size_t i = 0; i < 3; i++) {
    cr_assert_eq(vise_i_temporary_file("a", &names[i], &files[i], NULL), VISE_OK);
    cr_assert_eq(vise_i_temporary_dir("a", &names[3 + i], NULL), VISE_OK);
  }

  for (size_t i = 0; i < 6; i++) {
    size_t n_stem = 0;
    cr_assert_eq(vise_i_temporary_maker(names[i], &n_stem), VISE_I_MAKER_SELF, "%s", names[i]);
    cr_assert_eq(n_stem, i < 3 ? 1 : 2, "%s", names[i]);
    cr_assert(vise_i_temporary_is_abandoned(names[i]));
    for (size_t k = 0; k < i; k++) cr_assert_str_neq(names[i], names[k]);
  }

  for (size_t i = 0; i < 3; i++) close(files[i]);
  for (size_t i = 0; i < 6; i++) free(names[i]);
}

/* The part of a name after "<stem>.tmp-<pid>-<machine>-". */
static const char *random_part(const char *name) {
  return strrchr(name, '-') + 1;
}

Test(temporary, names_cannot_be_guessed) {
  char *first = NULL, *second = NULL;
  int fd = -1;
  cr_assert_eq(vise_i_temporary_file("a", &first, &fd, NULL), VISE_OK);
  close(fd);
  cr_assert_eq(unlink(first), 0);
  cr_assert_eq(vise_i_temporary_file("a", &second, &fd, NULL), VISE_OK);
  close(fd);

  cr_assert_eq(strlen(random_part(first)), 12, "%s", first);
  cr_assert_str_neq(random_part(first), random_part(second));
  free(first);
  free(second);
}

Test(temporary, long_names_are_cut) {
  char path[NAME_MAX + 1], *file = NULL, *dir = NULL;
  int fd = -1;
  memset(path, 'x', NAME_MAX);
  path[NAME_MAX] = '\0';
  cr_assert_eq(vise_i_temporary_file(path, &file, &fd, NULL), VISE_OK);
  cr_assert_eq(vise_i_temporary_dir(path, &dir, NULL), VISE_OK);
  cr_assert_eq(strlen(file), NAME_MAX);
  cr_assert_eq(vise_i_temporary_maker(file, NULL), VISE_I_MAKER_SELF);
  cr_assert_eq(vise_i_temporary_maker(dir, NULL), VISE_I_MAKER_SELF);
  close(fd);
  free(file);
  free(dir);
}

Test(temporary, other_names_are_not_temporary) {
  static const char *const names[] = {"a",
                                      "a.tmp",
                                      "a.tmp-",
                                      "a.tmp-x",
                                      "a.tmp-1-",
                                      "a.tmp-1-2-3",
                                      "a.tmp-1.bak",
                                      "a.tmp-0-0",
                                      "a.tmp-1-0123456-0123456789ab",
                                      "a.tmp-1-01234567-0123456789a",
                                      "a.tmp-1-01234567-0123456789abc",
                                      "a.tmp-1-01234567-0123456789ab.bak",
                                      "a.tmp-1-0123456g-0123456789ab"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    cr_assert_eq(vise_i_temporary_maker(names[i], NULL), VISE_I_MAKER_NONE, "%s", names[i]);
    cr_assert_not(vise_i_temporary_is_abandoned(names[i]), "%s", names[i]);
  }
}

/* The number of a process that has ended. */
static long ended_process(void) {
  const pid_t child = fork();
  cr_assert_geq(child, 0);
  if (child == 0) _exit(0);
  cr_assert_eq(waitpid(child, NULL, 0), child);
  return (long)child;
}

static void put(const char *name) {
  cr_assert_eq(vise_i_write_file(name, "x", 1, NULL), VISE_OK);
}

/* Only those made for this name, by processes of this machine that have ended. */
Test(temporary, abandoned_files_go_when_the_name_is_written_again) {
  char *mine = NULL, names[6][80];
  const long ended = ended_process();
  int fd = -1;
  cr_assert_eq(vise_i_temporary_file("a", &mine, &fd, NULL), VISE_OK);
  close(fd);
  unsigned pid = 0, machine = 0;
  cr_assert_eq(sscanf(mine, "a.tmp-%u-%x-", &pid, &machine), 2);

  snprintf(names[0], sizeof names[0], "a.tmp-%ld-%08x-000000000001", ended, machine);
  snprintf(names[1], sizeof names[1], "a.tmp-%ld-7", ended);
  snprintf(names[2], sizeof names[2], "b.tmp-%ld-%08x-000000000001", ended, machine);
  snprintf(names[3], sizeof names[3], "a.tmp-%ld-%08x-000000000001", ended, machine ^ 1);
  snprintf(names[4], sizeof names[4], "a.tmp-1-%08x-000000000001", machine);
  snprintf(names[5], sizeof names[5], "xa.tmp-%ld-%08x-000000000001", ended, machine);
  for (size_t i = 0; i < 6; i++) put(names[i]);
  cr_assert_eq(vise_i_temporary_maker(names[3], NULL), VISE_I_MAKER_ELSEWHERE);
  cr_assert_eq(vise_i_temporary_maker(names[4], NULL), VISE_I_MAKER_RUNS);

  put("a");
  for (size_t i = 0; i < 6; i++) cr_assert_eq(access(names[i], F_OK) == 0, i >= 2, "%s", names[i]);
  cr_assert_eq(access(mine, F_OK), 0, "another thread may be writing it");
  free(mine);
}

Test(temporary, those_of_living_processes_are_not_abandoned) {
  char name[64];
  const pid_t child = fork();
  cr_assert_geq(child, 0);
  if (child == 0) {
    pause();
    _exit(0);
  }

  snprintf(name, sizeof name, "a.tmp-%ld-0", (long)child);
  cr_assert_not(vise_i_temporary_is_abandoned(name));
  cr_assert_eq(kill(child, SIGKILL), 0);
  cr_assert_eq(waitpid(child, NULL, 0), child);
  cr_assert(vise_i_temporary_is_abandoned(name));
}

Test(temporary, folders_are_made_with_their_parents_and_removed_again) {
  size_t n_old = 99;
  cr_assert_eq(vise_i_make_dir("old", NULL), VISE_OK);
  cr_assert_eq(vise_i_make_dirs("old/a//b/c/", &n_old, NULL), VISE_OK);
  cr_assert_eq(n_old, 3);
  cr_assert_eq(access("old/a/b/c", F_OK), 0);

  cr_assert_eq(vise_i_make_dir("old/a/kept", NULL), VISE_OK);
  vise_i_remove_empty_dirs("old/a//b/c/", n_old);
  cr_assert_neq(access("old/a/b", F_OK), 0);
  cr_assert_eq(access("old/a/kept", F_OK), 0);

  cr_assert_eq(vise_i_make_dirs("old", &n_old, NULL), VISE_OK);
  vise_i_remove_empty_dirs("old", n_old);
  cr_assert_eq(access("old", F_OK), 0);
}

Test(temporary, folders_that_cannot_be_made_leave_no_parents) {
  size_t n_old = 0;
  vise_error err = VISE_ERROR_INIT;
  char path[400] = "new/";
  memset(path + 4, 'x', 300); /* longer than a name may be */
  path[304] = '\0';

  cr_assert_eq(vise_i_make_dirs(path, &n_old, &err), VISE_ERR_IO);
  cr_assert_not_null(strstr(err.text, "File name too long"), "%s", err.text);
  cr_assert_neq(access("new", F_OK), 0);
}
