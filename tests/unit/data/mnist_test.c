/* The real MNIST files. */
#include "data_support.h"
#include "host/base/file.h"

#define MNIST VISE_SOURCE_DIR "/bench/data/mnist/"

static void check(const char *images, const char *labels, size_t n_rows, uint64_t pixel_sum, uint64_t label_sum) {
  vise_dataset_source s;
  vise_error err = VISE_ERROR_INIT;
  vise_dataset *ds;
  vise_dataset_source_init(&s);
  s.features_path = images;
  s.labels_path = labels;
  const double start = vise_i_now();
  EXPECT_OK(vise_dataset_load(&s, &ds, &err), err);
  cr_log_info("%s: %.3f s", images, vise_i_now() - start);

  cr_assert_eq(vise_dataset_n_rows(ds), n_rows);
  cr_assert_eq(vise_dataset_n_features(ds), 784);
  cr_assert(vise_dataset_feature_dtype(ds) == VISE_U8 && vise_dataset_target_dtype(ds) == VISE_U8);
  cr_assert(vise_dataset_is_idx(ds) && vise_dataset_n_classes(ds) == 10);
  cr_assert_eq(vise_dataset_n_bytes(ds), n_rows * 785);

  const uint8_t *pixels = vise_i_dataset_features(ds)->data, *digits = vise_i_dataset_targets(ds)->data;
  uint64_t sum = 0;
  for (size_t k = 0; k < n_rows * 784; k++) sum += pixels[k];
  cr_assert_eq(sum, pixel_sum, "sum of the pixels is %lu", (unsigned long)sum);
  sum = 0;
  for (size_t k = 0; k < n_rows; k++) sum += digits[k];
  cr_assert_eq(sum, label_sum, "sum of the labels is %lu", (unsigned long)sum);
  EXPECT_OK(vise_i_dataset_check_labels(ds, 10, &err), err);

  double mean = 0, shift[784], scale[784];
  vise_i_dataset_fit_features(ds, shift, scale);
  for (size_t c = 0; c < 784; c++) mean += shift[c] / 784;
  EXPECT_NEAR(mean, (double)pixel_sum / (double)(n_rows * 784), 1e-9);
  vise_dataset_free(ds);
}

Test(mnist, train_files_hold_what_is_published) {
  check(MNIST "train-images-idx3-ubyte.gz", MNIST "train-labels-idx1-ubyte.gz", 60000, 1567298545, 267236);
}

Test(mnist, test_files_hold_what_is_published) {
  check(MNIST "t10k-images-idx3-ubyte.gz", MNIST "t10k-labels-idx1-ubyte.gz", 10000, 264923200, 44434);
}
