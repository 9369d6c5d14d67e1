/* Signs of weights: what is set is held, saved and loaded, and makes a net monotone. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "host/model/safetensors.h"
#include "tests/unit/model/rig.h"

#define N_OF(a) (sizeof(a) / sizeof *(a))

static const size_t widths[] = {3, 4, 2, 0};

/* A folder of its own. */
static void enter(void) {
  char folder[] = "/tmp/vise-signs-XXXXXX";
  cr_assert(mkdtemp(folder) != NULL && chdir(folder) == 0);
}

Test(signs, weights_on_the_wrong_side_become_0) {
  vise_model *model = rig_model(widths, true, VISE_F32), *copy = NULL;
  const size_t n = vise_model_n_parameters(model);
  int8_t *signs = calloc(n, 1);
  vise_error err = VISE_ERROR_INIT;
  for (size_t i = 0; i < n; i++) signs[i] = (int8_t)(i % 3) - 1;
  EXPECT_OK(vise_model_set_signs(model, signs, n, &err), err);
  EXPECT_OK(vise_model_initialize(model, VISE_INIT_LINEAR, 3, &err), err);

  size_t n_zero = 0;
  const float *w = vise_i_model_const_params(model);
  for (size_t i = 0; i < n; i++) {
    cr_expect(w[i] * (float)signs[i] >= 0, "%zu", i);
    n_zero += w[i] == 0;
  }
  cr_expect(n_zero > 0 && n_zero < n);

  EXPECT_OK(vise_model_clone(model, VISE_F64, &copy, &err), err);
  cr_expect(memcmp(vise_model_signs(copy), signs, n) == 0);
  EXPECT_OK(vise_model_set_signs(copy, NULL, 0, &err), err);
  cr_expect_null(vise_model_signs(copy));

  signs[1] = 2;
  EXPECT_ERROR(vise_model_set_signs(model, signs, n, &err), &err, VISE_ERR_VALUE, "element 1 is 2");
  EXPECT_ERROR(vise_model_set_signs(model, signs, 3, &err), &err, VISE_ERR_SHAPE, "3 elements");
  free(signs);
  vise_model_free(model);
  vise_model_free(copy);
}

Test(signs, files_hold_them) {
  vise_model *model = rig_model(widths, true, VISE_F32), *other = rig_model(widths, true, VISE_F64);
  const size_t n = vise_model_n_parameters(model);
  int8_t *signs = calloc(n, 1);
  vise_error err = VISE_ERROR_INIT;
  enter();
  EXPECT_ERROR(vise_model_save_signs(model, "none.safetensors", &err), &err, VISE_ERR_STATE, "no signs");

  for (size_t i = 0; i < n; i++) signs[i] = (int8_t)(i % 3) - 1;
  EXPECT_OK(vise_model_set_signs(model, signs, n, &err), err);
  EXPECT_OK(vise_model_save_signs(model, "signs.safetensors", &err), err);
  EXPECT_OK(vise_model_load_signs(other, "signs.safetensors", &err), err);
  cr_expect(memcmp(vise_model_signs(other), signs, n) == 0);
  free(signs);
  vise_model_free(model);
  vise_model_free(other);
}

typedef struct file_case {
  const char *name;
  vise_i_st_dtype dtype;
  size_t n_dims, dims[2];
  const void *data;
  const char *says; /* NULL: it is taken */
} file_case;

