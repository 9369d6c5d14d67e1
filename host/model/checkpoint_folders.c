/* The folder of checkpoint folders: listing, thinning out, setting aside. Entries that are not ours are left alone. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/base/file.h"
#include "host/base/memory.h"
#include "host/base/temporary.h"
#include "host/model/checkpoint.h"

#define NAME_FORMAT "step-%09llu"
#define TEMPORARY_START ".step-"
enum { NAME_BYTES = 32, MAX_ASIDE = 1000 };

static void name_of(uint64_t step, char out[NAME_BYTES]) {
  snprintf(out, NAME_BYTES, NAME_FORMAT, (unsigned long long)step);
}

vise_status vise_i_checkpoint_path(char **out, const char *parent, uint64_t step, vise_error *err) {
  char name[NAME_BYTES];
  name_of(step, name);
  return vise_i_path_join(out, parent, name, err);
}

/* Whether the entry is a folder; one that has gone meanwhile is none. One that cannot be examined may be. */
static vise_status check_is_folder(DIR *dir, const char *parent, const char *name, bool *out, vise_error *err) {
  struct stat info;
  const bool found = fstatat(dirfd(dir), name, &info, AT_SYMLINK_NOFOLLOW) == 0;
  *out = found && S_ISDIR(info.st_mode);
  if (found || errno == ENOENT) return VISE_OK;
  return vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s/%s: cannot be examined", parent, name);
}

/* Only the names that vise_i_checkpoint_path makes: "step-7" or "step-000000007.old" are somebody else's. */
static bool parse_name(const char *name, uint64_t *out) {
  char again[NAME_BYTES];
  if (strncmp(name, "step-", 5) != 0 || name[5] < '0' || name[5] > '9') return false;
  errno = 0;
  unsigned long long step = strtoull(name + 5, NULL, 10);
  name_of(step, again);
  if (errno != 0 || strcmp(name, again) != 0) return false;
  *out = step;
  return true;
}

static int newest_first(const void *a, const void *b) {
  uint64_t x, y;
  memcpy(&x, a, sizeof x);
  memcpy(&y, b, sizeof y);
  return x > y ? -1 : x < y;
}

/* *out NULL: there is no such folder. */
static vise_status open_parent(const char *parent, DIR **out, vise_error *err) {
  *out = vise_i_open_dir(parent);
  if (*out || errno == ENOENT) return VISE_OK;
  return vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be read", parent);
}

vise_status vise_i_checkpoint_list(const char *parent, uint64_t **out, size_t *out_n, vise_error *err) {
  uint64_t *steps = NULL;
  size_t n = 0, capacity = 0;
  vise_status status = VISE_OK;
  DIR *dir = NULL;
  VISE_TRY(open_parent(parent, &dir, err));

  for (struct dirent *entry; dir && (entry = vise_i_next_entry(dir, parent, &status, err));) {
    uint64_t step;
    bool is_folder = false;
    if (!parse_name(entry->d_name, &step)) continue;
    VISE_TRY(check_is_folder(dir, parent, entry->d_name, &is_folder, err));
    if (!is_folder) continue;

    if (n == capacity) {
      capacity = capacity ? 2 * capacity : 16;
      uint64_t *grown = realloc(steps, capacity * sizeof *steps);
      if (!grown) VISE_TRY(vise_i_fail_memory(err, capacity * sizeof *steps, "a list of checkpoints"));
      steps = grown;
    }
    steps[n++] = step;
  }
  if (status != VISE_OK) goto done;

  if (n > 0) qsort(steps, n, sizeof *steps, newest_first);
  *out = steps;
  *out_n = n;
  steps = NULL;

done:
  if (dir) closedir(dir);
  free(steps);
  return status;
}

/* A folder is first renamed away, so that a crash in between leaves no half checkpoint under a good name. */
static vise_status remove_folder(const char *path, vise_error *err) {
  char *away = NULL;
  vise_status status = vise_i_temporary_dir(path, &away, err);
  if (status != VISE_OK) return status;

  if (rename(path, away) != 0) status = vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be removed", path);
  const vise_status removed = vise_i_remove_tree(away, status == VISE_OK ? err : NULL);
  free(away);
  return status == VISE_OK ? removed : status;
}

vise_status vise_i_checkpoint_prune(const char *parent, size_t keep, vise_error *err) {
  vise_status status = VISE_OK;
  uint64_t *steps = NULL;
  char *path = NULL;
  size_t n = 0;

  VISE_TRY(vise_i_checkpoint_list(parent, &steps, &n, err));
  for (size_t i = keep; i < n; ++i) {
    bool ours = false;
    VISE_TRY(vise_i_checkpoint_path(&path, parent, steps[i], err));
    VISE_TRY(vise_i_checkpoint_is_ours(path, &ours, err));
    if (ours) VISE_TRY(remove_folder(path, err));
    free(path);
    path = NULL;
  }

done:
  free(steps);
  free(path);
  return status;
}

vise_status vise_i_checkpoint_remove_leftovers(const char *parent, vise_error *err) {
  vise_status status = VISE_OK;
  DIR *dir = NULL;
  VISE_TRY(open_parent(parent, &dir, err));

  for (struct dirent *entry; dir && (entry = vise_i_next_entry(dir, parent, &status, err));) {
    bool is_folder = false;
    char *path = NULL;
    if (strncmp(entry->d_name, TEMPORARY_START, strlen(TEMPORARY_START)) != 0 ||
        !vise_i_temporary_is_abandoned(entry->d_name)) {
      continue;
    }

    status = check_is_folder(dir, parent, entry->d_name, &is_folder, err);
    if (is_folder) status = vise_i_path_join(&path, parent, entry->d_name, err);
    if (path) status = vise_i_remove_tree(path, err);
    free(path);
  }

done:
  if (dir) closedir(dir);
  return status;
}

vise_status vise_i_checkpoint_set_aside(const char *path, char **out, vise_error *err) {
  vise_status status;
  char *aside = NULL;
  bool taken = true;
  const size_t n_bytes = strlen(path) + 32;
  VISE_TRY(vise_i_alloc(&aside, n_bytes, 1, "a path", err));

  for (int i = 1; taken && i < MAX_ASIDE; ++i) {
    char number[16] = "";
    if (i > 1) snprintf(number, sizeof number, "-%d", i);
    snprintf(aside, n_bytes, "%s.damaged%s", path, number);
    VISE_TRY(vise_i_exists(aside, &taken, err));
  }
  if (rename(path, aside) != 0) {
    VISE_TRY(vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be renamed to %s", path, aside));
  }
  *out = aside;
  aside = NULL;

done:
  free(aside);
  return status;
}
