/* Models that are built layer by layer: the list, its errors, and their files. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/model/safetensors.h"
#include "tests/unit/model/rig.h"
#include "vise/options.h"

TestSuite(model_layers, .init = rig_make_folder, .fini = rig_remove_folder);

static vise_layer of(vise_layer_kind kind) {
  vise_layer layer;
  vise_layer_init(&layer);
  layer.kind = kind;
  return layer;
}

static vise_layer linear(size_t width) {
  vise_layer layer = of(VISE_LAYER_LINEAR);
  layer.width = width;
  return layer;
}

static vise_layer activation(vise_activation which) {
  vise_layer layer = of(VISE_LAYER_ACTIVATION);
  layer.activation = which;
  return layer;
}

static vise_layer dropout(double p) {
  vise_layer layer = of(VISE_LAYER_DROPOUT);
  layer.dropout = p;
  return layer;
}

static vise_layer residual(size_t span) {
  vise_layer layer = of(VISE_LAYER_RESIDUAL);
  layer.span = span;
  return layer;
}

/* 4 inputs, two unlike blocks, one of them residual, and 2 outputs. */
enum { N_LISTED = 10 };
static vise_model *everything(vise_dtype dtype) {
  const vise_layer layers[N_LISTED] = {dropout(0.1),
                                       linear(4),
                                       of(VISE_LAYER_BATCH_NORM),
                                       activation(VISE_GELU),
                                       dropout(0.5),
                                       residual(4),
                                       linear(3),
                                       activation(VISE_TANH),
                                       dropout(0),
                                       linear(2)};
  vise_error err = VISE_ERROR_INIT;
  vise_model *model = NULL;
  EXPECT_OK(vise_model_create_layers(4, layers, N_LISTED, dtype, &model, &err), err);
  EXPECT_OK(vise_model_initialize(model, VISE_INIT_LINEAR, 7, &err), err);
  return model;
}

/* Numbers of its own in the running statistics. */
static void fill_statistics(vise_model *model) {
  const double mean[] = {0.25, -1.5, 1.0 / 3, 1e-30}, variance[] = {1.25, 0.5, 3, 1e-12};
  vise_error err = VISE_ERROR_INIT;
  EXPECT_OK(vise_model_set_tensor(model, 7, mean, 4, &err), err);
  EXPECT_OK(vise_model_set_tensor(model, 8, variance, 4, &err), err);
  *vise_i_model_n_batches(model) = 1234567890123;
}

Test(model_layers, a_list_is_answered_as_it_was_given) {
  vise_model *model = everything(VISE_F64);
  static const char *names[] = {"1.weight", "2.weight", "2.bias",         "5.weight",     "5.bias",
                                "8.weight", "8.bias",   "2.running_mean", "2.running_var"};
  vise_layer layer;

  cr_assert_eq(vise_model_n_listed(model), N_LISTED);
  cr_assert_eq(vise_model_n_layers(model), 3);
  cr_assert_eq(vise_model_n_parameters(model), 16 + 4 + 4 + 12 + 3 + 6 + 2);
  cr_assert_eq(vise_model_n_tensors(model), 9);
  for (size_t t = 0; t < 9; t++) cr_expect_str_eq(vise_model_tensor_name(model, t), names[t]);

  vise_layer_init(&layer);
  vise_model_layer(model, 1, &layer);
  cr_expect(layer.kind == VISE_LAYER_LINEAR && layer.width == 4 && !layer.bias, "batch norm takes the bias's place");
  vise_model_layer(model, 4, &layer);
  cr_expect(layer.kind == VISE_LAYER_DROPOUT && layer.dropout == 0.5);
  vise_model_layer(model, 5, &layer);
  cr_expect(layer.kind == VISE_LAYER_RESIDUAL && layer.span == 4);
  vise_model_layer(model, 6, &layer);
  cr_expect(layer.kind == VISE_LAYER_LINEAR && layer.width == 3 && layer.bias);
  vise_model_layer(model, 7, &layer);
  cr_expect(layer.kind == VISE_LAYER_ACTIVATION && layer.activation == VISE_TANH);

  const vise_layer before = layer;
  vise_model_layer(model, N_LISTED, &layer);
  vise_model_layer(NULL, 0, &layer);
  cr_expect_eq(memcmp(&before, &layer, sizeof layer), 0, "nothing is written beyond the end");
  cr_expect_eq(vise_model_n_listed(NULL), 0);
  vise_model_free(model);
}

