/* Options set and read by name. */
#include <criterion/criterion.h>
#include <locale.h>
#include <math.h>
#include <string.h>

#include "vise/options.h"

#define OK(call)                                    \
  do {                                              \
    vise_error_clear(&err);                         \
    const vise_status status_ = (call);             \
    cr_assert_eq(status_, VISE_OK, "%s", err.text); \
  } while (0)
#define REFUSED(call, says)                                                                  \
  do {                                                                                       \
    vise_error_clear(&err);                                                                  \
    cr_expect_eq((call), VISE_ERR_USAGE);                                                    \
    cr_expect(strstr(err.text, says) != NULL, "\"%s\" does not say \"%s\"", err.text, says); \
  } while (0)

static vise_error err;

static void expect_text(const vise_train_config *config, const char *name, const char *expected) {
  char text[128];
  OK(vise_train_config_get(config, name, text, sizeof text, &err));
  cr_expect_str_eq(text, expected, "%s: %s", name, text);
}

Test(set_get, every_type_both_ways) {
  static const char *const pairs[][2] = {
      {"nesterov", "yes"},
      {"shuffle", "no"},
      {"lr", "0.003"},
      {"epochs", "off"},
      {"batch", "full"},
      {"batch", "17"},
      {"threads", "auto"},
      {"device", "3"},
      {"optimizer", "adam"},
      {"loss", "external"},
      {"stop-loss", "-0.25"},
      {"stop-loss", "off"},
      {"clamp", "-0.5:0.25"},
      {"clamp", "-inf:0.1"},
      {"clip-value", "off"},
      {"seed", "18446744073709551615"},
      {"class-weights", "1,2.5,0"},
      {"class-weights", "off"},
      {"clamp-layer", "0=-1:1,2=-0.5:inf"},
      {"weight-op-layers", "0,2"},
      {"weight-op-layers", "all"},
      {"max-norm", "2.5"},
      {"row-l1", "1.5"},
      {"row-l1", "off"},
      {"row-l1-sided-layer", "0=1.5,2=0.25"},
  };
  vise_train_config config;
  vise_train_config_init(&config);

  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
    OK(vise_train_config_set(&config, pairs[i][0], pairs[i][1], &err));
    expect_text(&config, pairs[i][0], pairs[i][1]);
  }
  cr_expect(config.clamp && config.clamp_lo == -INFINITY && config.clamp_hi == 0.1);
  cr_expect(config.n_layer_clamps == 2 && config.layer_clamps[1].layer == 2 && config.layer_clamps[1].lo == -0.5);
  cr_expect(config.n_row_l1_sided_layers == 2 && config.row_l1_sided_layers[1].bound == 0.25);
  vise_train_config_clear(&config);
  cr_expect(config.layer_clamps == NULL && config.n_layer_clamps == 0);
}

/* What the optimizer decides is NaN in the struct; texts show the number of the optimizer that is set. */
Test(set_get, number_of_the_optimizer) {
  vise_train_config config;
  vise_train_config_init(&config);
  cr_expect(isnan(config.beta2));
  expect_text(&config, "beta2", "0.999");

  OK(vise_train_config_set(&config, "beta2", "0", &err));
  cr_expect_eq(config.beta2, 0);
  expect_text(&config, "beta2", "0");

  OK(vise_train_config_set(&config, "beta2", "auto", &err));
  cr_expect(isnan(config.beta2));
  OK(vise_train_config_set(&config, "optimizer", "lion", &err));
  expect_text(&config, "beta2", "0.99");
  REFUSED(vise_train_config_set(&config, "beta2", "1", &err), "of at least 0 and below 1, or auto");
  REFUSED(vise_train_config_set(&config, "beta1", "auto", &err), "is not a number");
}

Test(set_get, how_often_by_steps_time_or_epochs) {
  static const char *const pairs[][2] = {{"5", "5"},     {"epoch", "epoch"}, {"30s", "30s"}, {"600s", "10m"},
                                         {"120m", "2h"}, {"0.25s", "0.25s"}, {"off", "off"}, {"1.5h", "90m"}};
  vise_run_config config;
  char text[32];
  vise_run_config_init(&config);
  OK(vise_run_config_get(&config, "checkpoint-every", text, sizeof text, &err));
  cr_expect_str_eq(text, "30s");
  cr_expect(config.checkpoint_every == 0 && config.checkpoint_seconds == 30 && !config.checkpoint_each_epoch);

  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
    OK(vise_run_config_set(&config, "checkpoint-every", pairs[i][0], &err));
    OK(vise_run_config_get(&config, "checkpoint-every", text, sizeof text, &err));
    cr_expect_str_eq(text, pairs[i][1], "%s: %s", pairs[i][0], text);
  }

  static const char *const wrong[] = {"", "0", "-1", "1.5", "0s", "-3s", "s", "m", "10d", "1e999h", "1e308h", "epochs"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    REFUSED(vise_run_config_set(&config, "checkpoint-every", wrong[i], &err), "`checkpoint_every`: '");
  }
  cr_expect(config.checkpoint_seconds == 5400);
}

