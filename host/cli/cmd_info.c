/* vise info: what this build can do on this machine. */
#include <string.h>

#include "host/cli/cli.h"
#include "host/cli/message.h"
#include "host/cli/recipe.h"

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
  (void)json_object_set_new(item, "device", json_integer(device->index));
  (void)json_object_set_new(item, "name", json_string(device->name));
  (void)json_object_set_new(item, "usable", json_boolean(device->usable));
  (void)json_object_set_new(item, "compute_capability", json_string(capability));
  (void)json_object_set_new(item, "multiprocessors", json_integer(device->n_multiprocessors));
  (void)json_object_set_new(item, "memory_bytes", json_integer((json_int_t)device->memory_bytes));
  return item;
}

static void print_json(const findings *f) {
  const vise_backend_info *backends = f->backends;
  json_t *object = json_object(), *list = json_array(), *devices = json_array();

  for (size_t i = 0; i < f->n_backends; i++) {
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

  for (size_t i = 0; i < f->n_devices; i++) {
    (void)json_array_append_new(devices, json_of_device(&f->devices[i]));
  }
  (void)json_object_set_new(object, "devices", devices);
  vise_i_cli_print_json(object);
}

static void print_findings(bool as_json) {
  const findings f = find();
  if (as_json) {
    print_json(&f);
  } else {
    print_text(&f);
  }
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
    print_findings(options.json);
  }

  const int code = vise_i_cli_end(VISE_COMMAND_INFO, status, &err, VISE_I_CLI_NOTHING_DONE);
  vise_i_cli_options_free(&options);
  return code;
}
