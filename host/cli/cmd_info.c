/* vise info: what this build can do on this machine. */
#include <string.h>

#include "host/cli/cli.h"
#include "host/cli/parse.h"

enum { MAX_BACKENDS = 16 };

static void print_text(const vise_backend_info *backends, size_t n) {
  (void)printf("vise      %s\n", vise_version());
  (void)printf("build     %s\n", vise_build_options());
  (void)printf("jansson   %s\n", jansson_version_str());
  for (size_t i = 0; i < n; i++) {
    (void)printf("%s %-9s %s%s%s\n", i == 0 ? "backends " : "         ", vise_backend_name(backends[i].backend),
                 backends[i].available ? "available" : "not available", backends[i].detail[0] == '\0' ? "" : ": ",
                 backends[i].detail);
  }
}

static void print_json(const vise_backend_info *backends, size_t n) {
  json_t *object = json_object(), *list = json_array();
  for (size_t i = 0; i < n; i++) {
    json_t *item = json_object();
    (void)json_object_set_new(item, "backend", json_string(vise_backend_name(backends[i].backend)));
    (void)json_object_set_new(item, "available", json_boolean(backends[i].available));
    (void)json_object_set_new(item, "detail", json_string(backends[i].detail));
    (void)json_array_append_new(list, item);
  }
  (void)json_object_set_new(object, "version", json_string(vise_version()));
  (void)json_object_set_new(object, "build", json_string(vise_build_options()));
  (void)json_object_set_new(object, "jansson", json_string(jansson_version_str()));
  (void)json_object_set_new(object, "backends", list);
  vise_i_cli_print_json(object);
}

int vise_i_cli_info(int argc, char **argv) {
  vise_error err = VISE_ERROR_INIT;
  vise_i_cli_options options;
  /* train's options may follow --plan, so it is seen before they are refused as unknown. */
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--plan") == 0) {
      (void)fprintf(stderr, "vise info: --plan shows the plan of the cuda backend, which this build has not\n");
      return VISE_I_CLI_NOTHING_DONE;
    }
  }
  vise_i_cli_options_init(&options, VISE_I_CLI_INFO);
  vise_status status = vise_i_cli_parse_arguments(&options, argc, argv, &err);
  if (status == VISE_OK && options.plan) {
    status =
        vise_i_cli_fail(&err, VISE_ERR_UNSUPPORTED, "plan: the plan of the cuda backend, which this build has not");
  }
  int code = 0;
  if (status != VISE_OK) {
    code = vise_i_cli_report_error(VISE_I_CLI_INFO, &err, status, VISE_I_CLI_NOTHING_DONE);
  } else {
    vise_backend_info backends[MAX_BACKENDS];
    memset(backends, 0, sizeof backends);
    size_t n = vise_list_backends(backends, MAX_BACKENDS);
    if (n > MAX_BACKENDS) n = MAX_BACKENDS;
    if (options.json) {
      print_json(backends, n);
    } else {
      print_text(backends, n);
    }
    code = vise_i_cli_end_output(VISE_I_CLI_INFO, 0);
  }
  vise_i_cli_options_free(&options);
  return code;
}