Test(set_get, names_values_and_contraries) {
  vise_train_config config;
  vise_net_config net;
  char text[8];
  vise_train_config_init(&config);
  vise_net_config_init(&net);

  OK(vise_train_config_set(&config, "clip_norm", "5", &err));
  cr_expect(config.clip_norm == 5);
  OK(vise_train_config_set(&config, "clamp", "0.5", &err)); /* -X:X */
  cr_expect(config.clamp_lo == -0.5 && config.clamp_hi == 0.5);
  OK(vise_train_config_set(&config, "nesterov", "true", &err));
  OK(vise_train_config_set(&config, "no-nesterov", "yes", &err));
  cr_expect_not(config.nesterov);
  OK(vise_train_config_set(&config, "device-memory-limit", "3M", &err));
  cr_expect_eq(config.device_memory_limit, 3u << 20);
  OK(vise_train_config_set(&config, "lr-gamma", "0.5", &err)); /* of all three schedules */
  cr_expect(config.lr_schedule.gamma == 0.5 && config.clip_schedule.gamma == 0.5 && config.clamp_schedule.gamma == 0.5);
  config.weight_op.kind = VISE_PRUNE;
  OK(vise_train_config_set(&config, "weight-op-at", "step:3", &err));
  cr_expect(config.weight_op_at == VISE_AT_STEP && config.weight_op_when == 3);
  expect_text(&config, "weight-op-at", "step:3");

  OK(vise_net_config_set(&net, "layers", "auto-16-auto", &err));
  cr_expect(net.n_layers == 2 && net.widths[0] == 0 && net.widths[1] == 16 && net.widths[2] == 0);
  OK(vise_net_config_set(&net, "no_bias", "yes", &err));
  cr_expect_not(net.bias);
  OK(vise_net_config_get(&net, "bias", text, sizeof text, &err));
  cr_expect_str_eq(text, "no");
  OK(vise_net_config_set(&net, "bias", "yes", &err));
  cr_expect(net.bias);
}

Test(set_get, refuses_and_leaves_the_config_as_it_was) {
  vise_train_config config, before;
  vise_net_config net;
  char text[4];
  vise_train_config_init(&config);
  vise_net_config_init(&net);
  OK(vise_train_config_set(&config, "clamp-layer", "0=0.5", &err));
  OK(vise_train_config_set(&config, "row-l1-layer", "0=1", &err));
  before = config;

  REFUSED(vise_train_config_set(&config, "learning-rate", "1", &err), "there is no option 'learning-rate'");
  REFUSED(vise_train_config_set(&config, "layers", "3-4", &err), "another struct");
  REFUSED(vise_train_config_set(&config, "lr", "fast", &err), "`lr`: 'fast' is not a number");
  REFUSED(vise_train_config_set(&config, "lr", "1e", &err), "is not a number");
  REFUSED(vise_train_config_set(&config, "lr", " 1", &err), "is not a number");
  REFUSED(vise_train_config_set(&config, "nesterov", "maybe", &err), "neither yes nor no");
  REFUSED(vise_train_config_set(&config, "no-nesterov", "maybe", &err), "neither yes nor no");
  REFUSED(vise_train_config_set(&config, "optimizer", "adamw", &err), "it can be sgd, rmsprop, adam");
  REFUSED(vise_train_config_set(&config, "clamp-layer", "0=1", &err), "has bounds already");
  REFUSED(vise_train_config_set(&config, "clamp-layer", "1=1,1=2", &err), "has bounds already");
  REFUSED(vise_train_config_set(&config, "row-l1-layer", "0=2", &err), "layer 0 has bounds already");
  REFUSED(vise_train_config_set(&config, "row-l1-layer", "1", &err), "'1' is not L=R");
  REFUSED(vise_train_config_set(&config, "row-l1-layer", "1=0", &err), "expected a number above 0");
  REFUSED(vise_train_config_set(&config, "row-l1-layer", "1=inf", &err), "is not a number");
  REFUSED(vise_train_config_set(&config, "class-weights", "1,,2", &err), "is not a number");
  REFUSED(vise_train_config_set(&config, "device-memory-limit", "9000000000G", &err), "too large");
  REFUSED(vise_train_config_set(&config, "device-memory-limit", "G", &err), "not a number of bytes");
  REFUSED(vise_train_config_set(&config, "clamp", "inf:inf", &err), "above the upper");
  cr_expect(memcmp(&config, &before, sizeof config) == 0);

  REFUSED(vise_net_config_set(&net, "layers", "3-auto-3", &err), "first and the last");
  REFUSED(vise_net_config_set(&net, "layers", "3", &err), "two or more");
  REFUSED(vise_train_config_get(&config, "optimizer", text, 3, &err), "takes 4 bytes");
  OK(vise_train_config_get(&config, "optimizer", text, 4, &err));
  vise_train_config_clear(&config);
}

