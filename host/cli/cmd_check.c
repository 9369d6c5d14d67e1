/* vise check: the library's self-check, on the user's data or on made-up rows. */
#include <string.h>

#include "host/cli/cli.h"
#include "host/cli/message.h"
#include "host/cli/net_text.h"
#include "host/cli/setup.h"
#include "host/json/build.h"

typedef struct check_view {
  bool as_json;  /* else lines of text */
  json_t *items; /* NULL with as_json: out of memory */
  size_t n, n_failed;
} check_view;

static void on_item(void *user, const vise_check_item *item) {
  check_view *view = user;
  view->n++;
  view->n_failed += !item->passed;

  if (!view->as_json) {
    (void)printf("%s  %-52s error %.3g, allowed %.3g\n", item->passed ? "PASS" : "FAIL", item->name, item->worst,
                 item->tolerance);
    (void)fflush(stdout);
    return;
  }

  json_t *object = json_object();
  vise_i_json_put(&object, "name", json_string(item->name));
  vise_i_json_put(&object, "error", vise_i_cli_json_real(item->worst));
  vise_i_json_put(&object, "tolerance", vise_i_cli_json_real(item->tolerance));
  vise_i_json_put(&object, "passed", json_boolean(item->passed));
  vise_i_json_add(&view->items, object);
}

static void print_notes(const vise_i_cli_options *options, const vise_i_cli_setup *setup) {
  static const char *const ignored[] = {"out", "overwrite", "checkpoint-every", "log-every"};
  if (options->quiet) return;

  if (setup->made_up) {
    (void)fputs("note: no --train: checking a net ", stderr);
    vise_i_cli_print_widths(stderr, &options->net);
    vise_i_cli_print_extras(stderr, &options->net);
    (void)fprintf(stderr, " on %zu made-up rows\n", vise_dataset_n_rows(setup->train));
  }

  for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) {
    int row = vise_i_cli_find(options, ignored[i], NULL);
    if (row >= 0 && options->source[row] == VISE_I_CLI_FROM_LINE) {
      (void)fprintf(stderr, "note: --%s has no effect in check\n", ignored[i]);
    }
  }
}

static vise_status check(const vise_i_cli_options *options, const vise_i_cli_setup *setup, bool *all_passed,
                         vise_error *err) {
  check_view view = {.as_json = options->json, .items = json_array()};
  print_notes(options, setup);

  const vise_train_config config = vise_i_cli_trainer_config(options, setup);
  vise_status status = vise_check(&config, setup->model, setup->train, on_item, &view, all_passed, err);
  if (status == VISE_OK && view.as_json) {
    json_t *object = json_object();
    vise_i_json_put(&object, "items", json_incref(view.items));
    vise_i_json_put(&object, "passed", json_boolean(*all_passed));
    status = vise_i_cli_print_json(object, err);
  } else if (status == VISE_OK) {
    (void)printf("%zu checks, %zu failed\n", view.n, view.n_failed);
  }

  json_decref(view.items);
  return status;
}

int vise_i_cli_check(int argc, char **argv) {
  vise_error err = VISE_ERROR_INIT;
  vise_i_cli_options options;
  vise_i_cli_setup setup;
  bool all_passed = false;

  memset(&setup, 0, sizeof setup);
  vise_i_cli_options_init(&options, VISE_COMMAND_CHECK);
  vise_status status = vise_i_cli_parse_arguments(&options, argc, argv, &err);
  if (status == VISE_OK) status = vise_i_cli_setup_make(&options, &setup, &err);
  if (status == VISE_OK) status = check(&options, &setup, &all_passed, &err);

  int code = status != VISE_OK ? vise_i_cli_report_error(VISE_COMMAND_CHECK, &err, status, VISE_I_CLI_NOTHING_DONE)
                               : vise_i_cli_end_output(VISE_COMMAND_CHECK, all_passed ? 0 : VISE_I_CLI_FAILED);

  vise_i_cli_setup_free(&setup);
  vise_i_cli_options_free(&options);
  return code;
}
