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
#include <sys/stat.h>
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
  vise_i_json_put(&root, "backend", json_string(vise_i_cli_sweep_backend(s)));
  if (s->probe[0] != '\0') vise_i_json_put(&root, "probe", json_string(s->probe));
  vise_i_json_put(&root, "fits", json_integer((json_int_t)vise_i_cli_sweep_n_planned(s)));
  if (s->has_winner) vise_i_json_put(&root, "choice", vise_i_cli_sweep_choice_json(s));

  size_t n = 0;
  status = vise_i_json_text(root, JSON_INDENT(2) | JSON_REAL_PRECISION(17), "sweep.json", out, &n, err);
  json_decref(root);
  return status;
}

/* That of those who began it, where paths may be others, with the choice. */
static vise_status joined_json_text(const vise_i_cli_sweeping *s, char **out, vise_error *err) {
  char path[VISE_I_CLI_PATH_BYTES];
  json_t *root = NULL;
  vise_i_cli_sweep_path(s, "sweep.json", path);
  vise_status status = vise_i_cli_json_read(path, &root, err);
  if (status != VISE_OK) return status;
  if (s->has_winner) vise_i_json_put(&root, "choice", vise_i_cli_sweep_choice_json(s));
  status = vise_i_json_text(root, JSON_INDENT(2) | JSON_REAL_PRECISION(17), "sweep.json", out, NULL, err);
  json_decref(root);
  return status;
}

vise_status vise_i_cli_sweep_json_write(const vise_i_cli_sweeping *s, vise_error *err) {
  char *text = NULL;
  if (s->dir == NULL) return VISE_OK;
  vise_status status = s->joins ? joined_json_text(s, &text, err) : vise_i_cli_sweep_json_text(s, &text, err);
  if (status == VISE_OK) status = vise_i_cli_sweep_file_write(s, "sweep.json", text, strlen(text), err);
  free(text);
  return status;
}

/* A file may have another path for those who join. */
static bool may_differ(const vise_i_cli_sweeping *s, const vise_option *row) {
  return row->change == VISE_OPTION_FREE || row->change == VISE_OPTION_LOCAL ||
         (s->joins && row->type == VISE_OPTION_PATH);
}

/* Whether the options that count are those in sweep.json, which were read before the folder was locked. */
static vise_status check_options(const vise_i_cli_sweeping *s, const json_t *before, vise_error *err) {
  json_t *now = options_json(s->options);
  bool same = true;
  if (now == NULL) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for the options");
  for (size_t i = 0; same && i < s->options->n_rows; i++) {
    const vise_option *row = s->options->rows[i];
    const json_t *a = json_object_get(now, row->name), *b = json_object_get(before, row->name);
    if (may_differ(s, row)) continue;
    same = a == b || (a != NULL && b != NULL && json_equal(a, b) != 0);
  }
  json_decref(now);
  if (same) return VISE_OK;
  return vise_i_cli_fail(err, VISE_ERR_STATE, "%s: another sweep has taken the place of this one just now", s->dir);
}

/* The rows are those that the sweep began with. */
static vise_status check_hashes(const vise_i_cli_sweeping *s, const json_t *data, const hashes *now, vise_error *err) {
  const char *what_to_do =
      s->joins ? "give the files that it began with, by --train and the others" : "begin a new one";
  const char *before = json_string_value(json_object_get(data, "hash"));
  const char *all_before = json_string_value(json_object_get(data, "all_hash"));
  if (before == NULL || strcmp(before, now->data) != 0) {
    return vise_i_cli_fail(err, VISE_ERR_STATE,
                           "%s: the rows of %s, or how they are split, are not those that this sweep began with; %s",
                           s->dir, s->options->train, what_to_do);
  }
  if (all_before == NULL || strcmp(all_before, now->all) == 0) return VISE_OK;
  return vise_i_cli_fail(err, VISE_ERR_STATE,
                         "%s: the row weights or the test rows are not those that this sweep began with; %s", s->dir,
                         what_to_do);
}

vise_status vise_i_cli_sweep_check_same(vise_i_cli_sweeping *s, vise_error *err) {
  char path[VISE_I_CLI_PATH_BYTES];
  json_t *root = NULL;
  hashes now;
  vise_i_cli_sweep_path(s, "sweep.json", path);
  vise_status status = make_hashes(s, &now, err);
  if (status == VISE_OK) status = vise_i_cli_json_read(path, &root, err);
  if (status != VISE_OK) return status;

  status = check_options(s, json_object_get(root, "options"), err);
  if (status == VISE_OK) status = check_hashes(s, json_object_get(root, "data"), &now, err);
  if (status == VISE_OK && s->joins) status = vise_i_cli_sweep_check_bits(s, root, err);
  const char *probe = json_string_value(json_object_get(root, "probe"));
  (void)snprintf(s->probe, sizeof s->probe, "%s", probe != NULL ? probe : "");
  json_decref(root);
  return status;
}

