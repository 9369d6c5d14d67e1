/*
 * The files of a sweep. A fit that ended is a line of fits.jsonl at once, and the file is synced about every second: a
 * sweep that is killed loses the fits under way, one whose machine loses power also those of the last second.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/cli/files.h"
#include "host/cli/folder_use.h"
#include "host/cli/json_file.h"
#include "host/cli/message.h"
#include "host/cli/progress.h"
#include "host/cli/sweep.h"
#include "host/cli/text_json.h"
#include "host/json/build.h"
#include "host/json/text.h"
#include "vise/folder.h"

enum { FORMAT = 1, DUMP = JSON_COMPACT | JSON_REAL_PRECISION(17) };
#define SYNC_SECONDS 1.0

void vise_i_cli_sweep_path(const vise_i_cli_sweeping *s, const char *name, char path[VISE_I_CLI_PATH_BYTES]) {
  (void)snprintf(path, VISE_I_CLI_PATH_BYTES, "%s/%s", s->dir, name);
}

vise_status vise_i_cli_sweep_fail_file(const vise_i_cli_sweeping *s, const char *name, const char *what,
                                       vise_error *err) {
  const int number = errno;
  return vise_i_cli_fail(err, VISE_ERR_IO, "%s/%s: cannot be %s: %s", s->dir, name, what, strerror(number));
}

/* ---- files ---------------------------------------------------------------------------------------------------------- */

vise_status vise_i_cli_sweep_file_write(const vise_i_cli_sweeping *s, const char *name, const char *text, size_t n,
                                        vise_error *err) {
  char path[VISE_I_CLI_PATH_BYTES];
  vise_i_cli_sweep_path(s, name, path);
  return vise_file_save(path, text, n, err);
}

/* ---- sweep.json ------------------------------------------------------------------------------------------------------- */

/* The options that were given, which make the same sweep again. */
static json_t *options_json(const vise_i_cli_options *options) {
  json_t *object = json_object();
  for (size_t i = 0; i < options->n_rows; i++) {
    const vise_option *row = options->rows[i];
    if (options->source[i] == VISE_I_CLI_DEFAULT || row->change == VISE_OPTION_LOCAL) continue;
    char *text = vise_i_cli_text(options, row);
    json_t *value = NULL;
    if (text == NULL) {
      /* no memory for it: none for the object then */
    } else if (row->type == VISE_OPTION_FLAG) {
      value = json_boolean(strcmp(text, "yes") == 0);
    } else if ((row->flags & VISE_OPTION_REPEATABLE) != 0) {
      char *rest = text, *item;
      value = json_array();
      while ((item = strsep(&rest, row->type == VISE_OPTION_TEXT ? "\n" : ",")) != NULL) {
        vise_i_json_add(&value, vise_i_cli_text_to_json(item));
      }
    } else {
      value = vise_i_cli_text_to_json(text);
    }

    vise_i_json_put(&object, row->name, value);
    free(text);
  }
  return object;
}

/* The hashes of the rows, as they stand in sweep.json. */
typedef struct hashes {
  char data[24], all[24];
} hashes;

static vise_status make_hashes(const vise_i_cli_sweeping *s, hashes *out, vise_error *err) {
  uint64_t data = 0, all = 0;
  vise_status status = vise_i_cli_sweep_data_hash(s, &data, err);
  if (status == VISE_OK) status = vise_i_cli_sweep_all_hash(s, &all, err);
  (void)snprintf(out->data, sizeof out->data, "%016" PRIx64, data);
  (void)snprintf(out->all, sizeof out->all, "%016" PRIx64, all);
  return status;
}

