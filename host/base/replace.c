/* The hidden folder holds "next", the new file, until the moment from which the new file counts: recovery tells by it
   whether to undo or to finish. */
#include "host/base/replace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/base/file.h"
#include "host/base/memory.h"
#include "host/base/temporary.h"

static const char next_name[] = "next";

bool vise_i_replace_is_hidden(const char *name) {
  static const char start[] = "." VISE_I_REPLACED_NAME;
  size_t n_stem = 0;
  return vise_i_temporary_maker(name, &n_stem) != VISE_I_MAKER_NONE && n_stem == strlen(start) &&
         memcmp(name, start, n_stem) == 0;
}

/* ---- undoing ---------------------------------------------------------------------------------------------------- */

static bool is_folder(const char *path) {
  struct stat info;
  return lstat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static vise_status move_back_all(const char *from, const char *to, bool is_top, bool *moved, vise_error *err);

/* What was moved from `to` to `from`; a folder that stayed there in part gets its part. */
static vise_status move_back(const char *from, const char *to, bool *moved, vise_error *err) {
  vise_status status;
  bool there = false;
  VISE_TRY(vise_i_exists(to, &there, err));
  if (there && is_folder(to) && is_folder(from)) return move_back_all(from, to, false, moved, err);
  if (there) VISE_TRY(vise_i_fail(err, VISE_ERR_IO, "%s: is in the way of %s, which was there before", to, from));
  if (rename(from, to) != 0) {
    VISE_TRY(vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be moved back to %s", from, to));
  }
  *moved = true;
done:
  return status;
}

/* The entries of a folder. "next" at the top is none of them. */
static vise_status move_back_all(const char *from, const char *to, bool is_top, bool *moved, vise_error *err) {
  vise_status status = VISE_OK;
  DIR *dir = vise_i_open_dir(from);
  if (dir == NULL) return vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be read", from);

  for (struct dirent *entry; (entry = vise_i_next_entry(dir, from, &status, err)) != NULL;) {
    char *source = NULL, *target = NULL;
    if (is_top && strcmp(entry->d_name, next_name) == 0) continue;
    status = vise_i_path_join(&source, from, entry->d_name, err);
    if (status == VISE_OK) status = vise_i_path_join(&target, to, entry->d_name, err);
    if (status == VISE_OK) status = move_back(source, target, moved, err);
    free(source);
    free(target);
  }
  closedir(dir);
  return status;
}

static vise_status recover(const char *dir, const char *hidden, bool *changed, vise_error *err) {
  vise_status status;
  char *next = NULL;
  bool is_open = false;

  VISE_TRY(vise_i_path_join(&next, hidden, next_name, err));
  VISE_TRY(vise_i_exists(next, &is_open, err));
  if (is_open) {
    VISE_TRY(move_back_all(hidden, dir, true, changed, err));
    VISE_TRY(vise_i_sync_dir(dir, err)); /* before "next", by which it is known that they are to be moved back, goes */
  }
  VISE_TRY(vise_i_remove_tree(hidden, err));

done:
  free(next);
  return status;
}

vise_status vise_i_replace_recover(const char *dir, bool *changed, vise_error *err) {
  vise_status status = VISE_OK;
  DIR *folder = vise_i_open_dir(dir);
  *changed = false;
  if (folder == NULL) return vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be read", dir);

  for (struct dirent *entry; (entry = vise_i_next_entry(folder, dir, &status, err)) != NULL;) {
    char *hidden = NULL;
    if (!vise_i_replace_is_hidden(entry->d_name) || !vise_i_temporary_is_abandoned(entry->d_name)) continue;
    status = vise_i_path_join(&hidden, dir, entry->d_name, err);
    if (status == VISE_OK) status = recover(dir, hidden, changed, err);
    free(hidden);
  }
  closedir(folder);
  return status;
}

/* ---- replacing -------------------------------------------------------------------------------------------------- */

/* path: where it will be; for messages. */
static vise_status put_next(const vise_i_replacement *r, const char *path, const char *next, vise_error *err) {
  vise_i_writer writer;
  vise_status status = vise_i_writer_begin_new(&writer, next, err);
  if (status != VISE_OK) return status;
  writer.name = path;
  status = vise_i_writer_write(&writer, r->bytes, r->n_bytes, err);
  if (status == VISE_OK) return vise_i_writer_commit(&writer, err);
  vise_i_writer_abandon(&writer);
  return status;
}

/* "<dir>/<name>" to "<hidden>/<name>"; *moved when there was one. */
static vise_status move_away(const char *dir, const char *name, const char *hidden, bool *moved, vise_error *err) {
  vise_status status;
  char *from = NULL, *to = NULL;
  bool there = false;

  VISE_TRY(vise_i_path_join(&from, dir, name, err));
  VISE_TRY(vise_i_exists(from, &there, err));
  if (!there) goto done; /* no folder is made for it either, which an undoing would leave */
  VISE_TRY(vise_i_path_join(&to, hidden, name, err));
  char *slash = strrchr(name, '/') ? strrchr(to, '/') : NULL;
  if (slash) {
    *slash = '\0';
    VISE_TRY(vise_i_make_dir(to, err));
    *slash = '/';
  }
  if (rename(from, to) == 0) {
    *moved = true;
  } else if (errno != ENOENT) {
    VISE_TRY(vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be moved away", from));
  }

done:
  free(from);
  free(to);
  return status;
}

/* The moment from which the new file counts. */
static vise_status put_in_place(const vise_i_replacement *r, const char *path, const char *next, vise_error *err) {
  const bool placed = r->name != NULL ? rename(next, path) == 0 : unlink(next) == 0;
  return placed ? VISE_OK : vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be put in place", path);
}

/* Everything up to that moment, and whether it has come (*counts). */
static vise_status replace(const vise_i_replacement *r, const char *hidden, bool *moved, bool *counts,
                           vise_error *err) {
  vise_status status;
  char *next = NULL, *path = NULL;
  vise_error why = VISE_ERROR_INIT;

  VISE_TRY(vise_i_path_join(&next, hidden, next_name, err));
  VISE_TRY(vise_i_path_join(&path, r->dir, r->name != NULL ? r->name : "", err));
  VISE_TRY(put_next(r, path, next, err));
  VISE_TRY(vise_i_sync_dir(hidden, err));
  VISE_TRY(vise_i_sync_dir(r->dir, err));
  for (size_t i = 0; i < r->n_gone; i++) VISE_TRY(move_away(r->dir, r->gone[i], hidden, moved, err));
  /* A file system may write renames in another order: the old files must not come back beside the new one. */
  VISE_TRY(vise_i_sync_dir(r->dir, err));

  VISE_TRY(put_in_place(r, path, next, err));
  *counts = true;
  if (vise_i_sync_dir(r->dir, &why) != VISE_OK) {
    VISE_TRY(vise_i_fail(err, VISE_ERR_IO, "%s: what is new is in place, but may not last: %s", r->dir, why.text));
  }

done:
  free(next);
  free(path);
  return status;
}

vise_status vise_i_replace(const vise_i_replacement *r, bool *changed, vise_error *remains, vise_error *err) {
  vise_status status;
  char *place = NULL, *hidden = NULL;
  bool moved = false, back = false, counts = false;
  vise_error why = VISE_ERROR_INIT;

  *changed = false;
  VISE_TRY(vise_i_path_join(&place, r->dir, VISE_I_REPLACED_NAME, err));
  VISE_TRY(vise_i_temporary_dir(place, &hidden, err));
  status = replace(r, hidden, &moved, &counts, err);

  if (status == VISE_OK) {
    (void)!vise_i_remove_tree(hidden, remains);
  } else if (counts) {
    *changed = true; /* the hidden folder stays, for the case that the new file does not last */
  } else if (!moved) {
    (void)!vise_i_remove_tree(hidden, NULL);
  } else if (recover(r->dir, hidden, &back, &why) != VISE_OK) {
    *changed = true;
  }

done:
  free(place);
  free(hidden);
  return status;
}
