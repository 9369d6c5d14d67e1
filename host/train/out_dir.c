#include "host/train/out_dir.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/base/file.h"
#include "host/base/memory.h"
#include "host/model/checkpoint.h"
#include "host/train/earlier_run.h"

#define CHECKPOINTS_KEPT 2

void vise_i_note(const vise_i_notes *notes, vise_log_level level, const char *format, ...) {
  if (notes->log == NULL) return;
  char text[VISE_ERROR_TEXT_BYTES + 256];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof(text), format, arguments);
  va_end(arguments);
  notes->log(notes->user, level, text);
}

void vise_i_out_dir_close(vise_i_out_dir *out) {
  vise_i_jsonl_close(&out->metrics);
  vise_i_run_lock_release(&out->lock);
  free(out->dir);
  free(out->config);
  free(out->model);
  free(out->mask);
  free(out->checkpoints);
  free(out->metrics_path);
  *out = (vise_i_out_dir)VISE_I_OUT_DIR_INIT;
}

static vise_status name_files(vise_i_out_dir *out, const char *dir, vise_error *err) {
  vise_status status;
  VISE_TRY(vise_i_copy_text(&out->dir, dir, err));
  VISE_TRY(vise_i_path_join(&out->config, dir, "config.json", err));
  VISE_TRY(vise_i_path_join(&out->model, dir, "model.safetensors", err));
  VISE_TRY(vise_i_path_join(&out->mask, dir, "mask.safetensors", err));
  VISE_TRY(vise_i_path_join(&out->checkpoints, dir, "checkpoints", err));
  VISE_TRY(vise_i_path_join(&out->metrics_path, dir, "metrics.jsonl", err));
done:
  return status;
}

/* The folder is synced with it. */
static vise_status write_config(const vise_i_out_dir *out, const char *config_json, vise_error *err) {
  if (config_json == NULL) return vise_i_sync_dir(out->dir, err);
  return vise_i_write_file(out->config, config_json, strlen(config_json), err);
}

/* Refuses a folder that a new run may not have. */
static vise_status check_place(const char *dir, bool overwrite, vise_error *err) {
  struct stat info;
  bool empty = true;

  if (stat(dir, &info) == 0 && !S_ISDIR(info.st_mode)) {
    return vise_i_fail(err, VISE_ERR_USAGE, "`out_dir` %s is a file: choose a folder", dir);
  }
  if (overwrite) return vise_i_earlier_run_check(dir, err);

  const vise_status status = vise_i_earlier_run_is_empty(dir, &empty, err);
  if (status != VISE_OK || empty) return status;
  return vise_i_fail(err, VISE_ERR_USAGE,
                     "`out_dir` %s is not empty: choose another folder, go on with its run "
                     "(`resume`), or replace it (`overwrite`)",
                     dir);
}

static vise_status take_lock(vise_i_out_dir *out, const vise_i_notes *notes, vise_error *err) {
  bool has_locks = true;
  const vise_status status = vise_i_run_lock_take(&out->lock, out->dir, &has_locks, err);
  if (status == VISE_OK && !has_locks) {
    vise_i_note(notes, VISE_LOG_WARNING, "%s: this file system has no locks; see that no other run uses the folder",
                out->dir);
  }
  return status;
}

/* The first files of a run in an empty place; on failure they are gone again. */
static vise_status begin(vise_i_out_dir *out, const char *config_json, vise_error *err) {
  vise_status status;

  VISE_TRY(vise_i_make_dir(out->checkpoints, err));
  VISE_TRY(vise_i_jsonl_open(&out->metrics, out->metrics_path, 0, NULL, err));
  VISE_TRY(write_config(out, config_json, err)); /* last, since it syncs the folder */

done:
  if (status != VISE_OK) {
    (void)unlink(out->metrics_path);
    (void)rmdir(out->checkpoints);
    if (config_json != NULL) (void)unlink(out->config);
  }
  return status;
}

