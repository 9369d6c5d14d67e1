#include "host/train/out_dir.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/base/file.h"
#include "host/base/memory.h"
#include "host/base/replace.h"
#include "host/model/checkpoint.h"
#include "host/train/earlier_run.h"
#include "host/train/overwrite.h"

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
  free(out->signs);
  free(out->checkpoints);
  free(out->metrics_path);
  *out = (vise_i_out_dir)VISE_I_OUT_DIR_INIT;
}

vise_status vise_i_out_dir_name(vise_i_out_dir *out, const char *dir, vise_error *err) {
  vise_status status;
  VISE_TRY(vise_i_copy_text(&out->dir, dir, err));
  VISE_TRY(vise_i_path_join(&out->config, dir, "config.json", err));
  VISE_TRY(vise_i_path_join(&out->model, dir, "model.safetensors", err));
  VISE_TRY(vise_i_path_join(&out->mask, dir, "mask.safetensors", err));
  VISE_TRY(vise_i_path_join(&out->signs, dir, "signs.safetensors", err));
  VISE_TRY(vise_i_path_join(&out->checkpoints, dir, VISE_I_CHECKPOINTS_NAME, err));
  VISE_TRY(vise_i_path_join(&out->metrics_path, dir, "metrics.jsonl", err));
done:
  return status;
}

static vise_status sync_or_write_config(const vise_i_out_dir *out, const char *config_json, vise_error *err) {
  if (config_json == NULL) return vise_i_sync_dir(out->dir, err);
  return vise_i_write_file(out->config, config_json, strlen(config_json), err); /* which syncs the folder too */
}

static vise_status check_is_folder_or_missing(const char *dir, vise_error *err) {
  struct stat info;
  if (stat(dir, &info) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return VISE_OK; /* making it says what is wrong, if anything is */
    return vise_i_fail_errno(err, VISE_ERR_IO, errno, "`out_dir` %s: cannot be examined", dir);
  }
  if (S_ISDIR(info.st_mode)) return VISE_OK;
  return vise_i_fail(err, VISE_ERR_USAGE, "`out_dir` %s is a file: choose a folder", dir);
}

/* Refuses a folder that a new run may not have. It is locked: nobody is told to replace a run that is under way. */
static vise_status check_place(const char *dir, bool overwrite, bool *empty, vise_error *err) {
  vise_status status;
  VISE_TRY(vise_i_earlier_run_is_empty(dir, empty, err));
  if (overwrite) return vise_i_earlier_run_check(dir, err);
  if (*empty) goto done;
  VISE_TRY(vise_i_fail(err, VISE_ERR_USAGE,
                       "`out_dir` %s is not empty: choose another folder, go on with its run "
                       "(`resume`), or replace it (`overwrite`)",
                       dir));
done:
  return status;
}

vise_status vise_i_out_dir_lock(vise_i_out_dir *out, const vise_i_notes *notes, vise_error *err) {
  bool has_locks = true;
  const vise_status status = vise_i_run_lock_take(&out->lock, out->dir, &has_locks, err);
  if (status == VISE_OK && !has_locks) {
    vise_i_note(notes, VISE_LOG_WARNING, "%s: this file system has no locks; see that no other run uses the folder",
                out->dir);
  }
  return status;
}

vise_status vise_i_out_dir_recover(vise_i_out_dir *out, const vise_i_notes *notes, vise_error *err) {
  bool changed = false;
  const vise_status status = vise_i_replace_recover(out->dir, &changed, err);
  if (!changed) return status;
  out->has_changed = true;
  vise_i_note(notes, VISE_LOG_WARNING,
              "%s: a run that was to replace the one there was killed before it had begun: "
              "the earlier one is back",
              out->dir);
  return status;
}

/* One that is not needed any more does no harm. */
static void remove_old_checkpoints(const vise_i_out_dir *out, const vise_i_notes *notes) {
  vise_error why = VISE_ERROR_INIT;
  if (vise_i_checkpoint_prune(out->checkpoints, CHECKPOINTS_KEPT, &why) == VISE_OK) return;
  vise_i_note(notes, VISE_LOG_WARNING, "an old checkpoint stays: %s", why.text);
}

void vise_i_out_dir_tidy(const vise_i_out_dir *out, const vise_i_notes *notes) {
  vise_error why = VISE_ERROR_INIT;
  remove_old_checkpoints(out, notes); /* of a run that was killed before it did */
  if (vise_i_overwrite_remove_leftovers(out->dir, &why) == VISE_OK) return;
  vise_i_note(notes, VISE_LOG_WARNING, "what a killed run left stays: %s", why.text);
}

