/* vise info: what this build can do on this machine. */
#include <string.h>

#include "host/cli/cli.h"
#include "host/cli/message.h"
#include "host/cli/recipe.h"
#include "host/json/build.h"

enum { MAX_BACKENDS = 16, MAX_DEVICES = 64 };

typedef struct findings {
  vise_backend_info backends[MAX_BACKENDS];
  vise_device_info devices[MAX_DEVICES];
  size_t n_backends, n_devices;
} findings;

static findings find(void) {
  findings f = {0};
  f.n_backends = vise_list_backends(f.backends, MAX_BACKENDS);
  f.n_devices = vise_list_devices(f.devices, MAX_DEVICES);
  if (f.n_backends > MAX_BACKENDS) f.n_backends = MAX_BACKENDS;
  if (f.n_devices > MAX_DEVICES) f.n_devices = MAX_DEVICES;
  return f;
}

static void print_device(const char *heading, const vise_device_info *device) {
  (void)printf("%-9s %d: %s, compute capability %d.%d%s, %d SMs, %.1f GiB\n", heading, device->index, device->name,
               device->compute_major, device->compute_minor, device->usable ? "" : " (too old)",
               device->n_multiprocessors, (double)device->memory_bytes / (1024.0 * 1024.0 * 1024.0));
}

static void print_text(const findings *f) {
  const vise_backend_info *backends = f->backends;
  (void)printf("vise      %s\n", vise_version());
  (void)printf("build     %s\n", vise_build_options());
  (void)printf("jansson   %s\n", jansson_version_str());

  for (size_t i = 0; i < f->n_backends; i++) {
    (void)printf("%s %-9s %s%s%s\n", i == 0 ? "backends " : "         ", vise_backend_name(backends[i].backend),
                 backends[i].available ? "available" : "not available", backends[i].detail[0] == '\0' ? "" : ": ",
                 backends[i].detail);
  }

  if (f->n_devices == 0) (void)printf("devices   none\n");
  for (size_t i = 0; i < f->n_devices; i++) print_device(i == 0 ? "devices" : "", &f->devices[i]);
}

static json_t *json_of_device(const vise_device_info *device) {
  json_t *item = json_object();
  char capability[32];
  (void)snprintf(capability, sizeof capability, "%d.%d", device->compute_major, device->compute_minor);
  vise_i_json_put(&item, "device", json_integer(device->index));
  vise_i_json_put(&item, "name", json_string(device->name));
  vise_i_json_put(&item, "usable", json_boolean(device->usable));
  vise_i_json_put(&item, "compute_capability", json_string(capability));
  vise_i_json_put(&item, "multiprocessors", json_integer(device->n_multiprocessors));
  vise_i_json_put(&item, "memory_bytes", json_integer((json_int_t)device->memory_bytes));
  return item;
}

static vise_status print_json(const findings *f, vise_error *err) {
  const vise_backend_info *backends = f->backends;
  json_t *object = json_object(), *list = json_array(), *devices = json_array();

  for (size_t i = 0; i < f->n_backends; i++) {
    json_t *item = json_object();
    vise_i_json_put(&item, "backend", json_string(vise_backend_name(backends[i].backend)));
    vise_i_json_put(&item, "available", json_boolean(backends[i].available));
    vise_i_json_put(&item, "detail", json_string(backends[i].detail));
    vise_i_json_add(&list, item);
  }

  vise_i_json_put(&object, "version", json_string(vise_version()));
  vise_i_json_put(&object, "build", json_string(vise_build_options()));
  vise_i_json_put(&object, "jansson", json_string(jansson_version_str()));
  vise_i_json_put(&object, "backends", list);

  for (size_t i = 0; i < f->n_devices; i++) {
    vise_i_json_add(&devices, json_of_device(&f->devices[i]));
  }
  vise_i_json_put(&object, "devices", devices);
  return vise_i_cli_print_json(object, err);
}

static vise_status print_findings(bool as_json, vise_error *err) {
  const findings f = find();
  if (as_json) return print_json(&f, err);
  print_text(&f);
  return VISE_OK;
}

int vise_i_cli_info(int argc, char **argv) {
  vise_error err = VISE_ERROR_INIT;
  vise_i_cli_options options;

  vise_i_cli_options_init(&options, VISE_COMMAND_INFO);
  vise_status status = vise_i_cli_parse_arguments(&options, argc, argv, &err);
  if (status == VISE_OK && options.plan) {
    status = vise_i_cli_info_plan(&options, &err);
  } else if (status == VISE_OK && options.recipes) {
    vise_i_cli_recipe_print(stdout);
  } else if (status == VISE_OK && options.model != NULL) {
    status = vise_i_cli_info_model(&options, &err);
  } else if (status == VISE_OK) {
    status = print_findings(options.json, &err);
  }

  const int code = vise_i_cli_end(VISE_COMMAND_INFO, status, &err, VISE_I_CLI_NOTHING_DONE);
  vise_i_cli_options_free(&options);
  return code;
}
