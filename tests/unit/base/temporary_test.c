#include "host/base/temporary.h"

#include <criterion/criterion.h>
#include <signal.h>
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
  FILE *streams[3];
  for (size_t i = 0; i < 3; i++) {
    cr_assert_eq(vise_i_temporary_file("a", &names[i], &streams[i], NULL), VISE_OK);
    cr_assert_eq(vise_i_temporary_dir("a", &names[3 + i], NULL), VISE_OK);
  }

  for (size_t i = 0; i < 6; i++) {
    size_t n_stem = 0;
    cr_assert(vise_i_temporary_is(names[i], &n_stem), "%s", names[i]);
    cr_assert_eq(n_stem, i < 3 ? 1 : 2, "%s", names[i]);
    cr_assert(vise_i_temporary_is_abandoned(names[i]));
    for (size_t k = 0; k < i; k++) cr_assert_str_neq(names[i], names[k]);
  }

  for (size_t i = 0; i < 3; i++) fclose(streams[i]);
  for (size_t i = 0; i < 6; i++) free(names[i]);
}

Test(temporary, a_link_of_that_name_is_not_followed) {
  char link[64], *name = NULL;
  FILE *stream = NULL;
  snprintf(link, sizeof link, "a.tmp-%ld-0", (long)getpid());
  cr_assert_eq(symlink("outside", link), 0);

  cr_assert_eq(vise_i_temporary_file("a", &name, &stream, NULL), VISE_OK);
  cr_assert_str_neq(name, link);
  cr_assert_neq(access("outside", F_OK), 0);
  fclose(stream);
  free(name);
}

Test(temporary, other_names_are_not_temporary) {
  static const char *const names[] = {"a", "a.tmp", "a.tmp-", "a.tmp-x", "a.tmp-1-", "a.tmp-1-2-3", "a.tmp-1.bak"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    cr_assert_not(vise_i_temporary_is(names[i], NULL), "%s", names[i]);
    cr_assert_not(vise_i_temporary_is_abandoned(names[i]), "%s", names[i]);
  }
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
