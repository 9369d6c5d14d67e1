/* Files of other programs with BatchNorm1d, activation and Dropout modules. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "host/model/safetensors.h"
#include "tests/unit/model/rig.h"

TestSuite(foreign, .init = rig_make_folder, .fini = rig_remove_folder);

/* Tensors as another program would write them; values count up from 0 over the whole file. */
typedef struct writing {
  vise_i_st_tensor tensors[16];
  size_t n, at;
  float values[128];
} writing;

static int64_t counted = 42;

static void put(writing *w, const char *name, size_t n_rows, size_t n_cols) {
  const size_t n = n_rows * (n_cols ? n_cols : 1);
  for (size_t i = 0; i < n; i++) w->values[w->at + i] = (float)(w->at + i);
  w->tensors[w->n++] = (vise_i_st_tensor){.name = name,
                                          .dtype = VISE_I_ST_F32,
                                          .n_dims = n_cols ? 2 : 1,
                                          .dims = {n_rows, n_cols},
                                          .data = w->values + w->at};
  w->at += n;
}

static void put_norm(writing *w, const char *const names[4], size_t n) {
  for (size_t i = 0; i < 4; i++) put(w, names[i], n, 0);
}

static vise_status read_back(const writing *w, vise_model **out, vise_error *err) {
  const char *path = rig_in("foreign.safetensors");
  EXPECT_OK(vise_i_st_write(path, &(vise_i_st_content){w->tensors, w->n, NULL, 0}, NULL, err), *err);
  return vise_model_load(path, out, err);
}

static void expect_refused(const writing *w, vise_status code, const char *says) {
  vise_model *model = NULL;
  vise_error err = VISE_ERROR_INIT;
  EXPECT_ERROR(read_back(w, &model, &err), &err, code, says);
  cr_expect_not_null(strstr(err.text, "foreign.safetensors"), "%s", err.text);
  cr_expect_null(model);
}

static void expect_list(const vise_model *model, const vise_layer_kind *kinds, size_t n) {
  cr_assert_eq(vise_model_n_listed(model), n);
  for (size_t i = 0; i < n; i++) {
    vise_layer layer;
    vise_model_layer(model, i, &layer);
    cr_expect_eq(layer.kind, kinds[i], "layer %zu is %s", i, vise_layer_kind_name(layer.kind));
    if (layer.kind == VISE_LAYER_DROPOUT) cr_expect(layer.dropout == 0);
  }
}

static const char *const norm_names[4] = {"2.weight", "2.bias", "2.running_mean", "2.running_var"};

/* Dropout, Linear, BatchNorm1d, ReLU, Dropout, Linear. */
static void make_everything(writing *w, bool with_bias) {
  *w = (writing){.n = 0};
  put(w, "1.weight", 3, 2);
  if (with_bias) put(w, "1.bias", 3, 0);
  put_norm(w, norm_names, 3);
  w->tensors[w->n++] = (vise_i_st_tensor){.name = "2.num_batches_tracked", .dtype = VISE_I_ST_I64, .data = &counted};
  put(w, "5.weight", 2, 3);
  put(w, "5.bias", 2, 0);
}

Test(foreign, modules_are_known_by_their_names_and_places) {
  static const vise_layer_kind kinds[] = {VISE_LAYER_DROPOUT,    VISE_LAYER_LINEAR,  VISE_LAYER_BATCH_NORM,
                                          VISE_LAYER_ACTIVATION, VISE_LAYER_DROPOUT, VISE_LAYER_LINEAR};
  writing w;
  vise_error err = VISE_ERROR_INIT;
  vise_model *model = NULL, *again = NULL;
  make_everything(&w, false);
  EXPECT_OK(read_back(&w, &model, &err), err);
  expect_list(model, kinds, 6);
  cr_expect_eq(vise_model_activation(model), VISE_RELU);
  cr_expect_eq(*vise_i_model_n_batches(model), 42);

  /* Its names survive, so that the program that wrote it can read it again. */
  EXPECT_OK(vise_model_save(model, rig_in("again.safetensors"), &err), err);
  EXPECT_OK(vise_model_load(rig_in("again.safetensors"), &again, &err), err);
  rig_assert_same(model, again, false);
  cr_expect_str_eq(vise_model_tensor_name(again, 3), "5.weight");
  vise_model_free(again);
  vise_model_free(model);
}