Test(set_get, items_of_any_length_are_read_whole) {
  vise_train_config config;
  vise_train_config_init(&config);
  /* 70 digits: the exponent must not be cut off. */
  OK(vise_train_config_set(&config, "class-weights",
                           "1.0000000000000000000000000000000000000000000000000000000000000000000e5,2", &err));
  cr_expect(config.n_class_weights == 2 && config.class_weights[0] == 1e5);
  vise_train_config_clear(&config);
}

Test(set_get, null_is_an_error) {
  vise_train_config config;
  char text[8];
  vise_train_config_init(&config);

  REFUSED(vise_train_config_set(NULL, "lr", "1", &err), "config is NULL");
  REFUSED(vise_train_config_set(&config, NULL, "1", &err), "name is NULL");
  REFUSED(vise_train_config_set(&config, "lr", NULL, &err), "text is NULL");
  REFUSED(vise_train_config_get(NULL, "lr", text, 8, &err), "config is NULL");
  REFUSED(vise_train_config_get(&config, "lr", NULL, 8, &err), "buffer is NULL");
  REFUSED(vise_run_config_set(NULL, "out", "x", &err), "config is NULL");
  REFUSED(vise_net_config_get(NULL, "layers", text, 8, &err), "config is NULL");

  cr_expect_eq(vise_train_config_set(&config, "lr", "x", NULL), VISE_ERR_USAGE);
  vise_train_config_clear(NULL);
  vise_run_config_clear(NULL);
  cr_expect_null(vise_option_find(NULL, NULL));
  cr_expect_eq(vise_option_text(NULL, NULL, NULL, 0), 0u);
}

Test(set_get, clear_frees_what_set_made_and_no_more) {
  static const double mine[] = {1, 2};
  vise_train_config config;
  vise_run_config run;
  vise_train_config_init(&config);
  vise_run_config_init(&run);

  vise_train_config_clear(&config); /* never set */
  config.class_weights = mine;
  config.n_class_weights = 2;
  OK(vise_train_config_set(&config, "clamp-layer", "1=0.5", &err));
  OK(vise_train_config_set(&config, "clamp-layer", "2=0.5", &err));
  cr_expect_eq(config.n_layer_clamps, 2u);
  vise_train_config_clear(&config);
  vise_train_config_clear(&config);
  cr_expect(config.class_weights == mine && config.n_class_weights == 2 && config.layer_clamps == NULL);

  OK(vise_train_config_set(&config, "class-weights", "3", &err));
  config.class_weights = mine; /* what set made is freed all the same */
  vise_train_config_clear(&config);
  cr_expect(config.class_weights == mine);

  OK(vise_run_config_set(&run, "out", "a", &err));
  OK(vise_run_config_set(&run, "out", "folder", &err));
  OK(vise_run_config_set(&run, "log-every", "5", &err));
  cr_expect_str_eq(run.out_dir, "folder");
  cr_expect_eq(run.log_every, 5u);
  vise_run_config_clear(&run);
  cr_expect_null(run.out_dir);
}

Test(set_get, holds_in_locales_with_a_decimal_comma) {
  static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8"};
  vise_train_config config;
  for (size_t i = 0; i < 3 && setlocale(LC_ALL, names[i]) == NULL; i++) continue;
  vise_train_config_init(&config);
  cr_expect(config.lr == 0.01 && config.eps == 1e-8);
  OK(vise_train_config_set(&config, "clamp", "-0.5:0.25", &err));
  expect_text(&config, "clamp", "-0.5:0.25");
}
