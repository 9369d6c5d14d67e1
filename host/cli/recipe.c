/*
 * The recipe for tables. Its numbers are those of bench/tables: chosen on real tables beside scikit-learn's pipeline of
 * imputer, one-hot, StandardScaler and MLP. A table of few rows has none to spare for validation, so it is trained for a
 * fixed number of steps under a strong decay.
 */
#include "host/cli/recipe.h"

#include <math.h>
#include <string.h>

/* Rows from which on a tenth is held out. */
enum { MANY_ROWS = 1000 };
#define HELD_OUT 0.1

typedef struct setting {
  const char *option, *value;
  const char *unless; /* an option that, given, leaves this one at its own default; or NULL */
} setting;

static const setting optimizer[] = {{"optimizer", "adam", NULL}, {"lr", "2e-3", NULL}, {"lr-schedule", "cosine", NULL}};
static const setting always[] = {{"clip-norm", "1", NULL}};
static const setting few_rows[] = {
    {"layers", "auto-64-auto", NULL}, {"batch", "32", NULL}, {"steps", "1000", "epochs"}, {"epochs", "off", "steps"}};
static const setting many_rows[] = {
    {"layers", "auto-128-auto", NULL}, {"batch", "64", NULL}, {"epochs", "100", "steps"}};
static const setting with_validation[] = {{"patience", "10", NULL}};

static vise_status set(vise_i_cli_options *options, const char *name, const char *value, vise_error *err) {
  const int i = vise_i_cli_find(options, name, NULL);
  /* As a default, so that it does not count as given. */
  return vise_i_cli_set(options, i, value, VISE_I_CLI_DEFAULT, err);
}

static vise_status apply(vise_i_cli_options *options, const setting *settings, size_t n, vise_error *err) {
  for (size_t k = 0; k < n; k++) {
    const setting *s = &settings[k];
    const bool left = s->unless != NULL && vise_i_cli_given(options, s->unless);
    const bool fixed = strcmp(s->option, "layers") == 0 && options->net.n_layers > 0; /* of --init */
    if (left || fixed || vise_i_cli_given(options, s->option)) continue;
    const vise_status status = set(options, s->option, s->value, err);
    if (status != VISE_OK) return status;
  }
  return VISE_OK;
}

#define APPLY(options, settings, err) apply(options, settings, sizeof settings / sizeof *settings, err)

/* Whether the optimizer is the user's choice, by name or by what belongs to it: it has its own defaults then. */
static bool has_optimizer(const vise_i_cli_options *options) {
  static const char *const names[] = {"optimizer", "momentum", "nesterov", "rho"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (vise_i_cli_given(options, names[i])) return true;
  }
  return false;
}

/* 8 sqrt(columns / rows) within 0.1 and 5. */
static double decay_for(size_t n_rows, size_t n_features) {
  const double decay = 8 * sqrt((double)n_features / (double)n_rows);
  return decay < 0.1 ? 0.1 : decay > 5 ? 5 : decay;
}

/* Few rows of which none are held out are judged by cross-validation. */
static void resolve_cross_validation(vise_i_cli_options *options, size_t n_rows) {
  const bool validates = options->val != NULL || options->val_fraction > 0 || options->fold != NULL;
  const bool tests = options->test != NULL || options->test_fraction > 0;
  const bool knows_rows = options->init != NULL || options->mask != NULL;
  const bool is_small = options->recipe == VISE_I_CLI_RECIPE_TABLE && n_rows < MANY_ROWS;
  bool wanted = options->cross_validate == VISE_I_CLI_CROSS_VALIDATE_YES;
  if (options->cross_validate == VISE_I_CLI_CROSS_VALIDATE_AUTO) wanted = is_small && !tests;

  const bool possible = options->command == VISE_COMMAND_TRAIN && !validates && !knows_rows;
  options->cross_validate = wanted && possible ? VISE_I_CLI_CROSS_VALIDATE_YES : VISE_I_CLI_CROSS_VALIDATE_NO;
}

vise_status vise_i_cli_recipe_for_data(vise_i_cli_options *options, size_t n_rows, vise_error *err) {
  if (options->recipe == VISE_I_CLI_RECIPE_AUTO) options->recipe = VISE_I_CLI_RECIPE_TABLE;
  resolve_cross_validation(options, n_rows);
  if (options->recipe != VISE_I_CLI_RECIPE_TABLE) return VISE_OK;

  options->n_recipe_rows = n_rows;
  if (!vise_i_cli_given(options, "stratify") && !options->time_order) options->stratify = VISE_I_CLI_STRATIFY_YES;
  if (n_rows >= MANY_ROWS && options->val == NULL && options->fold == NULL &&
      !vise_i_cli_given(options, "val-fraction") && options->cross_validate != VISE_I_CLI_CROSS_VALIDATE_YES) {
    options->val_fraction = HELD_OUT;
  }
  return vise_i_cli_given(options, "scale") ? VISE_OK : set(options, "scale", "standard", err);
}

vise_status vise_i_cli_recipe_for_training(vise_i_cli_options *options, size_t n_rows, size_t n_features,
                                           bool has_validation, vise_error *err) {
  if (options->recipe != VISE_I_CLI_RECIPE_TABLE) return VISE_OK;
  const bool many = options->n_recipe_rows >= MANY_ROWS;

  vise_status status = has_optimizer(options) ? VISE_OK : APPLY(options, optimizer, err);
  if (status == VISE_OK) status = APPLY(options, always, err);
  if (status == VISE_OK) status = many ? APPLY(options, many_rows, err) : APPLY(options, few_rows, err);
  if (status == VISE_OK && many && has_validation) status = APPLY(options, with_validation, err);
  if (status == VISE_OK && !vise_i_cli_given(options, "decoupled-decay")) {
    options->training.decoupled_decay = decay_for(n_rows, n_features);
  }
  return status;
}

static void print_settings(FILE *stream, const char *when, const setting *settings, size_t n) {
  (void)fprintf(stream, "  %-30s", when);
  for (size_t k = 0; k < n; k++) (void)fprintf(stream, " --%s %s", settings[k].option, settings[k].value);
  (void)fprintf(stream, "\n");
}

#define PRINT(stream, when, settings) print_settings(stream, when, settings, sizeof settings / sizeof *settings)

void vise_i_cli_recipe_print(FILE *stream) {
  (void)fprintf(stream, "table: for CSV and libsvm files; an option that is given wins\n");
  (void)fprintf(stream, "  %-30s --scale standard --stratify yes\n", "always");
  PRINT(stream, "", always);
  PRINT(stream, "without an --optimizer", optimizer);
  (void)fprintf(stream, "  %-30s --decoupled-decay 8 sqrt(columns / rows), from 0.1 to 5\n", "");
  PRINT(stream, "below 1000 rows", few_rows);
  PRINT(stream, "from 1000 rows on", many_rows);
  (void)fprintf(stream, "  %-30s --val-fraction %g\n", "", HELD_OUT);
  PRINT(stream, "  with validation rows", with_validation);
  (void)fprintf(stream, "none: for NPY and IDX files; the defaults that --help lists\n");
}
