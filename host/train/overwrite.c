#include "host/train/overwrite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/base/file.h"
#include "host/base/memory.h"
#include "host/base/replace.h"
#include "host/base/temporary.h"
#include "host/model/checkpoint.h"
#include "host/train/earlier_run.h"

/* Names of what goes away, malloc'ed. */
typedef struct name_list {
  char **names;
  size_t n, capacity;
} name_list;

static vise_status add_name(name_list *list, const char *name, vise_error *err) {
  vise_status status;
  VISE_TRY(vise_i_grow(&list->names, &list->capacity, list->n + 1, sizeof *list->names, "names of files", err));
  VISE_TRY(vise_i_copy_text(&list->names[list->n], name, err));
  list->n++;
done:
  return status;
}

/* The checkpoints of the run; what others put beside them stays. */
static vise_status add_checkpoints(name_list *list, const char *dir, vise_error *err) {
  vise_status status;
  uint64_t *steps = NULL;
  size_t n = 0;
  char *parent = NULL, *path = NULL;

  VISE_TRY(vise_i_path_join(&parent, dir, VISE_I_CHECKPOINTS_NAME, err));
  VISE_TRY(vise_i_checkpoint_list(parent, &steps, &n, err));
  for (size_t i = 0; i < n; i++) {
    VISE_TRY(vise_i_checkpoint_path(&path, VISE_I_CHECKPOINTS_NAME, steps[i], err));
    VISE_TRY(add_name(list, path, err));
    free(path);
    path = NULL;
  }

done:
  free(path);
  free(parent);
  free(steps);
  return status;
}

vise_status vise_i_overwrite(const char *dir, const char *config_json, bool *changed, vise_error *remains,
                             vise_error *err) {
  static const char *const files[] = {"model.safetensors", "mask.safetensors", "signs.safetensors", "metrics.jsonl",
                                      "report.html"};
  static const char config_name[] = "config.json";
  vise_status status;
  name_list list = {NULL, 0, 0};

  *changed = false;
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) VISE_TRY(add_name(&list, files[i], err));
  VISE_TRY(add_checkpoints(&list, dir, err));
  if (config_json == NULL) VISE_TRY(add_name(&list, config_name, err));

  const vise_i_replacement replacement = {.dir = dir,
                                          .gone = (const char *const *)list.names,
                                          .n_gone = list.n,
                                          .name = config_json != NULL ? config_name : NULL,
                                          .bytes = config_json,
                                          .n_bytes = config_json != NULL ? strlen(config_json) : 0};
  VISE_TRY(vise_i_replace(&replacement, changed, remains, err));

done:
  for (size_t i = 0; i < list.n; i++) free(list.names[i]);
  free(list.names);
  return status;
}

static vise_status remove_file(const char *dir, const char *name, vise_error *err) {
  char *path = NULL;
  vise_status status = vise_i_path_join(&path, dir, name, err);
  if (status == VISE_OK && unlink(path) != 0 && errno != ENOENT) {
    status = vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be removed", path);
  }
  free(path);
  return status;
}

vise_status vise_i_overwrite_remove_leftovers(const char *dir, vise_error *err) {
  vise_status status = VISE_OK;
  char *checkpoints = NULL;
  DIR *folder = vise_i_open_dir(dir);
  if (folder == NULL) return vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be read", dir);

  for (struct dirent *entry; (entry = vise_i_next_entry(folder, dir, &status, err)) != NULL;) {
    if (!vise_i_earlier_run_is_leftover(entry->d_name) || !vise_i_temporary_is_abandoned(entry->d_name)) continue;
    status = remove_file(dir, entry->d_name, err);
  }
  if (status == VISE_OK) status = vise_i_path_join(&checkpoints, dir, VISE_I_CHECKPOINTS_NAME, err);
  if (status == VISE_OK) status = vise_i_checkpoint_remove_leftovers(checkpoints, err);

  closedir(folder);
  free(checkpoints);
  return status;
}
