/*
 * The folder of event files. All is done by descriptors that follow no link: what others put in the folder, or in its
 * place, is neither written to nor removed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/cli/message.h"
#include "host/cli/tensorboard_file.h"

enum { FOLDER_FLAGS = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, PATH_BYTES = 4096 };

/* ---- looking -------------------------------------------------------------------------------------------------------- */

static bool has_prefix(const char *name, const char *prefix) {
  return strncmp(name, prefix, strlen(prefix)) == 0;
}

/* An event file that Vise began; an empty one counts, for nothing is lost with it. */
static bool is_our_file(int folder, const char *name) {
  uint8_t start[VISE_I_CLI_EVENTS_START];
  struct stat info;
  if (!has_prefix(name, VISE_I_CLI_EVENTS_PREFIX)) return false;
  if (fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(info.st_mode)) return false;

  const int file = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (file < 0) return false;
  const ssize_t n = pread(file, start, sizeof start, 0);
  (void)close(file);
  return n >= 0 && vise_i_cli_events_are_ours(start, (size_t)n);
}

/* The entries of a folder but for "." and ".."; the folder stays open. NULL: it cannot be read. */
static DIR *entries_of(int folder) {
  const int again = openat(folder, ".", FOLDER_FLAGS);
  DIR *dir = again >= 0 ? fdopendir(again) : NULL;
  if (dir == NULL && again >= 0) (void)close(again);
  return dir;
}

static const char *next_of(DIR *dir) {
  const struct dirent *entry;
  while ((entry = readdir(dir)) != NULL) {
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) return entry->d_name;
  }
  return NULL;
}

/* Writes the name of an entry that is none of ours to foreign; "" if there is none. */
static bool find_foreign(int folder, bool has_folders, char *foreign, size_t n_bytes) {
  DIR *dir = entries_of(folder);
  const char *name;
  *foreign = '\0';
  if (dir == NULL) return false;

  while (*foreign == '\0' && (name = next_of(dir)) != NULL) {
    if (is_our_file(folder, name)) continue;
    char inner[NAME_MAX + 1] = "";
    const int below =
        has_folders && has_prefix(name, VISE_I_CLI_SESSION_PREFIX) ? openat(folder, name, FOLDER_FLAGS) : -1;
    const bool ours = below >= 0 && find_foreign(below, false, inner, sizeof inner) && *inner == '\0';
    if (!ours) (void)snprintf(foreign, n_bytes, "%s%s%s", name, *inner != '\0' ? "/" : "", inner);
    if (below >= 0) (void)close(below);
  }
  (void)closedir(dir);
  return true;
}

/* *out is -1 where nothing has that name. */
static vise_status open_folder(const char *dir, int *out, vise_error *err) {
  char path[PATH_BYTES];
  struct stat info;
  (void)snprintf(path, sizeof path, "%s/" VISE_I_CLI_EVENTS_FOLDER, dir);
  *out = open(path, FOLDER_FLAGS);
  const int number = errno;
  if (*out >= 0 || lstat(path, &info) != 0) return VISE_OK;
  if (!S_ISDIR(info.st_mode)) {
    return vise_i_cli_fail(
        err, VISE_ERR_USAGE,
        "%s: it is not a folder, where the event files are to be: move it away, or give another --out", path);
  }
  return vise_i_cli_fail(err, VISE_ERR_IO, "%s: cannot be opened: %s", path, strerror(number));
}

vise_status vise_i_cli_events_check(const char *dir, bool replaced, vise_error *err) {
  char foreign[2 * NAME_MAX + 2];
  int folder;
  vise_status status = open_folder(dir, &folder, err);
  if (status != VISE_OK || folder < 0) return status;

  if (!replaced) {
    /* files of others are in nobody's way */
  } else if (!find_foreign(folder, true, foreign, sizeof foreign)) {
    status =
        vise_i_cli_fail(err, VISE_ERR_IO, "%s/" VISE_I_CLI_EVENTS_FOLDER ": cannot be read: %s", dir, strerror(errno));
  } else if (*foreign != '\0') {
    status = vise_i_cli_fail(err, VISE_ERR_USAGE,
                             "%s/" VISE_I_CLI_EVENTS_FOLDER
                             "/%s: it is no event file of Vise, and only those are replaced: "
                             "move it away, or choose another folder",
                             dir, foreign);
  }
  (void)close(folder);
  return status;
}

/* ---- making and removing ---------------------------------------------------------------------------------------------- */

/* What is in a folder of ours. false: errno says why. */
static bool empty_folder(int folder, bool has_folders) {
  DIR *dir = entries_of(folder);
  const char *name;
  bool done = dir != NULL;

  while (done && (name = next_of(dir)) != NULL) {
    const int below = has_folders ? openat(folder, name, FOLDER_FLAGS) : -1;
    if (below >= 0) {
      done = empty_folder(below, false) && unlinkat(folder, name, AT_REMOVEDIR) == 0;
      (void)close(below);
    } else {
      done = unlinkat(folder, name, 0) == 0;
    }
  }
  if (dir != NULL) (void)closedir(dir);
  return done;
}

vise_status vise_i_cli_events_remove(const char *dir, vise_error *err) {
  char path[PATH_BYTES], foreign[2 * NAME_MAX + 2];
  int folder;
  if (open_folder(dir, &folder, NULL) != VISE_OK || folder < 0) return VISE_OK;
  (void)snprintf(path, sizeof path, "%s/" VISE_I_CLI_EVENTS_FOLDER, dir);

  vise_status status = VISE_OK;
  const bool ours = find_foreign(folder, true, foreign, sizeof foreign) && *foreign == '\0';
  if (ours && (!empty_folder(folder, true) || rmdir(path) != 0)) {
    status = vise_i_cli_fail(err, VISE_ERR_IO, "%s: cannot be removed: %s", path, strerror(errno));
  }
  (void)close(folder);
  return status;
}

vise_status vise_i_cli_events_folder(const char *dir, int *out, vise_error *err) {
  char path[PATH_BYTES];
  (void)snprintf(path, sizeof path, "%s/" VISE_I_CLI_EVENTS_FOLDER, dir);
  *out = -1;
  if (mkdir(path, 0777) != 0 && errno != EEXIST) {
    return vise_i_cli_fail(err, VISE_ERR_IO, "%s: the folder cannot be made: %s", path, strerror(errno));
  }
  vise_status status = open_folder(dir, out, err);
  if (status == VISE_OK && *out < 0) status = vise_i_cli_fail(err, VISE_ERR_IO, "%s: it is gone again", path);
  return status;
}
