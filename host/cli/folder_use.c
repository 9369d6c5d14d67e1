#include "host/cli/folder_use.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

vise_i_cli_use_state vise_i_cli_use_of(const char *path) {
  struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return errno == ENOENT || errno == ENOTDIR ? VISE_I_CLI_UNUSED : VISE_I_CLI_USE_UNKNOWN;

  const int asked = fcntl(file, F_OFD_GETLK, &whole);
  (void)close(file);
  if (asked != 0) return VISE_I_CLI_USE_UNKNOWN;
  return whole.l_type == F_UNLCK ? VISE_I_CLI_UNUSED : VISE_I_CLI_USED;
}

void vise_i_cli_use_show(int file) {
  struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  (void)fcntl(file, F_OFD_SETLK, &whole);
}