vise_status vise_i_out_dir_create(vise_i_out_dir *out, const char *dir, bool overwrite, const char *config_json,
                                  const vise_i_notes *notes, vise_error *err) {
  vise_status status;
  size_t n_old = strlen(dir);

  VISE_TRY(name_files(out, dir, err));
  VISE_TRY(check_place(dir, overwrite, err));
  VISE_TRY(vise_i_make_dirs(dir, &n_old, err));
  VISE_TRY(take_lock(out, notes, err));
  VISE_TRY(check_place(dir, overwrite, err)); /* what it holds may have changed before it was locked */

  VISE_TRY(vise_i_earlier_run_remove_leftovers(dir, err));
  if (overwrite) VISE_TRY(vise_i_earlier_run_remove(dir, err));
  VISE_TRY(begin(out, config_json, err));

done:
  if (status != VISE_OK) {
    vise_i_run_lock_release(&out->lock);
    vise_i_remove_empty_dirs(dir, n_old);
  }
  return status;
}

/* Index of the newest checkpoint that verifies, or n; those before it are damaged and named to the user. One that
   cannot be read is an error: it may be whole. */
static vise_status find_whole(const vise_i_out_dir *out, const uint64_t *steps, size_t n, const vise_i_notes *notes,
                              size_t *out_found, vise_error *err) {
  size_t i = 0;
  for (; i < n; i++) {
    char *path = NULL;
    vise_error why = VISE_ERROR_INIT;
    const vise_status status = vise_i_checkpoint_path(&path, out->checkpoints, steps[i], err);
    if (status != VISE_OK) return status;

    const vise_status verified = vise_i_checkpoint_verify(vise_i_checkpoint_in_folder(path), &why);
    if (verified == VISE_ERR_FORMAT) {
      vise_i_note(notes, VISE_LOG_WARNING, "%s is damaged and passed over: %s", path, why.text);
    }

    free(path);
    if (verified == VISE_OK) break;
    if (verified != VISE_ERR_FORMAT) return vise_i_fail(err, verified, "%s", why.text);
  }

  *out_found = i;
  return VISE_OK;
}

/* The run's own part of a checkpoint. */
static json_t *make_run(const vise_i_out_dir *out, const vise_trainer *trainer) {
  return json_pack("{s:I, s:b}", "metrics_bytes", (json_int_t)out->metrics.n_bytes, "patience",
                   trainer->config.patience > 0);
}

static vise_status open_metrics(vise_i_out_dir *out, const json_t *run, const vise_i_notes *notes, vise_error *err) {
  const json_t *bytes = json_object_get(run, "metrics_bytes");

  /* A checkpoint that no run wrote says nothing about the file: keep it whole. */
  uint64_t keep = 0;
  struct stat info;
  if (json_is_integer(bytes) && json_integer_value(bytes) >= 0) {
    keep = (uint64_t)json_integer_value(bytes);
  } else if (stat(out->metrics_path, &info) == 0) {
    keep = (uint64_t)info.st_size;
  }

  bool was_short = false;
  const vise_status status = vise_i_jsonl_open(&out->metrics, out->metrics_path, keep, &was_short, err);
  if (status == VISE_OK && was_short) {
    vise_i_note(notes, VISE_LOG_WARNING, "%s is shorter than when the checkpoint was written: lines are missing",
                out->metrics_path);
  }
  return status;
}

static vise_status set_damaged_aside(const vise_i_out_dir *out, const uint64_t *steps, size_t n,
                                     const vise_i_notes *notes, vise_error *err) {
  vise_status status = VISE_OK;
  for (size_t i = 0; i < n && status == VISE_OK; i++) {
    char *path = NULL, *aside = NULL;
    status = vise_i_checkpoint_path(&path, out->checkpoints, steps[i], err);
    if (status == VISE_OK) status = vise_i_checkpoint_set_aside(path, &aside, err);
    if (status == VISE_OK) vise_i_note(notes, VISE_LOG_WARNING, "the damaged checkpoint is kept as %s", aside);
    free(path);
    free(aside);
  }
  return status;
}

