/* Where the bytes of a table come from: files packed in four ways, pipes, standard input. */
#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <unistd.h>

#include "table_support.h"

#define TEXT "a,b\n1,2\n3,4\n"
#define AB "2 rows [a:number b:number] 1|2 / 3|4"

typedef int add_filter(struct archive *);
static const struct {
  const char *name;
  add_filter *add;
} PACKERS[] = {{"gz", archive_write_add_filter_gzip},
               {"zst", archive_write_add_filter_zstd},
               {"xz", archive_write_add_filter_xz},
               {"bz2", archive_write_add_filter_bzip2}};
enum { N_PACKERS = sizeof PACKERS / sizeof PACKERS[0] };

/* text packed in one of the ways, in *out (malloc'ed). */
static size_t pack(size_t k, const char *text, size_t n, char **out) {
  const size_t capacity = n + 65536;
  size_t used = 0;
  *out = malloc(capacity);
  struct archive *a = archive_write_new();
  struct archive_entry *entry = archive_entry_new();
  cr_assert(*out != NULL && a != NULL && entry != NULL);

  PACKERS[k].add(a);
  archive_write_set_format_raw(a);
  archive_write_set_bytes_in_last_block(a, 1);
  cr_assert_eq(archive_write_open_memory(a, *out, capacity, &used), ARCHIVE_OK);

  archive_entry_set_filetype(entry, AE_IFREG);
  cr_assert_eq(archive_write_header(a, entry), ARCHIVE_OK);
  cr_assert_eq(archive_write_data(a, text, n), (la_ssize_t)n);

  archive_entry_free(entry);
  archive_write_close(a);
  archive_write_free(a);
  return used;
}

static void write_file(const char *path, const char *bytes, size_t n) {
  FILE *file = fopen(path, "wb");
  cr_assert(file != NULL && fwrite(bytes, 1, n, file) == n);
  cr_assert_eq(fclose(file), 0);
}

Test(table_source, unpacks_files_and_memory) {
  for (size_t k = 0; k < N_PACKERS; k++) {
    vise_error err = VISE_ERROR_INIT;
    vise_table *table = NULL;
    char *packed, path[64];
    const size_t n = pack(k, TEXT, strlen(TEXT), &packed);
    EXPECT_OK(vise_table_parse("x.csv", packed, n, NULL, &table, &err), err);
    cr_assert_str_eq(shown(table), AB, "%s", PACKERS[k].name);
    vise_table_free(table);

    snprintf(path, sizeof path, "/tmp/vise-source-%d.csv.%s", (int)getpid(), PACKERS[k].name);
    write_file(path, packed, n);
    EXPECT_OK(vise_table_read(path, NULL, &table, &err), err);
    cr_assert_str_eq(shown(table), AB);
    vise_table_free(table);
    unlink(path);
    free(packed);
  }
}

Test(table_source, unpacks_more_than_one_buffer_and_reads_it_again) {
  enum { N = 200000 };
  char *text = malloc(N * 12 + 64);
  cr_assert_not_null(text);

  size_t used = (size_t)sprintf(text, "a,b\n");
  for (int i = 0; i < N; i++) used += (size_t)sprintf(text + used, "0%d,%d\n", i % 50, i);
  used += (size_t)sprintf(text + used, "x,0\n"); /* column a was text all the time */

  for (size_t k = 0; k < N_PACKERS; k++) {
    vise_error err = VISE_ERROR_INIT;
    vise_table *table = NULL;
    char *packed;
    const char *field = NULL;
    const size_t n = pack(k, text, used, &packed);
    EXPECT_OK(vise_table_parse("x.csv", packed, n, NULL, &table, &err), err);
    cr_assert_eq(vise_table_n_rows(table), N + 1);
    cr_assert(vise_table_text(table, 49, 0, &field, NULL) == VISE_OK && strcmp(field, "049") == 0);
    vise_table_free(table);
    free(packed);
  }

  free(text);
}

Test(table_source, refuses_damaged_data) {
  for (size_t k = 0; k < N_PACKERS; k++) {
    vise_error err = VISE_ERROR_INIT;
    vise_table *table = NULL;
    char *packed;
    const size_t n = pack(k, TEXT, strlen(TEXT), &packed);
    const vise_status status = vise_table_parse("x.csv", packed, n - n / 3, NULL, &table, &err);
    cr_assert(status == VISE_ERR_FORMAT && strstr(err.text, "x.csv: the packed data are damaged") != NULL, "%s: %s",
              PACKERS[k].name, err.text);
    free(packed);
  }
}

Test(table_source, reads_members_of_gzip_data_one_after_another) {
  char *one, *two, *both;
  const size_t n_one = pack(0, "a,b\n1,2\n", 8, &one), n_two = pack(0, "3,4\n", 4, &two);
  both = malloc(n_one + n_two);
  cr_assert_not_null(both);
  memcpy(both, one, n_one);
  memcpy(both + n_one, two, n_two);

  vise_error err = VISE_ERROR_INIT;
  vise_table *table = NULL;
  EXPECT_OK(vise_table_parse("x.csv.gz", both, n_one + n_two, NULL, &table, &err), err);
  cr_assert_str_eq(shown(table), AB);

  vise_table_free(table);
  free(one);
  free(two);
  free(both);
}

/* Standard input made of a file or, with is_pipe, of a pipe that holds the bytes. */
static void feed(const char *bytes, size_t n, bool is_pipe) {
  int ends[2];
  if (is_pipe) {
    cr_assert_eq(pipe(ends), 0);
    cr_assert_eq(write(ends[1], bytes, n), (ssize_t)n);
    close(ends[1]);
    dup2(ends[0], STDIN_FILENO);
    close(ends[0]);
    return;
  }

  FILE *file = tmpfile();
  cr_assert(file != NULL && fwrite(bytes, 1, n, file) == n && fflush(file) == 0);
  rewind(file);
  dup2(fileno(file), STDIN_FILENO);
  fclose(file);
}

Test(table_source, reads_standard_input) {
  for (int is_pipe = 0; is_pipe < 2; is_pipe++) {
    for (size_t k = 0; k <= N_PACKERS; k++) {
      vise_error err = VISE_ERROR_INIT;
      vise_table *table = NULL;
      char *packed = NULL;
      const size_t n = k < N_PACKERS ? pack(k, TEXT, strlen(TEXT), &packed) : strlen(TEXT);

      feed(packed != NULL ? packed : TEXT, n, is_pipe == 1);
      EXPECT_OK(vise_table_read("-", NULL, &table, &err), err);
      cr_assert_str_eq(shown(table), AB);
      cr_assert_str_eq(vise_table_name(table), "standard input");

      vise_table_free(table);
      free(packed);
    }
  }
}

Test(table_source, reads_paths_of_other_encodings) {
  char path[64];
  snprintf(path, sizeof path, "/tmp/vise-lat\xe9-%d.csv", (int)getpid());
  write_file(path, TEXT, strlen(TEXT));
  vise_error err = VISE_ERROR_INIT;
  vise_table *table = NULL;
  EXPECT_OK(vise_table_read(path, NULL, &table, &err), err);
  cr_assert_str_eq(shown(table), AB);
  vise_table_free(table);
  unlink(path);
}
