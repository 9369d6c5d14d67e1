/* Files that cannot be read, and telling kinds apart. */
#include <sys/stat.h>

#include "data_support.h"

TestSuite(input, .init = rig_make_folder, .fini = rig_remove_folder);

Test(input, refuses_what_is_not_a_file) {
  vise_i_input input;
  vise_error err = VISE_ERROR_INIT;

  EXPECT_ERROR(vise_i_input_open(&input, rig_in("missing.csv"), &err), &err, VISE_ERR_IO,
               "missing.csv: cannot be opened: No such file");
  vise_error_clear(&err);
  EXPECT_ERROR(vise_i_input_open(&input, rig_in("."), &err), &err, VISE_ERR_IO, "is a folder");

  vise_error_clear(&err);
  cr_assert_eq(mkfifo(rig_in("pipe.csv"), 0600), 0);
  EXPECT_ERROR(vise_i_input_open(&input, rig_in("pipe.csv"), &err), &err, VISE_ERR_IO, "is not a regular file");
  vise_error_clear(&err);
  EXPECT_ERROR(vise_i_input_open(&input, "/dev/null", &err), &err, VISE_ERR_IO, "is not a regular file");

  vise_error_clear(&err);
  EXPECT_ERROR(vise_i_input_open(&input, write_text("empty.npy", ""), &err), &err, VISE_ERR_FORMAT,
               "empty.npy: is empty");

  vise_error_clear(&err);
  buffer nothing = {0};
  buffer z = gzip_of(&nothing);
  EXPECT_ERROR(vise_i_input_open(&input, write_bytes("empty.csv.gz", z.bytes, z.n), &err), &err, VISE_ERR_FORMAT,
               "empty.csv.gz: is empty inside");

  release_buffer(&z);
}

Test(input, tells_kinds_by_content_then_name) {
  static const struct {
    const char *name, *content;
    size_t n;
    vise_i_kind kind;
  } good[] = {{"a.csv", "1,2\n", 4, VISE_I_KIND_CSV},
              {"b", "1,2\n", 4, VISE_I_KIND_CSV},
              {"c.csv", "\x93NUMPY\x01", 7, VISE_I_KIND_NPY},
              {"d.npy", "\0\0\x08\x01", 4, VISE_I_KIND_IDX},
              {"e.txt", "5", 1, VISE_I_KIND_CSV}};
  static const struct {
    const char *name, *content, *expected;
  } bad[] = {{"a.npy", "1,2\n", "named .npy but does not begin with"},
             {"a.npy.gz", "1,2\n", "named .npy but does not begin with"},
             {"train-ubyte", "1,2\n", "named as an IDX file"},
             {"a.csv.gz", "1,2\n", "named .gz but is not gzip data"},
             {"a.npz", "PK\x03\x04", "ZIP archive"}};

  for (size_t k = 0; k < sizeof good / sizeof good[0]; k++) {
    for (int gzip = 0; gzip < 2; gzip++) {
      vise_i_input input;
      vise_error err = VISE_ERROR_INIT;
      uint8_t got[16];
      size_t n_got;
      buffer b = {0};

      append(&b, good[k].content, good[k].n);
      if (gzip) {
        buffer z = gzip_of(&b);
        release_buffer(&b);
        b = z;
      }

      EXPECT_OK(vise_i_input_open(&input, write_bytes(good[k].name, b.bytes, b.n), &err), err);
      cr_assert(input.kind == good[k].kind && input.gzip == (gzip == 1), "%s", good[k].name);
      EXPECT_OK(vise_i_input_read(&input, got, sizeof got, &n_got, &err), err);
      cr_assert(n_got == good[k].n && memcmp(got, good[k].content, n_got) == 0, "%s", good[k].name);
      vise_i_input_close(&input);
      release_buffer(&b);
    }
  }

  for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
    vise_i_input input;
    vise_error err = VISE_ERROR_INIT;
    EXPECT_ERROR(vise_i_input_open(&input, write_text(bad[k].name, bad[k].content), &err), &err, VISE_ERR_FORMAT,
                 bad[k].expected);
  }
}