vise_status vise_i_cli_sweep_json_text(const vise_i_cli_sweeping *s, char **out, vise_error *err) {
  hashes hash;
  const vise_i_cli_setup *first = &s->data[0].setups[0];
  vise_status status = make_hashes(s, &hash, err);
  if (status != VISE_OK) return status;

  json_t *root =
      json_pack("{s:i, s:s, s:o, s:s, s:b, s:I, s:I, s:I, s:o, s:o, s:{s:I, s:I, s:s, s:s}}", "format", FORMAT,
                "version", vise_version(), "options", options_json(s->options), "score",
                vise_i_cli_score_name(s->options->score), "larger_is_better", s->larger_is_better, "configs",
                (json_int_t)s->n_configs, "folds", (json_int_t)s->n_folds, "repeats", (json_int_t)s->n_repeats,
                "varied", vise_i_cli_sweep_axes_json(s), "rungs", vise_i_cli_sweep_rungs_json(s), "data", "rows",
                (json_int_t)(vise_dataset_n_rows(first->train) + vise_dataset_n_rows(first->validation)), "inputs",
                (json_int_t)vise_dataset_n_features(first->train), "hash", hash.data, "all_hash", hash.all);
  vise_i_json_put(&root, "fits", json_integer((json_int_t)vise_i_cli_sweep_n_planned(s)));
  if (s->has_winner) vise_i_json_put(&root, "choice", vise_i_cli_sweep_choice_json(s));

  size_t n = 0;
  status = vise_i_json_text(root, JSON_INDENT(2) | JSON_REAL_PRECISION(17), "sweep.json", out, &n, err);
  json_decref(root);
  return status;
}

vise_status vise_i_cli_sweep_json_write(const vise_i_cli_sweeping *s, vise_error *err) {
  char *text = NULL;
  if (s->dir == NULL) return VISE_OK;
  vise_status status = vise_i_cli_sweep_json_text(s, &text, err);
  if (status == VISE_OK) status = vise_i_cli_sweep_file_write(s, "sweep.json", text, strlen(text), err);
  free(text);
  return status;
}

/* Whether the options that count are those in sweep.json, which were read before the folder was locked. */
static vise_status check_options(const vise_i_cli_sweeping *s, const json_t *before, vise_error *err) {
  json_t *now = options_json(s->options);
  bool same = true;
  if (now == NULL) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for the options");
  for (size_t i = 0; same && i < s->options->n_rows; i++) {
    const vise_option *row = s->options->rows[i];
    const json_t *a = json_object_get(now, row->name), *b = json_object_get(before, row->name);
    if (row->change == VISE_OPTION_FREE || row->change == VISE_OPTION_LOCAL) continue;
    same = a == b || (a != NULL && b != NULL && json_equal(a, b) != 0);
  }
  json_decref(now);
  if (same) return VISE_OK;
  return vise_i_cli_fail(err, VISE_ERR_STATE, "%s: another sweep has taken the place of this one just now", s->dir);
}

/* The rows are those that the sweep began with. */
vise_status vise_i_cli_sweep_check_same(const vise_i_cli_sweeping *s, vise_error *err) {
  char path[VISE_I_CLI_PATH_BYTES];
  json_t *root = NULL;
  hashes now;
  vise_i_cli_sweep_path(s, "sweep.json", path);
  vise_status status = make_hashes(s, &now, err);
  if (status == VISE_OK) status = vise_i_cli_json_read(path, &root, err);
  if (status != VISE_OK) return status;

  const json_t *data = json_object_get(root, "data");
  const char *before = json_string_value(json_object_get(data, "hash"));
  const char *all_before = json_string_value(json_object_get(data, "all_hash"));
  const bool same = before != NULL && strcmp(before, now.data) == 0;
  const bool all_same = all_before == NULL || strcmp(all_before, now.all) == 0;
  status = check_options(s, json_object_get(root, "options"), err);
  if (status == VISE_OK && !same) {
    status = vise_i_cli_fail(
        err, VISE_ERR_STATE,
        "%s: the rows of %s, or how they are split, are not those that this sweep began with; begin a new "
        "one",
        s->dir, s->options->train);
  } else if (status == VISE_OK && !all_same) {
    status = vise_i_cli_fail(
        err, VISE_ERR_STATE,
        "%s: the row weights or the test rows are not those that this sweep began with; begin a new one", s->dir);
  }
  json_decref(root);
  return status;
}

/* ---- fits.jsonl ------------------------------------------------------------------------------------------------------- */

