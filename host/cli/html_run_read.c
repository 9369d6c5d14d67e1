/* What a run left in its folder. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "host/cli/files.h"
#include "host/cli/html_run.h"
#include "host/cli/json_file.h"
#include "host/cli/message.h"

/* Of a longer file only some of the steps are read, so that it takes no longer. */
#define READ_BYTES 16e6

static vise_status out_of_memory(vise_error *err) {
  return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for the report");
}

/* ---- metrics.jsonl ------------------------------------------------------------------------------------------------------- */

/* NULL: it is made of others. */
static const char *const track_names[VISE_I_CLI_N_TRACKS] = {
    [VISE_I_CLI_TRAIN_LOSS] = "train_loss",     [VISE_I_CLI_VAL_LOSS] = "val_loss",
    [VISE_I_CLI_TEST_LOSS] = "test_loss",       [VISE_I_CLI_TRAIN_ACCURACY] = "train_accuracy",
    [VISE_I_CLI_VAL_ACCURACY] = "val_accuracy", [VISE_I_CLI_TEST_ACCURACY] = "test_accuracy",
    [VISE_I_CLI_GRAD_NORM] = "grad_norm",       [VISE_I_CLI_GRAD_NORM_CLIPPED] = "grad_norm_clipped",
    [VISE_I_CLI_AT_BOUND] = "at_bound",         [VISE_I_CLI_LR] = "lr",
    [VISE_I_CLI_PENALTY] = "penalty",           [VISE_I_CLI_NORM] = "norm"};

static bool grow(vise_i_cli_points *points) {
  if (points->n < points->room) return true;
  const size_t room = points->room > 0 ? 2 * points->room : 256;
  double *x = realloc(points->x, room * sizeof *x);
  if (x == NULL) return false;
  points->x = x;
  for (size_t i = 0; i < VISE_I_CLI_N_TRACKS; i++) {
    double *y = realloc(points->y[i], room * sizeof *y);
    if (y == NULL) return false;
    points->y[i] = y;
  }
  points->room = room;
  return true;
}

/* The next point, with what stands in `event` by its name. */
static bool take_point(vise_i_cli_points *points, double x, const json_t *event) {
  if (!grow(points)) return false;
  points->x[points->n] = x;
  for (size_t i = 0; i < VISE_I_CLI_N_TRACKS; i++) {
    points->y[i][points->n] = track_names[i] != NULL ? vise_i_cli_run_number(event, track_names[i]) : (double)NAN;
  }
  points->n++;
  return true;
}

static void set_last(const vise_i_cli_points *points, vise_i_cli_track track, double value) {
  points->y[track][points->n - 1] = value;
}

static bool take_layer(vise_i_cli_points *points, double epoch, const json_t *layer) {
  const double weights = vise_i_cli_run_number(layer, "weights"),
               at_bound =
                   vise_i_cli_run_number(layer, "at_lower_bound") + vise_i_cli_run_number(layer, "at_upper_bound");
  if (!take_point(points, epoch, layer)) return false;
  set_last(points, VISE_I_CLI_BOUND_SHARE, at_bound / weights);
  set_last(points, VISE_I_CLI_ZERO_SHARE, vise_i_cli_run_number(layer, "zero_weights") / weights);
  return true;
}

/* The layers of a record; of the net with the most of them, should a file hold several runs. */
static bool take_layers(vise_i_cli_run_files *run, double epoch, const json_t *layers) {
  const size_t n = json_array_size(layers);
  if (n > run->n_layers) {
    vise_i_cli_points *more = realloc(run->layers, n * sizeof *more);
    if (more == NULL) return false;
    memset(more + run->n_layers, 0, (n - run->n_layers) * sizeof *more);
    run->layers = more;
    run->n_layers = n;
  }
  for (size_t l = 0; l < n; l++) {
    if (!take_layer(&run->layers[l], epoch, json_array_get(layers, l))) return false;
  }
  return true;
}