/* The first files of a run in an empty place; on failure they are gone again. */
static vise_status begin(vise_i_out_dir *out, const char *config_json, vise_error *err) {
  vise_status status;

  VISE_TRY(vise_i_make_dir(out->checkpoints, err));
  VISE_TRY(vise_i_jsonl_open(&out->metrics, out->metrics_path, 0, NULL, err));
  VISE_TRY(sync_or_write_config(out, config_json, err)); /* last: with it the run may be gone on with */

done:
  if (status != VISE_OK) {
    (void)unlink(out->metrics_path);
    (void)rmdir(out->checkpoints);
    if (config_json != NULL) (void)unlink(out->config);
  }
  return status;
}

/* The same in the place of an earlier run, which is whole until it is replaced. */
static vise_status begin_over(vise_i_out_dir *out, const char *config_json, const vise_i_notes *notes,
                              vise_error *err) {
  vise_status status;
  vise_error remains = VISE_ERROR_INIT;
  bool changed = false;

  status = vise_i_overwrite(out->dir, config_json, &changed, &remains, err);
  out->has_changed = out->has_changed || changed || status == VISE_OK;
  if (status != VISE_OK) return status;
  if (remains.code != VISE_OK) {
    vise_i_note(notes, VISE_LOG_WARNING, "what is left of the earlier run goes when the next one begins: %s",
                remains.text);
  }

  VISE_TRY(vise_i_make_dir(out->checkpoints, err));
  VISE_TRY(vise_i_jsonl_open(&out->metrics, out->metrics_path, 0, NULL, err));
done:
  return status;
}

vise_status vise_i_out_dir_create(vise_i_out_dir *out, const char *dir, bool overwrite, const char *config_json,
                                  const vise_i_notes *notes, vise_error *err) {
  vise_status status;
  size_t n_old = strlen(dir);
  bool empty = false;

  VISE_TRY(vise_i_out_dir_name(out, dir, err));
  VISE_TRY(check_is_folder_or_missing(dir, err));
  VISE_TRY(vise_i_make_dirs(dir, &n_old, err));
  VISE_TRY(vise_i_out_dir_lock(out, notes, err));

  if (overwrite) VISE_TRY(vise_i_out_dir_recover(out, notes, err));
  VISE_TRY(check_place(dir, overwrite, &empty, err));
  VISE_TRY(empty ? begin(out, config_json, err) : begin_over(out, config_json, notes, err));
  vise_i_out_dir_tidy(out, notes);

done:
  if (status != VISE_OK) {
    vise_i_run_lock_release(&out->lock);
    vise_i_remove_empty_dirs(dir, n_old);
  }
  return status;
}

/* The run's own part of a checkpoint. */
static json_t *make_run(const vise_i_out_dir *out, const vise_trainer *trainer) {
  return json_pack("{s:I, s:b}", "metrics_bytes", (json_int_t)out->metrics.n_bytes, "patience",
                   trainer->config.patience > 0);
}

vise_status vise_i_out_dir_checkpoint(vise_i_out_dir *out, vise_trainer *trainer, const vise_i_notes *notes,
                                      vise_error *err) {
  vise_status status;
  char *path = NULL;
  json_t *run = NULL;

  if (out->has_checkpoint && out->checkpoint_step == trainer->state.step) return VISE_OK;

  VISE_TRY(vise_i_jsonl_sync(&out->metrics, err)); /* a checkpoint counts on the lines before it */
  VISE_TRY(vise_i_make_dir(out->checkpoints, err));
  VISE_TRY(vise_i_checkpoint_path(&path, out->checkpoints, trainer->state.step, err));
  run = make_run(out, trainer);
  if (run == NULL) VISE_TRY(vise_i_fail_memory(err, sizeof(json_t), "a checkpoint"));
  VISE_TRY(vise_i_trainer_save(trainer, path, run, err));
  out->has_checkpoint = true;
  out->checkpoint_step = trainer->state.step;
  remove_old_checkpoints(out, notes);

done:
  free(path);
  json_decref(run);
  return status;
}

vise_status vise_i_out_dir_save_model(const vise_i_out_dir *out, const vise_model *model, vise_error *err) {
  vise_status status;
  VISE_TRY(vise_model_save(model, out->model, err));
  if (vise_model_mask(model) != NULL) VISE_TRY(vise_model_save_mask(model, out->mask, err));
  if (vise_model_signs(model) != NULL) VISE_TRY(vise_model_save_signs(model, out->signs, err));
done:
  return status;
}
