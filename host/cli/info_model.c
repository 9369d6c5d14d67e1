/* vise info MODEL: what a model is, what it takes and gives, and how it was trained. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/cli/cli.h"
#include "host/cli/files.h"
#include "host/cli/json_file.h"
#include "host/cli/message.h"
#include "host/cli/net_text.h"
#include "host/cli/report.h"
#include "host/cli/text_json.h"
#include "host/json/build.h"
#include "host/json/text.h"

/* What the folder of the run knows beside the model; NULL where it is not there. */
typedef struct findings {
  const vise_i_cli_options *options;
  vise_i_cli_model model;
  json_t *end; /* the last event of metrics.jsonl */
  json_t *config;
} findings;

enum { SHOWN_NUMBERS = 8 };

/* ---- finding -------------------------------------------------------------------------------------------------- */

/* The file name beside the model, or in it where it is a folder; malloc'ed. */
static char *path_beside(const char *model, bool is_folder, const char *name) {
  char *path = NULL;
  const char *slash = strrchr(model, '/');
  const int n = is_folder ? (int)strlen(model) : slash != NULL ? (int)(slash - model) : 1;
  return asprintf(&path, "%.*s/%s", n, is_folder || slash != NULL ? model : ".", name) < 0 ? NULL : path;
}

/* The last event "end" of a file; *out stays NULL where there is none, or no file. */
static vise_status read_end(const char *path, json_t **out, vise_error *err) {
  vise_i_cli_lines lines = {.stream = vise_i_cli_open(path), .path = path};
  if (lines.stream == NULL && (errno == ENOENT || errno == ENOTDIR)) return VISE_OK;
  if (lines.stream == NULL) {
    return vise_i_cli_fail(err, VISE_ERR_IO, "%s: cannot be opened: %s", path, vise_i_cli_open_error());
  }

  vise_status status;
  while ((status = vise_i_cli_lines_next(&lines, err)) == VISE_OK && lines.n > 0) {
    if (strncmp(lines.text, "{\"event\":\"end\"", 14) != 0) continue;
    json_decref(*out);
    *out = NULL;
    status = vise_i_cli_lines_json(&lines, out, err);
    if (status != VISE_OK) break;
  }
  free(lines.text);
  (void)fclose(lines.stream);
  return status;
}

/* The options of its run; *out stays NULL where there are none. What cannot be examined cannot be opened either. */
static vise_status read_config(const char *path, json_t **out, vise_error *err) {
  bool there = false;
  const vise_status status = vise_i_cli_exists(path, &there, err);
  return there ? vise_i_cli_json_read(path, out, err) : status;
}

static vise_status find(const vise_i_cli_options *options, findings *f, vise_error *err) {
  f->options = options;
  vise_status status = vise_i_cli_model_open(options, &f->model, err);
  if (status != VISE_OK) return status;

  struct stat info;
  if (stat(options->model, &info) != 0) {
    return vise_i_cli_fail(err, VISE_ERR_IO, "%s: cannot be examined: %s", options->model, strerror(errno));
  }
  const bool is_folder = S_ISDIR(info.st_mode);
  char *metrics = path_beside(options->model, is_folder, "metrics.jsonl");
  char *config = path_beside(options->model, is_folder, "config.json");
  if (metrics == NULL || config == NULL) status = vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for a path");
  if (status == VISE_OK) status = read_end(metrics, &f->end, err);
  if (status == VISE_OK) status = read_config(config, &f->config, err);
  free(metrics);
  free(config);
  return status;
}

/* ---- as text -------------------------------------------------------------------------------------------------- */

static vise_status print_scaling(const findings *f, const char *head, bool of_targets, vise_error *err) {
  const vise_model *model = f->model.model;
  const size_t n = vise_model_width(model, of_targets ? vise_model_n_layers(model) : 0);
  double *numbers = calloc(n, 2 * sizeof *numbers);
  if (numbers == NULL) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for the model's scaling");

  const vise_scale kind = of_targets ? vise_model_target_scaling(model, numbers, numbers + n)
                                     : vise_model_feature_scaling(model, numbers, numbers + n);
  (void)printf("%-15s %s", head, vise_scale_name(kind));
  for (size_t i = 0; kind == VISE_SCALE_STANDARD && i < n && i < SHOWN_NUMBERS; i++) {
    (void)printf("%s(x - %.6g) / %.6g", i == 0 ? ": " : ", ", numbers[i], numbers[n + i]);
  }
  (void)printf("%s\n", kind == VISE_SCALE_STANDARD && n > SHOWN_NUMBERS ? ", ..." : "");
  free(numbers);
  return VISE_OK;
}

