/* Arrays in .npz files. */
#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>

#include "data_support.h"

TestSuite(npz, .init = rig_make_folder, .fini = rig_remove_folder);

/* Members of an archive, "x.npy=<u1 values>" each: names and the one value that each array has. */
typedef struct member {
  const char *name;
  uint8_t value;
} member;

static buffer make_npz(const member *members, size_t n, bool deflated) {
  enum { ROOM = 1 << 16 };
  buffer out = {.bytes = malloc(ROOM)};
  struct archive *archive = archive_write_new();
  cr_assert(out.bytes != NULL && archive_write_set_format_zip(archive) == ARCHIVE_OK);
  cr_assert_eq(
      (deflated ? archive_write_zip_set_compression_deflate : archive_write_zip_set_compression_store)(archive),
      ARCHIVE_OK);
  cr_assert_eq(archive_write_open_memory(archive, out.bytes, ROOM, &out.n), ARCHIVE_OK);

  for (size_t k = 0; k < n; k++) {
    uint8_t values[400];
    memset(values, members[k].value, sizeof values);
    buffer b = make_npy(1, "|u1", "False", "(100, 4)", values, sizeof values);
    struct archive_entry *entry = archive_entry_new();
    archive_entry_set_pathname(entry, members[k].name);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_size(entry, (la_int64_t)b.n);
    cr_assert_eq(archive_write_header(archive, entry), ARCHIVE_OK);
    cr_assert_eq(archive_write_data(archive, b.bytes, b.n), (la_ssize_t)b.n);
    archive_entry_free(entry);
    release_buffer(&b);
  }

  cr_assert_eq(archive_write_free(archive), ARCHIVE_OK);
  return out;
}

static const member two[] = {{"x.npy", 3}, {"labels.npy", 5}};

static void expect_value(const char *path, int value) {
  vise_error err = VISE_ERROR_INIT;
  vise_i_input input;
  vise_i_table t;
  EXPECT_OK(vise_i_input_open(&input, path, &err), err);
  cr_assert_eq(input.kind, VISE_I_KIND_NPY);
  EXPECT_OK(vise_i_array_read(&input, &t, &err), err);
  cr_assert(t.array.n_rows == 100 && t.array.n_cols == 4);
  EXPECT_NEAR(vise_i_array_get(&t.array, 99, 3), value, 0);
  vise_i_input_close(&input);
  free(t.memory);
}

static void expect_no(const char *path, vise_status code, const char *text) {
  vise_error err = VISE_ERROR_INIT;
  vise_i_input input;
  EXPECT_ERROR(vise_i_input_open(&input, path, &err), &err, code, text);
}

static const char *path_of(const char *path, const char *name) {
  static char whole[1024];
  snprintf(whole, sizeof whole, "%s:%s", path, name);
  return whole;
}

Test(npz, reads_members_by_name) {
  for (int deflated = 0; deflated < 2; deflated++) {
    buffer b = make_npz(two, 2, deflated == 1);
    const char *path = write_bytes(deflated == 1 ? "d.npz" : "s.npz", b.bytes, b.n);
    expect_value(path_of(path, "x"), 3);
    expect_value(path_of(path, "labels"), 5);
    expect_value(path_of(path, "labels.npy"), 5);
    release_buffer(&b);
  }
}

Test(npz, needs_no_name_for_the_only_array) {
  const member other[] = {{"notes.txt", 1}, {"x.npy", 7}};
  buffer b = make_npz(other, 2, true);
  expect_value(write_bytes("a.npz", b.bytes, b.n), 7);
  release_buffer(&b);
}

Test(npz, prefers_a_file_of_the_whole_name) {
  buffer b = make_npz(two, 2, true), one = make_npz(&two[1], 1, false);
  write_bytes("f.npz", b.bytes, b.n);
  expect_value(write_bytes("f.npz:x", one.bytes, one.n), 5);
  release_buffer(&b);
  release_buffer(&one);
}

Test(npz, names_what_there_is) {
  buffer b = make_npz(two, 2, true);
  const char *path = write_bytes("a.npz", b.bytes, b.n);
  expect_no(path, VISE_ERR_USAGE, "has the arrays x, labels; name one of them, as in FILE.npz:NAME");
  expect_no(path_of(path, "y"), VISE_ERR_USAGE, "has no array \"y\"; it has x, labels");
  expect_no(path_of(path, "lab"), VISE_ERR_USAGE, "has no array \"lab\"");
  release_buffer(&b);

  const member sheet[] = {{"xl/workbook.xml", 1}};
  b = make_npz(sheet, 1, true);
  path = write_bytes("a.xlsx", b.bytes, b.n);
  expect_no(path, VISE_ERR_FORMAT, "is a ZIP archive without arrays (perhaps .xlsx)");
  release_buffer(&b);

  member many[90];
  char names[90][32];
  for (size_t k = 0; k < 90; k++) {
    snprintf(names[k], sizeof names[k], "array_%zu.npy", k);
    many[k] = (member){names[k], 1};
  }
  b = make_npz(many, 90, true);
  expect_no(write_bytes("m.npz", b.bytes, b.n), VISE_ERR_USAGE, "array_1, array_2");
  expect_no(rig_in("m.npz"), VISE_ERR_USAGE, ", ...; name one");
  release_buffer(&b);
}

Test(npz, refuses_damage) {
  const member one = {"x.npy", 9};
  buffer b = make_npz(&one, 1, false);
  for (size_t n = 4; n < b.n; n += 7) {
    vise_error err = VISE_ERROR_INIT;
    vise_i_table t = {0};
    uint8_t *exact = malloc(n);
    memcpy(exact, b.bytes, n);
    cr_assert_eq(vise_i_npy_parse("x.npz", exact, n, &t, &err), VISE_ERR_FORMAT, "%zu bytes: %s", n, err.text);
    free(exact);
  }

  b.bytes[200] ^= 1; /* a value, so that the checksum is another */
  vise_error err = VISE_ERROR_INIT;
  vise_i_table t = {0};
  EXPECT_ERROR(vise_i_npy_parse("x.npz", b.bytes, b.n, &t, &err), &err, VISE_ERR_FORMAT, "the ZIP archive is damaged");
  release_buffer(&b);

  static const uint8_t empty[22] = {'P', 'K', 5, 6};
  expect_no(write_bytes("e.npz", empty, sizeof empty), VISE_ERR_FORMAT, "holds nothing");
  write_text("t.npz", "a,b\n1,2\n");
  expect_no(path_of(rig_in("t.npz"), "a"), VISE_ERR_FORMAT, "is not an .npz");
  expect_no(path_of(rig_in("none.npz"), "a"), VISE_ERR_IO, "none.npz: cannot be opened");
}
