/* The folder of a run: config.json, metrics.jsonl, model.safetensors, mask.safetensors, signs.safetensors, checkpoints/. */
#ifndef VISE_I_OUT_DIR_H
#define VISE_I_OUT_DIR_H

#include "host/train/jsonl.h"
#include "host/train/run_lock.h"
#include "host/train/trainer.h"

typedef struct vise_i_out_dir {
  char *dir, *config, *model, *mask, *signs, *checkpoints, *metrics_path;
  vise_i_run_lock lock;
  vise_i_jsonl metrics;
  bool has_checkpoint;
  uint64_t checkpoint_step; /* of the newest one written or resumed from */
  bool has_changed;         /* something in the folder is not what it was, also after a failure */
} vise_i_out_dir;

#define VISE_I_OUT_DIR_INIT \
  { NULL, NULL, NULL, NULL, NULL, NULL, NULL, VISE_I_RUN_LOCK_INIT, VISE_I_JSONL_INIT, false, 0, false }

/* Notes for the user. */
typedef struct vise_i_notes {
  void (*log)(void *user, vise_log_level level, const char *message);
  void *user;
} vise_i_notes;
void vise_i_note(const vise_i_notes *notes, vise_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A new run: dir (made with its parents) must be missing or empty, or with overwrite hold an earlier run, whose files
   (and no others) are replaced: that run is whole until the new one may be gone on with. Nothing is touched when it is
   refused (VISE_ERR_USAGE, or VISE_ERR_STATE when another run is using it), or fails with has_changed false. From here to
   the close no other run can begin there. */
VISE_WARN_UNUSED vise_status vise_i_out_dir_create(vise_i_out_dir *out, const char *dir, bool overwrite,
                                                   const char *config_json, const vise_i_notes *notes, vise_error *err);

/* Goes on with the run in dir: restores the trainer from the newest checkpoint that verifies, notes those it passed
   over and sets them aside, and cuts metrics.jsonl back. A run that had no checkpoint yet starts again. Nothing is
   touched when there is nothing to go on with, a checkpoint cannot be read, or it fails with has_changed false. */
VISE_WARN_UNUSED vise_status vise_i_out_dir_resume(vise_i_out_dir *out, const char *dir, vise_trainer *trainer,
                                                   const char *config_json, const vise_i_notes *notes, vise_error *err);

/* Writes the metrics so far and a checkpoint of this step and keeps the newest two; that an old one cannot be removed is
   noted. Does nothing when this step's is there already. */
VISE_WARN_UNUSED vise_status vise_i_out_dir_checkpoint(vise_i_out_dir *out, vise_trainer *trainer,
                                                       const vise_i_notes *notes, vise_error *err);

/* Writes the trainer's model, and its mask if it has one. */
VISE_WARN_UNUSED vise_status vise_i_out_dir_save_model(const vise_i_out_dir *out, const vise_model *model,
                                                       vise_error *err);

/* Ends the use of the folder; files stay as they are. */
void vise_i_out_dir_close(vise_i_out_dir *out);

/* What out_dir.c and out_dir_resume.c share, in the order of its use. recover brings back a run that was to be replaced
   when the process was killed; tidy removes what killed processes were writing, and notes what it cannot remove. */
VISE_WARN_UNUSED vise_status vise_i_out_dir_name(vise_i_out_dir *out, const char *dir, vise_error *err);
VISE_WARN_UNUSED vise_status vise_i_out_dir_lock(vise_i_out_dir *out, const vise_i_notes *notes, vise_error *err);
VISE_WARN_UNUSED vise_status vise_i_out_dir_recover(vise_i_out_dir *out, const vise_i_notes *notes, vise_error *err);
void vise_i_out_dir_tidy(const vise_i_out_dir *out, const vise_i_notes *notes);

#endif
