#include "vise/folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/call.h"
#include "host/base/file.h"
#include "host/base/memory.h"
#include "host/base/replace.h"
#include "host/train/run_lock.h"

struct vise_folder {
  char *dir;
  size_t n_old; /* length of the part of dir that was there before */
  vise_i_run_lock lock;
  bool changed;
  vise_error note;
};

vise_status vise_file_save(const char *path, const void *bytes, size_t n_bytes, vise_error *err) {
  VISE_ENTER(err, path, bytes);
  return vise_i_write_file(path, bytes, n_bytes, err);
}

vise_status vise_folder_open(const char *dir, bool make, vise_folder **out, vise_error *err) {
  vise_status status;
  vise_folder *made = NULL;
  bool has_locks = true;
  VISE_ENTER(err, dir, out);
  if (dir[0] == '\0') return vise_i_fail(err, VISE_ERR_USAGE, "the name of a folder is empty");

  VISE_TRY(vise_i_alloc_zero(&made, 1, sizeof *made, "a folder", err));
  made->lock = (vise_i_run_lock)VISE_I_RUN_LOCK_INIT;
  made->n_old = strlen(dir);
  VISE_TRY(vise_i_copy_text(&made->dir, dir, err));
  if (make) VISE_TRY(vise_i_make_dirs(dir, &made->n_old, err));
  VISE_TRY(vise_i_run_lock_take(&made->lock, dir, &has_locks, err));
  if (!has_locks) {
    (void)vise_i_fail(&made->note, VISE_ERR_UNSUPPORTED,
                      "%s: this file system has no locks; see that no other process uses the folder", dir);
  }
  *out = made;
  made = NULL;

done:
  vise_folder_close(made);
  return status;
}

vise_status vise_folder_recover(vise_folder *folder, vise_error *err) {
  bool changed = false;
  VISE_ENTER(err, folder);
  const vise_status status = vise_i_replace_recover(folder->dir, &changed, err);
  folder->changed = folder->changed || changed;
  return status;
}

vise_status vise_folder_replace(vise_folder *folder, const char *const *gone, size_t n_gone, const char *name,
                                const char *text, vise_error *err) {
  bool changed = false;
  vise_error remains = VISE_ERROR_INIT;
  VISE_ENTER(err, folder, gone, name, text);
  for (size_t i = 0; i < n_gone; i++) {
    if (gone[i] == NULL) return vise_i_fail(err, VISE_ERR_USAGE, "gone[%zu] is NULL", i);
  }

  const vise_i_replacement replacement = {folder->dir, gone, n_gone, name, text, strlen(text)};
  const vise_status status = vise_i_replace(&replacement, &changed, &remains, err);
  folder->changed = folder->changed || changed || status == VISE_OK;
  if (remains.code != VISE_OK) {
    vise_error_clear(&folder->note);
    (void)vise_i_fail(&folder->note, remains.code, "what was replaced is removed later: %s", remains.text);
  }
  return status;
}

bool vise_folder_changed(const vise_folder *folder) {
  return folder != NULL && folder->changed;
}

const char *vise_folder_note(const vise_folder *folder) {
  return folder != NULL ? folder->note.text : "";
}

void vise_folder_close(vise_folder *folder) {
  if (folder == NULL) return;
  vise_i_run_lock_release(&folder->lock);
  if (folder->dir != NULL) vise_i_remove_empty_dirs(folder->dir, folder->n_old);
  free(folder->dir);
  free(folder);
}
