#include "host/train/earlier_run.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/base/file.h"
#include "host/base/memory.h"
#include "host/base/temporary.h"
#include "host/json/read.h"
#include "host/model/checkpoint.h"
#include "host/model/model.h"
#include "host/model/safetensors.h"
#include "host/train/run_lock.h"

enum { MAX_CONFIG_BYTES = 1 << 20, START_BYTES = 1 << 16 };

/* ---- whether a file is from a run ------------------------------------------------------------------------------ */

/* Every training has these options, and no other program has all of their names. */
static bool has_our_keys(const json_t *object) {
  static const char *const keys[] = {"loss", "optimizer", "lr", "penalty-convention", "clip-norm-type", "nonfinite"};
  bool all = true;
  for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) all = all && json_object_get(object, keys[i]) != NULL;
  return all;
}

/* *out NULL: the text is not JSON. */
static vise_status read_json(const char *path, const char *text, size_t n, json_t **out, vise_error *err) {
  const vise_status status = vise_i_json_parse(text, n, out, NULL);
  return status == VISE_ERR_MEMORY ? vise_i_fail_memory(err, 0, path) : VISE_OK;
}

static vise_status is_config(const char *path, bool *out, vise_error *err) {
  uint8_t *bytes = NULL;
  size_t n = 0;
  struct stat info;
  if (stat(path, &info) == 0 && info.st_size > MAX_CONFIG_BYTES) return VISE_OK;

  const vise_status status = vise_i_read_file(path, MAX_CONFIG_BYTES, &bytes, &n, err);
  if (status != VISE_OK) return status;

  json_t *object = NULL;
  const vise_status parsed = read_json(path, (const char *)bytes, n, &object, err);
  *out = has_our_keys(object);
  json_decref(object);
  free(bytes);
  return parsed;
}

static vise_status is_event(const char *path, const char *line, size_t n, bool *out, vise_error *err) {
  static const struct {
    const char *event, *keys[2];
  } events[] = {{"step", {"lr", "grad_norm"}}, {"epoch", {"train_loss", "seconds"}}, {"end", {"reason", "launches"}}};
  json_t *object = NULL;
  const vise_status status = read_json(path, line, n, &object, err);
  const char *name = json_string_value(json_object_get(object, "event"));
  bool found = false;

  for (size_t i = 0; name != NULL && i < sizeof(events) / sizeof(events[0]); i++) {
    found |= strcmp(name, events[i].event) == 0 && json_object_get(object, events[i].keys[0]) != NULL &&
             json_object_get(object, events[i].keys[1]) != NULL;
  }
  json_decref(object);
  *out = found;
  return status;
}

/* Whether the first n bytes of a file are events; the last line may be cut. */
static vise_status are_events(const char *path, const char *text, size_t n, bool *out, vise_error *err) {
  static const char start[] = "{\"event\":\"";
  size_t at = 0;

  while (at < n) {
    const char *end = memchr(text + at, '\n', n - at);
    if (end == NULL) {
      const size_t n_left = n - at, n_start = sizeof(start) - 1;
      *out = memcmp(text + at, start, n_left < n_start ? n_left : n_start) == 0;
      return VISE_OK;
    }
    const vise_status status = is_event(path, text + at, (size_t)(end - text) - at, out, err);
    if (status != VISE_OK || !*out) return status;
    at = (size_t)(end - text) + 1;
  }
  *out = true;
  return VISE_OK;
}