/* Restores the trainer from the newest whole checkpoint of n. */
static vise_status go_on(vise_i_out_dir *out, const uint64_t *steps, size_t n, vise_trainer *trainer,
                         const vise_i_notes *notes, vise_error *err) {
  vise_status status;
  size_t found = 0;
  char *path = NULL;
  json_t *run = NULL;

  VISE_TRY(find_whole(out, steps, n, notes, &found, err));
  if (found == n) {
    VISE_TRY(
        vise_i_fail(err, VISE_ERR_FORMAT,
                    "`resume`: none of the %zu checkpoints in %s is whole; start a new run in another folder, with the "
                    "options in %s",
                    n, out->checkpoints, out->config));
  }

  VISE_TRY(vise_i_checkpoint_path(&path, out->checkpoints, steps[found], err));
  VISE_TRY(vise_i_trainer_restore(trainer, vise_i_checkpoint_in_folder(path), &run, err));
  if (trainer->config.patience > 0 && !json_is_true(json_object_get(run, "patience"))) {
    /* Patience counts from here when the run had none so far. */
    trainer->state.best_epoch = trainer->state.epoch;
    trainer->state.best_loss = INFINITY;
  }

  VISE_TRY(open_metrics(out, run, notes, err));
  VISE_TRY(set_damaged_aside(out, steps, found, notes, err));
  out->has_checkpoint = true;
  out->checkpoint_step = trainer->state.step;

done:
  free(path);
  json_decref(run);
  return status;
}

/* A run that ended or failed before its first checkpoint. One with a model had checkpoints. */
static vise_status start_again(vise_i_out_dir *out, const vise_trainer *trainer, const vise_i_notes *notes,
                               vise_error *err) {
  vise_status status;
  bool began = false;

  VISE_TRY(vise_i_earlier_run_began(out->dir, &began, err));
  if (!began || access(out->model, F_OK) == 0) {
    VISE_TRY(
        vise_i_fail(err, VISE_ERR_USAGE, "`resume`: there is no checkpoint in %s; start a new run", out->checkpoints));
  }

  if (trainer->state.step > 0) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_STATE, "%s has no checkpoint yet: a trainer that has made no step is needed",
                         out->dir));
  }

  VISE_TRY(vise_i_jsonl_open(&out->metrics, out->metrics_path, 0, NULL, err));
  vise_i_note(notes, VISE_LOG_INFO, "%s has no checkpoint yet: the run starts again at step 0", out->dir);

done:
  return status;
}

vise_status vise_i_out_dir_resume(vise_i_out_dir *out, const char *dir, vise_trainer *trainer, const char *config_json,
                                  const vise_i_notes *notes, vise_error *err) {
  vise_status status;
  uint64_t *steps = NULL;
  size_t n = 0;
  struct stat info;

  VISE_TRY(name_files(out, dir, err));
  if (stat(dir, &info) != 0 || !S_ISDIR(info.st_mode)) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_USAGE, "`resume`: there is no folder %s; start a new run", dir));
  }

  VISE_TRY(take_lock(out, notes, err));
  VISE_TRY(vise_i_checkpoint_list(out->checkpoints, &steps, &n, err));
  VISE_TRY(n > 0 ? go_on(out, steps, n, trainer, notes, err) : start_again(out, trainer, notes, err));
  VISE_TRY(vise_i_earlier_run_remove_leftovers(dir, err));
  VISE_TRY(write_config(out, config_json, err));

done:
  free(steps);
  return status;
}

vise_status vise_i_out_dir_checkpoint(vise_i_out_dir *out, vise_trainer *trainer, vise_error *err) {
  vise_status status;
  char *path = NULL;
  json_t *run = NULL;

  if (out->has_checkpoint && out->checkpoint_step == trainer->state.step) return VISE_OK;

  VISE_TRY(vise_i_jsonl_flush(&out->metrics, err));
  VISE_TRY(vise_i_make_dir(out->checkpoints, err));
  VISE_TRY(vise_i_checkpoint_path(&path, out->checkpoints, trainer->state.step, err));
  run = make_run(out, trainer);
  if (run == NULL) VISE_TRY(vise_i_fail_memory(err, sizeof(json_t), "a checkpoint"));
  VISE_TRY(vise_i_trainer_save(trainer, path, run, err));
  out->has_checkpoint = true;
  out->checkpoint_step = trainer->state.step;
  VISE_TRY(vise_i_checkpoint_prune(out->checkpoints, CHECKPOINTS_KEPT, err));

done:
  free(path);
  json_decref(run);
  return status;
}

vise_status vise_i_out_dir_save_model(const vise_i_out_dir *out, const vise_model *model, vise_error *err) {
  vise_status status;
  VISE_TRY(vise_model_save(model, out->model, err));
  if (vise_model_mask(model) != NULL) VISE_TRY(vise_model_save_mask(model, out->mask, err));
done:
  return status;
}
