/* Going on with the run in a folder. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "host/base/file.h"
#include "host/model/checkpoint.h"
#include "host/train/earlier_run.h"
#include "host/train/out_dir.h"

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

static vise_status open_metrics(vise_i_out_dir *out, const json_t *run, const vise_i_notes *notes, vise_error *err) {
  const json_t *bytes = json_object_get(run, "metrics_bytes");

  /* A checkpoint that no run wrote says nothing about the file: keep it whole. */
  uint64_t keep = 0;
  struct stat info;
  if (json_is_integer(bytes) && json_integer_value(bytes) >= 0) {
    keep = (uint64_t)json_integer_value(bytes);
  } else if (lstat(out->metrics_path, &info) == 0) {
    keep = (uint64_t)info.st_size;
  } else if (errno != ENOENT) {
    return vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be examined", out->metrics_path);
  }

  bool was_short = false;
  const vise_status status = vise_i_jsonl_open(&out->metrics, out->metrics_path, keep, &was_short, err);
  if (status == VISE_OK) out->has_changed = true;
  if (was_short) {
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
  bool began = false, ended = false;

  VISE_TRY(vise_i_earlier_run_began(out->dir, &began, err));
  VISE_TRY(vise_i_exists(out->model, &ended, err));
  if (!began || ended) {
    VISE_TRY(
        vise_i_fail(err, VISE_ERR_USAGE, "`resume`: there is no checkpoint in %s; start a new run", out->checkpoints));
  }

  if (trainer->state.step > 0) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_STATE, "%s has no checkpoint yet: a trainer that has made no step is needed",
                         out->dir));
  }

  VISE_TRY(vise_i_jsonl_open(&out->metrics, out->metrics_path, 0, NULL, err));
  out->has_changed = true;
  vise_i_note(notes, VISE_LOG_INFO, "%s has no checkpoint yet: the run starts again at step 0", out->dir);

done:
  return status;
}

static vise_status check_is_folder(const char *dir, vise_error *err) {
  struct stat info;
  const bool found = stat(dir, &info) == 0;
  if (found && S_ISDIR(info.st_mode)) return VISE_OK;
  if (!found && errno != ENOENT && errno != ENOTDIR) {
    return vise_i_fail_errno(err, VISE_ERR_IO, errno, "`resume` %s: cannot be examined", dir);
  }
  return vise_i_fail(err, VISE_ERR_USAGE, "`resume`: there is no folder %s; start a new run", dir);
}

/* Nothing is written through a link, which may lead to the checkpoints of another run. */
static vise_status check_checkpoints(const vise_i_out_dir *out, vise_error *err) {
  struct stat info;
  if (lstat(out->checkpoints, &info) == 0) {
    if (S_ISDIR(info.st_mode)) return VISE_OK;
    return vise_i_fail(err, VISE_ERR_IO, "%s: is not a folder", out->checkpoints);
  }
  if (errno == ENOENT) return VISE_OK;
  return vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be examined", out->checkpoints);
}

/* All of config.json but its name, so that nothing is cut off before it is known to have room. */
static vise_status prepare_config(const vise_i_out_dir *out, const char *config_json, vise_i_writer *writer,
                                  vise_error *err) {
  vise_status status;
  if (config_json == NULL) return VISE_OK;
  VISE_TRY(vise_i_writer_begin(writer, out->config, err));
  status = vise_i_writer_write(writer, config_json, strlen(config_json), err);
  if (status == VISE_OK) status = vise_i_writer_seal(writer, err);
  if (status != VISE_OK) vise_i_writer_abandon(writer);
done:
  return status;
}

vise_status vise_i_out_dir_resume(vise_i_out_dir *out, const char *dir, vise_trainer *trainer, const char *config_json,
                                  const vise_i_notes *notes, vise_error *err) {
  vise_status status;
  uint64_t *steps = NULL;
  size_t n = 0;
  vise_i_writer config;

  VISE_TRY(vise_i_out_dir_name(out, dir, err));
  VISE_TRY(check_is_folder(dir, err));
  VISE_TRY(vise_i_out_dir_lock(out, notes, err));
  VISE_TRY(vise_i_out_dir_recover(out, notes, err));
  VISE_TRY(check_checkpoints(out, err));
  VISE_TRY(vise_i_checkpoint_list(out->checkpoints, &steps, &n, err));

  VISE_TRY(prepare_config(out, config_json, &config, err));
  status = n > 0 ? go_on(out, steps, n, trainer, notes, err) : start_again(out, trainer, notes, err);
  if (config_json == NULL) {
    if (status == VISE_OK) status = vise_i_sync_dir(dir, err);
  } else if (status == VISE_OK) {
    status = vise_i_writer_commit(&config, err); /* which syncs the folder too */
  } else {
    vise_i_writer_abandon(&config);
  }
  if (status == VISE_OK) vise_i_out_dir_tidy(out, notes);

done:
  free(steps);
  return status;
}
