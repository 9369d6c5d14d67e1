/* vise_reference FOLDER: writes vise.1, vise-COMMAND.1, vise.bash, _vise, vise.fish and options.md into FOLDER. */
#include <stdio.h>
#include <string.h>

#include "host/cli/reference/reference.h"

/* Opens a file of the folder; NULL, with a message, if that fails. */
static FILE *open_in(const char *folder, const char *name) {
  char path[1024];
  (void)snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *stream = fopen(path, "w");
  if (stream == NULL) perror(path);
  return stream;
}

static bool close_written(FILE *stream) {
  const bool failed = ferror(stream) != 0;
  return fclose(stream) == 0 && !failed;
}

static bool write_man(const char *folder, const vise_i_cli_command *command) {
  char name[64];
  (void)snprintf(name, sizeof name, "vise%s%s.1", command == NULL ? "" : "-", command == NULL ? "" : command->name);
  FILE *stream = open_in(folder, name);
  if (stream == NULL) return false;
  vise_i_cli_write_man(stream, command);
  return close_written(stream);
}

static bool write_file(const char *folder, const char *name, void (*write)(FILE *stream)) {
  FILE *stream = open_in(folder, name);
  if (stream == NULL) return false;
  write(stream);
  return close_written(stream);
}

/* Whether the tool has room for a list of all rows. */
static bool rows_fit(void) {
  size_t n = vise_i_cli_n_rows;
  for (size_t i = 0; vise_option_at(i) != NULL; i++) n++;
  if (n <= VISE_I_CLI_MAX_OPTIONS) return true;
  (void)fprintf(stderr, "vise_reference: %zu options; make VISE_I_CLI_MAX_OPTIONS (host/cli/options.h) larger\n", n);
  return false;
}

int main(int argc, char **argv) {
  if (argc != 2) {
    (void)fprintf(stderr, "usage: vise_reference FOLDER\n");
    return 2;
  }
  if (!rows_fit()) return 1;

  bool written = write_man(argv[1], NULL);
  for (const vise_i_cli_command *command = vise_i_cli_commands; command->name != NULL; command++) {
    written = write_man(argv[1], command) && written;
  }
  written = write_file(argv[1], "vise.bash", vise_i_cli_write_bash) && written;
  written = write_file(argv[1], "_vise", vise_i_cli_write_zsh) && written;
  written = write_file(argv[1], "vise.fish", vise_i_cli_write_fish) && written;
  written = write_file(argv[1], "options.md", vise_i_cli_write_markdown) && written;
  return written ? 0 : 1;
}