/* ---- fits.jsonl ------------------------------------------------------------------------------------------------------- */

static const char *const status_names[] = {"open", "ok", "stopped", "nonfinite"};

static void set_number(json_t **object, const char *name, double value) {
  vise_i_json_put(object, name, isfinite(value) ? json_real(value) : json_null());
}

vise_status vise_i_cli_sweep_folder_add(vise_i_cli_sweeping *s, uint64_t id, const vise_i_cli_fit *fit,
                                        const char *text, vise_error *err) {
  const size_t config = id / s->n_splits, split = id % s->n_splits;
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
    const vise_status status = vise_i_cli_sweep_fail_file(s, s->fits_name, "written", err);
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
  return failed == 0 ? VISE_OK : vise_i_cli_sweep_fail_file(s, s->fits_name, "synced", err);
}

static double number_of(const json_t *object, const char *name) {
  const json_t *value = json_object_get(object, name);
  return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static size_t count_of(const json_t *object, const char *name, size_t missing) {
  const json_t *value = json_object_get(object, name);
  return json_is_integer(value) && json_integer_value(value) >= 0 ? (size_t)json_integer_value(value) : missing;
}

static bool take_status(const char *name, vise_i_cli_fit_status *out) {
  for (size_t i = VISE_I_CLI_FIT_OK; name != NULL && i <= VISE_I_CLI_FIT_NONFINITE; i++) {
    *out = (vise_i_cli_fit_status)i;
    if (strcmp(name, status_names[i]) == 0) return true;
  }
  return false;
}

/* Which fit a line is of. VISE_ERR_FORMAT: of none of this sweep. */
static vise_status take_place(const vise_i_cli_sweeping *s, const json_t *object, size_t *config, size_t *split) {
  const size_t repeat = count_of(object, "repeat", SIZE_MAX), fold = count_of(object, "fold", 0);
  *config = count_of(object, "config", SIZE_MAX);
  if (*config >= s->n_configs || repeat >= s->n_repeats || fold < 1 || fold > s->n_folds) return VISE_ERR_FORMAT;
  *split = repeat * s->n_folds + fold - 1;

  json_t *params = vise_i_cli_sweep_params_json(s, *config);
  const bool made = params != NULL, same = json_equal(params, json_object_get(object, "params")) != 0;
  json_decref(params);
  return !made ? VISE_ERR_MEMORY : same ? VISE_OK : VISE_ERR_FORMAT;
}

/* What became of it there; *round: in which it was trained. Earlier versions do not say that of a fit that ended. */
static vise_status take_fit(const vise_i_cli_sweeping *s, const json_t *object, vise_i_cli_fit *fit, size_t *round) {
  *fit = (vise_i_cli_fit){.n_rungs = count_of(object, "rung", 0)};
  if (fit->n_rungs < 1 || fit->n_rungs > s->n_rungs ||
      !take_status(json_string_value(json_object_get(object, "status")), &fit->status)) {
    return VISE_ERR_FORMAT;
  }
  const bool ended = fit->status != VISE_I_CLI_FIT_STOPPED;
  *round = ended ? count_of(object, "round", 1) : fit->n_rungs;
  if (*round < 1 || *round > s->n_rungs) return VISE_ERR_FORMAT;
  if (ended) fit->ended_round = *round;

  fit->score = fit->status == VISE_I_CLI_FIT_NONFINITE ? (double)INFINITY : number_of(object, "score");
  if (isnan(fit->score)) return VISE_ERR_FORMAT;
  fit->train_score = number_of(object, "train_score");
  fit->seconds = number_of(object, "seconds");
  fit->epochs = (uint64_t)json_integer_value(json_object_get(object, "epochs"));
  fit->best_epoch = (uint64_t)json_integer_value(json_object_get(object, "best_epoch"));
  fit->at_bound = number_of(object, "at_bound");
  fit->clipped = number_of(object, "clipped");
  return VISE_OK;
}

/* One line; *is_new: it tells what was not known. Lines of one fit may come in any order, and twice. */
static vise_status take_line(vise_i_cli_sweeping *s, const json_t *object, bool *is_new) {
  size_t config, split, round = 0;
  vise_i_cli_fit taken;
  vise_status status = take_place(s, object, &config, &split);
  if (status == VISE_OK) status = take_fit(s, object, &taken, &round);
  if (status != VISE_OK) return status;

  vise_i_cli_fit *fit = vise_i_cli_fit_at(s, config, split);
  *is_new = !vise_i_cli_fit_is_done(s, config, split, round);
  if (taken.status == VISE_I_CLI_FIT_STOPPED) *vise_i_cli_rung_score(s, config, split, round) = taken.score;
  if (taken.n_rungs > fit->n_rungs) *fit = taken;
  return VISE_OK;
}

/* Takes the whole lines of an open file, of which *at bytes are known; what is damaged is an error. */
static vise_status take_lines(vise_i_cli_sweeping *s, vise_i_cli_lines *lines, uint64_t *at, size_t *n_new,
                              vise_error *err) {
  vise_status status;
  while ((status = vise_i_cli_lines_next(lines, err)) == VISE_OK && lines->n > 0) {
    json_t *object = NULL;
    bool is_new = false;
    status = vise_i_cli_lines_json(lines, &object, NULL);
    if (status == VISE_OK) status = take_line(s, object, &is_new);
    json_decref(object);
    *at += lines->n;
    *n_new += is_new;

    if (status == VISE_OK) continue;
    if (status == VISE_ERR_MEMORY) vise_i_cli_fail(err, status, "out of memory for %s", lines->path);
    vise_i_cli_fail(err, status,
                    "%s:%zu: this line is damaged, or of another sweep; without it the fit is trained again",
                    lines->path, lines->number);
    break;
  }
  free(lines->text);
  return status;
}

/* Reads the fits that are done. A last line that was cut is cut off. */
static vise_status read_fits(vise_i_cli_sweeping *s, vise_error *err) {
  const int copy = dup(s->fits_file);
  FILE *stream = copy >= 0 ? fdopen(copy, "r") : NULL;
  char path[VISE_I_CLI_PATH_BYTES];
  vise_i_cli_lines lines = {.stream = stream, .path = path};
  size_t n_new = 0;
  if (stream == NULL && copy >= 0) (void)close(copy);
  if (stream == NULL) return vise_i_cli_sweep_fail_file(s, "fits.jsonl", "read", err);

  vise_i_cli_sweep_path(s, "fits.jsonl", path);
  (void)fseek(stream, 0, SEEK_SET);
  const vise_status status = take_lines(s, &lines, &s->fits_bytes, &n_new, err);
  (void)fclose(stream);
  if (status == VISE_OK && !vise_i_cli_cut(s->fits_file, s->fits_bytes)) {
    return vise_i_cli_sweep_fail_file(s, "fits.jsonl", "written", err);
  }
  return status;
}

/* Where its new lines begin. */
static bool go_to_news(FILE *stream, vise_i_cli_followed *followed) {
  struct stat info;
  if (fstat(fileno(stream), &info) != 0) return false;
  if (info.st_dev != followed->device || info.st_ino != followed->inode) {
    *followed = (vise_i_cli_followed){0, info.st_dev, info.st_ino};
  }
  return fseeko(stream, (off_t)followed->n_bytes, SEEK_SET) == 0;
}

vise_status vise_i_cli_sweep_fits_follow(vise_i_cli_sweeping *s, const char *name, vise_i_cli_followed *followed,
                                         size_t *n_new, vise_error *err) {
  char path[VISE_I_CLI_PATH_BYTES];
  vise_i_cli_sweep_path(s, name, path);
  vise_i_cli_lines lines = {.stream = vise_i_cli_open(path), .path = path};
  if (lines.stream == NULL && errno == ENOENT) return VISE_OK;
  if (lines.stream == NULL) {
    return vise_i_cli_fail(err, VISE_ERR_IO, "%s: cannot be read: %s", path, vise_i_cli_open_error());
  }

  const vise_status status = go_to_news(lines.stream, followed) ? take_lines(s, &lines, &followed->n_bytes, n_new, err)
                                                                : vise_i_cli_sweep_fail_file(s, name, "read", err);
  (void)fclose(lines.stream);
  return status;
}

vise_status vise_i_cli_sweep_fits_open(vise_i_cli_sweeping *s, vise_error *err) {
  char path[VISE_I_CLI_PATH_BYTES];
  s->fits_name = "fits.jsonl";
  vise_i_cli_sweep_path(s, "fits.jsonl", path);
  s->fits_file = vise_i_cli_open_own(path, O_APPEND);
  if (s->fits_file < 0) {
    return vise_i_cli_fail(err, VISE_ERR_IO, "%s: cannot be written: %s", path, vise_i_cli_open_error());
  }
  vise_i_cli_use_show(s->fits_file);
  s->last_sync = vise_i_cli_seconds();
  return s->resumes ? read_fits(s, err) : VISE_OK;
}
