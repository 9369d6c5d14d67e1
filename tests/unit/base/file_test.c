#include "host/base/file.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/unit.h"

TestSuite(file, .init = rig_make_folder, .fini = rig_remove_folder);

static bool folder_is_empty(void) {
  vise_status status = VISE_OK;
  DIR *dir = opendir(rig_in("."));
  cr_assert_not_null(dir);
  bool empty = vise_i_next_entry(dir, "the folder", &status, NULL) == NULL;
  closedir(dir);
  return status == VISE_OK && empty;
}

Test(file, written_is_read_back_and_no_temporary_stays) {
  const char *path = rig_in("a");
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
}

Test(file, abandoned_leaves_the_old_one) {
  const char *path = rig_in("a");
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
}

/* In a child; returns whether the write was refused as it should be. */
static int write_many(void *user) {
  (void)user;
  static const char many[1 << 16];
  vise_error err = VISE_ERROR_INIT;
  const vise_status status = vise_i_write_file(rig_in("a"), many, sizeof many, &err);
  return status == VISE_ERR_IO && strstr(err.text, "File too large") != NULL;
}

Test(file, full_disk_is_an_error_and_keeps_the_old_one) {
  const char *path = rig_in("a");
  uint8_t *bytes = NULL;
  size_t n = 0;
  cr_assert_eq(vise_i_write_file(path, "old", 3, NULL), VISE_OK);

  cr_assert_eq(rig_with_full_disk(1000, write_many, NULL), 1);

  cr_assert_eq(vise_i_read_file(path, 100, &bytes, &n, NULL), VISE_OK);
  cr_assert(n == 3 && memcmp(bytes, "old", 3) == 0);
  free(bytes);
  cr_assert_eq(unlink(path), 0);
  cr_assert(folder_is_empty(), "a temporary file stayed");
}

Test(file, what_is_not_a_regular_file_is_refused) {
  uint8_t *bytes = NULL;
  size_t n = 0;
  vise_error err = VISE_ERROR_INIT;
  EXPECT_ERROR(vise_i_read_file(rig_in("."), 100, &bytes, &n, &err), &err, VISE_ERR_IO,
               "is a folder, expected a regular file");

  const char *fifo = rig_in("fifo");
  cr_assert_eq(mkfifo(fifo, 0600), 0);
  vise_error_clear(&err);
  EXPECT_ERROR(vise_i_read_file(fifo, 100, &bytes, &n, &err), &err, VISE_ERR_IO, "special file");

  const char *none = rig_in("none");
  vise_error_clear(&err);
  EXPECT_ERROR(vise_i_read_file(none, 100, &bytes, &n, &err), &err, VISE_ERR_IO, "No such file");

  const char *large = rig_in("large");
  cr_assert_eq(vise_i_write_file(large, "123456", 6, NULL), VISE_OK);
  vise_error_clear(&err);
  EXPECT_ERROR(vise_i_read_file(large, 5, &bytes, &n, &err), &err, VISE_ERR_IO, "6 bytes, more than the 5");
  cr_assert_null(bytes);
}

Test(file, remove_tree_does_not_follow_links) {
  const char *outside = rig_in("outside"), *kept = rig_in("outside/kept"), *tree = rig_in("tree");
  const char *link = rig_in("tree/link"), *deep = rig_in("tree/sub"), *leaf = rig_in("tree/sub/leaf");

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
}

/* ---- what stands at the place ------------------------------------------------------------------------------------- */

Test(file, a_link_is_replaced_and_what_it_leads_to_stays) {
  const char *link = rig_in("link"), *target = rig_in("target");
  struct stat info;
  uint8_t *bytes = NULL;
  size_t n = 0;
  cr_assert_eq(vise_i_write_file(target, "old", 3, NULL), VISE_OK);
  cr_assert_eq(symlink(target, link), 0);
  cr_assert_eq(vise_i_write_file(link, "new", 3, NULL), VISE_OK);

  cr_assert(lstat(link, &info) == 0 && S_ISREG(info.st_mode));
  cr_assert_eq(vise_i_read_file(target, 100, &bytes, &n, NULL), VISE_OK);
  cr_assert(n == 3 && memcmp(bytes, "old", 3) == 0);
  free(bytes);
}

Test(file, special_files_are_not_replaced) {
  const char *fifo = rig_in("fifo"), *link = rig_in("null"), *folder = rig_in("folder");
  struct stat info;
  vise_error err = VISE_ERROR_INIT;
  cr_assert_eq(mkfifo(fifo, 0600), 0);
  cr_assert_eq(symlink("/dev/null", link), 0);
  cr_assert_eq(vise_i_make_dir(folder, NULL), VISE_OK);

  EXPECT_ERROR(vise_i_write_file(fifo, "x", 1, &err), &err, VISE_ERR_IO, "fifo: is a special file");
  vise_error_clear(&err);
  EXPECT_ERROR(vise_i_write_file(link, "x", 1, &err), &err, VISE_ERR_IO, "null: is a special file");
  vise_error_clear(&err);
  EXPECT_ERROR(vise_i_write_file(folder, "x", 1, &err), &err, VISE_ERR_IO, "folder: is a folder");
  cr_assert(lstat(fifo, &info) == 0 && S_ISFIFO(info.st_mode));
  cr_assert(lstat(link, &info) == 0 && S_ISLNK(info.st_mode));
}

Test(file, only_a_missing_one_does_not_exist) {
  bool there = false;
  vise_error err = VISE_ERROR_INIT;
  char long_name[400] = "/tmp/";
  memset(long_name + 5, 'x', 300);
  long_name[305] = '\0';
  const char *file = rig_in("file"), *below = rig_in("file/below"), *missing = rig_in("missing"),
             *link = rig_in("link");

  cr_assert_eq(vise_i_write_file(file, "x", 1, NULL), VISE_OK);
  cr_assert_eq(symlink("nowhere", link), 0);
  cr_assert(vise_i_exists(file, &there, NULL) == VISE_OK && there);
  cr_assert(vise_i_exists(link, &there, NULL) == VISE_OK && there);
  cr_assert(vise_i_exists(missing, &there, NULL) == VISE_OK && !there);
  cr_assert(vise_i_exists(below, &there, NULL) == VISE_OK && !there);
  EXPECT_ERROR(vise_i_exists(long_name, &there, &err), &err, VISE_ERR_IO, "cannot be examined: File name too long");
}