static void print_column(const vise_column_info *c) {
  char place[32];
  (void)snprintf(place, sizeof place, "column %zu", c->place);
  (void)printf("  %-24s %-8s ", c->name != NULL ? c->name : place, vise_column_kind_name(c->kind));
  if (c->role == VISE_COLUMN_DROPPED) {
    (void)printf("left out: %s\n", c->reason);
  } else if (c->kind == VISE_COLUMN_TEXT) {
    (void)printf("%zu input%s for %zu value%s", c->n_inputs, vise_i_cli_plural(c->n_inputs), c->n_categories,
                 vise_i_cli_plural(c->n_categories));
    if (c->n_grouped > 0) (void)printf(", %zu rarer as one", c->n_grouped);
    (void)printf("\n");
  } else {
    (void)printf("(x - %.6g) / %.6g; a gap becomes %.6g%s\n", c->shift, c->scale, c->fill,
                 c->has_indicator ? " and is marked" : "");
  }
}

static void print_columns(const vise_preprocessor *p) {
  (void)printf("columns\n");
  for (size_t i = 0; i < vise_preprocessor_n_columns(p); i++) {
    vise_column_info info;
    if (vise_preprocessor_column(p, i, &info, NULL) != VISE_OK || info.role == VISE_COLUMN_TARGET) continue;
    print_column(&info);
  }

  (void)printf("%-15s", "target");
  for (size_t i = 0; i < vise_preprocessor_n_targets(p); i++) {
    const char *name = vise_preprocessor_target_name(p, i);
    (void)printf("%s %s", i > 0 ? "," : "", name != NULL ? name : "without a name");
  }
  (void)printf(": %s\n", vise_target_kind_name(vise_preprocessor_target_kind(p)));
  for (size_t k = 0; k < vise_preprocessor_n_classes(p); k++) {
    const size_t n_rows = vise_preprocessor_class_count(p, k);
    (void)printf("  %-24s %zu training row%s\n", vise_preprocessor_class_name(p, k), n_rows, vise_i_cli_plural(n_rows));
  }
}

/* An option of config.json: a text, a number or a flag; "off" for null. */
static vise_status print_option(const json_t *config, const char *name, vise_error *err) {
  const json_t *value = json_object_get(config, name);
  if (value == NULL) return VISE_OK;
  char *text = NULL;
  if (json_is_null(value)) {
    (void)printf(" --%s off", name);
    return VISE_OK;
  }

  const vise_status status =
      vise_i_json_text(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6), "an option", &text, NULL, err);
  if (status != VISE_OK) return status;
  const bool quoted = text[0] == '"';
  if (quoted) text[strlen(text) - 1] = '\0';
  (void)printf(" --%s %s", name, text + quoted);
  free(text);
  return VISE_OK;
}

static const char *text_of(const json_t *value) {
  return json_is_string(value) ? json_string_value(value) : "what is not known";
}

static vise_status print_training(const findings *f, vise_error *err) {
  static const char *const names[] = {"optimizer", "lr",        "lr-schedule",     "batch", "seed",    "l2",
                                      "l1",        "clip-norm", "decoupled-decay", "clamp", "max-norm"};
  static const char *const rare[] = {"quantize"}; /* shown where they are on */
  if (f->config != NULL) {
    (void)printf("%-15s", "options");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
      const vise_status status = print_option(f->config, names[i], err);
      if (status != VISE_OK) return status;
    }
    for (size_t i = 0; i < sizeof rare / sizeof *rare; i++) {
      const bool is_on = json_is_string(json_object_get(f->config, rare[i]));
      const vise_status status = is_on ? print_option(f->config, rare[i], err) : VISE_OK;
      if (status != VISE_OK) return status;
    }
    (void)printf("\n");
  }

  const json_t *recipe = json_object_get(f->end, "recipe"), *version = json_object_get(f->end, "version");
  if (recipe != NULL) (void)printf("%-15s %s\n", "recipe", text_of(recipe));
  if (version != NULL) (void)printf("%-15s vise %s\n", "trained by", text_of(version));
  if (f->end == NULL) {
    (void)printf("%-15s not known: no metrics.jsonl beside it tells of the end of its run\n", "training");
    return VISE_OK;
  }
  const json_int_t steps = json_integer_value(json_object_get(f->end, "steps"));
  const json_int_t epochs = json_integer_value(json_object_get(f->end, "epochs"));
  (void)printf("%-15s %lld step%s", "training", (long long)steps, vise_i_cli_plural((uint64_t)steps));
  if (epochs > 0) (void)printf(", %lld epoch%s", (long long)epochs, vise_i_cli_plural((uint64_t)epochs));
  (void)printf(", %.2f s, ended by %s\n", json_number_value(json_object_get(f->end, "seconds")),
               text_of(json_object_get(f->end, "reason")));
  return VISE_OK;
}