Test(model_layers, batch_norm_starts_neutral) {
  vise_model *model = everything(VISE_F32);
  double gain[4], shift[4], mean[4], variance[4];
  vise_error err = VISE_ERROR_INIT;
  EXPECT_OK(vise_model_get_tensor(model, 1, gain, 4, &err), err);
  EXPECT_OK(vise_model_get_tensor(model, 2, shift, 4, &err), err);
  EXPECT_OK(vise_model_get_tensor(model, 7, mean, 4, &err), err);
  EXPECT_OK(vise_model_get_tensor(model, 8, variance, 4, &err), err);
  for (size_t i = 0; i < 4; i++) cr_expect(gain[i] == 1 && shift[i] == 0 && mean[i] == 0 && variance[i] == 1);

  fill_statistics(model);
  EXPECT_OK(vise_model_initialize(model, VISE_INIT_HE, 8, &err), err);
  EXPECT_OK(vise_model_get_tensor(model, 7, mean, 4, &err), err);
  cr_expect(mean[0] == 0 && *vise_i_model_n_batches(model) == 0, "a new start forgets what was seen");
  vise_model_free(model);
}

Test(model_layers, what_is_out_of_place_is_named) {
  const vise_layer norm = of(VISE_LAYER_BATCH_NORM), relu = activation(VISE_RELU);
  const struct {
    vise_layer layers[6];
    size_t n;
    vise_status code;
    const char *says;
  } cases[] = {
      {{{0}}, 0, VISE_ERR_SHAPE, "0 linear layers, expected 1 to 64"},
      {{dropout(0.5)}, 1, VISE_ERR_SHAPE, "0 linear layers"},
      {{relu, linear(2)}, 2, VISE_ERR_SHAPE, "layer 0, activation, is out of place: expected after a linear layer"},
      {{norm, linear(2)}, 2, VISE_ERR_SHAPE, "layer 0, batch-norm, is out of place: expected after a linear layer"},
      {{residual(0), linear(2)}, 2, VISE_ERR_SHAPE, "layer 0, residual, is out of place"},
      {{linear(3), relu, norm, linear(2)}, 4, VISE_ERR_SHAPE, "layer 2, batch-norm, is out of place: expected after"},
      {{linear(3), relu, relu, linear(2)}, 4, VISE_ERR_SHAPE, "layer 2, activation, is out of place"},
      {{linear(3), dropout(0.1), relu, linear(2)}, 4, VISE_ERR_SHAPE, "layer 2, activation, is out of place"},
      {{dropout(0.1), dropout(0.1), linear(2)}, 3, VISE_ERR_SHAPE, "layer 1, dropout, is out of place"},
      {{linear(4), relu, residual(2), dropout(0.1), linear(2)}, 5, VISE_ERR_SHAPE, "layer 3, dropout, is out of place"},
      {{linear(4), relu, residual(1), linear(2)}, 4, VISE_ERR_SHAPE, "layer 2, residual over 1 layers: expected 2"},
      {{linear(3), relu, residual(2), linear(2)},
       4,
       VISE_ERR_SHAPE,
       "layer 2, residual: its block makes 3 values of 4"},
      {{linear(3), relu}, 2, VISE_ERR_SHAPE, "it ends with activation; expected a linear layer"},
      {{linear(2), dropout(0.5)}, 2, VISE_ERR_SHAPE, "it ends with dropout"},
      {{linear(3), dropout(1), linear(2)}, 3, VISE_ERR_USAGE, "layer 1, dropout 1: expected 0 <= P < 1"},
      {{linear(3), dropout(NAN), linear(2)}, 3, VISE_ERR_USAGE, "layer 1, dropout nan"},
      {{linear(3), activation((vise_activation)77), linear(2)},
       3,
       VISE_ERR_USAGE,
       "layer 1 has the unknown activation 77"},
      {{of((vise_layer_kind)9), linear(2)}, 2, VISE_ERR_USAGE, "layer 0 has the unknown kind 9"},
      {{linear(3), relu, linear(0)}, 3, VISE_ERR_SHAPE, "width 0 at position 2"},
      {{linear(2), {0}}, 2, VISE_ERR_USAGE, "vise_layer_init"},
  };

  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    vise_error err = VISE_ERROR_INIT;
    vise_model *model = NULL;
    EXPECT_ERROR(vise_model_create_layers(4, cases[i].layers, cases[i].n, VISE_F32, &model, &err), &err, cases[i].code,
                 cases[i].says);
    cr_expect_null(model);
  }
}