Test(foreign, a_dropout_without_batch_norm_is_a_gap) {
  static const vise_layer_kind kinds[] = {VISE_LAYER_LINEAR, VISE_LAYER_ACTIVATION, VISE_LAYER_DROPOUT,
                                          VISE_LAYER_LINEAR, VISE_LAYER_LINEAR};
  writing w = {.n = 0};
  vise_error err = VISE_ERROR_INIT;
  vise_model *model = NULL, *again = NULL;
  put(&w, "0.weight", 3, 2);
  put(&w, "3.weight", 4, 3);
  put(&w, "3.bias", 4, 0);
  put(&w, "4.weight", 1, 4);
  EXPECT_OK(read_back(&w, &model, &err), err);
  expect_list(model, kinds, 5);

  EXPECT_OK(vise_model_save(model, rig_in("again.safetensors"), &err), err);
  EXPECT_OK(vise_model_load(rig_in("again.safetensors"), &again, &err), err);
  rig_assert_same(model, again, false);
  vise_model_free(again);
  vise_model_free(model);
}

/* The mean of z + b is that of z plus b: outputs stay the same without the bias. */
Test(foreign, a_bias_before_batch_norm_goes_into_the_running_mean) {
  writing w;
  vise_error err = VISE_ERROR_INIT;
  vise_model *model = NULL;
  double mean[3];
  make_everything(&w, true);
  EXPECT_OK(read_back(&w, &model, &err), err);
  cr_assert_eq(vise_model_n_tensors(model), 7);
  EXPECT_OK(vise_model_get_tensor(model, 5, mean, 3, &err), err);
  cr_assert_str_eq(vise_model_tensor_name(model, 5), "2.running_mean");
  for (size_t i = 0; i < 3; i++) cr_expect(mean[i] == 15.0 + (double)i - (6.0 + (double)i), "%g", mean[i]);
  vise_model_free(model);

  w.tensors[1].dims[0] = 2;
  expect_refused(&w, VISE_ERR_SHAPE, "'1.bias' has another shape than the net needs, [3]");
}

Test(foreign, what_is_no_such_net_is_refused) {
  writing w;
  make_everything(&w, false);
  w.tensors[0].dims[0] = 2, w.tensors[0].dims[1] = 3;
  expect_refused(&w, VISE_ERR_SHAPE, "'5.weight' is [2, 3], expected [*, 2]");

  make_everything(&w, false);
  w.tensors[3].name = "2.mean";
  expect_refused(&w, VISE_ERR_SHAPE, "'2.weight' has 1 dimensions, expected 2: [outputs, inputs] of a Linear");

  make_everything(&w, false);
  w.n -= 2;
  expect_refused(&w, VISE_ERR_SHAPE, "it ends with batch-norm; expected a linear layer");

  make_everything(&w, false);
  w.tensors[6].name = "6.weight", w.tensors[7].name = "6.bias";
  expect_refused(&w, VISE_ERR_SHAPE, "modules 3 to 5 have no tensors; expected an activation and a dropout at most");

  make_everything(&w, false);
  w.tensors[1].name = "2.gain";
  expect_refused(&w, VISE_ERR_SHAPE, "'2.gain' has no place");

  w = (writing){.n = 0};
  put(&w, "0.weight", 3, 2);
  put_norm(&w, norm_names, 3);
  put(&w, "3.weight", 1, 3);
  expect_refused(&w, VISE_ERR_SHAPE, "layer 2, batch-norm, is out of place: expected after a linear layer");
}
