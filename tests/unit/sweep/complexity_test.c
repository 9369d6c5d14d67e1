/* What is compared to say which of two configurations is more regularised. */
#include <criterion/criterion.h>
#include <math.h>

#include "tests/support/unit.h"
#include "vise/options.h"
#include "vise/search.h"

typedef struct pair {
  const char *name, *value;
} pair;

enum { MOST_KEYS = 16 };

/* The keys of that order for the options given, ended by a NULL name; "layers" and the like are of the net. */
static size_t keys_of(const char *list, const pair *options, size_t n_rows, double keys[MOST_KEYS]) {
  vise_complexity *complexity = NULL;
  vise_train_config train;
  vise_net_config net;
  vise_error err = VISE_ERROR_INIT;
  vise_train_config_init(&train);
  vise_net_config_init(&net);

  for (; options->name != NULL; options++) {
    if (vise_option_find(options->name, NULL)->of == VISE_OPTION_OF_NET_CONFIG) {
      EXPECT_OK(vise_net_config_set(&net, options->name, options->value, &err), err);
    } else {
      EXPECT_OK(vise_train_config_set(&train, options->name, options->value, &err), err);
    }
  }

  EXPECT_OK(vise_complexity_parse(list, &complexity, &err), err);
  const size_t n = vise_complexity_n_keys(complexity);
  cr_assert_leq(n, MOST_KEYS);
  EXPECT_OK(vise_complexity_keys(complexity, &train, &net, n_rows, keys, &err), err);
  vise_complexity_free(complexity);
  vise_train_config_clear(&train);
  return n;
}

static void expect_key(const char *list, const char *name, const char *value, double wanted) {
  double keys[MOST_KEYS];
  cr_assert_eq(keys_of(list, (const pair[]){{name, value}, {NULL, NULL}}, 0, keys), 1);
  cr_expect(keys[0] >= wanted && keys[0] <= wanted, "%s of %s %s: %g", list, name, value, keys[0]);
}

Test(complexity, order_of_the_contract) {
  static const char *const names[] = {
      "l2",        "l1",          "norm-penalty",    "clamp",   "clamp-init",    "clip-value",
      "clip-norm", "clip-agc",    "decoupled-decay", "dropout", "input-dropout", "max-norm",
      "row-l1",    "row-l1-sided"};
  static const bool is_max[] = {true,  true, true, false, false, false, false,
                                false, true, true, true,  false, false, false};
  vise_complexity *complexity = NULL;
  vise_error err = VISE_ERROR_INIT;
  EXPECT_OK(vise_complexity_parse(NULL, &complexity, &err), err);

  cr_assert_eq(vise_complexity_n_keys(complexity), 14);
  for (size_t i = 0; i < 14; i++) {
    cr_expect_str_eq(vise_complexity_name(complexity, i), names[i]);
    cr_expect_eq(vise_complexity_is_max(complexity, i), is_max[i], "%s", names[i]);
  }
  cr_expect_null(vise_complexity_name(complexity, 14));
  vise_complexity_free(complexity);
}

Test(complexity, keys_of_the_defaults) {
  static const double wanted[] = {0,         0, 0, -INFINITY, -INFINITY, -INFINITY, -INFINITY,
                                  -INFINITY, 0, 0, 0,         -INFINITY, -INFINITY, -INFINITY};
  double keys[MOST_KEYS];
  cr_assert_eq(keys_of(NULL, (const pair[]){{NULL, NULL}}, 0, keys), 14);
  for (size_t i = 0; i < 14; i++) cr_expect(keys[i] >= wanted[i] && keys[i] <= wanted[i], "%zu: %g", i, keys[i]);
}

Test(complexity, keys_of_all_strengths) {
  static const pair options[] = {{"l2", "0.5"},
                                 {"l1", "0.25"},
                                 {"norm-penalty", "3"},
                                 {"clamp", "-1:2"},
                                 {"clip-value", "4"},
                                 {"clip-norm", "5"},
                                 {"clip-agc", "0.5"},
                                 {"decoupled-decay", "0.125"},
                                 {"dropout", "0.5"},
                                 {"max-norm", "6"},
                                 {"input-dropout", "0.0625"},
                                 {"row-l1", "7"},
                                 {"clamp-init", "9"},
                                 {"row-l1-sided", "8"},
                                 {NULL, NULL}};
  static const double wanted[] = {1, 0.25, 3, -2, -9, -4, -5, -0.5, 0.125, 0.5, 0.0625, -6, -7, -8};
  double keys[MOST_KEYS];
  cr_assert_eq(keys_of(NULL, options, 0, keys), 14);
  for (size_t i = 0; i < 14; i++) EXPECT_NEAR(keys[i], wanted[i], 0);
}