/* The first bytes of a file, malloc'ed, with a zero after them. */
static vise_status read_start(const char *path, char **out, size_t *n_out, vise_error *err) {
  vise_status status;
  char *text = NULL;
  const int fd = vise_i_open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);

  if (fd < 0) VISE_TRY(vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be opened", path));
  VISE_TRY(vise_i_alloc(&text, START_BYTES + 1, 1, path, err));
  ssize_t n;
  do n = pread(fd, text, START_BYTES, 0);
  while (n < 0 && errno == EINTR);
  if (n < 0) VISE_TRY(vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be read", path));
  text[n] = '\0';
  *n_out = (size_t)n;
  *out = text;
  text = NULL;

done:
  if (fd >= 0) close(fd);
  free(text);
  return status;
}

static vise_status is_metrics(const char *path, bool *out, vise_error *err) {
  char *text = NULL;
  size_t n = 0;
  vise_status status = read_start(path, &text, &n, err);
  if (status == VISE_OK) status = are_events(path, text, n, out, err);
  free(text);
  return status;
}

/* A page about the run, which tells nothing of the one that replaces it. */
static vise_status is_report(const char *path, bool *out, vise_error *err) {
  char *text = NULL;
  size_t n = 0;
  const vise_status status = read_start(path, &text, &n, err);
  *out = status == VISE_OK && strstr(text, "<meta name=\"generator\" content=\"vise ") != NULL;
  free(text);
  return status;
}

/* Reads a safetensors file; *out NULL: it is none. */
static vise_status read_tensors(const char *path, vise_i_st_file **out, vise_error *err) {
  vise_error why = VISE_ERROR_INIT;
  const vise_status status = vise_i_st_read(path, out, &why);
  if (status == VISE_OK) return VISE_OK;
  *out = NULL;
  if (status != VISE_ERR_IO && status != VISE_ERR_MEMORY) return VISE_OK;
  return vise_i_fail(err, status, "%s", why.text);
}

static vise_status is_model(const char *path, bool *out, vise_error *err) {
  vise_i_st_file *file = NULL;
  const vise_status status = read_tensors(path, &file, err);
  *out = file != NULL && vise_i_st_metadata(file, VISE_I_MODEL_META_KEY) != NULL;
  vise_i_st_free(file);
  return status;
}

static vise_status has_only(vise_i_st_dtype dtype, const char *path, bool *out, vise_error *err) {
  vise_i_st_file *file = NULL;
  const vise_status status = read_tensors(path, &file, err);
  bool ours = file != NULL && vise_i_st_n_tensors(file) > 0;
  for (size_t i = 0; ours && i < vise_i_st_n_tensors(file); i++) {
    const char *name = vise_i_st_at(file, i)->name;
    const bool is_named = strstr(name, ".weight") != NULL || (dtype == VISE_I_ST_I8 && strstr(name, ".bias") != NULL);
    ours = vise_i_st_at(file, i)->dtype == dtype && is_named;
  }

  *out = ours;
  vise_i_st_free(file);
  return status;
}

static vise_status is_mask(const char *path, bool *out, vise_error *err) {
  return has_only(VISE_I_ST_U8, path, out, err);
}

static vise_status is_signs(const char *path, bool *out, vise_error *err) {
  return has_only(VISE_I_ST_I8, path, out, err);
}

/* The files of a run. */
typedef struct known_file {
  const char *name;
  vise_status (*is_ours)(const char *path, bool *out, vise_error *err);
} known_file;

static const known_file known_files[] = {{"model.safetensors", is_model}, {"mask.safetensors", is_mask},
                                         {"signs.safetensors", is_signs}, {"metrics.jsonl", is_metrics},
                                         {"report.html", is_report},      {"config.json", is_config}};
enum { N_KNOWN = sizeof(known_files) / sizeof(known_files[0]) };

/* The known file of this name; NULL: there is none. */
static const known_file *find_known(const char *name, size_t n) {
  for (size_t i = 0; i < N_KNOWN; i++) {
    if (strlen(known_files[i].name) == n && strncmp(known_files[i].name, name, n) == 0) return &known_files[i];
  }
  return NULL;
}

bool vise_i_earlier_run_is_leftover(const char *name) {
  size_t n_stem = 0;
  return vise_i_temporary_maker(name, &n_stem) != VISE_I_MAKER_NONE && find_known(name, n_stem) != NULL;
}

/* ---- looking --------------------------------------------------------------------------------------------------- */

/* What has been seen so far. */
typedef struct findings {
  bool any, run, foreign;
} findings;

static vise_status fail_foreign(const char *path, const char *why, vise_error *err) {
  return vise_i_fail(err, VISE_ERR_USAGE,
                     "%s: %s, and `overwrite` replaces only what a run of Vise wrote: move it away, or choose another "
                     "folder",
                     path, why);
}

static vise_status look_at_checkpoints(const char *path, findings *seen, vise_error *err) {
  vise_status status = VISE_OK;
  uint64_t *steps = NULL;
  size_t n = 0;
  char *step = NULL;

  VISE_TRY(vise_i_checkpoint_list(path, &steps, &n, err));
  for (size_t i = 0; i < n; i++) {
    bool ours = false;
    VISE_TRY(vise_i_checkpoint_path(&step, path, steps[i], err));
    VISE_TRY(vise_i_checkpoint_is_ours(step, &ours, err));
    if (!ours) VISE_TRY(fail_foreign(step, "it is damaged, or holds something else than a checkpoint", err));
    seen->run = true;
    free(step);
    step = NULL;
  }

done:
  free(steps);
  free(step);
  return status;
}

/* One entry of the folder, at path. */
static vise_status look_at(const char *name, const char *path, findings *seen, vise_error *err) {
  const known_file *known = find_known(name, strlen(name));
  const bool is_checkpoints = strcmp(name, VISE_I_CHECKPOINTS_NAME) == 0;
  struct stat info;

  seen->any = true;
  if (known == NULL && !is_checkpoints) {
    seen->foreign = true;
    return VISE_OK;
  }

  if (lstat(path, &info) != 0) return vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be examined", path);
  if (S_ISLNK(info.st_mode)) return fail_foreign(path, "it is a symbolic link", err);
  if (is_checkpoints != S_ISDIR(info.st_mode) || (known != NULL && !S_ISREG(info.st_mode))) {
    return fail_foreign(path, is_checkpoints ? "it is not a folder" : "it is not a regular file", err);
  }

  if (is_checkpoints) return look_at_checkpoints(path, seen, err);
  bool ours = info.st_size == 0; /* nothing is lost with it, and it tells nothing */
  const vise_status status = ours ? VISE_OK : known->is_ours(path, &ours, err);
  if (status != VISE_OK) return status;
  if (!ours) return fail_foreign(path, "it was not written by a run", err);
  seen->run = seen->run || (info.st_size > 0 && known->is_ours != is_report); /* a sweep has a page too */
  return VISE_OK;
}

/* Calls look for each entry of dir that counts; a missing folder has none. */
static vise_status for_each(const char *dir,
                            vise_status (*look)(const char *name, const char *path, findings *seen, vise_error *err),
                            findings *seen, vise_error *err) {
  vise_status status = VISE_OK;
  DIR *folder = vise_i_open_dir(dir);
  if (folder == NULL && errno == ENOENT) return VISE_OK;
  if (folder == NULL) return vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be read", dir);

  for (struct dirent *entry; (entry = vise_i_next_entry(folder, dir, &status, err)) != NULL;) {
    char *path = NULL;
    if (strcmp(entry->d_name, VISE_RUN_LOCK_NAME) == 0 || vise_i_earlier_run_is_leftover(entry->d_name)) {
      continue;
    }
    status = vise_i_path_join(&path, dir, entry->d_name, err);
    if (status == VISE_OK) status = look(entry->d_name, path, seen, err);
    free(path);
  }

  closedir(folder);
  return status;
}

/* What a run makes first holds nothing yet. */
static bool holds_nothing(const char *name, const char *path) {
  struct stat info;
  if (lstat(path, &info) != 0) return false;
  if (find_known(name, strlen(name)) != NULL) return S_ISREG(info.st_mode) && info.st_size == 0;
  if (strcmp(name, VISE_I_CHECKPOINTS_NAME) != 0 || !S_ISDIR(info.st_mode)) return false;

  vise_status status = VISE_OK;
  DIR *dir = vise_i_open_dir(path);
  const bool empty = dir != NULL && vise_i_next_entry(dir, path, &status, NULL) == NULL && status == VISE_OK;
  if (dir != NULL) closedir(dir);
  return empty;
}

static vise_status count(const char *name, const char *path, findings *seen, vise_error *err) {
  (void)err;
  if (!holds_nothing(name, path)) seen->any = true;
  return VISE_OK;
}

vise_status vise_i_earlier_run_is_empty(const char *dir, bool *out, vise_error *err) {
  findings seen = {.any = false};
  const vise_status status = for_each(dir, count, &seen, err);
  if (status == VISE_OK) *out = !seen.any;
  return status;
}

vise_status vise_i_earlier_run_check(const char *dir, vise_error *err) {
  findings seen = {.any = false};
  const vise_status status = for_each(dir, look_at, &seen, err);
  if (status != VISE_OK) return status;
  if (seen.foreign && !seen.run) {
    return vise_i_fail(
        err, VISE_ERR_USAGE,
        "`out_dir` %s holds no run of Vise, and `overwrite` replaces nothing else: choose another folder", dir);
  }
  return VISE_OK;
}

vise_status vise_i_earlier_run_began(const char *dir, bool *out, vise_error *err) {
  static const char *const names[] = {"metrics.jsonl", "config.json"};
  findings seen = {.any = false};

  for (size_t i = 0; !seen.run && i < sizeof(names) / sizeof(names[0]); i++) {
    vise_error why = VISE_ERROR_INIT;
    char *path = NULL;
    bool there = false;
    vise_status status = vise_i_path_join(&path, dir, names[i], &why);
    if (status == VISE_OK) status = vise_i_exists(path, &there, &why);
    if (there) status = look_at(names[i], path, &seen, &why);
    free(path);
    if (status != VISE_OK && status != VISE_ERR_USAGE) return vise_i_fail(err, status, "%s", why.text);
  }

  *out = seen.run;
  return VISE_OK;
}
