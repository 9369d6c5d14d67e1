/* vise_dataset_load: combinations of files. */
#include "data_support.h"

TestSuite(load, .init = rig_make_folder, .fini = rig_remove_folder);

static const double numbers[6] = {1, 2, 3, 4, 5, 6};

static const char *write_npy(const char *name, const char *descr, const char *shape, const void *data, size_t n) {
  buffer b = make_npy(1, descr, "False", shape, data, n);
  const char *path = write_bytes(name, b.bytes, b.n);
  release_buffer(&b);
  return path;
}

static vise_status load(const char *features, const char *labels, const char *target, const char *weights,
                        vise_dataset **out, vise_error *err) {
  vise_dataset_source s;
  vise_dataset_source_init(&s);
  s.features_path = features;
  s.labels_path = labels;
  s.target = target;
  s.row_weights_path = weights;
  *out = NULL;
  vise_error_clear(err);
  return vise_dataset_load(&s, out, err);
}

Test(load, joins_any_features_with_any_labels) {
  static const uint8_t labels[3] = {2, 0, 1};
  static const uint8_t idx_labels[] = {0, 0, 8, 1, 0, 0, 0, 3, 2, 0, 1};
  static const uint8_t idx_bytes[] = {0, 0, 8, 2, 0, 0, 0, 3, 0, 0, 0, 2, 1, 2, 3, 4, 5, 6};
  const char *x[3], *y[5];

  x[0] = write_npy("x.npy", "<f8", "(3, 2)", numbers, sizeof numbers);
  x[1] = write_text("x.csv", "a,b\n1,2\n3,4\n5,6\n");
  x[2] = write_bytes("x-ubyte", idx_bytes, sizeof idx_bytes);
  y[0] = write_npy("y.npy", "|u1", "(3,)", labels, 3);
  y[1] = write_text("y.csv", "label\n2\n0\n1\n");
  y[2] = write_bytes("y-ubyte", idx_labels, sizeof idx_labels);

  buffer b = {0};
  append(&b, idx_labels, sizeof idx_labels);
  buffer z = gzip_of(&b);
  y[3] = write_bytes("y-ubyte.gz", z.bytes, z.n);
  release_buffer(&b);
  release_buffer(&z);
  append(&b, "2\n0\n1\n", 6);
  z = gzip_of(&b);
  y[4] = write_bytes("y.csv.gz", z.bytes, z.n);
  release_buffer(&b);
  release_buffer(&z);

  for (size_t k = 0; k < 15; k++) {
    vise_error err = VISE_ERROR_INIT;
    vise_dataset *ds;
    double row[2], label;

    EXPECT_OK(load(x[k / 5], y[k % 5], NULL, NULL, &ds, &err), err);
    cr_assert(vise_dataset_n_rows(ds) == 3 && vise_dataset_n_features(ds) == 2 && vise_dataset_n_targets(ds) == 1);
    cr_assert_eq(vise_dataset_n_classes(ds), 3);
    cr_assert_eq(vise_dataset_is_idx(ds), k / 5 == 2);
    cr_assert_str_eq(vise_dataset_name(ds), x[k / 5]);
    cr_assert_eq(vise_dataset_feature_dtype(ds), k / 5 == 2 ? VISE_U8 : VISE_F64);
    cr_assert_eq(vise_dataset_target_dtype(ds), k % 5 == 1 || k % 5 == 4 ? VISE_I64 : VISE_U8);

    for (size_t r = 0; r < 3; r++) {
      EXPECT_OK(vise_dataset_get_features(ds, r, row, &err), err);
      EXPECT_OK(vise_dataset_get_targets(ds, r, &label, &err), err);
      cr_assert(row[0] == (double)(2 * r + 1) && row[1] == (double)(2 * r + 2) && label == labels[r]);
    }
    vise_dataset_free(ds);
  }
}

Test(load, reads_row_weights) {
  vise_error err = VISE_ERROR_INIT;
  vise_dataset *ds;

  const char *x = write_text("x.csv", "1,2\n3,4\n5,6\n");
  const char *w = write_text("w.csv", "0.5\n0\n2\n");
  EXPECT_OK(load(x, NULL, NULL, w, &ds, &err), err);
  EXPECT_NEAR(vise_i_dataset_row_weights(ds)[0], 0.5, 0);
  EXPECT_NEAR(vise_i_dataset_row_weights(ds)[2], 2, 0);
  vise_dataset_free(ds);

  w = write_text("w.csv", "1\n2\n1\n");
  EXPECT_OK(load(x, NULL, NULL, w, &ds, &err), err);
  EXPECT_NEAR(vise_i_dataset_row_weights(ds)[1], 2, 0);
  vise_dataset_free(ds);

  w = write_text("w.csv", "1\n2\n");
  EXPECT_ERROR(load(x, NULL, NULL, w, &ds, &err), &err, VISE_ERR_SHAPE, "w.csv: row weights are 2 x 1, expected 3 x 1");
  w = write_text("w.csv", "1\n-2\n1\n");
  EXPECT_ERROR(load(x, NULL, NULL, w, &ds, &err), &err, VISE_ERR_VALUE, "w.csv: row 1 (from 0): weight -2");
}

