/* Memory: what would take more than is allowed is refused before it does. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zlib.h>

#include "data_support.h"
#include "vise/vise.h"

TestSuite(room, .init = rig_make_folder, .fini = rig_remove_folder);

/* n rows "0,0,...,0" of 20 columns as gzip data, which is hundreds of times smaller. */
static const char *write_bomb(size_t n) {
  const char *path = rig_in("bomb.csv.gz");
  gzFile file = gzopen(path, "wb9");
  cr_assert(file != NULL);
  for (size_t i = 0; i < n; i++) {
    for (int c = 0; c < 20; c++) gzputs(file, c == 0 ? "0" : ",0");
    gzputs(file, "\n");
  }
  cr_assert_eq(gzclose(file), Z_OK);
  return path;
}

static size_t peak_bytes(void) {
  struct rusage usage;
  cr_assert_eq(getrusage(RUSAGE_SELF, &usage), 0);
  return (size_t)usage.ru_maxrss * 1024;
}

static void expect_refused(const char *path, size_t max_bytes, const char *says) {
  vise_table_options options;
  vise_table *table = NULL;
  vise_error err = VISE_ERROR_INIT;
  vise_table_options_init(&options);
  options.max_bytes = max_bytes;
  EXPECT_ERROR(vise_table_read(path, &options, &table, &err), &err, VISE_ERR_MEMORY, says);
  cr_assert(strstr(err.text, path) != NULL && strstr(err.text, "`max_bytes`") != NULL && table == NULL, "%s", err.text);
}

/* 900,000 rows are 137 MiB in memory, 36 MB of text (so not unpacked at once), and some 50 KB of gzip data. */
Test(room, a_bomb_is_told_before_it_goes_off) {
  const char *path = write_bomb(900000);
  const size_t before = peak_bytes();
  expect_refused(path, (size_t)20 << 20, "would take about 1");
  cr_assert_lt(peak_bytes() - before, (size_t)40 << 20);

  vise_table_options options;
  vise_table *table = NULL;
  vise_error err = VISE_ERROR_INIT;
  vise_table_options_init(&options);
  options.max_bytes = (size_t)160 << 20;
  EXPECT_OK(vise_table_read(path, &options, &table, &err), err);
  cr_assert_eq(vise_table_n_rows(table), 900000);
  vise_table_free(table);
}

/* Texts count as well as values: each of these is another one. */
Test(room, texts_count) {
  const char *path = rig_in("texts.csv");
  FILE *file = fopen(path, "w");
  cr_assert(file != NULL);
  for (int i = 0; i < 20000; i++) fprintf(file, "%0200d-%d,x\n", i, i);
  fclose(file);
  expect_refused(path, (size_t)3 << 20, "its rows would take about");
}

Test(room, sparse_rows_count_as_dense_ones) {
  const char *path = rig_in("wide.svm");
  FILE *file = fopen(path, "w");
  cr_assert(file != NULL);
  for (int i = 0; i < 100; i++) fprintf(file, "1 %d:1\n", 100000 + i);
  fclose(file);
  expect_refused(path, (size_t)64 << 20, "would take");
}

/* One column of many values becomes many inputs. */
Test(room, inputs_count) {
  char text[40000];
  size_t n = (size_t)snprintf(text, sizeof text, "a,y\n");
  for (int i = 0; i < 2000; i++) n += (size_t)snprintf(text + n, sizeof text - n, "v%d,%d\n", i % 50, i % 7);
  vise_table *table = NULL;
  vise_preprocessor *p = NULL;
  vise_transform_options options;
  vise_transformed *made = NULL;
  vise_error err = VISE_ERROR_INIT;
  vise_transform_options_init(&options);
  EXPECT_OK(vise_table_parse("text", text, n, NULL, &table, &err), err);
  EXPECT_OK(vise_preprocessor_fit(table, NULL, NULL, 0, &p, &err), err);

  options.max_bytes = 2000 * 50 * sizeof(float) - 1;
  EXPECT_ERROR(vise_preprocessor_transform(p, table, &options, &made, &err), &err, VISE_ERR_MEMORY,
               "2000 rows of 50 inputs would take 391 KiB");
  options.max_bytes++;
  EXPECT_OK(vise_preprocessor_transform(p, table, &options, &made, &err), err);
  vise_transformed_free(made);
  vise_preprocessor_free(p);
  vise_table_free(table);
}

static vise_status load(const char *path, size_t max_bytes, vise_error *err) {
  vise_dataset_source source;
  vise_table_options options;
  vise_dataset *made = NULL;
  vise_dataset_source_init(&source);
  vise_table_options_init(&options);
  options.max_bytes = max_bytes;
  source.features_path = path;
  source.target = "";
  source.table = &options;
  vise_error_clear(err);
  const vise_status status = vise_dataset_load(&source, &made, err);
  vise_dataset_free(made);
  return status;
}

/* Arrays say how large they are: headers of 10 GB that the disk has no blocks for. */
Test(room, arrays_are_told_by_their_headers) {
  vise_error err = VISE_ERROR_INIT;
  buffer b = make_npy(1, "<f8", "False", "(12500000, 100)", NULL, 0);
  const char *path = write_bytes("large.npy", b.bytes, b.n);
  cr_assert_eq(truncate(path, (off_t)b.n + (off_t)10000000000), 0);
  EXPECT_ERROR(load(path, (size_t)1 << 30, &err), &err, VISE_ERR_MEMORY,
               "12500000 x 100 values (f64) would take 9.31 GiB of memory, over the 1 GiB allowed; `max_bytes` 10G");
  release_buffer(&b);

  /* Half floats become f32, and both are there for a while. */
  static const uint16_t halves[600];
  b = make_npy(1, "<f2", "False", "(300, 2)", halves, sizeof halves);
  path = write_bytes("half.npy", b.bytes, b.n);
  EXPECT_OK(load(path, 3600, &err), err);
  EXPECT_ERROR(load(path, 3599, &err), &err, VISE_ERR_MEMORY, "300 x 2 values (f2) would take 3.52 KiB");
  release_buffer(&b);

  uint8_t idx[16 + 4000] = {0, 0, 8, 3, 0, 0, 0, 10, 0, 0, 0, 20, 0, 0, 0, 20};
  const char *gz = rig_in("x-ubyte.gz");
  gzFile file = gzopen(gz, "wb");
  cr_assert(file != NULL && gzwrite(file, idx, sizeof idx) == (int)sizeof idx && gzclose(file) == Z_OK);
  EXPECT_OK(load(gz, 5000, &err), err);
  EXPECT_ERROR(load(gz, 4000, &err), &err, VISE_ERR_MEMORY, "10 x 400 values (u8)");
}
