#include "tests/unit/model/rig.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "host/base/file.h"

vise_model *rig_model(const size_t *widths, bool bias, vise_dtype dtype) {
  vise_net_config config;
  vise_error err = VISE_ERROR_INIT;
  vise_model *model = NULL;
  vise_net_config_init(&config);

  for (size_t i = 0; widths[i]; ++i) {
    config.widths[i] = widths[i];
    config.n_layers = i;
  }
  config.bias = bias;
  config.activation = VISE_TANH;

  EXPECT_OK(vise_model_create(&config, dtype, &model, &err), err);
  EXPECT_OK(vise_model_initialize(model, VISE_INIT_LINEAR, 7, &err), err);
  return model;
}

vise_model *rig_full_model(vise_dtype dtype) {
  static const size_t widths[] = {5, 7, 3, 0};
  vise_error err = VISE_ERROR_INIT;
  vise_model *model = rig_model(widths, true, dtype);
  double shift[5], scale[5], target_shift[3] = {-1e-300, 1.0 / 3, 12345.678}, target_scale[3] = {1e300, 5e-324, 0.1};

  for (size_t i = 0; i < 5; ++i) {
    shift[i] = 0.1 * (double)i - 1.0 / 7;
    scale[i] = 1 / (1.0 + (double)i);
  }

  vise_model_set_loss(model, VISE_LOSS_HUBER, VISE_MSE_MEAN, 0.1);
  cr_assert_eq(vise_model_set_feature_scaling(model, VISE_SCALE_STANDARD, shift, scale, &err), VISE_OK);
  cr_assert_eq(vise_model_set_target_scaling(model, VISE_SCALE_STANDARD, target_shift, target_scale, &err), VISE_OK);

  vise_weight_op op;
  vise_weight_op_init(&op);
  op.kind = VISE_PRUNE;
  op.fraction = 0.3;
  cr_assert_eq(vise_model_apply_weight_op(model, &op, NULL, &err), VISE_OK);
  return model;
}

void rig_assert_same(const vise_model *a, const vise_model *b, bool with_mask) {
  double shift[2][16], scale[2][16];
  size_t n = vise_model_n_parameters(a);

  cr_assert_eq(vise_model_dtype(a), vise_model_dtype(b));
  cr_assert_eq(vise_model_n_layers(a), vise_model_n_layers(b));
  for (size_t i = 0; i <= vise_model_n_layers(a); ++i) cr_assert_eq(vise_model_width(a, i), vise_model_width(b, i));
  cr_assert_eq(vise_model_has_bias(a), vise_model_has_bias(b));
  cr_assert_eq(vise_model_activation(a), vise_model_activation(b));
  cr_assert_eq(vise_model_loss(a), vise_model_loss(b));
  cr_assert_eq(vise_model_mse_reduction(a), vise_model_mse_reduction(b));
  cr_assert(vise_model_label_smoothing(a) == vise_model_label_smoothing(b));

  cr_assert_eq(n, vise_model_n_parameters(b));
  const size_t n_bytes = vise_i_model_net(a)->n_values * vise_dtype_size(vise_model_dtype(a));
  cr_assert_eq(memcmp(vise_i_model_const_params(a), vise_i_model_const_params(b), n_bytes), 0);
  cr_assert_eq(*vise_i_model_n_batches((vise_model *)(uintptr_t)a),
               *vise_i_model_n_batches((vise_model *)(uintptr_t)b));

  cr_assert_eq(vise_model_feature_scaling(a, shift[0], scale[0]), vise_model_feature_scaling(b, shift[1], scale[1]));
  size_t n_in = vise_model_width(a, 0), n_out = vise_model_width(a, vise_model_n_layers(a));
  cr_assert_eq(memcmp(shift[0], shift[1], n_in * sizeof(double)), 0);
  cr_assert_eq(memcmp(scale[0], scale[1], n_in * sizeof(double)), 0);
  cr_assert_eq(vise_model_target_scaling(a, shift[0], scale[0]), vise_model_target_scaling(b, shift[1], scale[1]));
  cr_assert_eq(memcmp(shift[0], shift[1], n_out * sizeof(double)), 0);
  cr_assert_eq(memcmp(scale[0], scale[1], n_out * sizeof(double)), 0);

  if (!with_mask) return;
  cr_assert_eq(!vise_model_mask(a), !vise_model_mask(b));
  if (vise_model_mask(a)) cr_assert_eq(memcmp(vise_model_mask(a), vise_model_mask(b), n), 0);
}

void rig_read(const char *path, uint8_t **bytes, size_t *n) {
  vise_error err = VISE_ERROR_INIT;
  EXPECT_OK(vise_i_read_file(path, (size_t)1 << 30, bytes, n, &err), err);
}

void rig_write(const char *path, const void *bytes, size_t n) {
  FILE *file = fopen(path, "wb");
  cr_assert_not_null(file);
  cr_assert_eq(fwrite(bytes, 1, n, file), n);
  cr_assert_eq(fclose(file), 0);
}

size_t rig_n_entries(const char *path) {
  size_t n = 0;
  DIR *dir = opendir(path);
  cr_assert_not_null(dir);
  while (readdir(dir)) ++n;
  closedir(dir);
  return n - 2;
}
