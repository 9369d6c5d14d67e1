#include "host/base/file.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static void make_folder(void) {
  strcpy(folder, "/tmp/vise-file-test-XXXXXX");
  cr_assert_not_null(mkdtemp(folder));
}

static void remove_folder(void) {
  cr_assert_eq(vise_i_remove_tree(folder, NULL), VISE_OK);
  cr_assert_neq(access(folder, F_OK), 0);
}

static char *in_folder(const char *name) {
  char *path = NULL;
  cr_assert_eq(vise_i_path_join(&path, folder, name, NULL), VISE_OK);
  return path;
}

static bool folder_is_empty(void) {
  vise_status status = VISE_OK;
  DIR *dir = opendir(folder);
  cr_assert_not_null(dir);
  bool empty = vise_i_next_entry(dir, folder, &status, NULL) == NULL;
  closedir(dir);
  return status == VISE_OK && empty;
}

TestSuite(file, .init = make_folder, .fini = remove_folder);

Test(file, written_is_read_back_and_no_temporary_stays) {
  char *path = in_folder("a");
  uint8_t *bytes = NULL;
  size_t n = 0;

  cr_assert_eq(vise_i_write_file(path, "first", 5, NULL), VISE_OK);
  cr_assert_eq(vise_i_write_file(path, "second", 6, NULL), VISE_OK);
  cr_assert_eq(vise_i_read_file(path, 100, &bytes, &n, NULL), VISE_OK);
  cr_assert_eq(n, 6);
  cr_assert_eq(memcmp(bytes, "second", 7), 0);
  free(bytes);

  cr_assert_eq(unlink(path), 0);
  cr_assert(folder_is_empty());
  free(path);
}

Test(file, abandoned_leaves_the_old_one) {
  char *path = in_folder("a");
  vise_i_writer writer;
  uint8_t *bytes = NULL;
  size_t n = 0;

  cr_assert_eq(vise_i_write_file(path, "old", 3, NULL), VISE_OK);
  cr_assert_eq(vise_i_writer_begin(&writer, path, NULL), VISE_OK);
  cr_assert_eq(vise_i_writer_write(&writer, "new", 3, NULL), VISE_OK);
  vise_i_writer_abandon(&writer);

  cr_assert_eq(vise_i_read_file(path, 100, &bytes, &n, NULL), VISE_OK);
  cr_assert_eq(memcmp(bytes, "old", 4), 0);
  free(bytes);
  free(path);
}

Test(file, full_disk_is_an_error_and_keeps_the_old_one) {
  char *path = in_folder("a");
  static const char many[1 << 16];
  uint8_t *bytes = NULL;
  size_t n = 0;
  vise_error err = VISE_ERROR_INIT;
  cr_assert_eq(vise_i_write_file(path, "old", 3, NULL), VISE_OK);

  struct rlimit before, limit;
  cr_assert_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
  limit = before;
  limit.rlim_cur = 1000;
  signal(SIGXFSZ, SIG_IGN);
  cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);

  vise_status status = vise_i_write_file(path, many, sizeof many, &err);
  cr_assert_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
  cr_assert_eq(status, VISE_ERR_IO);
  cr_assert(strstr(err.text, "File too large"), "%s", err.text);

  cr_assert_eq(vise_i_read_file(path, 100, &bytes, &n, NULL), VISE_OK);
  cr_assert_eq(n, 3);
  cr_assert_eq(unlink(path), 0);
  cr_assert(folder_is_empty(), "a temporary file stayed");

  free(bytes);
  free(path);
}

Test(file, what_is_no_regular_file_is_refused) {
  uint8_t *bytes = NULL;
  size_t n = 0;
  vise_error err = VISE_ERROR_INIT;
  cr_assert_eq(vise_i_read_file(folder, 100, &bytes, &n, &err), VISE_ERR_IO);
  cr_assert(strstr(err.text, "is a folder, expected a regular file"), "%s", err.text);

  char *fifo = in_folder("fifo");
  cr_assert_eq(mkfifo(fifo, 0600), 0);
  vise_error_clear(&err);
  cr_assert_eq(vise_i_read_file(fifo, 100, &bytes, &n, &err), VISE_ERR_IO);
  cr_assert(strstr(err.text, "special file"), "%s", err.text);
  free(fifo);

  char *none = in_folder("none");
  vise_error_clear(&err);
  cr_assert_eq(vise_i_read_file(none, 100, &bytes, &n, &err), VISE_ERR_IO);
  cr_assert(strstr(err.text, "No such file"), "%s", err.text);
  free(none);

  char *large = in_folder("large");
  cr_assert_eq(vise_i_write_file(large, "123456", 6, NULL), VISE_OK);
  vise_error_clear(&err);
  cr_assert_eq(vise_i_read_file(large, 5, &bytes, &n, &err), VISE_ERR_IO);
  cr_assert(strstr(err.text, "6 bytes, more than the 5"), "%s", err.text);
  cr_assert_null(bytes);
  free(large);
}

Test(file, remove_tree_does_not_follow_links) {
  char *outside = in_folder("outside"), *tree = in_folder("tree"), *kept = in_folder("outside/kept"),
       *link = in_folder("tree/link"), *deep = in_folder("tree/sub"), *leaf = in_folder("tree/sub/leaf");

  cr_assert_eq(vise_i_make_dir(outside, NULL), VISE_OK);
  cr_assert_eq(vise_i_write_file(kept, "x", 1, NULL), VISE_OK);
  cr_assert_eq(vise_i_make_dir(tree, NULL), VISE_OK);
  cr_assert_eq(vise_i_make_dir(tree, NULL), VISE_OK);
  cr_assert_eq(vise_i_make_dir(deep, NULL), VISE_OK);
  cr_assert_eq(vise_i_write_file(leaf, "x", 1, NULL), VISE_OK);
  cr_assert_eq(symlink(outside, link), 0);

  cr_assert_eq(vise_i_remove_tree(tree, NULL), VISE_OK);
  cr_assert_neq(access(tree, F_OK), 0);
  cr_assert_eq(access(kept, F_OK), 0);
  cr_assert_eq(vise_i_remove_tree(tree, NULL), VISE_OK);

  vise_error err = VISE_ERROR_INIT;
  cr_assert_eq(vise_i_make_dir(kept, &err), VISE_ERR_IO);
  free(outside), free(tree), free(kept), free(link), free(deep), free(leaf);
}
