#include "host/cli/files.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/cli/message.h"

/* The folder that path lies in; malloc'ed. */
static char *folder_of(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash == NULL ? strdup(".") : slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

static bool same_place(const char *a, const char *b) {
  struct stat of_a, of_b;
  return stat(a, &of_a) == 0 && stat(b, &of_b) == 0 && of_a.st_dev == of_b.st_dev && of_a.st_ino == of_b.st_ino;
}

bool vise_i_cli_same_file(const char *a, const char *b) {
  if (strcmp(a, b) == 0 || same_place(a, b)) return true;
  const char *slash_a = strrchr(a, '/'), *slash_b = strrchr(b, '/');
  if (strcmp(slash_a == NULL ? a : slash_a + 1, slash_b == NULL ? b : slash_b + 1) != 0) return false;
  char *folder_a = folder_of(a), *folder_b = folder_of(b);
  bool same = folder_a != NULL && folder_b != NULL && same_place(folder_a, folder_b);
  free(folder_a);
  free(folder_b);
  return same;
}

vise_status vise_i_cli_check_folder(const char *path, vise_error *err) {
  char *folder = folder_of(path);
  if (folder == NULL) return vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory");
  vise_status status = VISE_OK;
  if (access(folder, F_OK) != 0) {
    status = vise_i_cli_fail(err, VISE_ERR_IO, "%s: the folder %s does not exist", path, folder);
  } else if (access(folder, W_OK) != 0) {
    status = vise_i_cli_fail(err, VISE_ERR_IO, "%s: the folder %s cannot be written", path, folder);
  }
  free(folder);
  return status;
}
