#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "tests/unit/model/rig.h"

static const size_t widths[] = {5, 7, 3, 0};

Test(model, answers_what_it_was_made_with) {
  vise_model *model = rig_model(widths, true, VISE_F32);
  size_t rows = 0, cols = 0;

  cr_assert_eq(vise_model_n_layers(model), 2);
  cr_assert_eq(vise_model_width(model, 0), 5);
  cr_assert_eq(vise_model_width(model, 2), 3);
  cr_assert_eq(vise_model_width(model, 3), 0);
  cr_assert_eq(vise_model_n_parameters(model), 35 + 7 + 21 + 3);
  cr_assert_eq(vise_model_n_tensors(model), 4);

  cr_assert_str_eq(vise_model_tensor_name(model, 2), "2.weight");
  cr_assert_str_eq(vise_model_tensor_name(model, 3), "2.bias");
  cr_assert_null(vise_model_tensor_name(model, 4));

  cr_assert_eq(vise_model_tensor_shape(model, 2, &rows, &cols, NULL), VISE_OK);
  cr_assert(rows == 3 && cols == 7);
  cr_assert_eq(vise_model_tensor_shape(model, 4, &rows, NULL, NULL), VISE_ERR_SHAPE);
  cr_assert_eq(vise_model_loss(model), VISE_LOSS_CROSS_ENTROPY);
  vise_model_free(model);
  vise_model_free(NULL);
}

Test(model, bad_descriptions_are_refused) {
  vise_net_config config;
  vise_model *model = NULL;
  vise_net_config_init(&config);
  cr_assert_eq(vise_model_create(&config, VISE_F32, &model, NULL), VISE_ERR_SHAPE);
  config.n_layers = 1;
  config.widths[0] = config.widths[1] = 3;
  cr_assert_eq(vise_model_create(&config, VISE_I32, &model, NULL), VISE_ERR_USAGE);
  config.widths[1] = VISE_MAX_WIDTH + 1;
  cr_assert_eq(vise_model_create(&config, VISE_F32, &model, NULL), VISE_ERR_SHAPE);
  cr_assert_null(model);
}

Test(model, tensors_go_in_and_out) {
  vise_model *model = rig_model(widths, true, VISE_F32);
  double in[35], out[35], huge[35] = {0};
  for (int i = 0; i < 35; ++i) in[i] = 0.1 * i;

  cr_assert_eq(vise_model_set_tensor(model, 0, in, 35, NULL), VISE_OK);
  cr_assert_eq(vise_model_get_tensor(model, 0, out, 35, NULL), VISE_OK);
  for (int i = 0; i < 35; ++i) cr_assert(out[i] == (double)(float)in[i]);

  vise_error err = VISE_ERROR_INIT;
  EXPECT_ERROR(vise_model_set_tensor(model, 0, in, 34, &err), &err, VISE_ERR_SHAPE, "7 x 5");
  cr_assert_eq(vise_model_get_tensor(model, 9, out, 35, NULL), VISE_ERR_SHAPE);

  huge[34] = 1e300;
  cr_assert_eq(vise_model_set_tensor(model, 0, huge, 35, NULL), VISE_ERR_VALUE);
  cr_assert_eq(vise_model_get_tensor(model, 0, out, 35, NULL), VISE_OK);
  cr_assert(out[1] == (double)0.1f); /* none of it was written */
  vise_model_free(model);
}

Test(model, a_clone_is_its_own_and_changes_type_exactly) {
  vise_model *model = rig_full_model(VISE_F32), *wide = NULL, *back = NULL;
  cr_assert_eq(vise_model_clone(model, VISE_F64, &wide, NULL), VISE_OK);
  cr_assert_eq(vise_model_clone(wide, VISE_F32, &back, NULL), VISE_OK);
  rig_assert_same(model, back, true);

  ((float *)vise_i_model_params(back))[0] += 1;
  cr_assert(((const float *)vise_i_model_const_params(model))[0] !=
            ((const float *)vise_i_model_const_params(back))[0]);

  ((double *)vise_i_model_params(wide))[1] = 1e300;
  vise_model_free(back);
  back = NULL;
  vise_error err = VISE_ERROR_INIT;
  cr_assert_eq(vise_model_clone(wide, VISE_F32, &back, &err), VISE_ERR_VALUE);
  cr_assert_null(back);
  vise_model_free(wide);
  vise_model_free(model);
}