Test(model_layers, shorthand_and_list_make_the_same_net) {
  vise_net_config config;
  vise_error err = VISE_ERROR_INIT;
  vise_model *model = NULL;
  static const vise_layer_kind kinds[] = {VISE_LAYER_DROPOUT,    VISE_LAYER_LINEAR,     VISE_LAYER_BATCH_NORM,
                                          VISE_LAYER_ACTIVATION, VISE_LAYER_DROPOUT,    VISE_LAYER_LINEAR,
                                          VISE_LAYER_BATCH_NORM, VISE_LAYER_ACTIVATION, VISE_LAYER_DROPOUT,
                                          VISE_LAYER_RESIDUAL,   VISE_LAYER_LINEAR};
  vise_net_config_init(&config);
  EXPECT_OK(vise_net_config_set(&config, "layers", "4-6-6-2", &err), err);
  EXPECT_OK(vise_net_config_set(&config, "batch-norm", "yes", &err), err);
  EXPECT_OK(vise_net_config_set(&config, "dropout", "0.25", &err), err);
  EXPECT_OK(vise_net_config_set(&config, "input_dropout", "0.125", &err), err);
  EXPECT_OK(vise_net_config_set(&config, "residual", "yes", &err), err);
  EXPECT_ERROR(vise_net_config_set(&config, "dropout", "1", &err), &err, VISE_ERR_USAGE, "dropout");
  vise_error_clear(&err);
  EXPECT_ERROR(vise_net_config_set(&config, "input-dropout", "-0.5", &err), &err, VISE_ERR_USAGE, "input_dropout");
  cr_expect(config.batch_norm && config.residual && config.dropout == 0.25 && config.input_dropout == 0.125);

  vise_error_clear(&err);
  EXPECT_OK(vise_model_create(&config, VISE_F32, &model, &err), err);
  cr_assert_eq(vise_model_n_listed(model), sizeof kinds / sizeof *kinds);
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    vise_layer layer;
    vise_model_layer(model, i, &layer);
    cr_expect_eq(layer.kind, kinds[i], "layer %zu is %s", i, vise_layer_kind_name(layer.kind));
  }
  vise_model_free(model);
}

/* ---- files ---- */

Test(model_layers, a_file_keeps_list_statistics_and_count) {
  const vise_dtype types[] = {VISE_F32, VISE_F64};
  const char *path = rig_in("m.safetensors");

  for (size_t k = 0; k < 2; k++) {
    vise_error err = VISE_ERROR_INIT;
    vise_model *model = everything(types[k]), *back = NULL;
    fill_statistics(model);
    EXPECT_OK(vise_model_save(model, path, &err), err);
    EXPECT_OK(vise_model_load(path, &back, &err), err);
    rig_assert_same(model, back, false);

    cr_assert_eq(vise_model_n_listed(back), N_LISTED);
    for (size_t i = 0; i < N_LISTED; i++) {
      vise_layer a, b;
      vise_layer_init(&a);
      vise_layer_init(&b);
      vise_model_layer(model, i, &a);
      vise_model_layer(back, i, &b);
      cr_expect_eq(memcmp(&a, &b, sizeof a), 0, "layer %zu", i);
    }
    vise_model_free(back);
    vise_model_free(model);
  }
}

Test(model_layers, the_counter_is_a_whole_number_of_its_own) {
  vise_error err = VISE_ERROR_INIT;
  vise_model *model = everything(VISE_F32);
  vise_i_st_file *file = NULL;
  int64_t n = 0;
  fill_statistics(model);
  EXPECT_OK(vise_model_save(model, rig_in("m.safetensors"), &err), err);
  EXPECT_OK(vise_i_st_read(rig_in("m.safetensors"), &file, &err), err);

  const vise_i_st_tensor *counter = vise_i_st_find(file, "2.num_batches_tracked");
  cr_assert_not_null(counter);
  cr_expect(counter->dtype == VISE_I_ST_I64 && counter->n_dims == 0);
  memcpy(&n, counter->data, sizeof n);
  cr_expect_eq(n, 1234567890123);
  vise_i_st_free(file);
  vise_model_free(model);
}

