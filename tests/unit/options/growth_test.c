/* Structs of older and newer headers. */
#include <criterion/criterion.h>
#include <string.h>

#include "vise/vise.h"

enum { GUARD = 0x5a, ROOM = 8192 };

static const size_t train_bytes = offsetof(vise_train_config, owned), run_bytes = offsetof(vise_run_config, owned);
static const size_t net_bytes = offsetof(vise_net_config, dropout);

static void expect_guard(const unsigned char *bytes, size_t from) {
  for (size_t i = from; i < ROOM; i++) cr_assert_eq(bytes[i], GUARD, "byte %zu was written", i);
}

Test(growth, plain_init_fills_the_struct_of_the_first_release) {
  _Alignas(16) unsigned char bytes[ROOM];
  memset(bytes, GUARD, sizeof bytes);
  (vise_train_config_init)((vise_train_config *)(void *)bytes);
  cr_expect_eq(((vise_train_config *)(void *)bytes)->struct_size, train_bytes);
  expect_guard(bytes, train_bytes);

  memset(bytes, GUARD, sizeof bytes);
  (vise_run_config_init)((vise_run_config *)(void *)bytes);
  cr_expect_eq(((vise_run_config *)(void *)bytes)->struct_size, run_bytes);
  expect_guard(bytes, run_bytes);

  memset(bytes, GUARD, sizeof bytes);
  (vise_layer_init)((vise_layer *)(void *)bytes);
  cr_expect_eq(((vise_layer *)(void *)bytes)->struct_size, sizeof(vise_layer));
  expect_guard(bytes, sizeof(vise_layer));

  memset(bytes, GUARD, sizeof bytes);
  (vise_net_config_init)((vise_net_config *)(void *)bytes);
  cr_expect_eq(((vise_net_config *)(void *)bytes)->struct_size, net_bytes);
  expect_guard(bytes, net_bytes);
}

Test(growth, a_smaller_struct_is_taken_and_not_written_past) {
  _Alignas(16) unsigned char bytes[ROOM];
  vise_train_config *config = (vise_train_config *)(void *)bytes;
  vise_error err = VISE_ERROR_INIT;
  const size_t n_bytes = offsetof(vise_train_config, n_threads); /* lacks threads and what follows */
  memset(bytes, GUARD, sizeof bytes);
  vise_train_config_init_sized(config, n_bytes);
  expect_guard(bytes, n_bytes);

  cr_expect_eq(vise_train_config_set(config, "lr", "0.5", &err), VISE_OK, "%s", err.text);
  cr_expect_eq(vise_train_config_set(config, "threads", "2", &err), VISE_ERR_USAGE);
  cr_expect(strstr(err.text, "`n_threads` lies beyond the caller's struct") != NULL, "%s", err.text);
  vise_error_clear(&err);
  cr_expect_eq(vise_train_config_set(config, "class-weights", "1,2", &err), VISE_ERR_USAGE);
  cr_expect(strstr(err.text, "`owned`") != NULL, "%s", err.text);
  vise_error_clear(&err);
  char text[8];
  cr_expect_eq(vise_train_config_get(config, "threads", text, sizeof text, &err), VISE_ERR_USAGE);
  vise_train_config_clear(config);
  expect_guard(bytes, n_bytes);

  /* It trains: what it lacks has its default. */
  const double x[] = {1, 2, 3, 4}, y[] = {2, 4, 6, 8};
  const vise_array features = vise_array_of(x, VISE_F64, 4, 1), targets = vise_array_of(y, VISE_F64, 4, 1);
  vise_dataset *data = NULL;
  vise_model *model = NULL;
  vise_trainer *trainer = NULL;
  vise_net_config net;
  vise_net_config_init(&net);
  net.n_layers = net.widths[0] = net.widths[1] = 1;
  config->loss = VISE_LOSS_MSE;
  vise_error_clear(&err);
  cr_assert_eq(vise_dataset_from_arrays(&features, &targets, NULL, false, &data, &err), VISE_OK);
  cr_assert_eq(vise_model_create(&net, VISE_F32, &model, &err), VISE_OK);
  cr_assert_eq(vise_trainer_create(config, model, data, NULL, NULL, &trainer, &err), VISE_OK, "%s", err.text);
  cr_expect_eq(vise_trainer_step(trainer, 2, NULL, NULL, &err), VISE_OK, "%s", err.text);
  expect_guard(bytes, n_bytes);
  vise_trainer_free(trainer);
  vise_model_free(model);
  vise_dataset_free(data);
}