static const char *const status_names[] = {"open", "ok", "stopped", "nonfinite"};

static void set_number(json_t **object, const char *name, double value) {
  vise_i_json_put(object, name, isfinite(value) ? json_real(value) : json_null());
}

vise_status vise_i_cli_sweep_folder_add(vise_i_cli_sweeping *s, size_t config, size_t split, const char *text,
                                        vise_error *err) {
  const vise_i_cli_fit *fit = vise_i_cli_fit_at(s, config, split);
  if (s->dir == NULL) return VISE_OK;

  json_t *object =
      json_pack("{s:I, s:I, s:I, s:o}", "config", (json_int_t)config, "repeat", (json_int_t)(split / s->n_folds),
                "fold", (json_int_t)(split % s->n_folds + 1), "params", vise_i_cli_sweep_params_json(s, config));
  set_number(&object, "score", fit->score);
  vise_i_json_put(&object, "epochs", json_integer((json_int_t)fit->epochs));
  set_number(&object, "seconds", fit->seconds);
  vise_i_json_put(&object, "status", json_string(status_names[fit->status]));
  vise_i_json_put(&object, "rung", json_integer((json_int_t)fit->n_rungs));
  if (s->n_rungs > 1) vise_i_json_put(&object, "round", json_integer((json_int_t)s->round));
  if (fit->best_epoch > 0) vise_i_json_put(&object, "best_epoch", json_integer((json_int_t)fit->best_epoch));
  set_number(&object, "train_score", fit->train_score);
  set_number(&object, "at_bound", fit->at_bound);
  set_number(&object, "clipped", fit->clipped);
  if (text != NULL) vise_i_json_put(&object, "error", vise_i_cli_text_to_json(text));

  char *line = NULL;
  size_t n = 0;
  const vise_status made = vise_i_json_text(object, DUMP, "fits.jsonl", &line, &n, err);
  json_decref(object);
  if (made != VISE_OK) return made;
  line[n] = '\n'; /* in the place of the end, which write does not need */
  const bool written = vise_i_cli_write_all(s->fits_file, line, n + 1);
  free(line);

  if (!written) {
    const vise_status status = vise_i_cli_sweep_fail_file(s, "fits.jsonl", "written", err);
    (void)vise_i_cli_cut(s->fits_file, s->fits_bytes);
    return status;
  }
  s->fits_bytes += n + 1;
  return vise_i_cli_seconds() - s->last_sync >= SYNC_SECONDS ? vise_i_cli_sweep_folder_sync(s, err) : VISE_OK;
}

vise_status vise_i_cli_sweep_folder_sync(vise_i_cli_sweeping *s, vise_error *err) {
  if (s->dir == NULL) return VISE_OK;
  s->last_sync = vise_i_cli_seconds();
  int failed;
  do failed = fdatasync(s->fits_file);
  while (failed != 0 && errno == EINTR);
  return failed == 0 ? VISE_OK : vise_i_cli_sweep_fail_file(s, "fits.jsonl", "synced", err);
}