Test(model, scaling_is_kept_checked_and_cleared) {
  vise_model *model = rig_model(widths, true, VISE_F32);
  double shift[5] = {1, 2, 3, 4, 5}, scale[5] = {1, 2, 3, 4, 5}, got_shift[5], got_scale[5];

  cr_assert_eq(vise_model_feature_scaling(model, got_shift, got_scale), VISE_SCALE_NONE);
  cr_assert(got_shift[4] == 0 && got_scale[4] == 1);
  cr_assert_eq(vise_model_set_feature_scaling(model, VISE_SCALE_UNIT, NULL, NULL, NULL), VISE_OK);
  cr_assert_eq(vise_model_feature_scaling(model, got_shift, got_scale), VISE_SCALE_UNIT);
  cr_assert(got_shift[4] == 0 && got_scale[4] == 255);

  cr_assert_eq(vise_model_set_feature_scaling(model, VISE_SCALE_STANDARD, shift, scale, NULL), VISE_OK);
  vise_error err = VISE_ERROR_INIT;
  scale[3] = 0;
  EXPECT_ERROR(vise_model_set_feature_scaling(model, VISE_SCALE_STANDARD, shift, scale, &err), &err, VISE_ERR_VALUE,
               "column 3");
  scale[3] = 1;
  shift[2] = NAN;
  cr_assert_eq(vise_model_set_feature_scaling(model, VISE_SCALE_STANDARD, shift, scale, NULL), VISE_ERR_VALUE);
  cr_assert_eq(vise_model_set_feature_scaling(model, VISE_SCALE_STANDARD, NULL, scale, NULL), VISE_ERR_USAGE);
  cr_assert_eq(vise_model_set_feature_scaling(model, VISE_SCALE_AUTO, shift, scale, NULL), VISE_ERR_USAGE);

  cr_assert_eq(vise_model_feature_scaling(model, got_shift, got_scale), VISE_SCALE_STANDARD);
  cr_assert(got_shift[2] == 3 && got_scale[3] == 4);
  cr_assert_eq(vise_model_target_scaling(model, NULL, NULL), VISE_SCALE_NONE);

  cr_assert_eq(vise_model_set_feature_scaling(model, VISE_SCALE_NONE, NULL, NULL, NULL), VISE_OK);
  cr_assert_eq(vise_model_feature_scaling(model, NULL, got_scale), VISE_SCALE_NONE);
  cr_assert(got_scale[3] == 1);
  vise_model_free(model);
}

Test(model, a_mask_zeroes_weights_and_spares_biases) {
  vise_model *model = rig_model(widths, true, VISE_F64);
  uint8_t mask[66];
  memset(mask, 1, sizeof mask);
  mask[4] = 0;

  cr_assert_eq(vise_model_set_mask(model, mask, 65, NULL), VISE_ERR_SHAPE);
  cr_assert_eq(vise_model_set_mask(model, mask, 66, NULL), VISE_OK);
  cr_assert(((const double *)vise_i_model_const_params(model))[4] == 0);

  mask[36] = 0; /* a bias */
  cr_assert_eq(vise_model_set_mask(model, mask, 66, NULL), VISE_ERR_VALUE);
  mask[36] = 1;
  mask[5] = 2;
  cr_assert_eq(vise_model_set_mask(model, mask, 66, NULL), VISE_ERR_VALUE);

  cr_assert_eq(vise_model_mask(model)[4], 0);
  cr_assert_eq(vise_model_mask(model)[5], 1);
  cr_assert_eq(vise_model_set_mask(model, NULL, 0, NULL), VISE_OK);
  cr_assert_null(vise_model_mask(model));
  vise_model_free(model);
}