/* The shares in all layers together. */
static void add_shares(const vise_i_cli_points *points, const json_t *event) {
  const json_t *layers = json_object_get(event, "layers");
  double weights = 0, boxed = 0, at_bound = 0, zero = 0;
  for (size_t l = 0; l < json_array_size(layers); l++) {
    const json_t *layer = json_array_get(layers, l);
    const double low = vise_i_cli_run_number(layer, "at_lower_bound"),
                 high = vise_i_cli_run_number(layer, "at_upper_bound");
    weights += vise_i_cli_run_number(layer, "weights");
    zero += vise_i_cli_run_number(layer, "zero_weights");
    if (!isfinite(low + high)) continue;
    boxed += vise_i_cli_run_number(layer, "weights");
    at_bound += low + high;
  }

  const double steps = vise_i_cli_run_number(event, "steps");
  set_last(points, VISE_I_CLI_BOUND_SHARE, at_bound / boxed);
  set_last(points, VISE_I_CLI_ZERO_SHARE, zero / weights);
  set_last(points, VISE_I_CLI_CLIPPED_SHARE, vise_i_cli_run_number(event, "steps_norm_clipped") / steps);
  set_last(points, VISE_I_CLI_SKIPPED_SHARE, vise_i_cli_run_number(event, "skipped_steps") / steps);
}

static bool take_epoch(vise_i_cli_run_files *run, const json_t *event) {
  const json_t *layers = json_object_get(event, "layers");
  const double epoch = vise_i_cli_run_number(event, "epoch");
  if (!take_point(&run->epochs, epoch, event)) return false;
  if (!json_is_array(layers)) return true;
  add_shares(&run->epochs, event);
  return take_layers(run, epoch, layers);
}

static vise_status take_event(vise_i_cli_run_files *run, const json_t *event, vise_error *err) {
  const char *kind = json_string_value(json_object_get(event, "event"));
  bool done = true;
  if (kind == NULL) return VISE_ERR_FORMAT;
  if (strcmp(kind, "epoch") == 0) done = take_epoch(run, event);
  if (strcmp(kind, "step") == 0) done = take_point(&run->steps, vise_i_cli_run_number(event, "step"), event);
  if (strcmp(kind, "end") == 0) {
    json_decref(run->end);
    run->end = json_incref((json_t *)(uintptr_t)event);
  }
  return done ? VISE_OK : out_of_memory(err);
}

/* One line in `every` of those that tell of a step. */
static bool is_passed_over(const char *line, size_t number, size_t every) {
  static const char step[] = "{\"event\":\"step\"";
  return every > 1 && number % every != 0 && strncmp(line, step, sizeof step - 1) == 0;
}

static vise_status read_lines(vise_i_cli_run_files *run, const char *path, FILE *stream, vise_error *err) {
  struct stat info;
  vise_i_cli_lines lines = {.stream = stream, .path = path};
  size_t every = 1;
  vise_status status;
  if (fstat(fileno(stream), &info) == 0) every += (size_t)((double)info.st_size / READ_BYTES);

  while ((status = vise_i_cli_lines_next(&lines, err)) == VISE_OK && lines.n > 0) {
    json_t *event = NULL;
    if (is_passed_over(lines.text, lines.number, every)) continue;
    status = vise_i_cli_lines_json(&lines, &event, err);
    if (status == VISE_OK) status = take_event(run, event, err);
    json_decref(event);
    if (status == VISE_OK) continue;
    if (status == VISE_ERR_FORMAT) vise_i_cli_fail(err, status, "%s:%zu: this line is no event", path, lines.number);
    break;
  }
  free(lines.text);
  return status;
}

static vise_status read_metrics(vise_i_cli_run_files *run, const char *path, vise_error *err) {
  FILE *stream = vise_i_cli_open(path);
  if (stream == NULL && errno == ENOENT) {
    return vise_i_cli_fail(err, VISE_ERR_USAGE,
                           "%s: there is neither a sweep (sweep.json) nor a run (metrics.jsonl) in it", run->dir);
  }
  if (stream == NULL) return vise_i_cli_fail(err, VISE_ERR_IO, "%s: cannot be read: %s", path, vise_i_cli_open_error());
  const vise_status status = read_lines(run, path, stream, err);
  (void)fclose(stream);
  return status;
}