/* ---- weights of another model ---- */

Test(model_layers, weights_are_copied_to_a_net_of_the_same_tensors) {
  vise_error err = VISE_ERROR_INIT;
  vise_model *from = everything(VISE_F64), *to = NULL, *other = NULL;
  const vise_layer plain[] = {linear(4), of(VISE_LAYER_BATCH_NORM), linear(3), linear(2)};
  const vise_layer smaller[] = {linear(4), of(VISE_LAYER_BATCH_NORM), linear(5), linear(2)};
  double mean[4], huge[4] = {0, 0, 0, 1e300};
  fill_statistics(from);

  EXPECT_OK(vise_model_create_layers(4, plain, 4, VISE_F32, &to, &err), err);
  EXPECT_OK(vise_model_copy_weights(from, to, &err), err);
  EXPECT_OK(vise_model_get_tensor(to, 7, mean, 4, &err), err);
  cr_expect(mean[0] == 0.25 && mean[2] == (double)(float)(1.0 / 3));
  cr_expect_eq(*vise_i_model_n_batches(to), 1234567890123);
  cr_expect_eq(vise_model_n_listed(to), 4);

  EXPECT_OK(vise_model_set_tensor(from, 7, huge, 4, &err), err);
  EXPECT_ERROR(vise_model_copy_weights(from, to, &err), &err, VISE_ERR_VALUE, "'2.running_mean', element 3");
  EXPECT_OK(vise_model_get_tensor(to, 7, mean, 4, &err), err);
  cr_expect(mean[0] == 0.25, "a failure changes nothing");

  vise_error_clear(&err);
  EXPECT_OK(vise_model_create_layers(4, smaller, 4, VISE_F32, &other, &err), err);
  EXPECT_ERROR(vise_model_copy_weights(from, other, &err), &err, VISE_ERR_SHAPE, "'5.weight' of 3 x 4 has no place in");
  vise_model_free(other);
  other = rig_model((const size_t[]){4, 3, 2, 0}, true, VISE_F32);
  vise_error_clear(&err);
  EXPECT_ERROR(vise_model_copy_weights(from, other, &err), &err, VISE_ERR_SHAPE, "9 tensors, expected 4");

  vise_model_free(other);
  vise_model_free(to);
  vise_model_free(from);
}

/* ---- pruning ---- */

/* Weights alone are pruned and masked: gains of batch norm are treated as biases are. */
Test(model_layers, weight_operations_leave_batch_norm_alone) {
  vise_error err = VISE_ERROR_INIT;
  vise_model *model = everything(VISE_F32), *again = NULL;
  vise_weight_op op;
  vise_weight_op_report report = {0};
  const char *path = rig_in("mask.safetensors");
  double values[16];
  fill_statistics(model);

  vise_weight_op_init(&op);
  op.kind = VISE_PRUNE;
  op.fraction = 1;
  EXPECT_OK(vise_model_apply_weight_op(model, &op, &report, &err), err);
  cr_expect_eq(report.n_considered, 16 + 12 + 6);
  EXPECT_OK(vise_model_get_tensor(model, 0, values, 16, &err), err);
  for (size_t i = 0; i < 16; i++) cr_expect(values[i] == 0);
  EXPECT_OK(vise_model_get_tensor(model, 1, values, 4, &err), err);
  for (size_t i = 0; i < 4; i++) cr_expect(values[i] == 1, "a gain was pruned");
  EXPECT_OK(vise_model_get_tensor(model, 8, values, 4, &err), err);
  cr_expect(values[0] == 1.25);

  EXPECT_OK(vise_model_save_mask(model, path, &err), err);
  again = everything(VISE_F32);
  EXPECT_OK(vise_model_load_mask(again, path, &err), err);
  cr_expect_eq(memcmp(vise_model_mask(again), vise_model_mask(model), vise_model_n_parameters(model)), 0);

  uint8_t *mask = malloc(vise_model_n_parameters(model));
  memset(mask, 1, vise_model_n_parameters(model));
  mask[16] = 0; /* the first gain */
  EXPECT_ERROR(vise_model_set_mask(again, mask, vise_model_n_parameters(model), &err), &err, VISE_ERR_VALUE,
               "tensor '2.weight', element 0 is 0, expected 1");
  free(mask);
  vise_model_free(again);
  vise_model_free(model);
}
