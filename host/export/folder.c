/* The files of an export, in a folder that appears with all of them or not at all: made under another name beside it, synced
   and renamed, which takes the place of an empty folder too. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "host/base/file.h"
#include "host/base/memory.h"
#include "host/base/temporary.h"
#include "host/export/export.h"

vise_status vise_i_export_add(vise_i_export_files *files, const char *suffix, vise_i_text *text, vise_error *err) {
  if (text->failed || text->bytes == NULL) {
    vise_i_text_free(text);
    return vise_i_fail_memory(err, 0, "a file of an export");
  }

  files->files[files->n].suffix = suffix;
  files->files[files->n].bytes = text->bytes;
  files->files[files->n++].n_bytes = text->n;
  *text = (vise_i_text){0};
  return VISE_OK;
}

void vise_i_export_files_clear(vise_i_export_files *files) {
  for (size_t i = 0; i < files->n; i++) free(files->files[i].bytes);
  *files = (vise_i_export_files){0};
}

/* A folder that is there must be empty. */
static vise_status check_place(const char *dir, vise_error *err) {
  struct stat info;
  vise_status status = VISE_OK;
  if (lstat(dir, &info) != 0) {
    if (errno == ENOENT) return VISE_OK;
    return vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be examined", dir);
  }
  if (!S_ISDIR(info.st_mode))
    return vise_i_fail(err, VISE_ERR_USAGE, "%s is there and no folder: choose another one", dir);

  DIR *folder = vise_i_open_dir(dir);
  if (folder == NULL) return vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be read", dir);
  const struct dirent *entry = vise_i_next_entry(folder, dir, &status, err);
  (void)closedir(folder);
  if (entry == NULL) return status;
  return vise_i_fail(err, VISE_ERR_USAGE, "%s is not empty: choose a new or empty folder", dir);
}

static vise_status write_file(const char *dir, const char *name, const char *suffix, const void *bytes, size_t n,
                              vise_error *err) {
  char *path = NULL;
  vise_i_writer writer;
  if (asprintf(&path, "%s/%s%s", dir, name, suffix) < 0) return vise_i_fail_memory(err, 0, "a path");

  vise_status status = vise_i_writer_begin_new(&writer, path, err);
  if (status == VISE_OK) {
    status = vise_i_writer_write(&writer, bytes, n, err);
    if (status == VISE_OK) {
      status = vise_i_writer_commit(&writer, err);
    } else {
      vise_i_writer_abandon(&writer);
    }
  }
  free(path);
  return status;
}

static vise_status fill(const vise_i_export_files *files, const char *name, const char *dir, vise_error *err) {
  vise_status status = VISE_OK;
  for (size_t i = 0; i < files->n; i++) {
    VISE_TRY(write_file(dir, name, files->files[i].suffix, files->files[i].bytes, files->files[i].n_bytes, err));
  }
  VISE_TRY(vise_i_sync_dir(dir, err));

done:
  return status;
}

/* dir without slashes at its end, malloc'ed. */
static vise_status trimmed(const char *dir, char **out, vise_error *err) {
  const vise_status status = vise_i_copy_text(out, dir, err);
  if (status != VISE_OK) return status;
  for (size_t n = strlen(*out); n > 1 && (*out)[n - 1] == '/'; n--) (*out)[n - 1] = '\0';
  if ((*out)[0] != '\0') return VISE_OK;
  return vise_i_fail(err, VISE_ERR_USAGE, "an empty text is no name of a folder");
}

vise_status vise_i_export_write(const vise_i_export_files *files, const char *name, const char *dir, vise_error *err) {
  vise_status status = VISE_OK;
  char *place = NULL, *parent = NULL, *temporary = NULL;
  size_t n_old = 0;
  bool placed = false;

  VISE_TRY(trimmed(dir, &place, err));
  VISE_TRY(check_place(place, err));
  VISE_TRY(vise_i_parent_path(place, &parent, err));
  VISE_TRY(vise_i_make_dirs(parent, &n_old, err));
  VISE_TRY(vise_i_temporary_dir(place, &temporary, err));
  VISE_TRY(fill(files, name, temporary, err));

  if (rename(temporary, place) != 0) {
    VISE_TRY(vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be put in place", place));
  }
  placed = true;
  VISE_TRY(vise_i_sync_dir(parent, err));

done:
  if (!placed && temporary != NULL) {
    const vise_status left = vise_i_remove_tree(temporary, NULL); /* the first error is the one to report */
    (void)left;
  }
  if (!placed && n_old > 0) vise_i_remove_empty_dirs(parent, n_old);
  free(temporary);
  free(parent);
  free(place);
  return status;
}
