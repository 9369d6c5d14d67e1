/* How the recipes of the library become options of the command line, as defaults, and what vise info says of them. */
#include "host/cli/recipe.h"

#include <string.h>

#include "host/cli/message.h"

#define NUMBER(x) #x
#define TEXT_OF(x) NUMBER(x)
#define MANY TEXT_OF(VISE_RECIPE_MANY_ROWS)

enum { TEXT_BYTES = 1024 };

static bool is_given(void *user, const char *option) {
  return vise_i_cli_given(user, option);
}

/* Sets what the text "NAME=VALUE ..." says, as defaults, so that it does not count as given. */
static vise_status set_all(vise_i_cli_options *options, char *text, vise_error *err) {
  char *rest = NULL;
  for (char *name = strtok_r(text, " ", &rest); name != NULL; name = strtok_r(NULL, " ", &rest)) {
    char *value = strchr(name, '=');
    *value++ = '\0';
    const int i = vise_i_cli_find(options, name, NULL);
    const vise_status status = vise_i_cli_set(options, i, value, VISE_I_CLI_DEFAULT, err);
    if (status != VISE_OK) return status;
  }
  return VISE_OK;
}

/* Few rows of which none are held out are judged by cross-validation. */
static void resolve_cross_validation(vise_i_cli_options *options, size_t n_rows) {
  const bool validates = options->val != NULL || options->val_fraction > 0 || options->fold != NULL;
  const bool tests = options->test != NULL || options->test_fraction > 0;
  const bool knows_rows = options->init != NULL || options->mask != NULL;
  const bool is_small = options->recipe == VISE_I_CLI_RECIPE_TABLE && vise_recipe_validation_fraction(n_rows) == 0;
  bool wanted = options->cross_validate == VISE_I_CLI_CROSS_VALIDATE_YES;
  if (options->cross_validate == VISE_I_CLI_CROSS_VALIDATE_AUTO) wanted = is_small && !tests;

  const bool has_all_rows = options->training.sync_every == 0;
  const bool possible = options->command == VISE_COMMAND_TRAIN && !validates && !knows_rows && has_all_rows;
  options->cross_validate = wanted && possible ? VISE_I_CLI_CROSS_VALIDATE_YES : VISE_I_CLI_CROSS_VALIDATE_NO;
}

vise_status vise_i_cli_recipe_for_data(vise_i_cli_options *options, size_t n_rows, vise_error *err) {
  if (options->recipe == VISE_I_CLI_RECIPE_AUTO) options->recipe = VISE_I_CLI_RECIPE_TABLE;
  resolve_cross_validation(options, n_rows);
  if (options->recipe != VISE_I_CLI_RECIPE_TABLE) return VISE_OK;

  options->n_recipe_rows = n_rows;
  if (!vise_i_cli_given(options, "stratify") && !options->time_order) options->stratify = VISE_I_CLI_STRATIFY_YES;
  if (options->val == NULL && options->fold == NULL && !vise_i_cli_given(options, "val-fraction") &&
      options->cross_validate != VISE_I_CLI_CROSS_VALIDATE_YES) {
    options->val_fraction = vise_recipe_validation_fraction(n_rows);
  }
  if (vise_i_cli_given(options, "scale")) return VISE_OK;

  char scale[] = "scale=standard";
  return set_all(options, scale, err);
}

vise_status vise_i_cli_recipe_for_training(vise_i_cli_options *options, size_t n_rows, size_t n_features,
                                           bool has_validation, vise_error *err) {
  char text[TEXT_BYTES];
  vise_recipe_facts facts;
  if (options->recipe != VISE_I_CLI_RECIPE_TABLE) return VISE_OK;

  vise_recipe_facts_init(&facts);
  facts.n_table_rows = options->n_recipe_rows;
  facts.n_rows = n_rows;
  facts.n_features = n_features;
  facts.has_validation = has_validation;
  facts.has_net = options->net.n_layers > 0; /* of --init */
  facts.given = is_given;
  facts.user = options;
  if (vise_recipe_for_table(&facts, text, sizeof text) >= sizeof text) {
    return vise_i_cli_fail(err, VISE_ERR_INTERNAL, "the recipe for tables is longer than %d bytes", TEXT_BYTES - 1);
  }
  return set_all(options, text, err);
}

/* What depends on the numbers of rows and columns is said in words. */
static bool is_in_words(void *user, const char *option) {
  (void)user;
  return strcmp(option, "decoupled-decay") == 0;
}

static void print_settings(FILE *stream, const char *when, size_t n_rows) {
  char text[TEXT_BYTES], *rest = NULL;
  vise_recipe_facts facts;
  vise_recipe_facts_init(&facts);
  facts.n_table_rows = facts.n_rows = n_rows;
  facts.has_validation = vise_recipe_validation_fraction(n_rows) > 0;
  facts.given = is_in_words;
  if (vise_recipe_for_table(&facts, text, sizeof text) >= sizeof text) return;

  (void)fprintf(stream, "  %-22s", when);
  for (char *name = strtok_r(text, " ", &rest); name != NULL; name = strtok_r(NULL, " ", &rest)) {
    char *value = strchr(name, '=');
    *value++ = '\0';
    (void)fprintf(stream, " --%s %s", name, value);
  }
  (void)fprintf(stream, "\n");
}

void vise_i_cli_recipe_print(FILE *stream) {
  (void)fprintf(stream,
                "table: for CSV and libsvm files; an option that is given wins, and with an --optimizer its lr and "
                "lr-schedule are the usual ones\n");
  (void)fprintf(stream, "  %-22s --scale standard --stratify yes\n", "always");
  (void)fprintf(stream, "  %-22s --decoupled-decay 8 sqrt(columns / rows), from 0.1 to 5\n", "");
  print_settings(stream, "below " MANY " rows", VISE_RECIPE_MANY_ROWS - 1);
  print_settings(stream, "from " MANY " rows on", VISE_RECIPE_MANY_ROWS);
  (void)fprintf(stream, "  %-22s --val-fraction %g; without validation rows no --patience\n", "",
                vise_recipe_validation_fraction(VISE_RECIPE_MANY_ROWS));
  (void)fprintf(stream, "none: for NPY and IDX files; the defaults that --help lists\n");
}
