/* The folder of checkpoint folders: listing and thinning out. Entries that are not ours are left alone. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/base/file.h"
#include "host/base/memory.h"
#include "host/model/checkpoint.h"

#define NAME_FORMAT "step-%09llu"
enum { NAME_BYTES = 32 };

static void name_of(uint64_t step, char out[NAME_BYTES]) {
  snprintf(out, NAME_BYTES, NAME_FORMAT, (unsigned long long)step);
}

vise_status vise_i_checkpoint_path(char **out, const char *parent, uint64_t step, vise_error *err) {
  char name[NAME_BYTES];
  name_of(step, name);
  return vise_i_path_join(out, parent, name, err);
}

static bool is_folder(DIR *dir, const char *name) {
  struct stat info;
  return fstatat(dirfd(dir), name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(info.st_mode);
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

/* Left by a process that is gone; one that is alive may be writing its own. */
static bool is_left_over(const char *name) {
  return strncmp(name, ".step-", 6) == 0 && vise_i_temporary_is_stale(name);
}

static int newest_first(const void *a, const void *b) {
  uint64_t x, y;
  memcpy(&x, a, sizeof x);
  memcpy(&y, b, sizeof y);
  return x > y ? -1 : x < y;
}

vise_status vise_i_checkpoint_list(const char *parent, uint64_t **out, size_t *out_n, vise_error *err) {
  uint64_t *steps = NULL;
  size_t n = 0, capacity = 0;
  DIR *dir = opendir(parent);
  if (!dir && errno != ENOENT) return vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be read", parent);

  errno = 0;
  for (struct dirent *entry; dir && (entry = vise_i_next_entry(dir));) {
    uint64_t step;
    if (!parse_name(entry->d_name, &step) || !is_folder(dir, entry->d_name)) continue;

    if (n == capacity) {
      capacity = capacity ? 2 * capacity : 16;
      uint64_t *grown = realloc(steps, capacity * sizeof *steps);
      if (!grown) {
        free(steps);
        closedir(dir);
        return vise_i_fail_memory(err, capacity * sizeof *steps, "a list of checkpoints");
      }
      steps = grown;
    }
    steps[n++] = step;
  }

  const int reason = dir ? errno : 0;
  if (dir) closedir(dir);
  if (reason != 0) {
    free(steps);
    return vise_i_fail_errno(err, VISE_ERR_IO, reason, "%s: cannot be read", parent);
  }
  if (n > 0) qsort(steps, n, sizeof *steps, newest_first);
  *out = steps;
  *out_n = n;
  return VISE_OK;
}

/* A folder is first renamed away, so that a crash in between leaves no half checkpoint under a good name. */
static vise_status remove_step(const char *parent, uint64_t step, vise_error *err) {
  vise_status status = VISE_OK;
  char *path = NULL, *hidden = NULL, *away = NULL, name[NAME_BYTES], hidden_name[NAME_BYTES + 1];

  name_of(step, name);
  snprintf(hidden_name, sizeof hidden_name, ".%s", name);
  VISE_TRY(vise_i_checkpoint_path(&path, parent, step, err));
  VISE_TRY(vise_i_path_join(&hidden, parent, hidden_name, err));
  VISE_TRY(vise_i_temporary_path(&away, hidden, 0, err));

  VISE_TRY(vise_i_remove_tree(away, err));
  if (rename(path, away) != 0 && errno != ENOENT) {
    VISE_TRY(vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be removed", path));
  }
  VISE_TRY(vise_i_remove_tree(away, err));

done:
  free(path);
  free(hidden);
  free(away);
  return status;
}

static vise_status remove_temporaries(const char *parent, vise_error *err) {
  vise_status status = VISE_OK;
  DIR *dir = opendir(parent);
  if (!dir) {
    if (errno == ENOENT) return VISE_OK;
    return vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be read", parent);
  }

  for (struct dirent *entry; status == VISE_OK && (entry = vise_i_next_entry(dir));) {
    char *path = NULL;
    if (!is_left_over(entry->d_name) || !is_folder(dir, entry->d_name)) continue;
    status = vise_i_path_join(&path, parent, entry->d_name, err);
    if (status == VISE_OK) status = vise_i_remove_tree(path, err);
    free(path);
  }
  if (status == VISE_OK && errno != 0)
    status = vise_i_fail_errno(err, VISE_ERR_IO, errno, "%s: cannot be read", parent);

  closedir(dir);
  return status;
}

vise_status vise_i_checkpoint_prune(const char *parent, size_t keep, vise_error *err) {
  vise_status status = VISE_OK;
  uint64_t *steps = NULL;
  size_t n = 0;
  VISE_TRY(vise_i_checkpoint_list(parent, &steps, &n, err));
  for (size_t i = keep; i < n; ++i) VISE_TRY(remove_step(parent, steps[i], err));
  VISE_TRY(remove_temporaries(parent, err));
done:
  free(steps);
  return status;
}