static vise_status print_text(const findings *f, vise_error *err) {
  const vise_model *model = f->model.model;
  const vise_net_config net = vise_i_cli_describe_net(model);
  (void)printf("%-15s %s\n%-15s ", "model", f->options->model, "net");
  vise_i_cli_print_net(stdout, &net, vise_model_n_parameters(model));
  (void)printf(", %s\n", vise_dtype_name(vise_model_dtype(model)));
  (void)printf("%-15s %s\n", "loss", vise_loss_name(vise_model_loss(model)));

  if (f->model.preprocessor != NULL) {
    print_columns(f->model.preprocessor);
  } else {
    const vise_status status = print_scaling(f, "features", false, err);
    if (status != VISE_OK) return status;
  }
  const vise_status status = print_scaling(f, "target scaling", true, err);
  return status == VISE_OK ? print_training(f, err) : status;
}

/* ---- as JSON -------------------------------------------------------------------------------------------------- */

static json_t *scaling_json(const vise_model *model, bool of_targets) {
  const size_t n = vise_model_width(model, of_targets ? vise_model_n_layers(model) : 0);
  json_t *object = json_object(), *shifts = json_array(), *scales = json_array();
  double *numbers = calloc(n, 2 * sizeof *numbers);

  if (numbers == NULL) {
    json_decref(object);
    object = NULL;
  } else {
    const vise_scale kind = of_targets ? vise_model_target_scaling(model, numbers, numbers + n)
                                       : vise_model_feature_scaling(model, numbers, numbers + n);
    vise_i_json_put(&object, "kind", json_string(vise_scale_name(kind)));
    for (size_t i = 0; kind != VISE_SCALE_NONE && i < n; i++) {
      vise_i_json_add(&shifts, vise_i_cli_json_real(numbers[i]));
      vise_i_json_add(&scales, vise_i_cli_json_real(numbers[n + i]));
    }
  }
  vise_i_json_put(&object, "shift", shifts);
  vise_i_json_put(&object, "scale", scales);
  free(numbers);
  return object;
}

static vise_status print_json(const findings *f, vise_error *err) {
  const vise_model *model = f->model.model;
  const vise_preprocessor *p = f->model.preprocessor;
  json_t *object = json_object();

  vise_i_json_put(&object, "model", vise_i_cli_text_to_json(f->options->model));
  vise_i_json_put(&object, "net", vise_i_cli_net_json(model));
  vise_i_json_put(&object, "dtype", json_string(vise_dtype_name(vise_model_dtype(model))));
  vise_i_json_put(&object, "loss", json_string(vise_loss_name(vise_model_loss(model))));
  vise_i_json_put(&object, "feature_scaling", scaling_json(model, false));
  vise_i_json_put(&object, "target_scaling", scaling_json(model, true));
  vise_i_json_put(&object, "columns", p != NULL ? vise_i_cli_columns_json(p) : json_null());
  vise_i_json_put(&object, "target", p != NULL ? vise_i_cli_target_json(p) : json_null());
  vise_i_json_put(&object, "training", f->end != NULL ? json_incref(f->end) : json_null());
  vise_i_json_put(&object, "options", f->config != NULL ? json_incref(f->config) : json_null());
  return vise_i_cli_print_json(object, err);
}

vise_status vise_i_cli_info_model(const vise_i_cli_options *options, vise_error *err) {
  findings f = {0};
  vise_status status = find(options, &f, err);
  if (status == VISE_OK && options->json) {
    status = print_json(&f, err);
  } else if (status == VISE_OK) {
    status = print_text(&f, err);
  }

  json_decref(f.end);
  json_decref(f.config);
  vise_i_cli_model_close(&f.model);
  return status;
}