/* ---- the others ---------------------------------------------------------------------------------------------------------- */

/* What this build does not know of the options is no reason to show nothing of the run. */
static vise_status read_config(vise_i_cli_run_files *run, const char *path, vise_error *err) {
  vise_error inner = VISE_ERROR_INIT;
  bool there = false;
  vise_status status = vise_i_cli_exists(path, &there, err);
  if (there) status = vise_i_cli_json_read(path, &run->config, err);
  if (!there || status != VISE_OK) return status;
  const vise_status taken = vise_i_cli_config_take(&run->options, path, run->config, &inner);
  run->has_options = taken == VISE_OK;
  return taken == VISE_ERR_MEMORY ? out_of_memory(err) : VISE_OK;
}

vise_status vise_i_cli_run_read(const char *dir, vise_i_cli_run_files *out, vise_error *err) {
  static const char *const names[] = {"metrics.jsonl", "config.json", "model.safetensors"};
  char *paths[3] = {NULL, NULL, NULL};
  const char *slash = strrchr(dir, '/');
  memset(out, 0, sizeof *out);
  out->dir = dir;
  out->name = slash != NULL && slash[1] != '\0' ? slash + 1 : dir;
  vise_i_cli_options_init(&out->options, VISE_COMMAND_TRAIN);

  vise_status status = VISE_OK;
  for (size_t i = 0; i < 3; i++) {
    if (asprintf(&paths[i], "%s/%s", dir, names[i]) >= 0) continue;
    paths[i] = NULL;
    status = out_of_memory(err);
  }
  if (status == VISE_OK) status = read_metrics(out, paths[0], err);
  if (status == VISE_OK) status = read_config(out, paths[1], err);
  bool has_model = false;
  if (status == VISE_OK) status = vise_i_cli_exists(paths[2], &has_model, err);
  if (has_model) status = vise_model_load(paths[2], &out->model, err);
  if (status == VISE_OK && has_model && out->epochs.n + out->steps.n == 0 && out->end == NULL) {
    status = vise_i_cli_fail(err, VISE_ERR_FORMAT, "%s: tells nothing of the run, which has a model: it was emptied",
                             paths[0]);
  }
  for (size_t i = 0; i < 3; i++) free(paths[i]);
  return status;
}

static void free_points(vise_i_cli_points *points) {
  free(points->x);
  for (size_t i = 0; i < VISE_I_CLI_N_TRACKS; i++) free(points->y[i]);
}

void vise_i_cli_run_free(vise_i_cli_run_files *run) {
  free_points(&run->epochs);
  free_points(&run->steps);
  for (size_t l = 0; l < run->n_layers; l++) free_points(&run->layers[l]);
  free(run->layers);
  json_decref(run->end);
  json_decref(run->config);
  vise_model_free(run->model);
  vise_i_cli_options_free(&run->options);
}

size_t vise_i_cli_run_weights_of(const vise_model *model, size_t l) {
  size_t tensor = 0, linear = 0;
  for (size_t i = 0; i < vise_model_n_listed(model); i++) {
    vise_layer layer;
    vise_layer_init(&layer);
    vise_model_layer(model, i, &layer);
    if (layer.kind == VISE_LAYER_LINEAR && linear++ == l) return tensor;
    if (layer.kind == VISE_LAYER_LINEAR) tensor += layer.bias ? 2 : 1;
    if (layer.kind == VISE_LAYER_BATCH_NORM) tensor += 2;
  }
  return tensor;
}

double vise_i_cli_run_number(const json_t *object, const char *name) {
  const json_t *value = json_object_get(object, name);
  return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

const json_t *vise_i_cli_run_judge(const vise_i_cli_run_files *run, const char **name) {
  static const char *const sets[] = {"test", "validation", "train"};
  static const char *const names[] = {"test", "validation", "training"};
  for (size_t i = 0; i < 3; i++) {
    const json_t *metrics = json_object_get(json_object_get(run->end, "metrics"), sets[i]);
    *name = names[i];
    if (isfinite(vise_i_cli_run_number(metrics, "loss"))) return metrics;
  }
  return NULL;
}