Test(load, refuses_what_does_not_fit) {
  vise_error err = VISE_ERROR_INIT;
  vise_dataset *ds;
  const char *x = write_text("x.csv", "1,2\n3,4\n5,6\n");
  const char *n = write_npy("x.npy", "<f8", "(3, 2)", numbers, sizeof numbers);
  const char *y = write_text("y.csv", "1\n0\n");

  EXPECT_ERROR(load(x, y, NULL, NULL, &ds, &err), &err, VISE_ERR_SHAPE, "y.csv: 2 rows of targets, but");
  cr_assert(strstr(err.text, "x.csv has 3 rows of features") != NULL, "%s", err.text);
  EXPECT_ERROR(load(x, y, "0", NULL, &ds, &err), &err, VISE_ERR_USAGE, "contradict each other");
  EXPECT_ERROR(load(n, NULL, "0", NULL, &ds, &err), &err, VISE_ERR_USAGE,
               "picks columns of a table, but this is an NPY");
  EXPECT_ERROR(load(NULL, NULL, NULL, NULL, &ds, &err), &err, VISE_ERR_USAGE, "no file of features");
  EXPECT_ERROR(load(rig_in("none"), NULL, NULL, NULL, &ds, &err), &err, VISE_ERR_IO, "No such file");
  EXPECT_ERROR(load(x, rig_in("none"), NULL, NULL, &ds, &err), &err, VISE_ERR_IO, "No such file");
  EXPECT_ERROR(load(x, NULL, NULL, rig_in("."), &ds, &err), &err, VISE_ERR_IO, "is a folder");

  vise_dataset_source empty = {0};
  vise_error_clear(&err);
  EXPECT_ERROR(vise_dataset_load(&empty, &ds, &err), &err, VISE_ERR_USAGE, "vise_dataset_source_init");
  cr_assert(ds == NULL);

  EXPECT_OK(load(n, NULL, NULL, NULL, &ds, &err), err);
  cr_assert(vise_dataset_n_targets(ds) == 0 && vise_dataset_n_features(ds) == 2);
  vise_dataset_free(ds);
  EXPECT_OK(load(n, NULL, "", NULL, &ds, &err), err);
  vise_dataset_free(ds);
}

Test(load, takes_columns_as_targets_and_names_their_lines) {
  vise_error err = VISE_ERROR_INIT;
  vise_dataset *ds;
  const char *x = write_text("d.csv", "\"first\nname\",y\n1,0\n2,1\n3,7\n");

  EXPECT_OK(load(x, NULL, "y", NULL, &ds, &err), err);
  cr_assert_eq(vise_dataset_n_classes(ds), 8);
  EXPECT_ERROR(vise_i_dataset_check_labels(ds, 3, &err), &err, VISE_ERR_VALUE, "d.csv:5: label 7; labels must be");
  vise_error_clear(&err);
  EXPECT_ERROR(vise_i_dataset_check_targets(ds, VISE_TARGETS_BITS, &err), &err, VISE_ERR_VALUE,
               "d.csv:5: target 0 is 7");
  vise_dataset_free(ds);

  EXPECT_OK(load(x, NULL, "", NULL, &ds, &err), err);
  cr_assert(vise_dataset_n_features(ds) == 2 && vise_dataset_n_targets(ds) == 0);
  vise_dataset_free(ds);
  EXPECT_OK(load(x, NULL, NULL, NULL, &ds, &err), err);
  cr_assert(vise_dataset_n_features(ds) == 1 && vise_dataset_n_targets(ds) == 1);
  vise_dataset_free(ds);

  vise_dataset_source s;
  vise_dataset_source_init(&s);
  s.features_path = x;
  s.target = "absent";
  s.target_optional = true;
  EXPECT_OK(vise_dataset_load(&s, &ds, &err), err);
  cr_assert(vise_dataset_n_features(ds) == 2 && vise_dataset_n_targets(ds) == 0);
  vise_dataset_free(ds);
}

Test(load, file_errors_name_the_path) {
  vise_error err = VISE_ERROR_INIT;
  vise_dataset *ds;

  const char *x = write_text("digits.csv", "1,2\n3\n");
  EXPECT_ERROR(load(x, NULL, NULL, NULL, &ds, &err), &err, VISE_ERR_FORMAT, "/digits.csv:2: 1 field, expected 2");
  cr_assert_eq(strncmp(err.text, x, strlen(x)), 0, "%s", err.text);

  buffer b = make_npy(1, "<f8", "False", "(3, 2)", numbers, sizeof numbers);
  x = write_bytes("short.npy", b.bytes, b.n - 1);
  EXPECT_ERROR(load(x, NULL, NULL, NULL, &ds, &err), &err, VISE_ERR_FORMAT, "/short.npy: truncated");
  append(&b, "x", 1);
  x = write_bytes("long.npy", b.bytes, b.n);
  EXPECT_ERROR(load(x, NULL, NULL, NULL, &ds, &err), &err, VISE_ERR_FORMAT, "/long.npy: has bytes behind its end");

  release_buffer(&b);
}

/* Larger than the read that fetches the header, so that the values come in two parts. */
Test(load, reads_large_npy_files_in_either_order) {
  const size_t n_rows = 5000, n_cols = 7;
  float *data = malloc(n_rows * n_cols * sizeof *data);

  for (int fortran = 0; fortran < 2; fortran++) {
    vise_error err = VISE_ERROR_INIT;
    vise_dataset *ds;
    double row[7];

    for (size_t r = 0; r < n_rows; r++) {
      for (size_t c = 0; c < n_cols; c++) data[fortran ? c * n_rows + r : r * n_cols + c] = (float)(r * 10 + c);
    }
    buffer b = make_npy(1, "<f4", fortran ? "True" : "False", "(5000, 7)", data, n_rows * n_cols * sizeof *data);

    EXPECT_OK(load(write_bytes("x.npy", b.bytes, b.n), NULL, NULL, NULL, &ds, &err), err);
    for (size_t r = 0; r < n_rows; r++) {
      EXPECT_OK(vise_dataset_get_features(ds, r, row, &err), err);
      for (size_t c = 0; c < n_cols; c++) EXPECT_NEAR(row[c], (double)(r * 10 + c), 0);
    }
    vise_dataset_free(ds);
    release_buffer(&b);
  }

  free(data);
}