Test(signs, files_of_other_programs) {
  static const float good[12] = {1, -1, 0}, half[12] = {0.5f};
  static const double doubles[12] = {-1};
  static const int64_t whole[12] = {0, 0, 1}, two[12] = {2};
  static const uint8_t bytes[12] = {1};
  static const file_case cases[] = {
      {"0.weight", VISE_I_ST_F32, 2, {4, 3}, good, NULL},
      {"0.weight", VISE_I_ST_F64, 2, {4, 3}, doubles, NULL},
      {"0.weight", VISE_I_ST_I64, 2, {4, 3}, whole, NULL},
      {"0.bias", VISE_I_ST_F32, 1, {4, 0}, good, NULL},
      {"0.weight", VISE_I_ST_F32, 2, {4, 3}, half, "element 0: expected -1, 0 or 1"},
      {"0.weight", VISE_I_ST_I64, 2, {4, 3}, two, "element 0: expected -1, 0 or 1"},
      {"0.weight", VISE_I_ST_U8, 2, {4, 3}, bytes, "(U8), element 0: expected -1, 0 or 1"},
      {"0.weight", VISE_I_ST_F32, 2, {3, 4}, good, "does not have the net's shape, 4 x 3"},
      {"9.weight", VISE_I_ST_F32, 2, {4, 3}, good, "the net has no tensor '9.weight'; its first is '0.weight'"},
  };
  enter();

  for (size_t i = 0; i < N_OF(cases); i++) {
    const file_case *c = &cases[i];
    vise_model *model = rig_model(widths, true, VISE_F32);
    vise_error err = VISE_ERROR_INIT;
    const vise_i_st_tensor tensor = {c->name, c->dtype, c->n_dims, {c->dims[0], c->dims[1]}, c->data};
    const vise_i_st_content content = {&tensor, 1, NULL, 0};
    cr_assert_eq(vise_i_st_write("given.safetensors", &content, NULL, NULL), VISE_OK);

    const vise_status status = vise_model_load_signs(model, "given.safetensors", &err);
    cr_expect((status == VISE_OK) == (c->says == NULL), "case %zu: %s", i, err.text);
    if (c->says != NULL) cr_expect(strstr(err.text, c->says) != NULL, "case %zu: %s", i, err.text);
    cr_expect((vise_model_signs(model) == NULL) == (c->says != NULL), "case %zu", i);
    vise_model_free(model);
  }
}

Test(signs, monotone_nets) {
  static const int8_t directions[] = {1, -1, 0}, wrong[] = {1, 3, 0};
  vise_net_config config;
  vise_model *model = NULL;
  vise_error err = VISE_ERROR_INIT;
  vise_net_config_init(&config);
  config.n_layers = 3;
  config.widths[0] = 3;
  config.widths[1] = config.widths[2] = 3;
  config.widths[3] = 1;
  config.batch_norm = true;
  EXPECT_OK(vise_model_create(&config, VISE_F32, &model, &err), err);
  EXPECT_OK(vise_model_set_monotone(model, directions, 3, &err), err);

  const vise_i_net *net = vise_i_model_net(model);
  const int8_t *signs = vise_model_signs(model);
  for (size_t t = 0; t < net->n_tensors; t++) {
    for (size_t i = 0; i < vise_i_tensor_n(&net->tensors[t]); i++) {
      const bool is_free = net->tensors[t].role == VISE_I_BIAS || net->tensors[t].role == VISE_I_SHIFT;
      const int8_t expected = is_free ? 0 : t == 0 ? directions[i % 3] : 1;
      cr_expect_eq(signs[net->tensors[t].offset + i], expected, "%s[%zu]", net->tensors[t].name, i);
    }
  }

  EXPECT_ERROR(vise_model_set_monotone(model, directions, 2, &err), &err, VISE_ERR_SHAPE, "2 directions");
  EXPECT_ERROR(vise_model_set_monotone(model, wrong, 3, &err), &err, VISE_ERR_VALUE, "direction 1 is 3");
  vise_model_free(model);

  config.batch_norm = false;
  config.residual = true;
  EXPECT_OK(vise_model_create(&config, VISE_F32, &model, &err), err);
  EXPECT_ERROR(vise_model_set_monotone(model, directions, 3, &err), &err, VISE_ERR_USAGE, "feature 1 cannot fall");
  vise_model_free(model);

  config.residual = false;
  config.activation = VISE_SILU;
  EXPECT_OK(vise_model_create(&config, VISE_F32, &model, &err), err);
  EXPECT_ERROR(vise_model_set_monotone(model, directions, 3, &err), &err, VISE_ERR_USAGE, "not with `activation` silu");
  cr_expect_null(vise_model_signs(model));
  vise_model_free(model);
}