static double number_of(const json_t *object, const char *name) {
  const json_t *value = json_object_get(object, name);
  return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

/* One line. VISE_ERR_FORMAT: it is none of this sweep. */
static vise_status take_line(vise_i_cli_sweeping *s, const json_t *object) {
  const json_int_t config = json_integer_value(json_object_get(object, "config")),
                   repeat = json_integer_value(json_object_get(object, "repeat")),
                   fold = json_integer_value(json_object_get(object, "fold")),
                   rung = json_integer_value(json_object_get(object, "rung"));
  const char *status = json_string_value(json_object_get(object, "status"));
  if (config < 0 || (size_t)config >= s->n_configs || repeat < 0 || (size_t)repeat >= s->n_repeats || fold < 1 ||
      (size_t)fold > s->n_folds || rung < 1 || (size_t)rung > s->n_rungs || status == NULL) {
    return VISE_ERR_FORMAT;
  }

  json_t *params = vise_i_cli_sweep_params_json(s, (size_t)config);
  const bool made = params != NULL, same = json_equal(params, json_object_get(object, "params")) != 0;
  json_decref(params);
  if (!made || !same) return made ? VISE_ERR_FORMAT : VISE_ERR_MEMORY;

  const size_t split = (size_t)repeat * s->n_folds + (size_t)fold - 1;
  vise_i_cli_fit *fit = vise_i_cli_fit_at(s, (size_t)config, split);
  if (strcmp(status, "ok") == 0) {
    fit->status = VISE_I_CLI_FIT_OK;
  } else if (strcmp(status, "stopped") == 0) {
    fit->status = VISE_I_CLI_FIT_STOPPED;
  } else if (strcmp(status, "nonfinite") == 0) {
    fit->status = VISE_I_CLI_FIT_NONFINITE;
  } else {
    return VISE_ERR_FORMAT;
  }

  fit->n_rungs = (size_t)rung;
  fit->score = fit->status == VISE_I_CLI_FIT_NONFINITE ? (double)INFINITY : number_of(object, "score");
  if (isnan(fit->score)) return VISE_ERR_FORMAT;
  if (fit->status == VISE_I_CLI_FIT_STOPPED) {
    *vise_i_cli_rung_score(s, (size_t)config, split, fit->n_rungs) = fit->score;
  }
  fit->train_score = number_of(object, "train_score");
  fit->seconds = number_of(object, "seconds");
  fit->epochs = (uint64_t)json_integer_value(json_object_get(object, "epochs"));
  fit->best_epoch = (uint64_t)json_integer_value(json_object_get(object, "best_epoch"));
  fit->at_bound = number_of(object, "at_bound");
  fit->clipped = number_of(object, "clipped");
  return VISE_OK;
}

/* Reads the fits that are done. A last line that was cut is cut off; any other that is damaged is an error. */
static vise_status read_fits(vise_i_cli_sweeping *s, vise_error *err) {
  const int copy = dup(s->fits_file);
  FILE *stream = copy >= 0 ? fdopen(copy, "r") : NULL;
  char path[VISE_I_CLI_PATH_BYTES];
  vise_i_cli_lines lines = {.stream = stream, .path = path};
  vise_status status;
  if (stream == NULL && copy >= 0) (void)close(copy);
  if (stream == NULL) return vise_i_cli_sweep_fail_file(s, "fits.jsonl", "read", err);

  vise_i_cli_sweep_path(s, "fits.jsonl", path);
  (void)fseek(stream, 0, SEEK_SET);
  while ((status = vise_i_cli_lines_next(&lines, err)) == VISE_OK && lines.n > 0) {
    json_t *object = NULL;
    status = vise_i_cli_lines_json(&lines, &object, NULL);
    if (status == VISE_OK) status = take_line(s, object);
    json_decref(object);
    s->fits_bytes += lines.n;

    if (status == VISE_OK) continue;
    if (status == VISE_ERR_MEMORY) vise_i_cli_fail(err, status, "out of memory for %s", path);
    vise_i_cli_fail(err, status,
                    "%s:%zu: this line is damaged, or of another sweep; without it the fit is trained again", path,
                    lines.number);
    break;
  }

  free(lines.text);
  (void)fclose(stream);
  if (status == VISE_OK && !vise_i_cli_cut(s->fits_file, s->fits_bytes)) {
    return vise_i_cli_sweep_fail_file(s, "fits.jsonl", "written", err);
  }
  return status;
}

vise_status vise_i_cli_sweep_fits_open(vise_i_cli_sweeping *s, vise_error *err) {
  char path[VISE_I_CLI_PATH_BYTES];
  vise_i_cli_sweep_path(s, "fits.jsonl", path);
  s->fits_file = vise_i_cli_open_own(path, O_APPEND);
  if (s->fits_file < 0) {
    return vise_i_cli_fail(err, VISE_ERR_IO, "%s: cannot be written: %s", path, vise_i_cli_open_error());
  }
  vise_i_cli_use_show(s->fits_file);
  s->last_sync = vise_i_cli_seconds();
  return s->resumes ? read_fits(s, err) : VISE_OK;
}
