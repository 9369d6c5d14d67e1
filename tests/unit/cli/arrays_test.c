/* NPY and NPZ files as NumPy saves them, through train and eval. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "tool.h"

enum { N_ROWS = 60 };

/* An NPY file of n values of `size` bytes each, those of data. */
static void write_npy(const char *path, const char *descr, const char *shape, const void *data, size_t n_bytes) {
  char header[128];
  FILE *file = fopen(path, "wb");
  cr_assert(file != NULL);
  const int n = snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': %s, }", descr, shape);
  const uint8_t preamble[10] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (uint8_t)n, 0};
  cr_assert(fwrite(preamble, 1, 10, file) == 10 && fwrite(header, 1, (size_t)n, file) == (size_t)n);
  cr_assert(fwrite(data, 1, n_bytes, file) == n_bytes);
  cr_assert_eq(fclose(file), 0);
}

/* One set of 60 rows of 3 small whole numbers, and labels: whether the first is over 4. */
static void enter(void) {
  int8_t x[N_ROWS * 3];
  int16_t y[N_ROWS];
  uint8_t one_hot[N_ROWS * 2] = {0};

  tool_enter();
  for (int i = 0; i < N_ROWS; i++) {
    for (int c = 0; c < 3; c++) x[3 * i + c] = (int8_t)((7 * i + 3 * c * i + c) % 9);
    y[i] = x[3 * i] > 4;
    one_hot[2 * i + y[i]] = 1;
  }
  write_npy("x.npy", "|i1", "(60, 3)", x, sizeof x);
  write_npy("y.npy", "<i2", "(60,)", y, sizeof y);
  write_npy("one_hot.npy", "|b1", "(60, 2)", one_hot, sizeof one_hot);
  write_npy("text.npy", "<U1", "(60,)", one_hot, sizeof one_hot);
  write_npy("objects.npy", "|O", "(60,)", one_hot, sizeof one_hot);
}

TestSuite(cli_arrays, .init = enter, .fini = tool_leave);

#define TRAIN "train --train x.npy --epochs 30 --lr 0.1 "

Test(cli_arrays, one_hot_labels_are_classes) {
  tool_expect_ok(TRAIN "--train-labels y.npy --out a");
  tool_result result = tool_run(TRAIN "--train-labels one_hot.npy --val x.npy --val-labels one_hot.npy --out b");
  cr_assert_eq(result.code, 0, "%s", result.err);
  SAYS(result.out, "3 features (i32), 2 classes (one-hot targets)");
  tool_free(&result);
  cr_assert(tool_same_bytes("a/model.safetensors", "b/model.safetensors"));

  tool_result first = tool_run("eval --model a --data x.npy --labels y.npy");
  tool_result second = tool_run("eval --model a --data x.npy --labels one_hot.npy");
  cr_assert(first.code == 0 && second.code == 0, "%s", second.err);
  SAYS(second.out, "confusion matrix");
  cr_assert_str_eq(first.out, second.out);
  tool_free(&first);
  tool_free(&second);

  /* Another loss takes the columns as they are. */
  result = tool_run(TRAIN "--train-labels one_hot.npy --loss bce");
  SAYS(result.out, "2 target columns");
  tool_free(&result);
}

Test(cli_arrays, one_hot_labels_go_with_a_table) {
  char text[N_ROWS * 8] = "a,b\n";
  for (int i = 0; i < N_ROWS; i++) sprintf(text + strlen(text), "%d,%d\n", (7 * i) % 9, i);
  tool_write_text("x.csv", text);
  tool_result result = tool_run("train --train x.csv --train-labels one_hot.npy --steps 20 --layers auto-auto");
  cr_assert_eq(result.code, 0, "%s", result.err);
  SAYS(result.out, "targets are one-hot: read as 2 classes");
  tool_free(&result);
}

Test(cli_arrays, features_alone_are_refused_with_the_option_that_is_missing) {
  tool_expect_refused(TRAIN, "x.npy: holds features without targets; --train-labels takes the file of those");
  tool_expect_refused(TRAIN "--loss mse", "--train-labels takes");
  tool_expect_refused(TRAIN "--train-labels y.npy --val x.npy", "--val-labels takes");
  tool_expect_refused(TRAIN "--train-labels y.npy --test x.npy", "--test-labels takes");
  tool_expect_ok(TRAIN "--train-labels y.npy --out run");
  tool_result result = tool_run("eval --model run --data x.npy");
  cr_assert_eq(result.code, 2);
  SAYS(result.err, "x.npy: holds features without targets; --labels takes");
  tool_free(&result);
}

Test(cli_arrays, what_is_no_number_is_refused_with_the_dtype_that_would_be_right) {
  tool_expect_refused("train --train text.npy --train-labels y.npy",
                      "text.npy: dtype '<U1' is text; save numbers as "
                      "array.astype('f4'), and names of classes");
  tool_expect_refused(TRAIN "--train-labels objects.npy",
                      "objects.npy: dtype '|O' holds Python objects; save "
                      "array.astype('f4'), or labels as array.astype('i8')");
}

/* Inputs are within float32, what the scaling makes of them is not. */
Test(cli_arrays, outputs_that_are_not_finite_are_told) {
  double x[60];
  int8_t y[60];
  for (int i = 0; i < 60; i++) {
    x[i] = 1e-4 * (i % 7);
    y[i] = i % 7 > 3;
  }
  write_npy("x.npy", "<f8", "(60, 1)", x, sizeof x);
  write_npy("y.npy", "|i1", "(60,)", y, sizeof y);
  x[4] = 3e38;
  write_npy("far.npy", "<f8", "(60, 1)", x, sizeof x);
  tool_expect_ok("train --train x.npy --train-labels y.npy --scale standard --epochs 3 --quiet --out run");

  tool_result result = tool_run("predict --model run --data far.npy --out p.csv");
  cr_assert_eq(result.code, 0, "%s", result.err);
  SAYS(result.err, "warning: far.npy: 1 row with outputs that are not finite, the first of them row 4 (from 0)\n");
  tool_free(&result);
  result = tool_run("eval --model run --data far.npy --labels y.npy");
  SAYS(result.err, "warning: far.npy: the loss is not finite");
  SAYS(result.out, "loss nan ");
  tool_free(&result);

  result = tool_run("predict --model run --data x.npy --out p.csv");
  cr_assert(strstr(result.err, "warning") == NULL, "%s", result.err);
  tool_free(&result);
}