Test(growth, a_larger_struct_is_taken_if_the_rest_is_zero) {
  struct {
    vise_net_config net;
    uint64_t later[4];
  } newer;
  vise_model *model = NULL;
  vise_error err = VISE_ERROR_INIT;
  memset(&newer, GUARD, sizeof newer);
  vise_net_config_init_sized(&newer.net, sizeof newer);
  cr_expect(newer.net.struct_size == sizeof newer && newer.later[0] == 0 && newer.later[3] == 0);

  newer.net.n_layers = newer.net.widths[0] = newer.net.widths[1] = 1;
  cr_expect_eq(vise_model_create(&newer.net, VISE_F32, &model, &err), VISE_OK, "%s", err.text);
  vise_model_free(model);
  newer.later[2] = 1;
  cr_expect_eq(vise_model_create(&newer.net, VISE_F32, &model, &err), VISE_ERR_USAGE);
  cr_expect(strstr(err.text, "beyond") != NULL, "%s", err.text);
}

/* The structs of a list lie as far apart as its maker's are large. */
Test(growth, lists_of_smaller_and_larger_structs_are_taken) {
  typedef struct newer {
    vise_layer layer;
    uint64_t later[3];
  } newer;
  const size_t smaller = offsetof(vise_layer, dropout);
  _Alignas(16) unsigned char bytes[ROOM];
  vise_error err = VISE_ERROR_INIT;
  vise_model *model = NULL;
  memset(bytes, GUARD, sizeof bytes);
  for (size_t i = 0; i < 3; i++) {
    vise_layer *layer = (vise_layer *)(void *)(bytes + i * smaller);
    vise_layer_init_sized(layer, smaller);
    layer->width = 4 + i;
    if (i == 1) layer->kind = VISE_LAYER_BATCH_NORM;
  }
  expect_guard(bytes, 3 * smaller);
  cr_assert_eq(vise_model_create_layers(3, (vise_layer *)(void *)bytes, 3, VISE_F32, &model, &err), VISE_OK, "%s",
               err.text);
  cr_expect(vise_model_n_layers(model) == 2 && vise_model_width(model, 1) == 4 && vise_model_width(model, 2) == 6);

  memset(bytes, GUARD, sizeof bytes);
  vise_layer_init_sized((vise_layer *)(void *)bytes, smaller);
  vise_model_layer_sized(smaller, model, 1, (vise_layer *)(void *)bytes);
  cr_expect_eq(((vise_layer *)(void *)bytes)->kind, VISE_LAYER_BATCH_NORM);
  expect_guard(bytes, smaller);
  vise_model_free(model);

  newer list[2];
  for (size_t i = 0; i < 2; i++) {
    vise_layer_init_sized(&list[i].layer, sizeof list[i]);
    list[i].layer.width = 7;
  }
  cr_assert_eq(vise_model_create_layers(3, &list[0].layer, 2, VISE_F32, &model, &err), VISE_OK, "%s", err.text);
  cr_expect_eq(vise_model_width(model, 2), 7);
  vise_model_free(model);
  list[1].later[2] = 1;
  cr_expect_eq(vise_model_create_layers(3, &list[0].layer, 2, VISE_F32, &model, &err), VISE_ERR_USAGE);
}
