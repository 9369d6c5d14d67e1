/* What holds for every row of the table. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "host/options/options.h"

Test(option_table, every_name_is_one_option_and_every_row_is_complete) {
  const vise_option *option;
  size_t n = 0;

  for (; (option = vise_option_at(n)) != NULL; n++) {
    bool negated = true;
    cr_expect_eq(vise_option_find(option->name, &negated), option, "%s stands twice", option->name);
    cr_expect_not(negated);
    cr_expect(option->field != NULL && option->help != NULL && option->commands != 0, "%s", option->name);
    cr_expect((option->argument == NULL) == (option->type == VISE_OPTION_FLAG), "%s: argument", option->name);
    cr_expect((option->names == NULL) == (option->type != VISE_OPTION_NAME), "%s: names", option->name);
    cr_expect(strchr(option->name, '_') == NULL, "%s", option->name);
  }
  cr_expect(n > 70);
  cr_expect_null(vise_option_at(n + 1));
}

Test(option_table, a_flag_has_a_contrary_and_other_options_have_none) {
  const struct {
    const char *name, *option;
    bool negated;
  } cases[] = {{"nesterov", "nesterov", false},    {"no-nesterov", "nesterov", true}, {"no_nesterov", "nesterov", true},
               {"no-bias", "no-bias", false},      {"bias", "no-bias", true},         {"drop_last", "drop-last", false},
               {"no-drop_last", "drop-last", true}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    bool negated = !cases[i].negated;
    const vise_option *option = vise_option_find(cases[i].name, &negated);
    cr_assert(option != NULL, "%s", cases[i].name);
    cr_expect_str_eq(option->name, cases[i].option);
    cr_expect_eq(negated, cases[i].negated, "%s", cases[i].name);
  }

  const char *const none[] = {"", "no-", "no-lr", "no-no-bias", "no-no-nesterov", "nesterov-", "l"};
  for (size_t i = 0; i < sizeof none / sizeof *none; i++)
    cr_expect_null(vise_option_find(none[i], NULL), "%s", none[i]);
}

/* The text of a default, set and read again, is the same: the table's words and numbers are those of set and get. */
Test(option_table, defaults_are_what_init_sets) {
  vise_train_config train;
  vise_net_config net;
  vise_run_config run;
  vise_train_config_init(&train);
  vise_net_config_init(&net);
  vise_run_config_init(&run);
  train.weight_op.kind = VISE_PRUNE; /* the time of no operation is off */
  const void *configs[] = {&train, &net, &run};

  const vise_option *option;
  for (size_t i = 0; (option = vise_option_at(i)) != NULL; i++) {
    char text[64];
    if (option->default_value == NULL || strcmp(option->name, "weight-op") == 0) continue;
    if (option->flags & VISE_OPTION_BY_OPTIMIZER) continue; /* set_get_test.c */
    (void)vise_option_text(option, configs[option->of], text, sizeof text);
    const bool same =
        strcmp(text, option->default_value) == 0 || strtod(text, NULL) == strtod(option->default_value, NULL);
    cr_expect(same, "%s: %s, not %s", option->name, text, option->default_value);
  }
}

Test(option_table, defaults_are_those_of_the_first_release) {
  vise_train_config c;
  vise_train_config_init(&c);

  cr_expect(c.loss == VISE_LOSS_CROSS_ENTROPY && c.mse_reduction == VISE_MSE_HALF_MEAN && c.scale == VISE_SCALE_AUTO);
  cr_expect(c.optimizer == VISE_SGD && c.lr == 0.01 && c.rho == 0.9 && c.beta1 == 0.9 && isnan(c.beta2));
  cr_expect(c.eps == 1e-8 && c.momentum == 0 && c.max_update == 0);
  const vise_schedule_config *schedules[] = {&c.lr_schedule, &c.clip_schedule, &c.clamp_schedule};
  for (size_t i = 0; i < 3; i++) {
    cr_expect(schedules[i]->kind == VISE_SCHEDULE_CONSTANT && schedules[i]->gamma == 0.1);
    cr_expect(schedules[i]->step_epochs == 30 && schedules[i]->final_ratio == 0 && schedules[i]->warmup_steps == 0);
  }
  cr_expect(!c.clip_value && c.clip_value_lo == -INFINITY && c.clip_value_hi == INFINITY);
  cr_expect(!c.clamp && c.clamp_lo == -INFINITY && c.clamp_hi == INFINITY && c.layer_clamps == NULL);
  cr_expect(c.weight_op.struct_size == sizeof c.weight_op && c.weight_op.kind == VISE_WEIGHT_OP_NONE);
  cr_expect(c.weight_op.t == 1 && c.weight_op_at == VISE_AT_EPOCH && c.weight_op_when == 1);
  cr_expect(c.batch == 64 && c.shuffle && !c.drop_last && c.seed == 0 && c.epochs == 10 && c.steps == 0);
  cr_expect(!c.stop_loss_on && c.max_skips == 8 && c.nonfinite == VISE_NONFINITE_SKIP);
  cr_expect(c.backend == VISE_BACKEND_AUTO && c.n_threads == 0 && c.device == 0 && c.owned == NULL);

  vise_net_config net;
  vise_net_config_init(&net);
  cr_expect(net.struct_size == sizeof net && net.n_layers == 0 && net.activation == VISE_RELU && net.bias);
}

/* A number just outside the range of a row is refused in the struct and as text, by the same words. */
Test(option_table, ranges_hold_for_structs_and_texts) {
  static const struct {
    const char *name, *text, *says;
  } cases[] = {
      {"lr", "-1", "`lr` -1: expected a number of at least 0"},
      {"momentum", "1", "`momentum` 1: expected a number of at least 0 and below 1"},
      {"eps", "0", "`eps` 0: expected a number above 0"},
      {"clip-norm", "-5", "`clip_norm` -5: expected a number above 0, or off"},
      {"weight-op-t", "1.5", "`weight_op.t` 1.5: expected a number above 0 and at most 1, or off"},
      {"weight-op-fraction", "2", "`weight_op.fraction` 2: expected a number from 0 to 1"},
      {"threads", "5000", "`n_threads` 5000: expected a whole number from 1 to 4096, or auto"},
      {"steps-per-launch", "4097", "`steps_per_launch` 4097: expected a whole number from 1 to 4096, or off"},
      {"max-skips", "0", "`max_skips` 0: expected a whole number of at least 1"},
  };

  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    vise_train_config config;
    vise_error err = VISE_ERROR_INIT;
    const vise_option *option = vise_option_find(cases[i].name, NULL);
    vise_train_config_init(&config);
    cr_expect_eq(vise_train_config_set(&config, cases[i].name, cases[i].text, &err), VISE_ERR_USAGE);
    cr_expect_str_eq(err.text, cases[i].says);

    char *place = (char *)&config + option->offsets[0];
    const double real = strtod(cases[i].text, NULL);
    const uint64_t count = (uint64_t)real;
    const int narrow = (int)real;
    const bool is_real = option->type == VISE_OPTION_REAL, is_int = option->type == VISE_OPTION_INT;
    memcpy(place, is_real ? (const void *)&real : is_int ? (const void *)&narrow : &count, is_int ? 4 : 8);
    vise_error_clear(&err);
    cr_expect_eq(vise_i_options_check(VISE_OPTION_OF_TRAIN_CONFIG, &config, &err), VISE_ERR_USAGE);
    cr_expect_str_eq(err.text, cases[i].says);
  }
}