Test(complexity, penalties_count_at_the_gradient) {
  double keys[MOST_KEYS];
  keys_of("l2,l1", (const pair[]){{"l2", "8"}, {"l1", "8"}, {"penalty-convention", "half"}, {NULL, NULL}}, 0, keys);
  cr_expect(keys[0] == 8 && keys[1] == 8);
  keys_of("l2,l1", (const pair[]){{"l2", "8"}, {"l1", "8"}, {"penalty-convention", "over_m"}, {NULL, NULL}}, 16, keys);
  cr_expect(keys[0] == 0.5 && keys[1] == 0.25);
}

Test(complexity, over_m_needs_the_rows) {
  vise_complexity *complexity = NULL;
  vise_train_config train;
  vise_net_config net;
  vise_error err = VISE_ERROR_INIT;
  double keys[MOST_KEYS] = {7};
  vise_train_config_init(&train);
  vise_net_config_init(&net);
  train.penalty_convention = VISE_OVER_M;
  train.l1 = 1;

  EXPECT_OK(vise_complexity_parse("l2", &complexity, &err), err);
  EXPECT_ERROR(vise_complexity_keys(complexity, &train, &net, 0, keys, &err), &err, VISE_ERR_USAGE,
               "`penalty_convention` over_m needs the number of rows trained on");
  net.n_layers = VISE_MAX_LAYERS + 1;
  EXPECT_ERROR(vise_complexity_keys(complexity, &train, &net, 5, keys, &err), &err, VISE_ERR_USAGE, "`n_layers`");
  cr_expect(keys[0] == 7);
  vise_complexity_free(complexity);
}

Test(complexity, the_widest_box_of_the_layers_counts) {
  double keys[MOST_KEYS];
  const pair all[] = {{"layers", "4-3-2"}, {"clamp", "1"}, {"clamp-layer", "0=-3:2"}, {NULL, NULL}};
  const pair one_open[] = {{"layers", "4-3-2"}, {"clamp-layer", "0=0.5"}, {NULL, NULL}};
  const pair half_open[] = {{"layers", "4-2"}, {"clamp", "0:inf"}, {NULL, NULL}};
  const pair beyond[] = {{"layers", "4-2"}, {"clamp", "1"}, {"clamp-layer", "1=9"}, {NULL, NULL}};

  keys_of("clamp", all, 0, keys);
  EXPECT_NEAR(keys[0], -3, 0);
  keys_of("clamp", one_open, 0, keys);
  cr_expect(isinf(keys[0]) && keys[0] < 0);
  keys_of("clamp", half_open, 0, keys);
  cr_expect(isinf(keys[0]) && keys[0] < 0);
  keys_of("clamp", beyond, 0, keys);
  EXPECT_NEAR(keys[0], -1, 0);
}

Test(complexity, any_option_with_an_order_can_be_compared) {
  expect_key("layers", "layers", "10-20-5", -300);
  expect_key("layers", "layers", "auto-20-auto", -40);
  expect_key("batch:max", "batch", "32", 32);
  expect_key("batch:min", "batch", "full", -INFINITY);
  expect_key("batch:max", "batch", "full", -INFINITY);
  expect_key("epochs", "epochs", "20", -20);
  expect_key("epochs", "epochs", "off", -INFINITY);
  expect_key("prox-l1:max", "prox-l1", "yes", 1);
  expect_key("shuffle:min", "shuffle", "no", 0);
  expect_key("stop-loss:max", "stop-loss", "0.25", 0.25);
  expect_key("stop-loss:min", "stop-loss", "off", -INFINITY);
  expect_key("label_smoothing", "label-smoothing", "0.1", 0.1);
  expect_key("clip-norm:max", "clip-norm", "2", 2);
  expect_key("beta2:max", "beta2", "auto", 0.999); /* what the optimizer then has */
}

Test(complexity, says_what_is_wrong_with_a_list) {
  static const char *const cases[][2] = {
      {"", "complexity: a name is empty"},
      {"l2,", "complexity: a name is empty"},
      {":max", "complexity: a name is empty"},
      {"l3", "complexity: there is no option 'l3'"},
      {"no-nesterov:max", "there is no option 'no-nesterov': write nesterov"},
      {"optimizer:max", "complexity: the values of 'optimizer' have no order"},
      {"class-weights:max", "have no order"},
      {"log-every:max", "have no order"},
      {"lr", "are larger or smaller values of 'lr' more regularised? Write lr:max or lr:min"},
      {"l2:most", "complexity: 'most' after 'l2': expected max or min"},
      {"l2:", "complexity: '' after 'l2'"},
      {"l2,l1,l2:min", "complexity: 'l2' is there twice"},
      {"clip_norm,clip-norm", "complexity: 'clip-norm' is there twice"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    vise_complexity *complexity = NULL;
    vise_error err = VISE_ERROR_INIT;
    EXPECT_ERROR(vise_complexity_parse(cases[i][0], &complexity, &err), &err, VISE_ERR_USAGE, cases[i][1]);
    cr_expect_null(complexity);
  }
}
